//! Static large objects: parts in a container of their own, and a manifest that makes them one object.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::stream::FuturesUnordered;
use futures_util::StreamExt as _;
use http::header::{ACCEPT, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::Method;
use serde_json::{json, Value};

use super::{Ask, SwiftStore, SHA256};
use crate::http::Refusal;
use crate::objects::{read_part, STOP_CHECK};
use binlog::store::support::fill_random;
use binlog::store::support::hex;
use binlog::store::Sums;
use binlog::store::{
    support::{check_name, stopped},
    Answer, Failure, Stored, Upload,
};
use binlog::Error;

/// An upload in parts that was begun. The server lists the parts that exist.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Token {
    /// The part of the parts' names between the object's name and their number.
    pub id: String,
    /// The beginning of the file's SHA-256: parts of two files never get into one object.
    file: String,
    part_bytes: u64,
}

impl Token {
    /// The first word of a token: other stores have others.
    const WORD: &'static str = "slo";

    fn new(sums: &Sums) -> std::io::Result<Self> {
        let mut random = [0; 8];
        fill_random(&mut random)?;
        Ok(Token { id: hex(&random), file: hex(&sums.sha256[..8]), part_bytes: sums.part_bytes })
    }

    fn is_of(&self, sums: &Sums) -> bool {
        self.file == hex(&sums.sha256[..8]) && self.part_bytes == sums.part_bytes
    }

    fn to_text(&self) -> String {
        format!("{} {} {} {}", Self::WORD, self.id, self.file, self.part_bytes)
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        let fields: Vec<&str> = text.split(' ').collect();
        let [Self::WORD, id, file, part_bytes] = fields[..] else { return None };
        is_id(id).then_some(())?;
        Some(Token { id: id.to_owned(), file: file.to_owned(), part_bytes: part_bytes.parse().ok()? })
    }
}

fn is_id(text: &str) -> bool {
    text.len() == 16 && text.bytes().all(|c| c.is_ascii_hexdigit())
}

impl SwiftStore {
    /// The container of the parts, named as other tools do.
    fn parts_container(&self) -> String {
        format!("{}_segments", self.container)
    }

    /// The prefix of the names of an upload's parts.
    fn parts_of(object: &str, id: &str) -> String {
        format!("{object}/{id}/")
    }

    pub(super) async fn store_large(&self, upload: &Upload<'_>, object: &str) -> Answer<Stored> {
        let name = upload.name;
        let failed = |refusal: Refusal| self.failure(&refusal, "store the object", name);
        let known = upload.resume.and_then(Token::parse);
        if self.look(name).await?.is_some() {
            if let Some(token) = known {
                self.give_up(object, &token.id).await.map_err(failed)?;
            }
            return Ok(Stored::Exists);
        }
        let token = self.begin(upload, object, known).await?;
        let mut reported = BTreeSet::new();
        for last in [false, true] {
            self.store_parts(upload, object, &token, &mut reported).await?;
            match self.put_manifest(upload, object, &token).await {
                Ok(()) => return Ok(Stored::New),
                Err(refusal) if refusal.is(412) => {
                    self.give_up(object, &token.id).await.map_err(failed)?;
                    return Ok(Stored::Exists);
                }
                // A part has gone since the list was read, or was missing in the list: the list is read again.
                Err(refusal) if refusal.is(400) && !last => (),
                Err(refusal) => return Err(failed(refusal)),
            }
        }
        Err(failed(Refusal::broken("the parts do not become an object")))
    }

    /// Sends all parts, which do not become an object yet.
    pub(super) async fn send_large(&self, upload: &Upload<'_>, object: &str) -> Answer<()> {
        let token = self.begin(upload, object, upload.resume.and_then(Token::parse)).await?;
        self.store_parts(upload, object, &token, &mut BTreeSet::new()).await
    }

    /// Resumes the known upload, unless it is one of other bytes, which is aborted.
    async fn begin(&self, upload: &Upload<'_>, object: &str, known: Option<Token>) -> Answer<Token> {
        let token = match known {
            Some(token) if token.is_of(upload.sums) => token,
            other => {
                if let Some(token) = other {
                    let given_up = self.give_up(object, &token.id).await;
                    given_up.map_err(|refusal| self.failure(&refusal, "store the object", upload.name))?;
                }
                Token::new(upload.sums).map_err(|e| Failure::later(Error::io(&e, "have random bytes")))?
            }
        };
        upload.monitor.note(&token.to_text()).map_err(Failure::later)?;
        Ok(token)
    }

