//! The index is a hint: however it is damaged, prefix reading shows the same records; strict reading reports the
//! damage.

use crate::common::history::*;
use crate::common::layout::{self, Block, Segment, Source};
use crate::common::*;
use binlog::io::MemoryDirectory;
use binlog::{Codec, Filter, ReaderMode, WriterOptions};

const FILE: &str = "default.0000000001.binlog";
const RARE: u32 = 77;

/// A closed log of one segment with several INDEX blocks, some of whose rows locate records.
fn a_log() -> Log {
    let mut log = Log::new(WriterOptions { block_bytes: 8 << 10, index_bytes: 24 << 10, ..small_blocks(Codec::None) });
    for i in 0..1200u64 {
        let metadata = if i % 100 == 50 { vec![("user".to_owned(), format!("{}", i % 7))] } else { vec![] };
        let type_id = if i % 173 == 5 { RARE } else { (i % 3) as u32 };
        log.put(&Made { type_id, time: i as i64, metadata, len: 20 + i as usize % 60, seed: i });
        if i % 170 == 169 {
            log.writer().flush().unwrap();
        }
    }
    log.close();
    log
}

fn with(bytes: &[u8], range: std::ops::Range<usize>, new: &[u8]) -> Vec<u8> {
    [&bytes[..range.start], new, &bytes[range.end..]].concat()
}

fn filters() -> [Filter; 8] {
    let all = Filter::default();
    [
        Filter { types: vec![RARE], ..all.clone() },
        Filter { types: vec![RARE], headers_only: true, ..all.clone() },
        Filter { types: vec![1], from_id: Some(500), to_id: Some(900), ..all.clone() },
        Filter { from_time: Some(300), to_time: Some(420), ..all.clone() },
        Filter { metadata: vec![("user".into(), "3".into())], ..all.clone() },
        Filter { last: Some(40), ..all.clone() },
        Filter { from_id: Some(1190), ..all.clone() },
        all,
    ]
}

/// How prefix reading differs from what is right, or `None`.
fn difference(log: &Log, bytes: Vec<u8>) -> Option<String> {
    let directory = MemoryDirectory::new();
    directory.set_contents(FILE, bytes);
    let reader = open(&directory);
    for newest_first in [false, true] {
        for filter in filters() {
            let filter = Filter { newest_first, ..filter };
            let expected = shown_of(&log.rows, &filter);
            let seen = match reader.cursor(&filter) {
                Ok(mut cursor) => drain(&mut cursor, Way::Batch(50)),
                Err(e) => return Some(format!("{e} {filter:?}")),
            };
            if let Err(e) = &seen.end {
                return Some(format!("{e} {filter:?}"));
            }
            if seen.rows != expected {
                let missing: Vec<u64> =
                    expected.iter().filter(|row| !seen.rows.contains(row)).map(|row| row.id).collect();
                return Some(format!(
                    "{} rows of {}, without {missing:?}, {filter:?}",
                    seen.rows.len(),
                    expected.len()
                ));
            }
        }
    }
    let mut cursor = reader.cursor(&Filter::default()).unwrap();
    for id in (1..1203).step_by(83) {
        let got = cursor.get(id).map(|record| record.map(|record| Row::from(&record)));
        match got {
            Ok(got) if got.as_ref() == log.rows.get(id as usize - 1) => (),
            got => return Some(format!("get {id}: {got:?}")),
        }
    }
    None
}

fn assert_same(log: &Log, bytes: Vec<u8>, what: &str) {
    assert_eq!(difference(log, bytes), None, "{what}");
}

fn assert_strict_reports(bytes: Vec<u8>, what: &str) {
    let directory = MemoryDirectory::new();
    directory.set_contents(FILE, bytes);
    let seen = read(&open_mode(&directory, ReaderMode::Strict), &Filter::default(), Way::Batch(50));
    assert!(seen.end.is_err(), "{what}: strict reading says nothing");
}

fn parts(log: &Log) -> (Vec<u8>, Segment) {
    let bytes = log.directory.contents(FILE).unwrap();
    let segment = Segment::parse(&bytes);
    (bytes, segment)
}

