"""A handler for Python's `logging`, which appends each message to a log."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable
from typing import Any

from ._errors import ForkedError
from ._libbinlog import Writer

__all__ = ["Handler"]

_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_DEEPEST = 20
# Python refuses to write ints of some thousand digits.
_MOST_BITS = 8192


class Handler(logging.Handler):
    """Appends each message as a record: its type is the logger's name, its metadata the level and what ``extra`` adds.

    The payload is the formatted message in UTF-8. With ``as_json``, it is an object with the message's text, its
    level, place and ``extra``, which `Record.value` and the ``value`` column of a table show. The time is the one at
    which the message was made.

    A message is kept whatever ``extra`` has: what UTF-8 or JSON cannot express is replaced. The logging call raises
    nothing: failures are handled as `logging` handles them (``logging.raiseExceptions``, `handleError`).
    """

    def __init__(
        self,
        writer: Writer,
        level: int | str = logging.NOTSET,
        *,
        type: str | int | Callable[[logging.LogRecord], str | int] | None = None,
        as_json: bool = False,
        sync_level: int | str | None = None,
    ) -> None:
        """
        :param writer: where messages are appended; it stays the caller's to close
        :param level: messages below this level are not taken, as of every handler; `setLevel` changes it
        :param type: the type of all records, or a function that returns it; None = the logger's name
        :param as_json: payloads are JSON
        :param sync_level: messages of this level and above are durable before the logging call returns
        """
        super().__init__(level)
        if not isinstance(writer, Writer):
            raise TypeError(f"writer must be a Writer, not {_class_of(writer)}")
        if type is not None and (isinstance(type, bool) or not (isinstance(type, (str, int)) or callable(type))):
            raise TypeError(f"type must be a name, a number or callable, not {_class_of(type)}")
        self.writer = writer
        self._type = type
        self._as_json = as_json
        # A level has a number or a name, and logging knows which.
        self._sync_level = None if sync_level is None else logging.Handler(sync_level).level
        self._known: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        """Appends the message."""
        try:
            given = self._type
            kind = given(record) if callable(given) else record.name if given is None else given
            if isinstance(kind, str):
                kind = _text(kind)
            extra = {key: value for key, value in vars(record).items() if key not in _OWN}
            if self._as_json:
                if isinstance(kind, str) and kind not in self._known:
                    self.writer.type(kind, content_type="application/json", encoding="json")
                    self._known.add(kind)
                payload = self._json(record, extra)
            else:
                payload = self.format(record).encode("utf-8", "backslashreplace")
            pairs = {"level": _text(str(record.levelname))}
            for key, value in extra.items():
                name = "extra.level" if key == "level" else _text(str(key))
                pairs[name] = _text(value if isinstance(value, str) else _shown(value))
            self.writer.append(payload, kind, pairs, int(record.created * 1_000_000_000))
            if self._sync_level is not None and record.levelno >= self._sync_level:
                self.writer.sync()
        except Exception:
            self.handleError(record)

    def _json(self, record: logging.LogRecord, extra: dict[str, Any]) -> bytes:
        value: dict[str, Any] = {
            "message": record.getMessage(), "level": record.levelname, "logger": record.name,
            "file": record.pathname, "line": record.lineno, "function": record.funcName,
            "process": record.process, "thread": record.threadName,
        }
        if record.exc_info:
            value["exception"] = (self.formatter or logging.Formatter()).formatException(record.exc_info)
        if extra:
            value["extra"] = extra
        return json.dumps(_plain(value, _DEEPEST), ensure_ascii=False, allow_nan=False).encode("utf-8")

    def flush(self) -> None:
        """Hands everything to the system, unless the writer is closed, or belongs to the parent of this process."""
        if not self.writer.closed:
            try:
                self.writer.flush()
            except ForkedError:
                # logging flushes all handlers when a process ends, and the parent flushes its own.
                pass


def _class_of(value: object) -> str:
    return type(value).__name__


def _text(text: str) -> str:
    """The text, with escapes in place of lone surrogates, which UTF-8 does not have."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _shown(value: object) -> str:
    """The value's repr, or that it has none: a message is not lost for that."""
    try:
        return repr(value)
    except Exception:
        return f"<unprintable {_class_of(value)} object>"


def _plain(value: object, deepest: int) -> Any:
    """The value as JSON can express it: null for numbers that are not finite, and the repr of what JSON has no form for."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and value.bit_length() < _MOST_BITS:
        return value
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    # The repr of a value ends where the value contains itself.
    if isinstance(value, dict) and deepest > 0:
        return {
            _text(key if isinstance(key, str) else _shown(key)): _plain(one, deepest - 1) for key, one in value.items()
        }
    if isinstance(value, (list, tuple)) and deepest > 0:
        return [_plain(one, deepest - 1) for one in value]
    return _text(_shown(value))
