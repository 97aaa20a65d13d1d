//! How a segment ends: what a crash may have left is distinguished from damage, and what a power cut left in the middle
//! does not keep writers away.

use std::sync::Arc;

use crate::common::*;
use binlog::io::{Directory, MemoryDirectory};
use binlog::{
    event, Filter, Kind, Location, Loss, LossKind, Reader, ReaderMode, ReaderOptions, TailState, Writer, WriterOptions,
};

const FIRST: &str = "default.0000000001.binlog";
const SECOND: &str = "default.0000000002.binlog";
/// Bytes of a payload: each record is a block of its own.
const BYTES: usize = 5000;

fn options() -> WriterOptions {
    WriterOptions { block_bytes: 4096, ..WriterOptions::default() }
}

fn open(directory: &MemoryDirectory) -> binlog::Result<Writer> {
    open_with(directory, options())
}

fn open_with(directory: &MemoryDirectory, options: WriterOptions) -> binlog::Result<Writer> {
    Writer::open(Arc::new(directory.clone()), options)
}

fn append(writer: &Writer, count: u64) {
    for _ in 0..count {
        let id = writer.position().unwrap().appended + 1;
        assert_eq!(writer.append(1, &noise(BYTES, id)).unwrap(), id);
        writer.flush().unwrap();
    }
}

/// Nine records, each in a block of its own, as a killed writer leaves them, and where the blocks are. `synced` of them
/// were made durable, and the block behind them records that.
fn killed(synced: u64) -> (MemoryDirectory, Vec<usize>) {
    killed_with(synced, options())
}

fn killed_with(synced: u64, options: WriterOptions) -> (MemoryDirectory, Vec<usize>) {
    let directory = MemoryDirectory::new();
    let writer = open_with(&directory, options).unwrap();
    append(&writer, synced);
    if synced > 0 {
        writer.sync().unwrap();
    }
    append(&writer, 9 - synced);
    let bytes = directory.contents(FIRST).unwrap();
    let copy = MemoryDirectory::new();
    copy.set_contents(FIRST, bytes.clone());
    if let Some(lock) = directory.contents("default.lock") {
        copy.set_contents("default.lock", lock);
    }
    drop(writer);
    let blocks = places_of_blocks(&bytes);
    (copy, blocks)
}

/// Where blocks with a payload of [`BYTES`] begin.
fn places_of_blocks(bytes: &[u8]) -> Vec<usize> {
    let start = 12 + u32::from_le_bytes(bytes[8..12].try_into().unwrap()) as usize + 4;
    let marker = &bytes[start..start + 8];
    let stored = |at: usize| u32::from_le_bytes(bytes[at + 24..at + 28].try_into().unwrap()) as usize;
    (start..bytes.len() - 80).filter(|&at| &bytes[at..at + 8] == marker && stored(at) == BYTES).collect()
}

#[derive(Debug)]
struct Read {
    ids: Vec<u64>,
    losses: Vec<Loss>,
    end: binlog::Result<TailState>,
}

fn read_as(directory: &MemoryDirectory, mode: ReaderMode, filter: &Filter) -> Read {
    let (options, losses) = hearing(mode);
    let reader = match Reader::open(Arc::new(directory.clone()), options) {
        Ok(reader) => reader,
        Err(e) => return Read { ids: vec![], losses: vec![], end: Err(e) },
    };
    let seen = read(&reader, filter, Way::Next);
    for row in &seen.rows {
        assert!(row.payload == noise(BYTES, row.id) || row.is_event() || filter.headers_only, "{}", brief(row));
    }
    let ids = seen.rows.iter().filter(|row| !row.is_event()).map(|row| row.id).collect();
    let losses = losses.lock().unwrap().clone();
    Read { ids, losses, end: seen.end.map(|tail| tail.state) }
}

fn prefix(directory: &MemoryDirectory) -> Read {
    read_as(directory, ReaderMode::Prefix, &Filter::default())
}

fn change(directory: &MemoryDirectory, name: &str, how: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = directory.contents(name).unwrap();
    how(&mut bytes);
    directory.set_contents(name, bytes);
}

