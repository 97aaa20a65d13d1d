"""Cases of files rather than of bytes: which files are in the directory, under which names, and which are missing."""
import dataclasses
import functools
import re
import shutil

import damage
import logs
import segment
from damage import Case


def numbered(name, number):
    return re.sub(r"\d{10}", f"{number:010}", name)


def special():
    """(name of the case, the function that makes it)"""
    yield from unborn_cases()
    yield from missing_cases()
    yield from name_cases()
    yield from archive_cases()
    yield from other_cases()
    yield from version_cases()
    yield from whole_cases()
    yield from filled_cases()
    yield from copy_cases()
    yield from type_cases()
    yield "header-of-another", functools.partial(
        damage.combined, functools.partial(logs.base, "closed", 1), "closed", "only", "header", "swapped", "right")


# --- a beginning that was never written -------------------------------------------------------------------------------

@functools.lru_cache(maxsize=None)
def at_a_roll():
    """A log killed when its fifth segment had one record, which was not durable: the log up to there, and that file."""
    work = logs.home()
    try:
        making = logs.Making(work / "log", 0)
        for number in range(4):
            making.segment()
            if number == 3:
                # The lock file as the kill leaves it: a roll makes the beginning of the next segment durable, and
                # records it.
                lock = (work / "log" / "default.lock").read_bytes()
            making.writer.roll()
        written = dict(making.written)
        making.append(1)
        making.writer.flush()
        files = logs.load(work / "log")
        making.writer.close()
        name = numbered(next(iter(sorted(name for name in files if name.endswith(".binlog")))), 5)
        begun = files.pop(name)
        files["default.lock"] = lock
        return logs.Log("closed", files, written, len(written), len(written)), name, begun
    finally:
        shutil.rmtree(work, ignore_errors=True)


@functools.lru_cache(maxsize=None)
def around_an_obstacle():
    """A log whose third segment has the number 4, because another file had the name of number 3."""
    work = logs.home()
    try:
        making = logs.Making(work / "log", 0)
        making.segment()
        making.writer.roll()
        making.segment()
        name = numbered(next(path.name for path in (work / "log").glob("*.binlog")), 3)
        (work / "log" / name).write_bytes(b"not of this log\n")
        making.writer.roll()
        making.segment()
        making.writer.roll()
        making.segment()
        making.writer.close()
        files = logs.load(work / "log")
        files.pop(name)
        return logs.Log("closed", files, making.written, len(making.written), len(making.written)), name
    finally:
        shutil.rmtree(work, ignore_errors=True)


def unborn_cases():
    def last(what):
        log, name, begun = at_a_roll()
        header = segment.parse(begun).header[1]
        held = {"empty": b"", "zeros": bytes(4096), "sector": begun[:header][:64] + bytes(448), "8": begun[:8],
                "12": begun[:12], "40": begun[:40], "short": begun[:header - 1], "header": begun[:header],
                "header-zeros": begun[:header] + bytes(1000), "part-zeros": begun[:30] + bytes(1000), "absent": None}[what]
        files = dict(log.files)
        if held is not None:
            files[name] = held
        if what.startswith("header"):
            # Begun, and so not closed.
            log = dataclasses.replace(log, state="open")
        # If a file that the last segment names is missing, that may be a kill at a roll or the removal of the file.
        row = {"absent": None, "header-zeros": "torn"}.get(what, "unborn")
        return Case(f"unborn/last/{what}", row, log, files)

    for what in ("empty", "zeros", "sector", "8", "12", "40", "short", "header", "header-zeros", "part-zeros", "absent"):
        yield f"unborn/last/{what}", functools.partial(last, what)

    def middle(what):
        log, name = around_an_obstacle()
        held = {"empty": b"", "zeros": bytes(512), "part": dict(log.segments)[log.segments[0][0]].data[:20],
                "absent": None}[what]
        return Case(f"unborn/middle/{what}", "unborn, further back", log, log.files if held is None else {**log.files, name: held})

    for what in ("empty", "zeros", "part", "absent"):
        yield f"unborn/middle/{what}", functools.partial(middle, what)

    def alone(single, what):
        log = logs.base("closed", 1, single)
        name, parsed = log.segments[0]
        data = {"empty": b"", "zeros": bytes(4096), "part": parsed.data[:50], "8": parsed.data[:8]}[what]
        nothing = logs.Log("closed", {}, {}, 0, 0, single)
        return Case(f"unborn/{'single' if single else 'only'}/{what}", "unborn, alone", nothing, {name: data})

    for single in (False, True):
        for what in ("empty", "zeros", "part", "8"):
            yield f"unborn/{'single' if single else 'only'}/{what}", functools.partial(alone, single, what)


