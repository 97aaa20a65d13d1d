//! Reading a log: the segments behind a path, and cursors over their records.

mod ahead;
mod backward;
mod block;
mod contents;
mod counts;
mod cursor;
mod elders;
mod extent;
mod filter;
mod forward;
mod gone;
mod holes;
mod intact;
mod last;
mod load;
mod log_ends;
mod lost_names;
mod place;
mod present;
mod remarks;
mod route;
mod salvage;
mod seek;
mod summarize;
mod tail;
mod wait;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;

use crate::error::{Error, Kind, Result};
use crate::format::declaration::FileHeader;
use crate::io::Directory;
use crate::log::catalog::{Catalogs, Summary};
use crate::log::{vanished, Found, Snapshot, Source};
use crate::options::{Filter, Period, ReaderMode, ReaderOptions};
use crate::segment::EXTENSION;

pub use contents::{Contents, SegmentContents, TypeContents};
pub use counts::{IndexBlockFacts, IndexFacts, TypeCount};
pub use cursor::Cursor;
pub use extent::SegmentExtent;
use present::Present;
pub use tail::{Tail, TailState};
pub use wait::Interrupter;

/// What there is to read behind a path. May be shared by threads; each takes a [`Cursor`] of its own.
pub struct Reader {
    source: Source,
    /// The segments when it was opened.
    snapshot: Snapshot,
    present: Mutex<Present>,
    /// Id of the first record that the log had then, unless there were several logs.
    begins: Option<u64>,
    options: ReaderOptions,
    /// Numbers of the segments by their files, once one was asked for by its file.
    places: OnceLock<HashMap<PathBuf, usize>>,
    /// What is listed and counted of segments in a store without a look at each.
    catalogs: Catalogs,
}

