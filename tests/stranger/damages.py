#!/usr/bin/env python3
"""Makes logs with the command, damages them at random, and compares what the command shows with what this reader shows."""

import argparse
import base64
import calendar
import gzip
import json
import os
import pathlib
import random
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import read as stranger  # noqa: E402
from segment import zstandard  # noqa: E402
from test_stranger import EVENTS  # noqa: E402

EVENT_NUMBERS = {name: number for number, name in EVENTS.items()}


class Command:
    def __init__(self, path):
        self.path = str(path)

    def run(self, *words, data=b""):
        return subprocess.run([self.path, *map(str, words)], input=data, capture_output=True, timeout=60, check=False)

    def must(self, *words, data=b""):
        done = self.run(*words, data=data)
        if done.returncode:
            raise SystemExit("%s: %s" % (words, done.stderr.decode()))

    def append(self, log, payloads, *options):
        data = b"".join(struct.pack("<I", len(payload)) + payload for payload in payloads)
        self.must("append", "-q", "--framing", "u32le", *options, log, data=data)


# ------------------------------------------------------------------------------------------------------------------- logs

def payloads(rng, count, longest, words=False):
    if words:
        return [b" ".join(rng.choice([b"alpha", b"beta", b"gamma", b"delta"]) for _ in range(rng.randrange(0, longest)))
                for _ in range(count)]
    return [rng.randbytes(rng.randrange(0, longest)) for _ in range(count)]


def several(command, log, rng, *options, words=False, longest=3000):
    """Segments, types, names, metadata; closed and reopened."""
    for kind, meta in (("7", ()), ("order.placed", ("--meta", "host=a", "--meta", "ключ=значение")), ("note", ()), ("7", ("--meta", "a="))):
        command.append(log, payloads(rng, 24, longest, words), "--records", "40", "--flush-every", "5", "--sync-every", "15",
                       "--type", kind, *meta, *options)


def killed(command, log, rng, sync):
    """A writer that is killed between two blocks."""
    child = subprocess.Popen([command.path, "append", "-q", "--framing", "u32le", "--flush-every", "4", "--sync-every", str(sync),
                              "--records", "30", "--type", "killed", log], stdin=subprocess.PIPE)
    for payload in payloads(rng, 52, 900):
        child.stdin.write(struct.pack("<I", len(payload)) + payload)
    child.stdin.flush()
    size = -1
    while True:
        time.sleep(0.3)
        now = sum(path.stat().st_size for path in pathlib.Path(log).glob("*.binlog"))
        if now == size:
            break
        size = now
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    child.stdin.close()


def compressed_whole(command, log, rng, packed, ending):
    """All segments but the first are compressed as a whole."""
    several(command, log, rng, longest=1000)
    for path in sorted(log.glob("*.binlog"))[1:]:
        pathlib.Path(str(path) + ending).write_bytes(packed(path.read_bytes()))
        path.unlink()


def frames(data):
    """A frame of Zstandard for every 3,000 bytes, so that the first ones decompress when a later one is damaged."""
    return b"".join(zstandard.ZstdCompressor().compress(data[at:at + 3000]) for at in range(0, len(data), 3000))


