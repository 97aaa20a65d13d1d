//! Which old segments of a log are removed, and their removal.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use crate::error::{Error, Kind, Result};
use crate::format::declaration::FileHeader;
use crate::io::{exclude_others, Access, Directory, FileFacts, Identity};
use crate::log::names;
use crate::log::survey::{self, Oldest, Slot, SlotState, Snapshot};
use crate::options::Retention;
use crate::segment::{is_unborn, Segment};

/// The log whose segments are examined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ours {
    pub name: String,
    pub log_id: Vec<u8>,
    /// Number of the segment that is being written. It and later ones stay.
    pub active_sequence: u64,
}

/// A segment that is to be removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Expired {
    pub name: String,
    pub sequence: u64,
    /// Length of the file.
    pub bytes: u64,
    /// The rule that removes it: "age", "segments" or "bytes".
    pub why: &'static str,
    pub first_id: u64,
    /// `first_id - 1` when it holds no record of the user.
    pub last_id: u64,
    /// See [`FileHeader::known_as`].
    pub known_as: [u64; 3],
    identity: Option<Identity>,
    markers: [u64; 2],
    /// The file of the next segment.
    behind: String,
}

/// What is to be removed, and why no more is.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// The oldest first.
    pub expired: Vec<Expired>,
    /// Why a file that the rules would remove has to stay.
    pub obstacle: Option<Error>,
}

impl Plan {
    /// Leaves out the first segment that may not be removed, and all newer ones.
    pub fn keep_only(&mut self, may_go: impl FnMut(&&Expired) -> bool) {
        self.keep_first(self.expired.iter().take_while(may_go).count());
    }

    /// Leaves out the segments after the first `count`.
    pub fn keep_first(&mut self, count: usize) {
        if count < self.expired.len() {
            self.expired.truncate(count);
            self.obstacle = None;
        }
    }
}

/// The segments of a log that `keep` removes at the time `now_ns`; see [`Retention`].
///
/// With ten thousand segments this lists the directory once, queries each file's length if there is a rule for bytes,
/// or one for their number by which some have to be removed, and reads only the headers of those to be removed, of the
/// next one, and of one for each form of names. If anything contradicts the names, it uses all headers.
pub(crate) fn plan(directory: &Arc<dyn Directory>, log: &Ours, keep: &Retention, now_ns: i64) -> Result<Plan> {
    let mut lengths = Lengths { directory: &**directory, known: HashMap::new() };
    if !keep.is_some() {
        return Ok(Plan::default());
    }
    let listed = list(&**directory)?;
    if keep.age.is_none() && !lengths.exceed(log, keep, &listed)? {
        return Ok(Plan::default());
    }
    let there = survey::look(directory, listed, false)?;
    match walk((&there, false), log, (keep, now_ns), &mut lengths)?.filter(|plan| plan.obstacle.is_none()) {
        Some(plan) => Ok(plan),
        None => plan_by_headers(directory, &look_at_all(directory)?, log, keep, now_ns),
    }
}

/// As [`plan`], for the result of [`look_at_all`].
pub(crate) fn plan_by_headers(
    directory: &Arc<dyn Directory>,
    there: &Snapshot,
    log: &Ours,
    keep: &Retention,
    now_ns: i64,
) -> Result<Plan> {
    let mut lengths = Lengths { directory: &**directory, known: HashMap::new() };
    // Nothing is removed while another process exchanges files.
    Ok(walk((there, true), log, (keep, now_ns), &mut lengths)?.unwrap_or_default())
}

/// All headers in the directory, and the remains of damaged files.
pub(crate) fn look_at_all(directory: &Arc<dyn Directory>) -> Result<Snapshot> {
    survey::look(directory, list(&**directory)?, true)
}

