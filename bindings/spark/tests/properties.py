#!/usr/bin/env python3
"""Random logs, conditions, columns and options: Spark in one process (`local[2]`) shows the rows of the library's own cursor."""

import collections
import datetime
import json
import re
import sys

import libbinlog as binlog
from harness import (COLUMNS, ROOT, TYPES, Failure, Jobs, check, command, damage, fails, ids, load, locations, main, must, of, own, rows, same,
                     segments, session, stopped, write)

PATH = re.compile(r"/\S+/log\b")
EPOCH = 1_700_000_000_000_000_000
NAMES = ("order.placed", "order.paid", "order.", "login", "login.%", "a_b", "aXb", "ä.ö", "orde")
HOSTS = ("a", "b", "", "ä", "with 'quotes'")


def random_log(random, path):
    """A log of up to 2,000 records in up to some ten segments, of which some are compressed, and the last is live or closed."""
    count = random.choice((0, 1, 7, 300, 2000))
    options = {"codec": random.choice(("none", "lz4", "zstd")), "block_bytes": random.choice((None, 4096, 20_000))}
    if random.random() < 0.7:
        options["roll"] = {"records": random.choice((50, 333, 1000))}
    writer = binlog.Writer(str(path), **{name: value for name, value in options.items() if value})
    for at in range(count):
        kind = random.choice((*NAMES, 7, 1_000_000_000, None))
        pairs = [(key, random.choice(HOSTS)) for key in random.choices(("host", "user", "other"), k=random.randrange(4))]
        payload = random.choice((b"", b"text", '{"total": 3, "ä": 1}'.encode(), b"\xff\xfe", random.randbytes(random.choice((10, 5000)))))
        when = EPOCH + at * 1_000_000_000 + random.randrange(-10**10, 10**10)
        writer.append(payload, kind, pairs, when)
        if random.random() < 0.002:
            writer.roll()
    if random.random() < 0.5:
        writer.close()
        writer = None
    else:
        writer.flush()
    if random.random() < 0.3:
        binlog.compress(str(path))
    return writer


# Conditions: the text in SQL, and a function of a record that is True, False or None as in SQL.

def compare(name, sign, value):
    calls = {"=": lambda a: a == value, "<>": lambda a: a != value, "<": lambda a: a < value, "<=": lambda a: a <= value,
             ">": lambda a: a > value, ">=": lambda a: a >= value}
    return lambda record: None if record[name] is None else calls[sign](record[name])


