"""One segment of a binary log, read after docs/format.md and nothing else.

This module knows bytes: the declaration, the file header and its protobuf, block headers, codecs, sums and entries. How
segments make a log, and what damaged bytes mean, is in log.py.

"Page:" begins a comment where the page had to be interpreted.
"""

import struct
import zlib

try:
    import zstandard
except ImportError:                     # blocks of codec 2 are refused then
    zstandard = None

MAGIC = b"BINLOG"
HEADER_LIMIT = 1 << 20
DICTIONARY_LIMIT = 112 << 10
U64 = (1 << 64) - 1

RECORDS, INDEX, TRAILER = 1, 2, 3
SKIPPABLE = 0x40
PAGE = 4096
HEAD = 80

FIRST_NAMED = 1 << 30
FIRST_EVENT = 1 << 31
ROTATE_NEXT, OPENED, RECOVERED, TYPE = (FIRST_EVENT + n for n in (4, 6, 8, 10))


class NotSegment(Exception):
    """The file has no magic."""


class Newer(Exception):
    """A newer format: cannot be read, and is not damaged."""


class Damaged(Exception):
    """Bytes that differ from what the page requires."""


class CannotDecode(Exception):
    """Nothing is wrong with the file, but this reader cannot decode it (no zstandard package)."""


def crc(seed, data):
    return zlib.crc32(data, seed & 0xFFFFFFFF)


# ---------------------------------------------------------------------------------------------------------------- numbers

class Cursor:
    """Takes varints and byte strings from a buffer; a value that does not fit is damage."""

    def __init__(self, data, at=0):
        self.data = data
        self.at = at

    def more(self):
        return self.at < len(self.data)

    def take(self, n):
        if n > len(self.data) - self.at:
            raise Damaged("a field goes beyond the end")
        self.at += n
        return self.data[self.at - n:self.at]

    def varint(self, bits=64):
        value = 0
        for place in range(10):
            if self.at >= len(self.data):
                raise Damaged("a varint goes beyond the end")
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 0x7F) << (7 * place)
            if byte < 0x80:
                if value >> bits:
                    raise Damaged("a varint of more than %d bits" % bits)
                return value
        raise Damaged("a varint of more than 10 bytes")

    def zigzag(self):
        value = self.varint()
        return (value >> 1) ^ -(value & 1)

    def text(self, n):
        try:
            return bytes(self.take(n)).decode("utf-8")
        except UnicodeDecodeError:
            raise Damaged("text that is not UTF-8") from None


def signed(value):
    """Times are modulo 2^64 and signed."""
    value &= U64
    return value - (1 << 64) if value >> 63 else value


# --------------------------------------------------------------------------------------------------------------- protobuf

WIRE = {"uint64": 0, "uint32": 0, "fixed64": 1, "sfixed64": 1, "string": 2, "bytes": 2, "map": 2}

PREDECESSOR = {1: ("sequence", "uint64"), 2: ("last_id", "uint64"), 3: ("bytes", "uint64"), 4: ("marker", "fixed64"),
               5: ("latest_ns", "sfixed64"), 6: ("disorder_ns", "fixed64")}
WRITER = {1: ("library", "string"), 2: ("pid", "uint32"), 3: ("host", "string")}
HOLE = {1: ("sequence", "uint64"), 2: ("offset", "uint64"), 3: ("bytes", "uint64"), 4: ("first_lost_id", "uint64"),
        5: ("last_lost_id", "uint64")}
MAP_ENTRY = {1: ("key", "string"), 2: ("value", "string")}
FILE_HEADER = {1: ("created_ns", "sfixed64"), 2: ("name", "string"), 3: ("content_type", "string"), 4: ("parameters", "map"),
               5: ("log_id", "bytes"), 6: ("marker", "fixed64"), 7: ("sequence", "uint64"), 8: ("first_id", "uint64"),
               9: ("predecessor", PREDECESSOR), 10: ("period_s", "uint64"), 11: ("template", "string"), 12: ("writer", WRITER),
               13: ("incompatible", "uint64"), 14: ("compatible", "uint64"), 15: ("recovered", PREDECESSOR),
               16: ("zone", "string"), 17: ("original", PREDECESSOR), 18: ("dictionary", "bytes"), 19: ("holes", [HOLE])}
