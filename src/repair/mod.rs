//! Repairs damaged logs: the records that a salvaging cursor shows are written to clean segments, which state what was
//! lost.
//!
//! A recovered segment keeps its name, its sequence number and the ids of its records. Where records were lost, a
//! RECOVERED event states which, so that readers do not take the gap for damage; the file header names the segment that
//! it was recovered from.

mod copy;
mod index;
mod misplaced;
mod rewrite;

use std::collections::HashSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::error::{Error, Kind, Result};
use crate::io::{self, Access, Directory, Location, RealDirectory};
use crate::log::{
    accept_end, accept_loss_of_all, mark, names, refuse_url, take_lock, vanished, Slot, Snapshot, Source, Vanished,
};
use crate::options::{
    Loss, LossKind, OnLoss, ReaderMode, ReaderOptions, Required, WriterOptions, DEFAULT_BLOCK_MAX_BYTES,
};
use crate::writer::Writer;

pub use index::rebuild_index;
pub use mark::RECOVERY_AT_WORK;

/// What a recovery saved and what it could not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Records in the segments that were written.
    pub records: u64,
    /// Records that are known to be lost.
    pub lost_records: u64,
    /// Losses that were reported: a loss need not cost a record.
    pub losses: u64,
    /// The segments that were written, in the order of the log.
    pub segments: Vec<RecoveredSegment>,
}

/// A segment that was written anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecoveredSegment {
    /// The file that was read; in place, the name under which it is kept now.
    pub source: PathBuf,
    /// The file that contains the saved records.
    pub target: PathBuf,
    /// Records that were saved.
    pub records: u64,
}

/// Counts losses, and passes them to the caller's callback.
#[derive(Clone)]
struct Losses {
    report: OnLoss,
    /// Losses, and records lost by them.
    sum: Arc<Mutex<(u64, u64)>>,
}

impl Losses {
    fn new(on_loss: Option<OnLoss>) -> Self {
        let sum = Arc::new(Mutex::new((0, 0)));
        let counted = sum.clone();
        let doubles: Mutex<HashSet<PathBuf>> = Mutex::default();
        let report: OnLoss = Arc::new(move |loss: &Loss| {
            // The files at the end of the log are read a second time, and copies are then found again.
            if loss.kind == LossKind::Double && loss.ids.is_none() && !doubles.lock().insert(loss.path.clone()) {
                return;
            }
            {
                let mut sum = counted.lock();
                sum.0 += 1;
                sum.1 += loss.records();
            }
            if let Some(on_loss) = &on_loss {
                on_loss(loss);
            }
        });
        Losses { report, sum }
    }
}

/// Writes everything that can be read of the log at `source` (a file, a directory, a pattern or a URL) to a new log:
/// segments of the same names in the directory `target`, which is created if needed and must contain no segment. The
/// source is only read.
///
/// Of the options, [`ReaderOptions::on_loss`] is called with each loss when it is found,
/// [`field@ReaderOptions::block_max_bytes`] bounds the memory, and those about stores are used for a URL. The mode is
/// always [`ReaderMode::Salvage`].
///
/// # Errors
/// [`Kind::NotFound`] when nothing is there, [`Kind::Invalid`] when the target contains segments already, or the
/// leftovers of an interrupted recovery, and errors of the system. Segments that were written by then are left as they
/// are, with the file [`RECOVERY_AT_WORK`] beside them. That file exists in the target from before the first segment
/// until all of them are durable: a crash leaves it too, and neither a writer nor another recovery takes such a
/// directory for a log.
pub fn recover(source: impl Into<Location>, target: impl Into<Location>, options: ReaderOptions) -> Result<Recovery> {
    let target = target.into();
    refuse_url(&target, "write a log")?;
    let source = Source::of(source.into(), &options)?;
    let target = match target {
        Location::Path(path) => {
            Arc::new(RealDirectory::open_or_create(&path).map_err(|e| Error::io(&e, "open the directory").at(&path))?)
        }
        Location::Directory(directory) => directory,
        Location::File(..) => return Err(Error::invalid("a log is recovered to a directory").at(&target.path())),
    };
    recover_to(&source, target, options)
}

