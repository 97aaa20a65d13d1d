"""Records are read as they were written, by every way of selecting them."""

from __future__ import annotations

import gc
import shutil
import threading
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

import libbinlog as binlog


def ids(records: binlog.Records) -> list[int]:
    return [record.id for record in records]


def test_a_record_shows_what_was_appended(writer: binlog.Writer, tmp_path: Path) -> None:
    moment = datetime(2026, 11, 25, 8, 30, 0, 123456, tzinfo=timezone.utc)
    assert writer.append(b"\x00\xff", "order.placed", {"host": "ä", "": ""}, moment) == 1
    assert writer.append(bytearray(b"two"), 7) == 2
    assert writer.append(memoryview(b"_three_")[1:-1], type=7, time=-5) == 3
    writer.flush()
    one, two, three = binlog.open(tmp_path / "log")
    assert (one.id, one.type, one.type_name, one.payload, one.length) == (1, "order.placed", "order.placed", b"\x00\xff", 2)
    assert one.metadata == {"host": "ä", "": ""} and one.pairs == [("host", "ä"), ("", "")]
    assert one.time == moment and one.time_ns == 1_795_595_400_123_456_000 and one.time.tzinfo is timezone.utc
    assert (two.type, two.type_name, two.type_number, two.metadata, bytes(two)) == (7, None, 7, {}, b"two")
    assert (three.payload, three.time_ns) == (b"three", -5)
    assert repr(one).startswith("<Record 1 2026-11-25T08:30:00.123456+00:00 type='order.placed' metadata={'host': 'ä'")


def test_conditions_select(log: Path) -> None:
    opened = binlog.open(log)
    everything = list(range(1, 1001))
    assert ids(opened.records()) == everything == ids(iter(opened))
    assert ids(opened.records(type=7)) == everything[1::2]
    for kinds in ("order.placed", "order.*", "o?der.[p]laced", ["order.placed"], ("order.*", "other.*")):
        assert ids(opened.records(type=kinds)) == everything[::2]
    assert ids(opened.records(type=["order.*", 7])) == everything
    assert ids(opened.records(type=[])) == [] == ids(opened.records(type="nothing.*"))
    assert ids(opened.records(where={"host": "b"})) == [n for n in everything if n % 3 == 0 and n % 5]
    assert ids(opened.records(where=[("host", "b")], type=7, last=2)) == [984, 996]
    assert ids(opened.records(from_id=10, to_id=12)) == [10, 11, 12]
    assert ids(opened.records(last=3)) == [998, 999, 1000]
    assert ids(opened.records(reverse=True, to_id=4)) == [4, 3, 2, 1]
    since = datetime(1970, 1, 1, 0, 0, 10, tzinfo=timezone.utc)
    assert ids(opened.records(since=since, until=since + timedelta(seconds=2))) == [10, 11]
    assert ids(opened.records(since="1970-01-01T00:16:39", until=1_000_000_000_000)) == [999]
    assert ids(opened.records(since="-1h30m")) == []


def test_what_contradicts_itself_is_refused(log: Path) -> None:
    opened = binlog.open(log)
    with pytest.raises(binlog.InvalidError):
        opened.records(from_id=5, to_id=4)
    with pytest.raises(binlog.InvalidError):
        opened.records(follow=True, reverse=True)
    wrong: dict[str, Any]
    for wrong in ({"type": 1.5}, {"type": b"x"}, {"type": True}, {"where": {"a": 1}}, {"since": 1.5}, {"since": True}):
        with pytest.raises(TypeError):
            opened.records(**wrong)
    wrong_texts: tuple[dict[str, Any], ...] = ({"since": "yesterday"}, {"since": "-1 parsec"}, {"timeout": "soon"})
    for wrong in wrong_texts:
        with pytest.raises(ValueError):
            opened.records(**wrong)
    with pytest.raises(binlog.InvalidError):
        opened.records(type=-1)


def test_headers_alone_have_no_payload(log: Path) -> None:
    record = next(binlog.open(log).records(headers_only=True))
    assert (record.id, record.length) == (1, 21)
    for attribute in ("payload", "text", "value"):
        with pytest.raises(binlog.InvalidError, match="headers"):
            getattr(record, attribute)


