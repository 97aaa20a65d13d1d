//! What the behaviour tests share: records as a test expects them, and every way of reading a log.
#![allow(dead_code)] // each test program uses a part of it

pub mod counting;
pub mod history;
pub mod interposed;
pub mod layout;
pub mod quota;
pub mod remote;
pub mod time;

use std::sync::{Arc, Mutex};

use binlog::{
    is_event, Codec, Cursor, Error, Filter, Kind, Loss, Metadata, MetadataBuf, OnLoss, Reader, ReaderMode,
    ReaderOptions, Record, Tail,
};

pub const CODECS: [Codec; 3] = [Codec::None, Codec::Lz4, Codec::Zstd];

/// A callback for losses, and the losses that it received.
pub fn listening() -> (OnLoss, Arc<Mutex<Vec<Loss>>>) {
    let heard: Arc<Mutex<Vec<Loss>>> = Arc::default();
    let into = heard.clone();
    (Arc::new(move |loss: &Loss| into.lock().unwrap().push(loss.clone())), heard)
}

/// Options of a reader in this mode, and the losses that it reports.
pub fn hearing(mode: ReaderMode) -> (ReaderOptions, Arc<Mutex<Vec<Loss>>>) {
    let (on_loss, heard) = listening();
    (ReaderOptions { mode, on_loss: Some(on_loss), ..ReaderOptions::default() }, heard)
}

/// The name of a test as this program's arguments give it, from its `module_path!()`.
pub fn full_name(module: &str, test: &str) -> String {
    match module.split_once("::") {
        Some((_, modules)) => format!("{modules}::{test}"),
        None => test.to_owned(),
    }
}

/// A record by itself, with nothing borrowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub id: u64,
    pub time: i64,
    pub type_id: u32,
    pub metadata: Vec<(String, String)>,
    pub payload: Vec<u8>,
    pub payload_len: u32,
}

impl Row {
    pub fn new(id: u64, time: i64, type_id: u32, payload: impl Into<Vec<u8>>) -> Self {
        let payload = payload.into();
        let payload_len = payload.len() as u32;
        Row { id, time, type_id, metadata: vec![], payload, payload_len }
    }

    pub fn is_event(&self) -> bool {
        is_event(self.type_id)
    }

    /// As shown by a cursor that reads only headers.
    pub fn without_payload(&self) -> Self {
        Row { payload: vec![], ..self.clone() }
    }

    pub fn fact(&self, key: &str) -> Option<&str> {
        self.metadata.iter().find(|(k, _)| k == key).map(|(_, value)| &value[..])
    }
}

impl From<&Record<'_>> for Row {
    fn from(record: &Record<'_>) -> Self {
        Row {
            id: record.id,
            time: record.time,
            type_id: record.type_id,
            metadata: pairs(record.metadata),
            payload: record.payload.to_vec(),
            payload_len: record.payload_len,
        }
    }
}

