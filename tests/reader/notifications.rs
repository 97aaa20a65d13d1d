//! Real input: notifications of an OpenStack installation, as records of named types with the request's id as metadata,
//! read back identical by every path. `BINLOG_NOTIFICATIONS` names another file of JSON lines.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::common::*;
use binlog::{Filter, NewRecord, Reader, ReaderMode, ReaderOptions, Writer, WriterOptions};

/// One line of input.
struct Notification {
    type_name: String,
    request_id: Option<String>,
    line: Vec<u8>,
}

fn notifications(path: &Path) -> Vec<Notification> {
    let text = std::fs::read(path).unwrap();
    text.split_inclusive(|&byte| byte == b'\n')
        .map(|line| {
            let json: serde_json::Value = serde_json::from_slice(line).expect("each line is JSON");
            let text = |key: &str| json[key].as_str().map(str::to_owned);
            let type_name = text("event_type").expect("each notification has a type");
            Notification { type_name, request_id: text("_context_request_id"), line: line.to_vec() }
        })
        .collect()
}

/// Lines of the machine's own logs, typed by file.
fn machine_logs() -> Vec<Notification> {
    let mut all = vec![];
    for path in
        ["/var/log/dpkg.log", "/var/log/alternatives.log", "/var/log/syslog", "/var/log/pacman.log", "/etc/services"]
    {
        let Ok(text) = std::fs::read(path) else { continue };
        for line in text.split_inclusive(|&byte| byte == b'\n').take(3000) {
            let request_id = (line.len() % 2 == 0).then(|| format!("{path}:{}", line.len()));
            all.push(Notification { type_name: path.into(), request_id, line: line.to_vec() });
        }
    }
    all
}

fn assert_written_and_read_back(notifications: &[Notification]) {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    notifications.iter().for_each(|n| *counts.entry(&n.type_name).or_default() += 1);
    for codec in codecs() {
        for background in [false, true] {
            let scratch = tempfile::tempdir().unwrap();
            let options = WriterOptions { codec, background, segment_bytes: 2 << 20, ..WriterOptions::default() };
            let expected = write(scratch.path(), options, notifications);
            let reader =
                Reader::open(scratch.path(), ReaderOptions { mode: ReaderMode::Strict, ..ReaderOptions::default() })
                    .unwrap();
            // The times are the clock's: every reading must show those of the first one.
            let mut seen = rows_of(&reader);
            for (row, expected) in seen.iter().zip(&expected) {
                assert_eq!(Row { time: 0, ..row.clone() }, *expected, "{codec:?}");
            }
            assert_eq!(seen.len(), expected.len());
            assert_every_way(&reader, &Filter::default(), &seen);
            for (name, &count) in &counts {
                let filter = Filter { type_names: vec![(*name).to_owned()], ..Filter::default() };
                let of_type = read(&reader, &filter, Way::Batch(100)).whole();
                let lines = notifications.iter().filter(|n| n.type_name == *name).map(|n| &n.line);
                assert_eq!(of_type.len(), count, "{name}");
                assert!(of_type.iter().zip(lines).all(|(row, line)| row.payload == *line), "{name}");
            }
            let middle = seen.len() / 2;
            let rest = Filter { from_id: Some(seen[middle].id), ..Filter::default() };
            assert_rows(&read(&reader, &rest, Way::Next).whole(), &seen[middle..], "from the middle");
            seen.iter_mut().for_each(|row| row.payload.clear());
            assert_every_way(&reader, &Filter { headers_only: true, ..Filter::default() }, &seen);
        }
    }
}

/// Writes the notifications, one call each and in batches, and returns the rows to expect, without their times.
fn write(path: &Path, options: WriterOptions, notifications: &[Notification]) -> Vec<Row> {
    let writer = Writer::open(path, options).unwrap();
    let mut expected = vec![];
    for some in notifications.chunks(7) {
        let kept: Vec<_> = some
            .iter()
            .map(|n| {
                let type_id = writer.type_id(&n.type_name, "application/json").unwrap();
                let pairs: Vec<_> = n.request_id.iter().map(|id| ("request_id".to_owned(), id.clone())).collect();
                let id = expected.len() as u64 + 1;
                expected.push(Row { metadata: pairs.clone(), ..Row::new(id, 0, type_id, &n.line[..]) });
                (type_id, metadata(&pairs), &n.line)
            })
            .collect();
        let records = kept.iter().map(|(type_id, pairs, line)| NewRecord {
            type_id: *type_id,
            time: None,
            metadata: pairs.as_metadata(),
            payload: line,
        });
        match expected.len() % 2 {
            0 => assert!(writer.append_batch(records).unwrap() > 0),
            _ => records.for_each(|record| assert!(writer.append_record(&record).unwrap() > 0)),
        }
    }
    assert_eq!(writer.position().unwrap().appended, expected.len() as u64);
    writer.close().unwrap();
    expected
}

#[test]
fn a_sample_of_notifications_is_read_back_identical() {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/notifications-50.jsonl");
    let notifications = notifications(&sample);
    assert_eq!(notifications.len(), 50);
    assert_written_and_read_back(&notifications);
}

#[test]
fn all_notifications_are_read_back_identical() {
    let path = std::env::var_os("BINLOG_NOTIFICATIONS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/notifications.jsonl"),
        PathBuf::from,
    );
    let input = match path.exists() {
        true => notifications(&path),
        false => {
            println!("{} is not here: the machine's own logs are used instead", path.display());
            machine_logs()
        }
    };
    if input.is_empty() {
        println!("this machine has no logs to take either");
        return;
    }
    assert_written_and_read_back(&input);
}
