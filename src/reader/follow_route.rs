//! Follows a route: to the next block that may contain something wanted.

use std::sync::Arc;

use super::cursor::Moved;
use super::route::must_be_seen;
use super::Cursor;
use crate::error::Result;
use crate::format::block::{BlockHeader, BlockKind};
use crate::format::index::{Row, Window};
use crate::format::Malformed;
use crate::segment::{Bad, Part};

/// What the index names as the next step.
enum Next {
    /// Nothing: read the next block.
    Read,
    /// Nothing wanted is before this offset, where a block with this first id begins.
    Jump(u64, u64),
    /// As before, and this row's block holds something wanted.
    Row(Arc<Window>, usize),
    /// Everything from here on is past the filter's range.
    Past,
}

impl Cursor {
    /// Continues by the index: to the next block that may contain something wanted, whose header has to be read then
    /// (`None`), or to records that are read without the header.
    pub(super) fn follow_route(&mut self) -> Result<Option<Moved>, Bad> {
        loop {
            let next = match self.next_by_index() {
                Ok(next) => next,
                Err(Bad::Io(error)) => return Err(Bad::Io(error)),
                // An INDEX block cannot be read, or is wrong: continue without the index.
                Err(_) => {
                    if self.turn_back() {
                        continue;
                    }
                    self.direction.set_route(None);
                    return Ok(None);
                }
            };
            match next {
                Next::Read => return Ok(None),
                Next::Past => {
                    self.report_holes_up_to(u64::MAX)?;
                    self.position.past = true;
                    return Ok(Some(Moved::Again));
                }
                Next::Jump(offset, first_id) => self.jump(offset, first_id)?,
                Next::Row(window, at) => {
                    let row = &window.rows[at];
                    self.announce_rows(at);
                    self.jump(row.offset, row.first_id)?;
                    return match self.load_located(&window, row) {
                        Ok(true) => {
                            if let Some(route) = self.direction.route_mut() {
                                route.shown_to = row.next_id() - 1;
                            }
                            self.position.scanner.set_offset(row.end());
                            self.position.expected = Some(row.next_id());
                            Ok(Some(Moved::Block))
                        }
                        Err(Bad::Io(error)) => Err(Bad::Io(error)),
                        // Read the block itself, and report what is wrong with it.
                        Ok(false) | Err(_) => {
                            self.position.scanner.jump_to(row);
                            if let Some(route) = self.direction.route_mut() {
                                route.named = Some((window.clone(), at));
                            }
                            Ok(None)
                        }
                    };
                }
            }
        }
    }

    /// Announces to a file on another machine the rows from this one of the part on, unless that was done.
    fn announce_rows(&mut self, at: usize) {
        let Some(route) = self.direction.route().filter(|route| (route.part, at) >= route.announced) else { return };
        if !self.position.scanner.segment().file.is_far() {
            return;
        }
        let announced = self.announce(&route.map, (route.part, at), false);
        if let Some(route) = self.direction.route_mut() {
            route.announced = announced;
        }
    }

    /// Whether the block with this header is the one that the index names, if it names one.
    pub(super) fn verify(&mut self, header: &BlockHeader) -> bool {
        let offset = self.position.scanner.offset();
        let Some(route) = self.direction.route_mut() else { return true };
        let is_as_named = route.named.take().is_none_or(|(window, at)| {
            let row = &window.rows[at];
            (row.offset, row.len, row.first_id, row.count, BlockKind::Records)
                == (offset, header.block_len(), header.first_id, header.count, header.kind)
        });
        if is_as_named {
            route.origin = None;
        }
        is_as_named
    }

    /// After a jump to a wrong place: goes back, and gives up the index. False when there was no jump.
    pub(super) fn turn_back(&mut self) -> bool {
        let Some(route) = self.direction.take_route() else { return false };
        let Some((offset, expected)) = route.origin else {
            self.direction.set_route(Some(route));
            return false;
        };
        self.view.selection.skip_ids_to(route.shown_to);
        self.position.scanner.reread();
        self.position.scanner.jump(offset);
        self.position.expected = expected;
        true
    }

