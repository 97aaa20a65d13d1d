//! Stores by URL: what the URL may say, and which store it opens.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use url::Url;

use super::command::CommandStore;
use super::credentials::Credentials;
use super::directory::DirectoryStore;
use super::limit::Limit;
use super::swift::{self, SwiftStore};
use super::{objects, Store};
use crate::error::{Error, Result};

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
}

impl Default for StoreOptions {
    fn default() -> Self {
        StoreOptions {
            credentials: None,
            part_bytes: 8 << 20,
            in_flight: 4,
            timeout: Duration::from_secs(30),
            bandwidth: 0,
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
    let credentials = || Credentials::load(options.credentials.as_deref());
    match scheme {
        "file" => {
            let address = Address::parse(url, &["create", "mode"])?;
            Ok(Arc::new(DirectoryStore::open(&address, Limit::new(options.bandwidth))?))
        }
        "s3" => {
            let address = Address::parse(url, objects::S3_OPTIONS)?;
            Ok(Arc::new(objects::open_s3(&address, options, &credentials()?)?))
        }
        "gs" => {
            let address = Address::parse(url, objects::GOOGLE_OPTIONS)?;
            Ok(Arc::new(objects::open_google(&address, options, &credentials()?)?))
        }
        "az" => {
            let address = Address::parse(url, objects::AZURE_OPTIONS)?;
            Ok(Arc::new(objects::open_azure(&address, options, &credentials()?)?))
        }
        "swift" => {
            let address = Address::parse(url, swift::OPTIONS)?;
            Ok(Arc::new(SwiftStore::open(&address, options, &credentials()?)?))
        }
        _ => Err(Error::invalid(
            "a store is named by a URL that begins with s3://, gs://, az://, swift://, file:/// or exec:",
        )),
    }
}

/// What a URL says.
#[derive(Clone, Debug)]
pub(super) struct Address {
    /// The URL without options, as messages show it; without a slash at its end.
    pub url: String,
    /// Bucket or container; "" for a directory.
    pub bucket: String,
    /// What every object's name begins with: "" or ending in a slash. Of a directory: its path.
    pub prefix: String,
    options: Vec<(String, String)>,
}

impl Address {
    /// Takes a URL apart whose query has no other options than the known ones.
    pub(super) fn parse(text: &str, known: &[&str]) -> Result<Self> {
        // A URL is resolved as it is parsed, and would then lead elsewhere without a word.
        let path = text.split(['?', '#']).next().unwrap_or_default();
        let is_dots = |step: &str| {
            let step = step.to_ascii_lowercase().replace("%2e", ".");
            step == "." || step == ".."
        };
        if path.split('/').any(is_dots) {
            return Err(Error::invalid(
                "the path in a store's URL has a step that is a dot or two: write where it leads",
            ));
        }
        // What cannot be parsed is not repeated: it may have a password in it.
        let url = Url::parse(text).map_err(|e| Error::invalid(format!("the store's URL cannot be read: {e}")))?;
        let scheme = url.scheme();
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Error::invalid(
                "a store's URL has no user and no password: credentials come from the environment or from a file",
            ));
        }
        if url.port().is_some() {
            return Err(Error::invalid(format!(
                "{scheme}:// is followed by a bucket, not by a host and a port: the server is named by the option endpoint or auth"
            )));
        }
        if url.fragment().is_some() {
            return Err(Error::invalid("a store's URL has no part behind a #: write %23 for a # in a name"));
        }
        let options = parse_options(&url, known)?;
        let bucket = decoded(url.host_str().unwrap_or_default())?.into_owned();
        let path = decoded(url.path())?.into_owned();
        if scheme == "file" {
            if !bucket.is_empty() {
                return Err(Error::invalid(format!(
                    "a directory's URL begins with three slashes (file:///…): {bucket:?} is no host that could be asked"
                )));
            }
            // What is parsed begins with a slash, also where there was none.
            let is_absolute = text.get("file:".len()..).is_some_and(|path| path.starts_with('/'));
            if !is_absolute || trimmed(&path).trim_matches('/').is_empty() {
                return Err(Error::invalid(
                    "file:// is followed by the path of a directory, and not of the root: file:///DIRECTORY",
                ));
            }
            return Ok(Address { url: format!("file://{}", trimmed(&path)), bucket, prefix: path, options });
        }
        if bucket.is_empty() {
            return Err(Error::invalid(format!("{scheme}:// must be followed by the name of a bucket or container")));
        }
        let path = path.trim_matches('/');
        if path.split('/').any(|step| step == "." || step == "..")
            || path.contains("//")
            || path.chars().any(char::is_control)
        {
            return Err(Error::invalid(
                "the prefix in a store's URL has a step that is empty, a dot, or a control character",
            ));
        }
        let shown =
            if path.is_empty() { format!("{scheme}://{bucket}") } else { format!("{scheme}://{bucket}/{path}") };
        let prefix = if path.is_empty() { String::new() } else { format!("{path}/") };
        Ok(Address { url: shown, bucket, prefix, options })
    }

