"""Times, lengths of time and numbers of bytes, as callers write them."""

from __future__ import annotations

import operator
import re
import time
from datetime import datetime, timedelta, timezone
from typing import Any

from ._errors import invalid

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MICROSECOND = timedelta(microseconds=1)
_UNITS = {
    "ns": 1, "us": 1_000, "µs": 1_000, "ms": 1_000_000, "s": 1_000_000_000, "m": 60_000_000_000,
    "h": 3_600_000_000_000, "d": 86_400_000_000_000, "w": 604_800_000_000_000,
}
_PART = re.compile(r"(\d+)(ns|us|µs|ms|s|m|h|d|w)")
_FRACTION = re.compile(r"[.,]\d{6}(\d{1,3})")
_LENGTH = re.compile(rf"(?:{_PART.pattern})+")


def _length(text: str) -> int | None:
    """Nanoseconds of a length such as ``1h30m``; None for another text."""
    if not _LENGTH.fullmatch(text):
        return None
    try:
        return sum(int(number) * _UNITS[unit] for number, unit in _PART.findall(text))
    except ValueError:
        # Python refuses to read thousands of digits.
        return None


def _index(value: Any) -> int | None:
    """The value of an integer, which may also be one of NumPy; None for others. A bool is no integer here."""
    try:
        return None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        return None


def to_ns(value: object) -> int:
    """Nanoseconds since the Unix epoch.

    An int is just that; a datetime without a time zone is local time; a text is a time of ISO 8601 (UTC unless it says
    otherwise), ``"now"``, or a length before now, such as ``"-1h30m"``.
    """
    if isinstance(value, datetime):
        try:
            return (value.astimezone(timezone.utc) - _EPOCH) // _MICROSECOND * 1000
        except (OverflowError, ValueError):
            # In UTC its year is before 1 or after 9999.
            raise invalid(f"the time {value} is out of range") from None
    if not isinstance(value, str):
        if (number := _index(value)) is not None:
            return number
        raise TypeError(f"a time must be an int of nanoseconds, a datetime or a str, not {type(value).__name__}")
    if value == "now":
        return time.time_ns()
    if value.startswith("-") and (length := _length(value[1:])) is not None:
        return time.time_ns() - length
    try:
        parsed = datetime.fromisoformat(value)
    except ValueError:
        raise invalid(f"{value!a} is no time: write 2026-11-25T08:00, -1h30m, or now") from None
    if parsed.tzinfo is None:
        parsed = parsed.replace(tzinfo=timezone.utc)
    # A datetime has no nanoseconds.
    fraction = _FRACTION.search(value)
    nanoseconds = int(fraction[1].ljust(3, "0")) if fraction else 0
    return to_ns(parsed) + nanoseconds


def to_seconds(value: object) -> float:
    """Seconds of a number of them, a timedelta, or a text such as ``"500ms"``."""
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, str):
        length = _length(value)
        if length is None:
            raise invalid(f"{value!a} is no length of time: write 500ms, 10s or 1h30m")
        return _divided(length, 1_000_000_000)
    if isinstance(value, float):
        return value
    if (number := _index(value)) is not None:
        return _divided(number, 1)
    raise TypeError(f"a length of time must be seconds, a timedelta or a str, not {type(value).__name__}")


def _divided(number: int, divisor: int) -> float:
    try:
        return number / divisor
    except OverflowError:
        raise invalid("a length of time is too long for a float of seconds: leave it out to wait without an end") from None


def from_ns(ns: int) -> datetime:
    """The time in UTC; microseconds are rounded down."""
    try:
        return _EPOCH + timedelta(microseconds=ns // 1000)
    except OverflowError:
        return datetime.max.replace(tzinfo=timezone.utc) if ns > 0 else datetime.min.replace(tzinfo=timezone.utc)


def to_bytes(value: object) -> int:
    """A number of bytes, or a text such as ``"64MiB"``."""
    if (number := _index(value)) is not None:
        return number
    if not isinstance(value, str):
        raise TypeError(f"a number of bytes must be an int or a str, not {type(value).__name__}")
    found = re.fullmatch(r"(\d{1,30})\s*(B|[KMGT]i?B?)?", value.strip(), re.IGNORECASE)
    if found is None:
        raise invalid(f"{value!a} is no number of bytes: write 67108864 or 64MiB")
    unit = (found[2] or "B").upper()
    power = "BKMGT".index(unit[0])
    base = 1000 if unit.endswith("B") and "I" not in unit and power else 1024
    return int(found[1]) * int(base**power)
