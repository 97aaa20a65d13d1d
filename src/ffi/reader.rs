//! The reader's handle.
// A pair of fields is described once, above the first.
#![allow(missing_docs)]

use std::ffi::{c_char, c_void, CString};
use std::os::unix::ffi::OsStrExt;
use std::sync::OnceLock;

use super::error::{binlog_error, c_string};
use super::guard::*;
use super::loss::{binlog_loss_callback, LossCallback};
use super::required::{binlog_required, required};
use super::types::*;
use crate::contents::SegmentFacts;
use crate::error::{Error, Kind, Result};
use crate::store::table::binlog_store_open_callback;
use crate::store::Opener;
use crate::{Reader, ReaderMode, ReaderOptions};

/// A log to be read. Threads may share it, except for closing.
pub struct binlog_reader {
    pub(super) reader: Reader,
    segments: OnceLock<Vec<SegmentStrings>>,
}

/// The strings of a segment, which live as long as the reader.
struct SegmentStrings {
    facts: SegmentFacts,
    path: CString,
    name: CString,
    content_type: CString,
    parameters: Strings,
}

/// Strings, and where each of them begins.
struct Strings {
    begins: Vec<*const c_char>,
    /// The owner of the strings in `begins`.
    _owned: Vec<CString>,
}

// SAFETY: the pointers refer to the heap memory of the strings beside them, which are never changed.
unsafe impl Send for Strings {}
// SAFETY: as above.
unsafe impl Sync for Strings {}

impl<'a> FromIterator<&'a String> for Strings {
    fn from_iter<I: IntoIterator<Item = &'a String>>(strings: I) -> Self {
        let owned: Vec<CString> = strings.into_iter().map(|string| c_string(string.as_bytes())).collect();
        Strings { begins: owned.iter().map(|string| string.as_ptr()).collect(), _owned: owned }
    }
}

impl From<SegmentFacts> for SegmentStrings {
    fn from(facts: SegmentFacts) -> Self {
        SegmentStrings {
            path: c_string(facts.path.as_os_str().as_bytes()),
            name: c_string(facts.name.as_bytes()),
            content_type: c_string(facts.content_type.as_bytes()),
            parameters: facts.parameters.iter().flat_map(|(key, value)| [key, value]).collect(),
            facts,
        }
    }
}

impl binlog_reader {
    pub(super) fn of(reader: Reader) -> Self {
        binlog_reader { reader, segments: OnceLock::new() }
    }

    /// The segments, each of which is opened at the first request for them.
    fn segments(&self) -> &[SegmentStrings] {
        self.segments.get_or_init(|| self.reader.segments().into_iter().map(SegmentStrings::from).collect())
    }
}

