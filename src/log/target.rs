//! Where a writer writes: which segment it goes on in, and which comes next.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::earlier::earlier_not_durable;
use super::left::{Last, Left};
use super::lock::{take_lock, Lock};
use super::maker::{create, Maker, Prepared};
use super::mark;
use super::names;
use super::naming::Naming;
use super::torn::cut_torn_tail;
use crate::error::{Error, Kind, Result};
use crate::format::declaration::{FileHeader, Predecessor, WriterFacts};
use crate::io::clock::Clock;
use crate::io::{self, fill_random, Access, Directory, File};
use crate::options::Required;
use crate::record::NamedType;
use crate::segment::{self, is_left_over, is_unborn, Appender, Inherited, Segment, Written};

/// What the user says of a log; goes into every segment's header.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    pub name: String,
    pub content_type: String,
    pub parameters: BTreeMap<String, String>,
    pub file_mode: u32,
    pub require: Required,
    pub clock: Clock,
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

/// A target, the segment to go on in, and what was found there.
pub(crate) struct Opened {
    pub target: Target,
    pub appender: Appender,
    /// Types that were named before.
    pub types: Vec<NamedType>,
    /// The torn tail that was cut.
    pub cut: Option<Cut>,
    /// The largest time of all records so far, `i64::MIN` without any; `None` = it is not known.
    pub latest: Option<i64>,
    /// What has to be written anew before a sync may count it, in the order of syncing: the last segment is the last one.
    pub inherited: Vec<Inherited>,
    /// When the segment was written last.
    pub written: Written,
    /// The log goes on behind more than its segments show.
    pub behind: Option<Behind>,
}

/// Where a log goes on that has given more ids than the segments tell which are there.
pub(crate) enum Behind {
    /// Later segments were moved away: with this id, after this segment if it is known.
    Moved(u64, Option<Predecessor>),
    /// The records up to this id were in the segment that is there, and are lost.
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
    /// Opens a directory log and creates it when it is not there. A torn tail of the last segment is cut after its
    /// bytes have been kept in a file beside it.
    pub fn open_directory(directory: Arc<dyn Directory>, facts: Facts, naming: Naming) -> Result<Opened> {
        let lock = Arc::new(take_lock(&*directory, &facts.name, facts.file_mode)?);
        let listed = directory.list().map_err(|e| Error::io(&e, "list").at(directory.path()))?;
        mark::check(&*directory, &listed)?;
        let mut named: Vec<(u64, String)> =
            listed.into_iter().filter_map(|file| Some((names::sequence(&facts.name, &file)?, file))).collect();
        named.sort_unstable();
        let mut greatest = 0;
        while let Some((sequence, file)) = named.pop() {
            if is_unborn(&*directory, &file) {
                greatest = sequence.max(greatest);
            } else if !is_of_another_log(&*directory, &file, sequence, &facts.name) {
                if names::is_whole(&file) {
                    let reason =
                        "the newest segment of the log is compressed as a whole, and nothing can be appended to it: \
                                  `binlog decompress` unpacks it";
                    return Err(Error::new(Kind::Unsupported, reason).at(&directory.path_of(&file)));
                }
                let greatest = sequence.max(greatest);
                return Self::resume(directory, facts, Layout::Directory { lock, greatest, naming }, &file, &named);
            }
        }
        let left = lock.left();
        let sequence = left.as_ref().map_or(0, |left| left.sequence);
        let maker = Maker { directory: directory.clone(), file_mode: facts.file_mode, naming: naming.clone() };
        let at = facts.clock.now_ns();
        let prepared = maker.next(sequence.max(greatest), at).map_err(not_failed)?;
        Self::begin(directory, facts, Layout::Directory { lock, greatest, naming }, &prepared, left, at)
    }