# --- missing segments --------------------------------------------------------------------------------------------------

def missing_cases():
    def missing(state, place):
        log = logs.base(state)
        order = [name for name, _ in log.segments]
        gone = {"first": order[:1], "first-two": order[:2], "middle": order[1:2], "neighbour": order[2:3],
                "last": order[3:], "last-two": order[2:], "all": order, "two": [order[1], order[2]]}[place]
        files = {name: data for name, data in log.files.items() if name not in gone}
        first = place.startswith("first")
        row = "first removed" if first else "last removed" if order[-1] in gone else "missing"
        case = Case(f"missing/{state}/{place}", row, log, files, further=place == "middle", neighbour=place in ("neighbour", "two"))
        if first:
            left = dict(log.segments)[order[len(gone)]].first_id
            case.hidden = frozenset(number for number in log.written if number < left)
        if place == "all":
            case.row = None
        if state == "unsynced" and place == "last":
            case.limit = damage.provable(log, order[3], b"")
            case.hidden = frozenset(number for number in log.written if number > case.limit)
        return case

    for state in damage.STATES:
        for place in ("first", "first-two", "middle", "neighbour", "two", "last", "last-two", "all"):
            if place in ("last-two", "all", "two") and state != "closed":
                continue
            yield f"missing/{state}/{place}", functools.partial(missing, state, place)

    def no_lock(place):
        """As above, without anything that proves it: the lock file is missing too."""
        log = logs.base("closed")
        files = {name: data for name, data in log.files.items() if name not in (log.segments[-1][0], log.lock)}
        limit = log.segments[-1][1].first_id - 1
        hidden = frozenset(number for number in log.written if number > limit)
        return Case(f"missing/no-lock/{place}", None, log, files, limit=limit, hidden=hidden)

    yield "missing/no-lock/last", functools.partial(no_lock, "last")


# --- names ------------------------------------------------------------------------------------------------------------

def name_cases():
    def copied(state, which, number):
        log = logs.base(state)
        name = log.segments[which][0]
        copy = numbered(name, number) if isinstance(number, int) else name.replace(".binlog", number)
        return Case(f"copied/{state}/{which}/{number}", "copied", log, {**log.files, copy: log.files[name]}, {copy: name},
                    neighbour=not isinstance(number, int))

    for state in ("closed", "open", "compressed", "recovered"):
        for which in (0, 1, 2, 3):
            for number in (9, 5, "-copy.binlog", ".1.binlog"):
                yield f"copied/{state}/{which}/{number}", functools.partial(copied, state, which, number)

    def swapped(state, one, other):
        log = logs.base(state)
        a, b = log.segments[one][0], log.segments[other][0]
        files = {**log.files, a: log.files[b], b: log.files[a]}
        return Case(f"swapped/{state}/{one}-{other}", "swapped", log, files, {a: b, b: a},
                    further=other < 2, neighbour=other == 2)

    for state in ("closed", "open", "recovered"):
        for one, other in ((0, 1), (1, 2), (2, 3), (0, 3)):
            yield f"swapped/{state}/{one}-{other}", functools.partial(swapped, state, one, other)

    def renamed(state, which, number):
        log = logs.base(state)
        name = log.segments[which][0]
        files = dict(log.files)
        new = numbered(name, number)
        files[new] = files.pop(name)
        return Case(f"renamed/{state}/{which}/{number}", "renamed", log, files, {new: name})

    for state in ("closed", "open"):
        for which, number in ((0, 9), (1, 9), (3, 9), (3, 5)):
            yield f"renamed/{state}/{which}/{number}", functools.partial(renamed, state, which, number)


# --- compressed, with the source still there --------------------------------------------------------------------------

