//! S3, Google and Azure: one store over the crate object_store, which implements their requests and signatures. Their
//! differences are in [`Vendor`].

mod azure;
mod connector;
mod google;
mod lists;
mod profile;
mod s3;
mod token;
mod upload;

use std::error::Error as _;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::{stream, StreamExt as _, TryStreamExt as _};
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path as ObjectPath;
use object_store::{Attribute, GetOptions, GetRange, ObjectStore, TagSet};

use crate::http::{side_by_side, Http, Refusal, Runtime};
use binlog::store::support::{check_name, check_ranges, of_one_version, replaced, unhex, url_of, Address};
use binlog::store::{Again, Answer, Failure, Listed, Stat, Store, StoreOptions, Stored, Upload};
use binlog::{Error, Kind, Result};

pub(crate) use azure::open as open_azure;
pub(crate) use google::open as open_google;
pub(crate) use s3::open as open_s3;
pub(crate) use upload::{read_part, until_stopped, STOP_CHECK};

/// Options of the URLs.
pub(crate) const S3_OPTIONS: &[&str] =
    &["endpoint", "region", "path_style", "conditional", "anonymous", "storage_class", "tags", "sse", "sse_kms_key_id"];
pub(crate) const GOOGLE_OPTIONS: &[&str] = &["endpoint", "anonymous", "storage_class"];
pub(crate) const AZURE_OPTIONS: &[&str] = &["account", "endpoint", "anonymous", "storage_class", "tags"];

/// The traits of object_store that a vendor's client implements.
trait Objects: ObjectStore + MultipartStore {}

impl<T: ObjectStore + MultipartStore> Objects for T {}

/// What differs between the vendors.
#[async_trait]
trait Vendor: Send + Sync {
    /// Name of the metadata that holds the SHA-256.
    fn sha256_key(&self) -> &'static str {
        "binlog-sha256"
    }

    /// Whether the end of an object can be requested without knowing its length.
    fn has_suffixes(&self) -> bool {
        true
    }

    /// Whether the server is asked to store only what does not exist yet; if not, only a look before helps.
    fn conditional(&self) -> bool {
        true
    }

    /// Handles a server that does not support conditions: none are sent from now on. False if it has to support them.
    fn give_up_conditions(&self) -> bool {
        false
    }

    /// Whether the server stores an object's metadata when an upload in parts begins.
    fn describes_at_begin(&self) -> bool {
        true
    }

    /// Completes the upload: the parts become an object.
    async fn complete(&self, path: &ObjectPath, id: &str, parts: Vec<PartId>, sha256: &str) -> Result<(), Refusal>;

    /// Removes one object.
    async fn remove(&self, path: &ObjectPath) -> Result<(), Refusal>;

    /// All objects whose whole names begin with `prefix`, without those after a further slash; the names returned are
    /// whole, too.
    async fn list(&self, prefix: &str) -> Result<Vec<Listed>, Refusal>;

    /// Uploads in parts that were begun, and neither finished nor aborted, of objects whose whole names begin with
    /// `prefix`.
    async fn unfinished(&self, prefix: &str) -> Result<Vec<lists::Unfinished>, Refusal>;
}

/// The option `tags`: `KEY:VALUE`, with commas between them.
fn tags_of(address: &Address) -> Result<Vec<(String, String)>> {
    let tags = address.option("tags").unwrap_or_default().split(',').filter(|tag| !tag.is_empty());
    let pair = |tag: &str| match tag.split_once(':') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err(Error::invalid(format!("the option tags has KEY:VALUE,KEY:VALUE, and not {tag:?}"))),
    };
    tags.map(pair).collect()
}

fn tag_set(tags: &[(String, String)]) -> TagSet {
    let mut set = TagSet::default();
    tags.iter().for_each(|(key, value)| set.push(key, value));
    set
}