fn recover_to(source: &Source, target: Arc<dyn Directory>, options: ReaderOptions) -> Result<Recovery> {
    let listed = target.list().map_err(|e| Error::io(&e, "list").at(target.path()))?;
    mark::check(&*target, &listed)?;
    if listed.iter().any(|name| names::is_segment(name)) {
        return Err(Error::invalid("the target holds segments already").at(target.path()));
    }
    check_whole(source)?;
    let mut snapshot = open(source, options.block_max_bytes())?;
    let losses = Losses::new(options.on_loss);
    let plan = rewrite::Plan::everything(&snapshot);
    misplaced::report_renamed(&mut snapshot, &losses);
    mark::set(&*target)?;
    let recovery = rewrite::rewrite(source, &snapshot, &plan, &target, &losses)?;
    target.sync().map_err(|e| Error::io(&e, "sync").at(target.path()))?;
    mark::remove(&*target)?;
    Ok(recovery)
}

/// Writes the damaged segments of a log anew, under their names. The damaged files are kept beside them as
/// `<segment>.damaged`; segments without damage are left alone. No writer may have the log open.
///
/// A crash in the middle leaves every segment either as it was or recovered; another call continues. Of the
/// options, [`ReaderOptions::on_loss`] and [`field@ReaderOptions::block_max_bytes`] are used.
///
/// # Errors
/// [`Kind::NotFound`] when nothing is there, [`Kind::Locked`] when a writer has the log open, [`Kind::Invalid`] for a
/// pattern, and errors of the system.
pub fn recover_in_place(location: impl Into<Location>, options: ReaderOptions) -> Result<Recovery> {
    let location = location.into();
    refuse_url(&location, "recover in place")?;
    recover_there(&Source::of(location, &options)?, options)
}

fn recover_there(source: &Source, options: ReaderOptions) -> Result<Recovery> {
    let (block_max_bytes, on_loss) = (options.block_max_bytes(), options.on_loss);
    let directory = directory_of(source)?;
    check_whole(source)?;
    let vanished = if matches!(source, Source::Directory(_)) { vanished(&*directory) } else { vec![] };
    if let (Some(log), true) =
        (vanished.first(), source.snapshot(&nothing(block_max_bytes), ReaderMode::Salvage)?.slots.is_empty())
    {
        return accept_loss(directory, log, &Losses::new(on_loss));
    }
    let mut snapshot = open(source, block_max_bytes)?;
    let _locks = lock(&*directory, &snapshot, matches!(source, Source::Directory(_)))?;
    let losses = Losses::new(on_loss);
    misplaced::report_renamed(&mut snapshot, &losses);
    for remark in &snapshot.remarks {
        (losses.report)(&remark.to_loss());
    }
    let (plan, now) = rewrite::Plan::of_the_damaged(source, &snapshot, &losses)?;
    let passed_over = misplaced::passed_over(&snapshot, &now);
    // Done first: after a crash there is no other form beside a file that is being made.
    let other_forms = misplaced::other_forms(&snapshot, &now, &plan, &passed_over);
    other_forms.iter().try_for_each(|name| set_aside(&*directory, name))?;
    let snapshot = now.without_remarks();
    let read_besides = misplaced::read_besides(&snapshot, &plan, &passed_over);
    let recovery = rewrite::rewrite(source, &snapshot, &plan, &directory, &losses)?;
    read_besides.iter().try_for_each(|name| set_aside(&*directory, name))?;
    let is_written_anew = |path: &PathBuf| recovery.segments.iter().any(|segment| segment.target == *path);
    for file in snapshot.unreadable.iter().filter(|file| !is_written_anew(&file.path)) {
        set_aside(&*directory, name_of(&file.path))?;
    }
    let repeated = plan.repeated.iter().map(|&at| &snapshot.slots[at]);
    for slot in repeated.filter(|slot| !is_written_anew(&slot.path())) {
        set_aside(&*directory, &slot.name)?;
    }
    if matches!(source, Source::Directory(_)) {
        misplaced::put_right(&*directory, &passed_over, &now, &plan)?;
    }
    directory.sync().map_err(|e| Error::io(&e, "sync").at(directory.path()))?;
    if matches!(source, Source::Directory(_)) {
        accept_ends(&*directory, source)?;
    }
    Ok(recovery)
}

