"""Rows that are queries rather than states of a log: what a cursor shows of a log that has changed, and what it reports
where requested records cannot be shown."""
import dataclasses
import functools
import random
import shutil

import damage
import library
import logs
import segment
import table
from oracle import Findings, ids


@dataclasses.dataclass
class Asked:
    name: str
    row: str
    question: object  # called with the directory and a Findings

    def ask(self, work):
        found = Findings(self)
        at = work / "asked"
        shutil.rmtree(at, ignore_errors=True)
        self.question(at, found.expect)
        return list(found)


def cases():
    def of(question):
        return question.__name__.replace("_", "-"), functools.partial(Asked, question.__name__, question.__name__.replace("_", " "), question)

    questions = [seek_behind_a_prune, get_of_a_removed_segment, first_segment_destroyed, torn_unclosed_and_corrupt,
                 records_before_a_damaged_page, index_rebuilt, last_over_damaged_entries, reader_opened_before_rolls,
                 newest_first_meets_a_damaged_header, reader_opened_before_a_prune, last_of_a_salvage, at_work,
                 types_of_a_damaged_first_block]
    for question in questions:
        name, made = of(question)
        yield f"question/{name}", made
    for seed in range(1, 61):
        yield f"random/{seed}", functools.partial(Asked, f"random/{seed}", "random", functools.partial(random_queries, seed))


def put(log, at):
    logs.store(log.files, at)


def ask(read):
    """(what it returns, None) or (None, the error)"""
    try:
        return read(), None
    except library.Error as error:
        return None, error


def spans(log):
    """First and last id of each segment."""
    firsts = [parsed.first_id for _, parsed in log.segments] + [log.given + 1]
    return [(first, behind - 1) for first, behind in zip(firsts, firsts[1:])]


def pruned(log, at, count=1):
    for name, _ in log.segments[:count]:
        (at / name).unlink()


# 15
def seek_behind_a_prune(at, expect):
    log = logs.base("closed")
    put(log, at)
    pruned(log, at, 2)
    first = spans(log)[2][0]
    with library.Reader(at) as reader, reader.cursor() as cursor:
        cursor.seek(20)
        _, error = ask(cursor.next)
        expect(error and error.status == library.MISSED and error.missed == (20, first - 1), "library", "15: a seek to removed records is reported",
               lambda: f"{error} {error and error.missed}")
        shown, error = ask(cursor.next)
        expect(shown and shown[0] == first, "library", "15: then the first that is there", lambda: f"{shown} {error}")


# 16
def get_of_a_removed_segment(at, expect):
    log = logs.base("closed")
    put(log, at)
    (at / log.segments[-1][0]).unlink()
    number = spans(log)[-1][0] + 3
    done = logs.command("cat", "--id", str(number), at)
    expect(done.returncode == 3, "cat", "16: an id of a removed last segment", lambda: f"{done.returncode} {done.stderr.decode()[:200]}")


def first_segment_destroyed(at, expect):
    log = logs.base("closed")
    put(log, at)
    name, _ = log.segments[0]
    (at / name).write_bytes(b"\x55" * len(log.files[name]))
    read = library.Read(at, library.SALVAGE)
    lost = {number for loss in read.losses if loss.ids for number in range(loss.ids[0], loss.ids[1] + 1)}
    first, last = spans(log)[0]
    expect(lost == set(range(first, last + 1)), "salvage", "16: the ids of a destroyed first segment", lambda: f"{read.losses}")


def torn_unclosed_and_corrupt(at, expect):
    log = logs.base("open")
    put(log, at)
    name, parsed = log.segments[-1]
    for what, data in (("unclosed", parsed.data), ("torn", parsed.data[:-50]),
                       ("corrupt", logs.flip(parsed.data, parsed.of_kind(segment.RECORDS)[0].payload[0]))):
        (at / name).write_bytes(data)
        read = library.Read(at, library.STRICT)
        expect(read.error is not None and read.tail == what, "strict", "16: torn, unclosed and corrupt are distinguished", lambda: f"{what}: {read.tail} {read.error}")


