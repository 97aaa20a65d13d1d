//! What a shipper knows of the catalogs of a store.

use std::collections::BTreeMap;

use crate::log::catalog::Summary;
use crate::log::labels::Label;
use crate::log::names;
use crate::store::Listed;

/// What is known of the catalogs of the store.
#[derive(Default)]
pub(super) struct Catalog {
    /// They describe the segments up to this number.
    pub reaches: u64,
    /// The newest, by its name: it grows, unless it is full.
    pub newest: Option<(u64, u64)>,
    /// Its contents; `None` until they were read.
    pub summaries: Option<Vec<Summary>>,
    /// Catalogs that were replaced but not removed yet.
    pub old: Vec<String>,
    /// The store refuses to remove them: then none is replaced any more, and the next one begins after each.
    pub stays: bool,
    /// Segments of the store that are in no catalog, by their numbers.
    pub waiting: BTreeMap<u64, Waiting>,
}

/// A segment of the store that is in no catalog.
pub(super) struct Waiting {
    pub object: Listed,
    pub summary: Option<Summary>,
}

impl Catalog {
    /// The state of the store, from a list of it.
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
        // A newer one contains all that they do.
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
