#!/usr/bin/env python3
"""Reads a file of the Java binlog (mfz-binlog 2.1, file version 1.0), with Python's standard library alone.

    read_java_binlog.py FILE

Prints {"record_length_bytes", "created_ms", "header": {"name", "content_type", "parameters"}, "records": […]} as JSON.
A record has "length" and "sha256" of its data, which an event does not have, and, as far as its header contains them,
"id", "time_ms", "type", "parameters", and "event", "name" and "info" of an event. A record that is cut short ends the
file. Shares no code with the library: it is written from the description of the format.
"""

import gzip
import hashlib
import json
import struct
import sys

MAGIC = b"MFIZZ.COM-BINLOG\x10\x01"


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def fields(message):
    """Number and value of each field of a protobuf message."""
    at, found = 0, []
    while at < len(message):
        tag, at = varint(message, at)
        kind = tag & 7
        if kind == 0:
            value, at = varint(message, at)
            # An int32: a negative one is stored with its sign in 64 bits.
            value = value - (1 << 64) if value >= 1 << 63 else value
        elif kind == 1:
            (value,) = struct.unpack_from("<q", message, at)
            at += 8
        elif kind == 2:
            length, at = varint(message, at)
            value = message[at : at + length]
            if len(value) != length:
                raise ValueError("a field is longer than its message")
            at += length
        else:
            raise ValueError("a field of the wire type %d" % kind)
        found.append((tag >> 3, value))
    return found


def text(value):
    return value.decode("utf-8")


def parameters(found):
    pairs = [dict(fields(value)) for number, value in found if number == 4]
    return {text(pair[1]): text(pair[2]) for pair in pairs}


def record(header, data):
    found = fields(header)
    values = dict(found)
    out = {}
    if 5 not in values or data:
        out = {"length": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    for number, key in ((1, "id"), (2, "time_ms"), (3, "type"), (5, "event")):
        if number in values:
            out[key] = values[number]
    for number, key in ((6, "name"), (7, "info")):
        if number in values:
            out[key] = text(values[number])
    if 4 in values:
        out["parameters"] = parameters(found)
    return out


def read(path):
    with open(path, "rb") as file:
        data = file.read()
    if path.endswith(".gz"):
        data = gzip.decompress(data)
    if data[: len(MAGIC)] != MAGIC:
        raise ValueError("the declaration is missing")
    at = len(MAGIC)
    (length,) = struct.unpack_from(">I", data, at)
    at += 4
    found = fields(data[at : at + length])
    at += length
    values = dict(found)
    width = values.get(5, 2)
    if width not in (1, 2, 4):
        raise ValueError("lengths of %d bytes" % width)
    records = []
    while at + 2 * width <= len(data):
        length = int.from_bytes(data[at : at + width], "big")
        header_length = int.from_bytes(data[at + width : at + 2 * width], "big")
        if header_length > length - width:
            raise ValueError("a header of %d bytes in a record of %d" % (header_length, length))
        end = at + width + length
        if end > len(data):
            break
        header_at = at + 2 * width
        records.append(record(data[header_at : header_at + header_length], data[header_at + header_length : end]))
        at = end
    # Required by the format: their absence is an error.
    header = {"name": text(values[2]), "content_type": text(values[3]), "parameters": parameters(found)}
    return {"record_length_bytes": width, "created_ms": values[1], "header": header, "records": records}


if __name__ == "__main__":
    json.dump(read(sys.argv[1]), sys.stdout)
