//! A known segment file, which is opened when it is needed: a log may have more segments than a process may have files
//! open.

use std::collections::{HashSet, VecDeque};
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use parking_lot::Mutex;

use super::source::Source;
use crate::error::{Error, Kind, Result};
use crate::format::declaration::{FileHeader, Hole};
use crate::io::{Access, Directory};
use crate::log::{is_named, names};
use crate::options::Required;
use crate::segment::{is_unborn, unborn, Ancestry, Segment};

/// Segments that a reader and its cursors keep open for later, besides those that they are reading.
const KEPT_OPEN: usize = 16;

/// The log that a segment belongs to.
#[derive(PartialEq, Eq)]
pub(crate) struct Log {
    pub name: String,
    pub id: Vec<u8>,
}

/// A file and its place in a log.
pub(crate) struct Slot {
    directory: Arc<dyn Directory>,
    /// The file's name.
    pub name: String,
    pub log: Arc<Log>,
    /// Its number in the log: according to its header, or to its name when the header was not read yet.
    pub sequence: u64,
    by_name: bool,
    known: OnceLock<Known>,
    /// Earlier segments that its header names as lost with their beginning.
    lost_segments: OnceLock<Vec<Hole>>,
    /// See [`Segment::lost_from`].
    lost_from: OnceLock<u64>,
    /// For a segment whose beginning is damaged: the header that was put together, and the offset of the first block.
    rescued: Option<Box<(FileHeader, u64)>>,
    /// It represents a log of which no segment is here: it was never begun, or cannot be read at all.
    pub is_unborn: bool,
    /// It is a legacy file.
    legacy: Option<LegacyFile>,
    open: Mutex<Weak<Segment>>,
    /// This process holds the writer's lock on the file.
    is_ours: AtomicBool,
}

/// What the header of a segment states about the records in it and before it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known {
    pub first_id: u64,
    pub created_ns: i64,
    /// The largest time of all records before it; `None` = not known.
    pub latest_ns: Option<i64>,
    /// How far times have run back before it; `None` = not known.
    pub disorder_ns: Option<u64>,
    /// Number of the segment before it, if there was one, and the marker of that segment.
    pub predecessor: Option<u64>,
    predecessor_marker: u64,
    /// As [`FileHeader::markers`], and how many bytes the segment had before it was compressed, if it was.
    markers: [u64; 2],
    original_bytes: Option<u64>,
    /// The name of its file is one that its writer may have given it.
    is_named: bool,
}

/// The preference among the files of a segment.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Whole,
    Plain,
    Compressed,
}

/// The state of a file that was listed.
pub(crate) enum SlotState {
    Segment(Arc<Segment>),
    /// Nothing was ever written to it: a writer has just created it, or was about to begin it when it was killed.
    Unborn,
    /// It was removed, or is another one than its name says: the files have to be listed again.
    Gone,
}

/// What is known of a legacy file besides its contents.
struct LegacyFile {
    ancestry: Ancestry,
    /// The previous file of the same log, whose records have the ids before.
    before: Option<Arc<Slot>>,
    records: OnceLock<u64>,
}

/// State that a reader shares with all its cursors.
pub(crate) struct Shared {
    /// The name of the only log that is wanted.
    log: Option<String>,
    require: Required,
    /// The most memory that may be used for a block.
    block_max_bytes: u64,
    recent: Mutex<VecDeque<Arc<Segment>>>,
    /// A header contradicted the name of its file: names are not believed any more.
    names_lie: AtomicBool,
}

impl Shared {
    pub fn new(log: Option<String>, require: Required, block_max_bytes: u64) -> Self {
        Shared { log, require, block_max_bytes, recent: Mutex::default(), names_lie: AtomicBool::new(false) }
    }

    /// Whether a log of this name is wanted.
    pub fn wants(&self, log: &str) -> bool {
        self.log.as_ref().is_none_or(|wanted| wanted == log)
    }

    /// Whether the name of a file was found to be wrong.
    pub fn names_lie(&self) -> bool {
        self.names_lie.load(Ordering::Relaxed)
    }

    /// The segment, which has just been opened, with the reader's limit of memory.
    pub fn bounded(&self, mut segment: Segment) -> Arc<Segment> {
        segment.block_max_bytes = self.block_max_bytes;
        Arc::new(segment)
    }