/// A bucket or container, and the prefix of a log in it.
pub(crate) struct ObjectsStore {
    url: String,
    prefix: String,
    /// Storage class and tags of the objects that are stored.
    storage_class: Option<String>,
    tags: Vec<(String, String)>,
    in_flight: usize,
    /// Limits the parts of all concurrent uploads: each holds its part in memory.
    slots: tokio::sync::Semaphore,
    http: Arc<Http>,
    objects: Arc<dyn Objects>,
    vendor: Box<dyn Vendor>,
    runtime: Runtime,
}

impl ObjectsStore {
    fn new(
        address: &Address,
        options: &StoreOptions,
        http: Arc<Http>,
        objects: Arc<dyn Objects>,
        vendor: Box<dyn Vendor>,
    ) -> Result<Self> {
        Ok(ObjectsStore {
            url: address.url.clone(),
            prefix: address.prefix.clone(),
            storage_class: address.option("storage_class").map(str::to_owned),
            tags: tags_of(address)?,
            in_flight: options.in_flight as usize,
            slots: tokio::sync::Semaphore::new(options.in_flight as usize),
            http,
            objects,
            vendor,
            runtime: Runtime::new()?,
        })
    }

    fn tags(&self) -> TagSet {
        tag_set(&self.tags)
    }

    fn run<T: Send>(&self, future: impl std::future::Future<Output = Answer<T>> + Send) -> Answer<T> {
        let broken = || Err(Failure::later(Error::new(Kind::Io, "the request was not sent")).at(&self.url));
        self.runtime.run(future, broken)
    }

    fn url_of(&self, name: &str) -> String {
        if name.is_empty() {
            self.url.clone()
        } else {
            url_of(&self.url, name)
        }
    }

    fn path(&self, name: &str) -> Answer<ObjectPath> {
        check_name(&self.url, name)?;
        ObjectPath::parse(format!("{}{name}", self.prefix)).map_err(|e| {
            Failure::when_mended(Error::invalid(format!("this is no name for an object: {e}"))).at(&self.url_of(name))
        })
    }

    fn failure(&self, refusal: &Refusal, doing: &str, name: &str) -> Failure {
        self.http.scrubbed(refusal).failure(doing, &self.url_of(name))
    }

    /// The object's metadata; `None` when there is none of this name.
    async fn look(&self, name: &str) -> Answer<Option<Stat>> {
        let path = self.path(name)?;
        let options = GetOptions { head: true, ..GetOptions::default() };
        match self.objects.get_opts(&path, options).await {
            Ok(found) => Ok(Some(self.stat_of(&found))),
            Err(e) => match refusal_of(&e) {
                refusal if refusal.is(404) => Ok(None),
                refusal => Err(self.failure(&refusal, "look at the object", name)),
            },
        }
    }

    fn stat_of(&self, found: &object_store::GetResult) -> Stat {
        let key = Attribute::Metadata(self.vendor.sha256_key().into());
        let tag = found.meta.e_tag.as_deref().unwrap_or_default();
        Stat {
            bytes: found.meta.size,
            modified_ns: found.meta.last_modified.timestamp_nanos_opt().unwrap_or(0),
            tag: tag.trim_start_matches("W/").trim_matches('"').to_ascii_lowercase(),
            sha256: found.attributes.get(&key).and_then(|value| unhex(value)),
        }
    }

    async fn fetch(&self, name: &str, range: GetRange) -> Answer<(Stat, Vec<u8>)> {
        let path = self.path(name)?;
        let failed = |e: object_store::Error| self.failure(&refusal_of(&e), "read the object", name);
        let asked = match &range {
            GetRange::Bounded(range) => Some(range.clone()),
            _ => None,
        };
        let options = GetOptions { range: Some(range), ..GetOptions::default() };
        let found = self.objects.get_opts(&path, options).await.map_err(failed)?;
        let stat = self.stat_of(&found);
        if let Some(range) = asked {
            check_ranges(&[range], stat.bytes).map_err(|failure| failure.at(&self.url_of(name)))?;
        }
        let wanted = found.range.end - found.range.start;
        let bytes = found.bytes().await.map_err(failed)?;
        if bytes.len() as u64 != wanted {
            let refusal = Refusal::broken(format!("{wanted} bytes were asked for, and {} came", bytes.len()));
            return Err(Failure { again: Again::Later(None), ..self.failure(&refusal, "read the object", name) });
        }
        Ok((stat, bytes.into()))
    }

