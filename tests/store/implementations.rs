//! What every store of objects must do: in memory, in a directory, behind a table of C functions, and written in C.

// A list of one range is meant, not the numbers of the range.
#![allow(clippy::single_range_in_vec_init)]

use std::ffi::{c_char, c_void, CString};
use std::path::Path;
use std::process::Command;
use std::ptr::{null, null_mut};
use std::sync::Arc;
use std::time::Duration;

use crate::contract::{contract, put, Watched, PART};
use binlog::store::{self, table, Again, Failure, MemoryStore, Opener, Store, StoreFault, StoreOptions};
use binlog::{Error, Kind};

#[test]
fn memory() {
    contract(&MemoryStore::new(), PART);
}

#[test]
fn a_directory() {
    let scratch = tempfile::tempdir().unwrap();
    let url = format!("file://{}/a/logs%20here?create=true&mode=0600", scratch.path().display());
    contract(&*store::open(&url, &StoreOptions::default()).unwrap(), PART);
    let left: Vec<_> = std::fs::read_dir(scratch.path().join("a/logs here")).unwrap().collect();
    assert!(left.is_empty(), "nothing is left behind: {left:?}");
}

/// As the store of another library is passed to this one.
#[test]
fn a_table_of_functions() {
    let store = MemoryStore::new();
    let kept = Arc::new(store.clone());
    unsafe extern "C" fn open(
        userdata: *mut c_void,
        reply: *const table::binlog_store_reply,
        url: *const c_char,
        options: *const table::binlog_store_options,
        out: *mut table::binlog_store,
    ) -> i32 {
        // SAFETY: the test passes the store, and the library what its interface states.
        unsafe {
            let store = &*userdata.cast::<MemoryStore>();
            table::answer_open(reply, url, options, out, |_, _| Ok(Arc::new(store.clone())))
        }
    }
    // SAFETY: the store lives as long as the opener.
    let opener = unsafe { Opener::of_c(Some(open), Arc::as_ptr(&kept).cast_mut().cast()) };
    let opened = store::open("memory://store", &StoreOptions { opener, ..StoreOptions::default() }).unwrap();
    contract(&*opened, PART);
    // A failure is passed on with all its details.
    for again in [Again::WhenMended, Again::Later(None), Again::Later(Some(Duration::from_millis(1500)))] {
        let error = Error::new(Kind::NoSpace, "the bucket is full").with_os_code(28);
        let failure = Failure { error, again };
        store.set_fault(Some(StoreFault { from: 0, times: 1, only: None, failure, done: false }));
        let failure = opened.stat("a").unwrap_err();
        assert_eq!((failure.again, failure.error.kind()), (again, Kind::NoSpace));
        assert_eq!(failure.error.os_code(), Some(28));
        assert!(failure.to_string().ends_with("memory://store/a: the bucket is full"), "{failure}");
    }
}

