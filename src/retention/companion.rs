//! Retention in a writer: after each segment that is begun, old ones may be removed.

use std::any::Any;
use std::sync::Arc;

use super::{only_shipped, plan, remove, Ours, Plan};
use crate::companion::{Accompanied, Companion, Removable};
use crate::error::Result;
use crate::io::clock::Clock;
use crate::io::Directory;
use crate::ledger;
use crate::log::Left;
use crate::options::{Retention, SegmentFile};

/// Removes the segments of the writer's log that exceed the rules.
pub(crate) struct Retaining {
    keep: Retention,
    clock: Clock,
    directory: Arc<dyn Directory>,
    log: String,
    /// The writer ships the log, even if nothing was shipped yet.
    ships: bool,
}

impl Retaining {
    pub fn new(keep: Retention, clock: Clock, directory: Arc<dyn Directory>, log: &str, ships: bool) -> Self {
        Retaining { keep, clock, directory, log: log.to_owned(), ships }
    }

    fn plan(&self, ours: &Ours, writer: &dyn Accompanied) -> Result<Plan> {
        let plan = plan(&self.directory, ours, &self.keep, self.clock.now_ns())?;
        if self.keep.unshipped {
            return Ok(plan);
        }
        let mut plan = only_shipped(&*self.directory, ours, plan, self.ships)?;
        let segments: Vec<Removable<'_>> = plan
            .expired
            .iter()
            .map(|expired| Removable {
                log: (&ours.name, &ours.log_id),
                sequence: expired.sequence,
                known_as: &expired.known_as,
            })
            .collect();
        let count = match segments.is_empty() {
            true => 0,
            false => writer.may_remove(&segments)?,
        };
        plan.keep_first(count);
        Ok(plan)
    }
}

impl Companion for Retaining {
    fn opened(&self, segment: &SegmentFile, left: &Left, writer: &dyn Accompanied) {
        if !self.keep.is_some() || writer.has_failed() {
            return;
        }
        // Later segments may have been begun meanwhile, and the ones before them may be closed and not durable: those
        // are handled later.
        let ours = Ours { name: segment.log.clone(), log_id: left.log_id.clone(), active_sequence: left.sequence };
        let planned = self.plan(&ours, writer).and_then(|plan| {
            if !plan.expired.is_empty() {
                writer.sync_closed()?;
                writer.note(left)?;
            }
            Ok(plan)
        });
        match planned {
            Ok(plan) => {
                let failed = remove(&*self.directory, &plan.expired);
                failed.iter().chain(&plan.obstacle).for_each(|error| writer.report(error));
            }
            Err(error) => writer.report(&error.because("old segments were not removed")),
        }
    }

    fn removes_segments(&self) -> bool {
        // Another process may ship the log, and remove segments.
        self.directory.facts(&ledger::file(&self.log)).is_ok()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
