//! Options for access to stores.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::Store;
use crate::error::Result;

/// Options for access to any store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreOptions {
    /// A file of `KEY=VALUE` lines that is read before the environment. Other users must not be able to read it.
    pub credentials: Option<PathBuf>,
    /// Files over this many bytes are sent in parts of this size (default: 8 MiB), or of a larger size if there would
    /// be more than 1000. An upload holds as many parts in memory as are in flight. S3, Google and Azure require 5 MiB
    /// at least.
    pub part_bytes: u64,
    /// Concurrent requests for the parts of one upload and for the ranges of one read (default: 4).
    pub in_flight: u32,
    /// After this long without any progress, a request has failed (default: 30 seconds).
    pub timeout: Duration,
    /// Bytes a second that are sent at most; 0 = no limit (default).
    pub bandwidth: u64,
    /// Opens stores of other kinds than directories and commands. Without an opener, or if it returns
    /// [`crate::Kind::Unsupported`], the library `libbinlog_stores.so.0` is loaded and asked.
    pub opener: Option<Opener>,
}

impl Default for StoreOptions {
    fn default() -> Self {
        StoreOptions {
            credentials: None,
            part_bytes: 8 << 20,
            in_flight: 4,
            timeout: Duration::from_secs(30),
            bandwidth: 0,
            opener: None,
        }
    }
}

/// How stores are opened in Rust.
type Open = dyn Fn(&str, &StoreOptions) -> Result<Arc<dyn Store>> + Send + Sync;

/// Opens the store of a URL.
#[derive(Clone)]
pub struct Opener(Arc<Open>);

impl PartialEq for Opener {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Opener {}

impl Opener {
    /// Uses a function that returns [`crate::Kind::Unsupported`] for a URL that is not of its kind.
    pub fn new(open: impl Fn(&str, &StoreOptions) -> Result<Arc<dyn Store>> + Send + Sync + 'static) -> Self {
        Opener(Arc::new(open))
    }

    pub(super) fn open(&self, url: &str, options: &StoreOptions) -> Result<Arc<dyn Store>> {
        (self.0)(url, options)
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Opener")
    }
}
