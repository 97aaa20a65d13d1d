//! Events may have payloads: those of legacy files do, and a later version's may. They are shown with the events,
//! passed over without them, and kept by everything that writes a log anew; with headers only, they are as absent as a
//! record's.

use std::path::Path;
use std::sync::{Arc, Mutex};

use binlog::compression::{compress, decompress, CompressOptions};
use binlog::ffi::*;
use binlog::recovery::recover;
use binlog::{event, Filter, Kind, Loss, NewRecord, Reader, ReaderMode, ReaderOptions, Writer, WriterOptions};

const LEN: usize = 9000;

fn payload(seed: u8) -> Vec<u8> {
    (0..LEN).map(|i| (i as u8).wrapping_mul(31) ^ seed).collect()
}

/// A file of the Java binlog: a record, a heartbeat with a payload, a record, one more heartbeat.
fn java_binlog() -> Vec<u8> {
    let mut bytes = b"MFIZZ.COM-BINLOG\x10\x01\x00\x00\x00\x02\x28\x04".to_vec();
    for (id, is_event, data) in
        [(1, false, payload(1)), (2, true, payload(2)), (3, false, b"short".to_vec()), (4, true, payload(4))]
    {
        let mut header = vec![0x08, id, 0x11];
        header.extend_from_slice(&1_600_000_000_000u64.to_le_bytes());
        header.extend_from_slice(if is_event { &[0x28, 3] } else { &[0x18, 7] });
        bytes.extend_from_slice(&((4 + header.len() + data.len()) as u32).to_be_bytes());
        bytes.extend_from_slice(&(header.len() as u32).to_be_bytes());
        bytes.extend_from_slice(&header);
        bytes.extend_from_slice(&data);
    }
    bytes
}

/// A log of this library with the same records and events.
fn a_log(home: &Path) -> std::path::PathBuf {
    let log = home.join("log");
    let writer = Writer::open(&log, WriterOptions { name: "log".into(), ..WriterOptions::default() }).unwrap();
    let heartbeat = |payload: &[u8]| {
        let event = NewRecord { type_id: event::HEARTBEAT, payload, ..NewRecord::default() };
        writer.append_event(&event).unwrap();
    };
    writer.append(7, &payload(1)).unwrap();
    heartbeat(&payload(2));
    writer.append(7, b"short").unwrap();
    heartbeat(&payload(4));
    for type_id in [event::TYPE, event::OPENED, 7] {
        let error = writer.append_event(&NewRecord { type_id, ..NewRecord::default() }).unwrap_err();
        assert_eq!(error.kind(), Kind::Invalid, "{error}");
    }
    writer.close().unwrap();
    log
}

/// Type, payload and stated length of records and of heartbeats.
fn shown(path: &Path, mode: ReaderMode, filter: &Filter) -> Vec<(u32, Vec<u8>, u32)> {
    let reader = Reader::open(path, ReaderOptions { mode, ..ReaderOptions::default() }).unwrap();
    let mut cursor = reader.cursor(filter).unwrap();
    let mut rows = vec![];
    while let Some(record) = cursor.next().unwrap() {
        if !record.is_event() || record.type_id == event::HEARTBEAT {
            rows.push((record.type_id, record.payload.to_vec(), record.payload_len));
        }
    }
    rows
}

fn rows(events: bool) -> Vec<(u32, Vec<u8>, u32)> {
    let all = [(7, payload(1)), (event::HEARTBEAT, payload(2)), (7, b"short".to_vec()), (event::HEARTBEAT, payload(4))];
    let wanted = all.into_iter().filter(|(type_id, _)| events || *type_id == 7);
    wanted.map(|(type_id, payload)| (type_id, payload.clone(), payload.len() as u32)).collect()
}

fn check(path: &Path) {
    for events in [false, true] {
        let filter = Filter { events, ..Filter::default() };
        for mode in [ReaderMode::Prefix, ReaderMode::Salvage] {
            assert_eq!(shown(path, mode, &filter), rows(events));
        }
        let reversed: Vec<_> = rows(events).into_iter().rev().collect();
        let newest = Filter { newest_first: true, ..filter.clone() };
        assert_eq!(shown(path, ReaderMode::Prefix, &newest), reversed);
        let headers = Filter { headers_only: true, ..filter.clone() };
        let lengths: Vec<_> = rows(events).into_iter().map(|(type_id, _, len)| (type_id, vec![], len)).collect();
        assert_eq!(shown(path, ReaderMode::Prefix, &headers), lengths);
    }
    let events = Filter { events: true, types: vec![event::HEARTBEAT], ..Filter::default() };
    assert_eq!(shown(path, ReaderMode::Prefix, &events).len(), 2);
    let reader = Reader::open(path, ReaderOptions::default()).unwrap();
    let mut cursor = reader.cursor(&Filter { events: true, ..Filter::default() }).unwrap();
    assert_eq!(cursor.get(2).unwrap().unwrap().payload, b"short");
}

