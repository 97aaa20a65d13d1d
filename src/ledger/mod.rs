//! The state of each segment of a log that is shipped: stored in `<log>.archive`, beside the segments, in the format of
//! logs. One record for each transition: its type is the stage, its metadata are the facts.
//!
//! The process that ships the log writes the file, under a lock of its own. Code that removes old segments reads it,
//! and removes only segments that are safely stored elsewhere. The file is not indispensable: when it is lost or
//! damaged, shipping asks the store again.

pub(crate) mod stores;

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use crate::error::{Error, Kind, Result};
use crate::hex::{hex, unhex};
use crate::io::{self, Access, Directory, Location, OneFile};
use crate::memory;
use crate::options::{Filter, ReaderMode, ReaderOptions};
use crate::reader::Reader;
use crate::record::{is_event, Metadata, MetadataBuf};

/// The content type of such a file, by which it is recognized.
pub(crate) const CONTENT_TYPE: &str = "application/x-binlog-archive";
/// The parameter with the log's id: a file beside another log of the same name does not describe that one.
pub(crate) const LOG_ID: &str = "log_id";
/// Far more than the file ever needs: a longer one is not such a file.
const LONGEST: u64 = 1 << 30;

/// How far a segment has come on its way to a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// It has a successor, so it will not change again, and waits.
    Closed,
    /// Its file is damaged: it is not sent unless that was accepted.
    Damaged,
    /// Neither its file nor the object exists, although the log names it.
    Missing,
    /// Its file was compressed.
    Compressed,
    /// Bytes of it may have been sent.
    Uploading,
    /// The store holds it: its length and a checksum were confirmed, if the store can report them.
    Uploaded,
    /// The store holds it, and its file here was removed.
    Pruned,
}

impl Stage {
    const NAMES: [(&'static str, Stage); 7] = [
        ("CLOSED", Stage::Closed),
        ("DAMAGED", Stage::Damaged),
        ("MISSING", Stage::Missing),
        ("COMPRESSED", Stage::Compressed),
        ("UPLOADING", Stage::Uploading),
        ("UPLOADED", Stage::Uploaded),
        ("PRUNED", Stage::Pruned),
    ];

    /// Its name in the file.
    pub fn name(self) -> &'static str {
        Stage::NAMES.iter().find(|(_, stage)| *stage == self).map_or("", |(name, _)| name)
    }

    /// Whether the store was found to hold the segment.
    pub fn is_shipped(self) -> bool {
        self >= Stage::Uploaded
    }
}

impl FromStr for Stage {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let named = Stage::NAMES.iter().find(|(name, _)| *name == text).map(|(_, stage)| *stage);
        named.ok_or_else(|| Error::invalid(format!("{text:?} is no stage of a segment's life")))
    }
}

/// The state of a segment with respect to one store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub store: String,
    pub sequence: u64,
    /// Number of the segment before it, when there was one.
    pub after: Option<u64>,
    /// The marker of the noted file; see [`crate::format::declaration::FileHeader::known_as`].
    pub marker: u64,
    pub stage: Stage,
    /// The file, and the object's name.
    pub file: String,
    pub bytes: u64,
    /// The checksum of the file, once it was read.
    pub sha256: Option<[u8; 32]>,
    /// The tag that the store reported for the object when it was confirmed.
    pub tag: String,
    /// The token with which an upload that was begun can be continued.
    pub token: Option<String>,
    /// What is wrong with the file, or why there is none; "" for a sound one.
    pub damage: String,
    /// The user has accepted that a damaged segment is shipped as it is, or that a missing one is not waited for.
    pub accepted: bool,
    /// When this was noted, in nanoseconds since the Unix epoch.
    pub when_ns: i64,
}

/// All entries of the file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    pub entries: BTreeMap<(String, u64), Entry>,
    /// The stores in the separate file for stores, whether or not there are entries for them.
    pub recorded_stores: BTreeSet<String>,
    /// Records in the file.
    pub records: u64,
    /// Something in it could not be read, so its entries may be out of date.
    pub is_damaged: bool,
    /// It ends with a clean close of its writer.
    pub is_closed: bool,
}