/// Opens the log and appends a record to it, which gets this id.
fn continues(directory: &MemoryDirectory, id: u64) {
    let writer = open(directory).unwrap();
    assert_eq!(writer.append(1, &noise(BYTES, id)).unwrap(), id);
    writer.sync().unwrap();
    writer.close().unwrap();
}

fn is_refused(directory: &MemoryDirectory, what: &str) {
    let before = directory.contents(FIRST);
    let error = open(directory).err().unwrap_or_else(|| panic!("{what}: it is opened"));
    assert_eq!(error.kind(), Kind::Corrupt, "{what}: {error}");
    assert!(error.reason().contains("recovery in place"), "{what}: {error}");
    assert_eq!(directory.contents(FIRST), before, "{what}");
    let others = directory.list().unwrap().into_iter().filter(|name| name.ends_with(".binlog")).count();
    assert_eq!(others, 1, "{what}: no other segment is begun");
}

#[test]
fn one_byte_removed_from_or_put_into_a_closed_segment_is_damage_wherever_it_is() {
    let log = MemoryDirectory::new();
    let writer = open(&log).unwrap();
    append(&writer, 9);
    writer.close().unwrap();
    let whole = log.contents(FIRST).unwrap();
    let blocks = places_of_blocks(&whole);
    let places =
        [blocks[0] - 1, blocks[0], blocks[0] + 30, blocks[4] + 100, blocks[4] + 4000, blocks[8] + 90, blocks[8] + 5000];
    for at in places {
        // With the lock file, which records the length, and without it, when only the blocks prove it.
        for (removed, with_lock) in [(true, true), (false, true), (true, false), (false, false)] {
            let damaged = log_with(&log, |bytes| match removed {
                true => drop(bytes.remove(at)),
                false => bytes.insert(at, 7),
            });
            if !with_lock {
                damaged.remove("default.lock").unwrap();
            }
            let what = format!("{} at {at}, {with_lock}", if removed { "removed" } else { "put in" });
            is_refused(&damaged, &what);
            for mode in [ReaderMode::Prefix, ReaderMode::Strict] {
                let seen = read_as(&damaged, mode, &Filter::default());
                let expected: Vec<u64> =
                    (1..).zip(&blocks).filter(|(_, &block)| block + BYTES < at).map(|(id, _)| id).collect();
                assert!(seen.ids.starts_with(&expected), "{what}, {mode:?}: {:?}", seen.ids);
                assert_eq!(seen.end.unwrap_err().kind(), Kind::Corrupt, "{what}, {mode:?}");
            }
        }
    }
    // A whole block is missing, and what follows it begins where it began.
    let damaged = log_with(&log, |bytes| drop(bytes.drain(blocks[7]..blocks[8])));
    is_refused(&damaged, "a block removed");
}

/// A copy of the log with its first segment changed.
fn log_with(log: &MemoryDirectory, how: impl FnOnce(&mut Vec<u8>)) -> MemoryDirectory {
    let copy = MemoryDirectory::new();
    for name in log.list().unwrap() {
        copy.set_contents(&name, log.contents(&name).unwrap());
    }
    change(&copy, FIRST, how);
    copy
}