    /// Reports the holes before this offset that the index skips.
    fn report_holes_up_to(&mut self, offset: u64) -> Result<(), Bad> {
        match self.direction.route().map(|route| route.map.clone()) {
            Some(map) if !self.segment().holes().is_empty() => self.report_holes_before(offset, &map),
            _ => Ok(()),
        }
    }

    fn jump(&mut self, offset: u64, first_id: u64) -> Result<(), Bad> {
        self.report_holes_up_to(offset)?;
        let from = (self.position.scanner.next_offset(), self.position.expected);
        if let Some(route) = self.direction.route_mut().filter(|_| offset != from.0) {
            route.origin.get_or_insert(from);
            self.position.scanner.jump(offset);
            self.position.expected = Some(first_id);
            self.position.sealed = false;
        }
        Ok(())
    }

    fn next_by_index(&mut self) -> Result<Next, Bad> {
        let here = self.position.scanner.next_offset();
        let segment = self.position.scanner.segment().clone();
        let Some(route) = self.direction.route_mut() else { return Ok(Next::Read) };
        while route.map.parts.get(route.part).is_some_and(|part| part.to <= here) {
            route.part += 1;
            route.rows = None;
        }
        let Some(part) = route.map.parts.get(route.part) else {
            if route.origin.is_none() {
                self.direction.set_route(None);
            }
            return Ok(Next::Read);
        };
        if here < part.from {
            // Lost records there are not wanted.
            let hole = route.map.hole_behind(here).filter(|hole| hole.to == part.from);
            return Ok(match hole.filter(|_| self.view.selection.begins_at(part.first_id)) {
                Some(_) => Next::Jump(part.from, part.first_id),
                None => Next::Read,
            });
        }
        if part.first_id > self.view.selection.end_id() {
            return Ok(Next::Past);
        }
        // The last part may name the next segment.
        let is_last = route.part + 1 == route.map.parts.len();
        let is_passed =
            |part: &Part| part.first_id <= self.view.selection.end_id() && !self.view.selection.wants_part(part);
        if !is_last && is_passed(part) {
            // Passes the parts behind it that nothing is wanted of either in the same step.
            let others = &route.map.parts[route.part..route.map.parts.len() - 1];
            let run = others.windows(2).take_while(|pair| pair[0].to == pair[1].from && is_passed(&pair[1])).count();
            return Ok(Next::Jump(others[run].to, others[run].next_id));
        }
        let rows = match &route.rows {
            Some(rows) => rows.clone(),
            None => route.rows.insert(segment.rows(part)?).clone(),
        };
        let first_id = self.view.selection.first_id();
        let mut from = rows.rows.partition_point(|row| row.end() <= here || row.next_id() < first_id);
        // After all wanted records, the last block may still name the next segment.
        let may_name_next = |row: &Row| row.end() > here && must_be_seen(&rows, row, &segment);
        if is_last && from == rows.rows.len() && rows.rows.last().is_some_and(may_name_next) {
            from -= 1;
        }
        let skipped = rows.rows[from..]
            .iter()
            .position(|row| self.view.selection.wants_row(&rows, row) || must_be_seen(&rows, row, &segment));
        // The index names no block where one ends: the index is wrong.
        if skipped.is_some_and(|skipped| rows.rows[from + skipped].offset < here) {
            return Err(Bad::Malformed(Malformed::inconsistent("the index lists other blocks than the segment has")));
        }
        Ok(match skipped {
            Some(skipped) => Next::Row(rows, from + skipped),
            // The trailer may come after the last row, and has to be read.
            None if is_last && part.is_held() => match rows.rows.last().filter(|row| row.end() > here) {
                Some(row) => Next::Jump(row.end(), row.next_id()),
                None => Next::Read,
            },
            None => Next::Jump(part.to, part.next_id),
        })
    }
}
