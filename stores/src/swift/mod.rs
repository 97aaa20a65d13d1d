//! OpenStack Swift: objects in a container, large ones as static large objects whose parts are in a container of their
//! own.

mod auth;
mod headers;
mod large;
mod login;

use std::fmt;
use std::future::Future;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{HeaderMap, HeaderValue, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_NONE_MATCH, RANGE};
use http::{Method, Request, Response};
use percent_encoding::{utf8_percent_encode, AsciiSet, NON_ALPHANUMERIC};

use crate::credentials::Credentials;
use crate::http::{side_by_side, Body, Http, Refusal, Runtime};
use crate::objects::{read_part, until_stopped};
use crate::pages::Pages;
use binlog::store::support::{check_name, check_ranges, hex, of_one_version, replaced, unhex, url_of, Address};
use binlog::store::{Again, Answer, Failure, Listed, Stat, Store, StoreOptions, Stored, Upload};
use binlog::{Error, Kind, Result};

use auth::Sessions;
use headers::text;

/// Options of the URL.
pub(crate) const OPTIONS: &[&str] = &["auth", "region", "interface", "storage"];

/// A container, and the prefix of a log in it.
pub(crate) struct SwiftStore {
    url: String,
    container: String,
    prefix: String,
    in_flight: usize,
    /// Limits the parts of all concurrent uploads: each holds its part in memory.
    slots: tokio::sync::Semaphore,
    http: Arc<Http>,
    sessions: Sessions,
    runtime: Runtime,
}

/// The metadata that holds the SHA-256.
const SHA256: &str = "x-object-meta-binlog-sha256";

/// A request to Swift: method, container, object ("" = the container itself), query, headers, body.
struct Ask<'a> {
    method: Method,
    container: &'a str,
    object: &'a str,
    query: Vec<(&'static str, String)>,
    headers: HeaderMap,
    body: Bytes,
}

impl<'a> Ask<'a> {
    fn new(method: Method, container: &'a str, object: &'a str) -> Self {
        Ask { method, container, object, query: vec![], headers: HeaderMap::new(), body: Bytes::new() }
    }

    fn query(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.query.push((key, value.into()));
        self
    }

    fn header(mut self, name: impl http::header::IntoHeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
        self
    }
}

impl SwiftStore {
    pub(crate) fn open(address: &Address, options: &StoreOptions, credentials: &Credentials) -> Result<Self> {
        if address.bucket.contains('/') {
            return Err(Error::invalid("the name of a container has no slash"));
        }
        let http = Arc::new(Http::new(options, credentials)?);
        let login = login::Login::of(address, credentials).map_err(|e| e.at(Path::new(&address.url)))?;
        Ok(SwiftStore {
            url: address.url.clone(),
            container: address.bucket.clone(),
            prefix: address.prefix.clone(),
            in_flight: options.in_flight as usize,
            slots: tokio::sync::Semaphore::new(options.in_flight as usize),
            sessions: Sessions::new(login),
            http,
            runtime: Runtime::new()?,
        })
    }

    fn run<T: Send>(&self, future: impl Future<Output = Answer<T>> + Send) -> Answer<T> {
        let broken = || Err(Failure::later(Error::new(Kind::Io, "the request was not sent")).at(&self.url));
        self.runtime.run(future, broken)
    }

    fn url_of(&self, name: &str) -> String {
        match name {
            "" => self.url.clone(),
            name => url_of(&self.url, name),
        }
    }

    fn failure(&self, refusal: &Refusal, doing: &str, name: &str) -> Failure {
        self.http.scrubbed(refusal).failure(doing, &self.url_of(name))
    }

    fn object(&self, name: &str) -> Answer<String> {
        check_name(&self.url, name)?;
        Ok(format!("{}{name}", self.prefix))
    }

