"""Checks by name, sessions of Spark, and the judge: the same log read by the cursor of the Python package `libbinlog`.

A group of checks is a program of its own, with one session: `main(session)` at its end runs what `@check` has named."""

import argparse
import ctypes
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "tests/archive"))
import libbinlog as binlog  # noqa: E402

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
BUILD = Path(os.environ.get("BINLOG_BUILD", ROOT / "target/release"))
JAR = Path(os.environ.get("BINLOG_SPARK_JAR", HERE.parent / "target/binlog-spark.jar"))
CHECKS = []


class Failure(Exception):
    """What is wrong, in a sentence."""


def check(name, soak=False):
    """Names a check, a function of a `Place`. With `soak` it is one of the long ones."""

    def named(function):
        CHECKS.append((name, soak, function))
        return function

    return named


def same(got, wanted, what="rows"):
    """Fails with the first difference of two sequences or values."""
    if got == wanted:
        return
    if isinstance(got, (list, tuple)) and isinstance(wanted, (list, tuple)):
        for at, (one, other) in enumerate(zip(got, wanted)):
            if one != other:
                raise Failure(f"{what}: number {at} is {short(one)}, not {short(other)} ({len(got)} and {len(wanted)} of them)")
        raise Failure(f"{what}: {len(got)}, not {len(wanted)}; {short(got[-1:])} and {short(wanted[-1:])} are the last")
    raise Failure(f"{what}: {short(got)}, not {short(wanted)}")


def short(value):
    text = repr(value)
    return text if len(text) < 300 else text[:300] + " …"


def must(truth, what):
    if not truth:
        raise Failure(what)


def fails(call, *texts):
    """Runs the call, which must fail with all these texts in its message; returns the message."""
    try:
        call()
    except Exception as error:
        message = str(error)
        for text in texts:
            must(text.lower() in message.lower(), f"the message does not contain {text!r}: {message[:1500]}")
        return message
    raise Failure(f"nothing failed, where a message with {', '.join(map(repr, texts))} was expected")


def until(done, seconds=60, what="it"):
    """Waits until `done()` is true, and returns that."""
    limit = time.monotonic() + seconds
    while True:
        if result := done():
            return result
        must(time.monotonic() < limit, f"{what} did not happen in {seconds} s")
        time.sleep(0.02)


# Spark.

def session(master, **settings):
    """A new session of this master. An executor gets the jar as a user's does: from `--jars` alone."""
    from pyspark.sql import SparkSession

    local = tempfile.mkdtemp(prefix="binlog-spark-local-")
    java = f"-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Duser.timezone=UTC -Djava.io.tmpdir={tempfile.gettempdir()}"
    given = {
        "spark.jars": str(JAR), "spark.ui.enabled": "false", "spark.driver.memory": "1g", "spark.sql.session.timeZone": "UTC",
        "spark.driver.bindAddress": "127.0.0.1", "spark.driver.host": "127.0.0.1", "spark.sql.shuffle.partitions": "2",
        "spark.sql.catalog.binlog": "io.binlog.spark.BinlogCatalog", "spark.ui.showConsoleProgress": "false",
        "spark.local.dir": local, "spark.sql.warehouse.dir": f"{local}/warehouse", "spark.log.level": "ERROR",
        "spark.driver.extraJavaOptions": java, "spark.executor.extraJavaOptions": java,
        **{name.replace("_", "."): value for name, value in settings.items()},
    }
    builder = SparkSession.builder.master(master).appName("binlog")
    for name, value in given.items():
        builder = builder.config(name, value)
    made = builder.getOrCreate()
    made.binlog_local = local
    return made


def stop(spark):
    """Ends the session and its JVM, and removes what its executors have left beside the installed Spark."""
    application, local = spark.sparkContext.applicationId, spark.binlog_local
    gateway = spark.sparkContext._gateway
    spark.stop()
    gateway.shutdown()
    gateway.proc.stdin.close()
    try:
        gateway.proc.wait(20)
    except subprocess.TimeoutExpired:
        gateway.proc.kill()
    import pyspark

    shutil.rmtree(Path(pyspark.__file__).parent / "work" / application, ignore_errors=True)
    shutil.rmtree(local, ignore_errors=True)


def load(spark, path, **options):
    paths = [str(one) for one in path] if isinstance(path, (list, tuple)) else str(path)
    return spark.read.format("binlog").options(**options).load(paths)


def ids(frame, column="id"):
    return [row[0] for row in frame.select(column).collect()]


class Jobs:
    """The jobs and tasks that a block of Python has made Spark run."""

    def __init__(self, spark):
        self.context = spark.sparkContext
        self.group = f"group-{random.getrandbits(64):x}"

    def __enter__(self):
        self.context.setJobGroup(self.group, self.group)
        return self

    def __exit__(self, *_):
        self.context._jsc.clearJobGroup()

    def stages(self):
        tracker = self.context.statusTracker()
        found = [tracker.getJobInfo(job) for job in tracker.getJobIdsForGroup(self.group)]
        return [stage for info in found if info for stage in map(tracker.getStageInfo, info.stageIds) if stage]

    def started(self):
        return sum(stage.numActiveTasks + stage.numCompletedTasks + stage.numFailedTasks for stage in self.stages())

    def done(self):
        return sum(stage.numCompletedTasks for stage in self.stages())

    def tasks(self):
        return sum(stage.numTasks for stage in self.stages())


