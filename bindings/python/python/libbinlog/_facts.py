"""What libbinlog tells of logs, as dataclasses that do not change."""

from __future__ import annotations

import builtins
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ._errors import Error
from ._times import from_ns

if TYPE_CHECKING:
    from ._log import Log, Table
    from ._libbinlog import Records


@dataclass(frozen=True)
class Position:
    """How far a log is appended, flushed and durable: the id of the last record, 0 for none."""

    appended: int
    """Taken by the writer: survives nothing yet."""
    flushed: int
    """Handed to the system: survives the process."""
    durable: int
    """On the disk: survives the machine."""


@dataclass(frozen=True)
class Loss:
    """Something that a reader could not read, or skips."""

    kind: str
    file: Path
    offset: int
    bytes: int
    ids: tuple[int, int] | None
    """First and last id of the lost records, if they are known."""
    pages: tuple[int, int] | None
    reason: str
    durable: bool
    """Whether the bytes had been made durable: then a disk or a person damaged them, and not a crash."""

    @property
    def records(self) -> int:
        """How many records are known to be lost."""
        return 0 if self.ids is None else self.ids[1] - self.ids[0] + 1


@dataclass(frozen=True)
class Tail:
    """Where reading came to an end, and why."""

    state: str
    """``more``, ``closed``, ``live``, ``unclosed``, ``torn`` or ``corrupt``."""
    next_id: int
    """Where to continue reading later."""
    file: Path
    offset: int
    unread_bytes: int
    reason: str


@dataclass(frozen=True)
class TypeInfo:
    """A type as its log describes it."""

    number: int
    name: str
    content_type: str
    encoding: str
    message: str
    schema: bytes | None = field(repr=False)
    schema_sha256: str | None


@dataclass(frozen=True)
class TypeCount:
    """What a log contains of one type."""

    number: int
    name: str | None
    records: int
    payload_bytes: int


@dataclass(frozen=True)
class Segment:
    """A segment of a log: one file."""

    file: Path
    bytes: int | None
    """None for a file that is compressed as a whole."""
    records: int | None
    """None where they were not counted."""
    closed: bool | None
    live: bool
    log: str
    log_id: builtins.bytes
    content_type: str
    parameters: dict[str, str]
    sequence: int
    first_id: int
    created_ns: int
    writer: str

    @property
    def created(self) -> datetime:
        """When it was begun."""
        return from_ns(self.created_ns)


@dataclass(frozen=True)
class Info:
    """What a log contains."""

    records: int
    payload_bytes: int
    first_id: int | None
    last_id: int | None
    first_time_ns: int | None
    last_time_ns: int | None
    types: list[TypeCount]
    """The most frequent type first."""
    segments: list[Segment]
    tail: Tail
    damage: Error | None
    """The damage at which reading stopped; what comes after it is not counted."""


@dataclass(frozen=True)
class Verification:
    """What a reading of everything found."""

    ok: bool
    """Whether nothing is lost, and the log does not end torn."""
    records: int
    losses: list[Loss]
    tail: Tail

    def __bool__(self) -> bool:
        return self.ok


@dataclass(frozen=True)
class Recovery:
    """What a recovery saved and what it could not."""

    records: int
    lost_records: int
    losses: int
    segments: tuple[tuple[Path, Path, int], ...]
    """Of each segment: the file that was read, the file that was written, and its records."""


@dataclass(frozen=True)
class SegmentFile:
    """A segment as the functions ``on_open`` and ``on_close`` get it."""

    file: Path
    log: str
    sequence: int
    created_ns: int
    first_id: int
    records: int
    bytes: int
    reason: str
    """Why it was closed: ``bytes``, ``period``, ``age``, ``records``, ``check``, ``close`` and others."""


@dataclass(frozen=True)
class SegmentState:
    """The segment that is being written, as a check for rolling gets it."""

    file: Path
    sequence: int
    created_ns: int
    now_ns: int
    bytes: int
    first_id: int
    records: int


@dataclass(frozen=True)
class Split:
    """A part of a log that is read independently of the others: in another thread, process or machine.

    The token alone is enough: ``Split(token)`` opens the same part elsewhere. The selection of the plan is not in it;
    pass it again.
    """

    token: str
    location: str = ""
    first_id: int | None = None
    last_id: int | None = None
    records: int | None = None
    """How many records it may have at most."""
    bytes: int | None = None
    first_time_ns: int | None = None
    last_time_ns: int | None = None

    def open(self, **options: Any) -> Log:
        """The split as a log; options as of `libbinlog.open`."""
        from ._log import Log

        return Log._of_token(self.token, **options)

    def records_of(self, **selection: Any) -> Records:
        """The records of the split; arguments as of `Log.records`."""
        return self.open().records(**selection)

    def table(self, **selection: Any) -> Table:
        """The split as a table; arguments as of `Log.table`."""
        return self.open().table(**selection)