def test_views_show_the_same_bytes_and_keep_them(log: Path) -> None:
    opened = binlog.open(log)
    plain = [record.payload for record in opened.records()]
    views = [record.payload for record in opened.records(views=True)]
    opened.close()
    gc.collect()
    assert all(isinstance(view, memoryview) and view.readonly for view in views)
    assert [bytes(view) for view in views] == plain


def test_a_view_keeps_its_bytes_when_everything_else_is_gone(log: Path) -> None:
    opened = binlog.open(log)
    records = opened.records(views=True, from_id=500, to_id=500)
    view = next(records).payload
    records.close()
    opened.close()
    del records, opened
    shutil.rmtree(log)
    gc.collect()
    for _ in range(100):
        bytes(100_000)  # what was freed would be overwritten
    assert bytes(view) == b'{"n": 500, "half": 250.0}'
    with pytest.raises(TypeError):
        memoryview(view)[0] = 1


def test_records_live_longer_than_their_log(log: Path) -> None:
    opened = binlog.open(log)
    records = opened.records(type="order.placed", last=2)
    kept = list(records)
    records.close()
    opened.close()
    gc.collect()
    assert [record.value["n"] for record in kept] == [997, 999]
    with pytest.raises(binlog.ClosedError):
        opened.records()
    assert list(records) == []


def test_closed_records_are_at_their_end(log: Path) -> None:
    with binlog.open(log).records() as records:
        assert next(records).id == 1 and not records.closed
    assert records.closed and repr(records) == "<Records, closed>"
    assert next(records, None) is None and list(records) == []
    # Nothing is waited for.
    assert records.wait() is False and records.wait(10) is False
    with pytest.raises(binlog.ClosedError):
        records.tail
    records.close()
    with records:
        pass


def test_records_that_were_all_read_have_a_tail(log: Path) -> None:
    records = binlog.open(log).records(to_id=10)
    assert ids(records) == list(range(1, 11))
    assert next(records, None) is None and not records.closed
    assert (records.tail.state, records.tail.next_id) == ("closed", 11)
    everything = binlog.open(log).records()
    assert len(list(everything)) == 1000 and (everything.tail.state, everything.tail.next_id) == ("closed", 1001)


def test_a_closed_log_still_says_what_it_was(log: Path) -> None:
    opened = binlog.open(log)
    table = opened.table()
    opened.close()
    opened.close()
    assert opened.closed and opened.location == log
    for call in (opened.records, opened.splits, opened.info, opened.counts, opened.types, opened.segments, opened.verify, lambda: iter(opened),
                 lambda: opened.schema("order.placed"), table.__arrow_c_stream__, table.__arrow_c_schema__):
        with pytest.raises(binlog.ClosedError):
            call()


def test_an_iterator_goes_on_when_its_log_is_closed(log: Path) -> None:
    opened = binlog.open(log)
    records = opened.records()
    next(records)
    opened.close()
    assert len(list(records)) == 999


def test_threads_share_an_iterator_and_each_record_is_shown_once(log: Path) -> None:
    records = binlog.open(log).records()
    found: list[list[int]] = [[] for _ in range(4)]

    def take(mine: list[int]) -> None:
        mine.extend(record.id for record in records)

    threads = [threading.Thread(target=take, args=(mine,)) for mine in found]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(sum(found, [])) == list(range(1, 1001))


def test_following_shows_what_comes_and_names_that_come_later(tmp_path: Path) -> None:
    writer = binlog.Writer(tmp_path / "log")
    writer.append(b"0", "other")
    writer.flush()
    records = binlog.open(tmp_path / "log").records(type="order.*", follow=True, timeout=20)
    shown: list[bytes] = []
    thread = threading.Thread(target=lambda: shown.extend(record.payload for record in records))
    thread.start()
    for number in range(1, 4):
        writer.append(b"%d" % number, f"order.{number}")
        writer.append(b"-", "other")
        writer.flush()
        time.sleep(0.02)
    while len(shown) < 3 and thread.is_alive():
        time.sleep(0.01)
    records.close()
    thread.join(10)
    assert not thread.is_alive() and shown == [b"1", b"2", b"3"] and records.closed
    writer.close()


