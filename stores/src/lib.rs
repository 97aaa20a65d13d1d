//! Stores on servers for binlog: Amazon S3 and compatible ones, Google Cloud Storage, Azure Blob Storage, OpenStack
//! Swift.
//!
//! `libbinlog_stores.so.0` has one function, [`binlog_stores_open`], which binlog calls when a URL needs it. A Rust
//! program passes [`open`] to binlog: `StoreOptions { opener: Some(Opener::new(binlog_stores::open)), .. }`.

#![deny(unsafe_op_in_unsafe_fn)]
#![warn(missing_docs)]

mod credentials;
mod http;
mod objects;
mod pages;
mod swift;

use std::ffi::{c_char, c_void};
use std::sync::Arc;

use binlog::store::support::Address;
use binlog::store::table::{answer_open, binlog_store, binlog_store_options, binlog_store_reply};
use binlog::store::{Store, StoreOptions};
use binlog::{Error, Kind, Result};

use credentials::Credentials;

/// Opens the store of a URL. No request is made: the first request shows whether the store exists and allows access.
///
/// # Errors
/// [`Kind::Unsupported`] for a URL of another scheme, [`Kind::Invalid`] for a URL or options that are not valid.
pub fn open(url: &str, options: &StoreOptions) -> Result<Arc<dyn Store>> {
    let scheme = url.split_once(':').map_or("", |(scheme, _)| scheme);
    let credentials = || Credentials::load(options.credentials.as_deref());
    Ok(match scheme {
        "s3" => {
            let address = Address::parse(url, objects::S3_OPTIONS)?;
            Arc::new(objects::open_s3(&address, options, &credentials()?)?)
        }
        "gs" => {
            let address = Address::parse(url, objects::GOOGLE_OPTIONS)?;
            Arc::new(objects::open_google(&address, options, &credentials()?)?)
        }
        "az" => {
            let address = Address::parse(url, objects::AZURE_OPTIONS)?;
            Arc::new(objects::open_azure(&address, options, &credentials()?)?)
        }
        "swift" => {
            let address = Address::parse(url, swift::OPTIONS)?;
            Arc::new(swift::SwiftStore::open(&address, options, &credentials()?)?)
        }
        _ => {
            let reason = "a store is named by a URL that begins with s3://, gs://, az://, swift://, file:/// or exec:";
            return Err(Error::new(Kind::Unsupported, reason));
        }
    })
}

/// Opens the store of a URL for `libbinlog`, as `binlog_store_open_callback` in `binlog.h` describes. `userdata` is not
/// used.
///
/// # Safety
/// The pointers are as that description requires.
#[no_mangle]
pub unsafe extern "C" fn binlog_stores_open(
    userdata: *mut c_void,
    reply: *const binlog_store_reply,
    url: *const c_char,
    options: *const binlog_store_options,
    store: *mut binlog_store,
) -> i32 {
    let _ = userdata;
    // SAFETY: the caller's promise.
    unsafe { answer_open(reply, url, options, store, open) }
}
