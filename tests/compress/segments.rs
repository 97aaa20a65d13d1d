//! Compressed segments: the same records and events under the same ids, whatever the log, in every way of reading.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::common::interposed::Interposed;
use crate::common::*;
use binlog::compression::{compress, decompress, pack, CompressOptions, Compressed, Whole};
use binlog::io::{Directory, MemoryDirectory};
use binlog::rolling::{prune, Retention};
use binlog::{
    Codec, Filter, Kind, Location, MetadataBuf, NewRecord, Reader, ReaderMode, ReaderOptions, TailState, Writer,
    WriterOptions,
};
use proptest::prelude::*;

fn written_as(codec: Codec) -> WriterOptions {
    WriterOptions { codec, block_bytes: 4 << 10, segment_bytes: 60 << 10, index_bytes: 16 << 10, ..Default::default() }
}

/// A log of several segments with named types, metadata, batches, events and records of many sizes.
fn log(options: &WriterOptions) -> (MemoryDirectory, Vec<Row>) {
    let directory = MemoryDirectory::new();
    let writer = Writer::open(Arc::new(directory.clone()), options.clone()).unwrap();
    for i in 0..600u64 {
        let type_id =
            if i % 7 == 0 { writer.type_id(&format!("name {}", i % 21), "text/plain").unwrap() } else { i as u32 % 5 };
        let metadata = MetadataBuf::from_iter((i % 3 == 0).then(|| ("key", i.to_string())));
        let len = if i % 100 == 99 { 30_000 } else { (i * 37 % 900) as usize };
        let payload = payload(len, i);
        let record = NewRecord { type_id, metadata: metadata.as_metadata(), payload: &payload, ..Default::default() };
        match i % 10 {
            5 => drop(writer.append_batch([record, record, record]).unwrap()),
            _ => drop(writer.append_record(&record).unwrap()),
        }
        if i == 300 {
            writer.close().unwrap();
            return continued(directory, options);
        }
    }
    unreachable!()
}

/// Another writer continues, so that there are more events.
fn continued(directory: MemoryDirectory, options: &WriterOptions) -> (MemoryDirectory, Vec<Row>) {
    let writer = Writer::open(Arc::new(directory.clone()), options.clone()).unwrap();
    for i in 0..200u64 {
        writer.append(i as u32 % 3, &payload((i * 91 % 1200) as usize, i)).unwrap();
    }
    writer.close().unwrap();
    let rows = all_of(&directory);
    assert!(segments(&directory).len() > 3, "{:?}", segments(&directory));
    (directory, rows)
}

fn segments(directory: &MemoryDirectory) -> Vec<String> {
    let mut names = directory.list().unwrap();
    names.retain(|name| name.ends_with(".binlog"));
    names.sort();
    names
}

fn reader(directory: &MemoryDirectory, mode: ReaderMode) -> Reader {
    Reader::open(Arc::new(directory.clone()), ReaderOptions { mode, ..ReaderOptions::default() }).unwrap()
}

fn rows_with(directory: &MemoryDirectory, mode: ReaderMode, filter: &Filter) -> Vec<Row> {
    read(&reader(directory, mode), filter, Way::Next).whole()
}

/// Every record and event, as a strict reader shows them.
fn all_of(directory: &MemoryDirectory) -> Vec<Row> {
    rows_with(directory, ReaderMode::Strict, &Filter { events: true, ..Filter::default() })
}

fn copy(directory: &MemoryDirectory) -> MemoryDirectory {
    let copy = MemoryDirectory::new();
    for name in directory.list().unwrap() {
        copy.set_contents(&name, directory.contents(&name).unwrap());
    }
    copy
}

fn names(made: &[Compressed]) -> Vec<String> {
    made.iter().map(|made| made.path.file_name().unwrap().to_str().unwrap().to_owned()).collect()
}

fn bytes_in(directory: &MemoryDirectory) -> usize {
    segments(directory).iter().map(|name| directory.contents(name).unwrap().len()).sum()
}

/// Asserts everything that reading promises, for a log in which these rows were written.
fn assert_reads(directory: &MemoryDirectory, rows: &[Row], context: &str) {
    assert_rows(&all_of(directory), rows, context);
    let records: Vec<Row> = rows.iter().filter(|row| !row.is_event()).cloned().collect();
    let prefix = reader(directory, ReaderMode::Prefix);
    assert_every_way(&prefix, &Filter::default(), &records);
    assert_rows(&rows_with(directory, ReaderMode::Salvage, &Filter::default()), &records, context);
    let newest_first = Filter { newest_first: true, ..Filter::default() };
    let reversed: Vec<Row> = records.iter().rev().cloned().collect();
    assert_rows(&rows_with(directory, ReaderMode::Prefix, &newest_first), &reversed, context);
    let headers = Filter { headers_only: true, ..Filter::default() };
    let without: Vec<Row> = records.iter().map(Row::without_payload).collect();
    assert_rows(&rows_with(directory, ReaderMode::Prefix, &headers), &without, context);
    let of_type = Filter { types: vec![2], ..Filter::default() };
    let picked: Vec<Row> = records.iter().filter(|row| row.type_id == 2).cloned().collect();
    assert_rows(&rows_with(directory, ReaderMode::Prefix, &of_type), &picked, context);
    let last = Filter { last: Some(5), ..Filter::default() };
    let five = &records[records.len().saturating_sub(5)..];
    assert_rows(&rows_with(directory, ReaderMode::Prefix, &last), five, context);
    let mut cursor = prefix.cursor(&Filter::default()).unwrap();
    for row in records.iter().step_by(41) {
        assert_eq!(Row::from(&cursor.get(row.id).unwrap().expect(context)), *row, "{context}");
        cursor.seek(row.id).unwrap();
        assert_eq!(cursor.next().unwrap().unwrap().id, row.id, "{context}");
        cursor.seek_time(row.time).unwrap();
        let first = records.iter().find(|other| other.time >= row.time).unwrap();
        assert_eq!(cursor.next().unwrap().unwrap().id, first.id, "{context}");
    }
    let counted: u64 = prefix.counts().unwrap().iter().map(|counted| counted.records).sum();
    assert_eq!(counted, records.len() as u64, "{context}");
}