#[test]
fn a_damaged_index_block_changes_no_answer_and_strict_reading_reports_it() {
    let log = a_log();
    let (whole, segment) = parts(&log);
    let index = segment.of_kind(layout::INDEX);
    assert!(index.len() >= 3, "{}", index.len());
    assert_same(&log, whole.clone(), "undamaged");
    for (i, block) in index.iter().enumerate() {
        // Only the entries: every reader goes from header to header, so damage to a header affects all of them.
        let all = block.entries.clone();
        for (n, at) in all.clone().step_by(if i == 1 { 3 } else { 41 }).enumerate() {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << (n % 8);
            let what = format!("INDEX block {i}, byte {} bit {}", at - block.offset, n % 8);
            assert_strict_reports(bytes.clone(), &what);
            assert_same(&log, bytes, &what);
        }
        let zeros = vec![0; all.len()];
        assert_same(&log, with(&whole, all.clone(), &zeros), &format!("INDEX block {i} zeroed"));
        assert_strict_reports(with(&whole, all.clone(), &zeros), "zeroed");
        // The entries of another one, of the same length or not.
        for other in index.iter().filter(|other| other.offset != block.offset) {
            let mut entries = whole[other.entries.clone()].to_vec();
            entries.resize(all.len(), 0);
            assert_same(&log, with(&whole, all.clone(), &entries), "another's entries");
        }
    }
}

/// The entries of an INDEX block as numbers: previous, from; seven numbers and the rest of each row; and the totals.
#[derive(Clone)]
struct Decoded {
    previous: u64,
    from: u64,
    rows: Vec<([u64; 7], Contents)>,
    totals: Vec<u8>,
}

/// Ordinal, place, length and time of a record, and the checksums of its pages.
type StoredRecord = ([u64; 4], Vec<u8>);

#[derive(Clone)]
struct Contents {
    head: u64,
    /// Type, count, and the places of its records if they are stored.
    types: Vec<(u64, u64, Vec<StoredRecord>)>,
    filter: Vec<u8>,
}

impl Decoded {
    fn decode(entries: &[u8]) -> Self {
        let mut from = Source { bytes: entries, at: 0 };
        let (previous, begins, count) = (from.number(), from.number(), from.number());
        let rows = (0..count)
            .map(|_| {
                let numbers = std::array::from_fn(|_| from.number());
                let head = from.number();
                let types = (0..head >> 3)
                    .map(|_| {
                        let (type_id, count) = (from.number(), from.number());
                        let located = if count & 1 == 1 { count >> 1 } else { 0 };
                        let places = (0..located)
                            .map(|_| {
                                let place: [u64; 4] = std::array::from_fn(|_| from.number());
                                let pages = (place[1] + place[2]).div_ceil(4096) - place[1] / 4096;
                                (place, from.take(if place[2] == 0 { 0 } else { 4 * pages as usize }).to_vec())
                            })
                            .collect();
                        (type_id, count, places)
                    })
                    .collect();
                let filter = match head & 3 {
                    1 => {
                        let len = from.number() as usize;
                        from.take(len).to_vec()
                    }
                    _ => vec![],
                };
                (numbers, Contents { head, types, filter })
            })
            .collect();
        Decoded { previous, from: begins, rows, totals: entries[from.at..].to_vec() }
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = vec![];
        [self.previous, self.from, self.rows.len() as u64].into_iter().for_each(|n| layout::put_number(&mut out, n));
        for (numbers, contents) in &self.rows {
            numbers.iter().for_each(|&n| layout::put_number(&mut out, n));
            layout::put_number(&mut out, contents.head);
            for (type_id, count, places) in &contents.types {
                layout::put_number(&mut out, *type_id);
                layout::put_number(&mut out, *count);
                for (place, sums) in places {
                    place.iter().for_each(|&n| layout::put_number(&mut out, n));
                    out.extend_from_slice(sums);
                }
            }
            if contents.head & 3 == 1 {
                layout::put_number(&mut out, contents.filter.len() as u64);
                out.extend_from_slice(&contents.filter);
            }
        }
        out.extend_from_slice(&self.totals);
        out
    }
}

/// The file with other contents in this INDEX block, and with right checksums. Returns `None` if the length of the
/// block would change, because what follows it would move.
fn lying(whole: &[u8], segment: &Segment, block: &Block, decoded: &Decoded) -> Option<Vec<u8>> {
    let entries = decoded.encode();
    if entries.len() > block.entries.len() {
        return None;
    }
    let mut bytes = whole[block.offset..block.end()].to_vec();
    let missing = block.entries.len() - entries.len();
    bytes[layout::HEADER..layout::HEADER + entries.len()].copy_from_slice(&entries);
    if missing > 0 {
        // The number of named types, of which there are none, may take more bytes than one.
        let mut totals = Source { bytes: &decoded.totals, at: 0 };
        let counts = totals.number().saturating_sub(1);
        (0..2 * counts).for_each(|_| {
            totals.number();
        });
        let names = layout::HEADER + entries.len() - decoded.totals.len() + totals.at;
        assert_eq!(bytes[names], 0);
        let end = bytes.len() - missing;
        bytes.copy_within(names..end, names + missing);
        bytes[names..names + missing].fill(0x80);
        if missing > 9 {
            return None;
        }
    }
    layout::sign(&mut bytes, segment.marker, block.offset);
    Some(with(whole, block.offset..block.end(), &bytes))
}