ZERO = {"uint64": 0, "uint32": 0, "fixed64": 0, "sfixed64": 0, "string": "", "bytes": b""}


def empty_message(spec):
    message = {}
    for name, kind in spec.values():
        if isinstance(kind, dict) or name in ("latest_ns", "disorder_ns"):
            message[name] = None
        elif isinstance(kind, list):
            message[name] = []
        else:
            message[name] = {} if kind == "map" else ZERO[kind]
    return message


def skip_field(cursor, wire, number):
    if wire == 0:
        cursor.varint()
    elif wire == 1:
        cursor.take(8)
    elif wire == 2:
        cursor.take(cursor.varint())
    elif wire == 5:
        cursor.take(4)
    elif wire == 3:                     # a group, up to its end tag
        while True:
            tag = cursor.varint(32)
            if tag & 7 == 4:
                if tag >> 3 != number:
                    raise Damaged("protobuf: the end of another group")
                return
            skip_field(cursor, tag & 7, tag >> 3)
    else:
        raise Damaged("protobuf: wire type %d" % wire)


def decode_message(data, spec, message=None):
    """Page: "protobuf that parses" is taken as the protobuf project's own parsers take it. The last value of a field counts,
    messages are merged, strings are UTF-8, and a known field with another wire type is one that is not known."""
    message = empty_message(spec) if message is None else message
    cursor = Cursor(data)
    while cursor.more():
        tag = cursor.varint(32)
        number, wire = tag >> 3, tag & 7
        if number == 0:
            raise Damaged("protobuf: field number 0")
        name, kind = spec.get(number, (None, None))
        if name is None or wire != (WIRE[kind] if isinstance(kind, str) else 2):
            skip_field(cursor, wire, number)
        elif isinstance(kind, dict):
            message[name] = decode_message(cursor.take(cursor.varint()), kind, message[name])
        elif isinstance(kind, list):
            message[name].append(decode_message(cursor.take(cursor.varint()), kind[0]))
        elif kind == "map":
            entry = decode_message(cursor.take(cursor.varint()), MAP_ENTRY)
            message[name][entry["key"]] = entry["value"]
        elif kind in ("uint64", "uint32"):
            message[name] = cursor.varint() & (U64 if kind == "uint64" else 0xFFFFFFFF)
        elif kind in ("fixed64", "sfixed64"):
            message[name] = struct.unpack("<Q" if kind == "fixed64" else "<q", cursor.take(8))[0]
        elif kind == "string":
            message[name] = cursor.text(cursor.varint())
        else:
            message[name] = bytes(cursor.take(cursor.varint()))
    return message


# ------------------------------------------------------------------------------------------------------------ file header

