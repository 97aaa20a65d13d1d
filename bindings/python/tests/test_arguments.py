"""A wrong type is a TypeError and a wrong value an InvalidError, at the call that gets it, whatever argument it is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

import libbinlog as binlog

LONE = "\ud800"
HUGE = 10**5000
# Of each argument: values of a wrong type, and wrong values.
ID = ([1.5, "1", True, b"1"], [-1, 2**64, HUGE])
COUNT = ID
TIME = ([1.5, True, b"now", object(), int], ["yesterday", "-1 parsec", LONE, "9" * 5000, "-" + "9" * 5000 + "s", 2**63, -(2**63) - 1, HUGE,
                                        datetime(1, 1, 1, tzinfo=timezone.utc), datetime.min.replace(tzinfo=timezone(timedelta(hours=1))),
                                        "1600-01-01"])
LENGTH = ([True, b"1s", object(), int], ["soon", LONE, -1, float("nan"), float("inf"), HUGE, "9" * 400 + "s", timedelta(seconds=-1)])
TEXT = ([5, b"x", object()], [LONE])
PATH = ([5, 1.5, object()], [LONE, "a\0b"])
KIND = ([1.5, True, b"x", object()], [-1, 2**32, HUGE, LONE])
KINDS = ([1.5, True, b"x", object(), [1.5], [b"x"], [[1]]], [-1, 2**32, [LONE], [1, HUGE]])
PAIRS = ([5, "ab", b"ab", {"a": 1}, {1: "a"}, ["ab"], [("a", 1)], [5]], [{LONE: "a"}, {"a": LONE}, [("a",)], [("a", "b", "c")]])
FUNCTION: tuple[list[Any], list[Any]] = ([5, "print", object()], [])
NAMES = ([5, [5], b"id", object()], [LONE])

Call = Callable[[binlog.Log, binlog.Writer, Path, Any], object]


def with_keyword(make: Callable[[binlog.Log, binlog.Writer, Path], Callable[..., object]], name: str) -> Call:
    return lambda log, writer, place, value: make(log, writer, place)(**{name: value})


def keywords(make: Callable[[binlog.Log, binlog.Writer, Path], Callable[..., object]], **wrong: tuple[list[Any], list[Any]]) -> list[Any]:
    return [pytest.param(with_keyword(make, name), values, id=name) for name, values in wrong.items()]


def conditions(make: Callable[[binlog.Log], Callable[..., object]], **more: tuple[list[Any], list[Any]]) -> list[Any]:
    return keywords(lambda log, _writer, _place: make(log), type=KINDS, where=PAIRS, since=TIME, until=TIME, from_id=ID, to_id=ID, **more)


def opening(_log: binlog.Log, _writer: binlog.Writer, place: Path) -> Callable[..., object]:
    return lambda **given: binlog.open(**{"location": place, **given})


def writing(_log: binlog.Log, _writer: binlog.Writer, place: Path) -> Callable[..., object]:
    return lambda **given: binlog.Writer(**{"location": place / "new", **given})


def appending(_log: binlog.Log, writer: binlog.Writer, _place: Path) -> Callable[..., object]:
    return lambda **given: writer.append(b"", **given)


@pytest.mark.parametrize("call, wrong", [
    *conditions(lambda log: log.records, last=COUNT, timeout=LENGTH),
    *conditions(lambda log: log.table, last=COUNT, batch_rows=COUNT, batch_bytes=COUNT, columns=NAMES, metadata=NAMES,
                decode=([5, b"x"], [])),
    *conditions(lambda log: log.splits, target=([1.5, True, b"1"], [-1, "much", LONE, "9" * 5000, HUGE]), most=COUNT),
    *keywords(lambda log, _writer, _place: log.records().wait, timeout=LENGTH),
    *keywords(lambda log, _writer, _place: log.schema, name=([5, b"x", None], [])),
    *keywords(opening, location=PATH, mode=([5], ["fast", LONE]), on_loss=FUNCTION, log=TEXT, require_name=TEXT, require_content_type=TEXT,
              require_parameters=PAIRS, cache=PATH, cache_bytes=COUNT, credentials=PATH, block_max_bytes=COUNT),
    *keywords(writing, location=PATH, name=TEXT, content_type=TEXT, parameters=PAIRS, codec=([5], ["zip", LONE]),
              codec_level=([1.5, "1"], [2**31, HUGE]), segment_bytes=COUNT, block_bytes=([1.5], [-1, 2**32]), index_bytes=COUNT,
              record_max_bytes=COUNT, schema_bytes=COUNT, fill_ahead=COUNT, file_mode=([1.5, "rw"], [-1, HUGE]),
              file_group=([1.5, "wheel"], [-1, HUGE]), background=([1, "yes"], []), full_disk=([object()], ["explode", LONE, -1]),
              heartbeat=LENGTH, ship=TEXT, on_open=([5, "print", [5], object()], []), on_close=([5, [print, 5]], []), on_failure=FUNCTION,
              require_name=TEXT, require_content_type=TEXT, require_parameters=PAIRS,
              flush=([object(), {5: 1}, {"records": 1.5}], [-1, HUGE, "often", {"bytes": -1}, {"interval": "often"}, {LONE: 1}]),
              roll=([object(), {"records": "1"}, {"check": 5}, {"zone": 5}], [-1, 0.5, "FORTNIGHT", LONE, {"records": -1}, {"template": LONE}]),
              keep=([5, {"unshipped": 1}], [{"segments": -1}, {"age": "often"}])),
    *keywords(appending, type=KIND, metadata=PAIRS, time=TIME),
    *keywords(lambda _log, writer, _place: lambda **given: writer.gather([b""], **given), type=KIND, metadata=PAIRS, time=TIME),
    *keywords(lambda _log, writer, _place: lambda **given: writer.append_batch([b""], **given), type=KIND, metadata=PAIRS, time=TIME),
    *keywords(lambda _log, writer, _place: lambda kind: writer.append_batch([(b"", kind)]), kind=KIND),
    *keywords(lambda _log, writer, _place: lambda records: writer.append_batch(records), records=([5, b"x", "x", ["x"]], [[()], [(b"",) * 5]])),
    *keywords(lambda _log, writer, _place: lambda parts: writer.gather(parts), parts=([5, b"x", "x", ["x"], [5]], [])),
    *keywords(lambda _log, writer, _place: lambda **given: writer.type(**{"name": "a", **given}),
              name=TEXT, content_type=TEXT, encoding=TEXT, message=TEXT, schema=([5, "{}"], [])),
    *keywords(lambda _log, _writer, _place: lambda **given: binlog.Decoder(**{"encoding": "json", **given}), encoding=TEXT, message=TEXT,
              content_type=TEXT, schema=([5, "{}"], [])),
    *keywords(lambda _log, _writer, place: lambda **given: binlog.compress(**{"location": place / "log", **given}), location=PATH,
              codec=([5], ["zip", LONE]), level=([1.5], [HUGE]), threads=COUNT, log=TEXT),
    *keywords(lambda _log, _writer, place: lambda **given: binlog.recover(**{"source": place / "log", "target": place / "to", **given}),
              source=PATH, target=PATH, on_loss=FUNCTION),
    *keywords(lambda _log, _writer, place: lambda **given: binlog.recover_in_place(**{"location": place / "log", **given}),
              location=PATH, on_loss=FUNCTION),
    *keywords(lambda _log, _writer, _place: binlog.rebuild_index, location=PATH),
    *keywords(lambda _log, _writer, _place: lambda token: binlog.Split(token).open(), token=([5], ["nonsense", LONE])),
])
def test_each_wrong_argument_is_refused_by_its_kind(log: Path, tmp_path: Path, call: Call, wrong: tuple[list[Any], list[Any]]) -> None:
    opened = binlog.open(log)
    with binlog.Writer(tmp_path / "written") as writer:
        for value in wrong[0]:
            with pytest.raises(TypeError) as caught:
                call(opened, writer, tmp_path, value)
            assert type(caught.value) is TypeError, value
        for value in wrong[1]:
            with pytest.raises(binlog.InvalidError) as refused:
                call(opened, writer, tmp_path, value)
            assert isinstance(refused.value, ValueError) and refused.value.kind == "invalid"
            # One line that can be printed anywhere.
            assert str(refused.value).isprintable() and len(str(refused.value)) < 6000, value
        assert writer.position.appended == 0
    assert not (tmp_path / "new").exists()


def test_messages_name_the_argument_and_what_it_may_be(log: Path) -> None:
    opened = binlog.open(log)
    wrong: dict[str, Any]
    for wrong, message in (
        ({"from_id": -1}, "from_id is -1; it must be from 0 to 18446744073709551615"),
        ({"from_id": HUGE}, "from_id is a very large int; it must be from 0 to 18446744073709551615"),
        ({"since": 2**63}, "since is 9223372036854775808; it must be between 1677-09-21 and 2262-04-11: 64 bits of nanoseconds since 1970"),
        ({"where": {"a": LONE}}, r"each key and value of where is '\ud800'; it must be without lone surrogates, which UTF-8 does not have"),
    ):
        with pytest.raises(binlog.InvalidError) as refused:
            opened.records(**wrong)
        assert str(refused.value) == message
    wrong_types: tuple[tuple[dict[str, Any], str], ...] = (({"last": "5"}, "last must be an int, not str"), ({"where": "host"}, "where must be a mapping or several pairs, not str"))
    for wrong, message in wrong_types:
        with pytest.raises(TypeError) as caught:
            opened.records(**wrong)
        assert str(caught.value) == message
    with pytest.raises(TypeError, match="^on_loss must be callable, not list$"):
        binlog.open(log, on_loss=[])  # type: ignore[arg-type]


def test_what_may_be_used_as_an_int_is_one(log: Path, writer: binlog.Writer) -> None:
    class Number:
        def __init__(self, value: int) -> None:
            self.value = value

        def __index__(self) -> int:
            return self.value

    opened = binlog.open(log)
    number: Any = Number
    assert [record.id for record in opened.records(from_id=number(10), to_id=number(12), type=number(7))] == [10, 12]
    assert [record.id for record in opened.records(since=number(999_000_000_000))] == [999, 1000]
    assert writer.append(b"", number(5), time=number(7)) == 1


def test_pairs_may_be_lists(writer: binlog.Writer) -> None:
    pairs: Any = [["a", "1"], ("b", "2")]
    writer.append(b"", metadata=pairs)
    writer.flush()
    assert [record.metadata for record in binlog.open(writer.location)] == [{"a": "1", "b": "2"}]


def test_exceptions_of_the_callers_own_code_come_through(writer: binlog.Writer, log: Path) -> None:
    class Odd(Exception):
        pass

    class Pairs(dict[str, str]):
        def items(self) -> Any:
            raise Odd

    def payloads() -> Any:
        yield b"x"
        raise Odd

    for call in (lambda: writer.append_batch(payloads()), lambda: writer.gather(payloads()), lambda: writer.append(b"", metadata=Pairs()),
                 lambda: binlog.open(log).records(where=Pairs())):
        with pytest.raises(Odd):
            call()
    assert writer.position.appended == 0


def test_a_released_view_is_refused(writer: binlog.Writer) -> None:
    view = memoryview(b"gone")
    view.release()
    with pytest.raises(binlog.InvalidError, match="released"):
        writer.append(view)


def test_an_empty_batch_appends_nothing_and_returns_the_next_id(writer: binlog.Writer) -> None:
    assert writer.append_batch([]) == 1
    writer.append(b"x")
    assert writer.append_batch(iter(())) == 2
    assert writer.position.appended == 1 and writer.append(b"y") == 2
