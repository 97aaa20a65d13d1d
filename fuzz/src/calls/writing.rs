//! Calls of a writer.

use std::ptr::{null, null_mut};

use binlog::ffi::*;

use super::arguments::{checked, without_error, Sized};
use super::{Program, LOGS};

type OnWriter = unsafe extern "C" fn(*mut binlog_writer, *mut *mut binlog_error) -> binlog_status;

impl Program<'_> {
    fn log(&mut self) -> usize {
        usize::from(self.input.u8()) % LOGS
    }

    /// A log, its writer, or NULL when it has none or one in eight times, and whether errors are asked for.
    fn writer(&mut self) -> (usize, *mut binlog_writer, bool) {
        let log = self.log();
        let (none, wants_error) = (self.is_null(), !self.is_null());
        (log, if none { null_mut() } else { self.writers[log] }, wants_error)
    }

    pub(super) fn open_writer(&mut self) {
        let log = self.log();
        let mut options = Sized::<binlog_writer_options>::zeroed();
        let parameters = [c"key".as_ptr(), c"value".as_ptr(), self.name(), self.name()];
        let rare = self.input.u8();
        let size = self.struct_size(size_of::<binlog_writer_options>());
        let known = &mut options.known;
        known.struct_size = size;
        known.flags = u32::from(log == 1);
        known.codec = self.pick([0, 1, 2, 0, 1, 2, 3]);
        known.block_bytes = self.pick([4096, 0, 4096, 5000, 17]);
        known.segment_bytes = self.pick([0, 4096, 10_000, u64::MAX, 1]);
        known.record_max_bytes = self.pick([0, 0, 0, 100, u64::MAX]);
        known.flush_records = self.pick([0, 0, 1, 3]);
        known.flush_bytes = self.pick([0, 0, 100]);
        known.sync_records = self.pick([0, 0, 0, 2]);
        known.sync_bytes = self.pick([0, 0, 0, 500]);
        known.flush_interval_ms = self.pick([0, BINLOG_NEVER, 1]);
        known.sync_interval_ms = self.pick([0, BINLOG_NEVER, 1]);
        if rare & 1 != 0 {
            (known.parameters, known.parameter_count) = (parameters.as_ptr(), usize::from(rare >> 1 & 3).min(2));
        }
        match rare {
            0xff => known.reserved[0] = 1,
            0xfd => known.flags = u32::MAX,
            0xfb => known.file_mode = self.input.u32(),
            0xf9 => known.codec_level = self.input.u32() as i32,
            _ => (),
        }
        let options = if self.is_null() && log != 1 { null() } else { &raw const options.known };
        let path = if self.is_null() { null() } else { self.paths[log].as_ptr() };
        let (mut writer, wants_error) = (null_mut(), !self.is_null());
        let open = if log == 2 { binlog_writer_open_file } else { binlog_writer_open };
        // SAFETY: the options' memory is longer than any size that is accepted.
        let status = checked(wants_error, |err| unsafe { open(path, options, &mut writer, err) });
        assert_eq!(writer.is_null(), status != BINLOG_OK);
        if !writer.is_null() {
            assert!(self.writers[log].is_null(), "a second writer of the same log");
            self.writers[log] = writer;
        } else if !self.writers[log].is_null() && !path.is_null() {
            assert!([BINLOG_E_LOCKED, BINLOG_E_INVALID, BINLOG_E_UNSUPPORTED].contains(&status), "{status}");
        }
    }

    pub(super) fn append(&mut self) {
        let (log, writer, wants_error) = self.writer();
        let content = self.content();
        let ((data, len), type_id) = (self.argument(&content), self.type_id());
        let mut id = 0;
        let out = self.or_null(&mut id);
        // SAFETY: the content is valid.
        let status =
            checked(wants_error, |err| unsafe { binlog_writer_append(writer, type_id, data.cast(), len, out, err) });
        self.took(log, status, (!out.is_null()).then_some(id), vec![content[..len.min(content.len())].to_vec()]);
    }

    pub(super) fn append_record(&mut self) {
        let (log, writer, wants_error) = self.writer();
        let (content, metadata) = (self.content(), self.metadata());
        let record = self.record(&content, &metadata);
        let given = if self.is_null() { null() } else { &raw const record };
        let mut id = 0;
        // SAFETY: what the record points to is valid.
        let status = checked(wants_error, |err| unsafe { binlog_writer_append_record(writer, given, &mut id, err) });
        self.took(log, status, Some(id), vec![content[..record.len.min(content.len())].to_vec()]);
    }

    /// Parts of one payload, a few of them empty.
    fn parts(&mut self, content: &[u8]) -> Vec<binlog_slice> {
        let (a, b) = content.split_at(content.len() / 3);
        let parts = [a, &[], b];
        parts.iter().map(|part| binlog_slice { data: part.as_ptr().cast(), len: part.len() }).collect()
    }

    pub(super) fn gather(&mut self) {
        let (log, writer, wants_error) = self.writer();
        let content = self.content();
        let parts = self.parts(&content);
        let (none, type_id) = (self.is_null(), self.type_id());
        let (at, n) = if none { (null(), self.pick([0, 3])) } else { (parts.as_ptr(), parts.len()) };
        let mut id = 0;
        // SAFETY: the parts and what they point to are valid.
        let status = checked(wants_error, |err| unsafe { binlog_writer_gather(writer, type_id, at, n, &mut id, err) });
        self.took(log, status, Some(id), vec![if none { vec![] } else { content }]);
    }

    pub(super) fn gather_record(&mut self) {
        let (log, writer, wants_error) = self.writer();
        let (content, metadata) = (self.content(), self.metadata());
        let record = self.record(&content, &metadata);
        let parts = self.parts(&content);
        let mut id = 0;
        // SAFETY: the parts, the record, and what they point to are valid.
        let status = checked(wants_error, |err| unsafe {
            binlog_writer_gather_record(writer, &record, parts.as_ptr(), parts.len(), &mut id, err)
        });
        self.took(log, status, Some(id), vec![content]);
    }

    pub(super) fn append_batch(&mut self) {
        let (log, writer, wants_error) = self.writer();
        let count = usize::from(self.input.u8() % 6);
        let contents: Vec<(Vec<u8>, Vec<u8>)> = (0..count).map(|_| (self.content(), self.metadata())).collect();
        let records: Vec<binlog_record> = contents.iter().map(|(data, pairs)| self.record(data, pairs)).collect();
        let mut id = 0;
        // SAFETY: the records and what they point to are valid.
        let status = checked(wants_error, |err| unsafe {
            binlog_writer_append_batch(writer, records.as_ptr(), count, &mut id, err)
        });
        let payloads =
            contents.iter().zip(&records).map(|((data, _), record)| data[..record.len.min(data.len())].to_vec());
        self.took(log, status, Some(id), payloads.collect());
    }

    pub(super) fn append_packed(&mut self) {
        let (log, writer, wants_error) = self.writer();
        let count = usize::from(self.input.u8() % 5);
        let (mut buffer, mut len, mut payloads) = (vec![0u8; 200_000], 0, vec![]);
        for _ in 0..count {
            let (content, metadata) = (self.content(), self.metadata());
            let record = self.record(&content, &metadata);
            // SAFETY: the buffer has so many bytes, and what the record points to is valid.
            let put = || unsafe { binlog_packed_put(buffer.as_mut_ptr().cast(), buffer.len(), &mut len, &record) };
            if without_error(put) == BINLOG_OK {
                payloads.push(content[..record.len.min(content.len())].to_vec());
            }
        }
        let flip = usize::from(self.input.u16());
        if flip < len {
            buffer[flip] ^= 1;
            // A changed length may still be a frame: the payloads are then read from the frames.
            let (frames, _) = crate::packed::walk(&buffer[..len]);
            payloads = frames.iter().map(|frame| crate::packed::payload_of(frame).to_vec()).collect();
        }
        let mut id = 0;
        // SAFETY: the frames are valid memory.
        let status = checked(wants_error, |err| unsafe {
            binlog_writer_append_packed(writer, buffer.as_ptr().cast(), len, &mut id, err)
        });
        self.took(log, status, Some(id), payloads);
    }

    pub(super) fn name_a_type(&mut self) {
        let (_, writer, wants_error) = self.writer();
        let (name, content_type, mut number) = (self.name(), self.name(), 0);
        // SAFETY: the names are strings or NULL.
        let status =
            checked(wants_error, |err| unsafe { binlog_writer_type(writer, name, content_type, &mut number, err) });
        assert!(status != BINLOG_OK || (BINLOG_TYPE_NAMED..BINLOG_TYPE_EVENT).contains(&number), "{number}");
    }

    pub(super) fn on_writer(&mut self, call: OnWriter) {
        let (_, writer, wants_error) = self.writer();
        // SAFETY: the writer is open or NULL.
        let status = checked(wants_error, |err| unsafe { call(writer, err) });
        assert!([BINLOG_OK, BINLOG_E_UNSUPPORTED].contains(&status) || writer.is_null());
    }

    pub(super) fn position(&mut self) {
        let (log, writer, wants_error) = self.writer();
        let mut position = binlog_position { appended_id: 0, flushed_id: 0, durable_id: 0, reserved: [0; 3] };
        let out = self.or_null(&mut position);
        // SAFETY: the writer is open or NULL.
        let status = checked(wants_error, |err| unsafe { binlog_writer_position(writer, out, err) });
        if status == BINLOG_OK {
            assert_eq!(position.appended_id, self.taken[log].len() as u64);
            assert!(position.durable_id <= position.flushed_id && position.flushed_id <= position.appended_id);
        }
    }

    pub(super) fn close_writer(&mut self) {
        let log = self.log();
        self.close_writer_of(log);
    }

    pub(super) fn close_writer_of(&mut self, log: usize) {
        let writer = std::mem::replace(&mut self.writers[log], null_mut());
        // SAFETY: open or NULL, and not used afterwards.
        assert_eq!(checked(true, |err| unsafe { binlog_writer_close(writer, err) }), BINLOG_OK);
    }

    /// Records what a log has accepted; the id that it returned must be the next.
    fn took(&mut self, log: usize, status: binlog_status, id: Option<u64>, payloads: Vec<Vec<u8>>) {
        if status == BINLOG_OK {
            let last = self.taken[log].len() as u64;
            let first = id.unwrap_or(last + 1);
            assert_eq!(first, last + 1, "ids follow each other");
            self.taken[log].extend(payloads);
        }
    }
}
