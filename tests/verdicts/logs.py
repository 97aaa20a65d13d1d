"""The logs that are damaged, and exactly what was written to each: recorded by this file, not taken from a reader."""
import dataclasses
import functools
import os
import pathlib
import random
import shutil
import subprocess
import tempfile

import library
import segment

COMMAND = str(library.directory() / "binlog")
NAME = b"default"
KINDS = [7, "orders", 0, "events"]


@dataclasses.dataclass
class Log:
    """A log in memory: its files, and what a reader must find in it."""
    state: str
    files: dict  # name -> bytes
    written: dict  # id -> (id, type or its name, payload)
    durable: int  # the last id that was acknowledged as durable
    given: int  # the last id that was given
    single: bool = False

    @functools.cached_property
    def segments(self):
        """(name, parsed segment), in their order."""
        found = [(name, segment.parse(data)) for name, data in self.files.items() if name.endswith(".binlog")]
        return sorted(found, key=lambda one: one[1].sequence)

    @property
    def lock(self):
        return next((name for name in self.files if name.endswith(".lock")), None)


def home():
    """Where logs are made: in memory, since nothing here depends on a disk."""
    fast = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    return pathlib.Path(tempfile.mkdtemp(prefix="binlog-verdicts-", dir=fast))


def load(directory):
    """Name -> bytes of the files of a log, without the contents of subdirectories."""
    return {path.name: path.read_bytes() for path in sorted(directory.iterdir()) if path.is_file()}


def store(files, directory):
    directory.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (directory / name).write_bytes(data)


def command(*arguments, stdin=b""):
    return subprocess.run([COMMAND, *map(os.fspath, arguments)], input=stdin, capture_output=True, timeout=120)


def payload(number, seed=0):
    """200 to 1,400 bytes, a different text for each record of each log."""
    draw = random.Random(number * 1000 + seed)
    length = draw.randrange(200, 1400)
    return f"record {number} of log {seed}: {draw.getrandbits(4 * length):0{length}x}"[:length].encode()


class Making:
    """A log that is being written."""

    def __init__(self, path, seed, single=False, **options):
        settings = {"block_bytes": 8192, "index_bytes": 20_000, "name": NAME, **options}
        self.writer = library.Writer(path, single=single, **settings)
        self.seed, self.written, self.types = seed, {}, {}

    def append(self, count):
        for _ in range(count):
            number = len(self.written) + 1
            kind = KINDS[number % len(KINDS)]
            if isinstance(kind, str) and kind not in self.types:
                self.types[kind] = self.writer.type(kind)
            data = payload(number, self.seed)
            given = self.writer.append(self.types.get(kind, kind), data, 1_700_000_000_000_000_000 + number * 1000)
            assert given == number
            self.written[number] = (number, kind, data)

    def segment(self, records=48):
        """As many records as a segment takes, a third of them synced, and one more, so that blocks record durable
        ends."""
        for _ in range(3):
            self.append(records // 3)
            self.writer.sync()


def make(state, segments, single=False, seed=0, records=48):
    """A log of so many segments: "closed", "open" (its writer was killed, the last records are not durable),
    "unsynced" (the same, and nothing in the last segment was ever synced), "compressed" or "recovered"."""
    work = home()
    try:
        path = work / ("default.binlog" if single else "log")
        making = Making(path, seed, single)
        for number in range(1, segments):
            making.segment(records)
            making.writer.roll()
        if state == "unsynced":
            making.append(records)
            making.writer.flush()
        else:
            making.segment(records)
        if state == "open":
            making.append(records // 2)
            making.writer.flush()
        position = making.writer.position()
        at = work if single else path
        if state in ("open", "unsynced"):
            log = Log(state, load(at), making.written, position.durable, position.appended, single)
            making.writer.close()
            return log
        making.writer.close()
        log = Log(state, load(at), making.written, position.appended, position.appended, single)
        if state == "compressed":
            done = command("compress", "--block-bytes", "16KiB", path)
            assert done.returncode == 0, done.stderr
            log.files = load(path)
        elif state == "recovered":
            log = recovered(log, work / "again")
        return log
    finally:
        shutil.rmtree(work, ignore_errors=True)


def recovered(log, directory):
    """The same log after a page in the middle of each segment was damaged, and `recover --in-place`."""
    files, lost = dict(log.files), set()
    for name, parsed in log.segments:
        block = parsed.of_kind(segment.RECORDS)[2]
        at = block.payload[0]
        files[name] = flip(files[name], at)
        page = range(at, min(at + segment.PAGE, block.payload[1]))
        lost |= {number for number, start, end in block.records if start < page.stop and end > page.start}
    store(files, directory)
    done = command("recover", "--in-place", directory)
    assert done.returncode == 3, done.stderr
    left = {number: record for number, record in log.written.items() if number not in lost}
    files = {name: data for name, data in load(directory).items() if ".damaged" not in name}
    return Log("recovered", files, left, log.durable, log.given)


def flip(data, at, bit=3):
    return data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1:]


@functools.lru_cache(maxsize=None)
def base(state, segments=4, single=False, seed=0):
    return make(state, segments, single, seed)
