//! A store of Rust as a table of functions, for callers of the C interface.

use std::ffi::{c_char, c_void, CStr, CString, OsStr};
use std::ops::Range;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::given::{text_of, without_panic};
use super::*;
use crate::error::{a_defect, Error, Kind};
use crate::io::File;
use crate::store::{Again, Answer, Failure, Monitor, Stat, Stored, Sums, Upload};

/// The answer of a library that offers stores to [`binlog_store_open_callback`]: `open` opens the store, whose table is
/// stored in `store`.
///
/// # Safety
/// The pointers are those that the callback received.
pub unsafe fn answer_open(
    reply: *const binlog_store_reply,
    url: *const c_char,
    options: *const binlog_store_options,
    store: *mut binlog_store,
    open: impl FnOnce(&str, &StoreOptions) -> Result<Arc<dyn Store>>,
) -> i32 {
    // SAFETY: the caller's promise, for all of it.
    unsafe {
        answering(reply, || {
            let wrong = |error: Error| Failure::when_mended(error);
            let opened = options_of(options).and_then(|options| open(&text(url), &options));
            let url_and_store = opened.and_then(|opened| {
                let url = CString::new(opened.url()).map_err(|_| Error::invalid("the URL has a NUL in it"))?;
                Ok(Box::new(Offered { url, store: opened }))
            });
            store.write(table_of(url_and_store.map_err(wrong)?));
            Ok(())
        })
    }
}

/// The target of `userdata`.
struct Offered {
    url: CString,
    store: Arc<dyn Store>,
}

/// # Safety
/// `options` is valid.
unsafe fn options_of(options: *const binlog_store_options) -> Result<StoreOptions> {
    // SAFETY: the caller's promise.
    let given = unsafe { &*options };
    if given.struct_size != size_of::<binlog_store_options>() {
        return Err(Error::new(
            Kind::Mismatch,
            "the library that asks for the store and the one that has it are of different versions: install both of one",
        ));
    }
    Ok(StoreOptions {
        // SAFETY: the caller's promise.
        credentials: (!given.credentials.is_null()).then(|| unsafe { path(given.credentials) }.to_owned()),
        part_bytes: given.part_bytes,
        in_flight: given.in_flight,
        timeout: Duration::from_millis(given.timeout_ms),
        bandwidth: given.bandwidth,
        opener: None,
    })
}

fn table_of(offered: Box<Offered>) -> binlog_store {
    let readable = offered.store.can_read();
    binlog_store {
        struct_size: size_of::<binlog_store>(),
        url: offered.url.as_ptr(),
        userdata: Box::into_raw(offered).cast(),
        flags: if readable { 0 } else { BINLOG_STORE_WRITE_ONLY },
        reserved32: 0,
        stat: Some(stat),
        upload: Some(upload),
        send_parts: Some(send_parts),
        read: Some(read),
        read_end: Some(read_end),
        list: Some(list),
        remove: Some(remove),
        abort: Some(abort),
        abort_stale: Some(abort_stale),
        is_directory: Some(is_directory),
        drop: Some(drop_offered),
        reserved: [0; 4],
    }
}

/// Runs a function of the table: a failure is reported to `reply`, and so is a panic.
///
/// # Safety
/// `reply` is that of the call.
unsafe fn answering(reply: *const binlog_store_reply, body: impl FnOnce() -> Answer<()>) -> i32 {
    let panicked = || Err(Failure::when_mended(a_defect("the request was given up")));
    match without_panic(panicked(), body) {
        Ok(()) => 0,
        Err(Failure { error, again }) => {
            let (again, after_ms) = match again {
                Again::Later(None) => (BINLOG_STORE_LATER, -1),
                Again::Later(Some(after)) => (BINLOG_STORE_LATER, i64::try_from(after.as_millis()).unwrap_or(i64::MAX)),
                Again::WhenMended => (BINLOG_STORE_WHEN_MENDED, -1),
            };
            let message = CString::new(error.reason().replace('\0', " ")).unwrap_or_default();
            let path = error.path().and_then(|path| CString::new(path.as_os_str().as_bytes()).ok());
            let path = path.as_ref().map_or(std::ptr::null(), |path| path.as_ptr());
            // SAFETY: the caller's promise.
            unsafe {
                if let Some(failed) = (*reply).failed {
                    failed((*reply).context, again, after_ms, error.os_code().unwrap_or(0), path, message.as_ptr());
                }
            }
            error.kind().status()
        }
    }
}

/// # Safety
/// `userdata` is that of [`table_of`].
unsafe fn store<'a>(userdata: *mut c_void) -> &'a dyn Store {
    // SAFETY: the caller's promise.
    unsafe { &*(*userdata.cast::<Offered>()).store }
}

