"""Engines read a log as a table, and see what the records are."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

import libbinlog as binlog

duckdb: Any = pytest.importorskip("duckdb")


def test_pyarrow_finds_the_columns_valid(log: Path) -> None:
    table = binlog.open(log).table(metadata=["host"])
    made = table.to_arrow()
    made.validate(full=True)
    assert made.column_names == [*binlog.COLUMNS, "metadata.host"] and made.num_rows == 1000
    records = list(binlog.open(log))
    assert made["id"].to_pylist() == [record.id for record in records]
    assert made["payload"].to_pylist() == [record.payload for record in records]
    assert made["type_name"].to_pylist() == [record.type_name for record in records]
    assert made["metadata.host"].to_pylist() == [record.metadata.get("host") for record in records]
    assert [dict(pairs) for pairs in made["metadata"].to_pylist()] == [record.metadata for record in records]
    assert made["time"].cast(pa.int64()).to_pylist() == [record.time_ns for record in records]
    assert pa.schema(table) == made.schema
    assert made == table.to_arrow(), "a table may be read again"


def test_a_table_has_the_columns_and_rows_that_were_asked_for(log: Path) -> None:
    opened = binlog.open(log)
    made = opened.table(columns=["id", "metadata.host"], type="order.*", to_id=5).to_arrow()
    assert made.to_pydict() == {"id": [1, 3, 5], "metadata.host": ["a", "b", None]}
    assert opened.table(columns=["id"], last=2, reverse=True).to_arrow()["id"].to_pylist() == [1000, 999]
    assert opened.table(columns=["time"], plain=True).to_arrow().schema.field("time").type == pa.timestamp("us", "UTC")
    batches = opened.table(batch_rows=64).to_arrow_reader()
    assert max(batch.num_rows for batch in batches) <= 64
    for wrong in (["nothing"], [], "nothing", ["value"]):
        with pytest.raises(binlog.InvalidError):
            opened.table(columns=wrong)


def test_columns_come_in_the_order_of_the_library(log: Path) -> None:
    opened = binlog.open(log)

    def names(**asked: Any) -> list[str]:
        table = opened.table(**asked)
        made: list[str] = table.to_arrow().column_names
        assert pa.schema(table).names == made
        return made

    assert names(columns=["text", "metadata.host", "id", "time", "id"]) == ["id", "time", "text", "metadata.host"]
    assert names(columns=reversed(binlog.COLUMNS)) == list(binlog.COLUMNS)
    # Keys in the order in which they are given: those of metadata, then those of columns.
    assert names(columns=["metadata.c", "id", "metadata.a"], metadata=["b", "a", "b"]) == ["id", "metadata.b", "metadata.a", "metadata.c"]
    # A table of keys alone has the id too.
    assert names(columns=["metadata.host"]) == ["id", "metadata.host"]
    assert names(columns=["value", "text", "id"], decode="order.placed") == ["id", "text", "value"]
    assert names(columns=["id"], decode="order.placed", metadata="host") == ["id", "metadata.host", "value"]
    assert names(columns="value", decode="order.placed") == ["value"]
    assert names(decode="order.placed") == [*binlog.COLUMNS, "value"]
    assert names(columns=["value", "metadata.host"], decode="order.placed", to_id=0, from_id=0) == ["metadata.host", "value"]


def test_one_name_is_one_name_and_not_its_letters(log: Path) -> None:
    opened = binlog.open(log)
    assert opened.table(columns="id", type="order.placed", last=1).to_arrow().to_pydict() == {"id": [999]}
    assert opened.table(columns="id", metadata="host").to_arrow().column_names == ["id", "metadata.host"]
    assert opened.table(columns="metadata.host", to_id=1).to_arrow()["metadata.host"].to_pylist() == ["a"]
    assert binlog.scan(log, metadata="host").collect_schema().names() == [*binlog.COLUMNS, "metadata.host"]


def test_a_table_keeps_its_conditions_for_each_engine_that_takes_it(log: Path) -> None:
    asked: Any = {"type": iter(["order.placed", 7]), "where": iter([("host", "b")]), "columns": iter(["id"]), "metadata": iter(["host"])}
    table = binlog.open(log).table(**asked, to_id=6)
    assert [table.to_arrow().to_pydict() for _ in range(2)] == [{"id": [3, 6], "metadata.host": ["b", "b"]}] * 2


def test_duckdb_queries_a_table(log: Path) -> None:
    t = binlog.open(log).table()  # noqa: F841 - found by its name
    assert duckdb.sql("select type_name, count(*) from t group by 1 order by 1").fetchall() == [("order.placed", 500), (None, 500)]
    assert duckdb.sql("select sum((text::json->>'n')::int) from t where type_name = 'order.placed'").fetchall() == [(250_000,)]


def test_polars_pandas_and_datafusion_read_a_table(log: Path) -> None:
    table = binlog.open(log).table(columns=["id", "type_name", "text"])
    frame = table.to_polars()
    assert frame.height == 1000 and frame["id"].sum() == 500_500
    assert table.to_pandas()["id"].sum() == 500_500
    datafusion = pytest.importorskip("datafusion")
    context = datafusion.SessionContext()
    made = context.from_arrow(table, name="t")
    assert made.count() == 1000
    assert context.sql("select sum(id) s from t").to_pydict() == {"s": [500_500]}


def test_values_of_a_type_are_a_column(log: Path) -> None:
    table = binlog.open(log).table(columns=["id", "value"], decode="order.placed")
    made = table.to_arrow()
    made.validate(full=True)
    assert made["value"].to_pylist()[:2] == [{"n": 1, "half": 0.5}, {"n": 3, "half": 1.5}]
    assert made.num_rows == 500 and made.column_names == ["id", "value"]
    assert duckdb.sql("select sum(value.n) from made").fetchall() == [(250_000,)]
    with pytest.raises(KeyError, match="the log has no type 'nothing'"):
        binlog.open(log).table(decode="nothing").to_arrow()
    with pytest.raises(binlog.InvalidError, match="leave type out"):
        binlog.open(log).table(decode="order.placed", type="order.placed")


def test_a_type_that_cannot_be_decoded_is_named(tmp_path: Path) -> None:
    with binlog.Writer(tmp_path / "log") as writer:
        writer.append(b"x", "plain")
        writer.append(b"x", writer.type("morse", encoding="morse"))
        writer.append(b"x", writer.type("bare", encoding="avro"))
    log = binlog.open(tmp_path / "log")
    for name, reason in (
        ("plain", 'the type "plain" has no encoding'), ("morse", 'payloads of the encoding "morse" cannot be decoded'),
        ("bare", 'the type "bare" has no schema, which avro needs'),
    ):
        with pytest.raises(binlog.DecodeError) as caught:
            log.table(decode=name).to_arrow()
        assert str(caught.value) == f"{tmp_path / 'log'}: payloads of {name!r} have no values: {reason}"
    with pytest.raises(binlog.DecodeError, match="^the type has no encoding$"):
        binlog.Decoder("")


def test_each_record_is_decoded_by_the_type_that_it_has(tmp_path: Path) -> None:
    def schema(of: str) -> bytes:
        return json.dumps({"type": "record", "name": "t", "fields": [{"name": "n", "type": of}]}).encode()

    with binlog.Writer(tmp_path / "log") as writer:
        writer.append(b"none", "t")
        writer.append(b"\x04", writer.type("t", encoding="avro", schema=schema("int")))
        writer.append(b'{"n": 5}', writer.type("t", encoding="json"))
    log = binlog.open(tmp_path / "log")
    assert log.table(decode="t", columns=["id"]).to_arrow().to_pydict() == {"id": [1, 2, 3], "value": [None, {"n": 2}, {"n": 5}]}


def test_values_that_do_not_fit_are_null(tmp_path: Path) -> None:
    with binlog.Writer(tmp_path / "log") as writer:
        writer.type("t", encoding="json")
        for payload in (b'{"a": 1}', b"{", b'{"a": "x"}', b'{"b": 1}'):
            writer.append(payload, "t")
    made = binlog.open(tmp_path / "log").table(decode="t", batch_rows=1).to_arrow()
    assert made["value"].to_pylist() == [{"a": 1}, None, None, {"a": None}]


def test_damage_comes_out_of_the_stream_after_what_is_before_it(log: Path) -> None:
    second = sorted(log.glob("*.binlog"))[1]
    data = bytearray(second.read_bytes())
    data[len(data) // 2] ^= 0xFF
    second.write_bytes(data)
    batches = binlog.open(log).table().to_arrow_reader()
    rows = 0
    with pytest.raises(OSError, match=second.name) as caught:
        for batch in batches:
            rows += batch.num_rows
    with pytest.raises(binlog.CorruptError) as same:
        list(binlog.open(log))
    # The engine's error has the line of the library's: file, offset and reason.
    assert str(same.value) in str(caught.value) and str(same.value.offset) in str(same.value)
    assert rows >= 300
    losses: list[binlog.Loss] = []
    saved = binlog.open(log, mode="salvage", on_loss=losses.append).table().to_arrow()
    assert losses and saved.num_rows == 1000 - sum(loss.records for loss in losses)


def test_avro_is_decoded_as_fastavro_does(tmp_path: Path) -> None:
    import io

    import fastavro

    described = {"type": "record", "name": "shop.order", "fields": [
        {"name": "n", "type": "long"}, {"name": "price", "type": "double"}, {"name": "name", "type": "string"},
        {"name": "tags", "type": {"type": "array", "items": "string"}}, {"name": "note", "type": ["null", "string"]},
    ]}
    schema = fastavro.parse_schema(described)
    orders = [{"n": n, "price": n / 4, "name": f"№{n}", "tags": ["a"] * (n % 3), "note": None if n % 2 else "x"} for n in range(200)]
    with binlog.Writer(tmp_path / "log") as writer:
        writer.type("order", encoding="avro", schema=json.dumps(described).encode(), message="shop.order")
        for order in orders:
            encoded = io.BytesIO()
            fastavro.schemaless_writer(encoded, schema, order)
            writer.append(encoded.getvalue(), "order")
    log = binlog.open(tmp_path / "log")
    info = log.schema("order")
    assert info.schema is not None and info.encoding == "avro"
    read = fastavro.parse_schema(json.loads(info.schema))
    for record in log:
        assert record.value == fastavro.schemaless_reader(io.BytesIO(record.payload), read, None)
    table = log.table(decode="order", columns=["id", "value"], batch_rows=64).to_arrow()
    table.validate(full=True)
    assert table["value"].to_pylist() == orders


def test_large_records_make_batches_of_their_own(tmp_path: Path) -> None:
    with binlog.Writer(tmp_path / "log") as writer:
        for fill in (b"a", b"b", b"c"):
            writer.append(fill * (40 << 20))
    log = binlog.open(tmp_path / "log")
    batches = list(log.table(columns=["id", "payload"]).to_arrow_reader())
    assert [batch.num_rows for batch in batches] == [1, 1, 1]
    assert [batch["payload"][0].as_buffer()[:1].to_pybytes() for batch in batches] == [b"a", b"b", b"c"]
    [whole] = list(log.table(columns=["length", "payload"], batch_bytes=1 << 40).to_arrow_reader())
    whole.validate(full=True)
    assert whole["length"].to_pylist() == [40 << 20] * 3
    assert log.table(columns=["id"]).to_arrow()["id"].to_pylist() == [1, 2, 3]


def test_records_of_more_than_two_gib_together_come_in_several_batches(tmp_path: Path) -> None:
    megabyte = bytes(1 << 20)
    count = 2100
    with binlog.Writer(tmp_path / "log", codec="lz4") as writer:
        for _ in range(count // 10):
            writer.append_batch([megabyte] * 10)
    reader = binlog.open(tmp_path / "log").table(columns=["payload"], batch_bytes=1 << 40).to_arrow_reader()
    rows = []
    for batch in reader:
        # Offsets of 32 bits.
        assert batch.nbytes < (1 << 31) + (1 << 20)
        rows.append(batch.num_rows)
        del batch
    assert sum(rows) == count and len(rows) == 2


def test_a_table_is_read_by_threads_at_once(log: Path) -> None:
    table = binlog.open(log).table()
    whole = table.to_arrow()
    with ThreadPoolExecutor(4) as pool:
        assert all(made == whole for made in pool.map(lambda _: table.to_arrow(), range(16)))
    # One stream goes to another thread, and outlives its log.
    opened = binlog.open(log)
    reader = opened.table().to_arrow_reader()
    opened.close()
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(reader.read_all).result() == whole


def test_an_empty_log_is_an_empty_table(tmp_path: Path) -> None:
    binlog.Writer(tmp_path / "log").close()
    table = binlog.open(tmp_path / "log").table()
    assert table.to_arrow().num_rows == 0 and table.to_arrow().column_names == list(binlog.COLUMNS)
    assert table.to_polars().height == 0
    empty = table  # noqa: F841 - found by its name
    assert duckdb.sql("select count(*) from empty").fetchall() == [(0,)]
    assert binlog.scan(tmp_path / "log").filter(pl.col("id") > 5).collect().height == 0


def test_a_stream_that_nobody_reads_is_released(log: Path) -> None:
    table = binlog.open(log).table()
    for _ in range(100):
        table.__arrow_c_stream__()
        table.__arrow_c_schema__()
    opened = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(100):
        table.__arrow_c_stream__()
    assert len(list(Path("/proc/self/fd").iterdir())) <= opened


@pytest.mark.parametrize("condition, asked", [
    (pl.col("id") > 10, {"from_id": 11}),
    ((pl.col("id") >= 10) & (pl.col("id") < 20), {"from_id": 10, "to_id": 19}),
    (pl.col("id") == 10, {"from_id": 10, "to_id": 10}),
    (pl.lit(10) < pl.col("id"), {"from_id": 11}),
    (pl.col("type") == 7, {"type": [7]}),
    (pl.col("type_name") == "order.placed", {"type": ["order.placed"]}),
    (pl.col("metadata.host") == "b", {"where": {"host": "b"}}),
    (pl.col("time") < datetime(1970, 1, 1, 0, 0, 10, tzinfo=timezone.utc), {"until": 10_000_000_000}),
    ((pl.col("id") > 10) | (pl.col("type") == 7), {}),
    (~(pl.col("text") == ""), {}),
    (pl.col("text").str.contains("9"), {}),
    ((pl.col("id") > 990) & pl.col("text").str.contains("9"), {"from_id": 991}),
    ((pl.col("metadata.host") == "b") & (pl.col("metadata.host") == "a"), None),
    ((pl.col("id") > 10) & (pl.col("id") < 5), None),
])
def test_a_scan_asks_for_what_its_conditions_allow(log: Path, condition: pl.Expr, asked: dict[str, object] | None) -> None:
    found: list[dict[str, object] | None] = []
    scanned = binlog.scan(log, metadata=["host"], on_selection=found.append).filter(condition).select("id", "text").collect()
    whole = pl.DataFrame(binlog.open(log).table(metadata=["host"])).filter(condition).select("id", "text")
    assert scanned.equals(whole)
    got = found[-1]
    if asked is not None:
        assert got is not None
        got = {key: value for key, value in got.items() if value is not None}
    assert got == asked


def test_a_scan_reads_only_what_it_needs(log: Path) -> None:
    scanned = binlog.scan(log)
    assert scanned.head(3).collect()["id"].to_list() == [1, 2, 3]
    assert scanned.select(pl.len()).collect().item() == 1000
    assert scanned.group_by("type").agg(pl.col("length").sum()).collect().height == 2
    assert scanned.collect_schema().names() == list(binlog.COLUMNS)


def test_splits_together_are_the_log(log: Path) -> None:
    opened = binlog.open(log)
    splits = opened.splits(target="4KiB", type="order.*")
    tables = [split.table(columns=["id"], type="order.*").to_arrow() for split in splits]
    assert pa.concat_tables(tables)["id"].to_pylist() == list(range(1, 1001, 2))
    again = binlog.Split(splits[0].token)
    assert [record.id for record in again.records_of(type="order.*")] == tables[0]["id"].to_pylist()
    assert splits[0].location == str(log) and len(opened.splits(target=1, most=2)) <= 4
    with pytest.raises(binlog.InvalidError):
        binlog.Split("nonsense").open()
    with pytest.raises(ValueError):
        opened.splits(target="much")


def test_a_decoded_column_has_no_value_that_the_payload_has_not(tmp_path: Path) -> None:
    payloads = [b'{"a": 1}', b'{"a": 2.75}', b'{"a": "s"}', b"[1]", b"true", b'{"a": {"x": 1}}', b'{"a": 18446744073709551616}',
                b'{"a": "\\ud800"}', b'{"a": 2, "b": 3}']
    with binlog.Writer(tmp_path / "log") as writer:
        writer.type("mixed", encoding="json")
        for payload in payloads:
            writer.append(payload, type="mixed")
    log = binlog.open(tmp_path / "log")
    for rows in (1, 100):
        values = log.table(decode="mixed", batch_rows=rows).to_arrow().column("value").to_pylist()
        fitting = {0: {"a": 1}, 8: {"a": 2}}
        for at, value in enumerate(values):
            shown = None if value is None else {key: one for key, one in value.items() if key == "a"}
            assert shown == fitting.get(at), (rows, at, value)