#[test]
fn payloads_of_events_are_shown_with_them_and_kept_by_what_writes_a_log_anew() {
    let home = tempfile::tempdir().unwrap();
    let log = a_log(home.path());
    std::fs::write(home.path().join("old.binlog"), java_binlog()).unwrap();
    assert_eq!(shown(&home.path().join("old.binlog"), ReaderMode::Prefix, &Filter::default()), rows(false));
    check(&log);
    recover(&log, home.path().join("recovered"), ReaderOptions::default()).unwrap();
    check(&home.path().join("recovered"));
    let writer = Writer::open(&log, WriterOptions { name: "log".into(), ..WriterOptions::default() }).unwrap();
    writer.roll().unwrap();
    writer.close().unwrap();
    assert_eq!(compress(&log, &CompressOptions::default()).unwrap().len(), 1);
    check(&log);
    assert_eq!(decompress(&log, &CompressOptions::default()).unwrap().len(), 1);
    check(&log);
}

#[test]
fn a_damaged_page_that_only_an_event_is_on_is_a_loss_without_records() {
    let home = tempfile::tempdir().unwrap();
    let log = a_log(home.path());
    let file = Reader::open(&log, ReaderOptions::default()).unwrap().paths().remove(0);
    let mut bytes = std::fs::read(&file).unwrap();
    let end_of = |part: &[u8]| bytes.windows(part.len()).position(|window| window == part).unwrap() + part.len();
    // The last event's last bytes are on the last page of their block.
    let at = end_of(&payload(4)) - 1;
    bytes[at] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let losses: Arc<Mutex<Vec<Loss>>> = Arc::default();
    let noted = losses.clone();
    let options = ReaderOptions {
        mode: ReaderMode::Salvage,
        on_loss: Some(Arc::new(move |loss| noted.lock().unwrap().push(loss.clone()))),
        ..ReaderOptions::default()
    };
    let reader = Reader::open(&log, options).unwrap();
    let mut cursor = reader.cursor(&Filter { events: true, ..Filter::default() }).unwrap();
    let mut seen = vec![];
    while let Some(record) = cursor.next().unwrap() {
        if record.payload_len > 0 {
            seen.push(record.payload.to_vec());
        }
    }
    assert_eq!(seen, [payload(1), payload(2), b"short".to_vec()]);
    let losses = losses.lock().unwrap();
    assert_eq!(losses.len(), 1, "{losses:?}");
    assert_eq!((losses[0].ids, losses[0].pages.map(|(_, count)| count)), (None, Some(1)));
    assert!(losses[0].offset <= at as u64 && at as u64 - losses[0].offset < losses[0].bytes);
}

#[test]
fn a_view_of_the_c_interface_is_never_longer_than_what_is_held() {
    let home = tempfile::tempdir().unwrap();
    let log = a_log(home.path());
    let path = std::ffi::CString::new(log.to_str().unwrap()).unwrap();
    let null = std::ptr::null_mut();
    for flags in [BINLOG_FILTER_EVENTS, BINLOG_FILTER_EVENTS | BINLOG_FILTER_HEADERS] {
        let headers = flags & BINLOG_FILTER_HEADERS != 0;
        let mut heartbeats = 0;
        // SAFETY: as the interface requires: places for results, handles that are open, freed once.
        unsafe {
            let (mut reader, mut cursor) = (std::ptr::null_mut(), std::ptr::null_mut());
            let mut filter: binlog_filter = std::mem::zeroed();
            binlog_filter_init(&mut filter, size_of::<binlog_filter>());
            filter.flags = flags;
            assert_eq!(binlog_reader_open(path.as_ptr(), std::ptr::null(), &mut reader, null), BINLOG_OK);
            assert_eq!(binlog_cursor_open(reader, &filter, &mut cursor, null), BINLOG_OK);
            let mut record: binlog_record = std::mem::zeroed();
            while binlog_cursor_next(cursor, &mut record, null) == BINLOG_OK {
                let has_payload = record.flags & BINLOG_RECORD_NO_PAYLOAD == 0;
                assert_eq!((has_payload, record.data.is_null()), (!headers, headers));
                if record.r#type == event::HEARTBEAT {
                    heartbeats += 1;
                    assert_eq!(record.len, LEN);
                }
                if has_payload && record.len > 0 {
                    assert!(std::slice::from_raw_parts(record.data, record.len).len() == record.len);
                }
            }
            binlog_cursor_close(cursor);
            binlog_reader_close(reader);
        }
        assert_eq!(heartbeats, 2);
    }
}
