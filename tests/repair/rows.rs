//! What recovery makes of damage in particular places: only what was hit is lost, the names of types included, and the
//! recovered log is whole for the strictest reader.

use std::sync::{Arc, Mutex};

use crate::common::layout::{self, Segment};
use binlog::io::{Directory, MemoryDirectory};
use binlog::rolling::{prune, Retention};
use binlog::shipping::{ShipOptions, Shipper};
use binlog::store::MemoryStore;
use binlog::{event, Filter, Kind, Loss, OnLoss, Reader, ReaderMode, ReaderOptions, Writer, WriterOptions};

const FIRST: &str = "default.0000000001.binlog";
const SECOND: &str = "default.0000000002.binlog";

/// Two segments of 50 records of each of two named types, in blocks of 10 records.
fn a_log() -> MemoryDirectory {
    let directory = MemoryDirectory::new();
    let writer = open(&directory);
    for segment in 0..2 {
        for i in 0..100 {
            let name = if i % 2 == 0 { "orders" } else { "fills" };
            let type_id = writer.type_id(name, "text/plain").unwrap();
            writer.append(type_id, format!("record {i} of segment {segment}").as_bytes()).unwrap();
            if i % 10 == 9 {
                writer.flush().unwrap();
            }
        }
        if segment == 0 {
            writer.roll().unwrap();
        }
    }
    writer.close().unwrap();
    directory
}

fn open(directory: &MemoryDirectory) -> Writer {
    Writer::open(Arc::new(directory.clone()), WriterOptions::default()).unwrap()
}

fn reader(directory: &MemoryDirectory, mode: ReaderMode, on_loss: Option<OnLoss>) -> Reader {
    Reader::open(Arc::new(directory.clone()), ReaderOptions { mode, on_loss, ..ReaderOptions::default() }).unwrap()
}

/// Ids and names of the records.
fn named(directory: &MemoryDirectory, mode: ReaderMode) -> (Vec<(u64, Option<String>)>, Vec<Loss>) {
    let heard: Arc<Mutex<Vec<Loss>>> = Arc::default();
    let into = heard.clone();
    let reader = reader(directory, mode, Some(Arc::new(move |loss: &Loss| into.lock().unwrap().push(loss.clone()))));
    let mut cursor = reader.cursor(&Filter::default()).unwrap();
    let mut rows = vec![];
    loop {
        let mut batch = vec![];
        if cursor.next_batch(usize::MAX, |record| batch.push((record.id, record.type_id))).unwrap() == 0 {
            break;
        }
        rows.extend(batch.into_iter().map(|(id, type_id)| (id, cursor.type_name(type_id).map(str::to_owned))));
    }
    let losses = heard.lock().unwrap().clone();
    (rows, losses)
}

fn expected(lost: &[u64]) -> Vec<(u64, Option<String>)> {
    let name = |id: u64| Some(if id % 2 == 1 { "orders" } else { "fills" }.to_owned());
    (1..=200).filter(|id| !lost.contains(id)).map(|id| (id, name(id))).collect()
}

fn change(directory: &MemoryDirectory, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = directory.contents(name).unwrap();
    change(&mut bytes);
    directory.set_contents(name, bytes);
}

fn copy(directory: &MemoryDirectory) -> MemoryDirectory {
    let copy = MemoryDirectory::new();
    for name in directory.list().unwrap() {
        copy.set_contents(&name, directory.contents(&name).unwrap());
    }
    copy
}

/// Recovers a copy in place and another elsewhere, checks that both are whole, and returns them.
fn recovered(directory: &MemoryDirectory, rows: &[(u64, Option<String>)], lost: u64) -> [MemoryDirectory; 2] {
    let (place, target) = (copy(directory), MemoryDirectory::new());
    let recovery = binlog::recovery::recover_in_place(Arc::new(place.clone()), ReaderOptions::default()).unwrap();
    assert_eq!(recovery.lost_records, lost);
    let recovery =
        binlog::recovery::recover(Arc::new(directory.clone()), Arc::new(target.clone()), ReaderOptions::default())
            .unwrap();
    assert_eq!((recovery.lost_records, recovery.records), (lost, rows.len() as u64));
    for made in [&place, &target] {
        assert_eq!(named(made, ReaderMode::Strict).0, rows);
        let again = binlog::recovery::recover_in_place(Arc::new(made.clone()), ReaderOptions::default()).unwrap();
        assert_eq!((again.segments.len(), again.losses), (0, 0));
    }
    [place, target]
}

