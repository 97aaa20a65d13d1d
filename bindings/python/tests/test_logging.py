"""The handler of logging keeps every message, and raises nothing in the program that logs."""

from __future__ import annotations

import contextlib
import json
import logging
import math
import os
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

import libbinlog as binlog


@contextlib.contextmanager
def logger_of(handler: logging.Handler) -> Iterator[logging.Logger]:
    logger = logging.Logger("shop")
    logger.addHandler(handler)
    yield logger
    logger.removeHandler(handler)
    handler.close()


def test_logging_goes_to_a_log(tmp_path: Path) -> None:
    logger = logging.getLogger("shop.orders")
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    with binlog.Writer(tmp_path / "log") as writer:
        plain, as_json = binlog.logging.Handler(writer), binlog.logging.Handler(writer, type="json", as_json=True, sync_level=logging.ERROR)
        logger.addHandler(plain)
        logger.info("order %d", 7, extra={"host": "a", "number": 5})
        logger.removeHandler(plain)
        logger.addHandler(as_json)
        try:
            raise ValueError("wrong")
        except ValueError:
            logger.exception("failed", extra={"host": "b"})
        assert writer.position.durable == 2
        logger.removeHandler(as_json)
        plain.flush()
    plain.flush()
    one, two = binlog.open(tmp_path / "log")
    assert (one.type, one.payload, one.metadata) == ("shop.orders", b"order 7", {"level": "INFO", "host": "a", "number": "5"})
    assert abs(one.time - datetime.now(timezone.utc)) < timedelta(minutes=5)
    assert two.value["message"] == "failed" and "ValueError: wrong" in two.value["exception"]
    assert two.value["extra"] == {"host": "b"} and two.metadata["level"] == "ERROR"


def test_numbers_that_json_has_not_are_null(tmp_path: Path) -> None:
    with binlog.Writer(tmp_path / "log") as writer, logger_of(binlog.logging.Handler(writer, as_json=True)) as logger:
        logger.info("x", extra={"a": math.nan, "b": [math.inf, {"c": -math.inf, "d": 1.5}], "e": (math.nan,)})
    [record] = binlog.open(tmp_path / "log")

    def refuse(name: str) -> None:
        raise ValueError(name)

    assert json.loads(record.payload, parse_constant=refuse)["extra"] == {"a": None, "b": [None, {"c": None, "d": 1.5}], "e": [None]}
    assert record.value["extra"]["a"] is None
    # The metadata shows what it was.
    assert record.metadata["a"] == "nan"


@pytest.mark.parametrize("as_json", [False, True])
def test_lone_surrogates_are_escaped_and_the_message_is_kept(tmp_path: Path, as_json: bool, capsys: pytest.CaptureFixture[str]) -> None:
    with binlog.Writer(tmp_path / "log") as writer:
        with logger_of(binlog.logging.Handler(writer, as_json=as_json)) as logger:
            logger.name = "shop\udce4"
            logger.error("caf\udce9 %s", "\ud800", extra={"file name": "\udcff", "k\udc80": ["\ud801"]})
    [record] = binlog.open(tmp_path / "log")
    assert record.type == "shop\\udce4"
    assert record.metadata == {"level": "ERROR", "file name": "\\udcff", "k\\udc80": "['\\ud801']"}
    message = record.value["message"] if as_json else record.text
    assert message == "caf\\udce9 \\ud800"
    if as_json:
        assert record.value["extra"] == {"file name": "\\udcff", "k\\udc80": ["\\ud801"]}
    assert capsys.readouterr().err == ""


