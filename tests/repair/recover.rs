//! Recovery: whatever is damaged, the new files are a clean log with every record that could be read, under its own id,
//! and what was lost is reported exactly.

use std::sync::Arc;

use crate::common::layout::Segment;
use crate::common::{if_available, listening, noise, payload, rows_of, Row};
use binlog::io::{Directory, Fault, MemoryDirectory, Operation, PowerDirectory, Survival};
use binlog::{
    Codec, Filter, Kind, Loss, MetadataBuf, NewRecord, OnLoss, Reader, ReaderMode, ReaderOptions, TailState, Writer,
    WriterOptions,
};

fn options(codec: Codec) -> WriterOptions {
    WriterOptions { codec, block_bytes: 8 << 10, segment_bytes: 60 << 10, index_bytes: 16 << 10, ..Default::default() }
}

/// A log of several segments with named types, metadata and records of many sizes.
fn log(codec: Codec) -> (MemoryDirectory, Vec<Row>) {
    let directory = MemoryDirectory::new();
    let writer = Writer::open(Arc::new(directory.clone()), options(codec)).unwrap();
    for i in 0..400u64 {
        let type_id =
            if i % 7 == 0 { writer.type_id(&format!("name {}", i % 21), "text/plain").unwrap() } else { i as u32 % 5 };
        let metadata = MetadataBuf::from_iter((i % 3 == 0).then(|| ("key", i.to_string())));
        let len = if i % 50 == 49 { 20_000 } else { (i * 37 % 1500) as usize };
        let payload = payload(len, i);
        let record = NewRecord { type_id, metadata: metadata.as_metadata(), payload: &payload, ..Default::default() };
        writer.append_record(&record).unwrap();
        if i == 200 {
            writer.sync().unwrap();
        }
    }
    writer.close().unwrap();
    let rows = rows_of(&reader(&directory, ReaderMode::Strict, None));
    assert_eq!(rows.len(), 400);
    assert!(segments(&directory).len() > 3);
    (directory, rows)
}

fn segments(directory: &MemoryDirectory) -> Vec<String> {
    let mut names = directory.list().unwrap();
    names.retain(|name| name.ends_with(".binlog"));
    names.sort();
    names
}

fn reader(directory: &MemoryDirectory, mode: ReaderMode, on_loss: Option<OnLoss>) -> Reader {
    Reader::open(Arc::new(directory.clone()), ReaderOptions { mode, on_loss, ..ReaderOptions::default() }).unwrap()
}

fn copy(directory: &MemoryDirectory) -> MemoryDirectory {
    let copy = MemoryDirectory::new();
    for name in directory.list().unwrap() {
        copy.set_contents(&name, directory.contents(&name).unwrap());
    }
    copy
}

fn change(directory: &MemoryDirectory, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = directory.contents(name).unwrap();
    change(&mut bytes);
    directory.set_contents(name, bytes);
}

