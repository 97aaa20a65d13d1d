#!/usr/bin/env python3
"""Measures a log as a table: the library's Arrow stream and DuckDB over it, beside the same records in Parquet (zstd),
JSON lines, SQLite and MCAP. All contenders in turn, `--rounds` times, each round beginning with another one; medians.

    tables.py [--records N] [--rounds N] [--dir DIR] [--markdown FILE] [--quick] [LIBBINLOG_SO]

`make bench` runs it in the environment of tests/engines, which has pyarrow and DuckDB. MCAP is left out where its package
is missing.
"""

import argparse
import ctypes
import json
import os
import random
import shutil
import sqlite3
import statistics
import struct
import sys
import tempfile
import threading
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests/engines"))
import duckdb
import pyarrow as pa
import pyarrow.parquet as parquet
from streams import Library, Options, Stream, Table
from turns import measure

TYPES = ["order.placed", "order.paid", "login", "error"]
START = 1_700_000_000_000_000_000
HOUR = 3_600_000_000_000
ID, TIME, TYPE, TYPE_NAME, TEXT = 1, 2, 4, 8, 128


class Filter(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_size_t), ("flags", ctypes.c_uint32), ("reserved32", ctypes.c_uint32),
                ("ids", ctypes.c_uint64 * 2), ("times", ctypes.c_int64 * 2), ("types", ctypes.c_void_p),
                ("type_count", ctypes.c_size_t), ("names", ctypes.c_void_p), ("name_count", ctypes.c_size_t),
                ("rest", ctypes.c_uint64 * 8)]


class PlanOptions(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_size_t), ("target_bytes", ctypes.c_uint64), ("most", ctypes.c_uint64),
                ("reserved", ctypes.c_uint64 * 5)]


class Split(ctypes.Structure):
    _fields_ = [("token", ctypes.c_char_p), ("location", ctypes.c_char_p), ("first_id", ctypes.c_uint64),
                ("last_id", ctypes.c_uint64), ("records", ctypes.c_uint64), ("bytes", ctypes.c_uint64),
                ("times", ctypes.c_int64 * 2), ("reserved", ctypes.c_uint64 * 4)]


def records(count):
    """(type, time, host or None, payload of 79 bytes); one in 10,000 has the last type."""
    chance = random.Random(4711)
    for i in range(count):
        kind = 3 if i % 10_000 == 9_999 else i % 3
        text = '{"order": %d, "customer": "c-%06d", "total": %d, "note": "' % (i, chance.randrange(1_000_000), chance.randrange(1000))
        yield kind, START + i * 1000, "h%d" % (i % 7) if i % 4 == 0 else None, (text.ljust(77, "n") + '"}').encode()[:79]