def test_what_json_cannot_express_is_shown_as_its_repr(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class Broken:
        def __repr__(self) -> str:
            raise RuntimeError

    cycle: list[Any] = []
    cycle.append(cycle)
    deep: Any = 1
    for _ in range(100_000):
        deep = [deep]
    extra = {"broken": Broken(), "cycle": cycle, "deep": deep, "keys": {(1, 2): 3, 4: 5}, "huge": 10**5000, "set": {1}}
    with binlog.Writer(tmp_path / "log") as writer, logger_of(binlog.logging.Handler(writer, as_json=True)) as logger:
        logger.info("x", extra=extra)
    [record] = binlog.open(tmp_path / "log")
    shown = record.value["extra"]
    assert shown["broken"] == "<unprintable Broken object>" and shown["keys"] == {"(1, 2)": 3, "4": 5} and shown["set"] == "{1}"
    assert record.metadata["cycle"] == "[[...]]" and capsys.readouterr().err == ""


@pytest.mark.parametrize("as_json", [False, True])
def test_extra_does_not_replace_the_level_of_the_message(tmp_path: Path, as_json: bool) -> None:
    with binlog.Writer(tmp_path / "log") as writer, logger_of(binlog.logging.Handler(writer, as_json=as_json)) as logger:
        logger.error("x", extra={"level": "harmless", "created_ns": "never"})
    [record] = binlog.open(tmp_path / "log")
    assert record.metadata == {"level": "ERROR", "extra.level": "harmless", "created_ns": "never"}
    assert abs(record.time - datetime.now(timezone.utc)) < timedelta(minutes=5)
    if as_json:
        assert record.value["level"] == "ERROR" and record.value["extra"]["level"] == "harmless"


def test_messages_below_the_level_of_the_handler_are_not_taken(tmp_path: Path) -> None:
    with binlog.Writer(tmp_path / "log") as writer, logger_of(binlog.logging.Handler(writer, "WARNING")) as logger:
        [handler] = logger.handlers
        logger.info("no")
        logger.warning("yes")
        handler.setLevel(logging.DEBUG)
        logger.debug("too")
        handler.setLevel("ERROR")
        logger.warning("no")
    assert [record.text for record in binlog.open(tmp_path / "log")] == ["yes", "too"]


def test_a_level_may_be_given_by_its_name(tmp_path: Path) -> None:
    with binlog.Writer(tmp_path / "log") as writer, logger_of(binlog.logging.Handler(writer, sync_level="ERROR")) as logger:
        logger.warning("x")
        assert writer.position.durable == 0
        logger.error("x")
        assert writer.position.durable == 2
        with pytest.raises(ValueError):
            binlog.logging.Handler(writer, sync_level="LOUD")


def test_what_no_handler_can_use_is_refused_when_it_is_made(tmp_path: Path) -> None:
    wrong: Any
    with binlog.Writer(tmp_path / "log") as writer:
        for wrong in (1.5, True, b"x", ["a"]):
            with pytest.raises(TypeError, match="^type must be"):
                binlog.logging.Handler(writer, type=wrong)
        with pytest.raises(TypeError):
            binlog.logging.Handler(writer, sync_level=1.5)  # type: ignore[arg-type]
    for wrong in ("logs", None):
        with pytest.raises(TypeError, match="^writer must be a Writer"):
            binlog.logging.Handler(wrong)


def test_a_failure_is_reported_as_logging_does_and_not_raised(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = binlog.Writer(tmp_path / "log")
    with logger_of(binlog.logging.Handler(writer)) as logger:
        logger.info("%d", "no number")
        assert "Logging error" in capsys.readouterr().err
        writer.close()
        logger.info("x")
        assert "ClosedError" in capsys.readouterr().err
        monkeypatch.setattr(logging, "raiseExceptions", False)
        logger.info("x")
        assert capsys.readouterr().err == ""
    assert list(binlog.open(tmp_path / "log")) == []


def test_a_handler_in_a_forked_child_raises_nothing(tmp_path: Path) -> None:
    if sys.version_info >= (3, 12):
        import warnings
        warnings.simplefilter("ignore", DeprecationWarning)
    with binlog.Writer(tmp_path / "log") as writer, logger_of(binlog.logging.Handler(writer)) as logger:
        logger.info("parent")
        child = os.fork()
        if child == 0:
            logging.raiseExceptions = False
            try:
                logger.info("child")
                logger.handlers[0].flush()
            except BaseException:
                os._exit(1)
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
    assert [record.text for record in binlog.open(tmp_path / "log")] == ["parent"]
