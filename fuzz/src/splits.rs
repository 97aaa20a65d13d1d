//! Tokens of splits: texts that others may have written.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::ptr::{null, null_mut};
use std::sync::{Arc, OnceLock};

use binlog::ffi::*;
use binlog::io::MemoryDirectory;
use binlog::splits::PlanOptions;
use binlog::{Filter, Kind, Reader, ReaderMode, ReaderOptions, Writer, WriterOptions};

use crate::reading::{everything, Row};
use crate::scratch::Scratch;

/// Ids and segments of the log: four of ten records, and one that is not closed, with five.
const RECORDS: u64 = 45;

struct Log {
    directory: MemoryDirectory,
    id: String,
    rows: Vec<Row>,
}

/// The log that the tokens are of, or not.
fn log() -> &'static Log {
    static LOG: OnceLock<Log> = OnceLock::new();
    LOG.get_or_init(|| {
        let directory = MemoryDirectory::new();
        let options = WriterOptions { block_bytes: 4096, ..WriterOptions::default() };
        let writer = Writer::open(Arc::new(directory.clone()), options).expect("a log");
        for i in 1..=RECORDS {
            writer.append((i % 3) as u32, format!("record {i}").repeat(30).as_bytes()).expect("appended");
            if i % 10 == 0 {
                writer.roll().expect("rolled");
            }
        }
        writer.flush().expect("flushed");
        // As a crash leaves it: the last segment has no end.
        let copy = MemoryDirectory::new();
        for name in binlog::io::Directory::list(&directory).expect("listed") {
            copy.set_contents(&name, directory.contents(&name).expect("a file"));
        }
        let reader = Reader::open(Arc::new(copy.clone()), ReaderOptions::default()).expect("a log");
        let plan = reader.plan(&Filter::default(), &PlanOptions::default()).expect("planned");
        let id = plan.splits()[0].token.split(':').nth(2).expect("an id").to_owned();
        let rows = rows(&reader, &everything()).0;
        Log { directory: copy, id, rows }
    })
}

/// The bytes are a token, in which LOGID is the id of the log, and PLACE, at the end, where it is.
pub fn splits(bytes: &[u8]) {
    let log = log();
    let text = String::from_utf8_lossy(bytes).replace("LOGID", &log.id);
    by_the_c_interface(bytes, &text);
    for mode in [ReaderMode::Prefix, ReaderMode::Strict, ReaderMode::Salvage] {
        let options = ReaderOptions { mode, ..ReaderOptions::default() };
        match Reader::open_split_at(&text, Arc::new(log.directory.clone()), options) {
            Ok(reader) => read(&reader, mode, &text),
            Err(error) => assert_refusal(&error, &text),
        }
    }
}

fn read(reader: &Reader, mode: ReaderMode, text: &str) {
    let (first_id, last_id) = ids(text);
    let (rows, end) = rows(reader, &everything());
    for row in &rows {
        assert!(
            (first_id..=last_id.saturating_add(u64::from(row.is_event()))).contains(&row.id),
            "{} of {text}",
            row.id
        );
        assert!(log().rows.contains(row), "a record that the log does not have");
    }
    assert!(rows.windows(2).all(|pair| pair[0].id <= pair[1].id), "not in order");
    let _ = reader.counts();
    let _ = reader.types();
    for id in [0, 1, first_id, last_id, RECORDS, u64::MAX] {
        if let Ok(Some(record)) = reader.cursor(&Filter::default()).and_then(|mut cursor| {
            let found = cursor.get(id)?;
            Ok(found.map(|record| record.id))
        }) {
            assert!(record == id && (first_id..=last_id).contains(&id), "{record} for {id}: {text}");
        }
    }
    if mode != ReaderMode::Prefix || !end.is_ok_and(|missed| missed == 0) {
        return;
    }
    let newest = Filter { newest_first: true, ..everything() };
    let (mut backward, end) = self::rows(reader, &newest);
    // Where a list of names lacks some, only forward reading finds the files behind the last one.
    if end.is_ok_and(|missed| missed == 0) && !text.contains(":=") {
        backward.reverse();
        assert!(backward == rows, "the newest first shows others: {text}");
    }
    // Ids and segments need not belong together in such a token. What its parts show is in the log nevertheless.
    let Ok(plan) = reader.plan(&everything(), &PlanOptions { target_bytes: 1, most: 0 }) else { return };
    for split in plan.splits() {
        let again = Reader::open_split_at(&split.token, Arc::new(log().directory.clone()), ReaderOptions::default())
            .unwrap_or_else(|error| panic!("{error} for {} of {text}", split.token));
        let (rows, _) = self::rows(&again, &everything());
        assert!(rows.iter().all(|row| log().rows.contains(row)), "a record that the log does not have: {text}");
    }
}

