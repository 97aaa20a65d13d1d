"""Logs that are written."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, NamedTuple, TypeAlias, TypedDict

from . import _libbinlog
from ._aliases import Buffer, Length, Pairs, PathLike, Time
from ._errors import Error
from ._facts import Position, SegmentFile, SegmentState

Hook: TypeAlias = Callable[[SegmentFile], "Path | str | None"]


class NewRecord(NamedTuple):
    """A record for `Writer.append_batch`; a tuple of the same fields does too."""

    payload: Buffer
    type: str | int | None = None
    metadata: Pairs | None = None
    time: Time | None = None


class Lag(TypedDict, total=False):
    """How far a position may lag behind: each rule alone is enough."""

    records: int
    bytes: int
    interval: Length


class Roll(TypedDict, total=False):
    """When a log begins its next segment, and how segments are named."""

    period: str | float
    """``HOUR``, ``DAY`` and others, or seconds: at each multiple of it by the clock of ``zone``."""
    zone: str
    """A time zone of the IANA database; ``""`` = UTC."""
    age: Length
    """So long after the segment was begun."""
    records: int
    """After so many records."""
    template: str
    """Of the names: ``{name}``, ``{seq}``, and strftime's ``%Y``, ``%m`` and others."""
    check: Callable[[SegmentState], bool]
    """When this returns true."""


class Keep(TypedDict, total=False):
    """Which old segments are removed: those that any rule names."""

    age: Length
    segments: int
    bytes: int
    unshipped: bool


class Writer(_libbinlog.Writer):
    """Appends to a log, from any number of threads. Use it with ``with``, or close it.

    A record that was appended is in memory. `flush` hands it to the system, and `sync` makes it durable; by default the
    first append a second later flushes it, or the background thread on time. `position` tells how far each is.
    """

    def __new__(
        cls,
        location: PathLike,
        *,
        single_file: bool = False,
        name: str = "default",
        content_type: str = "application/octet-stream",
        parameters: Pairs | None = None,
        flush: bool | int | Length | Lag | None = None,
        sync: bool | int | Length | Lag | None = None,
        roll: str | float | Roll | None = None,
        keep: Keep | None = None,
        segment_bytes: int | None = None,
        codec: Literal["none", "lz4", "zstd"] = "none",
        codec_level: int = 0,
        block_bytes: int | None = None,
        index_bytes: int | None = None,
        record_max_bytes: int | None = None,
        schema_bytes: int | None = None,
        fill_ahead: int | None = None,
        file_mode: int = 0o640,
        file_group: int | None = None,
        background: bool = False,
        full_disk: Literal["fail", "wait", "drop"] | Length = "fail",
        heartbeat: Length | None = None,
        ship: str | None = None,
        on_open: Hook | Iterable[Hook] | None = None,
        on_close: Hook | Iterable[Hook] | None = None,
        on_failure: Callable[[Error], object] | None = None,
        require_name: str | None = None,
        require_content_type: str | None = None,
        require_parameters: Pairs | None = None,
    ) -> Writer:
        """Opens the log in a directory; both are created when they do not exist.

        :param single_file: ``location`` is the path of a log that is one file, and never rolls
        :param name: the log's name, which begins the names of its files
        :param content_type: the MIME type of the payloads
        :param parameters: the program's own facts about the log
        :param flush: how far flushing may lag: True = each record, a number = so many records, a length of time, or a
            dict of these (`Lag`); a second by default
        :param sync: how far durability may lag, likewise; by default only `sync` and `close` make records durable
        :param roll: a period such as ``"HOUR"``, or a dict of rules (`Roll`)
        :param keep: which old segments are removed (`Keep`); by default none
        :param segment_bytes: the most bytes of a segment, 1 GiB by default
        :param codec: compression of payloads, block by block
        :param codec_level: zstd's level
        :param block_bytes: payload bytes of a block, 128 KiB by default
        :param index_bytes: an index is written after so many bytes, 64 MiB by default
        :param record_max_bytes: the longest payload that is accepted
        :param schema_bytes: the most bytes of all schemas together, 1 MiB by default
        :param fill_ahead: how far files are filled with zeros ahead of their blocks, which makes a sync quicker
        :param file_mode: permission bits of files
        :param file_group: number of the group that owns files
        :param background: encode and write in a thread of the library
        :param full_disk: what an append does when the disk is full; a length of time = wait so long
        :param heartbeat: write a heartbeat event after so long
        :param ship: a store's URL that closed segments are shipped to
        :param on_open: functions that are called with each segment that is begun
        :param on_close: likewise when it is closed; they may move the file and return its new path
        :param on_failure: is called with failures that no call raises
        :param require_name: an existing log must have this name, or opening fails with `MismatchError`
        :param require_content_type: likewise
        :param require_parameters: likewise
        """
        options: dict[str, Any] = {
            key: value for key, value in locals().items() if key not in ("cls", "location", "single_file", "__class__")
        }
        return super().__new__(cls, location, single_file, options)

    @property
    def position(self) -> Position:
        """How far the log is appended, flushed and durable."""
        return super().position

    def __enter__(self) -> Writer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Writer {str(self.location)!r}{', closed' if self.closed else ''}>"
