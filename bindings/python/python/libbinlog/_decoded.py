"""A table with the decoded fields of one type (needs pyarrow)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pyarrow

from ._errors import make
from ._libbinlog import Decoder
from ._log import unknown_type

if TYPE_CHECKING:
    from ._log import Log, Table

TYPE, PAYLOAD = 4, 64
# JSON may escape halves of pairs, which UTF-8 has not.
_SURROGATE = re.compile("[\ud800-\udfff]")


def decoded(table: Table) -> pyarrow.RecordBatchReader:
    """The table's batches with a column ``value``: a struct of the fields in the first batch, or JSON if there are none.

    Fields that later batches add are left out. A payload that cannot be decoded is null, and so is one whose fields have
    other types.
    """
    log, name = table._log, table._decode
    assert name is not None
    decoders = _Decoders(log, name)
    bits = table._bits | TYPE | PAYLOAD if table._bits else 0
    stream = _Stream(log._stream(False, bits, *table._form, **table._selection))
    batches = iter(pyarrow.RecordBatchReader.from_stream(stream))
    first = next(batches, None)
    type_: pyarrow.DataType = pyarrow.string()
    if first is not None:
        type_ = _type(_values(decoders, first))

    def with_value(batch: pyarrow.RecordBatch) -> pyarrow.RecordBatch:
        value = _column(_values(decoders, batch), type_)
        return batch.drop_columns(_hidden(table, batch.schema)).append_column("value", value)

    def all_batches() -> Iterator[pyarrow.RecordBatch]:
        if first is not None:
            yield with_value(first)
        for batch in batches:
            yield with_value(batch)

    if first is None:
        stream = _Stream(log._stream(False, bits, *table._form, **table._selection))
        schema = pyarrow.RecordBatchReader.from_stream(stream).schema
        for hidden in _hidden(table, schema):
            schema = schema.remove(schema.get_field_index(hidden))
        return pyarrow.RecordBatchReader.from_batches(schema.append(pyarrow.field("value", type_)), [])
    return pyarrow.RecordBatchReader.from_batches(with_value(first).schema, all_batches())


class _Decoders:
    """What decodes the payloads of each type of this name: a type that got another schema has another number.

    The newest one must be decodable. Payloads of older ones that are not have no value.
    """

    def __init__(self, log: Log, name: str) -> None:
        self._log = log
        self._name = name
        found = log._decoders(name)
        if not found:
            raise unknown_type(log, name)
        _, newest = found[-1]
        if isinstance(newest, str):
            reason = f"payloads of {name!a} have no values: {newest}"
            raise make(f"{log.location}: {reason}", kind="decode", reason=reason)
        self._known = dict(found)

    def value(self, number: int, payload: bytes) -> Any:
        """The value of a payload of the type of this number; None if it has none."""
        if number not in self._known:
            # A writer has described it after the table was taken.
            self._known.update(self._log._decoders(self._name))
        decoder = self._known.setdefault(number, "unknown")
        text = decoder.to_json(payload) if isinstance(decoder, Decoder) else None
        try:
            return None if text is None else json.loads(text)
        except ValueError:
            # Python refuses to read an integer of thousands of digits.
            return None


def _hidden(table: Table, schema: pyarrow.Schema) -> list[str]:
    """Columns that were read for the values alone."""
    if table._columns is None:
        return []
    asked = {*table._columns, *(f"metadata.{key}" for key in table._form[0])}
    return [name for name in schema.names if name not in asked]


class _Stream:
    """A capsule as what pyarrow takes."""

    def __init__(self, capsule: object) -> None:
        self._capsule = capsule

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self._capsule


def _values(decoders: _Decoders, batch: pyarrow.RecordBatch) -> list[Any]:
    rows = zip(batch.column("type").to_pylist(), batch.column("payload").to_pylist(), strict=True)
    return [decoders.value(number, payload) for number, payload in rows]


def _type(values: list[Any]) -> pyarrow.DataType:
    """The type of a column for these values: of the first one that has a type, if they have different ones."""
    for tried in (values, *([value] for value in values if value is not None)):
        try:
            return pyarrow.array(tried).type
        except (pyarrow.ArrowException, OverflowError, UnicodeError):
            continue
    return pyarrow.string()


def _column(values: list[Any], type_: pyarrow.DataType) -> pyarrow.Array:
    return pyarrow.array([value if _fits(value, type_) else None for value in values], type=type_)


def _fits(value: Any, type_: pyarrow.DataType) -> bool:
    """Whether a column of this type expresses the value; fields that the type has not are left out."""
    if value is None:
        return True
    if pyarrow.types.is_struct(type_):
        return isinstance(value, dict) and all(_fits(value.get(field.name), field.type) for field in type_)
    if pyarrow.types.is_list(type_):
        return isinstance(value, list) and all(_fits(one, type_.value_type) for one in value)
    if pyarrow.types.is_boolean(type_):
        return isinstance(value, bool)
    if pyarrow.types.is_integer(type_):
        return isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63
    if pyarrow.types.is_floating(type_):
        return isinstance(value, float) or (isinstance(value, int) and not isinstance(value, bool) and abs(value) <= 2**53)
    if pyarrow.types.is_string(type_):
        return isinstance(value, str) and not _SURROGATE.search(value)
    return False