/// The file of a log.
pub(crate) fn file(log: &str) -> String {
    format!("{log}.archive")
}

/// The file whose lock the process that ships the log holds. No log's name begins with a dot, so it cannot belong to
/// another log.
pub(crate) fn lock_name(log: &str) -> String {
    format!(".{}", file(log))
}

/// Whether the log is or was shipped.
pub(crate) fn is_shipped(directory: &dyn Directory, log: &str) -> Result<bool> {
    // The contents of a store are shipped already, and objects do not have the names of these files.
    if directory.is_far() {
        return Ok(false);
    }
    for name in [file(log), format!("{}.lock", lock_name(log))] {
        match directory.facts(&name) {
            Ok(_) => return Ok(true),
            Err(e) if e.kind() == ErrorKind::NotFound => (),
            Err(e) => return Err(Error::io(&e, "stat").at(&directory.path_of(&name))),
        }
    }
    Ok(false)
}

/// Reads the file; `None` when it does not exist or belongs to another log, and no stores are recorded either. A file
/// that is not a ledger counts as damaged.
pub(crate) fn read(directory: &dyn Directory, log: &str, log_id: &[u8]) -> Result<Option<Ledger>> {
    let ledger = read_file(directory, log, log_id)?;
    let recorded_stores = stores::read(directory, log, log_id)?;
    match (ledger, recorded_stores.is_empty()) {
        (None, true) => Ok(None),
        (ledger, _) => Ok(Some(Ledger { recorded_stores, ..ledger.unwrap_or_default() })),
    }
}

fn read_file(directory: &dyn Directory, log: &str, log_id: &[u8]) -> Result<Option<Ledger>> {
    let name = file(log);
    let path = directory.path_of(&name);
    let opened = match directory.open(&name, Access::Read) {
        Ok(opened) => opened,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(Error::io(&e, "open").at(&path)),
    };
    let len = opened.len().map_err(|e| Error::io(&e, "stat").at(&path))?;
    if len == 0 || len > LONGEST {
        return Ok(Some(Ledger { is_damaged: true, ..Ledger::default() }));
    }
    // A copy, which does not change when the file is written or replaced by a shorter one.
    let mut bytes = memory::zeros(len as usize)?;
    let n = io::read_full(&*opened, &mut bytes, 0).map_err(|e| Error::io(&e, "read").at(&path))?;
    bytes.truncate(n);
    match of_copy(OneFile::new(&name, bytes), &name, log_id) {
        Ok(ledger) => Ok(ledger),
        Err(e) if e.kind() == Kind::NoMemory => Err(e),
        Err(_) => Ok(Some(Ledger { is_damaged: true, ..Ledger::default() })),
    }
}

fn of_copy(copy: OneFile, name: &str, log_id: &[u8]) -> Result<Option<Ledger>> {
    let lost = Arc::new(AtomicBool::new(false));
    let is_lost = lost.clone();
    let options = ReaderOptions {
        mode: ReaderMode::Salvage,
        // What a crash tore off was never durable.
        on_loss: Some(Arc::new(move |loss| {
            is_lost.store(is_lost.load(Ordering::Relaxed) || loss.durable, Ordering::Relaxed)
        })),
        ..ReaderOptions::default()
    };
    let reader = Reader::open(Location::File(Arc::new(copy), name.to_owned()), options)?;
    let facts = reader.first_segment()?;
    if facts.content_type != CONTENT_TYPE {
        return Err(Error::corrupt("this is no file about the segments of a log"));
    }
    if facts.parameters.get(LOG_ID).is_none_or(|id| *id != hex(log_id)) {
        return Ok(None);
    }
    let mut ledger = Ledger::default();
    let mut cursor = reader.cursor(&Filter { events: true, ..Filter::default() })?;
    while let Some(record) = cursor.next()? {
        if is_event(record.type_id) {
            ledger.is_closed = record.type_id == crate::record::event::CLOSED;
            continue;
        }
        ledger.is_closed = false;
        let (type_id, time, metadata) = (record.type_id, record.time, record.metadata.as_bytes().to_vec());
        ledger.records += 1;
        let stage = cursor.type_name(type_id).and_then(|name| name.parse().ok());
        // Other records of a later version are ignored.
        if let Some(entry) = stage.and_then(|stage| entry(stage, time, Metadata::from_bytes(&metadata))) {
            ledger.entries.insert((entry.store.clone(), entry.sequence), entry);
        }
    }
    ledger.is_damaged = lost.load(Ordering::Relaxed);
    Ok(Some(ledger))
}