    /// Opens the segment in a file and checks that it belongs to the required log. The file was listed: it may be
    /// unborn, or gone.
    pub fn open(&self, directory: &dyn Directory, name: &str) -> Result<SlotState> {
        // A writer may complete the header just after it was found incomplete; the next look finds it.
        const LOOKS: usize = 5;
        // Nobody changes the contents of a store, but a byte may have been changed on the way.
        let most = if directory.is_far() { 2 } else { LOOKS };
        let mut looks = 0;
        loop {
            looks += 1;
            match Segment::open(directory, name, Access::Read) {
                Ok(segment) => {
                    if self.wants(&segment.header.name) {
                        self.require.check(&segment.header, &segment.path)?;
                    }
                    return Ok(SlotState::Segment(self.bounded(segment)));
                }
                Err(e) if e.kind() == Kind::NotFound => {
                    // A symbolic link to nothing stays.
                    let is_gone = directory.facts(name).is_err_and(|e| e.kind() == ErrorKind::NotFound);
                    return Ok(if is_gone { SlotState::Gone } else { SlotState::Unborn });
                }
                Err(e) if e.kind() == Kind::NoMemory => return Err(e),
                // The store has retried often enough.
                Err(e) if directory.is_far() && e.kind() != Kind::Corrupt => return Err(e),
                Err(_) if is_unborn(directory, name) => return Ok(SlotState::Unborn),
                Err(e) if looks < most && e.os_code() == Some(libc::EMFILE) => self.recent.lock().clear(),
                Err(e) if looks == most => return Err(e),
                Err(_) => (),
            }
        }
    }

    /// Closes the kept segments that are not among these: a removed file takes space while it is open.
    pub fn keep_only(&self, slots: &[Arc<Slot>]) {
        let there: HashSet<_> = slots.iter().map(|slot| slot.open.lock().as_ptr()).collect();
        self.recent.lock().retain(|kept| there.contains(&Arc::as_ptr(kept)));
    }

    fn keep(&self, segment: &Arc<Segment>) {
        let mut recent = self.recent.lock();
        match recent.iter().position(|kept| Arc::ptr_eq(kept, segment)) {
            Some(0) => return,
            Some(at) => drop(recent.remove(at)),
            None => recent.truncate(KEPT_OPEN - 1),
        }
        recent.push_front(segment.clone());
    }
}

impl Slot {
    /// For a segment that has just been opened.
    pub fn of(directory: &Arc<dyn Directory>, log: Arc<Log>, segment: &Arc<Segment>, shared: &Shared) -> Self {
        let header = &segment.header;
        let slot = Slot {
            directory: directory.clone(),
            name: segment.name.clone(),
            log,
            sequence: header.sequence,
            by_name: false,
            known: OnceLock::new(),
            lost_segments: OnceLock::new(),
            lost_from: OnceLock::new(),
            rescued: segment.is_rescued.then(|| Box::new((header.clone(), segment.start))),
            is_unborn: segment.is_unborn,
            legacy: None,
            open: Mutex::new(Arc::downgrade(segment)),
            is_ours: AtomicBool::new(false),
        };
        slot.learn(segment);
        shared.keep(segment);
        slot
    }

    /// For a file that is this segment according to its name.
    pub fn by_name(directory: Arc<dyn Directory>, name: String, log: Arc<Log>, sequence: u64) -> Self {
        Slot {
            directory,
            name,
            log,
            sequence,
            by_name: true,
            known: OnceLock::new(),
            lost_segments: OnceLock::new(),
            lost_from: OnceLock::new(),
            rescued: None,
            is_unborn: false,
            legacy: None,
            open: Mutex::default(),
            is_ours: AtomicBool::new(false),
        }
    }

    /// For a legacy file, which follows the slot `before` in its log.
    pub fn legacy(directory: Arc<dyn Directory>, name: String, ancestry: Ancestry, before: Option<Arc<Slot>>) -> Self {
        let log = Arc::new(Log { name: ancestry.log.clone(), id: ancestry.log_id.clone() });
        let sequence = ancestry.sequence;
        let legacy = Some(LegacyFile { ancestry, before, records: OnceLock::new() });
        Slot { legacy, ..Slot::by_name(directory, name, log, sequence) }
    }

    /// For a file that holds no segment, when there is none: its readers are at the end of a log of this name at once.
    pub fn void(directory: Arc<dyn Directory>, name: String, (log, sequence): (String, u64)) -> Self {
        let log = Arc::new(Log { name: log, id: vec![0; 16] });
        Slot { by_name: false, is_unborn: true, ..Slot::by_name(directory, name, log, sequence) }
    }

