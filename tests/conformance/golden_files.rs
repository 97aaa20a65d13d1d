//! How the golden files were made. Each function makes some of them in a folder of its caller.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use binlog::compression::{CompressOptions, Whole};
use binlog::io::{Directory, Fault, MemoryDirectory, Operation};
use binlog::rolling::{Period, RollOptions};
use binlog::{
    Codec, FullDisk, Lag, MetadataBuf, NewRecord, ReaderOptions, TypeOptions, Writer, WriterOptions, FIRST_NAMED_TYPE,
};

use crate::common::time::{Time, HOUR, MINUTE, SECOND};
use crate::common::{layout, noise, payload};

/// Makes all golden files.
pub fn write_all(at: &Path) {
    let plain = write_plain(at);
    write_large(at);
    write_many(at);
    write_rolled(at);
    write_changed(at, &plain);
    write_indexed(at);
    write_strings(at);
    write_pages(at);
    write_batches(at);
    write_events(at);
    write_periods(at);
    write_removed(at);
    write_damaged(at);
    write_compressed(at);
    write_schemas(at);
}

fn options(codec: Codec) -> WriterOptions {
    WriterOptions {
        name: "gölden".into(),
        content_type: "text/plain".into(),
        parameters: [("host", "a"), ("schlüssel", "wért")].map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
        codec,
        block_bytes: 4096,
        flush: Lag::default(),
        ..WriterOptions::default()
    }
}

/// For a log of several segments: its name begins the names of the files, and plain ASCII is the most portable.
fn named(name: &str, codec: Codec) -> WriterOptions {
    WriterOptions { name: name.into(), ..options(codec) }
}

fn put(writer: &Writer, type_id: u32, time: i64, pairs: &[(&str, &str)], payload: &[u8]) {
    let pairs = pairs.iter().copied().collect::<MetadataBuf>();
    let record = NewRecord { type_id, time: Some(time), metadata: pairs.as_metadata(), payload };
    writer.append_record(&record).unwrap();
}

