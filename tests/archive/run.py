#!/usr/bin/env python3
"""Shipping to real object stores, with faults of networks, servers and disks, and with kill -9.

tests/archive/README.md lists the servers. Prints one line per check, and at the end "N passed, M failed"; exits with
1 if any failed.

  run.py [--soak] [--only TEXT]

With --soak, each fault is tried at each request, and everything random many times; with --only, checks whose name
contains the text.
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
# A check waits most of the time: for a server, for a retry.
AT_ONCE = 6


def check(name, work):
    began = time.monotonic()
    try:
        work()
        verdict = "ok  "
        why = ""
    except Failure as failure:
        verdict, why = "FAIL", str(failure)
    except Exception:
        verdict, why = "FAIL", traceback.format_exc()
    seconds = time.monotonic() - began
    return f"{verdict}  {name} ({seconds:.1f} s)\n" + "".join(f"      {line}\n" for line in why.splitlines())


def secrets_kept(servers):
    """Neither the output of any command nor any file that it has written contains a secret."""
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

        def report(one):
            nonlocal failed
            lines = check(*one)
            with lock:
                failed += lines.startswith("FAIL")
                print(lines, end="", flush=True)

        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(report, checks))
        report(("no secret was printed or written", lambda: secrets_kept(servers)))
        print(f"{len(checks) + 1 - failed} passed, {failed} failed")
        return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