    /// The value of an option, if it was given.
    pub(super) fn option(&self, key: &str) -> Option<&str> {
        self.options.iter().find(|(k, _)| k == key).map(|(_, value)| value.as_str())
    }

    /// An option that is `true` or `false`.
    pub(super) fn flag(&self, key: &str, otherwise: bool) -> Result<bool> {
        match self.option(key) {
            None => Ok(otherwise),
            Some("true" | "1") => Ok(true),
            Some("false" | "0") => Ok(false),
            Some(other) => Err(Error::invalid(format!("the option {key} is true or false, not {other:?}"))),
        }
    }
}

fn trimmed(path: &str) -> &str {
    match path.trim_end_matches('/') {
        "" => "/",
        path => path,
    }
}

fn decoded(text: &str) -> Result<Cow<'_, str>> {
    percent_encoding::percent_decode_str(text)
        .decode_utf8()
        .map_err(|_| Error::invalid("the store's URL is not UTF-8 once its %-escapes are resolved"))
}

fn parse_options(url: &Url, known: &[&str]) -> Result<Vec<(String, String)>> {
    /// A key with one of these in it would have a secret for its value.
    const SECRETS: &[&str] = &["secret", "passw", "pwd", "token", "key", "credential", "signature", "sig", "sas"];
    let mut options: Vec<(String, String)> = vec![];
    for (key, value) in url.query_pairs() {
        if !known.contains(&&*key) {
            let small = key.to_ascii_lowercase();
            let reason = match SECRETS.iter().any(|secret| small.contains(secret)) {
                true => format!(
                    "credentials are never in a URL (option {key:?}): they come from the environment or from a file"
                ),
                false if known.is_empty() => format!("this store has no options: {key:?} is unknown"),
                false => format!("the option {key:?} is unknown: {}:// has {}", url.scheme(), known.join(", ")),
            };
            return Err(Error::invalid(reason));
        }
        if options.iter().any(|(k, _)| *k == key) {
            return Err(Error::invalid(format!("the option {key} is given twice")));
        }
        if let Ok(server) = Url::parse(&value) {
            if !server.username().is_empty() || server.password().is_some() || server.query().is_some() {
                return Err(Error::invalid(format!(
                    "the URL in the option {key} has a user, a password or a query, which it must not"
                )));
            }
        }
        options.push((key.into_owned(), value.into_owned()));
    }
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;

    fn reason(url: &str) -> String {
        let error = Address::parse(url, &["endpoint", "region"]).unwrap_err();
        assert_eq!(error.kind(), Kind::Invalid);
        assert!(!error.to_string().contains("sesame"), "a secret is shown: {error}");
        error.to_string()
    }

    #[test]
    fn a_url_names_bucket_prefix_and_options() {
        let url = "s3://Logs.2026/a%20b/c/?endpoint=http%3A%2F%2F127.0.0.1%3A9000&region=eu-1";
        let address = Address::parse(url, &["endpoint", "region"]).unwrap();
        assert_eq!((&*address.bucket, &*address.prefix), ("Logs.2026", "a b/c/"));
        assert_eq!(address.url, "s3://Logs.2026/a b/c");
        assert_eq!(address.option("endpoint"), Some("http://127.0.0.1:9000"));
        assert_eq!(address.option("path_style"), None);
        let bare = Address::parse("swift://c?endpoint=http://h:1/v1", &["endpoint"]).unwrap();
        assert_eq!((&*bare.bucket, &*bare.prefix, &*bare.url), ("c", "", "swift://c"));
    }

    #[test]
    fn a_secret_in_a_url_is_refused_and_not_repeated() {
        for url in [
            "s3://me:sesame@bucket/logs",
            "s3://sesame@bucket/logs",
            "s3://b/?secret_access_key=sesame",
            "s3://b/?X-Amz-Signature=sesame",
            "s3://b/?endpoint=http://me:sesame@h:9000",
            "s3://b/?endpoint=http://h:9000/?password=sesame",
            "s3://b:sesame/logs",
        ] {
            reason(url);
        }
        assert!(reason("s3://b/?Password=sesame").contains("never in a URL"));
    }

    #[test]
    fn an_unknown_option_is_an_error_that_names_the_known_ones() {
        assert!(reason("s3://b/?colour=red").contains("endpoint, region"));
        assert!(reason("s3://b/?region=a&region=b").contains("twice"));
        assert!(reason("s3:///x").contains("bucket"));
        for dots in ["s3://b/a/../../c%2F..", "s3://b/a/../c", "s3://b/%2e%2E/c", "file:///a/../b", "s3://b/./c"] {
            assert!(reason(dots).contains("step"), "{dots}");
        }
        assert!(reason("s3://b:9000/x").contains("endpoint"));
        assert!(reason("file://host/x").contains("three slashes"));
        assert!(reason("s3://b/x#y").contains("%23"));
    }

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
