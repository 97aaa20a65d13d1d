#!/usr/bin/env python3
"""Streams of logs, on executors of their own: exactly once into a Parquet sink, whatever happens to log, executors and driver."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import libbinlog as binlog
from harness import (HERE, Failure, check, command, damage, ends_with_parent, executors, fails, main, must, of, own, same, segments,
                     session, until, write)
from scenarios import store


def stream(spark, path, **options):
    return spark.readStream.format("binlog").options(**options).load(str(path))


def to_parquet(frame, place, name="sink", **trigger):
    return (frame.selectExpr("id", "_log as log", "time", "type_name", "length", "text").writeStream.format("parquet")
            .option("path", str(place / name)).option("checkpointLocation", str(place / f"{name}-checkpoint"))
            .trigger(**(trigger or {"availableNow": True})).start())


def now(place, path, name="sink", **options):
    """All that is there, into the sink; what the query tells of its batches."""
    query = to_parquet(stream(place.spark, path, **options), place.work, name)
    try:
        query.awaitTermination()
    finally:
        query.stop()
    return [progress.numInputRows for progress in query.recentProgress]


SINK = "id bigint, log string, time timestamp, type_name string, length bigint, text string"


def sink(place, name="sink"):
    """The rows in the sink so far."""
    where = place.work / name
    committed = where.exists() and any(file.name.isdigit() for file in (where / "_spark_metadata").glob("*"))
    return place.spark.read.schema(SINK).parquet(str(where)) if committed else place.spark.read.schema(SINK).parquet()


def sunk(place, name="sink"):
    """The ids in the sink, in order, those that are there twice too."""
    return sorted(row[0] for row in sink(place, name).select("id").collect())


@check("availableNow: all that is there, then only what is new, across restarts of the query")
def _(place):
    path = write(place.work / "log", 1000, roll=300)
    now(place, path)
    same(sunk(place), list(range(1, 1001)), "the first run")
    now(place, path)
    same(sunk(place), list(range(1, 1001)), "nothing new")
    write(path, 500, first=1000)
    command("compress", "--quiet", path)
    now(place, path)
    same(sunk(place), list(range(1, 1501)), "more records, older segments compressed")
    kept = sink(place).selectExpr("id", "unix_micros(time) as time", "type_name", "length", "text").orderBy("id")
    same([row.asDict() for row in kept.collect()], of(own(path), ("id", "time", "type_name", "length", "text")), "rows")


@check("maxRecordsPerTrigger limits each batch")
def _(place):
    path = write(place.work / "log", 1000, roll=300)
    counts = [count for count in now(place, path, maxRecordsPerTrigger="150") if count]
    same(sunk(place), list(range(1, 1001)))
    must(max(counts) <= 150 and len(counts) == 7, f"batches of {counts} records")


@check("startingId and startingTime")
def _(place):
    path = place.work / "log"
    with binlog.Writer(str(path), roll={"records": 100}) as writer:
        for at in range(500):
            writer.append(b"x", "t", time=1_700_000_000_000_000_000 + at * 1_000_000_000)
    now(place, path, "by-id", startingId="321")
    same(sunk(place, "by-id"), list(range(321, 501)), "startingId")
    now(place, path, "by-ns", startingTime=str(1_700_000_000_000_000_000 + 400 * 1_000_000_000))
    same(sunk(place, "by-ns"), list(range(401, 501)), "startingTime in nanoseconds")
    now(place, path, "by-time", startingTime="2023-11-14T22:19:00Z")
    same(sunk(place, "by-time"), list(range(341, 501)), "startingTime as a time")


@check("the offset is the next id of each log, as JSON")
def _(place):
    path = place.work / "logs"
    write(path, 30, name="orders")
    write(path, 20, name="events")
    now(place, path)
    last = sorted((place.work / "sink-checkpoint/offsets").iterdir(), key=lambda file: int(file.name) if file.name.isdigit() else -1)[-1]
    offset = json.loads(last.read_text().splitlines()[-1])
    same(offset["version"], 1)
    same(sorted((log["name"], log["next"]) for log in offset["logs"].values()), [("events", 21), ("orders", 31)], "offset")


@check("two logs of different ages in one stream, and a third that appears")
def _(place):
    path = place.work / "logs"
    write(path, 300, roll=100, name="old")
    command("prune", "--keep-segments", "2", path)
    first = own(path, log="old")[0]["id"]
    write(path, 50, name="young")
    query = to_parquet(stream(place.spark, path), place.work, processingTime="100 milliseconds")
    by_log = lambda: {row[0]: row[1] for row in sink(place).groupBy("log").count().collect()}
    until(lambda: by_log() == {"old": 301 - first, "young": 50}, what="the records of two logs")
    write(path, 70, name="new")
    write(path, 10, name="old")
    until(lambda: by_log() == {"old": 311 - first, "young": 50, "new": 70}, what="the records of a new log")
    query.stop()
    write(path, 5, name="later")
    now(place, path)
    same(by_log(), {"old": 311 - first, "young": 50, "new": 70, "later": 5}, "after a restart")


@check("a log that rolls, compresses and prunes while it is followed: each record once")
def _(place):
    path = place.work / "log"
    ended = threading.Event()
    with binlog.Writer(str(path), roll={"records": 700}, flush=50) as writer:
        writer.append(b"first", "t")

        def work():
            while not ended.is_set():
                writer.append_batch([b"y" * 40] * 50, "t")
                time.sleep(0.005)

        thread = threading.Thread(target=work)
        thread.start()
        query = None
        try:
            query = to_parquet(stream(place.spark, path), place.work, processingTime="50 milliseconds")
            limit = time.monotonic() + (120 if place.soak else 8)
            killed = False
            while time.monotonic() < limit:
                time.sleep(0.5)
                command("compress", "--quiet", path, ok=(0, 1, 3))
                # Only what is in the sink for certain.
                kept = sunk(place)
                old = [file for file in sorted(path.glob("*.binlog")) if kept]
                if len(old) > 12:
                    first = {file.first_id for file in binlog.open(str(path)).segments()[:-10]}
                    if first and max(first) < kept[-1] - 5000:
                        command("prune", "--keep-segments", "10", path)
                if not killed and kept:
                    os.kill(executors(place.spark)[0], signal.SIGKILL)
                    killed = True
                must(query.isActive, f"the query has ended: {query.exception()}")
        finally:
            ended.set()
            thread.join()
        writer.flush()
        last = writer.position.flushed
    until(lambda: (sunk(place) or [0])[-1] == last, what=f"record {last}")
    query.stop()
    same(sunk(place), list(range(1, last + 1)), "ids")


def removed(place, name):
    """A log whose stream has come to id 250, of which then more was removed: 251 to where it begins now."""
    path = write(place.work / name, 250, roll=100)
    now(place, path, f"{name}-sink")
    write(path, 750, roll=100, first=250)
    command("prune", "--keep-segments", "3", path)
    first = own(path)[0]["id"]
    must(first > 400, f"the log begins with {first}")
    return path, first


@check("unread records that retention removed: failOnDataLoss fails with the ids, and false goes on behind them")
def _(place):
    path, first = removed(place, "log")
    fails(lambda: now(place, path, "log-sink"), "251", str(first - 1), "failOnDataLoss")
    same(sunk(place, "log-sink"), list(range(1, 251)), "after the failure")
    now(place, path, "log-sink", failOnDataLoss="false")
    same(sunk(place, "log-sink"), [*range(1, 251), *range(first, 1001)], "with failOnDataLoss=false")


@check("startingId of records that retention removed: failOnDataLoss fails with the ids, and false goes on behind them")
def _(place):
    path = write(place.work / "log", 1000, roll=100)
    command("prune", "--keep-segments", "3", path)
    first = own(path)[0]["id"]
    fails(lambda: now(place, path, startingId="5"), f"records 5 to {first - 1}", "failOnDataLoss")
    now(place, path, startingId="5", failOnDataLoss="false")
    same(sunk(place), list(range(first, 1001)), "with failOnDataLoss=false")
    for name, start in (("beginning", {}), ("one", {"startingId": "1"})):
        now(place, path, name, **start)
        same(sunk(place, name), list(range(first, 1001)), f"from the beginning: {start}")


@check("startingId beyond the end of a log: it begins with that id when the log has it, across restarts")
def _(place):
    from pyspark.sql import functions as f

    path = place.work / "logs"
    write(path, 100, name="long")
    write(path, 10, name="short")
    by_log = lambda: {row[0]: tuple(row[1:]) for row in sink(place).groupBy("log").agg(f.count("id"), f.min("id"), f.max("id")).collect()}
    now(place, path, startingId="50")
    same(by_log(), {"long": (51, 50, 100)}, "a log that is shorter has nothing yet")
    write(path, 20, first=10, name="short")
    now(place, path, startingId="50")
    same(by_log(), {"long": (51, 50, 100)}, "more of it, but not yet that id")
    # The option is that of the first start alone.
    now(place, path)
    now(place, path, startingId="7")
    same(by_log(), {"long": (51, 50, 100)}, "with another value, or none")
    write(path, 30, first=30, name="short")
    now(place, path)
    same(by_log(), {"long": (51, 50, 100), "short": (11, 50, 60)}, "from that id on")
    query = to_parquet(stream(place.spark, path, startingId="100"), place.work, "live", processingTime="100 milliseconds")
    until(lambda: sunk(place, "live") == [100], what="the record with the id")
    write(path, 50, first=60, name="short")
    until(lambda: sunk(place, "live") == sorted([100, *range(100, 111)]), what="the records of the other log from the id on")
    query.stop()


@check("a log that was replaced by another one fails, or is a new one with failOnDataLoss=false")
def _(place):
    path = write(place.work / "log", 300, roll=100)
    now(place, path)
    for file in path.iterdir():
        file.unlink()
    write(path, 20)
    fails(lambda: now(place, path), "failOnDataLoss")


@check("a log that ends before the stream's position fails, and is read from its end with failOnDataLoss=false")
def _(place):
    path = write(place.work / "log", 200, roll=100)
    older = place.work / "older"
    shutil.copytree(path, older)
    write(path, 100, first=200)
    now(place, path)
    shutil.rmtree(path)
    older.rename(path)
    fails(lambda: now(place, path), "ends with record 200", "read up to record 300", "failOnDataLoss", "continues with record 201")
    now(place, path, failOnDataLoss="false")
    write(path, 50, first=200)
    now(place, path, failOnDataLoss="false")
    same(sunk(place), sorted([*range(1, 301), *range(201, 251)]), "ids")


def planned(place, name):
    """A log of which a batch with records 101 to 200 was planned, and neither read nor committed."""
    path = write(place.work / name, 100, roll=1000)
    now(place, path, f"{name}-sink")
    older = place.work / f"{name}-older"
    shutil.copytree(path, older)
    write(path, 100, first=100, roll=1000)
    now(place, path, f"{name}-sink")
    for directory in (f"{name}-sink-checkpoint/commits", f"{name}-sink/_spark_metadata"):
        for file in ("1", ".1.crc"):
            (place.work / directory / file).unlink(missing_ok=True)
    same(sunk(place, f"{name}-sink"), list(range(1, 101)), "before the batch")
    return path, older


@check("a planned batch whose log was moved, replaced or cut off says so, and is read when the log is back")
def _(place):
    path, _ = planned(place, "moved")
    away = place.work / "away"
    path.rename(away)
    path.mkdir()
    fails(lambda: now(place, path, "moved-sink"), "the log default (", "is not in", "records 101 to 200", "put it back", "failOnDataLoss")
    path.rmdir()
    away.rename(path)
    now(place, path, "moved-sink")
    same(sunk(place, "moved-sink"), list(range(1, 201)), "the log is back")

    path, _ = planned(place, "replaced")
    shutil.rmtree(path)
    write(path, 300)
    fails(lambda: now(place, path, "replaced-sink"), "is not in", "records 101 to 200", "replaced by another one of this name", "failOnDataLoss")
    now(place, path, "replaced-sink", failOnDataLoss="false")
    same(sunk(place, "replaced-sink"), sorted([*range(1, 101), *range(1, 301)]), "with failOnDataLoss=false")

    path, older = planned(place, "cut")
    write(older, 50, first=100, roll=1000)
    shutil.rmtree(path)
    older.rename(path)
    fails(lambda: now(place, path, "cut-sink"), "ends with record 150", "up to record 200", "failOnDataLoss", "continues with record 101")
    same(sunk(place, "cut-sink"), list(range(1, 101)), "no part of the batch")
    now(place, path, "cut-sink", failOnDataLoss="false")
    same(sunk(place, "cut-sink"), list(range(1, 151)), "with failOnDataLoss=false")


@check("a stream that decodes a type passes over batches without it")
def _(place):
    path = write(place.work / "log", 600, roll=100)
    with binlog.Writer(path) as writer:
        writer.type("point", encoding="jsonschema", schema=b'{"type": "object", "properties": {"x": {"type": "integer"}}}')
        for x in range(5):
            writer.append(b'{"x": %d}' % x, type="point")
    query = (stream(place.spark, path, decode="point", maxRecordsPerTrigger="150").select("id", "x").writeStream
             .format("memory").queryName("decoded").trigger(availableNow=True).start())
    query.awaitTermination()
    same(sorted(tuple(row) for row in place.spark.sql("select id, x from decoded").collect()), [(601 + x, x) for x in range(5)])


@check("damage in a stream: fail stops before it, skip goes on behind it")
def _(place):
    path = write(place.work / "log", 2000, roll=500, block_bytes=4096)
    damage(segments(path)[1])
    wanted = [record["id"] for record in own(path, mode="salvage")]
    fails(lambda: now(place, path), segments(path)[1].name)
    must(set(sunk(place)) <= set(wanted), "rows that are not in the log")
    now(place, path, "skipped", onDamage="skip", maxRecordsPerTrigger="300")
    same(sunk(place, "skipped"), wanted, "skip")


@check("a log in S3 is followed: segments that are shipped later")
def _(place):
    path, url = write(place.work / "log", 500, roll=100), store(place, "stream")
    command("ship", "--quiet", "--roll", path, url)
    now(place, url)
    same(sunk(place), list(range(1, 501)), "the first run")
    write(path, 400, roll=100, first=500)
    command("ship", "--quiet", "--roll", "--compress", "zstd", path, url)
    now(place, url)
    same(sunk(place), list(range(1, 901)), "the second run")


@check("two logs in one prefix of S3, and a second one that appears where there was one")
def _(place):
    both, url = place.work / "both", store(place, "two")
    write(both, 300, roll=100, name="orders")
    write(both, 200, roll=100, name="events")
    command("ship", "--quiet", "--roll", both, url)
    by_log = lambda name: {row[0]: row[1] for row in sink(place, name).groupBy("log").count().collect()}
    now(place, url, "both")
    same(by_log("both"), {"orders": 300, "events": 200}, "two logs")
    write(both, 50, first=200, name="events")
    command("ship", "--quiet", "--roll", both, url)
    now(place, url, "both")
    same(by_log("both"), {"orders": 300, "events": 250}, "two logs, of which one has more")
    now(place, url, "skipping", onDamage="skip")
    same(by_log("skipping"), {"orders": 300, "events": 250}, "with onDamage=skip")

    path, url = write(place.work / "one", 100, name="orders"), store(place, "second")
    command("ship", "--quiet", "--roll", path, url)
    query = to_parquet(stream(place.spark, url), place.work, "one", processingTime="100 milliseconds")
    until(lambda: by_log("one") == {"orders": 100}, what="the records of the only log")
    write(path, 70, name="events")
    command("ship", "--quiet", "--roll", path, url)
    until(lambda: by_log("one") == {"orders": 100, "events": 70}, what="the records of the second log")
    write(path, 30, first=100, name="orders")
    command("ship", "--quiet", "--roll", path, url)
    until(lambda: by_log("one") == {"orders": 130, "events": 70}, what="more of the first log")
    query.stop()
    same(len(sunk(place, "one")), 200, "each once")


@check("conditions and columns of a stream are those of a query")
def _(place):
    path = write(place.work / "log", 1000, roll=300)
    query = (stream(place.spark, path, metadataColumns="host").where("type_name = 'login' and host = 'a'").select("id", "host").writeStream
             .format("memory").queryName("selected").trigger(availableNow=True).start())
    query.awaitTermination()
    same(sorted(row[0] for row in place.spark.sql("select id from selected").collect()),
         [record["id"] for record in own(path) if record["type_name"] == "login" and record["host"] == "a"])


def kills(place, times, master):
    """A driver that is killed with -9 again and again while a writer works, and then reads to the end."""
    path = place.work / "log"
    ended = threading.Event()
    chance = random.Random(place.seed)
    with binlog.Writer(str(path), roll={"records": 2000}, flush=100) as writer:
        writer.append(b"first", "t")

        def work():
            while not ended.is_set():
                writer.append_batch([b"z" * 30] * 100, "t")
                time.sleep(0.01)

        thread = threading.Thread(target=work)
        thread.start()
        try:
            for turn in range(times):
                commits = place.work / "sink-checkpoint/commits"
                before = len(list(commits.glob("[0-9]*"))) if commits.exists() else 0
                driver = subprocess.Popen([sys.executable, str(HERE / "driver.py"), master, str(path), str(place.work), "1500"],
                                          start_new_session=True, preexec_fn=ends_with_parent, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
                try:
                    until(lambda: commits.exists() and len(list(commits.glob("[0-9]*"))) >= before + 2 or driver.poll() is not None, 90, "two batches of a driver")
                    if driver.poll() is not None:
                        raise Failure(f"the driver ended by itself: {driver.stderr.read().decode()[-3000:]}")
                    time.sleep(chance.random() * 0.4)
                finally:
                    # Its JVM and its executors, too.
                    os.killpg(driver.pid, signal.SIGKILL)
                    driver.wait()
        finally:
            ended.set()
            thread.join()
        writer.flush()
        last = writer.position.flushed
    must(0 < len(sunk(place)) < last, f"{len(sunk(place))} of {last} records were in the sink after the kills")
    now(place, path, maxRecordsPerTrigger="50000")
    same(sunk(place), list(range(1, last + 1)), "ids")


@check("the driver killed with -9 in the middle: each record once in the Parquet sink")
def _(place):
    kills(place, 1, "local[2]")


@check("the driver killed with -9 in the middle, twelve times, with executors of its own", soak=True)
def _(place):
    kills(place, 12, "local-cluster[2,1,1024]")


def begin():
    return session("local-cluster[2,1,1024]", spark_executor_memory="512m")


if __name__ == "__main__":
    sys.exit(main(begin))