/// How a log is read. Zeros are the defaults.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct binlog_reader_options {
    /// sizeof(binlog_reader_options) of the caller.
    pub struct_size: usize,
    /// Must be 0.
    pub flags: u32,
    /// BINLOG_READER_*.
    pub mode: u32,
    /// Called by each cursor for each loss that it finds and skips: with BINLOG_READER_SALVAGE for all of them, with
    /// BINLOG_READER_PREFIX for those that cause no error (binlog_loss.kind), with BINLOG_READER_STRICT for none. May
    /// be NULL. Cursors in several threads call it at the same time.
    pub on_loss: binlog_loss_callback,
    /// Passed to on_loss.
    pub on_loss_userdata: *mut c_void,
    /// Called once with on_loss_userdata after the last call of on_loss: when the reader and all its cursors are
    /// closed, or before binlog_reader_open returns if it fails or on_loss is NULL. Runs in the thread that does that,
    /// and must not throw or jump out. May be NULL. Not called when struct_size is wrong: then nothing else was read.
    pub on_loss_drop: binlog_drop_callback,
    /// Requirements for the log; NULL = none.
    pub require: *const binlog_required,
    /// For a log in a store: a local directory as a cache, so nothing is fetched twice. It is created if needed, and
    /// any number of processes of one user may share it. A directory that other users may write to is refused
    /// (BINLOG_E_INVALID): they could put records into the log. NULL = no cache.
    pub cache: *const c_char,
    /// How many bytes that directory may contain; the least recently used are removed first. 0 = 1 GiB.
    pub cache_bytes: u64,
    /// For a log in a store: a file of KEY=VALUE lines with the credentials, which other users must not be able to
    /// read; NULL = they are in the environment, or are provided by the machine itself.
    pub credentials: *const c_char,
    /// The most memory, in bytes, that reading one block may take: its stored bytes, and its decompressed bytes; bytes
    /// that are not read, such as payloads with BINLOG_FILTER_HEADERS, do not count. A block that takes more is
    /// BINLOG_E_TOO_LARGE, and a loss for a reader that salvages. 0 = 4 GiB: every block that a writer makes without
    /// compression. Use a smaller limit for a log from an untrusted source.
    pub block_max_bytes: u64,
    /// In a directory or a pattern with several logs, only the one of this name is read, as UTF-8; NULL = all of them,
    /// one after the other. BINLOG_E_NOT_FOUND when none has it.
    pub log: *const c_char,
    /// For a log in a store that is neither a directory nor one of libbinlog_stores: opens it, during
    /// binlog_reader_open. Called for each URL except those of directories; if it returns BINLOG_E_UNSUPPORTED,
    /// libbinlog_stores is asked. May be NULL.
    pub open_store: binlog_store_open_callback,
    /// Passed to open_store.
    pub open_store_userdata: *mut c_void,
    /// Must be 0.
    pub reserved: [u64; 2],
}

// SAFETY: a plain C struct of integers and pointers whose first field is struct_size.
unsafe impl SelfSized for binlog_reader_options {}

/// The facts of a segment. The strings live as long as the reader.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct binlog_segment {
    /// Number of the segment in its log, from 1.
    pub sequence: u64,
    /// Id of the first record in it.
    pub first_id: u64,
    /// When it was created, in nanoseconds since the Unix epoch.
    pub created_ns: i64,
    /// Its length when the reader was opened; 0 for a file that is compressed as a whole.
    pub bytes: u64,
    /// The file.
    pub path: *const c_char,
    /// The log's name and the MIME type of its payloads.
    pub name: *const c_char,
    pub content_type: *const c_char,
    /// The parameters that its writer set: key, value, key, value ..., sorted by key; NULL when there are none.
    pub parameters: *const *const c_char,
    /// Number of pairs in parameters.
    pub parameter_count: usize,
    pub reserved: [u64; 2],
}

/// How many records of a type a log contains.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct binlog_type_count {
    /// The type's number; for a name that has several, the first of them.
    pub r#type: u32,
    /// 1 if the records have several numbers: a name has another one with each schema. Otherwise 0.
    pub several_numbers: u32,
    pub records: u64,
    /// The name that the number was given for, NUL-terminated; NULL if there is none. It lives until the callback
    /// returns.
    pub name: *const c_char,
    pub reserved: [u64; 2],
}

/// Called for a type.
pub type binlog_type_count_callback =
    Option<unsafe extern "C" fn(userdata: *mut c_void, counted: *const binlog_type_count)>;

// The layout is part of the interface: tests/c/layout.c asserts the same numbers.
#[cfg(target_pointer_width = "64")]
const _: () = {
    use std::mem::size_of;
    assert!(size_of::<binlog_reader_options>() == 120);
    assert!(size_of::<binlog_segment>() == 88);
    assert!(size_of::<binlog_type_count>() == 40);
};

/// Sets options to their defaults. `struct_size` is the caller's sizeof(binlog_reader_options). Any thread.
/// Returns BINLOG_OK or BINLOG_E_INVALID.
///
/// # Safety
/// `options` is NULL or points to `struct_size` writable bytes.
#[no_mangle]
pub unsafe extern "C" fn binlog_reader_options_init(
    options: *mut binlog_reader_options,
    struct_size: usize,
) -> binlog_status {
    // SAFETY: the caller's promise.
    unsafe { guard(std::ptr::null_mut(), || init_sized(options, struct_size, "binlog_reader_options")) }
}