    /// Opens a log that is one file, and creates it when it is not there. What a writer has left there that was killed while
    /// it created the file is taken over.
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
        let Some(there) = taken_over else { return Self::resume(directory, facts, Layout::SingleFile, file, &[]) };
        let at = facts.clock.now_ns();
        let prepared = Prepared { name: file.to_owned(), sequence: 1, file: there, named_for: at, set_aside: 0 };
        let opened = Self::begin(directory.clone(), facts, Layout::SingleFile, &prepared, None, at)?;
        // Before anything is written behind it, so that what a crash leaves of it is known to be no more than that.
        prepared.file.sync_data().map_err(|e| failed(&e, "sync"))?;
        Ok(opened)
    }

    fn begin(
        directory: Arc<dyn Directory>,
        facts: Facts,
        layout: Layout,
        prepared: &Prepared,
        left: Option<Left>,
        at: i64,
    ) -> Result<Opened> {
        let mut log_id = vec![0; 16];
        fill_random(&mut log_id).map_err(|e| Error::io(&e, "get random bytes"))?;
        if let Some(left) = &left {
            log_id.clone_from(&left.log_id);
        }
        let mut target = Target { directory, facts, log_id, layout };
        let first_id = left.as_ref().map_or(1, |left| left.next_id);
        let appender = target.start(prepared, first_id, left.and_then(|left| left.predecessor()), at)?;
        let latest = (first_id == 1).then_some(i64::MIN);
        let written = Written::default();
        let (types, inherited) = (vec![], vec![]);
        Ok(Opened { target, appender, types, cut: None, latest, inherited, written, behind: None })
    }

    fn resume(
        directory: Arc<dyn Directory>,
        facts: Facts,
        mut layout: Layout,
        file: &str,
        earlier: &[(u64, String)],
    ) -> Result<Opened> {
        let segment = Arc::new(Segment::open(&*directory, file, Access::ReadWrite).map_err(|e| match e.kind() {
            Kind::Corrupt => e.because(
                "the segment's beginning is damaged, so nothing is appended: read the others with `binlog cat`, and append \
                 to a new log",
            ),
            _ => e,
        })?);
        lock_segment(&segment)?;
        facts.require.check(&segment.header, &segment.path)?;
        if matches!(layout, Layout::Directory { .. }) && segment.header.name != facts.name {
            let reason = format!("the segment belongs to the log {:?}, not {:?}", segment.header.name, facts.name);
            return Err(Error::corrupt(reason).at(&segment.path));
        }
        let found = segment::recover(&segment)?;
        let latest = segment::latest_time(&segment, &found);
        let mut inherited = vec![];
        if found.durable_end == 0 {
            let left = match &layout {
                Layout::Directory { lock, .. } => lock.left(),
                Layout::SingleFile => None,
            };
            inherited = earlier_not_durable(&*directory, &segment, earlier, left.as_ref())?;
            inherited.reverse();
        }
        inherited.push(Inherited::new(segment.clone(), found.durable_end, found.end));
        let cut = match found.torn_bytes {
            0 => None,
            bytes => {
                let (offset, reason) = (found.end, found.torn_reason.clone());
                let kept = cut_torn_tail(&*directory, &segment, offset, bytes)?;
                Some(Cut { offset, bytes, kept, reason })
            }
        };
        let log_id = segment.header.log_id.clone();
        let behind = layout.look_behind(&segment.header, found.next_id);
        let (types, written) = (found.types.clone(), found.written);
        let appender = Appender::resume(segment, found);
        let target = Target { directory, facts, log_id, layout };
        Ok(Opened { target, appender, types, cut, latest, inherited, written, behind })
    }

    /// Whether there can be a next segment.
    pub fn can_roll(&self) -> bool {
        matches!(self.layout, Layout::Directory { .. })
    }

    /// Gives the log's lock back.
    pub fn unlock(&self) {
        if let Layout::Directory { lock, .. } = &self.layout {
            lock.unlock();
        }
    }

    /// What notes what the log has given, for the case that its segments are taken away: it may be called without any lock.
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

    /// What segments are called; `None` for a log that is one file.
    pub fn naming(&self) -> Option<&Naming> {
        match &self.layout {
            Layout::Directory { naming, .. } => Some(naming),
            Layout::SingleFile => None,
        }
    }

    /// What segments will be called from the next one on.
    pub fn set_naming(&mut self, new: Naming) {
        if let Layout::Directory { naming, .. } = &mut self.layout {
            *naming = new;
        }
    }

    /// Creates the files of the segments to come, and the number that the next one is behind, after segment `current`.
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

    /// Refuses what only a directory log can do.
    pub fn check_rolls(&self) -> Result<()> {
        match self.can_roll() {
            true => Ok(()),
            false => Err(one_file()),
        }
    }

    /// Makes a prepared file the segment in which the record `first_id` comes first, begun at `at`.
    pub fn start(
        &mut self,
        prepared: &Prepared,
        first_id: u64,
        predecessor: Option<Predecessor>,
        at: i64,
    ) -> Result<Appender> {
        let mut marker = [0; 8];
        fill_random(&mut marker).map_err(|e| Error::io(&e, "get random bytes"))?;
        let one_file = || (0, prepared.name.clone(), String::new());
        let (period_s, template, zone) = self.naming().map_or_else(one_file, Naming::told);
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
            ..FileHeader::default()
        };
        let segment = Arc::new(Segment::create(&*self.directory, &prepared.name, prepared.file.clone(), header)?);
        if let Layout::Directory { greatest, .. } = &mut self.layout {
            *greatest = (*greatest).max(sequence);
        }
        Ok(Appender::new(segment, prepared.set_aside))
    }
}

impl Layout {
    /// What the lock file says of the log that ends, as far as its segments are there, with the segment of this header and
    /// before record `next_id`.
    fn look_behind(&mut self, header: &FileHeader, next_id: u64) -> Option<Behind> {
        let Layout::Directory { lock, greatest, .. } = self else { return None };
        let left = lock.left().filter(|left| left.log_id == header.log_id)?;
        *greatest = left.sequence.max(*greatest);
        // Also a segment without a record that was moved away names the one before it as that ended.
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
    /// The segment that ended the log, as the next one names it.
    fn predecessor(&self) -> Option<Predecessor> {
        let Last { sequence, bytes, marker } = self.last?;
        Some(Predecessor { sequence, last_id: self.next_id - 1, bytes, marker, latest_ns: None })
    }
}

/// Whether the header of a file, which the log's other files have to make room for, gives it to another log. A file that
/// has just the name that this log's segment would have is not let pass.
fn is_of_another_log(directory: &dyn Directory, file: &str, sequence: u64, log: &str) -> bool {
    let is_named_like_ours = names::segment(log, sequence) == file;
    !is_named_like_ours && Segment::open(directory, file, Access::Read).is_ok_and(|segment| segment.header.name != log)
}

/// There is no writer yet that could have failed.
fn not_failed(error: Error) -> Error {
    match error.kind() {
        Kind::Failed => error.with_kind(Kind::Io),
        _ => error,
    }
}

/// Empties a file that another writer has left in the first moment of a log, for this one to begin it; `None` when that
/// one, or a third, has begun it meanwhile.
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
    fn a_log_goes_on_beside_one_whose_name_begins_alike() {
        let directory = MemoryDirectory::new();
        let append = |name: &str, rolls: u32| {
            let options = WriterOptions { name: name.to_owned(), ..WriterOptions::default() };
            let writer = Writer::open_in(Arc::new(directory.clone()), options).unwrap();
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
