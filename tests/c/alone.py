#!/usr/bin/env python3
"""Appenders share nothing that one of them writes: each thread's appends store to cache lines that the other's neither
load nor store, and no instruction of theirs locks one.

    alone.py PROGRAM    the built tests/c/alone.c; needs valgrind, whose lackey lists all loads and stores
"""

import os
import subprocess
import sys
import tempfile

LINE = 64


def turns(program):
    """For each of the two threads: the cache lines that its appends load, and those that they store to."""
    with tempfile.TemporaryDirectory() as folder:
        trace = os.path.join(folder, "trace")
        command = ["valgrind", "--tool=lackey", "--trace-mem=yes", f"--log-file={trace}", program, "lines"]
        printed = subprocess.run(command, cwd=folder, check=True, stdout=subprocess.PIPE, text=True).stdout
        marks = {int(mark, 16): number for number, mark in enumerate(printed.split())}
        turn, found = None, [(set(), set()), (set(), set())]
        with open(trace, encoding="ascii", errors="replace") as lines:
            for line in lines:
                if line[:1] != " " or line[1:3] not in ("L ", "S ", "M ") and line[1:2] not in "LSM":
                    continue
                kind, _, access = line.strip().partition(" ")
                address, _, size = access.strip().partition(",")
                address = int(address, 16)
                if address in marks and kind in "SM":
                    number = marks[address]
                    turn = found[number // 2] if number % 2 == 0 else None
                elif turn is not None:
                    touched = range(address // LINE, (address + int(size) - 1) // LINE + 1)
                    if kind in "LM":
                        turn[0].update(touched)
                    if kind in "SM":
                        turn[1].update(touched)
    return found


def main():
    program = os.path.abspath(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        steps = subprocess.run([program, "steps"], cwd=folder, stdout=subprocess.PIPE, text=True)
    print(steps.stdout, end="")
    (loads, stores), (other_loads, other_stores) = turns(program)
    # 100 records of 100 bytes: the payloads alone take 156 lines.
    for stored in (stores, other_stores):
        if len(stored) < 156:
            sys.exit(f"only {len(stored)} lines are stored to: the trace is not of the appends")
    shared = (stores & (other_loads | other_stores)) | (other_stores & (loads | stores))
    print(f"{len(stores)} and {len(other_stores)} cache lines are stored to, {len(shared)} of them are shared")
    for line in sorted(shared):
        print(f"  {line * LINE:#x}")
    sys.exit(1 if shared or steps.returncode else 0)


if __name__ == "__main__":
    main()
