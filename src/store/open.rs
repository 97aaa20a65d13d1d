//! Stores by URL: what the URL may say, and which store it opens.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::address::Address;
use super::command::CommandStore;
use super::directory::DirectoryStore;
use super::limit::Limit;
use super::table::Opener;
use super::{library, Store};
use crate::error::{Error, Kind, Result};

/// How a store is talked to, whichever it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreOptions {
    /// A file of `KEY=VALUE` lines that is looked into before the environment. Others must not be able to read it.
    pub credentials: Option<PathBuf>,
    /// Files over this many bytes go in parts of it (default: 8 MiB), or larger ones where it would take more than 1000. An
    /// upload holds as many parts in memory as are in flight. S3, Google and Azure want 5 MiB at least.
    pub part_bytes: u64,
    /// Requests at a time, for the parts of one upload and for the ranges of one read (default: 4).
    pub in_flight: u32,
    /// After this long without any progress, a request has failed (default: 30 seconds).
    pub timeout: Duration,
    /// Bytes a second that are sent at most; 0 = no limit (default).
    pub bandwidth: u64,
    /// Opens stores of other kinds than directories and commands. Without one, and where it answers [`Kind::Unsupported`], the
    /// library `libbinlog_stores.so.0` is loaded and asked.
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

/// The largest part, which has to fit into memory several times.
const LARGEST_PART: u64 = 1 << 30;

/// Opens the store of a URL. No request is made: whether it is there and lets us in, the first request tells.
///
/// | URL | store | options |
/// |---|---|---|
/// | `s3://BUCKET/PREFIX` | Amazon S3 and what speaks it | `endpoint`, `region`, `path_style`, `conditional`, `anonymous` |
/// | `gs://BUCKET/PREFIX` | Google Cloud Storage | `endpoint`, `anonymous` |
/// | `az://CONTAINER/PREFIX` | Azure Blob Storage | `account`, `endpoint`, `anonymous` |
/// | `swift://CONTAINER/PREFIX` | OpenStack Swift | `auth`, `region`, `interface`, `storage` |
/// | `file:///DIRECTORY` | a local or mounted directory | `create`, `mode` |
/// | `exec:COMMAND` | a command, which finds the file's path in `$BINLOG_PATH` and its name in `$BINLOG_NAME` | none |
///
/// Options are in the query (`?region=eu-central-1&path_style=true`); credentials are in the environment or in
/// [`StoreOptions::credentials`], never in the URL.
pub fn open(url: &str, options: &StoreOptions) -> Result<Arc<dyn Store>> {
    if options.part_bytes == 0 || options.part_bytes > LARGEST_PART {
        return Err(Error::invalid(format!("a part has 1 byte to {LARGEST_PART} bytes, not {}", options.part_bytes)));
    }
    if options.in_flight == 0 || options.in_flight > 64 {
        return Err(Error::invalid(format!("1 to 64 requests can be in flight, not {}", options.in_flight)));
    }
    if options.timeout.is_zero() {
        return Err(Error::invalid("a request that may take no time at all always fails"));
    }
    if let Some(command) = url.strip_prefix("exec:") {
        return Ok(Arc::new(CommandStore::new(command)?));
    }
    let scheme = url.split_once(':').map_or("", |(scheme, _)| scheme);
    match scheme {
        "file" => {
            let address = Address::parse(url, &["create", "mode"])?;
            Ok(Arc::new(DirectoryStore::open(&address, Limit::new(options.bandwidth))?))
        }
        _ if !is_url(url) => Err(unknown()),
        _ => match options.opener.as_ref().map(|opener| opener.open(url, options)) {
            Some(Err(error)) if error.kind() == Kind::Unsupported => library::open(url, options),
            Some(opened) => opened,
            None => library::open(url, options),
        },
    }
}

/// The URL is of no kind that is known.
pub(super) fn unknown() -> Error {
    Error::invalid("a store is named by a URL that begins with s3://, gs://, az://, swift://, file:/// or exec:")
}

/// Whether the text is the URL of a store, and no path: it begins with a scheme and two slashes, or with `file:` and three.
pub fn is_url(text: &str) -> bool {
    let is_scheme = |scheme: &str| {
        let mut characters = scheme.bytes();
        characters.next().is_some_and(|c| c.is_ascii_lowercase())
            && characters.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, b'+' | b'-' | b'.'))
    };
    text.split_once("://").is_some_and(|(scheme, _)| is_scheme(scheme))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_work_is_refused_when_the_store_is_opened() {
        let open = |url: &str, change: fn(&mut StoreOptions)| {
            let mut options = StoreOptions::default();
            change(&mut options);
            open(url, &options).unwrap_err().to_string()
        };
        assert!(open("ftp://x/y", |_| ()).contains("s3://"));
        assert!(open("/var/log", |_| ()).contains("s3://"));
        assert!(open("file:///tmp", |o| o.part_bytes = 0).contains("part"));
        assert!(open("file:///tmp", |o| o.in_flight = 0).contains("in flight"));
        assert!(open("file:///tmp", |o| o.timeout = Duration::ZERO).contains("time"));
    }
}
