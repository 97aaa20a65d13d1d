"""The types of arguments."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Literal, TypeAlias

PathLike: TypeAlias = str | os.PathLike[str]
Buffer: TypeAlias = bytes | bytearray | memoryview
Types: TypeAlias = str | int | Iterable[str | int]
Names: TypeAlias = str | Iterable[str]
Pairs: TypeAlias = Mapping[str, str] | Iterable[tuple[str, str]]
Time: TypeAlias = int | datetime | str
Length: TypeAlias = float | timedelta | str
Mode: TypeAlias = Literal["prefix", "strict", "salvage"]