#[test]
fn a_hole_that_was_never_durable_is_named_by_the_next_segment_and_reported_once() {
    let (log, blocks) = killed(2);
    // The third and fourth block are lost, and the seventh: holes of two kinds.
    change(&log, FIRST, |bytes| {
        bytes[blocks[3]..blocks[4] + 512].fill(0);
        bytes[blocks[6] + 600..blocks[6] + 700].fill(0);
    });
    let before = log.contents(FIRST).unwrap();
    let unnamed = prefix(&log);
    assert_eq!(unnamed.ids, [1, 2, 3], "before a segment names it, it is damage");
    assert_eq!(unnamed.end.unwrap_err().kind(), Kind::Corrupt);
    continues(&log, 10);
    assert_eq!(log.contents(FIRST).unwrap(), before, "the segment is left as it is");
    let lost = |losses: &[Loss]| losses.iter().map(|loss| (loss.offset, loss.bytes, loss.ids)).collect::<Vec<_>>();
    let at = |from: usize, to: usize| (blocks[from] as u64, (blocks[to] - blocks[from]) as u64);
    let (first, second) = (at(3, 5), at(6, 7));
    let holes = [(first.0, first.1, Some((4, 5))), (second.0, second.1, Some((7, 7)))];
    for _ in 0..2 {
        for mode in [ReaderMode::Prefix, ReaderMode::Salvage] {
            let seen = read_as(&log, mode, &Filter::default());
            assert_eq!((seen.ids, lost(&seen.losses)), (vec![1, 2, 3, 6, 8, 9, 10], holes.to_vec()), "{mode:?}");
            assert_eq!(seen.end.unwrap(), TailState::Closed);
        }
        // What follows is an ordinary log.
        assert_eq!(log.list().unwrap().iter().filter(|name| name.ends_with(".binlog")).count(), 2);
        drop(open(&log).unwrap());
    }
    let strict = read_as(&log, ReaderMode::Strict, &Filter::default());
    assert_eq!((strict.ids, strict.end.unwrap_err().kind()), (vec![1, 2, 3], Kind::Corrupt));
    let backward = read_as(&log, ReaderMode::Prefix, &Filter { newest_first: true, ..Filter::default() });
    assert_eq!((backward.ids, backward.end.unwrap()), (vec![10, 9, 8, 6, 3, 2, 1], TailState::Closed));
    assert_eq!(lost(&backward.losses).len(), 2, "reported in this direction too");
    let last = read_as(&log, ReaderMode::Prefix, &Filter { last: Some(4), ..Filter::default() });
    assert_eq!(last.ids, [6, 8, 9, 10]);
    let from = read_as(&log, ReaderMode::Prefix, &Filter { from_id: Some(7), ..Filter::default() });
    assert_eq!(from.ids, [8, 9, 10]);
    let headers =
        read_as(&log, ReaderMode::Prefix, &Filter { events: true, types: vec![event::RECOVERED], ..Filter::default() });
    assert_eq!(headers.end.unwrap(), TailState::Closed);
    let reader = Reader::open(Arc::new(log.clone()), ReaderOptions::default()).unwrap();
    assert_eq!(reader.counts().unwrap().iter().map(|counted| counted.records).sum::<u64>(), 7);
    let filter = Filter { events: true, types: vec![event::RECOVERED], ..Filter::default() };
    let events = read(&reader, &filter, Way::Next).whole();
    let facts: Vec<_> = events
        .iter()
        .map(|row| {
            [
                row.fact("sequence"),
                row.fact("offset"),
                row.fact("bytes"),
                row.fact("first_lost_id"),
                row.fact("last_lost_id"),
            ]
            .map(|fact| fact.map(str::to_owned))
        })
        .collect();
    let fact = |number: u64| Some(number.to_string());
    assert_eq!(
        facts,
        holes.map(|(offset, bytes, ids)| [
            fact(1),
            fact(offset),
            fact(bytes),
            ids.map(|ids| ids.0.to_string()),
            ids.map(|ids| ids.1.to_string())
        ])
    );
}

#[test]
fn recovery_acknowledges_the_holes_and_a_second_one_has_nothing_to_do() {
    let (log, blocks) = killed(2);
    change(&log, FIRST, |bytes| bytes[blocks[3]..blocks[4] + 512].fill(0));
    continues(&log, 10);
    let elsewhere = MemoryDirectory::new();
    let sum = binlog::recovery::recover(Arc::new(log.clone()), Arc::new(elsewhere.clone()), ReaderOptions::default())
        .unwrap();
    assert_eq!((sum.records, sum.lost_records, sum.losses), (8, 2, 1));
    let sum = binlog::recovery::recover_in_place(Arc::new(log.clone()), ReaderOptions::default()).unwrap();
    assert_eq!((sum.segments.len(), sum.lost_records, sum.losses), (1, 2, 1));
    for recovered in [&elsewhere, &log] {
        for mode in [ReaderMode::Prefix, ReaderMode::Strict, ReaderMode::Salvage] {
            let seen = read_as(recovered, mode, &Filter::default());
            assert_eq!((seen.ids, seen.losses.len()), (vec![1, 2, 3, 6, 7, 8, 9, 10], 0), "{mode:?}");
            assert_eq!(seen.end.unwrap(), TailState::Closed, "{mode:?}");
        }
        let sum = binlog::recovery::recover_in_place(Arc::new(recovered.clone()), ReaderOptions::default()).unwrap();
        assert!(sum.segments.is_empty() && sum.losses == 0, "{sum:?}");
        continues(recovered, 11);
        assert_eq!(prefix(recovered).ids.len(), 9);
    }
}

