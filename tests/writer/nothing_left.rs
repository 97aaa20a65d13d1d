//! Logs without a segment that can be opened: never begun, or with nothing left but blocks or bytes. A reader opens
//! them, shows what there is, and reports what is lost.

use std::sync::Arc;

use crate::common::*;
use binlog::io::MemoryDirectory;
use binlog::{Filter, Kind, Loss, LossKind, Reader, ReaderMode, ReaderOptions, TailState, Writer, WriterOptions};

const FILE: &str = "default.0000000001.binlog";
const MODES: [ReaderMode; 3] = [ReaderMode::Prefix, ReaderMode::Strict, ReaderMode::Salvage];

fn writer(directory: &MemoryDirectory) -> Writer {
    Writer::open(Arc::new(directory.clone()), WriterOptions::default()).unwrap()
}

/// A closed log of one segment with twenty records, whose lock file records that they were durable.
fn a_log() -> MemoryDirectory {
    let directory = MemoryDirectory::new();
    let writer = writer(&directory);
    (1..=20).for_each(|id| assert_eq!(writer.append(1, &payload(50, id)).unwrap(), id));
    writer.sync().unwrap();
    writer.close().unwrap();
    directory
}

fn open(directory: &MemoryDirectory, mode: ReaderMode) -> (Reader, std::sync::Arc<std::sync::Mutex<Vec<Loss>>>) {
    let (options, losses) = hearing(mode);
    (Reader::open(Arc::new(directory.clone()), options).unwrap(), losses)
}

#[test]
fn a_directory_with_nothing_but_files_that_were_never_begun_is_an_empty_log_until_a_writer_begins_it() {
    let whole = a_log().contents(FILE).unwrap();
    for left in [vec![], vec![0; 4096], whole[..50].to_vec(), whole[..8].to_vec()] {
        for mode in MODES {
            let directory = MemoryDirectory::new();
            directory.set_contents(FILE, left.clone());
            let (reader, losses) = open(&directory, mode);
            let newest = Filter { newest_first: true, ..Filter::default() };
            let last = Filter { last: Some(3), ..Filter::default() };
            for filter in [Filter::default(), newest, last] {
                if filter.newest_first && mode == ReaderMode::Salvage {
                    continue;
                }
                let seen = read(&reader, &filter, Way::Next);
                let (rows, tail) = (seen.rows.len(), seen.tail().clone());
                assert_eq!((rows, tail.state, tail.next_id), (0, TailState::Unclosed, 1), "{mode:?} {filter:?}");
            }
            assert!(losses.lock().unwrap().is_empty(), "{mode:?}: {losses:?}");
            assert_eq!(reader.counts().unwrap(), []);
            assert_eq!(reader.leftovers().len(), 1);
            let mut follower = reader.cursor(&Filter::default()).unwrap();
            assert!(follower.next().unwrap().is_none());

            let writer = writer(&directory);
            assert_eq!(writer.append(1, b"the first").unwrap(), 1);
            writer.flush().unwrap();
            assert_eq!(follower.next().unwrap().map(|record| record.id), Some(1), "{mode:?}");
            assert_eq!(read(&reader, &Filter { last: Some(1), ..Filter::default() }, Way::Next).rows[0].id, 1);
            writer.close().unwrap();
        }
    }
    let nothing = Reader::open(Arc::new(MemoryDirectory::new()), ReaderOptions::default());
    assert_eq!(nothing.err().map(|error| error.kind()), Some(Kind::NotFound), "an empty directory is no log");
}