class FileHeader:
    """Declaration and file header; the fields of the message are attributes."""

    def __init__(self, data):
        if data[:6] != MAGIC:
            raise NotSegment("no magic")
        if len(data) < 12:
            raise Damaged("the declaration is cut short")
        length = struct.unpack_from("<I", data, 8)[0]
        if length > HEADER_LIMIT:
            raise Damaged("a file header of %d bytes" % length)
        if len(data) < 12 + length + 4:
            raise Damaged("the file header is cut short")
        if struct.unpack_from("<I", data, 12 + length)[0] != crc(0, data[:12 + length]):
            raise Damaged("the sum of the file header is wrong")
        self.version = (data[6] >> 4, data[6] & 15)
        if self.version[0] != 2:
            raise Newer("format version %d.%d" % self.version)
        if data[7] != 1:
            raise Newer("transcoder %d of the file header" % data[7])
        # Page: a message that does not parse is damaged, whatever `incompatible` is before the place where it breaks.
        self.__dict__.update(decode_message(data[12:12 + length], FILE_HEADER))
        if self.incompatible & ~3:
            raise Newer("incompatible features %#x" % self.incompatible)
        self.space = bool(self.incompatible & 2)
        self.size = 12 + length + 4
        self.opening = bytes(data[:8])
        self.mark = struct.pack("<Q", self.marker)
        self.check()

    def check(self):
        if self.marker == 0:
            raise Damaged("file header: the marker is 0")
        if len(self.log_id) != 16:
            raise Damaged("file header: a log id of %d bytes" % len(self.log_id))
        if self.sequence == 0 or self.first_id == 0:
            raise Damaged("file header: sequence or first id is 0")
        if self.incompatible & 1:
            if not 1 <= len(self.dictionary) <= DICTIONARY_LIMIT:
                raise Damaged("file header: a dictionary of %d bytes" % len(self.dictionary))
        elif self.dictionary:
            raise Damaged("file header: a dictionary without its bit")
        if len(self.holes) > 4096:
            raise Damaged("file header: %d holes" % len(self.holes))
        for hole in self.holes:
            first, last = hole["first_lost_id"], hole["last_lost_id"]
            if not (0 < hole["sequence"] < self.sequence and hole["bytes"] and hole["offset"] + hole["bytes"] <= U64
                    and (first == last == 0 or 0 < first <= last)):
                raise Damaged("file header: a hole that cannot be")


# ----------------------------------------------------------------------------------------------------------- block header

