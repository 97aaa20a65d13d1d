"""Other threads run while the library waits, reads, writes and syncs."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import libbinlog as binlog

BIG = bytes(1 << 20)


def waits(log: binlog.Log, _writer: binlog.Writer) -> object:
    return log.records(from_id=10**9).wait(0.05)


def follows(log: binlog.Log, _writer: binlog.Writer) -> object:
    return list(log.records(from_id=10**9, follow=True, timeout=0.05))


def reads(log: binlog.Log, _writer: binlog.Writer) -> object:
    return next(log.records())


def verifies(log: binlog.Log, _writer: binlog.Writer) -> object:
    return log.verify()


def plans(log: binlog.Log, _writer: binlog.Writer) -> object:
    return log.splits()


def counts(log: binlog.Log, _writer: binlog.Writer) -> object:
    return log.counts()


def opens(log: binlog.Log, _writer: binlog.Writer) -> object:
    return binlog.open(log.location)


def syncs(_log: binlog.Log, writer: binlog.Writer) -> None:
    writer.append(b"x")
    writer.sync()


def flushes(_log: binlog.Log, writer: binlog.Writer) -> None:
    writer.append(b"x")
    writer.flush()


def appends_much(_log: binlog.Log, writer: binlog.Writer) -> object:
    return writer.append(BIG)


def appends_a_batch(_log: binlog.Log, writer: binlog.Writer) -> object:
    return writer.append_batch([BIG, BIG])


@pytest.mark.parametrize("call", [
    waits, follows, reads, verifies, plans, counts, opens, syncs, flushes, appends_much, appends_a_batch,
])
def test_the_gil_is_given_away(tmp_path: Path, call: Callable[[binlog.Log, binlog.Writer], Any]) -> None:
    with binlog.Writer(tmp_path / "log") as writer:
        writer.append_batch([BIG] * 4)
        writer.flush()
        log = binlog.open(tmp_path / "log")
        ran = False
        begin = threading.Lock()
        begin.acquire()

        def other() -> None:
            nonlocal ran
            with begin:
                ran = True

        thread = threading.Thread(target=other)
        thread.start()
        # Python itself takes the GIL from nobody meanwhile, so the other thread runs only if the call gives it away.
        interval = sys.getswitchinterval()
        sys.setswitchinterval(100)
        try:
            begin.release()
            # A call may be over before the other thread has woken up.
            deadline = time.monotonic() + 20
            while not ran and time.monotonic() < deadline:
                call(log, writer)
            assert ran
        finally:
            sys.setswitchinterval(interval)
            thread.join()