@functools.lru_cache(maxsize=None)
def kept():
    """A compressed log with its sources beside it; and the names of the compressed files."""
    log = logs.base("closed")
    work = logs.home()
    try:
        logs.store(log.files, work / "log")
        done = logs.command("compress", "--keep-source", "--block-bytes", "16KiB", work / "log")
        assert done.returncode == 0, done.stderr
        files = logs.load(work / "log")
        return files, sorted(set(files) - set(log.files))
    finally:
        shutil.rmtree(work, ignore_errors=True)


def archive_cases():
    def beside(which, part, change, of):
        files, made = kept()
        log = logs.base("closed")
        name = made[which] if of == "made" else made[which].replace(".z.", ".")
        parsed = segment.parse(files[name])
        data = damage.changed(parsed.data, damage.part_of(parsed, part), change, None)
        row = ".z damaged" if of == "made" else "source of a .z damaged"
        if row.startswith("source") and part in ("declaration", "header"):
            row = "source's header lost"
        return Case(f"beside/{of}/{which}/{part}/{change}", row, log, {**files, name: data}, further=True)

    for of in ("made", "source"):
        for which in (0, 1):
            for part in ("declaration", "header", "block-header", "entries", "payload", "trailer"):
                for change in ("flipped", "zeroed", "cut", "removed"):
                    yield f"beside/{of}/{which}/{part}/{change}", functools.partial(beside, which, part, change, of)

    def both_whole():
        files, _ = kept()
        return Case("beside/both", ".z and source", logs.base("closed"), files)

    yield "beside/both", both_whole


# --- files of others
# -----------------------------------------------------------------------------------------------------

@functools.lru_cache(maxsize=None)
def another(name, seed=9):
    work = logs.home()
    try:
        making = logs.Making(work / "log", seed, name=name)
        for _ in range(2):
            making.segment()
            making.writer.roll()
        making.segment()
        making.writer.close()
        return logs.load(work / "log"), making.written
    finally:
        shutil.rmtree(work, ignore_errors=True)


def other_cases():
    def stray(what):
        log = logs.base("closed")
        extra = {"README.binlog": {"README.binlog": b"# These are logs\n"}, "text": {"notes.txt": b"nothing\n"},
                 "numbered": {"default.0000000099.txt": b"nothing\n"},
                 "torn-kept": {log.segments[-1][0] + ".torn-100": bytes(100)},
                 "damaged-kept": {log.segments[0][0] + ".damaged": bytes(100)}}[what]
        row = "no segment" if what == "README.binlog" else "nothing wrong"
        return Case(f"stray/{what}", row, log, {**log.files, **extra})

    for what in ("README.binlog", "text", "numbered", "torn-kept", "damaged-kept"):
        yield f"stray/{what}", functools.partial(stray, what)

    def two():
        log = logs.base("closed")
        files, written = another(b"audit")
        return Case("two-logs", "another log", log, {**log.files, **files}, others=frozenset(written.values()))

    yield "two-logs", two

    def same_name(where):
        log = logs.base("closed")
        files, written = another(b"default")
        extra = {numbered(name, int(re.search(r"\d{10}", name)[0]) + where): data
                 for name, data in files.items() if name.endswith(".binlog")}
        return Case(f"same-name/{where}", "same name", log, {**extra, **log.files}, others=frozenset(written.values()))

    for where in (4, 10):
        yield f"same-name/{where}", functools.partial(same_name, where)

    def in_between():
        """A segment of another log in the place of one of this one."""
        log = logs.base("closed")
        files, written = another(b"default")
        name = log.segments[1][0]
        return Case("same-name/in-place", "replaced", log, {**log.files, name: files[name]}, {name: "-"}, further=True,
                    others=frozenset(written.values()))

    yield "same-name/in-place", in_between

    def garbage(place):
        log = logs.base("closed")
        name = log.segments[{"middle": 1, "last": 3}[place]][0]
        return Case(f"garbage/{place}", "nothing left", log, {**log.files, name: b"nothing of a log " * 400}, further=place == "middle")

    for place in ("middle", "last"):
        yield f"garbage/{place}", functools.partial(garbage, place)


# --- versions ------------------------------------------------------------------------------------------------------------

