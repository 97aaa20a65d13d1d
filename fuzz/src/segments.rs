//! The targets that make a segment file from the fuzzer's bytes.

use binlog::io::MemoryDirectory;
use binlog::ReaderMode;

use crate::blocks::{self, mend, payload, segment_start, Block, FILE, LOG};
use crate::entries::{decode, payload_len, records};
use crate::input::Input;
use crate::reading::{self, everything, open, read_every_way};
use crate::recovery::append_behind;

const RECORDS: u8 = 1;
const INDEX: u8 = 2;
const TRAILER: u8 = 3;
const HAS_EVENTS: u16 = 2;
/// The longest payload for entries: a few pages, which keeps a run fast.
const MOST_PAYLOAD: u64 = 20_000;

/// The bytes are a segment file.
pub fn read(bytes: &[u8]) {
    read_every_way(&holding(bytes.to_vec()), true);
}

/// The bytes are the last segment of a log that is opened for writing.
pub fn recover(bytes: &[u8]) {
    go_on_in(bytes.to_vec());
}

/// The bytes are a segment file, whose checksums are all made right before it is read and written.
pub fn mended(bytes: &[u8]) {
    let segment = mend(bytes);
    read_every_way(&holding(segment.clone()), true);
    go_on_in(segment);
}

/// One block with these entries, and the header that they need; the first byte chooses variants.
pub fn entries(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let choices = input.u8();
    let min_time = if choices & 1 != 0 { input.i64() } else { 0 };
    let entries = input.rest();
    let (decoded, clean) = decode(entries, min_time);
    let mut segment = segment_start(1);
    let is_index = choices & 2 != 0;
    let len = payload_len(&decoded).min(MOST_PAYLOAD) as usize;
    let block = Block {
        kind: if is_index { INDEX } else { RECORDS },
        flags: if is_index { 0 } else { HAS_EVENTS },
        count: if is_index { 0 } else { records(&decoded) },
        entries: entries.to_vec(),
        payload: if is_index { vec![] } else { payload(len) },
        first_id: 1,
        min_time,
        max_time: decoded.iter().map(|entry| entry.time).max().unwrap_or(min_time),
        ..Block::default()
    };
    block.put(&mut segment);
    let directory = holding(segment.clone());
    let agreed = clean && len as u64 == payload_len(&decoded);
    if !is_index && (agreed || !clean) && choices & 4 == 0 {
        assert_shows(&directory, &decoded, agreed);
    }
    if is_index {
        behind_an_index(&mut segment);
    }
    read_every_way(&holding(segment.clone()), is_index);
    go_on_in(segment);
}

/// The library shows what the second decoder of the entries found, or refuses the block as that did.
fn assert_shows(directory: &MemoryDirectory, expected: &[crate::entries::Entry], good: bool) {
    let seen = reading::see(directory, ReaderMode::Prefix, &everything()).expect("the segment begins well");
    assert_eq!(seen.shows_all(), good, "{:?}", seen.end);
    for (row, entry) in seen.rows.iter().zip(expected) {
        assert_eq!((row.payload_len, row.type_id, row.time), (entry.payload_len, entry.type_id, entry.time));
        assert_eq!(row.metadata, entry.metadata);
    }
    if good {
        assert_eq!(seen.rows.len(), expected.len());
        let joined: Vec<u8> = seen.rows.iter().flat_map(|row| row.payload.iter().copied()).collect();
        assert_eq!(joined, payload(joined.len()));
    }
}

/// Records whose block points to the INDEX block before it, and a trailer that also does.
fn behind_an_index(segment: &mut Vec<u8>) {
    let last_index = segment_start(1).len() as u64;
    let mut list = vec![];
    for len in 0..3 {
        list.extend([len, 2, 0]);
    }
    Block { kind: RECORDS, count: 3, entries: list, payload: payload(3), first_id: 1, last_index, ..Block::default() }
        .put(segment);
    trailer(3, 4, last_index).put(segment);
}

fn trailer(records: u64, first_id: u64, last_index: u64) -> Block {
    let mut entries = records.to_le_bytes().to_vec();
    entries.extend(last_index.to_le_bytes());
    entries.extend(b"BINLOG\x20\x01");
    Block { kind: TRAILER, entries, first_id, last_index, ..Block::default() }
}

