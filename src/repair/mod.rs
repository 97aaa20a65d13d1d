//! Damaged logs made whole again: what a salvaging cursor shows is written to clean segments, which tell what was lost.
//!
//! A recovered segment keeps its name, its sequence number and the ids of its records. Where records were lost, a
//! RECOVERED event says which, so that readers know of the gap and do not take it for damage; the file header tells the
//! segment that it was recovered from.

mod copy;
mod index;
mod places;
mod rewrite;

use std::collections::HashSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::error::{Error, Kind, Result};
use crate::io::{self, Access, Directory, RealDirectory};
use crate::log::{
    accept_end, accept_loss_of_all, mark, names, refuse_url, take_lock, vanished, Slot, Snapshot, Source, Vanished,
};
use crate::options::{
    Loss, LossKind, OnLoss, ReaderMode, ReaderOptions, Required, WriterOptions, DEFAULT_BLOCK_MAX_BYTES,
};
use crate::writer::Writer;

pub use index::{rebuild_index, rebuild_index_in};
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
    /// The file that was read; in place, where it is kept now.
    pub source: PathBuf,
    /// The file that holds what was saved.
    pub target: PathBuf,
    /// Records that were saved.
    pub records: u64,
}

/// Counts losses on their way to whoever wants to hear of them.
#[derive(Clone)]
struct Losses {
    told: OnLoss,
    /// Losses, and records lost by them.
    sum: Arc<Mutex<(u64, u64)>>,
}