    async fn fetch_end(&self, name: &str, bytes: u64) -> Answer<(Stat, Vec<u8>)> {
        let look = || async {
            let gone = || self.failure(&Refusal::gone("there is no such object"), "read the object", name);
            self.look(name).await?.ok_or_else(gone)
        };
        if bytes > 0 && self.vendor.has_suffixes() {
            match self.fetch(name, GetRange::Suffix(bytes)).await {
                // An empty object has no valid range, and servers differ in their answers to that; some support no
                // suffixes either.
                Err(failure) if failure.again == Again::WhenMended && failure.error.os_code().is_none() => (),
                other => return other,
            }
        }
        let stat = look().await?;
        let at = stat.bytes.saturating_sub(bytes);
        if at == stat.bytes {
            return Ok((stat, vec![]));
        }
        self.fetch(name, GetRange::Bounded(at..stat.bytes)).await
    }

    async fn list_all(&self, prefix: &str) -> Answer<Vec<Listed>> {
        let listed = self.vendor.list(&format!("{}{prefix}", self.prefix)).await;
        let mut found = vec![];
        for object in listed.map_err(|refusal| self.failure(&refusal, "list the objects", ""))? {
            let Some(name) = object.name.strip_prefix(&self.prefix) else { continue };
            if name.starts_with(prefix) && check_name(&self.url, name).is_ok() {
                found.push(Listed { name: name.to_owned(), ..object });
            }
        }
        found.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(found)
    }

    async fn give_up(&self, name: &str, id: &str) -> Answer<()> {
        let path = self.path(name)?;
        match self.objects.abort_multipart(&path, &id.to_owned()).await {
            Ok(()) => Ok(()),
            Err(e) => match refusal_of(&e) {
                refusal if refusal.is(404) => Ok(()),
                refusal => Err(self.failure(&refusal, "give up the upload", name)),
            },
        }
    }
}

/// Removes one object with object_store.
async fn remove_by(store: &impl ObjectStore, path: &ObjectPath) -> Result<(), Refusal> {
    let one = stream::iter([Ok(path.clone())]).boxed();
    store.delete_stream(one).try_collect::<Vec<_>>().await.map(|_| ()).map_err(|e| refusal_of(&e))
}

/// The message of the server, or of the connection: our own text travels inside object_store's errors.
fn refusal_of(error: &object_store::Error) -> Refusal {
    let mut deepest = "the answer cannot be understood".to_owned();
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(refusal) = cause.downcast_ref::<Refusal>() {
            return refusal.clone();
        }
        // It quotes what it cannot parse, which may be a token.
        deepest = match cause.is::<serde_json::Error>() {
            true => "the answer cannot be understood".to_owned(),
            false => cause.to_string(),
        };
        source = cause.source();
    }
    // Only the innermost reason: the outer ones may show the URL of the request, with a signature in it.
    Refusal::broken(binlog::store::support::brief(&deepest))
}

/// Why a store cannot be opened with these options.
fn not_opened(address: &Address, http: &Http, error: &object_store::Error) -> Error {
    let reason = error.source().map_or_else(|| error.to_string(), ToString::to_string);
    Error::invalid(format!("the store cannot be set up: {}", binlog::store::support::brief(&http.scrub(&reason))))
        .at(std::path::Path::new(&address.url))
}

impl fmt::Debug for ObjectsStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)
    }
}

impl Store for ObjectsStore {
    fn url(&self) -> &str {
        &self.url
    }

    fn stat(&self, name: &str) -> Answer<Option<Stat>> {
        self.run(self.look(name))
    }

    fn upload(&self, upload: &Upload<'_>) -> Answer<Stored> {
        self.run(self.store(upload))
    }

    fn send_parts(&self, upload: &Upload<'_>) -> Answer<()> {
        self.run(self.send(upload))
    }