/// Removes the segments, oldest first, and makes that durable. It is no error when one is gone already. After one that
/// cannot be removed, no more are removed: there is never a hole. Returns the failures.
///
/// The segment after them is made durable before: its beginning may be all that shows which ids the log has given.
pub(crate) fn remove(directory: &dyn Directory, expired: &[Expired]) -> Vec<Error> {
    let mut failed = vec![];
    if let Some(error) = expired.last().and_then(|last| keep_durable(directory, &last.behind).err()) {
        return vec![error];
    }
    // Another process that compresses a segment gives the result its name only while the source is there.
    let excluded = exclude_others(directory).and_then(|excluded| Ok((excluded, forms(directory, expired)?)));
    let (excluded, forms) = match excluded {
        Ok(excluded) => excluded,
        Err(error) => return vec![error],
    };
    for segment in expired {
        if let Err(error) = remove_one(directory, segment, &forms) {
            failed.push(error);
            break;
        }
    }
    if !expired.is_empty() {
        failed.extend(directory.sync().err().map(|e| Error::io(&e, "sync").at(directory.path())));
    }
    drop(excluded);
    failed
}

fn keep_durable(directory: &dyn Directory, name: &str) -> Result<()> {
    if directory.is_far() {
        return Ok(());
    }
    match directory.open(name, Access::Read).and_then(|file| file.sync_data()) {
        // A writer's hook has moved it away, or another process has compressed it: both leave a durable file.
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
        synced => synced.map_err(|e| Error::io(&e, "sync").at(&directory.path_of(name))),
    }
}

/// The files that may be forms of each of these segments, by the name of its ordinary form. One list serves all.
type Forms = HashMap<String, Vec<String>>;

fn forms(directory: &dyn Directory, expired: &[Expired]) -> Result<Forms> {
    let mut forms: Forms = expired.iter().map(|segment| (names::plain(&segment.name).into_owned(), vec![])).collect();
    // A list of a store is a request, and nothing is compressed there.
    if !directory.is_far() && !expired.is_empty() {
        for name in list(directory)? {
            if let Some(forms) = forms.get_mut(&*names::plain(&name)) {
                forms.push(name);
            }
        }
    }
    Ok(forms)
}

fn remove_one(directory: &dyn Directory, segment: &Expired, forms: &Forms) -> Result<()> {
    let failed = |e: &std::io::Error| Error::io(e, "remove").at(&directory.path_of(&segment.name));
    match directory.facts(&segment.name) {
        Ok(facts) if facts.is_plain && facts.identity == segment.identity => (),
        Ok(_) => {
            let reason = "another file has taken the place of the old segment, and stays";
            return Err(Error::new(Kind::Io, reason).at(&directory.path_of(&segment.name)));
        }
        Err(e) if e.kind() == ErrorKind::NotFound => return remove_other_forms(directory, segment, forms),
        Err(e) => return Err(failed(&e)),
    }
    match directory.remove(&segment.name) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(failed(&e)),
        // It may have been compressed since it was planned, and its source kept.
        _ => remove_other_forms(directory, segment, forms),
    }
}

/// Removes the file that has replaced an old segment since it was planned, or is beside it: another process may have
/// compressed that meanwhile, and the next segments are going to be removed.
fn remove_other_forms(directory: &dyn Directory, segment: &Expired, forms: &Forms) -> Result<()> {
    let others = forms.get(&*names::plain(&segment.name)).into_iter().flatten();
    for name in others.filter(|name| **name != segment.name) {
        let Some((_, header)) = look(directory, name)? else { continue };
        if header.sequence == segment.sequence && header.markers().iter().any(|it| segment.markers.contains(it)) {
            match directory.remove(name) {
                Err(e) if e.kind() != ErrorKind::NotFound => {
                    return Err(Error::io(&e, "remove").at(&directory.path_of(name)));
                }
                _ => (),
            }
        }
    }
    Ok(())
}

