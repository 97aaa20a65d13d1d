//! A log that is one file is created as a whole or not at all: what a writer leaves that fails or dies at the start is
//! read as a log without a record, and the next writer begins it. Nothing else is treated so.

use std::path::Path;
use std::sync::Arc;

use crate::common::{drain, Way};
use binlog::io::{Access, Directory, Fault, MemoryDirectory, PowerDirectory, RealDirectory, Survival};
use binlog::{Filter, Kind, Location, Reader, ReaderMode, ReaderOptions, TailState, Writer, WriterOptions};

const FILE: &str = "orders.binlog";

fn options() -> WriterOptions {
    WriterOptions { name: "orders".to_owned(), ..WriterOptions::default() }
}

/// Ids of the records in the file, by each way of reading, which all have to agree; and how it ends.
fn read(path: &Path) -> (Vec<u64>, TailState) {
    let modes = [ReaderMode::Prefix, ReaderMode::Strict, ReaderMode::Salvage];
    let seen = modes.map(|mode| {
        let reader = Reader::open(path, ReaderOptions { mode, ..ReaderOptions::default() }).unwrap();
        let seen = drain(&mut reader.cursor(&Filter::default()).unwrap(), Way::Next);
        let state = seen.tail().state;
        (seen.whole().iter().map(|row| row.id).collect::<Vec<_>>(), state)
    });
    assert!(seen.windows(2).all(|pair| pair[0] == pair[1]), "{seen:?}");
    seen[0].clone()
}

/// A file of one record, and the length of its beginning.
fn whole(directory: &Path) -> (Vec<u8>, usize) {
    let path = directory.join(FILE);
    let writer = Writer::open_file(&path, options()).unwrap();
    writer.append(1, b"x").unwrap();
    writer.close().unwrap();
    let bytes = std::fs::read(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let header = u32::from_le_bytes(bytes[8..12].try_into().unwrap()) as usize;
    (bytes, 12 + header + 4)
}

#[test]
fn what_is_left_of_a_beginning_has_no_records_and_is_begun_by_the_next_writer() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join(FILE);
    let (bytes, start) = whole(scratch.path());
    let zeros = |len: usize| vec![0; len];
    let left = (0..start).map(|end| bytes[..end].to_vec());
    let with_zeros = (1..start).step_by(7).map(|end| [&bytes[..end], &zeros(4096)].concat());
    for left in left.chain(with_zeros).chain([zeros(1), zeros(4096)]) {
        std::fs::write(&path, &left).unwrap();
        assert_eq!(read(&path), (vec![], TailState::Unclosed), "{} bytes", left.len());
        assert_eq!(std::fs::read(&path).unwrap(), left, "reading changes nothing");
        let reader = Reader::open(&path, ReaderOptions::default()).unwrap();
        let mut follower = reader.cursor(&Filter::default()).unwrap();
        assert!(follower.next().unwrap().is_none());

        let writer = Writer::open_file(&path, options()).unwrap();
        assert_eq!(writer.append(1, b"x").unwrap(), 1);
        writer.flush().unwrap();
        assert_eq!(follower.next().unwrap().expect("a follower sees the record").id, 1);
        writer.close().unwrap();
        assert_eq!(read(&path), (vec![1], TailState::Closed), "{} bytes", left.len());
        std::fs::remove_file(&path).unwrap();
    }
}

