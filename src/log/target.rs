//! Where a writer writes: the segment that it continues, and the next one.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::earlier::{earlier_not_durable, earlier_types};
use super::left::{Last, Left};
use super::lock::{take_lock, Lock};
use super::maker::{create, Maker, Prepared};
use super::mark;
use super::names;
use super::naming::Naming;
use super::survey::{End, Opening};
use super::torn::cut_torn_tail;
use crate::error::{Error, Kind, Result};
use crate::format::declaration::{FileHeader, Hole, Predecessor, WriterFacts, SPACE};
use crate::io::clock::Clock;
use crate::io::{self, fill_random, Access, Directory, File};
use crate::memory;
use crate::options::Required;
use crate::record::NamedType;
use crate::segment::{self, is_left_over, Appender, FillAhead, Inherited, Remains, Schema, Segment, Written};

/// What the user states about a log; every segment's header contains it.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    pub name: String,
    pub content_type: String,
    pub parameters: BTreeMap<String, String>,
    pub file_mode: u32,
    pub require: Required,
    pub clock: Clock,
    pub fill_ahead: FillAhead,
}

/// A log opened for writing, under the writer's lock.
pub(crate) struct Target {
    directory: Arc<dyn Directory>,
    facts: Facts,
    log_id: Vec<u8>,
    layout: Layout,
}

enum Layout {
    /// Segments in a directory. `greatest` is the greatest sequence number of the log seen in a name.
    Directory { lock: Arc<Lock>, greatest: u64, naming: Naming },
    /// One file for ever.
    SingleFile,
}

/// A target, the segment to continue, and what was found there.
pub(crate) struct Opened {
    pub target: Target,
    pub appender: Appender,
    /// Types that were named before.
    pub types: Vec<NamedType>,
    /// Their schemas, as far as the log still has them.
    pub schemas: Vec<Schema>,
    /// The torn tail that was cut.
    pub cut: Option<Cut>,
    /// The largest time of all records so far, `i64::MIN` without any; `None` = not known.
    pub latest: Option<i64>,
    /// No record of the segment to continue is earlier, `i64::MAX` without any; `None` = not known.
    pub earliest: Option<i64>,
    /// What has to be written anew before a sync may count it, in the order of syncing: the last segment comes last.
    pub inherited: Vec<Inherited>,
    /// When the segment was last written.
    pub written: Written,
    /// The log has given more ids than its segments show.
    pub behind: Option<Behind>,
    /// Why nothing may be appended to the last segment or cut off it: the log then continues in a new segment.
    pub left_as_is: Option<&'static str>,
    /// The last segment does not begin with the types that were named before it.
    pub lacks_types: bool,
    /// Bytes of the existing segments that are no blocks: the next segment names them.
    pub holes: Vec<Hole>,
    /// The id after the records of segments that are lost with their beginning, if the next segment has to name such.
    pub lost_to: u64,
}

/// A value for each of several segments, with their numbers.
type Numbered<T> = [(u64, T)];

/// Where a log continues that has given more ids than its existing segments show.
pub(crate) enum Behind {
    /// Later segments were moved away: it continues with this id, after this segment if it is known.
    Moved(u64, Option<Predecessor>),
    /// The records up to this id were in the existing segment and are lost.
    Lost(u64),
}

/// A torn tail that was cut off.
pub(crate) struct Cut {
    pub offset: u64,
    pub bytes: u64,
    /// The file that keeps the bytes.
    pub kept: PathBuf,
    /// Why they are not a block.
    pub reason: String,
}

impl Target {
    /// Opens a directory log, and creates it when it does not exist. A torn tail of the last segment is cut after its
    /// bytes have been kept in a file beside it.
    pub fn open_directory(directory: Arc<dyn Directory>, facts: Facts, naming: Naming) -> Result<Opened> {
        let lock = Arc::new(take_lock(&*directory, &facts.name, facts.file_mode)?);
        let listed = directory.list().map_err(|e| Error::io(&e, "list").at(directory.path()))?;
        mark::check(&*directory, &listed)?;
        let left = lock.left();
        let opening = Opening { directory: &*directory, log: &facts.name, naming: &naming, left: left.as_ref() };
        let End { last, earlier, greatest, lost } = opening.end(&listed)?;
        if let Some(file) = last {
            let check = |last: &Arc<Segment>, found: &segment::Recovered| opening.check_end(last, found, &listed);
            let layout = Layout::Directory { lock, greatest, naming: naming.clone() };
            return Self::resume(directory.clone(), facts.clone(), layout, &file, (&earlier, &lost), &check);
        }
        let sequence = left.as_ref().map_or(0, |left| left.sequence);
        let maker = Maker { directory: directory.clone(), file_mode: facts.file_mode, naming: naming.clone() };
        let at = facts.clock.now_ns();
        let prepared = maker.next(sequence.max(greatest), at).map_err(not_failed)?;
        let layout = Layout::Directory { lock, greatest, naming };
        Self::begin(directory, facts, layout, &prepared, (left, &lost), at)
    }