/// Asserts everything that recovery promises for a damaged log of these records. Returns how many are lost.
fn assert_recovers(damaged: &MemoryDirectory, written: &[Row], context: &str) -> usize {
    let (on_loss, heard) = listening();
    let salvaged = rows_of(&reader(damaged, ReaderMode::Salvage, Some(on_loss)));
    let losses = std::mem::take(&mut *heard.lock().unwrap());
    let lost: Vec<u64> =
        written.iter().map(|row| row.id).filter(|id| !salvaged.iter().any(|row| row.id == *id)).collect();
    let reported: Vec<u64> = losses.iter().filter_map(|loss| loss.ids).flat_map(|(from, to)| from..=to).collect();
    for row in &salvaged {
        assert_eq!(Some(row), written.iter().find(|other| other.id == row.id), "{context}");
    }
    // How much the end of the last segment held is not known, nor are segments before the first: they may have been
    // removed for their age.
    let mut sorted = reported.clone();
    sorted.sort_unstable();
    assert!(sorted.windows(2).all(|pair| pair[0] < pair[1]), "{context}: reported twice {losses:?}");
    let unreported: Vec<u64> = lost.iter().copied().filter(|id| !reported.contains(id)).collect();
    let (first, last) = (salvaged.first().map_or(0, |row| row.id), salvaged.last().map_or(0, |row| row.id));
    assert!(unreported.iter().all(|&id| id < first || id > last), "{context}: unreported {unreported:?} {losses:?}");
    assert!(reported.iter().all(|id| lost.contains(id)), "{context}: {losses:?}");

    let target = MemoryDirectory::new();
    let (on_loss, heard) = listening();
    let recovery = binlog::recovery::recover(
        Arc::new(damaged.clone()),
        Arc::new(target.clone()),
        ReaderOptions { on_loss: Some(on_loss), ..ReaderOptions::default() },
    )
    .unwrap();
    assert_eq!((recovery.losses, recovery.lost_records), (losses.len() as u64, reported.len() as u64), "{context}");
    assert_eq!(heard.lock().unwrap().len(), losses.len(), "{context}");
    assert_eq!(recovery.records, salvaged.len() as u64, "{context}");
    assert_clean(&target, &salvaged, context);

    let place = copy(damaged);
    let recovery = binlog::recovery::recover_in_place(Arc::new(place.clone()), ReaderOptions::default()).unwrap();
    assert_clean(&place, &salvaged, context);
    for written in &recovery.segments {
        let kept = written.source.file_name().unwrap().to_str().unwrap();
        let name = written.target.file_name().unwrap().to_str().unwrap();
        assert_eq!(place.contents(kept), damaged.contents(name), "{context}: the damaged file is kept");
    }
    let again = binlog::recovery::recover_in_place(Arc::new(place.clone()), ReaderOptions::default()).unwrap();
    assert_eq!((again.segments.len(), again.losses), (0, 0), "{context}: nothing is left to recover");
    lost.len()
}

/// A strict reader finds nothing wrong, every way of reading shows the rows, and a writer continues.
fn assert_clean(directory: &MemoryDirectory, rows: &[Row], context: &str) {
    let strict = reader(directory, ReaderMode::Strict, None);
    crate::common::assert_every_way(&strict, &Filter::default(), rows);
    let prefix = reader(directory, ReaderMode::Prefix, None);
    let mut reversed = rows_with(&prefix, Filter { newest_first: true, ..Filter::default() });
    reversed.reverse();
    crate::common::assert_rows(&reversed, rows, context);
    let mut cursor = prefix.cursor(&Filter::default()).unwrap();
    for row in rows.iter().step_by(17) {
        assert_eq!(cursor.get(row.id).unwrap().expect(context).payload, row.payload, "{context}");
    }
    let counts: u64 = prefix.counts().unwrap().iter().map(|counted| counted.records).sum();
    assert_eq!(counts, rows.len() as u64, "{context}");
    let copy = copy(directory);
    let writer = Writer::open(Arc::new(copy.clone()), options(Codec::None)).unwrap();
    let id = writer.append(1, b"after").unwrap();
    assert!(rows.last().is_none_or(|last| id > last.id), "{context}");
    writer.close().unwrap();
    assert_eq!(rows_of(&reader(&copy, ReaderMode::Strict, None)).len(), rows.len() + 1, "{context}");
}

fn rows_with(reader: &Reader, filter: Filter) -> Vec<Row> {
    crate::common::read(reader, &filter, crate::common::Way::Next).whole()
}

#[test]
fn a_log_without_damage_is_left_alone_in_place_and_copied_whole_elsewhere() {
    for codec in crate::common::codecs() {
        let (directory, rows) = log(codec);
        assert_eq!(assert_recovers(&directory, &rows, "clean"), 0);
        let before = copy(&directory);
        let recovery =
            binlog::recovery::recover_in_place(Arc::new(directory.clone()), ReaderOptions::default()).unwrap();
        assert_eq!(recovery, Default::default());
        for name in segments(&before) {
            assert_eq!(before.contents(&name), directory.contents(&name));
        }
    }
}