def quoted(text):
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def moment(random):
    """A time in microseconds, as SQL and as a number."""
    micros = (EPOCH + random.randrange(0, 2000 * 10**9)) // 1000
    at = datetime.datetime.fromtimestamp(micros // 10**6, datetime.UTC).replace(microsecond=micros % 10**6)
    return f"timestamp'{at:%Y-%m-%d %H:%M:%S.%f}'", micros


SIGNS = ("=", "<>", "<", "<=", ">", ">=")


def simple(random, records):
    """One comparison."""
    sign = random.choice(SIGNS)
    kind = random.randrange(14)
    if kind == 0:
        value = random.choice((0, 1, -1, 2**63 - 1, random.randrange(2100)))
        return f"id {sign} {value}", compare("id", sign, value)
    if kind == 1:
        low, high = sorted(random.randrange(2100) for _ in range(2))
        return f"id between {low} and {high}", lambda record: low <= record["id"] <= high
    if kind == 2:
        values = [random.randrange(2100) for _ in range(random.randrange(1, 5))]
        return f"id in ({', '.join(map(str, values))})", lambda record: record["id"] in values
    if kind == 3:
        text, value = moment(random)
        return f"time {sign} {text}", compare("time", sign, value)
    if kind == 4 and records:
        value = random.choice(records)["time_ns"] + random.choice((-1, 0, 1))
        return f"time_ns {sign} {value}", compare("time_ns", sign, value)
    if kind == 5:
        value = random.choice((0, 7, 1_000_000_000, 1, 2, -5))
        return f"type {sign} {value}", compare("type", sign, value)
    if kind == 6:
        value = random.choice((*NAMES, "absent", ""))
        return f"type_name {sign} {quoted(value)}", compare("type_name", sign, value)
    if kind == 7:
        values = random.sample((*NAMES, "absent"), 3)
        return (f"type_name in ({', '.join(map(quoted, values))})",
                lambda record: None if record["type_name"] is None else record["type_name"] in values)
    if kind == 8:
        value = random.choice(("order.", "o", "login.", "a", "ä", "", "absent"))
        call = random.choice((f"startswith(type_name, {quoted(value)})", f"type_name like {quoted(value + '%')}"))
        return call, lambda record: None if record["type_name"] is None else record["type_name"].startswith(value)
    if kind == 9:
        name, value = random.choice(("host", "user")), random.choice((*HOSTS, "absent"))
        return f"{name} {sign} {quoted(value)}", compare(name, sign, value)
    if kind == 10:
        name, negated = random.choice(("host", "user", "type_name", "text")), random.random() < 0.5
        return f"{name} is {'not ' if negated else ''}null", lambda record: (record[name] is None) != negated
    if kind == 11:
        value = random.choice((0, 4, 9, 4999))
        return f"length {sign} {value}", compare("length", sign, value)
    if kind == 12:
        value = random.choice(HOSTS)
        return (f"metadata['other'] = {quoted(value)}",
                lambda record: None if "other" not in record["metadata"] else record["metadata"]["other"] == value)
    value = random.choice((b"text", b"", b"\xff\xfe"))
    return f"payload = X'{value.hex()}'", lambda record: record["payload"] == value


def condition(random, records, depth=0):
    """Comparisons, joined."""
    kind = random.randrange(5) if depth < 3 else 4
    if kind == 0:
        text, call = condition(random, records, depth + 1)
        return f"not ({text})", lambda record: None if call(record) is None else not call(record)
    if kind <= 2:
        (one, first), (other, second) = (condition(random, records, depth + 1) for _ in range(2))
        if kind == 1:
            return f"({one} and {other})", lambda record: both(first(record), second(record))
        return f"({one} or {other})", lambda record: either(first(record), second(record))
    return simple(random, records)


def both(a, b):
    return False if a is False or b is False else None if a is None or b is None else True


def either(a, b):
    return True if a is True or b is True else None if a is None or b is None else False


ALL = (*COLUMNS, "time_ns", "host", "user")


def random_logs(place, seeds, queries):
    tried = 0
    for seed in seeds:
        random = type(place.random)(seed)
        path = place.work / str(seed)
        writer = random_log(random, path)
        wanted = own(path)
        frame = load(place.spark, path, metadataColumns="host,user", timeNs="true", splitSize=random.choice(("4k", "64k", "64m")))
        same(rows(frame, ALL), of(wanted, ALL), f"log {seed}")
        for _ in range(queries):
            text, call = condition(random, wanted)
            kept = [record for record in wanted if call(record) is True]
            columns = random.sample(ALL, random.randrange(1, 5))
            what = f"log {seed}, {', '.join(columns)} where {text}"
            try:
                if random.random() < 0.3:
                    got = frame.where(text).selectExpr("count(*)", "min(id)", "max(id)", "sum(length)").first()
                    found = [record["id"] for record in kept]
                    same(list(got), [len(kept), min(found, default=None), max(found, default=None),
                                     sum(record["length"] for record in kept) if kept else None], what)
                elif random.random() < 0.3:
                    most = random.choice((0, 1, 5, 100))
                    got = rows(frame.where(text).limit(most), ["id", *(name for name in columns if name != "id")])
                    same(len(got), min(most, len(kept)), f"{what} limit {most}")
                    must(all(row in of(kept, row) for row in got), f"{what} limit {most}: a row that is none of the log's")
                else:
                    columns = ["id", *(name for name in columns if name != "id")]
                    same(rows(frame.where(text), columns), of(kept, columns), what)
            except Failure:
                raise
            except Exception as error:
                raise Failure(f"{what}: {str(error)[:1500]}") from error
            tried += 1
        if writer:
            writer.close()
    return tried


@check("random logs, conditions and columns: the rows of the own cursor")
def _(place):
    random_logs(place, range(place.seed * 1000, place.seed * 1000 + (200 if place.soak else 4)), 10)


@check("without payload and text, and with each column alone")
def _(place):
    path = write(place.work / "log", 500, roll=100)
    wanted = own(path)
    frame = load(place.spark, path, metadataColumns="host", timeNs="true")
    for name in (*COLUMNS, "time_ns", "host"):
        same(sorted(map(repr, rows(frame, [name]))), sorted(map(repr, of(wanted, [name]))), name)
    same(frame.count(), 500, "count")
    same(frame.where("1 = 0").collect(), [], "no row")


@check("the schema is that of the page")
def _(place):
    frame = load(place.spark, write(place.work / "log", 1))
    same([(field.name, field.dataType.simpleString()) for field in frame.schema],
         [("id", "bigint"), ("time", "timestamp"), ("type", "bigint"), ("type_name", "string"), ("metadata", "map<string,string>"),
          ("length", "bigint"), ("payload", "binary"), ("text", "string")], "columns")
    names = load(place.spark, place.work / "log", metadataColumns="host, user", timeNs="true").columns
    must({"time_ns", "host", "user"} <= set(names), f"time_ns, host or user is not among {names}")


@check("_segment and _log of several logs in one directory, and one of them by its name")
def _(place):
    path = place.work / "logs"
    write(path, 300, roll=100, name="orders")
    write(path, 50, name="events")
    found = load(place.spark, path).selectExpr("_log", "_segment", "id").collect()
    same(sorted((row[0], row[2]) for row in found), sorted([("orders", at) for at in range(1, 301)] + [("events", at) for at in range(1, 51)]))
    files = {row[1].rsplit("/", 1)[-1] for row in found}
    must(files <= {file.name for file in segments(path)} and len(files) >= 4, f"_segment is {files}")
    same(sorted(ids(load(place.spark, path, log="events"))), list(range(1, 51)), "log=events")
    fails(lambda: load(place.spark, path, log="absent").count(), "absent")


@check("several paths, a pattern of directories, one segment, a file, a relative path")
def _(place):
    for at, count in enumerate((10, 20, 30)):
        write(place.work / f"log-{at}", count, roll=8)
    count = lambda *paths: load(place.spark, paths if len(paths) > 1 else paths[0]).count()
    same(count(place.work / "log-0", place.work / "log-2"), 40, "two paths")
    same(count(place.work / "log-*"), 60, "a pattern")
    same(count(segments(place.work / "log-2")[1]), len(own(segments(place.work / "log-2")[1])), "a segment")
    same(count(f"file://{place.work}/log-1"), 20, "a URL of a directory")
    fails(lambda: count(place.work / "absent"), "absent")


@check("count(*), also by type_name and with conditions, runs no task")
def _(place):
    path = write(place.work / "log", 4000, roll=500)
    frame = load(place.spark, path)
    place.spark.sql(f"create or replace temporary view counted using binlog options (path '{path}')")
    for query, wanted in (
            ("select count(*) from counted", [(4000,)]),
            ("select type_name, count(*) from counted group by type_name", [(name, 1000) for name in sorted(TYPES)]),
            ("select count(*) from counted where type_name = 'login'", [(1000,)]),
            ("select type_name, count(*) from counted where type_name in ('login', 'error') group by type_name", [("error", 1000), ("login", 1000)])):
        with Jobs(place.spark) as jobs:
            same(sorted(map(tuple, place.spark.sql(query).collect())), wanted, query)
        same(jobs.tasks(), 0, f"tasks of {query}")
    same({row[0]: row[1] for row in frame.groupBy("type_name").count().collect()}, binlog.open(str(path)).counts(), "counts")
    same(frame.where("length > 30").count(), sum(record["length"] > 30 for record in own(path)), "a condition that is not of the index")


@check("a name with several numbers is counted by number, and by name")
def _(place):
    path = place.work / "log"
    for fields, count in (({"a": 1}, 3), ({"a": 1, "b": 1}, 5)):
        with binlog.Writer(str(path)) as writer:
            schema = {"type": "object", "properties": {name: {"type": "integer"} for name in fields}}
            writer.type("order", encoding="jsonschema", schema=json.dumps(schema).encode())
            for _ in range(count):
                writer.append(b"{}", "order")
            writer.append(b"", 7)
    frame = load(place.spark, path)
    records = own(path)
    for condition in ("true", "id > 2", "type_name = 'order'", *(f"type = {number}" for number in {record["type"] for record in records})):
        kept = [record for record in records if record["id"] in ids(frame.where(condition))]
        same(frame.where(condition).count(), len(kept), condition)
        for keys in (("type",), ("type_name",), ("type", "type_name")):
            wanted = collections.Counter(tuple(record[key] for key in keys) for record in kept)
            same({tuple(row)[:-1]: row["count"] for row in frame.where(condition).groupBy(*keys).count().collect()}, dict(wanted), f"{condition} by {keys}")
    with Jobs(place.spark) as jobs:
        frame.groupBy("type_name").count().collect()
    same(jobs.tasks(), 0, "tasks")


@check("counts of a live log, of a log without index, of types without a name, and of an empty log")
def _(place):
    path = place.work / "log"
    writer = binlog.Writer(str(path))
    same(load(place.spark, path).count(), 0, "an empty log")
    same(load(place.spark, path).groupBy("type_name").count().collect(), [], "an empty log by type")
    for at in range(100):
        writer.append(b"x", (7, 8, "named")[at % 3])
    writer.flush()
    by_type = lambda: {row[0]: row[1] for row in load(place.spark, path).groupBy("type_name").count().collect()}
    same(load(place.spark, path).count(), 100, "a live log")
    same(by_type(), {None: 67, "named": 33}, "a live log by type")
    same({row[0]: row[1] for row in load(place.spark, path).groupBy("type").count().collect()}, {7: 34, 8: 33,
         next(record["type"] for record in own(path) if record["type_name"]): 33}, "by number")
    writer.close()


def plan(frame, mode="formatted"):
    return frame._sc._jvm.PythonSQLUtils.explainString(frame._jdf.queryExecution(), mode)


def scan_of(frame):
    """What explain says of the scan beside its columns."""
    part = next(part for part in plan(frame).split("\n\n") if part.strip().startswith("(") and "BatchScan" in part)
    return "\n".join(line for line in part.strip().splitlines()[1:] if not line.startswith("Output")).replace(PATH.search(part)[0], "")


def asked_of_spark(frame):
    """The conditions that are left to Spark: those of Filter nodes, from the physical plan."""
    text = plan(frame, "simple")
    return [line.strip() for line in text.splitlines() if "Filter " in line]


@check("explain shows what is pushed, and what is not is Spark's")
def _(place):
    path = write(place.work / "log", 2000, roll=500)
    frame = load(place.spark, path, metadataColumns="host")
    for text, shown in (("id >= 5 and id < 100", ("id",)), ("type_name = 'login'", ("login",)), ("type_name in ('login', 'error')", ("login", "error")),
                        ("type_name like 'order.%'", ("order.",)), ("type = 1", ("type",)), ("host = 'a'", ("host", "a")),
                        ("time >= timestamp'2023-01-01'", ("time",))):
        said = scan_of(frame.where(text))
        for word in shown:
            must(word in said, f"explain of {text} does not show {word}: {plan(frame.where(text))}")
    same(asked_of_spark(frame.where("id >= 5 and id < 100").select("id")), [], "what Spark still does of id >= 5 and id < 100")
    same(asked_of_spark(frame.where("type_name in ('login', 'error')").select("id")), [], "what Spark still does of type_name in (…)")
    must("length" in str(asked_of_spark(frame.where("type_name = 'login' and length > 10"))), "Spark does not look at length")
    must("7" in scan_of(frame.limit(7)), f"explain does not show the limit: {plan(frame.limit(7))}")


@check("only what is asked for is read: bytes of a rare type and of headers")
def _(place):
    path = place.work / "log"
    with binlog.Writer(str(path), roll={"records": 1000}) as writer:
        for at in range(20_000):
            writer.append(b"x" * 500, "rare" if at == 12_345 else "usual")
    same(rows(load(place.spark, path).where("type_name = 'rare'"), ("id", "length")), [{"id": 12_346, "length": 500}])
    with Jobs(place.spark) as jobs:
        load(place.spark, path, splitSize="256k").where("type_name = 'rare'").select("payload").collect()
    must(jobs.tasks() <= 1, f"{jobs.tasks()} tasks read one record")
    with Jobs(place.spark) as jobs:
        load(place.spark, path, splitSize="256k").select("payload").collect()
    must(jobs.tasks() > 10, f"{jobs.tasks()} tasks read 10 MB in splits of 256 KiB")
    with Jobs(place.spark) as jobs:
        load(place.spark, path).where("id = 777").select("payload").collect()
    must(jobs.tasks() <= 1, f"{jobs.tasks()} tasks read one id")


@check("statistics: Spark knows rows and bytes, and broadcasts a small log")
def _(place):
    path = write(place.work / "log", 2000)
    frame = load(place.spark, path)
    # Spark asks for the number of rows only then.
    place.spark.conf.set("spark.sql.cbo.enabled", "true")
    statistics = frame._jdf.queryExecution().optimizedPlan().stats()
    place.spark.conf.unset("spark.sql.cbo.enabled")
    must(statistics.rowCount().isDefined() and int(str(statistics.rowCount().get())) == 2000, f"rows: {statistics}")
    must(0 < int(str(statistics.sizeInBytes())) < 10**7, f"bytes: {statistics}")
    joined = frame.alias("a").join(load(place.spark, path).alias("b"), "id")
    must("BroadcastHashJoin" in plan(joined, "simple"), plan(joined, "simple"))
    same(joined.count(), 2000, "rows of a join with itself")


@check("the reading is columnar")
def _(place):
    text = plan(load(place.spark, write(place.work / "log", 10)).select("id", "text"), "simple")
    must("ColumnarToRow" in text or "Comet" in text, f"no batch of columns: {text}")


@check("SQL: a table, a temporary view, the catalog by path and by names")
def _(place):
    spark, path = place.spark, write(place.work / "root/orders", 300, roll=100)
    write(place.work / "root/events", 20)
    spark.sql(f"create table orders_table using binlog options (path '{path}', metadataColumns 'host')")
    try:
        same(spark.sql("select count(*), count(host) from orders_table where type_name = 'login'").collect()[0][0], 75, "a table")
        same(len(spark.sql("select _segment, * from orders_table").collect()), 300, "a table with _segment")
    finally:
        spark.sql("drop table orders_table")
    must(path.exists() and len(segments(path)) == 4 - 1 or len(segments(path)) >= 3, "drop table removed segments")
    same(spark.sql(f"select max(id) from binlog.`{path}`").collect()[0][0], 300, "the catalog by path")
    spark.conf.set("spark.sql.catalog.logs", "io.binlog.spark.BinlogCatalog")
    spark.conf.set("spark.sql.catalog.logs.root", str(place.work / "root"))
    same(spark.sql("select count(*) from logs.events").collect()[0][0], 20, "the catalog by a name")
    same(sorted(row["tableName"] for row in spark.sql("show tables in logs").collect()), ["events", "orders"], "show tables")
    columns = {row["col_name"] for row in spark.sql("describe logs.orders").collect()}
    must({"id", "time", "payload", "text"} <= columns, f"describe: {columns}")
    same(spark.sql("""select o.type_name, count(*) from logs.orders o join logs.events e on o.id = e.id
                      group by 1 order by 1""").collect()[0][1], 5, "a join of two logs")


@check("writing is refused, and says what to do")
def _(place):
    spark, path = place.spark, write(place.work / "log", 5)
    frame = load(spark, path)
    for mode in ("append", "overwrite", "errorifexists", "ignore"):
        message = fails(lambda: frame.write.format("binlog").mode(mode).save(str(place.work / "other")), "writer")
        must("libbinlog" in message or "BinlogWriter" in message, f"the sentence does not say what to do: {message}")
    spark.sql(f"create table refused using binlog options (path '{path}')")
    try:
        fails(lambda: spark.sql("insert into refused select * from refused"), "writer")
        fails(lambda: spark.sql("delete from refused"), "")
    finally:
        spark.sql("drop table refused")
    fails(lambda: spark.sql("create table binlog.`/tmp/absent-log` (id bigint)"), "")
    stream = spark.readStream.format("rate").load()
    fails(lambda: stream.writeStream.format("binlog").option("checkpointLocation", str(place.work / "c")).start(str(place.work / "other")), "writ")
    same(frame.count(), 5, "records after all that")
    must(not (place.work / "other").exists(), "a directory was made")


@check("a wrong option fails with its name, its value and what is allowed")
def _(place):
    path = write(place.work / "log", 5)
    for name, value, allowed in (("onDamage", "ignore", ("fail", "skip")), ("splitSize", "many", ()), ("splitSize", "-1", ()),
                                 ("timeNs", "perhaps", ("true", "false")), ("losses", "perhaps", ("true", "false")),
                                 ("decodeMode", "perhaps", ("fail",)), ("environmentFile", "/absent/file", ()),
                                 ("metadataColumns", "id", ()), ("metadataColumns", "host,host", ("metadata[",))):
        fails(lambda: load(place.spark, path, **{name: value}).collect(), name, value.split(",")[0], *allowed)
    place.spark.conf.set("spark.sql.caseSensitive", "true")
    try:
        fails(lambda: load(place.spark, path, metadataColumns="host, Host").collect(), "metadataColumns", "whatever their case")
        same(load(place.spark, path, metadataColumns=" host ,").columns[-1], "host", "a key with blanks")
    finally:
        place.spark.conf.unset("spark.sql.caseSensitive")
    fails(lambda: place.spark.read.format("binlog").load().collect(), "path")
    for name, value in (("startingId", "x"), ("startingId", "-1"), ("startingTime", "yesterday"), ("maxRecordsPerTrigger", "0"),
                        ("maxRecordsPerTrigger", "x"), ("failOnDataLoss", "perhaps")):
        query = lambda: place.spark.readStream.format("binlog").option(name, value).load(str(path)).writeStream.format("noop").trigger(
            availableNow=True).start().awaitTermination()
        fails(query, name, value)
    same(load(place.spark, path, SPLITSIZE="1m", ondamage="FAIL").count(), 5, "names in other letters")


@check("damage: fail names file and offset, skip shows what a salvage shows, losses has a row for each")
def _(place):
    path = write(place.work / "log", 5000, roll=1000, block_bytes=4096)
    damage(segments(path)[2])
    wanted, losses = [], []
    wanted = own(path, mode="salvage", on_loss=losses.append)
    must(losses and len(wanted) < 5000, "the log is not damaged")
    fails(lambda: load(place.spark, path).select("payload").collect(), *stopped(path))
    for split in ("8k", "64m"):
        frame = load(place.spark, path, onDamage="skip", splitSize=split)
        same(rows(frame), of(wanted), f"skip, splits of {split}")
    rows_of_losses = load(place.spark, path, losses="true").collect()
    same(sorted((row["offset"], row["records"], row["first_id"], row["last_id"]) for row in rows_of_losses),
         sorted((loss.offset, loss.records, *(loss.ids or (None, None))) for loss in losses), "losses")
    same({row["segment"].rsplit("/", 1)[-1] for row in rows_of_losses}, {loss.file.name for loss in losses}, "files of losses")
    same(sum(row["bytes"] for row in rows_of_losses), sum(loss.bytes for loss in losses), "lost bytes")
    must(all(row["reason"] and row["log"] for row in rows_of_losses), "a loss without a reason or a log")
    same(load(place.spark, write(place.work / "whole", 10), losses="true").collect(), [], "losses of a whole log")


@check("damage: records that conditions exclude are not read; a segment that is missing is a loss")
def _(place):
    path = write(place.work / "log", 5000, roll=1000)
    damage(segments(path)[2])
    same(load(place.spark, path).where("id <= 1500").select("payload").collect(), load(place.spark, path, onDamage="skip").where(
        "id <= 1500").select("payload").collect(), "ids before the damage")
    segments(path)[1].unlink()
    fails(lambda: load(place.spark, path).select("payload").collect(), "")
    losses = []
    wanted = own(path, mode="salvage", on_loss=losses.append)
    same(rows(load(place.spark, path, onDamage="skip")), of(wanted), "skip")
    same(sum(row["records"] for row in load(place.spark, path, losses="true").collect()), sum(loss.records for loss in losses), "records lost")


@check("legacy files: the Java binlog's, rolled and alone")
def _(place):
    older = ROOT / "tests/data/legacy/java"
    for path in (older / "rolled", older / "small.binlog"):
        wanted = own(path)
        must(wanted, f"{path} has no record")
        same(rows(load(place.spark, path)), of(wanted), path.name)
        same(load(place.spark, path).count(), len(wanted), f"count of {path.name}")


@check("compressed segments, in blocks and as a whole")
def _(place):
    for name, options in (("zstd", ()), ("lz4", ("--codec", "lz4")), ("gzip", ("--whole", "gzip"))):
        path = write(place.work / name, 3000, roll=500)
        wanted = of(own(path))
        command("compress", "--quiet", *options, path)
        must(any(".z." in file.name or file.suffix == ".gz" for file in path.iterdir()), f"nothing was compressed: {name}")
        same(rows(load(place.spark, path, splitSize="16k")), wanted, name)
        same(load(place.spark, path).count(), 3000, f"count of {name}")


@check("splits of a local disk prefer the driver's machine")
def _(place):
    path = write(place.work / "log", 3000, roll=500)
    frame = load(place.spark, path, splitSize="16k")
    must(frame.rdd.getNumPartitions() > 1, "several splits")
    driver = place.spark.sparkContext.getConf().get("spark.driver.host")
    same(locations(frame), {driver}, "locations")


@check("payloads of many megabytes, and many small ones in one batch")
def _(place):
    path = place.work / "log"
    with binlog.Writer(str(path)) as writer:
        for at in range(4):
            writer.append(bytes([65 + at]) * (20 << 20), "large")
        for at in range(200_000):
            writer.append(b"s", "small")
    frame = load(place.spark, path)
    same([tuple(row) for row in frame.where("type_name = 'large'").selectExpr("id", "length(payload)", "md5(payload)").orderBy("id").collect()],
         [(record["id"], 20 << 20, __import__("hashlib").md5(record["payload"]).hexdigest()) for record in own(path, to_id=4)])
    same(frame.selectExpr("sum(id)", "sum(length(text))", "count(distinct id)").first()[2], 200_004, "ids")


def begin():
    return session("local[2]")


if __name__ == "__main__":
    sys.exit(main(begin))