#[test]
fn the_torn_end_of_a_segment_with_a_hole_is_one_more_hole() {
    let (log, blocks) = killed(2);
    change(&log, FIRST, |bytes| {
        bytes[blocks[4]..blocks[4] + 512].fill(0);
        bytes.truncate(blocks[8] + 1000);
    });
    continues(&log, 9);
    let seen = prefix(&log);
    assert_eq!(seen.ids, [1, 2, 3, 4, 6, 7, 8, 9]);
    let ids: Vec<_> = seen.losses.iter().map(|loss| loss.ids).collect();
    assert_eq!((ids, seen.end.unwrap()), (vec![Some((5, 5)), None], TailState::Closed));
    assert!(log.list().unwrap().iter().all(|name| !name.contains(".torn-")), "nothing is cut");
}

#[test]
fn a_segment_that_was_never_durable_and_lost_its_beginning_is_named_as_a_whole_and_reported_once() {
    let (log, blocks) = killed(0);
    // The disk has the later pages, and not the first one.
    change(&log, FIRST, |bytes| bytes[..4096].fill(0));
    let before = log.contents(FIRST).unwrap();
    let salvaged = read_as(&log, ReaderMode::Salvage, &Filter::default()).ids;
    assert_eq!(salvaged, (2..=9).collect::<Vec<_>>(), "{blocks:?}");
    continues(&log, 10);
    assert_eq!(log.contents(FIRST).unwrap(), before, "the file stays as it is");
    for newest_first in [false, true] {
        let seen = read_as(&log, ReaderMode::Prefix, &Filter { newest_first, ..Filter::default() });
        assert_eq!((seen.ids, seen.losses.len()), (vec![10], 1), "{:?}", seen.losses);
        let loss = &seen.losses[0];
        assert_eq!((loss.offset, loss.bytes, loss.ids, loss.durable), (0, before.len() as u64, Some((1, 9)), false));
        assert!(loss.path.ends_with(FIRST));
        assert_eq!(seen.end.unwrap(), TailState::Closed);
    }
    assert_eq!(read_as(&log, ReaderMode::Strict, &Filter::default()).end.unwrap_err().kind(), Kind::Corrupt);
    let salvaged = read_as(&log, ReaderMode::Salvage, &Filter::default());
    assert_eq!(salvaged.ids, (2..=10).collect::<Vec<_>>());
    assert!(!salvaged.losses.is_empty() && salvaged.end.is_ok());
    // Once is enough: the next writer continues as in any log.
    continues(&log, 11);
    assert_eq!(log.list().unwrap().iter().filter(|name| name.ends_with(".binlog")).count(), 2);
    assert_eq!(prefix(&log).losses.len(), 1);
    assert!(binlog::recovery::recover_in_place(Arc::new(log.clone()), ReaderOptions::default()).unwrap().losses > 0);
    for mode in [ReaderMode::Prefix, ReaderMode::Strict, ReaderMode::Salvage] {
        let seen = read_as(&log, mode, &Filter::default());
        assert_eq!((seen.ids, seen.losses.len()), ((2..=11).collect(), 0), "{mode:?}");
        assert_eq!(seen.end.unwrap(), TailState::Closed, "{mode:?}");
    }
    continues(&log, 12);
}

