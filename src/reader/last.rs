//! Finds where the last N records begin.

use std::collections::VecDeque;

use super::ending::Failure;
use super::Cursor;
use crate::error::{Error, Kind, Result};
use crate::format::index::Row;
use crate::memory::NoMemory;
use crate::options::{Filter, ReaderMode, ReaderOptions};
use crate::segment::Bad;

/// The last records that can be read.
pub(super) struct Last {
    /// Id of the first of them.
    pub first_id: u64,
    /// The damage before them, if it leaves fewer records than were asked for.
    pub hidden: Option<Failure>,
}

impl Cursor {
    /// Finds the last `most` records that match the filter.
    pub(super) fn find_the_last(&self, most: u64, options: &ReaderOptions, filter: &Filter) -> Result<Last> {
        if !self.list.snapshot.is_one_log() {
            return Err(Error::new(
                Kind::Unsupported,
                "there are several logs here: name the one whose last records are meant",
            ));
        }
        match self.direction.is_salvage() {
            true => self.look_for_the_last(most, options, filter, true),
            false => match self.look_for_the_last(most, options, filter, false) {
                // A file that is compressed as a whole.
                Err(error) if error.kind() == Kind::Unsupported => self.look_for_the_last(most, options, filter, true),
                found => found,
            },
        }
    }

    fn look_for_the_last(&self, most: u64, options: &ReaderOptions, filter: &Filter, forward: bool) -> Result<Last> {
        // A record with a damaged payload cannot be shown and does not count. Payloads in a store are not checked here,
        // because they would be fetched twice.
        let headers_only = filter.headers_only || (self.list.source.is_far() && !self.direction.is_salvage());
        let filter = Filter { last: None, newest_first: !forward, headers_only, events: false, ..filter.clone() };
        // Losses are reported once, by the cursor that shows the records.
        let options = ReaderOptions { on_loss: None, ..options.clone() };
        let mut looking = Cursor::new(self.list.source.clone(), self.list.snapshot.clone(), &options, &filter)?;
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        // Read newest first, only the last of them counts.
        let kept = if forward { most } else { 1 };
        let (mut ids, mut count, mut refused, mut hidden) = (VecDeque::new(), 0, None, None);
        while forward || count < most {
            let want = if forward { usize::MAX } else { most - count };
            let seen = looking.next_batch(want, |record| {
                count += 1;
                if ids.len() == kept {
                    ids.pop_front();
                }
                match ids.try_reserve(1) {
                    Ok(()) if kept > 0 => ids.push_back(record.id),
                    Ok(()) => (),
                    Err(_) => refused = Some(NoMemory { bytes: 8 * (ids.len() as u64 + 1) }),
                }
            });
            if let Some(refused) = refused {
                return Err(refused.into());
            }
            match seen {
                Ok(0) => break,
                Ok(_) => (),
                // Segments that were removed meanwhile do not count.
                Err(error) if error.kind() == Kind::Missed => (),
                Err(error) if error.kind() == Kind::Corrupt => {
                    hidden = Some(Failure { error, tail: looking.tail() });
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        // Read forward, the damage comes after the records, and the cursor that shows them meets it there.
        let hidden = hidden.filter(|_| !forward);
        let first_id = match (ids.front(), most) {
            (_, 0) => looking.tail().next_id.max(self.view.selection.first_id()),
            // There are no more records: losses before them are reported too.
            _ if count < most && hidden.is_none() => self.view.selection.first_id(),
            (Some(&id), _) => id,
            (None, _) => looking.tail().next_id,
        };
        Ok(Last { first_id, hidden })
    }

    /// Goes to the first wanted block of the segment, at whose beginning the cursor is, to avoid damage before it.
    pub(super) fn go_to_the_last(&mut self) -> Result<()> {
        let segment = self.segment().clone();
        if self.direction.is_salvage() || segment.is_compressed_whole() {
            return Ok(());
        }
        self.go_by_map()?;
        if self.list.mode != ReaderMode::Strict {
            return Ok(());
        }
        // From there on a strict reader reads every block.
        let Some(route) = self.direction.take_route() else { return Ok(()) };
        let first_id = self.view.selection.first_id();
        let is_wanted = |row: &&Row| row.next_id() > first_id || (row.has_events && row.next_id() == first_id);
        for part in route.map.parts.iter().filter(|part| part.next_id >= first_id) {
            let window = match segment.rows(part) {
                Ok(window) => window,
                Err(Bad::Io(error)) => return Err(error),
                // It is damaged, and so an error for this reader.
                Err(_) => return Ok(()),
            };
            if let Some(row) = window.rows.iter().find(is_wanted) {
                self.position.scanner.jump(row.offset);
                self.position.expected = Some(row.first_id);
                break;
            }
        }
        Ok(())
    }
}