/// Opens a segment file, a directory log, or the files that match a glob pattern (`*`, `?`, `[...]`) for reading. Files
/// compressed with gzip or zstd as a whole are recognised by their contents. `options` may be NULL. Close the reader
/// with binlog_reader_close; its cursors remain usable. Any thread.
///
/// The URL of a store, as in binlog_ship_options.url, refers to a log too, which is read in the store with a few
/// requests: `s3://BUCKET/PREFIX?region=...` to all of its segments, with a segment's name after the prefix only to
/// that one, with a pattern (`*`, `[...]`) in its place to those that match. A request with a passing failure is
/// retried for half a minute. All of those URLs can be read but `exec:COMMAND`, which is taken for a path here: what a
/// command was given cannot be read back. Nor can other stores that are only written to: BINLOG_E_UNSUPPORTED.
///
/// Returns BINLOG_OK; BINLOG_E_NOT_FOUND when nothing is there, BINLOG_E_CORRUPT when a file does not begin as a
/// segment does (to salvage: when there is no block in any of them), BINLOG_E_UNSUPPORTED when it is of a newer
/// version, BINLOG_E_MISMATCH when it is not what binlog_reader_options.require asks for, BINLOG_E_INVALID,
/// BINLOG_E_IO. A log on a server needs libbinlog_stores.so.0: BINLOG_E_UNSUPPORTED when it is not installed.
///
/// # Safety
/// `path_or_glob` is a NUL-terminated string, `options` NULL or valid, `out` a place for a pointer, `err` NULL or one.
#[no_mangle]
pub unsafe extern "C" fn binlog_reader_open(
    path_or_glob: *const c_char,
    options: *const binlog_reader_options,
    out: *mut *mut binlog_reader,
    err: *mut *mut binlog_error,
) -> binlog_status {
    // SAFETY: the caller's promises.
    unsafe {
        guard(err, || {
            // First, so on_loss_drop is called even if something else is wrong.
            let options = reader_options(options)?;
            let out = by_mut(out, "out")?;
            let reader = Reader::open(path(path_or_glob, "path_or_glob")?, options)?;
            Ok(give(out, binlog_reader::of(reader)))
        })
    }
}

/// The number of segments when the reader was opened. Any thread. Returns BINLOG_OK or BINLOG_E_INVALID.
///
/// # Safety
/// `reader` is NULL or open, `out` is writable, `err` NULL or writable.
#[no_mangle]
pub unsafe extern "C" fn binlog_reader_segment_count(
    reader: *const binlog_reader,
    out: *mut usize,
    err: *mut *mut binlog_error,
) -> binlog_status {
    // SAFETY: the caller's promises.
    unsafe {
        guard(err, || {
            *by_mut(out, "out")? = handle(reader, "reader")?.segments().len();
            Ok(BINLOG_OK)
        })
    }
}

/// The facts of segment number `index` (from 0, in the order of writing). The strings live as long as the reader. Any
/// thread. Returns BINLOG_OK, BINLOG_E_NOT_FOUND beyond the last, BINLOG_E_INVALID.
///
/// # Safety
/// `reader` is NULL or open, `out` is writable, `err` NULL or writable.
#[no_mangle]
pub unsafe extern "C" fn binlog_reader_segment(
    reader: *const binlog_reader,
    index: usize,
    out: *mut binlog_segment,
    err: *mut *mut binlog_error,
) -> binlog_status {
    // SAFETY: the caller's promises.
    unsafe {
        guard(err, || {
            let (reader, out) = (handle(reader, "reader")?, by_mut(out, "out")?);
            let segments = reader.segments();
            let Some(segment) = segments.get(index) else {
                let count = segments.len();
                return Err(Error::new(Kind::NotFound, format!("there is no segment {index}, only {count} of them")));
            };
            let parameters = &segment.parameters.begins;
            *out = binlog_segment {
                sequence: segment.facts.sequence,
                first_id: segment.facts.first_id,
                created_ns: segment.facts.created,
                bytes: segment.facts.bytes.unwrap_or(0),
                path: segment.path.as_ptr(),
                name: segment.name.as_ptr(),
                content_type: segment.content_type.as_ptr(),
                parameters: if parameters.is_empty() { std::ptr::null() } else { parameters.as_ptr() },
                parameter_count: parameters.len() / 2,
                reserved: [0; 2],
            };
            Ok(BINLOG_OK)
        })
    }
}