/// A writer opens the log as it is, and continues.
fn assert_continues(directory: &MemoryDirectory, options: &WriterOptions, rows: &[Row]) {
    let copy = copy(directory);
    let before = rows.iter().rev().find(|row| !row.is_event()).map_or(0, |row| row.id);
    let writer = Writer::open(Arc::new(copy.clone()), options.clone()).unwrap();
    assert_eq!(writer.append(1, b"after").unwrap(), before + 1);
    writer.roll().unwrap();
    assert_eq!(writer.append(1, b"after that").unwrap(), before + 2);
    writer.close().unwrap();
    let there = rows_of(&reader(&copy, ReaderMode::Strict));
    assert_eq!(there.last().unwrap().id, before + 2);
}

#[test]
fn a_compressed_log_reads_as_before_in_every_way_and_a_writer_continues() {
    for written in CODECS {
        let options = written_as(written);
        let (before, rows) = log(&options);
        for codec in [Codec::Lz4, Codec::Zstd] {
            for (block_bytes, threads) in [(4 << 10, 1), (64 << 10, 2), (512 << 10, 3), (16 << 20, 1)] {
                let context = format!("{written:?} to {codec:?}, {block_bytes} bytes, {threads} threads");
                let directory = copy(&before);
                let old = segments(&directory);
                let how = CompressOptions { codec, block_bytes, threads, ..CompressOptions::default() };
                let made = compress(Arc::new(directory.clone()), &how).unwrap();
                let expected: Vec<String> =
                    old[..old.len() - 1].iter().map(|name| name.replace(".binlog", ".z.binlog")).collect();
                assert_eq!(names(&made), expected, "{context}");
                assert_eq!(segments(&directory)[..expected.len()], expected, "{context}: the sources are gone");
                assert_eq!(segments(&directory).len(), old.len(), "{context}");
                let last = reader(&directory, ReaderMode::Prefix).segments().last().unwrap().first_id;
                assert_eq!(made.iter().map(|made| made.records).sum::<u64>(), last - 1, "{context}");
                if written == Codec::None && block_bytes >= 64 << 10 {
                    assert!(bytes_in(&directory) < bytes_in(&before) * 3 / 4, "{context}");
                }
                assert_reads(&directory, &rows, &context);
                assert_continues(&directory, &options, &rows);
                assert_eq!(
                    compress(Arc::new(directory.clone()), &how).unwrap(),
                    [],
                    "{context}: nothing is left to do"
                );
                let back = decompress(Arc::new(directory.clone()), &how).unwrap();
                assert_eq!(names(&back), old[..old.len() - 1], "{context}");
                assert_reads(&directory, &rows, &format!("{context}, and back"));
                assert_continues(&directory, &options, &rows);
            }
        }
    }
}

#[test]
fn compressed_and_ordinary_segments_mix_in_any_way() {
    let options = written_as(Codec::None);
    let (before, rows) = log(&options);
    let old = segments(&before);
    for chosen in [vec![0], vec![1], vec![0, 2], (1..old.len() - 1).collect()] {
        let directory = copy(&before);
        for &at in &chosen {
            compress(Location::File(Arc::new(directory.clone()), old[at].clone()), &CompressOptions::default())
                .unwrap();
        }
        assert_reads(&directory, &rows, &format!("{chosen:?}"));
        assert_continues(&directory, &options, &rows);
    }
}

#[test]
fn a_segment_that_is_there_in_both_forms_is_read_once() {
    let options = written_as(Codec::None);
    let (directory, rows) = log(&options);
    let keep = CompressOptions { keep_source: true, ..CompressOptions::default() };
    let made = compress(Arc::new(directory.clone()), &keep).unwrap();
    assert!(made.iter().all(|made| !made.source_removed));
    assert_eq!(segments(&directory).len(), 2 * made.len() + 1);
    assert_reads(&directory, &rows, "both forms");
    assert_eq!(reader(&directory, ReaderMode::Prefix).segments().len(), made.len() + 1);
    assert_continues(&directory, &options, &rows);
    assert_eq!(compress(Arc::new(directory.clone()), &keep).unwrap(), []);
    // The next run that is to remove the sources compares them, and does.
    let files = segments(&directory);
    let finished = compress(Arc::new(directory.clone()), &CompressOptions::default()).unwrap();
    assert_eq!(names(&finished), names(&made));
    assert!(finished.iter().all(|made| made.source_removed));
    assert_eq!(segments(&directory).len(), files.len() - made.len());
    assert_reads(&directory, &rows, "finished");
}

#[test]
fn a_form_that_is_not_the_same_is_reported_and_both_files_stay() {
    let (directory, _) = log(&written_as(Codec::None));
    let keep = CompressOptions { keep_source: true, ..CompressOptions::default() };
    let made = compress(Arc::new(directory.clone()), &keep).unwrap();
    let (source, name) = (segments(&directory)[0].clone(), names(&made)[0].clone());
    // Good by its checksums, and of another segment.
    let other = directory.contents(&names(&made)[1]).unwrap();
    let good = directory.contents(&name).unwrap();
    directory.set_contents(&name, other);
    let error =
        compress(Location::File(Arc::new(directory.clone()), source.clone()), &CompressOptions::default()).unwrap_err();
    assert_eq!(error.kind(), Kind::Invalid, "{error}");
    // Damaged.
    let mut bad = good.clone();
    let middle = bad.len() / 2;
    bad[middle] ^= 1;
    directory.set_contents(&name, bad);
    let error =
        compress(Location::File(Arc::new(directory.clone()), source.clone()), &CompressOptions::default()).unwrap_err();
    assert_eq!(error.kind(), Kind::Corrupt, "{error}");
    assert!(directory.contents(&source).is_some() && directory.contents(&name).is_some());
}