#[test]
fn damaged_bytes_anywhere_cost_what_they_touch_and_nothing_else() {
    for codec in crate::common::codecs() {
        let (directory, rows) = log(codec);
        let names = segments(&directory);
        for seed in 0..8u64 {
            let random = noise(64, seed + 1);
            let number = |at: usize| u32::from_le_bytes(random[4 * at..4 * at + 4].try_into().unwrap()) as usize;
            let damaged = copy(&directory);
            for i in 0..1 + seed as usize % 3 {
                change(&damaged, &names[number(3 * i) % names.len()], |bytes| {
                    let at = number(3 * i + 1) % bytes.len();
                    let to = bytes.len().min(at + number(3 * i + 2) % if seed % 2 == 0 { 4 } else { 6000 } + 1);
                    bytes[at..to].iter_mut().for_each(|byte| *byte ^= 0x55);
                });
            }
            assert_recovers(&damaged, &rows, &format!("{codec:?} seed {seed}"));
        }
    }
}

#[test]
fn a_cut_end_missing_repeated_and_unreadable_segments_are_reported_and_passed_over() {
    let (directory, rows) = log(if_available(Codec::Lz4));
    let names = segments(&directory);
    for (at, name) in names.iter().enumerate() {
        let missing = copy(&directory);
        missing.remove(name).unwrap();
        let lost = assert_recovers(&missing, &rows, &format!("segment {at} missing"));
        assert!(lost > 0);
        for cut in [1, 5_000, 30_000] {
            let damaged = copy(&directory);
            change(&damaged, name, |bytes| bytes.truncate(bytes.len().saturating_sub(cut).max(500)));
            assert_recovers(&damaged, &rows, &format!("segment {at} shortened by {cut}"));
        }
        let damaged = copy(&directory);
        change(&damaged, name, |bytes| bytes[3..90].fill(0x11));
        assert_recovers(&damaged, &rows, &format!("the header of segment {at} damaged"));
        let damaged = copy(&directory);
        change(&damaged, name, |bytes| bytes.fill(0x11));
        assert_recovers(&damaged, &rows, &format!("segment {at} overwritten"));
        let damaged = copy(&directory);
        damaged.set_contents("a copy.binlog", directory.contents(name).unwrap());
        assert_eq!(assert_recovers(&damaged, &rows, &format!("segment {at} twice")), 0);
    }
}

#[test]
fn other_forms_of_a_segment_that_is_written_anew_are_taken_out_of_the_log() {
    let (directory, _) = log(Codec::None);
    let names = segments(&directory);
    directory.remove(&names[1]).unwrap();
    let keep = binlog::compression::CompressOptions { keep_source: true, ..Default::default() };
    binlog::compression::compress(Arc::new(directory.clone()), &keep).unwrap();
    let both = segments(&directory);
    assert_eq!(both.iter().filter(|name| name.contains(".z.")).count(), names.len() - 2);
    let salvaged = rows_of(&reader(&directory, ReaderMode::Salvage, None));
    let first = |name: &&String| name.contains("0000000001");
    let sources: Vec<_> = both.iter().filter(first).map(|name| directory.contents(name)).collect();
    let stopped = copy(&directory);
    let recovery = binlog::recovery::recover_in_place(Arc::new(directory.clone()), ReaderOptions::default()).unwrap();
    assert_eq!((recovery.segments.len(), recovery.losses), (2, 1));
    assert_clean(&directory, &salvaged, "written anew");
    assert_eq!(segments(&directory).iter().filter(first).count(), 1);
    // Both are kept.
    for source in sources {
        let files = directory.list().unwrap();
        assert!(files.iter().any(|name| name.contains(".damaged") && directory.contents(name) == source));
    }
    let again = binlog::recovery::recover_in_place(Arc::new(directory.clone()), ReaderOptions::default()).unwrap();
    assert_eq!((again.segments.len(), again.losses), (0, 0));
    // As a crash during the first recovery leaves it.
    stopped.rename(both.iter().find(first).unwrap(), "aside.damaged").unwrap();
    binlog::recovery::recover_in_place(Arc::new(stopped.clone()), ReaderOptions::default()).unwrap();
    assert_clean(&stopped, &salvaged, "stopped before");
}