def of_version(data, byte):
    """The segment as a writer of that version would have left it: declaration, its checksum, and what the TRAILER
    repeats."""
    parsed = segment.parse(data)
    data = segment.with_sum(data[:6] + bytes([byte]) + data[7:])
    for block in parsed.of_kind(segment.TRAILER):
        start, end = block.entries
        entries = data[start:end - 8] + data[:8]
        data = data[:start] + entries + data[end:]
        sums = segment.zlib.crc32(data[block.sums[0]:end], int.from_bytes(parsed.marker[:4], "little"))
        head = data[block.offset:block.offset + 8] + bytes(4) + data[block.offset + 12:block.offset + 72]
        head += sums.to_bytes(4, "little") + data[block.offset + 76:block.offset + 80]
        crc = segment.zlib.crc32(head, block.offset & 0xFFFFFFFF)
        data = data[:block.offset] + head[:8] + crc.to_bytes(4, "little") + head[12:] + data[block.offset + 80:]
    return data


def version_cases():
    def version(state, which, byte):
        log = logs.base(state)
        name = log.segments[which][0]
        data = of_version(log.files[name], byte)
        row = "newer" if byte >> 4 > 2 else "newer minor"
        first = log.segments[which][1].first_id
        behind = log.segments[which + 1][1].first_id if which + 1 < len(log.segments) else log.given + 1
        return Case(f"version/{state}/{which}/{byte:x}", row, log, {**log.files, name: data}, further=which < 2,
                    unreadable=frozenset(range(first, behind)) if row == "newer" else frozenset())

    for state in ("closed", "open"):
        for which in (0, 1, 3):
            for byte in (0x30, 0x21, 0x2F):
                yield f"version/{state}/{which}/{byte:x}", functools.partial(version, state, which, byte)

    def bit(state, which, at, number):
        log = logs.base(state, 4 if which != 9 else 1)
        name = log.segments[which if which != 9 else 0][0]
        return Case(f"version-bit/{state}/{which}/{at}.{number}", "header lost", log,
                    {**log.files, name: logs.flip(log.files[name], at, number)}, further=which in (0, 1))

    for which in (1, 3, 9):
        for at in (6, 7):
            for number in range(8):
                yield f"version-bit/closed/{which}/{at}.{number}", functools.partial(bit, "closed", which, at, number)

    def minor_torn():
        log = logs.base("open")
        name = log.segments[-1][0]
        data = of_version(log.files[name], 0x21)
        last = log.segments[-1][1].blocks[-1]
        return Case("version/torn/21", "newer minor, torn", log, {**log.files, name: data[:last.end - 30]},
                    limit=last.first_id - 1)

    yield "version/torn/21", minor_torn


# --- nothing wrong --------------------------------------------------------------------------------------------------------

def whole_cases():
    def whole(state, segments, single):
        log = logs.base(state, segments, single)
        row = {"closed": "nothing wrong", "compressed": "nothing wrong", "recovered": "acknowledged"}.get(state, "unclosed")
        return Case(f"whole/{state}/{segments}{'/single' if single else ''}", row, log, dict(log.files))

    for state in damage.STATES:
        for segments, single in ((4, False), (1, False), (1, True)):
            if single and state in ("compressed", "recovered"):
                continue
            yield f"whole/{state}/{segments}{'/single' if single else ''}", functools.partial(whole, state, segments, single)


# --- space that is filled ahead -------------------------------------------------------------------------------------------

@functools.lru_cache(maxsize=None)
def filled(single):
    """A log whose writer fills its segments ahead and was killed; its last records are not durable."""
    work = logs.home()
    try:
        path = work / ("default.binlog" if single else "log")
        making = logs.Making(path, 0, single, fill_ahead_bytes=1 << 20)
        if not single:
            making.segment()
            making.writer.roll()
        making.segment()
        making.append(12)
        making.writer.flush()
        position = making.writer.position()
        log = logs.Log("open", logs.load(work if single else path), making.written, position.durable, position.appended, single)
        making.writer.close()
        name = log.segments[-1][0]
        assert log.files[name].endswith(bytes(4096)), "it is not filled ahead"
        return log, name
    finally:
        shutil.rmtree(work, ignore_errors=True)