#[test]
fn the_newest_segment_a_live_one_and_what_is_done_are_refused_by_name() {
    let (directory, _) = log(&written_as(Codec::None));
    let names = segments(&directory);
    let how = CompressOptions::default();
    let refused =
        |name: &str| compress(Location::File(Arc::new(directory.clone()), name.to_owned()), &how).unwrap_err();
    let error = refused(names.last().unwrap());
    assert!(error.kind() == Kind::Invalid && error.reason().contains("newest"), "{error}");
    compress(Location::File(Arc::new(directory.clone()), names[0].clone()), &how).unwrap();
    let error = refused(&names[0].replace(".binlog", ".z.binlog"));
    assert!(error.kind() == Kind::Invalid && error.reason().contains("already"), "{error}");
    assert_eq!(refused("nowhere.binlog").kind(), Kind::NotFound);
    for wrong in [
        CompressOptions { codec: Codec::None, ..how.clone() },
        CompressOptions { level: 23, ..how.clone() },
        CompressOptions { block_bytes: 17 << 20, ..how.clone() },
        CompressOptions { threads: 0, ..how.clone() },
    ] {
        let kind = compress(Location::File(Arc::new(directory.clone()), names[1].clone()), &wrong).unwrap_err().kind();
        assert!(matches!(kind, Kind::Invalid | Kind::Unsupported));
    }
    let locked = directory.open(&names[1], binlog::io::Access::ReadWrite).unwrap();
    assert!(locked.try_lock().unwrap());
    assert_eq!(refused(&names[1]).kind(), Kind::Locked);
}

#[test]
fn a_log_of_one_file_is_compressed_once_it_is_closed_and_its_file_stays_unless_asked() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("single.binlog");
    let writer = Writer::open_file(&path, WriterOptions::default()).unwrap();
    writer.append(1, &[7; 5000]).unwrap();
    writer.flush().unwrap();
    let refused = |kind| {
        let error = binlog::compression::compress(&path, &CompressOptions::default()).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
    };
    refused(Kind::Locked);
    writer.close().unwrap();
    let made = binlog::compression::compress(&path, &CompressOptions::default()).unwrap();
    assert_eq!(names(&made), ["single.z.binlog"]);
    assert!(!made[0].source_removed && path.exists());
    let rows = rows_at(&path);
    assert_eq!((rows_at(&made[0].path), rows_at(scratch.path())), (rows.clone(), rows));
    // The file that has grown since is the one that counts.
    let writer = Writer::open_file(&path, WriterOptions::default()).unwrap();
    writer.append(1, b"more").unwrap();
    writer.close().unwrap();
    assert_eq!(rows_at(scratch.path()).len(), 2);
    refused(Kind::Corrupt);
    std::fs::remove_file(&made[0].path).unwrap();
    let remove = CompressOptions { remove_single: true, ..CompressOptions::default() };
    assert!(binlog::compression::compress(&path, &remove).unwrap()[0].source_removed && !path.exists());
    assert_eq!(rows_at(scratch.path()).len(), 2);
    // Nothing is appended to what is compressed.
    let z = scratch.path().join("single.z.binlog");
    let before = std::fs::read(&z).unwrap();
    let refused = Writer::open_file(&z, WriterOptions::default()).map(drop).unwrap_err();
    assert_eq!(refused.kind(), Kind::Unsupported, "{refused}");
    assert_eq!(std::fs::read(&z).unwrap(), before);
}

#[test]
fn mode_and_time_of_the_file_are_kept() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let scratch = tempfile::tempdir().unwrap();
    let writer = Writer::open(scratch.path(), WriterOptions::default()).unwrap();
    writer.append(1, &[7; 5000]).unwrap();
    writer.roll().unwrap();
    writer.append(1, b"x").unwrap();
    writer.close().unwrap();
    let source = scratch.path().join("default.0000000001.binlog");
    std::fs::set_permissions(&source, std::fs::Permissions::from_mode(0o604)).unwrap();
    let then = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000);
    let file = std::fs::File::options().write(true).open(&source).unwrap();
    file.set_modified(then).unwrap();
    drop(file);
    let made = binlog::compression::compress(scratch.path(), &CompressOptions::default()).unwrap();
    let facts = std::fs::metadata(&made[0].path).unwrap();
    assert_eq!((facts.mode() & 0o7777, facts.modified().unwrap()), (0o604, then));
    assert_eq!(made[0].bytes_after, facts.len());
}

/// A payload with parts that many records share, but hardly two in one small block.
fn alike(i: u64) -> Vec<u8> {
    [noise(500, 1 + i * 7 % 40), noise(500, 1 + i * 11 % 40), i.to_string().into_bytes()].concat()
}