/// # Safety
/// It is NULL or a C string.
unsafe fn text(text: *const c_char) -> String {
    // SAFETY: the caller's promise.
    unsafe { text_of(text) }.unwrap_or_default()
}

/// # Safety
/// It is a C string that lives as long as `'a`.
unsafe fn path<'a>(path: *const c_char) -> &'a Path {
    // SAFETY: the caller's promise.
    Path::new(OsStr::from_bytes(unsafe { CStr::from_ptr(path) }.to_bytes()))
}

/// # Safety
/// `reply` is that of the call.
unsafe fn reply_object(reply: *const binlog_store_reply, name: &str, stat: &Stat) {
    let (Ok(name), Ok(tag)) = (CString::new(name), CString::new(&*stat.tag)) else { return };
    let object = binlog_store_object {
        struct_size: size_of::<binlog_store_object>(),
        name: name.as_ptr(),
        bytes: stat.bytes,
        modified_ns: stat.modified_ns,
        tag: tag.as_ptr(),
        sha256: stat.sha256.as_ref().map_or(std::ptr::null(), |sha256| sha256.as_ptr()),
        reserved: [0; 2],
    };
    // SAFETY: the caller's promise.
    unsafe {
        if let Some(call) = (*reply).object {
            call((*reply).context, &object);
        }
    }
}

/// # Safety
/// `reply` is that of the call.
unsafe fn reply_bytes(reply: *const binlog_store_reply, range: usize, bytes: &[u8]) {
    // SAFETY: the caller's promise.
    unsafe {
        if let Some(call) = (*reply).bytes {
            call((*reply).context, range, bytes.as_ptr().cast(), bytes.len());
        }
    }
}

// SAFETY of the functions of the table: the holder of the table calls them as `binlog_store` describes.

unsafe extern "C" fn stat(userdata: *mut c_void, reply: *const binlog_store_reply, name: *const c_char) -> i32 {
    // SAFETY: see above.
    unsafe {
        answering(reply, || {
            if let Some(stat) = store(userdata).stat(&text(name))? {
                reply_object(reply, "", &stat);
            }
            Ok(())
        })
    }
}

unsafe extern "C" fn upload(
    userdata: *mut c_void,
    reply: *const binlog_store_reply,
    upload: *const binlog_store_upload,
    exists: *mut u32,
) -> i32 {
    // SAFETY: see above.
    unsafe {
        answering(reply, || {
            let stored = uploading(upload, |upload| store(userdata).upload(upload))?;
            exists.write((stored == Stored::Exists).into());
            Ok(())
        })
    }
}

unsafe extern "C" fn send_parts(
    userdata: *mut c_void,
    reply: *const binlog_store_reply,
    upload: *const binlog_store_upload,
) -> i32 {
    // SAFETY: see above.
    unsafe { answering(reply, || uploading(upload, |upload| store(userdata).send_parts(upload))) }
}

unsafe extern "C" fn read(
    userdata: *mut c_void,
    reply: *const binlog_store_reply,
    name: *const c_char,
    ranges: *const binlog_store_range,
    range_count: usize,
) -> i32 {
    // SAFETY: see above.
    unsafe {
        answering(reply, || {
            let asked = if range_count == 0 { &[] } else { std::slice::from_raw_parts(ranges, range_count) };
            let asked: Vec<Range<u64>> = asked.iter().map(|range| range.begin..range.end).collect();
            let (version, bytes) = store(userdata).read_tagged(&text(name), &asked)?;
            for (number, bytes) in bytes.iter().enumerate() {
                reply_bytes(reply, number, bytes);
            }
            if let (Some(call), Ok(version)) = ((*reply).version, CString::new(version)) {
                call((*reply).context, version.as_ptr());
            }
            Ok(())
        })
    }
}

unsafe extern "C" fn read_end(
    userdata: *mut c_void,
    reply: *const binlog_store_reply,
    name: *const c_char,
    bytes: u64,
) -> i32 {
    // SAFETY: see above.
    unsafe {
        answering(reply, || {
            let (stat, end) = store(userdata).read_end(&text(name), bytes)?;
            reply_object(reply, "", &stat);
            reply_bytes(reply, 0, &end);
            Ok(())
        })
    }
}

unsafe extern "C" fn list(userdata: *mut c_void, reply: *const binlog_store_reply, prefix: *const c_char) -> i32 {
    // SAFETY: see above.
    unsafe {
        answering(reply, || {
            for listed in store(userdata).list(&text(prefix))? {
                let (bytes, modified_ns) = (listed.bytes, listed.modified_ns);
                reply_object(reply, &listed.name, &Stat { bytes, modified_ns, tag: String::new(), sha256: None });
            }
            Ok(())
        })
    }
}

