//! A store as a table of C functions: how stores that this library does not bring along, in whatever language they are written,
//! come into it, and how those of `libbinlog_stores.so` do.
//!
//! Nothing that one side has allocated is freed by the other: what a store answers goes through the functions of a
//! [`binlog_store_reply`] while the call is under way, and what it was given lives until the call returns.
// A pair of fields is described once, above the first.
#![allow(missing_docs, non_camel_case_types)]

mod given;
mod offered;

use std::ffi::{c_char, c_void};
use std::fmt;
use std::sync::Arc;

use super::{Store, StoreOptions};
use crate::error::Result;

pub(super) use given::open_table;
pub use given::Opener;
pub use offered::answer_open;

/// binlog_store.flags: objects cannot be looked at once they are there: stat, read, read_end, list and remove are not called.
pub const BINLOG_STORE_WRITE_ONLY: u32 = 1;

/// binlog_store_reply.failed: the same request may succeed later.
pub const BINLOG_STORE_LATER: u32 = 0;
/// binlog_store_reply.failed: somebody has to change something first (credentials, permissions, a name, space).
pub const BINLOG_STORE_WHEN_MENDED: u32 = 1;

/// An object of a store. Everything in it lives until the call that it is given to returns.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct binlog_store_object {
    /// sizeof(binlog_store_object) of whoever fills it.
    pub struct_size: usize,
    /// Its name, without the store's prefix. May be NULL in the answer of stat and read_end.
    pub name: *const c_char,
    /// Its length in bytes.
    pub bytes: u64,
    /// When it was stored, in nanoseconds since the Unix epoch.
    pub modified_ns: i64,
    /// What the store computed of its contents (an ETag), in lower case without quotes, and another one for other contents;
    /// NULL when it computes nothing. Where it is the MD5 of an object that was sent in one piece, in hexadecimal digits, or
    /// what S3 or Swift makes of the MD5 of the parts, the object is confirmed by it and not read back.
    pub tag: *const c_char,
    /// The 32 bytes of the SHA-256 that were given with the upload, if the store keeps them; else NULL.
    pub sha256: *const u8,
    pub reserved: [u64; 2],
}

/// What a store answers by, filled by the library. Each function is given `context`, and is called only while the call that
/// was given the reply is under way, in its thread. None of them throws or jumps out.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct binlog_store_reply {
    /// sizeof(binlog_store_reply) of the library.
    pub struct_size: usize,
    pub context: *mut c_void,
    /// Says why the call fails, before it returns a status less than 0: BINLOG_STORE_LATER or _WHEN_MENDED; after how many
    /// milliseconds the request may be made again, -1 = the library chooses; the errno, 0 = none; the file that it concerns, NULL =
    /// the object; and a line for people, in which nothing is secret. Without it the failure is one to be tried again later.
    pub failed: Option<
        unsafe extern "C" fn(
            context: *mut c_void,
            again: u32,
            after_ms: i64,
            os_code: i32,
            path: *const c_char,
            message: *const c_char,
        ),
    >,
    /// Hands an object over: to stat and read_end the one that was asked for, to list each that is there.
    pub object: Option<unsafe extern "C" fn(context: *mut c_void, object: *const binlog_store_object)>,
    /// Hands the next bytes of a range over (of read_end: range 0); any number of times, so that each range gets all of its
    /// bytes in their order.
    pub bytes: Option<unsafe extern "C" fn(context: *mut c_void, range: usize, data: *const c_void, len: usize)>,
    /// To read: the tag of the object that all of the bytes are of, or its modified_ns in decimal digits where it has no tag.
    /// A store that cannot tell does not call it, and the library asks stat before and after.
    pub version: Option<unsafe extern "C" fn(context: *mut c_void, version: *const c_char)>,
}

/// Bytes of an object: from `begin` up to, and without, `end`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct binlog_store_range {
    pub begin: u64,
    pub end: u64,
}

/// A file to be stored, filled by the library. Its functions are given `context`; any thread may call `read` while the call is
/// under way, the others are called by the thread of the call alone.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct binlog_store_upload {
    /// sizeof(binlog_store_upload) of the library.
    pub struct_size: usize,
    pub context: *mut c_void,
    /// The object's name: a file name of 1 to 255 bytes without slashes and control characters that begins with no dot.
    pub name: *const c_char,
    /// The file's path, for messages and for stores that hand it on.
    pub path: *const c_char,
    /// Its length and its SHA-256: what is stored must be this.
    pub bytes: u64,
    pub sha256: [u8; 32],
    /// Length of all parts but the last, in bytes, and the MD5 of each, 16 bytes one after the other; of the whole file, when
    /// part_count is 1.
    pub part_bytes: u64,
    pub part_count: usize,
    pub part_md5: *const u8,
    /// What `note` was told by an earlier try of the same upload; NULL = it is the first. A store that no longer knows it
    /// begins anew.
    pub resume: *const c_char,
    /// Reads up to `len` bytes of the file at `offset` into `buffer`, and puts how many into `read`: fewer only at its end.
    /// Returns 0 or an errno.
    pub read: Option<
        unsafe extern "C" fn(
            context: *mut c_void,
            offset: u64,
            buffer: *mut c_void,
            len: usize,
            read: *mut usize,
        ) -> i32,
    >,
    /// So many more bytes have been taken by the store.
    pub sent: Option<unsafe extern "C" fn(context: *mut c_void, bytes: u64)>,
    /// So many more bytes need not be sent: the store has them from an earlier try.
    pub found: Option<unsafe extern "C" fn(context: *mut c_void, bytes: u64)>,
    /// Remembers, durably, a text of up to 64 KiB by which the upload can be gone on with after a restart. Returns 0, or a
    /// status less than 0, on which the upload returns it.
    pub note: Option<unsafe extern "C" fn(context: *mut c_void, token: *const c_char) -> i32>,
    /// Not 0 when the upload is to stop: it fails then, to be gone on with later.
    pub stop: Option<unsafe extern "C" fn(context: *mut c_void) -> i32>,
}

