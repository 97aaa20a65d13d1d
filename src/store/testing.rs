//! A store in memory, which can fail at a chosen request.

// Requests and the fields of a fault are described by their names.
#![allow(missing_docs)]

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use md5::{Digest as _, Md5};
use parking_lot::Mutex;

use super::directory::changed;
use super::{
    check_name, check_ranges, replaced, stopped, url_of, Answer, Failure, Listed, Stat, Store, Stored, Upload,
};
use crate::error::{Error, Kind};
use crate::hex::hex;
use crate::io::read_full;

/// A request to a server. An upload in parts is a `Begin`, a `Part` for each and a `Complete`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    Stat,
    Put,
    Begin,
    Part,
    Complete,
    Read,
    List,
    Remove,
    Abort,
    AbortStale,
}

/// Fails the requests from number `from` on (counted from 0), `times` of them; only those of the kind `only`, if it is
/// set.
#[derive(Clone, Debug)]
pub struct StoreFault {
    pub from: usize,
    pub times: usize,
    pub only: Option<Request>,
    /// The failure that the request returns.
    pub failure: Failure,
    /// The request takes effect anyway: only the answer is lost.
    pub done: bool,
}

/// Objects in memory, which are freed with the last handle of the store.
#[derive(Clone)]
pub struct MemoryStore {
    shared: Arc<Mutex<State>>,
    url: Arc<str>,
}

#[derive(Default)]
struct State {
    objects: BTreeMap<String, Object>,
    uploads: BTreeMap<u64, Unfinished>,
    next_upload: u64,
    fault: Option<StoreFault>,
    seen: usize,
    asked: Vec<(Request, String)>,
}

#[derive(Clone)]
struct Object {
    bytes: Vec<u8>,
    stat: Stat,
}

