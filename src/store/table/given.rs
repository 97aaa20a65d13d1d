//! A table of functions that another library has filled, as a store of this library.

use std::ffi::{c_char, c_void, CStr, CString};
use std::fmt;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::*;
use crate::error::{Error, Kind};
use crate::store::options::Opener;
use crate::store::{check_name, check_ranges, replaced, url_of, Again, Answer, Failure, Listed, Stat, Stored, Upload};

impl Opener {
    /// Uses a C function, which receives `userdata`.
    ///
    /// # Safety
    /// The function is as [`binlog_store_open_callback`] describes, may be called from any thread, and `userdata` is
    /// valid for it as long as the opener exists.
    pub unsafe fn of_c(open: binlog_store_open_callback, userdata: *mut c_void) -> Option<Self> {
        let open = open?;
        let userdata = Userdata(userdata);
        Some(Opener::new(move |url, options| {
            let Userdata(userdata) = userdata.same();
            // SAFETY: the caller's promise.
            unsafe { open_table(open, userdata, url, options) }
        }))
    }
}

/// A pointer whose owner promises that any thread may use it.
#[derive(Clone, Copy)]
struct Userdata(*mut c_void);

// SAFETY: the promise of the caller who gave it.
unsafe impl Send for Userdata {}
// SAFETY: likewise.
unsafe impl Sync for Userdata {}

impl Userdata {
    /// Returns the whole struct, so a closure captures the promise and not the pointer alone.
    fn same(self) -> Self {
        self
    }
}

fn c_text(text: &str) -> Result<CString> {
    CString::new(text).map_err(|_| Error::invalid("a name, a prefix or a URL has a NUL in it"))
}

fn c_path(path: &Path) -> Result<CString> {
    CString::new(path.as_os_str().as_bytes()).map_err(|_| Error::invalid("a path has a NUL in it"))
}

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// # Safety
/// As [`Opener::of_c`].
pub(in crate::store) unsafe fn open_table(
    open: unsafe extern "C" fn(
        *mut c_void,
        *const binlog_store_reply,
        *const c_char,
        *const binlog_store_options,
        *mut binlog_store,
    ) -> i32,
    userdata: *mut c_void,
    url: &str,
    options: &StoreOptions,
) -> Result<Arc<dyn Store>> {
    let credentials = options.credentials.as_deref().map(c_path).transpose()?;
    let given = binlog_store_options {
        struct_size: size_of::<binlog_store_options>(),
        credentials: credentials.as_ref().map_or(std::ptr::null(), |path| path.as_ptr()),
        part_bytes: options.part_bytes,
        timeout_ms: ms(options.timeout),
        bandwidth: options.bandwidth,
        in_flight: options.in_flight,
        reserved32: 0,
    };
    let c_url = c_text(url)?;
    let mut table = EMPTY;
    let opened = Reply::default().call("", |reply| {
        // SAFETY: all of it lives until the call returns; the function is what it is said to be.
        unsafe { open(userdata, reply, c_url.as_ptr(), &given, &mut table) }
    });
    opened.map_err(Error::from)?;
    // SAFETY: the caller's promise: the function has filled it.
    Ok(Arc::new(unsafe { TableStore::of(table) }?))
}

/// A table in which every pointer is NULL, as C callers may leave those that they do not know.
const EMPTY: binlog_store = binlog_store {
    struct_size: 0,
    userdata: std::ptr::null_mut(),
    url: std::ptr::null(),
    flags: 0,
    reserved32: 0,
    stat: None,
    upload: None,
    send_parts: None,
    read: None,
    read_end: None,
    list: None,
    remove: None,
    abort: None,
    abort_stale: None,
    is_directory: None,
    drop: None,
    reserved: [0; 4],
};

/// A store behind a table.
struct TableStore {
    table: binlog_store,
    url: String,
}

// SAFETY: what the table's maker promises: any thread may call its functions, several at a time.
unsafe impl Send for TableStore {}
// SAFETY: likewise.
unsafe impl Sync for TableStore {}

impl Drop for TableStore {
    fn drop(&mut self) {
        if let Some(drop) = self.table.drop {
            // SAFETY: the last thing that is called of it.
            unsafe { drop(self.table.userdata) };
        }
    }
}

impl fmt::Debug for TableStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)
    }
}

