"""The exceptions of libbinlog. Each is also the exception of Python that programs expect in its place."""

from __future__ import annotations

import copyreg
import os
from pathlib import Path
from typing import Any


class Error(Exception):
    """A failure of libbinlog: what happened in which file, and where in it.

    The text is one line with file, offset and reason; the same facts are attributes.
    """

    kind: str = "error"
    """The kind of failure, such as ``"corrupt"``; each has a class of its own."""
    reason: str = ""
    """The reason alone, without file and offset."""
    file: Path | None = None
    """The file or directory that it happened in."""
    offset: int | None = None
    """The offset in that file, in bytes."""
    os_error: int | None = None
    """The system's ``errno``, when a system call failed."""
    record_id: int | None = None
    """The id of a record that an append took although it failed afterwards."""
    missed: tuple[int, int] | None = None
    """First and last id of the records that are no longer in the log."""

    def __reduce__(self) -> tuple[Any, ...]:
        facts = {name: getattr(self, name) for name in _FACTS}
        return _again, (type(self), str(self.args[0]) if self.args else "", facts)

    def __str__(self) -> str:
        # OSError and KeyError have texts of their own.
        return str(self.args[0]) if self.args else self.kind


class InvalidError(Error, ValueError):
    """The arguments are wrong; nothing was done."""

    kind = "invalid"


class ReadWriteError(Error, OSError):
    """The system failed to read or write."""

    kind = "io"


class CorruptError(Error):
    """The bytes of a file are not what a writer wrote."""

    kind = "corrupt"


class NotFoundError(Error, FileNotFoundError):
    """There is no such file or log."""

    kind = "not_found"


class LockedError(Error, BlockingIOError):
    """Another writer has the log open."""

    kind = "locked"


class TooLargeError(Error, ValueError):
    """A record, a batch or a block is over its limit."""

    kind = "too_large"


class UnsupportedError(Error, NotImplementedError):
    """This version of the library, or this kind of log, cannot do it."""

    kind = "unsupported"


class FailedError(Error, OSError):
    """An fsync failed earlier: the writer refuses to continue until the log is opened again."""

    kind = "failed"


class NoSpaceError(Error, OSError):
    """The disk, the quota or the file size limit is full. Writing works again once there is space."""

    kind = "no_space"


class ForkedError(Error, RuntimeError):
    """The writer was opened before a fork, and this is the child: open one of its own."""

    kind = "forked"


class MissedError(Error, LookupError):
    """Records were removed before they were read; ``missed`` has their ids. The next call continues behind them."""

    kind = "missed"


class MismatchError(Error):
    """The log is not the required one."""

    kind = "mismatch"


class NoMemoryError(Error, MemoryError):
    """The system has no memory for it. Nothing was done."""

    kind = "no_memory"


class InterruptedWaitError(Error, InterruptedError):
    """A wait was ended from outside."""

    kind = "interrupted"


class ClosedError(Error, ValueError):
    """The log, the writer or the records were closed before."""

    kind = "closed"


class DecodeError(Error, ValueError):
    """A payload cannot be decoded by the encoding and schema of its type."""

    kind = "decode"


_CLASSES: dict[str, type[Error]] = {
    kind.kind: kind
    for kind in (
        InvalidError, ReadWriteError, CorruptError, NotFoundError, LockedError, TooLargeError, UnsupportedError,
        FailedError, NoSpaceError, ForkedError, MissedError, MismatchError, NoMemoryError, InterruptedWaitError,
        ClosedError, DecodeError,
    )
}
_FACTS = ("kind", "reason", "file", "offset", "os_error", "record_id", "missed")


def _again(kind: type[Error], message: str, facts: dict[str, Any]) -> Error:
    made = kind(message)
    for name, value in facts.items():
        setattr(made, name, value)
    if isinstance(made, OSError):
        made.errno = facts.get("os_error")
        file = facts.get("file")
        made.filename = None if file is None else os.fspath(file)
    return made


def make(message: str, **facts: Any) -> Error:
    """The exception of the kind among ``facts``."""
    file = facts.get("file")
    facts["file"] = None if file is None else Path(file)
    return _again(_CLASSES.get(facts["kind"], Error), message, facts)


def invalid(reason: str) -> InvalidError:
    """The exception for an argument of the right type whose value is wrong."""
    made = make(reason, kind="invalid", reason=reason)
    assert isinstance(made, InvalidError)
    return made


# OSError has a __reduce__ of its own, which comes behind ours in every class.
for _class in _CLASSES.values():
    copyreg.pickle(_class, lambda error: error.__reduce__())