# 17
def records_before_a_damaged_page(at, expect):
    log = logs.base("closed")
    put(log, at)
    name, parsed = log.segments[1]
    block = max(parsed.of_kind(segment.RECORDS), key=lambda block: block.payload[1] - block.payload[0])
    (at / name).write_bytes(logs.flip(parsed.data, block.payload[0] + segment.PAGE + 10))
    whole = [number for number, _, end in block.records if end <= block.payload[0] + segment.PAGE]
    read = library.Read(at)
    expect({record[0] for record in read.shown} >= set(range(1, whole[-1] + 1)), "cat", "17: intact records before a damaged page of their block",
           lambda: f"up to {len(read.shown)}, and {whole[-1]} is intact; {read.error}")


# 18
def index_rebuilt(at, expect):
    log = logs.base("closed")
    for part in ("flipped", "zeroed"):
        shutil.rmtree(at, ignore_errors=True)
        put(log, at)
        name, parsed = log.segments[1]
        data = parsed.data
        for block in parsed.of_kind(segment.INDEX):
            data = damage.changed(data, block.entries, part, None)
        (at / name).write_bytes(data)
        before = logs.command("verify", at)
        expect(before.returncode == 3, "verify", "18: a damaged INDEX is reported", lambda: f"{before.returncode}")
        done = logs.command("index", "--rebuild", at)
        expect(done.returncode == 0, "index", "18: index --rebuild", lambda: done.stderr.decode()[:300])
        again = logs.command("verify", at)
        expect(again.returncode == 0, "verify", "18: whole after index --rebuild", lambda: again.stdout.decode()[:300])


# 20
def last_over_damaged_entries(at, expect):
    log = logs.base("closed")
    put(log, at)
    name, parsed = log.segments[2]
    block = parsed.of_kind(segment.RECORDS)[2]
    (at / name).write_bytes(logs.flip(parsed.data, block.entries[0] + 2))
    back = log.given - block.first_id + 20
    for mode in (library.PREFIX, library.STRICT):
        read = library.Read(at, mode, last=back)
        expect(read.error is not None and read.error.status == library.CORRUPT, "library", "20: last over damaged entries is an error",
               lambda: f"{len(read.shown)} of {back} shown, then {read.error}, {read.tail}")
    done = logs.command("cat", "--last", str(back), at)
    expect(done.returncode == 3, "cat", "20: --last over damaged entries", lambda: f"{done.returncode}")
    read = library.Read(at, library.PREFIX, library.NEWEST_FIRST)
    expect(read.error is not None, "library", "20: newest first over damaged entries is an error", lambda: f"{len(read.shown)} shown")


# 21
def reader_opened_before_rolls(at, expect):
    making = logs.Making(at, 0)
    making.segment()
    reader = library.Reader(at)
    try:
        for _ in range(3):
            making.writer.roll()
            making.segment()
        making.append(5)
        making.writer.flush()
        total = len(making.written)
        with reader.cursor(last=20) as cursor:
            shown, error = cursor.rest()
        expect([r[0] for r in shown] == list(range(total - 19, total + 1)), "library", "21: last after rolls", lambda: f"{ids(r[0] for r in shown)} {error}")
        with reader.cursor(library.NEWEST_FIRST) as cursor:
            shown, error = cursor.rest()
        expect([r[0] for r in shown] == list(range(total, 0, -1)), "library", "21: newest first after rolls", lambda: f"{ids(r[0] for r in shown)} {error}")
        with reader.cursor(library.NEWEST_FIRST, last=7) as cursor:
            shown, error = cursor.rest()
        expect([r[0] for r in shown] == list(range(total, total - 7, -1)), "library", "21: newest first after rolls", lambda: f"{ids(r[0] for r in shown)} {error}")
        counts, error = ask(reader.counts)
        expect(counts and sum(counts.values()) == total, "library", "21: counts after rolls", lambda: f"{counts} {error}")
    finally:
        reader.close()
        making.writer.close()