impl TableStore {
    /// # Safety
    /// The table is what its documentation says.
    unsafe fn of(table: binlog_store) -> Result<Self> {
        // From here on it is freed in any case.
        let mut store = TableStore { table, url: String::new() };
        if table.struct_size != size_of::<binlog_store>() {
            // Its contents are unknown.
            store.table.drop = None;
            let reason = format!(
                "the store's table has {} bytes, and not the {} of this version of the library: set struct_size",
                table.struct_size,
                size_of::<binlog_store>()
            );
            return Err(Error::invalid(reason));
        }
        if table.flags & !BINLOG_STORE_WRITE_ONLY != 0 || table.reserved32 != 0 || table.reserved != [0; 4] {
            return Err(Error::invalid("the store's table has unknown flags, or reserved fields that are not 0"));
        }
        if table.url.is_null() {
            return Err(Error::invalid("binlog_store.url must not be NULL"));
        }
        // SAFETY: the caller's promise.
        let url = unsafe { CStr::from_ptr(table.url) }.to_str();
        store.url = url.map_err(|_| Error::invalid("binlog_store.url is not UTF-8"))?.to_owned();
        let missing = [
            ("upload", table.upload.is_none()),
            ("stat", store.can_read() && table.stat.is_none()),
            ("read", store.can_read() && table.read.is_none()),
            ("read_end", store.can_read() && table.read_end.is_none()),
            ("list", store.can_read() && table.list.is_none()),
            ("remove", store.can_read() && table.remove.is_none()),
        ];
        match missing.iter().find(|(_, is_missing)| *is_missing) {
            Some((name, _)) => Err(Error::invalid(format!("binlog_store.{name} must not be NULL"))),
            None => Ok(store),
        }
    }

    /// The object's URL, for messages.
    fn at(&self, name: &str) -> String {
        match name {
            "" => self.url.clone(),
            name => url_of(&self.url, name),
        }
    }

    fn name(&self, name: &str) -> Answer<CString> {
        check_name(&self.url, name)?;
        c_text(name).map_err(|error| Failure::when_mended(error).at(&self.url))
    }

    fn ask(
        &self,
        name: &str,
        reply: Reply,
        call: impl FnOnce(*mut c_void, *const binlog_store_reply) -> i32,
    ) -> Answer<Received> {
        reply.call(&self.at(name), |reply| call(self.table.userdata, reply))
    }

    fn absent<T>(&self, function: &str) -> Answer<T> {
        let reason = format!("this store has no function {function}");
        Err(Failure::when_mended(Error::new(Kind::Unsupported, reason)).at(&self.url))
    }

    /// The bytes of the ranges, and the version of the object that they belong to, if the store reported it.
    fn fetch(&self, name: &str, ranges: &[Range<u64>]) -> Answer<(Option<String>, Vec<Vec<u8>>)> {
        let c_name = self.name(name)?;
        let Some(read) = self.table.read else { return self.absent("read") };
        let wrong = ranges.iter().find(|range| range.start > range.end);
        if wrong.is_some() {
            check_ranges(ranges, u64::MAX).map_err(|failure| failure.at(&self.at(name)))?;
        }
        let asked: Vec<_> =
            ranges.iter().map(|range| binlog_store_range { begin: range.start, end: range.end }).collect();
        let wanted: Vec<u64> = ranges.iter().map(|range| range.end - range.start).collect();
        let received = self.ask(name, Reply::of(wanted.clone()), |userdata, reply| {
            // SAFETY: all of it lives until the call returns.
            unsafe { read(userdata, reply, c_name.as_ptr(), asked.as_ptr(), asked.len()) }
        })?;
        if received.bytes.iter().map(|bytes| bytes.len() as u64).ne(wanted) {
            return Err(self.broken(name, "fewer bytes came than were asked for"));
        }
        Ok((received.version, received.bytes))
    }

    /// The failure for an invalid answer: another one may be right.
    fn broken(&self, name: &str, reason: &str) -> Failure {
        Failure::later(Error::new(Kind::Io, format!("the store's answer is wrong: {reason}"))).at(&self.at(name))
    }