#[test]
fn a_dictionary_is_made_where_it_saves_more_than_it_takes_and_damage_to_it_is_reported() {
    let directory = MemoryDirectory::new();
    let small = WriterOptions { block_bytes: 4 << 10, ..WriterOptions::default() };
    let writer = Writer::open(Arc::new(directory.clone()), small).unwrap();
    (0..4000).for_each(|i| assert_eq!(writer.append(1, &alike(i)).unwrap(), i + 1));
    writer.roll().unwrap();
    writer.append(1, b"x").unwrap();
    writer.close().unwrap();
    let rows = all_of(&directory);
    let compressed = |block_bytes, dictionary| {
        let directory = copy(&directory);
        let how = CompressOptions { block_bytes, dictionary, ..CompressOptions::default() };
        let made = compress(Arc::new(directory.clone()), &how).unwrap();
        let name = names(&made)[0].clone();
        // With what every zstd dictionary begins.
        let has_one = directory.contents(&name).unwrap().windows(4).any(|bytes| bytes == [0x37, 0xa4, 0x30, 0xec]);
        (directory, name, made[0].bytes_after, has_one)
    };
    let (_, _, without, none) = compressed(4 << 10, binlog::compression::Dictionary::Never);
    let (directory, name, with, one) = compressed(4 << 10, binlog::compression::Dictionary::Auto);
    assert!(!none && one && with < without * 19 / 20, "{with} of {without}");
    assert_reads(&directory, &rows, "with a dictionary");
    let (_, _, _, large) = compressed(16 << 20, binlog::compression::Dictionary::Auto);
    assert!(!large, "in the largest blocks there is nothing to save");
    let whole = directory.contents(&name).unwrap();
    let mut bad = whole.clone();
    bad[5000] ^= 1;
    directory.set_contents(&name, bad);
    let error = Reader::open(Arc::new(directory.clone()), ReaderOptions::default())
        .and_then(|reader| read(&reader, &Filter::default(), Way::Next).end)
        .unwrap_err();
    assert_eq!((error.kind(), error.offset()), (Kind::Corrupt, Some(0)), "{error}");
    // What is recovered of a damaged block has no dictionary, and is whole.
    let mut bad = whole.clone();
    let at = bad.len() - bad.len() / 3;
    bad[at] ^= 1;
    directory.set_contents(&name, bad);
    let lost = 4001 - rows_with(&directory, ReaderMode::Salvage, &Filter::default()).len();
    assert!((1..=10).contains(&lost), "{lost}");
    binlog::recovery::recover_in_place(Arc::new(directory.clone()), ReaderOptions::default()).unwrap();
    assert_eq!(rows_of(&reader(&directory, ReaderMode::Strict)).len(), 4001 - lost);
    directory.set_contents(&name, whole);
    decompress(Arc::new(directory.clone()), &CompressOptions::default()).unwrap();
    assert_reads(&directory, &rows, "and back");
}

#[test]
fn a_name_may_contain_the_sha_256_of_the_file() {
    use sha2::{Digest, Sha256};
    let (directory, rows) = log(&written_as(Codec::None));
    let how = CompressOptions { sha256_name: true, ..CompressOptions::default() };
    let made = compress(Arc::new(directory.clone()), &how).unwrap();
    for (made, name) in made.iter().zip(names(&made)) {
        let sum: String =
            Sha256::digest(directory.contents(&name).unwrap()).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(made.sha256.as_deref(), Some(&sum[..]));
        assert!(name.ends_with(&format!(".z.{sum}.binlog")), "{name}");
    }
    assert_reads(&directory, &rows, "names with sums");
    assert_continues(&directory, &written_as(Codec::None), &rows);
    decompress(Arc::new(directory.clone()), &how).unwrap();
    assert_reads(&directory, &rows, "and back");
}

#[test]
fn a_cursor_within_a_segment_reads_on_while_it_is_compressed_and_one_that_comes_later_finds_it() {
    let (directory, rows) = log(&written_as(Codec::None));
    let records: Vec<Row> = rows.into_iter().filter(|row| !row.is_event()).collect();
    for (before, newest_first) in [(0, false), (1, false), (40, false), (300, false), (1, true), (150, true)] {
        let directory = copy(&directory);
        let reader = reader(&directory, ReaderMode::Prefix);
        let filter = Filter { newest_first, ..Filter::default() };
        let mut cursor = reader.cursor(&filter).unwrap();
        let mut seen: Vec<Row> = (0..before).map(|_| Row::from(&cursor.next().unwrap().unwrap())).collect();
        compress(Arc::new(directory.clone()), &CompressOptions::default()).unwrap();
        seen.extend(drain(&mut cursor, Way::Next).whole());
        if newest_first {
            seen.reverse();
        }
        assert_rows(&seen, &records, &format!("compressed after {before}"));
        // The reader's own list is that of before.
        assert_eq!(reader.segments().len(), segments(&directory).len());
        assert_eq!(reader.cursor(&filter).unwrap().tail().state, TailState::More);
        let mut cursor = reader.cursor(&Filter::default()).unwrap();
        for row in records.iter().step_by(97) {
            assert_eq!(cursor.get(row.id).unwrap().unwrap().payload, row.payload);
            decompress(Arc::new(directory.clone()), &CompressOptions::default()).unwrap();
            compress(
                Arc::new(directory.clone()),
                &CompressOptions { keep_source: row.id % 2 == 0, ..Default::default() },
            )
            .unwrap();
        }
    }
}

#[test]
fn following_continues_over_segments_that_are_compressed_behind_and_before_it() {
    let directory = MemoryDirectory::new();
    let writer = Writer::open(Arc::new(directory.clone()), written_as(Codec::None)).unwrap();
    let mut cursor = None;
    let mut ids = vec![];
    for i in 0..2000u64 {
        writer.append(1, &payload((i * 37 % 900) as usize, i)).unwrap();
        if i % 37 == 0 {
            writer.flush().unwrap();
            let cursor = cursor
                .get_or_insert_with(|| reader(&directory, ReaderMode::Prefix).cursor(&Filter::default()).unwrap());
            let most = 20 + i % 40;
            while let Some(record) = cursor.next().unwrap() {
                ids.push(record.id);
                if (ids.len() as u64).is_multiple_of(most) {
                    break;
                }
            }
        }
        if i % 53 == 0 {
            compress(Arc::new(directory.clone()), &CompressOptions::default()).unwrap();
        }
    }
    writer.close().unwrap();
    ids.extend(drain(&mut cursor.unwrap(), Way::Next).whole().iter().map(|row| row.id));
    assert_eq!(ids, (1..=2000).collect::<Vec<u64>>());
}

#[test]
fn more_segments_than_are_opened_to_be_listed_mix_too() {
    let options = WriterOptions { segment_bytes: 4 << 10, block_bytes: 4 << 10, ..WriterOptions::default() };
    let directory = MemoryDirectory::new();
    let writer = Writer::open(Arc::new(directory.clone()), options.clone()).unwrap();
    for i in 0..400u64 {
        writer.append(1, &payload(1500, i)).unwrap();
    }
    writer.close().unwrap();
    let rows = all_of(&directory);
    assert!(segments(&directory).len() > 130);
    let all = segments(&directory);
    let how = |i: usize| CompressOptions {
        keep_source: i.is_multiple_of(5),
        sha256_name: i.is_multiple_of(3),
        ..CompressOptions::default()
    };
    for (i, name) in all[..all.len() - 1].iter().enumerate().filter(|(i, _)| i % 2 == 0) {
        compress(Location::File(Arc::new(directory.clone()), name.to_owned()), &how(i)).unwrap();
    }
    let opened = reader(&directory, ReaderMode::Prefix);
    assert_eq!(opened.paths().len(), all.len());
    assert_reads(&directory, &rows, "many segments");
    assert_continues(&directory, &options, &rows);
}

