//! Reading a log: the segments behind a path, and cursors over their records.

mod backward;
mod block;
mod counts;
mod cursor;
mod filter;
mod forward;
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
use crate::options::{Filter, Period, ReaderOptions};
use crate::segment::EXTENSION;

pub use counts::{IndexBlockFacts, IndexFacts, TypeCount};
pub use cursor::Cursor;
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
    /// # Errors
    /// [`Kind::NotFound`] when nothing is there, [`Kind::Corrupt`] when a file does not begin as a segment does,
    /// [`Kind::Unsupported`] when it is of a newer version, [`Kind::Mismatch`] when it is of another log than
    /// [`ReaderOptions::require`] says. In a directory of more than 64 files their names tell which segments there are;
    /// then all but the first is found out when a cursor comes there.
    pub fn open(path: impl AsRef<Path>, options: ReaderOptions) -> Result<Self> {
        Self::of(Source::of(path.as_ref())?, options)
    }

    /// As [`Self::open`], over a directory of the caller's making.
    pub fn open_in(directory: Arc<dyn Directory>, options: ReaderOptions) -> Result<Self> {
        Self::of(Source::Directory(directory), options)
    }

    fn of(source: Source, options: ReaderOptions) -> Result<Self> {
        let snapshot = source.snapshot(&Snapshot::empty(options.require.clone()), options.mode)?;
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
