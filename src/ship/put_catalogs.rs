//! Maintains the catalogs of a store: to list and count a log there, a reader fetches one object instead of the
//! beginnings of a thousand segments.
//!
//! A catalog describes the segments between two numbers. The newest one grows: it is stored again under the name that
//! contains the number that it reaches, and then the one that it replaces is removed. Nothing depends on catalogs: what
//! fails here is tried again when more segments have come, and a segment that is in no catalog is read itself.

use std::sync::Arc;

use super::catalog::{Catalog, Waiting};
use super::local::Local;
use super::{ShipMonitor, Shipper, Work};
use crate::io::{Directory, Location};
use crate::log::catalog::{encode, read, Summary, SEGMENTS};
use crate::log::labels::Label;
use crate::log::names;
use crate::memory;
use crate::options::ReaderOptions;
use crate::reader::Reader;
use crate::store::remote::RemoteDirectory;
use crate::store::{put_bytes, Again, Answer, Failure, Listed, Stat};

/// Segments that wait before they are put into a catalog.
const WAIT: usize = 16;
/// More segments than this do not wait, even while others are being sent.
const WAIT_NO_MORE: usize = 256;
/// Greatest size of a catalog in bytes, which a store returns in one answer: then the next one is begun.
const BYTES: usize = 240 << 10;
/// Segments whose contents are read in the store, each time: those that an interrupted shipper sent.
const ASKED: usize = 64;

impl Shipper {
    /// Notes a segment that was shipped, while its file is here.
    pub(super) fn note_for_catalog(&self, work: &mut Work, segment: &Local, stat: Option<&Stat>, is_damaged: bool) {
        let Some(stat) = stat.filter(|_| segment.sequence > work.catalog.reaches) else { return };
        let object = Listed { name: segment.name.clone(), bytes: stat.bytes, modified_ns: stat.modified_ns };
        let summary = if is_damaged { None } else { summarize(&self.directory, &object) };
        work.catalog.waiting.insert(segment.sequence, Waiting { object, summary });
    }

    /// Puts the waiting segments into catalogs, if there are enough of them. `is_end`: there is nothing left to ship
    /// now.
    pub(super) fn put_into_catalogs(&self, work: &mut Work, is_end: bool, monitor: &dyn ShipMonitor) {
        // The catalogs that an earlier run could not remove.
        self.remove_old_catalogs(&mut work.catalog, monitor);
        let waiting = work.catalog.waiting.len();
        let enough = if is_end && !work.catalog.stays { WAIT } else { WAIT_NO_MORE };
        if waiting < enough || !self.store.can_read() {
            return;
        }
        let report = |failure: Failure, reason| monitor.failed(&failure.error.because(reason), None);
        if let Err(failure) = self.grow_catalogs(&mut work.catalog) {
            // It is tried again after the same number of segments has come.
            work.catalog.waiting.clear();
            let reason =
                "the catalog of the store was not put; the segments are safe, and `ls` and `info` ask each of them";
            report(failure, reason);
        }
        self.remove_old_catalogs(&mut work.catalog, monitor);
    }

    fn grow_catalogs(&self, catalog: &mut Catalog) -> Answer<()> {
        let there: Arc<dyn Directory> = Arc::new(RemoteDirectory::new(self.store.clone()).map_err(super::here)?);
        let mut asked = 0;
        while !catalog.waiting.is_empty() {
            let newest = catalog.newest.and_then(|(first, last)| match catalog.summaries.take() {
                Some(summaries) => Some(summaries),
                None => read(&*there, &Label::Catalog(first, last).name(&self.log)),
            });
            // A catalog that cannot be read stays as it is, and the next begins after it.
            let is_readable = newest.is_some();
            let mut summaries = newest.unwrap_or_default();
            let is_full = |summaries: &Vec<Summary>| {
                summaries.len() >= SEGMENTS || encode(summaries).is_none_or(|bytes| bytes.len() >= BYTES)
            };
            let continues = catalog.newest.filter(|_| is_readable && !catalog.stays && !is_full(&summaries));
            if continues.is_none() {
                summaries.clear();
            }
            let first = continues.map_or(catalog.reaches + 1, |(first, _)| first);
            let mut reaches = catalog.reaches;
            while summaries.len() < SEGMENTS {
                let Some(next) = catalog.waiting.first_entry() else { break };
                if next.get().summary.is_none() && asked == ASKED {
                    break;
                }
                let (number, Waiting { object, summary }) = next.remove_entry();
                let summary = summary.or_else(|| {
                    asked += 1;
                    summarize(&there, &object)
                });
                memory::append(&mut summaries, summary).map_err(|refused| super::here(refused.into()))?;
                reaches = number;
                if summaries.len().is_multiple_of(WAIT) && is_full(&summaries) {
                    break;
                }
            }
            if reaches == catalog.reaches {
                catalog.summaries = continues.map(|_| summaries);
                break;
            }
            let Some(bytes) = encode(&summaries) else { break };
            put_bytes(&*self.store, &Label::Catalog(first, reaches).name(&self.log), &bytes)?;
            catalog.old.extend(continues.map(|(first, last)| Label::Catalog(first, last).name(&self.log)));
            (catalog.newest, catalog.reaches) = (Some((first, reaches)), reaches);
            catalog.summaries = Some(summaries);
        }
        Ok(())
    }

    fn remove_old_catalogs(&self, catalog: &mut Catalog, monitor: &dyn ShipMonitor) {
        while let Some(old) = catalog.old.pop() {
            if let Err(failure) = self.store.remove(&old) {
                catalog.stays |= failure.again == Again::WhenMended;
                catalog.old.clear();
                let reason = "an old catalog of the store was not removed; nothing depends on it";
                monitor.failed(&failure.error.because(reason), None);
            }
        }
    }
}

/// The summary of a segment, if it is closed and whole.
fn summarize(directory: &Arc<dyn Directory>, object: &Listed) -> Option<Summary> {
    if names::is_whole(&object.name) {
        return None;
    }
    let options = ReaderOptions { block_max_bytes: u64::MAX, ..ReaderOptions::default() };
    let reader = Reader::open(Location::File(directory.clone(), object.name.clone()), options).ok()?;
    reader.summarize(object.modified_ns).ok()?.filter(|summary| summary.bytes == object.bytes)
}