/// Refuses the leftovers of an unfinished recovery.
fn check_whole(source: &Source) -> Result<()> {
    match source {
        Source::Directory(directory) | Source::File(directory, _) => mark::check_in(&**directory),
        Source::Glob(_) | Source::Matching(..) | Source::Part(_) => Ok(()),
    }
}

/// Notes that the records of a log without any segment here are lost, and begins an empty segment after them.
fn accept_loss(directory: Arc<dyn Directory>, log: &Vanished, losses: &Losses) -> Result<Recovery> {
    let lock = take_lock(&*directory, &log.log, copy::FILE_MODE)?;
    (losses.report)(&Loss {
        kind: LossKind::Missing,
        path: directory.path_of(&names::lock(&log.log)),
        offset: 0,
        bytes: 0,
        // The first segments may have been removed before.
        ids: (log.last_id > 0 && log.sequence == 1).then_some((1, log.last_id)),
        pages: None,
        reason: format!("no segment of the log is here, and {}", log.reason()),
        durable: true,
    });
    accept_loss_of_all(&*directory, &log.log)?;
    drop(lock);
    let options = WriterOptions { name: log.log.clone(), background: false, ..WriterOptions::default() };
    Writer::open(directory, options)?.close()?;
    let (losses, lost_records) = *losses.sum.lock();
    Ok(Recovery { losses, lost_records, ..Recovery::default() })
}

/// Notes for each log that it ends with the last segment here: everything after it is declared lost.
fn accept_ends(directory: &dyn Directory, source: &Source) -> Result<()> {
    let now = source.snapshot(&nothing(DEFAULT_BLOCK_MAX_BYTES), ReaderMode::Salvage)?;
    let slots = &now.slots;
    let is_last = |at: &usize| slots.get(at + 1).is_none_or(|next| next.log.id != slots[*at].log.id);
    let mut ends = (0..slots.len()).filter(|at| is_last(at) && !slots[*at].is_legacy());
    ends.try_for_each(|at| accept_end(directory, &*now.segment(at)?))
}

fn directory_of(source: &Source) -> Result<Arc<dyn Directory>> {
    match source {
        Source::Directory(directory) | Source::File(directory, _) => Ok(directory.clone()),
        Source::Glob(_) | Source::Matching(..) | Source::Part(_) => {
            Err(Error::invalid("name the directory or the file of the log, not a pattern"))
        }
    }
}

fn nothing(block_max_bytes: u64) -> Snapshot {
    Snapshot::empty(Required::default(), block_max_bytes)
}

fn open(source: &Source, block_max_bytes: u64) -> Result<Snapshot> {
    let snapshot = source.snapshot(&nothing(block_max_bytes), ReaderMode::Salvage)?;
    match snapshot.slots.is_empty() {
        true => Err(Error::new(Kind::NotFound, "no segment (*.binlog) is here")),
        false => Ok(snapshot),
    }
}

/// Takes the locks of the logs (for a whole directory) and of their last segments, to exclude writers in between. The
/// other segments are only checked for writers: there may be more of them than a process can have files open.
fn lock(directory: &dyn Directory, snapshot: &Snapshot, whole: bool) -> Result<Vec<Arc<dyn io::File>>> {
    let mut locks = vec![];
    let slots = &snapshot.slots;
    let mut names: Vec<&str> = slots.iter().map(|slot| slot.log.name.as_str()).collect();
    names.dedup();
    for name in names.into_iter().filter(|name| whole && crate::options::check_name(name).is_ok()) {
        locks.push(lock_log(directory, name, slots)?);
    }
    for (at, slot) in slots.iter().enumerate() {
        let locked = lock_segment(directory, slot)?;
        if slots.get(at + 1).is_none_or(|next| next.log.id != slot.log.id) {
            slot.set_ours();
            locks.push(locked);
        }
    }
    Ok(locks)
}