unsafe extern "C" fn remove(userdata: *mut c_void, reply: *const binlog_store_reply, name: *const c_char) -> i32 {
    // SAFETY: see above.
    unsafe { answering(reply, || store(userdata).remove(&text(name))) }
}

unsafe extern "C" fn abort(
    userdata: *mut c_void,
    reply: *const binlog_store_reply,
    name: *const c_char,
    token: *const c_char,
) -> i32 {
    // SAFETY: see above.
    unsafe { answering(reply, || store(userdata).abort(&text(name), &text(token))) }
}

unsafe extern "C" fn abort_stale(
    userdata: *mut c_void,
    reply: *const binlog_store_reply,
    prefix: *const c_char,
    age_ms: u64,
    given_up: *mut u64,
) -> i32 {
    // SAFETY: see above.
    unsafe {
        answering(reply, || {
            given_up.write(store(userdata).abort_stale(&text(prefix), Duration::from_millis(age_ms))?);
            Ok(())
        })
    }
}

unsafe extern "C" fn is_directory(userdata: *mut c_void, directory: *const c_char) -> i32 {
    // SAFETY: see above.
    without_panic(0, || unsafe { store(userdata).is_directory(path(directory)) }.into())
}

unsafe extern "C" fn drop_offered(userdata: *mut c_void) {
    // SAFETY: see above: it came from `table_of`, and this is the last call.
    without_panic((), || drop(unsafe { Box::from_raw(userdata.cast::<Offered>()) }));
}

/// # Safety
/// `given` is valid while `body` runs.
unsafe fn uploading<T>(given: *const binlog_store_upload, body: impl FnOnce(&Upload<'_>) -> Answer<T>) -> Answer<T> {
    // SAFETY: the caller's promise, for all of it.
    unsafe {
        let given = &*given;
        let source = Source(given);
        let part_md5 = if given.part_count == 0 {
            vec![]
        } else {
            std::slice::from_raw_parts(given.part_md5.cast::<[u8; 16]>(), given.part_count).to_vec()
        };
        let (name, resume) = (text(given.name), text_of(given.resume));
        let sums = Sums { bytes: given.bytes, sha256: given.sha256, part_bytes: given.part_bytes, part_md5 };
        body(&Upload {
            name: &name,
            source: &source,
            path: path(given.path),
            sums: &sums,
            resume: resume.as_deref(),
            monitor: &source,
        })
    }
}

/// The file of an upload, and the callbacks for its progress.
struct Source<'a>(&'a binlog_store_upload);

// SAFETY: any thread may call its `read`, and the thread of the call is the one that follows the upload.
unsafe impl Send for Source<'_> {}
// SAFETY: likewise.
unsafe impl Sync for Source<'_> {}

impl File for Source<'_> {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> std::io::Result<usize> {
        let Some(read) = self.0.read else { return Err(std::io::Error::from_raw_os_error(libc::ENOSYS)) };
        let mut n = 0;
        // SAFETY: the upload is under way.
        let code = unsafe { read(self.0.context, offset, buffer.as_mut_ptr().cast(), buffer.len(), &mut n) };
        match code {
            0 => Ok(n.min(buffer.len())),
            code => Err(std::io::Error::from_raw_os_error(code)),
        }
    }

    fn len(&self) -> std::io::Result<u64> {
        Ok(self.0.bytes)
    }
}

impl Monitor for Source<'_> {
    fn sent(&self, bytes: u64) {
        if let Some(sent) = self.0.sent {
            // SAFETY: the upload is under way.
            unsafe { sent(self.0.context, bytes) };
        }
    }

    fn found(&self, bytes: u64) {
        if let Some(found) = self.0.found {
            // SAFETY: the upload is under way.
            unsafe { found(self.0.context, bytes) };
        }
    }

    fn note(&self, token: &str) -> Result<()> {
        let Some(note) = self.0.note else { return Ok(()) };
        let token = CString::new(token).map_err(|_| Error::invalid("what is noted has a NUL in it"))?;
        // SAFETY: the upload is under way.
        match unsafe { note(self.0.context, token.as_ptr()) } {
            0 => Ok(()),
            status => Err(Error::new(Kind::of_status(status), "how far the upload is could not be noted")),
        }
    }

    fn stop(&self) -> bool {
        // SAFETY: the upload is under way.
        self.0.stop.is_some_and(|stop| unsafe { stop(self.0.context) } != 0)
    }
}
