#!/usr/bin/env python3
"""read.py PATH [--salvage | --strict] [--name NAME]: prints a log, or one segment, as lines of JSON.

One line for each record and event, then one that describes the end. Exit status: 0 read to its end, 3 something is
damaged, torn, missing, or passed over (with --strict also an end without a TRAILER), 1 it cannot be read.
"""

import argparse
import base64
import json
import sys

from log import Log, Loss
from segment import CannotDecode


def entry_line(entry):
    line = {"id": entry.id, "time": entry.time, "type": entry.type}
    if entry.name is not None:
        line["name"] = entry.name
    if entry.content_type:
        line["content_type"] = entry.content_type
    line["metadata"] = [list(pair) for pair in entry.pairs]
    line["payload"] = base64.b64encode(entry.payload).decode()
    return line


def read(path, mode="prefix", name=None):
    """(lines of entries, the last line, exit status)."""
    lines, losses, status = [], [], 0
    try:
        log = Log(path, name)
        for item in log.run(mode):
            if isinstance(item, Loss):
                losses.append(vars(item))
            else:
                lines.append(entry_line(item))
        end = dict(vars(log.end))
    except (OSError, CannotDecode) as error:
        end = {"state": "refused", "file": path, "offset": None, "reason": str(error)}
    end["losses"] = losses
    if end["state"] in ("refused", "newer"):
        status = 1
    elif losses or end["state"] in ("damaged", "torn") or mode == "strict" and end["state"] != "closed":
        status = 3
    return lines, end, status


def main():
    parser = argparse.ArgumentParser(description="Reads a log after its public pages.")
    parser.add_argument("path", help="a segment, or a directory of segments")
    parser.add_argument("--name", help="which log, in a directory of several")
    modes = parser.add_mutually_exclusive_group()
    modes.add_argument("--salvage", dest="mode", action="store_const", const="salvage")
    modes.add_argument("--strict", dest="mode", action="store_const", const="strict")
    options = parser.parse_args()
    lines, end, status = read(options.path, options.mode or "prefix", options.name)
    for line in lines:
        print(json.dumps(line, ensure_ascii=False))
    print(json.dumps(end, ensure_ascii=False))
    return status


if __name__ == "__main__":
    sys.exit(main())
