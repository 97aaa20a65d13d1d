"""What `binlog cat --format json` prints, in the terms of the golden files' JSON."""

import base64
import calendar
import json
import pathlib
import re
import subprocess

from expected import described
from languages import LIBRARIES, Failure

# Exit statuses: a failure; something is damaged, torn or missing.
FAILED, DAMAGED = 1, 3


def cat(path, *options):
    """The rows that the command printed, and its exit status."""
    words = [LIBRARIES / "binlog", "cat", "--format", "json", "--events", *options, path]
    done = subprocess.run([str(word) for word in words], stdin=subprocess.DEVNULL, capture_output=True, check=False,
                          timeout=60)
    try:
        return [row_of(json.loads(line)) for line in done.stdout.decode().split("\n") if line], done.returncode
    except (ValueError, KeyError, TypeError) as problem:
        raise Failure(f"binlog cat printed what is no record: {problem!r}") from problem


def row_of(shown):
    if "event" in shown:
        return {"before_id": shown["id"], "event": shown["event"], "metadata": shown["metadata"],
                "time": nanoseconds(shown["time"])}
    data = base64.b64decode(shown["base64"]) if "base64" in shown else shown["text"].encode()
    row = {key: shown[key] for key in ["id", "type", "metadata", "length"]}
    if "type_name" in shown:
        row["type_name"] = shown["type_name"]
    return {**row, "time": nanoseconds(shown["time"]), **described(data)}


def nanoseconds(time):
    parts = re.fullmatch(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)\.(\d{9})Z", time)
    *calendar_time, fraction = (int(part) for part in parts.groups())
    return calendar.timegm((*calendar_time, 0, 0, 0)) * 1_000_000_000 + fraction


def as_object(pairs):
    """Pairs as the command shows them: a key that occurs several times has a list of its values."""
    members = {}
    for key, value in pairs:
        members.setdefault(key, []).append(value)
    return {key: values[0] if len(values) == 1 else values for key, values in members.items()}


def compare(log, path, *options):
    """`log` is the JSON on which all languages agree."""
    rows, status = cat(path, *options)
    for kind, marker in [("records", "id"), ("events", "before_id")]:
        wanted = [{**row, "metadata": as_object(row["metadata"])} for row in log[kind]]
        found = [row for row in rows if marker in row]
        for one, other in zip(found, wanted):
            if one != other:
                raise Failure(f"binlog cat shows {one}\ninstead of       {other}")
        if len(found) != len(wanted):
            raise Failure(f"binlog cat shows {len(found)} {kind} instead of {len(wanted)}")
    if status != status_of(log, path):
        raise Failure(f"binlog cat ends with the status {status} instead of {status_of(log, path)}")


def begins_as_a_log(path):
    path = pathlib.Path(path)
    return path.is_file() and path.read_bytes().startswith(b"BINLOG")


def status_of(log, path):
    if "error" in log["end"]:
        # A log whose only file header is damaged is one of which nothing can be shown.
        is_damaged = log["end"]["error"] == "corrupt" and begins_as_a_log(path)
        return DAMAGED if log["segments"] or is_damaged else FAILED
    return DAMAGED if log["end"]["state"] == "torn" or log.get("losses") or names_a_hole(log) else 0


def names_a_hole(log):
    """A hole is passed over and reported: its RECOVERED event names the segment in which it is."""
    recovered = [event for event in log.get("events", []) if event["event"] == "RECOVERED"]
    return any(key == "sequence" for event in recovered for key, _ in event["metadata"])
