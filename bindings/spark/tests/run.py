#!/usr/bin/env python3
"""Runs the tests of the connector with Spark itself: the programs of checks, two at a time, with an S3 server on loopback.

Prints a line a check, and at the end "N passed, M failed"; exits with 1 if any failed.

  run.py [--soak] [--only TEXT] [--seed N] [PROGRAM...]

With --soak also the long checks, with other random numbers each time unless --seed gives them; with --only, checks whose
name contains the text. Programs: properties, decoding, scenarios, speculation, streams, pages.
"""

import argparse
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[2] / "tests/archive"))
from servers import Servers  # noqa: E402

PROGRAMS = ("pages", "streams", "properties", "scenarios", "decoding", "speculation")
# Of all together; the long checks have none.
SECONDS = 300


def die_with_parent():
    import ctypes

    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def run(program, arguments, env, limit):
    """The program's lines, and how many checks passed and failed."""
    child = subprocess.Popen([sys.executable, str(HERE / f"{program}.py"), *arguments], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             text=True, errors="replace", start_new_session=True, preexec_fn=die_with_parent)
    late = False
    try:
        printed, errors = child.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        late = True
        os.killpg(child.pid, signal.SIGKILL)
        printed, errors = child.communicate()
    # Executors that outlive their driver would disturb the next program.
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    lines = [line for line in printed.splitlines() if re.match(r"ok  |FAIL|note|      ", line)]
    passed, failed = (sum(line.startswith(word) for line in lines) for word in ("ok ", "FAIL "))
    if late:
        failed += 1
        lines.append(f"FAIL  {program} in the time that is left ({limit:.0f} s)")
    elif child.returncode not in (0, 1) or (child.returncode == 1 and not failed):
        failed += 1
        lines += [f"FAIL  {program} (exit {child.returncode})", *(f"      {line[:400]}" for line in errors.splitlines()[-40:])]
    return lines, passed, failed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--soak", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("--seed", type=int)
    parser.add_argument("programs", nargs="*", default=PROGRAMS, metavar="PROGRAM")
    chosen = parser.parse_args()
    seed = chosen.seed if chosen.seed is not None else random.randrange(2, 10**6) if chosen.soak else 1
    arguments = ["--seed", str(seed), "--only", chosen.only, *(["--soak"] if chosen.soak else [])]
    began, passed, failed = time.monotonic(), 0, 0
    # Sessions that are killed leave their directories behind, and others what they have unpacked.
    with Servers(["s3"]) as servers, tempfile.TemporaryDirectory(prefix="binlog-spark-tests-", ignore_cleanup_errors=True) as scratch:
        env = {**os.environ, **servers.environment(), "TZ": "UTC", "PYTHONDONTWRITEBYTECODE": "1", "BINLOG_S3_DATA": str(servers.s3.data), "TMPDIR": scratch,
               "AWS_EC2_METADATA_DISABLED": "true", "PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"}
        # Short lives: compiling well would take most of the time, of the processors above all.
        for name in ("SPARK_SUBMIT_OPTS", "SPARK_LAUNCHER_OPTS", "SPARK_DAEMON_JAVA_OPTS"):
            env[name] = f"-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Djava.io.tmpdir={scratch}"
        for name in ("PYSPARK_SUBMIT_ARGS", "SPARK_HOME", "SPARK_CONF_DIR"):
            env.pop(name, None)
        left = lambda: None if chosen.soak else max(1.0, SECONDS - (time.monotonic() - began))
        # Two at a time: a session waits for its own start, and for its executors', most of the time.
        with ThreadPoolExecutor(2) as pool:
            for lines, one, other in pool.map(lambda program: run(program, arguments, env, left()), chosen.programs):
                passed, failed = passed + one, failed + other
                print("\n".join(lines), flush=True)
    print(f"note  {time.monotonic() - began:.0f} s, seed {seed}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