/// What a segment says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentFacts {
    /// The file.
    pub path: PathBuf,
    /// Its length in bytes when it was asked for; `None` for a file that is compressed as a whole.
    pub bytes: Option<u64>,
    /// The log's name.
    pub name: String,
    /// What the payloads are, as a MIME type.
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
    /// What the log's files were called when it was begun; "" when it does not tell.
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
    /// With the feature `upload`, `path` may be the URL of an object store as well: of a segment, of a log (a prefix), or with
    /// a pattern (`*`, `[…]`) in its last part; `docs/remote.md` tells more.
    ///
    /// # Errors
    /// [`Kind::NotFound`] when nothing is there, [`Kind::Corrupt`] when no file there is a segment or was one,
    /// [`Kind::Unsupported`] when all segments are of a newer version, [`Kind::Mismatch`] when it is of another log than
    /// [`ReaderOptions::require`] says. In a directory of more than 64 files their names tell which segments there are;
    /// then all but the first is found out when a cursor comes there. Of a log that was never begun, no record is shown; a
    /// segment whose beginning is damaged is an error of the cursor that comes to its place.
    pub fn open(path: impl AsRef<Path>, options: ReaderOptions) -> Result<Self> {
        Self::of(Source::of(path.as_ref(), &options)?, options)
    }

    /// As [`Self::open`], over a directory of the caller's making.
    pub fn open_in(directory: Arc<dyn Directory>, options: ReaderOptions) -> Result<Self> {
        Self::of(Source::Directory(directory), options)
    }

    /// As [`Self::open`], of one file in a directory of the caller's making.
    pub(crate) fn open_file_in(directory: Arc<dyn Directory>, name: &str, options: ReaderOptions) -> Result<Self> {
        Self::of(Source::File(directory, name.to_owned()), options)
    }

    fn of(source: Source, options: ReaderOptions) -> Result<Self> {
        let nothing = Snapshot::empty_of(options.log.clone(), options.require.clone(), options.block_max_bytes());
        let snapshot = source.snapshot(&nothing, options.mode)?;
        if snapshot.slots.is_empty() {
            let nothing = match &options.log {
                Some(log) => Error::new(Kind::NotFound, format!("no log {log:?} is here")),
                None => Error::new(Kind::NotFound, "no segment (*.binlog) is here"),
            };
            return Err(match &source {
                Source::Directory(directory) => {
                    match vanished(&**directory).iter().find(|gone| snapshot.wants(&gone.log)) {
                        Some(log) => {
                            Error::new(Kind::NotFound, format!("no segment (*.binlog) is here, and {}", log.told()))
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
            Some(Found::Segment(first)) => Some(first.header.first_id),
            _ => None,
        };
        let present = Mutex::new(Present::new(snapshot.clone()));
        Ok(Reader {
            source,
            snapshot,
            present,
            begins,
            options,
            places: OnceLock::new(),
            catalogs: Catalogs::default(),
        })
    }

    /// The segments that were there when the reader was opened, in the order in which they were written, without those
    /// that were removed or damaged since. Opens each of them, one after the other.
    pub fn segments(&self) -> Vec<SegmentFacts> {
        let list = |snapshot: &Snapshot| -> Vec<SegmentFacts> {
            let segments = snapshot.segments().filter_map(|segment| segment.ok());
            // What stands for a log of which nothing can be read is no segment.
            let segments = segments.filter(|segment| !segment.is_unborn || snapshot.unreadable.is_empty());
            segments.map(|segment| facts(&segment)).collect()
        };
        let listed = list(&self.snapshot);
        match self.by_headers(&self.snapshot) {
            Ok(Some(snapshot)) => list(&snapshot),
            _ => listed,
        }
    }

    /// The segments by their headers, when these were found to say something else than the names of this snapshot do.
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

    /// Files that are called as segments are and are none, nor what is left of one, when the reader was opened: nobody is
    /// concerned by them. Where there are more than 64 files, some may not be known yet.
    pub fn strays(&self) -> &[PathBuf] {
        &self.snapshot.strays
    }

    /// Files that were created to be a segment and never held a record, as a kill or a power cut leaves them, when the
    /// reader was opened: readers pass over them. Where there are more than 64 files, some may not be known yet.
    pub fn leftovers(&self) -> &[PathBuf] {
        &self.snapshot.leftovers
    }

    /// Files of the log's segments of which nothing could be read when the reader was opened, and why not.
    pub fn unreadable(&self) -> impl Iterator<Item = (&Path, &Error)> {
        self.snapshot.unreadable.iter().map(|file| (file.path.as_path(), &file.error))
    }

    /// A reader of one segment alone, which [`Self::paths`] tells of, in this mode; the other options stay. A segment in
    /// an object store is found so without a URL of its own.
    ///
    /// # Errors
    /// [`Kind::NotFound`] when there was no such segment when the reader was opened; else as [`Self::open`].
    pub fn only(&self, path: impl AsRef<Path>, mode: ReaderMode) -> Result<Reader> {
        let at = self.place_of(path.as_ref())?;
        Self::of(self.snapshot.slots[at].source(), ReaderOptions { mode, ..self.options.clone() })
    }

    /// Whether the segment, which [`Self::paths`] tells of, ends with a trailer: its writer closed it. `None` for a file
    /// that is compressed as a whole.
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
        // An older library's file may end by naming the one in which its log goes on.
        let newest = Filter { events: true, headers_only: true, newest_first: true, ..Filter::default() };
        let mut cursor = self.only(path, ReaderMode::Prefix)?.cursor(&newest)?;
        let last = cursor.next()?.filter(|last| last.type_id == crate::record::event::ROTATE_NEXT);
        let next = last.and_then(|last| last.metadata.get("file").map(|file| path.with_file_name(file)));
        Ok(Some(next.is_some_and(|next| self.snapshot.slots.iter().any(|slot| slot.path() == next))))
    }

    /// What one segment, which [`Self::paths`] tells of, says about itself. Of an archive in a store its catalog tells that, where
    /// it has one.
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

    /// What a catalog says of the segment number `at` of the snapshot.
    fn summary(&self, at: usize) -> Option<Arc<Summary>> {
        let slot = &self.snapshot.slots[at];
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

    /// What the first segment says about itself.
    pub(crate) fn first_segment(&self) -> Result<SegmentFacts> {
        Ok(facts(&*self.snapshot.segment(0)?))
    }

    /// A cursor before the first record that the filter lets through, of the log as it is now. What was removed of it
    /// since the reader was opened is told once by each cursor that would have come to it ([`Kind::Missed`]); the last so
    /// many records are those of the log that is there.
    pub fn cursor(&self, filter: &Filter) -> Result<Cursor> {
        let snapshot = self.present(filter.newest_first || filter.last.is_some())?;
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
        // As a writer's options have it.
        template: header.template.strip_suffix(EXTENSION).unwrap_or(&header.template).to_owned(),
        live,
        predecessor_last_id: header.predecessor.as_ref().map(|_| header.first_id - 1),
    }
}
