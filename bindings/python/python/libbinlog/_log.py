"""Logs that are read, and tables of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from . import _libbinlog
from ._aliases import Length, Mode, Names, Pairs, PathLike, Time, Types
from ._errors import invalid
from ._facts import Info, Loss, Segment, Split, TypeInfo, Verification
from ._libbinlog import Records
from ._times import to_bytes

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow

COLUMNS = ("id", "time", "type", "type_name", "metadata", "length", "payload", "text")
"""The columns of a table. It has them in this order, whatever the order in which they are asked for."""


def names_of(argument: str, given: Names) -> tuple[str, ...]:
    """The names that an argument has: of one name, or of several."""
    if isinstance(given, str):
        return (given,)
    wanted = f"{argument} must be a name or several names"
    if not isinstance(given, Iterable):
        raise TypeError(f"{wanted}, not {type(given).__name__}")
    names = tuple(given)
    for name in names:
        if not isinstance(name, str):
            raise TypeError(f"{wanted}, not of {type(name).__name__}")
    return names


class Log(_libbinlog.Log):
    """A log, or logs, at a path, a pattern or a URL; any number of threads may use one.

    Iterating over it shows all records.
    """

    def __new__(
        cls,
        location: PathLike,
        *,
        mode: Mode = "prefix",
        on_loss: Callable[[Loss], object] | None = None,
        log: str | None = None,
        require_name: str | None = None,
        require_content_type: str | None = None,
        require_parameters: Pairs | None = None,
        cache: PathLike | None = None,
        cache_bytes: int = 0,
        credentials: PathLike | None = None,
        block_max_bytes: int = 0,
    ) -> Log:
        """As `libbinlog.open`."""
        return super().__new__(
            cls, location, mode=mode, on_loss=on_loss, log=log, require_name=require_name,
            require_content_type=require_content_type, require_parameters=require_parameters, cache=cache,
            cache_bytes=cache_bytes, credentials=credentials, block_max_bytes=block_max_bytes,
        )

    @classmethod
    def _of_token(cls, token: str, location: PathLike | None = None, **options: Any) -> Log:
        return super().__new__(cls, location, token=token, **options)

    def records(
        self,
        *,
        type: Types | None = None,
        where: Pairs | None = None,
        since: Time | None = None,
        until: Time | None = None,
        from_id: int | None = None,
        to_id: int | None = None,
        last: int | None = None,
        reverse: bool = False,
        follow: bool = False,
        timeout: Length | None = None,
        events: bool = False,
        headers_only: bool = False,
        views: bool = False,
    ) -> Records:
        """Iterates over the records that meet all conditions, oldest first.

        :param type: names, patterns of names (``order.*``) or numbers, of which one must match
        :param where: pairs that the metadata must have
        :param since: not before this time: nanoseconds, a datetime, ISO 8601 or ``"-1h"``
        :param until: before this time
        :param from_id: from this id on
        :param to_id: up to and including this id
        :param last: only the last so many
        :param reverse: newest first
        :param follow: at the end, wait for more; Ctrl-C ends it, and so does `Records.close` in another thread
        :param timeout: end the waiting after so long without a record
        :param events: the library's own records too
        :param headers_only: do not read payloads
        :param views: payloads are views into what was read at a time, instead of bytes of their own
        """
        return self._records(
            type, where, since, until, from_id, to_id, last, reverse, follow, timeout, events, headers_only, views
        )

    def __iter__(self) -> Records:
        return self.records()

    def table(
        self,
        *,
        columns: Names | None = None,
        metadata: Names = (),
        decode: str | None = None,
        type: Types | None = None,
        where: Pairs | None = None,
        since: Time | None = None,
        until: Time | None = None,
        from_id: int | None = None,
        to_id: int | None = None,
        last: int | None = None,
        reverse: bool = False,
        events: bool = False,
        plain: bool = False,
        batch_rows: int | None = None,
        batch_bytes: int | None = None,
    ) -> Table:
        """The records that meet all conditions, as a table that engines read by Arrow's PyCapsule interface.

        Nothing is read yet. Each engine that takes the table reads the log as it is then.

        :param columns: a name or several of `COLUMNS`, and ``metadata.KEY``; None = all. The table has them in the order
            of `COLUMNS`. Without payload and text, only headers are read
        :param metadata: a key or several: a column ``metadata.KEY`` for each, behind the others
        :param decode: the name of a type: only its records, with a column ``value`` of its fields (needs pyarrow)
        :param plain: only types that every engine knows: int64, microseconds, utf8
        :param batch_rows: the most rows of a batch
        :param batch_bytes: a batch ends before it takes more
        """
        selection = {
            "type": type if decode is None else decode, "where": where, "since": since, "until": until,
            "from_id": from_id, "to_id": to_id, "last": last, "reverse": reverse, "events": events,
        }
        if decode is not None and type is not None:
            raise invalid("decode selects the type: leave type out")
        return Table(self, columns, metadata, plain, batch_rows, batch_bytes, selection, decode)

    def splits(
        self,
        *,
        target: int | str = "64MiB",
        most: int = 0,
        type: Types | None = None,
        where: Pairs | None = None,
        since: Time | None = None,
        until: Time | None = None,
        from_id: int | None = None,
        to_id: int | None = None,
        events: bool = False,
    ) -> list[Split]:
        """Divides the records that meet all conditions into parts for threads, processes or machines.

        Every such record of now is in exactly one split. Pass the same conditions again when a split is read.

        :param target: bytes of a split
        :param most: no more splits than this, as far as possible; 0 = no limit
        """
        return self._splits(
            to_bytes(target), most, type=type, where=where, since=since, until=until, from_id=from_id, to_id=to_id,
            events=events,
        )

    def types(self) -> list[TypeInfo]:
        """The named types of the log."""
        return self._types()

    def schema(self, name: str) -> TypeInfo:
        """The newest type of this name.

        :raises KeyError: when the log has none
        """
        if not isinstance(name, str):
            raise TypeError(f"name must be a str, not {type(name).__name__}")
        found = [info for info in self._types() if info.name == name]
        if not found:
            raise unknown_type(self, name)
        return max(found, key=lambda info: info.number)

    def segments(self) -> list[Segment]:
        """The segments by their headers, without counting records."""
        return self._segments()

    def info(self) -> Info:
        """What the log contains; taken from its index where it has one."""
        return self._info()

    def counts(self) -> dict[str | int, int]:
        """How many records of each type there are, by name, or by number where it has no name."""
        return self._counts()

    def verify(self) -> Verification:
        """Reads everything, and tells what is lost or damaged."""
        records, losses, tail, ok = self._verify()
        return Verification(ok, records, losses, tail)

    def __enter__(self) -> Log:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Log {str(self.location)!r}{', closed' if self.closed else ''}>"


def unknown_type(log: Log, name: str) -> KeyError:
    """The exception for the name of a type that the log does not have."""
    return KeyError(f"{log.location}: the log has no type {name!r}; types() returns those that it has")


def _kept(condition: object) -> object:
    """A condition that can be read each time the table is taken."""
    return list(condition) if isinstance(condition, Iterator) else condition


class Table:
    """The records of a log as columns. It reads nothing until an engine takes it, and may be taken again."""

    def __init__(
        self,
        log: Log,
        columns: Names | None,
        metadata: Names,
        plain: bool,
        batch_rows: int | None,
        batch_bytes: int | None,
        selection: Mapping[str, Any],
        decode: str | None = None,
    ) -> None:
        if decode is not None and not isinstance(decode, str):
            raise TypeError(f"decode must be the name of a type, not {type(decode).__name__}")
        asked = None if columns is None else names_of("columns", columns)
        keys = list(dict.fromkeys(names_of("metadata", metadata)))
        bits = 0
        for name in asked or ():
            if name.startswith("metadata."):
                if name[9:] not in keys:
                    keys.append(name[9:])
            elif name in COLUMNS:
                bits |= 1 << COLUMNS.index(name)
            elif name == "value" and decode is None:
                raise invalid("there is a column 'value' only of one type: name the type with decode")
            elif name != "value":
                raise invalid(f"there is no column {name!a}: the columns are {', '.join(COLUMNS)} and metadata.KEY")
        if asked is not None and not bits and not keys and decode is None:
            raise invalid("a table has one column at least: name one in columns, or leave columns out")
        # The library's 0 is all of them: keys alone need one column beside them.
        self._bits = bits or (0 if asked is None else 1)
        self._log = log
        self._form = (keys, plain, batch_rows, batch_bytes)
        self._selection: dict[str, Any] = {key: _kept(value) for key, value in selection.items()}
        self._decode = decode
        self._columns = asked
        log._check(self._bits, *self._form, **self._selection)

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """A stream of the records, for whatever imports Arrow data."""
        if self._decode is not None:
            return self.to_arrow_reader().__arrow_c_stream__(requested_schema)
        return self._log._stream(False, self._bits, *self._form, **self._selection)

    def __arrow_c_schema__(self) -> object:
        """The schema alone."""
        if self._decode is not None:
            return self.to_arrow_reader().schema.__arrow_c_schema__()
        return self._log._stream(True, self._bits, *self._form, **self._selection)

    def to_arrow_reader(self) -> pyarrow.RecordBatchReader:
        """A reader of record batches (needs pyarrow)."""
        import pyarrow

        if self._decode is None:
            return pyarrow.RecordBatchReader.from_stream(self)
        from ._decoded import decoded

        return decoded(self)

    def to_arrow(self) -> pyarrow.Table:
        """All of it in memory (needs pyarrow)."""
        return self.to_arrow_reader().read_all()

    def to_pandas(self, **options: Any) -> pandas.DataFrame:
        """All of it as a DataFrame (needs pandas and pyarrow)."""
        return self.to_arrow().to_pandas(**options)

    def to_polars(self) -> polars.DataFrame:
        """All of it as a DataFrame (needs polars)."""
        import polars

        return polars.DataFrame(self)

    def __repr__(self) -> str:
        conditions = "".join(f", {key}={value!r}" for key, value in self._selection.items() if value)
        return f"<Table of {str(self._log.location)!r}{conditions}>"


def open(  # noqa: A001
    location: PathLike,
    *,
    mode: Mode = "prefix",
    on_loss: Callable[[Loss], object] | None = None,
    log: str | None = None,
    require_name: str | None = None,
    require_content_type: str | None = None,
    require_parameters: Pairs | None = None,
    cache: PathLike | None = None,
    cache_bytes: int = 0,
    credentials: PathLike | None = None,
    block_max_bytes: int = 0,
) -> Log:
    """Opens a log to read it: a directory, a file, a pattern, an older library's file, or a URL.

    :param mode: what to do about damage: ``prefix`` reads what is before it, ``strict`` refuses an unclean end too,
        ``salvage`` goes on behind it
    :param on_loss: is called with each loss, in the mode ``salvage``; it must not read the same records
    :param log: only the log of this name, of several
    :param require_name: the log must have this name, or opening fails with `MismatchError`
    :param require_content_type: likewise
    :param require_parameters: likewise
    :param cache: for a URL: a directory that keeps what was fetched
    :param cache_bytes: how much it keeps; 0 = 1 GiB
    :param credentials: for a URL: a file of ``KEY=VALUE`` lines
    :param block_max_bytes: the most memory that one block may take; 0 = 4 GiB
    """
    return Log(
        location, mode=mode, on_loss=on_loss, log=log, require_name=require_name,
        require_content_type=require_content_type, require_parameters=require_parameters, cache=cache,
        cache_bytes=cache_bytes, credentials=credentials, block_max_bytes=block_max_bytes,
    )


