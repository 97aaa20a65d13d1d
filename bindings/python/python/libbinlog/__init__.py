"""Append-only structured binary logs: durable, checksummed, and read as tables.

>>> import libbinlog as binlog
>>> with binlog.Writer("logs/") as writer:                                    # doctest: +SKIP
...     writer.append(b"42 apples", type="order.placed", metadata={"host": "a"})
>>> for record in binlog.open("logs/").records(type="order.*", since="-1h"):  # doctest: +SKIP
...     print(record.id, record.time, record.type, record.payload)
"""

from __future__ import annotations

from . import _libbinlog, logging
from ._errors import (
    ClosedError,
    CorruptError,
    DecodeError,
    Error,
    FailedError,
    ForkedError,
    InterruptedWaitError,
    InvalidError,
    LockedError,
    MismatchError,
    MissedError,
    NoMemoryError,
    NoSpaceError,
    NotFoundError,
    ReadWriteError,
    TooLargeError,
    UnsupportedError,
)
from ._facts import (
    Info,
    Loss,
    Position,
    Recovery,
    Segment,
    SegmentFile,
    SegmentState,
    Split,
    Tail,
    TypeCount,
    TypeInfo,
    Verification,
)
from ._libbinlog import Decoder, Record, Records, compress, rebuild_index, recover, recover_in_place
from ._log import COLUMNS, Log, Table, open
from ._scan import scan
from ._writer import Keep, Lag, NewRecord, Roll, Writer

_libbinlog._check_interpreter()
__version__: str = _libbinlog.__version__

__all__ = [
    "COLUMNS",
    "ClosedError",
    "CorruptError",
    "DecodeError",
    "Decoder",
    "Error",
    "FailedError",
    "ForkedError",
    "Info",
    "InterruptedWaitError",
    "InvalidError",
    "Keep",
    "Lag",
    "LockedError",
    "Log",
    "Loss",
    "MismatchError",
    "MissedError",
    "NewRecord",
    "NoMemoryError",
    "NoSpaceError",
    "NotFoundError",
    "Position",
    "ReadWriteError",
    "Record",
    "Records",
    "Recovery",
    "Roll",
    "Segment",
    "SegmentFile",
    "SegmentState",
    "Split",
    "Table",
    "Tail",
    "TooLargeError",
    "TypeCount",
    "TypeInfo",
    "UnsupportedError",
    "Verification",
    "Writer",
    "compress",
    "logging",
    "open",
    "rebuild_index",
    "recover",
    "recover_in_place",
    "scan",
]
