//! Writers in the caller's thread and with the background thread.

use std::mem::{size_of, MaybeUninit};
use std::path::Path;
use std::ptr;

use super::{abi, c_path, call, check};
use crate::contender::{Append, SharedAppend};
use crate::typed::{AppendTyped, Typed};
use crate::Result;

/// The type of every record.
pub(super) const TYPE: u32 = 1;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Caller,
    Background,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    None,
    Lz4,
    Zstd1,
}

/// Sizes at which segments end and INDEX blocks are written, the longest step of zeros ahead of the blocks, and how many
/// records a sync contains; 0 means the default.
#[derive(Clone, Copy, Default)]
pub struct Layout {
    pub segment_bytes: u64,
    pub index_bytes: u64,
    pub fill_ahead_bytes: u64,
    pub sync_records: u64,
}

/// Of [`Layout::fill_ahead_bytes`], as `BINLOG_FILL_NEVER`.
pub const FILL_NEVER: u64 = u64::MAX;

pub struct BinlogWriter {
    handle: *mut abi::Writer,
    batch: Vec<abi::Record>,
}

// SAFETY: binlog.h: a writer may be used by any number of threads, close excepted; close takes the value here.
unsafe impl Send for BinlogWriter {}
// SAFETY: as above.
unsafe impl Sync for BinlogWriter {}

impl BinlogWriter {
    /// A directory log with the default options, but for the mode and the codec.
    pub fn create(folder: &Path, mode: Mode, codec: Codec) -> Result<Self> {
        Self::open(folder, mode, codec, Layout::default())
    }

    /// A directory log, new or continued.
    pub fn open(folder: &Path, mode: Mode, codec: Codec, layout: Layout) -> Result<Self> {
        let mut options = MaybeUninit::<abi::WriterOptions>::zeroed();
        // SAFETY: the library fills as many bytes as the size says.
        let status = unsafe { abi::binlog_writer_options_init(options.as_mut_ptr(), size_of::<abi::WriterOptions>()) };
        check(status, ptr::null_mut())?;
        // SAFETY: zeroed and then initialised; any bytes are valid for integers and raw pointers.
        let mut options = unsafe { options.assume_init() };
        if mode == Mode::Background {
            options.flags |= abi::WRITER_BACKGROUND;
        }
        (options.codec, options.codec_level) = match codec {
            Codec::None => (abi::CODEC_NONE, 0),
            Codec::Lz4 => (abi::CODEC_LZ4, 0),
            Codec::Zstd1 => (abi::CODEC_ZSTD, 1),
        };
        (options.segment_bytes, options.index_bytes) = (layout.segment_bytes, layout.index_bytes);
        options.fill_ahead_bytes = layout.fill_ahead_bytes;
        options.sync_records = layout.sync_records;
        let directory = c_path(folder)?;
        let mut handle = ptr::null_mut();
        call!(binlog_writer_open(directory.as_ptr(), &options, &mut handle))?;
        Ok(BinlogWriter { handle, batch: Vec::new() })
    }

    pub(super) fn handle(&self) -> *mut abi::Writer {
        self.handle
    }

    pub(super) fn append_one(&self, payload: &[u8]) -> Result<()> {
        let mut id = 0;
        call!(binlog_writer_append(self.handle, TYPE, payload.as_ptr().cast(), payload.len(), &mut id))?;
        Ok(())
    }

    /// On return, everything so far is on the disk.
    pub fn sync(&self) -> Result<()> {
        call!(binlog_writer_sync(self.handle))?;
        Ok(())
    }

    /// Runs the maintenance that time and rolls have made due.
    pub fn tick(&self) -> Result<()> {
        call!(binlog_writer_tick(self.handle))?;
        Ok(())
    }

    /// Begins another segment; the current one is on the disk on return.
    pub fn roll(&self) -> Result<()> {
        call!(binlog_writer_roll(self.handle))?;
        Ok(())
    }

    pub(super) fn flush_all(&self) -> Result<()> {
        call!(binlog_writer_flush(self.handle))?;
        Ok(())
    }

    pub(super) fn close_once(self) -> Result<()> {
        call!(binlog_writer_close(self.handle))?;
        Ok(())
    }
}

impl AppendTyped for BinlogWriter {
    fn append_typed(&mut self, record: &Typed) -> Result<()> {
        let appended = abi::Record {
            time_ns: record.time,
            data: record.payload.as_ptr(),
            len: record.payload.len(),
            record_type: record.type_id,
            ..abi::Record::EMPTY
        };
        let mut id = 0;
        call!(binlog_writer_append_record(self.handle, &appended, &mut id))?;
        record.must_have(id)
    }

    fn finish(self) -> Result<()> {
        self.close_once()
    }
}

impl Append for BinlogWriter {
    fn append(&mut self, payload: &[u8]) -> Result<()> {
        self.append_one(payload)
    }

    fn append_batch(&mut self, payloads: &[&[u8]]) -> Result<()> {
        self.batch.clear();
        self.batch.extend(payloads.iter().map(|payload| abi::Record {
            data: payload.as_ptr(),
            len: payload.len(),
            record_type: TYPE,
            ..abi::Record::EMPTY
        }));
        let mut id = 0;
        call!(binlog_writer_append_batch(self.handle, self.batch.as_ptr(), self.batch.len(), &mut id))?;
        Ok(())
    }

    fn gather(&mut self, parts: &[&[u8]]) -> Result<()> {
        let parts: Vec<_> = parts.iter().map(|part| abi::Slice { data: part.as_ptr(), len: part.len() }).collect();
        let mut id = 0;
        call!(binlog_writer_gather(self.handle, TYPE, parts.as_ptr(), parts.len(), &mut id))?;
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        self.flush_all()
    }

    fn close(self) -> Result<()> {
        self.close_once()
    }

    const CLOSE_SYNCS: bool = true;
}

impl SharedAppend for BinlogWriter {
    fn append(&self, payload: &[u8]) -> Result<()> {
        self.append_one(payload)
    }

    fn flush(&self) -> Result<()> {
        self.flush_all()
    }

    fn close(self) -> Result<()> {
        self.close_once()
    }

    const CLOSE_SYNCS: bool = true;
}

/// Syncs each record before its append returns, by the policy; the library lets threads share an fdatasync.
pub struct Durable(BinlogWriter);

impl Durable {
    /// `fill_ahead_bytes` is as in [`Layout`].
    pub fn create(folder: &Path, mode: Mode, fill_ahead_bytes: u64) -> Result<Self> {
        let layout = Layout { fill_ahead_bytes, sync_records: 1, ..Layout::default() };
        BinlogWriter::open(folder, mode, Codec::None, layout).map(Durable)
    }
}

impl SharedAppend for Durable {
    fn append(&self, payload: &[u8]) -> Result<()> {
        self.0.append_one(payload)
    }

    fn flush(&self) -> Result<()> {
        Ok(())
    }

    fn close(self) -> Result<()> {
        self.0.close_once()
    }
}
