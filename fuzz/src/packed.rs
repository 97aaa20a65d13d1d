//! Packed frames and metadata pairs, through the C interface.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::ptr::{null, null_mut};

use binlog::ffi::*;
use binlog::{Metadata, ReaderOptions};

use crate::reading::Row;
use crate::scratch::Scratch;

/// The bytes are packed frames, and metadata pairs too.
pub fn packed(bytes: &[u8]) {
    pairs(bytes);
    let (frames, clean) = walk(bytes);
    assert_packs_again(&frames, bytes, clean);
    append(bytes, &frames, clean);
}

/// Walks packed frames as a C program would, up to the first invalid one.
pub fn walk(bytes: &[u8]) -> (Vec<binlog_record>, bool) {
    let (mut at, mut len, mut out) = (bytes.as_ptr(), bytes.len(), vec![]);
    loop {
        // SAFETY: all zeros is a valid record.
        let mut record: binlog_record = unsafe { std::mem::zeroed() };
        let left = len;
        // SAFETY: `at` points to `len` bytes.
        match unsafe { binlog_packed_next(&mut at, &mut len, &mut record) } {
            BINLOG_OK => assert!(len < left && left - len >= 40, "no progress"),
            BINLOG_END => {
                assert_eq!(len, 0);
                return (out, true);
            }
            status => {
                assert_eq!((status, len), (BINLOG_E_INVALID, left));
                return (out, false);
            }
        }
        for part in [payload_of(&record), metadata_of(&record)] {
            assert!(part.is_empty() || bytes.as_ptr_range().contains(&part.as_ptr()), "a view into other memory");
            assert!(part.is_empty() || part.as_ptr_range().end <= bytes.as_ptr_range().end);
        }
        pairs(metadata_of(&record));
        out.push(record);
    }
}

/// Rows from the frames that `read_packed` made, which are always valid.
pub fn unpack(frames: &[u8], rows: &mut Vec<Row>) {
    let (records, clean) = walk(frames);
    assert!(clean, "the library's own frames are no frames");
    rows.extend(records.iter().map(|record| Row {
        id: record.id,
        time: record.time_ns,
        type_id: record.r#type,
        metadata: metadata_of(record).to_vec(),
        payload: payload_of(record).to_vec(),
        payload_len: record.len as u32,
    }));
}

pub fn payload_of(record: &binlog_record) -> &[u8] {
    slice(record.data, if record.data.is_null() { 0 } else { record.len })
}

fn metadata_of(record: &binlog_record) -> &[u8] {
    slice(record.metadata, record.metadata_len)
}

fn slice<'a, T>(data: *const T, len: usize) -> &'a [u8] {
    // SAFETY: the library promises so many bytes; the target tests that.
    if len == 0 {
        &[]
    } else {
        unsafe { std::slice::from_raw_parts(data.cast(), len) }
    }
}

/// Walks pairs to their end, and looks up each key.
fn pairs(bytes: &[u8]) {
    let (mut at, mut len, mut found) = (bytes.as_ptr(), bytes.len(), vec![]);
    let nothing = binlog_slice { data: null(), len: 0 };
    let clean = loop {
        let (mut key, mut value) = (nothing, nothing);
        // SAFETY: `at` points to `len` bytes.
        match unsafe { binlog_metadata_next(&mut at, &mut len, &mut key, &mut value) } {
            BINLOG_OK => found.push(
                [key, value]
                    .map(|text| std::str::from_utf8(slice(text.data, text.len)).expect("keys and values are UTF-8")),
            ),
            BINLOG_END => break true,
            status => {
                assert_eq!(status, BINLOG_E_CORRUPT);
                break false;
            }
        }
    };
    assert!(Metadata::from_bytes(bytes).into_iter().eq(found.iter().map(|[key, value]| (*key, *value))));
    for [key, _] in found.iter().take(20) {
        let first = found.iter().find(|[other, _]| other == key).map(|[_, value]| value.as_bytes());
        let mut value = nothing;
        // SAFETY: the bytes and the key are valid.
        let status =
            unsafe { binlog_metadata_find(bytes.as_ptr(), bytes.len(), key.as_ptr().cast(), key.len(), &mut value) };
        assert_eq!((status, Some(slice(value.data, value.len))), (BINLOG_OK, first));
    }
    let mut value = nothing;
    // SAFETY: as above.
    let status = unsafe { binlog_metadata_find(bytes.as_ptr(), bytes.len(), c"\x01?".as_ptr(), 2, &mut value) };
    assert!(found.iter().any(|[key, _]| *key == "\x01?") || [BINLOG_E_NOT_FOUND, BINLOG_E_CORRUPT].contains(&status));
    assert!(!clean || status != BINLOG_E_CORRUPT, "walked to the end, but found broken");
}

