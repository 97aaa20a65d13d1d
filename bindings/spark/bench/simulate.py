#!/usr/bin/env python3
"""What a driver and a task ask of a store, for a log of very many segments: requests, bytes and seconds, with the tests' S3 server
behind a proxy that adds a delay to each request. The many segments are small: what a plan that is cut by time or ids asks for does
not depend on their size. A second log, of segments of 256 MiB, shows what a task asks for.

  test.sh --python bench/simulate.py [--segments N] [--delay MILLISECONDS] [--rounds N] [--markdown FILE]
"""

import argparse
import collections
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests/archive"))
import libbinlog as binlog  # noqa: E402
from proxy import Proxy  # noqa: E402
from servers import BUCKET, Servers  # noqa: E402

START = 1_700_000_000_000_000_000
YEAR = 365 * 24 * 3600 * 10**9
TYPES = ("order.placed", "order.paid", "login", "error")


def write(path, count, ship):
    """A year in `count` segments of four records, at even steps, shipped by the thousand."""
    step = YEAR // count
    for first in range(0, count, 4000):
        with binlog.Writer(str(path)) as writer:
            for at in range(first, min(first + 4000, count)):
                when = START + at * step
                writer.append_batch([(b"%08d" % at, TYPES[k], None, when + k * (step // 4)) for k in range(4)])
                writer.roll()
        ship()


def write_large(path, ship):
    """Two closed segments of 256 MiB, and one more that is empty."""
    payload = os.urandom(1000)
    with binlog.Writer(str(path), segment_bytes=256 << 20) as writer:
        for at in range(500):
            writer.append_batch([(payload, TYPES[k % 4]) for k in range(1000)])
    ship()


def ship(path, directory):
    """Into the directory in which the server keeps the objects: quicker than through the server."""
    subprocess.run([str(ROOT / "target/release/binlog"), "ship", "--quiet", "--roll", "--keep-segments", "1", str(path),
                    f"file://{directory}?create=true"], check=True)


def asked(proxy, delay, call, rounds):
    """What `call` returns, the median of its seconds, and the requests and bytes of one."""
    took = []
    for _ in range(rounds):
        proxy.set({"kind": "delay", "times": 0, "seconds": delay})
        began = time.monotonic()
        found = call()
        took.append(time.monotonic() - began)
    log = proxy.log()
    kinds = collections.Counter(kind(entry) for entry in log)
    return found, statistics.median(took), kinds, sum(entry["answered"] for entry in log)


def kind(entry):
    path = entry["path"]
    if "list-type" in path:
        return "list"
    return "catalog" if "catalog" in path else "segment" if ".binlog" in path else "other"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--segments", type=int, default=100_000)
    parser.add_argument("--delay", type=float, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--markdown")
    chosen = parser.parse_args()
    count, delay = chosen.segments, chosen.delay / 1000
    lines = []
    with tempfile.TemporaryDirectory(prefix="binlog-simulate-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as work, \
            Servers(["s3"]) as servers, Proxy(("127.0.0.1", servers.s3.port)) as proxy:
        os.environ.update(servers.environment())

        def made(name, writing, *given):
            began = time.monotonic()
            path = Path(work) / name
            writing(path, *given, lambda: ship(path, servers.s3.data / BUCKET / name))
            shutil.rmtree(path)
            print(f"{name}: written and shipped in {time.monotonic() - began:.0f} s", file=sys.stderr)
            return servers.s3.url(BUCKET, f"{name}/", proxy.url)

        def report(what, call, rounds=chosen.rounds):
            found, seconds, kinds, total = asked(proxy, delay, call, rounds)
            said = ", ".join(f"{number:,} {name}" for name, number in sorted(kinds.items()))
            number = found if isinstance(found, int) else len(found)
            lines.append(f"| {what} | {number:,} | {sum(kinds.values()):,} | {said} | {total:,} | {seconds:.2f} |")
            print(lines[-1], file=sys.stderr)
            return found

        def plan(url, **selection):
            return binlog.open(url).splits(target="64MiB", **selection)

        many = made("many", write, count)
        hour, half = 3600 * 10**9, START + YEAR // 2
        report(f"the list of {count:,} segments", lambda: len(binlog.open(many).splits(from_id=1, to_id=1)))
        report("plan of one hour in the middle", lambda: plan(many, since=half, until=half + hour))
        report("plan of one day in the middle", lambda: plan(many, since=half, until=half + 24 * hour), 1)
        report("plan of the newest hour", lambda: plan(many, since=START + YEAR - hour))
        report("plan of the ids of one hour", lambda: plan(many, from_id=2 * count, to_id=2 * count + 4 * count // 8760))
        report(f"count by type of {count:,} segments", lambda: sum(binlog.open(many).counts().values()))
        few = made("few", write, 1000)
        report("plan of all of 1,000 segments", lambda: plan(few), 1)
        report("count by type of 1,000 segments", lambda: sum(binlog.open(few).counts().values()), 1)
        large = made("large", write_large)
        splits = report("plan of two segments of 256 MiB", lambda: plan(large))
        token = splits[len(splits) // 2].token
        report("a task: a split of 64 MiB", lambda: sum(1 for _ in binlog.Split(token).records_of()))
        report("a task: the headers of the same split", lambda: sum(1 for _ in binlog.Split(token).records_of(headers_only=True)))
        rare = binlog.open(large).splits(target="64MiB", from_id=123_456, to_id=123_456)[0].token
        report("a task: one record of it", lambda: sum(1 for _ in binlog.Split(rare).records_of(from_id=123_456, to_id=123_456)))
    head = (f"{count:,} segments of a year, {chosen.delay:g} ms more for each request, the median of {chosen.rounds} rounds.\n\n"
            "| | splits, or records | requests | of these | bytes | s |\n|---|--:|--:|---|--:|--:|\n")
    if chosen.markdown:
        Path(chosen.markdown).write_text(head + "\n".join(lines) + "\n")
    else:
        print(head + "\n".join(lines))


if __name__ == "__main__":
    main()
