//! A store as a table of C functions: for stores that are not part of this library, in whatever language they are
//! written, and for those of `libbinlog_stores.so`.
//!
//! Neither side frees memory that the other has allocated: a store answers through the functions of a
//! [`binlog_store_reply`] during the call, and its arguments live until the call returns.
// A pair of fields is described once, above the first.
#![allow(missing_docs, non_camel_case_types)]

mod given;
mod offered;

use std::ffi::{c_char, c_void};

use super::options::StoreOptions;
use super::Store;
use crate::error::Result;

pub(super) use given::open_table;
pub use offered::answer_open;

/// binlog_store.flags: stored objects cannot be read: stat, read, read_end, list and remove are not called.
pub const BINLOG_STORE_WRITE_ONLY: u32 = 1;

/// binlog_store_reply.failed: the same request may succeed later.
pub const BINLOG_STORE_LATER: u32 = 0;
/// binlog_store_reply.failed: an operator has to change something first (credentials, permissions, a name, space).
pub const BINLOG_STORE_WHEN_MENDED: u32 = 1;

/// An object of a store. Everything in it lives until the call that receives it returns.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct binlog_store_object {
    /// sizeof(binlog_store_object) of the side that fills it.
    pub struct_size: usize,
    /// Its name, without the store's prefix. May be NULL in the answer of stat and read_end.
    pub name: *const c_char,
    /// Its length in bytes.
    pub bytes: u64,
    /// When it was stored, in nanoseconds since the Unix epoch.
    pub modified_ns: i64,
    /// A checksum that the store computed of its contents (an ETag), in lower case without quotes, which differs for
    /// other contents; NULL when there is none. If it is the MD5 of an object that was sent as one, in hexadecimal
    /// digits, or what S3 or Swift computes from the MD5 of the parts, it confirms the object, which is then not read
    /// back.
    pub tag: *const c_char,
    /// The 32 bytes of the SHA-256 that were given with the upload, if the store keeps them; otherwise NULL.
    pub sha256: *const u8,
    pub reserved: [u64; 2],
}

/// The functions by which a store answers, filled by the library. Each receives `context`, and may be called only
/// during the call that received the reply, in its thread. None of them throws or jumps out.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct binlog_store_reply {
    /// sizeof(binlog_store_reply) of the library.
    pub struct_size: usize,
    pub context: *mut c_void,
    /// Reports why the call fails, before it returns a status less than 0: BINLOG_STORE_LATER or _WHEN_MENDED; after
    /// how many milliseconds the request may be made again, -1 = the library chooses; the errno, 0 = none; the file
    /// that it concerns, NULL = the object; and a line for people that contains nothing secret. Without it the failure
    /// is one that may be retried later.
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
    /// Returns an object: from stat and read_end the requested one, from list each that exists.
    pub object: Option<unsafe extern "C" fn(context: *mut c_void, object: *const binlog_store_object)>,
    /// Returns the next bytes of a range (of read_end: range 0); called any number of times, until each range has all
    /// of its bytes in their order.
    pub bytes: Option<unsafe extern "C" fn(context: *mut c_void, range: usize, data: *const c_void, len: usize)>,
    /// From read: the tag of the object that all of the bytes belong to, or its modified_ns in decimal digits if it has
    /// no tag. A store that does not know it does not call this, and the library calls stat before and after.
    pub version: Option<unsafe extern "C" fn(context: *mut c_void, version: *const c_char)>,
}

/// Bytes of an object: from `begin` up to, and without, `end`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct binlog_store_range {
    pub begin: u64,
    pub end: u64,
}

/// A file to store, filled by the library. Its functions receive `context`; any thread may call `read` during the call,
/// the others only the thread of the call.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct binlog_store_upload {
    /// sizeof(binlog_store_upload) of the library.
    pub struct_size: usize,
    pub context: *mut c_void,
    /// The object's name: a file name of 1 to 255 bytes without slashes and control characters that begins with no dot.
    pub name: *const c_char,
    /// The file's path, for messages and for stores that pass it on.
    pub path: *const c_char,
    /// Its length and its SHA-256: the stored object must match them.
    pub bytes: u64,
    pub sha256: [u8; 32],
    /// Length of all parts but the last, in bytes, and the MD5 of each, 16 consecutive bytes; of the whole file, when
    /// part_count is 1.
    pub part_bytes: u64,
    pub part_count: usize,
    pub part_md5: *const u8,
    /// The token that an earlier try has given to `note` of the same upload; NULL = it is the first. A store that no
    /// longer knows it begins again.
    pub resume: *const c_char,
    /// Reads up to `len` bytes of the file at `offset` into `buffer`, and stores their number in `read`: fewer only at
    /// its end. Returns 0 or an errno.
    pub read: Option<
        unsafe extern "C" fn(
            context: *mut c_void,
            offset: u64,
            buffer: *mut c_void,
            len: usize,
            read: *mut usize,
        ) -> i32,
    >,
    /// This many more bytes were taken by the store.
    pub sent: Option<unsafe extern "C" fn(context: *mut c_void, bytes: u64)>,
    /// This many more bytes need not be sent: the store has them from an earlier try.
    pub found: Option<unsafe extern "C" fn(context: *mut c_void, bytes: u64)>,
    /// Stores, durably, a text of up to 64 KiB with which the upload can be resumed after a restart. Returns 0, or a
    /// status less than 0, which the upload then returns.
    pub note: Option<unsafe extern "C" fn(context: *mut c_void, token: *const c_char) -> i32>,
    /// Not 0 when the upload is to stop: it then fails, and is resumed later.
    pub stop: Option<unsafe extern "C" fn(context: *mut c_void) -> i32>,
}