# 22
def newest_first_meets_a_damaged_header(at, expect):
    log = logs.base("closed", 1)
    put(log, at)
    name, parsed = log.segments[0]

    def answers(reader):
        got = []
        for flags, bounds in ((0, {"from_id": 30}), (0, {"last": 5}), (0, {})):
            with reader.cursor(flags, **bounds) as cursor:
                shown, error = cursor.rest()
                got.append((shown, error and error.status))
        with reader.cursor() as cursor:
            got.append(ask(lambda: cursor.get(7))[0])
        counts, error = ask(reader.counts)
        got.append((counts, error and error.status))
        return got

    with library.Reader(at) as reader:
        right = answers(reader)
        block = parsed.of_kind(segment.RECORDS)[1]
        (at / name).write_bytes(logs.flip(parsed.data, block.offset + 40))
        before = None
        with library.Reader(at) as fresh:
            before = answers(fresh)
        with reader.cursor(library.NEWEST_FIRST) as cursor:
            cursor.rest()
        after = answers(reader)
        held = [one == right[at] or one == before[at] for at, one in enumerate(after)]
        expect(all(held), "library", "22: a newest-first cursor leaves a reader's later answers as they were", lambda: f"{held}")


# 23
def reader_opened_before_a_prune(at, expect):
    log = logs.base("closed")
    put(log, at)
    first = spans(log)[2][0]
    with library.Reader(at) as reader:
        pruned(log, at, 2)
        with reader.cursor() as cursor:
            # A file that the reader has open can still be read.
            shown, error = ask(lambda: cursor.get(20))
            expect(shown == log.written[20] or error and error.status == library.MISSED, "library", "23: get of a removed record", lambda: f"{error}")
        with reader.cursor(library.NEWEST_FIRST) as cursor:
            shown, error = cursor.rest()
            everything = shown == [log.written[number] for number in range(log.given, 0, -1)] and error is None
            expect(everything or [r[0] for r in shown] == list(range(log.given, first - 1, -1)) and error and error.status == library.MISSED, "library",
                   "23: newest first shows what is left, then says that more was removed", lambda: f"{ids(r[0] for r in shown)} {error}")
        with reader.cursor() as cursor:
            shown, error = cursor.rest()
            expect(error is None or error.status == library.MISSED, "library", "23: a forward cursor", lambda: f"{error}")
            if error:
                shown += cursor.rest()[0]
            expect({r[0] for r in shown} >= set(range(first, log.given + 1)), "library", "23: a forward cursor", lambda: f"{ids(r[0] for r in shown)}")


# 24
def last_of_a_salvage(at, expect):
    log = logs.base("closed")
    put(log, at)
    data, lost = {}, set()
    for which in (1, 2):
        name, parsed = log.segments[which]
        block = parsed.of_kind(segment.RECORDS)[2]
        at_page = block.payload[0]
        data[name] = logs.flip(parsed.data, at_page + 5)
        lost |= {number for number, start, end in block.records if start < at_page + segment.PAGE and end > at_page}
    for name, bytes_ in data.items():
        (at / name).write_bytes(bytes_)
    for last in (100, 130, 150):
        read = library.Read(at, library.SALVAGE, last=last)
        shown = [record[0] for record in read.shown]
        reported = {number for one in read.losses if one.ids for number in range(one.ids[0], one.ids[1] + 1)}
        left = sorted(set(log.written) - lost)
        expect(shown == left[-last:] or len(shown) < last and reported >= lost & set(range(log.given - last + 1, log.given + 1)), "salvage",
               "24: last over damaged pages", lambda: f"last={last}: {len(shown)} shown, {len(reported)} reported")


# a writer at work
def at_work(at, expect):
    making = logs.Making(at, 0)
    try:
        making.segment()
        making.writer.roll()
        making.segment()
        row = table.rows()["at work"]
        for command, column in ((("cat",), "cat"), (("cat", "--salvage"), "salvage"), (("verify",), "verify"), (("append",), "append"),
                                (("recover", "--in-place"), "recover"), (("ls",), "cat"), (("info",), "cat")):
            status = row.get(column).status
            done = logs.command(*command, at, stdin=b"")
            expect(done.returncode == status, " ".join(command), "at work: exit status", lambda: f"{done.returncode}: {done.stderr.decode()[:200]}")
        read = library.Read(at, library.STRICT)
        expect(read.error is None and len(read.shown) == len(making.written), "strict", "at work: no error", lambda: f"{read.error} {read.tail}")
        expect(read.tail == "live", "strict", "at work: live", lambda: f"{read.tail}")
        making.append(3)
        making.writer.flush()
        expect(len(library.Read(at).shown) == len(making.written), "append", "at work: continues", "")
    finally:
        making.writer.close()
    done = logs.command("verify", at)
    expect(done.returncode == 0, "verify", "at work: whole afterwards", lambda: f"{done.stdout.decode()[:200]}")