/// What a cursor shows until its end or the first error; and how often records were missed, beyond which it goes on.
fn rows(reader: &Reader, filter: &Filter) -> (Vec<Row>, binlog::Result<u32>) {
    let mut cursor = match reader.cursor(filter) {
        Ok(cursor) => cursor,
        Err(error) => return (vec![], Err(error)),
    };
    let (mut rows, mut missed) = (vec![], 0);
    loop {
        match cursor.next() {
            Ok(Some(record)) => rows.push(Row::from(&record)),
            Ok(None) => return (rows, Ok(missed)),
            Err(error) if error.kind() == Kind::Missed => {
                missed += 1;
                assert!(missed < 10, "missed again and again: {error}");
            }
            Err(error) => return (rows, Err(error)),
        }
    }
}

/// Of a token that was read without an error.
fn ids(text: &str) -> (u64, u64) {
    let ids = text.split(':').nth(3).expect("the ids").trim_end_matches('+');
    let (first, last) = ids.split_once('-').expect("two ids");
    (first.parse().expect("an id"), last.parse().expect("an id"))
}

fn assert_refusal(error: &binlog::Error, text: &str) {
    let expected = [Kind::Invalid, Kind::Unsupported, Kind::Missed, Kind::Mismatch, Kind::NotFound, Kind::Corrupt];
    assert!(expected.contains(&error.kind()), "{error:?}: {text}");
    assert!(!error.reason().is_empty() && !error.to_string().contains('\n'), "{error:?}");
}

/// Opened by the C interface only where the token names the log's own directory, or cannot name any.
fn by_the_c_interface(bytes: &[u8], text: &str) {
    let scratch = Scratch::new();
    let (text, is_ours) = match text.strip_suffix(":PLACE") {
        Some(before) if !before.contains('/') => {
            for name in binlog::io::Directory::list(&log().directory).expect("listed") {
                std::fs::write(scratch.path().join(&name), log().directory.contents(&name).expect("a file"))
                    .expect("written");
            }
            (format!("{before}:").into_bytes(), true)
        }
        _ if text.split(':').count() < 8 => (bytes.to_vec(), false),
        _ => return,
    };
    let place = if is_ours { scratch.path().as_os_str().as_bytes() } else { b"" };
    let Ok(token) = CString::new([&text, place].concat()) else { return };
    let (mut reader, mut err) = (null_mut(), null_mut());
    // SAFETY: the token ends with a NUL, the outs are valid, and what is given is closed once.
    unsafe {
        let status = binlog_split_open(token.as_ptr(), null(), &mut reader, &mut err);
        assert_eq!(status == BINLOG_OK, !reader.is_null());
        assert_eq!(binlog_error_status(err), status);
        let refusals = [
            BINLOG_E_INVALID,
            BINLOG_E_UNSUPPORTED,
            BINLOG_E_MISSED,
            BINLOG_E_MISMATCH,
            BINLOG_E_NOT_FOUND,
            BINLOG_E_CORRUPT,
        ];
        assert!(status == BINLOG_OK || refusals.contains(&status), "{status}");
        assert!(is_ours || status == BINLOG_E_INVALID || status == BINLOG_E_UNSUPPORTED, "{status}");
        binlog_error_free(err);
        binlog_reader_close(reader);
    }
}
