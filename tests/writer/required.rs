//! A program that finds another log than it was made for gets an error.

use crate::common::*;
use binlog::{Kind, Reader, ReaderOptions, Required, Writer, WriterOptions};

#[test]
fn a_reader_refuses_a_log_that_is_not_the_one_that_was_required() {
    let scratch = tempfile::tempdir().unwrap();
    let pairs =
        |pairs: &[(&str, &str)]| pairs.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
    let options = WriterOptions {
        name: "orders".into(),
        content_type: "application/json".into(),
        parameters: pairs(&[("unit", "EUR"), ("site", "north")]),
        ..WriterOptions::default()
    };
    let writer = Writer::open(scratch.path(), options).unwrap();
    writer.append(1, b"{}").unwrap();
    writer.close().unwrap();
    let file = scratch.path().join("orders.0000000001.binlog");
    let open = |require: Required| {
        let options = ReaderOptions { require, ..ReaderOptions::default() };
        // The file alone has the same answer as the directory.
        let alone = Reader::open(&file, options.clone()).map(|_| ());
        let all = Reader::open(scratch.path(), options);
        assert_eq!(alone.err().map(|e| e.to_string()), all.as_ref().err().map(|e| e.to_string()));
        all
    };
    let fine = Required {
        name: Some("orders".into()),
        content_type: Some("application/json".into()),
        parameters: pairs(&[("unit", "EUR")]),
    };
    assert_eq!(rows_of(&open(fine.clone()).unwrap()).len(), 1);
    open(Required::default()).unwrap();
    for (refused, says) in [
        (Required { name: Some("order".into()), ..fine.clone() }, "\"order\" was required"),
        (Required { content_type: Some("text/plain".into()), ..fine.clone() }, "\"text/plain\" was required"),
        (Required { parameters: pairs(&[("unit", "USD")]), ..fine.clone() }, "is \"EUR\"; \"USD\" was required"),
        (Required { parameters: pairs(&[("zone", "UTC")]), ..fine }, "is not there; \"UTC\" was required"),
    ] {
        let error = open(refused).err().unwrap();
        assert_eq!((error.kind(), error.path()), (Kind::Mismatch, Some(file.as_path())));
        assert!(error.reason().contains(says), "{error}");
    }
}

#[test]
fn every_log_of_a_directory_must_be_the_required_one() {
    let scratch = tempfile::tempdir().unwrap();
    for name in ["a", "b"] {
        let writer = Writer::open(scratch.path(), WriterOptions { name: name.into(), ..WriterOptions::default() });
        writer.unwrap().close().unwrap();
    }
    let require = Required { name: Some("a".into()), ..Required::default() };
    let options = ReaderOptions { require, ..ReaderOptions::default() };
    assert_eq!(Reader::open(scratch.path(), options.clone()).err().unwrap().kind(), Kind::Mismatch);
    Reader::open(scratch.path().join("a.*.binlog"), options).unwrap();
}
