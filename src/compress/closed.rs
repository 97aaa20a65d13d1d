//! Finds which segments are finished, which means that no writer appends to them any more.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::error::{Error, Kind, Result};
use crate::io::{Access, Directory, File};
use crate::log::{chain_break, make_earlier_durable, names};
use crate::options::{CompressOptions, Whole};
use crate::segment::{self, Recovered, Segment};

/// Whether segments are compressed or decompressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Compress,
    /// As a whole.
    Pack(Whole),
    Decompress,
}

/// A segment that is finished.
pub(super) struct Closed {
    pub segment: Arc<Segment>,
    pub found: Recovered,
    /// It is a log of one file.
    pub is_single: bool,
    /// The marker by which the next segment names it.
    pub marker_in_next: Option<u64>,
    /// The writer's lock of the file, held during the work.
    _lock: Option<Arc<dyn File>>,
}

/// Whether this file is the compressed form of a segment.
fn is_compressed(segment: &Segment) -> bool {
    segment.header.original.is_some() && names::plain(&segment.name) != segment.name
}

impl Direction {
    /// Why the segment is not processed; `None` if it is.
    fn refuses(self, segment: &Segment) -> Option<&'static str> {
        match self {
            Direction::Decompress if segment.is_compressed_whole() || is_compressed(segment) => None,
            Direction::Decompress => Some("the segment is not compressed"),
            _ if segment.is_compressed_whole() => Some("the file is compressed as a whole already"),
            // Its file would get the ending twice, and no reader looks for that.
            _ if names::is_whole(&segment.name) => {
                Some("the file is named as one that is compressed as a whole, and is none: rename it")
            }
            Direction::Compress if is_compressed(segment) => Some("the segment is compressed already"),
            _ => None,
        }
    }

    /// The name of the file that is made from the file `name`; with `sum`, its SHA-256 is part of the name.
    pub fn name(self, name: &str, sum: Option<&str>) -> String {
        match self {
            Direction::Compress => names::compressed(name, sum),
            Direction::Pack(whole) => format!("{name}{}", ending(whole)),
            // A packed file gets its old name back.
            Direction::Decompress if names::is_whole(name) => {
                let inside = names::WHOLE.iter().find_map(|ending| name.strip_suffix(ending));
                inside.unwrap_or(name).to_owned()
            }
            Direction::Decompress => names::plain(name).into_owned(),
        }
    }
}

/// Opens the segment in the file `name`, and checks that it is finished and whole at its end.
pub(super) fn open(directory: &dyn Directory, name: &str, direction: Direction) -> Result<Closed> {
    let path = directory.path_of(name);
    let invalid = |reason: &str| Err(Error::invalid(reason).at(&path));
    let facts = directory.facts(name).map_err(|e| Error::io(&e, "stat").at(&path))?;
    if !facts.is_plain {
        return invalid("this is no plain file, and stays as it is");
    }
    let segment = Segment::open(directory, name, Access::Read)?;
    if let Some(reason) = direction.refuses(&segment) {
        return invalid(reason);
    }
    if direction.name(name, None) == name {
        return invalid("the file is not called as one that is compressed is");
    }
    let held = || Error::new(Kind::Locked, "a writer has the segment open").at(&path);
    if segment.is_live() {
        return Err(held());
    }
    let segment = Arc::new(segment.without_space()?);
    if segment.is_compressed_whole() {
        let found = Recovered::nothing(&segment);
        let is_single = names::sequence(&segment.header.name, name).is_none();
        return Ok(Closed { segment, found, is_single, marker_in_next: None, _lock: None });
    }
    let found = match direction {
        // The file is packed byte for byte, which would keep a wrong byte.
        Direction::Pack(_) => segment::recover(&segment)?,
        _ => segment::find_end(&segment)?,
    };
    if found.torn_bytes > 0 {
        let reason = format!("{}: recover the log first", found.torn_reason);
        return Err(Error::corrupt(reason).at_offset(&path, found.end));
    }
    let numbered = numbered(directory, &segment.header.name)?;
    let (mut lock, mut marker_in_next) = (None, None);
    let is_single = names::sequence(&segment.header.name, name).is_none();
    match next(directory, &segment, &numbered)? {
        Some(next) => {
            let named = next.header.predecessor.as_ref().filter(|named| named.sequence == segment.header.sequence);
            let broken = match named {
                Some(_) => chain_break(&segment, found.end, found.next_id, &next)?,
                None => None,
            };
            if let Some(reason) = broken {
                return Err(segment.corrupt(found.end, &reason));
            }
            marker_in_next = named.map(|named| named.marker);
        }
        // An ordinary segment can be one that a writer continues.
        None if direction == Direction::Decompress => (),
        None if !is_single => {
            return invalid("this is the newest segment of its log, in which a writer goes on: roll the log first");
        }
        None if !found.closed => return invalid("the log was not closed: a writer that opens and closes it does so"),
        None => {
            let file = directory.open(name, Access::ReadWrite).map_err(|e| Error::io(&e, "open").at(&path))?;
            if !file.try_lock().map_err(|e| Error::io(&e, "lock").at(&path))? {
                return Err(held());
            }
            // The file may have grown before the lock was taken.
            if segment::end_before_space(&Segment::open(directory, name, Access::Read)?)? != found.end {
                return Err(held());
            }
            lock = Some(file);
        }
    }
    if found.durable_end == 0 {
        // A search for segments that are not durable stops at a compressed one.
        let earlier = numbered.into_iter().filter(|(_, file)| file != name);
        let sequence = segment.header.sequence;
        let earlier: Vec<_> = earlier.filter(|(number, _)| *number < sequence).collect();
        make_earlier_durable(directory, &segment, &earlier)?;
    }
    Ok(Closed { segment, found, is_single, marker_in_next, _lock: lock })
}