/// Reports to `each` how many records of each type the log contains, the most frequent first: from the index, and from
/// the headers of blocks that it does not describe; no payload is read. In a store, segments that a catalog describes
/// are not opened. Events are not counted. Any thread; `each` is called in it, after everything was counted, and may
/// use the reader; it must not throw or jump out.
///
/// Returns BINLOG_OK, BINLOG_E_INVALID, BINLOG_E_IO; BINLOG_E_CORRUPT where headers have to be read and are damaged, in
/// every mode of the reader. `each` is only called with BINLOG_OK.
///
/// # Safety
/// `reader` is NULL or open, `each` NULL or a function, `err` NULL or writable.
#[no_mangle]
pub unsafe extern "C" fn binlog_reader_counts(
    reader: *const binlog_reader,
    each: binlog_type_count_callback,
    userdata: *mut c_void,
    err: *mut *mut binlog_error,
) -> binlog_status {
    // SAFETY: the caller's promises.
    unsafe {
        guard(err, || {
            let each = each.ok_or_else(|| Error::invalid("each must not be NULL"))?;
            for counted in handle(reader, "reader")?.reader.counts()? {
                let name = counted.name.as_ref().map(|name| c_string(name.as_bytes()));
                let count = binlog_type_count {
                    r#type: counted.type_id,
                    several_numbers: u32::from(counted.has_several_numbers),
                    records: counted.records,
                    name: name.as_ref().map_or(std::ptr::null(), |name| name.as_ptr()),
                    reserved: [0; 2],
                };
                each(userdata, &count);
            }
            Ok(BINLOG_OK)
        })
    }
}

/// Frees the reader; its cursors remain usable. NULL is a no-op. No other thread may be using the reader.
///
/// # Safety
/// `reader` is NULL or open and not in use elsewhere; it must not be used afterwards.
#[no_mangle]
pub unsafe extern "C" fn binlog_reader_close(reader: *mut binlog_reader) {
    // SAFETY: every handle was made by Box::into_raw and is given back once.
    unsafe {
        guard(std::ptr::null_mut(), || {
            if !reader.is_null() {
                drop(Box::from_raw(reader));
            }
            Ok(BINLOG_OK)
        });
    }
}

/// # Safety
/// `given` is NULL or valid with what it points to.
pub(super) unsafe fn reader_options(given: *const binlog_reader_options) -> Result<ReaderOptions> {
    // SAFETY: the caller's promise.
    let (given, unknown) = unsafe { sized_unchecked(given, "binlog_reader_options") }?;
    let userdata = Userdata { pointer: given.on_loss_userdata, drop: given.on_loss_drop };
    let on_loss = given.on_loss.map(|call| LossCallback { call, userdata }.into_on_loss());
    unknown?;
    check_reserved("binlog_reader_options", &given.reserved)?;
    check_reserved("binlog_reader_options", &[u64::from(given.flags)])?;
    let mode = match given.mode {
        BINLOG_READER_PREFIX => ReaderMode::Prefix,
        BINLOG_READER_STRICT => ReaderMode::Strict,
        BINLOG_READER_SALVAGE => ReaderMode::Salvage,
        mode => return Err(Error::invalid(format!("there is no reader mode {mode}"))),
    };
    // SAFETY: the caller's promises.
    let (log, require, cache, credentials) = unsafe {
        (
            if given.log.is_null() { None } else { Some(text(given.log, "the log's name")?.to_owned()) },
            required(given.require)?,
            path_if_any(given.cache, "the directory of the cache")?,
            path_if_any(given.credentials, "the file of credentials")?,
        )
    };
    let binlog_reader_options { cache_bytes, block_max_bytes, .. } = given;
    // SAFETY: the caller's promise.
    let opener = unsafe { Opener::of_c(given.open_store, given.open_store_userdata) };
    Ok(ReaderOptions { mode, on_loss, log, require, cache, cache_bytes, credentials, opener, block_max_bytes })
}