#[test]
fn a_segment_that_lost_its_beginning_is_passed_over_in_a_log_of_any_number_of_segments() {
    for behind in [60, 62, 63, 64, 90] {
        let (log, _) = killed(0);
        change(&log, FIRST, |bytes| bytes[..4096].fill(0));
        continues(&log, 10);
        let writer = open(&log).unwrap();
        for _ in 0..behind {
            append(&writer, 1);
            writer.roll().unwrap();
        }
        writer.close().unwrap();
        for newest_first in [false, true] {
            let seen = read_as(&log, ReaderMode::Prefix, &Filter { newest_first, ..Filter::default() });
            let mut ids = seen.ids;
            ids.sort_unstable();
            assert_eq!((ids, seen.losses.len()), ((10..=10 + behind).collect(), 1), "{behind}: {:?}", seen.end);
            assert_eq!(seen.losses[0].ids, Some((1, 9)), "{behind}");
            assert_eq!(seen.end.unwrap(), TailState::Closed, "{behind}");
        }
    }
}

#[test]
fn a_segment_without_a_beginning_that_was_durable_is_refused() {
    for is_noted in [false, true] {
        let (log, _) = killed(2);
        change(&log, FIRST, |bytes| bytes[..4096].fill(0));
        if !is_noted {
            // Its own blocks prove it.
            log.remove("default.lock").unwrap();
        }
        let before = log.contents(FIRST);
        let error = open(&log).err().unwrap_or_else(|| panic!("noted: {is_noted}: it is opened"));
        assert!(error.kind() == Kind::Corrupt && error.reason().contains("`binlog recover --in-place"), "{error}");
        assert_eq!(log.contents(FIRST), before);
    }
}

#[test]
fn damage_in_front_of_a_durable_end_is_refused_as_ever() {
    // The blocks after the sync record that what is before them was durable.
    let (log, blocks) = killed(5);
    change(&log, FIRST, |bytes| bytes[blocks[3]..blocks[3] + 512].fill(0));
    is_refused(&log, "durable bytes lost");
    assert_eq!(prefix(&log).ids, [1, 2, 3]);
}

#[test]
fn damage_in_the_last_records_of_a_closed_log_is_refused_also_where_they_were_durable() {
    let log = MemoryDirectory::new();
    let writer = open(&log).unwrap();
    append(&writer, 9);
    writer.sync().unwrap();
    writer.close().unwrap();
    let blocks = places_of_blocks(&log.contents(FIRST).unwrap());
    for at in [100, 2000, BYTES] {
        let damaged = log_with(&log, |bytes| bytes[blocks[8] + at] ^= 1);
        is_refused(&damaged, &format!("{at} behind the beginning of the last block"));
    }
    // Opened and closed again without a record: they are still the last ones.
    open(&log).unwrap().close().unwrap();
    let damaged = log_with(&log, |bytes| bytes[blocks[8] + 2000] ^= 1);
    is_refused(&damaged, "events behind it");
    // Damage further back is for readers to report.
    let damaged = log_with(&log, |bytes| bytes[blocks[7] + 2000] ^= 1);
    continues(&damaged, 10);
}

#[test]
fn a_log_of_one_file_with_a_hole_is_refused_with_the_command_that_mends_it() {
    let (log, blocks) = killed(2);
    change(&log, FIRST, |bytes| bytes[blocks[4]..blocks[4] + 512].fill(0));
    let single = MemoryDirectory::new();
    single.set_contents("one.binlog", log.contents(FIRST).unwrap());
    let error =
        Writer::open(Location::File(Arc::new(single.clone()), "one.binlog".to_owned()), options()).err().unwrap();
    let command = format!("`binlog recover --in-place {}`", single.path_of("one.binlog").display());
    assert!(error.kind() == Kind::Corrupt && error.reason().contains(&command), "{error}");
    assert_eq!(error.offset(), Some(blocks[4] as u64));
}

/// A segment of four records and the next one, of two, as they are while the writer has them open.
fn two_segments() -> (Vec<u8>, Vec<u8>) {
    let log = MemoryDirectory::new();
    let writer = open(&log).unwrap();
    append(&writer, 4);
    writer.roll().unwrap();
    append(&writer, 2);
    (log.contents(FIRST).unwrap(), log.contents(SECOND).unwrap())
}

