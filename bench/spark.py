#!/usr/bin/env python3
"""Measures logs in Spark: the connector, beside the same records in JSON lines and in Parquet (zstd). All contenders in turn, `--rounds`
times, each round beginning with another one; medians.

    bindings/spark/test.sh --python bench/spark.py [--bytes N] [--records N] [--segments N] [--rounds N] [--dir DIR] [--markdown FILE]
                                                   [--quick]

BINLOG_NOTIFICATIONS names other JSON lines for the large records, as for the other benchmarks.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "bindings/spark/tests"))
import libbinlog as binlog  # noqa: E402
import pyspark  # noqa: E402
from harness import Jobs, executors, load, session, stop, until  # noqa: E402
from turns import measure  # noqa: E402

START = 1_700_000_000_000_000_000
HOUR = 3_600_000_000_000
SMALL = ("order.placed", "order.paid", "login")
FIELD = "$.payload.memory_mb"


def notifications():
    """Lines of JSON of some 3 KB, and the type of each."""
    place = Path(os.environ.get("BINLOG_NOTIFICATIONS", ROOT.parent / "shared/data/notifications.jsonl"))
    if place.exists():
        lines = [line for line in place.read_bytes().splitlines() if line]
    else:
        lines = [json.dumps({"event_type": "made.up", "payload": {"memory_mb": at, "note": "n" * 2800}}).encode() for at in range(3000)]
    return [(line, json.loads(line)["event_type"]) for line in lines]


# A table has a column payload already.
SCHEMA = b'{"type": "object", "properties": {"instance": {"type": "object", "properties": {"memory_mb": {"type": "integer"}}}}}'


def write_large(where, size):
    """The notifications over and over, as a log, as one of a type with a schema, and as lines; returns how many."""
    lines, count, at = notifications(), 0, 0
    typed = [(line.replace(b'"payload":', b'"instance":', 1), "notification") for line, _ in lines]
    with (binlog.Writer(str(where / "large"), segment_bytes=256 << 20) as writer, (where / "large.jsonl").open("wb") as file,
          binlog.Writer(str(where / "typed"), segment_bytes=256 << 20) as described):
        described.type("notification", encoding="jsonschema", schema=SCHEMA)
        while at < size:
            writer.append_batch(lines)
            described.append_batch(typed)
            file.write(b"".join(line + b"\n" for line, _ in lines))
            at += sum(len(line) + 1 for line, _ in lines)
            count += len(lines)
    return count


def write_small(where, count):
    """Records of 60 bytes; one in 10,000 has the type `error`."""
    with binlog.Writer(str(where / "small"), segment_bytes=64 << 20) as writer:
        for first in range(0, count, 10_000):
            writer.append_batch([
                (b'{"number": %010d, "note": "nnnnnnnnnnnnnnnnnnnnnnnnnnnn"}' % at, "error" if at % 10_000 == 9_999 else SMALL[at % 3])
                for at in range(first, min(count, first + 10_000))])


def write_year(where, segments):
    """A year in so many segments of 100 records."""
    step = 365 * 24 * HOUR // segments
    with binlog.Writer(str(where / "year")) as writer:
        for at in range(segments):
            writer.append_batch([(b"y" * 60, SMALL[k % 3] if k != 50 or at % 10 else "error", None, START + at * step + k * (step // 100)) for k in range(100)])
            writer.roll()


def micros(nanos):
    return f"timestamp_micros({nanos // 1000})"


def works(spark, where, large, small, segments):
    """work -> contender -> (call, what it must return, records it goes through)."""
    binlog_of, lines = load(spark, where / "large"), spark.read.text(str(where / "large.jsonl"))
    binlog_of.select("id", "time", "type_name", "text").write.option("compression", "zstd").mode("overwrite").parquet(str(where / "large.parquet"))
    parquet = spark.read.parquet(str(where / "large.parquet"))
    by_field = spark.read.schema("payload struct<memory_mb: bigint>").json(str(where / "large.jsonl"))
    decoded = load(spark, where / "typed", decode="notification")
    inferred = lambda: spark.read.json(str(where / "large.jsonl")).selectExpr("sum(payload.memory_mb)").first()[0]
    total = lambda frame, column: frame.selectExpr(f"sum(cast(get_json_object({column}, '{FIELD}') as bigint))").first()[0]
    wanted = total(lines, "value")
    binlog_of_small = load(spark, where / "small")
    counts = binlog.open(str(where / "small")).counts()
    by_type = lambda frame: {row[0]: row[1] for row in frame.groupBy("type_name").count().collect()}
    year = load(spark, where / "year")
    begin = START + 182 * 24 * HOUR
    hour = f"time >= {micros(begin)} and time < {micros(begin + HOUR)}"
    rare = sum(1 for record in binlog.open(str(where / "year")).records(type="error", since=begin, until=begin + HOUR))
    plans = lambda: year.where(f"type_name = 'error' and {hour}")._jdf.queryExecution().toRdd().getNumPartitions()

    def streamed():
        place = tempfile.mkdtemp(dir=where)
        query = (spark.readStream.format("binlog").load(str(where / "small")).writeStream.format("noop").option("checkpointLocation", place)
                 .trigger(availableNow=True).start())
        query.awaitTermination()
        return sum(progress.numInputRows for progress in query.recentProgress)

    return {
        "full scan, a JSON field summed": {
            "binlog": (lambda: decoded.selectExpr("sum(instance.memory_mb)").first()[0], wanted, large),
            "binlog, get_json_object": (lambda: total(binlog_of, "text"), wanted, large),
            "Parquet, the record as text": (lambda: total(parquet, "text"), wanted, large),
            "JSON lines as text": (lambda: total(lines, "value"), wanted, large),
            "JSON lines, all fields inferred": (inferred, wanted, large),
            "JSON lines, a schema of the one field": (lambda: by_field.selectExpr("sum(payload.memory_mb)").first()[0], wanted, large),
        },
        "full scan, payloads counted": {
            "binlog": (lambda: binlog_of.selectExpr("sum(length(text))").first()[0] > 0, True, large),
            "Parquet, the record as text": (lambda: parquet.selectExpr("sum(length(text))").first()[0] > 0, True, large),
            "JSON lines as text": (lambda: lines.selectExpr("sum(length(value))").first()[0] > 0, True, large),
        },
        "count by type": {"binlog": (lambda: by_type(binlog_of_small), counts, small)},
        f"the whole year, {segments:,} segments": {"binlog": (lambda: year.selectExpr("sum(length(payload))").first()[0], segments * 6000, segments * 100)},
        "one rare type, one hour of the year": {"binlog": (lambda: year.where(f"type_name = 'error' and {hour}").selectExpr("count(payload)").first()[0], rare, None)},
        "its plan alone": {"binlog": (lambda: plans() <= 2, True, None)},
        "a stream, all columns, into nothing": {"binlog": (streamed, small, small)},
    }


def table(found, times):
    lines = ["| work | contender | ms | least and most | M records/s | x binlog's time |", "|---|---|--:|--:|--:|--:|"]
    for work, contenders in found.items():
        ours = statistics.median(times[work, "binlog"]) if "binlog" in contenders else None
        for name, (_, _, records) in contenders.items():
            took = times[work, name]
            middle = statistics.median(took)
            speed = f"{records / middle / 1e6:.2f}" if records else ""
            ratio = f"{middle / ours:.2f}" if ours else ""
            lines.append(f"| {work} | {name} | {middle * 1e3:,.0f} | {min(took) * 1e3:,.0f} to {max(took) * 1e3:,.0f} | {speed} | {ratio} |")
    return lines


def on_executors(number, where, rounds):
    """Prints the seconds of each round as JSON. A program of its own: pyspark keeps one JVM for each process."""
    spark = session(f"local-cluster[{number},1,1024]", spark_executor_memory="768m", **SETTINGS)
    try:
        until(lambda: len(executors(spark)) == number, what=f"{number} executors")
        frame = load(spark, where / "large", splitSize="32m")
        found = {"": {"": (lambda: frame.selectExpr(f"sum(cast(get_json_object(text, '{FIELD}') as bigint))").first()[0] > 0, True, None)}}
        # One executor of one core has its queries compiled on the other processor: two have none to spare.
        print(json.dumps(measure(found, rounds, warm=6)["", ""]))
    finally:
        stop(spark)


# Those of the tests are for short sessions.
SETTINGS = {"spark_driver_extraJavaOptions": "-Duser.timezone=UTC", "spark_executor_extraJavaOptions": "-Duser.timezone=UTC"}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bytes", type=int, default=10**9)
    parser.add_argument("--records", type=int, default=5_000_000)
    parser.add_argument("--segments", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--dir")
    parser.add_argument("--markdown")
    parser.add_argument("--executors", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--quick", action="store_true")
    chosen = parser.parse_args()
    if chosen.executors:
        on_executors(chosen.executors, Path(chosen.dir), chosen.rounds)
        return
    if chosen.quick:
        chosen.bytes, chosen.records, chosen.segments, chosen.rounds = 20_000_000, 50_000, 100, 1
    where = Path(tempfile.mkdtemp(prefix="binlog-bench-spark-", dir=chosen.dir))
    try:
        large = write_large(where, chosen.bytes)
        write_small(where, chosen.records)
        write_year(where, chosen.segments)
        spark = session("local[2]", **SETTINGS)
        try:
            found = works(spark, where, large, chosen.records, chosen.segments)
            with Jobs(spark) as jobs:
                found["count by type"]["binlog"][0]()
            tasks = jobs.tasks()
            times = measure(found, chosen.rounds)
        finally:
            stop(spark)
        lines = table(found, times)
        middles = {}
        for number in (1, 2):
            told = subprocess.run([sys.executable, __file__, "--executors", str(number), "--dir", str(where), "--rounds", str(chosen.rounds)],
                                  stdout=subprocess.PIPE, check=True, text=True).stdout
            work, name = "the same full scan, after six of them", f"{number} executor{'s' if number > 1 else ''}, a core each"
            took = json.loads(told.splitlines()[-1])
            lines += table({work: {name: (None, None, large)}}, {(work, name): took})[2:]
            middles[number] = statistics.median(took)
        text = (f"# Spark\n\n{large:,} notifications ({chosen.bytes / 1e9:g} GB), {chosen.records:,} records of 60 bytes, and {chosen.segments:,} segments of 100 records;"
                f" medians of {chosen.rounds} rounds, all contenders in turn.\nSpark {pyspark.__version__}, `local[2]`, {os.cpu_count()} processors.\n\n"
                + "\n".join(lines)
                + f"\n\nCounting by type runs {tasks} tasks. Two executors have {middles[1] / middles[2]:.2f} times the speed of one.\n")
        print(text)
        if chosen.markdown:
            Path(chosen.markdown).write_text(text)
    finally:
        shutil.rmtree(where, ignore_errors=True)


if __name__ == "__main__":
    main()