#[test]
fn an_index_block_that_lies_with_right_checksums_changes_no_answer() {
    let log = a_log();
    let (whole, segment) = parts(&log);
    let mut wrong = vec![];
    let (mut tried, mut located) = (0, 0);
    for (i, block) in segment.of_kind(layout::INDEX).into_iter().enumerate() {
        let decoded = Decoded::decode(&whole[block.entries.clone()]);
        assert_eq!(lying(&whole, &segment, block, &decoded).as_ref(), Some(&whole), "the truth is the same bytes");
        let mut attempt = |what: String, decoded: &Decoded| {
            let Some(bytes) = lying(&whole, &segment, block, decoded) else { return };
            tried += 1;
            wrong.extend(difference(&log, bytes).map(|difference| format!("block {i} {what}: {difference}")));
        };
        for previous in [0, 1, block.offset as u64 - 1, block.offset as u64, segment.start as u64, decoded.from] {
            attempt(format!("previous {previous}"), &Decoded { previous, ..decoded.clone() });
        }
        for from in
            [0, 1, segment.start as u64, decoded.from + 1, decoded.from.saturating_sub(200), block.offset as u64]
        {
            attempt(format!("from {from}"), &Decoded { from, ..decoded.clone() });
        }
        for row in 0..decoded.rows.len() {
            let locates = |row: usize| decoded.rows[row].1.types.iter().any(|(_, _, places)| !places.is_empty());
            // Offset, length, bytes before the payload, first id, count. A filter has to believe times, and the id and
            // place of a record that is read alone.
            for field in (0..5).filter(|&field| field != 3 || !(0..decoded.rows.len()).any(locates)) {
                for change in [1u64, u64::MAX, 100, 3u64.wrapping_neg()] {
                    // Ids that skip many hide records from a filter by ids.
                    if field == 3 && change == 100 {
                        continue;
                    }
                    let mut lie = decoded.clone();
                    let number = &mut lie.rows[row].0[field];
                    *number = number.wrapping_add(change);
                    attempt(format!("row {row} field {field} + {}", change as i64), &lie);
                }
            }
            for of_type in 0..decoded.rows[row].1.types.len() {
                for place in 0..decoded.rows[row].1.types[of_type].2.len() {
                    located += 1;
                    let mut lie = decoded.clone();
                    lie.rows[row].1.types[of_type].2[place].1[0] ^= 1;
                    attempt(format!("row {row} place {place} sum"), &lie);
                }
            }
            if row > 0 && !(row - 1..decoded.rows.len()).any(locates) {
                let mut lie = decoded.clone();
                lie.rows.swap(row - 1, row);
                attempt(format!("rows {row} and before swapped"), &lie);
            }
        }
    }
    assert!(tried > 150 && located > 3, "{tried} lies, {located} located");
    assert!(wrong.is_empty(), "{} of {tried}:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_damaged_page_of_a_record_that_is_read_alone_is_reported_and_never_shown() {
    let log = a_log();
    let (whole, segment) = parts(&log);
    let mut tried = 0;
    for row in log.rows.iter().filter(|row| row.type_id == RARE) {
        let mut records = segment.blocks.iter().flat_map(|block| &block.records);
        let (place, _) = records.find(|(_, id)| *id == Some(row.id)).unwrap();
        let mut bytes = whole.clone();
        bytes[place.start + 3] ^= 1;
        let directory = MemoryDirectory::new();
        directory.set_contents(FILE, bytes);
        for newest_first in [false, true] {
            let filter = Filter { types: vec![RARE], newest_first, ..Filter::default() };
            let seen = read(&open(&directory), &filter, Way::Next);
            let expected: Vec<Row> =
                shown_of(&log.rows, &filter).into_iter().take_while(|other| other.id != row.id).collect();
            assert_rows(&seen.rows, &expected, "up to the damage");
            assert_eq!(seen.end.unwrap_err().kind(), binlog::Kind::Corrupt);
            tried += 1;
        }
    }
    assert!(tried > 8);
}
