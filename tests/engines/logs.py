"""Logs for the tests, made by the command, and what `binlog cat` shows of them."""

import base64
import datetime
import json
import os
import random
import subprocess

BINLOG = os.path.join(os.environ["BINLOG_BUILD"], "binlog")


def binlog(*arguments, stdin=b"", status=0, cwd=None):
    """What the command prints."""
    done = subprocess.run([BINLOG, *arguments], input=stdin, capture_output=True, cwd=cwd)
    assert done.returncode == status, (arguments, done.returncode, done.stderr.decode())
    return done.stdout


def make(log, text_only=False):
    """A log of several segments: named and numbered types, metadata with keys that repeat, payloads of any bytes."""
    chance = random.Random(20)
    payloads = [b"", b'a "quoted", field', b"two\nlines\r\n", "größe €".encode(), b" blank ", b"\x00"]
    if not text_only:
        payloads += [b"\xff\x00\xfe", bytes(range(256))]
    metadata = [[], ["host=a"], ["host=b", "ключ=значение, \"x\""], ["k=1", "k=2", "empty="]]
    for round in range(6):
        count = 8000 if round == 1 else chance.randrange(1, 90)
        records = [chance.choice(payloads) + b"x" * chance.randrange(40) for _ in range(count)]
        framed = b"".join(len(record).to_bytes(4, "little") + record for record in records)
        pairs = [part for pair in chance.choice(metadata) for part in ("--meta", pair)]
        of_type = ["7", "order.placed", "a, \"b\"", "0", "order.cancelled", "7"][round]
        binlog("append", "--quiet", "--framing", "u32le", "--segment-size", "128KiB", "--type", of_type, *pairs, log, stdin=framed)
    return log


def shown(log, *arguments, status=0):
    """The records as `binlog cat` shows them, each payload as bytes."""
    lines = binlog("cat", "--format", "json", *arguments, log, status=status).splitlines()
    return [with_payload(json.loads(line)) for line in lines]


def with_payload(record):
    text = record.pop("text", None)
    encoded = record.pop("base64", None)
    record["payload"] = base64.b64decode(encoded) if text is None else text.encode()
    return record


def nanoseconds(time):
    """Since the epoch, of RFC 3339 with nine digits."""
    second = datetime.datetime.strptime(time[:19], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=datetime.timezone.utc)
    return int(second.timestamp()) * 1_000_000_000 + int(time[20:29])


def pairs(metadata):
    """The pairs of an object in which a key that repeats has an array, in the order of the keys."""
    return [(key, value) for key, values in metadata.items() for value in (values if isinstance(values, list) else [values])]