#[test]
fn a_segment_that_is_damaged_again_after_a_recovery_is_recovered_again() {
    let (directory, _) = log(Codec::None);
    let names = segments(&directory);
    for round in 0..5 {
        // Now one segment, now two that follow each other.
        for name in &names[..1 + usize::from(round == 2)] {
            change(&directory, name, |bytes| bytes[9_000..9_010].fill(0x77 + round));
        }
        let salvaged = rows_of(&reader(&directory, ReaderMode::Salvage, None));
        let recovery =
            binlog::recovery::recover_in_place(Arc::new(directory.clone()), ReaderOptions::default()).unwrap();
        assert!(recovery.losses > 0, "round {round}");
        assert_clean(&directory, &salvaged, &format!("round {round}"));
    }
}

#[test]
fn a_recovery_that_fails_at_any_operation_loses_nothing_and_can_be_repeated() {
    let (directory, rows) = log(Codec::None);
    let names = segments(&directory);
    change(&directory, &names[1], |bytes| bytes[9_000..9_010].fill(0x77));
    let (on_loss, _) = listening();
    let salvaged = rows_of(&reader(&directory, ReaderMode::Salvage, Some(on_loss)));
    assert!(salvaged.len() < rows.len());
    for from in 0.. {
        let place = copy(&directory);
        place.set_fault(Some(Fault { from, times: 1, errno: libc::EIO, only: None }));
        let recovered = binlog::recovery::recover_in_place(Arc::new(place.clone()), ReaderOptions::default());
        let fired = place.operations() > from;
        place.set_fault(None);
        if recovered.is_err() {
            binlog::recovery::recover_in_place(Arc::new(place.clone()), ReaderOptions::default()).unwrap();
        }
        crate::common::assert_rows(
            &rows_of(&reader(&place, ReaderMode::Strict, None)),
            &salvaged,
            &format!("operation {from}"),
        );
        let damaged = directory.contents(&names[1]);
        let kept = place.list().unwrap().into_iter().filter(|name| name.contains(".damaged"));
        assert!(kept.into_iter().any(|name| place.contents(&name) == damaged), "operation {from}");
        if !fired {
            break;
        }
    }
}

#[test]
fn a_log_that_is_being_written_is_not_recovered_in_place() {
    let directory = MemoryDirectory::new();
    let writer = Writer::open(Arc::new(directory.clone()), WriterOptions::default()).unwrap();
    writer.append(1, b"x").unwrap();
    let error = binlog::recovery::recover_in_place(Arc::new(directory.clone()), ReaderOptions::default()).unwrap_err();
    assert_eq!(error.kind(), Kind::Locked);
    let error = binlog::recovery::rebuild_index(Arc::new(directory.clone())).unwrap_err();
    assert_eq!(error.kind(), Kind::Locked);
    writer.close().unwrap();
}

#[test]
fn a_target_that_holds_a_log_is_refused() {
    let (directory, _) = log(Codec::None);
    let error = binlog::recovery::recover(Arc::new(directory.clone()), Arc::new(directory), ReaderOptions::default())
        .unwrap_err();
    assert_eq!(error.kind(), Kind::Invalid);
}

#[test]
fn a_lost_index_is_written_anew_and_a_whole_one_left_alone() {
    let (directory, rows) = log(Codec::None);
    assert!(binlog::recovery::rebuild_index(Arc::new(directory.clone())).unwrap().is_empty());
    for name in segments(&directory) {
        // Without its end, a segment has at most the index of its beginning.
        change(&directory, &name, |bytes| {
            let trailer = bytes.len() - 104;
            let last_index = u64::from_le_bytes(bytes[trailer + 64..trailer + 72].try_into().unwrap());
            bytes.truncate(last_index as usize);
        });
    }
    let facts = reader(&directory, ReaderMode::Prefix, None).index().unwrap();
    assert!(facts.iter().all(|facts| facts.unindexed_bytes > 0));
    let written = binlog::recovery::rebuild_index(Arc::new(directory.clone())).unwrap();
    assert_eq!(written.len(), facts.len());
    let facts = reader(&directory, ReaderMode::Prefix, None).index().unwrap();
    assert!(facts.iter().all(|facts| facts.unindexed_bytes == 0 && facts.blocks.len() == 1), "{facts:?}");
    assert_clean(&directory, &rows, "rebuilt");
}