#[test]
fn a_log_whose_only_segment_has_lost_its_beginning_is_opened_and_the_loss_is_reported() {
    let damaged = |bytes: &mut Vec<u8>| bytes[..30].fill(0xff);
    let nothing = |bytes: &mut Vec<u8>| bytes.fill(0);
    for (damage, left) in [(damaged as fn(&mut Vec<u8>), 20), (nothing, 0)] {
        let directory = a_log();
        let mut bytes = directory.contents(FILE).unwrap();
        damage(&mut bytes);
        directory.set_contents(FILE, bytes);
        for mode in MODES {
            let (reader, losses) = open(&directory, mode);
            let seen = read(&reader, &Filter::default(), Way::Next);
            let losses = losses.lock().unwrap();
            match mode {
                ReaderMode::Salvage => {
                    assert_eq!((seen.rows.len(), losses.len()), (left, 1), "{losses:?}");
                    assert_eq!(losses[0].kind, LossKind::HeaderLost, "{losses:?}");
                    assert!(losses[0].path.ends_with(FILE));
                }
                _ => {
                    let error = seen.end.unwrap_err();
                    assert_eq!((seen.rows.len(), error.kind()), (0, Kind::Corrupt), "{mode:?}");
                    assert!(error.path().unwrap().ends_with(FILE), "{error}");
                    let newest = read(&reader, &Filter { newest_first: true, ..Filter::default() }, Way::Next);
                    assert_eq!(newest.end.unwrap_err().kind(), Kind::Corrupt, "{mode:?}");
                }
            }
        }
    }
}

#[test]
fn each_loss_says_what_it_is() {
    let log = || {
        let directory = MemoryDirectory::new();
        let options = WriterOptions { block_bytes: 4096, ..WriterOptions::default() };
        let writer = Writer::open(Arc::new(directory.clone()), options).unwrap();
        for id in 1..=60 {
            assert_eq!(writer.append(1, &noise(3000, id)).unwrap(), id);
            if id % 20 == 0 && id < 60 {
                writer.roll().unwrap();
            }
        }
        writer.sync().unwrap();
        directory
    };
    let name = |number: u64| format!("default.{number:010}.binlog");
    let change = |directory: &MemoryDirectory, number: u64, how: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = directory.contents(&name(number)).unwrap();
        how(&mut bytes);
        directory.set_contents(&name(number), bytes);
    };
    let copy_to = |directory: &MemoryDirectory, from: u64, to: &str| {
        let bytes = directory.contents(&name(from)).unwrap();
        directory.set_contents(to, bytes);
    };
    type Change<'a> = &'a dyn Fn(&MemoryDirectory);
    let cases: [(LossKind, Change<'_>); 8] = [
        (LossKind::Damage, &|log| change(log, 2, &|bytes| bytes[20_000] ^= 1)),
        (LossKind::TornTail, &|log| change(log, 3, &|bytes| bytes.extend([7; 100]))),
        (LossKind::Missing, &|log| binlog::io::Directory::remove(log, &name(2)).unwrap()),
        (LossKind::HeaderLost, &|log| change(log, 2, &|bytes| bytes[20] ^= 1)),
        (LossKind::Shifted, &|log| {
            change(log, 2, &|bytes| {
                bytes.remove(20_000);
            })
        }),
        (LossKind::Double, &|log| copy_to(log, 2, "a copy.binlog")),
        (LossKind::Misnamed, &|log| {
            copy_to(log, 2, &name(7));
            binlog::io::Directory::remove(log, &name(2)).unwrap();
        }),
        (LossKind::Newer, &|log| {
            change(log, 2, &|bytes| {
                let end = 12 + u32::from_le_bytes(bytes[8..12].try_into().unwrap()) as usize;
                bytes[6] = 0x30;
                let sum = crc32fast::hash(&bytes[..end]);
                bytes[end..end + 4].copy_from_slice(&sum.to_le_bytes());
            });
        }),
    ];
    for (kind, damage) in cases {
        let directory = log();
        let copy = history::copy_of(&directory);
        damage(&copy);
        let (reader, losses) = open(&copy, ReaderMode::Salvage);
        read(&reader, &Filter::default(), Way::Next);
        let kinds: Vec<LossKind> = losses.lock().unwrap().iter().map(|loss| loss.kind).collect();
        assert!(kinds.contains(&kind), "{kind:?}: {losses:?}");
        let only = |loss: &Loss| loss.kind == kind || (kind == LossKind::Newer && loss.kind == LossKind::Missing);
        assert!(losses.lock().unwrap().iter().all(only), "{kind:?}: {losses:?}");
    }
}