impl Losses {
    fn new(on_loss: Option<OnLoss>) -> Self {
        let sum = Arc::new(Mutex::new((0, 0)));
        let counted = sum.clone();
        let doubles: Mutex<HashSet<PathBuf>> = Mutex::default();
        let told: OnLoss = Arc::new(move |loss: &Loss| {
            // Whoever reads the end of the log looks at its files once more, and sees copies again.
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
        Losses { told, sum }
    }
}

/// Writes everything that can be read of the log at `source` (a file, a directory, a pattern or a URL) to a new log: segments
/// of the same names in the directory `target`, which is made when it is not there and must hold no segment. The source
/// is only read. Each loss is told to `on_loss` as it is met.
///
/// # Errors
/// [`Kind::NotFound`] when nothing is there, [`Kind::Invalid`] when the target holds segments already, or what a recovery
/// has left there that was stopped, and what the
/// system says. What was written by then is left as it is, with the file [`RECOVERY_AT_WORK`] beside it, which stands in the
/// target from before the first segment until all of them are durable: it is left by a crash too, and neither a writer nor
/// another recovery takes such a directory for a log.
pub fn recover(source: impl AsRef<Path>, target: impl AsRef<Path>, on_loss: Option<OnLoss>) -> Result<Recovery> {
    recover_with(source, target, ReaderOptions { on_loss, ..ReaderOptions::default() })
}

/// As [`recover`], of a source that is opened with these options: their [`ReaderOptions::on_loss`], and what an object store
/// needs. Their mode is [`ReaderMode::Salvage`] whatever they say.
pub fn recover_with(source: impl AsRef<Path>, target: impl AsRef<Path>, options: ReaderOptions) -> Result<Recovery> {
    let path = target.as_ref();
    refuse_url(path, "write a log")?;
    let source = Source::of(source.as_ref(), &options)?;
    let bounds = options.block_max_bytes();
    let on_loss = options.on_loss;
    let target = RealDirectory::open_or_create(path).map_err(|e| Error::io(&e, "open the directory").at(path))?;
    recover_to(&source, Arc::new(target), on_loss, bounds)
}

/// As [`recover`], over directories of the caller's making.
pub fn recover_in(source: Arc<dyn Directory>, target: Arc<dyn Directory>, on_loss: Option<OnLoss>) -> Result<Recovery> {
    recover_to(&Source::Directory(source), target, on_loss, DEFAULT_BLOCK_MAX_BYTES)
}

fn recover_to(
    source: &Source,
    target: Arc<dyn Directory>,
    on_loss: Option<OnLoss>,
    block_max_bytes: u64,
) -> Result<Recovery> {
    let listed = target.list().map_err(|e| Error::io(&e, "list").at(target.path()))?;
    mark::check(&*target, &listed)?;
    if listed.iter().any(|name| names::is_segment(name)) {
        return Err(Error::invalid("the target holds segments already").at(target.path()));
    }
    let losses = Losses::new(on_loss);
    check_whole(source)?;
    let mut snapshot = open(source, block_max_bytes)?;
    let plan = rewrite::Plan::everything(&snapshot);
    places::tell_renamed(&mut snapshot, &losses);
    mark::set(&*target)?;
    let recovery = rewrite::rewrite(source, &snapshot, &plan, &target, &losses)?;
    target.sync().map_err(|e| Error::io(&e, "sync").at(target.path()))?;
    mark::remove(&*target)?;
    Ok(recovery)
}

/// Writes the damaged segments of a log anew, under their names. The damaged files are kept beside them as
/// `<segment>.damaged`; segments without damage are left alone. No writer may have the log open.
///
/// A crash in the middle leaves every segment either as it was or recovered; calling again goes on.
///
/// # Errors
/// [`Kind::NotFound`] when nothing is there, [`Kind::Locked`] when a writer has the log open, [`Kind::Invalid`] for a
/// pattern, and what the system says.
pub fn recover_in_place(path: impl AsRef<Path>, on_loss: Option<OnLoss>) -> Result<Recovery> {
    recover_in_place_with(path, ReaderOptions { on_loss, ..ReaderOptions::default() })
}

/// As [`recover_in_place`], of a log that is opened with these options: their [`ReaderOptions::on_loss`] and
/// [`field@ReaderOptions::block_max_bytes`].
pub fn recover_in_place_with(path: impl AsRef<Path>, options: ReaderOptions) -> Result<Recovery> {
    refuse_url(path.as_ref(), "recover in place")?;
    let source = Source::of(path.as_ref(), &options)?;
    let bounds = options.block_max_bytes();
    recover_there(&source, options.on_loss, bounds)
}

/// As [`recover_in_place`], over a directory of the caller's making.
pub fn recover_in_place_in(directory: Arc<dyn Directory>, on_loss: Option<OnLoss>) -> Result<Recovery> {
    recover_there(&Source::Directory(directory), on_loss, DEFAULT_BLOCK_MAX_BYTES)
}

fn recover_there(source: &Source, on_loss: Option<OnLoss>, block_max_bytes: u64) -> Result<Recovery> {
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
    places::tell_renamed(&mut snapshot, &losses);
    for remark in &snapshot.remarks {
        (losses.told)(&remark.to_loss());
    }
    let (plan, now) = rewrite::Plan::of_the_damaged(source, &snapshot, &losses)?;
    let passed_over = places::passed_over(&snapshot, &now);
    // First, so that a crash leaves what is made beside no other form of it.
    let other_forms = places::other_forms(&snapshot, &now, &plan, &passed_over);
    other_forms.iter().try_for_each(|name| set_aside(&*directory, name))?;
    let snapshot = now.without_remarks();
    let read_besides = places::read_besides(&snapshot, &plan, &passed_over);
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
        places::put_right(&*directory, &passed_over, &now, &plan)?;
    }
    directory.sync().map_err(|e| Error::io(&e, "sync").at(directory.path()))?;
    if matches!(source, Source::Directory(_)) {
        accept_ends(&*directory, source)?;
    }
    Ok(recovery)
}

/// Refuses what another recovery has not finished.
fn check_whole(source: &Source) -> Result<()> {
    match source {
        Source::Directory(directory) | Source::File(directory, _) => mark::check_in(&**directory),
        Source::Glob(_) | Source::Matching(..) => Ok(()),
    }
}

/// Notes of a log of which no segment is here that its records are lost, and begins an empty segment behind them.
fn accept_loss(directory: Arc<dyn Directory>, log: &Vanished, losses: &Losses) -> Result<Recovery> {
    let lock = take_lock(&*directory, &log.log, rewrite::FILE_MODE)?;
    (losses.told)(&Loss {
        kind: LossKind::Missing,
        path: directory.path_of(&names::lock(&log.log)),
        offset: 0,
        bytes: 0,
        // The first ones may have been taken away before.
        ids: (log.last_id > 0 && log.sequence == 1).then_some((1, log.last_id)),
        pages: None,
        reason: format!("no segment of the log is here, and {}", log.told()),
        durable: true,
    });
    accept_loss_of_all(&*directory, &log.log)?;
    drop(lock);
    let options = WriterOptions { name: log.log.clone(), background: false, ..WriterOptions::default() };
    Writer::open_in(directory, options)?.close()?;
    let (losses, lost_records) = *losses.sum.lock();
    Ok(Recovery { losses, lost_records, ..Recovery::default() })
}

/// Notes of each log that it ends with the last segment that is here: what came behind it is known to be lost.
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
        Source::Glob(_) | Source::Matching(..) => {
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

/// Takes the locks of the logs (when all of a directory is meant) and of their last segments, so that no writer comes in
/// between; of the others it only looks that none has them open: there may be more of them than a process may have files
/// open.
fn lock(directory: &dyn Directory, snapshot: &Snapshot, whole: bool) -> Result<Vec<Arc<dyn io::File>>> {
    let mut locks = vec![];
    let slots = &snapshot.slots;
    let mut names: Vec<&str> = slots.iter().map(|slot| slot.log.name.as_str()).collect();
    names.dedup();
    for name in names.into_iter().filter(|name| whole && crate::log::check_name(name).is_ok()) {
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

/// Takes the lock of a log. Its file, if there is none yet, gets the rights of the log's segments: whoever writes the log has to
/// open it, and another may be the one who repairs it.
fn lock_log(directory: &dyn Directory, name: &str, slots: &[Arc<Slot>]) -> Result<Arc<dyn io::File>> {
    let file = names::lock(name);
    let is_new = directory.facts(&file).is_err_and(|e| e.kind() == ErrorKind::NotFound);
    let lock = take_lock(directory, name, rewrite::FILE_MODE)?.into_file();
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

/// Takes a file out of the log, under a name that is no segment's.
fn set_aside(directory: &dyn Directory, name: &str) -> Result<()> {
    let kept = free_name(directory, name)?;
    directory.rename(name, &kept).map_err(|e| Error::io(&e, "rename").at(&directory.path_of(name)))
}

/// The name of a file of the log's directory.
fn name_of(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

/// Puts the file `made` in the place of a segment, and keeps that under another name, which is returned.
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
    // The damaged file has its second name for sure before the first goes to the new one.
    sync()?;
    directory.rename(made, segment).map_err(|e| Error::io(&e, "rename").at(&path))?;
    sync()?;
    Ok(kept)
}

/// Gives files their names, and takes the ones that they were made of, which are called otherwise, out of the log: the last
/// first, so that those that are left after a crash are the beginning of a log.
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