def in_background(call):
    """Runs the call in a thread; the returned function waits for it, and returns or raises what it did."""
    result = []

    def run():
        try:
            result.append((call(), None))
        except BaseException as error:
            result.append((None, error))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()

    def wait(seconds=120):
        thread.join(seconds)
        must(result, f"a query has not ended in {seconds} s")
        value, error = result[0]
        if error:
            raise error
        return value

    wait.ended = lambda: bool(result)
    return wait


def executors(spark):
    """The processes of this session's executors."""
    application, found = spark.sparkContext.applicationId, []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if b"org.apache.spark.executor.CoarseGrainedExecutorBackend" in words and application.encode() in words:
                found.append(int(entry.name))
    return sorted(found)


def most_memory(process):
    """The most bytes of memory that a process has had so far."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024


# Logs, and the judge.

def own(path, **selection):
    """The records as Spark must show them, by the library's own cursor: one dict a record, in order."""
    options = {name: selection.pop(name) for name in ("log", "mode", "on_loss") if name in selection}
    with binlog.open(str(path), **options) as log:
        return [shown(record) for record in log.records(**selection)]


def shown(record):
    metadata = {}
    for key, value in record.pairs:
        metadata.setdefault(key, value)
    try:
        text = record.payload.decode()
    except UnicodeDecodeError:
        text = None
    return {"id": record.id, "time_ns": record.time_ns, "time": record.time_ns // 1000, "type": record.type_number,
            "type_name": record.type_name or None, "metadata": metadata, "length": record.length,
            "payload": record.payload, "text": text, **{key: metadata.get(key) for key in ("host", "user")}}


COLUMNS = ("id", "time", "type", "type_name", "metadata", "length", "payload", "text")


def locations(frame):
    """Where the tasks of a query prefer to run."""
    rdd = frame._jdf.queryExecution().toRdd()
    while not rdd.dependencies().isEmpty():  # what is made of the scan has no preferences of its own
        rdd = rdd.dependencies().head().rdd()
    return {host for part in rdd.partitions() for host in rdd.preferredLocations(part).mkString(" ").split()}


def rows(frame, columns=COLUMNS):
    """A frame's rows as dicts like those of `own`, ordered by id; times as microseconds."""
    chosen = ["unix_micros(time) as time" if name == "time" else name for name in columns]
    found = []
    for row in frame.selectExpr(*chosen).collect():
        values = row.asDict()
        if values.get("payload") is not None:
            values["payload"] = bytes(values["payload"])
        found.append(values)
    return sorted(found, key=lambda values: values["id"]) if "id" in columns else found


def of(records, columns=COLUMNS):
    return [{name: record[name] for name in columns} for record in records]


TYPES = ("order.placed", "order.paid", "login", "error")


def write(path, count, roll=None, first=0, payload=None, **options):
    """Appends `count` plain records."""
    roll = {"roll": {"records": roll}} if roll else {}
    with binlog.Writer(str(path), **roll, **options) as writer:
        for at in range(first, first + count):
            writer.append(payload or b'{"number": %d, "total": %d}' % (at, at % 97), TYPES[at % 4],
                          {"host": "ab"[at % 2]} if at % 3 == 0 else None)
    return path


def segments(path):
    return sorted(Path(path).glob("*.binlog"))


def damage(path, where=0.5):
    """Turns over bits in the middle of a segment's data."""
    data = bytearray(Path(path).read_bytes())
    at = int(len(data) * where)
    for offset in range(at, at + 8):
        data[offset] ^= 0x5A
    Path(path).write_bytes(data)


def stopped(path):
    """Name of the file and offset at which the own cursor stops before damage."""
    try:
        own(path)
    except binlog.CorruptError as error:
        return Path(error.file).name, str(error.offset)
    raise Failure(f"{path} is not damaged")


def command(*arguments, ok=(0,)):
    """Runs the command `binlog`; returns what it prints."""
    done = subprocess.run([str(BUILD / "binlog"), *map(str, arguments)], capture_output=True, text=True)
    must(done.returncode in ok, f"binlog {' '.join(map(str, arguments))}: {done.returncode} {done.stderr}")
    return done.stdout


class Place:
    """What a check works with: a session, a directory of its own, and random numbers."""

    def __init__(self, spark, work, seed, soak):
        self.spark, self.work, self.seed, self.soak = spark, work, seed, soak
        self.random = random.Random(seed)


def ends_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def main(begin):
    """Runs the checks of a program, with the session that `begin` makes, or without one if that is None: one line each. Returns 1 if
    any failed."""
    sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", default="")
    parser.add_argument("--soak", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    # A program may import another one for what it defines.
    own_checks = [one for one in CHECKS if one[2].__module__ == "__main__"]
    wanted = [(name, call) for name, soak, call in own_checks if chosen.only in name and (chosen.soak or not soak)]
    if not wanted:
        return 0
    failed = 0
    with tempfile.TemporaryDirectory(prefix="binlog-spark-") as directory:
        spark = begin()
        try:
            for at, (name, call) in enumerate(wanted):
                work = Path(directory) / str(at)
                work.mkdir()
                began, why = time.monotonic(), ""
                try:
                    call(Place(spark, work, chosen.seed, chosen.soak))
                except Failure as failure:
                    why = str(failure)
                except BaseException as error:
                    if isinstance(error, KeyboardInterrupt):
                        raise
                    why = traceback.format_exc()
                failed += bool(why)
                print(f"{'FAIL' if why else 'ok  '}  {name} ({time.monotonic() - began:.1f} s)")
                for line in why.splitlines()[:60]:
                    print(f"      {line[:400]}")
                for query in spark.streams.active if spark else ():
                    query.stop()
                shutil.rmtree(work, ignore_errors=True)
        finally:
            if spark:
                stop(spark)
    return 1 if failed else 0
