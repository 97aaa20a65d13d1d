//! Files in the wrong place: copies and damaged forms are taken out of the log, and wrong names are corrected.

use std::path::PathBuf;

use super::rewrite::Plan;
use super::{name_of, set_aside, Losses};
use crate::error::{Error, Result};
use crate::io::Directory;
use crate::log::{names, rightful_name, Slot, Snapshot};
use crate::options::{Loss, LossKind};
use crate::segment::{is_unborn, EXTENSION};

/// The files of `before` that are skipped when `now` is read.
pub(super) fn passed_over(before: &Snapshot, now: &Snapshot) -> Vec<PathBuf> {
    let is_read = |path: &PathBuf| now.slots.iter().any(|slot| slot.path() == *path);
    let remarked = before.remarks.iter().map(|remark| remark.path.clone());
    let mut files: Vec<PathBuf> = before.slots.iter().map(|slot| slot.path()).chain(remarked).collect();
    files.retain(|path| !is_read(path));
    files.sort();
    files.dedup();
    files
}

/// Other files of the segments that are written anew or taken out of the log, which are whole except for their
/// surroundings: each would make the segment appear twice.
pub(super) fn other_forms(before: &Snapshot, now: &Snapshot, plan: &Plan, passed_over: &[PathBuf]) -> Vec<String> {
    // The files that are read to replace what the first ones have lost are still needed.
    let places = (0..before.slots.len()).filter(|at| plan.replaces(*at) && !plan.mixed.contains(at));
    let others = places.flat_map(|at| before.others(at).iter().filter(move |slot| slot.path() != now.slots[at].path()));
    others.filter(|slot| !passed_over.contains(&slot.path())).map(|slot| slot.name.clone()).collect()
}

/// The other forms of segments that were written anew from both.
pub(super) fn read_besides(before: &Snapshot, plan: &Plan, passed_over: &[PathBuf]) -> Vec<String> {
    let others = plan.mixed.iter().flat_map(|&at| before.others(at));
    others.filter(|slot| !passed_over.contains(&slot.path())).map(|slot| slot.name.clone()).collect()
}

/// Reports the segments whose log gets a name of its own, because another one here has the same. Nothing else about
/// their files' names is reported.
pub(super) fn report_renamed(snapshot: &mut Snapshot, losses: &Losses) {
    let renamed = snapshot.of_the_same_name();
    for slot in &snapshot.slots {
        let Some(name) = renamed.get(&slot.log.id) else { continue };
        let reason = format!(
            "the segment is of another log of the name {:?}, which is saved as the log {name:?}: two logs of one name cannot \
             be in one directory",
            slot.log.name
        );
        let path = slot.path();
        snapshot.remarks.retain(|remark| remark.path != path);
        let kind = LossKind::Misnamed;
        (losses.report)(&Loss {
            kind,
            path,
            offset: 0,
            bytes: slot.len(),
            ids: None,
            pages: None,
            reason,
            durable: true,
        });
    }
}

/// Takes the files out of the log, and gives each segment the name that its header states, if it has another one.
pub(super) fn put_right(
    directory: &dyn Directory,
    passed_over: &[PathBuf],
    snapshot: &Snapshot,
    plan: &Plan,
) -> Result<()> {
    passed_over.iter().try_for_each(|path| set_aside(directory, name_of(path)))?;
    let mut renamed = vec![];
    let is_wrong = |slot: &Slot| {
        !slot.is_as_written() && !slot.is_legacy() && !slot.is_unborn && !plan.renamed.contains_key(&slot.log.id)
    };
    let is_there = |at: usize| !plan.repeated.contains(&at);
    for (at, slot) in snapshot.slots.iter().enumerate().filter(|(at, slot)| is_there(*at) && is_wrong(slot)) {
        // The first segment of a log may have a greater number in its name: that is no finding.
        let is_reported = snapshot.remarks.iter().any(|remark| remark.path == slot.path());
        let has_other_number =
            names::sequence(&slot.log.name, &slot.name).is_some_and(|number| number != slot.sequence);
        if has_other_number && !is_reported {
            continue;
        }
        let right = rightful_name(&snapshot.segment(at)?.header, &slot.name);
        if right != slot.name {
            // If two have each other's name, one gets a third name in between, by which it is found after a crash, too.
            let between = right.replace(EXTENSION, &format!(".renamed{EXTENSION}"));
            rename(directory, &slot.name, &between)?;
            renamed.push((between, right));
        }
    }
    renamed.iter().try_for_each(|(between, right)| match directory.facts(right) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => rename(directory, between, right),
        // A file that was never begun, or emptied, is in the segment's place.
        Ok(_) if is_unborn(directory, right) => {
            set_aside(directory, right)?;
            rename(directory, between, right)
        }
        // It belongs to another log, and the number in the name is right.
        _ => Ok(()),
    })
}

fn rename(directory: &dyn Directory, from: &str, to: &str) -> Result<()> {
    directory.rename(from, to).map_err(|e| Error::io(&e, "rename").at(&directory.path_of(from)))
}
