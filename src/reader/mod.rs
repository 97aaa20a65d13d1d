//! Reading a log: the segments behind a path, and cursors over their records.

mod backward;
mod backward_state;
mod block;
mod by_type;
mod contents;
mod counts;
mod cursor;
mod direction;
mod ending;
mod extent;
mod filter;
mod follow_route;
mod forward;
mod holes;
mod intact;
mod last;
mod load;
mod locate;
mod log_ends;
mod looks;
mod lost_names;
mod part;
mod position;
mod prefetch;
mod present;
mod remarks;
mod replaced;
mod reports;
mod route;
mod rows;
mod salvage;
mod salvage_pages;
mod salvage_state;
mod seek;
mod segments;
mod stretches;
mod summarize;
mod tail;
mod torn_ends;
mod types;
mod view;
mod wait;
mod waiting;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use crate::error::{Error, Kind, Result};
use crate::format::declaration::FileHeader;
use crate::io::Location;
use crate::log::catalog::{Catalogs, Summary};
use crate::log::{mark, vanished, Part, Slot, SlotState, Snapshot, Source};
use crate::options::{Filter, Period, ReaderMode, ReaderOptions};
use crate::segment::EXTENSION;
use crate::store::remote::store_url;

pub use contents::{Contents, SegmentContents, TypeContents};
pub use counts::{IndexBlockFacts, IndexFacts, TypeCount};
pub use cursor::Cursor;
pub use extent::SegmentExtent;
use present::Present;
pub(crate) use stretches::{Chunk, Piece, Stretch};
pub use tail::{Tail, TailState};
pub use types::TypeInfo;
pub use waiting::Interrupter;

/// The log or logs at a path. May be shared by threads; each takes a [`Cursor`] of its own.
pub struct Reader {
    source: Source,
    /// The location as it was given: for a URL, with its options.
    place: PathBuf,
    /// The segments when it was opened.
    snapshot: Snapshot,
    present: Present,
    /// Id of the first record of the log at that time, unless there were several logs.
    begins: Option<u64>,
    options: ReaderOptions,
    /// Numbers of the segments by their files, once one was requested by its file.
    places: OnceLock<HashMap<PathBuf, usize>>,
    /// Catalogs of segments in a store, which replace a look at each segment.
    catalogs: Catalogs,
}

/// The facts of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentFacts {
    /// The file.
    pub path: PathBuf,
    /// Its length in bytes at the time of the call; `None` for a file that is compressed as a whole.
    pub bytes: Option<u64>,
    /// The log's name.
    pub name: String,
    /// The MIME type of the payloads.
    pub content_type: String,
    /// The user's own facts about the log.
    pub parameters: BTreeMap<String, String>,
    /// 16 random bytes that all segments of a log share.
    pub log_id: Vec<u8>,
    /// Number of the segment in its log, from 1.
    pub sequence: u64,
    /// Id of the first record in it.
    pub first_id: u64,
    /// When it was created, in nanoseconds since the Unix epoch.
    pub created: i64,
    /// The library, process number and host that created it.
    pub writer: String,
    /// The period by which the log rolled when it was begun.
    pub period: Option<Period>,
    /// The time zone of the period and of the times in names; "" = UTC.
    pub zone: String,
    /// The template of the log's file names when it was begun; "" if the header does not contain it.
    pub template: String,
    /// Whether a writer has it open.
    pub live: bool,
    /// Id of the last record before it; `None` in the first segment.
    pub predecessor_last_id: Option<u64>,
}

