//! From what can be read of a log, segment by segment, to clean segments.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;

use super::copy::{Batch, Output};
use super::{exchange, Losses, RecoveredSegment, Recovery};
use crate::error::{Error, Result};
use crate::format::declaration::{FileHeader, Predecessor, HAS_DICTIONARY};
use crate::io::{self, remove_if_there, Directory};
use crate::log::{Snapshot, Source};
use crate::options::{Filter, Loss, OnLoss, ReaderMode, ReaderOptions};
use crate::reader::Cursor;
use crate::segment::Segment;

/// Permission bits of new files, as a writer's by default, where those of the file that they are made of are not known.
pub(super) const FILE_MODE: u32 = 0o640;

/// Which segments of a snapshot are written anew, by their places in it.
pub(super) struct Plan {
    rewritten: HashSet<usize>,
    /// Segments that are there for the second time.
    pub repeated: Vec<usize>,
    in_place: bool,
}

impl Plan {
    /// All of them, somewhere else.
    pub fn everything(snapshot: &Snapshot) -> Self {
        Plan { rewritten: (0..snapshot.slots.len()).collect(), repeated: repeated(snapshot), in_place: false }
    }

    /// Those in which something is lost, and those between which something is.
    pub fn of_the_damaged(source: &Source, snapshot: &Snapshot) -> Result<Self> {
        let damaged: Arc<Mutex<HashSet<PathBuf>>> = Arc::default();
        let noted = damaged.clone();
        let note: OnLoss = Arc::new(move |loss: &Loss| {
            noted.lock().insert(loss.path.clone());
        });
        let mut cursor = salvaging(source, snapshot, note)?;
        while cursor.next_batch(usize::MAX, |_| ())? > 0 {}
        let damaged = damaged.lock();
        let slots = &snapshot.slots;
        let repeated = repeated(snapshot);
        let mut rewritten: HashSet<usize> =
            (0..slots.len()).filter(|&at| damaged.contains(&slots[at].path())).collect();
        let kept: Vec<usize> = (0..slots.len()).filter(|at| !repeated.contains(at)).collect();
        for pair in kept.windows(2) {
            let (this, next) = (snapshot.segment(pair[0])?, snapshot.segment(pair[1])?);
            let follows = next.header.predecessor.as_ref().is_some_and(|told| this.header.is_followed_by(told));
            if this.header.log_id == next.header.log_id && !follows {
                rewritten.extend(pair);
            }
        }
        Ok(Plan { rewritten, repeated, in_place: true })
    }
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

/// Writes the segments of the plan to `target`: under their names, or in the place of the damaged ones.
pub(super) fn rewrite(
    source: &Source,
    snapshot: &Snapshot,
    plan: &Plan,
    target: &Arc<dyn Directory>,
    losses: &Losses,
) -> Result<Recovery> {
    let mut cursor = salvaging(source, snapshot, losses.told.clone())?;
    let mut recovery = Recovery::default();
    let mut batch = Batch::default();
    let mut before: Option<FileHeader> = None;
    let places: Vec<usize> = (0..snapshot.slots.len()).filter(|at| !plan.repeated.contains(at)).collect();
    for (i, &at) in places.iter().enumerate() {
        let segment = &snapshot.segment(at)?;
        let next = places.get(i + 1).map(|&next| snapshot.segment(next)).transpose()?;
        let next = next.as_ref().filter(|next| next.header.log_id == segment.header.log_id);
        before = before.filter(|before| before.log_id == segment.header.log_id);
        let mut output = None;
        let name = if plan.in_place { format!("{}.recovering", segment.name) } else { segment.name.clone() };
        if plan.rewritten.contains(&at) {
            if plan.in_place {
                remove_if_there(&**target, &name)?;
            }
            let header = header(segment, before.as_ref(), next)?;
            let like = snapshot.slots[at].directory();
            output = Some(Output::create(&**target, &name, header, (like, segment), next.is_none())?);
        }
        loop {
            if batch.is_empty() && cursor.next_batch(usize::MAX, |record| batch.push(record))? == 0 {
                break;
            }
            batch.check()?;
            // The batch may be of a segment to come.
            if cursor.segment().path != segment.path {
                break;
            }
            if let Some(output) = &mut output {
                output.write(&batch)?;
            }
            batch.clear();
        }
        let Some(output) = output else {
            before = Some(segment.header.clone());
            continue;
        };
        let (written, records) = output.finish(next.map(|next| next.header.first_id))?;
        before = Some(written.header.clone());
        let (from, to) = match plan.in_place {
            true => {
                let kept = exchange(&**target, &segment.name, &name)?;
                (target.path_of(&kept), target.path_of(&segment.name))
            }
            false => (segment.path.clone(), written.path.clone()),
        };
        recovery.records += records;
        recovery.segments.push(RecoveredSegment { source: from, target: to, records });
    }
    (recovery.losses, recovery.lost_records) = *losses.sum.lock();
    Ok(recovery)
}

/// The header of a segment that is written anew, after the one with the header `before`.
fn header(segment: &Segment, before: Option<&FileHeader>, next: Option<&Arc<Segment>>) -> Result<FileHeader> {
    let old = &segment.header;
    let mut marker = [0; 8];
    io::fill_random(&mut marker).map_err(|e| Error::io(&e, "get random bytes"))?;
    if segment.is_unborn {
        // Nothing was there to be saved, and this log is a new one.
        let mut log_id = vec![0; 16];
        io::fill_random(&mut log_id).map_err(|e| Error::io(&e, "get random bytes"))?;
        return Ok(FileHeader { marker: u64::from_le_bytes(marker).max(1), log_id, ..old.clone() });
    }
    // A segment that was recovered before is still known to the next one by the marker that it had at first.
    let told = next.and_then(|next| next.header.predecessor.as_ref()).filter(|told| old.is_followed_by(told));
    let recovered = Predecessor {
        sequence: old.sequence,
        last_id: next.map_or(0, |next| next.header.first_id - 1),
        bytes: segment.file.len().ok().filter(|&len| len != u64::MAX).unwrap_or(0),
        marker: told.map_or(old.first_marker(), |told| told.marker),
        latest_ns: None,
    };
    let predecessor = before.map(|before| Predecessor {
        sequence: before.sequence,
        last_id: old.first_id - 1,
        bytes: 0,
        // Whatever becomes of that one, it keeps its first marker.
        marker: before.first_marker(),
        latest_ns: old.predecessor.as_ref().and_then(|told| told.latest_ns),
    });
    Ok(FileHeader {
        marker: u64::from_le_bytes(marker).max(1),
        predecessor: predecessor.or_else(|| old.predecessor.clone()),
        recovered: Some(recovered),
        // It tells of the file as it was; blocks are written anew without a dictionary.
        original: None,
        dictionary: vec![],
        incompatible: old.incompatible & !HAS_DICTIONARY,
        ..old.clone()
    })
}