def write(library, path, count):
    writer = ctypes.c_void_p()
    library.call("binlog_writer_open", os.fsencode(path), None, ctypes.byref(writer))
    numbers = []
    for name in TYPES:
        number = ctypes.c_uint32()
        library.call("binlog_writer_type", writer, name.encode(), b"application/json", ctypes.byref(number))
        numbers.append(number.value)
    frames = []

    def append():
        packed = b"".join(frames)
        library.call("binlog_writer_append_packed", writer, packed, ctypes.c_size_t(len(packed)), None)
        frames.clear()

    for kind, at, host, payload in records(count):
        pairs = b"" if host is None else b"\x04host" + bytes([len(host)]) + host.encode()
        body = pairs + payload
        size = -(-(40 + len(body)) // 8) * 8
        frames.append(struct.pack("<IIQqIIII", size, numbers[kind], 0, at, len(pairs), len(payload), 1, 0) + body.ljust(size - 40, b"\0"))
        if len(frames) == 1000:
            append()
    if frames:
        append()
    library.call("binlog_writer_close", writer)


def write_hours(library, path, segments):
    """A segment for each hour, of four records."""
    writer = ctypes.c_void_p()
    library.call("binlog_writer_open", os.fsencode(path), None, ctypes.byref(writer))
    for hour in range(segments):
        for at in range(4):
            size = 48
            frame = struct.pack("<IIQqIIII", size, 1, 0, START + hour * HOUR + at * 1000, 0, 8, 1, 0) + b"\0" * 8
            library.call("binlog_writer_append_packed", writer, frame, ctypes.c_size_t(size), None)
        library.call("binlog_writer_roll", writer)
    library.call("binlog_writer_close", writer)


class Log:
    def __init__(self, library, path):
        self.library, self.path = library, path

    def reader(self, token=None):
        reader = ctypes.c_void_p()
        opened = "binlog_split_open" if token else "binlog_reader_open"
        self.library.call(opened, token or os.fsencode(self.path), None, ctypes.byref(reader))
        return reader

    def table(self, columns=0, types=(), token=None):
        """An object with __arrow_c_stream__ of these columns and types."""
        made = Table.__new__(Table)
        made.stream = Stream()
        Table.kept.append(made.stream)
        reader = self.reader(token)
        names = (ctypes.c_char_p * len(types))(*map(str.encode, types))
        wanted = Filter(struct_size=ctypes.sizeof(Filter), names=ctypes.cast(names, ctypes.c_void_p), name_count=len(types))
        options = Options(ctypes.sizeof(Options), columns)
        self.library.call("binlog_reader_table", reader, ctypes.byref(wanted), ctypes.byref(options), ctypes.byref(made.stream))
        self.library.c.binlog_reader_close(reader)
        return made

    def rows(self, columns=0, types=(), token=None):
        return sum(batch.num_rows for batch in pa.RecordBatchReader.from_stream(self.table(columns, types, token)))

    def packed(self):
        """All records as packed frames of up to 1 MiB."""
        reader, cursor = self.reader(), ctypes.c_void_p()
        self.library.call("binlog_cursor_open", reader, None, ctypes.byref(cursor))
        buffer = ctypes.create_string_buffer(1 << 20)
        used, n, seen = ctypes.c_size_t(), ctypes.c_size_t(), 0
        read = self.library.c.binlog_cursor_read_packed
        while read(cursor, buffer, ctypes.c_size_t(len(buffer)), ctypes.byref(used), ctypes.byref(n), None) == 0:
            seen += n.value
        self.library.c.binlog_cursor_close(cursor)
        self.library.c.binlog_reader_close(reader)
        return seen

    def splits(self, target, hour=None):
        reader, plan, count = self.reader(), ctypes.c_void_p(), ctypes.c_size_t()
        wanted = Filter(struct_size=ctypes.sizeof(Filter))
        if hour is not None:
            wanted.times[0], wanted.times[1] = START + hour * HOUR, START + (hour + 1) * HOUR
        options = PlanOptions(ctypes.sizeof(PlanOptions), target)
        self.library.call("binlog_reader_plan", reader, ctypes.byref(wanted), ctypes.byref(options), ctypes.byref(plan))
        self.library.call("binlog_plan_count", plan, ctypes.byref(count))
        tokens = []
        for i in range(count.value):
            split = Split()
            self.library.call("binlog_plan_split", plan, ctypes.c_size_t(i), ctypes.byref(split))
            tokens.append(split.token)
        self.library.c.binlog_plan_close(plan)
        self.library.c.binlog_reader_close(reader)
        return tokens


def in_threads(log, tokens):
    seen = []
    threads = [threading.Thread(target=lambda token=token: seen.append(log.rows(token=token))) for token in tokens]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(seen)


def write_others(where, count):
    rows = list(records(count))
    columns = {
        "id": pa.array(range(1, count + 1), pa.uint64()),
        "time": pa.array([row[1] for row in rows], pa.timestamp("ns", "UTC")),
        "type_name": pa.array([TYPES[row[0]] for row in rows]).dictionary_encode(),
        "host": pa.array([row[2] for row in rows], pa.utf8()),
        "text": pa.array([row[3].decode() for row in rows], pa.utf8()),
    }
    parquet.write_table(pa.table(columns), where / "log.parquet", compression="zstd")
    with (where / "log.jsonl").open("w") as file:
        for at, (kind, when, host, payload) in enumerate(rows, 1):
            host = "" if host is None else ', "metadata": {"host": "%s"}' % host
            file.write('{"id": %d, "time": %d, "type_name": "%s"%s, "text": %s}\n' % (at, when, TYPES[kind], host, json.dumps(payload.decode())))
    database = sqlite3.connect(where / "log.sqlite")
    database.execute("create table log (id integer primary key, time integer, type_name text, host text, text text)")
    database.executemany("insert into log values (?, ?, ?, ?, ?)",
                         ((at, when, TYPES[kind], host, payload.decode()) for at, (kind, when, host, payload) in enumerate(rows, 1)))
    database.commit()
    database.close()
    try:
        from mcap.writer import CompressionType, Writer
    except ImportError:
        return
    with (where / "log.mcap").open("wb") as file:
        writer = Writer(file, compression=CompressionType.NONE)
        writer.start()
        channels = [writer.register_channel(topic=name, message_encoding="json", schema_id=0) for name in TYPES]
        for kind, when, _host, payload in rows[:max(1, count // 20)]:
            writer.add_message(channels[kind], log_time=when, data=payload, publish_time=when)
        writer.finish()


def mcap_rows(path):
    from mcap.reader import make_reader

    with path.open("rb") as file:
        return sum(len(message.data) > 0 for _schema, _channel, message in make_reader(file).iter_messages(log_time_order=False))


def asked_of(connection, sql, **given):
    """The first column's sum over a query's rows."""
    for name, value in given.items():
        connection.register(name, value)
    return connection.sql(sql).fetchall()


def works(library, where, count):
    """work -> contender -> (call, what it must return, rows it goes through)."""
    log = Log(library, where / "log")
    kept = str(where / "log.parquet"), str(where / "log.jsonl")
    lite = sqlite3.connect(where / "log.sqlite")
    duck = duckdb.connect()
    halves = log.splits(1 << 62)
    size = sum(file.stat().st_size for file in (where / "log").iterdir())
    halves = log.splits(-(-size * 51 // 100))
    scan = parquet.ParquetFile(kept[0])
    counts = sorted((TYPES[kind], sum(1 for i in range(count) if (3 if i % 10_000 == 9_999 else i % 3) == kind)) for kind in range(4))
    counts = [row for row in counts if row[1]]
    total = sum(json.loads(row[3])["total"] for row in records(count))
    rare = dict(counts).get("error", 0)
    by_type = "select type_name, count(*) from {} group by 1 order by 1"
    by_sum = "select sum(cast(json_extract_string(text, '$.total') as bigint)) from {}"
    by_rare = "select count(*) from {} where type_name = 'error' and length(text) > 0"
    parquet_of, lines_of = f"'{kept[0]}'", f"read_json('{kept[1]}', format = 'newline_delimited')"
    batches = lambda: sum(batch.num_rows for batch in scan.iter_batches(65_536))
    found = {
        "all columns": {
            "binlog, packed frames": (log.packed, count, count),
            "binlog, table": (log.rows, count, count),
            "Parquet, pyarrow": (batches, count, count),
        },
        "id, time, type": {"binlog, table": (lambda: log.rows(ID | TIME | TYPE), count, count)},
        "two splits": {
            "one thread": (lambda: sum(log.rows(token=token) for token in halves), count, count),
            "two threads": (lambda: in_threads(log, halves), count, count),
        },
        "DuckDB: count by type": {
            "binlog": (lambda: asked_of(duck, by_type.format("log"), log=log.table(TYPE_NAME)), counts, count),
            "Parquet": (lambda: asked_of(duck, by_type.format(parquet_of)), counts, count),
            "JSON lines": (lambda: asked_of(duck, by_type.format(lines_of)), counts, count),
            "SQLite itself": (lambda: lite.execute(by_type.format("log")).fetchall(), counts, count),
        },
        "DuckDB: sum of a JSON field": {
            "binlog": (lambda: asked_of(duck, by_sum.format("log"), log=log.table(TEXT)), [(total,)], count),
            "Parquet": (lambda: asked_of(duck, by_sum.format(parquet_of)), [(total,)], count),
            "JSON lines": (lambda: asked_of(duck, by_sum.format(lines_of)), [(total,)], count),
            "SQLite itself": (lambda: lite.execute("select sum(json_extract(text, '$.total')) from log").fetchall(), [(total,)], count),
        },
        "DuckDB: one rare type": {
            "binlog": (lambda: asked_of(duck, by_rare.format("log"), log=log.table(TYPE_NAME | TEXT, ["error"])), [(rare,)], count),
            "Parquet": (lambda: asked_of(duck, by_rare.format(parquet_of)), [(rare,)], count),
            "JSON lines": (lambda: asked_of(duck, by_rare.format(lines_of)), [(rare,)], count),
            "SQLite itself": (lambda: lite.execute(by_rare.format("log")).fetchall(), [(rare,)], count),
        },
    }
    if (where / "log.mcap").exists():
        found["all columns"]["MCAP in Python"] = (lambda: mcap_rows(where / "log.mcap"), max(1, count // 20), max(1, count // 20))
    hours = Log(library, where / "hours")
    segments = sum(1 for name in os.listdir(where / "hours") if name.endswith(".binlog"))
    found[f"plan of one hour in {segments:,} segments"] = {
        "in the middle": (lambda: len(hours.splits(0, segments // 2)), 1, None),
        "the newest": (lambda: len(hours.splits(0, segments - 3)), 1, None),
    }
    return found


def report(found, times, count, rounds, sizes):
    lines = [f"# Tables\n\n{count:,} JSON records of 79 bytes, 4 types, metadata on each fourth; medians of {rounds} rounds, all contenders in turn.",
             f"DuckDB {duckdb.__version__}, pyarrow {pa.__version__}, {os.cpu_count()} processors.\n",
             "| work | contender | ms | least and most | M rows/s | x binlog's time |", "|---|---|--:|--:|--:|--:|"]
    for work, contenders in found.items():
        ours = next((statistics.median(times[work, name]) for name in ("binlog", "binlog, table", "one thread") if name in contenders), None)
        for name, (_, _, rows) in contenders.items():
            took = times[work, name]
            middle = statistics.median(took)
            speed = f"{rows / middle / 1e6:.1f}" if rows else ""
            ratio = f"{middle / rows * count / ours:.2f}" if ours and rows else ""
            lines.append(f"| {work} | {name} | {middle * 1e3:.4g} | {min(took) * 1e3:.4g} to {max(took) * 1e3:.4g} | {speed} | {ratio} |")
    lines.append("\n| bytes on disk | |\n|---|--:|")
    lines += [f"| {name} | {size:,} |" for name, size in sizes.items()]
    return "\n".join(lines) + "\n"


def main():
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--records", type=int, default=5_000_000)
    asked.add_argument("--rounds", type=int, default=5)
    asked.add_argument("--segments", type=int, default=10_000)
    asked.add_argument("--dir")
    asked.add_argument("--markdown")
    asked.add_argument("--quick", action="store_true", help="a smoke run of a few seconds")
    asked.add_argument("library", nargs="?", default=str(ROOT / "target/release/libbinlog.so"))
    given = asked.parse_args()
    if given.quick:
        given.records, given.rounds, given.segments = 20_000, 1, 50
    library = Library(given.library)
    with tempfile.TemporaryDirectory(dir=given.dir) as scratch:
        where = Path(scratch)
        write(library, where / "log", given.records)
        write_hours(library, where / "hours", given.segments)
        write_others(where, given.records)
        found = works(library, where, given.records)
        times = measure(found, given.rounds)
        sizes = {"binlog": sum(file.stat().st_size for file in (where / "log").iterdir())}
        sizes.update((name, (where / name).stat().st_size) for name in ("log.parquet", "log.jsonl", "log.sqlite"))
        text = report(found, times, given.records, given.rounds, sizes)
    if given.markdown:
        Path(given.markdown).write_text(text)
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