/// The files that are named like segments of the log, in order.
fn numbered(directory: &dyn Directory, log: &str) -> Result<Vec<(u64, String)>> {
    let listed = directory.list().map_err(|e| Error::io(&e, "list").at(directory.path()))?;
    let numbered = listed.into_iter().filter_map(|file| Some((names::sequence(log, &file)?, file)));
    let mut numbered: Vec<_> = numbered.collect();
    numbered.sort_unstable();
    Ok(numbered)
}

/// The next segment of the log.
fn next(directory: &dyn Directory, segment: &Segment, numbered: &[(u64, String)]) -> Result<Option<Segment>> {
    let sequence = segment.header.sequence;
    for (_, file) in numbered.iter().filter(|(number, _)| *number > sequence) {
        match Segment::open(directory, file, Access::Read) {
            Ok(next) if next.header.log_id == segment.header.log_id && next.header.sequence > sequence => {
                return Ok(Some(next));
            }
            // It belongs to another log, is being created, or is damaged: a later file may be the next segment.
            Ok(_) => (),
            Err(e) if matches!(e.kind(), Kind::Corrupt | Kind::Unsupported | Kind::NotFound) => (),
            Err(e) => return Err(e),
        }
    }
    Ok(None)
}

/// The files to process in a directory, log by log, the oldest first.
pub(super) fn all(directory: &dyn Directory, options: &CompressOptions, direction: Direction) -> Result<Vec<String>> {
    let listed = directory.list().map_err(|e| Error::io(&e, "list").at(directory.path()))?;
    // By name and id: number and file of each segment, and whether it may be processed.
    type OfLog = Vec<(u64, String, bool)>;
    let mut logs: BTreeMap<(String, Vec<u8>), OfLog> = BTreeMap::new();
    for name in listed.into_iter().filter(|name| names::is_segment(name)) {
        if !directory.facts(&name).is_ok_and(|facts| facts.is_plain) {
            continue;
        }
        match Segment::open(directory, &name, Access::Read) {
            Ok(segment) if options.log.as_ref().is_none_or(|log| *log == segment.header.name) => {
                let is_numbered = names::sequence(&segment.header.name, &name).is_some();
                let is_due = is_numbered && direction.refuses(&segment).is_none() && !segment.is_live();
                let header = &segment.header;
                let of_log = logs.entry((header.name.clone(), header.log_id.clone())).or_default();
                of_log.push((header.sequence, name, is_due));
            }
            Ok(_) => (),
            // No segment, or one whose error a reader reports.
            Err(e) if matches!(e.kind(), Kind::Corrupt | Kind::Unsupported | Kind::NotFound) => (),
            Err(e) if matches!(e.os_code(), Some(libc::EACCES | libc::EPERM)) => (),
            Err(e) => return Err(e),
        }
    }
    if let (Some(log), true) = (&options.log, logs.is_empty()) {
        let reason = format!("the directory holds no segment of a log {log:?}");
        return Err(Error::new(Kind::NotFound, reason).at(directory.path()));
    }
    let mut due = vec![];
    for mut of_log in logs.into_values() {
        of_log.sort_unstable();
        let newest = of_log.last().map_or(0, |(sequence, ..)| *sequence);
        for (sequence, name, is_due) in &of_log {
            let is_newest = direction != Direction::Decompress && *sequence == newest;
            // If both forms are kept, nothing is left to do.
            let is_done = options.keep_source
                && of_log.iter().any(|(_, other, _)| other != name && names::plain(other) == names::plain(name));
            if *is_due && !is_newest && !is_done {
                due.push(name.clone());
            }
        }
    }
    Ok(due)
}

/// Whether to process a file that matches a pattern. A file that cannot be opened is processed, so its error is
/// returned.
pub(super) fn is_due(directory: &dyn Directory, name: &str, options: &CompressOptions, direction: Direction) -> bool {
    let opened = Segment::open(directory, name, Access::Read);
    opened.map_or(true, |segment| {
        direction.refuses(&segment).is_none() && options.log.as_ref().is_none_or(|log| *log == segment.header.name)
    })
}

/// What is appended to the name of a file that is compressed as a whole.
fn ending(whole: Whole) -> &'static str {
    match whole {
        Whole::Gzip => names::WHOLE[0],
        Whole::Zstd => names::WHOLE[1],
    }
}