    /// Opens a log that is one file, and creates it when it does not exist. A file left by a writer that was killed
    /// while it created the log is taken over.
    pub fn open_file(directory: Arc<dyn Directory>, file: &str, facts: Facts) -> Result<Opened> {
        let failed = |e: &std::io::Error, doing: &str| Error::io(e, doing).at(&directory.path_of(file));
        let taken_over = match directory.open(file, Access::Read) {
            Ok(_) if is_left_over(&*directory, file) => take_over(&*directory, file)?,
            Ok(_) => None,
            Err(e) if e.kind() == ErrorKind::NotFound => {
                Some(create(&*directory, file, facts.file_mode).map_err(not_failed)?)
            }
            Err(e) => return Err(failed(&e, "open")),
        };
        let Some(there) = taken_over else {
            return Self::resume(directory, facts, Layout::SingleFile, file, (&[], &[]), &|_, _| Ok(()));
        };
        let at = facts.clock.now_ns();
        let prepared = Prepared { name: file.to_owned(), sequence: 1, file: there, named_for: at, set_aside: 0 };
        let opened = Self::begin(directory.clone(), facts, Layout::SingleFile, &prepared, (None, &[]), at)?;
        // Before anything is written after it: what a crash leaves of the log is then known to be no more than that.
        prepared.file.sync_data().map_err(|e| failed(&e, "sync"))?;
        Ok(opened)
    }

    fn begin(
        directory: Arc<dyn Directory>,
        facts: Facts,
        layout: Layout,
        prepared: &Prepared,
        (left, lost): (Option<Left>, &[(u64, Remains)]),
        at: i64,
    ) -> Result<Opened> {
        let mut log_id = vec![0; 16];
        fill_random(&mut log_id).map_err(|e| Error::io(&e, "get random bytes"))?;
        if let Some(left) = &left {
            log_id.clone_from(&left.log_id);
        }
        let mut target = Target { directory, facts, log_id, layout };
        let (holes, first_id) = lost_segments(lost, left.as_ref().map_or(1, |left| left.next_id));
        let appender = target.start(prepared, first_id, (left.and_then(|left| left.predecessor()), &holes), at)?;
        let latest = (first_id == 1).then_some(i64::MIN);
        let written = Written::default();
        let (types, inherited) = (vec![], vec![]);
        Ok(Opened {
            target,
            appender,
            types,
            schemas: vec![],
            cut: None,
            latest,
            earliest: Some(i64::MAX),
            inherited,
            written,
            behind: None,
            left_as_is: None,
            lacks_types: false,
            holes,
            lost_to: 0,
        })
    }