/// Several blocks in a row with right checksums, whose headers are chosen by the input; all other fields are as a
/// writer would set them.
pub fn block(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let first = if input.u8() & 1 != 0 { input.u64() } else { 1 };
    let mut segment = segment_start(first);
    let mut state = WriterState { next_id: first, last_index: 0, counted: 0 };
    let mut has_index = false;
    for _ in 0..12 {
        if input.is_empty() {
            break;
        }
        let block = next_block(&mut input, &mut state, segment.len() as u64);
        has_index |= block.kind == INDEX;
        block.put(&mut segment);
    }
    segment.extend(input.rest());
    read_every_way(&holding(segment.clone()), has_index);
    go_on_in(segment);
}

/// The state that a writer would have at this point.
struct WriterState {
    next_id: u64,
    last_index: u64,
    counted: u64,
}

fn next_block(input: &mut Input<'_>, state: &mut WriterState, offset: u64) -> Block {
    let (choice, given) = (input.u8(), input.u8());
    let says = |bit: u8| given & (1 << bit) != 0;
    let kind = match choice & 7 {
        4 => INDEX,
        5 => TRAILER,
        6 => 0x40 | choice,
        7 => input.u8(),
        _ => RECORDS,
    };
    let codec = if says(0) { input.u8() } else { 0 };
    let min_time = if says(4) { input.i64() } else { 0 };
    let len = usize::from(input.u8()) | usize::from(choice >> 6) << 8;
    let given_entries = input.bytes(len).to_vec();
    let (decoded, _) = decode(&given_entries, min_time);
    let mut block = Block {
        kind,
        codec,
        min_time,
        max_time: if says(4) { input.i64() } else { decoded.iter().map(|e| e.time).max().unwrap_or(0) },
        first_id: if says(3) { input.u64() } else { state.next_id },
        durable_end: if says(5) { input.u64() } else { 0 },
        last_index: if says(6) { input.u64() } else { state.last_index },
        ..Block::default()
    };
    match (kind, says(7)) {
        (TRAILER, false) => block.entries = trailer(state.counted, block.first_id, block.last_index).entries,
        (RECORDS, false) => {
            block.payload = payload(payload_len(&decoded).min(MOST_PAYLOAD) as usize);
            block.count = records(&decoded);
            block.flags = if decoded.iter().any(|entry| entry.is_event()) { HAS_EVENTS } else { 0 };
            block.entries = given_entries;
        }
        _ => {
            let len = usize::from(input.u16());
            block.payload = input.bytes(len).to_vec();
            block.entries = given_entries;
        }
    }
    if says(1) {
        block.flags = input.u16();
        block.entries_len = Some(input.u32());
        block.payload_len = Some(input.u32());
    }
    if says(2) {
        block.count = input.u32();
    }
    match kind {
        INDEX => state.last_index = offset,
        RECORDS => {
            state.counted += u64::from(block.count);
            state.next_id = block.first_id.wrapping_add(u64::from(block.count));
        }
        _ => (),
    }
    block
}

fn holding(segment: Vec<u8>) -> MemoryDirectory {
    let directory = MemoryDirectory::new();
    directory.set_contents(FILE, segment);
    directory
}

/// Opens the segment for writing, under the name in its own header.
fn go_on_in(segment: Vec<u8>) {
    let directory = holding(segment);
    let name =
        open(&directory, ReaderMode::Prefix).ok().and_then(|reader| Some(reader.segments().first()?.name.clone()));
    let name = name.unwrap_or_else(|| LOG.to_owned());
    let fits = (1..=64).contains(&name.len()) && !name.starts_with('.') && name.chars().all(char::is_alphanumeric);
    let name = if fits { name } else { LOG.to_owned() };
    let file = format!("{name}.0000000001.binlog");
    if file != blocks::FILE {
        let bytes = directory.contents(FILE).expect("put there just now");
        let renamed = MemoryDirectory::new();
        renamed.set_contents(&file, bytes);
        return append_behind(&renamed, &file, &name);
    }
    append_behind(&directory, &file, &name);
}