struct Unfinished {
    name: String,
    /// Of the whole file that is being stored.
    sha256: [u8; 32],
    begun: SystemTime,
    parts: BTreeMap<usize, Vec<u8>>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::at("memory://store")
    }

    /// An empty store with this URL.
    pub fn at(url: &str) -> Self {
        MemoryStore { shared: Arc::default(), url: url.into() }
    }

    /// Counts requests from 0 again, and fails those that `fault` names.
    pub fn set_fault(&self, fault: Option<StoreFault>) {
        let mut state = self.shared.lock();
        state.fault = fault;
        state.seen = 0;
    }

    /// The number of requests since [`Self::set_fault`] (only those of the fault's kind, if it has one).
    pub fn requests(&self) -> usize {
        self.shared.lock().seen
    }

    /// The requests since the last call, in order, with the names of the objects.
    pub fn take_asked(&self) -> Vec<(Request, String)> {
        std::mem::take(&mut self.shared.lock().asked)
    }

    /// The contents of an object.
    pub fn contents(&self, name: &str) -> Option<Vec<u8>> {
        Some(self.shared.lock().objects.get(name)?.bytes.clone())
    }

    /// Stores an object, and replaces an existing one.
    pub fn set_contents(&self, name: &str, bytes: Vec<u8>) {
        let tag = tag_of(&[&bytes]);
        self.shared.lock().put(name, bytes, tag, None);
    }

    /// The number of uploads in parts that were begun, and neither completed nor given up.
    pub fn unfinished(&self) -> usize {
        self.shared.lock().uploads.len()
    }

    /// One request: fails it before or after its effect, if a fault is set for it.
    fn ask<T>(&self, request: Request, name: &str, effect: impl FnOnce(&mut State) -> Answer<T>) -> Answer<T> {
        let mut state = self.shared.lock();
        state.asked.push((request, name.to_owned()));
        let lost = match &state.fault {
            Some(fault) if fault.only.is_some_and(|only| only != request) => None,
            fault => {
                let hit = |fault: &&StoreFault| state.seen >= fault.from && state.seen - fault.from < fault.times;
                let hit = fault.as_ref().filter(hit).cloned();
                state.seen += 1;
                hit
            }
        };
        let at = |failure: Failure| failure.at(&url_of(&self.url, name));
        match lost {
            Some(fault) if !fault.done => Err(at(fault.failure)),
            Some(fault) => effect(&mut state).and(Err(at(fault.failure))),
            None => effect(&mut state).map_err(at),
        }
    }

    fn put_whole(&self, upload: &Upload<'_>) -> Answer<Stored> {
        let bytes = read_part(upload, 0, upload.sums.bytes)?;
        if upload.sums.md5() != Some(Md5::digest(&bytes).into()) {
            return Err(changed(upload));
        }
        let stored = self.ask(Request::Put, upload.name, |state| {
            if state.objects.contains_key(upload.name) {
                return Ok(Stored::Exists);
            }
            let tag = tag_of(&[&bytes]);
            state.put(upload.name, bytes, tag, Some(upload.sums.sha256));
            Ok(Stored::New)
        })?;
        upload.monitor.sent(if stored == Stored::New { upload.sums.bytes } else { 0 });
        Ok(stored)
    }

    /// The upload of a token, if it is still known.
    fn resumed(&self, upload: &Upload<'_>) -> Option<u64> {
        let token = upload.resume?.strip_prefix("memory ")?.parse().ok()?;
        let state = self.shared.lock();
        let same = |known: &&Unfinished| known.name == upload.name && known.sha256 == upload.sums.sha256;
        state.uploads.get(&token).filter(same).map(|_| token)
    }

    fn put_parts(&self, upload: &Upload<'_>) -> Answer<Stored> {
        let name = upload.name;
        let exists = self.ask(Request::Stat, name, |state| Ok(state.objects.contains_key(name)))?;
        if exists {
            return Ok(Stored::Exists);
        }
        let id = self.send_missing(upload)?;
        self.ask(Request::Complete, name, |state| {
            if state.objects.contains_key(name) {
                state.uploads.remove(&id);
                return Ok(Stored::Exists);
            }
            let known = state.uploads.remove(&id).ok_or_else(unknown)?;
            let parts: Vec<&[u8]> = known.parts.values().map(Vec::as_slice).collect();
            let tag = tag_of(&parts);
            state.put(name, parts.concat(), tag, Some(upload.sums.sha256));
            Ok(Stored::New)
        })
    }

    fn send_missing(&self, upload: &Upload<'_>) -> Answer<u64> {
        let name = upload.name;
        let id = match self.resumed(upload) {
            Some(id) => id,
            None => self.ask(Request::Begin, name, |state| {
                state.next_upload += 1;
                let sha256 = upload.sums.sha256;
                let begun =
                    Unfinished { name: name.to_owned(), sha256, begun: SystemTime::now(), parts: BTreeMap::new() };
                state.uploads.insert(state.next_upload, begun);
                Ok(state.next_upload)
            })?,
        };
        let note = || upload.monitor.note(&format!("memory {id}")).map_err(Failure::later);
        note()?;
        for (number, md5) in upload.sums.part_md5.iter().enumerate() {
            let (at, len) = upload.sums.part(number);
            let there = self.shared.lock().uploads.get(&id).is_some_and(|known| known.parts.contains_key(&number));
            if !there {
                if upload.monitor.stop() {
                    return Err(stopped().at(&url_of(&self.url, name)));
                }
                let bytes = read_part(upload, at, len)?;
                if <[u8; 16]>::from(Md5::digest(&bytes)) != *md5 {
                    return Err(changed(upload));
                }
                self.ask(Request::Part, name, |state| {
                    let known = state.uploads.get_mut(&id).ok_or_else(unknown)?;
                    known.parts.insert(number, bytes);
                    Ok(())
                })?;
                note()?;
                upload.monitor.sent(len);
            } else {
                upload.monitor.found(len);
            }
        }
        Ok(id)
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl State {
    fn put(&mut self, name: &str, bytes: Vec<u8>, tag: String, sha256: Option<[u8; 32]>) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let modified_ns = i64::try_from(now.as_nanos()).unwrap_or(i64::MAX);
        let stat = Stat { bytes: bytes.len() as u64, modified_ns, tag, sha256 };
        self.objects.insert(name.to_owned(), Object { bytes, stat });
    }

    fn object(&self, name: &str) -> Answer<&Object> {
        let none = || Failure::when_mended(Error::new(Kind::NotFound, "there is no such object"));
        self.objects.get(name).ok_or_else(none)
    }
}

fn unknown() -> Failure {
    Failure::later(Error::new(Kind::NotFound, "the upload is no longer known"))
}

fn read_part(upload: &Upload<'_>, at: u64, len: u64) -> Answer<Vec<u8>> {
    let mut bytes = vec![0; len as usize];
    let n = read_full(upload.source, &mut bytes, at)
        .map_err(|e| Failure::later(Error::io(&e, "read the file that is archived").at(upload.path)))?;
    if n < bytes.len() {
        return Err(changed(upload));
    }
    Ok(bytes)
}