    fn resume(
        directory: Arc<dyn Directory>,
        facts: Facts,
        mut layout: Layout,
        file: &str,
        (earlier, lost): (&Numbered<String>, &Numbered<Remains>),
        check_end: &dyn Fn(&Arc<Segment>, &segment::Recovered) -> Result<()>,
    ) -> Result<Opened> {
        let segment = Arc::new(Segment::open(&*directory, file, Access::ReadWrite).map_err(|e| match e.kind() {
            Kind::Corrupt => e.because(
                "the segment's beginning is damaged, so nothing is appended: recovery in place keeps a copy and saves what can be \
                 saved",
            ),
            _ => e,
        })?);
        lock_segment(&segment)?;
        facts.require.check(&segment.header, &segment.path)?;
        let left = layout.left(&segment.header);
        let len = segment.file.len().map_err(|e| Error::io(&e, "stat").at(&segment.path))?;
        let proven = left.as_ref().map_or(0, |left| left.durable_end(&segment.header, len));
        let mut found = segment::recover_past_holes(&segment, proven)?;
        segment::check_last_records(&segment, &found)?;
        check_end(&segment, &found)?;
        let (latest, earliest) = (segment::latest_time(&segment, &found), segment::earliest_time(&segment, &found)?);
        let (mut inherited, mut holes) = (vec![], vec![]);
        if found.durable_end == 0 {
            (inherited, holes) = earlier_not_durable(&*directory, &segment, earlier, left.as_ref())?;
            inherited.reverse();
        }
        let has_none = holes.is_empty() && found.holes.is_empty() && lost.is_empty();
        let left_as_is = match (has_none, segment.takes_more()) {
            (false, _) => Some("holes"),
            (true, false) => Some("version"),
            (true, true) => None,
        };
        if let (Some(_), Layout::SingleFile) = (left_as_is, &layout) {
            return Err(not_one_file(&segment, &found));
        }
        // A compressed segment was durable before it got its name, and one of a later version is not written to.
        if segment.takes_more() {
            let to_renew = Inherited::new(segment.clone(), found.durable_end, found.end.min(len));
            inherited.push(to_renew.with_holes(found.holes.clone()));
        }
        let mut cut = None;
        match (found.torn_bytes, left_as_is) {
            (0, _) => (),
            (_, Some(_)) => found.leave_torn_tail(len),
            (bytes, None) => {
                let (offset, reason) = (found.end, found.torn_reason.clone());
                let kept = cut_torn_tail(&*directory, &segment, offset, bytes)?;
                cut = Some(Cut { offset, bytes, kept, reason });
            }
        }
        if left_as_is.is_some() {
            // Nothing is appended to it, whatever it ends with.
            found.closed = true;
            holes.append(&mut found.holes);
            holes.sort_unstable_by_key(|hole| (hole.sequence, hole.offset));
        }
        let (behind_it, lost_to) = lost_segments(lost, found.next_id);
        holes.extend(behind_it);
        let log_id = segment.header.log_id.clone();
        let behind = layout.look_behind(&segment.header, found.next_id);
        let (mut types, written) = (memory::copied(&found.types)?, found.written);
        let mut schemas = segment.schemas(&mut memory::set(types.iter().filter_map(|named| named.schema)))?;
        // It was cut off, or a crash left nothing of it: the segments before have the types.
        let lacks_types = !earlier.is_empty() && !segment::begins_with_names(&segment)?;
        if lacks_types {
            earlier_types(&*directory, earlier, &mut types, &mut schemas)?;
        }
        // The writer makes it longer, and keeps no map of it.
        segment.forget_windows();
        if left_as_is.is_none() {
            cut_space(&segment, found.end)?;
        }
        let appender = Appender::resume(segment, found).filling(facts.fill_ahead);
        let target = Target { directory, facts, log_id, layout };
        Ok(Opened {
            target,
            appender,
            types,
            schemas,
            cut,
            latest,
            earliest,
            inherited,
            written,
            behind,
            left_as_is,
            lacks_types,
            holes,
            lost_to,
        })
    }

    /// Whether there can be a next segment.
    pub fn can_roll(&self) -> bool {
        matches!(self.layout, Layout::Directory { .. })
    }

    /// Releases the log's lock.
    pub fn unlock(&self) {
        if let Layout::Directory { lock, .. } = &self.layout {
            lock.unlock();
        }
    }

    /// A function that notes what the log has given, in case its segments are removed. It may be called without any
    /// lock.
    pub fn noting(&self) -> impl Fn(&Left) -> Result<()> + use<> {
        let lock = match &self.layout {
            Layout::Directory { lock, .. } => Some(lock.clone()),
            Layout::SingleFile => None,
        };
        let (directory, name) = (self.directory.clone(), names::lock(&self.facts.name));
        move |left| {
            let noted = lock.as_ref().map_or(Ok(()), |lock| lock.leave(&*directory, left));
            noted.map_err(|e| Error::io(&e, "write").at(&directory.path_of(&name)))
        }
    }

    /// The directory that the log is in.
    pub fn directory(&self) -> &Arc<dyn Directory> {
        &self.directory
    }

    /// How segments are named; `None` for a log that is one file.
    pub fn naming(&self) -> Option<&Naming> {
        match &self.layout {
            Layout::Directory { naming, .. } => Some(naming),
            Layout::SingleFile => None,
        }
    }

    /// Sets how segments are named from the next one on.
    pub fn set_naming(&mut self, new: Naming) {
        if let Layout::Directory { naming, .. } = &mut self.layout {
            *naming = new;
        }
    }

