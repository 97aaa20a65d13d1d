from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import libbinlog as binlog

# Free-threaded Python has few of the engines.
collect_ignore = [] if importlib.util.find_spec("pyarrow") and importlib.util.find_spec("polars") else [
    "test_scan.py", "test_tables.py",
]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log of 1,000 records in segments of 300: odd ids have the type order.placed and are JSON, even ones type 7."""
    where = tmp_path / "log"
    with binlog.Writer(where, name="orders", roll={"records": 300}) as writer:
        writer.type("order.placed", content_type="application/json", encoding="json")
        for number in range(1, 1001):
            payload = json.dumps({"n": number, "half": number / 2}).encode()
            kind: str | int = "order.placed" if number % 2 else 7
            pairs = {"host": "ab"[number % 3 == 0]} if number % 5 else None
            writer.append(payload, kind, pairs, number * 1_000_000_000)
    return where


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[binlog.Writer]:
    with binlog.Writer(tmp_path / "log") as opened:
        yield opened
