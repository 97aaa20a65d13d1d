"""Writers keep what they are given, report what they refuse, and may be used by many threads."""

from __future__ import annotations

import array
import gc
import os
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

import libbinlog as binlog


def test_positions_follow_flush_and_sync(writer: binlog.Writer) -> None:
    assert writer.append(b"x") == 1
    assert writer.position.appended == 1
    writer.flush()
    assert writer.position.flushed == 1
    writer.sync()
    assert writer.position == binlog.Position(1, 1, 1)
    assert (writer.dropped, writer.failures) == (0, 0)
    writer.tick()


def test_a_batch_is_taken_whole_or_not_at_all(writer: binlog.Writer, tmp_path: Path) -> None:
    first = writer.append_batch(
        [b"a", (b"b",), (b"c", "named"), (b"d", None, {"k": "v"}, 5), binlog.NewRecord(b"e", type=9)],
        type=3, metadata={"all": "yes"}, time=1,
    )
    assert first == 1
    with pytest.raises(TypeError):
        writer.append_batch([b"x", "text"])  # type: ignore[list-item]
    with pytest.raises(ValueError):
        writer.append_batch([()])
    for wrong in (b"bytes", "text"):
        with pytest.raises(TypeError):
            writer.append_batch(wrong)  # type: ignore[arg-type]
    assert writer.append_batch(bytes([n]) for n in range(3)) == 6
    assert writer.gather([b"par", bytearray(b"ts"), memoryview(b"!")], metadata={"g": "1"}) == 9
    writer.flush()
    read = list(binlog.open(tmp_path / "log"))
    assert [(one.payload, one.type, one.metadata, one.time_ns) for one in read[:5]] == [
        (b"a", 3, {"all": "yes"}, 1), (b"b", 3, {"all": "yes"}, 1), (b"c", "named", {"all": "yes"}, 1),
        (b"d", 3, {"k": "v"}, 5), (b"e", 9, {"all": "yes"}, 1),
    ]
    assert read[-1].payload == b"parts!"


def test_wrong_arguments_are_refused_and_nothing_is_written(writer: binlog.Writer) -> None:
    for wrong in ("text", 7, None, [1, 2], 1.5):
        with pytest.raises(TypeError):
            writer.append(wrong)  # type: ignore[arg-type]
    for arguments in ((b"", 1.5), (b"", b"x"), (b"", True), (b"", 1, {"a": 1}), (b"", 1, {1: "a"}), (b"", 1, None, "now?")):
        with pytest.raises((TypeError, ValueError)):
            writer.append(*arguments)
    with pytest.raises(binlog.InvalidError):
        writer.append(b"", -1)
    with pytest.raises(binlog.InvalidError):
        writer.append(b"", 1, None, 2**63)
    with pytest.raises(binlog.InvalidError):
        writer.append(b"", 2**30)
    with pytest.raises(binlog.InvalidError):
        writer.append(b"", "")
    with pytest.raises(binlog.InvalidError):
        writer.append(b"", "\ud800")
    assert writer.position.appended == 0
    assert writer.append(array.array("H", [1, 2])) == 1  # type: ignore[arg-type]


def test_a_record_over_the_limit_is_refused(tmp_path: Path) -> None:
    with binlog.Writer(tmp_path / "log", record_max_bytes=10) as writer:
        with pytest.raises(binlog.TooLargeError):
            writer.append(b"x" * 11)
        assert writer.append(b"x" * 10) == 1