pub fn pairs(metadata: Metadata<'_>) -> Vec<(String, String)> {
    metadata.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

pub fn metadata(pairs: &[(String, String)]) -> MetadataBuf {
    pairs.iter().map(|(key, value)| (key, value)).collect()
}

/// The ways to get records out of a cursor.
#[derive(Clone, Copy, Debug)]
pub enum Way {
    Next,
    /// `next_batch` of at most so many.
    Batch(usize),
    /// `read_packed` into a buffer of so many bytes, or of as many as one record requires.
    Packed(usize),
}

pub const WAYS: [Way; 6] =
    [Way::Next, Way::Batch(1), Way::Batch(7), Way::Batch(usize::MAX), Way::Packed(0), Way::Packed(4099)];

/// What a cursor showed until it came to its end or failed.
#[derive(Debug)]
pub struct Seen {
    pub rows: Vec<Row>,
    pub end: Result<Tail, Error>,
}

impl Seen {
    /// The rows of a log that must be read without an error.
    pub fn whole(self) -> Vec<Row> {
        match self.end {
            Ok(_) => self.rows,
            Err(e) => panic!("after {} rows: {e:?}", self.rows.len()),
        }
    }

    pub fn tail(&self) -> &Tail {
        self.end.as_ref().expect("the log is read without an error")
    }
}

/// Reads what `cursor` has until its end or its first error.
pub fn drain(cursor: &mut Cursor, way: Way) -> Seen {
    let mut rows = vec![];
    let mut buffer = vec![0xA5; if let Way::Packed(bytes) = way { bytes } else { 0 }];
    loop {
        let got = match way {
            Way::Next => cursor.next().map(|record| {
                let row = record.map(|record| Row::from(&record));
                let count = row.iter().count();
                rows.extend(row);
                count
            }),
            Way::Batch(most) => {
                let before = rows.len();
                let got = cursor.next_batch(most, |record| rows.push(Row::from(record)));
                if let Ok(count) = got {
                    assert_eq!(rows.len() - before, count, "a batch shows as many records as it says");
                    assert!(count <= most);
                }
                got
            }
            Way::Packed(_) => match cursor.read_packed(&mut buffer) {
                Ok((len, count)) => {
                    unpack(&buffer[..len], count, &mut rows);
                    Ok(count)
                }
                Err(e) if e.kind() == Kind::TooLarge => {
                    let needed = needed_bytes(&e);
                    assert!(needed > buffer.len(), "{e}");
                    buffer.resize(needed, 0xA5);
                    continue;
                }
                Err(e) => Err(e),
            },
        };
        match got {
            Ok(0) => return Seen { rows, end: Ok(cursor.tail()) },
            Ok(_) => (),
            Err(e) => return Seen { rows, end: Err(e) },
        }
    }
}

/// The number in "the next record takes N bytes packed".
fn needed_bytes(error: &Error) -> usize {
    let mut numbers = error.reason().split_whitespace().filter_map(|word| word.parse().ok());
    numbers.next().expect("the reason says how many bytes are needed")
}

/// Reads packed frames as a program in another language would, by their documented layout.
fn unpack(mut frames: &[u8], count: usize, rows: &mut Vec<Row>) {
    let u32_at = |bytes: &[u8], at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let before = rows.len();
    while !frames.is_empty() {
        let (size, type_id) = (u32_at(frames, 0) as usize, u32_at(frames, 4));
        let id = u64::from_le_bytes(frames[8..16].try_into().unwrap());
        let time = i64::from_le_bytes(frames[16..24].try_into().unwrap());
        let (metadata_len, payload_len) = (u32_at(frames, 24) as usize, u32_at(frames, 28));
        let flags = u32_at(frames, 32);
        assert_eq!(size % 8, 0);
        assert_eq!(flags & 1, 1, "the time is meant");
        assert_eq!(flags & 2 != 0, is_event(type_id));
        let present = if flags & 4 != 0 { 0 } else { payload_len as usize };
        let (from, to) = (40 + metadata_len, 40 + metadata_len + present);
        assert!(frames[to..size].iter().all(|&byte| byte == 0) && size - to < 8);
        let metadata = pairs(Metadata::from_bytes(&frames[40..from]));
        rows.push(Row { id, time, type_id, metadata, payload: frames[from..to].to_vec(), payload_len });
        frames = &frames[size..];
    }
    assert_eq!(rows.len() - before, count, "as many frames as said");
}

pub fn read(reader: &Reader, filter: &Filter, way: Way) -> Seen {
    drain(&mut reader.cursor(filter).expect("the filter is valid"), way)
}

/// All rows of a log that must be good, read with `next`.
pub fn rows_of(reader: &Reader) -> Vec<Row> {
    read(reader, &Filter::default(), Way::Next).whole()
}

pub fn rows_at(path: impl Into<binlog::Location>) -> Vec<Row> {
    rows_of(&Reader::open(path, Default::default()).unwrap())
}

/// Asserts that every way of reading shows exactly these rows under the filter.
pub fn assert_every_way(reader: &Reader, filter: &Filter, expected: &[Row]) {
    for way in WAYS {
        let seen = read(reader, filter, way).whole();
        assert_rows(&seen, expected, &format!("{way:?} {filter:?}"));
    }
}

/// `assert_eq!` that does not print a megabyte.
pub fn assert_rows(seen: &[Row], expected: &[Row], context: &str) {
    for (i, (seen, expected)) in seen.iter().zip(expected).enumerate() {
        assert!(seen == expected, "row {i} is {}, not {}: {context}", brief(seen), brief(expected));
    }
    assert_eq!(seen.len(), expected.len(), "number of rows: {context}");
}

pub fn brief(row: &Row) -> String {
    let start = &row.payload[..row.payload.len().min(16)];
    format!(
        "#{} time {} type {:#x} {:?} {} bytes {start:02x?}",
        row.id, row.time, row.type_id, row.metadata, row.payload_len
    )
}

/// Pseudorandom bytes, the same for the same seed.
pub fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut out = Vec::with_capacity(len + 8);
    while out.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        out.extend_from_slice(&state.to_le_bytes());
    }
    out.truncate(len);
    out
}

/// A payload of `len` bytes: noise, text that compresses, or both, by the seed.
pub fn payload(len: usize, seed: u64) -> Vec<u8> {
    match seed % 3 {
        0 => noise(len, seed),
        1 => format!("payload {seed} of {len} bytes; ").into_bytes().into_iter().cycle().take(len).collect(),
        _ => {
            let mut bytes = noise(len, seed);
            bytes[len / 3..].fill(b'x');
            bytes
        }
    }
}

pub fn now_ns() -> i64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as i64
}

/// The codec, or none in a build of the library without it.
pub fn if_available(codec: Codec) -> Codec {
    if codec.is_available() {
        codec
    } else {
        Codec::None
    }
}

/// The codecs that this build of the library has.
pub fn codecs() -> impl Iterator<Item = Codec> {
    CODECS.into_iter().filter(|codec| codec.is_available())
}

/// Whether the header of a segment says that zeros after its blocks are space (field 13 of its message, bit 1).
pub fn has_space(segment: &[u8]) -> bool {
    let Some(len) = segment.get(8..12) else { return false };
    let len = u32::from_le_bytes(len.try_into().unwrap()) as usize;
    let Some(mut fields) = segment.get(12..12 + len) else { return false };
    while let Some(tag) = varint(&mut fields) {
        let skipped = match tag & 7 {
            0 => match (varint(&mut fields), tag >> 3) {
                (Some(bits), 13) => return bits & 2 != 0,
                (_, _) => 0,
            },
            1 => 8,
            2 => varint(&mut fields).unwrap_or(0) as usize,
            _ => return false,
        };
        fields = fields.get(skipped..).unwrap_or(&[]);
    }
    false
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let end = bytes.iter().position(|byte| byte & 0x80 == 0)?;
    let value = bytes[..=end].iter().rev().fold(0, |value, byte| value << 7 | u64::from(byte & 0x7f));
    *bytes = &bytes[end + 1..];
    Some(value)
}
