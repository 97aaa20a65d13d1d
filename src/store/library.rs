//! The library of stores, `libbinlog_stores.so.0`: loaded when the first URL needs it, from beside this library or from
//! the system's library path. A program that neither ships to a server nor reads from one never loads it.

use std::ffi::{c_void, CStr, CString, OsStr};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use super::address::{refuse_user, unknown};
use super::options::StoreOptions;
use super::table::{self, binlog_store_open_callback};
use super::Store;
use crate::error::{Error, Kind, Result};
use crate::io::user;

const NAME: &str = "libbinlog_stores.so.0";
/// The function that opens a store: a `binlog_store_open_callback`.
const OPEN: &CStr = c"binlog_stores_open";

type Open = unsafe extern "C" fn(
    *mut c_void,
    *const table::binlog_store_reply,
    *const std::ffi::c_char,
    *const table::binlog_store_options,
    *mut table::binlog_store,
) -> i32;

/// Opens the store of a URL by the library of stores.
pub(super) fn open(url: &str, options: &StoreOptions) -> Result<Arc<dyn Store>> {
    // Even if the library is missing.
    refuse_user(url)?;
    let open = loaded().map_err(|error| if is_on_a_server(url) { error } else { unknown() })?;
    // SAFETY: the function is what its library is made for; it does not look at its userdata.
    let opened = unsafe { table::open_table(open, std::ptr::null_mut(), url, options) };
    // No other opener is left.
    opened.map_err(|error| match error.kind() {
        Kind::Unsupported => error.with_kind(Kind::Invalid),
        _ => error,
    })
}

/// Whether the library supports the scheme: if it is missing, it cannot be asked.
fn is_on_a_server(url: &str) -> bool {
    ["s3://", "gs://", "az://", "swift://"].iter().any(|scheme| url.starts_with(scheme))
}

/// The library is loaded once, and never unloaded. If it was not found, it is looked for again: it may have been
/// installed meanwhile.
fn loaded() -> Result<Open> {
    static LOADED: Mutex<Option<Open>> = Mutex::new(None);
    let mut loaded = LOADED.lock();
    if let Some(open) = *loaded {
        return Ok(open);
    }
    let mut reasons = vec![];
    let beside = beside_this();
    let places = beside.iter().map(PathBuf::as_path).chain([Path::new(NAME)]);
    for place in places {
        if place.is_absolute() {
            match is_trusted(place) {
                Ok(true) => (),
                // A path that does not exist is not reported.
                Err(_) => continue,
                Ok(false) => {
                    reasons.push(format!("{} is somebody else's, or others may write it", place.display()));
                    continue;
                }
            }
        }
        match load(place) {
            Ok(open) => {
                *loaded = Some(open);
                return Ok(open);
            }
            Err(reason) => reasons.push(reason),
        }
    }
    let reason = format!(
        "stores on servers (s3://, gs://, az://, swift://) need {NAME}, which is installed beside libbinlog as the package \
         binlog-stores: {}",
        reasons.join("; ")
    );
    Err(Error::new(Kind::Unsupported, reason))
}

/// Whether only root and this user can have put the file there: a program may be in a directory that others may write
/// to, such as /tmp. The loader's own path is not checked.
fn is_trusted(path: &Path) -> std::io::Result<bool> {
    let facts = std::fs::metadata(path)?;
    Ok((facts.uid() == 0 || facts.uid() == user()) && facts.mode() & 0o002 == 0)
}

fn load(path: &Path) -> Result<Open, String> {
    let refused = || {
        // SAFETY: called right behind the call that failed, in the same thread.
        let reason = unsafe { libc::dlerror() };
        match reason.is_null() {
            true => "the system gives no reason".to_owned(),
            // SAFETY: what dlerror returns is a C string that lives until the next call.
            false => unsafe { CStr::from_ptr(reason) }.to_string_lossy().into_owned(),
        }
    };
    let name = CString::new(path.as_os_str().as_bytes()).map_err(|e| e.to_string())?;
    // SAFETY: the name is a C string. What runs when the library is loaded is ours.
    let library = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
    if library.is_null() {
        return Err(refused());
    }
    // SAFETY: the library is loaded, and the name is a C string.
    let function = unsafe { libc::dlsym(library, OPEN.as_ptr()) };
    if function.is_null() {
        return Err(refused());
    }
    // SAFETY: a function of this name in this library is of this type.
    let open: binlog_store_open_callback = unsafe { std::mem::transmute(function) };
    open.ok_or_else(|| "it has no function that opens a store".to_owned())
}

/// The places beside the file that contains this code: next to a library, or `../lib` for a program.
fn beside_this() -> Vec<PathBuf> {
    // SAFETY: a Dl_info is a plain C value, and the address is one of this very code.
    let file = unsafe {
        let mut info: libc::Dl_info = std::mem::zeroed();
        let is_known = libc::dladdr(loaded as *const c_void, &mut info) != 0 && !info.dli_fname.is_null();
        is_known.then(|| PathBuf::from(OsStr::from_bytes(CStr::from_ptr(info.dli_fname).to_bytes())))
    };
    // A program that was found in PATH knows only its bare name.
    let file = match file {
        Some(file) if file.is_absolute() => Some(file),
        _ => std::env::current_exe().ok(),
    };
    let file = file.and_then(|file| file.canonicalize().ok());
    let Some(directory) = file.as_deref().and_then(Path::parent) else { return vec![] };
    vec![directory.join(NAME), directory.join("../lib").join(NAME)]
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_library_that_others_may_write_is_not_loaded() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join(NAME);
        assert!(is_trusted(&path).is_err());
        std::fs::write(&path, "").unwrap();
        for (mode, trusted) in [(0o755, true), (0o775, true), (0o777, false), (0o602, false)] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(is_trusted(&path).unwrap(), trusted, "{mode:o}");
        }
        if user() == 0 {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
            std::os::unix::fs::chown(&path, Some(12_345), None).unwrap();
            assert!(!is_trusted(&path).unwrap());
        }
    }

    #[test]
    fn what_is_no_library_of_stores_is_a_reason_and_not_loaded() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join(NAME);
        std::fs::write(&path, "no library").unwrap();
        assert!(load(&path).unwrap_err().contains(NAME));
        // A library without the function.
        assert!(load(Path::new("libm.so.6")).unwrap_err().contains("binlog_stores_open"));
    }
}