@pytest.mark.parametrize("options", [
    {"codec": "zip"}, {"block_bytes": 1}, {"roll": "FORTNIGHT"}, {"roll": {"records": 0}}, {"keep": {"segments": 0}},
    {"flush": 0}, {"sync": "often"}, {"name": "a/b"}, {"heartbeat": -1}, {"roll": 0.5},
])
def test_options_out_of_range_are_refused(tmp_path: Path, options: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        binlog.Writer(tmp_path / "log", **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("options", [{"roll": {"size": 1}}, {"keep": 5}, {"sync": {"rows": 1}}, {"on_close": 5}, {"colour": 1}])
def test_options_that_do_not_exist_are_refused(tmp_path: Path, options: dict[str, object]) -> None:
    with pytest.raises(TypeError):
        binlog.Writer(tmp_path / "log", **options)  # type: ignore[arg-type]


def test_all_options_are_taken(tmp_path: Path) -> None:
    with binlog.Writer(
        tmp_path / "log", name="all", content_type="text/plain", parameters={"a": "b"}, flush={"records": 10, "interval": "1s"},
        sync=timedelta(seconds=1), roll={"period": "HOUR", "zone": "Europe/Berlin", "age": "1h", "records": 1000,
                                          "template": "{name}-%Y.{seq}"},
        keep={"age": "7d", "segments": 10, "bytes": 1 << 30}, segment_bytes=1 << 20, codec="zstd", codec_level=3,
        block_bytes=8192, index_bytes=65536, record_max_bytes=1 << 20, schema_bytes=1 << 16, fill_ahead=1 << 20,
        file_mode=0o600, background=True, full_disk="10s", heartbeat=60.0,
    ) as writer:
        writer.append(b"x")
    segment = binlog.open(tmp_path / "log", require_name="all", require_parameters={"a": "b"}).info().segments[0]
    assert (segment.log, segment.content_type, segment.parameters) == ("all", "text/plain", {"a": "b"})
    assert segment.file.name.startswith("all-2") and segment.file.stat().st_mode & 0o777 == 0o600
    with pytest.raises(binlog.MismatchError):
        binlog.open(tmp_path / "log", require_content_type="text/html")
    with pytest.raises(binlog.MismatchError):
        binlog.Writer(tmp_path / "log", name="all", require_parameters=[("a", "c")])


def test_policies_flush_and_sync(tmp_path: Path) -> None:
    with binlog.Writer(tmp_path / "a", sync=True) as writer:
        writer.append(b"x")
        assert writer.position.durable == 1
    with binlog.Writer(tmp_path / "b", flush=2) as writer:
        writer.append(b"x")
        writer.append(b"x")
        assert writer.position.flushed == 2


def test_a_single_file_is_a_log(tmp_path: Path) -> None:
    with binlog.Writer(tmp_path / "one.binlog", single_file=True) as writer:
        writer.append(b"x")
    assert [record.payload for record in binlog.open(tmp_path / "one.binlog")] == [b"x"]


def test_a_closed_writer_refuses_and_may_be_closed_again(tmp_path: Path) -> None:
    writer = binlog.Writer(tmp_path / "log")
    writer.close()
    writer.close()
    assert writer.closed and repr(writer).endswith(", closed>") and writer.location == tmp_path / "log"
    for call in (lambda: writer.append(b""), writer.flush, writer.sync, writer.roll, lambda: writer.position, writer.tick,
                 lambda: writer.append_batch([]), lambda: writer.gather([]), lambda: writer.type("a"), lambda: writer.dropped,
                 lambda: writer.failures):
        with pytest.raises(binlog.ClosedError):
            call()


def test_a_second_writer_is_locked_out(writer: binlog.Writer, tmp_path: Path) -> None:
    with pytest.raises(binlog.LockedError) as caught:
        binlog.Writer(tmp_path / "log")
    assert isinstance(caught.value, BlockingIOError) and str(os.getpid()) in str(caught.value)


def test_a_writer_that_is_dropped_has_written(tmp_path: Path) -> None:
    for background in (False, True):
        where = tmp_path / f"log-{background}"
        writer = binlog.Writer(where, background=background, on_failure=print)
        writer.append(b"x")
        del writer
        gc.collect()
        assert [record.payload for record in binlog.open(where)] == [b"x"]
        binlog.Writer(where).close()


def test_threads_append_and_every_id_is_given_once(tmp_path: Path) -> None:
    with binlog.Writer(tmp_path / "log", background=True) as writer:
        given: list[list[int]] = [[] for _ in range(4)]

        def work(mine: list[int], number: int) -> None:
            for at in range(2000):
                mine.append(writer.append(b"%d %d" % (number, at), f"type.{at % 3}"))

        threads = [threading.Thread(target=work, args=(mine, number)) for number, mine in enumerate(given)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert sorted(sum(given, [])) == list(range(1, 8001))
    by_id = {record.id: record.payload for record in binlog.open(tmp_path / "log")}
    for number, mine in enumerate(given):
        assert [by_id[one] for one in mine] == [b"%d %d" % (number, at) for at in range(2000)]


def test_closing_while_others_append_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    writer = binlog.Writer(tmp_path / "log")
    acknowledged: list[int] = []
    started = threading.Event()

    def work() -> None:
        try:
            while True:
                acknowledged.append(writer.append(b"x"))
                started.set()
        except binlog.ClosedError:
            pass

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    started.wait(10)
    writer.close()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    assert [record.id for record in binlog.open(tmp_path / "log")] == sorted(acknowledged)


def test_functions_are_called_with_segments(tmp_path: Path) -> None:
    opened: list[binlog.SegmentFile] = []
    closed: list[binlog.SegmentFile] = []
    failures: list[binlog.Error] = []

    def fails(_segment: binlog.SegmentFile) -> None:
        raise ValueError("not today")

    with binlog.Writer(tmp_path / "log", on_open=opened.append, on_close=[closed.append, fails], on_failure=failures.append,
                       roll={"check": lambda state: state.records >= 10}, flush=1) as writer:
        for _ in range(25):
            writer.append(b"x")
        writer.roll()
        writer.append(b"x")
    assert len(opened) == len(closed) == len(failures) >= 3
    assert closed[0].reason == "check" and closed[-1].reason == "close" and sum(one.records for one in closed) == 26
    assert "not today" in str(failures[0])


def test_a_function_must_not_close_its_writer_nor_append(tmp_path: Path) -> None:
    said: list[str] = []

    def on_close(_segment: binlog.SegmentFile) -> None:
        for call in (writer.close, lambda: writer.append(b"y"), lambda: writer.position.appended):
            try:
                said.append(str(call()))
            except binlog.InvalidError:
                said.append("refused")
            except binlog.ClosedError:
                said.append("closed")

    writer = binlog.Writer(tmp_path / "log", on_close=on_close)
    writer.append(b"x")
    writer.roll()
    assert said == ["refused", "refused", "1"]
    writer.close()
    assert said[3:] == ["refused", "closed", "closed"]


def test_a_cycle_through_a_function_is_collected(tmp_path: Path) -> None:
    class Owner:
        def __init__(self) -> None:
            self.writer = binlog.Writer(tmp_path / "log", on_close=self.closed)
            self.log = binlog.open(tmp_path / "log", mode="salvage", on_loss=self.closed)

        def closed(self, _what: object) -> None:
            pass

    owner = Owner()
    owner.writer.append(b"x")
    gone = weakref.ref(owner)
    del owner
    gc.collect()
    assert gone() is None
    assert len(list(binlog.open(tmp_path / "log"))) == 1


def test_errors_are_pythons_own_too_and_survive_pickling(tmp_path: Path) -> None:
    import pickle

    with pytest.raises(FileNotFoundError) as caught:
        binlog.open(tmp_path / "none")
    error = caught.value
    assert isinstance(error, binlog.NotFoundError) and (error.kind, error.errno, error.file) == ("not_found", 2, tmp_path / "none")
    assert str(error).startswith(f"{tmp_path}/none: ") and error.filename == str(tmp_path / "none")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is binlog.NotFoundError and (str(again), again.file, again.os_error) == (str(error), error.file, 2)
    for kind in vars(binlog).values():
        if isinstance(kind, type) and issubclass(kind, binlog.Error) and kind is not binlog.Error:
            assert type(pickle.loads(pickle.dumps(kind("x")))) is kind and str(kind("x")) == "x"


def test_types_with_schemas_are_told_to_readers(writer: binlog.Writer, tmp_path: Path) -> None:
    schema = b'{"type": "record", "name": "o", "fields": [{"name": "n", "type": "long"}]}'
    old = writer.type("order", encoding="json")
    new = writer.type("order", encoding="avro", schema=schema, message="o")
    assert old < new == writer.type("order", encoding="avro", schema=schema, message="o")
    writer.append(b"\x54", "order")
    writer.append(b"42", old)
    writer.flush()
    log = binlog.open(tmp_path / "log")
    assert [record.value for record in log.records(type="order")] == [{"n": 42}, 42]
    info = log.schema("order")
    assert (info.number, info.schema, info.encoding, info.message) == (new, schema, "avro", "o")
    assert [one.number for one in log.types()] == [old, new]
    assert binlog.Decoder("avro", schema).decode(b"\x54") == {"n": 42}
    with pytest.raises(binlog.DecodeError):
        binlog.Decoder("morse")
    with pytest.raises(binlog.InvalidError):
        writer.type("x", schema=b"a schema without an encoding")


def test_stores_on_servers_are_in_the_wheel(tmp_path: Path) -> None:
    # Without them, every URL of theirs would be UNSUPPORTED.
    with pytest.raises(binlog.InvalidError, match="colour"):
        binlog.open("s3://bucket/?colour=red")
    with pytest.raises(binlog.InvalidError, match="colour"):
        binlog.Writer(tmp_path / "log", ship="s3://bucket/?colour=red")


def test_a_shipped_log_is_read_by_its_url(tmp_path: Path) -> None:
    store = tmp_path / "store"
    with binlog.Writer(tmp_path / "log", roll={"records": 10}, ship=f"file://{store}?create=true") as writer:
        for number in range(35):
            writer.append(b"%d" % number, "n")
    with binlog.Writer(tmp_path / "log", ship=f"file://{store}?create=true") as writer:
        deadline = time.monotonic() + 20
        while not (shipped := list(store.rglob("*.binlog*")))[2:] and time.monotonic() < deadline:
            time.sleep(0.02)
            writer.tick()
    assert len(shipped) >= 3
    there = binlog.open(f"file://{store}")
    assert [record.payload for record in there.records(type="n", to_id=30)] == [b"%d" % number for number in range(30)]
    split = there.splits(type="n")[0]
    assert [record.id for record in split.records_of(type="n", to_id=5)] == [1, 2, 3, 4, 5]


def test_a_name_means_its_newest_type_in_every_thread(tmp_path: Path) -> None:
    with binlog.Writer(tmp_path / "log") as writer:
        newest = 0

        def append() -> None:
            for _ in range(500):
                writer.append(b"{}", "t")

        threads = [threading.Thread(target=append) for _ in range(3)]
        for thread in threads:
            thread.start()
        for version in range(20):
            newest = writer.type("t", encoding="json", message=f"v{version}")
            writer.append(b"{}", "t")
            assert writer.position.appended
        for thread in threads:
            thread.join()
        last = writer.append(b"{}", "t")
    [record] = binlog.open(tmp_path / "log").records(from_id=last)
    assert record.type_number == newest


def test_a_writer_is_not_closed_within_its_own_call(writer: binlog.Writer, tmp_path: Path) -> None:
    def records() -> Iterator[bytes]:
        yield b"first"
        writer.close()

    with pytest.raises(binlog.InvalidError, match="within one of its calls"):
        writer.append_batch(records())
    assert writer.append(b"kept") == 1
    writer.close()


def test_texts_of_times_have_nanoseconds(writer: binlog.Writer) -> None:
    writer.append(b"x", time="2024-01-01T10:00:00.123456789Z")
    writer.append(b"y", time="2024-01-01T10:00:00.12345679+00:00")
    writer.flush()
    log = binlog.open(writer.location)
    assert [record.time_ns % 1_000_000_000 for record in log.records()] == [123_456_789, 123_456_790]
    assert [record.id for record in log.records(until="2024-01-01T10:00:00.123456790Z")] == [1]
    assert [record.id for record in log.records(since="2024-01-01T10:00:00.123456790Z")] == [2]
