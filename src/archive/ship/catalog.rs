//! Keeps the catalogs of a store: what lists and counts a log there asks for one object instead of a thousand segments.
//!
//! A catalog tells of the segments between two numbers; the newest one grows, and is put anew under the name that says how far it
//! reaches, before the one that it replaces is removed. Nothing depends on catalogs: what fails here is tried again when more
//! segments have come, and what no catalog tells of is asked for itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::local::Local;
use super::{ShipMonitor, Shipper, Work};
use crate::io::Directory;
use crate::log::catalog::{encode, read, Summary, SEGMENTS};
use crate::log::labels::Label;
use crate::log::names;
use crate::options::ReaderOptions;
use crate::reader::Reader;
use crate::store::remote::RemoteDirectory;
use crate::store::{put_bytes, Again, Answer, Failure, Listed, Stat};

/// Segments that wait until they are put into a catalog.
const WAIT: usize = 16;
/// They wait no longer, even while more are sent.
const WAIT_NO_MORE: usize = 256;
/// So many bytes of a catalog are fetched with one answer of a store: then the next one is begun.
const BYTES: usize = 240 << 10;
/// Segments that are asked in the store what they hold, each time: those that were shipped by somebody who was cut short.
const ASKED: usize = 64;

/// What is known of the catalogs of the store.
#[derive(Default)]
pub(super) struct Catalog {
    /// They tell of the segments up to this number.
    reaches: u64,
    /// The newest, as its name says: it goes on, unless it is full.
    newest: Option<(u64, u64)>,
    /// What it tells; `None` until it was read.
    summaries: Option<Vec<Summary>>,
    /// Those that are left behind.
    old: Vec<String>,
    /// The store refuses to remove them: then none is replaced any more, and the next is begun behind each.
    stays: bool,
    /// Segments of the store that are in none, by their numbers.
    waiting: BTreeMap<u64, Waiting>,
}

struct Waiting {
    object: Listed,
    summary: Option<Summary>,
}

impl Catalog {
    /// What the store holds, as it was listed.
    pub fn of(log: &str, listed: &[Listed]) -> Self {
        let mut catalog = Catalog::default();
        let mut there: Vec<(u64, u64)> = listed
            .iter()
            .filter_map(|object| match Label::parse(log, &object.name)? {
                Label::Catalog(first, last) => Some((first, last)),
                Label::Log(_) | Label::Pruned(_) => None,
            })
            .collect();
        there.sort_unstable_by_key(|&(first, last)| (last, std::cmp::Reverse(first)));
        catalog.newest = there.pop();
        catalog.reaches = catalog.newest.map_or(0, |(_, last)| last);
        // A newer one tells all that they do.
        let is_old = |first: u64| catalog.newest.is_some_and(|(newest, _)| newest <= first);
        let old = there.into_iter().filter(|&(first, _)| is_old(first));
        catalog.old = old.map(|(first, last)| Label::Catalog(first, last).name(log)).collect();
        let waiting = listed.iter().filter_map(|object| Some((names::sequence(log, &object.name)?, object)));
        let waiting = waiting.filter(|&(number, _)| number > catalog.reaches);
        catalog.waiting =
            waiting.map(|(number, object)| (number, Waiting { object: object.clone(), summary: None })).collect();
        catalog
    }
}

impl Shipper {
    /// Takes note of a segment that was shipped, while its file is here.
    pub(super) fn note_for_catalog(&self, work: &mut Work, segment: &Local, stat: Option<&Stat>, is_damaged: bool) {
        let Some(stat) = stat.filter(|_| segment.sequence > work.catalog.reaches) else { return };
        let object = Listed { name: segment.name.clone(), bytes: stat.bytes, modified_ns: stat.modified_ns };
        let summary = if is_damaged { None } else { summarize(&self.directory, &object) };
        work.catalog.waiting.insert(segment.sequence, Waiting { object, summary });
    }

    /// Puts into catalogs what waits for that, if it is enough. `is_end`: nothing is to be shipped now.
    pub(super) fn put_into_catalogs(&self, work: &mut Work, is_end: bool, monitor: &dyn ShipMonitor) {
        // Those that an earlier run could not remove.
        self.remove_old_catalogs(&mut work.catalog, monitor);
        let waiting = work.catalog.waiting.len();
        let enough = if is_end && !work.catalog.stays { WAIT } else { WAIT_NO_MORE };
        if waiting < enough || !self.store.can_read() {
            return;
        }
        let tell = |failure: Failure, reason| monitor.failed(&failure.error.because(reason), None);
        if let Err(failure) = self.grow_catalogs(&mut work.catalog) {
            // As many have to come before it is tried again.
            work.catalog.waiting.clear();
            let reason =
                "the catalog of the store was not put; the segments are safe, and `ls` and `info` ask each of them";
            tell(failure, reason);
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
            // One that cannot be read stays as it is, and the next begins behind it.
            let is_readable = newest.is_some();
            let mut summaries = newest.unwrap_or_default();
            let is_full = |summaries: &Vec<Summary>| {
                summaries.len() >= SEGMENTS || encode(summaries).is_none_or(|bytes| bytes.len() >= BYTES)
            };
            let goes_on = catalog.newest.filter(|_| is_readable && !catalog.stays && !is_full(&summaries));
            if goes_on.is_none() {
                summaries.clear();
            }
            let first = goes_on.map_or(catalog.reaches + 1, |(first, _)| first);
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
                summaries.extend(summary);
                reaches = number;
                if summaries.len().is_multiple_of(WAIT) && is_full(&summaries) {
                    break;
                }
            }
            if reaches == catalog.reaches {
                catalog.summaries = goes_on.map(|_| summaries);
                break;
            }
            let Some(bytes) = encode(&summaries) else { break };
            put_bytes(&*self.store, &Label::Catalog(first, reaches).name(&self.log), &bytes)?;
            catalog.old.extend(goes_on.map(|(first, last)| Label::Catalog(first, last).name(&self.log)));
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

/// What a segment says of itself, if it is closed and whole.
fn summarize(directory: &Arc<dyn Directory>, object: &Listed) -> Option<Summary> {
    if names::is_whole(&object.name) {
        return None;
    }
    let options = ReaderOptions { block_max_bytes: u64::MAX, ..ReaderOptions::default() };
    let reader = Reader::open_file_in(directory.clone(), &object.name, options).ok()?;
    reader.summarize(object.modified_ns).ok()?.filter(|summary| summary.bytes == object.bytes)
}
