#!/usr/bin/env python3
"""Makes every situation of the table in docs/recovery.md and checks the command and the library against its row.

    tests/verdicts/run.py                         the short form: every row, a part of the combinations
    tests/verdicts/run.py --all                   all combinations (make soak)
    tests/verdicts/run.py --case closed/last/payload/flipped/right --keep
                                                  one case, with all that is found, and what is left of it
    tests/verdicts/run.py --row hole              the cases of one row
    tests/verdicts/run.py --list                  the names of the cases and their rows

The last line is "N passed, M failed". A failure names the row, the column, the requirement, and how to repeat it.

  BINLOG_LIB_DIR   where libbinlog.so and the command binlog are (default: target/release of this repository)
  BINLOG_VERDICT_SHARES   one combination of so many is tried in the short form (default: 8)
"""
import argparse
import collections
import multiprocessing
import os
import pathlib
import shutil
import sys
import time
import traceback

import cursors
import damage
import known
import logs
import oracle
import special
import table

ROWS = table.rows()
oracle.Judge.table_row = staticmethod(ROWS.get)


def every():
    """Name of a case -> the function that makes it."""
    return dict([*special.special(), *damage.systematic(), *cursors.cases()])


def chosen(names, share):
    """The short form: one in `share` of the systematic cases with right names, one in six times as many of those where names
    are wrong too, one in three of the special ones of which there are many alike, and all others."""
    picked, counted = [], collections.Counter()
    for name in names:
        parts = name.split("/")
        if parts[0] in ("beside", "copied", "copy", "version-bit", "random"):
            counted[parts[0]] += 1
            if counted[parts[0]] % 3 != 1:
                continue
        # Only these make the row of a never-durable segment without its beginning.
        is_rare = parts[0] == "unsynced" and parts[1] in ("last", "only") and parts[-1] == "right" and parts[2] == "header"
        if len(parts) == 5 and parts[0] in damage.STATES and parts[1] in damage.PLACES and not is_rare:
            group = (parts[1], parts[4] == "right")
            counted[group] += 1
            step = share if parts[4] == "right" else 6 * share
            # Prime steps, so that no part or change is left out every time.
            if counted[group] % step != 1 % step:
                continue
        picked.append(name)
    return picked


def work_on(name):
    """Row of the case, and findings; None when the combination is impossible."""
    work = pathlib.Path(WORK) / f"{os.getpid()}"
    try:
        made = EVERY[name]()
        if made is None:
            return name, None, []
        if isinstance(made, cursors.Asked):
            return name, made.row, made.ask(work)
        row = ROWS.get(made.row)
        if made.row is not None and row is None:
            return name, made.row, [("table", "the page has the row", f"{made.row!r} is no row of docs/recovery.md")]
        extras = EXTRAS or hash_of(name) % 4 == 0 or name in special_names()
        return name, made.row, list(oracle.Judge(made, work, row, extras).judge())
    except Exception:
        return name, "?", [("test", "runs", traceback.format_exc(limit=6))]


def special_names():
    return SPECIAL


def hash_of(name):
    return sum(name.encode())


def main():
    global EVERY, WORK, EXTRAS, SPECIAL
    parser = argparse.ArgumentParser()
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--case", action="append")
    parser.add_argument("--row")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--failures", metavar="FILE", help="write all of them there, known ones too, one line a class, while it runs")
    options = parser.parse_args()
    EVERY = every()
    SPECIAL = {name for name, _ in special.special()}
    EXTRAS = options.all or bool(options.case)
    names = options.case or (list(EVERY) if options.all else
                             chosen(EVERY, int(os.environ.get("BINLOG_VERDICT_SHARES", 8))))
    if options.row:
        names = [name for name in EVERY if (made := EVERY[name]()) is not None and made.row == options.row]
    if options.list:
        for name in names:
            made = EVERY[name]()
            if made is not None:
                print(f"{made.row or '(only what holds for all)':32} {name}")
        return 0
    WORK = logs.home()
    begun = time.monotonic()
    try:
        if options.jobs > 1 and len(names) > 1:
            prepare(names)
            with multiprocessing.get_context("fork").Pool(options.jobs) as pool:
                results = []
                for done in pool.imap_unordered(work_on, names, chunksize=4):
                    results.append(done)
                    if options.failures and len(results) % 50 == 0:
                        write(options.failures, results)
        else:
            results = [work_on(name) for name in names]
        return report(results, options, time.monotonic() - begun)
    finally:
        if options.keep:
            print(f"what was made is in {WORK}")
        else:
            shutil.rmtree(WORK, ignore_errors=True)


def prepare(names):
    """Logs that most cases share are made once, before the processes are forked."""
    for state in damage.STATES:
        for segments, single in ((4, False), (1, False), (1, True)):
            if not (single and state in ("compressed", "recovered")):
                logs.base(state, segments, single)


def classes_of(results):
    classes = {}
    for name, row, found in results:
        for column, check, text in found:
            classes.setdefault((row or "(any)", column, check), []).append((name, text))
    return classes


def write(path, results):
    """One line for each class of failures, known ones too."""
    with open(path, "w") as out:
        out.write(f"{len(results)} cases, {sum(not found for _, _, found in results)} of them without a finding\n")
        for (row, column, check), all_of in sorted(classes_of(results).items()):
            name, text = min(all_of, key=lambda one: (len(one[0]), one[0]))
            out.write(f"- [{row}] {column}: {check} ({len(all_of)} cases): {' '.join(text.split())[:230]} -- "
                      f"`tests/verdicts/run.py --case {name}`\n")


def matches(entry, row, column, check):
    return all(pattern in ("*", given) for pattern, given in zip(entry[:3], (row, column, check)))


def report(results, options, seconds):
    classes, cases, used, rows = {}, 0, set(), collections.Counter()
    failed_cases = set()
    for name, row, found in results:
        if row is None and not found and EVERY[name]() is None:
            continue
        cases += 1
        row = row or "(any)"
        rows[row] += 1
        for column, check, text in found:
            entries = [at for at, entry in enumerate(known.KNOWN) if matches(entry, row, column, check)]
            used.update(entries)
            if entries and not options.case:
                continue
            failed_cases.add(name)
            classes.setdefault((row, column, check), []).append((name, text))
    for (row, column, check), all_of in sorted(classes.items()):
        name, text = min(all_of, key=lambda one: (len(one[0]), one[0]))
        print(f"FAIL  [{row}] {column}: {check} ({len(all_of)} cases): {text}\n      again with: tests/verdicts/run.py --case {name}")
        if options.case:
            for other, more in all_of[1:]:
                print(f"      {other}: {more}")
    missing = [row for row in ROWS if not rows[row] and row not in ("hole, named",)] if not options.case and not options.row else []
    for row in missing:
        print(f"FAIL  [{row}] no case makes this row of docs/recovery.md")
    stale = [] if options.case or options.row else [entry for at, entry in enumerate(known.KNOWN) if at not in used]
    for entry in stale:
        print(f"FAIL  {entry}: holds now: remove it from KNOWN in tests/verdicts/known.py")
    if options.failures:
        write(options.failures, results)
    failures = len(failed_cases) + len(missing) + len(stale)
    print(f"{cases} cases of {len(rows)} rows, {len(known.KNOWN)} known, {seconds:.0f} s")
    print(f"{max(cases - len(failed_cases), 0)} passed, {failures} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
