//! What a cursor over a part of a log does at the beginning and at the end of that part.

use super::{Cursor, Tail, TailState};
use crate::error::Result;
use crate::format::index::Row;
use crate::format::Malformed;
use crate::log::{chain_break, SlotState};
use crate::options::ReaderMode;
use crate::segment::{block_at, Bad, Map, Segment};

impl Cursor {
    /// Goes to the first block of the part, in the segment at whose beginning the cursor is: damage before it is met by
    /// whoever reads the part that it is in. A cursor that goes by the index does so anyway.
    pub(super) fn go_to_the_part(&mut self) -> Result<()> {
        let Some(limit) = self.view.selection.limit() else { return Ok(()) };
        let (first_id, segment) = (limit.first_id, self.segment().clone());
        let is_read_from_its_beginning = segment.translated.is_some() || segment.is_compressed_whole();
        if self.list.mode == ReaderMode::Prefix || segment.header.first_id >= first_id || is_read_from_its_beginning {
            return Ok(());
        }
        let events = self.view.selection.has_events();
        let is_wanted = |row: &Row| {
            // A block of events begins with the id of the record that follows.
            row.next_id() > first_id
                || row.first_id >= first_id
                || (events && row.has_events && row.next_id() == first_id)
        };
        let map = segment.mapped()?;
        // The blocks that define them are not read.
        for named in &*map.names {
            self.view.selection.learn_name(named.clone());
        }
        let mut before: Option<Row> = None;
        for part in &map.parts {
            let window = match segment.rows(part) {
                Ok(window) => window,
                Err(Bad::Io(error)) => return Err(error),
                Err(_) => return Ok(()),
            };
            let at = window.rows.partition_point(|row| !is_wanted(row));
            before = at.checked_sub(1).map(|last| window.rows[last].clone()).or(before);
            let Some(row) = window.rows.get(at) else { continue };
            // An INDEX block between the two is in this part.
            match before {
                Some(before) if is_there(&segment, &before)? => self.go_to(before.end(), before.next_id()),
                _ if is_there(&segment, row)? => self.go_to(row.offset, row.first_id),
                _ => (),
            }
            break;
        }
        Ok(())
    }

    fn go_to(&mut self, offset: u64, first_id: u64) {
        self.position.scanner.jump(offset);
        self.position.expected = Some(first_id);
    }

    /// The end of the part, when everything in it was read.
    pub(super) fn end_of_part(&self) -> Tail {
        let offset = self.segment().reported_offset(self.position.scanner.offset());
        Tail { state: TailState::Closed, path: self.segment().path.clone(), offset, ..Tail::default() }
    }

    /// Checks, after the last segment, that all records of the part were there: they were when the log was planned.
    /// The last segment ends with `left` bytes that are no block.
    pub(super) fn check_end_of_part(&mut self, left: u64) -> Result<()> {
        let expected = self.position.next_id();
        let Some(limit) = self.view.selection.limit().filter(|limit| expected <= limit.last_id) else { return Ok(()) };
        let last_id = limit.last_id;
        if left > 0 {
            // They are in a torn block: the cursor ends there as one over the log does.
            let torn = block_at(self.segment(), self.position.scanner.offset())?;
            if torn.is_some_and(|torn| torn.first_id <= expected && torn.next_id() > last_id) {
                return Ok(());
            }
        }
        let reason = Malformed::Missing(format!(
            "the records {expected} to {last_id}, which were in the log when it was planned, are missing"
        ));
        if !self.direction.is_salvage() {
            return Err(self.corrupt(&reason));
        }
        self.lose((self.position.scanner.offset(), 0), Some((expected, last_id)), &reason)?;
        self.position.expected = Some(last_id + 1);
        Ok(())
    }

    /// The number of the last segment that is read, from its end if the newest records come first.
    pub(super) fn last_own_place(&self) -> usize {
        let slots = &self.list.snapshot.slots;
        let own = slots.iter().rposition(|slot| !self.view.selection.is_behind(slot.sequence));
        own.unwrap_or(slots.len() - 1)
    }

    /// Whether the end of the last segment is in what is read.
    pub(super) fn reaches_the_end(&self) -> bool {
        self.view.selection.limit().is_none_or(|limit| limit.to_the_end)
    }

    /// What is wrong between the current segment, which was mapped, and the one that only shows how it ends.
    pub(super) fn break_behind(&self, segment: &Segment, map: &Map) -> Result<Option<Malformed>> {
        let at = self.list.at + 1;
        if self.view.selection.limit().is_none() || at >= self.list.snapshot.slots.len() {
            return Ok(None);
        }
        let SlotState::Segment(next) = self.list.snapshot.open(at)? else { return Ok(None) };
        let expected = map.parts.last().map_or(segment.header.first_id, |part| part.next_id);
        chain_break(segment, map.end().unwrap_or(segment.start), expected, &next)
    }
}

/// Whether the block of this row is where the row says.
fn is_there(segment: &Segment, row: &Row) -> Result<bool> {
    let there = block_at(segment, row.offset)?;
    Ok(there
        .is_some_and(|there| (there.first_id, there.count, there.block_len()) == (row.first_id, row.count, row.len)))
}