impl Reader {
    /// Opens a segment file, a directory log, or the files that match a glob pattern (`*`, `?`, `[…]`). Files
    /// compressed with gzip or zstd as a whole are recognised by their contents.
    ///
    /// A path may also be the URL of an object store: of a segment, of a log (a prefix), or with a pattern (`*`, `[…]`)
    /// in its last part; `docs/remote.md` describes it.
    ///
    /// # Errors
    /// [`Kind::NotFound`] when nothing is there, [`Kind::Corrupt`] when no file there is or was a segment,
    /// [`Kind::Unsupported`] when all segments are of a newer version, [`Kind::Mismatch`] when the log is not the one
    /// that [`ReaderOptions::require`] asks for. In a directory of more than 64 files the segments are known by their
    /// names, and not every file is opened: a cursor returns the errors of a segment when it reaches it. A log that was
    /// never begun shows no record; a segment whose beginning is damaged is an error of the cursor that reaches its
    /// place.
    pub fn open(location: impl Into<Location>, options: ReaderOptions) -> Result<Self> {
        let location = location.into();
        let place = location.path();
        Ok(Self { place, ..Self::of(Source::of(location, &options)?, options)? })
    }

    /// A reader of a part of the log at `place`.
    pub(crate) fn of_part(part: Part, place: PathBuf, options: ReaderOptions) -> Result<Self> {
        let first_id = part.limit.first_id;
        let reader = Self::of(Source::Part(Arc::new(part)), options)?;
        Ok(Self { place, begins: Some(first_id), ..reader })
    }

    fn of(source: Source, options: ReaderOptions) -> Result<Self> {
        if let (ReaderMode::Strict, Source::Directory(directory)) = (options.mode, &source) {
            if !directory.is_far() {
                mark::check_in(&**directory)?;
            }
        }
        let nothing = Snapshot::empty_of(options.log.clone(), options.require.clone(), options.block_max_bytes());
        let snapshot = source.snapshot(&nothing, options.mode)?;
        if let (Source::Part(part), true) = (&source, snapshot.slots.is_empty()) {
            return Err(match snapshot.unreadable.first() {
                Some(file) => file.error.clone(),
                None => part.why_nothing(options.log.as_deref(), options.block_max_bytes())?,
            });
        }
        if snapshot.slots.is_empty() {
            let nothing = match &options.log {
                Some(log) => Error::new(Kind::NotFound, format!("no log {log:?} is here")),
                None => Error::new(Kind::NotFound, "no segment (*.binlog) is here"),
            };
            return Err(match &source {
                Source::Directory(directory) => {
                    match vanished(&**directory).iter().find(|gone| snapshot.wants(&gone.log)) {
                        Some(log) => {
                            Error::new(Kind::NotFound, format!("no segment (*.binlog) is here, and {}", log.reason()))
                        }
                        None => nothing,
                    }
                    .at(directory.path())
                }
                _ => nothing,
            });
        }
        let first = if snapshot.is_one_log() { snapshot.open(0).ok() } else { None };
        let begins = match first {
            Some(SlotState::Segment(first)) => Some(first.header.first_id),
            _ => None,
        };
        let present = Present::new(snapshot.clone());
        Ok(Reader {
            place: source.path(),
            source,
            snapshot,
            present,
            begins,
            options,
            places: OnceLock::new(),
            catalogs: Catalogs::default(),
        })
    }

    /// The segments when the reader was opened, in the order in which they were written, without those that have been
    /// removed or damaged since. Opens each of them, one after the other.
    pub fn segments(&self) -> Vec<SegmentFacts> {
        let list = |snapshot: &Snapshot| -> Vec<SegmentFacts> {
            let segments = snapshot.segments().filter_map(|segment| segment.ok());
            // The placeholder of a log of which nothing can be read is no segment.
            let segments = segments.filter(|segment| !segment.is_unborn || snapshot.unreadable.is_empty());
            segments.map(|segment| facts(&segment)).collect()
        };
        let listed = list(&self.snapshot);
        match self.by_headers(&self.snapshot) {
            Ok(Some(snapshot)) => list(&snapshot),
            _ => listed,
        }
    }

    /// The segments by their headers, if these contradict the names of this snapshot.
    fn by_headers(&self, snapshot: &Snapshot) -> Result<Option<Snapshot>> {
        match snapshot.is_misled() {
            true => self.source.snapshot(snapshot, self.options.mode).map(Some),
            false => Ok(None),
        }
    }