#[test]
fn old_segments_are_removed_in_whichever_form_they_are() {
    let (directory, _) = log(&written_as(Codec::None));
    let count = segments(&directory).len() as u64;
    compress(Arc::new(directory.clone()), &CompressOptions { keep_source: true, ..CompressOptions::default() })
        .unwrap();
    let keep =
        |segments| binlog::rolling::Retention { segments: Some(segments), ..binlog::rolling::Retention::default() };
    assert_eq!(
        binlog::rolling::prune(Arc::new(directory.clone()), None, &keep(count), false).unwrap(),
        [],
        "each counts once"
    );
    let pruned = binlog::rolling::prune(Arc::new(directory.clone()), None, &keep(count - 2), false).unwrap();
    assert_eq!(pruned.iter().map(|pruned| pruned.sequence).collect::<Vec<_>>(), [1, 1, 2, 2]);
    assert_eq!(reader(&directory, ReaderMode::Prefix).segments()[0].sequence, 3);
    compress(Arc::new(directory.clone()), &CompressOptions::default()).unwrap();
    assert_eq!(
        binlog::rolling::prune(Arc::new(directory.clone()), None, &keep(1), false).unwrap().len() as u64,
        count - 3
    );
}

#[test]
fn gzip_has_no_levels_beyond_its_own() {
    let (directory, _) = log(&written_as(Codec::None));
    for level in [-1, 0, 10, 22] {
        let options = CompressOptions { level, ..CompressOptions::default() };
        let error = pack(Arc::new(directory.clone()), Whole::Gzip, &options).unwrap_err();
        assert_eq!(error.kind(), Kind::Invalid, "{error}");
        assert!(error.to_string().contains("gzip has the levels 1 to 9"), "{error}");
    }
    let options = CompressOptions { level: 9, ..CompressOptions::default() };
    assert!(!pack(Arc::new(directory), Whole::Gzip, &options).unwrap().is_empty());
}

#[test]
fn whole_files_for_the_tools_of_others_are_read_in_their_place_and_come_back_byte_for_byte() {
    for whole in [Whole::Gzip, Whole::Zstd] {
        let options = written_as(Codec::None);
        let (directory, rows) = log(&options);
        let (before, ending) = (copy(&directory), if whole == Whole::Gzip { ".gz" } else { ".zst" });
        // One of them compressed by blocks too.
        compress(
            Location::File(Arc::new(directory.clone()), segments(&directory)[1].clone()),
            &CompressOptions::default(),
        )
        .unwrap();
        let old = segments(&directory);
        let made = pack(Arc::new(directory.clone()), whole, &CompressOptions::default()).unwrap();
        let expected: Vec<String> = old[..old.len() - 1].iter().map(|name| format!("{name}{ending}")).collect();
        assert_eq!(names(&made), expected);
        assert_eq!(segments(&directory), old[old.len() - 1..]);
        for (made, name) in made.iter().zip(&expected) {
            let bytes = directory.contents(name).unwrap();
            let mut out = vec![];
            let inside: Box<dyn std::io::Read> = match whole {
                Whole::Gzip => Box::new(flate2::read::GzDecoder::new(&bytes[..])),
                Whole::Zstd => Box::new(zstd::stream::read::Decoder::new(&bytes[..]).unwrap()),
            };
            std::io::copy(&mut { inside }, &mut out).unwrap();
            assert_eq!((out.len() as u64, bytes.len() as u64), (made.bytes_before, made.bytes_after));
        }
        assert_rows(
            &rows_with(&directory, ReaderMode::Prefix, &Filter { events: true, ..Filter::default() }),
            &rows,
            ending,
        );
        assert_continues(&directory, &options, &rows);
        assert_eq!(
            binlog::recovery::rebuild_index(Arc::new(directory.clone())).unwrap(),
            Vec::<std::path::PathBuf>::new()
        );
        let error = Writer::open(
            {
                let only = MemoryDirectory::new();
                only.set_contents(&expected[0], directory.contents(&expected[0]).unwrap());
                Arc::new(only)
            },
            options.clone(),
        );
        let error = error.err().expect("a writer cannot continue there");
        assert!(error.kind() == Kind::Unsupported && error.reason().contains("decompress"), "{error}");
        // To the segment that was compressed by blocks first, and then to the first form.
        decompress(Arc::new(directory.clone()), &CompressOptions::default()).unwrap();
        assert_eq!(segments(&directory), old);
        assert_eq!(directory.contents(&old[0]), before.contents(&old[0]), "byte for byte");
        assert_reads(&directory, &rows, ending);
    }
}

#[test]
fn a_segment_that_is_compressed_just_as_it_is_removed_for_its_age_does_not_come_back() {
    let (directory, _) = log(&written_as(Codec::None));
    let all = segments(&directory);
    // Removed while it is being compressed.
    let (name, seen) = (all[0].clone(), directory.clone());
    let removing = CompressOptions {
        progress: Some(Arc::new(move |_| {
            let _ = seen.remove(&name);
            true
        })),
        ..CompressOptions::default()
    };
    let error = compress(Location::File(Arc::new(directory.clone()), all[0].clone()), &removing).unwrap_err();
    assert_eq!(error.kind(), Kind::NotFound, "{error}");
    assert_eq!(directory.list().unwrap().iter().filter(|name| name.contains("0000000001")).count(), 0);
}