def test_following_ends_after_its_timeout(log: Path) -> None:
    began = time.monotonic()
    assert len(list(binlog.open(log).records(follow=True, timeout="50ms"))) == 1000
    assert time.monotonic() - began < 5
    records = binlog.open(log).records(from_id=1001)
    assert records.wait(0) is False and records.wait(timedelta(milliseconds=1)) is False


def test_values_are_decoded_or_the_reason_is_given(writer: binlog.Writer, tmp_path: Path) -> None:
    writer.type("json", encoding="json")
    writer.type("msgpack", content_type="application/msgpack")
    writer.append(b'{"a": [1, 2.5, null, true, "x", 18446744073709551615]}', "json")
    writer.append(b"{", "json")
    writer.append(b"\x81\xa1a\x05", "msgpack")
    writer.append(b"1", "plain")
    writer.append(b"1", 7)
    writer.flush()
    good, bad, packed, plain, numbered = binlog.open(tmp_path / "log")
    assert good.value == {"a": [1, 2.5, None, True, "x", 2**64 - 1]}
    assert packed.value == {"a": 5}
    for record, reason in ((bad, "record 2: not JSON"), (plain, "no encoding"), (numbered, "no name")):
        with pytest.raises(binlog.DecodeError, match=reason):
            record.value


def test_what_a_log_contains(log: Path) -> None:
    with binlog.open(log) as opened:
        info = opened.info()
        assert (info.records, info.first_id, info.last_id, info.damage) == (1000, 1, 1000, None)
        assert [segment.sequence for segment in info.segments] == [1, 2, 3, 4]
        assert {(counted.name, counted.records) for counted in info.types} == {("order.placed", 500), (None, 500)}
        assert info.tail.state == "closed" and info.segments[0].log == "orders"
        assert opened.counts() == {"order.placed": 500, 7: 500}
        assert opened.verify() and opened.verify().records == 1000
        assert opened.schema("order.placed").encoding == "json"
        with pytest.raises(KeyError):
            opened.schema("nothing")
        assert repr(opened) == f"<Log '{log}'>"
    assert opened.closed and repr(opened).endswith(", closed>")


def test_damage_is_an_error_behind_what_is_before_it_and_salvage_goes_on(log: Path, tmp_path: Path) -> None:
    second = sorted(log.glob("*.binlog"))[1]
    data = bytearray(second.read_bytes())
    data[len(data) // 2] ^= 0xFF
    second.write_bytes(data)
    records = binlog.open(log).records()
    seen: list[int] = []
    with pytest.raises(binlog.CorruptError) as caught:
        seen.extend(record.id for record in records)
    assert (caught.value.file, caught.value.kind) == (second, "corrupt") and caught.value.offset
    assert 0 < len([record.id for record in binlog.open(log).records(to_id=300)]) == 300
    losses: list[binlog.Loss] = []
    saved = ids(binlog.open(log, mode="salvage", on_loss=losses.append).records())
    lost = sum(loss.records for loss in losses)
    assert losses and len(saved) + lost == 1000 and set(saved) >= {1, 300, 901, 1000}
    found = binlog.open(log).verify()
    assert not found and found.records == len(saved)
    recovery = binlog.recover(log, tmp_path / "saved")
    assert (recovery.records, recovery.lost_records) == (len(saved), lost)
    assert ids(binlog.open(tmp_path / "saved").records()) == saved
    assert binlog.open(tmp_path / "saved").verify()


def test_segments_are_compressed_and_read_on(log: Path) -> None:
    done = binlog.compress(log)
    assert len(done) >= 3 and all(before > after for _, _, before, after in done[:3])
    assert ids(binlog.open(log).records()) == list(range(1, 1001))


def test_the_last_records_are_so_many_although_more_are_appended_before_they_are_read(tmp_path: Path) -> None:
    with binlog.Writer(tmp_path / "log", flush=True) as writer:
        writer.append_batch([b"early"] * 10)
        log = binlog.open(tmp_path / "log")
        for last in (0, 1, 3, 10):
            records = log.records(last=last)
            writer.append_batch([b"late"] * 50)
            assert len(list(records)) == last
        followed = log.records(last=2, follow=True, timeout=0.2)
        writer.append_batch([b"late"] * 5)
        assert len(list(followed)) == 7
