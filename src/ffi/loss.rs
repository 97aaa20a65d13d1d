//! Reports what could not be read.
// A pair of fields is described once, above the first.
#![allow(missing_docs)]

use std::ffi::{c_char, c_void};
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

use super::error::c_string;
use super::guard::Userdata;
use crate::options::{Loss, OnLoss};

/// Something that a cursor or a recovery could not read, or skips. Everything in it lives until the callback returns.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct binlog_loss {
    /// The file that contained it, or that shows that it is missing.
    pub path: *const c_char,
    /// What is wrong with the bytes, in one line.
    pub reason: *const c_char,
    /// The skipped bytes; bytes is 0 when bytes that should follow are missing.
    pub offset: u64,
    pub bytes: u64,
    /// First and last id of the lost records; 0 and 0 when there are none, or they are not known.
    pub first_id: u64,
    pub last_id: u64,
    /// Number of the first damaged page of 4 KiB of the block's payload, and the number of damaged pages; 0 and 0 when
    /// the damage is not in pages.
    pub first_page: u64,
    pub page_count: u64,
    /// 1 when the bytes had been made durable, which means that a disk or a person damaged them and not a crash;
    /// otherwise 0.
    pub durable: u32,
    /// BINLOG_LOSS_*: the kind of loss. Later versions may add kinds.
    pub kind: u32,
    pub reserved: [u64; 2],
}

/// Called for a loss, in the thread that reads, which waits for it. It must not use the cursor or the reader that calls
/// it, and must not throw or jump out.
pub type binlog_loss_callback = Option<unsafe extern "C" fn(userdata: *mut c_void, loss: *const binlog_loss)>;

// The layout is part of the interface: tests/c/layout.c asserts the same numbers.
#[cfg(target_pointer_width = "64")]
const _: () = {
    use std::mem::size_of;
    assert!(size_of::<binlog_loss>() == 88);
};

/// A callback and its userdata.
pub(super) struct LossCallback {
    pub call: unsafe extern "C" fn(*mut c_void, *const binlog_loss),
    pub userdata: Userdata,
}

impl LossCallback {
    pub fn into_on_loss(self) -> OnLoss {
        Arc::new(move |loss: &Loss| self.report_loss(loss))
    }

    fn report_loss(&self, loss: &Loss) {
        let (path, reason) = (c_string(loss.path.as_os_str().as_bytes()), c_string(loss.reason.as_bytes()));
        let (first_id, last_id) = loss.ids.unwrap_or_default();
        let (first_page, page_count) = loss.pages.unwrap_or_default();
        let lost = binlog_loss {
            path: path.as_ptr(),
            reason: reason.as_ptr(),
            offset: loss.offset,
            bytes: loss.bytes,
            first_id,
            last_id,
            first_page,
            page_count,
            durable: u32::from(loss.durable),
            kind: loss.kind as u32,
            reserved: [0; 2],
        };
        // SAFETY: the data behind `lost` outlives the call, and the userdata is the caller's own.
        unsafe { (self.call)(self.userdata.pointer, &lost) };
    }
}
