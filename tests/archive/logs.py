"""Logs whose records state which they are and what is in them, and the oracle: where each record is, whole."""

import hashlib
import os
import random
import shutil
import threading
from pathlib import Path

import command
from processes import Failure

SUFFIX = ".binlog"


def line(number, width):
    """Record `number`: its number, then digits that depend on it alone and do not compress well."""
    return f"{number:08d} {random.Random(number).randbytes(width // 2).hex()}".encode()


def lines(first, count, width):
    return b"".join(line(number, width) + b"\n" for number in range(first, first + count))


def count_of(output):
    """Counts the records that `binlog cat` printed: those from 1 on, once, in order, as they were written."""
    seen = 0
    for seen, one in enumerate(output.splitlines(), 1):
        if not one[:8].isdigit() or int(one[:8]) != seen:
            raise Failure(f"record {one[:20]!r} is in the place of record {seen}")
        if one != line(seen, len(one) - 9):
            raise Failure(f"record {seen} is not what was written: {one[:60]!r}")
    return seen


def append(log, first, count, width, *options):
    """Returns the number of the next record."""
    command.run("append", "--quiet", *options, log, stdin=lines(first, count, width)).expect(0)
    return first + count


def small_log(log, segments=3):
    """Closed segments of some KiB, and an empty one after them, which belongs to the next writer."""
    following = 1
    for _ in range(segments):
        following = append(log, following, 20, 300)
        command.run("roll", log).expect(0)
    return following - 1


def mixed_log(log):
    """A closed segment that takes three parts of 5 MiB, between two small ones."""
    following = append(log, 1, 20, 300)
    command.run("roll", log).expect(0)
    following = append(log, following, 1100, 10_000)
    command.run("roll", log).expect(0)
    following = append(log, following, 20, 300)
    command.run("roll", log).expect(0)
    return following - 1


def archived(done):
    """The output of a read of shipped segments. The log may be reported to continue in the writer's segment, which is
    missing there."""
    notes = done.stderr.splitlines()
    done.expect(3 if notes and all("which is not here" in one for one in notes) else 0)
    return done.stdout


def digest(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def segments(directory):
    return sorted(path for path in Path(directory).iterdir() if path.name.endswith(SUFFIX))


def stem(name):
    """The same for a segment and its compressed form."""
    return name.removesuffix(SUFFIX).removesuffix(".z")


def verify(directory):
    """Every file of a directory is whole by itself; the segment that the last one names as its successor may be elsewhere."""
    if paths := segments(directory):
        command.run("verify", *paths).expect(0)


def held(local, remote, scratch):
    """The number of records in whole files of either side; fails if one in between is missing.

    Both are copies that do not change any more. The files of the remote side must be whole by themselves, and the same
    as a local file of that name."""
    remote_files = segments(remote)
    verify(remote)
    for path in remote_files:
        here = Path(local) / path.name
        if here.exists() and digest(here) != digest(path):
            raise Failure(f"{path.name} is another one there than here")
    union = Path(scratch)
    union.mkdir()
    there = set()
    for path in [*segments(local), *remote_files]:
        if stem(path.name) not in there or path.parent == Path(local):
            there.add(stem(path.name))
            shutil.copy(path, union / path.name)
    count = count_of(command.run("cat", union).expect(0).stdout)
    shutil.rmtree(union)
    return count


class Live:
    """`binlog append` with a thread that keeps writing into it."""

    def __init__(self, log, *options, width=200, pause=0.002):
        self.written = 0
        self.ending = threading.Event()
        read, write = os.pipe()
        self.child = command.start("append", "--quiet", *options, log, stdin=read)
        os.close(read)
        self.pipe = open(write, "wb")
        self.thread = threading.Thread(target=self.work, args=(width, pause))
        self.thread.start()

    def work(self, width, pause):
        with self.pipe:
            while not self.ending.wait(pause):
                for _ in range(5):
                    self.pipe.write(line(self.written + 1, width) + b"\n")
                    self.written += 1
                self.pipe.flush()

    def end(self):
        """Returns how many records were written. May be called again."""
        if self.ending.is_set():
            return self.written
        self.ending.set()
        self.thread.join()
        command.finish(self.child).expect(0)
        return self.written