    fn uploading(
        &self,
        upload: &Upload<'_>,
        call: impl FnOnce(*mut c_void, *const binlog_store_reply, *const binlog_store_upload) -> i32,
    ) -> Answer<()> {
        let name = self.name(upload.name)?;
        let wrong = |error: Error| Failure::when_mended(error).at(&self.at(upload.name));
        let path = c_path(upload.path).map_err(wrong)?;
        let resume = upload.resume.map(c_text).transpose().map_err(wrong)?;
        let part_md5 = upload.sums.part_md5.concat();
        let context = Sending { upload, failed: Mutex::new(None) };
        let given = binlog_store_upload {
            struct_size: size_of::<binlog_store_upload>(),
            context: std::ptr::from_ref(&context).cast_mut().cast(),
            name: name.as_ptr(),
            path: path.as_ptr(),
            bytes: upload.sums.bytes,
            sha256: upload.sums.sha256,
            part_bytes: upload.sums.part_bytes,
            part_count: upload.sums.part_md5.len(),
            part_md5: part_md5.as_ptr(),
            resume: resume.as_ref().map_or(std::ptr::null(), |token| token.as_ptr()),
            read: Some(upload_read),
            sent: Some(upload_sent),
            found: Some(upload_found),
            note: Some(upload_note),
            stop: Some(upload_stop),
        };
        let done = self.ask(upload.name, Reply::default(), |userdata, reply| call(userdata, reply, &given));
        match (done, context.failed.into_inner()) {
            (Ok(_), _) => Ok(()),
            // The error that occurred on this side is more exact.
            (Err(failure), Some(error)) => Err(Failure { error, ..failure }),
            (Err(failure), None) => Err(failure),
        }
    }
}

/// An upload in progress.
struct Sending<'a> {
    upload: &'a Upload<'a>,
    /// The error of one of its functions.
    failed: Mutex<Option<Error>>,
}

/// `None` for the NULL of a store that passes no context.
///
/// # Safety
/// `context` is NULL or that of a `binlog_store_upload` that is under way.
unsafe fn sending<'a>(context: *mut c_void) -> Option<&'a Sending<'a>> {
    // SAFETY: the caller's promise.
    unsafe { context.cast_const().cast::<Sending<'_>>().as_ref() }
}

unsafe extern "C" fn upload_read(
    context: *mut c_void,
    offset: u64,
    buffer: *mut c_void,
    len: usize,
    read: *mut usize,
) -> i32 {
    // A store may be wrong, and must not bring the host down.
    if context.is_null() || read.is_null() || (buffer.is_null() && len > 0) || isize::try_from(len).is_err() {
        return libc::EINVAL;
    }
    if len == 0 {
        // SAFETY: it is not NULL.
        unsafe { read.write(0) };
        return 0;
    }
    without_panic(libc::EIO, || {
        // SAFETY: the store calls it as it is documented. Its bytes may be uninitialised, which a slice's must not be.
        let (sending, buffer) = unsafe {
            std::ptr::write_bytes(buffer.cast::<u8>(), 0, len);
            (sending(context), std::slice::from_raw_parts_mut(buffer.cast::<u8>(), len))
        };
        let Some(sending) = sending else { return libc::EINVAL };
        match crate::io::read_full(sending.upload.source, buffer, offset) {
            Ok(n) => {
                // SAFETY: likewise.
                unsafe { read.write(n) };
                0
            }
            Err(error) => {
                sending.failed.lock().get_or_insert(Error::io(&error, "read the file").at(sending.upload.path));
                error.raw_os_error().unwrap_or(libc::EIO)
            }
        }
    })
}

unsafe extern "C" fn upload_sent(context: *mut c_void, bytes: u64) {
    // SAFETY: the store calls it as it is documented.
    without_panic((), || unsafe { sending(context) }.map_or((), |sending| sending.upload.monitor.sent(bytes)));
}

unsafe extern "C" fn upload_found(context: *mut c_void, bytes: u64) {
    // SAFETY: the store calls it as it is documented.
    without_panic((), || unsafe { sending(context) }.map_or((), |sending| sending.upload.monitor.found(bytes)));
}

unsafe extern "C" fn upload_note(context: *mut c_void, token: *const c_char) -> i32 {
    /// The tokens of this library's stores have some dozen bytes for each part.
    const LONGEST: usize = 64 << 10;
    without_panic(Kind::Failed.status(), || {
        // SAFETY: the store calls it as it is documented.
        let (sending, token) = unsafe { (sending(context), text_of(token)) };
        let Some(sending) = sending else { return Kind::Invalid.status() };
        let noted = match token {
            Some(token) if token.len() <= LONGEST => sending.upload.monitor.note(&token),
            _ => Err(Error::invalid("what a store notes of an upload has 64 KiB of UTF-8 at most")),
        };
        match noted {
            Ok(()) => 0,
            Err(error) => {
                let status = error.kind().status();
                sending.failed.lock().get_or_insert(error);
                status
            }
        }
    })
}