    /// Whether it is a legacy file.
    pub fn is_legacy(&self) -> bool {
        self.legacy.is_some()
    }

    pub fn path(&self) -> PathBuf {
        self.directory.path_of(&self.name)
    }

    /// The directory that the file is in.
    pub fn directory(&self) -> &dyn Directory {
        &*self.directory
    }

    /// Whether the file is in this directory.
    pub fn is_in(&self, directory: &dyn Directory) -> bool {
        self.directory.path() == directory.path()
    }

    /// The directory and the name of the file.
    pub fn file(&self) -> (Arc<dyn Directory>, String) {
        (self.directory.clone(), self.name.clone())
    }

    /// Length of the file, 0 when it is not known.
    pub fn len(&self) -> u64 {
        self.directory.facts(&self.name).map_or(0, |facts| facts.len)
    }

    /// Whether its header was read, or its name is believed.
    pub fn is_believed(&self, shared: &Shared) -> bool {
        !self.by_name || self.known.get().is_some() || !shared.names_lie()
    }

    /// Whether its name contains the number in its header.
    pub fn is_rightly_named(&self) -> bool {
        names::sequence(&self.log.name, &self.name) == Some(self.sequence)
    }

    /// Number of the segment whose blocks have this marker, if the header that was read here states it: this one, or
    /// the one before.
    pub fn number_by(&self, marker: u64) -> Option<u64> {
        let known = self.known.get()?;
        match known.markers.contains(&marker) {
            true => Some(self.sequence),
            false => known.predecessor.filter(|_| known.predecessor_marker == marker),
        }
    }

    /// Whether it was put together from the blocks after a damaged beginning.
    pub fn is_rescued(&self) -> bool {
        self.rescued.is_some()
    }

    /// Whether its name matches the template in its header, whatever the number.
    pub fn is_named(&self) -> bool {
        self.known().is_none_or(|known| known.is_named)
    }

    /// Whether its writer may have given it that name.
    pub fn is_as_written(&self) -> bool {
        self.is_rightly_named() && self.is_named()
    }

    /// Whether its header states that no segment was before it.
    pub fn is_first(&self) -> bool {
        self.sequence == 1 && self.known().is_some_and(|known| known.predecessor.is_none())
    }

    /// Whether it is the compressed form of a segment.
    pub fn is_compressed(&self) -> bool {
        names::is_whole(&self.name) || self.known().is_some_and(|known| known.original_bytes.is_some())
    }

    /// Whether both files hold the same segment, whatever their names; headers that were not read prove nothing.
    pub fn is_copy_of(&self, other: &Slot) -> bool {
        let has_same_marker = || match (self.known(), other.known()) {
            (Some(a), Some(b)) => a.markers.iter().any(|marker| b.markers.contains(marker)),
            _ => false,
        };
        self.is_same_segment(other)
            || (self.sequence == other.sequence && self.log.id == other.log.id && has_same_marker())
    }

    /// The file alone, as a source.
    pub fn source(&self) -> Source {
        Source::File(self.directory.clone(), self.name.clone())
    }

    /// Whether it is the file of this name in this directory.
    pub fn is_at(&self, directory: &dyn Directory, name: &str) -> bool {
        self.name == name && self.directory.path() == directory.path()
    }

    /// Whether the file does not exist any more. False when the system cannot answer.
    pub fn is_gone(&self) -> bool {
        self.directory.facts(&self.name).is_err_and(|e| e.kind() == ErrorKind::NotFound)
    }

    /// Whether the two files hold the same segment, because one was made from the other by compression. If they were
    /// opened, their headers decide; otherwise their names.
    pub fn is_same_segment(&self, other: &Slot) -> bool {
        let same_marker = match (self.known(), other.known()) {
            (Some(a), Some(b)) => a.markers.iter().any(|marker| b.markers.contains(marker)),
            _ => true,
        };
        self.sequence == other.sequence
            && same_marker
            && self.log.id == other.log.id
            && names::plain(&self.name) == names::plain(&other.name)
            && self.directory.path() == other.directory.path()
    }