/// The CRC of zip and Ethernet, from a seed.
fn crc(seed: u32, bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!seed, |mut sum, byte| {
        sum ^= u32::from(*byte);
        (0..8).for_each(|_| sum = if sum & 1 == 1 { sum >> 1 ^ 0xEDB8_8320 } else { sum >> 1 });
        sum
    })
}

/// Corrects the checksums of a block's header.
fn seal(bytes: &mut [u8], block: &layout::Block) {
    let header = &mut bytes[block.offset..block.offset + layout::HEADER];
    header[8..12].fill(0);
    let sum = crc(block.offset as u32, header);
    header[8..12].copy_from_slice(&sum.to_le_bytes());
}

#[test]
fn names_of_types_survive_the_block_that_gave_them() {
    for (file, with_index) in [(FIRST, false), (SECOND, false), (FIRST, true), (SECOND, true)] {
        let directory = a_log();
        let mut lost = vec![];
        change(&directory, file, |bytes| {
            let segment = Segment::parse(bytes);
            // All up to the first record and with it.
            let with_record = segment.blocks.iter().position(|block| block.count > 0).unwrap();
            for block in &segment.blocks[..=with_record] {
                bytes[block.offset + 20] ^= 1;
                lost.extend(block.ids());
            }
            // The other segment has the names, too.
            for block in segment.blocks.iter().filter(|block| with_index && block.kind == layout::INDEX) {
                bytes[block.offset + 20] ^= 1;
            }
        });
        let (rows, losses) = named(&directory, ReaderMode::Salvage);
        assert_eq!(rows, expected(&lost), "{losses:?}");
        assert!(losses.iter().all(|loss| !loss.reason.contains("name")), "{losses:?}");
        for made in recovered(&directory, &rows, lost.len() as u64) {
            let writer = open(&made);
            let orders = writer.type_id("orders", "text/plain").unwrap();
            assert_eq!(writer.append(orders, b"one more").unwrap(), 201);
            writer.close().unwrap();
            let rows = named(&made, ReaderMode::Strict).0;
            assert_eq!(rows.last(), Some(&(201, Some("orders".to_owned()))));
        }
    }
}

#[test]
fn a_name_that_is_lost_is_reported() {
    let directory = a_log();
    directory.remove(SECOND).unwrap();
    change(&directory, FIRST, |bytes| {
        for block in &Segment::parse(bytes).blocks {
            if block.kind != layout::RECORDS || block.first_id == 1 {
                bytes[block.offset + 20] ^= 1;
            }
        }
    });
    let losses = named(&directory, ReaderMode::Salvage).1;
    let reasons: Vec<&str> = losses.iter().map(|loss| loss.reason.as_str()).filter(|it| it.contains("name")).collect();
    assert_eq!(reasons, ["the name of the type 1073741824 is lost", "the name of the type 1073741825 is lost"]);
}

#[test]
fn the_last_records_of_a_closed_segment_are_lost_and_what_closed_it_is_not() {
    for file in [FIRST, SECOND] {
        let directory = a_log();
        let mut lost = vec![];
        change(&directory, file, |bytes| {
            let segment = Segment::parse(bytes);
            let last = segment.blocks.iter().rfind(|block| block.count > 0).unwrap();
            bytes[last.entries.start] ^= 1;
            lost.extend(last.ids());
        });
        let (rows, _) = named(&directory, ReaderMode::Salvage);
        assert_eq!(rows, expected(&lost));
        for made in recovered(&directory, &rows, lost.len() as u64) {
            let mut recovered = vec![];
            let mut cursor = reader(&made, ReaderMode::Strict, None);
            let mut cursor = cursor_of(&mut cursor);
            while let Some(record) = cursor.next().unwrap() {
                if record.type_id == event::RECOVERED {
                    recovered.extend(record.metadata.get("last_lost_id").map(str::to_owned));
                }
            }
            assert_eq!(recovered, [lost.last().unwrap().to_string()]);
            assert_eq!(open(&made).append(1, b"more").unwrap(), 201);
        }
    }
}

fn cursor_of(reader: &mut Reader) -> binlog::Cursor {
    reader.cursor(&Filter { events: true, ..Filter::default() }).unwrap()
}