/// The logs of a directory, by the headers of the files in it; the newest segment of each counts as the one that is
/// being written. Only those of the name `only`, if it is given.
pub(crate) fn logs_of(there: &Snapshot, only: Option<&str>) -> Vec<Ours> {
    let mut logs: BTreeMap<(&str, &[u8]), u64> = BTreeMap::new();
    let is_segment = |slot: &&Arc<Slot>| !slot.is_legacy() && !slot.is_unborn && !slot.is_rescued();
    for slot in there.slots.iter().filter(is_segment).filter(|slot| only.is_none_or(|log| slot.log.name == log)) {
        let newest = logs.entry((&slot.log.name, &slot.log.id)).or_default();
        *newest = slot.sequence.max(*newest);
    }
    let ours = |((name, log_id), active_sequence): ((&str, &[u8]), u64)| Ours {
        name: name.to_owned(),
        log_id: log_id.to_owned(),
        active_sequence,
    };
    logs.into_iter().map(ours).collect()
}

/// As [`logs_of`], by names when there are many.
pub(crate) fn logs_in(directory: &Arc<dyn Directory>, only: Option<&str>) -> Result<Vec<Ours>> {
    /// Each time all files got other names between their list and their opening.
    const TRIES: usize = 100;
    let mut names = list(&**directory)?;
    for _ in 0..TRIES {
        let logs = logs_of(&survey::look(directory, names.clone(), false)?, only);
        if !logs.is_empty() {
            return Ok(logs);
        }
        let before = std::mem::replace(&mut names, list(&**directory)?);
        if names == before {
            break;
        }
    }
    Ok(vec![])
}

/// Whether a time is longer ago than `age`; one in the future, as a clock that was set back leaves it, is not.
fn is_longer_ago(then_ns: i64, age: Duration, now_ns: i64) -> bool {
    u128::try_from(i128::from(now_ns) - i128::from(then_ns)).is_ok_and(|ago| ago > age.as_nanos())
}

fn list(directory: &dyn Directory) -> Result<Vec<String>> {
    directory.list().map_err(|e| Error::io(&e, "list").at(directory.path()))
}

/// The facts about a plain file; `None` = it is something else, or gone.
fn facts_of(directory: &dyn Directory, name: &str) -> Result<Option<FileFacts>> {
    match directory.facts(name) {
        Ok(facts) => Ok(Some(facts).filter(|facts| facts.is_plain)),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Error::io(&e, "stat").at(&directory.path_of(name))),
    }
}

/// The header of a plain file; `None` = it is not a segment, is gone, or may not be read by this user. A failing system
/// is an error: otherwise a segment of this log could be skipped because of it, and a younger one removed.
pub(crate) fn look(directory: &dyn Directory, name: &str) -> Result<Option<(FileFacts, FileHeader)>> {
    let Some(facts) = facts_of(directory, name)? else { return Ok(None) };
    match Segment::open(directory, name, Access::Read) {
        Ok(segment) => {
            // Between the two calls a link may have replaced it.
            let opened = segment.file.identity().ok().flatten();
            let is_same = opened.is_none() || opened == facts.identity;
            Ok(is_same.then_some((facts, segment.header)))
        }
        Err(e) if matches!(e.kind(), Kind::Corrupt | Kind::Unsupported | Kind::NotFound) => Ok(None),
        Err(e) if is_denied(&e) => Ok(None),
        Err(e) => Err(e),
    }
}

/// Whether the system denies this user access to the file.
fn is_denied(error: &Error) -> bool {
    matches!(error.os_code(), Some(libc::EACCES | libc::EPERM))
}

/// The lengths of files, each queried once.
struct Lengths<'a> {
    directory: &'a dyn Directory,
    known: HashMap<String, Option<u64>>,
}