    /// Sends a request, and repeats it once with a new token when the old one is no longer accepted.
    async fn ask(&self, ask: Ask<'_>) -> Result<Response<Bytes>, Refusal> {
        let mut session = self.sessions.get(&self.http).await?;
        for again in [true, false] {
            let mut url = format!("{}/{}", session.storage, encoded(ask.container, false));
            if !ask.object.is_empty() {
                url = format!("{url}/{}", encoded(ask.object, true));
            }
            let pairs: Vec<String> =
                ask.query.iter().map(|(key, value)| format!("{key}={}", encoded(value, false))).collect();
            if !pairs.is_empty() {
                url = format!("{url}?{}", pairs.join("&"));
            }
            let body: Body = if ask.body.is_empty() { vec![] } else { vec![ask.body.clone()] };
            let request = Request::builder().method(ask.method.clone()).uri(url).body(body);
            let mut request = request.map_err(|e| Refusal::broken(e.to_string()))?;
            *request.headers_mut() = ask.headers.clone();
            request.headers_mut().insert("x-auth-token", session.header()?);
            match self.http.call(request).await {
                Err(refusal) if refusal.is(401) && again => {
                    session = self.sessions.renew(&self.http, &session).await?;
                }
                other => return other,
            }
        }
        Err(Refusal::broken("the server takes no token that it gives"))
    }

    async fn head(&self, object: &str) -> Result<Option<HeaderMap>, Refusal> {
        match self.ask(Ask::new(Method::HEAD, &self.container, object)).await {
            Ok(response) => Ok(Some(response.into_parts().0.headers)),
            Err(refusal) if refusal.is(404) => Ok(None),
            Err(refusal) => Err(refusal),
        }
    }

    async fn look(&self, name: &str) -> Answer<Option<Stat>> {
        let object = self.object(name)?;
        let failed = |refusal: Refusal| self.failure(&refusal, "look at the object", name);
        let Some(headers) = self.head(&object).await.map_err(failed)? else { return Ok(None) };
        let length = text(&headers, "content-length").parse();
        let bytes = length.map_err(|_| failed(Refusal::broken("the server does not say how long it is")))?;
        Ok(Some(stat_of(&headers, bytes)))
    }

    /// The object's headers, and the bytes of a range; of its end, if the range says so.
    async fn fetch(&self, name: &str, range: Wanted) -> Answer<(Stat, Vec<u8>)> {
        let object = self.object(name)?;
        let failed = |refusal: Refusal| self.failure(&refusal, "read the object", name);
        let asked = match &range {
            Wanted::From(range) => format!("bytes={}-{}", range.start, range.end.saturating_sub(1)),
            Wanted::End(bytes) => format!("bytes=-{bytes}"),
        };
        let response =
            self.ask(Ask::new(Method::GET, &self.container, &object).header(RANGE, &asked)).await.map_err(failed)?;
        let (head, body) = response.into_parts();
        // A server may send the whole object instead.
        let (at, total) = match head.status.as_u16() {
            206 => content_range(&head.headers)
                .ok_or_else(|| failed(Refusal::broken("the answer does not say which range it contains")))?,
            _ => (0, body.len() as u64),
        };
        let wanted = match range {
            Wanted::From(range) => range,
            Wanted::End(bytes) => total.saturating_sub(bytes)..total,
        };
        check_ranges(std::slice::from_ref(&wanted), total).map_err(|failure| failure.at(&self.url_of(name)))?;
        let end = at.saturating_add(body.len() as u64);
        if wanted.start < at || wanted.end > end {
            let refusal = Refusal::broken(format!("{asked} was asked for, and the bytes {at} to {end} came"));
            return Err(Failure { again: Again::Later(None), ..failed(refusal) });
        }
        let bytes = body.slice((wanted.start - at) as usize..(wanted.end - at) as usize);
        Ok((stat_of(&head.headers, total), bytes.into()))
    }

