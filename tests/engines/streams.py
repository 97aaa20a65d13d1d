#!/usr/bin/env python3
"""Hands tables of the built library to pyarrow, nanoarrow, DuckDB, Polars and DataFusion, and compares what they show with
`binlog cat`. tests/engines/run.sh runs it in an environment that has them.

    streams.py [LIBBINLOG_SO [BINLOG]]      default: target/release/libbinlog.so and target/release/binlog
"""

import ctypes
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
KEYS = ["host", "none"]
RECORDS = 20_000


class Record(ctypes.Structure):
    _fields_ = [("id", ctypes.c_uint64), ("time_ns", ctypes.c_int64), ("data", ctypes.c_char_p), ("len", ctypes.c_size_t),
                ("metadata", ctypes.c_char_p), ("metadata_len", ctypes.c_size_t), ("type", ctypes.c_uint32),
                ("flags", ctypes.c_uint32), ("reserved", ctypes.c_uint64 * 2)]


class Filter(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_size_t), ("flags", ctypes.c_uint32), ("reserved32", ctypes.c_uint32),
                ("from_id", ctypes.c_uint64), ("to_id", ctypes.c_uint64), ("rest", ctypes.c_uint64 * 14)]


class Options(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_size_t), ("columns", ctypes.c_uint32), ("flags", ctypes.c_uint32),
                ("metadata", ctypes.POINTER(ctypes.c_char_p)), ("metadata_count", ctypes.c_size_t),
                ("batch_rows", ctypes.c_size_t), ("batch_bytes", ctypes.c_size_t), ("reserved", ctypes.c_uint64 * 4)]


class Stream(ctypes.Structure):
    _fields_ = [("get_schema", ctypes.c_void_p), ("get_next", ctypes.c_void_p), ("get_last_error", ctypes.c_void_p),
                ("release", ctypes.c_void_p), ("private_data", ctypes.c_void_p)]


class Library:
    def __init__(self, path):
        self.c = ctypes.CDLL(str(path))
        self.c.binlog_error_message.restype = ctypes.c_char_p

    def call(self, name, *arguments):
        err = ctypes.c_void_p()
        status = getattr(self.c, name)(*arguments, ctypes.byref(err))
        assert status == 0, (name, status, self.c.binlog_error_message(err))

    def write(self, path, records):
        writer = ctypes.c_void_p()
        self.call("binlog_writer_open", os.fsencode(path), None, ctypes.byref(writer))
        names = {}
        for i, (type_name, number, time, metadata, payload) in enumerate(records):
            if type_name and type_name not in names:
                names[type_name] = ctypes.c_uint32()
                self.call("binlog_writer_type", writer, type_name.encode(), b"text/plain", ctypes.byref(names[type_name]))
            pairs = b"".join(bytes([len(text)]) + text for pair in metadata for text in map(str.encode, pair))
            record = Record(0, time, payload, len(payload), pairs, len(pairs),
                            names[type_name].value if type_name else number, 1)
            self.call("binlog_writer_append_record", writer, ctypes.byref(record), None)
            if i == len(records) // 2:
                self.call("binlog_writer_roll", writer)
        self.call("binlog_writer_close", writer)

    def table(self, path, **given):
        return Table(self, path, **given)


class Table:
    """An object with __arrow_c_stream__, which may be imported once."""

    kept = []  # a consumer may leave the struct where it is

    def __init__(self, library, path, columns=0, plain=False, keys=KEYS, batch_rows=1000, events=False):
        reader = ctypes.c_void_p()
        self.stream = Stream()
        Table.kept.append(self.stream)
        library.call("binlog_reader_open", os.fsencode(path), None, ctypes.byref(reader))
        keys = (ctypes.c_char_p * len(keys))(*map(str.encode, keys))
        options = Options(ctypes.sizeof(Options), columns, int(plain), keys, len(keys), batch_rows, 0)
        wanted = Filter(ctypes.sizeof(Filter), 2 if events else 0)
        library.call("binlog_reader_table", reader, ctypes.byref(wanted), ctypes.byref(options), ctypes.byref(self.stream))
        library.c.binlog_reader_close(reader)

    def __arrow_c_stream__(self, requested_schema=None):
        new = ctypes.pythonapi.PyCapsule_New
        new.restype, new.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
        return new(ctypes.addressof(self.stream), b"arrow_array_stream", None)