unsafe extern "C" fn upload_stop(context: *mut c_void) -> i32 {
    // SAFETY: the store calls it as it is documented.
    without_panic(1, || unsafe { sending(context) }.is_none_or(|sending| sending.upload.monitor.stop()).into())
}

/// The return value of a C function whose body has panicked: no panic crosses into another language.
pub(super) fn without_panic<T>(otherwise: T, body: impl FnOnce() -> T) -> T {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(body)).unwrap_or(otherwise)
}

/// A text from a store; `None` for NULL. Invalid UTF-8 is shown as far as possible.
///
/// # Safety
/// It is NULL or a C string.
pub(super) unsafe fn text_of(text: *const c_char) -> Option<String> {
    if text.is_null() {
        return None;
    }
    // SAFETY: the caller's promise.
    Some(unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned())
}

/// The message of a failure that a store does not explain.
const NO_REASON: &str = "the store gives no reason";

/// What a store has reported during a call.
#[derive(Default)]
struct Received {
    objects: Vec<Object>,
    /// Memory of the objects' names.
    listed: usize,
    bytes: Vec<Vec<u8>>,
    version: Option<String>,
    failure: Option<Failure>,
    /// An answer that no store may give.
    wrong: Option<&'static str>,
}

struct Object {
    name: String,
    stat: Stat,
}

/// Collects the answer of a store, and limits its size.
#[derive(Default)]
struct Reply {
    received: Received,
    /// The number of bytes that each range may have.
    wanted: Vec<u64>,
}

impl Reply {
    fn of(wanted: Vec<u64>) -> Self {
        Reply { received: Received { bytes: vec![vec![]; wanted.len()], ..Received::default() }, wanted }
    }

    /// Makes the call, and converts its result.
    fn call(self, url: &str, call: impl FnOnce(*const binlog_store_reply) -> i32) -> Answer<Received> {
        let state = Mutex::new(self);
        let reply = binlog_store_reply {
            struct_size: size_of::<binlog_store_reply>(),
            context: std::ptr::from_ref(&state).cast_mut().cast(),
            failed: Some(reply_failed),
            object: Some(reply_object),
            bytes: Some(reply_bytes),
            version: Some(reply_version),
        };
        let status = call(&reply);
        let received = state.into_inner().received;
        let failure = match (status, received.wrong) {
            (0, None) => return Ok(received),
            (0, Some(wrong)) => Failure::later(Error::new(Kind::Io, format!("the store's answer is wrong: {wrong}"))),
            _ => {
                let without = || Failure::later(Error::new(Kind::Io, NO_REASON));
                let Failure { error, again } = received.failure.unwrap_or_else(without);
                Failure { error: error.with_kind(Kind::of_status(status)), again }
            }
        };
        Err(if url.is_empty() { failure } else { failure.at(url) })
    }
}

/// `None` for the NULL of a store that passes no context: then it has replied nothing.
///
/// # Safety
/// `context` is NULL or that of a `binlog_store_reply` whose call is under way.
unsafe fn answering<'a>(context: *mut c_void) -> Option<parking_lot::MutexGuard<'a, Reply>> {
    // SAFETY: the caller's promise.
    unsafe { context.cast_const().cast::<Mutex<Reply>>().as_ref() }.map(Mutex::lock)
}

unsafe extern "C" fn reply_failed(
    context: *mut c_void,
    again: u32,
    after_ms: i64,
    os_code: i32,
    path: *const c_char,
    message: *const c_char,
) {
    without_panic((), || {
        // SAFETY: the store calls it as it is documented.
        let (reply, path, message) = unsafe { (answering(context), text_of(path), text_of(message)) };
        let Some(mut reply) = reply else { return };
        let again = match again {
            BINLOG_STORE_WHEN_MENDED => Again::WhenMended,
            _ => Again::Later(u64::try_from(after_ms).ok().map(Duration::from_millis)),
        };
        let message = message.filter(|message| !message.is_empty()).unwrap_or_else(|| NO_REASON.to_owned());
        let message = message.replace(char::is_control, " ");
        let error = Error::new(Kind::Io, message);
        let error = if os_code == 0 { error } else { error.with_os_code(os_code) };
        let error = path.map_or(error.clone(), |path| error.at(Path::new(&path)));
        reply.received.failure = Some(Failure { error, again });
    });
}