#[test]
fn a_segment_before_the_last_that_was_never_durable_may_have_lost_its_end() {
    let (first, second) = two_segments();
    for cut in [104, 1000, 6000, 16_000] {
        // What the disk has not confirmed.
        let cut_log = MemoryDirectory::new();
        cut_log.set_contents(FIRST, first[..first.len() - cut].to_vec());
        cut_log.set_contents(SECOND, without_durable_ends(&second));
        continues(&cut_log, 5);
        let seen = prefix(&cut_log);
        let lost: Vec<u64> =
            seen.losses.iter().filter_map(|loss| loss.ids).flat_map(|(first, last)| first..=last).collect();
        let all: std::collections::BTreeSet<u64> = seen.ids.iter().chain(&lost).copied().collect();
        assert_eq!(all.into_iter().collect::<Vec<_>>(), (1..=5).collect::<Vec<_>>(), "{cut} bytes cut");
        assert_eq!((seen.ids.len() + lost.len(), seen.end.unwrap()), (5, TailState::Closed), "{cut} bytes cut");
        assert_eq!(seen.losses.len(), 1, "{cut} bytes cut: {:?}", seen.losses);
    }
}

#[test]
fn a_segment_before_the_last_may_have_lost_blocks_in_the_middle_and_its_end() {
    let (first, second) = two_segments();
    let (blocks, damaged) = (places_of_blocks(&first), MemoryDirectory::new());
    damaged.set_contents(SECOND, without_durable_ends(&second));
    damaged.set_contents(FIRST, first);
    // The length has survived, and the last record has not.
    change(&damaged, FIRST, |bytes| {
        bytes[blocks[1]..blocks[1] + 512].fill(0);
        bytes[blocks[3]..].fill(0);
    });
    continues(&damaged, 5);
    let seen = prefix(&damaged);
    let lost: Vec<_> = seen.losses.iter().map(|loss| loss.ids).collect();
    assert_eq!(
        (seen.ids, lost, seen.end.unwrap()),
        (vec![1, 3, 5], vec![Some((2, 2)), Some((4, 4))], TailState::Closed)
    );
}

/// The segment as it was before anything was known to be durable: its header alone.
fn without_durable_ends(bytes: &[u8]) -> Vec<u8> {
    let blocks = places_of_blocks(bytes);
    let start = 12 + u32::from_le_bytes(bytes[8..12].try_into().unwrap()) as usize + 4;
    assert!(bytes[start + 56..start + 64] == [0; 8], "the first block is written before anything is synced");
    let durable = |at: usize| u64::from_le_bytes(bytes[at + 56..at + 64].try_into().unwrap());
    let end = blocks.iter().copied().find(|&at| durable(at) > 0).unwrap_or(bytes.len());
    bytes[..end].to_vec()
}

#[test]
fn a_recovered_segment_without_its_trailer_is_damage() {
    let scratch = tempfile::tempdir().unwrap();
    let (log, blocks) = killed(2);
    let mut bytes = log.contents(FIRST).unwrap();
    bytes[blocks[3] + 600] ^= 1;
    let source = scratch.path().join("log");
    std::fs::create_dir(&source).unwrap();
    std::fs::write(source.join(FIRST), &bytes).unwrap();
    binlog::recovery::recover_in_place(&source, ReaderOptions::default()).unwrap();
    let whole = std::fs::read(source.join(FIRST)).unwrap();
    for cut in [104, whole.len() - places_of_blocks(&whole)[5]] {
        let damaged = MemoryDirectory::new();
        damaged.set_contents(FIRST, whole[..whole.len() - cut].to_vec());
        is_refused(&damaged, &format!("{cut} bytes cut"));
        for mode in [ReaderMode::Prefix, ReaderMode::Strict] {
            let seen = read_as(&damaged, mode, &Filter::default());
            assert_eq!(seen.end.unwrap_err().kind(), Kind::Corrupt, "{cut} bytes cut, {mode:?}");
            assert!(!seen.ids.is_empty(), "{cut} bytes cut, {mode:?}");
            let seen = read_as(&damaged, mode, &Filter { newest_first: true, ..Filter::default() });
            assert_eq!(seen.end.unwrap_err().kind(), Kind::Corrupt, "{cut} bytes cut, {mode:?}, newest first");
        }
        let seen = read_as(&damaged, ReaderMode::Salvage, &Filter::default());
        assert!(seen.end.is_ok() && seen.losses.len() == 1, "{cut} bytes cut: {:?}", seen.losses);
    }
    let untouched = MemoryDirectory::new();
    untouched.set_contents(FIRST, whole);
    continues(&untouched, 10);
    assert_eq!(prefix(&untouched).end.unwrap(), TailState::Closed);
}