/// The example of a store in C, compiled as a library.
#[test]
fn a_store_written_in_c() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let scratch = tempfile::tempdir().unwrap();
    let library = scratch.path().join("memory_store.so");
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    let compiled = Command::new(compiler)
        .args(["-std=c99", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-DMEMORY_STORE_ALONE", "-pthread", "-I"])
        .arg(root.join("include"))
        .arg(root.join("examples/c/memory_store.c"))
        .arg("-o")
        .arg(&library)
        .output()
        .unwrap();
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    let name = CString::new(library.to_str().unwrap()).unwrap();
    // SAFETY: the function of this name in this library is of this type, and stays loaded.
    let opener = unsafe {
        let handle = libc::dlopen(name.as_ptr(), libc::RTLD_NOW);
        let function = libc::dlsym(handle, c"memory_store_open".as_ptr());
        assert!(!function.is_null());
        Opener::of_c(std::mem::transmute::<*mut c_void, table::binlog_store_open_callback>(function), null_mut())
    };
    let options = StoreOptions { opener, ..StoreOptions::default() };
    contract(&*store::open("memory://of/c", &options).unwrap(), PART);
    // URLs that it does not know are passed on to the library of stores, or that library is reported as missing.
    let other = store::open("other://of/c", &options).unwrap_err();
    assert_eq!(other.kind(), Kind::Invalid, "{other}");
    assert!(other.to_string().contains("open_store has declined it"), "{other}");
}

/// Tables and answers that are not allowed.
#[test]
fn a_store_that_breaks_its_promises_is_an_error() {
    fn opened(broken: Broken) -> binlog::Result<Arc<dyn Store>> {
        let broken = Box::leak(Box::new(broken));
        // SAFETY: the store is never freed.
        let opener = unsafe { Opener::of_c(Some(open_broken), std::ptr::from_mut(broken).cast()) };
        store::open("broken://store", &StoreOptions { opener, ..StoreOptions::default() })
    }
    type Change = fn(&mut table::binlog_store);
    let refused: [(Change, &str); 6] = [
        (|table| table.struct_size = 0, "struct_size"),
        (|table| table.url = null(), "url"),
        (|table| table.flags = 64, "flags"),
        (|table| table.reserved[3] = 1, "reserved"),
        (|table| table.read = None, "binlog_store.read must not be NULL"),
        (|table| table.upload = None, "binlog_store.upload must not be NULL"),
    ];
    for (change, reason) in refused {
        let error = opened(Broken { change, answer: |_| 0 }).unwrap_err();
        assert_eq!(error.kind(), Kind::Invalid, "{reason}");
        assert!(error.to_string().contains(reason), "{error}");
    }
    type Answers = fn(&table::binlog_store_reply) -> i32;
    // SAFETY: the functions are called during the call.
    let wrong: [(Answers, &str); 9] = [
        (|_| 0, "fewer bytes"),
        (|_| -3, "gives no reason"),
        (|reply| unsafe { fail(reply, null()) }, "gives no reason"),
        (|reply| unsafe { fail(reply, c"".as_ptr()) }, "gives no reason"),
        (|reply| unsafe { reply_without_context(reply) }, "fewer bytes"),
        (|reply| unsafe { give_bytes(reply, 0, 11) }, "more bytes"),
        (|reply| unsafe { give_bytes(reply, 1, 1) }, "more bytes"),
        (|reply| unsafe { give_null(reply) }, "the bytes are NULL"),
        (|reply| unsafe { give_bytes(reply, usize::MAX, 10) }, "more bytes"),
    ];
    for (answer, reason) in wrong {
        let store = opened(Broken { change: |_| (), answer }).unwrap();
        let failure = store.read("a", &[0..10]).unwrap_err();
        assert!(failure.to_string().contains(reason), "{reason}: {failure}");
        assert!(failure.to_string().contains("memory://store/a"), "{failure}");
    }
    let store = opened(Broken { change: |_| (), answer: |_| 0 }).unwrap();
    let (begin, end) = (5, 2);
    assert!(store.read("a", &[begin..end]).is_err());
}

/// A store passes the context of each of its functions: one that passes none gets an error, and brings nothing down.
#[test]
fn a_store_that_passes_no_context_is_refused() {
    unsafe extern "C" fn upload(
        _: *mut c_void,
        reply: *const table::binlog_store_reply,
        upload: *const table::binlog_store_upload,
        _: *mut u32,
    ) -> i32 {
        // SAFETY: the library passes both.
        unsafe {
            let (upload, mut bytes, mut n) = (&*upload, [0u8; 8], 0usize);
            assert_eq!(upload.read.unwrap()(null_mut(), 0, bytes.as_mut_ptr().cast(), 8, &mut n), libc::EINVAL);
            assert!(upload.note.unwrap()(null_mut(), c"token".as_ptr()) < 0);
            assert_ne!(upload.stop.unwrap()(null_mut()), 0);
            upload.sent.unwrap()(null_mut(), 1);
            upload.found.unwrap()(null_mut(), 1);
            reply_without_context(&*reply);
        }
        -2
    }
    let broken = Box::leak(Box::new(Broken { change: |table| table.upload = Some(upload), answer: |_| 0 }));
    // SAFETY: the store is never freed.
    let opener = unsafe { Opener::of_c(Some(open_broken), std::ptr::from_mut(broken).cast()) };
    let store = store::open("broken://store", &StoreOptions { opener, ..StoreOptions::default() }).unwrap();
    let failure = put(&*store, "a", b"contents", None, &Watched::default()).unwrap_err();
    assert!(failure.to_string().contains("gives no reason"), "{failure}");
}

/// # Safety
/// The call of the reply must not have ended.
unsafe fn fail(reply: &table::binlog_store_reply, message: *const c_char) -> i32 {
    // SAFETY: the caller's promise.
    unsafe { reply.failed.unwrap()(reply.context, 0, -1, 0, null(), message) };
    -2
}

/// # Safety
/// The functions are those of the library.
unsafe fn reply_without_context(reply: &table::binlog_store_reply) -> i32 {
    // SAFETY: the caller's promise: no context is what they refuse.
    unsafe {
        reply.failed.unwrap()(null_mut(), 0, -1, 0, null(), c"why".as_ptr());
        reply.object.unwrap()(null_mut(), null());
        reply.bytes.unwrap()(null_mut(), 0, [0u8; 8].as_ptr().cast(), 8);
        reply.version.unwrap()(null_mut(), c"1".as_ptr());
    }
    0
}

/// The faults of a broken store.
struct Broken {
    change: fn(&mut table::binlog_store),
    answer: fn(&table::binlog_store_reply) -> i32,
}

/// # Safety
/// The call of the reply must not have ended.
unsafe fn give_bytes(reply: &table::binlog_store_reply, range: usize, len: usize) -> i32 {
    // SAFETY: the caller's promise.
    unsafe { reply.bytes.unwrap()(reply.context, range, [0u8; 64].as_ptr().cast(), len) };
    0
}

/// # Safety
/// The call of the reply must not have ended.
unsafe fn give_null(reply: &table::binlog_store_reply) -> i32 {
    // SAFETY: the caller's promise.
    unsafe { reply.bytes.unwrap()(reply.context, 0, null(), 10) };
    0
}

unsafe extern "C" fn open_broken(
    userdata: *mut c_void,
    reply: *const table::binlog_store_reply,
    url: *const c_char,
    options: *const table::binlog_store_options,
    out: *mut table::binlog_store,
) -> i32 {
    unsafe extern "C" fn read(
        userdata: *mut c_void,
        reply: *const table::binlog_store_reply,
        _name: *const c_char,
        _ranges: *const table::binlog_store_range,
        _count: usize,
    ) -> i32 {
        // SAFETY: as the test has given it.
        unsafe { ((*userdata.cast::<Broken>()).answer)(&*reply) }
    }
    // SAFETY: the test passes the store, and the library what its interface states. The table of the memory store is
    // leaked:
    unsafe {
        assert_eq!(table::answer_open(reply, url, options, out, |_, _| Ok(Arc::new(MemoryStore::new()))), 0);
        let out = &mut *out;
        out.userdata = userdata;
        out.read = Some(read);
        out.drop = None;
        ((*userdata.cast::<Broken>()).change)(out);
    }
    0
}
