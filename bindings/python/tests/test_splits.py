"""Splits are read elsewhere and later, whatever becomes of the log meanwhile."""

from __future__ import annotations

import pickle
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

import libbinlog as binlog


def ids(split: binlog.Split, **selection: Any) -> list[int]:
    return [record.id for record in split.records_of(**selection)]


def test_a_split_can_be_pickled(log: Path) -> None:
    splits = binlog.open(log).splits(target=4096)
    again = pickle.loads(pickle.dumps(splits))
    assert again == splits and [ids(one) for one in again] == [ids(one) for one in splits]
    assert hash(again[0]) == hash(splits[0]) and repr(splits[0]).startswith("Split(token='")


def test_a_split_that_is_open_knows_where_its_log_is(log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    split = binlog.open("log").splits(target=4096)[0]
    opened = binlog.Split(split.token).open()
    assert opened.location == log and split.location == str(log)
    assert repr(opened) == f"<Log {str(log)!r}>" and repr(opened.table()).startswith(f"<Table of {str(log)!r}")
    assert binlog.open("log").location == Path("log")
    shutil.move(log, tmp_path / "moved")
    moved = split.open(location=tmp_path / "moved")
    assert moved.location == tmp_path / "moved"
    moved.close()
    assert moved.location == tmp_path / "moved"


def test_a_url_stays_one(log: Path) -> None:
    url = log.as_uri()
    opened = binlog.open(url)
    assert opened.location == url and len(list(binlog.open(opened.location))) == 1000
    [split, *_] = opened.splits()
    assert split.open().location == split.location and split.location.startswith("file:///")


def test_splits_survive_compressing(log: Path) -> None:
    splits = binlog.open(log).splits(target=4096)
    assert binlog.compress(log)
    assert sum((ids(split) for split in splits), []) == list(range(1, 1001))


def test_splits_survive_a_move_when_the_new_place_is_given(log: Path, tmp_path: Path) -> None:
    splits = binlog.open(log).splits(target=4096)
    shutil.move(log, tmp_path / "moved")
    with pytest.raises(binlog.NotFoundError):
        splits[0].open()
    found = [binlog.Split(split.token).open(location=tmp_path / "moved") for split in splits]
    assert [record.id for part in found for record in part] == list(range(1, 1001))


def test_removed_records_are_reported_once_and_the_others_are_read(log: Path) -> None:
    splits = binlog.open(log).splits(target=4096)
    sorted(log.glob("*.binlog"))[0].unlink()
    seen: list[int] = []
    missed: list[tuple[int, int]] = []
    for split in splits:
        try:
            records = split.records_of()
        except binlog.MissedError as error:
            assert error.missed is not None
            missed.append(error.missed)
            continue
        while True:
            try:
                seen.extend(record.id for record in records)
                break
            except binlog.MissedError as error:
                assert error.missed is not None
                missed.append(error.missed)
    assert seen == list(range(301, 1001))
    assert sorted(one for first, last in missed for one in range(first, last + 1)) == list(range(1, 301))


def test_what_comes_after_the_plan_is_in_no_split(log: Path) -> None:
    splits = binlog.open(log).splits()
    with binlog.Writer(log, name="orders") as writer:
        writer.append(b"later")
    assert sum((ids(split) for split in splits), []) == list(range(1, 1001))


def test_a_split_is_a_log_of_its_own(log: Path) -> None:
    split = binlog.open(log).splits(target=4096)[1]
    part = split.open()
    assert part.verify() and part.verify().records == split.records
    assert sum(part.counts().values()) == split.records == len(list(part))


def test_splits_are_read_by_threads(log: Path) -> None:
    splits = binlog.open(log).splits(target=4096)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(ids, splits))
    assert sum(found, []) == list(range(1, 1001))


@settings(max_examples=60, deadline=None)
@given(data=some.data())
def test_each_record_of_the_conditions_is_in_exactly_one_split(tmp_path_factory: pytest.TempPathFactory, data: some.DataObject) -> None:
    where = tmp_path_factory.mktemp("splits") / "log"
    targets: some.SearchStrategy[int | str] = some.sampled_from([1, 1000, 10_000, "1MiB"])
    kinds: some.SearchStrategy[str | int] = some.sampled_from(["a", "b", 3])
    with binlog.Writer(where, roll={"records": data.draw(some.integers(3, 40))}, block_bytes=4096) as writer:
        for _ in range(data.draw(some.integers(0, 120))):
            writer.append(bytes(data.draw(some.integers(0, 300))), data.draw(kinds), time=data.draw(some.integers(0, 50)))
            if data.draw(some.integers(0, 9)) == 0:
                writer.flush()
    conditions: dict[str, Any] = data.draw(some.fixed_dictionaries({}, optional={
        "type": kinds, "from_id": some.integers(1, 60), "since": some.integers(0, 50), "until": some.integers(1, 60),
    }))
    try:
        wanted = [record.id for record in binlog.open(where).records(**conditions)]
    except binlog.InvalidError:
        return
    splits = binlog.open(where).splits(target=data.draw(targets), **conditions)
    if data.draw(some.booleans()):
        binlog.compress(where)
    assert sum((ids(split, **conditions) for split in splits), []) == wanted
    shutil.rmtree(where.parent)
