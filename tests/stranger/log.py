"""Logs: which files are segments, their order, and what damaged bytes mean, after docs/judging.md and nothing else.

"Page:" begins a comment where the page had to be interpreted.
"""

import os
import re
import struct
import zlib

import segment as seg
from segment import Block, CannotDecode, Damaged, FileHeader, Newer, NotSegment

GZIP, ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
ENDINGS = (".binlog", ".binlog.gz", ".binlog.zst")
NEAR = 1 << 16
UNBORN = 1052684        # more than a declaration and a header can have


class Loss:
    """Something that a salvaging reader reports; also a hole that is named, and a double."""

    def __init__(self, file, offset, size, reason, first=0, last=0, durable=False, kind="damage"):
        self.file, self.offset, self.bytes, self.reason = file, offset, size, reason
        self.first_lost_id, self.last_lost_id, self.durable, self.kind = first, last, durable, kind


class End:
    """How a segment or a log ends. State: closed, unclosed, torn, damaged, newer, unborn or refused."""

    def __init__(self, state, file=None, offset=None, reason=None, next_id=None, unread=None):
        self.state, self.file, self.offset, self.reason = state, file, offset, reason
        self.next_id, self.unread_bytes = next_id, unread


# ------------------------------------------------------------------------------------------------------------------- files

def inflate(data):
    """The contents of a file that is compressed as a whole, and what is wrong with its end, if anything."""
    if data[:2] == GZIP:
        begin, error = (lambda: zlib.decompressobj(31)), zlib.error
    elif seg.zstandard:
        begin, error = (lambda: seg.zstandard.ZstdDecompressor().decompressobj()), seg.zstandard.ZstdError
    else:
        raise CannotDecode("a file compressed with Zstandard, and the Python package `zstandard` is not installed")
    contents, problem = inflate_by(data, begin, error, 1 << 16)
    if problem:
        # What the other bytes of a piece complete is not returned when one of them is wrong.
        contents, problem = inflate_by(data, begin, error, 1)
    return contents, problem


def inflate_by(data, begin, error, piece):
    out, at = [], 0
    try:
        while at < len(data):
            stream = begin()
            while not stream.eof:
                if at >= len(data):
                    return b"".join(out), "the compressed stream is cut short"
                chunk = data[at:at + piece]
                out.append(stream.decompress(chunk))
                at += len(chunk)
            at -= len(stream.unused_data)
    except error as problem:
        return b"".join(out), "the compressed stream is damaged: %s" % problem
    return b"".join(out), None


def first_block(data):
    """The first header whose checksum is right for its own marker and offset, and that this version knows."""
    for match in re.finditer(rb"(?=[\x01-\x03][\x00-\x02][\x00-\x03]\x00)", data[12:]):
        at = match.start()
        mark = data[at:at + 8]
        if mark != bytes(8):
            try:
                return Block(data, at, mark)
            except Damaged:
                pass
    return None


def first_moved(data):
    """The first block header that was written for another offset of this file, and is followed by its entries."""
    for match in re.finditer(rb"(?=[\x01-\x03][\x00-\x02][\x00-\x03]\x00)", data[12:]):
        at = match.start()
        mark = data[at:at + 8]
        if mark == bytes(8) or at + seg.HEAD > len(data):
            continue
        written = seg.written_offset(data, at)
        if abs(at - written) > len(data):
            continue
        try:
            block = Block(data, at, mark, at - written)
        except Damaged:
            continue
        if block.head_good(data):
            return block
    return None


def is_unborn(data, single):
    """Whether a file whose declaration and header are damaged is one that was never begun. `single`: a log that is one file."""
    begun = data[:8].rstrip(b"\0")
    whole = seg.MAGIC + bytes([data[6] if len(begun) > 6 and data[6] >> 4 == 2 else 0x20, 1])
    if begun != whole[:len(begun)]:
        return False
    end = UNBORN
    if single:
        # Page: if the length is zero or not there yet, the header is taken to end at 16.
        end = min(end, 16 + struct.unpack("<I", data[8:12].ljust(4, b"\0"))[0])
        if len(data) > UNBORN:
            return False
    return not data[end:].strip(b"\0") and first_block(data) is None and first_moved(data) is None