#[test]
fn work_that_is_stopped_leaves_everything_as_it_was() {
    let (directory, rows) = log(&written_as(Codec::None));
    let before = segments(&directory);
    let stopping = CompressOptions { progress: Some(Arc::new(|at| at.done < at.bytes)), ..CompressOptions::default() };
    for is_back in [false, true] {
        let log = Arc::new(directory.clone());
        drop(if is_back { decompress(log, &stopping) } else { compress(log, &stopping) });
        assert!(directory.list().unwrap().iter().all(|name| !name.ends_with(".part")));
        assert_eq!(segments(&directory), before);
        assert_rows(&all_of(&directory), &rows, "stopped");
    }
    let finished: Arc<std::sync::Mutex<Vec<(u64, u64)>>> = Arc::default();
    let heard = finished.clone();
    let counting = CompressOptions {
        progress: Some(Arc::new(move |at| {
            heard.lock().unwrap().push((at.done, at.bytes));
            true
        })),
        ..CompressOptions::default()
    };
    let made = compress(Arc::new(directory.clone()), &counting).unwrap();
    let finished = finished.lock().unwrap();
    assert_eq!(finished.iter().filter(|(done, _)| *done == 0).count(), made.len());
    assert_eq!(finished.iter().filter(|(done, bytes)| *done == 2 * bytes).count(), made.len(), "{finished:?}");
}

#[test]
fn a_damaged_segment_is_not_compressed_and_the_others_are() {
    let (directory, _) = log(&written_as(Codec::None));
    let names = segments(&directory);
    let mut bytes = directory.contents(&names[1]).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    directory.set_contents(&names[1], bytes.clone());
    let error = compress(Arc::new(directory.clone()), &CompressOptions::default()).unwrap_err();
    assert_eq!((error.kind(), error.path().unwrap()), (Kind::Corrupt, &*directory.path_of(&names[1])), "{error}");
    assert_eq!(directory.contents(&names[1]), Some(bytes));
    assert_eq!(segments(&directory).iter().filter(|name| name.contains(".z.")).count(), names.len() - 2);
    assert!(directory.list().unwrap().iter().all(|name| !name.ends_with(".part")));
    // What recovery makes of it is compressed as any other, and its gap is known.
    binlog::recovery::recover_in_place(Arc::new(directory.clone()), ReaderOptions::default()).unwrap();
    let rows = all_of(&directory);
    let made = compress(Arc::new(directory.clone()), &CompressOptions::default()).unwrap();
    assert_eq!(made.len(), 1);
    assert_rows(&all_of(&directory), &rows, "recovered and compressed");
    decompress(Arc::new(directory.clone()), &CompressOptions::default()).unwrap();
    compress(Arc::new(directory.clone()), &CompressOptions { codec: Codec::Lz4, ..Default::default() }).unwrap();
    assert_rows(&all_of(&directory), &rows, "and again");
}

#[test]
fn a_recovered_segment_that_ends_with_lost_records_is_compressed_and_says_so_still() {
    let (before, _) = log(&written_as(Codec::None));
    let names = segments(&before);
    before.remove(&names[1]).unwrap();
    binlog::recovery::recover_in_place(Arc::new(before.clone()), ReaderOptions::default()).unwrap();
    let rows = all_of(&before);
    let records_of = |directory: &MemoryDirectory, name: &str| {
        let reader = reader(directory, ReaderMode::Strict);
        reader.counts_of(directory.path_of(name)).unwrap().iter().map(|counted| counted.records).sum::<u64>()
    };
    let there = records_of(&before, &names[0]);
    for whole in [None, Some(Whole::Gzip)] {
        let directory = copy(&before);
        let made = match whole {
            None => compress(Arc::new(directory.clone()), &CompressOptions::default()).unwrap(),
            Some(whole) => pack(Arc::new(directory.clone()), whole, &CompressOptions::default()).unwrap(),
        };
        assert_eq!((made.len(), made[0].records), (names.len() - 2, there), "{whole:?}");
        let strict = all_of(&directory);
        assert_rows(&strict, &rows, &format!("{whole:?}"));
        if whole.is_none() {
            assert_reads(&directory, &rows, "recovered and compressed");
            assert_continues(&directory, &written_as(Codec::None), &rows);
        }
        let back = decompress(Arc::new(directory.clone()), &CompressOptions::default()).unwrap();
        assert_eq!(back[0].records, there, "{whole:?}");
        assert_rows(&all_of(&directory), &rows, "and back");
    }
}

#[test]
fn a_cut_or_damaged_compressed_segment_is_corruption_with_its_place_and_salvage_loses_one_block() {
    let (directory, rows) = log(&written_as(Codec::None));
    let records: Vec<u64> = rows.iter().filter(|row| !row.is_event()).map(|row| row.id).collect();
    let how = CompressOptions { block_bytes: 8 << 10, ..CompressOptions::default() };
    let made = compress(Arc::new(directory.clone()), &how).unwrap();
    let name = names(&made)[1].clone();
    let whole = directory.contents(&name).unwrap();
    let first_of_next = reader(&directory, ReaderMode::Prefix).segments()[2].first_id;
    let step = 1 + whole.len() / 60;
    for len in (200..whole.len() - 1).step_by(step) {
        directory.set_contents(&name, whole[..len].to_vec());
        let seen = read(&reader(&directory, ReaderMode::Prefix), &Filter::default(), Way::Next);
        match seen.end {
            Err(error) => {
                assert_eq!(error.kind(), Kind::Corrupt, "cut to {len}: {error}");
                assert_eq!(error.path().unwrap(), directory.path_of(&name), "cut to {len}");
                assert!(error.offset().is_some_and(|at| at <= len as u64), "cut to {len}: {error}");
            }
            // Nothing but the index and the trailer is gone.
            Ok(_) => assert_eq!(seen.rows.len(), records.len(), "cut to {len}"),
        }
    }
    for at in (0..whole.len()).step_by(step) {
        let mut bad = whole.clone();
        bad[at] ^= 4;
        directory.set_contents(&name, bad);
        let salvaged = rows_with(&directory, ReaderMode::Salvage, &Filter::default());
        let lost: Vec<u64> = records.iter().copied().filter(|id| !salvaged.iter().any(|row| row.id == *id)).collect();
        assert!(lost.windows(2).all(|pair| pair[0] + 1 == pair[1]), "one block is lost by a bit at {at}: {lost:?}");
        assert!(lost.iter().all(|&id| id < first_of_next));
        let seen = read(&reader(&directory, ReaderMode::Strict), &Filter::default(), Way::Next);
        let error = seen.end.unwrap_err();
        assert!(error.kind() == Kind::Corrupt && error.offset().is_some(), "bit at {at}: {error}");
    }
    directory.set_contents(&name, whole);
    assert_reads(&directory, &rows, "whole again");
}