def sample():
    """Records with names and numbers, pairs with keys that occur twice and empty values, and payloads that are no text."""
    payloads = [b"", b"\xff\xfe", "grün €".encode(), b'{"n": 1}', b"a\xc3", b"\xa4b", b"x" * 300]
    pairs = [[], [], [], [("host", "a"), ("user", "ü")], [("host", "")], [("host", "b"), ("host", "c")]]
    times = [1_700_000_000_000_000_000, 0, -1]
    for i in range(RECORDS):
        name = ["order.placed", "order.paid", None, "login"][i % 4 if i > 10 else 2]
        payload = payloads[i % 7] if i % 7 != 3 else b'{"n": %d}' % i
        yield name, i % 5, times[i % 3] + i * 1000, pairs[i % 6], payload


def of_cat(binlog, path, *options):
    lines = subprocess.run([binlog, "cat", "--format", "json", *options, path], check=True, capture_output=True).stdout
    return [json.loads(line) for line in lines.splitlines()]


def check_pyarrow(library, path, records, cat):
    import pyarrow as pa

    read = lambda **given: pa.RecordBatchReader.from_stream(library.table(path, **given))
    table = read().read_all()
    table.validate(full=True)
    assert table.schema.names == ["id", "time", "type", "type_name", "metadata", "length", "payload", "text",
                                  "metadata.host", "metadata.none"]
    kinds = [pa.uint64(), pa.timestamp("ns", "UTC"), pa.uint32(), pa.dictionary(pa.int32(), pa.utf8()),
             pa.map_(pa.utf8(), pa.utf8()), pa.uint64(), pa.binary(), pa.utf8(), pa.utf8(), pa.utf8()]
    assert table.schema.types == kinds, table.schema
    columns = {name: table[name].to_pylist() for name in table.schema.names if name != "time"}
    assert columns["id"] == list(range(1, RECORDS + 1)) == [line["id"] for line in cat]
    assert columns["type"] == [line["type"] for line in cat]
    assert columns["type_name"] == [record[0] for record in records]
    assert table["time"].cast(pa.int64()).to_pylist() == [record[2] for record in records]
    assert columns["metadata"] == [record[3] for record in records]
    assert columns["payload"] == [record[4] for record in records]
    assert columns["length"] == [len(record[4]) for record in records]
    assert columns["text"] == [line.get("text") for line in cat]
    assert columns["metadata.host"] == [next((v for k, v in record[3] if k == "host"), None) for record in records]
    assert columns["metadata.none"] == [None] * RECORDS
    assert sum(text is None for text in columns["text"]) == sum("base64" in line for line in cat) > 0

    plain = read(plain=True).read_all()
    plain.validate(full=True)
    assert plain.schema.types == [pa.int64(), pa.timestamp("us", "UTC"), pa.int64(), pa.utf8(),
                                  pa.map_(pa.utf8(), pa.utf8()), pa.int64(), pa.binary(), pa.utf8(), pa.utf8(), pa.utf8()]
    assert plain["type_name"].to_pylist() == columns["type_name"]
    assert plain["time"].cast(pa.int64()).to_pylist() == [record[2] // 1000 for record in records]
    assert all(len(dict(pairs)) == len(pairs) for pairs in plain["metadata"].to_pylist())

    few = read(columns=1 | 2 | 4, keys=[]).read_all()
    few.validate(full=True)
    assert few.schema.names == ["id", "time", "type"] and few.num_rows == RECORDS
    events = read(events=True).read_all()
    events.validate(full=True)
    assert events.num_rows > RECORDS and sum(n >= 1 << 31 for n in events["type"].to_pylist()) == events.num_rows - RECORDS


def check_nanoarrow(library, path, records):
    import nanoarrow as na
    from nanoarrow import c_array_stream

    rows = 0
    for batch in c_array_stream(library.table(path)):
        view = batch.view()
        rows += batch.length
        assert view.n_children == 10
    assert rows == RECORDS
    payloads = [bytes(value) for value in na.ArrayStream(library.table(path, columns=64, keys=[])).read_all().iter_py()
                for value in [value["payload"]]]
    assert payloads == [record[4] for record in records]


def check_duckdb(library, path, records):
    import duckdb

    log = library.table(path)
    counts = duckdb.sql("select type_name, count(*) as n from log group by 1").fetchall()
    expected = {}
    for record in records:
        expected[record[0]] = expected.get(record[0], 0) + 1
    assert dict(counts) == expected
    log = library.table(path)
    got = duckdb.sql("select sum(length), count(text), count(\"metadata.host\"), max(id) from log").fetchall()[0]
    assert got[0] == sum(len(record[4]) for record in records) and got[3] == RECORDS
    log = library.table(path, plain=True)
    got = duckdb.sql("select count(*) from log where metadata['host'] = 'a'").fetchall()[0]
    assert got[0] == sum(("host", "a") in record[3] for record in records)


def check_polars(library, path, records):
    import polars

    frame = polars.DataFrame(library.table(path))
    assert frame.height == RECORDS and frame["payload"].to_list() == [record[4] for record in records]
    assert frame["type_name"].cast(polars.String).to_list() == [record[0] for record in records]
    assert frame["time"].cast(polars.Int64).to_list() == [record[2] for record in records]


def check_datafusion(library, path, records):
    import datafusion
    import pyarrow as pa

    context = datafusion.SessionContext()
    batches = pa.RecordBatchReader.from_stream(library.table(path)).read_all().to_batches()
    context.register_record_batches("log", [batches])
    (counted,) = context.sql("select count(*) as n, count(text) as texts, max(id) as last from log").to_pylist()
    assert counted["n"] == counted["last"] == RECORDS
    frame = context.from_arrow(library.table(path, plain=True))
    assert frame.count() == RECORDS


def check_damage(library, home):
    """The rows before the damage, and then the error with file and offset."""
    import pyarrow as pa

    path = home / "damaged"
    library.write(path, [(None, 1, i, [], b"record %06d" % i) for i in range(30_000)])
    file = max(path.glob("*.binlog"))
    contents = bytearray(file.read_bytes())
    contents[contents.index(b"record 025000")] ^= 1
    file.write_bytes(contents)
    reader = pa.RecordBatchReader.from_stream(library.table(path, keys=[]))
    rows = 0
    try:
        while True:
            batch = reader.read_next_batch()
            batch.validate(full=True)
            assert batch["id"].to_pylist() == list(range(rows + 1, rows + 1 + batch.num_rows))
            rows += batch.num_rows
    except OSError as error:
        assert str(file) in str(error) and "offset" in str(error), error
    assert 15_000 < rows <= 25_000, rows


def main():
    library = Library(sys.argv[1] if len(sys.argv) > 1 else ROOT / "target/release/libbinlog.so")
    binlog = sys.argv[2] if len(sys.argv) > 2 else ROOT / "target/release/binlog"
    with tempfile.TemporaryDirectory() as home:
        home = Path(home)
        path, records = home / "log", list(sample())
        library.write(path, records)
        checks = {
            "pyarrow": lambda: check_pyarrow(library, path, records, of_cat(binlog, path)),
            "nanoarrow": lambda: check_nanoarrow(library, path, records),
            "duckdb": lambda: check_duckdb(library, path, records),
            "polars": lambda: check_polars(library, path, records),
            "datafusion": lambda: check_datafusion(library, path, records),
            "damage": lambda: check_damage(library, home),
        }
        for name, check in checks.items():
            check()
            print(f"ok    {name}")


if __name__ == "__main__":
    main()
