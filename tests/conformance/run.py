#!/usr/bin/env python3
"""One corpus for all languages: each reads every golden file, what every other one writes, and follows it as it is
written.

tests/conformance/README.md lists the checks. Prints one line per check, and at the end "N passed, M failed"; exits with
1 if any failed. Needs only the standard library, and the built library in target/release (or in BINLOG_LIB_DIR).
"""

import hashlib
import json
import os
import shutil
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import command
import expected
import selections
from languages import GOLDEN, HERE, Failure, build_all

# Records of a log that one language writes: five segments of it.
COUNT = 5000
# Lengths to which a golden file is cut.
CUTS = 30
# Legacy files.
OLDER = HERE.parent / "data/legacy"


def same(seen, wanted, whose):
    """Compares texts, and reports the first line that differs: whole logs are too long to look through."""
    if seen == wanted:
        return
    one, other = seen.split("\n"), wanted.split("\n")
    for number, (line, instead) in enumerate(zip(one, other), 1):
        if line != instead:
            at = len(os.path.commonprefix([line, instead]))
            around = slice(max(0, at - 120), at + 120)
            raise Failure(f"{whose}: line {number} is another one, from its character {at + 1} on:\n"
                          f"  is        {line[around]}\n  should be {instead[around]}")
    raise Failure(f"{whose}: {len(one)} lines instead of {len(other)}")


def golden_files(programs):
    for path in sorted(GOLDEN.glob("*.json")):
        log = path.with_suffix("")
        for program in programs:
            yield f"{program.name} reads {log.name}", read_as(program, log, path.read_text("utf-8"))
        yield f"the command reads {log.name}", command_reads(log, json.loads(path.read_text("utf-8")))


def read_as(program, log, wanted, how="read"):
    return lambda: same(program.run(how, log), wanted, f"{program.name}, {log.name}")


def command_reads(log, wanted, *options):
    return lambda: command.compare(wanted, log, *options)


def salvaged_files(programs):
    for path in sorted((HERE / "salvaged").glob("*.json")):
        log, wanted = GOLDEN / path.stem, path.read_text("utf-8")
        for program in programs:
            if program.has_extras:
                yield f"{program.name} salvages {log.name}", read_as(program, log, wanted, "salvage")
        yield f"the command salvages {log.name}", command_reads(log, json.loads(wanted), "--salvage")


def described_types(programs):
    """The types as the TYPE events of the golden file's JSON describe them, with schemas of the stated checksums."""
    def described(log, events):
        types = {}
        for facts in (dict(event["metadata"]) for event in events if event["event"] == "TYPE"):
            known = {"content_type": facts["content_type"], "encoding": facts.get("encoding", ""),
                     "message": facts.get("message", ""), "name": facts["name"], "type": int(facts["id"])}
            types[known["type"]] = {**known, **({"schema_sha256": facts["schema"]} if "schema" in facts else {})}
        for program in programs:
            shown = [json.loads(line) for line in program.run("types", log).splitlines()]
            for info in shown:
                if ("schema" in info) != ("schema_sha256" in info):
                    raise Failure(f"{program.name} has no schema for {info}")
                schema = bytes.fromhex(info.pop("schema", ""))
                if info.get("schema_sha256", hashlib.sha256(schema).hexdigest()) != hashlib.sha256(schema).hexdigest():
                    raise Failure(f"{program.name}: another schema in {info}")
            if shown != [types[number] for number in sorted(types)]:
                raise Failure(f"{program.name} says {shown}\ninstead of {sorted(types.items())}")

    for path in sorted(GOLDEN.glob("*.json")):
        seen = json.loads(path.read_text("utf-8"))
        if "error" not in seen["end"]:
            log = path.with_suffix("")
            yield f"all describe the types of {log.name}", lambda log=log, seen=seen: described(log, seen["events"])