#[test]
fn the_index_of_a_log_that_crashed_with_space_after_its_blocks_is_written_at_their_end() {
    for (fill_ahead, zeros) in [(0, 0), (1 << 20, 0), (1 << 20, 50_000)] {
        let directory = MemoryDirectory::new();
        let options = WriterOptions { fill_ahead: Some(fill_ahead), ..options(Codec::None) };
        let writer = Writer::open(Arc::new(directory.clone()), options).unwrap();
        (0..20u64).for_each(|i| _ = writer.append(1, &payload(700, i)).unwrap());
        writer.roll().unwrap();
        (0..20u64).for_each(|i| _ = writer.append(1, &payload(700, i)).unwrap());
        writer.sync().unwrap();
        (0..20u64).for_each(|i| _ = writer.append(1, &payload(700, i)).unwrap());
        writer.flush().unwrap();
        let crashed = copy(&directory);
        writer.close().unwrap();
        let [first, last] = segments(&crashed).try_into().unwrap();
        // After a power cut, zeros may also follow the trailer of a segment before.
        change(&crashed, &first, |bytes| bytes.resize(bytes.len() + zeros, 0));
        let before = crashed.contents(&first);
        let rows = rows_of(&reader(&crashed, ReaderMode::Prefix, None));
        let used = crashed.contents(&last).unwrap().iter().rposition(|&byte| byte != 0).unwrap() + 1;
        assert_eq!(crashed.contents(&last).unwrap().len() > used, fill_ahead > 0);
        let written = binlog::recovery::rebuild_index(Arc::new(crashed.clone())).unwrap();
        assert_eq!(written, [crashed.path_of(&last)], "{zeros} zeros");
        assert_eq!(crashed.contents(&first), before, "a whole index is left alone");
        let bytes = crashed.contents(&last).unwrap();
        assert_eq!(bytes[bytes.len() - 8..], bytes[..8], "nothing comes after the trailer");
        assert!(bytes[used..used + 80].iter().any(|&byte| byte != 0), "the index is right after the blocks");
        let facts = reader(&crashed, ReaderMode::Prefix, None).index().unwrap();
        assert_eq!(facts[1].unindexed_bytes, 0, "{facts:?}");
        assert_clean(&crashed, &rows, "rebuilt");
    }
}

#[test]
fn a_log_that_was_never_closed_is_whole_and_not_rewritten() {
    let directory = MemoryDirectory::new();
    let writer = Writer::open(Arc::new(directory.clone()), options(Codec::None)).unwrap();
    (0..100u64).for_each(|i| _ = writer.append(1, &payload(500, i)).unwrap());
    writer.flush().unwrap();
    let crashed = copy(&directory);
    writer.close().unwrap();
    let recovery = binlog::recovery::recover_in_place(Arc::new(crashed.clone()), ReaderOptions::default()).unwrap();
    assert_eq!(recovery, Default::default());
    let mut cursor = reader(&crashed, ReaderMode::Prefix, None).cursor(&Filter::default()).unwrap();
    while cursor.next().unwrap().is_some() {}
    assert_eq!(cursor.tail().state, TailState::Unclosed);
}

#[test]
fn neighbouring_segments_with_damaged_beginnings_keep_every_record() {
    let (directory, rows) = log(Codec::None);
    for name in segments(&directory).iter().take(3) {
        change(&directory, name, |bytes| bytes[3] ^= 1);
    }
    let (on_loss, heard) = listening();
    let salvaged = rows_of(&reader(&directory, ReaderMode::Salvage, Some(on_loss)));
    crate::common::assert_rows(&salvaged, &rows, "salvaged");
    let losses = heard.lock().unwrap();
    assert!(losses.len() == 3 && losses.iter().all(|loss| loss.ids.is_none() && loss.offset == 0), "{losses:?}");
}