    /// All objects of a container below a prefix, without those after a further slash when `flat`.
    async fn list_all(&self, container: &str, prefix: &str, flat: bool) -> Result<Vec<Entry>, Refusal> {
        let mut found: Vec<Entry> = vec![];
        let mut pages = Pages::default();
        let mut marker = String::new();
        loop {
            let mut ask = Ask::new(Method::GET, container, "")
                .query("format", "json")
                .query("limit", "1000")
                .query("prefix", prefix);
            if flat {
                ask = ask.query("delimiter", "/");
            }
            if !marker.is_empty() {
                ask = ask.query("marker", &*marker);
            }
            let response = self.ask(ask).await?;
            if response.body().is_empty() {
                return Ok(found);
            }
            let page: serde_json::Value = serde_json::from_slice(response.body())
                .map_err(|_| Refusal::broken("the list of the container cannot be understood"))?;
            let page = page.as_array().map(Vec::as_slice).unwrap_or_default();
            let Some(last) = page.last() else { return Ok(found) };
            let name = |entry: &serde_json::Value, key| entry.get(key).and_then(|v| v.as_str()).map(str::to_owned);
            let next = name(last, "name").or_else(|| name(last, "subdir")).unwrap_or_default();
            let names = page.iter().filter_map(|entry| entry.get("name").or(entry.get("subdir"))?.as_str());
            // The next page begins after the last name of this one. Names are in order; a list that goes back is not
            // valid.
            match next > marker {
                true => pages.take(names, Some(&next))?,
                false => return Err(Refusal::broken("the list of the container does not get on")),
            }
            marker = next;
            for entry in page {
                let Some(object) = name(entry, "name") else { continue };
                let modified = name(entry, "last_modified").unwrap_or_default();
                found.push(Entry {
                    name: object,
                    bytes: entry.get("bytes").and_then(serde_json::Value::as_u64).unwrap_or(0),
                    md5: name(entry, "hash").unwrap_or_default(),
                    // Always UTC, without a zone.
                    modified_ns: format!("{modified}Z").parse::<jiff::Timestamp>().map_or(0, nanoseconds),
                });
            }
        }
    }

    async fn store_whole(&self, upload: &Upload<'_>, object: &str) -> Answer<Stored> {
        let ask = Ask {
            body: read_part(upload, 0)?,
            ..Ask::new(Method::PUT, &self.container, object)
                .header(IF_NONE_MATCH, "*")
                .header(CONTENT_TYPE, "application/octet-stream")
                .header(ETAG, &upload.sums.plain_tag().unwrap_or_default())
                .header(SHA256, &hex(&upload.sums.sha256))
        };
        let bytes = ask.body.clone();
        let put = until_stopped(upload, self.ask(ask)).await.map_err(|f| f.at(&self.url_of(upload.name)))?;
        match put {
            Ok(_) => {
                upload.monitor.sent(upload.sums.bytes);
                Ok(Stored::New)
            }
            Err(refusal) if refusal.is(412) => Ok(Stored::Exists),
            Err(refusal) => Err(self.refused(&refusal, upload, &bytes, 0)),
        }
    }

    /// The failure of a request that sent these bytes. They may differ from what the checksums say.
    fn refused(&self, refusal: &Refusal, upload: &Upload<'_>, bytes: &[u8], part: usize) -> Failure {
        use md5::Digest as _;
        let other =
            || upload.sums.part_md5.get(part).is_some_and(|md5| *md5 != <[u8; 16]>::from(md5::Md5::digest(bytes)));
        match refusal.is(422) && other() {
            true => binlog::store::support::changed(upload),
            false => self.failure(refusal, "store the object", upload.name),
        }
    }
}

/// A range, or so many bytes of the end.
enum Wanted {
    From(Range<u64>),
    End(u64),
}

/// An object in a list.
struct Entry {
    name: String,
    bytes: u64,
    md5: String,
    modified_ns: i64,
}

fn nanoseconds(at: jiff::Timestamp) -> i64 {
    i64::try_from(at.as_nanosecond()).unwrap_or(0)
}

fn stat_of(headers: &HeaderMap, bytes: u64) -> Stat {
    // Seconds with a fraction; Last-Modified is rounded.
    let (seconds, fraction) =
        text(headers, "x-timestamp").split_once('.').unwrap_or((text(headers, "x-timestamp"), ""));
    let nanoseconds: i64 = format!("{:0<9.9}", fraction).parse().unwrap_or(0);
    let seconds: i64 = seconds.parse().unwrap_or(0);
    Stat {
        bytes,
        modified_ns: seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds),
        tag: text(headers, "etag").trim_matches('"').to_ascii_lowercase(),
        sha256: unhex(text(headers, SHA256)),
    }
}

/// Where the range begins, and the length of the whole object.
fn content_range(headers: &HeaderMap) -> Option<(u64, u64)> {
    let (range, total) = headers.get(CONTENT_RANGE)?.to_str().ok()?.strip_prefix("bytes ")?.split_once('/')?;
    Some((range.split_once('-')?.0.parse().ok()?, total.parse().ok()?))
}

fn encoded(text: &str, with_slashes: bool) -> String {
    const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    const SLASHES: &AsciiSet = &PLAIN.remove(b'/');
    utf8_percent_encode(text, if with_slashes { SLASHES } else { PLAIN }).to_string()
}

impl fmt::Debug for SwiftStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)
    }
}

