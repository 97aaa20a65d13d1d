"""What `value` makes of a payload is what docs/python.md says of each encoding."""

from __future__ import annotations

import base64
import math
import struct
from pathlib import Path
from typing import Any

import pytest

import libbinlog as binlog


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


MSGPACK = [
    ("c0", None), ("c3", True), ("2a", 42), ("ff", -1),
    ("cfffffffffffffffff", 2**64 - 1), ("d38000000000000000", -(2**63)),
    ("cb3fb999999999999a", 0.1), ("ca3dcccccd", struct.unpack(">f", bytes.fromhex("3dcccccd"))[0]),
    ("cb7ff8000000000000", "NaN"), ("cb7ff0000000000000", "inf"), ("cbfff0000000000000", "-inf"),
    ("a26869", "hi"), ("c403ff0001", b64(b"\xff\x00\x01")), ("a2ff00", b64(b"\xff\x00")),
    ("9301a0c2", [1, "", False]),
    ("8301a161c0a16291 01a163", {"1": "a", "null": "b", "[1]": "c"}),
    ("81c40168a178", {b64(b"h"): "x"}), ("82a16101a16102", {"a": 2}),
    ("d60500010203", {"ext": 5, "data": b64(bytes(range(4)))}),
    # A timestamp is an extension like any other.
    ("d6ff00000001", {"ext": -1, "data": b64(b"\0\0\0\1")}),
]
CBOR = [
    ("f6", None), ("f7", None), ("f5", True), ("182a", 42), ("20", -1),
    ("1bffffffffffffffff", 2**64 - 1), ("3b7fffffffffffffff", -(2**63)), ("3bffffffffffffffff", str(-(2**64))),
    ("f93c00", 1.0), ("fb3fb999999999999a", 0.1), ("f97e00", "NaN"), ("f97c00", "inf"), ("f9fc00", "-inf"),
    ("626869", "hi"), ("7f61686169ff", "hi"), ("43ff0001", b64(b"\xff\x00\x01")),
    ("8301 60f4", [1, "", False]), ("9f0102ff", [1, 2]),
    ("a301 6161 f6 6162 8101 6163", {"1": "a", "null": "b", "[1]": "c"}), ("a2616101616102", {"a": 2}),
    # Tags are left out: an instant (1), a URI (32), a decimal fraction (4).
    ("c1 1a514b67b0", 0x514B67B0), ("d820 6161", "a"), ("c4 82 21 196ab3", [-2, 27315]),
    # Big integers (2, 3).
    ("c2 4105", 5), ("c3 4105", -6), ("c2 49 010000000000000000", str(2**64)),
    ("c2 50 7f" + "00" * 15, str(0x7F << 120)), ("c2 51 01" + "00" * 16, b64(b"\1" + bytes(16))),
]
JSON: list[tuple[bytes, Any]] = [
    (b' {"a": 1, "a": 2} ', {"a": 2}), (b"18446744073709551616", 2**64), (b"-1.50e1", -15.0), (b"1e999", math.inf),
    (b'"\\u00e9\\ud83d\\ude00"', "é😀"), (b"null", None),
]


@pytest.mark.parametrize("encoding, payload, value", [
    *(("msgpack", bytes.fromhex(payload), value) for payload, value in MSGPACK),
    *(("cbor", bytes.fromhex(payload), value) for payload, value in CBOR),
    *((encoding, payload, value) for encoding in ("json", "jsonschema") for payload, value in JSON),
])
def test_each_type_of_an_encoding_has_its_value(encoding: str, payload: bytes, value: Any) -> None:
    decoded = binlog.Decoder(encoding, b"{}" if encoding == "jsonschema" else None).decode(payload)
    assert decoded == value and type(decoded) is type(value)


