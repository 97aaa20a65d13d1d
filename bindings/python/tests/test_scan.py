"""Random queries of a scan see what a query of all rows sees."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from functools import reduce
from operator import and_, or_
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

import libbinlog as binlog

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
COUNT = 300


@pytest.fixture(scope="module")
def mixed() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as scratch:
        where = Path(scratch) / "log"
        with binlog.Writer(where, roll={"records": 70}) as writer:
            for number in range(1, COUNT + 1):
                kinds: tuple[str | int, ...] = ("a", "a.b", "*", 7)
                pairs = {"host": "xyz"[number % 3]} if number % 5 else None
                # Times run back now and then, and are not whole microseconds.
                writer.append(b"%d" % number, kinds[number % 4], pairs, (number - 20 * (number % 7 == 0)) * 1_000_000_001)
                if number % 25 == 0:
                    writer.flush()
        yield where


def compare(column: str, values: some.SearchStrategy[Any]) -> some.SearchStrategy[pl.Expr]:
    def made(operator: str, value: Any, mirrored: bool) -> pl.Expr:
        left, right = pl.col(column), pl.lit(value)
        if mirrored:
            left, right = right, left
        return {"==": left == right, "!=": left != right, "<": left < right, "<=": left <= right,
                ">": left > right, ">=": left >= right}[operator]

    return some.builds(made, some.sampled_from(["==", "!=", "<", "<=", ">", ">="]), values, some.booleans())


moments = some.integers(-5, COUNT + 5).map(lambda at: EPOCH + timedelta(seconds=at, microseconds=at % 3))
comparisons = some.one_of(
    compare("id", some.integers(0, COUNT + 5)),
    compare("time", moments),
    compare("type", some.sampled_from([7, 0, 2**30, 2**30 + 1])),
    compare("type_name", some.sampled_from(["a", "a.b", "*", "none", ""])),
    compare("metadata.host", some.sampled_from(["x", "z", "none"])),
    compare("length", some.integers(0, 4)),
    compare("text", some.sampled_from(["1", "22", ""])),
    some.just(pl.col("type_name").is_null()),
    some.lists(some.integers(0, COUNT), min_size=1, max_size=4).map(lambda ids: pl.col("id").is_in(ids)),
    some.tuples(some.integers(0, COUNT), some.integers(0, COUNT)).map(lambda ends: pl.col("id").is_between(*ends)),
)
predicates = some.recursive(
    comparisons,
    lambda inner: some.one_of(
        some.lists(inner, min_size=2, max_size=3).map(lambda parts: reduce(and_, parts)),
        some.lists(inner, min_size=2, max_size=3).map(lambda parts: reduce(or_, parts)),
        inner.map(lambda part: ~part),
    ),
    max_leaves=5,
)


@settings(max_examples=200, deadline=None)
@given(
    predicate=predicates,
    columns=some.lists(some.sampled_from([*binlog.COLUMNS, "metadata.host"]), min_size=1, max_size=3, unique=True),
    most=some.one_of(some.none(), some.integers(0, 20)),
)
def test_a_scan_sees_what_a_query_of_all_rows_sees(mixed: Path, predicate: pl.Expr, columns: list[str], most: int | None) -> None:
    whole = pl.DataFrame(binlog.open(mixed).table(metadata=["host"])).filter(predicate).select(columns)
    query = binlog.scan(mixed, metadata=["host"]).filter(predicate).select(columns)
    if most is not None:
        whole, query = whole.head(most), query.head(most)
    assert query.collect().equals(whole)


@pytest.mark.parametrize("condition", [
    pl.col("id") == 150, pl.col("time") >= EPOCH + timedelta(seconds=290), pl.col("type_name") == "none",
    pl.col("metadata.host") == "none",
])
def test_conditions_reach_the_log(mixed: Path, condition: pl.Expr) -> None:
    asked: list[dict[str, Any] | None] = []
    rows = binlog.scan(mixed, metadata=["host"], on_selection=asked.append).filter(condition).collect()
    assert asked and asked[-1], "the log is asked for everything"
    selected = binlog.open(mixed).table(metadata=["host"], **asked[-1]).to_arrow().num_rows
    assert rows.height <= selected < COUNT


def test_the_streaming_engine_reads_a_scan(mixed: Path) -> None:
    query = binlog.scan(mixed).filter(pl.col("id") > 100).group_by("type").agg(pl.len()).sort("type")
    assert query.collect(engine="streaming").equals(query.collect())


def test_a_scan_sees_what_was_appended_after_it_was_made(tmp_path: Path) -> None:
    with binlog.Writer(tmp_path / "log") as writer:
        writer.append(b"1")
        writer.flush()
        scanned = binlog.scan(tmp_path / "log")
        assert scanned.collect().height == 1
        writer.append(b"2", type="new")
        writer.flush()
        assert scanned.collect().height == 2 and scanned.filter(pl.col("type_name") == "new").collect().height == 1
