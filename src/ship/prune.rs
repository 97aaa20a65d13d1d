//! Removes segments here that the store contains, after it has confirmed them again.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::holes::Numbers;
use super::local::{Here, Unusable};
use super::obstacle::Obstacle;
use super::verify::{Changed, Compared};
use super::{here as failed_here, ShipMonitor, ShipReport, Shipper, Work};
use crate::error::{Error, Kind};
use crate::io::{read_full, Access};
use crate::ledger::{Entry, Kept, Stage};
use crate::retention::{self, prune, Expired, Plan, Pruned};
use crate::store::remote::RemoteDirectory;
use crate::store::{Again, Answer, Confirmed, Failure};

/// How often the rules are applied to the segments in the store while no new ones arrive.
const LOOK_THERE_EVERY: Duration = Duration::from_secs(3600);

impl Shipper {
    /// The segments that need not stay here and that all stores of the log were found to contain; with `would`, also
    /// those that this store would contain by then. Also returns the store for which more is kept here than the rules
    /// require.
    pub(super) fn plan(&self, work: &Work, here: &Here, would: bool) -> Answer<(Plan, Option<String>)> {
        let Some(ours) = here.ours(&work.files) else { return Ok((Plan::default(), None)) };
        let mut plan = retention::plan(&self.directory, &ours, &self.options.keep, self.now()).map_err(failed_here)?;
        let keeper = work.keeper.lock();
        let mut kept_for = None;
        plan.keep_only(|expired| match keeper.keeps(expired.sequence, &expired.known_as) {
            None => true,
            // This pass would ship it.
            Some(Kept::NotIn(store)) if would && store == self.store.url() => true,
            Some(Kept::Unknown) => would,
            Some(Kept::NotIn(store)) if store != self.store.url() => {
                kept_for = Some(store.to_owned());
                false
            }
            Some(Kept::NotIn(_) | Kept::Behind(_)) => false,
        });
        Ok((plan, kept_for))
    }

    /// Removes the segments that need not stay. Each file is removed before that is noted: after a crash, a note
    /// without the removal would be false, and a removal without the note is only noticed later.
    pub(super) fn prune(
        &self,
        work: &mut Work,
        here: &Here,
        monitor: &dyn ShipMonitor,
        report: &mut ShipReport,
    ) -> Answer<()> {
        if !self.options.keep.is_some() {
            return Ok(());
        }
        // The directory may have been mounted over the store's since.
        super::refuse_itself(&*self.directory, &*self.store).map_err(failed_here)?;
        loop {
            let (plan, kept_for) = self.plan(work, here, false)?;
            report.kept_for = kept_for;
            for expired in plan.expired {
                if monitor.stop() || !self.prune_one(work, here, &expired, monitor, report)? {
                    return Ok(());
                }
            }
            let Some(obstacle) = plan.obstacle else { return Ok(()) };
            let path = obstacle.path().unwrap_or(self.directory.path()).to_owned();
            if !self.remove_remains(work, here, &path, &obstacle, monitor)? {
                self.report_obstacle(work, Obstacle::File(path), obstacle, monitor);
                return Ok(());
            }
        }
    }

    /// Removes one segment here; false when it stays, and newer ones stay with it.
    fn prune_one(
        &self,
        work: &mut Work,
        here: &Here,
        expired: &Expired,
        monitor: &dyn ShipMonitor,
        report: &mut ShipReport,
    ) -> Answer<bool> {
        let known = work.keeper.lock().get(self.store.url(), expired.sequence).cloned();
        let Some(entry) = known else { return Ok(false) };
        if !self.confirm_again(work, here, expired, &entry, monitor)? {
            return Ok(false);
        }
        if let Some(error) = retention::remove(&*self.directory, std::slice::from_ref(expired)).into_iter().next() {
            return Err(failed_here(error));
        }
        let entry = Entry { stage: Stage::Pruned, when_ns: self.now(), ..entry };
        work.keeper.lock().note(entry, false).map_err(failed_here)?;
        work.files.forget(&expired.name);
        self.status.lock().reported.pruned_segments += 1;
        let pruned = self.pruned(expired);
        monitor.pruned(&pruned);
        report.pruned.push(pruned);
        Ok(true)
    }