/// Takes the lock of a log. If its file does not exist yet, it gets the permissions of the log's segments: the user
/// that writes the log has to open it, and may be another user than the one that repairs it.
fn lock_log(directory: &dyn Directory, name: &str, slots: &[Arc<Slot>]) -> Result<Arc<dyn io::File>> {
    let file = names::lock(name);
    let is_new = directory.facts(&file).is_err_and(|e| e.kind() == ErrorKind::NotFound);
    let lock = take_lock(directory, name, copy::FILE_MODE)?.into_file();
    if let Some(last) = slots.iter().rfind(|slot| is_new && slot.log.name == name) {
        let rights = directory.rights(&last.name).map_err(|e| Error::io(&e, "stat").at(&last.path()))?;
        let set = rights.map_or(Ok(()), |rights| directory.set_rights(&file, &rights));
        set.map_err(|e| Error::io(&e, "set the permissions").at(&directory.path_of(&file)))?;
    }
    Ok(lock)
}

fn lock_segment(directory: &dyn Directory, slot: &Slot) -> Result<Arc<dyn io::File>> {
    let failed = |e: std::io::Error, doing: &str| Error::io(&e, doing).at(&slot.path());
    let file = directory.open(&slot.name, Access::ReadWrite).map_err(|e| failed(e, "open"))?;
    match file.try_lock().map_err(|e| failed(e, "lock"))? {
        true => Ok(file),
        false => Err(Error::new(Kind::Locked, "a writer has the log open").at(&slot.path())),
    }
}

/// A name beside `name` that no file has: `<name>.damaged`, or with a number.
fn free_name(directory: &dyn Directory, name: &str) -> Result<String> {
    let taken = directory.list().map_err(|e| Error::io(&e, "list").at(directory.path()))?;
    let names = std::iter::once(format!("{name}.damaged")).chain((2..).map(|n| format!("{name}.damaged-{n}")));
    let mut free = names.filter(|name| !taken.contains(name));
    free.next().ok_or_else(|| Error::new(Kind::TooLarge, "there is no free name").at(directory.path()))
}

/// Takes a file out of the log, by giving it a name that no segment has.
fn set_aside(directory: &dyn Directory, name: &str) -> Result<()> {
    let kept = free_name(directory, name)?;
    directory.rename(name, &kept).map_err(|e| Error::io(&e, "rename").at(&directory.path_of(name)))
}

/// The name of a file of the log's directory.
fn name_of(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

/// Puts the file `made` in the place of a segment, and keeps the segment under another name, which is returned.
fn exchange(directory: &dyn Directory, segment: &str, made: &str) -> Result<String> {
    let path = directory.path_of(segment);
    let kept = free_name(directory, segment)?;
    match directory.link(segment, &kept) {
        Ok(()) => (),
        // A file system without hard links.
        Err(e) if matches!(e.raw_os_error(), Some(libc::EPERM | libc::ENOTSUP | libc::EMLINK | libc::ENOSYS)) => {
            copy::file(directory, segment, &kept)?;
        }
        Err(e) => return Err(Error::io(&e, "link").at(&path)),
    }
    let sync = || directory.sync().map_err(|e| Error::io(&e, "sync").at(directory.path()));
    // The damaged file durably has its second name before its first name is given to the new file.
    sync()?;
    directory.rename(made, segment).map_err(|e| Error::io(&e, "rename").at(&path))?;
    sync()?;
    Ok(kept)
}

/// Renames files to their final names, and takes their sources, which have other names, out of the log: the last first,
/// so that a crash leaves the beginning of a log.
fn take_places_of(directory: &dyn Directory, made: &[Renamed]) -> Result<()> {
    for Renamed { made, name, .. } in made {
        directory.rename(made, name).map_err(|e| Error::io(&e, "rename").at(&directory.path_of(name)))?;
    }
    if !made.is_empty() {
        directory.sync().map_err(|e| Error::io(&e, "sync").at(directory.path()))?;
    }
    made.iter().rev().try_for_each(|renamed| set_aside(directory, &renamed.source))
}

/// A segment that was written anew under another name than that of its source.
struct Renamed {
    source: String,
    made: String,
    name: String,
}
