//! Writes the readable records of a log, segment by segment, to clean segments.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;

use super::copy::{Batch, Output};
use super::{exchange, free_name, take_places_of, Losses, RecoveredSegment, Recovery, Renamed};
use crate::error::{Error, Kind, Result};
use crate::format::declaration::{FileHeader, Predecessor, HAS_DICTIONARY, SPACE};
use crate::io::{self, clock, remove_if_there, Directory};
use crate::log::{names, read_left, rightful_name, Snapshot, Source};
use crate::options::{check_name, Filter, Loss, OnLoss, ReaderMode, ReaderOptions};
use crate::reader::Cursor;
use crate::record::Record;
use crate::segment::{Segment, EXTENSION};

/// Suffix of a segment that is being written in place.
const RECOVERING: &str = ".recovering";

/// Which segments of a snapshot are written anew, by their places in it.
pub(super) struct Plan {
    rewritten: HashSet<usize>,
    /// Segments that repeat another one.
    pub repeated: Vec<usize>,
    /// Segments that are read from two files, as each is damaged somewhere.
    pub mixed: Vec<usize>,
    /// New names of logs, by their ids, if another log here has the same name.
    pub renamed: HashMap<Vec<u8>, String>,
    in_place: bool,
}

impl Plan {
    /// Writes all segments, to another place.
    pub fn everything(snapshot: &Snapshot) -> Self {
        Plan {
            rewritten: (0..snapshot.slots.len()).collect(),
            repeated: repeated(snapshot),
            mixed: vec![],
            renamed: snapshot.of_the_same_name(),
            in_place: false,
        }
    }

    /// Selects the segments in which something is lost, and those between which something is lost. Also returns the
    /// snapshot with the files that the segments are read from: their other files may be damaged, which is reported.
    pub fn of_the_damaged(source: &Source, snapshot: &Snapshot, losses: &Losses) -> Result<(Self, Snapshot)> {
        let (damaged, mut read_from) = first_losses(source, snapshot)?;
        let is_other = |at: &usize| !Arc::ptr_eq(&snapshot.slots[*at], &read_from.slots[*at]);
        let others: Vec<usize> = (0..snapshot.slots.len()).filter(is_other).collect();
        // The other file is whole after the damage for which it was chosen, but may be damaged before it, too.
        let mut mixed = vec![];
        if !others.is_empty() {
            let (damaged, _) = first_losses(source, &read_from)?;
            mixed = others.into_iter().filter(|&at| damaged.contains_key(&read_from.slots[at].path())).collect();
            mixed.iter().for_each(|&at| read_from.read_as_in(snapshot, at));
        }
        let others = snapshot.slots.iter().zip(&read_from.slots).filter(|(before, now)| !Arc::ptr_eq(before, now));
        others.filter_map(|(before, _)| damaged.get(&before.path())).for_each(|loss| (losses.report)(loss));
        let snapshot = &read_from;
        let slots = &snapshot.slots;
        let repeated = repeated(snapshot);
        let mut rewritten: HashSet<usize> =
            (0..slots.len()).filter(|&at| damaged.contains_key(&slots[at].path())).collect();
        rewritten.extend(&mixed);
        let renamed = snapshot.of_the_same_name();
        rewritten.extend((0..slots.len()).filter(|&at| renamed.contains_key(&slots[at].log.id)));
        let kept: Vec<usize> = (0..slots.len()).filter(|at| !repeated.contains(at)).collect();
        for pair in kept.windows(2) {
            let (this, next) = (snapshot.segment(pair[0])?, snapshot.segment(pair[1])?);
            let follows = next.header.predecessor.as_ref().is_some_and(|named| this.header.is_followed_by(named));
            if this.header.log_id == next.header.log_id && !follows {
                rewritten.extend(pair);
            }
        }
        Ok((Plan { rewritten, repeated, mixed, renamed, in_place: true }, snapshot.clone()))
    }

