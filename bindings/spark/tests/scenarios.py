#!/usr/bin/env python3
"""What happens to queries where executors are processes of their own: kills, a live writer, damage, a store, memory."""

import os
import signal
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import libbinlog as binlog
from harness import (BUILD, ROOT, Failure, Jobs, check, command, damage, executors, fails, ids, in_background, load, locations,
                     main, most_memory, must, of, own, rows, same, segments, session, stopped, until, write)

# Each record takes so many milliseconds more: a query that is in the middle for a while.
SLOW = "java_method('java.lang.Thread', 'sleep', {}L) is not null"


def slowly(frame, milliseconds=1):
    return frame.where(SLOW.format(milliseconds))


@check("types that have one number in two logs are counted apart, by name and by number")
def _(place):
    for log, names in (("one", "ab"), ("two", "ba")):
        with binlog.Writer(place.work / "logs", name=log) as writer:
            for at in range(7):
                writer.append(b"x", type=names[0] if at < 3 else names[1])
    frame = load(place.spark, place.work / "logs")
    wanted = frame.select("type", "type_name", "payload").collect()
    for column in ("type", "type_name"):
        counted = {row[0]: row["count"] for row in frame.groupBy(column).count().collect()}
        same(counted, dict(Counter(row[column] for row in wanted)), column)
    number = wanted[0]["type"]
    same(frame.where(f"type = {number}").count(), sum(row["type"] == number for row in wanted))


