//! Damage, salvage, and the end of a live log.

use std::sync::Arc;

use binlog::columns::TableOptions;
use binlog::{Codec, Filter, Kind, Reader, ReaderMode, ReaderOptions, Writer, WriterOptions};

use crate::common::hearing;
use crate::logs::*;

/// A log of many blocks with a damaged payload in the middle: the file, and its bytes.
fn damaged_log() -> (tempfile::TempDir, std::path::PathBuf) {
    let home = tempfile::tempdir().unwrap();
    let options = WriterOptions { block_bytes: 4096, codec: Codec::None, ..WriterOptions::default() };
    let writer = Writer::open(home.path().join("log"), options).unwrap();
    (0..2000).for_each(|i| assert_eq!(writer.append(1, format!("{i:0100}").as_bytes()).unwrap(), i + 1));
    writer.close().unwrap();
    let log = home.path().join("log");
    let file = std::fs::read_dir(&log)
        .unwrap()
        .map(|e| e.unwrap().path())
        .find(|p| p.extension().is_some_and(|extension| extension == "binlog"));
    let file = file.unwrap();
    let mut bytes = std::fs::read(&file).unwrap();
    let text = format!("{:0100}", 1000);
    let at = bytes.windows(100).position(|window| window == text.as_bytes()).unwrap();
    bytes[at + 50] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    (home, log)
}

#[test]
fn damage_is_an_error_after_the_whole_rows_before_it_and_stays_one() {
    let (_home, log) = damaged_log();
    let reader = Reader::open(&log, ReaderOptions::default()).unwrap();
    let mut cursor = reader.cursor(&Filter::default()).unwrap();
    let mut before = 0;
    let error = loop {
        match cursor.next() {
            Ok(record) => before = record.expect("there is damage").id,
            Err(error) => break error,
        }
    };
    for batch_rows in [1, 64, 1 << 20] {
        let mut table = reader.table(&Filter::default(), &TableOptions { batch_rows, ..all_columns() }).unwrap();
        let mut last = 0;
        let found = loop {
            match table.next_batch() {
                Ok(batch) => last = rows_of(&batch.expect("there is damage")).last().unwrap().id,
                Err(error) => break error,
            }
        };
        assert_eq!((last, found.to_string()), (before, error.to_string()));
        assert_eq!(found.kind(), Kind::Corrupt);
        for _ in 0..3 {
            assert_eq!(table.next_batch().err().map(|again| again.to_string()), Some(error.to_string()));
        }
    }
}

#[test]
fn a_table_of_a_reader_that_salvages_continues_and_the_losses_are_reported() {
    let (_home, log) = damaged_log();
    let (options, heard) = hearing(ReaderMode::Salvage);
    let reader = Reader::open(&log, options).unwrap();
    let expected = expected(&reader, &Filter::default());
    let lost = std::mem::take(&mut *heard.lock().unwrap());
    assert!(!lost.is_empty() && expected.last().unwrap().id == 2000);
    let mut table = reader.table(&Filter::default(), &all_columns()).unwrap();
    assert_eq!(all_rows(&mut table), expected);
    assert_eq!(heard.lock().unwrap().len(), lost.len());
    drop(Arc::clone(&heard));
}

#[test]
fn a_table_of_a_live_log_ends_where_the_log_ended() {
    let home = tempfile::tempdir().unwrap();
    let writer = Writer::open(home.path().join("log"), WriterOptions::default()).unwrap();
    writer.append(1, b"first").unwrap();
    writer.flush().unwrap();
    let reader = Reader::open(home.path().join("log"), ReaderOptions::default()).unwrap();
    let mut table = reader.table(&Filter::default(), &all_columns()).unwrap();
    assert_eq!(all_rows(&mut table).len(), 1);
    writer.append(1, b"second").unwrap();
    writer.flush().unwrap();
    assert!(table.next_batch().unwrap().is_none());
    assert_eq!(all_rows(&mut reader.table(&Filter::default(), &all_columns()).unwrap()).len(), 2);
}

#[test]
fn a_table_of_the_last_rows_has_so_many_although_more_are_appended_before_it_is_read() {
    let home = tempfile::tempdir().unwrap();
    let writer = Writer::open(home.path(), WriterOptions::default()).unwrap();
    let append = |count| {
        for _ in 0..count {
            writer.append(1, b"a record").unwrap();
        }
        writer.flush().unwrap();
    };
    append(10);
    let reader = Reader::open(home.path(), ReaderOptions::default()).unwrap();
    for last in [0, 1, 3, 10] {
        let filter = Filter { last: Some(last), ..Filter::default() };
        let mut table = reader.table(&filter, &TableOptions::default()).unwrap();
        append(100);
        let mut rows = 0;
        while let Some(batch) = table.next_batch().unwrap() {
            rows += batch.rows() as u64;
        }
        assert_eq!(rows, last);
    }
}