impl Lengths<'_> {
    /// The length of a plain file.
    fn of(&mut self, name: &str) -> Result<Option<u64>> {
        if let Some(known) = self.known.get(name) {
            return Ok(*known);
        }
        let len = match self.directory.listed(name) {
            Some((len, _)) => Some(len),
            None => facts_of(self.directory, name)?.map(|facts| facts.len),
        };
        self.known.insert(name.to_owned(), len);
        Ok(len)
    }

    /// Whether a rule is exceeded, if all files with such names are segments of the log.
    fn exceed(&mut self, log: &Ours, keep: &Retention, listed: &[String]) -> Result<bool> {
        let (mut old, mut bytes) = (HashSet::new(), 0u64);
        for name in listed {
            let Some(named) = names::sequence(&log.name, name).filter(|named| *named <= log.active_sequence) else {
                continue;
            };
            if named < log.active_sequence {
                // One that exists both compressed and uncompressed is one segment.
                old.insert(names::plain(name));
            }
            if keep.bytes.is_some() {
                bytes = bytes.saturating_add(self.of(name)?.unwrap_or(0));
            }
        }
        Ok(excess(keep, 1 + old.len() as u64, bytes).is_some())
    }
}

/// The rule that so many segments and bytes exceed.
fn excess(keep: &Retention, segments: u64, bytes: u64) -> Option<&'static str> {
    match keep {
        Retention { segments: Some(most), .. } if segments > *most => Some("segments"),
        Retention { bytes: Some(most), .. } if bytes > *most => Some("bytes"),
        _ => None,
    }
}

/// What is to be removed of the log according to `there`, which was examined `thoroughly` or not; `None` when its files
/// are not what their names say, or are being exchanged.
fn walk(
    (there, thoroughly): (&Snapshot, bool),
    log: &Ours,
    (keep, now_ns): (&Retention, i64),
    lengths: &mut Lengths<'_>,
) -> Result<Option<Plan>> {
    let directory = lengths.directory;
    let oldest = Oldest::of(directory, there, (&log.name, &log.log_id))?;
    if !thoroughly && (oldest.is_doubtful() || !is_confirmed(there, &oldest, log, lengths, keep)?) {
        return Ok(None);
    }
    let is_old = |slot: &&&Arc<Slot>| slot.sequence < log.active_sequence;
    let mut segments = 1 + oldest.segments.iter().filter(is_old).count() as u64;
    let mut bytes = 0;
    for slot in oldest.segments.iter().filter(|slot| keep.bytes.is_some() && slot.sequence <= log.active_sequence) {
        bytes += length(slot, &oldest, lengths)?;
    }
    let mut plan = Plan::default();
    for (this, next) in oldest.segments.iter().zip(oldest.segments.iter().skip(1)) {
        // No header is read unless a rule needs one, and the next segment must exist: only it shows the age, and that
        // the log continued.
        if !is_old(&this) || (keep.age.is_none() && excess(keep, segments, bytes).is_none()) {
            break;
        }
        let Some(behind) = open(there, next)? else { return Ok(None) };
        let is_aged = keep.age.is_some_and(|age| is_longer_ago(behind.header.created_ns, age, now_ns));
        let rule = if is_aged { Some("age") } else { excess(keep, segments, bytes) };
        let Some(why) = rule else { break };
        let Some(segment) = open(there, this)? else { return Ok(None) };
        if let Some(obstacle) = oldest.obstacle(this, segment.header.first_id) {
            plan.obstacle = Some(obstacle.clone());
            break;
        }
        // The one that is read is removed last.
        let mut expired = vec![];
        for file in oldest.others(this).iter().chain([this]) {
            let Some(segment) = open(there, file)? else { return Ok(None) };
            match to_expired(directory, &segment, &behind, why)? {
                Some(file) => expired.push(file),
                // Another process is removing or replacing it.
                None if !is_link(directory, &segment.name) => return Ok(None),
                None => {
                    plan.obstacle = Some(linked(&segment));
                    return Ok(Some(plan));
                }
            }
        }
        segments -= 1;
        if keep.bytes.is_some() {
            bytes -= length(this, &oldest, lengths)?;
        }
        plan.expired.extend(expired);
    }
    Ok(Some(plan))
}

