//! Damaged files and holes: segments that are not sent, or not removed here, until an operator acts.

use std::collections::BTreeSet;
use std::time::Instant;

use super::holes::{cause, holes, Numbers};
use super::keeper::{entry_of, Keeper};
use super::local::{Here, Local};
use super::obstacle::{HeldBack, Obstacle};
use super::sound::damage_of;
use super::{here as failed_here, ShipMonitor, Shipper, Work};
use crate::error::{Error, Kind, Result};
use crate::ledger::{Entry, Stage};
use crate::log::labels::pruned_to;
use crate::log::names;
use crate::store::Answer;

impl Shipper {
    /// The damage of a segment that is here.
    pub(super) fn damage_of(&self, here: &Here, segment: &Local, monitor: &dyn ShipMonitor) -> Answer<Option<Error>> {
        let behind = here.behind(segment);
        damage_of(&self.directory, &segment.name, &behind, &|| monitor.stop()).map_err(failed_here)
    }

    /// Whether the segment was found to be damaged recently, and its file has not changed.
    pub(super) fn is_held_back(&self, work: &mut Work, segment: &Local) -> bool {
        let is_accepted = entry_of(&work.keeper.lock(), self.store.url(), segment).is_some_and(|entry| entry.accepted);
        let facts = self.directory.facts(&segment.name).ok();
        let is_same = |held: &&HeldBack| {
            held.local == *segment && held.facts == facts && held.at.elapsed() < self.options.longest_delay
        };
        let Some(held) = work.held.get(&segment.sequence).filter(|held| !is_accepted && is_same(held)) else {
            return false;
        };
        let (damage, place) = (held.damage.clone(), Obstacle::Segments(Numbers::of(segment.sequence)));
        work.obstacles.insert(place, damage);
        true
    }

    /// Notes a damaged segment: it is not sent, and waits.
    pub(super) fn hold_back(
        &self,
        work: &mut Work,
        segment: &Local,
        damage: Error,
        monitor: &dyn ShipMonitor,
    ) -> Answer<()> {
        // The file may be repaired under the same name.
        work.files.forget(&segment.name);
        let facts = self.directory.facts(&segment.name).ok();
        if !self.options.dry_run {
            let entry = self.entry(segment, Stage::Damaged, segment.name.clone(), segment.bytes);
            let entry = Entry { damage: damage.to_string(), ..entry };
            let mut keeper = work.keeper.lock();
            let known = entry_of(&keeper, self.store.url(), segment);
            if let Some((file, token)) = known.and_then(|known| Some((known.file.clone(), known.token.clone()?))) {
                self.store.abort(&file, &token)?;
            }
            if known.is_none_or(|known| known.stage != Stage::Damaged || known.damage != entry.damage) {
                keeper.note(entry, true).map_err(failed_here)?;
            }
        }
        let way_out = format!(
            "the segment is damaged, so that it is not sent and nothing from it on is removed here: `binlog recover` mends \
             what can be mended, `binlog ship --accept {}` sends it as it is",
            segment.sequence
        );
        let damage = damage.because(&way_out);
        let held = HeldBack { local: segment.clone(), facts, at: Instant::now(), damage: damage.clone() };
        work.held.insert(segment.sequence, held);
        self.report_obstacle(work, Obstacle::Segments(Numbers::of(segment.sequence)), damage, monitor);
        Ok(())
    }