#[test]
fn the_end_of_a_compressed_segment_that_is_cut_off_is_no_torn_tail() {
    let (directory, _) = log(&written_as(Codec::None));
    let made = compress(Arc::new(directory.clone()), &CompressOptions::default()).unwrap();
    let whole = directory.contents(&names(&made)[0]).unwrap();
    let alone = MemoryDirectory::new();
    alone.set_contents("cut.binlog", whole[..whole.len() / 2].to_vec());
    let seen = read(&reader(&alone, ReaderMode::Prefix), &Filter::default(), Way::Next);
    assert_eq!(seen.end.unwrap_err().kind(), Kind::Corrupt);
    let refused =
        Writer::open(Location::File(Arc::new(alone.clone()), "cut.binlog".to_owned()), WriterOptions::default());
    assert_eq!(refused.err().map(|error| error.kind()), Some(Kind::Corrupt), "nothing is cut away");
    // A torn write that an earlier version of the library left after the end is one.
    let mut torn = whole.clone();
    torn.extend_from_slice(&whole[whole.len() - 104..][..50]);
    alone.set_contents("cut.binlog", torn);
    let seen = read(&reader(&alone, ReaderMode::Prefix), &Filter::default(), Way::Next);
    assert_eq!(seen.tail().state, TailState::Torn);
    let refused = Writer::open(Location::File(Arc::new(alone), "cut.binlog".to_owned()), WriterOptions::default());
    assert_eq!(refused.err().map(|error| error.kind()), Some(Kind::Unsupported), "a compressed segment takes no more");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn any_log_comes_back(
        sizes in proptest::collection::vec((0usize..3000, 0u32..6, 0u8..12), 1..120),
        written in 0usize..3,
        zstd: bool,
        block_bytes in prop_oneof![Just(4096u32), 4096u32..40_000, Just(512 << 10)],
        threads in 1u32..4,
        roll_every in 5usize..60,
    ) {
        let directory = MemoryDirectory::new();
        let options = WriterOptions { codec: CODECS[written], block_bytes: 4096, ..WriterOptions::default() };
        let writer = Writer::open(Arc::new(directory.clone()), options.clone()).unwrap();
        for (i, &(len, type_id, what)) in sizes.iter().enumerate() {
            let payload = if what == 1 { noise(len * 20, i as u64) } else { payload(len, i as u64) };
            let pairs = MetadataBuf::from_iter((0..what / 4).map(|n| (format!("k{n}"), "wärt".repeat(usize::from(what)))));
            let type_id = if what == 2 { writer.type_id(&format!("t{type_id}"), "").unwrap() } else { type_id };
            let time = (what == 3).then_some(-(i as i64));
            let record = NewRecord { type_id, time, metadata: pairs.as_metadata(), payload: &payload };
            match what {
                5 => drop(writer.append_batch(vec![record; 1 + len % 9]).unwrap()),
                _ => drop(writer.append_record(&record).unwrap()),
            }
            if what == 7 {
                writer.flush().unwrap();
            }
            if i % roll_every == roll_every - 1 {
                writer.roll().unwrap();
            }
        }
        writer.close().unwrap();
        let rows = all_of(&directory);
        let codec = if zstd { Codec::Zstd } else { Codec::Lz4 };
        let how = CompressOptions { codec, block_bytes, threads, ..CompressOptions::default() };
        compress(Arc::new(directory.clone()), &how).unwrap();
        assert_rows(&all_of(&directory), &rows, "compressed");
        decompress(Arc::new(directory.clone()), &how).unwrap();
        assert_rows(&all_of(&directory), &rows, "decompressed");
    }
}

#[test]
fn two_that_compress_one_log_at_the_same_time_remove_no_record() {
    for round in 0..5 {
        let home = tempfile::tempdir().unwrap();
        let writer = Writer::open(home.path(), WriterOptions::default()).unwrap();
        for i in 0..60u64 {
            writer.append(7, &i.to_le_bytes()).unwrap();
            writer.roll().unwrap();
        }
        writer.close().unwrap();
        std::thread::scope(|scope| {
            for at in 0..3 {
                let path = home.path();
                scope.spawn(move || {
                    let options = CompressOptions::default();
                    // Errors name the segments that another one is at work on.
                    let _ = if round > 2 && at == 2 { decompress(path, &options) } else { compress(path, &options) };
                });
            }
        });
        let rows = rows_at(home.path());
        assert_eq!(rows.len(), 60, "round {round}");
        compress(home.path(), &CompressOptions::default()).unwrap();
        let names = std::fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap().file_name());
        let parts: Vec<_> = names.filter(|name| name.to_string_lossy().ends_with(".part")).collect();
        assert!(parts.is_empty(), "{parts:?}");
        assert_rows(&rows_at(home.path()), &rows, "compressed");
    }
}

