#!/usr/bin/env python3
"""Random sequences of what programs do with a log, at false times, with the built library, compared with an independent
model.

    tests/rolling_model/run.py                       the short form
    tests/rolling_model/run.py --sequences 5000      the long one
    tests/rolling_model/run.py --seed 17             one sequence again, with all that was done

Each sequence appends, flushes, syncs, ticks, rolls, closes, is killed, opens the log with another period, zone or template,
and sets the clock: to boundaries, over them, back, years ahead, through nights in which clocks change. The model (model.py)
says which records are in which segment; check.py lists the other comparisons. The last line is "N passed, M failed".

  BINLOG_LIB_DIR      where libbinlog.so is (default: target/release of this repository)
  BINLOG_INCLUDE_DIR  where binlog.h is (default: include of this repository)
  CC                  the compiler (default: cc)
"""
import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

from sequence import Wrong, run_sequence

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent


def build(work):
    lib = pathlib.Path(os.environ.get("BINLOG_LIB_DIR", ROOT / "target" / "release")).resolve()
    include = os.environ.get("BINLOG_INCLUDE_DIR", str(ROOT / "include"))
    if not (lib / "libbinlog.so").exists():
        sys.exit(f"no library in {lib}: build it first")
    for name in ("libbinlog.so", "libbinlog.so.0"):
        (work / name).symlink_to(lib / "libbinlog.so")
    driver = work / "driver"
    # -rdynamic: the library must find this program's clock.
    command = [os.environ.get("CC", "cc"), "-Wall", "-Wextra", "-Werror", "-O1", "-rdynamic", "-I", include, "-o", str(driver)]
    subprocess.run(command + [str(HERE / "driver.c"), "-L", str(work), "-lbinlog", f"-Wl,-rpath,{work}"], check=True)
    return driver


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--sequences", type=int, default=120)
    parser.add_argument("--first", type=int, default=1, help="the seed of the first sequence")
    parser.add_argument("--seed", type=int, help="only this one, and show what is done")
    options = parser.parse_args()
    fast = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    work = pathlib.Path(tempfile.mkdtemp(prefix="binlog-rolling-model-", dir=fast))
    seeds = [options.seed] if options.seed is not None else range(options.first, options.first + options.sequences)
    failed, begun, records = 0, time.monotonic(), 0
    try:
        driver = build(work)
        for seed in seeds:
            home = work / "log"
            try:
                records += run_sequence(seed, driver, home, options.seed is not None)
            except Wrong as wrong:
                failed += 1
                print(f"FAIL  seed {seed}: {wrong}\n      again with: tests/rolling_model/run.py --seed {seed}", flush=True)
            shutil.rmtree(home, ignore_errors=True)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    print(f"seeds {seeds[0]} to {seeds[-1]}, {records} records, {time.monotonic() - begun:.0f} s")
    print(f"{len(seeds) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
