//! Removes segments here that the store holds, once it has said so again.

use super::local::Here;
use super::{here as failed_here, ShipMonitor, ShipReport, Shipper, Work};
use crate::archive::life::{Entry, Stage};
use crate::archive::Pruned;
use crate::error::{Error, Kind};
use crate::io::Access;
use crate::log::retention::{self, Doomed, Plan};
use crate::store::{confirm, Again, Answer, Confirmed, Failure};

impl Shipper {
    /// The segments that need not stay, and that the store was found to hold; with `would`, also those that it would hold by
    /// then.
    pub(super) fn plan(&self, work: &Work, here: &Here, would: bool) -> Answer<Plan> {
        let Some(ours) = here.ours(&work.files) else { return Ok(Plan::default()) };
        let mut plan = retention::plan(&self.directory, &ours, &self.options.keep, self.now()).map_err(failed_here)?;
        let keeper = work.keeper.lock();
        plan.keep_only(|doomed| {
            let entry = keeper.get(self.store.url(), doomed.sequence);
            let is_about = |entry: &&Entry| entry.is_about(doomed.sequence, &doomed.known_as);
            would || entry.filter(is_about).is_some_and(|entry| entry.stage.is_shipped())
        });
        Ok(plan)
    }

    /// Removes what need not stay; returns what keeps more here than the rules have. The file goes before that is noted: a note alone would be a lie after a crash, a file alone
    /// is only noticed later.
    pub(super) fn prune(
        &self,
        work: &mut Work,
        here: &Here,
        monitor: &dyn ShipMonitor,
        report: &mut ShipReport,
    ) -> Answer<Option<Error>> {
        if !self.options.keep.is_some() {
            return Ok(None);
        }
        let plan = self.plan(work, here, false)?;
        for doomed in plan.doomed {
            if monitor.stop() {
                return Ok(None);
            }
            let known = work.keeper.lock().get(self.store.url(), doomed.sequence).cloned();
            let Some(entry) = known else { return Ok(None) };
            self.confirm_again(work, &doomed, &entry)?;
            if let Some(error) = retention::remove(&*self.directory, std::slice::from_ref(&doomed)).into_iter().next() {
                return Err(failed_here(error));
            }
            let entry = Entry { stage: Stage::Pruned, when_ns: self.now(), ..entry };
            work.keeper.lock().note(entry, false).map_err(failed_here)?;
            work.files.forget(&doomed.name);
            self.status.lock().told.pruned_segments += 1;
            let pruned = self.pruned(&doomed);
            monitor.pruned(&pruned);
            report.pruned.push(pruned);
        }
        Ok(plan.obstacle)
    }

    /// Asks the store whether it holds the segment still, and all of it.
    fn confirm_again(&self, work: &Work, doomed: &Doomed, entry: &Entry) -> Answer<()> {
        if !self.store.can_read() {
            return Ok(());
        }
        let confirmed = match doomed.name == entry.file {
            true => {
                let path = self.directory.path_of(&doomed.name);
                let file = self.directory.open(&doomed.name, Access::Read);
                let file = file.map_err(|e| failed_here(Error::io(&e, "open").at(&path)))?;
                let sums = self.sums(&file, &path)?;
                match confirm(&*self.store, &entry.file, &sums)? {
                    Confirmed::Different => return Err(self.different(&entry.file, &sums)),
                    confirmed => confirmed,
                }
            }
            // The file here was compressed since: what was sent must lie there as it was sent.
            false => self.confirm_noted(entry, false)?,
        };
        match confirmed {
            Confirmed::Same => Ok(()),
            Confirmed::Absent => {
                let mut work = work.keeper.lock();
                let entry = Entry { stage: Stage::Closed, when_ns: self.now(), ..entry.clone() };
                // For good, as others go by it who remove files.
                work.note(entry, true).map_err(failed_here)?;
                let reason = "the object is no longer in the store: the segment, which is still here, is shipped again";
                let error = self.of_object(Kind::NotFound, reason, &doomed.name);
                Err(Failure { error, again: Again::Later(None) })
            }
            Confirmed::Different => {
                let reason = "the object in the store is another one than was shipped: the segment here stays";
                Err(Failure { error: self.of_object(Kind::Mismatch, reason, &entry.file), again: Again::WhenMended })
            }
        }
    }

    pub(super) fn pruned(&self, doomed: &Doomed) -> Pruned {
        Pruned {
            path: self.directory.path_of(&doomed.name),
            sequence: doomed.sequence,
            bytes: doomed.bytes,
            why: doomed.why,
            first_id: doomed.first_id,
            last_id: doomed.last_id,
        }
    }
}
