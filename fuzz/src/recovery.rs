//! Opens bytes for writing, as the last segment of a log that a writer continues.

use std::sync::Arc;

use binlog::io::MemoryDirectory;
use binlog::{event, Kind, ReaderMode, Writer, WriterOptions};

use crate::reading::{self, End, Row, Seen};

/// Appends a record to the log in `directory`, whose last segment is `file`, and reads it back. `name` is the log's.
pub fn append_behind(directory: &MemoryDirectory, file: &str, name: &str) {
    let bytes = directory.contents(file).expect("the segment");
    let before = reading::see(directory, ReaderMode::Prefix, &reading::everything());
    let options = || WriterOptions { name: name.to_owned(), ..WriterOptions::default() };
    for round in 0..2 {
        let writer = match Writer::open(Arc::new(directory.clone()), options()) {
            Ok(writer) => writer,
            Err(error) => {
                assert!(matches!(error.kind(), Kind::Corrupt | Kind::Unsupported), "{error:?}");
                assert_eq!(round, 0, "opened once, and then refused: {error:?}");
                assert!(directory.contents(file).as_ref() == Some(&bytes), "refused, but changed");
                return;
            }
        };
        // No program can append 2^64 records. A log that claims to hold so many is not continued.
        let is_full = writer.position().is_ok_and(|position| position.appended > u64::MAX - 10);
        if is_full || !append_and_close(writer, &format!("round {round}")) {
            return;
        }
    }
    assert_kept(directory, file, &bytes);
    let after = reading::see(directory, ReaderMode::Prefix, &reading::everything()).expect("a log that was written");
    match (&after.end, before) {
        // The writer does not read durable bytes again: damage in them, which the reader reports, may precede what was
        // appended.
        (End::Damage(error), _) => assert!(error.offset() < Some(bytes.len() as u64), "{error:?}"),
        (End::Enough, _) => (),
        (End::Tail(_), before) => assert_appended(&after, before.as_ref()),
    }
}

/// False when the log cannot accept another record.
fn append_and_close(writer: Writer, payload: &str) -> bool {
    let named = writer.type_id("a type of the fuzzer's", "").map_err(|error| assert_is_limit(&error));
    let appended = writer.append(3, payload.as_bytes()).map_err(|error| assert_is_limit(&error));
    writer.close().expect("a clean end");
    named.is_ok() && appended.is_ok()
}

fn assert_is_limit(error: &binlog::Error) {
    assert_eq!(error.kind(), Kind::TooLarge, "{error:?}");
}

/// What was cut is kept beside the segment, and nothing before it has changed.
fn assert_kept(directory: &MemoryDirectory, file: &str, bytes: &[u8]) {
    let now = directory.contents(file).expect("the segment");
    let same = now.iter().zip(bytes).take_while(|(now, then)| now == then).count();
    if same < bytes.len() {
        let kept = (0..=same).rev().find_map(|at| Some((at, directory.contents(&format!("{file}.torn-{at}"))?)));
        let (at, kept) = kept.expect("bytes are gone and were not kept");
        assert!(kept == bytes[at..], "other bytes were kept than were cut");
    }
}

fn assert_appended(after: &Seen, before: Option<&Seen>) {
    let user: Vec<&Row> = after.rows.iter().filter(|row| !row.is_event()).collect();
    let [.., one, two] = &user[..] else { panic!("the appended records are not there") };
    assert_eq!((&one.payload[..], &two.payload[..]), (&b"round 0"[..], &b"round 1"[..]));
    assert_eq!(one.id + 1, two.id);
    let Some(before) = before.filter(|before| before.is_whole()) else { return };
    let kept = before.rows.iter().filter(|row| row.type_id != event::CLOSED);
    assert!(kept.eq(after.rows.iter().take(before.rows.len()).filter(|row| row.type_id != event::CLOSED)), "changed");
}