    /// Notes segments that are neither here nor in the store, before anything newer is removed here.
    pub(super) fn note_holes(&self, work: &mut Work, here: &Here, monitor: &dyn ShipMonitor) -> Answer<()> {
        let store = self.store.url();
        let mut unaccepted = vec![];
        self.find_in_store(work, here)?;
        let mut keeper = work.keeper.lock();
        let holes = holes(&keeper, store, here);
        for hole in &holes {
            let accepted = is_accepted(&keeper, store, *hole);
            let reason = cause(*hole, &keeper, store, here, &*self.directory);
            let entry = missing(store, *hole, reason.to_string(), accepted, self.now());
            let known = keeper.get(store, hole.last);
            let is_known = known.is_some_and(|known| Entry { when_ns: entry.when_ns, ..known.clone() } == entry);
            if !is_known && !self.options.dry_run {
                // Durably, because other processes that remove files rely on it.
                keeper.note(entry, true).map_err(failed_here)?;
            }
            if !accepted {
                unaccepted.push((*hole, reason));
            }
        }
        // Holes that exist no longer.
        let is_over =
            |entry: &&Entry| entry.stage == Stage::Missing && !holes.iter().any(|hole| hole.last == entry.sequence);
        let over: Vec<Entry> = keeper.of_store(store).filter(is_over).cloned().collect();
        for entry in over.into_iter().filter(|_| !self.options.dry_run) {
            let entry = Entry { stage: Stage::Closed, damage: String::new(), accepted: false, ..entry };
            keeper.note(Entry { when_ns: self.now(), ..entry }, false).map_err(failed_here)?;
        }
        drop(keeper);
        work.obstacles.retain(|obstacle, _| match obstacle {
            Obstacle::Segments(hole) => work.held.contains_key(&hole.first),
            Obstacle::File(_) => true,
        });
        self.status.lock().reported.missing_segments =
            unaccepted.iter().map(|(hole, _)| hole.last - hole.first + 1).sum();
        for (hole, reason) in unaccepted {
            self.report_obstacle(work, Obstacle::Segments(hole), reason, monitor);
        }
        if let Some(other) = here.others.first() {
            let path = self.directory.path_of(other);
            let reason = format!(
                "the file is of another log that is called {:?}, too, and is not shipped, as {} of it are not: put them into a \
                 directory of their own",
                self.log,
                here.others.len()
            );
            let error = Error::new(Kind::Mismatch, reason).at(&path);
            self.report_obstacle(work, Obstacle::File(path), error, monitor);
        }
        Ok(())
    }

    /// Asks the store about segments whose place is not known, such as after `<log>.archive` was lost, and notes those
    /// that it contains.
    fn find_in_store(&self, work: &mut Work, here: &Here) -> Answer<()> {
        let mut keeper = work.keeper.lock();
        let store = self.store.url();
        // Once in each process: the segment may be back later, and a store may not show at once what it contains.
        let holes: BTreeSet<Numbers> = holes(&keeper, store, here).into_iter().collect();
        let holes: Vec<Numbers> = holes.difference(&work.asked).copied().collect();
        if holes.is_empty() || !self.store.can_read() || self.options.dry_run {
            return Ok(());
        }
        let listed = self.store.list(&self.log)?;
        keeper.has_forgotten_from(pruned_to(&self.log, listed.iter().map(|object| &*object.name)) + 1);
        for object in listed {
            let number = names::sequence(&self.log, &object.name);
            if !number.is_some_and(|number| holes.iter().any(|hole| hole.covers(number))) {
                continue;
            }
            let Some(header) = self.header_of(&object.name, object.bytes, &work.files)? else { continue };
            let tag = self.store.stat(&object.name)?.map_or_else(String::new, |stat| stat.tag);
            let entry = Entry {
                store: store.to_owned(),
                sequence: header.sequence,
                after: header.predecessor.as_ref().map(|before| before.sequence),
                marker: header.marker,
                stage: Stage::Pruned,
                file: object.name,
                bytes: object.bytes,
                sha256: None,
                tag,
                token: None,
                damage: String::new(),
                accepted: false,
                when_ns: self.now(),
            };
            keeper.note(entry, false).map_err(failed_here)?;
        }
        drop(keeper);
        work.asked.extend(holes);
        Ok(())
    }

    /// Reports an obstacle, once.
    pub(super) fn report_obstacle(&self, work: &mut Work, about: Obstacle, error: Error, monitor: &dyn ShipMonitor) {
        if let Obstacle::File(path) = &about {
            // The hole of an unreadable file was reported already.
            if work.obstacles.values().any(|known| known.path() == Some(path)) {
                return;
            }
        }
        work.obstacles.insert(about.clone(), error.clone());
        if !work.reported.insert(about) {
            return;
        }
        let mut status = self.status.lock();
        status.reported.failures += 1;
        status.reported.last_failure = Some((error.clone(), self.now()));
        drop(status);
        monitor.obstacle(&error);
    }

