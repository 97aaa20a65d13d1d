"""A segment's parts, found as docs/format.md describes them, without the library. Nothing here checks the bytes of a
page: it parses what a writer has just written, to know where to damage it and which records depend on which bytes."""
import dataclasses
import struct
import zlib

RECORDS, INDEX, TRAILER = 1, 2, 3
HEAD = struct.Struct("<8sIBBHIIIIQqqQQII")
PAGE = 4096


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at


def message(data):
    """Fields of a protobuf message: number -> list of values; of fixed64, the integer."""
    fields, at = {}, 0
    while at < len(data):
        key, at = varint(data, at)
        kind = key & 7
        if kind == 0:
            value, at = varint(data, at)
        elif kind == 1:
            value, at = int.from_bytes(data[at:at + 8], "little"), at + 8
        elif kind == 2:
            length, at = varint(data, at)
            value, at = data[at:at + length], at + length
        else:
            value, at = data[at:at + 4], at + 4
        fields.setdefault(key >> 3, []).append(value)
    return fields


@dataclasses.dataclass
class Block:
    offset: int
    end: int
    kind: int
    codec: int
    count: int
    first_id: int
    durable_end: int
    sums: tuple
    entries: tuple
    payload: tuple
    records: list  # (id, first byte in the file, byte behind the last) where the payload is stored as it is

    @property
    def ids(self):
        return range(self.first_id, self.first_id + self.count)


@dataclasses.dataclass
class Segment:
    data: bytes
    header: tuple
    log_id: bytes
    marker: bytes
    sequence: int
    first_id: int
    fields: dict
    blocks: list

    def of_kind(self, kind):
        return [block for block in self.blocks if block.kind == kind]

    @property
    def durable_end(self):
        return max((block.durable_end for block in self.blocks), default=0)


def block_at(data, at, marker):
    """The block whose valid header is at this offset, or None."""
    if data[at:at + 8] != marker or at + 80 > len(data):
        return None
    fields = HEAD.unpack_from(data, at)
    head = data[at:at + 8] + bytes(4) + data[at + 12:at + 80]
    if zlib.crc32(head, at & 0xFFFFFFFF) != fields[1]:
        return None
    _, _, kind, codec, flags, count, entries, payload, _, first_id, _, _, durable, _, _, _ = fields
    sums_at = at + 80
    entries_at = sums_at + 4 * (-(-payload // PAGE))
    payload_at = entries_at + entries
    end = payload_at + payload
    block = Block(at, end, kind, codec, count, first_id, durable, (sums_at, entries_at), (entries_at, payload_at),
                  (payload_at, end), [])
    if kind == RECORDS and codec == 0 and not flags & 1 and end <= len(data):
        _places(data, block)
    return block


def _places(data, block):
    at, place, number = block.entries[0], block.payload[0], block.first_id
    while at < block.entries[1]:
        length, at = varint(data, at)
        kind, at = varint(data, at)
        _, at = varint(data, at)
        if kind & 1:
            pairs, at = varint(data, at)
            for _ in range(2 * pairs):
                size, at = varint(data, at)
                at += size
        if kind >> 1 < 1 << 31:
            block.records.append((number, place, place + length))
            number += 1
        place += length


def parse(data):
    """The segment in these bytes; of a damaged or cut one, the valid blocks before the first invalid one."""
    length = int.from_bytes(data[8:12], "little")
    fields = message(data[12:12 + length])
    marker = fields[6][0].to_bytes(8, "little")
    at, blocks = 16 + length, []
    while at < len(data):
        block = block_at(data, at, marker)
        if block is None:
            break
        blocks.append(block)
        at = block.end
    return Segment(data, (0, 16 + length), fields[5][0], marker, fields.get(7, [0])[0], fields.get(8, [0])[0], fields,
                   blocks)


def has_space(data):
    """Whether the header says that zeros after the blocks are space."""
    length = int.from_bytes(data[8:12], "little")
    try:
        return bool(message(data[12:12 + length]).get(13, [0])[0] & 2)
    except (IndexError, ValueError, TypeError):
        return False


def with_sum(data):
    """The same segment, with the right checksum for what its file header contains now."""
    length = int.from_bytes(data[8:12], "little")
    end = 12 + length
    return data[:end] + zlib.crc32(data[:end]).to_bytes(4, "little") + data[end + 4:]


def valid_blocks(data, marker):
    """All valid block headers of this marker that are at their own offset, in order."""
    found, at = [], data.find(marker)
    while at >= 0:
        block = block_at(data, at, marker)
        if block is not None:
            found.append(block)
        at = data.find(marker, at + 1)
    return found