    /// The maker of the next segments' files, and the number after which the next one is numbered, given segment
    /// `current`.
    pub fn maker(&self, current: u64) -> Result<(Maker, u64)> {
        self.check_rolls()?;
        match &self.layout {
            Layout::Directory { greatest, naming, .. } => {
                let (directory, file_mode) = (self.directory.clone(), self.facts.file_mode);
                Ok((Maker { directory, file_mode, naming: naming.clone() }, current.max(*greatest)))
            }
            Layout::SingleFile => Err(one_file()),
        }
    }

    /// Refuses operations that only a directory log supports.
    pub fn check_rolls(&self) -> Result<()> {
        match self.can_roll() {
            true => Ok(()),
            false => Err(one_file()),
        }
    }

    /// Makes a prepared file the segment that begins with the record `first_id`, begun at `at`.
    pub fn start(
        &mut self,
        prepared: &Prepared,
        first_id: u64,
        (predecessor, holes): (Option<Predecessor>, &[Hole]),
        at: i64,
    ) -> Result<Appender> {
        let mut marker = [0; 8];
        fill_random(&mut marker).map_err(|e| Error::io(&e, "get random bytes"))?;
        let one_file = || (0, prepared.name.clone(), String::new());
        let (period_s, template, zone) = self.naming().map_or_else(one_file, Naming::stated);
        let sequence = prepared.sequence;
        let header = FileHeader {
            created_ns: at,
            name: self.facts.name.clone(),
            content_type: self.facts.content_type.clone(),
            parameters: self.facts.parameters.clone(),
            log_id: self.log_id.clone(),
            marker: u64::from_le_bytes(marker).max(1),
            sequence,
            first_id,
            predecessor,
            period_s,
            template,
            writer: Some(WriterFacts {
                library: concat!("binlog ", env!("CARGO_PKG_VERSION")).to_owned(),
                pid: std::process::id(),
                host: io::host_name(),
            }),
            zone,
            holes: holes.to_vec(),
            incompatible: if self.facts.fill_ahead.is_on() { SPACE } else { 0 },
            ..FileHeader::default()
        };
        let segment = Arc::new(Segment::create(&*self.directory, &prepared.name, prepared.file.clone(), header)?);
        if let Layout::Directory { greatest, .. } = &mut self.layout {
            *greatest = (*greatest).max(sequence);
        }
        Ok(Appender::new(segment, prepared.set_aside).filling(self.facts.fill_ahead))
    }
}

impl Layout {
    /// The lock file's note about the log of this segment.
    fn left(&self, header: &FileHeader) -> Option<Left> {
        match self {
            Layout::Directory { lock, .. } => lock.left().filter(|left| left.log_id == header.log_id),
            Layout::SingleFile => None,
        }
    }

    /// What the lock file proves about a log whose existing segments end with the segment of this header, before record
    /// `next_id`.
    fn look_behind(&mut self, header: &FileHeader, next_id: u64) -> Option<Behind> {
        let left = self.left(header)?;
        let Layout::Directory { greatest, .. } = self else { return None };
        *greatest = left.sequence.max(*greatest);
        // A segment without a record that was moved away also names the previous one as that ended.
        if (left.next_id, left.sequence) <= (next_id, header.sequence) || left.next_id < next_id {
            return None;
        }
        let ended_in = left.last.map_or(left.sequence, |last| last.sequence);
        Some(match header.sequence >= ended_in {
            true => Behind::Lost(left.next_id),
            false => Behind::Moved(left.next_id, left.predecessor()),
        })
    }
}

impl Left {
    /// The segment that ended the log, in the form in which the next one names it.
    fn predecessor(&self) -> Option<Predecessor> {
        let Last { sequence, bytes, marker } = self.last?;
        Some(Predecessor { sequence, last_id: self.next_id - 1, bytes, marker, ..Predecessor::default() })
    }
}

/// The holes that replace the segments lost with their beginning, after record `next_id` - 1, and the id after their
/// records.
fn lost_segments(lost: &[(u64, Remains)], mut next_id: u64) -> (Vec<Hole>, u64) {
    let mut holes = vec![];
    for (sequence, remains) in lost {
        let behind = remains.next_id.max(next_id);
        holes.push(Hole::new(*sequence, (0, remains.bytes), (next_id, behind)));
        next_id = behind;
    }
    (holes, next_id)
}

