//! Appenders: one for the only thread, or one for each.

use std::path::Path;
use std::ptr;

use super::write::{BinlogWriter, Codec, Mode, TYPE};
use super::{abi, call};
use crate::contender::{Append, SharedAppend};
use crate::Result;

struct Handle(*mut abi::Appender);

// SAFETY: binlog.h: an appender may be used by one thread at a time, and the value is used by its owner alone.
unsafe impl Send for Handle {}

impl Handle {
    fn open(writer: &BinlogWriter) -> Result<Self> {
        let mut handle = ptr::null_mut();
        call!(binlog_appender_open(writer.handle(), ptr::null(), &mut handle))?;
        Ok(Handle(handle))
    }

    fn append(&mut self, payload: &[u8]) -> Result<()> {
        call!(binlog_appender_append(self.0, TYPE, payload.as_ptr().cast(), payload.len()))?;
        Ok(())
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let mut error = ptr::null_mut();
        // SAFETY: open, and not used any more. What was appended is counted when it is read back.
        unsafe { abi::binlog_appender_close(self.0, ptr::null_mut(), &mut error) };
    }
}

/// A writer, all of whose records come through one appender.
pub struct BinlogAppender {
    appender: Handle,
    writer: BinlogWriter,
}

impl BinlogAppender {
    pub fn create(folder: &Path, mode: Mode) -> Result<Self> {
        let writer = BinlogWriter::create(folder, mode, Codec::None)?;
        Ok(BinlogAppender { appender: Handle::open(&writer)?, writer })
    }
}

impl Append for BinlogAppender {
    fn append(&mut self, payload: &[u8]) -> Result<()> {
        self.appender.append(payload)
    }

    fn flush(&mut self) -> Result<()> {
        call!(binlog_appender_flush(self.appender.0, ptr::null_mut()))?;
        Ok(())
    }

    fn close(self) -> Result<()> {
        drop(self.appender);
        self.writer.close_once()
    }

    const CLOSE_SYNCS: bool = true;
}

/// A writer, each of whose threads has an appender.
pub struct BinlogAppenders(pub BinlogWriter);

impl SharedAppend for BinlogAppenders {
    fn append(&self, payload: &[u8]) -> Result<()> {
        self.0.append_one(payload)
    }

    fn of_thread(&self) -> Result<impl FnMut(&[u8]) -> Result<()> + '_> {
        let mut appender = Handle::open(&self.0)?;
        Ok(move |payload: &[u8]| appender.append(payload))
    }

    fn flush(&self) -> Result<()> {
        self.0.flush_all()
    }

    fn close(self) -> Result<()> {
        self.0.close_once()
    }

    const CLOSE_SYNCS: bool = true;
}