    /// The files of these segments, in this order. Opens none.
    pub fn paths(&self) -> Vec<PathBuf> {
        self.snapshot.slots.iter().map(|slot| slot.path()).collect()
    }

    /// Files with the name of a segment that are not and never were segments, when the reader was opened: they affect
    /// no call. With more than 64 files, some may not be known yet.
    pub fn strays(&self) -> &[PathBuf] {
        &self.snapshot.strays
    }

    /// The file that marks the directory as the target of a recovery that is at work or was stopped
    /// ([`crate::recovery::RECOVERY_AT_WORK`]): the directory holds a part of the log only. The mode
    /// [`ReaderMode::Strict`] refuses to open it.
    pub fn recovery_at_work(&self) -> Option<PathBuf> {
        match &self.source {
            Source::Directory(directory) if !directory.is_far() => mark::find(&**directory),
            _ => None,
        }
    }

    /// Files that were created to be a segment and never contained a record, as a kill or a power cut leaves them, when
    /// the reader was opened: readers skip them. With more than 64 files, some may not be known yet.
    pub fn leftovers(&self) -> &[PathBuf] {
        &self.snapshot.leftovers
    }

    /// Files of the log's segments of which nothing could be read when the reader was opened, each with the reason.
    pub fn unreadable(&self) -> impl Iterator<Item = (&Path, &Error)> {
        self.snapshot.unreadable.iter().map(|file| (file.path.as_path(), &file.error))
    }

    /// A reader of one segment alone, which [`Self::paths`] names, in this mode; the other options stay. Use it also
    /// for a segment in an object store, without a URL of its own.
    ///
    /// # Errors
    /// [`Kind::NotFound`] when there was no such segment when the reader was opened; else as [`Self::open`].
    pub fn only(&self, path: impl AsRef<Path>, mode: ReaderMode) -> Result<Reader> {
        let slot = &self.snapshot.slots[self.place_of(path.as_ref())?];
        if self.source.limit().is_some() {
            return Err(Error::new(Kind::Unsupported, "a split is read as a whole: open the log to read one segment"));
        }
        let place = match slot.directory().is_far() {
            true => store_url(&self.place, Some(&slot.name)),
            false => slot.path(),
        };
        let reader = Self::of(slot.source(), ReaderOptions { mode, ..self.options.clone() })?;
        Ok(Reader { place, ..reader })
    }

    /// Whether the segment, which [`Self::paths`] names, ends with a trailer, which means that its writer closed it.
    /// `None` for a file that is compressed as a whole.
    ///
    /// # Errors
    /// As [`Self::only`].
    pub fn is_closed(&self, path: impl AsRef<Path>) -> Result<Option<bool>> {
        let path = path.as_ref();
        let segment = self.snapshot.segment(self.place_of(path)?)?;
        let closed = segment.ends_with_trailer()?;
        if closed != Some(false) || segment.translated.is_none() {
            return Ok(closed);
        }
        // A legacy file may end with the name of the one in which its log continues.
        let newest = Filter { events: true, headers_only: true, newest_first: true, ..Filter::default() };
        let mut cursor = self.only(path, ReaderMode::Prefix)?.cursor(&newest)?;
        let last = cursor.next()?.filter(|last| last.type_id == crate::record::event::ROTATE_NEXT);
        let next = last.and_then(|last| last.metadata.get("file").map(|file| path.with_file_name(file)));
        Ok(Some(next.is_some_and(|next| self.snapshot.slots.iter().any(|slot| slot.path() == next))))
    }

    /// Where the log is, as it was given to [`Self::open`]; for a split, as its token states it.
    pub fn place(&self) -> &Path {
        &self.place
    }

