"""Contenders that take turns, for the benchmarks in Python."""

import sys
import time


def measure(found, rounds, warm=1):
    """The seconds of each round by work and contender, after `warm` rounds that are not measured. `found` has for each work its
    contenders: a call, and what it must return."""
    times = {(work, name): [] for work, contenders in found.items() for name in contenders}
    for turn in range(warm + rounds):
        for work, contenders in found.items():
            names = list(contenders)
            for name in names[turn % len(names):] + names[:turn % len(names)]:
                call, expected, _ = contenders[name]
                began = time.perf_counter()
                got = call()
                took = time.perf_counter() - began
                assert got == expected, (work, name, got, expected)
                if turn >= warm:
                    times[work, name].append(took)
            sys.stderr.write(".")
            sys.stderr.flush()
    sys.stderr.write("\n")
    return times