    /// Whether the segment at this place of the snapshot is changed.
    pub fn replaces(&self, at: usize) -> bool {
        self.rewritten.contains(&at) || self.repeated.contains(&at)
    }
}

/// Reads everything, and returns the first loss in each file, and the snapshot with the files that it was read from.
fn first_losses(source: &Source, snapshot: &Snapshot) -> Result<(HashMap<PathBuf, Loss>, Snapshot)> {
    let damaged: Arc<Mutex<HashMap<PathBuf, Loss>>> = Arc::default();
    let noted = damaged.clone();
    let note: OnLoss = Arc::new(move |loss: &Loss| {
        noted.lock().entry(loss.path.clone()).or_insert_with(|| loss.clone());
    });
    // Findings about files that cost no record are no damage.
    let mut cursor = salvaging(source, &snapshot.without_remarks(), note)?;
    while next_batch(&mut cursor, |_| ())? > 0 {}
    let read_from = cursor.read_from(snapshot);
    drop(cursor);
    let damaged = std::mem::take(&mut *damaged.lock());
    Ok((damaged, read_from))
}

fn repeated(snapshot: &Snapshot) -> Vec<usize> {
    let mut seen = HashSet::new();
    let slots = snapshot.slots.iter().enumerate();
    slots.filter(|(_, slot)| !seen.insert((&slot.log.id, slot.sequence))).map(|(at, _)| at).collect()
}

fn salvaging(source: &Source, snapshot: &Snapshot, on_loss: OnLoss) -> Result<Cursor> {
    let options = ReaderOptions { mode: ReaderMode::Salvage, on_loss: Some(on_loss), ..ReaderOptions::default() };
    Cursor::new(source.clone(), snapshot.clone(), &options, &Filter { events: true, ..Filter::default() })
}