def make_logs(command, root, rng):
    logs = {}

    def new(name):
        logs[name] = root / name
        return root / name

    several(command, new("plain"), rng)
    several(command, new("lz4"), rng, "--codec", "lz4", words=True, longest=300)
    several(command, new("zstd"), rng, "--codec", "zstd", words=True, longest=300)
    command.append(new("small"), payloads(rng, 600, 12), "--flush-every", "100")
    os.mkdir(new("single"))
    command.append(root / "single" / "one.binlog", payloads(rng, 30, 9000), "--single-file", "--flush-every", "6", "--sync-every", "12")
    logs["file"] = logs["single"]
    killed(command, new("killed"), rng, 1000000)
    killed(command, new("synced"), rng, 8)
    several(command, new("compressed"), rng, words=True, longest=300)
    command.must("compress", logs["compressed"])
    several(command, new("both"), rng, words=True, longest=200)
    command.must("compress", "--keep-source", logs["both"])
    compressed_whole(command, new("whole"), rng, gzip.compress, ".gz")
    several(command, root / "to_recover", rng)
    victim = sorted((root / "to_recover").glob("*.binlog"))[0]
    data = bytearray(victim.read_bytes())
    data[len(data) // 2] ^= 1
    victim.write_bytes(data)
    command.run("recover", root / "to_recover", new("recovered"))
    # Zeros in the file are zeros in the segment.
    compressed_whole(command, new("stored"), rng, lambda data: gzip.compress(data, 0), ".gz")
    compressed_whole(command, new("frames"), rng, frames, ".zst")
    # This reader does not read lock files: each log is judged by its segments alone.
    for log in logs.values():
        for lock in log.glob("*.lock"):
            lock.unlink()
    return logs


# ----------------------------------------------------------------------------------------------------------------- damage

def places(data, rng):
    """Offsets of interest: anywhere, in the file header, at a block header or near the end."""
    mark = None
    if data[:6] == b"BINLOG" and len(data) > 12:
        size = 16 + struct.unpack_from("<I", data, 8)[0]
        mark = data[size:size + 8]
    found = []
    if mark and len(mark) == 8:
        at = data.find(mark)
        while at >= 0:
            found.append(at)
            at = data.find(mark, at + 1)
    kind = rng.randrange(5)
    if kind == 0 and found:
        return rng.choice(found) + rng.randrange(80)
    if kind == 1 and found:
        return rng.choice(found)
    if kind == 2:
        return rng.randrange(max(min(200, len(data)), 1))
    if kind == 3:
        return max(0, len(data) - 1 - rng.randrange(400))
    return rng.randrange(max(len(data), 1))


def damage(directory, rng):
    """Damages one or two files; returns a description from which the damage can be repeated."""
    steps = []
    for _ in range(1 if rng.random() < 0.75 else 2):
        files = sorted(path.name for path in directory.iterdir() if ".binlog" in path.name)
        if not files:
            break
        name = rng.choice(files) if rng.random() < 0.6 else files[-1]
        path = directory / name
        data = bytearray(path.read_bytes())
        at = min(places(data, rng), max(len(data) - 1, 0))
        length = rng.choice([1, 4, 16, 80, 300, 4096, rng.randrange(1, len(data) + 2)])
        action = rng.choice(["flip", "flip", "flip", "zero", "random", "cut", "cut", "remove", "insert", "append", "zeros", "zero_tail",
                             "twice", "copy", "gone", "empty", "swap"])
        if not data and action not in ("gone", "copy", "empty"):
            action = "append"
        steps.append((action, name, at, length))
        if action == "flip":
            data[at] ^= 1 << rng.randrange(8)
        elif action == "zero":
            data[at:at + length] = bytes(len(data[at:at + length]))
        elif action == "random":
            data[at:at + length] = rng.randbytes(len(data[at:at + length]))
        elif action == "cut":
            del data[at:]
        elif action == "remove":
            del data[at:at + length]
        elif action == "insert":
            data[at:at] = rng.randbytes(length)
        elif action == "append":
            data += rng.randbytes(length)
        elif action == "zeros":
            data += bytes(length)
        elif action == "zero_tail":
            data[at:] = bytes(len(data) - at)
        elif action == "twice":
            data[at:at] = data[at:at + length]
        elif action == "swap":
            other = rng.randrange(len(data))
            n = min(length, 80)
            one, two = bytes(data[at:at + n]), bytes(data[other:other + n])
            data[at:at + len(two)], data[other:other + len(one)] = two, one
        elif action == "copy":
            target = re.sub(r"[0-9]{10}", lambda digits: "%010d" % (int(digits.group()) + rng.choice([1, 5])), name)
            if target != name:
                (directory / target).write_bytes(data)
                steps[-1] += (target,)
            continue
        elif action == "gone":
            if len(files) > 1:
                path.unlink()
            continue
        elif action == "empty":
            data = bytearray()
        path.write_bytes(data)
    return steps


# ------------------------------------------------------------------------------------------------------------- comparison

def nanoseconds(text):
    parts = re.fullmatch(r"(-?\d{4,})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)\.(\d{9})Z", text)
    *date, fraction = (int(part) for part in parts.groups())
    return calendar.timegm((*date, 0, 0, 0)) * 1_000_000_000 + fraction


def as_object(pairs):
    members = {}
    for key, value in pairs:
        members.setdefault(key, []).append(value)
    return {key: values[0] if len(values) == 1 else values for key, values in members.items()}


def from_command(line):
    shown = json.loads(line)
    number = EVENT_NUMBERS[shown["event"]] if "event" in shown else shown["type"]
    payload = base64.b64decode(shown["base64"]) if "base64" in shown else shown.get("text", "").encode()
    return (shown["id"], number, nanoseconds(shown["time"]), shown.get("type_name"), json.dumps(shown["metadata"], sort_keys=True),
            payload)


def from_stranger(line):
    return (line["id"], line["type"], line["time"], line.get("name"), json.dumps(as_object(line["metadata"]), sort_keys=True),
            base64.b64decode(line["payload"]))


def show_command(command, path, mode):
    """(rows, status, (file, offset, torn) where it stopped or None, standard error)"""
    done = command.run("cat", "--format", "json", "--events", *(["--salvage"] if mode == "salvage" else []), path)
    rows = [from_command(line) for line in done.stdout.decode().split("\n") if line]
    where = None
    errors = done.stderr.decode()
    for line in errors.splitlines():
        found = re.match(r"binlog: (.*?): offset (\d+): (torn tail)?", line)
        if found:
            where = (os.path.basename(found.group(1)), int(found.group(2)), bool(found.group(3)))
    return rows, done.returncode, where, errors


def show_stranger(path, mode):
    lines, end, status = stranger.read(str(path), mode)
    where = None
    if end["state"] in ("damaged", "torn") or end["state"] == "unclosed" and end["reason"]:
        where = (end["file"], end["offset"], end["state"] == "torn")
    return [from_stranger(line) for line in lines], status, where, end


def takes_parts(files):
    """Whether the command may show more than this reader: of two damaged files of one segment it takes what is whole in either, and
    decoders differ in what they return of a damaged stream."""
    forms = {re.sub(r"\.z(?=\.binlog)", "", name) for name in files}
    return len(forms) < len(files) or any(name.endswith((".gz", ".zst")) for name in files)


def compare(command, path, mode, files, truth):
    """None, or (what differs, details). These files were damaged, and these rows were written."""
    theirs, their_status, their_where, errors = show_command(command, path, mode)
    mine, my_status, my_where, end = show_stranger(path, mode)
    stopped_alike = my_where == their_where or my_where and their_where and "holds the same segment" in errors
    if mode == "prefix" and stopped_alike and len(theirs) > len(mine) and theirs[:len(mine)] == mine:
        # It is not specified whether the records of a damaged block before its damaged page are shown: they may be.
        if theirs == show_stranger(path, "salvage")[0][:len(theirs)]:
            theirs = mine
    said = "\n    command:  status %s, %s rows, %s\n    stranger: status %s, %s rows, %s" % (
        their_status, len(theirs), errors.strip(), my_status, len(mine), json.dumps(end, ensure_ascii=False))
    if mode == "salvage":
        # Page: it is not specified whether salvage knows a name whose TYPE event is lost. The command takes it from the
        # index.
        shown = {row[:3]: row for row in mine}
        theirs = [shown[row[:3]] if row[:3] in shown and (*row[:3], None, *row[4:]) == shown[row[:3]] else row for row in theirs]
    # A name can be lost, and a record that is shown without it is one that was written.
    nameless = lambda rows: [(*row[:3], *row[4:]) for row in rows]  # noqa: E731
    if not set(nameless(theirs)) <= set(nameless(truth)):
        return "invented", said
    # Nothing that this reader shows may be missing.
    two = takes_parts(files)
    records = lambda rows: {row for row in nameless(rows) if row[1] < 1 << 31}  # noqa: E731
    if two and theirs != mine:
        return None if records(mine) <= records(theirs) else ("records", said)
    if theirs != mine:
        ids = lambda rows: [row[0] for row in rows if row[1] < 1 << 31]  # noqa: E731
        records = "records" if ids(theirs) != ids(mine) else "events or contents"
        extra = [row[:3] for row in theirs if row not in mine][:8], [row[:3] for row in mine if row not in theirs][:8]
        return records, said + "\n    only command: %s\n    only stranger: %s" % extra
    # Where a log cannot even be opened, the command has failed; the pages define no exit status.
    nothing = not theirs and {their_status, my_status} == {1, 3}
    # A reader takes either form of a segment that exists as itself and compressed, and need not notice that the other
    # is damaged.
    either = {their_status, my_status} == {0, 3} and any(path.glob("*.z.binlog")) if path.is_dir() else False
    if their_status != my_status and not nothing and not either:
        return "status", said
    if mode == "prefix" and their_where and my_where:
        # The place of the damage is not specified when a segment is missing, or when a file that is compressed as a
        # whole breaks off.
        inside = their_where[1] and my_where[1] and " are missing" not in errors and not their_where[0].endswith((".gz", ".zst"))
        if their_where[0] != my_where[0] and their_where[2] == my_where[2]:
            # Nor is it specified in which of two files of one segment a reader stops, or which of two damages that are next to each
            # other it reports first.
            inside = len(files) == 1 and not ("same segment" in errors or "is passed over" in errors or any(path.glob("*.z.binlog")))
        if their_where[2] != my_where[2] or inside and their_where != my_where:
            return "place", said
    return None


def verified(command, path, files):
    """None, or how `binlog verify` differs from the report of a salvaging reader: status, lost records, what had been
    durable."""
    done = command.run("verify", "--json", path)
    theirs = json.loads(done.stdout) if done.stdout.strip() else {}
    lines, end, status = stranger.read(str(path), "salvage")
    lost = set()
    for loss in end["losses"]:
        if loss["first_lost_id"] and loss["kind"] != "named hole":
            lost.update(range(loss["first_lost_id"], loss["last_lost_id"] + 1))
    two = takes_parts(files)
    # For a loss without bytes it is not specified.
    durable = not two and not (path.is_dir() and any(path.glob("*.z.binlog"))) and any(loss["durable"] for loss in end["losses"] if loss["bytes"])
    may_be = any(loss["durable"] or not loss["bytes"] for loss in end["losses"])
    torn = any(loss["kind"] == "torn" for loss in end["losses"])
    findings = theirs.get("findings", [])
    reported = set()
    for finding in findings:
        if finding["first_lost_id"]:
            reported.update(range(finding["first_lost_id"], finding["last_lost_id"] + 1))
    said = "\n    verify:   status %s, %s\n    stranger: status %s, %s" % (
        done.returncode, json.dumps(theirs, ensure_ascii=False) + done.stderr.decode(), status, json.dumps(end, ensure_ascii=False))
    if {done.returncode, status} == {1, 3} and not lines:
        return None
    if {done.returncode, status} == {0, 3} and path.is_dir() and any(path.glob("*.z.binlog")):
        return None                     # as in compare()
    if done.returncode != status:
        return "status", said
    shown = {row[0] for row in show_command(command, path, "salvage")[0] if row[1] < 1 << 31}
    if shown & reported:
        return "shown and reported lost", said
    if reported != lost and not two:
        return "lost records", said
    # Of copies that hold as much, the one with the right name is read even if bytes follow it.
    copied = any(finding["kind"] == "double" for finding in findings)
    if not copied and any(finding["kind"] == "torn_tail" for finding in findings) != torn:
        return "torn", said
    about = [finding for finding in findings if finding["kind"] != "repeated" and "is read instead" not in finding["reason"]]
    # Nor what is durable of a block into which bytes were inserted.
    if durable and not any(finding["durable"] or finding["kind"] == "shifted" for finding in findings):
        return "durable", said
    if not may_be and any(finding["durable"] and finding["unread_bytes"] and finding["kind"] != "shifted" for finding in about):
        return "durable", said
    return None


# ------------------------------------------------------------------------------------------------ differences that are known

class Open:
    """A known difference: why it exists, a log and a damage that show it, and which random cases it explains. It fails
    when there is no difference any more."""

    def __init__(self, name, why, log, damage, explains):
        self.name, self.why, self.log, self.damage, self.explains = name, why, log, damage, explains


OPEN = []


def unspecified(steps):
    """Whether a segment was copied, and one of both files lost its header: nothing shows then that they are the same."""
    copies = {name for step in steps if step[0] == "copy" and len(step) == 5 for name in (step[1], step[4])}
    lost = lambda step: step[2] < 400 or step[1].endswith((".gz", ".zst"))  # noqa: E731
    return any(step[1] in copies and step[0] not in ("copy", "gone", "empty") and lost(step) for step in steps)


def check(command, path, steps, truth):
    """The differences in each mode."""
    files = {step[1] for step in steps}
    for mode in ("prefix", "salvage", "verify"):
        found = verified(command, path, files) if mode == "verify" else compare(command, path, mode, files, truth)
        if found:
            yield mode, found


def where(name, case):
    return case / "one.binlog" if name == "file" else case


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binlog", default=HERE.parents[1] / "target/release/binlog", help="the command")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cases", type=int, default=25, help="damages of each log")
    parser.add_argument("--seconds", type=float, help="continue with other seeds for so long")
    parser.add_argument("--keep", help="directory for the cases that differ")
    options = parser.parse_args()
    command = Command(pathlib.Path(options.binlog).resolve())
    begun, bad, total, explained = time.time(), 0, 0, {}
    while True:
        with tempfile.TemporaryDirectory() as directory:
            root = pathlib.Path(directory)
            logs = make_logs(command, root, random.Random(options.seed))
            truth = {name: show_stranger(where(name, log), "prefix")[0] for name, log in logs.items()}
            for known in OPEN:
                case = root / "case"
                shutil.copytree(logs[known.log], case)
                known.damage(case)
                if not list(check(command, where(known.log, case), [], truth[known.log])):
                    bad += 1
                    print("no longer differs, take it out of OPEN: %s (%s)" % (known.name, known.why), flush=True)
                shutil.rmtree(case)
            cases = [(name, None) for name in logs] + [(name, number) for number in range(options.cases) for name in logs]
            for name, number in cases:
                case = root / "case"
                shutil.copytree(logs[name], case)
                rng = random.Random("%s %s %s" % (options.seed, name, number))
                steps = damage(case, rng) if number is not None else []
                path = where(name, case)
                for mode, (what, said) in check(command, path, steps, truth[name]) if path.exists() and not unspecified(steps) else ():
                    known = next((known for known in OPEN if steps and known.explains(name, mode, what, steps, said)), None)
                    if known:
                        explained[known.name] = explained.get(known.name, 0) + 1
                        continue
                    bad += 1
                    print("== seed %d, %s %s, %s: %s differ after %s%s" % (options.seed, name, number, mode, what, steps, said), flush=True)
                    if options.keep:
                        kept = pathlib.Path(options.keep) / ("%s-%s-%s" % (options.seed, name, number))
                        if not kept.exists():
                            shutil.copytree(case, kept)
                shutil.rmtree(case)
                total += 1
        if not options.seconds or time.time() - begun > options.seconds:
            break
        options.seed += 1
    for known in OPEN:
        print("open: %s: %s (%d random cases)" % (known.name, known.why, explained.get(known.name, 0)))
    print("%d damaged logs, %d differ and are not listed, %.0f seconds" % (total, bad, time.time() - begun))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