    /// Accepts that a damaged segment is sent as it is, or that a missing one is lost and not waited for. `segment` is
    /// its file or its number; for a hole, any number in it, or the first and the last with a dash between. This is
    /// noted in `<log>.archive`, for this store.
    ///
    /// # Errors
    /// [`crate::Kind::Invalid`] when the segment is neither damaged nor missing, or there is no such segment; errors of
    /// the system.
    pub fn accept(&self, segment: &str) -> Result<()> {
        self.refuse_dry_run()?;
        let mut work = self.work.lock();
        let mut here = work.files.look(&self.directory)?;
        let wanted = self.numbers(segment)?;
        let find = |here: &Here| {
            here.closed().map(|(local, _)| local).find(|local| Numbers::of(local.sequence) == wanted).cloned()
        };
        let mut local = find(&here);
        // Another form of it may be whole.
        while let Some(damaged) = local.as_ref() {
            let is_damaged = self.damage_of(&here, damaged, &()).map_err(|failure| failure.error)?.is_some();
            if !is_damaged || !work.files.pass_over(damaged) {
                break;
            }
            here = work.files.look(&self.directory)?;
            local = find(&here);
        }
        let mut keeper = work.keeper.lock();
        let store = self.store.url();
        let entry = match local {
            Some(local) => {
                let known = entry_of(&keeper, store, &local);
                if known.is_some_and(|known| known.stage.is_shipped()) {
                    let reason = "the store holds the segment already, and nothing is to be accepted";
                    return Err(Error::invalid(reason).at(&self.directory.path_of(&local.name)));
                }
                let Some(damage) = self.damage_of(&here, &local, &()).map_err(|failure| failure.error)? else {
                    let reason = "the segment is not damaged, and is shipped without being accepted";
                    return Err(Error::invalid(reason).at(&self.directory.path_of(&local.name)));
                };
                let entry = self.entry(&local, Stage::Damaged, local.name.clone(), local.bytes);
                Entry { damage: damage.to_string(), accepted: true, ..entry }
            }
            None => {
                let hole = holes(&keeper, store, &here);
                let hole = hole.into_iter().find(|hole| hole.covers(wanted.first) && hole.covers(wanted.last));
                let Some(hole) = hole else {
                    let reason =
                        format!("segment {segment} is neither damaged nor missing: there is nothing to accept");
                    return Err(Error::invalid(reason).at(self.directory.path()));
                };
                let reason = cause(hole, &keeper, store, &here, &*self.directory);
                missing(store, hole, reason.to_string(), true, self.now())
            }
        };
        let noted = keeper.note(entry, true);
        drop(keeper);
        noted?;
        self.count_waiting(&work, &here);
        Ok(())
    }

    /// Forgets the store: segments that it does not contain are no longer kept here for it, and the notes about it are
    /// removed. Its objects stay. Returns false when the log was never shipped to it.
    ///
    /// # Errors
    /// Errors of the system.
    pub fn forget(&self) -> Result<bool> {
        self.refuse_dry_run()?;
        let work = self.work.lock();
        let forgotten = work.keeper.lock().forget_store(self.store.url());
        forgotten
    }

    pub(super) fn refuse_dry_run(&self) -> Result<()> {
        match self.options.dry_run {
            true => Err(Error::invalid("with dry_run nothing is written: open another shipper for this")),
            false => Ok(()),
        }
    }

    /// Parses a caller's name for segments: a number, the first and the last of several, or a file.
    pub(super) fn numbers(&self, segment: &str) -> Result<Numbers> {
        let number = |text: &str| text.parse::<u64>().ok().filter(|number| *number > 0);
        let named = || names::sequence(&self.log, segment.rsplit('/').next().unwrap_or(segment));
        let one = number(segment).or_else(named).map(Numbers::of);
        let several = || {
            let (first, last) = segment.split_once('-')?;
            Some(Numbers { first: number(first)?, last: number(last)? }).filter(|hole| hole.first <= hole.last)
        };
        one.or_else(several).ok_or_else(|| {
            let log = &self.log;
            Error::invalid(format!("{segment:?} is no segment of the log {log:?}: say its number or its file's name"))
        })
    }
}

/// Whether the loss of an entire hole was accepted.
pub(super) fn is_accepted(keeper: &Keeper, store: &str, hole: Numbers) -> bool {
    keeper.of_store(store).filter(|entry| entry.stage == Stage::Missing && entry.accepted).any(|entry| {
        let first = entry.after.map_or(1, |after| after + 1);
        first <= hole.first && hole.last <= entry.sequence
    })
}

/// The ledger's entry for a hole.
fn missing(store: &str, hole: Numbers, damage: String, accepted: bool, when_ns: i64) -> Entry {
    Entry {
        store: store.to_owned(),
        sequence: hole.last,
        after: Some(hole.first - 1),
        marker: 0,
        stage: Stage::Missing,
        file: String::new(),
        bytes: 0,
        sha256: None,
        tag: String::new(),
        token: None,
        damage,
        accepted,
        when_ns,
    }
}