unsafe extern "C" fn reply_object(context: *mut c_void, object: *const binlog_store_object) {
    /// Memory for the names of one list, as `binlog_store` states it.
    const MOST: usize = 256 << 20;
    without_panic((), || {
        // SAFETY: the store calls it as it is documented.
        let Some(mut reply) = (unsafe { answering(context) }) else { return };
        // SAFETY: likewise.
        let Some(object) = (unsafe { object.as_ref() }) else { return };
        if object.struct_size != size_of::<binlog_store_object>() {
            reply.received.wrong = Some("binlog_store_object.struct_size is not that of this version of the library");
            return;
        }
        // SAFETY: likewise.
        let (name, tag) = unsafe { (text_of(object.name), text_of(object.tag)) };
        let sha256 = match object.sha256.is_null() {
            true => None,
            // SAFETY: likewise: 32 bytes.
            false => Some(unsafe { object.sha256.cast::<[u8; 32]>().read_unaligned() }),
        };
        let name = name.unwrap_or_default();
        let tag = tag.unwrap_or_default();
        reply.received.listed = reply.received.listed.saturating_add(name.len() + tag.len() + size_of::<Object>());
        if reply.received.listed > MOST {
            reply.received.objects = vec![];
            reply.received.wrong = Some("the list is longer than 256 MiB");
            return;
        }
        let stat = Stat { bytes: object.bytes, modified_ns: object.modified_ns, tag, sha256 };
        reply.received.objects.push(Object { name, stat });
    });
}

unsafe extern "C" fn reply_bytes(context: *mut c_void, range: usize, data: *const c_void, len: usize) {
    without_panic((), || {
        // SAFETY: the store calls it as it is documented.
        let Some(mut reply) = (unsafe { answering(context) }) else { return };
        let Reply { received, wanted } = &mut *reply;
        if data.is_null() && len > 0 {
            received.wrong = Some("the bytes are NULL");
            return;
        }
        let room = wanted.get(range).zip(received.bytes.get_mut(range));
        match room {
            Some((wanted, bytes)) if (bytes.len() as u64).saturating_add(len as u64) <= *wanted => {
                if len > 0 {
                    // SAFETY: likewise.
                    let data = unsafe { std::slice::from_raw_parts(data.cast::<u8>(), len) };
                    match bytes.try_reserve(len) {
                        Ok(()) => bytes.extend_from_slice(data),
                        Err(_) => received.wrong = Some("there is no memory for it"),
                    }
                }
            }
            _ => received.wrong = Some("more bytes came than were asked for"),
        }
    });
}

unsafe extern "C" fn reply_version(context: *mut c_void, version: *const c_char) {
    without_panic((), || {
        // SAFETY: the store calls it as it is documented.
        let (reply, version) = unsafe { (answering(context), text_of(version)) };
        if let Some(mut reply) = reply {
            reply.received.version = version;
        }
    });
}

impl Store for TableStore {
    fn url(&self) -> &str {
        &self.url
    }

    fn can_read(&self) -> bool {
        self.table.flags & BINLOG_STORE_WRITE_ONLY == 0
    }

    fn stat(&self, name: &str) -> Answer<Option<Stat>> {
        let c_name = self.name(name)?;
        let Some(stat) = self.table.stat else { return self.absent("stat") };
        // SAFETY: all of it lives until the call returns.
        let received = self.ask(name, Reply::default(), |data, reply| unsafe { stat(data, reply, c_name.as_ptr()) })?;
        Ok(received.objects.into_iter().next().map(|object| object.stat))
    }

    fn upload(&self, upload: &Upload<'_>) -> Answer<Stored> {
        let Some(function) = self.table.upload else { return self.absent("upload") };
        let mut exists = 0;
        self.uploading(upload, |data, reply, upload| {
            // SAFETY: all of it lives until the call returns.
            unsafe { function(data, reply, upload, &mut exists) }
        })?;
        Ok(if exists == 0 { Stored::New } else { Stored::Exists })
    }

    fn send_parts(&self, upload: &Upload<'_>) -> Answer<()> {
        let Some(function) = self.table.send_parts else { return Ok(()) };
        // SAFETY: all of it lives until the call returns.
        self.uploading(upload, |data, reply, upload| unsafe { function(data, reply, upload) })
    }

