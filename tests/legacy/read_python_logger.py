#!/usr/bin/env python3
"""Reads a file of the Python binary logger as its own program does, with Python's standard library alone.

    read_python_logger.py FILE

Prints {"closed": …, "records": [{"type", "length", "sha256"}, …]} as JSON. A file that was closed is read by the map at
its end, class by class, and the map has to be the one that a rebuild from the records gives. Otherwise the map is
rebuilt, and the last record may be cut short. Shares no code with the library: it is written from the
description of the format.
"""

import hashlib
import io
import json
import pickle
import struct
import sys

HEADER = b"MapLogger_v1.0"


class PlainUnpickler(pickle.Unpickler):
    """A map is numbers, strings, lists and a dictionary: data that wants to call something is no map."""

    def find_class(self, module, name):
        raise pickle.UnpicklingError("the map wants %s.%s" % (module, name))


def number(file):
    data = file.read(8)
    return struct.unpack(">Q", data)[0] if len(data) == 8 else None


def rebuild(file, end):
    """The map, from the records between the header and `end`, as after a crash."""
    places, at = {}, len(HEADER)
    while at < end:
        file.seek(at)
        name_length = number(file)
        name = file.read(name_length).decode("utf-8") if name_length is not None else None
        length = number(file)
        if length is None or file.tell() + length > end:
            break
        places.setdefault(name, []).append([file.tell(), length])
        at = file.tell() + length
    return places, at


def read(path):
    with open(path, "rb") as file:
        if file.read(len(HEADER)) != HEADER:
            raise ValueError("the header is missing")
        size = file.seek(0, io.SEEK_END)
        closed = False
        if size >= 2 * len(HEADER) + 8:
            file.seek(size - len(HEADER) - 8)
            offset, footer = number(file), file.read()
            closed = footer == HEADER
        if closed:
            file.seek(offset)
            places = PlainUnpickler(file).load()
            if file.tell() != size - len(HEADER) - 8:
                raise ValueError("the map ends elsewhere than before its offset")
            rebuilt, end = rebuild(file, offset)
            if end != offset or rebuilt != places or list(rebuilt) != list(places):
                raise ValueError("the map is not that of the records")
        else:
            places, _ = rebuild(file, size)
        records = []
        for name, entries in places.items():
            for position, length in entries:
                file.seek(position)
                data = file.read(length)
                records.append((position, {"type": name, "length": len(data), "sha256": hashlib.sha256(data).hexdigest()}))
        records.sort(key=lambda record: record[0])
        return {"closed": closed, "records": [record for _, record in records]}


if __name__ == "__main__":
    json.dump(read(sys.argv[1]), sys.stdout)
