//! Reading a log: the segments behind a path, and cursors over their records.

mod ahead;
mod backward;
mod block;
mod counts;
mod cursor;
mod filter;
mod forward;
mod gone;
mod load;
mod place;
mod route;
mod salvage;
mod tail;
mod wait;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::{Error, Kind, Result};
use crate::io::Directory;
use crate::log::{Snapshot, Source};
use crate::options::{Filter, Period, ReaderMode, ReaderOptions};
use crate::segment::EXTENSION;

pub use counts::{IndexBlockFacts, IndexFacts, TypeCount};
pub use cursor::Cursor;
pub(crate) use forward::chain_break;
pub use tail::{Tail, TailState};

/// What there is to read behind a path. May be shared by threads; each takes a [`Cursor`] of its own.
pub struct Reader {
    source: Source,
    snapshot: Snapshot,
    options: ReaderOptions,
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
    /// [`Kind::NotFound`] when nothing is there, [`Kind::Corrupt`] when a file does not begin as a segment does,
    /// [`Kind::Unsupported`] when it is of a newer version, [`Kind::Mismatch`] when it is of another log than
    /// [`ReaderOptions::require`] says. In a directory of more than 64 files their names tell which segments there are;
    /// then all but the first is found out when a cursor comes there.
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
        let nothing = Snapshot::empty(options.require.clone(), options.block_max_bytes());
        let snapshot = source.snapshot(&nothing, options.mode)?;
        if snapshot.slots.is_empty() {
            let nothing = Error::new(Kind::NotFound, "no segment (*.binlog) is here");
            return Err(match &source {
                Source::Directory(directory) => nothing.at(directory.path()),
                _ => nothing,
            });
        }
        Ok(Reader { source, snapshot, options })
    }

    /// The segments that were there when the reader was opened, in the order in which they were written, without those
    /// that were removed or damaged since. Opens each of them, one after the other.
    pub fn segments(&self) -> Vec<SegmentFacts> {
        self.snapshot.segments().filter_map(|segment| segment.ok()).map(|segment| facts(&segment)).collect()
    }

    /// The files of these segments, in this order. Opens none.
    pub fn paths(&self) -> Vec<PathBuf> {
        self.snapshot.slots.iter().map(|slot| slot.path()).collect()
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
        self.snapshot.segment(self.place_of(path.as_ref())?)?.ends_with_trailer()
    }

    fn place_of(&self, path: &Path) -> Result<usize> {
        let at = self.snapshot.slots.iter().position(|slot| slot.path() == path);
        at.ok_or_else(|| Error::new(Kind::NotFound, "the log has no such segment").at(path))
    }

    /// What the first segment says about itself.
    pub(crate) fn first_segment(&self) -> Result<SegmentFacts> {
        Ok(facts(&*self.snapshot.segment(0)?))
    }

    /// A cursor before the first record that the filter lets through.
    pub fn cursor(&self, filter: &Filter) -> Result<Cursor> {
        Cursor::new(self.source.clone(), self.snapshot.clone(), &self.options, filter)
    }
}

fn facts(segment: &crate::segment::Segment) -> SegmentFacts {
    let header = &segment.header;
    let writer = header
        .writer
        .as_ref()
        .map_or_else(String::new, |by| format!("{} (process {} on {})", by.library, by.pid, by.host));
    SegmentFacts {
        path: segment.path.clone(),
        bytes: segment.file_len(),
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
        live: segment.is_live(),
        predecessor_last_id: header.predecessor.as_ref().map(|_| header.first_id - 1),
    }
}