class Segment:
    """One file, in memory. `state` is read, unborn, damaged (its header), newer or none (no segment)."""

    def __init__(self, path):
        self.path, self.file = path, os.path.basename(path)
        with open(path, "rb") as stream:
            self.data = stream.read()
        self.whole = self.data[:2] == GZIP or self.data[:4] == ZSTD
        self.broken = self.reason = self.header = None
        if self.whole:
            self.data, self.broken = inflate(self.data)
        digits = re.search(r"[0-9]{10,}", self.file)
        self.sequence = int(digits.group()) if digits else 0
        try:
            self.header = FileHeader(self.data)
            self.state, self.sequence = "read", self.header.sequence
        except Newer as error:
            self.state, self.reason = "newer", str(error)
        except (NotSegment, Damaged) as error:
            self.state = "none" if isinstance(error, NotSegment) else "damaged"
            self.reason = self.broken if self.broken and not self.data else str(error)
            # Page: a log of one file is taken to be one whose name has no number.
            if not self.whole and is_unborn(self.data, digits is None):
                self.state = "unborn"
            elif self.state == "none" and self.file.endswith(ENDINGS) and (first_block(self.data) or first_moved(self.data)):
                self.state = "damaged"

    def named_as(self, log):
        """Whether the file's name is one of that log: its name, no letter and no digit, the number, the ending."""
        rest = self.file[len(log):]
        return self.file.startswith(log) and rest != "" and not rest[0].isalnum() and re.search("[0-9]{10,}", rest) is not None

    def plain_name(self):
        """The name without what compression added, to find pairs."""
        return re.sub(r"\.z(\.[0-9a-f]{64})?\.binlog$", ".binlog", re.sub(r"\.(gz|zst)$", "", self.file))

    def markers(self):
        """The markers by which a next segment may name this one."""
        found = [self.header.marker]
        found += [other["marker"] for other in (self.header.recovered, self.header.original) if other]
        return found

    def do_without_header(self, others):
        """Without a readable header: what salvage can know nevertheless. False if there is no block either."""
        block = first_block(self.data) or first_moved(self.data)
        if block is None:
            return False
        header = FileHeader.__new__(FileHeader)
        header.__dict__.update(seg.empty_message(seg.FILE_HEADER))
        known = next((other.header for other in others if other.header), None)
        if known:
            header.log_id, header.name, header.incompatible = known.log_id, known.name, known.incompatible
            header.dictionary = known.dictionary
        header.mark = self.data[block.at:block.at + 8]
        right_before = any(other.state == "read" and other.sequence + 1 == self.sequence for other in others)
        first_id = None if right_before else seg.first_id_by_index(self.data, header.mark)
        header.marker = struct.unpack("<Q", header.mark)[0]
        header.sequence, header.first_id, header.size = self.sequence, first_id or block.first_id, min(block.at, block.written)
        header.space, header.opening = bool(header.incompatible & 2), None
        self.header = header
        return True


# ------------------------------------------------------------------------------------------------------------ one segment

