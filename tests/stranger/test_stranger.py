#!/usr/bin/env python3
"""The reader of this directory against the golden files: `python3 -m unittest test_stranger`."""

import base64
import json
import pathlib
import sys
import unittest
import zlib

HERE = pathlib.Path(__file__).resolve().parent
GOLDEN = HERE.parent / "golden"
sys.path.insert(0, str(HERE))

from log import Log, Loss  # noqa: E402
from read import entry_line  # noqa: E402
from segment import FIRST_EVENT, CannotDecode  # noqa: E402

EVENTS = {FIRST_EVENT + number: name for number, name in enumerate(
    ["STARTED", "STOPPED", "HEARTBEAT", "ROTATE_NEXT", "ROTATE_PREV", "OPENED", "CLOSED", "RECOVERED", "DROPPED", "TYPE",
     "SCHEMA"], 1)}

# Golden files that differ from the pages, and why. One that no longer differs fails the test.
OPEN = {}


def row(line):
    """A line of the reader in the form of the golden files' JSON, and whether it is an event."""
    name = EVENTS.get(line["type"])
    if name:
        return {"before_id": line["id"], "event": name, "metadata": line["metadata"], "time": line["time"]}, True
    data = base64.b64decode(line["payload"])
    out = {key: line[key] for key in ("id", "time", "type", "metadata")}
    out["length"] = len(data)
    if "name" in line:
        out["type_name"] = line["name"]
    if len(data) <= 64:
        out["hex"] = data.hex()
    else:
        out["crc32"] = zlib.crc32(data)
    return out, False


def describe(path):
    """The golden JSON of a file, as this reader would write it."""
    log = Log(str(path))
    found = {"records": [], "events": [], "segments": []}
    for item in log.run("prefix"):
        if not isinstance(item, Loss):
            line, event = row(entry_line(item))
            found["events" if event else "records"].append(line)
    for segment in log.chosen:
        if segment.header is not None and segment.state == "read":
            found["segments"].append({key: getattr(segment.header, key)
                                      for key in ("content_type", "first_id", "name", "parameters", "sequence")})
    end = log.end
    if end.state == "newer":
        found["end"] = {"error": "unsupported", "offset": end.offset}
    elif end.state in ("damaged", "refused"):
        found["end"] = {"error": "corrupt", "offset": end.offset}
    else:
        found["end"] = {key: getattr(end, key) for key in ("next_id", "offset", "state", "unread_bytes")}
    return found


class Golden(unittest.TestCase):
    maxDiff = 4000

    def test_every_golden_file(self):
        expected = sorted(GOLDEN.glob("*.json"))
        self.assertGreater(len(expected), 30)
        for wanted in expected:
            name = wanted.name[:-len(".json")]
            with self.subTest(name):
                with open(wanted, encoding="utf-8") as stream:
                    says = json.load(stream)
                try:
                    found = describe(GOLDEN / name)
                except CannotDecode as reason:
                    self.skipTest(str(reason))
                if name in OPEN:
                    self.assertNotEqual(found, says, "no longer differs: take it out of OPEN")
                else:
                    self.assertEqual(found, says)

    def test_nothing_open_is_gone(self):
        for name in OPEN:
            self.assertTrue((GOLDEN / name).exists(), name)


if __name__ == "__main__":
    unittest.main()