/// As S3 computes it: the MD5 of the contents, or of the parts' MD5 and the number of parts.
fn tag_of(parts: &[&[u8]]) -> String {
    match parts {
        [whole] => hex(&<[u8; 16]>::from(Md5::digest(whole))),
        parts => {
            let mut md5 = Md5::new();
            for part in parts {
                md5.update(Md5::digest(part));
            }
            format!("{}-{}", hex(&<[u8; 16]>::from(md5.finalize())), parts.len())
        }
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)
    }
}

impl Store for MemoryStore {
    fn url(&self) -> &str {
        &self.url
    }

    fn stat(&self, name: &str) -> Answer<Option<Stat>> {
        check_name(&self.url, name)?;
        self.ask(Request::Stat, name, |state| Ok(state.objects.get(name).map(|object| object.stat.clone())))
    }

    fn upload(&self, upload: &Upload<'_>) -> Answer<Stored> {
        check_name(&self.url, upload.name)?;
        match upload.sums.part_md5.len() > 1 {
            true => self.put_parts(upload),
            false => self.put_whole(upload),
        }
    }

    fn send_parts(&self, upload: &Upload<'_>) -> Answer<()> {
        check_name(&self.url, upload.name)?;
        match upload.sums.part_md5.len() > 1 {
            true => self.send_missing(upload).map(drop),
            false => Ok(()),
        }
    }

    fn read(&self, name: &str, ranges: &[Range<u64>]) -> Answer<Vec<Vec<u8>>> {
        Ok(self.read_tagged(name, ranges)?.1)
    }

    fn read_tagged(&self, name: &str, ranges: &[Range<u64>]) -> Answer<(String, Vec<Vec<u8>>)> {
        check_name(&self.url, name)?;
        let (mut tag, mut read) = (None, vec![]);
        for range in ranges {
            let (of, bytes) = self.ask(Request::Read, name, |state| {
                let object = state.object(name)?;
                check_ranges(std::slice::from_ref(range), object.stat.bytes)?;
                let bytes = object.bytes[range.start as usize..range.end as usize].to_vec();
                Ok((object.stat.version(), bytes))
            })?;
            if *tag.get_or_insert_with(|| of.clone()) != of {
                return Err(replaced(&url_of(&self.url, name)));
            }
            read.push(bytes);
        }
        Ok((tag.unwrap_or_default(), read))
    }

    fn read_end(&self, name: &str, bytes: u64) -> Answer<(Stat, Vec<u8>)> {
        check_name(&self.url, name)?;
        self.ask(Request::Read, name, |state| {
            let object = state.object(name)?;
            let at = object.stat.bytes.saturating_sub(bytes) as usize;
            Ok((object.stat.clone(), object.bytes[at..].to_vec()))
        })
    }

    fn list(&self, prefix: &str) -> Answer<Vec<Listed>> {
        self.ask(Request::List, prefix, |state| {
            let listed = |(name, object): (&String, &Object)| Listed {
                name: name.clone(),
                bytes: object.stat.bytes,
                modified_ns: object.stat.modified_ns,
            };
            Ok(state.objects.iter().filter(|(name, _)| name.starts_with(prefix)).map(listed).collect())
        })
    }

    fn remove(&self, name: &str) -> Answer<()> {
        check_name(&self.url, name)?;
        self.ask(Request::Remove, name, |state| {
            state.objects.remove(name);
            Ok(())
        })
    }

    fn abort(&self, name: &str, token: &str) -> Answer<()> {
        check_name(&self.url, name)?;
        let id: Option<u64> = token.strip_prefix("memory ").and_then(|id| id.parse().ok());
        self.ask(Request::Abort, name, |state| {
            state.uploads.retain(|known, upload| Some(*known) != id || upload.name != name);
            Ok(())
        })
    }

    fn abort_stale(&self, prefix: &str, age: Duration) -> Answer<u64> {
        self.ask(Request::AbortStale, prefix, |state| {
            let before = state.uploads.len();
            let now = SystemTime::now();
            let old = |upload: &Unfinished| now.duration_since(upload.begun).is_ok_and(|there| there >= age);
            state.uploads.retain(|_, upload| !upload.name.starts_with(prefix) || !old(upload));
            Ok((before - state.uploads.len()) as u64)
        })
    }
}
