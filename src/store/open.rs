//! Opens stores by URL: which URLs are valid, and which store each opens.

use std::sync::Arc;

use super::address::{unknown, Address};
use super::command::CommandStore;
use super::directory::DirectoryStore;
use super::limit::Limit;
use super::options::StoreOptions;
use super::{library, Store};
use crate::error::{Error, Kind, Result};

/// The largest part, which has to fit into memory several times.
const LARGEST_PART: u64 = 1 << 30;

/// Opens the store of a URL. Makes no request: the first request finds whether the store exists and permits access.
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
            Some(Err(declined)) if declined.kind() == Kind::Unsupported => {
                let why =
                    format!("open_store has declined it ({}), and no other store is of this URL", declined.reason());
                library::open(url, options).map_err(|error| error.because(&why))
            }
            Some(opened) => opened,
            None => library::open(url, options),
        },
    }
}

/// Whether the text is the URL of a store, and no path: it begins with a scheme and two slashes, or with `file:` and
/// three.
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
    use std::time::Duration;

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
