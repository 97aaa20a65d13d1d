//! Reads segments that are to be shipped: in the thread that ships, or ahead of it.

use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;

use super::keeper::{entry_of, Keeper, Noting};
use super::local::Local;
use super::pipeline::{Job, Reading, Summed};
use super::sound::Behind;
use super::{here as failed_here, ShipMonitor, Shipper};
use crate::io::File;
use crate::ledger::Stage;
use crate::segment::open_closed;
use crate::store::{Answer, Sums};

impl Shipper {
    /// The work of a thread that reads and sends the parts of a segment; `None` when its file no longer exists.
    pub(super) fn job(&self, keeper: &Arc<Mutex<Keeper>>, segment: &Local, behind: Behind) -> Option<Job> {
        let known = entry_of(&keeper.lock(), self.store.url(), segment).cloned();
        Some(Job {
            reading: self.reading(segment, behind),
            file: open_closed(&*self.directory, &segment.name).ok()?,
            path: self.directory.path_of(&segment.name),
            accepted: known.as_ref().is_some_and(|known| known.accepted),
            store: self.store.clone(),
            known,
            noting: Noting::new(
                keeper.clone(),
                self.entry(segment, Stage::Uploading, segment.name.clone(), segment.bytes),
                self.options.clock.clone(),
            ),
            shared: Arc::default(),
        })
    }

    pub(super) fn reading(&self, segment: &Local, behind: Behind) -> Reading {
        Reading {
            directory: self.directory.clone(),
            name: segment.name.clone(),
            behind,
            part_bytes: self.options.store.part_bytes,
        }
    }

    /// Makes a segment durable and reads it.
    pub(super) fn read(
        &self,
        file: Arc<dyn File>,
        segment: &Local,
        behind: Behind,
        monitor: &dyn ShipMonitor,
    ) -> Answer<Summed> {
        let stop = || monitor.stop();
        let read = self.reading(segment, behind).read(self.options.threads, file, &Arc::default(), &stop);
        read.map_err(|e| failed_here(e.at(&self.directory.path_of(&segment.name))))
    }

    /// Checksums of a file that was sent earlier.
    pub(super) fn sums(&self, file: &Arc<dyn File>, path: &Path, monitor: &dyn ShipMonitor) -> Answer<Sums> {
        let stop = || monitor.stop();
        let sums = Sums::by(self.options.threads, file, self.options.store.part_bytes, &Arc::default(), &stop);
        sums.map_err(|e| failed_here(e.at(path)))
    }
}