# 8
def types_of_a_damaged_first_block(at, expect):
    log = logs.base("closed")
    for which in (0, 2):
        for part in ("payload", "entries"):
            shutil.rmtree(at, ignore_errors=True)
            put(log, at)
            name, parsed = log.segments[which]
            block = parsed.of_kind(segment.RECORDS)[0]
            (at / name).write_bytes(logs.flip(parsed.data, getattr(block, part)[0] + 1))
            target = at.parent / "saved"
            shutil.rmtree(target, ignore_errors=True)
            done = logs.command("recover", at, target)
            expect(done.returncode == 3, "recover", "8: exit status", lambda: f"{done.returncode} {done.stderr.decode()[:200]}")
            for path, column in ((at, "salvage"), (target, "recover")):
                read = library.Read(path, library.SALVAGE)
                odd = [record for record in read.shown if log.written[record[0]] != record]
                expect(not odd, column, "8: types keep their names", lambda: f"{str(odd[0])[:80]}, and {len(odd)} such")


# 3 of the plan: random logs, queries and changes between opening a reader and asking it
def random_queries(seed, at, expect):
    draw = random.Random(seed)
    making = logs.Making(at, seed)
    for _ in range(draw.randrange(1, 5)):
        making.segment(draw.choice([9, 24, 48]))
        if draw.random() < 0.8:
            making.writer.roll()
    reader = library.Reader(at)
    first = 1
    try:
        for _ in range(draw.randrange(4)):
            what = draw.choice(["append", "roll", "prune"])
            if what == "append":
                making.append(draw.randrange(1, 30))
            elif what == "roll":
                making.append(1)
                making.writer.roll()
            else:
                files = sorted(at.glob("*.binlog"))
                done = logs.command("prune", "--keep-segments", str(max(1, len(files) - 1)), at)
                expect(done.returncode == 0, "prune", "random: exit status", lambda: done.stderr.decode()[:200])
        making.writer.flush()
        there = sorted(path for path in at.glob("*.binlog") if path.stat().st_size)
        first = segment.parse(there[0].read_bytes()).first_id
        model = [making.written[number] for number in range(1, len(making.written) + 1)]
        for _ in range(25):
            query(draw, reader, model, first, expect)
    finally:
        reader.close()
        making.writer.close()


def query(draw, reader, model, first, expect):
    """The model holds all that was written; the records before `first` were removed. A reader that has their files open may
    show them nevertheless; if it does not, and they were asked for by their ids, it reports that."""
    total = len(model)
    bounds, flags = {}, 0
    if draw.random() < 0.5:
        bounds["from_id"] = draw.randrange(1, total + 3)
    if draw.random() < 0.3:
        bounds["to_id"] = draw.randrange(bounds.get("from_id", 1), total + 3)
    if draw.random() < 0.4:
        bounds["last"] = draw.randrange(1, total + 3)
    if draw.random() < 0.4:
        flags = library.NEWEST_FIRST

    def answer(records):
        wanted = [record for record in records if bounds.get("from_id", 0) <= record[0] <= bounds.get("to_id", total)]
        wanted = wanted[-bounds.get("last", total):]
        return wanted[::-1] if flags else wanted

    with reader.cursor(flags, **bounds) as cursor:
        shown, error = cursor.rest()
        missed = error is not None and error.status == library.MISSED
        if missed:
            more, error = cursor.rest()
            shown += more
    everything, left = answer(model), answer(model[first - 1:])

    def text():
        return f"{bounds}{' newest first' if flags else ''}, records from {first} on: {ids(r[0] for r in shown)}, {error}"

    expect(error is None and shown in (everything, left), "library", "random: a query answers as the model does", text)
    asked = bounds.get("from_id", first) < first and "last" not in bounds
    expect(missed or not asked or shown == everything, "library", "random: removed records that were asked for are reported", text)
    number = draw.randrange(1, total + 2)
    with reader.cursor() as cursor:
        shown, error = ask(lambda: cursor.get(number))
    if number > total:
        expect(error is not None and error.status == library.NOT_FOUND, "library", "random: get behind the end", lambda: f"{shown} {error}")
    else:
        gone = number < first and error is not None and error.status == library.MISSED
        expect(gone or shown == model[number - 1], "library", "random: get", lambda: f"{number}, records from {first} on: {shown} {error}")