class Walk:
    """Reads one segment from block to block. run() yields entries and losses; then `end` is how it ends, and `next` the
    next id."""

    def __init__(self, segment, mode="prefix", later=False, durable=0, holes=(), expected=None):
        self.segment, self.mode, self.later, self.holes = segment, mode, later, {hole["offset"]: hole for hole in holes}
        self.data, self.header = segment.data, segment.header
        self.durable = durable          # greatest durable end that is known
        self.next = self.header.first_id
        if mode == "salvage" and expected and expected > self.next:
            self.next = expected        # ids that were shown are not shown again
        self.lost = None                # `last_lost_id` of the last RECOVERED
        self.names = {}
        self.trailer = False            # a TRAILER was there
        self.last = None                # kind of the last good block
        self.rotated = None             # `file` of a ROTATE_NEXT without an OPENED behind it
        self.shift = 0                  # how far the blocks are from where they were written
        self.end = None
        self.passed = self.header.size  # where the payload of the last block begins, or that block ends

    # -- evidence

    def headers_behind(self, begin, bad=None):
        """All valid headers of this segment's marker from `begin` on, those included that were written for another offset."""
        at = self.data.find(self.header.mark, begin)
        while at >= 0:
            for shift in dict.fromkeys((0, self.shift)):
                try:
                    yield Block(self.data, at, self.header.mark, shift)
                    break
                except Damaged:
                    pass
            else:
                block = self.moved(at, begin if bad is None else bad)
                if block:
                    yield block
            at = self.data.find(self.header.mark, at + 1)

    def moved(self, at, bad):
        """A header that was written for another offset, the nearest one for which its sum is right. Page: "farther away than 1 MiB or
        the length of the file" is taken as the greater of the two."""
        if at + seg.HEAD > len(self.data):
            return None
        written = seg.written_offset(self.data, at)
        written += (at - written + (1 << 31)) >> 32 << 32
        if written < bad or abs(at - written) > max(1 << 20, len(self.data)):
            return None
        try:
            block = Block(self.data, at, self.header.mark, at - written)
        except Damaged:
            return None
        return block if block.head_good(self.data) else None

    def confirmed(self, block, written):
        """Salvage: whether something else shows that `block` is where it seems to be: `written` are the offsets for which one was
        written, where the bad bytes begin and where a bad block ends."""
        shift = block.at - block.written
        if shift == self.shift or block.skip or block.newer:
            return shift == self.shift
        if block.written in written:
            return True
        at = self.data.find(self.header.mark, block.end)
        while at >= 0:
            try:
                Block(self.data, at, self.header.mark, shift)
                return True
            except Damaged:
                at = self.data.find(self.header.mark, at + 1)
        if block.kind == seg.TRAILER and block.count == 0:
            return self.read(block)[0] is None
        if abs(shift) > 128 << 10 or block.end > len(self.data):
            return False
        return block.end == len(self.data) or self.header.space and not self.data[block.end:].strip(b"\0")

    def judge(self, at):
        """Torn tail, hole or damage: bytes from `at` on that are no valid block."""
        behind = list(self.headers_behind(at + 1, at - self.shift))
        # Page: "behind the offset" leaves out a header at that offset that was moved there, because whole blocks were removed. It
        # counts here.
        here = self.moved(at, at - self.shift) if self.data[at:at + 8] == self.header.mark and not self.valid(at) else None
        self.durable = max([self.durable] + [block.durable for block in behind if not block.skip])
        if here or any(block.at != block.written for block in behind):
            return "damage"
        if self.segment.whole or self.special() and not self.trailer:
            return "damage"
        if at - self.shift < self.durable:
            return "damage"
        return "hole" if behind or self.later else "torn"

    def special(self):
        return bool(self.header.recovered or self.header.original)

    def valid(self, at):
        try:
            return Block(self.data, at, self.header.mark, self.shift)
        except Damaged:
            return None

    def free(self, at):
        """Whether the rest is free space: zeros, in a segment with SPACE, behind every durable end so far."""
        return self.header.space and at - self.shift >= self.durable and not self.data[at:].strip(b"\0")

    # -- ends and losses

    def stop(self, at, reason):
        """Prefix and strict: reading ends here."""
        kind = self.judge(at)
        self.end = End("torn" if kind == "torn" else "damaged", self.segment.file, at,
                       "a hole that no later segment names: " + reason if kind == "hole" else reason,
                       self.next, len(self.data) - at)

    def loss(self, at, size, reason, first=0, last=0, kind="damage"):
        if first > last:
            first = last = 0
        return Loss(self.segment.file, at, size, reason, first, last, size > 0 and at - self.shift < self.durable, kind)

    def finish(self, at):
        """The file ends, and all of it was good."""
        if self.lost is not None and self.lost + 1 > self.next:
            self.next = self.lost + 1
        if self.segment.broken:
            self.end = End("damaged", self.segment.file, at, self.segment.broken)
        elif not self.trailer and self.special():
            self.end = End("damaged", self.segment.file, at, "a recovered or compressed segment without a TRAILER", self.next, 0)
        else:
            self.end = End("closed" if self.last == seg.TRAILER else "unclosed", self.segment.file, at, None, self.next, 0)

    # -- the walk

    def run(self):
        salvage = self.mode == "salvage"
        if salvage:
            headers = [block for block in self.headers_behind(0) if not block.skip]
            self.durable = max([self.durable] + [block.durable for block in headers])
            if self.special():
                made = next((block for block in headers if block.kind == seg.TRAILER), None)
                self.durable = max(self.durable, made.written + made.end - made.at if made else len(self.data))
        at = self.header.size
        while at < len(self.data):
            hole = self.holes.get(at)
            if hole:
                first, last = hole["first_lost_id"], hole["last_lost_id"]
                yield self.loss(at, hole["bytes"], "a hole that a later segment names", first, last, "named hole")
                if self.mode == "strict":
                    self.end = End("damaged", self.segment.file, at, "a hole that a later segment names")
                    return
                at += hole["bytes"]
                self.next = max(self.next, last + 1)
                self.last = None        # unclosed, if it reaches the end
                continue
            try:
                block = Block(self.data, at, self.header.mark, self.shift)
                if block.end > len(self.data) and not block.newer and not (salvage and self.goes_on(block)):
                    raise Damaged("the file ends within the block")
            except Damaged as error:
                if self.free(at):
                    break
                if not salvage:
                    self.stop(at, str(error))
                    return
                at = yield from self.search(at, str(error))
                continue
            if block.newer:
                if not salvage:
                    self.end = End("newer", self.segment.file, at, block.newer)
                    return
                at = yield from self.search(at, block.newer, True)
                continue
            if block.skip:
                at, self.last = block.end, block.kind
                continue
            self.durable = max(self.durable, block.durable)
            if block.first_id != self.next and not (self.lost is not None and block.first_id == self.lost + 1 > self.next):
                reason = "a block begins with id %d, and %d comes next" % (block.first_id, self.next)
                if not salvage:
                    self.stop(at, reason)
                    return
                if block.first_id < self.next:
                    yield self.loss(at, block.end - at, reason + ": passed over")
                    at = block.end
                    continue
                yield self.loss(at, 0, reason, self.lost_from(), block.first_id - 1)
            self.next, self.passed = block.first_id, block.payload_at
            fault, shown, missing = self.read(block)
            # Page: "everything before it" is taken as whole blocks, as in the page's summary.
            if fault and salvage:
                # Where bytes were inserted, the same block may be there once more, whole.
                again = next((other for other in self.headers_behind(block.at + 1, block.written) if not other.skip), None)
                if again and (again.written, again.kind) == (block.written, block.kind):
                    # They were never written.
                    yield Loss(self.segment.file, at, again.at - at, "bytes are here that are no blocks", 0, 0, False, "damage")
                    at, self.shift = again.at, again.at - again.written
                    continue
            for entry in shown if salvage or not fault else ():
                yield self.note(entry)
            if fault:
                if not salvage:
                    if block.kind != seg.INDEX or self.mode == "strict":
                        self.stop(at, fault)
                        return
                else:
                    yield from self.lose(block, fault, missing, "damage" if block.kind == seg.INDEX else self.judge(block.at))
            self.next = block.first_id + block.count
            self.last = block.kind
            self.trailer = self.trailer or block.kind == seg.TRAILER
            at = block.end
            if fault and salvage and not (at < len(self.data) and (self.valid(at) or self.free(at))):
                # Bytes may be missing or too many within the block: those behind may begin before its end.
                other = next(self.headers_behind(block.at + 1, block.written), None)
                if other and other.at < at and self.confirmed(other, [block.written, block.written + block.end - block.at]):
                    at, self.shift = other.at, other.at - other.written
        self.finish(min(at, len(self.data)))

    def read(self, block):
        """(what is wrong, entries to show, entries that are lost); lost is None for all of them."""
        data, none = self.data, None
        if not block.head_good(data):
            return "the sum of entries and page checksums is wrong", (), none
        try:
            if block.kind == seg.INDEX:
                seg.check_index(block, data)
                return None, (), none
            if block.kind == seg.TRAILER:
                if self.header.opening is not None:
                    seg.check_trailer(block, data, self.header)
                return None, (), none
            payload, bad = block.stored(data)
            wrong = "the checksum of page %d of the payload is wrong" % min(bad) if bad else None
            if bad and self.mode == "salvage":
                for entry in block.entries(data, self.header.dictionary):
                    self.note(entry)    # what was bound there holds
                payload, bad = block.stored(data, self.within(block))
            if bad and block.codec:
                return wrong, (), none
            entries = block.entries(data, self.header.dictionary)
            lost = []
            if not bad:
                payload = block.payload(payload, self.header.dictionary)
            else:
                lost = [entry for entry in entries if entry.length and not bad.isdisjoint(
                    range(entry.place // seg.PAGE, (entry.place + entry.length - 1) // seg.PAGE + 1))]
            for entry in entries:
                entry.payload = bytes(payload[entry.place:entry.place + entry.length])
            gone = set(map(id, lost))
            return wrong, [entry for entry in entries if id(entry) not in gone], lost
        except Damaged as error:
            return str(error), (), none

    def within(self, block):
        """By how much the last pages of a block are moved into which bytes were inserted, or in which some are missing:
        as much as what follows."""
        end = block.written + block.end - block.at
        if self.valid(block.end):
            return 0
        for other in self.headers_behind(block.at + seg.HEAD, end):
            shift = other.at - other.written
            if (other.written > end or other.written == end and shift != self.shift) and self.confirmed(other, [end]):
                return shift - self.shift if other.written == end or other.at < block.end else 0
        return 0

    def note(self, entry):
        """Notes the names and lost ids of an entry."""
        if entry.type == seg.TYPE:
            number, name, content_type = entry.number("id"), entry.fact("name"), entry.fact("content_type") or ""
            texts = (name or "", content_type, entry.fact("encoding") or "", entry.fact("message") or "")
            if (number is not None and name is not None and seg.FIRST_NAMED <= number < seg.FIRST_EVENT
                    and sum(len(text.encode()) for text in texts) <= 4096):
                self.names[number] = (name, content_type)
        elif entry.type == seg.RECOVERED:
            self.lost = entry.number("last_lost_id")
        elif entry.type == seg.ROTATE_NEXT:
            self.rotated = entry.fact("file")
        elif entry.type == seg.OPENED:
            self.rotated = None
        if not entry.event:
            entry.name, entry.content_type = self.names.get(entry.type, (None, None))
        return entry

    # -- salvage

    def lost_from(self):
        """The first id that can be lost here: a RECOVERED says that those before it are."""
        return max(self.next, (self.lost or 0) + 1)

    def goes_on(self, block):
        """What follows a block in which bytes are missing, so that the file's end seems to cut it off."""
        other = next(self.headers_behind(block.at + seg.HEAD, block.written + block.end - block.at), None)
        return other if other and self.confirmed(other, [block.written + block.end - block.at]) else None

    def lose(self, block, fault, missing, kind="damage"):
        """Losses of one block: all of its records, or runs of those that are listed."""
        size, last = block.end - block.at, block.first_id + block.count - 1
        if missing is None:
            yield self.loss(block.at, min(size, len(self.data) - block.at), fault, block.first_id, last, kind)
            return
        ids = [entry.id for entry in missing if not entry.event]
        if not ids:
            yield self.loss(block.at, size, fault, kind=kind)
        while ids:
            run = 1
            while run < len(ids) and ids[run] == ids[0] + run:
                run += 1
            yield self.loss(block.at, size, fault, ids[0], ids[run - 1], kind)
            ids = ids[run:]

    def search(self, at, reason, newer=False):
        """Where to continue after bytes that are no block, or none that is known; reports what is lost on the way."""
        cut = None if newer else self.valid(at)
        other = None
        # The last byte of the block before may be the first one of a marker that lost its own.
        begin = min(at, self.passed) if cut is None and not newer else at + 1
        for block in self.headers_behind(begin, at - self.shift):
            # A block that the file's end cuts off too is taken only if nothing else is there.
            if not block.newer and (block.skip or block.first_id >= self.next) and self.confirmed(block, [at - self.shift]):
                other = block
                break
        end = other.at if other else len(self.data)
        if other is None and cut is not None and not cut.skip:
            # The file's end cuts it off: shown up to its last whole page.
            kind = self.judge(at)
            self.durable = max(self.durable, cut.durable)
            if cut.first_id > self.next and not (self.lost is not None and cut.first_id == self.lost + 1):
                yield self.loss(at, 0, "ids are missing before a block", self.lost_from(), cut.first_id - 1)
            self.next = max(self.next, cut.first_id)
            shown, missing = (), None
            if cut.kind == seg.RECORDS and not cut.codec and cut.payload_at <= len(self.data) and cut.first_id == self.next:
                _, shown, missing = self.read(cut)
            for entry in shown:
                yield self.note(entry)
            for loss in self.lose(cut, reason, missing, kind):
                loss.bytes = end - at
                yield loss
            self.next = max(self.next, cut.first_id + cut.count)
        else:
            kind = "damage" if newer else self.judge(at)
            last = other.first_id - 1 if other and not other.skip else 0
            yield self.loss(at, end - at, reason, self.lost_from(), last, kind)
            if other:
                self.shift = other.at - other.written
                if not other.skip:
                    self.next = max(self.next, other.first_id)
        self.last = None
        return end


# ------------------------------------------------------------------------------------------------------------------- logs

class Lock:
    """What `<name>.lock` states that the log has given: the valid line with the greatest count, for this log id."""

    def __init__(self, path, log_id):
        self.synced = self.closed = self.closed_bytes = self.closed_marker = 0
        try:
            with open(path, "rb") as stream:
                data = stream.read(1536)
        except OSError:
            return
        best = -1
        for part in (data[512:1024], data[1024:1536]):
            words = part.rstrip(b" \n").split(b" ")
            if len(words) != 10 or words[0] != b"left":
                continue
            line = b" ".join(words[:9])
            try:
                numbers = [int(word) for word in words[2:6] + words[7:9]]
                if int(words[9], 16) != seg.crc(0, line) or log_id not in (None, bytes.fromhex(words[1].decode())):
                    continue
            except ValueError:
                continue
            if numbers[5] > best:
                # Page: "its last closed segment" is taken as <last sequence>.
                best, self.closed, self.closed_bytes, self.synced = numbers[5], numbers[2], numbers[3], numbers[4]
                self.closed_marker = int(words[6], 16)


class Log:
    """A file read alone, or a directory. run(mode) yields entries and losses; then `end` is how the log ends."""

    def __init__(self, path, name=None):
        self.end = None
        self.lock = None
        self.directory = os.path.isdir(path)
        self.path = path
        self.trouble = None
        self.files = {}
        if not self.directory:
            self.segments = [[Segment(path)]]
            return
        found = [Segment(os.path.join(path, file)) for file in sorted(os.listdir(path))
                 if file.endswith(ENDINGS) and os.path.isfile(os.path.join(path, file))]
        self.files = {segment.file: segment for segment in found}
        logs = {segment.header.log_id: segment.header.name for segment in found
                if segment.header and (name is None or segment.header.name == name)}
        if len(logs) > 1:
            self.trouble = "more than one log in the directory: %s" % ", ".join(sorted(set(logs.values())))
        log_id, name = next(iter(logs.items())) if logs else (None, name)
        mine = []
        for segment in found:
            # Files whose header cannot be read belong to the log by their names.
            by_name = name is None or segment.named_as(name)
            if segment.header.log_id == log_id if segment.header else by_name and (segment.state != "none" or name is not None):
                mine.append(segment)
        if not mine and not self.trouble:
            self.trouble = "no segment in the directory"
        # Page: where no header can be read, the log id is not known, and the line of any lock file counts that begins the names.
        locks = [name] if name is not None else [
            file[:-5] for file in os.listdir(path) if file.endswith(".lock") and mine and mine[0].file.startswith(file[:-5])]
        if locks:
            self.lock = Lock(os.path.join(path, locks[0] + ".lock"), log_id)
        numbers = sorted({segment.sequence for segment in mine})
        self.segments = [[segment for segment in mine if segment.sequence == number] for number in numbers]

    # -- which of two

    def pick(self, group):
        """(the segment to read, the doubles). Of a source and its compressed one, the one that is not damaged; the source if both
        are whole. Of copies, the one that holds more. Unborn files give way."""
        group = [segment for segment in group if segment.state != "unborn"] or group[:1]
        if len(group) == 1:
            return group[0], []
        group.sort(key=lambda segment: (segment.whole, segment.file != segment.plain_name(), segment.file))
        read = [segment for segment in group if segment.state == "read"]
        copies = any(segment.plain_name() != read[0].plain_name() for segment in read)
        best = max(read, key=self.extent if copies else self.soundness) if read else group[0]
        return best, [segment for segment in group if segment is not best and not pair(segment, best)]

    def soundness(self, segment):
        """How a segment ends by itself, and before which id. One that was cut at the end of a block is unclosed, or closed if the
        block was a TRAILER behind which the writer went on."""
        walk = Walk(segment, later=True)
        for _ in walk.run():
            pass
        return {"closed": 2, "unclosed": 1}.get(walk.end.state, 0), walk.next

    def extent(self, segment):
        """The id after the last block that is where it was written and its offset; whether anything is damaged, as the other is read
        then if it holds as much; and whether the name has the header's number."""
        whole = [block for block in Walk(segment).headers_behind(0) if block.at == block.written and not block.skip]
        last = max(whole, key=lambda block: block.at, default=None)
        named = re.search("[0-9]{10,}", segment.file)
        held = (last.first_id + last.count, last.at) if last else (0, 0)
        return held, self.soundness(segment)[0] > 0, bool(named) and int(named.group()) == segment.header.sequence

    # -- the chain

    def follows(self, segment, before, expected, holes, ended):
        """None, or why `segment` does not follow `before`."""
        named = segment.header.predecessor
        if segment.header.opening is None:
            return None                 # its header is lost: nothing to compare
        if named:
            if named["sequence"] != before.sequence or named["marker"] not in before.markers():
                return "the segment before is missing or foreign: it names number %d" % named["sequence"]
            original, length = before.header.original, ended
            if original and named["marker"] == original["marker"]:
                length = original["bytes"] or length
            length = max([length] + [hole["offset"] + hole["bytes"] for hole in holes])
            if named["bytes"] and not before.header.recovered and length < named["bytes"]:
                return "the segment before is shorter than this one says"
        elif before.sequence + 1 != segment.sequence:
            return "the segment before is missing"
        recovered = before.header.recovered
        if segment.header.first_id != expected and not (
                recovered and recovered["last_id"] and segment.header.first_id == recovered["last_id"] + 1):
            return "the segment begins with id %d, and %d comes next" % (segment.header.first_id, expected)
        return None

    def held_durable(self, place):
        """Whether anything in a segment whose header is lost was durable."""
        number = self.chosen[place].sequence
        return bool(self.lock and max(self.lock.synced, self.lock.closed) >= number or self.durable_as_a_whole(place))

    def durable_as_a_whole(self, place):
        """The offset up to which a segment is durable by what other segments state; 0 if they state nothing."""
        segment = self.chosen[place]
        named = self.chosen[place + 1].header and self.chosen[place + 1].header.predecessor if self.chosen[place + 1:] else None
        meant = named and segment.header and named["marker"] == segment.header.marker
        whole = meant and named["bytes"] or len(segment.data) or 1
        if self.lock and (self.lock.synced > segment.sequence or self.lock.closed > segment.sequence):
            return whole
        for later in self.chosen[place + 1:]:
            if later.header and any(block.durable for block in Walk(later).headers_behind(0) if not block.skip):
                return whole
        if self.lock and segment.header and (segment.sequence, segment.header.marker) == (self.lock.closed, self.lock.closed_marker):
            return self.lock.closed_bytes
        if self.lock and max(self.lock.synced, self.lock.closed) >= segment.sequence and segment.header:
            return segment.header.size  # where anything of it was durable, its beginning was
        return 0

    def misnamed(self, place):
        """Whether the number in a segment's name is not that of its header. The first segment of a log may have had to take a greater
        one."""
        segment, later = self.chosen[place], [other.sequence for other in self.chosen[place + 1:]]
        found = re.search("[0-9]{10,}", segment.file)
        named, number = int(found.group()) if found else segment.header.sequence, segment.header.sequence
        first = place == 0 and number == 1 and not segment.header.predecessor and named > 1 and (not later or later[0] > named)
        return named != number and not first

    # -- the walk

    def run(self, mode):
        self.chosen, doubles = [], {}
        for group in self.segments:
            best, doubles[best] = self.pick(group)
            doubles[best] = doubles[best]
            self.chosen.append(best)
        if self.trouble:
            self.end = End("refused", self.path, None, self.trouble)
            return
        before = expected = None
        holes, ended = (), 0
        for place, segment in enumerate(self.chosen):
            later = [other for other in self.chosen[place + 1:] if other.state != "unborn"]
            if self.directory and segment.header and segment.header.opening is not None and self.misnamed(place):
                yield Loss(segment.file, 0, 0, "the name has another number than the header", kind="misnamed")
            for other in doubles[segment]:
                # Page: two segments of one number that share no marker are damage; this reader shows the first, and reports it.
                yield Loss(other.file, 0, 0, "a segment that is there twice", kind="double")
            if segment.state == "none" and not self.directory and not (mode == "salvage" and segment.do_without_header(())):
                self.end = End("refused", segment.file, 0, segment.reason)
                return
            if segment.state == "newer":
                self.end = End("newer", segment.file, 0, segment.reason)
                return
            if segment.state == "unborn":
                lost = any(other.header and other.header.predecessor and
                           other.header.predecessor["sequence"] == segment.sequence for other in later)
                lost = lost or self.lock and segment.sequence in (self.lock.synced, self.lock.closed) and segment.sequence > 0
                if not lost:
                    if not later and before is None:
                        self.end = End("unborn", segment.file, 0, "no header and no records")
                    continue
                if mode != "salvage":
                    self.end = End("damaged", segment.file, 0, "the header is lost")
                    return
                yield Loss(segment.file, 0, len(segment.data), "the header is lost", durable=self.held_durable(place))
                expected = expected or (1 if segment.sequence == 1 else None)
                self.end = self.end or End("unclosed", segment.file, len(segment.data))
                continue
            if segment.header is None or segment.header.opening is None:
                if mode != "salvage":
                    self.end = End("damaged", segment.file, 0, segment.reason)
                    return
                bare = segment.do_without_header(self.chosen)
                if expected is None and segment.sequence < 2:
                    expected = 1        # ids begin with 1; a log of one file has no number in its name
                size = segment.header.size if bare else len(segment.data)
                first, last = (expected or segment.header.first_id, segment.header.first_id - 1) if bare else (0, 0)
                if first > last:
                    first = last = 0
                durable = bare and max((block.durable for block in Walk(segment).headers_behind(0)), default=0)
                yield Loss(segment.file, 0, size, segment.reason, first, last, bool(durable or self.held_durable(place)))
                if not bare:
                    self.end = End("unclosed", segment.file, len(segment.data))
                    continue
            elif before is None and expected and segment.header.first_id > expected:
                yield Loss(segment.file, 0, 0, "the segments before are lost", expected, segment.header.first_id - 1, kind="missing")
            elif before is not None:
                reason = self.follows(segment, before, expected, holes, ended)
                if reason and mode != "salvage":
                    # Page: the place of the damage is not specified when a segment is missing; here it is the end of
                    # the one before.
                    self.end = End("damaged", before.file, len(before.data), reason)
                    return
                if reason or segment.header.first_id > expected:
                    first, last = expected, segment.header.first_id - 1
                    # Behind a recovered segment that is whole, `recovered.last_id` has accounted for ids that are missing.
                    if reason or lossy:
                        reason = reason or "records are missing at the end of the segment before"
                        yield Loss(segment.file, 0, 0, reason, *((first, last) if first <= last else (0, 0)), kind="missing")
            # They count only where the segment right behind names the marker that the file has now.
            named = later and later[0].header and later[0].header.predecessor
            holes = [hole for other in later if other.header for hole in other.header.holes
                     if hole["sequence"] == segment.sequence] if named and named["marker"] == segment.header.marker else []
            walk = Walk(segment, mode, bool(later), self.durable_as_a_whole(place), holes, expected)
            lossy = False
            for item in walk.run():
                lossy = lossy or isinstance(item, Loss)
                yield item
            self.end = walk.end
            if walk.end.state in ("newer",) or mode != "salvage" and walk.end.state in ("torn", "damaged"):
                return
            if walk.end.state == "damaged":
                lossy = True
                yield Loss(segment.file, walk.end.offset, 0, walk.end.reason)
            before, expected, rotated, ended = segment, walk.next, walk.rotated, walk.end.offset
        if self.lock and before is not None and self.lock.synced > before.sequence and self.end.state == "unclosed":
            reason = "the lock file knows of segment %d" % self.lock.synced
            if mode == "salvage":
                yield Loss(self.end.file, self.end.offset, 0, reason, kind="missing")
            else:
                self.end = End("damaged", self.end.file, self.end.offset, reason)
        if self.end.state in ("closed", "unclosed") and self.directory and before is not None and rotated:
            # The log continues in a file: if that is missing, there was more or will be.
            target = self.files.get(os.path.basename(rotated))
            if target is None or target.state != "unborn":
                self.end = End("unclosed", self.end.file, self.end.offset, "%s is not there" % rotated, self.end.next_id, 0)
                yield Loss(self.end.file, self.end.offset, 0, "the log goes on in %s, which is not there" % rotated, kind="missing")
        if mode == "strict" and self.end.state in ("unclosed", "unborn") and not self.end.reason:
            self.end.reason = "the end has no TRAILER"


def pair(one, other):
    """Whether two files are the same segment, as itself and compressed."""
    if one.plain_name() != other.plain_name():
        return False
    if not (one.header and other.header):
        return True                     # only the name is left to decide
    if one.header.log_id != other.header.log_id:
        return False
    a, b = ({segment.header.marker, segment.header.original["marker"]} if segment.header.original else {segment.header.marker}
            for segment in (one, other))
    return bool(a & b)