/// Options for access to a store, filled by the library.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct binlog_store_options {
    /// sizeof(binlog_store_options) of the library.
    pub struct_size: usize,
    /// A file of KEY=VALUE lines with the credentials; NULL = they are in the environment.
    pub credentials: *const c_char,
    /// Files over this many bytes are sent in parts of this size.
    pub part_bytes: u64,
    /// After this many milliseconds without any progress a request has failed.
    pub timeout_ms: u64,
    /// Bytes per second that are sent at most; 0 = no limit.
    pub bandwidth: u64,
    /// Concurrent requests.
    pub in_flight: u32,
    pub reserved32: u32,
}

/// A store: a place that stores objects under names. Functions return 0 when done, or a status less than 0 after
/// `reply->failed`. Any thread may call them, several at a time; each call may be repeated, whatever the result of the
/// previous one. Names are file names without slashes. No function throws or jumps out, or calls the handle that uses
/// the store.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct binlog_store {
    /// sizeof(binlog_store) of the side that fills it.
    pub struct_size: usize,
    /// Passed to each function.
    pub userdata: *mut c_void,
    /// The store's URL without options and without anything secret. It is copied.
    pub url: *const c_char,
    /// BINLOG_STORE_WRITE_ONLY.
    pub flags: u32,
    pub reserved32: u32,
    /// The facts of the object: by reply->object, which is not called when there is none of this name.
    pub stat: Option<
        unsafe extern "C" fn(userdata: *mut c_void, reply: *const binlog_store_reply, name: *const c_char) -> i32,
    >,
    /// Stores a file as an object that must not exist yet: none is ever overwritten, and the check and the storing are
    /// one step. An existing object of the name is no failure: `exists` is set to 1, and the caller compares the
    /// object.
    pub upload: Option<
        unsafe extern "C" fn(
            userdata: *mut c_void,
            reply: *const binlog_store_reply,
            upload: *const binlog_store_upload,
            exists: *mut u32,
        ) -> i32,
    >,
    /// Sends the parts of an upload ahead, without making them an object: upload does that, with the noted token. NULL
    /// = the store has no parts.
    pub send_parts: Option<
        unsafe extern "C" fn(
            userdata: *mut c_void,
            reply: *const binlog_store_reply,
            upload: *const binlog_store_upload,
        ) -> i32,
    >,
    /// The bytes of each range by reply->bytes, and reply->version. A range outside the object, and an object that does
    /// not exist, are failures (BINLOG_E_INVALID, BINLOG_E_NOT_FOUND).
    pub read: Option<
        unsafe extern "C" fn(
            userdata: *mut c_void,
            reply: *const binlog_store_reply,
            name: *const c_char,
            ranges: *const binlog_store_range,
            range_count: usize,
        ) -> i32,
    >,
    /// The facts of the object, by reply->object, and its last `bytes` bytes (all of it, if it has fewer), by
    /// reply->bytes.
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
    /// Removes an object; it is no failure if there is none.
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
    /// Gives up all uploads of names that begin with `prefix` and that were begun more than `age_ms` milliseconds ago,
    /// and stores their number in `given_up`. NULL = there are none.
    pub abort_stale: Option<
        unsafe extern "C" fn(
            userdata: *mut c_void,
            reply: *const binlog_store_reply,
            prefix: *const c_char,
            age_ms: u64,
            given_up: *mut u64,
        ) -> i32,
    >,
    /// Not 0 when the objects are files of this directory, by any path: a log is not shipped onto itself. NULL = they
    /// are not.
    pub is_directory: Option<unsafe extern "C" fn(userdata: *mut c_void, path: *const c_char) -> i32>,
    /// Frees the store. Called once, from any thread, when no other function is or will be called. May be NULL.
    pub drop: Option<unsafe extern "C" fn(userdata: *mut c_void)>,
    /// Must be 0.
    pub reserved: [u64; 4],
}

/// Opens the store of a URL into `store`, or fails as a function of a store does: with BINLOG_E_UNSUPPORTED for a URL
/// that is not of its kind. Makes no request. Called during the call that received the options, possibly more than
/// once.
pub type binlog_store_open_callback = Option<
    unsafe extern "C" fn(
        userdata: *mut c_void,
        reply: *const binlog_store_reply,
        url: *const c_char,
        options: *const binlog_store_options,
        store: *mut binlog_store,
    ) -> i32,
>;
