"""What the programs must print, computed anew: the records of `conform write`, and the JSON around records."""

import json
import zlib

FIRST_NAMED_TYPE = 0x40000000
# Records of a segment of `conform write`.
SEGMENT = 1000


def canonical(value):
    """JSON in one line, in the form of tests/golden/README.md."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def payload(i):
    return bytes((i * 31 + j * 7) & 0xFF for j in range(i * 7919 % 700))


def described(data):
    """The form of a payload in the JSON."""
    return {"hex": data.hex()} if len(data) <= 64 else {"crc32": zlib.crc32(data)}


def record(i):
    """Record number `i` of a log that `conform write` wrote."""
    data = payload(i)
    is_named = i % 5 == 0
    row = {
        "id": i,
        "time": 1_700_000_000_000_000_000 + i * 1000,
        "type": FIRST_NAMED_TYPE if is_named else i % 5,
        "metadata": [["i", str(i)], ["ключ", "значение"]] if i % 3 == 0 else [],
        "length": len(data),
        **described(data),
    }
    if is_named:
        row["type_name"] = "conform.named"
    return row


def record_lines(count):
    return [canonical(record(i)) for i in range(1, count + 1)]


def segment(sequence, first_id, writer):
    return {"content_type": "application/x-conform", "first_id": first_id, "name": "conform",
            "parameters": {"writer": writer}, "sequence": sequence}


def lines_of(text, key):
    """The elements of a list of the JSON, one per line, as they were printed."""
    lines = iter(text.split("\n"))
    for line in lines:
        if line == f'  "{key}": [':
            break
    else:
        return []
    found = []
    for line in lines:
        element = line.removesuffix(",").removesuffix("]")
        found.append(element.removeprefix("    "))
        if line.removesuffix(",").endswith("]"):
            break
    return found


# The JSON of a path at which there is nothing.
NOT_FOUND = """{
  "end": {"error":"notfound","offset":null},
  "events": [],
  "records": [],
  "segments": []
}
"""
