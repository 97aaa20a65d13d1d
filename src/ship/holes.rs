//! Segments that the log names but that are neither here nor in the store.

use std::collections::BTreeMap;

use super::keeper::Keeper;
use super::local::{Here, Unusable};
use crate::error::{Error, Kind};
use crate::io::{Access, Directory};
use crate::ledger::Stage;
use crate::segment::Segment;

/// Consecutive numbers of segments, from the first to the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Numbers {
    pub first: u64,
    pub last: u64,
}

impl Numbers {
    /// One segment.
    pub fn of(sequence: u64) -> Self {
        Numbers { first: sequence, last: sequence }
    }

    pub fn covers(self, sequence: u64) -> bool {
        (self.first..=self.last).contains(&sequence)
    }
}

/// The segments that are missing within a chain of segments, each with the number of the one before it. Segments before
/// the first one are not reported. Numbers that the log skipped are not missing.
pub(super) fn gaps(chain: &BTreeMap<u64, Option<u64>>) -> Vec<Numbers> {
    let mut gaps = vec![];
    let mut before = None;
    for (sequence, after) in chain {
        if let (Some(before), Some(after)) = (before, *after) {
            if after > before {
                gaps.push(Numbers { first: before + 1, last: after });
            }
        }
        before = Some(*sequence);
    }
    gaps
}

/// The holes of the log in a store. Compares the segments here and those shipped there with the predecessors that they
/// name, with the files that cannot be read, and with what other stores received.
pub(super) fn holes(keeper: &Keeper, store: &str, here: &Here) -> Vec<Numbers> {
    let shipped = keeper.of_store(store).filter(|entry| entry.stage.is_shipped());
    let mut chain: BTreeMap<u64, Option<u64>> = shipped.map(|entry| (entry.sequence, entry.after)).collect();
    chain.extend(here.segments.iter().map(|segment| (segment.sequence, segment.after)));
    let mut holes = gaps(&chain);
    // Segments that were removed before the log was first shipped are not missing. Missing are segments that are here
    // and cannot be read, that went to another store, or that were here at an earlier look.
    if let Some((first, Some(before))) = chain.first_key_value() {
        let noted = keeper.all().map(|entry| match (entry.stage, entry.after) {
            (Stage::Missing, Some(after)) => after + 1,
            _ => entry.sequence,
        });
        // If the notes are lost, it is not known which segments were there.
        let numbers = here.unusable.keys().copied().chain(noted).chain(keeper.forgotten_from());
        let oldest = numbers.filter(|number| number < first && number <= before).min();
        holes.extend(oldest.map(|oldest| Numbers { first: oldest, last: *before }));
    }
    // Nothing but its file shows that a segment after the newest one exists.
    let newest = chain.last_key_value().map_or(0, |(newest, _)| *newest);
    let behind = here.unusable.range(newest + 1..).map(|(number, _)| *number);
    holes.extend(behind.chain(here.lost_behind).map(Numbers::of));
    holes.sort_unstable();
    holes
}

/// Why the segments of a hole are missing.
pub(super) fn cause(hole: Numbers, keeper: &Keeper, store: &str, here: &Here, directory: &dyn Directory) -> Error {
    let numbers = match hole.first == hole.last {
        true => format!("segment {} of the log is", hole.first),
        false => format!("segments {} to {} of the log are", hole.first, hole.last),
    };
    let way_out = format!(
        "nothing newer is removed here until it is back, or `binlog ship --accept {}` says that it is lost",
        match hole.first == hole.last {
            true => hole.first.to_string(),
            false => format!("{}-{}", hole.first, hole.last),
        }
    );
    let unusable = here.unusable.range(hole.first..=hole.last).next();
    if let Some((number, Unusable::Misnamed(name))) = unusable {
        let reason = format!(
            "the file is segment {number} of the log under the name of another one; so {numbers} not in the store: `binlog recover \
             --in-place` puts the names right"
        );
        return Error::new(Kind::Corrupt, reason).at(&directory.path_of(name));
    }
    if let Some((_, Unusable::Unreadable(name))) = unusable {
        let facts = directory.facts(name);
        if facts.as_ref().is_ok_and(|facts| !facts.is_plain) {
            let reason = format!(
                "the file is a symbolic link, or no file at all; so {numbers} not in the store: put the file itself into its \
                 place; else {way_out}"
            );
            return Error::new(Kind::Corrupt, reason).at(&directory.path_of(name));
        }
        let why = match facts {
            Ok(facts) if facts.len == 0 => "has 0 bytes".to_owned(),
            _ => match Segment::open(directory, name, Access::Read) {
                Err(error) => format!("cannot be read: {}", error.reason()),
                Ok(_) => "could not be read".to_owned(),
            },
        };
        let reason = format!(
            "the file {why}; so {numbers} not in the store: `binlog recover --in-place` mends what is left of it; else take the \
             file away, and {way_out}"
        );
        return Error::new(Kind::Corrupt, reason).at(&directory.path_of(name));
    }
    let elsewhere =
        keeper.all().find(|entry| entry.store != store && entry.stage.is_shipped() && hole.covers(entry.sequence));
    let reason = match elsewhere {
        Some(entry) => format!("{numbers} not in {store}: removed here when {} had it; {way_out}", entry.store),
        None if here.lost_behind == Some(hole.last) => format!(
            "{numbers} neither here nor in the store, although the log's lock file, or the segment before it, names it as \
             begun: removed by somebody, or lost; {way_out}"
        ),
        None => format!("{numbers} neither here nor in the store: removed by somebody, or lost; {way_out}"),
    };
    Error::new(Kind::Corrupt, reason).at(directory.path())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_segments_that_others_name_and_not_numbers_that_were_skipped() {
        let of = |chain: &[(u64, Option<u64>)]| gaps(&chain.iter().copied().collect());
        assert_eq!(of(&[]), []);
        assert_eq!(of(&[(1, None), (2, Some(1)), (5, Some(2))]), [], "3 and 4 were taken by others");
        assert_eq!(of(&[(7, Some(6)), (8, Some(7))]), [], "the older ones were removed before");
        assert_eq!(of(&[(1, None), (3, Some(2))]), [Numbers { first: 2, last: 2 }]);
        assert_eq!(of(&[(1, None), (9, Some(8)), (12, Some(11))]).len(), 2);
    }
}
