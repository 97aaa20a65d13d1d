#!/usr/bin/env python3
"""Shipping to real object stores, through what networks, servers, disks and kill -9 do to it.

tests/archive/README.md says which servers. One line a check, the last one "N passed, M failed"; exits with 1 if any failed.

  run.py [--soak] [--only TEXT]

With --soak each fault is tried at each request, and everything random many times over; with --only, checks whose name
has the text in it.
"""

import argparse
import sys
import tempfile
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import command
import damage
import faults
import identity
import lives
import logs
import outside
from processes import Failure
from servers import DEFAULT, Servers

STORES = ("s3", "swift")
# Most of the time a check waits: for a server, for a retry.
AT_ONCE = 6


def check(name, work):
    began = time.monotonic()
    try:
        work()
        told = "ok  "
        why = ""
    except Failure as failure:
        told, why = "FAIL", str(failure)
    except Exception:
        told, why = "FAIL", traceback.format_exc()
    seconds = time.monotonic() - began
    return f"{told}  {name} ({seconds:.1f} s)\n" + "".join(f"      {line}\n" for line in why.splitlines())


def secrets_kept(servers):
    """Nothing that any command has printed, and no file that it has written, has a secret in it."""
    if lines := command.find(servers.secret):
        raise Failure("a secret was printed: " + "\n".join(lines[:3]).replace(servers.secret, "(the secret)"))
    for path in servers.scratch.rglob("*"):
        if path.is_file() and path.suffix in (".archive", ".prom", ".binlog") and servers.secret.encode() in path.read_bytes():
            raise Failure(f"a secret is in {path.name}")


def main():
    sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--soak", action="store_true")
    parser.add_argument("--only", default="")
    chosen = parser.parse_args()

    with tempfile.TemporaryDirectory(prefix="binlog-ship-") as scratch, Servers((*DEFAULT, "keystone"), later=True) as servers:
        servers.scratch = Path(scratch)
        work = Path(scratch)
        templates = {"small": (work / "small", logs.small_log(work / "small")),
                     "mixed": (work / "mixed", logs.mixed_log(work / "mixed"))}
        checks = []
        for kind in STORES:
            for module in (lives, faults, outside, damage):
                checks += module.checks(servers, kind, work, templates, chosen.soak)
        checks += outside.keystone_checks(servers, work, templates)
        checks += identity.checks(servers, work, templates)
        checks = [(name, one) for name, one in checks if chosen.only in name]
        failed = 0
        lock = threading.Lock()

        def tell(one):
            nonlocal failed
            told = check(*one)
            with lock:
                failed += told.startswith("FAIL")
                print(told, end="", flush=True)

        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(tell, checks))
        tell(("no secret was printed or written", lambda: secrets_kept(servers)))
        print(f"{len(checks) + 1 - failed} passed, {failed} failed")
        return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
