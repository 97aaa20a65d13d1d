"""Measures libbinlog in Python beside mcap and fastavro: interleaved rounds in one run, medians.

    python bench.py [--records N] [--rounds N] [--dir DIR] [--markdown FILE]

Records have 100 bytes. Files are in DIR (a temporary directory by default), which should be in memory or on a quiet disk.
"""

from __future__ import annotations

import argparse
import io
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import libbinlog as binlog

PAYLOAD = b'{"order": 4711, "customer": "c-100", "items": [1, 2, 3], "total": 99.95, "note": "as usual, please"}'.ljust(100)
Work = Callable[[], int]


def works(where: Path, count: int) -> dict[str, Work]:
    """Each returns how many records it handled."""
    log = where / "log"
    writes = iter(range(1_000_000))

    def fresh(name: str) -> Path:
        return where / f"{name}-{next(writes)}"

    def append() -> int:
        with binlog.Writer(fresh("append")) as writer:
            add = writer.append
            for _ in range(count):
                add(PAYLOAD, 7)
        return count

    def append_named() -> int:
        with binlog.Writer(fresh("named")) as writer:
            add = writer.append
            for _ in range(count):
                add(PAYLOAD, type="order.placed")
        return count

    def append_metadata() -> int:
        pairs = {"host": "a"}
        with binlog.Writer(fresh("pairs")) as writer:
            add = writer.append
            for _ in range(count):
                add(PAYLOAD, "order.placed", pairs)
        return count

    def append_batch() -> int:
        batch = [PAYLOAD] * 100
        with binlog.Writer(fresh("batch")) as writer:
            for _ in range(count // 100):
                writer.append_batch(batch, "order.placed")
        return count // 100 * 100

    def read() -> int:
        seen = 0
        for _record in binlog.open(log).records():
            seen += 1
        return seen

    def read_payloads() -> int:
        seen = total = 0
        for record in binlog.open(log).records():
            total += len(record.payload)
            seen += 1
        assert total == seen * len(PAYLOAD)
        return seen

    def read_views() -> int:
        seen = 0
        for _record in binlog.open(log).records(views=True):
            seen += 1
        return seen

    def values() -> int:
        seen = 0
        for record in binlog.open(log).records(to_id=count // 10):
            seen += record.value["order"] == 4711
        return seen

    with binlog.Writer(log) as writer:
        writer.type("order.placed", encoding="json")
        for _ in range(count):
            writer.append(PAYLOAD, "order.placed")
    found: dict[str, Work] = {
        "binlog append, type 7": append,
        "binlog append, named type": append_named,
        "binlog append, metadata": append_metadata,
        "binlog append_batch of 100": append_batch,
        "binlog records()": read,
        "binlog records(), payload": read_payloads,
        "binlog records(views=True)": read_views,
        "binlog record.value": values,
    }
    found.update(of_mcap(where, count))
    found.update(of_fastavro(where, count))
    return found


def of_mcap(where: Path, count: int) -> dict[str, Work]:
    try:
        from mcap.reader import make_reader
        from mcap.writer import CompressionType, Writer
    except ImportError:
        return {}
    # It takes far longer for each.
    count = max(1, count // 10)
    writes = iter(range(1_000_000))

    def write_to(path: Path) -> int:
        with path.open("wb") as file:
            writer = Writer(file, compression=CompressionType.NONE)
            writer.start()
            schema = writer.register_schema(name="order", encoding="jsonschema", data=b"{}")
            channel = writer.register_channel(topic="order", message_encoding="json", schema_id=schema)
            for at in range(count):
                writer.add_message(channel, log_time=at, data=PAYLOAD, publish_time=at)
            writer.finish()  # type: ignore[no-untyped-call]
        return count

    def read() -> int:
        seen = 0
        with (where / "read.mcap").open("rb") as file:
            for _schema, _channel, message in make_reader(file).iter_messages(log_time_order=False):
                seen += len(message.data) > 0
        return seen

    write_to(where / "read.mcap")
    return {
        "mcap add_message": lambda: write_to(where / f"write-{next(writes)}.mcap"),
        "mcap iter_messages": read,
    }


def of_fastavro(where: Path, count: int) -> dict[str, Work]:
    try:
        import fastavro
    except ImportError:
        return {}
    schema = fastavro.parse_schema(
        {"type": "record", "name": "r", "fields": [{"name": "time", "type": "long"}, {"name": "payload", "type": "bytes"}]}
    )
    records = [{"time": at, "payload": PAYLOAD} for at in range(count)]

    def write() -> int:
        with (where / "write.avro").open("wb") as file:
            fastavro.writer(file, schema, records, codec="null")
        return count

    def read() -> int:
        seen = 0
        with (where / "read.avro").open("rb") as file:
            for _record in fastavro.reader(io.BufferedReader(file)):
                seen += 1
        return seen

    with (where / "read.avro").open("wb") as file:
        fastavro.writer(file, schema, records, codec="null")
    return {"fastavro writer": write, "fastavro reader": read}


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--records", type=int, default=1_000_000)
    asked.add_argument("--rounds", type=int, default=5)
    asked.add_argument("--dir")
    asked.add_argument("--markdown")
    given = asked.parse_args()
    with tempfile.TemporaryDirectory(dir=given.dir) as scratch:
        all_of_them = works(Path(scratch), given.records)
        speeds: dict[str, list[float]] = {name: [] for name in all_of_them}
        for _ in range(given.rounds):
            for name, work in all_of_them.items():
                before = set(Path(scratch).iterdir())
                began = time.perf_counter()
                done = work()
                speeds[name].append(done / (time.perf_counter() - began))
                for made in set(Path(scratch).iterdir()) - before:
                    for file in sorted(made.rglob("*")) if made.is_dir() else []:
                        file.unlink()
                    made.rmdir() if made.is_dir() else made.unlink()
    lines = ["| work | records a second, median | least | most |", "|---|---|---|---|"]
    for name, all_speeds in speeds.items():
        middle = statistics.median(all_speeds)
        lines.append(f"| {name} | {middle:,.0f} | {min(all_speeds):,.0f} | {max(all_speeds):,.0f} |")
    text = "\n".join(lines) + "\n"
    if given.markdown:
        Path(given.markdown).write_text(text)
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
