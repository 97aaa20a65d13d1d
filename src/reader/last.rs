//! Where the last so many records begin.

use std::collections::VecDeque;

use super::cursor::Failure;
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
    /// The damage before them, when they are fewer than were asked for because of it.
    pub hidden: Option<Failure>,
}

impl Cursor {
    /// Finds the last `most` records that the filter lets through.
    pub(super) fn find_the_last(&self, most: u64, options: &ReaderOptions, filter: &Filter) -> Result<Last> {
        if !self.snapshot.is_one_log() {
            return Err(Error::new(
                Kind::Unsupported,
                "there are several logs here: name the one whose last records are meant",
            ));
        }
        match self.salvage.is_some() {
            true => self.look_for_the_last(most, options, filter, true),
            false => match self.look_for_the_last(most, options, filter, false) {
                // A file that is compressed as a whole.
                Err(error) if error.kind() == Kind::Unsupported => self.look_for_the_last(most, options, filter, true),
                found => found,
            },
        }
    }

    fn look_for_the_last(&self, most: u64, options: &ReaderOptions, filter: &Filter, forward: bool) -> Result<Last> {
        // A record whose payload is damaged is none of those that can be shown. What lies in a store would be fetched
        // twice for that.
        let headers_only = filter.headers_only || (self.source.is_far() && self.salvage.is_none());
        let filter = Filter { last: None, newest_first: !forward, headers_only, events: false, ..filter.clone() };
        // What is lost is told once, by the cursor that shows the records.
        let options = ReaderOptions { on_loss: None, ..options.clone() };
        let mut looking = Cursor::new(self.source.clone(), self.snapshot.clone(), &options, &filter)?;
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        // From the newest on, only the last of them counts.
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
                // What was removed meanwhile is not among the last records that are there.
                Err(error) if error.kind() == Kind::Missed => (),
                Err(error) if error.kind() == Kind::Corrupt => {
                    hidden = Some(Failure { error, tail: looking.tail() });
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        // Read forward, the damage comes behind the records, and the cursor that shows them meets it there.
        let hidden = hidden.filter(|_| !forward);
        let first_id = match (ids.front(), most) {
            (_, 0) => looking.tail().next_id.max(self.selection.first_id()),
            // There are no more: what is lost before them is told too.
            _ if count < most && hidden.is_none() => self.selection.first_id(),
            (Some(&id), _) => id,
            (None, _) => looking.tail().next_id,
        };
        Ok(Last { first_id, hidden })
    }

    /// Goes to the first wanted block of the segment, at whose beginning the cursor is, so that damage before it is not
    /// met.
    pub(super) fn go_to_the_last(&mut self) -> Result<()> {
        let segment = self.segment().clone();
        if self.salvage.is_some() || segment.is_compressed_whole() {
            return Ok(());
        }
        self.go_by_map()?;
        if self.mode != ReaderMode::Strict {
            return Ok(());
        }
        // From there on a strict reader reads every block.
        let Some(route) = self.route.take() else { return Ok(()) };
        let first_id = self.selection.first_id();
        let is_wanted = |row: &&Row| row.next_id() > first_id || (row.has_events && row.next_id() == first_id);
        for part in route.map().parts.iter().filter(|part| part.next_id >= first_id) {
            let window = match segment.rows(part) {
                Ok(window) => window,
                Err(Bad::Io(error)) => return Err(error),
                // It is damaged, and so an error for this reader.
                Err(_) => return Ok(()),
            };
            if let Some(row) = window.rows.iter().find(is_wanted) {
                self.scanner.jump(row.offset);
                self.expected = Some(row.first_id);
                break;
            }
        }
        Ok(())
    }
}