#[test]
fn a_block_that_contradicts_itself_is_lost_and_nothing_behind_it() {
    // What is changed in its header, and how many records are lost by that.
    for (what, change_header) in [
        ("one record more", (|header: &mut [u8]| header[16] += 1) as fn(&mut [u8])),
        ("one record less", |header| header[16] -= 1),
        ("no record", |header| header[16] = 0),
    ] {
        for nth in [3, 10] {
            let directory = a_log();
            let mut lost = vec![];
            change(&directory, FIRST, |bytes| {
                let segment = Segment::parse(bytes);
                let block = segment.blocks.iter().filter(|block| block.count > 0).nth(nth - 1).unwrap();
                lost.extend(block.ids());
                change_header(&mut bytes[block.offset..]);
                seal(bytes, block);
            });
            let (rows, losses) = named(&directory, ReaderMode::Salvage);
            assert_eq!(rows, expected(&lost), "{what}: {losses:?}");
            let reported: Vec<u64> = losses.iter().filter_map(|loss| loss.ids).flat_map(|(a, b)| a..=b).collect();
            assert_eq!(reported, lost, "{what}: {losses:?}");
            recovered(&directory, &rows, 10);
        }
    }
}

#[test]
fn a_damaged_index_costs_nothing_once_it_was_written_anew() {
    let directory = MemoryDirectory::new();
    let options = WriterOptions { index_bytes: 4096, block_bytes: 4096, ..WriterOptions::default() };
    let writer = Writer::open(Arc::new(directory.clone()), options).unwrap();
    (0..200u32).for_each(|i| assert!(writer.append(i % 3, &[7; 300]).unwrap() > 0));
    writer.close().unwrap();
    change(&directory, FIRST, |bytes| {
        for index in Segment::parse(bytes).of_kind(layout::INDEX).into_iter().skip(1).step_by(2) {
            bytes[index.entries.start + 3] ^= 1;
        }
    });
    let losses = named(&directory, ReaderMode::Salvage).1;
    assert!(!losses.is_empty() && losses.iter().all(|loss| loss.ids.is_none()), "{losses:?}");
    let strict = reader(&directory, ReaderMode::Strict, None);
    let mut cursor = strict.cursor(&Filter::default()).unwrap();
    let mut seen = Ok(1);
    while matches!(seen, Ok(1..)) {
        seen = cursor.next_batch(usize::MAX, |_| ());
    }
    assert_eq!(seen.unwrap_err().kind(), Kind::Corrupt);
    assert_eq!(binlog::recovery::rebuild_index(Arc::new(directory.clone())).unwrap().len(), 1);
    assert_eq!(named(&directory, ReaderMode::Strict).0.len(), 200);
    let (rows, losses) = named(&directory, ReaderMode::Salvage);
    assert!(rows.len() == 200 && losses.is_empty(), "{losses:?}");
    assert_eq!(
        binlog::recovery::recover_in_place(Arc::new(directory.clone()), ReaderOptions::default()).unwrap().segments,
        []
    );
}

#[test]
fn what_a_recovery_is_making_is_neither_recovered_compressed_pruned_nor_shipped() {
    let directory = a_log();
    directory.set_contents(binlog::recovery::RECOVERY_AT_WORK, vec![]);
    let source: Arc<dyn Directory> = Arc::new(directory.clone());
    let target = Arc::new(MemoryDirectory::new());
    let refused = [
        binlog::recovery::recover(source.clone(), target.clone(), ReaderOptions::default()).map(drop),
        binlog::recovery::recover_in_place(source.clone(), ReaderOptions::default()).map(drop),
        binlog::recovery::rebuild_index(source.clone()).map(drop),
        binlog::compression::compress(source.clone(), &binlog::compression::CompressOptions::default()).map(drop),
        binlog::compression::decompress(source.clone(), &binlog::compression::CompressOptions::default()).map(drop),
        prune(source.clone(), None, &Retention { segments: Some(1), ..Retention::default() }, true).map(drop),
        Shipper::to_store(source.clone(), Arc::new(MemoryStore::new()), None, ShipOptions::default()).map(drop),
        Reader::open(source.clone(), ReaderOptions { mode: ReaderMode::Strict, ..ReaderOptions::default() }).map(drop),
    ];
    let reader = Reader::open(source.clone(), ReaderOptions::default()).unwrap();
    assert!(reader.recovery_at_work().is_some_and(|mark| mark.ends_with(binlog::recovery::RECOVERY_AT_WORK)));
    for refused in refused {
        let error = refused.unwrap_err();
        assert!(error.kind() == Kind::Invalid && error.to_string().contains("recovery-at-work"), "{error}");
    }
    assert!(target.list().unwrap().is_empty());
}

