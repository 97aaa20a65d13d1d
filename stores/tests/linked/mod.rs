//! Stores as a C program that links this library has them: through the table of functions, in both directions.

use std::sync::Arc;

use binlog::store::{self, Opener, Store, StoreOptions};

pub fn open(url: &str, options: &StoreOptions) -> binlog::Result<Arc<dyn Store>> {
    // SAFETY: it is the function of this library, which ignores the userdata.
    let opener = unsafe { Opener::of_c(Some(binlog_stores::binlog_stores_open), std::ptr::null_mut()) };
    store::open(url, &StoreOptions { opener, ..options.clone() })
}