#[test]
fn what_may_have_held_a_record_or_is_another_file_is_not_taken_over() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join(FILE);
    let (bytes, start) = whole(scratch.path());
    let damaged = |at: std::ops::Range<usize>| {
        let mut damaged = bytes.clone();
        damaged[at].fill(0);
        damaged
    };
    let mut behind = bytes[..start].to_vec();
    behind[20] ^= 1;
    behind.push(1);
    let others = [
        ("a damaged beginning", damaged(20..30)),
        ("the first bytes are lost", damaged(0..12)),
        ("all of the beginning is lost", damaged(0..start)),
        ("something is behind a damaged beginning", behind),
        ("a text", b"orders of today\n".to_vec()),
        ("a text that begins alike", b"BINLOG\n".to_vec()),
        ("a compressed file", [&[0x1f, 0x8b, 8, 0], &[0; 100][..]].concat()),
    ];
    for (what, contents) in others {
        std::fs::write(&path, &contents).unwrap();
        let error = Writer::open_file(&path, options()).err().expect(what);
        assert_eq!(error.path(), Some(path.as_path()), "{what}: {error}");
        assert_eq!(std::fs::read(&path).unwrap(), contents, "{what}");
        // Where blocks are left, it is a damaged log, which a reader opens in order to report that.
        let read = Reader::open(&path, ReaderOptions::default())
            .and_then(|reader| reader.cursor(&Filter::default())?.next().map(|_| ()));
        assert_eq!(read.err().map(|error| error.kind()), Some(Kind::Corrupt), "{what}");
    }
}

#[test]
fn no_writer_takes_over_through_a_link_or_what_another_has_locked() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join(FILE);
    let other = scratch.path().join("other");
    std::fs::write(&other, "").unwrap();
    std::os::unix::fs::symlink(&other, &path).unwrap();
    let error = Writer::open_file(&path, options()).err().expect("a link");
    assert!(error.kind() == Kind::Invalid && error.to_string().contains("symbolic link"), "{error}");
    assert_eq!(std::fs::metadata(&other).unwrap().len(), 0);
    std::fs::remove_file(&path).unwrap();

    std::fs::write(&path, "").unwrap();
    let directory = RealDirectory::open(scratch.path()).unwrap();
    let beginning = directory.open(FILE, Access::ReadWrite).unwrap();
    assert!(beginning.try_lock().unwrap());
    assert_eq!(read(&path), (vec![], TailState::Live), "a writer is about to begin it");
    assert_eq!(Writer::open_file(&path, options()).err().unwrap().kind(), Kind::Locked);
    drop(beginning);
    Writer::open_file(&path, options()).unwrap().close().unwrap();
}

#[test]
fn a_beginning_that_fails_can_be_tried_again_wherever_it_failed() {
    for errno in [libc::ENOSPC, libc::EIO] {
        for times in [1, usize::MAX] {
            for from in 0.. {
                let directory = MemoryDirectory::new();
                let log: Arc<dyn Directory> = Arc::new(directory.clone());
                directory.set_longest_write(5);
                directory.set_fault(Some(Fault { from, times, errno, only: None }));
                let opened = Writer::open(Location::File(log.clone(), FILE.to_owned()), options());
                let has_failed = opened.is_err();
                std::mem::drop(opened);
                directory.set_fault(None);
                let writer =
                    Writer::open(Location::File(log, FILE.to_owned()), options()).expect("the next one continues");
                assert_eq!(writer.append(1, b"x").unwrap(), 1, "{from}");
                writer.close().unwrap();
                if !has_failed {
                    break;
                }
            }
        }
    }
}

#[test]
fn after_a_power_cut_in_the_first_moment_the_next_writer_begins_the_log() {
    let write = |directory: &PowerDirectory| -> binlog::Result<()> {
        let writer = Writer::open(Location::File(Arc::new(directory.clone()), FILE.to_owned()), options())?;
        // The record takes more than one page, and the later ones may survive without the first.
        writer.append(1, &[7; 9000])?;
        writer.close()
    };
    let all = PowerDirectory::new();
    write(&all).unwrap();
    for cut in 0..all.done().len() {
        let directory = PowerDirectory::new();
        directory.cut_at(cut);
        let _ = write(&directory);
        let extremes =
            [Survival::Nothing, Survival::Names, Survival::Lengths, Survival::AllButFirstPage, Survival::Everything];
        let random = (0..20).flat_map(|seed| [Survival::Until(seed), Survival::Any(seed)]);
        for survival in extremes.into_iter().chain(random) {
            let left = directory.image(survival).directory;
            let writer = Writer::open(Location::File(Arc::new(left.clone()), FILE.to_owned()), options());
            let writer = writer.unwrap_or_else(|e| panic!("cut at {cut}, {survival:?}: {e}"));
            writer.append(1, b"y").unwrap();
            writer.close().unwrap();
        }
    }
}