    /// Removes the rest of a file that lost its beginning after it was shipped, and that keeps newer ones here: all
    /// stores contain the whole segment. Returns false for any other file of that name.
    fn remove_remains(
        &self,
        work: &mut Work,
        here: &Here,
        path: &Path,
        obstacle: &Error,
        monitor: &dyn ShipMonitor,
    ) -> Answer<bool> {
        let is_it = |name: &String| self.directory.path_of(name) == path;
        let named = here.unusable.iter().find_map(|(sequence, unusable)| match unusable {
            Unusable::Unreadable(name) if is_it(name) => Some((sequence, name)),
            _ => None,
        });
        let Some((sequence, name)) = named else { return Ok(false) };
        let keeper = work.keeper.lock();
        let known = keeper.get(self.store.url(), *sequence).filter(|entry| entry.stage.is_shipped()).cloned();
        let may_go = known.filter(|entry| keeper.keeps(*sequence, &[entry.marker]).is_none());
        drop(keeper);
        let Some(entry) = may_go.filter(|_| self.store.can_read()) else { return Ok(false) };
        if !self.is_left_of(name, &entry)? || self.confirm_noted(&entry, false, monitor)? != Confirmed::Same {
            return Ok(false);
        }
        match self.directory.remove(name).and_then(|()| self.directory.sync()) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                return Err(failed_here(Error::io(&e, "remove").at(path)));
            }
            _ => (),
        }
        let reason = "the file was damaged here since it was shipped, and was removed; the store holds it as it was";
        monitor.failed(&obstacle.clone().because(reason), None);
        work.files.forget(name);
        Ok(true)
    }

    /// Whether a file without a readable header was the segment: it is empty, or contains its marker.
    fn is_left_of(&self, name: &str, entry: &Entry) -> Answer<bool> {
        let path = self.directory.path_of(name);
        let failed = |e: &std::io::Error| failed_here(Error::io(e, "read").at(&path));
        if !self.directory.facts(name).map_err(|e| failed(&e))?.is_plain {
            return Ok(false);
        }
        let file = self.directory.open(name, Access::Read).map_err(|e| failed(&e))?;
        let marker = entry.marker.to_le_bytes();
        let mut buffer = vec![0; 1 << 20];
        let mut at = 0;
        loop {
            let n = read_full(&*file, &mut buffer, at).map_err(|e| failed(&e))?;
            if buffer[..n].windows(marker.len()).any(|there| there == marker) {
                return Ok(true);
            }
            if n < buffer.len() {
                return Ok(at == 0 && n == 0);
            }
            // A marker may cross the end of the buffer.
            at += (n - marker.len()) as u64;
        }
    }

    /// Asks the store again whether it contains the whole segment. Returns false when the file here stays anyway.
    fn confirm_again(
        &self,
        work: &mut Work,
        here: &Here,
        expired: &Expired,
        entry: &Entry,
        monitor: &dyn ShipMonitor,
    ) -> Answer<bool> {
        if !self.store.can_read() {
            return Ok(true);
        }
        let now = match expired.name == entry.file {
            true => self.compare(here, &expired.name, entry, monitor)?,
            // The file here was compressed since: the object must still be what was sent.
            false => Compared { object: self.confirm_noted(entry, false, monitor)?, changed: None },
        };
        match (now.object, now.changed) {
            (Confirmed::Same, None) => Ok(true),
            (Confirmed::Same, Some(Changed { damage: Some(damage) })) => {
                // The store has it as it was: the damaged file here has no value, and is removed as it would have been.
                let reason = "the file was damaged here since it was shipped; the store holds it as it was";
                monitor.failed(&damage.because(reason), None);
                Ok(true)
            }
            (Confirmed::Same, Some(Changed { damage: None })) => {
                let reason = format!(
                    "the file was changed here since it was shipped, and is whole: it stays, and so does what is newer. \
                     `binlog ship --replace {}` puts it into the store",
                    expired.sequence
                );
                let error = Error::new(Kind::Mismatch, reason).at(&self.directory.path_of(&expired.name));
                self.report_obstacle(work, Obstacle::Segments(Numbers::of(expired.sequence)), error, monitor);
                Ok(false)
            }
            // It was there, and was removed on purpose.
            (Confirmed::Absent, _) if self.was_pruned_there(expired.sequence, here.newest())? => Ok(true),
            (Confirmed::Absent, _) => {
                let mut keeper = work.keeper.lock();
                let entry = Entry { stage: Stage::Closed, when_ns: self.now(), ..entry.clone() };
                // Durably, because other processes that remove files rely on it.
                keeper.note(entry, true).map_err(failed_here)?;
                let reason =
                    "the object is no longer in the store: the segment, which is still here, is shipped again if it is whole";
                let error = self.of_object(Kind::NotFound, reason, &expired.name);
                Err(Failure { error, again: Again::Later(None) })
            }
            (Confirmed::Different, _) => {
                let reason = "the object in the store is another one than was shipped: the segment here stays";
                Err(Failure { error: self.of_object(Kind::Mismatch, reason, &entry.file), again: Again::WhenMended })
            }
        }
    }

    /// Removes segments in the store that need not stay there: when new ones have arrived, and periodically as segments
    /// grow old.
    pub(super) fn prune_there(
        &self,
        work: &mut Work,
        monitor: &dyn ShipMonitor,
        report: &mut ShipReport,
    ) -> Answer<()> {
        let shipped = self.status.lock().reported.uploaded_segments;
        let is_due =
            shipped != work.shipped_then || work.looked_there.is_none_or(|at| at.elapsed() >= LOOK_THERE_EVERY);
        work.shipped_then = shipped;
        if !self.options.keep_remote.is_some() || !is_due {
            return Ok(());
        }
        let there = Arc::new(RemoteDirectory::new(self.store.clone()).map_err(failed_here)?);
        let pruned = prune(there, Some(&self.log), &self.options.keep_remote, false);
        work.looked_there = Some(Instant::now());
        match pruned {
            Ok(pruned) => {
                pruned.iter().for_each(|segment| monitor.pruned(segment));
                report.pruned_there.extend(pruned);
                Ok(())
            }
            // Nothing was shipped yet.
            Err(error) if error.kind() == Kind::NotFound => Ok(()),
            Err(error) if error.kind() == Kind::Corrupt => {
                let path = error.path().unwrap_or(self.directory.path()).to_owned();
                self.report_obstacle(work, Obstacle::File(path), error, monitor);
                Ok(())
            }
            Err(error) => Err(Failure { error, again: Again::Later(None) }),
        }
    }

    pub(super) fn pruned(&self, expired: &Expired) -> Pruned {
        Pruned {
            path: self.directory.path_of(&expired.name),
            sequence: expired.sequence,
            bytes: expired.bytes,
            why: expired.why,
            first_id: expired.first_id,
            last_id: expired.last_id,
        }
    }
}