def selected_records(programs):
    """Filters: the same answers from all, which are the records of the golden file's JSON that satisfy the
    conditions."""
    programs = [program for program in programs if program.has_extras]

    def agree(log, conditions, records):
        wanted = programs[0].run("read", log, *conditions)
        for program in programs[1:]:
            same(program.run("read", log, *conditions), wanted, f"{program.name} and {programs[0].name}")
        seen = json.loads(wanted)
        if records is not None:
            lines = [expected.canonical(row) for row in selections.select(records, conditions)]
            same("\n".join(expected.lines_of(wanted, "records")), "\n".join(lines), "records")
        options = selections.options(conditions)
        # The command continues after records that were removed, with a note.
        if options is not None and seen["end"].get("error") != "missed":
            command.compare(seen, log, *options)

    for name, conditions in selections.SELECTIONS:
        records = json.loads((GOLDEN / f"{name}.json").read_text("utf-8"))["records"]
        yield f"{name}: {' '.join(conditions)}", lambda n=name, c=conditions, r=records: agree(GOLDEN / n, c, r)
    for name, conditions in selections.UNPREDICTED:
        yield f"{name}: {' '.join(conditions)}", lambda n=name, c=conditions: agree(GOLDEN / n, c, None)


def other_paths(programs, work):
    """A pattern, a path that is not plain ASCII, and one at which there is nothing."""
    copy = work / "a log: журнал"
    shutil.copytree(GOLDEN / "rolled", copy)
    rolled = (GOLDEN / "rolled.json").read_text("utf-8")
    for program in programs:
        yield f"{program.name} reads a pattern", read_as(program, GOLDEN / "rolled/*.binlog", rolled)
        yield f"{program.name} reads a path with spaces, beyond ASCII", read_as(program, copy, rolled)
        yield f"{program.name} reports that nothing is there", read_as(program, work / "nothing", expected.NOT_FOUND)