#[test]
fn a_segment_that_is_compressed_again_is_the_same_file() {
    for codec in [Codec::Lz4, Codec::Zstd] {
        let directory = MemoryDirectory::new();
        let writer = Writer::open(Arc::new(directory.clone()), WriterOptions::default()).unwrap();
        for i in 0..20_000u64 {
            writer
                .append(7, format!("{{\"user\":{},\"action\":\"login\",\"number\":{i}}}", i % 100).as_bytes())
                .unwrap();
        }
        writer.roll().unwrap();
        writer.close().unwrap();
        let options = CompressOptions { codec, ..CompressOptions::default() };
        let once = |directory: &MemoryDirectory| {
            compress(Arc::new(directory.clone()), &options).unwrap();
            directory.contents("default.0000000001.z.binlog").unwrap()
        };
        let first = once(&directory);
        decompress(Arc::new(directory.clone()), &CompressOptions::default()).unwrap();
        let second = once(&directory);
        let differs = first.iter().zip(&second).position(|(a, b)| a != b);
        assert!(
            second == first,
            "{codec:?}: after it was decompressed: {differs:?}, {} and {} bytes",
            first.len(),
            second.len()
        );
        decompress(Arc::new(directory.clone()), &CompressOptions::default()).unwrap();
        assert!(once(&directory) == first, "{codec:?}: and once more");
    }
}

/// Retention waits until a segment has its new name, and then removes both files: a run that is killed after that
/// brings no segment back that was removed.
#[test]
fn a_segment_that_retention_removes_beside_its_compression_does_not_come_back() {
    let home = tempfile::tempdir().unwrap();
    let writer = Writer::open(home.path(), WriterOptions::default()).unwrap();
    for i in 0..6u64 {
        writer.append(7, &i.to_le_bytes()).unwrap();
        writer.roll().unwrap();
    }
    writer.close().unwrap();
    let path = home.path().to_owned();
    let keep = Retention { segments: Some(2), ..Retention::default() };
    let pruning = Arc::new(Mutex::new(None));
    let (threads, log) = (pruning.clone(), path.clone());
    let on_link = move |name: &str| {
        let mut threads = threads.lock().unwrap();
        if threads.is_none() && name.contains("0000000003") {
            let log = log.clone();
            let thread = std::thread::spawn(move || prune(&*log, None, &keep, false));
            std::thread::sleep(Duration::from_millis(200));
            assert!(!thread.is_finished(), "it waits until the segment has its name");
            *threads = Some(thread);
        }
    };
    let real = Arc::new(binlog::io::RealDirectory::open(&path).unwrap());
    let directory = Interposed { on_link: Some(Arc::new(on_link)), ..Interposed::around(real) };
    // Sources stay, as when the run is killed before it removes them.
    let options = CompressOptions { keep_source: true, ..CompressOptions::default() };
    let _ = compress(Arc::new(directory) as Arc<dyn binlog::io::Directory>, &options);
    let thread = pruning.lock().unwrap().take().expect("the third segment was compressed");
    thread.join().unwrap().unwrap();
    let mut names: Vec<String> =
        std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| name.ends_with(".binlog"));
    for removed in 1..=5 {
        assert!(!names.iter().any(|name| name.contains(&format!("{removed:010}"))), "{removed}: {names:?}");
    }
    assert!(Reader::open(&*path, ReaderOptions { mode: ReaderMode::Strict, ..ReaderOptions::default() })
        .unwrap()
        .cursor(&Filter::default())
        .unwrap()
        .next()
        .unwrap()
        .is_some());
}

#[test]
fn zeros_after_the_trailer_of_a_closed_segment_are_in_no_compressed_form_of_it() {
    // The power went when it was closed: its trailer had reached the disk, and its new length had not.
    let left_by_a_power_cut = || {
        let directory = MemoryDirectory::new();
        let options = WriterOptions { fill_ahead: Some(1 << 20), ..written_as(Codec::None) };
        let writer = Writer::open(Arc::new(directory.clone()), options.clone()).unwrap();
        (0..20u64).for_each(|i| _ = writer.append(1, &payload(700, i)).unwrap());
        writer.roll().unwrap();
        writer.append(1, b"in the second segment").unwrap();
        writer.close().unwrap();
        let first = segments(&directory)[0].clone();
        let cut = directory.contents(&first).unwrap();
        directory.set_contents(&first, [&cut[..], &[0; 50_000]].concat());
        (directory, options, cut)
    };
    let how = CompressOptions::default();
    let (directory, options, cut) = left_by_a_power_cut();
    let rows = rows_with(&directory, ReaderMode::Prefix, &Filter { events: true, ..Filter::default() });
    let without = MemoryDirectory::new();
    for name in segments(&directory) {
        without.set_contents(&name, directory.contents(&name).unwrap());
    }
    without.set_contents(&segments(&without)[0], cut.clone());
    let made = compress(Arc::new(directory.clone()), &how).unwrap();
    assert_eq!((made.len(), made[0].source_removed), (1, true));
    compress(Arc::new(without.clone()), &how).unwrap();
    let first = segments(&directory)[0].clone();
    assert_eq!(directory.contents(&first), without.contents(&first), "the same as after the zeros were cut off");
    let bytes = directory.contents(&segments(&directory)[0]).unwrap();
    assert_eq!(bytes[bytes.len() - 8..], bytes[..8], "nothing comes after the trailer");
    assert_reads(&directory, &rows, "compressed");
    assert_continues(&directory, &options, &rows);
    // A log of one file.
    let single = MemoryDirectory::new();
    let writer = Writer::open(Location::File(Arc::new(single.clone()), "one.binlog".to_owned()), options).unwrap();
    writer.append(1, b"a record").unwrap();
    writer.close().unwrap();
    let closed = single.contents("one.binlog").unwrap();
    single.set_contents("one.binlog", [&closed[..], &[0; 50_000]].concat());
    let made = compress(Location::File(Arc::new(single.clone()), "one.binlog".to_owned()), &how).unwrap();
    assert_eq!(made[0].records, 1);
    #[cfg(feature = "gzip")]
    {
        let (directory, _, cut) = left_by_a_power_cut();
        pack(Arc::new(directory.clone()), Whole::Gzip, &CompressOptions::default()).unwrap();
        decompress(Arc::new(directory.clone()), &CompressOptions::default()).unwrap();
        let packed = segments(&directory)[0].clone();
        let bytes = directory.contents(&packed).unwrap();
        assert_eq!(bytes, cut, "the segment as it was closed");
    }
}