    fn read(&self, name: &str, ranges: &[Range<u64>]) -> Answer<Vec<Vec<u8>>> {
        Ok(self.fetch(name, ranges)?.1)
    }

    fn read_tagged(&self, name: &str, ranges: &[Range<u64>]) -> Answer<(String, Vec<Vec<u8>>)> {
        let missing = || Failure::when_mended(Error::new(Kind::NotFound, "there is no such object"));
        let version = || match self.stat(name) {
            Ok(stat) => Ok(stat.ok_or_else(|| missing().at(&self.at(name)))?.version()),
            Err(failure) => Err(failure),
        };
        if let (Some(version), bytes) = self.fetch(name, ranges)? {
            return Ok((version, bytes));
        }
        let before = version()?;
        let (_, bytes) = self.fetch(name, ranges)?;
        match version()? == before {
            true => Ok((before, bytes)),
            false => Err(replaced(&self.at(name))),
        }
    }

    fn read_end(&self, name: &str, bytes: u64) -> Answer<(Stat, Vec<u8>)> {
        let c_name = self.name(name)?;
        let Some(read_end) = self.table.read_end else { return self.absent("read_end") };
        let received = self.ask(name, Reply::of(vec![bytes]), |data, reply| {
            // SAFETY: all of it lives until the call returns.
            unsafe { read_end(data, reply, c_name.as_ptr(), bytes) }
        })?;
        let stat = received.objects.into_iter().next().map(|object| object.stat);
        let (Some(stat), Some(end)) = (stat, received.bytes.into_iter().next()) else {
            return Err(self.broken(name, "it says nothing of the object"));
        };
        match end.len() as u64 == bytes.min(stat.bytes) {
            true => Ok((stat, end)),
            false => Err(self.broken(name, "fewer bytes came than were asked for")),
        }
    }

    fn list(&self, prefix: &str) -> Answer<Vec<Listed>> {
        let Some(list) = self.table.list else { return self.absent("list") };
        let c_prefix = c_text(prefix).map_err(|error| Failure::when_mended(error).at(&self.url))?;
        // SAFETY: all of it lives until the call returns.
        let received = self.ask("", Reply::default(), |data, reply| unsafe { list(data, reply, c_prefix.as_ptr()) })?;
        let mut found: Vec<Listed> = received
            .objects
            .into_iter()
            .filter(|object| object.name.starts_with(prefix) && check_name(&self.url, &object.name).is_ok())
            .map(|Object { name, stat }| Listed { name, bytes: stat.bytes, modified_ns: stat.modified_ns })
            .collect();
        found.sort_by(|a, b| a.name.cmp(&b.name));
        found.dedup_by(|a, b| a.name == b.name);
        Ok(found)
    }

    fn remove(&self, name: &str) -> Answer<()> {
        let c_name = self.name(name)?;
        let Some(remove) = self.table.remove else { return self.absent("remove") };
        // SAFETY: all of it lives until the call returns.
        self.ask(name, Reply::default(), |data, reply| unsafe { remove(data, reply, c_name.as_ptr()) }).map(drop)
    }

    fn is_directory(&self, path: &Path) -> bool {
        let (Some(function), Ok(path)) = (self.table.is_directory, c_path(path)) else { return false };
        // SAFETY: the path lives until the call returns.
        unsafe { function(self.table.userdata, path.as_ptr()) != 0 }
    }

    fn abort(&self, name: &str, token: &str) -> Answer<()> {
        let c_name = self.name(name)?;
        let Some(abort) = self.table.abort else { return Ok(()) };
        // A token that cannot be a C string does not belong to this store.
        let Ok(token) = c_text(token) else { return Ok(()) };
        let call = |data, reply| {
            // SAFETY: all of it lives until the call returns.
            unsafe { abort(data, reply, c_name.as_ptr(), token.as_ptr()) }
        };
        self.ask(name, Reply::default(), call).map(drop)
    }

    fn abort_stale(&self, prefix: &str, age: Duration) -> Answer<u64> {
        let Some(abort_stale) = self.table.abort_stale else { return Ok(0) };
        let prefix = c_text(prefix).map_err(|error| Failure::when_mended(error).at(&self.url))?;
        let mut given_up = 0;
        self.ask("", Reply::default(), |data, reply| {
            // SAFETY: all of it lives until the call returns.
            unsafe { abort_stale(data, reply, prefix.as_ptr(), ms(age), &mut given_up) }
        })?;
        Ok(given_up)
    }
}
