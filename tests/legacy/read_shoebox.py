#!/usr/bin/env python3
"""Reads an archive of shoebox (version 1), or a file of its JSON variant, with Python's standard library alone.

    read_shoebox.py FILE

Prints {"records": [{"metadata", "length", "sha256"}, …]} as JSON; a file of the JSON variant, which is gzipped, has no
metadata. A record that is cut short ends the file. Shares no code with the library: it is written from the description
of the format.
"""

import gzip
import hashlib
import json
import struct
import sys


class Short(Exception):
    """The file ends within a record."""


def take(file, length):
    data = file.read(length)
    if len(data) != length:
        raise Short
    return data


def read_record(file):
    """None at the end."""
    first = file.read(6)
    if not first:
        return None
    if len(first) != 6:
        raise Short
    if struct.unpack("<iH", first) != (0x69867884, 1):
        raise ValueError("no record of version 1")
    metadata_length, raw_length, zero = struct.unpack("<iii", take(file, 12))
    if zero != 0:
        raise ValueError("the header's end is missing")
    metadata = take(file, metadata_length)
    (count,) = struct.unpack_from("<i", metadata)
    # As the original program does it: half of the number is the number of lengths.
    lengths = struct.unpack_from("<%di" % (count // 2), metadata, 4)
    at, strings = 4 + 4 * len(lengths), []
    for length in lengths:
        strings.append(metadata[at : at + length].decode("utf-8"))
        at += length
    if at != metadata_length:
        raise ValueError("the metadata has another length than its strings")
    raw = take(file, raw_length)
    (length,) = struct.unpack_from("<i", raw)
    if length != raw_length - 4:
        raise ValueError("the data has two lengths")
    pairs = dict(zip(strings[::2], strings[1::2]))
    if 2 * len(pairs) != len(strings):
        raise ValueError("a key comes twice")
    return pairs, raw[4:]


def described(data):
    return {"length": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def read(path):
    with open(path, "rb") as file:
        if file.read(2) == b"\x1f\x8b":
            file.seek(0)
            lines = gzip.decompress(file.read()).split(b"\n")
            for line in lines:
                if line:
                    json.loads(line)
            return {"records": [described(line) for line in lines if line]}
        file.seek(0)
        records = []
        try:
            while True:
                found = read_record(file)
                if found is None:
                    break
                records.append(dict(described(found[1]), metadata=found[0]))
        except Short:
            pass
        return {"records": records}


if __name__ == "__main__":
    json.dump(read(sys.argv[1]), sys.stdout)
