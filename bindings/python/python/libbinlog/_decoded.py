"""A table with the decoded fields of one type (needs pyarrow)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pyarrow

from ._libbinlog import Decoder

if TYPE_CHECKING:
    from ._log import Table

PAYLOAD = 64
# JSON may escape halves of pairs, which UTF-8 has not.
_SURROGATE = re.compile("[\ud800-\udfff]")


def decoded(table: Table) -> pyarrow.RecordBatchReader:
    """The table's batches with a column ``value``: a struct of the fields in the first batch, or JSON if there are none.

    Fields that later batches add are left out. A payload that cannot be decoded is null, and so is one whose fields have
    other types.
    """
    log, name = table._log, table._decode
    assert name is not None
    info = log.schema(name)
    decoder = Decoder(info.encoding, info.schema, info.message, info.content_type)
    bits = table._bits | PAYLOAD if table._bits else 0
    stream = _Stream(log._stream(False, bits, *table._form, **table._selection))
    batches = iter(pyarrow.RecordBatchReader.from_stream(stream))
    first = next(batches, None)
    shown = table._columns
    hides_payload = shown is not None and "payload" not in shown
    type_: pyarrow.DataType = pyarrow.string()
    if first is not None:
        type_ = _type(_values(decoder, first))

    def with_value(batch: pyarrow.RecordBatch) -> pyarrow.RecordBatch:
        value = _column(_values(decoder, batch), type_)
        if hides_payload:
            batch = batch.drop_columns(["payload"])
        return batch.append_column("value", value)

    def all_batches() -> Iterator[pyarrow.RecordBatch]:
        if first is not None:
            yield with_value(first)
        for batch in batches:
            yield with_value(batch)

    if first is None:
        stream = _Stream(log._stream(False, bits, *table._form, **table._selection))
        schema = pyarrow.RecordBatchReader.from_stream(stream).schema
        if hides_payload:
            schema = schema.remove(schema.get_field_index("payload"))
        return pyarrow.RecordBatchReader.from_batches(schema.append(pyarrow.field("value", type_)), [])
    return pyarrow.RecordBatchReader.from_batches(with_value(first).schema, all_batches())


class _Stream:
    """A capsule as what pyarrow takes."""

    def __init__(self, capsule: object) -> None:
        self._capsule = capsule

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self._capsule


def _values(decoder: Decoder, batch: pyarrow.RecordBatch) -> list[Any]:
    texts = (decoder.to_json(payload.as_py()) for payload in batch.column("payload"))
    return [None if text is None else json.loads(text) for text in texts]


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