    /// The numbers of the parts that exist with the right contents.
    async fn parts_there(&self, object: &str, id: &str, sums: &Sums) -> Result<BTreeSet<usize>, Refusal> {
        let container = self.parts_container();
        let prefix = Self::parts_of(object, id);
        let entries = match self.list_all(&container, &prefix, false).await {
            Ok(entries) => entries,
            Err(refusal) if refusal.is(404) => {
                self.ask(Ask::new(Method::PUT, &container, "")).await?;
                vec![]
            }
            Err(refusal) => return Err(refusal),
        };
        let number = |name: &str| name.strip_prefix(&prefix)?.parse::<usize>().ok();
        let good = |entry: &super::Entry| {
            let number = number(&entry.name)?;
            let md5 = sums.part_md5.get(number)?;
            (entry.md5 == hex(md5) && entry.bytes == sums.part(number).1).then_some(number)
        };
        Ok(entries.iter().filter_map(good).collect())
    }

    async fn store_parts(
        &self,
        upload: &Upload<'_>,
        object: &str,
        token: &Token,
        reported: &mut BTreeSet<usize>,
    ) -> Answer<()> {
        let there = self.parts_there(object, &token.id, upload.sums).await;
        let there = there.map_err(|r| self.failure(&r, "look for parts of the object", upload.name))?;
        for number in there.iter().copied() {
            if reported.insert(number) {
                upload.monitor.found(upload.sums.part(number).1);
            }
        }
        let mut report = |number: usize| {
            if reported.insert(number) {
                upload.monitor.sent(upload.sums.part(number).1);
            }
        };
        let container = self.parts_container();
        let prefix = Self::parts_of(object, &token.id);
        let send = |number: usize| {
            let (container, part) = (&container, format!("{prefix}{number:08}"));
            async move {
                let _slot = self.slots.acquire().await;
                let bytes = read_part(upload, number)?;
                let ask = Ask {
                    body: bytes.clone(),
                    ..Ask::new(Method::PUT, container, &part)
                        .header(CONTENT_TYPE, "application/octet-stream")
                        .header(ETAG, &hex(&upload.sums.part_md5[number]))
                };
                let put = self.ask(ask).await;
                put.map(|_| number).map_err(|refusal| self.refused(&refusal, upload, &bytes, number))
            }
        };
        let mut missing = (0..upload.sums.part_md5.len()).filter(|number| !there.contains(number));
        let mut under_way = FuturesUnordered::new();
        // After a failure the parts in flight are still completed: they need not be sent again.
        let mut failed = None;
        loop {
            while under_way.len() < self.in_flight && failed.is_none() {
                match missing.next() {
                    Some(number) => under_way.push(send(number)),
                    None => break,
                }
            }
            match tokio::time::timeout(STOP_CHECK, under_way.next()).await {
                Ok(None) => return failed.map_or(Ok(()), Err),
                Ok(Some(Ok(number))) => report(number),
                Ok(Some(Err(failure))) => failed = failed.or(Some(failure)),
                Err(_) => (),
            }
            if upload.monitor.stop() {
                return Err(stopped().at(&self.url_of(upload.name)));
            }
        }
    }

    async fn put_manifest(&self, upload: &Upload<'_>, object: &str, token: &Token) -> Result<(), Refusal> {
        let prefix = Self::parts_of(object, &token.id);
        let part = |(number, md5): (usize, &[u8; 16])| {
            let path = format!("/{}/{prefix}{number:08}", self.parts_container());
            json!({ "path": path, "etag": hex(md5), "size_bytes": upload.sums.part(number).1 })
        };
        let manifest: Vec<Value> = upload.sums.part_md5.iter().enumerate().map(part).collect();
        let ask = Ask {
            body: Value::from(manifest).to_string().into(),
            ..Ask::new(Method::PUT, &self.container, object)
                .query("multipart-manifest", "put")
                .header(IF_NONE_MATCH, "*")
                .header(CONTENT_TYPE, "application/octet-stream")
                .header(SHA256, &hex(&upload.sums.sha256))
        };
        self.ask(ask).await.map(|_| ())
    }

