//! Reads of a block what the filter needs: all of it, its entries and the pages with wanted records, or its entries.

use super::block::Walk;
use super::cursor::Shown;
use super::Cursor;
use crate::format::block::BlockHeader;
use crate::format::entries::Progress;
use crate::format::index::{Located, Row, Window};
use crate::format::Malformed;
use crate::memory;
use crate::record::{event, id_after_loss, Hit, Metadata, NamedType};
use crate::segment::Bad;

/// So many records of a block are listed when only some are wanted. Where there are more, they are picked out one by one,
/// of all of the payload: a list takes several times the memory that the entries of small records do.
const LISTED: usize = 1 << 18;

impl Cursor {
    /// Reads what is wanted of the block with this header, at which the scanner stands; false when nothing is.
    pub(super) fn load(&mut self, header: &BlockHeader) -> Result<bool, Bad> {
        let headers_only = self.selection.headers_only();
        if self.salvage.is_some() {
            // A block that is not all there is somebody else's to judge.
            self.scanner.check_whole(header)?;
        }
        if self.segment().translated.is_some() && self.load_translated(header)? {
            return Ok(matches!(&self.shown, Shown::Hits(hits, _) if !hits.is_empty()));
        }
        if self.selection.wants_all(header) && !self.first_only {
            let read = match headers_only {
                true => self.scanner.load_entries(header),
                false => self.scanner.load(header),
            };
            match read {
                Ok(()) => {
                    self.scanner.check_whole(header)?;
                    let walk = Walk::new(header, &self.selection);
                    if self.salvage.is_some() {
                        // What contradicts itself under good checksums is damage of the whole block: none of it is shown.
                        walk.check(&self.selection, self.scanner.entries())?;
                        self.tell_nameless(header)?;
                    }
                    self.shown = Shown::Walk(walk);
                    return Ok(true);
                }
                Err(Bad::Malformed(_)) if self.saves_pages() => (),
                Err(bad) => return Err(bad),
            }
        }
        self.scanner.load_entries(header)?;
        let shows_singly = self.salvage.is_none() && !self.selection.is_newest_first();
        let most = if shows_singly { LISTED } else { usize::MAX };
        let mut hits = match self.list(header, most)? {
            Some(hits) => hits,
            None if shows_singly => return self.load_many(header, headers_only),
            None => return Err(self.scanner.too_many(header)),
        };
        self.tell_nameless(header)?;
        // What is compressed has to be read as a whole, and only in one log does an id say where to go on.
        let first_only = std::mem::take(&mut self.first_only) && header.codec == 0 && self.snapshot.is_one_log();
        if first_only && hits.len() > 1 && !hits[0].is_event() {
            hits.truncate(1);
            self.resume_behind(hits[0].id);
        }
        if !headers_only {
            hits = match self.saves_pages() {
                true => self.load_what_is_good(header, hits)?,
                false => self.load_payload_of(header, hits)?,
            };
        }
        self.scanner.check_whole(header)?;
        let any = !hits.is_empty();
        self.shown = Shown::Hits(hits, 0);
        Ok(any)
    }

    /// Shows what is wanted of a block that an older library's file is shown as: its records are known, and where they
    /// stand there. False when it is none of those.
    fn load_translated(&mut self, header: &BlockHeader) -> Result<bool, Bad> {
        self.scanner.load_entries(header)?;
        // For the next block, which is going to have about as many.
        let mut hits = memory::with_room(header.count as usize + 1)?;
        let (selection, wants_all) = (&self.selection, self.selection.wants_all(header));
        let wants = |hit: &Hit, entries: &[u8]| wants_all || selection.wants(hit.id, &hit.entry(entries));
        if !self.scanner.borrow(&mut hits, selection.headers_only(), wants)? {
            return Ok(false);
        }
        if std::mem::take(&mut self.first_only) && self.snapshot.is_one_log() && hits.len() > 1 && !hits[0].is_event() {
            hits.truncate(1);
            self.resume_behind(hits[0].id);
        }
        self.shown = Shown::Hits(hits, 0);
        Ok(true)
    }

    /// The wanted records of a block whose entries are loaded.
    pub(super) fn hits(&self, header: &BlockHeader) -> Result<Vec<Hit>, Bad> {
        self.list(header, usize::MAX)?.ok_or_else(|| self.scanner.too_many(header))
    }

    /// As [`Self::hits`]; `None` when they are more than `most`, or than there may be memory for.
    fn list(&self, header: &BlockHeader, most: usize) -> Result<Option<Vec<Hit>>, Bad> {
        let most = most.min(self.scanner.most_hits(header));
        Walk::new(header, &self.selection).rest(&self.selection, self.scanner.entries(), most)
    }