#[cfg(feature = "gzip")]
#[test]
fn a_broken_gzip_file_gives_what_precedes_the_break_and_the_segments_behind_it() {
    let (directory, rows) = log(Codec::None);
    let names = segments(&directory);
    change(&directory, &names[1], |bytes| {
        let mut packed = flate2::write::GzEncoder::new(vec![], flate2::Compression::fast());
        std::io::Write::write_all(&mut packed, bytes).unwrap();
        *bytes = packed.finish().unwrap();
        let middle = bytes.len() / 2;
        bytes[middle..middle + 50].fill(0xff);
    });
    let (on_loss, heard) = listening();
    let salvaged = rows_of(&reader(&directory, ReaderMode::Salvage, Some(on_loss)));
    let heard = heard.lock().unwrap();
    let lost: u64 = heard.iter().map(Loss::records).sum();
    assert!(lost > 0 && salvaged.len() as u64 + lost == rows.len() as u64, "{heard:?}");
    assert!(salvaged.iter().all(|row| rows.contains(row)));
    let target = MemoryDirectory::new();
    binlog::recovery::recover(Arc::new(directory.clone()), Arc::new(target.clone()), ReaderOptions::default()).unwrap();
    assert_clean(&target, &salvaged, "recovered from gzip");
}

/// A wrong byte in compressed data is copied to the headers of later blocks, whose checksums then all yield the same
/// wrong offset.
#[cfg(feature = "gzip")]
#[test]
fn headers_of_a_gzip_file_that_are_damaged_alike_cost_their_records_and_no_later_segment() {
    let (directory, rows) = log(Codec::None);
    let names = segments(&directory);
    change(&directory, &names[1], |bytes| {
        let segment = Segment::parse(bytes);
        segment.blocks[1..].iter().for_each(|block| bytes[block.offset + 39] ^= 0x91);
        let mut packed = flate2::write::GzEncoder::new(vec![], flate2::Compression::fast());
        std::io::Write::write_all(&mut packed, bytes).unwrap();
        *bytes = packed.finish().unwrap();
    });
    let salvaged = rows_of(&reader(&directory, ReaderMode::Salvage, None));
    let lost = (rows.len() - salvaged.len()) as u64;
    assert!(lost > 0 && salvaged.last() == rows.last(), "{lost} of {} are lost", rows.len());
    let target = Arc::new(MemoryDirectory::new());
    let recover = binlog::recovery::recover;
    let sum = recover(Arc::new(directory.clone()), target.clone(), ReaderOptions::default()).unwrap();
    assert_eq!((sum.records, sum.lost_records), (salvaged.len() as u64, lost));
    assert_clean(&target, &salvaged, "recovered from gzip");
    let sum = binlog::recovery::recover_in_place(Arc::new(directory.clone()), ReaderOptions::default()).unwrap();
    assert_eq!(sum.lost_records, lost);
    assert_clean(&directory, &salvaged, "recovered from gzip in place");
}

#[test]
fn a_recovery_in_place_that_fails_leaves_no_file_that_it_was_making() {
    let (directory, _) = log(Codec::None);
    let names = segments(&directory);
    change(&directory, &names[1], |bytes| {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
    });
    let faulty = directory.clone();
    faulty.set_fault(Some(Fault { from: 0, times: usize::MAX, errno: libc::ENOSPC, only: Some(Operation::Write) }));
    let error = binlog::recovery::recover_in_place(Arc::new(faulty.clone()), ReaderOptions::default()).unwrap_err();
    faulty.set_fault(None);
    assert!(error.to_string().contains("space"), "{error}");
    let left = directory.list().unwrap();
    assert!(!left.iter().any(|name| name.ends_with(".recovering")), "{left:?}");
}

#[test]
fn a_copy_of_the_last_segment_is_reported_once_also_where_that_is_written_anew() {
    let (directory, _) = log(Codec::None);
    let names = segments(&directory);
    directory.set_contents("copy.binlog", directory.contents(names.last().unwrap()).unwrap());
    directory.remove(&names[names.len() - 2]).unwrap();
    let (on_loss, heard) = listening();
    let recovery = binlog::recovery::recover_in_place(
        Arc::new(directory.clone()),
        ReaderOptions { on_loss: Some(on_loss), ..ReaderOptions::default() },
    )
    .unwrap();
    let reported = heard.lock().unwrap();
    let copies = reported.iter().filter(|loss| loss.path.ends_with("copy.binlog")).count();
    assert_eq!((copies, reported.len(), recovery.losses), (1, 2, 2), "{reported:?}");
}