#[test]
fn the_ids_of_lost_records_at_the_end_of_the_log_are_not_given_again() {
    let directory = a_log();
    let mut lost = vec![];
    change(&directory, SECOND, |bytes| {
        let segment = Segment::parse(bytes);
        let last = segment.blocks.iter().rfind(|block| block.count > 0).unwrap();
        bytes[last.entries.start] ^= 1;
        bytes.truncate(last.end());
        lost.extend(last.ids());
    });
    let (rows, _) = named(&directory, ReaderMode::Salvage);
    assert_eq!(rows, expected(&lost));
    for made in recovered(&directory, &rows, lost.len() as u64) {
        assert_eq!(open(&made).append(1, b"more").unwrap(), 201);
    }
}

#[test]
fn a_header_that_is_there_twice_costs_nothing() {
    let directory = a_log();
    change(&directory, FIRST, |bytes| {
        let segment = Segment::parse(bytes);
        let block = segment.blocks.iter().filter(|block| block.count > 0).nth(4).unwrap();
        let header = bytes[block.offset..block.offset + layout::HEADER].to_vec();
        bytes.splice(block.offset..block.offset, header);
    });
    let (rows, losses) = named(&directory, ReaderMode::Salvage);
    assert_eq!(rows, expected(&[]), "{losses:?}");
    assert_eq!((losses.len(), losses[0].ids), (1, None), "{losses:?}");
    recovered(&directory, &rows, 0);
}

#[test]
fn a_block_of_a_newer_kind_is_reported_and_what_is_around_it_saved() {
    let directory = a_log();
    let mut lost = vec![];
    change(&directory, FIRST, |bytes| {
        let segment = Segment::parse(bytes);
        let block = segment.blocks.iter().filter(|block| block.count > 0).nth(4).unwrap();
        lost.extend(block.ids());
        bytes[block.offset + 12] = 9;
        seal(bytes, block);
    });
    let (rows, losses) = named(&directory, ReaderMode::Salvage);
    assert_eq!(rows, expected(&lost), "{losses:?}");
    assert!(losses.len() == 1 && losses[0].reason.contains("newer"), "{losses:?}");
    recovered(&directory, &rows, lost.len() as u64);
}

#[test]
fn two_damaged_copies_of_a_segment_are_read_and_recovered_once() {
    for segment in [FIRST, SECOND] {
        let directory = a_log();
        let mut bytes = directory.contents(segment).unwrap();
        bytes[..40].fill(0);
        directory.set_contents(segment, bytes.clone());
        directory.set_contents("default.0000000077.binlog", bytes);
        let (rows, _) = named(&directory, ReaderMode::Salvage);
        let ids: Vec<u64> = rows.iter().map(|(id, _)| *id).collect();
        assert_eq!(ids, (1..=200).collect::<Vec<_>>(), "{segment}");
        let saved = MemoryDirectory::new();
        binlog::recovery::recover(Arc::new(directory), Arc::new(saved.clone()), ReaderOptions::default()).unwrap();
        assert_eq!(named(&saved, ReaderMode::Strict).0.len(), 200);
        assert!(saved.contents("default.0000000077.binlog").is_none());
        assert_eq!(open(&saved).append(1, b"goes on").unwrap(), 201);
    }
}

#[test]
fn what_a_copy_has_lost_at_its_end_is_noted_by_a_recovery() {
    // As a crash leaves it: no TRAILER states the next id.
    let live = MemoryDirectory::new();
    let writer = open(&live);
    for id in 1..=20 {
        writer.append(1, format!("record {id}").as_bytes()).unwrap();
        if id % 10 == 0 {
            writer.flush().unwrap();
        }
    }
    let mut bytes = live.contents(FIRST).unwrap();
    writer.close().unwrap();
    let at = bytes.windows(9).rposition(|text| text == b"record 20").unwrap();
    bytes[at] ^= 1;
    let directory = MemoryDirectory::new();
    directory.set_contents(FIRST, bytes.clone());
    directory.set_contents("default.0000000077.binlog", bytes);
    let saved = MemoryDirectory::new();
    let recovery =
        binlog::recovery::recover(Arc::new(directory), Arc::new(saved.clone()), ReaderOptions::default()).unwrap();
    assert_eq!((recovery.records, recovery.lost_records), (10, 10));
    assert_eq!(open(&saved).append(1, b"goes on").unwrap(), 21, "the ids of what is lost are not given again");
}
