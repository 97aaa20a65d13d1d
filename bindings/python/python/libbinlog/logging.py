"""A handler for Python's `logging`, which appends each message to a log."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

from ._libbinlog import Writer

__all__ = ["Handler"]

_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class Handler(logging.Handler):
    """Appends each message as a record: its type is the logger's name, its metadata the level and what ``extra`` adds.

    The payload is the formatted message in UTF-8. With ``as_json``, it is an object with the message's text, its
    level, place and ``extra``, which `Record.value` and the ``value`` column of a table show. The time is the one at
    which the message was made. Failures are handled as `logging` handles them (``logging.raiseExceptions``).
    """

    def __init__(
        self,
        writer: Writer,
        level: int | str = logging.NOTSET,
        *,
        type: str | int | Callable[[logging.LogRecord], str | int] | None = None,
        as_json: bool = False,
        sync_level: int | None = None,
    ) -> None:
        """
        :param writer: where messages are appended; it stays the caller's to close
        :param type: the type of all records, or a function that returns it; None = the logger's name
        :param as_json: payloads are JSON
        :param sync_level: messages of this level and above are durable before the logging call returns
        """
        super().__init__(level)
        self.writer = writer
        self._type = type
        self._as_json = as_json
        self._sync_level = sync_level
        self._known: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            given = self._type
            kind = given(record) if callable(given) else record.name if given is None else given
            extra = {key: value for key, value in vars(record).items() if key not in _OWN}
            if self._as_json:
                if isinstance(kind, str) and kind not in self._known:
                    self.writer.type(kind, content_type="application/json", encoding="json")
                    self._known.add(kind)
                payload = self._json(record, extra)
            else:
                payload = self.format(record).encode("utf-8", "backslashreplace")
            pairs = {"level": record.levelname}
            pairs.update((key, value if isinstance(value, str) else repr(value)) for key, value in extra.items())
            time = getattr(record, "created_ns", None) or int(record.created * 1_000_000_000)
            self.writer.append(payload, kind, pairs, time)
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
        return json.dumps(value, default=repr, ensure_ascii=False).encode("utf-8", "backslashreplace")

    def flush(self) -> None:
        """Hands everything to the system, unless the writer is closed."""
        if not self.writer.closed:
            self.writer.flush()