/// The length of what a file holds is unknown until the file was decompressed to its end.
#[test]
fn what_is_left_unread_of_a_gzip_file_is_reported_as_far_as_it_was_decompressed() {
    let directory = MemoryDirectory::new();
    let writer = Writer::open(Arc::new(directory.clone()), options(Codec::None)).unwrap();
    for i in 0..20u64 {
        writer.append(1, &payload(50, i)).unwrap();
        writer.flush().unwrap();
    }
    writer.close().unwrap();
    let name = &segments(&directory)[0];
    change(&directory, name, |bytes| {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
    });
    let tail_of = |directory: &MemoryDirectory| {
        let mut cursor = reader(directory, ReaderMode::Prefix, None).cursor(&Filter::default()).unwrap();
        while let Ok(Some(_)) = cursor.next() {}
        cursor.tail().clone()
    };
    let plain = tail_of(&directory);
    assert!(plain.unread_bytes > 0, "{plain:?}");
    let packed = copy(&directory);
    change(&packed, name, |bytes| {
        let mut packed = flate2::write::GzEncoder::new(vec![], flate2::Compression::fast());
        std::io::Write::write_all(&mut packed, bytes).unwrap();
        *bytes = packed.finish().unwrap();
    });
    let tail = tail_of(&packed);
    assert_eq!((tail.state, tail.offset, tail.unread_bytes), (plain.state, plain.offset, plain.unread_bytes));
}

#[test]
fn a_recovery_that_was_stopped_has_left_a_mark_and_what_it_wrote_is_taken_for_no_log() {
    let (source, expected) = log(Codec::None);
    let recover = |target: &PowerDirectory| {
        let (source, target) = (Arc::new(source.clone()), Arc::new(target.clone()));
        binlog::recovery::recover(source, target, ReaderOptions::default())
    };
    let all = PowerDirectory::new();
    recover(&all).unwrap();
    assert!(!all.list().unwrap().contains(&binlog::recovery::RECOVERY_AT_WORK.to_owned()), "the mark goes");
    let (mut marked, mut whole) = (0, 0);
    // Each moment at the beginning and at the end, and some between.
    let last = all.done().len();
    for cut in (0..=last).filter(|cut| *cut < 10 || cut + 10 > last || cut % 10 == 0) {
        let target = PowerDirectory::new();
        target.cut_at(cut);
        let is_done = recover(&target).is_ok();
        let survivals = [Survival::Nothing, Survival::Names, Survival::Lengths, Survival::Everything];
        for survival in survivals.into_iter().chain([Survival::Any(cut as u64), Survival::Until(cut as u64)]) {
            let left = target.image(survival).directory;
            let names = left.list().unwrap();
            let context = format!("cut at {cut}, {survival:?}: {names:?}");
            if names.iter().any(|name| name == binlog::recovery::RECOVERY_AT_WORK) {
                marked += 1;
                assert!(!is_done || survival != Survival::Everything, "{context}");
                let writer = Writer::open(Arc::new(left.clone()), options(Codec::None)).err().expect(&context);
                let again = recover(&left).expect_err(&context);
                assert!([&writer, &again].iter().all(|it| it.kind() == Kind::Invalid), "{context}: {writer} {again}");
                assert!(again.to_string().contains("was stopped"), "{again}");
            } else if names.iter().any(|name| name.ends_with(".binlog")) {
                whole += 1;
                let reader = Reader::open(Arc::new(left.clone()), ReaderOptions::default()).expect(&context);
                assert!(rows_of(&reader) == expected, "{context}");
            } else {
                assert!(!is_done, "{context}");
                recover(&left).expect(&context);
            }
        }
    }
    assert!(marked > 20 && whole > 3, "{marked} {whole}");
}
