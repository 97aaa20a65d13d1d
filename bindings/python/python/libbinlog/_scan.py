"""A log as a LazyFrame of polars, whose conditions and columns reach the log."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ._aliases import Names, PathLike
from ._log import COLUMNS, Log, Table, names_of

if TYPE_CHECKING:
    import polars

_NONE_BEFORE = -(2**63)
_NONE_AFTER = 2**63 - 1
_MIRROR = {"Lt": "Gt", "LtEq": "GtEq", "Gt": "Lt", "GtEq": "LtEq", "Eq": "Eq"}


@dataclass
class _Conditions:
    """What a predicate says that the log's filter has too. It never says more than the predicate."""

    since: int = _NONE_BEFORE
    until: int = _NONE_AFTER
    from_id: int = 0
    to_id: int = 2**64 - 1
    types: set[int | str] | None = None
    where: dict[str, str] = field(default_factory=dict)
    is_empty: bool = False

    def add(self, column: str, operator: str, value: Any) -> None:
        if column == "id" and isinstance(value, int):
            self._add_id(operator, value)
        elif column == "time" and isinstance(value, int):
            self._add_time(operator, value)
        elif column == "type_name" and operator == "Eq" and isinstance(value, str):
            self.take({value})
        elif column == "type" and operator == "Eq" and isinstance(value, int) and 0 <= value < 2**32:
            self.take({value})
        elif column.startswith("metadata.") and operator == "Eq" and isinstance(value, str):
            key = column[9:]
            self.is_empty |= self.where.setdefault(key, value) != value

    def take(self, types: set[int | str]) -> None:
        # Names and numbers cannot be compared with each other here: the first condition is kept.
        if self.types is None:
            self.types = types

    def _add_id(self, operator: str, value: int) -> None:
        if operator in ("Gt", "GtEq", "Eq"):
            self.from_id = max(self.from_id, value + (operator == "Gt"))
        if operator in ("Lt", "LtEq", "Eq"):
            self.to_id = min(self.to_id, value - (operator == "Lt"))

    def _add_time(self, operator: str, value: int) -> None:
        if operator in ("Gt", "GtEq", "Eq"):
            self.since = max(self.since, value + (operator == "Gt"))
        if operator in ("Lt", "LtEq", "Eq"):
            self.until = min(self.until, value + (operator != "Lt"))

    def selection(self) -> dict[str, Any] | None:
        """The arguments for the log; None when nothing can match."""
        if self.is_empty or self.from_id > self.to_id or self.since > self.until or self.from_id >= 2**64:
            return None
        if self.types is not None and any(isinstance(one, str) and set(one) & set("*?[") for one in self.types):
            # The name is no pattern: the predicate itself compares it.
            self.types = None
        found: dict[str, Any] = {"where": self.where or None}
        if self.types is not None:
            found["type"] = sorted(self.types, key=repr)
        if self.from_id > 0:
            found["from_id"] = self.from_id
        if self.to_id < 2**64 - 1:
            found["to_id"] = self.to_id
        if self.since > _NONE_BEFORE:
            found["since"] = self.since
        if self.until < _NONE_AFTER:
            found["until"] = self.until
        return found


def _find(node: Any, conditions: _Conditions) -> None:
    """Walks the parts of a predicate that all must hold; what it does not know, it leaves alone."""
    if not isinstance(node, dict):
        return
    if (binary := node.get("BinaryExpr")) is not None:
        operator = binary.get("op")
        left, right = binary.get("left"), binary.get("right")
        if operator in ("And", "LogicalAnd"):
            _find(left, conditions)
            _find(right, conditions)
        elif operator in _MIRROR:
            _compare(left, operator, right, conditions)


def _compare(left: Any, operator: str, right: Any, conditions: _Conditions) -> None:
    column, value = _column(left), _literal(right)
    if column is None:
        column, value, operator = _column(right), _literal(left), _MIRROR[operator]
    if column is not None and value is not None:
        conditions.add(column, operator, value)


def _column(node: Any) -> str | None:
    while isinstance(node, dict) and "Cast" in node:
        # The dictionary of names as texts, which compare alike.
        if _column(node["Cast"].get("expr")) != "type_name":
            return None
        node = node["Cast"].get("expr")
    name = node.get("Column") if isinstance(node, dict) else None
    return name if isinstance(name, str) else None