impl Store for SwiftStore {
    fn url(&self) -> &str {
        &self.url
    }

    fn stat(&self, name: &str) -> Answer<Option<Stat>> {
        self.run(self.look(name))
    }

    fn upload(&self, upload: &Upload<'_>) -> Answer<Stored> {
        let object = self.object(upload.name)?;
        self.run(async {
            match upload.sums.part_md5.len() {
                0 | 1 => self.store_whole(upload, &object).await,
                _ => self.store_large(upload, &object).await,
            }
        })
    }

    fn send_parts(&self, upload: &Upload<'_>) -> Answer<()> {
        let object = self.object(upload.name)?;
        match upload.sums.part_md5.len() {
            0 | 1 => Ok(()),
            _ => self.run(self.send_large(upload, &object)),
        }
    }

    fn read(&self, name: &str, ranges: &[Range<u64>]) -> Answer<Vec<Vec<u8>>> {
        Ok(self.read_tagged(name, ranges)?.1)
    }

    fn read_tagged(&self, name: &str, ranges: &[Range<u64>]) -> Answer<(String, Vec<Vec<u8>>)> {
        self.object(name)?;
        let fetch = |range: Range<u64>| async move {
            match range.is_empty() {
                true => Ok((None, vec![])),
                false => self.fetch(name, Wanted::From(range)).await.map(|(stat, bytes)| (Some(stat.version()), bytes)),
            }
        };
        let fetched = self.run(side_by_side(ranges, self.in_flight, fetch))?;
        of_one_version(fetched).ok_or_else(|| replaced(&url_of(self.url(), name)))
    }

    fn read_end(&self, name: &str, bytes: u64) -> Answer<(Stat, Vec<u8>)> {
        self.object(name)?;
        self.run(async {
            if bytes > 0 {
                match self.fetch(name, Wanted::End(bytes)).await {
                    // An empty object has no valid range.
                    Err(failure) if failure.error.kind() == Kind::Invalid => (),
                    other => return other,
                }
            }
            let gone = || self.failure(&Refusal::gone("there is no such object"), "read the object", name);
            let stat = self.look(name).await?.ok_or_else(gone)?;
            match bytes.min(stat.bytes) {
                0 => Ok((stat, vec![])),
                n => self.fetch(name, Wanted::From(stat.bytes - n..stat.bytes)).await,
            }
        })
    }

    fn list(&self, prefix: &str) -> Answer<Vec<Listed>> {
        self.run(async {
            let whole = format!("{}{prefix}", self.prefix);
            let entries = self.list_all(&self.container, &whole, true).await;
            let mut found = vec![];
            for entry in entries.map_err(|r| self.failure(&r, "list the objects", ""))? {
                let Some(name) = entry.name.strip_prefix(&self.prefix) else { continue };
                if check_name(&self.url, name).is_ok() {
                    found.push(Listed { name: name.to_owned(), bytes: entry.bytes, modified_ns: entry.modified_ns });
                }
            }
            found.sort_by(|a, b| a.name.cmp(&b.name));
            Ok(found)
        })
    }

    fn remove(&self, name: &str) -> Answer<()> {
        let object = self.object(name)?;
        self.run(async {
            let failed = |refusal: Refusal| self.failure(&refusal, "remove the object", name);
            let Some(headers) = self.head(&object).await.map_err(failed)? else { return Ok(()) };
            if text(&headers, "x-static-large-object").eq_ignore_ascii_case("true") {
                return self.remove_large(&object).await.map_err(failed);
            }
            match self.ask(Ask::new(Method::DELETE, &self.container, &object)).await {
                Err(refusal) if !refusal.is(404) => Err(failed(refusal)),
                _ => Ok(()),
            }
        })
    }

    fn abort(&self, name: &str, token: &str) -> Answer<()> {
        let object = self.object(name)?;
        let Some(token) = large::Token::parse(token) else { return Ok(()) };
        self.run(async {
            let given_up = self.give_up(&object, &token.id).await;
            given_up.map_err(|r| self.failure(&r, "give up the upload", name))
        })
    }

    fn abort_stale(&self, prefix: &str, age: Duration) -> Answer<u64> {
        self.run(async {
            let given_up = self.give_up_stale(prefix, age).await;
            given_up.map_err(|r| self.failure(&r, "give up unfinished uploads", ""))
        })
    }
}