    /// The place by which a split finds this segment: the one that was given, if the files there have to be listed.
    pub(crate) fn place_of_split(&self, slot: &Slot, is_listed: bool) -> PathBuf {
        let source = match &self.source {
            Source::Part(part) => &part.source,
            source => source,
        };
        match source {
            _ if is_listed => self.place.clone(),
            Source::Directory(_) => self.place.clone(),
            _ if source.is_far() => store_url(&self.place, None),
            _ => slot.directory().path().to_owned(),
        }
    }

    /// The facts of one segment, which [`Self::paths`] names. For a shipped segment in a store they come from its
    /// catalog, if there is one.
    ///
    /// # Errors
    /// As [`Self::only`].
    pub fn facts_of(&self, path: impl AsRef<Path>) -> Result<SegmentFacts> {
        let at = self.place_of(path.as_ref())?;
        match self.summary(at) {
            Some(summary) => Ok(facts_by(&summary.header, path.as_ref(), Some(summary.bytes), false)),
            None => Ok(facts(&*self.snapshot.segment(at)?)),
        }
    }

    /// The catalog's summary of segment number `at` of the snapshot.
    fn summary(&self, at: usize) -> Option<Arc<Summary>> {
        self.summary_in(&self.snapshot.slots[at])
    }

    /// The catalog's summary of a segment.
    fn summary_in(&self, slot: &Slot) -> Option<Arc<Summary>> {
        let is_plain = slot.directory().is_far() && !slot.is_rescued() && !slot.is_legacy();
        let log = (&*slot.log.name, &*slot.log.id);
        is_plain.then(|| self.catalogs.summary(slot.directory(), log, slot.sequence, &slot.name)).flatten()
    }

    fn place_of(&self, path: &Path) -> Result<usize> {
        let all = || self.snapshot.slots.iter().enumerate().map(|(at, slot)| (slot.path(), at)).collect();
        let places = self.places.get_or_init(all);
        let at = places.get(path).copied();
        at.ok_or_else(|| Error::new(Kind::NotFound, "the log has no such segment").at(path))
    }

    /// The facts of the first segment. The others are not opened.
    ///
    /// # Errors
    /// As [`Self::open`] of this segment alone.
    pub fn first_segment(&self) -> Result<SegmentFacts> {
        Ok(facts(&*self.snapshot.segment(0)?))
    }

    /// The segments as they are now.
    fn now(&self, to_the_end: bool) -> Result<Snapshot> {
        self.present.now(&self.source, self.options.mode, to_the_end)
    }

    /// A cursor before the first record that matches the filter, over the log as it is now. Segments that were removed
    /// since the reader was opened are reported once by each cursor that would have read them ([`Kind::Missed`]); the
    /// last N records are those of the log as it is now.
    pub fn cursor(&self, filter: &Filter) -> Result<Cursor> {
        let snapshot = self.now(filter.newest_first || filter.last.is_some())?;
        Cursor::of_former(self.source.clone(), snapshot, &self.options, filter, self.begins)
    }
}

fn facts(segment: &crate::segment::Segment) -> SegmentFacts {
    facts_by(&segment.header, &segment.path, segment.file_len(), segment.is_live())
}

fn facts_by(header: &FileHeader, path: &Path, bytes: Option<u64>, live: bool) -> SegmentFacts {
    let writer = header
        .writer
        .as_ref()
        .map_or_else(String::new, |by| format!("{} (process {} on {})", by.library, by.pid, by.host));
    SegmentFacts {
        path: path.to_owned(),
        bytes,
        name: header.name.clone(),
        content_type: header.content_type.clone(),
        parameters: header.parameters.clone(),
        log_id: header.log_id.clone(),
        sequence: header.sequence,
        first_id: header.first_id,
        created: header.created_ns,
        writer,
        period: Period::from_seconds(header.period_s),
        zone: header.zone.clone(),
        // As in a writer's options.
        template: header.template.strip_suffix(EXTENSION).unwrap_or(&header.template).to_owned(),
        live,
        predecessor_last_id: header.predecessor.as_ref().map(|_| header.first_id - 1),
    }
}