/// How a store is talked to, filled by the library.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct binlog_store_options {
    /// sizeof(binlog_store_options) of the library.
    pub struct_size: usize,
    /// A file of KEY=VALUE lines with the credentials; NULL = the environment has them.
    pub credentials: *const c_char,
    /// Files over this many bytes go in parts of it.
    pub part_bytes: u64,
    /// After so many milliseconds without any progress a request has failed.
    pub timeout_ms: u64,
    /// Bytes a second that are sent at most; 0 = no limit.
    pub bandwidth: u64,
    /// Requests at a time.
    pub in_flight: u32,
    pub reserved32: u32,
}

/// A store: a place that keeps objects under names. Functions return 0 when done, or a status less than 0 after
/// `reply->failed`. Any thread may call them, several at a time; each may be repeated, whatever became of the call before.
/// Names are file names without slashes. No function throws or jumps out, or calls the handle that uses the store.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct binlog_store {
    /// sizeof(binlog_store) of whoever fills it.
    pub struct_size: usize,
    /// Given to each function.
    pub userdata: *mut c_void,
    /// Where it is: the URL without options and without anything secret. It is copied.
    pub url: *const c_char,
    /// BINLOG_STORE_WRITE_ONLY.
    pub flags: u32,
    pub reserved32: u32,
    /// What the object is: by reply->object, or without it when there is none of this name.
    pub stat: Option<
        unsafe extern "C" fn(userdata: *mut c_void, reply: *const binlog_store_reply, name: *const c_char) -> i32,
    >,
    /// Stores a file as an object that must not be there yet: none is ever overwritten, and the comparison and the storing are
    /// one step. An object of the name that is there is no failure: `exists` gets 1, and the object is compared then.
    pub upload: Option<
        unsafe extern "C" fn(
            userdata: *mut c_void,
            reply: *const binlog_store_reply,
            upload: *const binlog_store_upload,
            exists: *mut u32,
        ) -> i32,
    >,
    /// Sends the parts of an upload ahead, without making them an object: upload does that, with what was noted. NULL = the
    /// store has no parts.
    pub send_parts: Option<
        unsafe extern "C" fn(
            userdata: *mut c_void,
            reply: *const binlog_store_reply,
            upload: *const binlog_store_upload,
        ) -> i32,
    >,
    /// The bytes of each range by reply->bytes, and reply->version. A range that does not lie in the object, and an object that
    /// is not there, are failures (BINLOG_E_INVALID, BINLOG_E_NOT_FOUND).
    pub read: Option<
        unsafe extern "C" fn(
            userdata: *mut c_void,
            reply: *const binlog_store_reply,
            name: *const c_char,
            ranges: *const binlog_store_range,
            range_count: usize,
        ) -> i32,
    >,
    /// What the object is, by reply->object, and its last `bytes` bytes (all of it, if it has fewer), by reply->bytes.
    pub read_end: Option<
        unsafe extern "C" fn(
            userdata: *mut c_void,
            reply: *const binlog_store_reply,
            name: *const c_char,
            bytes: u64,
        ) -> i32,
    >,
    /// All objects whose names begin with `prefix`, by reply->object, in any order.
    pub list: Option<
        unsafe extern "C" fn(userdata: *mut c_void, reply: *const binlog_store_reply, prefix: *const c_char) -> i32,
    >,
    /// Removes an object; one that is not there is removed already.
    pub remove: Option<
        unsafe extern "C" fn(userdata: *mut c_void, reply: *const binlog_store_reply, name: *const c_char) -> i32,
    >,
    /// Gives up an upload that was begun and noted. NULL = there is nothing to give up.
    pub abort: Option<
        unsafe extern "C" fn(
            userdata: *mut c_void,
            reply: *const binlog_store_reply,
            name: *const c_char,
            token: *const c_char,
        ) -> i32,
    >,
    /// Gives up all uploads of names that begin with `prefix` and that were begun more than `age_ms` milliseconds ago, and puts
    /// how many into `given_up`. NULL = there are none.
    pub abort_stale: Option<
        unsafe extern "C" fn(
            userdata: *mut c_void,
            reply: *const binlog_store_reply,
            prefix: *const c_char,
            age_ms: u64,
            given_up: *mut u64,
        ) -> i32,
    >,
    /// Not 0 when the objects are files of this directory, by whatever path: a log is not shipped onto itself. NULL = they are
    /// not.
    pub is_directory: Option<unsafe extern "C" fn(userdata: *mut c_void, path: *const c_char) -> i32>,
    /// Frees the store. Called once, from any thread, when nothing else of it is or will be called. May be NULL.
    pub drop: Option<unsafe extern "C" fn(userdata: *mut c_void)>,
    /// Must be 0.
    pub reserved: [u64; 4],
}

/// Opens the store of a URL into `store`, or fails as a function of a store does: with BINLOG_E_UNSUPPORTED for a URL that is
/// not of its kind. No request is made. Called during the call that is given the options, maybe more than once.
pub type binlog_store_open_callback = Option<
    unsafe extern "C" fn(
        userdata: *mut c_void,
        reply: *const binlog_store_reply,
        url: *const c_char,
        options: *const binlog_store_options,
        store: *mut binlog_store,
    ) -> i32,
>;

/// How stores are opened in Rust.
type Open = dyn Fn(&str, &StoreOptions) -> Result<Arc<dyn Store>> + Send + Sync;

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Opener")
    }
}
