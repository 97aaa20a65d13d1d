//! A reader's bound for the memory of a block: a block over it is an error with its place, and a loss for salvage.

use std::path::Path;
use std::sync::{Arc, Mutex};

use binlog::recovery::recover;
use binlog::{Codec, Filter, Kind, Loss, Reader, ReaderMode, ReaderOptions, Writer, WriterOptions};

const MIB: usize = 1 << 20;

/// A log of four blocks: a small record; one of 8 MiB; a batch of 60,000 tiny ones; a small one.
fn a_log(path: &Path, codec: Codec) {
    let writer = Writer::open(path, WriterOptions { codec, ..WriterOptions::default() }).unwrap();
    writer.append(1, b"before").unwrap();
    writer.append(2, &vec![7; 8 * MIB]).unwrap();
    let tiny = binlog::NewRecord { type_id: 3, payload: b"tiny", ..binlog::NewRecord::default() };
    writer.append_batch(std::iter::repeat_n(tiny, 60_000)).unwrap();
    writer.flush().unwrap();
    writer.append(1, b"behind").unwrap();
    writer.close().unwrap();
}

fn bounded(block_max_bytes: u64) -> ReaderOptions {
    ReaderOptions { block_max_bytes, ..ReaderOptions::default() }
}

/// Ids of the records, and the kind of the error that ended the reading.
fn read(path: &Path, options: ReaderOptions, filter: &Filter) -> (Vec<u64>, Option<Kind>) {
    let mut cursor = Reader::open(path, options).unwrap().cursor(filter).unwrap();
    let mut ids = vec![];
    loop {
        match cursor.next() {
            Ok(Some(record)) => ids.push(record.id),
            Ok(None) => return (ids, None),
            Err(error) => return (ids, Some(error.kind())),
        }
    }
}

#[test]
fn a_block_over_the_bound_is_an_error_with_its_place_and_size_and_the_others_can_be_read() {
    for codec in [Codec::None, Codec::Lz4, Codec::Zstd] {
        let home = tempfile::tempdir().unwrap();
        a_log(home.path(), codec);
        let all: Vec<u64> = (1..=60_003).collect();
        assert_eq!(read(home.path(), bounded(0), &Filter::default()), (all.clone(), None), "by default");
        let stopped = (vec![1], Some(Kind::TooLarge));
        assert_eq!(read(home.path(), bounded(4 * MIB as u64), &Filter::default()), stopped, "{codec:?}");
        let headers = Filter { headers_only: true, ..Filter::default() };
        assert_eq!(read(home.path(), bounded(4 * MIB as u64), &headers), (all.clone(), None), "headers of all");
        let reader = Reader::open(home.path(), bounded(4 * MIB as u64)).unwrap();
        let mut cursor = reader.cursor(&Filter::default()).unwrap();
        assert_eq!(cursor.next().unwrap().unwrap().id, 1);
        for _ in 0..2 {
            let error = cursor.next().unwrap_err();
            assert_eq!(error.kind(), Kind::TooLarge, "again and again");
            assert!(error.path().is_some() && error.offset().is_some(), "{error:?}");
            assert!(error.reason().contains("raise block_max_bytes"), "{error}");
        }
        assert_eq!(cursor.get(60_003).unwrap().unwrap().payload, b"behind", "others are found");
        let last = Filter { from_id: Some(3), ..Filter::default() };
        assert_eq!(read(home.path(), bounded(4 * MIB as u64), &last), (all[2..].to_vec(), None));
    }
}

#[test]
fn salvage_continues_behind_a_block_over_the_bound_and_counts_its_records_as_lost() {
    for codec in [Codec::None, Codec::Zstd] {
        let home = tempfile::tempdir().unwrap();
        let log = home.path().join("log");
        a_log(&log, codec);
        let losses: Arc<Mutex<Vec<Loss>>> = Arc::default();
        let noted = losses.clone();
        let options = ReaderOptions {
            mode: ReaderMode::Salvage,
            on_loss: Some(Arc::new(move |loss| noted.lock().unwrap().push(loss.clone()))),
            ..bounded(4 * MIB as u64)
        };
        let mut rest: Vec<u64> = (1..=60_003).collect();
        rest.remove(1);
        assert_eq!(read(&log, options.clone(), &Filter::default()), (rest.clone(), None));
        {
            let losses = losses.lock().unwrap();
            assert_eq!(losses.len(), 1, "{losses:?}");
            assert_eq!(losses[0].ids, Some((2, 2)));
            assert!(losses[0].bytes > 0 && losses[0].reason.contains("raise block_max_bytes"), "{losses:?}");
        }
        let recovery = recover(&log, home.path().join("saved"), options).unwrap();
        assert_eq!((recovery.records, recovery.lost_records), (60_002, 1));
        assert_eq!(read(&home.path().join("saved"), bounded(0), &Filter::default()), (rest, None));
    }
}

#[test]
fn a_list_of_tiny_records_counts_and_without_one_they_are_read_nevertheless() {
    let home = tempfile::tempdir().unwrap();
    a_log(home.path(), Codec::None);
    let newest = Filter { newest_first: true, types: vec![3], ..Filter::default() };
    let (ids, error) = read(home.path(), bounded(MIB as u64), &newest);
    assert_eq!((ids.len(), error), (0, Some(Kind::TooLarge)));
    assert_eq!(read(home.path(), bounded(32 * MIB as u64), &newest).0.len(), 60_000);
    // From the oldest on they need not be listed.
    let tiny = Filter { types: vec![3], ..Filter::default() };
    assert_eq!(read(home.path(), bounded(MIB as u64), &tiny), ((3..=60_002).collect(), None));
}

#[test]
fn a_torn_tail_that_claims_more_than_the_bound_is_a_torn_tail() {
    let home = tempfile::tempdir().unwrap();
    a_log(home.path(), Codec::None);
    let file = Reader::open(home.path(), bounded(0)).unwrap().paths().remove(0);
    std::fs::OpenOptions::new().write(true).open(&file).unwrap().set_len(2 * MIB as u64).unwrap();
    // As a kill leaves it: the length of the log at its close was not recorded.
    std::fs::remove_file(home.path().join("default.lock")).unwrap();
    let mut cursor = Reader::open(home.path(), bounded(MIB as u64)).unwrap().cursor(&Filter::default()).unwrap();
    assert_eq!(cursor.next().unwrap().unwrap().id, 1);
    assert!(cursor.next().unwrap().is_none());
    assert_eq!(cursor.tail().state, binlog::TailState::Torn);
}