    /// Whether this file of a segment is read rather than the other one. That is the compressed one, which was compared
    /// with the other before it got its name, unless the other has grown since. A file compressed as a whole is read
    /// only when there is no other.
    pub fn is_better_than(&self, other: &Slot) -> bool {
        let has_grown = |plain: &Slot, compressed: &Slot| {
            let then = compressed.known().and_then(|known| known.original_bytes);
            then.is_some_and(|then| plain.directory.facts(&plain.name).is_ok_and(|facts| facts.len > then))
        };
        let rank = |slot: &Slot| match slot.known() {
            _ if names::is_whole(&slot.name) => Rank::Whole,
            Some(known) if known.original_bytes.is_some() => Rank::Compressed,
            None if names::plain(&slot.name) != slot.name => Rank::Compressed,
            _ => Rank::Plain,
        };
        match (rank(self), rank(other)) {
            (Rank::Compressed, Rank::Plain) => !has_grown(other, self),
            (Rank::Plain, Rank::Compressed) => has_grown(self, other),
            (this, other_rank) if this != other_rank => this > other_rank,
            _ => self.name < other.name,
        }
    }

    /// The segment in the file that has replaced this one, because it was compressed, or decompressed.
    fn in_other_form(&self, shared: &Shared) -> Result<Option<Arc<Segment>>> {
        let plain = names::plain(&self.name);
        let whole = names::WHOLE.map(|ending| format!("{plain}{ending}"));
        let others = [names::compressed(&plain, None), plain.into_owned()].into_iter().chain(whole);
        for name in others.filter(|name| *name != self.name) {
            let SlotState::Segment(segment) = shared.open(&*self.directory, &name)? else { continue };
            let markers = segment.header.markers();
            let is_same = self.known().is_none_or(|known| known.markers.iter().any(|marker| markers.contains(marker)));
            if is_same && self.verify(&segment).is_ok() {
                return Ok(Some(segment));
            }
        }
        Ok(None)
    }

    /// Earlier segments that its header names as lost with their beginning, if the header was read.
    pub fn lost_segments(&self) -> &[Hole] {
        self.lost_segments.get().map_or(&[], |holes| holes)
    }

    /// Notes that the segment before it is lost so, with the records from this id on, if any are known to be.
    pub fn set_lost_from(&self, id: Option<u64>) {
        let _ = self.lost_from.set(id.unwrap_or(0));
        if let Some(segment) = self.open.lock().upgrade() {
            segment.set_lost_from(id.unwrap_or(0));
        }
    }

    /// What its header states, if it was read.
    pub fn known(&self) -> Option<Known> {
        self.known.get().copied()
    }

    /// Notes that this process holds the writer's lock on the file.
    pub fn set_ours(&self) {
        self.is_ours.store(true, Ordering::Relaxed);
        if let Some(segment) = self.open.lock().upgrade() {
            segment.is_ours.store(true, Ordering::Relaxed);
        }
    }

    /// The segment, which is opened unless it is open already.
    ///
    /// # Errors
    /// [`Kind::Corrupt`] when it is another segment than expected, [`Kind::Mismatch`] when it belongs to another log
    /// than required, and errors of the system.
    pub fn open(&self, shared: &Shared) -> Result<SlotState> {
        let known = self.open.lock().upgrade();
        if let Some(segment) = known {
            shared.keep(&segment);
            return Ok(SlotState::Segment(segment));
        }
        if let Some(file) = &self.legacy {
            return self.open_legacy(file, shared);
        }
        let segment = match &self.rescued {
            None if self.is_unborn => match unborn(&*self.directory, &self.name, (&self.log.name, self.sequence)) {
                Ok(segment) => Arc::new(segment),
                Err(e) if e.kind() == Kind::NotFound => return Ok(SlotState::Gone),
                Err(e) => return Err(e),
            },
            None => match shared.open(&*self.directory, &self.name) {
                // Whether it is damage, a hole that a later segment names, or no segment of the log, the headers show.
                Err(e) if e.kind() == Kind::Corrupt && self.is_unproven() => return Ok(self.misled(shared)),
                Err(e) => return Err(e),
                Ok(SlotState::Segment(segment)) => segment,
                Ok(SlotState::Unborn) => return Ok(SlotState::Unborn),
                Ok(SlotState::Gone) => match self.in_other_form(shared)? {
                    Some(segment) => segment,
                    None => return Ok(SlotState::Gone),
                },
            },
            Some(rescued) => match Segment::open_rescued(&*self.directory, &self.name, rescued.0.clone(), rescued.1) {
                Ok(segment) => shared.bounded(segment),
                Err(e) if e.kind() == Kind::NotFound => return Ok(SlotState::Gone),
                Err(e) => return Err(e),
            },
        };
        if let Err(error) = self.verify(&segment) {
            return if self.is_unproven() { Ok(self.misled(shared)) } else { Err(error) };
        }
        segment.is_ours.store(self.is_ours.load(Ordering::Relaxed), Ordering::Relaxed);
        self.learn(&segment);
        *self.open.lock() = Arc::downgrade(&segment);
        shared.keep(&segment);
        Ok(SlotState::Segment(segment))
    }