def cut_files(programs, work):
    whole = (GOLDEN / "lz4.binlog").read_bytes()
    copies = work / "cut"
    copies.mkdir()
    lengths = sorted({len(whole) * i // CUTS for i in range(CUTS)} | {11, 12, len(whole) - 1})
    for length in lengths:
        (copies / f"{length}.binlog").write_bytes(whole[:length])

    def agree(length):
        log = copies / f"{length}.binlog"
        wanted = programs[0].run("read", log)
        for program in programs[1:]:
            same(program.run("read", log), wanted, f"{program.name} and {programs[0].name} at {length} bytes")
        command.compare(json.loads(wanted), log)

    for length in lengths:
        yield f"all agree on lz4.binlog cut to {length} bytes", lambda length=length: agree(length)


def older_files(programs):
    """Legacy files: all programs print the same; their contents are compared with their own descriptions elsewhere."""
    def agree(log):
        wanted = programs[0].run("read", log)
        for program in programs[1:]:
            same(program.run("read", log), wanted, f"{program.name} and {programs[0].name}, {log.name}")
        command.compare(json.loads(wanted), log)

    described = [path.with_suffix("") for path in sorted(OLDER.glob("*/*.json"))]
    for log in [*described, OLDER / "java/rolled", OLDER / "shoebox/test_*.events"]:
        yield f"all agree on {log.parent.name}/{log.name}", lambda log=log: agree(log)


def situations(programs, work):
    """One case of each row of the table in docs/recovery.md: which records a reader shows, and which end it reports."""
    sys.path.insert(0, str(HERE.parent / "verdicts"))
    import examples
    import logs

    def agree(how, log, those):
        wanted = those[0].run(how, log)
        for program in those[1:]:
            same(program.run(how, log), wanted, f"{program.name} and {those[0].name}, {how} {log.name}")

    for row, case in sorted(examples.one_a_row().items()):
        log = work / "situations" / row
        logs.store(case.files, log)
        if case.log.single:
            log = log / "default.binlog"
        yield f"all read alike what is {row!r}", lambda log=log: agree("read", log, programs)
        extras = [program for program in programs if program.has_extras]
        yield f"all salvage alike what is {row!r}", lambda log=log: agree("salvage", log, extras)


def check_log(programs, log, count, segments):
    """All programs read the same records, those of the contract; `segments` may be None."""
    texts = {program.name: program.run("read", log) for program in programs}
    first = programs[0].name
    for name, text in texts.items():
        same(text, texts[first], f"{name} and {first}, {log.name}")
    text = texts[first]
    records = "\n".join(expected.lines_of(text, "records"))
    same(records, "\n".join(expected.record_lines(count)), f"records of {log.name}")
    seen = json.loads(text)
    if (seen["end"].get("state"), seen["end"].get("next_id")) != ("closed", count + 1):
        raise Failure(f"{log.name} ends with {seen['end']}")
    if segments is not None and seen["segments"] != segments:
        raise Failure(f"{log.name} has the segments\n  {seen['segments']}\ninstead of\n  {segments}")
    command.compare(seen, log)


def cross_writing(programs, work):
    def write_and_read(writer):
        log = work / f"written by {writer.name}"
        writer.run("write", log, COUNT)
        segments = [expected.segment(1 + first // expected.SEGMENT, first + 1, writer.writer)
                    for first in range(0, COUNT, expected.SEGMENT)]
        check_log(programs, log, COUNT, segments)

    def stage_and_read(writer):
        log = work / f"staged by {writer.name}"
        writer.run("stage", log, COUNT)
        check_log(programs, log, COUNT, [expected.segment(1, 1, writer.writer)])

    for writer in programs:
        yield f"all read what {writer.name} writes", lambda writer=writer: write_and_read(writer)
        if writer.has_appenders:
            yield f"all read what {writer.name} writes by an appender", lambda writer=writer: stage_and_read(writer)


def shared_log(programs, work):
    """Each language takes the log over from another one, within a segment, within a run of ten and at the end of a
    segment."""
    def take_turns():
        log, count = work / "written by all", 0
        for turn, more in enumerate([730, 7, 263]):
            for program in programs[turn:] + programs[:turn]:
                program.run("write", log, more)
                count += more
        check_log(programs, log, count, None)

    yield "all append to one log in turn, and all read it", take_turns


def following(programs, work):
    """One follows from before the log is there, while another writes, rolls, ends, and continues in a second
    process."""
    def follow(reader, writer):
        log = work / f"followed by {reader.name}"
        output = work / f"seen by {reader.name}"
        with output.open("wb") as file:
            process = reader.start("tail", log, COUNT, output=file)
            try:
                # So that the reader is already looking for the log; the result is the same if it is not.
                time.sleep(0.3)
                for count in [COUNT - 1500, 1000, 500]:
                    writer.run("write", log, count)
                reader.finish(process)
            finally:
                if process.poll() is None:
                    process.kill()
                    process.communicate()
        wanted = "".join(line + "\n" for line in expected.record_lines(COUNT))
        same(output.read_text("utf-8"), wanted, f"{reader.name}, {log.name}")

    for reader, writer in zip(programs, programs[1:] + programs[:1]):
        yield f"{reader.name} follows what {writer.name} writes", lambda r=reader, w=writer: follow(r, w)


def check(name, work):
    try:
        work()
    except Failure as failure:
        return f"FAIL  {name}\n" + "".join(f"      {line}\n" for line in str(failure).splitlines())
    return f"ok    {name}\n"


def main():
    sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)

    def note(text):
        print(f"note: {text}", flush=True)

    with tempfile.TemporaryDirectory(prefix="binlog-conformance-") as scratch:
        work = Path(scratch)
        try:
            programs = build_all(work, note)
        except Failure as failure:
            print(f"FAIL  build\n{failure}\n0 passed, 1 failed")
            return 1
        print("languages: " + ", ".join([*(program.name for program in programs), "and the command"]), flush=True)
        originals = [program for program in programs if not program.is_variant]
        checks = [*following(originals, work), *cross_writing(programs, work), *shared_log(originals, work),
                  *golden_files(programs), *salvaged_files(programs), *described_types(programs), *selected_records(programs),
                  *other_paths(originals, work), *cut_files(programs, work), *older_files(programs),
                  *situations(originals, work)]
        failed = 0
        with ThreadPoolExecutor((os.cpu_count() or 1) + 1) as pool:
            for line in pool.map(lambda one: check(*one), checks):
                failed += line.startswith("FAIL")
                print(line, end="", flush=True)
        print(f"{len(checks) - failed} passed, {failed} failed")
        return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