/// Some of everything that an entry can contain.
fn put_some(writer: &Writer) {
    put(writer, 0, 0, &[], b"");
    put(writer, 1, 1_700_000_000_000_000_000, &[("key", "value")], b"hello");
    put(writer, FIRST_NAMED_TYPE - 1, -1, &[("", ""), ("", "twice"), ("ключ", "значение 🗝")], &[0, 0xff, 0x80, b'\n']);
    put(writer, 2, i64::MIN, &[], b"the earliest");
    put(writer, 2, i64::MAX, &[], b"the latest");
    writer.flush().unwrap();
    let job = writer.type_id("com.example.Jöb", "application/json").unwrap();
    put(writer, job, 5, &[("request_id", "req-1")], br#"{"a":1}"#);
    let note = writer.type_id("note", "").unwrap();
    put(writer, note, 4, &[], "long ".repeat(200).as_bytes());
    let batch =
        (0..5).map(|i| NewRecord { type_id: 3, time: Some(100 - i), payload: b"of a batch", ..NewRecord::default() });
    writer.append_batch(batch).unwrap();
    writer.sync().unwrap();
    writer
        .gather_record(&NewRecord { type_id: 4, time: Some(6), ..NewRecord::default() }, &[b"in ", b"", b"parts"])
        .unwrap();
}

fn segment(path: PathBuf, options: WriterOptions, fill: impl Fn(&Writer)) -> PathBuf {
    let writer = Writer::open_file(&path, options).unwrap();
    fill(&writer);
    writer.close().unwrap();
    path
}

fn write_plain(at: &Path) -> PathBuf {
    segment(at.join("lz4.binlog"), options(Codec::Lz4), put_some);
    segment(at.join("zstd.binlog"), options(Codec::Zstd), put_some);
    segment(at.join("no_records.binlog"), options(Codec::None), |_| ());
    let reopened = segment(at.join("reopened.binlog"), options(Codec::Zstd), put_some);
    segment(reopened, options(Codec::None), |writer| {
        put(writer, FIRST_NAMED_TYPE, 7, &[], b"behind the first trailer");
    });
    segment(at.join("plain.binlog"), options(Codec::None), put_some)
}

fn write_large(at: &Path) {
    for (name, codec) in
        [("large_none.binlog", Codec::None), ("large_lz4.binlog", Codec::Lz4), ("large_zstd.binlog", Codec::Zstd)]
    {
        segment(at.join(name), options(codec), |writer| {
            put(writer, 1, 1, &[], b"before");
            put(writer, 1, 2, &[("pages", "3")], &payload(9001, 2));
            put(writer, 1, 3, &[], b"after");
        });
    }
}

/// So many in one block that the entries are compressed too.
fn write_many(at: &Path) {
    for (name, codec) in [("many_lz4.binlog", Codec::Lz4), ("many_zstd.binlog", Codec::Zstd)] {
        let wide = WriterOptions { block_bytes: 1 << 20, ..options(codec) };
        segment(at.join(name), wide, |writer| {
            for i in 0..220i64 {
                let key = format!("{:024}", i % 3);
                let payload = format!("{i} {}", i % 7);
                put(writer, (i % 5) as u32, i * i * 1_000_000, &[("request_id", &key)], payload.as_bytes());
            }
        });
    }
}

fn write_rolled(at: &Path) {
    let path = at.join("rolled");
    let writer = Writer::open(&path, named("rolled", Codec::Lz4)).unwrap();
    put_rolled(&writer);
    writer.close().unwrap();
    fs::remove_file(path.join("rolled.lock")).unwrap();
}

/// Three segments of three records.
fn put_rolled(writer: &Writer) {
    let named = writer.type_id("named", "").unwrap();
    for i in 0..9 {
        put(writer, named, i, &[], format!("record {}", i + 1).as_bytes());
        if i % 3 == 2 && i < 8 {
            writer.roll().unwrap();
        }
    }
}

/// A segment in each form: in blocks with zstd and with LZ4, uncompressed beside a compressed one, as a whole, and
/// uncompressed.
fn write_compressed(at: &Path) {
    let path = at.join("compressed");
    let writer = Writer::open(&path, named("compressed", Codec::None)).unwrap();
    let orders = writer.type_id("order", "text/plain").unwrap();
    for i in 0..50u64 {
        let pairs: &[(&str, &str)] = if i % 4 == 0 { &[("key", "value")] } else { &[] };
        put(&writer, if i % 3 == 0 { orders } else { i as u32 % 5 }, i as i64 * 10, pairs, &payload(300, i));
        if i % 10 == 9 && i < 49 {
            writer.roll().unwrap();
        }
    }
    writer.close().unwrap();
    fs::remove_file(path.join("compressed.lock")).unwrap();
    let file = |number: u32| path.join(format!("compressed.{number:010}.binlog"));
    let zstd = CompressOptions { block_bytes: 4096, ..CompressOptions::default() };
    binlog::compression::compress(file(1), &zstd).unwrap();
    binlog::compression::compress(file(2), &CompressOptions { codec: Codec::Lz4, ..CompressOptions::default() })
        .unwrap();
    binlog::compression::compress(file(3), &CompressOptions { keep_source: true, ..zstd.clone() }).unwrap();
    binlog::compression::pack(file(4), Whole::Gzip, &zstd).unwrap();
}

/// A copy of a segment with some bytes changed.
fn changed(from: &Path, to: PathBuf, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(from).unwrap();
    change(&mut bytes);
    fs::write(to, bytes).unwrap();
}

/// Changes the format version in a segment's declaration, and the file header's checksum with it.
fn with_version(bytes: &mut [u8], version: u8) {
    bytes[6] = version;
    let end = 12 + u32::from_le_bytes(bytes[8..12].try_into().unwrap()) as usize;
    let sum = crc32fast::hash(&bytes[..end]);
    bytes[end..end + 4].copy_from_slice(&sum.to_le_bytes());
}

/// A segment that is made by hand: no writer of this version writes such a one.
struct Forged {
    bytes: Vec<u8>,
    marker: u64,
    first_id: u64,
    next_id: u64,
}

impl Forged {
    /// The beginning of the segment `like`, of another version, with more fields of the file header.
    fn new(like: &[u8], version: u8, more: &[u8]) -> Self {
        let segment = layout::Segment::parse(like);
        let mut bytes = like[..segment.start - 4].to_vec();
        bytes.extend_from_slice(more);
        let len = (bytes.len() - 12) as u32;
        bytes[8..12].copy_from_slice(&len.to_le_bytes());
        bytes.extend_from_slice(&[0; 4]);
        with_version(&mut bytes, version);
        let first_id = segment.blocks[0].first_id;
        Forged { bytes, marker: segment.marker, first_id, next_id: first_id }
    }

    /// A block: the fields of the header after the first twelve bytes, as far as they do not follow, and its contents.
    fn block(&mut self, kind: u8, flags: u8, count: u32, times: (i64, i64), entries: &[u8], payload: &[u8]) {
        let (offset, low) = (self.bytes.len(), self.marker as u32);
        let mut head = vec![0; layout::HEADER];
        head[..8].copy_from_slice(&self.marker.to_le_bytes());
        (head[12], head[14]) = (kind, flags);
        let (entries_len, payload_len) = (entries.len() as u32, payload.len() as u32);
        for (at, field) in [(16, count), (20, entries_len), (24, payload_len), (28, payload_len), (76, entries_len)] {
            head[at..at + 4].copy_from_slice(&field.to_le_bytes());
        }
        for (at, field) in [(32, self.next_id), (40, times.0 as u64), (48, times.1 as u64)] {
            head[at..at + 8].copy_from_slice(&field.to_le_bytes());
        }
        let mut meta: Vec<u8> = vec![];
        for (page, bytes) in payload.chunks(layout::PAGE).enumerate() {
            meta.extend_from_slice(&sum(low.wrapping_add(page as u32), bytes).to_le_bytes());
        }
        meta.extend_from_slice(entries);
        head[72..76].copy_from_slice(&sum(low, &meta).to_le_bytes());
        let head_sum = sum(offset as u32, &head);
        head[8..12].copy_from_slice(&head_sum.to_le_bytes());
        for part in [&head[..], &meta, payload] {
            self.bytes.extend_from_slice(part);
        }
        self.next_id += u64::from(count);
    }

    /// Adds the records and events of another segment, whose blocks are not compressed.
    fn blocks_of(&mut self, other: &[u8]) {
        for block in layout::Segment::parse(other).of_kind(layout::RECORDS) {
            let time = |at: usize| layout::u64_at(other, block.offset + at) as i64;
            let (entries, payload) = (&other[block.entries.clone()], &other[block.payload.clone()]);
            self.block(layout::RECORDS, other[block.offset + 14], block.count, (time(40), time(48)), entries, payload);
        }
    }

    fn trailer(&mut self, time: i64) {
        let mut entries = (self.next_id - self.first_id).to_le_bytes().to_vec();
        entries.extend_from_slice(&[0; 8]);
        entries.extend_from_slice(&self.bytes[..8]);
        self.block(layout::TRAILER, 0, 0, (time, time), &entries, &[]);
    }
}

fn sum(seed: u32, bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(seed);
    hasher.update(bytes);
    hasher.finalize()
}

/// A number in the encoding of protobuf and of the entries.
fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = vec![];
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// The entry of an event with these facts, at the smallest time of its block.
fn event_entry(type_id: u32, facts: &[(&str, &str)], payload_len: usize) -> Vec<u8> {
    let mut entry = varint(payload_len as u64);
    entry.extend(varint(u64::from(type_id) << 1 | 1));
    entry.push(0);
    entry.extend(varint(facts.len() as u64));
    for text in facts.iter().flat_map(|&(key, value)| [key, value]) {
        entry.extend(varint(text.len() as u64));
        entry.extend_from_slice(text.as_bytes());
    }
    entry
}

/// A field of the file header: a number, and one with bytes.
fn number_field(tag: u64, value: u64) -> Vec<u8> {
    [varint(tag << 3), varint(value)].concat()
}

fn bytes_field(tag: u64, bytes: &[u8]) -> Vec<u8> {
    [varint(tag << 3 | 2), varint(bytes.len() as u64), bytes.to_vec()].concat()
}

/// What a later minor version may write: a field of the file header, a feature that may be ignored, and a block that may be
/// skipped, none of which this version knows; and its own TRAILER.
fn write_newer(at: &Path, plain: &Path) {
    let bytes = fs::read(plain).unwrap();
    let more = [number_field(14, 1 << 40), bytes_field(100, b"a later version's")].concat();
    let newer = |unknown: u8| {
        let mut forged = Forged::new(&bytes, 0x2f, &more);
        forged.block(0x47, 0x80, 7, (5, -5), b"entries of a kind that may be skipped", b"and a payload");
        forged.next_id = forged.first_id;
        forged.blocks_of(&bytes);
        forged.block(unknown, 0, 0, (0, 0), b"entries of a kind that is not known", &[]);
        forged.trailer(1_700_000_000_000_000_000);
        forged.bytes
    };
    fs::write(at.join("minor_version.binlog"), newer(0x40)).unwrap();
    fs::write(at.join("newer_block.binlog"), newer(0x07)).unwrap();
}

/// A log with schemas of types, as a later writer of this version writes it.
fn write_schema(at: &Path, plain: &Path) {
    let mut forged = Forged::new(&fs::read(plain).unwrap(), 0x20, &[]);
    let time = 1_700_000_000_000_000_000;
    let schema = br#"{"type":"object"}"#;
    let sha256 = "a2c799262a3ce3c19ef5cdd983bf3d12b43ab3c426227091b909dcb7054738c0";
    let facts = [("sha256", sha256), ("encoding", "jsonschema")];
    let mut entries = event_entry((1 << 31) + 11, &facts, schema.len());
    let id = FIRST_NAMED_TYPE.to_string();
    let facts = [
        ("id", &id[..]),
        ("name", "order"),
        ("content_type", "application/json"),
        ("schema", sha256),
        ("message", "Order"),
        ("encoding", "json"),
    ];
    entries.extend(event_entry((1 << 31) + 10, &facts, 0));
    forged.block(layout::RECORDS, 2, 0, (time, time), &entries, schema);
    let record = [varint(2), varint(u64::from(FIRST_NAMED_TYPE) << 1), vec![0]].concat();
    forged.block(layout::RECORDS, 0, 1, (time, time), &record, b"{}");
    forged.trailer(time);
    fs::write(at.join("schema.binlog"), forged.bytes).unwrap();
}

/// A log that a power cut left with a hole: a block that was never durable is lost, those after it are not. The next
/// writer has named the hole and continued.
fn write_holes(at: &Path) {
    let (memory, after) = (MemoryDirectory::new(), MemoryDirectory::new());
    let open = |memory: &MemoryDirectory| Writer::open(Arc::new(memory.clone()), named("holes", Codec::None)).unwrap();
    let writer = open(&memory);
    for i in 0..6i64 {
        put(&writer, 1, i, &[], &payload(5000, i as u64));
    }
    writer.flush().unwrap();
    let first = "holes.0000000001.binlog";
    let mut bytes = memory.contents(first).unwrap();
    drop(writer);
    let segment = layout::Segment::parse(&bytes);
    let lost = records_of(&segment)[3];
    let lost = lost.offset..lost.end();
    bytes[lost].fill(0);
    after.set_contents(first, bytes);
    let writer = open(&after);
    put(&writer, 1, 7, &[], b"behind the hole");
    writer.close().unwrap();
    export(&after, &at.join("holes"));
}

/// The segment that docs/format.md shows byte for byte.
fn write_example(at: &Path) {
    let marker: u64 = 0x8877_6655_4433_2211;
    let header = [
        bytes_field(2, b"example"),
        bytes_field(5, &(1..=16).collect::<Vec<u8>>()),
        varint(6 << 3 | 1),
        marker.to_le_bytes().to_vec(),
        number_field(7, 1),
        number_field(8, 1),
    ];
    let header = header.concat();
    let mut bytes = b"BINLOG\x20\x01".to_vec();
    bytes.extend_from_slice(&(header.len() as u32).to_le_bytes());
    bytes.extend_from_slice(&header);
    let header_sum = crc32fast::hash(&bytes);
    bytes.extend_from_slice(&header_sum.to_le_bytes());
    let mut forged = Forged { bytes, marker, first_id: 1, next_id: 1 };
    let time = 1_000_000_000;
    // Five bytes of type 7 at the smallest time with a pair, and two of type 1 a microsecond later.
    let entries = [5, 7 << 1 | 1, 0, 1, 3, b'k', b'e', b'y', 5, b'v', b'a', b'l', b'u', b'e', 2, 1 << 1, 0xd0, 0x0f];
    forged.block(layout::RECORDS, 0, 2, (time, time + 1000), &entries, b"hellohi");
    forged.trailer(2 * time);
    fs::write(at.join("example.binlog"), forged.bytes).unwrap();
}

/// Preallocated space after the last block of a segment that was not closed.
fn write_space(at: &Path, plain: &Path) {
    let bytes = fs::read(plain).unwrap();
    let mut forged = Forged::new(&bytes, 0x20, &number_field(13, 2));
    forged.blocks_of(&bytes);
    let end = forged.bytes.len();
    forged.bytes.resize(end + 5000, 0);
    fs::write(at.join("space.binlog"), forged.bytes).unwrap();
}

/// The same file in other compressions, torn, damaged, of other versions, and a file that is no log.
fn write_changed(at: &Path, plain: &Path) {
    let bytes = fs::read(plain).unwrap();
    let mut gzip = flate2::write::GzEncoder::new(vec![], flate2::Compression::best());
    gzip.write_all(&bytes).unwrap();
    fs::write(at.join("plain.binlog.gz"), gzip.finish().unwrap()).unwrap();
    fs::write(at.join("plain.binlog.zst"), zstd::encode_all(&bytes[..], 19).unwrap()).unwrap();

    // The trailer takes 104 bytes; before it is the block with the last events.
    changed(plain, at.join("torn.binlog"), |bytes| bytes.truncate(bytes.len() - 104 - 20));
    changed(plain, at.join("no_trailer.binlog"), |bytes| bytes.truncate(bytes.len() - 104));
    changed(plain, at.join("zeros_behind.binlog"), |bytes| bytes.resize(bytes.len() + 5000, 0));
    changed(&at.join("large_none.binlog"), at.join("corrupt_page.binlog"), |bytes| {
        let at = bytes.windows(64).position(|window| window.iter().all(|&byte| byte == b'x')).unwrap();
        bytes[at] = b'X';
    });
    changed(plain, at.join("corrupt_header.binlog"), |bytes| bytes[20] ^= 0x10);
    changed(plain, at.join("flipped_version.binlog"), |bytes| bytes[6] ^= 0x10);
    changed(plain, at.join("major_version.binlog"), |bytes| with_version(bytes, 0x30));
    write_newer(at, plain);
    write_schema(at, plain);
    write_space(at, plain);
    write_example(at);
    write_holes(at);
    fs::write(at.join("foreign.binlog"), "no log, but a text\n").unwrap();
}

/// A segment with several INDEX blocks, in which rare records are located and pairs are filtered; and what a recovery
/// made of it after a page was damaged.
fn write_indexed(at: &Path) {
    let small = WriterOptions { index_bytes: 4096, ..options(Codec::None) };
    let path = segment(at.join("indexed.binlog"), small, |writer| {
        let rare = writer.type_id("rare", "text/plain").unwrap();
        for i in 0..600u64 {
            let (type_id, pairs): (u32, &[(&str, &str)]) = match i % 100 {
                42 => (rare, &[]),
                7 => (3, &[("key", "value"), ("other", "thing")]),
                _ => (1, &[]),
            };
            put(writer, type_id, i as i64 * 1000, pairs, format!("record number {}", i + 1).as_bytes());
            if i % 100 == 99 {
                writer.flush().unwrap();
            }
        }
    });
    let damaged = tempfile::tempdir().unwrap();
    changed(&path, damaged.path().join("recovered.binlog"), |bytes| {
        let at = bytes.windows(17).position(|window| window == b"record number 300").unwrap();
        bytes[at] = b'R';
    });
    binlog::recovery::recover(damaged.path(), at.join("recovered"), ReaderOptions::default()).unwrap();
}

/// Strings that are hard to print: every control character, quotes, and what some languages escape although JSON does
/// not require it.
fn write_strings(at: &Path) {
    segment(at.join("strings.binlog"), options(Codec::None), |writer| {
        let controls: String = (0..0x20u8).map(char::from).collect();
        put(writer, 1, 1, &[("controls", &controls)], b"every control character below a space");
        put(writer, 1, 2, &[("quotes", "\"\\/'<>&="), ("\"\\", "")], b"quotes");
        put(writer, 1, 3, &[("spaces", "\u{7f}\u{80}\u{a0}\u{2028}\u{2029}\u{feff}\u{fffd}\u{ffff}")], b"spaces");
        put(writer, 1, 4, &[("astral", "\u{10000}🗝\u{10ffff}")], b"beyond 16 bits");
        let name = writer.type_id("a \"name\"\twith\\quotes/", "text/\"x\"").unwrap();
        put(writer, name, 5, &[], b"of a type with such a name");
        let long = "ß".repeat(9000);
        put(writer, name, 6, &[("long", &long)], b"18,000 bytes of metadata");
        put(writer, 1, 7, &[("same", "1"), ("other", "2"), ("same", "1"), ("same", "3")], b"a key several times");
    });
}

/// Payloads of about whole pages, each larger than a block is meant to be; and between them payloads that fit into one.
fn write_pages(at: &Path) {
    segment(at.join("pages.binlog"), options(Codec::None), |writer| {
        for (i, len) in [64, 65, 4095, 4096, 4097, 8191, 8192, 8193, 1, 20_000].into_iter().enumerate() {
            put(writer, i as u32, i as i64, &[("length", &len.to_string())], &vec![b'a' + i as u8; len]);
        }
    });
}

/// Batches: within a block, over several, with a large record inside, and an empty one, which is nothing.
fn write_batches(at: &Path) {
    segment(at.join("batches.binlog"), options(Codec::Zstd), |writer| {
        let pairs: MetadataBuf = [("batch", "yes")].into_iter().collect();
        let record = |i: i64, payload| NewRecord {
            type_id: (i % 3) as u32,
            time: Some(1_000 * i),
            metadata: if i % 4 == 0 { pairs.as_metadata() } else { Default::default() },
            payload,
        };
        let (short, page, large) = (noise(20, 1), noise(900, 2), payload(9001, 1));
        writer.append_batch((0..3).map(|i| record(i, &short[..]))).unwrap();
        writer.append_batch((3..20).map(|i| record(i, &page[..]))).unwrap();
        writer.append_batch((20..23).map(|i| record(i, if i == 21 { &large[..] } else { &short[..] }))).unwrap();
        writer.append_batch(std::iter::empty()).unwrap();
        writer.append_batch((23..24).map(|i| record(i, &[][..]))).unwrap();
    });
}

/// Every event that the library writes, in one log of three segments: heartbeats, records that a full disk dropped, a
/// torn tail that was cut.
fn write_events(at: &Path) {
    let memory = MemoryDirectory::new();
    let open = || {
        let patient = WriterOptions { full_disk: FullDisk::Drop, ..named("events", Codec::Lz4) };
        Writer::open(Arc::new(memory.clone()), patient).unwrap()
    };
    let writer = open();
    put(&writer, 1, 1, &[], b"one");
    writer.heartbeat().unwrap();
    writer.heartbeat().unwrap();
    writer.roll_because("by hand").unwrap();
    put(&writer, 1, 2, &[], b"two");
    let full = Fault { from: 0, times: usize::MAX, errno: libc::ENOSPC, only: Some(Operation::Write) };
    memory.set_fault(Some(full));
    // Until the writer's memory is full too.
    let more = NewRecord { type_id: 2, time: Some(2), payload: &[b'.'; 4000], ..NewRecord::default() };
    while writer.append_record(&more).unwrap() != 0 {
        assert!(writer.position().unwrap().appended < 10_000, "memory is bounded");
    }
    memory.set_fault(None);
    writer.flush().unwrap();
    put(&writer, 1, 3, &[], b"behind the dropped ones");
    writer.sync().unwrap();
    put(&writer, 1, 4, &[], b"torn away");
    writer.close().unwrap();

    // A crash: the last block of the second segment, which holds the last record, has half of its bytes.
    let second = "events.0000000002.binlog";
    let mut bytes = memory.contents(second).unwrap();
    let torn = records_of(&layout::Segment::parse(&bytes)).last().unwrap().payload.start + 3;
    bytes.truncate(torn);
    memory.set_contents(second, bytes);
    let writer = open();
    writer.type_id("a name", "text/plain").unwrap();
    put(&writer, FIRST_NAMED_TYPE, 5, &[], b"behind the torn tail");
    writer.roll().unwrap();
    put(&writer, FIRST_NAMED_TYPE, 6, &[], b"six");
    writer.close().unwrap();
    export(&memory, &at.join("events"));
}

/// Types with encodings, messages and schemas: two of one name, one without a schema, one that is named in the second
/// segment. The second segment is compressed; the third is by another writer.
fn write_schemas(at: &Path) {
    let path = at.join("schemas");
    let open = || Writer::open(&path, named("schemas", Codec::None)).unwrap();
    let of = |schema: &'static str| TypeOptions {
        name: "point",
        content_type: "avro/binary",
        encoding: "avro",
        message: "Point",
        schema: schema.as_bytes(),
    };
    let x = of(r#"{"type":"record","name":"Point","fields":[{"name":"x","type":"int"}]}"#);
    let x_s =
        of(r#"{"type":"record","name":"Point","fields":[{"name":"x","type":"int"},{"name":"s","type":"string"}]}"#);
    let late = TypeOptions { name: "späte", message: "späte", ..x };
    let pack = TypeOptions { name: "pack", encoding: "msgpack", ..TypeOptions::default() };
    let put_of = |writer: &Writer, of: &TypeOptions<'_>, payload: &[u8]| {
        put(writer, writer.type_of(of).unwrap(), 5, &[], payload);
    };
    let writer = open();
    put_of(&writer, &x, b"\x0d");
    put_of(&writer, &x_s, b"\x0d\x04ab");
    put_of(&writer, &pack, b"\x81\xa1k\xc0");
    writer.roll().unwrap();
    put_of(&writer, &x_s, b"\x0f\x00");
    put_of(&writer, &late, b"\x11");
    writer.close().unwrap();
    let writer = open();
    writer.roll().unwrap();
    put_of(&writer, &late, b"\x13");
    put_of(&writer, &x, b"not of the schema");
    writer.close().unwrap();
    fs::remove_file(path.join("schemas.lock")).unwrap();
    let second = path.join("schemas.0000000002.binlog");
    binlog::compression::compress(second, &CompressOptions::default()).unwrap();
}

/// Copies all files but those that only show that there was a writer.
fn export(memory: &MemoryDirectory, to: &Path) {
    fs::create_dir(to).unwrap();
    for name in memory.list().unwrap() {
        if !name.ends_with(".lock") {
            fs::write(to.join(&name), memory.contents(&name).unwrap()).unwrap();
        }
    }
}

/// A log that rolls each hour by the clock of Berlin, in the night in which the hour from two to three comes twice.
fn write_periods(at: &Path) {
    // 2026-10-25 00:30 in Berlin, where it is two hours later than in Greenwich until three o'clock.
    let time = Time::at(1_792_881_000 * SECOND);
    let roll = RollOptions {
        period: Some(Period::HOUR),
        zone: "Europe/Berlin".into(),
        template: "{name}.{seq}.%Y-%m-%dT%H".into(),
        ..RollOptions::default()
    };
    let memory = MemoryDirectory::new();
    let rolling = WriterOptions { roll, clock: time.clock(), ..named("periods", Codec::None) };
    let writer = Writer::open(Arc::new(memory.clone()), rolling).unwrap();
    for i in 0..10 {
        writer.append(1, format!("half hour {i}").as_bytes()).unwrap();
        time.pass(HOUR / 2 + MINUTE / 60);
    }
    writer.close().unwrap();
    export(&memory, &at.join("periods"));
}

/// What is left of the log of three segments when the first one has been removed, and when the second one has.
fn write_removed(at: &Path) {
    for (name, number) in [("first_removed", 1), ("second_removed", 2)] {
        let memory = MemoryDirectory::new();
        let writer = Writer::open(Arc::new(memory.clone()), named(name, Codec::None)).unwrap();
        put_rolled(&writer);
        writer.close().unwrap();
        memory.remove(&format!("{name}.{number:010}.binlog")).unwrap();
        export(&memory, &at.join(name));
    }
}

/// A log that a crash left, of four segments, on a bad disk: a page is damaged in the first, a block's header in the
/// second, the entries of a block in the third; the last one has a torn tail and is still named by `.active`.
fn write_damaged(at: &Path) {
    let memory = MemoryDirectory::new();
    let options = WriterOptions { roll: by_records(24), ..named("damaged", Codec::None) };
    let writer = Writer::open(Arc::new(memory.clone()), options).unwrap();
    for i in 0..90i64 {
        let large = i == 10 || i == 80;
        let bytes = if large { payload(9001, 2) } else { format!("record {}", i + 1).into_bytes() };
        put(&writer, 1, i, &[("number", &(i + 1).to_string())], &bytes);
        if i % 8 == 7 {
            writer.flush().unwrap();
        }
    }
    writer.flush().unwrap();
    let active = memory.contents("damaged.active").expect("the writer is at work");
    let open = memory.clone();
    writer.close().unwrap();
    open.set_contents("damaged.active", active);
    let damage = |segment: u64, place: fn(&[&layout::Block]) -> usize| {
        let name = format!("damaged.{segment:010}.binlog");
        let mut bytes = memory.contents(&name).unwrap();
        let place = place(&records_of(&layout::Segment::parse(&bytes)));
        bytes[place] ^= 0x20;
        memory.set_contents(&name, bytes);
    };
    damage(1, |blocks| blocks.iter().find(|block| block.pages() > 2).unwrap().page(1).start + 7);
    damage(2, |blocks| blocks[1].offset + 12);
    damage(3, |blocks| blocks[1].entries.start + 2);
    let last = "damaged.0000000004.binlog";
    let mut bytes = memory.contents(last).unwrap();
    let torn = records_of(&layout::Segment::parse(&bytes)).last().unwrap().payload.end - 3;
    bytes.truncate(torn);
    memory.set_contents(last, bytes);
    export(&memory, &at.join("damaged"));
}

fn by_records(records: u64) -> RollOptions {
    RollOptions { records: Some(records), ..RollOptions::default() }
}

/// The blocks that hold a record.
fn records_of(segment: &layout::Segment) -> Vec<&layout::Block> {
    segment.blocks.iter().filter(|block| block.kind == layout::RECORDS && block.count > 0).collect()
}
