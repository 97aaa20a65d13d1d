//! Calls of readers and cursors, and the helpers that need no handle.

use std::ffi::CStr;
use std::ptr::{null, null_mut};

use binlog::ffi::*;

use super::arguments::{checked, without_error, Sized};
use super::Program;

impl Program<'_> {
    fn reader(&mut self) -> (usize, *mut binlog_reader, bool) {
        let which = usize::from(self.input.u8()) % self.readers.len();
        let (none, wants_error) = (self.is_null(), !self.is_null());
        (which, if none { null_mut() } else { self.readers[which] }, wants_error)
    }

    fn cursor(&mut self) -> (*mut binlog_cursor, bool) {
        let which = usize::from(self.input.u8()) % self.cursors.len();
        let (none, wants_error) = (self.is_null(), !self.is_null());
        (if none { null_mut() } else { self.cursors[which] }, wants_error)
    }

    pub(super) fn open_reader(&mut self) {
        let (which, _, wants_error) = self.reader();
        let mut options = Sized::<binlog_reader_options>::zeroed();
        options.known.struct_size = self.struct_size(size_of::<binlog_reader_options>());
        options.known.mode = self.pick([BINLOG_READER_PREFIX, BINLOG_READER_STRICT, 0, 0, 9]);
        options.known.flags = u32::from(self.input.u8() == 0xff);
        let log = usize::from(self.input.u8()) % self.paths.len();
        let path = if self.is_null() { null() } else { self.paths[log].as_ptr() };
        let options = if self.is_null() { null() } else { &raw const options.known };
        let mut reader = null_mut();
        // SAFETY: the options' memory is longer than any size that is accepted.
        let status = checked(wants_error, |err| unsafe { binlog_reader_open(path, options, &mut reader, err) });
        assert_eq!(reader.is_null(), status != BINLOG_OK);
        assert_ne!(status, BINLOG_E_CORRUPT, "nothing here is damaged");
        if !reader.is_null() {
            // SAFETY: the old one is open or NULL, and not used afterwards.
            unsafe { binlog_reader_close(std::mem::replace(&mut self.readers[which], reader)) };
        }
    }

    pub(super) fn segments(&mut self) {
        let (_, reader, wants_error) = self.reader();
        let mut count = 0;
        let out = self.or_null(&mut count);
        // SAFETY: the reader is open or NULL.
        let status = checked(wants_error, |err| unsafe { binlog_reader_segment_count(reader, out, err) });
        let index = usize::from(self.input.u8());
        // SAFETY: all zeros is valid.
        let mut segment: binlog_segment = unsafe { std::mem::zeroed() };
        // SAFETY: as above.
        let shown = checked(wants_error, |err| unsafe { binlog_reader_segment(reader, index, &mut segment, err) });
        if status == BINLOG_OK {
            assert_eq!(shown, if index < count { BINLOG_OK } else { BINLOG_E_NOT_FOUND });
        }
        if shown == BINLOG_OK {
            for text in [segment.path, segment.name, segment.content_type] {
                // SAFETY: strings that live as long as the reader.
                unsafe { CStr::from_ptr(text) }.to_str().expect("ours are UTF-8");
            }
        }
    }

    pub(super) fn close_reader(&mut self) {
        let (which, _, _) = self.reader();
        // SAFETY: open or NULL, and not used afterwards.
        unsafe { binlog_reader_close(std::mem::replace(&mut self.readers[which], null_mut())) };
    }

    pub(super) fn open_cursor(&mut self) {
        let (_, reader, wants_error) = self.reader();
        let which = usize::from(self.input.u8()) % self.cursors.len();
        let mut filter = Sized::<binlog_filter>::zeroed();
        let (types, names) = ([self.type_id(), self.type_id()], [self.name(), self.name()]);
        let rare = self.input.u8();
        let size = self.struct_size(size_of::<binlog_filter>());
        let known = &mut filter.known;
        known.struct_size = size;
        known.flags = u32::from(rare & 3);
        if rare & 4 != 0 {
            (known.from_id, known.to_id) = (self.input.u8().into(), self.input.u8().into());
        }
        if rare & 8 != 0 {
            (known.from_time_ns, known.to_time_ns) = (self.input.i64(), self.input.i64());
        }
        if rare & 16 != 0 {
            (known.types, known.type_count) = (types.as_ptr(), usize::from(rare >> 6).min(2));
        }
        if rare & 32 != 0 {
            (known.type_names, known.type_name_count) = (names.as_ptr(), usize::from(rare >> 6).min(2));
        }
        let filter = if self.is_null() { null() } else { &raw const filter.known };
        let mut cursor = null_mut();
        // SAFETY: the filter's memory is longer than any size that is accepted.
        let status = checked(wants_error, |err| unsafe { binlog_cursor_open(reader, filter, &mut cursor, err) });
        assert_eq!(cursor.is_null(), status != BINLOG_OK);
        if !cursor.is_null() {
            // SAFETY: the old one is open or NULL, and not used afterwards.
            unsafe { binlog_cursor_close(std::mem::replace(&mut self.cursors[which], cursor)) };
        }
    }

    pub(super) fn next(&mut self) {
        let (cursor, wants_error) = self.cursor();
        // SAFETY: all zeros is valid.
        let mut record: binlog_record = unsafe { std::mem::zeroed() };
        let out = self.or_null(&mut record);
        // SAFETY: the cursor is open or NULL.
        if checked(wants_error, |err| unsafe { binlog_cursor_next(cursor, out, err) }) == BINLOG_OK {
            touch(&record);
        }
    }

    pub(super) fn next_batch(&mut self) {
        let (cursor, wants_error) = self.cursor();
        let cap = self.pick([3usize, 1, 100, 0]);
        // SAFETY: all zeros is valid.
        let mut records: Vec<binlog_record> = vec![unsafe { std::mem::zeroed() }; cap];
        let (mut n, none) = (usize::MAX, self.is_null());
        let out = if none { null_mut() } else { records.as_mut_ptr() };
        // SAFETY: there is room for `cap` records.
        let status = checked(wants_error, |err| unsafe { binlog_cursor_next_batch(cursor, out, cap, &mut n, err) });
        match status {
            BINLOG_OK => {
                assert!((1..=cap).contains(&n));
                records[..n].iter().for_each(touch);
            }
            BINLOG_END => assert_eq!(n, 0),
            _ => assert_eq!(n, usize::MAX, "written to, but an error"),
        }
    }

    pub(super) fn read_packed(&mut self) {
        let (cursor, wants_error) = self.cursor();
        let mut buffer = vec![0xA5u8; self.pick([4096, 0, 40, 100_000])];
        let (mut len, mut n, none) = (0, 0, self.is_null());
        let at = if none { null_mut() } else { buffer.as_mut_ptr() };
        // SAFETY: the buffer has so many bytes.
        let status = checked(wants_error, |err| unsafe {
            binlog_cursor_read_packed(cursor, at.cast(), buffer.len(), &mut len, &mut n, err)
        });
        if status == BINLOG_OK {
            let (frames, clean) = crate::packed::walk(&buffer[..len]);
            assert!(clean && frames.len() == n && n > 0);
        }
        assert!(buffer[len..].iter().all(|&byte| byte == 0xA5) || status == BINLOG_E_TOO_LARGE);
    }

    pub(super) fn tail(&mut self) {
        let (cursor, wants_error) = self.cursor();
        // SAFETY: all zeros is valid.
        let mut tail: binlog_tail = unsafe { std::mem::zeroed() };
        let out = self.or_null(&mut tail);
        // SAFETY: the cursor is open or NULL.
        if checked(wants_error, |err| unsafe { binlog_cursor_tail(cursor, out, err) }) == BINLOG_OK {
            assert!(tail.state <= BINLOG_TAIL_CORRUPT && tail.next_id > 0);
            for text in [tail.path, tail.reason] {
                // SAFETY: strings that live until the cursor's next call.
                unsafe { CStr::from_ptr(text) }.to_str().expect("ours are UTF-8");
            }
        }
    }

    pub(super) fn type_name(&mut self) {
        let (cursor, wants_error) = self.cursor();
        let (type_id, mut name) = (self.type_id(), binlog_slice { data: null(), len: 0 });
        // SAFETY: the cursor is open or NULL.
        let status = checked(wants_error, |err| unsafe { binlog_cursor_type_name(cursor, type_id, &mut name, err) });
        assert!(status != BINLOG_OK || name.len > 0);
    }

    pub(super) fn close_cursor(&mut self) {
        let which = usize::from(self.input.u8()) % self.cursors.len();
        // SAFETY: open or NULL, and not used afterwards.
        unsafe { binlog_cursor_close(std::mem::replace(&mut self.cursors[which], null_mut())) };
    }

    pub(super) fn put_metadata(&mut self) {
        let (key, value, cap) = (self.content(), self.content(), self.pick([4096usize, 0, 7]));
        let ((at, key_len), (value_at, value_len)) = (self.argument(&key), self.argument(&value));
        let (mut buffer, mut len) = (vec![0xA5u8; cap], self.pick([0usize, 3, 5000]));
        let in_use = len;
        // SAFETY: the buffer, the key and the value are valid; a length in use beyond the buffer's is refused.
        let status = without_error(|| unsafe {
            let buffer = buffer.as_mut_ptr().cast();
            binlog_metadata_put(buffer, cap, &mut len, at.cast(), key_len, value_at.cast(), value_len, null_mut())
        });
        assert!(status == BINLOG_OK || len == in_use, "refused, but {len} bytes are in use");
        assert!(status != BINLOG_OK || (in_use + 2..=cap).contains(&len));
    }

    pub(super) fn put_packed(&mut self) {
        let (content, metadata, cap) = (self.content(), self.metadata(), self.pick([4096usize, 0, 40]));
        let record = self.record(&content, &metadata);
        let (mut buffer, mut len) = (vec![0xA5u8; cap], self.pick([0usize, 8, 5000]));
        let in_use = len;
        // SAFETY: the buffer and what the record points to are valid.
        let status = without_error(|| unsafe { binlog_packed_put(buffer.as_mut_ptr().cast(), cap, &mut len, &record) });
        assert!(status == BINLOG_OK || len == in_use, "refused, but {len} bytes are in use");
        assert!(status != BINLOG_OK || (in_use + 40..=cap).contains(&len));
    }

    pub(super) fn small_calls(&mut self) {
        let (size, none) = (self.struct_size(144), self.is_null());
        let status = self.input.u32() as i32;
        let mut options = Sized::<binlog_writer_options>::zeroed();
        let at = if none { null_mut() } else { &raw mut options.known };
        // SAFETY: the memory is longer than any size that is accepted; names are static strings.
        unsafe {
            without_error(|| binlog_writer_options_init(at, size));
            without_error(|| binlog_reader_options_init(at.cast(), size));
            without_error(|| binlog_filter_init(at.cast(), size));
            CStr::from_ptr(binlog_status_name(status)).to_str().expect("a word");
        }
    }
}

/// Reads every byte that the record points to.
fn touch(record: &binlog_record) {
    let sum = |at: *const u8, len: usize| {
        // SAFETY: the library promises so many bytes until the cursor's next call.
        let bytes = if at.is_null() || len == 0 { &[] } else { unsafe { std::slice::from_raw_parts(at, len) } };
        bytes.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte))
    };
    std::hint::black_box(sum(record.data.cast(), record.len) ^ sum(record.metadata, record.metadata_len));
}