@check("a count fails where a read of the rows does: a segment cut, removed or emptied, and an end cut off")
def _(place):
    for what in ("cut", "removed", "first emptied", "last emptied", "end cut off"):
        path = write(place.work / what.replace(" ", "-"), 1000, roll=200, block_bytes=4096)
        files = segments(path)
        if what == "removed":
            files[2].unlink()
        else:
            file = files[{"cut": 2, "first emptied": 0}.get(what, -1)]
            os.truncate(file, 0 if "emptied" in what else file.stat().st_size // 2)
        frame = load(place.spark, path)
        fails(lambda: frame.select("payload").collect(), path.name)
        fails(lambda: frame.count(), path.name)
        fails(lambda: frame.groupBy("type_name").count().collect(), path.name)


@check("skip and losses agree with a reader that salvages, whichever segment is empty")
def _(place):
    for at in (0, 2, -1):
        path = write(place.work / f"log{at}", 1000, roll=200)
        os.truncate(segments(path)[at], 0)
        losses = []
        saved = [record.id for record in binlog.open(path, mode="salvage", on_loss=losses.append).records()]
        same(ids(load(place.spark, path, onDamage="skip").select("id", "payload")), saved, f"segment {at}")
        rows = load(place.spark, path, losses="true").collect()
        lost = sum(loss.ids[1] - loss.ids[0] + 1 for loss in losses if loss.ids)
        same((len(rows), sum(row["records"] for row in rows)), (len(losses), lost), f"losses of segment {at}")


@check("logs that describe a type in different ways are not decoded together")
def _(place):
    for log, schema in (("one", b'{"type": "object", "properties": {"a": {"type": "integer"}}}'), ("two", b'{"type": "object", "properties": {"b": {"type": "string"}}}')):
        with binlog.Writer(place.work / "logs", name=log) as writer:
            writer.type("t", encoding="jsonschema", schema=schema)
            writer.append(b'{"a": 1, "b": "x"}', type="t")
    fails(lambda: load(place.spark, place.work / "logs", decode="t"), "decode", "one", "two")
    same([tuple(row) for row in load(place.spark, place.work / "logs", decode="t", log="two").select("b").collect()], [("x",)])


@check("a table's path is taken as it is written")
def _(place):
    for at, name in enumerate(("a b", "a%20b", "ä+c", "50%")):
        path = write(place.work / name, 10 + at)
        place.spark.sql(f"CREATE TABLE odd{at} USING binlog OPTIONS (path '{path}')")
        try:
            same(place.spark.table(f"odd{at}").count(), 10 + at, name)
            same(load(place.spark, path).count(), 10 + at, name)
        finally:
            place.spark.sql(f"DROP TABLE odd{at}")


@check("options that would give a table other columns are refused, with their names")
def _(place):
    path = write(place.work / "log", 10)
    fails(lambda: load(place.spark, path, metadataColumns="time_ns"), "metadataColumns", "time_ns")
    place.spark.sql(f"CREATE TABLE fixed USING binlog OPTIONS (path '{path}')")
    try:
        fails(lambda: place.spark.read.option("timeNs", "true").table("fixed").collect(), "timeNs", "load")
    finally:
        place.spark.sql("DROP TABLE fixed")


@check("tasks of both executors, with the jar alone")
def _(place):
    path = write(place.work / "log", 20_000, roll=2000)
    until(lambda: len(executors(place.spark)) == 2, what="two executors")
    with Jobs(place.spark) as jobs:
        same(rows(load(place.spark, path, splitSize="32k")), of(own(path)))
    must(jobs.done() > 8, f"{jobs.done()} tasks")


@check("an executor killed with -9 in the middle: the same rows")
def _(place):
    path = write(place.work / "log", 4000, roll=200)
    wanted = own(path)
    for _ in range(5 if place.soak else 1):
        before = until(lambda: found if len(found := executors(place.spark)) == 2 else None, what="two executors")
        with Jobs(place.spark) as jobs:
            frame = slowly(load(place.spark, path, splitSize="8k"))
            query = in_background(lambda: with_group(place, jobs, lambda: rows(frame)))
            until(lambda: jobs.done() >= 3, what="three tasks")
            must(not query.ended(), "the query ended before the kill")
            os.kill(place.random.choice(before), signal.SIGKILL)
            same(query(), of(wanted))
        until(lambda: len(executors(place.spark)) == 2 and executors(place.spark) != before, what="another executor")


def with_group(place, jobs, call):
    """A job group belongs to a thread."""
    place.spark.sparkContext.setJobGroup(jobs.group, jobs.group)
    return call()


@check("a live writer: each query shows the records 1 to some n that were there when it began")
def _(place):
    path = place.work / "log"
    ended = threading.Event()
    with binlog.Writer(str(path), roll={"records": 3000}, flush=100) as writer:
        writer.append(b"first", "t")

        def work():
            while not ended.is_set():
                writer.append_batch([b"x" * 50] * 100, "t")
                time.sleep(0.002)

        thread = threading.Thread(target=work)
        thread.start()
        try:
            for _ in range(20 if place.soak else 5):
                least = writer.position.flushed
                found = sorted(ids(load(place.spark, path, splitSize="64k")))
                same(found, list(range(1, len(found) + 1)), "ids")
                must(least <= len(found) <= writer.position.appended, f"{len(found)} records, where {least} were flushed before")
                count = load(place.spark, path).count()
                must(len(found) <= count <= writer.position.appended, f"count(*) is {count} after {len(found)} rows")
        finally:
            ended.set()
            thread.join()
        last = writer.position.appended
    same(load(place.spark, path).count(), last, "records at the end")


@check("segments compressed in the middle of a query: the same rows")
def _(place):
    path = write(place.work / "log", 4000, roll=200)
    wanted = own(path)
    with Jobs(place.spark) as jobs:
        query = in_background(lambda: with_group(place, jobs, lambda: rows(slowly(load(place.spark, path, splitSize="4k")))))
        until(lambda: jobs.done() >= 2, what="two tasks")
        command("compress", "--quiet", path)
        must(not query.ended(), "the query ended before the compression")
        same(query(), of(wanted))


@check("segments removed in the middle of a query: it fails with the ids")
def _(place):
    path = write(place.work / "log", 4000, roll=200)
    with Jobs(place.spark) as jobs:
        query = in_background(lambda: with_group(place, jobs, lambda: rows(slowly(load(place.spark, path, splitSize="4k")))))
        until(lambda: jobs.done() >= 2, what="two tasks")
        command("prune", "--keep-segments", "2", path)
        fails(query, "removed")


@check("a damaged segment: fail names file and offset, skip counts what is lost in the query's metrics")
def _(place):
    path = write(place.work / "log", 5000, roll=1000, block_bytes=4096)
    damage(segments(path)[2])
    losses = []
    wanted = own(path, mode="salvage", on_loss=losses.append)
    fails(lambda: load(place.spark, path).select("payload").collect(), *stopped(path))
    frame = load(place.spark, path, onDamage="skip", splitSize="8k")
    same(rows(frame), of(wanted), "skip")
    frame.write.format("noop").mode("overwrite").save()
    found = metrics_of_last(place.spark)
    lost = {name: value for name, value in found.items() if "lost" in name.lower()}
    must(any(str(sum(loss.records for loss in losses)) == value.replace(",", "") for value in lost.values()),
         f"{sum(loss.records for loss in losses)} lost records are not among the metrics {found}")


def metrics_of_last(spark):
    """Names and values of the metrics of the last query, as the SQL tab of Spark's pages shows them."""
    store = spark._jsparkSession.sharedState().statusStore()
    execution = store.executionsList().last()
    metrics, values = execution.metrics(), store.executionMetrics(execution.executionId())
    found = {}
    for at in range(metrics.size()):
        metric = metrics.apply(at)
        value = values.get(metric.accumulatorId())
        if value.isDefined():
            found.setdefault(metric.name(), value.get())
    return found


@check("losses of a damaged log, from executors")
def _(place):
    path = write(place.work / "log", 5000, roll=500)
    for at in (2, 5, 6):
        damage(segments(path)[at], 0.4)
    losses = []
    own(path, mode="salvage", on_loss=losses.append)
    found = load(place.spark, path, losses="true", splitSize="8k").collect()
    same(sum(row["records"] for row in found), sum(loss.records for loss in losses), "records lost")
    same(sum(row["bytes"] for row in found), sum(loss.bytes for loss in losses), "bytes lost")


@check("compressed segments and legacy files")
def _(place):
    path = write(place.work / "log", 3000, roll=500)
    wanted = of(own(path))
    command("compress", "--quiet", path)
    same(rows(load(place.spark, path, splitSize="16k")), wanted, "compressed")
    for path in (ROOT / "tests/data/legacy/java/rolled", ROOT / "tests/data/legacy/java/small.binlog"):
        same(rows(load(place.spark, path)), of(own(path)), path.name)


def store(place, name):
    """A URL of the tests' store; empty below that name."""
    url = os.environ.get("BINLOG_TEST_S3_URL")
    must(url, "no store: run this by run.py")
    location, _, options = url.partition("?")
    return f"{location}{name}-{os.getpid()}-{place.random.getrandbits(32):x}/?{options}"


@check("a log in S3: rows, conditions, counts without a task")
def _(place):
    path, url = write(place.work / "log", 6000, roll=500), store(place, "batch")
    wanted = own(path)
    command("ship", "--quiet", "--roll", path, url)
    frame = load(place.spark, url, splitSize="16k")
    same(rows(frame), of(wanted), "rows")
    same(locations(frame), set(), "a store is equally near to all")
    same(sorted(ids(frame.where("type_name = 'login' and id > 100"))),
         [record["id"] for record in wanted if record["type_name"] == "login" and record["id"] > 100], "conditions")
    with Jobs(place.spark) as jobs:
        same({row[0]: row[1] for row in frame.groupBy("type_name").count().collect()}, binlog.open(str(path)).counts(), "counts")
    same(jobs.tasks(), 0, "tasks of the counts")
    fails(lambda: load(place.spark, url.replace("?", "absent/?")).count(), "absent")


@check("a log in S3 with credentials of a file: executors have none in their environment, and no secret is in the plan")
def _(place):
    path, url = write(place.work / "log", 1000, roll=100), store(place, "credentials")
    command("ship", "--quiet", "--roll", path, url)
    file = place.work / "credentials"
    file.touch(0o600)
    file.write_text(f"AWS_ACCESS_KEY_ID={os.environ['AWS_ACCESS_KEY_ID']}\nAWS_SECRET_ACCESS_KEY={os.environ['AWS_SECRET_ACCESS_KEY']}\n")
    frame = load(place.spark, url, environmentFile=str(file), splitSize="8k")
    same(len(ids(frame)), 1000)
    said = frame._jdf.queryExecution().toString()
    must(os.environ["AWS_SECRET_ACCESS_KEY"] not in said, "the plan shows a secret")
    file.write_text("AWS_ACCESS_KEY_ID=wrong\nAWS_SECRET_ACCESS_KEY=wrong\n")
    fails(lambda: ids(load(place.spark, url, environmentFile=str(file))), "")


@check("memory of an executor is bounded by batches: a log of 1 GB, and records of 48 MB")
def _(place):
    path = place.work / "log"
    block = os.urandom(60_000)
    with binlog.Writer(str(path)) as writer:
        for at in range(12_000):
            writer.append(block, "x")
        for at in range(6):
            writer.append(block * 800, "large")
    frame = load(place.spark, path)
    total = 12_000 * 60_000 + 6 * 800 * 60_000
    same(frame.selectExpr("sum(length(payload))", "max(crc32(payload))").first()[0], total, "bytes")
    # Heap: 480 MB; besides it the JVM itself, two tasks with two batches of 16 MiB and a block each, and two large records.
    for process in executors(place.spark):
        most = most_memory(process)
        must(most < 900 << 20, f"an executor has had {most >> 20} MiB")
    print(f"note  memory of executors: {', '.join(str(most_memory(process) >> 20) for process in executors(place.spark))} MiB at most")


@check("a cached frame, a join and a union of two logs, a repeated action")
def _(place):
    one, other = write(place.work / "one", 2000, roll=300), write(place.work / "other", 1000, roll=300, first=5000)
    a, b = load(place.spark, one), load(place.spark, other)
    same(a.union(b).count(), 3000, "union")
    same(a.join(b, "id").count(), 1000, "join")
    cached = a.cache()
    same([cached.count(), cached.selectExpr("sum(length)").first()[0]], [2000, sum(record["length"] for record in own(one))], "cached")
    cached.unpersist()
    same(sorted(row[0] for row in a.select("text").distinct().collect()), sorted({record["text"] for record in own(one)}), "distinct texts")


@check("random conditions on executors of their own", soak=True)
def _(place):
    import properties

    properties.random_logs(place, range(place.seed * 1000 + 500, place.seed * 1000 + 560), 16)


def begin():
    return session("local-cluster[2,1,1024]", spark_executor_memory="480m")


if __name__ == "__main__":
    sys.exit(main(begin))