/// The records that were walked become the same frames again.
fn assert_packs_again(frames: &[binlog_record], bytes: &[u8], clean: bool) {
    let (mut buffer, mut len, mut packed) = (vec![0xA5u8; bytes.len()], 0, 0);
    for record in frames {
        // SAFETY: the buffer has so many bytes, and the record's views are into `bytes`.
        let status = unsafe { binlog_packed_put(buffer.as_mut_ptr().cast(), buffer.len(), &mut len, record) };
        // A frame may claim a payload of 2 GiB that does not exist; no record has one.
        let possible = record.len + record.metadata_len < i32::MAX as usize;
        assert_eq!(status, if possible { BINLOG_OK } else { BINLOG_E_TOO_LARGE });
        packed += usize::from(possible);
    }
    assert!(!clean || len == bytes.len() || packed < frames.len(), "other frames than before");
    assert_eq!(walk(&buffer[..len]).0.len(), packed);
    if let Some(record) = frames.first() {
        // SAFETY: as above.
        let status = unsafe { binlog_packed_put(buffer.as_mut_ptr().cast(), len.min(39), &mut 0, record) };
        assert_eq!(status, BINLOG_E_TOO_LARGE);
    }
}

/// A log takes all of the frames or none, and shows what it took.
fn append(bytes: &[u8], frames: &[binlog_record], clean: bool) {
    let scratch = Scratch::new();
    let path = CString::new(scratch.path().join("p.binlog").as_os_str().as_bytes()).expect("no NUL");
    let (mut writer, mut err, mut first) = (null_mut(), null_mut(), 0);
    // SAFETY: every pointer is to valid memory of the right type, and the writer is closed once.
    let status = unsafe {
        assert_eq!(binlog_writer_open_file(path.as_ptr(), null(), &mut writer, &mut err), BINLOG_OK);
        let status = binlog_writer_append_packed(writer, bytes.as_ptr().cast(), bytes.len(), &mut first, &mut err);
        assert_eq!(binlog_error_status(err), status);
        binlog_error_free(err);
        assert_eq!(binlog_writer_close(writer, null_mut()), BINLOG_OK);
        status
    };
    let takable = frames.iter().all(|record| {
        let whole = Metadata::from_bytes(metadata_of(record)).into_iter().collect();
        record.flags & BINLOG_RECORD_NO_PAYLOAD == 0 && record.r#type < BINLOG_TYPE_NAMED && is_whole(record, whole)
    });
    assert_eq!(status == BINLOG_OK, clean && takable, "status {status}");
    assert!([BINLOG_OK, BINLOG_E_INVALID].contains(&status), "status {status}");
    let reader = binlog::Reader::open(scratch.path().join("p.binlog"), ReaderOptions::default()).expect("a log");
    let mut cursor = reader.cursor(&binlog::Filter::default()).expect("no filter");
    for record in frames.iter().filter(|_| status == BINLOG_OK) {
        let seen = cursor.next().expect("no damage").expect("a record for each frame");
        assert_eq!((seen.type_id, seen.payload), (record.r#type, payload_of(record)));
        assert_eq!(seen.metadata.as_bytes(), metadata_of(record));
        let timed = record.time_ns != 0 || record.flags & BINLOG_RECORD_TIME != 0;
        assert!(!timed || seen.time == record.time_ns);
    }
    assert!(cursor.next().expect("no damage").is_none());
}

/// Whether the metadata of a frame are pairs to the end, and not too many.
fn is_whole(record: &binlog_record, pairs: Vec<(&str, &str)>) -> bool {
    let again: binlog::MetadataBuf = pairs.iter().copied().collect();
    // Lengths may be encoded in more bytes than necessary: the walk then gives the result.
    let (mut at, mut len) = (record.metadata, record.metadata_len);
    let mut text = [binlog_slice { data: null(), len: 0 }; 2];
    let [key, value] = &mut text;
    // SAFETY: the record's metadata is valid.
    while unsafe { binlog_metadata_next(&mut at, &mut len, key, value) } == BINLOG_OK {}
    len == 0 && pairs.len() <= 65_535 && again.as_metadata().as_bytes().len() <= 16 << 20
}
