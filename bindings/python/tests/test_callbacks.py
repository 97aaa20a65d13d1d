"""What becomes of an exception that a function of the caller's raises while the library calls it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import libbinlog as binlog


class Odd(Exception):
    pass


def fails(_what: object) -> Any:
    raise Odd("not today")


@pytest.fixture
def unraisable(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What Python reports of exceptions that no caller gets."""
    reported: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda what: reported.append((what.exc_type, what.object)))
    return reported


def damage(log: Path) -> None:
    second = sorted(log.glob("*.binlog"))[1]
    data = bytearray(second.read_bytes())
    data[len(data) // 2] ^= 0xFF
    second.write_bytes(data)


def recovers(log: Path) -> int:
    binlog.recover(log, log.parent / "saved", on_loss=fails)
    return len(list(binlog.open(log.parent / "saved")))


def recovers_in_place(log: Path) -> int:
    binlog.recover_in_place(log, on_loss=fails)
    return len(list(binlog.open(log)))


def reads(log: Path) -> int:
    return len(list(binlog.open(log, mode="salvage", on_loss=fails)))


@pytest.mark.parametrize("read", [reads, recovers, recovers_in_place])
def test_reading_goes_on_when_on_loss_raises(log: Path, read: Callable[[Path], int], unraisable: list[Any]) -> None:
    damage(log)
    readable = binlog.open(log).verify().records
    assert read(log) == readable
    assert unraisable and set(unraisable) == {(Odd, fails)}


def test_segments_go_on_when_their_functions_raise_and_the_failure_is_counted(tmp_path: Path, unraisable: list[Any]) -> None:
    failures: list[binlog.Error] = []
    with binlog.Writer(tmp_path / "log", on_open=fails, on_close=fails, on_failure=failures.append) as writer:
        writer.append(b"x")
        writer.roll()
        writer.append(b"y")
        assert writer.failures == len(failures) >= 2
        assert "Odd: not today" in str(failures[0]) and failures[0].kind == "io"
    assert [record.payload for record in binlog.open(tmp_path / "log")] == [b"x", b"y"]
    assert unraisable == []


def test_a_check_that_raises_does_not_roll(tmp_path: Path, unraisable: list[Any]) -> None:
    with binlog.Writer(tmp_path / "log", roll={"check": fails}, flush=1) as writer:
        for _ in range(5):
            writer.append(b"x")
    assert len(binlog.open(tmp_path / "log").segments()) == 1
    assert unraisable and set(unraisable) == {(Odd, fails)}


def test_writing_goes_on_when_on_failure_raises(tmp_path: Path, unraisable: list[Any]) -> None:
    with binlog.Writer(tmp_path / "log", on_close=fails, on_failure=fails) as writer:
        writer.append(b"x")
        writer.roll()
        assert writer.append(b"y") == 2
    assert unraisable and set(unraisable) == {(Odd, fails)}
    assert len(list(binlog.open(tmp_path / "log"))) == 2


def test_an_exception_of_on_selection_is_that_of_the_query(log: Path) -> None:
    pytest.importorskip("polars")
    with pytest.raises(Exception, match="not today"):
        binlog.scan(log, on_selection=fails).collect()
    with pytest.raises(TypeError, match="^on_selection must be callable, not str$"):
        binlog.scan(log, on_selection="print")  # type: ignore[arg-type]
