"""The Python program of the conformance suite: `tests/conformance/README.md` describes its commands.

    conform.py read PATH [CONDITION]... | salvage PATH | types PATH | write DIR COUNT | tail DIR COUNT
"""

import json
import sys
import time
import zlib
from pathlib import Path

import libbinlog as binlog

RUN, FLUSH, SEGMENT = 10, 100, 1000
KINDS = ["damage", "torn_tail", "missing", "header_lost", "shifted", "hole", "double", "misnamed", "other_form", "newer",
         "type_name", "index", "too_large"]
# JSON escapes in its own way what the golden files leave: 127 and everything beyond ASCII are as they are.
compact = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode


def record_of(record):
    shown = {"id": record.id, "length": record.length, "metadata": record.pairs, "time": record.time_ns,
             "type": record.type_number}
    if record.length <= 64:
        shown["hex"] = record.payload.hex()
    else:
        shown["crc32"] = zlib.crc32(record.payload)
    if record.type_name is not None:
        shown["type_name"] = record.type_name
    return compact(shown)


def event_of(record):
    return compact({"before_id": record.id, "event": record.event, "metadata": record.pairs, "time": record.time_ns})


def loss_of(loss):
    first_id, last_id = loss.ids or (0, 0)
    first_page, page_count = loss.pages or (0, 0)
    return compact({"bytes": loss.bytes, "durable": loss.durable, "file": loss.file.name, "first_id": first_id,
                    "first_page": first_page, "kind": 1 + KINDS.index(loss.kind), "last_id": last_id,
                    "offset": loss.offset, "page_count": page_count})


def segment_of(segment):
    return compact({"content_type": segment.content_type, "first_id": segment.first_id, "name": segment.log,
                    "parameters": segment.parameters, "sequence": segment.sequence})


def read(path, words, salvage=False):
    records, events, segments, losses = [], [], [], []
    try:
        log = binlog.open(path, mode="salvage" if salvage else "prefix", on_loss=lambda loss: losses.append(loss_of(loss)))
        segments = [segment_of(segment) for segment in log.segments()]
        shown = log.records(events=True, **conditions(words))
        for record in shown:
            (events if record.event else records).append(event_of(record) if record.event else record_of(record))
        tail = shown.tail
        end = {"next_id": tail.next_id, "offset": tail.offset, "state": tail.state, "unread_bytes": tail.unread_bytes}
    except binlog.Error as error:
        end = {"error": error.kind.replace("_", ""), "offset": error.offset}
    lists = [("events", events), *([("losses", losses)] if salvage else []), ("records", records), ("segments", segments)]
    lines = [f'  "end": {compact(end)}']
    for name, elements in lines_of(lists):
        lines.append(f'  "{name}": {elements}')
    sys.stdout.write("{\n" + ",\n".join(lines) + "\n}\n")


def lines_of(lists):
    for name, elements in lists:
        yield name, "[" + ",".join(f"\n    {element}" for element in elements) + "]"


def conditions(words):
    chosen = {}
    for word in words:
        what, _, value = word.partition("=")
        if what in ("from_id", "to_id", "last"):
            chosen[what] = int(value)
        elif what in ("from_time", "to_time"):
            chosen["since" if what == "from_time" else "until"] = int(value)
        elif what in ("type", "type_name"):
            chosen.setdefault("type", []).append(int(value) if what == "type" else value)
        elif what == "pair":
            chosen.setdefault("where", []).append(tuple(value.split("=", 1)))
        elif what == "newest_first":
            chosen["reverse"] = True
        else:
            raise SystemExit(f"conform: {word} is no condition")
    return chosen


def types(path):
    for info in binlog.open(path).types():
        shown = {"content_type": info.content_type, "encoding": info.encoding, "message": info.message, "name": info.name,
                 "type": info.number}
        if info.schema is not None:
            shown["schema"] = info.schema.hex()
        if info.schema_sha256 is not None:
            shown["schema_sha256"] = info.schema_sha256
        sys.stdout.write(compact(shown) + "\n")


def numbered(i):
    pairs = {"i": str(i), "ключ": "значение"} if i % 3 == 0 else None
    payload = bytes((31 * i + 7 * j) % 256 for j in range(7919 * i % 700))
    return binlog.NewRecord(payload, i % 5 or "conform.named", pairs, 1_700_000_000_000_000_000 + 1000 * i)


def write(where, count):
    with binlog.Writer(where, name="conform", content_type="application/x-conform", parameters={"writer": "python"},
                       roll={"records": SEGMENT}) as writer:
        writer.type("conform.named", content_type="text/plain")
        before, done = writer.position.appended, 0
        while done < count:
            run = [numbered(before + 1 + at) for at in range(done, min(count, done + RUN))]
            way = done // RUN % 4
            if way == 0:
                for one in run:
                    writer.append(*one)
            elif way == 1:
                for payload, kind, pairs, moment in run:
                    first = len(payload) // 3
                    second = first + (len(payload) - first) // 2
                    writer.gather([payload[:first], payload[first:second], payload[second:]], kind, pairs, moment)
            else:
                writer.append_batch(run)
            done += len(run)
            if done % FLUSH == 0:
                writer.flush()
        if writer.position.appended != before + count:
            raise SystemExit(f"conform: the last id is {writer.position.appended} after {count} records behind {before}")


def tail(where, count):
    began = time.monotonic()
    while True:
        try:
            log = binlog.open(where)
            break
        except binlog.NotFoundError:
            if time.monotonic() - began > 30:
                raise
            time.sleep(0.005)
    seen = 0
    for record in log.records(from_id=1, follow=True, timeout=60):
        sys.stdout.write(record_of(record) + "\n")
        seen += 1
        if seen == count:
            return
    raise SystemExit(f"conform: no more than {seen} of {count} records came in 60 s")


def main(words):
    match words:
        case ["read", path, *more]:
            read(path, more)
        case ["salvage", path]:
            read(path, [], salvage=True)
        case ["types", path]:
            types(path)
        case ["write", where, count]:
            write(Path(where), int(count))
        case ["tail", where, count]:
            tail(Path(where), int(count))
        case _:
            raise SystemExit(__doc__)


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8", newline="\n")
    try:
        main(sys.argv[1:])
    except binlog.Error as failed:
        raise SystemExit(f"conform: {failed}") from failed
