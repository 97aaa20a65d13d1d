//! A file that becomes longer while it is read.

use super::*;

/// Shows the same cursor a file that grows byte by byte; `locked`: whether a writer seems to have it open.
fn grow(log: &Log, way: Way, filter: &Filter, locked: bool) {
    let directory = MemoryDirectory::new();
    let first = log.blocks[0].start;
    directory.set_contents(FILE, log.bytes[..first].to_vec());
    let file = directory.open(FILE, Access::ReadWrite).unwrap();
    assert!(!locked || file.try_lock().unwrap());
    let mut cursor = open(&directory, ReaderMode::Prefix).cursor(filter).unwrap();
    let mut rows = vec![];
    for len in first..=log.bytes.len() {
        if len > first {
            file.write_at(&[IoSlice::new(&log.bytes[len - 1..len])], len as u64 - 1).unwrap();
        }
        let seen = drain(&mut cursor, way);
        let tail = seen.tail().clone();
        rows.extend(seen.rows.iter().cloned());
        let whole = log.blocks.iter().filter(|block| block.end <= len).count();
        let what = format!("{len} bytes, {way:?}, {filter:?}, locked {locked}: {tail:?}");
        let from = filter.from_id.unwrap_or(1) as usize;
        assert_eq!(rows.len(), (whole + 1).saturating_sub(from), "{what}");
        let at_a_block = len == first || log.blocks.iter().any(|block| block.end == len);
        let expected = match (locked, at_a_block) {
            (true, _) => TailState::Live,
            (false, true) => TailState::Unclosed,
            (false, false) => TailState::Torn,
        };
        assert_eq!(tail.state, expected, "{what}");
    }
    let headers = filter.headers_only;
    let expected = log.rows.iter().skip(filter.from_id.unwrap_or(1) as usize - 1);
    let expected: Vec<Row> = expected.map(|row| if headers { row.without_payload() } else { row.clone() }).collect();
    assert_rows(&rows, &expected, &format!("{way:?}, {filter:?}"));
}

fn filters() -> [Filter; 3] {
    let headers_only = Filter { headers_only: true, ..Filter::default() };
    [Filter::default(), headers_only, Filter { from_id: Some(3), types: vec![1], ..Filter::default() }]
}

#[test]
fn a_cursor_on_a_file_that_grows_byte_by_byte_shows_each_record_once_and_never_an_error() {
    let log = log_of(&[0, 1, 40, 7, 130].map(|len| payload(len, len as u64)));
    for way in WAYS {
        for filter in filters() {
            grow(&log, way, &filter, true);
            grow(&log, way, &filter, false);
        }
    }
}

#[test]
fn a_cursor_on_a_growing_file_is_not_misled_by_a_log_in_a_payload() {
    let inner = log_of(&[3, 30].map(|len| payload(len, len as u64)));
    let directory = MemoryDirectory::new();
    let writer = open_writer(&directory).unwrap();
    put(&writer, b"first");
    let own = directory.contents(FILE).unwrap();
    drop(writer);
    let log = log_of(&[b"first".to_vec(), inner.bytes, own, b"last".to_vec()]);
    for locked in [true, false] {
        grow(&log, Way::Next, &Filter::default(), locked);
        grow(&log, Way::Packed(4099), &Filter::default(), locked);
    }
}

#[test]
fn a_cursor_at_the_end_sees_a_writer_cut_the_torn_tail_and_continue() {
    let log = small_log();
    for torn in [1, 20, HEADER, HEADER + 3] {
        let keep = log.blocks[3].end;
        let directory = holding(&log.bytes[..keep + torn]);
        let mut cursor = open(&directory, ReaderMode::Prefix).cursor(&Filter::default()).unwrap();
        let seen = drain(&mut cursor, Way::Batch(3));
        assert_eq!(seen.tail().state, TailState::Torn);
        assert_rows(&seen.rows, &log.rows[..4], "before the torn tail");
        let writer = open_writer(&directory).unwrap();
        put(&writer, b"fifth");
        let seen = drain(&mut cursor, Way::Next);
        assert_eq!(seen.tail().state, TailState::Live);
        assert_rows(&seen.rows, &[Row::new(5, 7, 1, *b"fifth")], "in the place of the torn tail");
        writer.close().unwrap();
        assert_eq!(drain(&mut cursor, Way::Next).tail().state, TailState::Closed);
    }
}