    /// Whether the object consists of this upload's parts: then they must stay.
    async fn is_made_of(&self, object: &str, id: &str) -> Result<bool, Refusal> {
        // The server would return an object without a manifest as it is.
        let large = match self.head(object).await? {
            None => return Ok(false),
            Some(headers) => super::headers::text(&headers, "x-static-large-object").eq_ignore_ascii_case("true"),
        };
        if !large {
            return Ok(false);
        }
        let manifest = Ask::new(Method::GET, &self.container, object).query("multipart-manifest", "get");
        let response = match self.ask(manifest).await {
            Ok(response) => response,
            Err(refusal) if refusal.is(404) => return Ok(false),
            Err(refusal) => return Err(refusal),
        };
        let parts: Value = serde_json::from_slice(response.body())
            .map_err(|_| Refusal::broken("the manifest of the object cannot be understood"))?;
        let wanted = format!("/{}/{}", self.parts_container(), Self::parts_of(object, id));
        let names = parts.as_array().map(Vec::as_slice).unwrap_or_default().iter();
        Ok(names.filter_map(|part| part["name"].as_str()).any(|name| name.starts_with(&wanted)))
    }

    /// Removes the parts of an upload, unless they have become the object meanwhile.
    pub(super) async fn give_up(&self, object: &str, id: &str) -> Result<(), Refusal> {
        if self.is_made_of(object, id).await? {
            return Ok(());
        }
        let container = self.parts_container();
        let entries = match self.list_all(&container, &Self::parts_of(object, id), false).await {
            Err(refusal) if refusal.is(404) => return Ok(()),
            entries => entries?,
        };
        for entry in entries {
            match self.ask(Ask::new(Method::DELETE, &container, &entry.name)).await {
                Err(refusal) if !refusal.is(404) => return Err(refusal),
                _ => (),
            }
        }
        Ok(())
    }

    pub(super) async fn give_up_stale(&self, prefix: &str, age: Duration) -> Result<u64, Refusal> {
        let whole = format!("{}{prefix}", self.prefix);
        let entries = match self.list_all(&self.parts_container(), &whole, false).await {
            Err(refusal) if refusal.is(404) => return Ok(0),
            entries => entries?,
        };
        // The time of the last part, by object and upload.
        let mut uploads: BTreeMap<(&str, &str), i64> = BTreeMap::new();
        for entry in &entries {
            let Some((rest, number)) = entry.name.rsplit_once('/') else { continue };
            let Some((object, id)) = rest.rsplit_once('/') else { continue };
            let name = object.strip_prefix(&self.prefix).filter(|name| check_name(&self.url, name).is_ok());
            if name.is_none() || !is_id(id) || number.len() != 8 || !number.bytes().all(|c| c.is_ascii_digit()) {
                continue;
            }
            let last = uploads.entry((object, id)).or_insert(entry.modified_ns);
            *last = entry.modified_ns.max(*last);
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = i64::try_from(now.as_nanos()).unwrap_or(i64::MAX);
        let age = i64::try_from(age.as_nanos()).unwrap_or(i64::MAX);
        let mut given_up = 0;
        for ((object, id), last) in uploads {
            if now.saturating_sub(last).max(0) >= age && !self.is_made_of(object, id).await? {
                self.give_up(object, id).await?;
                given_up += 1;
            }
        }
        Ok(given_up)
    }

    /// Removes a large object with its parts.
    pub(super) async fn remove_large(&self, object: &str) -> Result<(), Refusal> {
        let ask = Ask::new(Method::DELETE, &self.container, object)
            .query("multipart-manifest", "delete")
            .header(ACCEPT, "application/json");
        let response = match self.ask(ask).await {
            Err(refusal) if refusal.is(404) => return Ok(()),
            response => response?,
        };
        // The status of the answer is always a success; the real result is in the body.
        let answer: Value = serde_json::from_slice(response.body()).unwrap_or_default();
        let status = answer["Response Status"].as_str().unwrap_or_default();
        let errors = answer["Errors"].as_array().map(Vec::as_slice).unwrap_or_default();
        let gone = |error: &Value| error[1].as_str().is_some_and(|status| status.starts_with("404"));
        if (status.starts_with('2') || status.starts_with("404")) && errors.iter().all(gone) {
            return Ok(());
        }
        let first = errors.first().and_then(|error| error[1].as_str()).unwrap_or(status);
        Err(Refusal::of_status(first, "not all of a large object was removed"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_back_and_nothing_else_is_one() {
        let sums = Sums { bytes: 25, sha256: [7; 32], part_bytes: 10, part_md5: vec![[1; 16]; 3] };
        let token = Token::new(&sums).unwrap();
        assert_eq!(Token::parse(&token.to_text()).unwrap(), token);
        assert!(token.is_of(&sums) && !token.is_of(&Sums { sha256: [8; 32], ..sums }));
        for bad in [
            "",
            "slo",
            "slo ../.. f 1",
            "slo 0123456789abcdeg f 1",
            "parts 0123456789abcdef f 1",
            "slo 0123456789abcdef f x",
        ] {
            assert_eq!(Token::parse(bad), None, "{bad:?}");
        }
    }
}