/// As [`Cursor::next_batch`], past old segments that were removed while the log was read: those are no loss.
fn next_batch(cursor: &mut Cursor, mut each: impl FnMut(&Record<'_>)) -> Result<usize> {
    loop {
        match cursor.next_batch(usize::MAX, &mut each) {
            Err(error) if error.kind() == Kind::Missed => (),
            shown => return shown,
        }
    }
}

/// The first of these segments that was not removed since they were listed, and its place. What is missing between
/// others is reported by the cursor.
fn next_there(snapshot: &Snapshot, places: &mut impl Iterator<Item = usize>) -> Result<Option<(usize, Arc<Segment>)>> {
    for at in places {
        match snapshot.segment(at) {
            Err(error) if error.kind() == Kind::NotFound => (),
            opened => return opened.map(|segment| Some((at, segment))),
        }
    }
    Ok(None)
}

/// Writes the segments of the plan to `target`: under their names, or in the place of the damaged ones.
pub(super) fn rewrite(
    source: &Source,
    snapshot: &Snapshot,
    plan: &Plan,
    target: &Arc<dyn Directory>,
    losses: &Losses,
) -> Result<Recovery> {
    let mut making = None;
    let recovery = rewrite_segments(source, snapshot, plan, (target, losses), &mut making);
    if let (Err(_), Some(made)) = (&recovery, making) {
        // The next call would remove it too; the error that stopped this one is the one to report.
        let _ = remove_if_there(&**target, &made);
    }
    recovery
}

/// As [`rewrite`]; `making` is the file that is being made beside the damaged one.
fn rewrite_segments(
    source: &Source,
    snapshot: &Snapshot,
    plan: &Plan,
    (target, losses): (&Arc<dyn Directory>, &Losses),
    making: &mut Option<String>,
) -> Result<Recovery> {
    // The files in which something was lost, and the id after the last record that is known to be lost.
    let lost: Arc<Mutex<HashMap<PathBuf, u64>>> = Arc::default();
    let (noted, report) = (lost.clone(), losses.report.clone());
    let note: OnLoss = Arc::new(move |loss: &Loss| {
        let next_id = loss.ids.map_or(0, |(_, last)| last.saturating_add(1));
        let mut noted = noted.lock();
        let known = noted.entry(loss.path.clone()).or_default();
        *known = next_id.max(*known);
        drop(noted);
        report(loss);
    });
    let mut cursor = salvaging(source, snapshot, note)?;
    let mut recovery = Recovery::default();
    let mut batch = Batch::default();
    let mut ids = NewIds::default();
    // Files are renamed after everything is read, because the cursor looks for new segments.
    let mut later = vec![];
    // The header of the previous segment, and the log's original id.
    let mut before: Option<(Vec<u8>, FileHeader)> = None;
    let mut places = (0..snapshot.slots.len()).filter(|at| !plan.repeated.contains(at));
    let mut following = next_there(snapshot, &mut places)?;
    while let Some((at, segment)) = &following.take() {
        let at = *at;
        // It stays open until it is read, even if it is removed meanwhile.
        following = next_there(snapshot, &mut places)?;
        let next = following.as_ref().map(|(_, next)| next);
        let next = next.filter(|next| next.header.log_id == segment.header.log_id);
        before = before.filter(|(log_id, _)| *log_id == segment.header.log_id);
        let mut output = None;
        let mut name = segment.name.clone();
        if plan.rewritten.contains(&at) {
            let like = snapshot.slots[at].directory();
            let mut header = header(segment, before.as_ref().map(|(_, before)| before), next)?;
            ids.give(&mut header, like, segment.is_unborn)?;
            // A segment that is written anew contains none of the holes that were found in it.
            let is_anew = |sequence: u64| {
                let mut anew = plan.rewritten.iter().map(|&at| &snapshot.slots[at]);
                anew.any(|slot| slot.sequence == sequence && slot.log.id == segment.header.log_id)
            };
            header.holes.retain(|hole| !is_anew(hole.sequence));
            let new_log = plan.renamed.get(&segment.header.log_id);
            header.name = new_log.unwrap_or(&header.name).clone();
            if new_log.is_some() || !plan.in_place {
                name = rightful_name(&header, &name);
            }
            if !plan.in_place && !names::is_segment(&name) {
                // A log of one file may have any name; the target is read as a directory.
                name.push_str(EXTENSION);
            }
            let made = if plan.in_place { format!("{name}{RECOVERING}") } else { name.clone() };
            if plan.in_place {
                remove_if_there(&**target, &made)?;
                *making = Some(made.clone());
            }
            output = Some(Output::create(&**target, &made, header, (like, segment), next.is_none())?);
        }
        loop {
            if batch.is_empty() && next_batch(&mut cursor, |record| batch.push(record))? == 0 {
                break;
            }
            batch.check()?;
            // The batch may belong to a later segment, which may be read from another file than the damaged one.
            if !is_same(cursor.segment(), segment) {
                break;
            }
            if let Some(output) = &mut output {
                if cursor.has_lost() {
                    output.name(&cursor.names_known()?, &batch, &mut |sum| cursor.schema_of(sum))?;
                }
                output.write(&batch)?;
            }
            batch.clear();
        }
        let Some(mut output) = output else {
            before = Some((segment.header.log_id.clone(), segment.header.clone()));
            continue;
        };
        // An index may contain names that no event contains, as a crash can leave them.
        output.name(&segment.names_by_index()?, &Batch::default(), &mut |sum| cursor.schema_of(sum))?;
        // It may have been read from another file than this one.
        let files = snapshot.others(at).iter().map(|slot| slot.path()).chain([segment.path.clone()]);
        let lost_to = files.filter_map(|path| lost.lock().get(&path).copied()).max();
        if lost_to.is_some() {
            output.name(&cursor.names_known()?, &Batch::default(), &mut |sum| cursor.schema_of(sum))?;
        }
        let (written, records) = output.finish(next.map(|next| next.header.first_id).or(lost_to))?;
        before = Some((segment.header.log_id.clone(), written.header.clone()));
        let from = match (plan.in_place, name == segment.name) {
            (true, true) => target.path_of(&exchange(&**target, &name, &written.name)?),
            (true, false) => {
                let kept = free_name(&**target, &segment.name)?;
                let (source, made) = (segment.name.clone(), written.name.clone());
                later.push(Renamed { source, made, name: name.clone() });
                target.path_of(&kept)
            }
            (false, _) => segment.path.clone(),
        };
        *making = None;
        let to = target.path_of(&name);
        recovery.records += records;
        recovery.segments.push(RecoveredSegment { source: from, target: to, records });
    }
    take_places_of(&**target, &later)?;
    (recovery.losses, recovery.lost_records) = *losses.sum.lock();
    Ok(recovery)
}

/// The ids of logs whose segments contain none.
#[derive(Default)]
struct NewIds(HashMap<String, Vec<u8>>);

impl NewIds {
    /// Puts an id into a header that has none: that of the lock file, or otherwise a new one, which all segments of the
    /// log share. A log without any segment continues after the records that the lock file notes.
    fn give(&mut self, header: &mut FileHeader, directory: &dyn Directory, is_unborn: bool) -> Result<()> {
        if header.log_id.iter().any(|&byte| byte != 0) {
            return Ok(());
        }
        let is_log = check_name(&header.name).is_ok() && !directory.is_far();
        let noted = Some(()).filter(|()| is_log).and_then(|()| read_left(directory, &header.name));
        if let Some(left) = noted.as_ref().filter(|_| is_unborn) {
            header.first_id = left.next_id;
        }
        if !self.0.contains_key(&header.name) {
            let id = match noted {
                Some(left) => left.log_id,
                None => {
                    let mut id = vec![0; 16];
                    io::fill_random(&mut id).map_err(|e| Error::io(&e, "get random bytes"))?;
                    id
                }
            };
            self.0.insert(header.name.clone(), id);
        }
        header.log_id.clone_from(&self.0[&header.name]);
        Ok(())
    }
}

fn is_same(read: &Segment, segment: &Segment) -> bool {
    read.path == segment.path
        || (&read.header.log_id, read.header.sequence) == (&segment.header.log_id, segment.header.sequence)
}

/// The header of a segment that is written anew, after the one with the header `before`.
fn header(segment: &Segment, before: Option<&FileHeader>, next: Option<&Arc<Segment>>) -> Result<FileHeader> {
    let old = &segment.header;
    let mut marker = [0; 8];
    io::fill_random(&mut marker).map_err(|e| Error::io(&e, "get random bytes"))?;
    if segment.is_unborn {
        // There was nothing to save.
        let created_ns = clock::now_ns();
        return Ok(FileHeader { marker: u64::from_le_bytes(marker).max(1), created_ns, ..old.clone() });
    }
    // The next segment names an already recovered segment still by its first marker.
    let named = next.and_then(|next| next.header.predecessor.as_ref()).filter(|named| old.is_followed_by(named));
    let recovered = Predecessor {
        sequence: old.sequence,
        last_id: next.map_or(0, |next| next.header.first_id - 1),
        bytes: segment.file.len().ok().filter(|&len| len != u64::MAX).unwrap_or(0),
        marker: named.map_or(old.first_marker(), |named| named.marker),
        ..Predecessor::default()
    };
    let predecessor = before.map(|before| Predecessor {
        sequence: before.sequence,
        last_id: old.first_id - 1,
        bytes: 0,
        // The previous segment keeps its first marker in any case.
        marker: before.first_marker(),
        latest_ns: old.predecessor.as_ref().and_then(|before| before.latest_ns),
        disorder_ns: old.predecessor.as_ref().and_then(|before| before.disorder_ns),
    });
    Ok(FileHeader {
        marker: u64::from_le_bytes(marker).max(1),
        predecessor: predecessor.or_else(|| old.predecessor.clone()),
        recovered: Some(recovered),
        // It describes the original file; blocks are written anew without a dictionary.
        original: None,
        dictionary: vec![],
        incompatible: old.incompatible & !(HAS_DICTIONARY | SPACE),
        ..old.clone()
    })
}