fn entry(stage: Stage, when_ns: i64, facts: Metadata<'_>) -> Option<Entry> {
    Some(Entry {
        store: facts.get("store")?.to_owned(),
        sequence: facts.get("sequence")?.parse().ok()?,
        after: facts.get("after").and_then(|after| after.parse().ok()),
        marker: u64::from_str_radix(facts.get("marker")?, 16).ok()?,
        stage,
        file: facts.get("file")?.to_owned(),
        bytes: facts.get("bytes")?.parse().ok()?,
        sha256: facts.get("sha256").and_then(unhex),
        tag: facts.get("tag").unwrap_or_default().to_owned(),
        token: facts.get("token").map(str::to_owned),
        damage: facts.get("damage").unwrap_or_default().to_owned(),
        accepted: facts.get("accepted") == Some("true"),
        when_ns,
    })
}

impl Entry {
    /// Whether it describes this segment, and not one of another log with the same number.
    pub fn is_about(&self, sequence: u64, known_as: &[u64]) -> bool {
        self.sequence == sequence && known_as.contains(&self.marker)
    }

    /// Whether it is damaged or missing and that was not accepted.
    pub fn holds_back(&self) -> bool {
        matches!(self.stage, Stage::Damaged | Stage::Missing) && !self.accepted
    }

    /// The metadata of its record.
    pub fn facts(&self) -> MetadataBuf {
        let mut facts = MetadataBuf::new();
        facts.push("sequence", &self.sequence.to_string());
        facts.push("file", &self.file);
        facts.push("bytes", &self.bytes.to_string());
        facts.push("store", &self.store);
        facts.push("marker", &format!("{:016x}", self.marker));
        if let Some(after) = self.after {
            facts.push("after", &after.to_string());
        }
        if let Some(sha256) = &self.sha256 {
            facts.push("sha256", &hex(sha256));
        }
        if !self.tag.is_empty() {
            facts.push("tag", &self.tag);
        }
        if let Some(token) = &self.token {
            facts.push("token", token);
        }
        if !self.damage.is_empty() {
            facts.push("damage", &self.damage);
        }
        if self.accepted {
            facts.push("accepted", "true");
        }
        facts
    }
}

impl Ledger {
    /// The stores that were found to hold segments of the log, whatever became of these segments.
    pub fn stores(&self) -> BTreeSet<&str> {
        let shipped = self.entries.values().filter(|entry| entry.stage.is_shipped()).map(|entry| &*entry.store);
        shipped.chain(self.recorded_stores.iter().map(String::as_str)).collect()
    }

    /// Why the file of the segment must not be removed here, or `None`: a store does not hold it yet, or an earlier
    /// segment may never reach a store and that was not accepted.
    pub fn keeps(&self, sequence: u64, known_as: &[u64]) -> Option<Kept<'_>> {
        let stores = self.stores();
        if self.is_damaged || stores.is_empty() {
            return Some(Kept::Unknown);
        }
        let before = self.entries.values().filter(|entry| entry.sequence < sequence);
        if let Some(entry) = before.filter(|entry| entry.holds_back()).min_by_key(|entry| entry.sequence) {
            return Some(Kept::Behind(entry));
        }
        let is_there = |store: &&str| {
            let entry = self.entries.get(&((*store).to_owned(), sequence));
            entry.is_some_and(|entry| entry.is_about(sequence, known_as) && entry.stage.is_shipped())
        };
        stores.into_iter().find(|store| !is_there(store)).map(Kept::NotIn)
    }
}

/// Why a segment has to stay here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept<'a> {
    /// Nothing is known of the log's segments.
    Unknown,
    /// An older one is damaged or missing.
    Behind(&'a Entry),
    /// This store does not hold it.
    NotIn(&'a str),
}