def filled_cases():
    def killed(single):
        log, _ = filled(single)
        return Case(f"filled/killed{'/single' if single else ''}", "filled ahead", log, dict(log.files))

    def torn(single):
        """Of the last block with records only the beginning has reached the disk; zeros follow."""
        log, name = filled(single)
        block = log.segments[-1][1].of_kind(damage.RECORDS)[-1]
        cut = (block.offset + block.end) // 2
        data = log.files[name]
        data = data[:cut] + bytes(len(data) - cut)
        return Case(f"filled/torn{'/single' if single else ''}", "torn", log, {**log.files, name: data},
                    limit=block.first_id - 1, is_torn=True)

    def lost(single):
        """Zeros in place of a block that was durable, and of all after it but the last one, which states that."""
        log, name = filled(single)
        blocks = log.segments[-1][1].blocks
        first = next(block for block in blocks if block.count)
        data = log.files[name]
        data = data[:first.offset] + bytes(blocks[-1].offset - first.offset) + data[blocks[-1].offset:]
        return Case(f"filled/lost{'/single' if single else ''}", "damaged", log, {**log.files, name: data})

    def trailer():
        """The length of a closed segment has not reached the disk, and its trailer has."""
        log, _ = filled(False)
        name = log.segments[0][0]
        return Case("filled/trailer", "filled ahead", log, {**log.files, name: log.files[name] + bytes(50_000)})

    for single in (False, True):
        ending = "/single" if single else ""
        yield f"filled/killed{ending}", functools.partial(killed, single)
        yield f"filled/torn{ending}", functools.partial(torn, single)
        yield f"filled/lost{ending}", functools.partial(lost, single)
    yield "filled/trailer", trailer


# --- a copy of a log whose writer is at work -----------------------------------------------------------------------------

@functools.lru_cache(maxsize=None)
def moments():
    """Files of one log at moments of its life: after each flush, sync and roll."""
    work = logs.home()
    try:
        making, seen = logs.Making(work / "log", 0), []

        def look():
            seen.append((logs.load(work / "log"), making.writer.position().durable, len(making.written)))

        for _ in range(4):
            for step in range(4):
                making.append(12)
                making.writer.flush()
                look()
                if step % 2:
                    making.writer.sync()
                    look()
            making.writer.roll()
            look()
        making.writer.close()
        return seen, making.written
    finally:
        shutil.rmtree(work, ignore_errors=True)


def copy_cases():
    """cp takes one file after the other: the ones it takes later are of a later moment."""
    def copied(first, second, order):
        seen, written = moments()
        early, late = seen[first][0], seen[second][0]
        names = sorted(late, reverse=order == "last-first")
        half = len(names) // 2
        files = {name: data for name, data in late.items() if name in names[half:]}
        files.update({name: early[name] for name in names[:half] if name in early})
        given = {number: record for number, record in written.items() if number <= seen[second][2]}
        log = logs.Log("open", files, given, seen[first][1], seen[second][2])
        return Case(f"copy/{first}-{second}/{order}", None, log, files, limit=0)

    for first in range(0, 27, 3):
        for later in (0, 1, 4, 9):
            if first + later < 27:
                for order in ("first-first", "last-first"):
                    yield f"copy/{first}-{first + later}/{order}", functools.partial(copied, first, first + later, order)


# --- a name that an INDEX contains before its event
# -----------------------------------------------------------------------

def type_cases():
    def cut(which):
        log = names_log()
        name, parsed = log.segments[0]
        if which >= len(parsed.blocks):
            return None
        data = parsed.data[:parsed.blocks[which].offset]
        row, files = damage.row_of(log, name, data), {**log.files, name: data}
        if row != "cut at a block":
            return Case(f"type/{which}", row, log, files)
        last = damage.provable(log, name, data)
        hidden = frozenset(number for number in log.written if number > last)
        return Case(f"type/{which}", row, log, files, limit=last, hidden=hidden)

    for which in range(1, 14):
        yield f"type/{which}", functools.partial(cut, which)


@functools.lru_cache(maxsize=None)
def names_log():
    """A log that names a type each time that an INDEX block has just been written."""
    work = logs.home()
    try:
        making = logs.Making(work / "log", 3, index_bytes=9000)
        for number in range(24):
            making.append(6)
            making.writer.flush()
            making.writer.type(f"name {number}")
        making.writer.flush()
        files, count = logs.load(work / "log"), len(making.written)
        making.writer.close()
        return logs.Log("open", files, making.written, 0, count)
    finally:
        shutil.rmtree(work, ignore_errors=True)