/// There is no writer yet that could have failed.
fn not_failed(error: Error) -> Error {
    match error.kind() {
        Kind::Failed => error.with_kind(Kind::Io),
        _ => error,
    }
}

/// Empties a file that another writer has left in the first moment of a log, for this one to begin it; `None` when
/// another writer has begun it meanwhile.
fn take_over(directory: &dyn Directory, name: &str) -> Result<Option<Arc<dyn File>>> {
    let path = directory.path_of(name);
    let failed = |e: std::io::Error, doing: &str| Error::io(&e, doing).at(&path);
    let file = directory.open(name, Access::ReadWrite).map_err(|e| failed(e, "open"))?;
    if !file.try_lock().map_err(|e| failed(e, "lock"))? {
        return Err(locked(&path));
    }
    let named = directory.facts(name).map_err(|e| failed(e, "stat"))?;
    let is_this = named.identity.is_none() || named.identity == file.identity().map_err(|e| failed(e, "stat"))?;
    if !is_this || !is_left_over(directory, name) {
        return Ok(None);
    }
    file.set_len(0).map_err(|e| failed(e, "truncate"))?;
    directory.sync().map_err(|e| Error::io(&e, "sync").at(directory.path()))?;
    Ok(Some(file))
}

fn locked(path: &Path) -> Error {
    Error::new(
        Kind::Locked,
        "another writer has the log open, or a child that one has forked: fuser on this file names it",
    )
    .at(path)
}

fn one_file() -> Error {
    Error::new(Kind::Unsupported, "a log that is one file does not roll")
}

/// Cuts the zeros off that an earlier writer has filled ahead. They may not be on the disk: after a write of them that has
/// failed the file system may keep their places as never written, and show zeros there whatever is written over them and
/// synced later.
fn cut_space(segment: &Segment, end: u64) -> Result<()> {
    let is_filled = segment.header.incompatible & SPACE != 0 && segment.takes_more();
    let file = &segment.file;
    let cut = || if is_filled && file.len()? > end { file.set_len(end) } else { Ok(()) };
    cut().map_err(|e| Error::io(&e, "cut the space after its last block").at(&segment.path))
}

/// The error for a log that is one file whose end must stay as it is: there can be no other segment to continue in.
fn not_one_file(segment: &Segment, found: &segment::Recovered) -> Error {
    let path = segment.path.display();
    match (segment.header.original.is_some(), found.holes.first()) {
        (true, _) => Error::new(
            Kind::Unsupported,
            format!("the log is compressed, and nothing can be appended to it: `binlog decompress {path}` unpacks it"),
        )
        .at(&segment.path),
        (_, Some(hole)) => Error::corrupt(format!(
            "{}, and blocks follow: nothing is appended behind that; `binlog recover --in-place {path}` keeps a copy and saves \
             what can be saved",
            found.torn_reason
        ))
        .at_offset(&segment.path, hole.offset),
        _ => Error::new(
            Kind::Unsupported,
            "a newer version of the library has written the log, and nothing is appended to it by this one",
        )
        .at(&segment.path),
    }
}

fn lock_segment(segment: &Segment) -> Result<()> {
    match segment.file.try_lock() {
        Ok(true) => Ok(()),
        Ok(false) => Err(locked(&segment.path)),
        Err(e) => Err(Error::io(&e, "lock").at(&segment.path)),
    }
}

#[cfg(test)]
mod tests {
    use crate::io::{Directory, MemoryDirectory};
    use crate::{Writer, WriterOptions};
    use std::sync::Arc;

    #[test]
    fn a_log_continues_beside_one_whose_name_begins_alike() {
        let directory = MemoryDirectory::new();
        let append = |name: &str, rolls: u32| {
            let options = WriterOptions { name: name.to_owned(), ..WriterOptions::default() };
            let writer = Writer::open(Arc::new(directory.clone()), options).unwrap();
            let id = writer.append(1, b"x").unwrap();
            (0..rolls).for_each(|_| {
                writer.roll().unwrap();
                writer.append(1, b"y").unwrap();
            });
            writer.close().unwrap();
            id
        };
        append("a.b", 3);
        assert_eq!(append("a", 0), 1);
        append("a.b", 3);
        assert_eq!(append("a", 1), 2, "the segments of a.b are passed over");
        assert!(directory.list().unwrap().contains(&"a.0000000002.binlog".to_owned()), "{:?}", directory.list());
    }
}