    /// Whether nothing but its name shows what the file is.
    fn is_unproven(&self) -> bool {
        self.by_name && self.known.get().is_none()
    }

    /// Its name was wrong: the segments have to be listed again, by their headers.
    fn misled(&self, shared: &Shared) -> SlotState {
        shared.names_lie.store(true, Ordering::Relaxed);
        SlotState::Gone
    }

    /// The segment in the file regardless of its name, when that was found to be wrong.
    pub fn open_misnamed(&self, shared: &Shared) -> Option<Arc<Segment>> {
        match shared.open(&*self.directory, &self.name) {
            Ok(SlotState::Segment(segment)) if !self.is_believed(shared) => Some(segment),
            _ => None,
        }
    }

    fn open_legacy(&self, file: &LegacyFile, shared: &Shared) -> Result<SlotState> {
        let first_id = match &file.before {
            Some(before) => before.next_id(shared)?,
            None => 1,
        };
        let segment = match Segment::open_legacy(&*self.directory, &self.name, &file.ancestry, first_id) {
            Ok(segment) => shared.bounded(segment),
            Err(e) if e.kind() == Kind::NotFound && self.is_gone() => return Ok(SlotState::Gone),
            Err(e) => return Err(e),
        };
        shared.require.check(&segment.header, &segment.path)?;
        self.learn(&segment);
        *self.open.lock() = Arc::downgrade(&segment);
        shared.keep(&segment);
        Ok(SlotState::Segment(segment))
    }

    /// The id after the last record of a legacy file. The file is read for that, unless a cursor has read it.
    fn next_id(&self, shared: &Shared) -> Result<u64> {
        let removed = || Error::new(Kind::NotFound, "the file was removed").at(&self.path());
        let first_id = self.known().map(|known| known.first_id);
        let records = self.legacy.as_ref().map(|file| &file.records);
        if let (Some(first_id), Some(records)) = (first_id, records.and_then(|records| records.get())) {
            return Ok(first_id + records);
        }
        let SlotState::Segment(segment) = self.open(shared)? else { return Err(removed()) };
        let translated = segment.translated.as_ref().ok_or_else(removed)?;
        let counted = translated.records().map_err(|e| Error::io(&e, "read").at(&segment.path))?;
        if let Some(records) = records {
            let _ = records.set(counted);
        }
        Ok(segment.header.first_id + counted)
    }

    /// A wrong name or an exchanged file is reported, and never read in the wrong place.
    fn verify(&self, segment: &Segment) -> Result<()> {
        let header = &segment.header;
        let corrupt = |reason: String| Err(Error::corrupt(reason).at_offset(&segment.path, 0));
        if header.name != self.log.name || header.log_id != self.log.id {
            let claim = if self.by_name { "by its name it is" } else { "it was" };
            let other = if header.name == self.log.name { "another log of the name" } else { "the log" };
            let (log, there) = (&self.log.name, &header.name);
            return corrupt(format!("the segment belongs to {other} {there:?}; {claim} one of the log {log:?}"));
        }
        if header.sequence != self.sequence {
            let claim = if self.by_name { "by its name it is" } else { "it was" };
            return corrupt(format!(
                "the segment has the number {}; {claim} number {}",
                header.sequence, self.sequence
            ));
        }
        Ok(())
    }

    fn learn(&self, segment: &Segment) {
        let header = &segment.header;
        if let Some(id) = self.lost_from.get() {
            segment.set_lost_from(*id);
        }
        let lost = header.holes.iter().filter(|hole| hole.is_whole()).cloned();
        let _ = self.lost_segments.set(lost.collect());
        let (latest_ns, disorder_ns) = (header.latest_before_ns(), header.disorder_before_ns());
        let predecessor = header.predecessor.as_ref().map(|before| before.sequence);
        let predecessor_marker = header.predecessor.as_ref().map_or(0, |before| before.marker);
        let (first_id, created_ns) = (header.first_id, header.created_ns);
        let original_bytes = header.original.as_ref().map(|original| original.bytes);
        let markers = header.markers();
        let is_named = is_named(header, &self.name);
        let known = Known {
            is_named,
            first_id,
            created_ns,
            latest_ns,
            disorder_ns,
            predecessor,
            predecessor_marker,
            markers,
            original_bytes,
        };
        let _ = self.known.set(known);
    }
}
