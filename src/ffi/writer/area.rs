//! Appenders whose programs stage records by themselves.

use std::ptr::NonNull;

use super::appender::{binlog_appender, binlog_appender_options, open_appender};
use super::open::binlog_writer;
use crate::error::Error;
use crate::ffi::error::binlog_error;
use crate::ffi::guard::*;
use crate::ffi::types::*;
use crate::writer::area::Head;

/// The head of memory in which a program stages records by itself: see binlog_appender_open_area. The program stores
/// `end`, the library all other fields.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct binlog_area {
    /// Bytes of frames that are complete, counted from the end of this head.
    pub end: u64,
    /// 0.
    pub reserved: [u64; 7],
    /// Frames may be completed up to this many bytes; 0 = call the library before the next one.
    pub limit: u64,
    /// Bytes of frames that the library has taken.
    pub taken: u64,
    /// Frames may be completed at this time and later, in nanoseconds since the Unix epoch.
    pub from_ns: i64,
    /// Frames may be completed before this time.
    pub until_ns: i64,
    /// Numbers of named types have to be below this one.
    pub types_end: u32,
    /// The longest payload that a frame may have.
    pub payload_max: u32,
    /// 0.
    pub reserved2: [u32; 6],
}

// The layout is part of the interface: tests/c/layout.c asserts the same numbers.
const _: () = {
    assert!(size_of::<binlog_area>() == size_of::<Head>() && align_of::<binlog_area>() <= align_of::<Head>());
    assert!(std::mem::offset_of!(binlog_area, limit) == 64 && std::mem::offset_of!(binlog_area, types_end) == 96);
    assert!(std::mem::offset_of!(Head, limit) == 64 && std::mem::offset_of!(Head, types_end) == 96);
};

/// Opens an appender whose program stages records by itself, for languages in which a call of the library costs more
/// than a record; the Java and the Go binding use it. `memory` is aligned to 8 and has `size` bytes: a binlog_area, and
/// then 1,024 to 1,048,576 bytes for packed frames (see binlog_packed_put), which the library reads until
/// binlog_appender_close has returned. Otherwise this is binlog_appender_open, and the functions of appenders can be
/// used as well; records keep their order.
///
/// To stage a record, the program, in the thread that uses the appender,
///
/// 1. loads `limit` and checks: the frame ends at or before it, the time is now at or after `from_ns` and before
///    `until_ns`, a type of 2^30 or more is below `types_end`, the payload is no longer than `payload_max`. If not, it
///    calls binlog_appender_append_record instead;
/// 2. writes the frame at `end`: its time, which is taken as it is, also 0; no flag but BINLOG_RECORD_TIME;
/// 3. stores the new `end` atomically, and then loads `limit` atomically, both sequentially consistent
///    (memory_order_seq_cst in C11, volatile access of a VarHandle in Java, sync/atomic in Go). If `limit` is 0, it
///    calls binlog_appender_settle: the writer has taken records meanwhile, for a flush, a sync, a roll or a close, and
///    may have missed this one.
///
/// Every function of this appender may change the area: the program reads `end` and `limit` again after it. Bytes
/// before `end` must not be changed. What the program stages is handed over as what an appender stages, and lost with
/// the process as that: also what a child of a fork stages, which only a call would refuse. Memory: twice that of an
/// appender, and the program's.
///
/// Returns BINLOG_OK, or what binlog_appender_open returns; BINLOG_E_INVALID for other memory. A frame that is not
/// valid, of an unknown type or too large is not taken, and neither are those after it; the next call returns
/// BINLOG_E_INVALID or BINLOG_E_TOO_LARGE with the place, and then the program may stage again.
///
/// # Safety
/// As for binlog_appender_open; `memory` has `size` bytes, which are valid and used as described here until the
/// appender is closed.
#[no_mangle]
pub unsafe extern "C" fn binlog_appender_open_area(
    writer: *mut binlog_writer,
    options: *const binlog_appender_options,
    memory: *mut binlog_area,
    size: usize,
    out: *mut *mut binlog_appender,
    err: *mut *mut binlog_error,
) -> binlog_status {
    // SAFETY: the caller's promises.
    unsafe {
        guard(err, || {
            let (writer, out) = (handle(writer, "writer")?, by_mut(out, "out")?);
            let memory = NonNull::new(memory.cast::<u8>()).ok_or_else(|| Error::invalid("memory is NULL"))?;
            let mut appender = open_appender(writer, options)?;
            appender.stage_in(memory, size)?;
            Ok(give(out, binlog_appender(appender)))
        })
    }
}

/// Takes the records that the program has staged in its area. One thread at a time. Returns BINLOG_OK when all of them
/// are taken, and what was staged before counts as appended; BINLOG_E_INVALID when the writer is closed and the last
/// record is not in its log; BINLOG_E_INVALID or BINLOG_E_TOO_LARGE for frames that were refused; BINLOG_E_FAILED after
/// an fsync has failed; BINLOG_E_FORKED in a child.
///
/// # Safety
/// `appender` is NULL or open and not in use by another thread, `err` is NULL or writable.
#[no_mangle]
pub unsafe extern "C" fn binlog_appender_settle(
    appender: *mut binlog_appender,
    err: *mut *mut binlog_error,
) -> binlog_status {
    // SAFETY: the caller's promises.
    unsafe { guard(err, || by_mut(appender, "appender")?.0.settle_area().map(|()| BINLOG_OK)) }
}
