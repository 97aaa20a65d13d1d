from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, final

from ._aliases import Buffer, Length, Pairs, PathLike, Time, Types
from ._facts import Info, Loss, Position, Recovery, Segment, Split, Tail, TypeInfo

__all__ = [
    "__version__", "Log", "Record", "Records", "Decoder", "Writer", "_check_interpreter", "recover", "recover_in_place",
    "rebuild_index", "compress",
]
__version__: str

class Log:
    def __new__(
        cls,
        location: PathLike | None,
        *,
        token: str | None = None,
        mode: str | None = None,
        on_loss: Callable[[Loss], object] | None = None,
        log: str | None = None,
        require_name: str | None = None,
        require_content_type: str | None = None,
        require_parameters: Pairs | None = None,
        cache: PathLike | None = None,
        cache_bytes: int | None = None,
        credentials: PathLike | None = None,
        block_max_bytes: int | None = None,
    ) -> Self: ...
    @property
    def location(self) -> Path | str: ...
    @property
    def closed(self) -> bool: ...
    def close(self) -> None: ...
    def _records(
        self,
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
    ) -> Records: ...
    def _stream(
        self,
        only_schema: bool,
        columns: int,
        metadata: list[str],
        plain: bool,
        batch_rows: int | None,
        batch_bytes: int | None,
        *,
        type: Types | None = None,
        where: Pairs | None = None,
        since: Time | None = None,
        until: Time | None = None,
        from_id: int | None = None,
        to_id: int | None = None,
        last: int | None = None,
        reverse: bool = False,
        events: bool = False,
    ) -> object: ...
    def _check(
        self,
        columns: int,
        metadata: list[str],
        plain: bool,
        batch_rows: int | None,
        batch_bytes: int | None,
        *,
        type: Types | None = None,
        where: Pairs | None = None,
        since: Time | None = None,
        until: Time | None = None,
        from_id: int | None = None,
        to_id: int | None = None,
        last: int | None = None,
        reverse: bool = False,
        events: bool = False,
    ) -> None: ...
    def _splits(
        self,
        target_bytes: int,
        most: int,
        *,
        type: Types | None = None,
        where: Pairs | None = None,
        since: Time | None = None,
        until: Time | None = None,
        from_id: int | None = None,
        to_id: int | None = None,
        events: bool = False,
    ) -> list[Split]: ...
    def _types(self) -> list[TypeInfo]: ...
    def _decoders(self, name: str) -> list[tuple[int, Decoder | str]]: ...
    def _segments(self) -> list[Segment]: ...
    def _info(self) -> Info: ...
    def _counts(self) -> dict[str | int, int]: ...
    def _verify(self) -> tuple[int, list[Loss], Tail, bool]: ...

@final
class Record:
    """A record of a log. It keeps its bytes itself, also after the log was closed."""

    @property
    def id(self) -> int: ...
    @property
    def time(self) -> datetime: ...
    @property
    def time_ns(self) -> int: ...
    @property
    def type(self) -> str | int: ...
    @property
    def type_number(self) -> int: ...
    @property
    def type_name(self) -> str | None: ...
    @property
    def metadata(self) -> dict[str, str]: ...
    @property
    def pairs(self) -> list[tuple[str, str]]: ...
    @property
    def payload(self) -> bytes: ...
    @property
    def length(self) -> int: ...
    @property
    def is_event(self) -> bool: ...
    @property
    def event(self) -> str | None: ...
    @property
    def text(self) -> str: ...
    @property
    def value(self) -> Any: ...
    def __len__(self) -> int: ...
    def __bool__(self) -> bool: ...
    def __bytes__(self) -> bytes: ...

@final
class Records(Iterator[Record]):
    """Iterates over records. Threads may share one: each record is shown once."""

    def __iter__(self) -> Self: ...
    def __next__(self) -> Record: ...
    def wait(self, timeout: Length | None = None) -> bool: ...
    @property
    def tail(self) -> Tail: ...
    @property
    def closed(self) -> bool: ...
    def close(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

@final
class Decoder:
    """Decodes payloads of one encoding and schema, without a log."""

    def __new__(
        cls, encoding: str, schema: Buffer | None = None, message: str = "", content_type: str = ""
    ) -> Self: ...
    def decode(self, payload: Buffer) -> Any: ...
    def to_json(self, payload: Buffer) -> str | None: ...

class Writer:
    def __new__(cls, location: PathLike, single_file: bool, options: dict[str, Any]) -> Self: ...
    def append(
        self, payload: Buffer, type: str | int | None = None, metadata: Pairs | None = None, time: Time | None = None
    ) -> int: ...
    def gather(
        self,
        parts: Iterable[Buffer],
        type: str | int | None = None,
        metadata: Pairs | None = None,
        time: Time | None = None,
    ) -> int: ...
    def append_batch(
        self,
        records: Iterable[Buffer | tuple[Any, ...]],
        type: str | int | None = None,
        metadata: Pairs | None = None,
        time: Time | None = None,
    ) -> int: ...
    def type(
        self,
        name: str,
        *,
        content_type: str = "",
        encoding: str = "",
        message: str = "",
        schema: Buffer | None = None,
    ) -> int: ...
    def flush(self) -> None: ...
    def sync(self) -> None: ...
    def roll(self) -> None: ...
    def tick(self) -> None: ...
    def close(self) -> None: ...
    @property
    def position(self) -> Position: ...
    @property
    def dropped(self) -> int: ...
    @property
    def failures(self) -> int: ...
    @property
    def closed(self) -> bool: ...
    @property
    def location(self) -> Path: ...

def _check_interpreter() -> None: ...
def recover(source: PathLike, target: PathLike, *, on_loss: Callable[[Loss], object] | None = None) -> Recovery: ...
def recover_in_place(location: PathLike, *, on_loss: Callable[[Loss], object] | None = None) -> Recovery: ...
def rebuild_index(location: PathLike) -> list[Path]: ...
def compress(
    location: PathLike,
    *,
    codec: Literal["lz4", "zstd"] = "zstd",
    level: int | None = None,
    threads: int = 1,
    keep_source: bool = False,
    dry_run: bool = False,
    log: str | None = None,
) -> list[tuple[Path, Path, int, int]]: ...