    /// Lists the records of the block with this header, if all of them are shown, for those who show them in another order.
    pub(super) fn list_shown(&mut self, header: &BlockHeader) -> Result<(), Bad> {
        let Shown::Walk(walk) = &self.shown else { return Ok(()) };
        let listed = walk.rest(&self.selection, self.scanner.entries(), self.scanner.most_hits(header));
        let (shown, done) = match listed {
            Ok(Some(hits)) => (Shown::Hits(hits, 0), Ok(())),
            // Nothing of it is shown, so that the next call begins with it again.
            Ok(None) => (Shown::Nothing, Err(self.scanner.too_many(header))),
            Err(Bad::Io(error)) => (Shown::Nothing, Err(Bad::Io(error))),
            Err(damaged) => return Err(damaged),
        };
        self.shown = shown;
        done
    }

    /// Shows what is wanted of a block, whose entries are loaded, without a list of it.
    fn load_many(&mut self, header: &BlockHeader, headers_only: bool) -> Result<bool, Bad> {
        self.first_only = false;
        if !headers_only {
            self.scanner.load_payload(header)?;
        }
        self.scanner.check_whole(header)?;
        self.shown = Shown::Walk(Walk::new(header, &self.selection));
        Ok(true)
    }

    /// Reads the pages from the first of these records to the last, or the whole payload when that is hardly more.
    fn load_payload_of(&mut self, header: &BlockHeader, mut hits: Vec<Hit>) -> Result<Vec<Hit>, Bad> {
        let (Some(first), Some(last)) = (hits.first(), hits.last()) else { return Ok(hits) };
        let wanted = first.payload().start..last.payload().end;
        if header.codec != 0 || wanted.len() > header.payload_len as usize / 4 * 3 {
            match self.scanner.load_payload(header) {
                Ok(()) => return Ok(hits),
                // The pages that are wanted may be good.
                Err(Bad::Malformed(Malformed::Page { .. })) if header.codec == 0 => (),
                Err(bad) => return Err(bad),
            }
        }
        let from = self.scanner.load_pages(header, wanted)?;
        hits.iter_mut().for_each(|hit| hit.payload_at -= from);
        Ok(hits)
    }

    /// Reads the wanted records of a block whose places the index tells, without the rest of it; false when it does not
    /// tell them all.
    pub(super) fn load_located(&mut self, window: &Window, row: &Row) -> Result<bool, Bad> {
        // Events are to be learnt from.
        let found = if row.has_events { None } else { self.selection.located(window, row) };
        let Some(found) = found.filter(|found| !found.is_empty()) else { return Ok(false) };
        if !self.selection.headers_only() {
            self.scanner.load_located(row, found.iter().map(|(_, located)| located))?;
        }
        self.first_only = false;
        let mut payload_at = 0;
        let hit = |(type_id, Located { standing, .. }): &(u32, Located)| {
            payload_at += standing.payload_len as usize;
            Hit {
                id: row.first_id + u64::from(standing.ordinal),
                time: standing.time,
                type_id: *type_id,
                metadata: 0..0,
                payload_at: payload_at - standing.payload_len as usize,
                payload_len: standing.payload_len,
            }
        };
        self.shown = Shown::Hits(found.iter().map(hit).collect(), 0);
        Ok(true)
    }

    /// Takes note of what the block's events say about types, about where the log goes on, and about records that were
    /// lost and are known to be.
    pub(super) fn learn(&mut self, header: &BlockHeader) -> Result<(), Bad> {
        let mut names = vec![];
        let mut progress = Progress::new(header.min_time);
        let mut recovered = false;
        while let Some(entry) = progress.next(self.scanner.entries()).map_err(Bad::from)? {
            let facts = Metadata::from_bytes(entry.metadata);
            match entry.type_id {
                event::TYPE => {
                    if let Some(named) = NamedType::from_event(facts) {
                        names.push(named);
                    }
                }
                event::ROTATE_NEXT => self.successor = facts.get("file").map(str::to_owned),
                event::OPENED => self.successor = None,
                event::RECOVERED => (self.acknowledged, recovered) = (id_after_loss(facts), true),
                _ => (),
            }
        }
        for named in names {
            self.note_name(&named);
            self.selection.learn_name(named);
        }
        // A file of an older library shows nothing else than its torn end so.
        match recovered {
            true => self.pass_torn_elder(),
            false => Ok(()),
        }
    }
}
