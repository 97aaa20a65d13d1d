"""Cases: a log, and what was done to its files. Each case belongs to one row of the table. This file finds the row by
looking at the changed bytes with the parser of segment.py, as docs/recovery.md distinguishes the rows."""
import dataclasses
import functools
import re

import logs
import segment
from segment import INDEX, RECORDS, TRAILER

PARTS = ["declaration", "header", "block-header", "sums", "entries", "payload", "index", "trailer", "last-page"]
CHANGES = ["flipped", "zeroed", "cut", "removed", "inserted", "doubled", "swapped"]
PLACES = ["first", "middle", "neighbour", "last", "only", "single"]
STATES = ["closed", "open", "unsynced", "compressed", "recovered"]
# The line of a lock file: word, log id, sequence, next id, the last closed segment's sequence, bytes and marker, synced, count.
LINE = rb"(left|ends) ([0-9a-f]{32}) (\d+) (\d+) (\d+) (\d+) ([0-9a-f]{16}) (\d+) (\d+) [0-9a-f]{8}"
NAMES = ["right", "copied", "swapped", "missing"]


@dataclasses.dataclass
class Case:
    name: str
    row: str  # of the table; None: only what holds for every row is checked
    log: logs.Log
    files: dict  # name -> bytes: all that is in the directory
    origin: dict = None  # file name -> name of the file in the log that its bytes were, where that is another one
    further: bool = False  # the damage is neither in the last segment nor in the one before it
    neighbour: bool = False  # it is in the one before the last: append may look there, and need not
    limit: int = None  # an append that is not refused must give ids after this one; None: after all that were given
    is_torn: bool = False  # what is damaged was never durable: its ids were never acknowledged
    hidden: frozenset = frozenset()  # ids that no reader can know of
    unreadable: frozenset = frozenset()  # ids of records that only a newer library reads
    others: frozenset = frozenset()  # records of other logs that are in the directory

    @functools.cached_property
    def sources(self):
        """(file now, file in the log before), for each file that holds what a file of the log held."""
        origin = self.origin or {}
        return [(name, origin.get(name, name)) for name in self.files if origin.get(name, name) in self.log.files]

    @functools.cached_property
    def changed(self):
        """The files whose name or bytes are no longer those of the log."""
        odd = {name for name, data in self.files.items() if self.log.files.get(name) != data}
        return odd | {name for name in self.log.files if name not in self.files and name.endswith(".binlog")}

    @functools.cached_property
    def intact(self):
        """Ids of the records whose bytes are all there: in place, or, block by block, shifted."""
        return self._found()[0]

    @functools.cached_property
    def before(self):
        """Ids of the records before the first byte that is not where it was, in the order of the log."""
        return self._found()[1]

    def _found(self):
        whole, in_place = set(), set()
        by_name = dict(self.log.segments)
        broken = set()
        for now, then in self.sources:
            if then not in by_name:
                continue
            parsed, data = by_name[then], self.files[now]
            end = parsed.header[1]
            if data[:end] != parsed.data[:end] or now != then:
                broken.add(parsed.sequence)
            for block in parsed.of_kind(RECORDS):
                self._block(parsed, block, data, whole, in_place)
        names = {then for _, then in self.sources}
        before = set()
        for name, parsed in self.log.segments:
            if name not in names or parsed.sequence in broken:
                # The first segments may have been removed for their age.
                if before or name in names or not self._removed_first(name, names):
                    break
                continue
            stop = False
            at = parsed.header[1]
            for block in parsed.blocks:
                data = self.files[next(now for now, then in self.sources if then == name)]
                if data[at:block.offset] != parsed.data[at:block.offset]:
                    stop = True
                for number in block.ids if block.kind == RECORDS else ():
                    if number not in in_place and number in self.log.written:
                        stop = True
                    # A block that the end of the file cuts off is none.
                    if stop or len(data) < block.end:
                        break
                    before.add(number)
                # Which records of a block were a batch, which a crash keeps whole or not at all, is not known.
                if stop and block.kind == RECORDS and self.row.startswith("hole"):
                    before.difference_update(block.ids)
                if block.kind != RECORDS and data[block.offset:block.offset + 80] != parsed.data[block.offset:block.offset + 80]:
                    stop = True
                at = block.end
                if stop:
                    break
            if stop:
                break
        return frozenset(whole & self.log.written.keys() - self.unreadable), frozenset(before & self.log.written.keys())

    def _removed_first(self, name, names):
        """Whether this file and all before it are missing."""
        for other, _ in self.log.segments:
            if other in names:
                return False
            if other == name:
                return True
        return False

    @staticmethod
    def _block(parsed, block, data, whole, in_place):
        was = parsed.data
        head = slice(block.offset, block.entries[1])
        if data[head] == was[head]:
            if not block.records:
                if data[block.offset:block.end] == was[block.offset:block.end]:
                    whole.update(block.ids)
                    in_place.update(block.ids)
            for number, start, end in block.records:
                first = block.payload[0] + (start - block.payload[0]) // segment.PAGE * segment.PAGE
                pages = -(-(end - block.payload[0]) // segment.PAGE) if end > start else 0
                touched = slice(first, min(block.payload[0] + pages * segment.PAGE, block.payload[1]))
                if start == end or data[touched] == was[touched]:
                    whole.add(number)
                    in_place.add(number)
        elif was[block.offset:block.end] in data:
            whole.update(block.ids)


# --- where the parts are -------------------------------------------------------------------------------------------

def part_of(parsed, part):
    """First and last byte of a part, or None where the segment has none. Blocks in the middle, if there are any."""
    blocks = parsed.of_kind(RECORDS)
    full = [block for block in blocks if block.count]
    middle = full[len(full) // 2] if full else None
    if part == "declaration":
        return 0, 12
    if part == "header":
        return 12, parsed.header[1]
    if part == "index":
        found = parsed.of_kind(INDEX)
        return (found[len(found) // 2].offset, found[len(found) // 2].end) if found else None
    if part == "trailer":
        found = parsed.of_kind(TRAILER)
        return (found[-1].offset, found[-1].end) if found else None
    if middle is None:
        return None
    if part == "block-header":
        return middle.offset, middle.offset + 80
    if part in ("sums", "entries", "payload"):
        return getattr(middle, part)
    last = full[-1].payload
    return last[0] + (last[1] - last[0] - 1) // segment.PAGE * segment.PAGE, last[1]


def changed(data, place, change, other):
    """The file after a change to a part; `other` are the bytes of the same part of another segment."""
    start, end = place
    part, middle = data[start:end], (start + end) // 2
    if change == "flipped":
        return logs.flip(data, middle)
    if change == "zeroed":
        return data[:start] + bytes(end - start) + data[end:]
    if change == "cut":
        return data[:middle]
    if change == "removed":
        return data[:start] + data[end:]
    if change == "inserted":
        return data[:middle] + b"\x5a" * 7 + data[middle:]
    if change == "doubled":
        return data[:end] + part + data[end:]
    return data[:start] + other + data[end:] if other is not None else None


# --- which row a damaged segment belongs to ------------------------------------------------------------------------

def row_of(log, name, data):
    """The row for one segment of a log whose bytes are these now."""
    order = [one for one, _ in log.segments]
    parsed, last = dict(log.segments)[name], name == order[-1]
    was = parsed.data
    if data == was:
        return None
    header = parsed.header[1]
    made = 15 in parsed.fields or 17 in parsed.fields
    if data[:header] != was[:header]:
        if parsed.marker not in data[header:] and not segment.valid_blocks(data, parsed.marker):
            return "nothing left"
        if last and never_durable(log, parsed, data):
            return "beginning never durable"
        return "another's header" if is_header(data) else "header lost"
    if len(data) != len(was) and not was.startswith(data):
        return "shifted"
    valid = segment.valid_blocks(data, parsed.marker)
    whole = [block for block in valid if data[block.offset:block.end] == was[block.offset:block.end]]
    end_of_good = next((block.offset for block in parsed.blocks if block not in whole), len(data))
    noted = closed_length(log, parsed)
    if was.startswith(data):  # cut
        if not last or (not made and len(data) < noted):
            return "end missing"
        if made:
            return "made, no trailer"
        return "cut at a block" if end_of_good == len(data) else "torn"
    # The bytes differ in place.
    broken = next(block for block in parsed.blocks if block not in whole)
    behind = [block for block in whole if block.offset > broken.offset]
    if broken.kind == INDEX and data[broken.offset:broken.offset + 80] == was[broken.offset:broken.offset + 80]:
        return "index"
    durable = max([noted, *(block.durable_end for block in valid)])
    if broken.kind == TRAILER and not behind:
        if made:
            return "made, no trailer"
        return "torn" if last and broken.offset >= durable else "trailer"
    if last and not made and broken.offset >= durable:
        return "hole" if behind else "torn"
    records = [block for block in parsed.of_kind(RECORDS) if block.count]
    return "last records" if last and broken == records[-1] else "damaged"


def never_durable(log, parsed, data):
    """Whether neither the lock file nor a block states that anything of the segment was durable. A power cut neither
    removes nor inserts bytes."""
    line = log.files.get(log.lock, b"") if log.lock else b""
    synced = max((int(one) for one in re.findall(rb"(?:left|ends) (?:\S+ ){6}(\d+) ", line)), default=0)
    in_place = len(data) == len(parsed.data)
    return not log.single and synced < parsed.sequence and in_place and not any(
        block.durable_end for block in segment.valid_blocks(data, parsed.marker))


def closed_length(log, parsed):
    """How long the segment was when it was closed, as the lock file records; 0 when it does not."""
    line = log.files.get(log.lock, b"") if log.lock else b""
    newest = max(re.finditer(LINE, line), key=lambda found: int(found[9]), default=None)
    if newest is None or (int(newest[5]), newest[7]) != (parsed.sequence, b"%016x" % int.from_bytes(parsed.marker, "little")):
        return 0
    return int(newest[6])


def is_header(data):
    length = int.from_bytes(data[8:12], "little")
    return 16 + length <= len(data) and segment.with_sum(data) == data


# --- the systematic list --------------------------------------------------------------------------------------------

def targets(log, place):
    """The name of the segment at a place."""
    order = [name for name, _ in log.segments]
    if place in ("only", "single"):
        return order[0] if len(order) == 1 and log.single == (place == "single") else None
    if len(order) == 1:
        return None
    return order[{"first": 0, "middle": len(order) // 2 - 1, "neighbour": len(order) - 2, "last": len(order) - 1}[place]]


def systematic():
    """Every combination; impossible ones are left out."""
    for state in STATES:
        for place in PLACES:
            single, alone = place == "single", place in ("only", "single")
            if single and state in ("compressed", "recovered"):
                continue
            log = functools.partial(logs.base, state, 1 if alone else 4, single)
            for part in PARTS:
                for change in CHANGES:
                    for names in NAMES:
                        if alone and names == "swapped":
                            continue
                        yield f"{state}/{place}/{part}/{change}/{names}", functools.partial(
                            combined, log, state, place, part, change, names)


def combined(log, state, place, part, change, names):
    log = log()
    name, further = targets(log, place), place in ("first", "middle")
    if name is None:
        return None
    parsed = dict(log.segments)[name]
    where = part_of(parsed, part)
    if where is None:
        return None
    other = None
    if change == "swapped":
        others = [one for one, _ in log.segments if one != name]
        donor = dict(log.segments)[others[-1]] if others else logs.base("closed", 1, False, 9).segments[0][1]
        there = part_of(donor, part)
        if there is None:
            return None
        other = donor.data[there[0]:there[1]]
    data = changed(parsed.data, where, change, other)
    if data is None or data == parsed.data:
        return None
    files = dict(log.files)
    files[name] = data
    row = row_of(log, name, data)
    label = f"{state}/{place}/{part}/{change}/{names}"
    case = Case(label, row, log, files, further=further, neighbour=place == "neighbour")
    if row == "hole" and log.single:
        case.row = "hole, one file"
    proved = log.lock is not None and re.search(LINE, log.files[log.lock])
    if row in ("torn", "cut at a block") or row == "nothing left" and change == "cut" and not proved:
        # Nothing records that there were more.
        case.limit = provable(log, name, data)
        case.hidden = frozenset(number for number in log.written if number > case.limit)
        if row == "nothing left":
            case.row = "unborn, alone"
    case.is_torn = "torn" in str(row)
    if names != "right":
        misname(case, name, names)
    return case


def provable(log, name, data):
    """The last id that bytes outside of the damage still prove to have been given."""
    parsed = dict(log.segments)[name]
    last = parsed.first_id - 1
    for block in parsed.blocks:
        if data[block.offset:block.end] == parsed.data[block.offset:block.end] and block.kind == RECORDS:
            last = max(last, block.first_id + block.count - 1)
    return max(last, left_next_id(log.files.get(log.lock, b"") if log.lock else b"") - 1)


def left_next_id(lock):
    """The next id after all closed segments, from the lock file's line; 0 when it has none."""
    found = [int(one) for one in re.findall(rb"(?:left|ends) [0-9a-f]{32} \d+ (\d+)", lock)]
    return max(found, default=0)


def misname(case, name, names):
    """Adds a second change: then only what holds for all rows is checked."""
    files, order = case.files, [one for one, _ in case.log.segments]
    case.row = None
    if names == "copied":
        copy = name.replace("default", "default.0000000077", 1) if case.log.single else re.sub(r"\d{10}", "0000000077", name)
        if copy not in files:
            files[copy] = files[name]
            case.origin = {copy: name}
    elif names == "swapped":
        other = order[0] if name != order[0] else order[1]
        files[name], files[other] = files[other], files[name]
        case.origin = {name: other, other: name}
    else:
        del files[name]
        if name == order[-1]:
            case.limit = provable(case.log, name, b"")
        if name == order[0]:
            first = dict(case.log.segments)[order[1]].first_id if len(order) > 1 else case.log.given + 1
            case.hidden = frozenset(number for number in case.log.written if number < first)