/// Whether the facts taken from names alone are right as far as the rules depend on them: no file that was never begun
/// counts, and none is named as if it came after the one that is being written.
fn is_confirmed(
    there: &Snapshot,
    oldest: &Oldest<'_>,
    log: &Ours,
    lengths: &mut Lengths<'_>,
    keep: &Retention,
) -> Result<bool> {
    const SMALL: u64 = 4096;
    for slot in oldest.segments.iter().filter(|slot| slot.known().is_none()) {
        let is_confirmed = match slot.sequence.cmp(&log.active_sequence) {
            // A segment in a store was closed before it got there.
            Ordering::Less if keep.segments.is_none() || lengths.directory.is_far() => true,
            // The length decides most cases; normally unbegun files are empty.
            Ordering::Less => match lengths.of(&slot.name)? {
                Some(len) => len >= SMALL || !is_unborn(lengths.directory, &slot.name),
                None => false,
            },
            Ordering::Equal => true,
            Ordering::Greater => open(there, slot)?.is_some(),
        };
        if !is_confirmed {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The segment; `None` when the file is gone, or is another one than expected.
fn open(there: &Snapshot, slot: &Slot) -> Result<Option<Arc<Segment>>> {
    match there.open_slot(slot) {
        Ok(SlotState::Segment(segment)) => Ok(Some(segment)),
        Ok(SlotState::Unborn | SlotState::Gone) => Ok(None),
        Err(e) if matches!(e.kind(), Kind::Corrupt | Kind::Unsupported | Kind::NotFound) || is_denied(&e) => Ok(None),
        Err(e) => Err(e),
    }
}

/// Length of all files of a segment.
fn length(slot: &Arc<Slot>, oldest: &Oldest<'_>, lengths: &mut Lengths<'_>) -> Result<u64> {
    let mut sum = 0;
    for file in oldest.others(slot).iter().chain([&slot]).filter(|file| file.is_same_segment(slot)) {
        sum += lengths.of(&file.name)?.unwrap_or(0);
    }
    Ok(sum)
}

fn last_id(segment: &Segment, behind: &Segment) -> u64 {
    let stated = behind.header.predecessor.as_ref().filter(|stated| segment.header.is_followed_by(stated));
    stated.map_or(behind.header.first_id - 1, |stated| stated.last_id)
}

/// `None` when the name does not refer to the file that was opened, but to a link to it, or to another one.
fn to_expired(
    directory: &dyn Directory,
    segment: &Segment,
    behind: &Segment,
    why: &'static str,
) -> Result<Option<Expired>> {
    let opened = segment.file.identity().ok().flatten();
    let facts = match (directory.is_far(), segment.file_len()) {
        // It was queried just now, and is queried again before it is removed.
        (true, Some(len)) if opened.is_some() => Some(FileFacts { len, is_plain: true, identity: opened }),
        _ => facts_of(directory, &segment.name)?,
    };
    let Some(facts) = facts else { return Ok(None) };
    let is_same = opened.is_none() || opened == facts.identity;
    let header = &segment.header;
    Ok(is_same.then(|| Expired {
        name: segment.name.clone(),
        sequence: header.sequence,
        bytes: facts.len,
        why,
        first_id: header.first_id,
        last_id: last_id(segment, behind),
        known_as: header.known_as(),
        identity: facts.identity,
        markers: header.markers(),
        behind: behind.name.clone(),
    }))
}

/// Whether this is the name of something other than a file, although a file was opened by it.
fn is_link(directory: &dyn Directory, name: &str) -> bool {
    directory.facts(name).is_ok_and(|facts| !facts.is_plain)
}

fn linked(segment: &Segment) -> Error {
    let sequence = segment.header.sequence;
    let reason = format!(
        "the file is a symbolic link, so that segments from number {sequence} on are not removed: put the file itself into its \
         place"
    );
    Error::new(Kind::Io, reason).at(&segment.path)
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