    fn read(&self, name: &str, ranges: &[Range<u64>]) -> Answer<Vec<Vec<u8>>> {
        Ok(self.read_tagged(name, ranges)?.1)
    }

    fn read_tagged(&self, name: &str, ranges: &[Range<u64>]) -> Answer<(String, Vec<Vec<u8>>)> {
        self.path(name)?;
        let fetch = |range: Range<u64>| async move {
            match range.is_empty() {
                true => Ok((None, vec![])),
                false => {
                    self.fetch(name, GetRange::Bounded(range)).await.map(|(stat, bytes)| (Some(stat.version()), bytes))
                }
            }
        };
        let fetched = self.run(side_by_side(ranges, self.in_flight, fetch))?;
        of_one_version(fetched).ok_or_else(|| replaced(&url_of(self.url(), name)))
    }

    fn read_end(&self, name: &str, bytes: u64) -> Answer<(Stat, Vec<u8>)> {
        self.run(self.fetch_end(name, bytes))
    }

    fn list(&self, prefix: &str) -> Answer<Vec<Listed>> {
        self.run(self.list_all(prefix))
    }

    fn remove(&self, name: &str) -> Answer<()> {
        let path = self.path(name)?;
        self.run(async {
            match self.vendor.remove(&path).await {
                // A missing object is removed already; a missing bucket is an error.
                Err(refusal) if !refusal.is(404) || refusal.code == "NoSuchBucket" => {
                    Err(self.failure(&refusal, "remove the object", name))
                }
                _ => Ok(()),
            }
        })
    }

    fn abort(&self, name: &str, token: &str) -> Answer<()> {
        self.path(name)?;
        match token::Token::parse(token) {
            Some(token) => self.run(self.give_up(name, &token.id)),
            None => Ok(()),
        }
    }

    fn abort_stale(&self, prefix: &str, age: Duration) -> Answer<u64> {
        self.run(async {
            let whole = format!("{}{prefix}", self.prefix);
            let unfinished = self.vendor.unfinished(&whole).await;
            let unfinished = unfinished.map_err(|r| self.failure(&r, "list the unfinished uploads", ""))?;
            let mut given_up = 0;
            for upload in unfinished {
                let Some(name) = upload.key.strip_prefix(&self.prefix) else { continue };
                if check_name(&self.url, name).is_ok() && name.starts_with(prefix) && upload.is_older_than(age) {
                    self.give_up(name, &upload.id).await?;
                    given_up += 1;
                }
            }
            Ok(given_up)
        })
    }
}

/// The URL of a server, from an option.
fn check_endpoint(text: &str) -> Result<String> {
    match url::Url::parse(text) {
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            Err(Error::invalid("the URL of a server has no user and no password: credentials have their own places"))
        }
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(text.to_owned()),
        _ => Err(Error::invalid(format!("a server is named by a URL such as https://host:port, not by {text:?}"))),
    }
}

fn check_part_bytes(options: &StoreOptions, smallest: u64) -> Result<()> {
    match options.part_bytes < smallest {
        true => Err(Error::invalid(format!("this store takes no parts of fewer than {smallest} bytes"))),
        false => Ok(()),
    }
}

/// Characters that are not escaped in the path of a URL (RFC 3986), and the slash.
const IN_A_PATH: &percent_encoding::AsciiSet =
    &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

fn encoded(path: &str) -> String {
    percent_encoding::utf8_percent_encode(path, IN_A_PATH).to_string()
}

/// A URL with a query whose pairs are ordered by their keys, as signatures require.
fn with_query(url: &str, pairs: &[(&str, String)]) -> String {
    const IN_A_QUERY: &percent_encoding::AsciiSet = &IN_A_PATH.add(b'/');
    let encoded = |text: &str| percent_encoding::utf8_percent_encode(text, IN_A_QUERY).to_string();
    let pairs: Vec<String> = pairs.iter().map(|(key, value)| format!("{key}={}", encoded(value))).collect();
    format!("{url}?{}", pairs.join("&"))
}