@pytest.mark.parametrize("encoding, payload, reason", [
    ("msgpack", b"\xc1", "not MessagePack"), ("msgpack", b"\x01\x01", "1 bytes follow"), ("msgpack", b"\x91" * 200 + b"\x01", "128 levels"),
    ("cbor", b"\x61\xff", "not UTF-8"), ("cbor", b"\xe0", "begins no value"), ("cbor", b"\x81" * 200 + b"\x01", "128 levels"),
    ("json", b"NaN", "not JSON"), ("json", b'"\xff"', "not JSON"), ("json", b"", "not JSON"), ("json", b"[" * 200 + b"]" * 200, "128 levels"),
    ("json", b"9" * 5000, "4300"), ("json", b"{'a': 1}", "not JSON"),
])
def test_a_payload_that_is_not_of_its_encoding_is_an_error(encoding: str, payload: bytes, reason: str) -> None:
    decoder = binlog.Decoder(encoding)
    with pytest.raises(binlog.DecodeError, match=reason):
        decoder.decode(payload)


def test_payloads_are_not_compared_with_a_json_schema(writer: binlog.Writer) -> None:
    schema = b'{"type": "object", "required": ["total"], "properties": {"total": {"type": "integer"}}}'
    writer.type("order", encoding="jsonschema", schema=schema)
    for payload in (b'{"total": 1}', b'{"total": "one"}', b'{"other": 1}', b"[]"):
        writer.append(payload, "order")
    writer.flush()
    log = binlog.open(writer.location)
    assert [record.value for record in log] == [{"total": 1}, {"total": "one"}, {"other": 1}, []]
    # Who wants that has the schema.
    assert log.schema("order").schema == schema


def test_a_payload_that_is_no_text_is_a_decode_error(writer: binlog.Writer) -> None:
    writer.append(b"good \xc3\xa9")
    writer.append(b"ab\xff")
    writer.flush()
    good, bad = binlog.open(writer.location)
    assert good.text == "good é"
    with pytest.raises(binlog.DecodeError, match="^record 2: the payload is not UTF-8 from byte 2 on$"):
        bad.text


def test_avro_shows_logical_types_as_they_are_stored_and_bytes_as_base64() -> None:
    schema = b"""{"type": "record", "name": "r", "fields": [
        {"name": "when", "type": {"type": "long", "logicalType": "timestamp-millis"}}, {"name": "raw", "type": "bytes"},
        {"name": "maybe", "type": ["null", "string"]}, {"name": "colour", "type": {"type": "enum", "name": "c", "symbols": ["RED", "BLUE"]}},
        {"name": "far", "type": "double"}]}"""
    payload = b"\x02" + b"\x04\xff\x00" + b"\x02\x02x" + b"\x02" + struct.pack("<d", math.inf)
    value = binlog.Decoder("avro", schema).decode(payload)
    assert value == {"when": 1, "raw": b64(b"\xff\x00"), "maybe": "x", "colour": "BLUE", "far": "inf"}


def test_protobuf_shows_what_a_message_contains_by_the_names_of_the_schema() -> None:
    def field(number: int, data: bytes) -> bytes:
        length = bytes([len(data)]) if len(data) < 128 else bytes([len(data) & 0x7F | 0x80, len(data) >> 7])
        return bytes([number << 3 | 2]) + length + data

    def described(name: bytes, number: int, kind: int, of: bytes = b"") -> bytes:
        return field(2, field(1, name) + bytes([3 << 3, number, 4 << 3, 1, 5 << 3, kind]) + (field(6, of) if of else b""))

    # google.protobuf.FileDescriptorSet, with an enum and a message of int64, bytes, the enum, double and string.
    colour = field(5, field(1, b"Colour") + b"".join(field(2, field(1, name) + bytes([2 << 3, at])) for at, name in enumerate((b"RED", b"BLUE"))))
    message = field(4, field(1, b"Order") + described(b"order_id", 1, 3) + described(b"seal", 2, 12) + described(b"colour", 3, 14, b".Colour")
                    + described(b"weight", 4, 1) + described(b"note", 5, 9))
    schema = field(1, field(1, b"o.proto") + message + colour + field(12, b"proto3"))
    payload = b"\x08" + b"\xff" * 8 + b"\x7f" + field(2, b"\xff\x00") + b"\x18\x01" + b"\x21" + struct.pack("<d", -math.inf)
    decoder = binlog.Decoder("protobuf", schema, "Order")
    assert decoder.decode(payload) == {"order_id": 2**63 - 1, "seal": b64(b"\xff\x00"), "colour": "BLUE", "weight": "-Infinity"}
    assert decoder.decode(b"\x18\x07") == {"colour": 7}
    assert decoder.decode(b"") == {}