def _literal(node: Any) -> int | str | None:
    """An int (of a time: its nanoseconds) or a text; None for whatever else."""
    import polars

    if not isinstance(node, dict) or "Literal" not in node:
        return None
    try:
        # What a literal looks like inside is the business of polars, so polars reads it.
        expression = polars.Expr.deserialize(json.dumps(node).encode(), format="json")
        made = polars.select(expression.alias("value")).to_series()
        if isinstance(made.dtype, polars.Datetime):
            return int(made.cast(polars.Datetime("ns")).cast(polars.Int64).item())
        value = made.item()
    except Exception:  # noqa: BLE001 - the predicate is applied to the rows in any case
        return None
    return value if isinstance(value, (int, str)) and not isinstance(value, bool) else None


def conditions_of(predicate: polars.Expr) -> dict[str, Any] | None:
    """The arguments of `Log.table` that select no fewer records than the predicate; None when nothing can match."""
    import warnings

    found = _Conditions()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = json.loads(predicate.meta.serialize(format="json"))
    except Exception:  # noqa: BLE001 - a predicate without such a form, as one with a function of Python
        return {}
    _find(tree, found)
    return found.selection()


def scan(
    location: PathLike | Log,
    *,
    metadata: Names = (),
    on_selection: Callable[[dict[str, Any] | None], object] | None = None,
) -> polars.LazyFrame:
    """The log as a LazyFrame of polars (needs polars).

    Only the columns that a query needs are read, and its conditions on ``id``, ``time``, ``type``, ``type_name`` and
    ``metadata.KEY`` (by ``==``, ``<`` and the like, joined by ``&``) become a filter of the log, which skips blocks
    without such records.

    :param metadata: a key or several: a column ``metadata.KEY`` for each
    :param on_selection: is called with what the log is asked for, to see what became of a query
    """
    import polars
    from polars.io.plugins import register_io_source

    if on_selection is not None and not callable(on_selection):
        raise TypeError(f"on_selection must be callable, not {type(on_selection).__name__}")
    log = location if isinstance(location, Log) else Log(location)
    keys = names_of("metadata", metadata)
    whole = Table(log, None, keys, False, None, None, {})
    schema = polars.Schema(polars.DataFrame(_Schema(whole)).schema)

    def source(
        with_columns: list[str] | None, predicate: polars.Expr | None, n_rows: int | None, batch_size: int | None
    ) -> Iterator[polars.DataFrame]:
        selection = {} if predicate is None else conditions_of(predicate)
        if on_selection is not None:
            on_selection(selection)
        shown = list(schema) if with_columns is None else with_columns
        if selection is None:
            yield polars.DataFrame(schema=schema).select(shown)
            return
        needed = list(dict.fromkeys([*shown, *([] if predicate is None else predicate.meta.root_names())]))
        columns = [name for name in needed if name in COLUMNS] or ["id"]
        wanted = tuple(name[9:] for name in needed if name.startswith("metadata."))
        rows = batch_size if n_rows is None else min(n_rows, batch_size or n_rows)
        rows = None if rows is None else max(1, min(rows, 65_536))
        table = Table(log, columns, wanted, False, rows, None, selection)
        left = n_rows
        for frame in _frames(table):
            if predicate is not None:
                frame = frame.filter(predicate)
            if left is not None:
                frame = frame.head(left)
                left -= frame.height
            yield frame.select(shown)
            if left == 0:
                return

    return register_io_source(source, schema=schema, validate_schema=False, is_pure=False)


def _frames(table: Table) -> Iterator[polars.DataFrame]:
    """The batches of a table, one by one, so that memory is for one."""
    import polars

    try:
        import pyarrow
    except ImportError:
        made = table.to_polars()
        yield made
        return
    for batch in pyarrow.RecordBatchReader.from_stream(table):
        frame = polars.from_arrow(batch)
        assert isinstance(frame, polars.DataFrame)
        yield frame


class _Schema:
    """An empty table of the same columns."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        table = self._table
        return table._log._stream(False, table._bits, *table._form, from_id=2**64 - 1, to_id=2**64 - 1)