/// The segment with bits set in the header, whose checksum is made right, and another version.
fn with_features(bytes: &[u8], version: u8, incompatible: u8) -> Vec<u8> {
    let len = u32::from_le_bytes(bytes[8..12].try_into().unwrap()) as usize;
    let mut out = bytes[..12 + len].to_vec();
    out[6] = version;
    if incompatible > 0 {
        // Field 13, a number. Blocks would have to move: the place for it is taken from the facts of the writer.
        let at = out.windows(7).position(|window| window == b"binlog ").unwrap();
        assert!(out[at - 1] as usize >= 8 && out[at - 2] == 0x0a);
        let library = out[at - 1] as usize;
        // Its name is two bytes shorter, and so is the message.
        assert_eq!(out[at - 4], 0x62, "field 12");
        out[at - 3] -= 2;
        out[at - 1] -= 2;
        out.drain(at + library - 2..at + library);
        out.extend_from_slice(&[0x68, incompatible]);
    }
    assert_eq!(out.len(), 12 + len);
    let sum = crc32fast::hash(&out);
    out.extend_from_slice(&sum.to_le_bytes());
    out.extend_from_slice(&bytes[12 + len + 4..]);
    out
}

#[test]
fn zeros_at_the_end_are_space_where_the_header_says_so() {
    let (log, blocks) = killed(2);
    let end = log.contents(FIRST).unwrap().len();
    change(&log, FIRST, |bytes| {
        *bytes = with_features(bytes, 0x20, 2);
        bytes.resize(end + 100_000, 0);
    });
    for mode in [ReaderMode::Prefix, ReaderMode::Salvage] {
        let seen = read_as(&log, mode, &Filter::default());
        assert_eq!((seen.ids.len(), seen.losses.len(), seen.end.unwrap()), (9, 0, TailState::Unclosed), "{mode:?}");
    }
    let backward = read_as(&log, ReaderMode::Prefix, &Filter { newest_first: true, ..Filter::default() });
    assert_eq!((backward.ids.len(), backward.end.unwrap()), (9, TailState::Unclosed));
    // Before a durable end they are no space.
    let damaged = log_with(&log, |bytes| bytes[blocks[1]..].fill(0));
    assert_eq!(prefix(&damaged).ids, [1]);
    let torn = log_with(&log, |bytes| bytes[end + 5000] = 1);
    assert_eq!(prefix(&torn).end.unwrap(), TailState::Torn);
    continues(&log, 10);
    let bytes = log.contents(FIRST).unwrap();
    assert_eq!(places_of_blocks(&bytes)[8], blocks[8]);
    assert!(
        bytes.len() < end + 100_000 && places_of_blocks(&bytes)[9] < end + 1000,
        "it goes on behind the last block"
    );
    assert_eq!(prefix(&log).end.unwrap(), TailState::Closed);
    assert!(log.list().unwrap().iter().all(|name| !name.contains(".torn-")));
}

#[test]
fn nothing_is_appended_to_or_cut_off_a_segment_of_a_newer_minor_version() {
    for torn in [0, 1000] {
        let (log, _) = killed(2);
        change(&log, FIRST, |bytes| {
            *bytes = with_features(bytes, 0x2f, 0);
            bytes.truncate(bytes.len() - torn);
        });
        let before = log.contents(FIRST).unwrap();
        continues(&log, if torn == 0 { 10 } else { 9 });
        assert_eq!(log.contents(FIRST).unwrap(), before);
        let seen = prefix(&log);
        assert_eq!((seen.ids.len() as u64, seen.end.unwrap()), (if torn == 0 { 10 } else { 9 }, TailState::Closed));
        assert_eq!(seen.losses.len(), usize::from(torn > 0));
    }
}

