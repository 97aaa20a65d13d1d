//! What is shown of the loaded block.

use super::block::Walk;
use super::filter::Selection;
use crate::format::Malformed;
use crate::record::{Hit, Record};
use crate::segment::Scanner;

/// What is wanted, and what is left to show of it.
pub(super) struct View {
    pub selection: Selection,
    pub shown: Shown,
    /// Only the first wanted record of the next block is read: a caller that seeks may want no other.
    pub first_only: bool,
}

/// What is shown of the loaded block.
pub(super) enum Shown {
    Nothing,
    /// Every record; the whole payload is there.
    Walk(Walk),
    /// These, from the one at the second field on.
    Hits(Vec<Hit>, usize),
}

impl View {
    pub fn new(selection: Selection) -> Self {
        View { selection, shown: Shown::Nothing, first_only: false }
    }

    /// The next record, if it has the short form that nearly all have.
    #[inline(always)]
    pub fn next_short(&mut self, scanner: &Scanner) -> Option<Hit> {
        match &mut self.shown {
            Shown::Walk(walk) => walk.next_short(scanner.entries()),
            _ => None,
        }
    }

    /// The next record of the block; `None` at its end.
    pub fn next_hit(&mut self, scanner: &Scanner) -> Result<Option<Hit>, Malformed> {
        match &mut self.shown {
            Shown::Nothing => Ok(None),
            Shown::Walk(walk) => walk.next_hit(&self.selection, scanner.entries()),
            Shown::Hits(hits, at) => {
                *at += 1;
                Ok(hits.get(*at - 1).cloned())
            }
        }
    }

    /// Adds the next records of the block to `rows` until there are `most`.
    pub fn list(&mut self, scanner: &Scanner, rows: &mut Vec<Hit>, most: usize) -> Result<(), Malformed> {
        match &mut self.shown {
            Shown::Nothing => Ok(()),
            Shown::Walk(walk) => walk.list(&self.selection, scanner.entries(), rows, most),
            Shown::Hits(hits, at) => {
                let left = hits.get(*at..).unwrap_or_default();
                let taken = left.len().min(most - rows.len());
                rows.extend_from_slice(&left[..taken]);
                *at += taken;
                Ok(())
            }
        }
    }

    /// Whether the block has another record to show.
    pub fn has_more(&self, scanner: &Scanner) -> Result<bool, Malformed> {
        match &self.shown {
            Shown::Nothing => Ok(false),
            Shown::Walk(walk) => Ok(walk.clone().next_hit(&self.selection, scanner.entries())?.is_some()),
            Shown::Hits(hits, at) => Ok(*at < hits.len()),
        }
    }

    /// Shows records of the block for as long as `each` takes them; returns how many it took, and whether the block has
    /// come to its end.
    #[inline(always)]
    pub fn show(
        &mut self,
        scanner: &Scanner,
        each: &mut impl FnMut(&Record<'_>) -> bool,
    ) -> (usize, Result<bool, Malformed>) {
        let (entries, payload) = (scanner.entries(), scanner.payload());
        match &mut self.shown {
            Shown::Nothing => (0, Ok(true)),
            Shown::Walk(walk) => walk.for_each(&self.selection, entries, payload, each),
            Shown::Hits(hits, at) => show_hits(hits, at, (entries, payload), each),
        }
    }
}

/// Shows records that were selected from a block for as long as `each` takes them. It is a function of its own to keep
/// the loop over whole blocks tight.
#[inline(never)]
fn show_hits(
    hits: &[Hit],
    at: &mut usize,
    (entries, payload): (&[u8], &[u8]),
    each: &mut dyn FnMut(&Record<'_>) -> bool,
) -> (usize, Result<bool, Malformed>) {
    let from = *at;
    while hits.get(*at).is_some_and(|hit| each(&hit.record(entries, payload))) {
        *at += 1;
    }
    (*at - from, Ok(*at == hits.len()))
}
