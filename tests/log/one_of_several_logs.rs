//! One of several logs in a directory is read by its name, whatever the others are.

use std::path::Path;
use std::time::Duration;

use crate::common::*;
use binlog::{Filter, Kind, Reader, ReaderMode, ReaderOptions, Required, Writer, WriterOptions};

fn append(path: &Path, log: &str, segments: usize) {
    let options = WriterOptions { name: log.to_owned(), ..WriterOptions::default() };
    let writer = Writer::open(path, options).unwrap();
    for segment in 0..segments {
        writer.append(1, format!("{log} {segment}").as_bytes()).unwrap();
        if segment + 1 < segments {
            writer.roll().unwrap();
        }
    }
    writer.close().unwrap();
}

fn only(log: &str, mode: ReaderMode) -> ReaderOptions {
    ReaderOptions { log: Some(log.to_owned()), mode, ..ReaderOptions::default() }
}

fn texts(reader: &Reader, filter: &Filter) -> Vec<String> {
    let rows = read(reader, filter, Way::Next).whole();
    rows.into_iter().map(|row| String::from_utf8(row.payload).unwrap()).collect()
}

#[test]
fn the_log_of_this_name_alone_is_read_whatever_the_others_are() {
    // Few files are judged by their headers, many by their names.
    for segments in [3, 100] {
        let scratch = tempfile::tempdir().unwrap();
        for log in ["a", "ab", "b"] {
            append(scratch.path(), log, segments);
        }
        let of = |log: &str, from: usize, to: usize| (from..to).map(|n| format!("{log} {n}")).collect::<Vec<_>>();
        // Damage to another log, in the middle and at the end, has no effect here.
        std::fs::write(scratch.path().join("ab.0000000002.binlog"), b"nothing of it is left").unwrap();
        std::fs::remove_file(scratch.path().join(format!("b.{segments:010}.binlog"))).unwrap();
        for mode in [ReaderMode::Prefix, ReaderMode::Strict, ReaderMode::Salvage] {
            let reader = Reader::open(scratch.path(), only("a", mode)).unwrap();
            assert_eq!(texts(&reader, &Filter::default()), of("a", 0, segments), "{mode:?}");
            assert_eq!(reader.paths().len(), segments);
            if mode != ReaderMode::Salvage {
                let last = Filter { last: Some(2), ..Filter::default() };
                assert_eq!(
                    texts(&reader, &last),
                    of("a", segments - 2, segments),
                    "which several logs at once do not have"
                );
                let mut cursor = reader.cursor(&Filter::default()).unwrap();
                assert_eq!(cursor.get(2).unwrap().unwrap().payload, b"a 1");
            }
        }
        let reader = Reader::open(scratch.path(), only("b", ReaderMode::Strict)).unwrap();
        let failed = read(&reader, &Filter::default(), Way::Next).end.unwrap_err();
        assert_eq!(failed.kind(), Kind::Corrupt, "its own damage does: {failed}");
        let error = Reader::open(scratch.path(), only("c", ReaderMode::Prefix)).err().unwrap();
        assert_eq!((error.kind(), error.reason()), (Kind::NotFound, "no log \"c\" is here"));
    }
}

#[test]
fn what_the_log_must_be_is_asked_of_the_wanted_one_alone() {
    let scratch = tempfile::tempdir().unwrap();
    for (log, content) in [("a", "text/plain"), ("b", "application/json")] {
        let options =
            WriterOptions { name: log.to_owned(), content_type: content.to_owned(), ..WriterOptions::default() };
        let writer = Writer::open(scratch.path(), options).unwrap();
        writer.append(1, log.as_bytes()).unwrap();
        writer.close().unwrap();
    }
    let require = Required { content_type: Some("application/json".to_owned()), ..Required::default() };
    let open =
        |log| Reader::open(scratch.path(), ReaderOptions { require: require.clone(), ..only(log, ReaderMode::Prefix) });
    assert_eq!(texts(&open("b").unwrap(), &Filter::default()), ["b"]);
    assert_eq!(open("a").err().unwrap().kind(), Kind::Mismatch);
}

#[test]
fn a_cursor_follows_the_log_of_this_name_over_rolls_and_passes_over_the_others() {
    let scratch = tempfile::tempdir().unwrap();
    let open = |log: &str| {
        Writer::open(scratch.path(), WriterOptions { name: log.to_owned(), ..WriterOptions::default() }).unwrap()
    };
    let (wanted, other) = (open("wanted"), open("other"));
    let reader = Reader::open(scratch.path(), only("wanted", ReaderMode::Prefix)).unwrap();
    let mut cursor = reader.cursor(&Filter::default()).unwrap();
    for id in 1..=5 {
        other.append(1, b"another").unwrap();
        other.roll().unwrap();
        assert!(!cursor.wait(Duration::from_millis(5)).unwrap());
        wanted.append(1, b"this").unwrap();
        wanted.roll().unwrap();
        assert!(cursor.wait(Duration::from_secs(20)).unwrap());
        assert_eq!(cursor.next().unwrap().map(|record| record.id), Some(id));
        assert!(cursor.next().unwrap().is_none());
    }
}