#[test]
fn a_hole_is_reported_once_for_requests_of_ids_that_it_may_have_cost_and_for_no_others() {
    const THERE: [u64; 7] = [1, 2, 3, 6, 8, 9, 10];
    const LOST: [(u64, u64); 2] = [(4, 5), (7, 7)];
    let all = |_: &mut Filter| ();
    let by_type = |filter: &mut Filter| filter.types = vec![1];
    let by_no_type = |filter: &mut Filter| filter.types = vec![99];
    let by_time = |filter: &mut Filter| filter.from_time = Some(1);
    let headers = |filter: &mut Filter| filter.headers_only = true;
    let newest = |filter: &mut Filter| filter.newest_first = true;
    let newest_by_type = |filter: &mut Filter| (filter.newest_first, filter.types) = (true, vec![1]);
    type Ask<'a> = &'a dyn Fn(&mut Filter);
    let asks: [Ask<'_>; 7] = [&all, &by_type, &by_no_type, &by_time, &headers, &newest, &newest_by_type];
    // With an index behind each block, and with none.
    for index_bytes in [4096, 1 << 20] {
        let (log, blocks) = killed_with(2, WriterOptions { index_bytes, ..options() });
        change(&log, FIRST, |bytes| {
            bytes[blocks[3]..blocks[4] + 512].fill(0);
            bytes[blocks[6] + 600..blocks[6] + 700].fill(0);
        });
        continues(&log, 10);
        let ranges = (0..=11).flat_map(|from| (from.max(1)..=11).map(move |to| (from, to)));
        let ranges =
            ranges.map(|(from, to)| (from, to, Filter { from_id: Some(from), to_id: Some(to), ..Filter::default() }));
        let lasts = (1..=8usize).map(|most| {
            let from = THERE.len().checked_sub(most).map_or(0, |at| THERE[at]);
            (from, u64::MAX, Filter { last: Some(most as u64), ..Filter::default() })
        });
        for (from, to, range) in ranges.chain(lasts) {
            for ask in asks {
                let mut filter = range.clone();
                ask(&mut filter);
                if filter.last.is_some() && !filter.types.is_empty() {
                    continue;
                }
                let due: Vec<_> = LOST.into_iter().filter(|lost| lost.0 <= to && from <= lost.1).collect();
                let there = THERE.into_iter().filter(|id| (from..=to).contains(id) && !filter.types.contains(&99));
                let mut there: Vec<u64> = there.collect();
                if filter.newest_first {
                    there.reverse();
                }
                for mode in [ReaderMode::Prefix, ReaderMode::Salvage, ReaderMode::Strict] {
                    if filter.newest_first && mode == ReaderMode::Salvage {
                        continue;
                    }
                    let seen = read_as(&log, mode, &filter);
                    let what = format!("index {index_bytes} {mode:?} {filter:?}: {:?} {:?}", seen.ids, seen.end);
                    let mut reported: Vec<_> = seen.losses.iter().map(|loss| loss.ids.unwrap()).collect();
                    reported.sort_unstable();
                    match mode {
                        ReaderMode::Strict => {
                            assert_eq!(seen.end.is_err(), !due.is_empty(), "{what}");
                            assert!(seen.ids.iter().all(|id| there.contains(id)), "{what}");
                        }
                        _ => {
                            assert_eq!((reported, &seen.ids), (due.clone(), &there), "{what}");
                            assert!(seen.end.is_ok(), "{what}");
                            assert!(seen.losses.iter().all(|loss| loss.kind == LossKind::Hole), "{what}");
                        }
                    }
                }
            }
        }
        for id in 1..=10 {
            let (options, losses) = hearing(ReaderMode::Prefix);
            let reader = Reader::open(Arc::new(log.clone()), options).unwrap();
            let mut cursor = reader.cursor(&Filter::default()).unwrap();
            for _ in 0..2 {
                let got = cursor.get(id).unwrap().map(|record| record.id);
                assert_eq!(got, THERE.contains(&id).then_some(id), "index {index_bytes}");
            }
            let reported: Vec<_> = losses.lock().unwrap().iter().filter_map(|loss| loss.ids).collect();
            let due: Vec<_> = LOST.into_iter().filter(|lost| (lost.0..=lost.1).contains(&id)).collect();
            assert_eq!(reported, due, "get {id}, index {index_bytes}");
        }
    }
}