class Block:
    """A block header whose marker, checksum and fields are right; `at` is where it is, `written` where it was written
    for."""

    LAYOUT = struct.Struct("<8sIBBHIIIIQqqQQII")

    def __init__(self, data, at, mark, shift=0):
        self.at, self.written = at, at - shift
        if at + HEAD > len(data):
            raise Damaged("a block header is cut short")
        raw = bytes(data[at:at + HEAD])
        (marker, total, self.kind, self.codec, self.flags, self.count, self.entries_stored, self.payload_stored, self.payload_decoded,
         self.first_id, self.min_time, self.max_time, self.durable, self.last_index, self.head_sum,
         self.entries_decoded) = self.LAYOUT.unpack(raw)
        if marker != mark:
            raise Damaged("no block: the marker is not there")
        if total != crc(self.written, raw[:8] + bytes(4) + raw[12:]):
            raise Damaged("the sum of a block header is wrong")
        self.mark32 = struct.unpack_from("<I", mark)[0]
        self.pages = -(-self.payload_stored // PAGE)
        self.entries_at = at + HEAD + 4 * self.pages
        self.payload_at = self.entries_at + self.entries_stored
        self.end = self.payload_at + self.payload_stored
        self.skip = self.kind not in (RECORDS, INDEX, TRAILER) and bool(self.kind & SKIPPABLE)
        self.newer = None
        self.check()

    def check(self):
        """In the order of the page."""
        if self.kind not in (RECORDS, INDEX, TRAILER) and not self.skip:
            self.newer = "a block of kind %d" % self.kind
            return
        if max(self.entries_stored, self.payload_stored, self.payload_decoded, self.entries_decoded) >= 1 << 31:
            raise Damaged("block header: a length of 2^31 or more")
        if self.skip:
            return
        if self.codec == 0 and (self.payload_stored != self.payload_decoded or self.entries_stored != self.entries_decoded):
            raise Damaged("block header: stored and decoded lengths differ without a codec")
        if self.flags & ~3:
            self.newer = "a block with flags %#x" % self.flags
            return
        if not self.flags & 1 and self.entries_stored != self.entries_decoded:
            raise Damaged("block header: lengths of the entries differ, and they are not compressed")
        if self.first_id == 0 or self.first_id + self.count > U64:
            raise Damaged("block header: ids out of range")
        if self.durable > self.written or self.last_index and self.last_index >= self.written:
            raise Damaged("block header: durable end or last INDEX block lies behind it")
        if self.kind != RECORDS and self.flags & 1:
            raise Damaged("block header: compressed entries in a block of kind %d" % self.kind)
        if self.codec > 2 and (self.payload_stored or self.payload_decoded or self.flags & 1 and self.entries_decoded):
            self.newer = "a block with codec %d" % self.codec

    def head_good(self, data):
        """Whether page checksums and entries are as they were written."""
        if self.payload_at > len(data):
            return False
        return crc(self.mark32, data[self.at + HEAD:self.payload_at]) == self.head_sum

    def stored(self, data, by=0):
        """The stored payload, and the numbers of the pages whose checksum is wrong, or that the end of the file cuts off. A page that
        is wrong in its place is taken `by` bytes after it, if it is right there."""
        raw, bad = bytearray(data[self.payload_at:self.end]), set()
        for page in range(self.pages):
            want = struct.unpack_from("<I", data, self.at + HEAD + 4 * page)[0]
            begin = self.payload_at + page * PAGE
            end = min(begin + PAGE, self.end)
            for moved in dict.fromkeys((0, by)):
                there = data[begin + moved:end + moved] if begin + moved >= 0 else b""
                if len(there) == end - begin and crc(self.mark32 + page, there) == want:
                    raw[begin - self.payload_at:end - self.payload_at] = there
                    break
            else:
                bad.add(page)
        return bytes(raw), bad

    def entries(self, data, dictionary):
        """The entries, without payloads: Entry objects with `place` in the decoded payload."""
        raw = bytes(data[self.entries_at:self.payload_at])
        if self.codec and self.flags & 1:
            raw = decompress(self.codec, raw, self.entries_decoded, dictionary)
        return decode_entries(raw, self)

    def payload(self, raw, dictionary):
        return decompress(self.codec, raw, self.payload_decoded, dictionary) if self.codec else raw


class Entry:
    __slots__ = ("id", "time", "type", "pairs", "place", "length", "payload", "name", "content_type")

    def __init__(self, id, time, type, pairs, place, length):
        self.id, self.time, self.type, self.pairs, self.place, self.length = id, time, type, pairs, place, length
        self.payload = self.name = self.content_type = None

    @property
    def event(self):
        return self.type >= FIRST_EVENT

    def fact(self, key):
        """If one value is expected, the first counts."""
        return next((value for name, value in self.pairs if name == key), None)

    def number(self, key):
        """A fact in decimal digits, else None."""
        value = self.fact(key)
        return int(value) if value and value.isascii() and value.isdigit() and len(value) <= 20 and int(value) <= U64 else None


def decode_entries(raw, block):
    cursor = Cursor(raw)
    found, place, records, time = [], 0, 0, block.min_time
    while cursor.more():
        length = cursor.varint(32)
        tagged = cursor.varint(33)
        time = signed(time + cursor.zigzag())
        pairs = []
        if tagged & 1:
            count, begin = cursor.varint(), cursor.at
            if count > 65535:
                raise Damaged("an entry with %d metadata pairs" % count)
            for _ in range(count):
                key = cursor.text(cursor.varint())
                pairs.append((key, cursor.text(cursor.varint())))
            # Page: "metadata of one record: 16 MiB" is taken as the bytes of the encoded pairs.
            if cursor.at - begin > 16 << 20:
                raise Damaged("an entry with more than 16 MiB of metadata")
        entry = Entry(block.first_id + records, time, tagged >> 1, pairs, place, length)
        found.append(entry)
        place += length
        records += not entry.event
    if records != block.count:
        raise Damaged("%d records in the entries, %d in the block header" % (records, block.count))
    if place != block.payload_decoded:
        raise Damaged("payloads of %d bytes in a block of %d" % (place, block.payload_decoded))
    return found


def check_trailer(block, data, header):
    if block.entries_stored != 24:
        raise Damaged("TRAILER: not 24 bytes of entries")
    records, _, opening = struct.unpack("<QQ8s", data[block.entries_at:block.payload_at])
    if records != block.first_id - header.first_id:
        raise Damaged("TRAILER: %d records, where the ids say %d" % (records, block.first_id - header.first_id))
    if opening != header.opening:
        raise Damaged("TRAILER: it does not end with the first 8 bytes of the file")


# ----------------------------------------------------------------------------------------------------------------- codecs

def decompress(codec, raw, length, dictionary):
    if not raw and not length:
        return b""
    if codec == 1:
        if length > 255 * len(raw):
            raise Damaged("LZ4: more than 255 times its bytes")
        return lz4_block(raw, length)
    if length > 131072 * len(raw):
        raise Damaged("Zstandard: more than 131072 times its bytes")
    return zstd_frame(raw, length, dictionary)


def lz4_block(raw, length):
    """The LZ4 block format: literals and copies in turn, literals last."""
    out, at, end = bytearray(), 0, len(raw)

    def more(at, value):
        while True:
            if at >= end:
                raise Damaged("LZ4: it ends within a length")
            byte = raw[at]
            at, value = at + 1, value + byte
            if byte != 255:
                return at, value

    while at < end:
        token = raw[at]
        at, literals, copy = at + 1, token >> 4, (token & 15) + 4
        if literals == 15:
            at, literals = more(at, literals)
        if literals > end - at:
            raise Damaged("LZ4: literals beyond the end")
        out += raw[at:at + literals]
        at += literals
        if at == end:
            if token & 15:
                raise Damaged("LZ4: it ends before a copy")
            break
        if end - at < 2:
            raise Damaged("LZ4: it ends within an offset")
        back = raw[at] | raw[at + 1] << 8
        at += 2
        if copy == 19:
            at, copy = more(at, copy)
        if at >= end:
            raise Damaged("LZ4: it ends with a copy")
        if back == 0 or back > len(out) or copy > length - len(out):
            raise Damaged("LZ4: a copy from before the beginning or beyond the end")
        begin = len(out) - back
        if back >= copy:
            out += out[begin:begin + copy]
        else:
            out += (bytes(out[begin:]) * (copy // back + 1))[:copy]
    if len(out) != length:
        raise Damaged("LZ4: %d bytes, not %d" % (len(out), length))
    return bytes(out)


def zstd_frame(raw, length, dictionary):
    """Checks by hand that it is one frame with its content size. The decoder gets the dictionary for every frame."""
    cursor = Cursor(raw)
    if cursor.take(4) != b"\x28\xb5\x2f\xfd":
        raise Damaged("Zstandard: no frame")
    descriptor = cursor.take(1)[0]
    single = bool(descriptor & 0x20)
    if descriptor & 8:
        raise Damaged("Zstandard: a reserved bit")
    if not single:
        cursor.take(1)                                  # the window: what is decoded at once has no limit of it
    cursor.take((0, 1, 2, 4)[descriptor & 3])           # the dictionary's number, which the decoder compares
    width = (1 if single else 0, 2, 4, 8)[descriptor >> 6]
    if width == 0:
        raise Damaged("Zstandard: a frame without its content size")
    size = int.from_bytes(cursor.take(width), "little") + (256 if width == 2 else 0)
    if size != length:
        raise Damaged("Zstandard: a frame of %d bytes, not %d" % (size, length))
    last = False
    while not last:
        block = int.from_bytes(cursor.take(3), "little")
        last, kind = bool(block & 1), block >> 1 & 3
        cursor.take(1 if kind == 1 else block >> 3)
    if descriptor & 4:
        cursor.take(4)
    if cursor.more():
        raise Damaged("Zstandard: bytes after the frame")
    if zstandard is None:
        raise CannotDecode("a block of codec 2 (Zstandard), and the Python package `zstandard` is not installed")
    try:
        with_dictionary = {"dict_data": zstandard.ZstdCompressionDict(dictionary)} if dictionary else {}
        out = zstandard.ZstdDecompressor(**with_dictionary).decompress(raw, max_output_size=max(length, 1))
    except zstandard.ZstdError as error:
        raise Damaged("Zstandard: %s" % error) from None
    if len(out) != length:
        raise Damaged("Zstandard: %d bytes, not %d" % (len(out), length))
    return out


# ----------------------------------------------------------------------------------------------------------- INDEX blocks

def first_id_by_index(data, mark):
    """The first id in the first row of the INDEX blocks that cover the segment from its beginning; None without one."""
    at = data.find(mark)
    while at >= 0:
        try:
            block = Block(data, at, mark)
            if block.kind == INDEX and block.head_good(data):
                cursor = Cursor(data[block.entries_at:block.payload_at])
                before, _ = cursor.varint(), cursor.varint()
                if before == 0 and cursor.varint():
                    for _ in range(3):                  # gap, length, length of the head
                        cursor.varint()
                    return 1 + cursor.varint()          # id gap
        except Damaged:
            pass
        at = data.find(mark, at + 1)
    return None


def check_index(block, data):
    """Reads every field, so that any fault in the entries shows; the last three may be missing, and what follows them is
    of a later version. A reader of every record needs none of them."""
    cursor = Cursor(data[block.entries_at:block.payload_at])
    own = block.written
    if cursor.varint() >= max(own, 1):
        raise Damaged("INDEX: the one before is not before it")
    end = cursor.varint()
    if end > own:
        raise Damaged("INDEX: a window that begins behind it")
    for _ in range(cursor.varint()):
        end += cursor.varint()                          # gap
        length = cursor.varint()
        end += length
        if not HEAD <= cursor.varint() <= length:
            raise Damaged("INDEX: a row whose head has an impossible length")
        for _ in range(4):                              # id gap, count, time, span
            cursor.varint()
        contents = cursor.varint()
        for _ in range(contents >> 3):
            cursor.varint(32)
            tagged = cursor.varint()
            for _ in range(tagged >> 1 if tagged & 1 else 0):
                cursor.varint()
                place, length = cursor.varint(), cursor.varint()
                cursor.varint()
                if length:
                    cursor.take(4 * ((place + length - 1) // PAGE - place // PAGE + 1))
        if contents & 3 == 1:
            cursor.take(cursor.varint())
        if end > own:
            raise Damaged("INDEX: a row that does not end before it")
    for _ in range(max(cursor.varint() - 1, 0)):        # counts
        cursor.varint(32)
        cursor.varint()
    names = cursor.varint()
    for _ in range(names):
        cursor.varint(32)
        cursor.text(cursor.varint())
        cursor.text(cursor.varint())
    if cursor.more():
        cursor.zigzag()                                 # latest
    if cursor.more():
        end = 0
        for _ in range(cursor.varint()):
            end += cursor.varint()
            end += cursor.varint()
        if end > own:
            raise Damaged("INDEX: an earlier one that does not end before it")
    if cursor.more():
        for _ in range(cursor.varint()):                # details
            if cursor.varint() >= names:
                raise Damaged("INDEX: details of a type that is not there")
            cursor.text(cursor.varint())
            cursor.text(cursor.varint())
            length = cursor.varint()
            if length not in (0, 32):
                raise Damaged("INDEX: a SHA-256 of %d bytes" % length)
            cursor.take(length)


# -------------------------------------------------------------------------------------------- sums without the right place

def _seed_solver():
    """The CRC of 80 bytes is an affine function of its start value, and can be solved for it: a header that was moved
    proves the offset for which it was written."""
    zeros = bytes(HEAD)
    base = crc(0, zeros)
    rows = {}                                           # highest bit of an image -> (image, seed)
    for bit in range(32):
        image, seed = crc(1 << bit, zeros) ^ base, 1 << bit
        while image:
            top = image.bit_length() - 1
            if top not in rows:
                rows[top] = (image, seed)
                break
            image, seed = image ^ rows[top][0], seed ^ rows[top][1]

    def solve(difference):
        seed = 0
        while difference:
            image, part = rows[difference.bit_length() - 1]
            difference, seed = difference ^ image, seed ^ part
        return seed
    return solve


_solve = _seed_solver()


def written_offset(data, at):
    """The low 32 bits of the offset for which the sum of the 80 bytes at `at` is right. There is always one."""
    raw = bytes(data[at:at + HEAD])
    total = struct.unpack_from("<I", raw, 8)[0]
    return _solve(total ^ crc(0, raw[:8] + bytes(4) + raw[12:]))
