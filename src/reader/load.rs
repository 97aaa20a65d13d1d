//! Reads what the filter needs of a block: all of it, its entries and the pages with wanted records, or its entries.

use super::block::Walk;
use super::view::Shown;
use super::Cursor;
use crate::error::Kind;
use crate::format::block::BlockHeader;
use crate::format::entries::Entries;
use crate::format::index::{Located, Row, Window};
use crate::format::Malformed;
use crate::memory;
use crate::record::{event, id_after_loss, Hit, Metadata, NamedType};
use crate::segment::{block_at, Bad, Map, Scanner};

/// The greatest number of records in a list when only some of a block are wanted. If there are more, all of the payload
/// is read and they are selected one by one: a list takes several times the memory of the entries of small records.
const LISTED: usize = 1 << 18;

impl Cursor {
    /// Reads what is wanted of the block with this header, at the scanner's place; false when nothing is.
    pub(super) fn load(&mut self, header: &BlockHeader) -> Result<bool, Bad> {
        let headers_only = self.view.selection.headers_only();
        // A first record that could not be read is not to be continued behind.
        self.direction.set_resume(None);
        if self.direction.is_salvage() {
            // The caller judges an incomplete block.
            self.position.scanner.check_whole(header)?;
        }
        if self.segment().translated.is_some() && self.load_translated(header)? {
            return Ok(matches!(&self.view.shown, Shown::Hits(hits, _) if !hits.is_empty()));
        }
        if self.view.selection.wants_all(header) && !self.view.first_only {
            let read = match headers_only {
                true => self.position.scanner.load_entries(header),
                false => self.position.scanner.load(header),
            };
            let read = read.and_then(|()| if headers_only { self.check_last(header) } else { Ok(()) });
            match read {
                Ok(()) => {
                    self.position.scanner.check_whole(header)?;
                    let walk = Walk::new(header, &self.view.selection);
                    if self.direction.is_salvage() {
                        // Contradictions under good checksums are damage of the whole block: none of it is shown.
                        walk.check(&self.view.selection, self.position.scanner.entries())?;
                        self.report_nameless(header)?;
                    }
                    self.view.shown = Shown::Walk(walk);
                    return Ok(true);
                }
                Err(Bad::Malformed(_)) if self.saves_pages() => (),
                Err(bad) => return Err(bad),
            }
        }
        self.position.scanner.load_entries(header)?;
        let shows_singly = !self.direction.is_salvage() && !self.view.selection.is_newest_first();
        let most = if shows_singly { LISTED } else { usize::MAX };
        let mut hits = match self.list_first(header)? {
            Some(hit) => vec![hit],
            None => match self.list(header, most)? {
                Some(hits) => hits,
                None if shows_singly => return self.load_many(header, headers_only),
                None => return Err(self.position.scanner.too_many(header)),
            },
        };
        self.report_nameless(header)?;
        if !self.direction.is_salvage() {
            self.check_last(header)?;
        }
        if !headers_only {
            hits = match self.saves_pages() {
                true => self.load_what_is_good(header, hits)?,
                false => self.load_payload_of(header, hits)?,
            };
        }
        self.position.scanner.check_whole(header)?;
        let any = !hits.is_empty();
        self.view.shown = Shown::Hits(hits, 0);
        Ok(any)
    }

    /// Checks the whole payload of the last block of a segment that is not closed, also if not all of it is wanted: a
    /// writer may be at work on the block, or a crash may have torn it, and its head alone counts for nothing.
    fn check_last(&mut self, header: &BlockHeader) -> Result<(), Bad> {
        let segment = self.segment().clone();
        let (offset, shift) = (self.position.scanner.offset(), self.position.scanner.shift());
        if shift != 0 || header.payload_stored == 0 || segment.translated.is_some() || segment.file.is_far() {
            return Ok(());
        }
        let end = offset + header.block_len();
        let is_known = |map: &Map| map.trailer.is_some() || map.end().is_some_and(|to| to > end);
        if self.direction.route().is_some_and(|route| is_known(&route.map)) {
            return Ok(());
        }
        let is_closed = match self.position.is_closed {
            Some(is_closed) => is_closed,
            None => segment.ends_with_trailer().map_err(Bad::Io)?.unwrap_or(true),
        };
        self.position.is_closed = Some(is_closed);
        if is_closed || block_at(&segment, end).map_err(Bad::Io)?.is_some() {
            return Ok(());
        }
        let mut scanner = Scanner::new(segment, offset);
        let header = scanner.header()?;
        match scanner.load(&header) {
            // Who reads the block is told.
            Err(Bad::Io(error)) if matches!(error.kind(), Kind::TooLarge | Kind::NoMemory) => Ok(()),
            loaded => loaded,
        }
    }

    /// Shows what is wanted of a block that a legacy file is translated to: its records, and their places in the file,
    /// are known. False for any other block.
    fn load_translated(&mut self, header: &BlockHeader) -> Result<bool, Bad> {
        self.position.scanner.load_entries(header)?;
        // For the next block, which will have a similar number.
        let mut hits = memory::with_room(header.count as usize + 1)?;
        let (selection, wants_all) = (&self.view.selection, self.view.selection.wants_all(header));
        let wants = |hit: &Hit, entries: &[u8]| wants_all || selection.wants(hit.id, &hit.entry(entries));
        if !self.position.scanner.borrow(&mut hits, selection.headers_only(), wants)? {
            return Ok(false);
        }
        if std::mem::take(&mut self.view.first_only)
            && self.list.snapshot.is_one_log()
            && hits.len() > 1
            && !hits[0].is_event()
        {
            hits.truncate(1);
            self.resume_behind(hits[0].id);
        }
        self.view.shown = Shown::Hits(hits, 0);
        Ok(true)
    }

    /// The wanted records of a block whose entries are loaded.
    pub(super) fn hits(&self, header: &BlockHeader) -> Result<Vec<Hit>, Bad> {
        self.list(header, usize::MAX)?.ok_or_else(|| self.position.scanner.too_many(header))
    }

    /// The first wanted record of a block whose entries are loaded, if no other is to be shown now: the next call
    /// continues behind it.
    fn list_first(&mut self, header: &BlockHeader) -> Result<Option<Hit>, Bad> {
        // A compressed payload has to be read as a whole, and an id is a place to continue from only if there is one
        // log.
        if !std::mem::take(&mut self.view.first_only) || header.codec != 0 || !self.list.snapshot.is_one_log() {
            return Ok(None);
        }
        let walk = Walk::new(header, &self.view.selection);
        let (first, is_followed) = walk.first(&self.view.selection, self.position.scanner.entries())?;
        let first = first.filter(|first| !first.is_event());
        if let (Some(first), true) = (&first, is_followed) {
            self.resume_behind(first.id);
        }
        Ok(first)
    }

    /// As [`Self::hits`]; `None` when there are more than `most`, or memory for them is short.
    fn list(&self, header: &BlockHeader, most: usize) -> Result<Option<Vec<Hit>>, Bad> {
        let most = most.min(self.position.scanner.most_hits(header));
        Walk::new(header, &self.view.selection).rest(&self.view.selection, self.position.scanner.entries(), most)
    }

    /// Lists the records of the block with this header, if all of them are shown, for callers that show them in another
    /// order.
    pub(super) fn list_shown(&mut self, header: &BlockHeader) -> Result<(), Bad> {
        let Shown::Walk(walk) = &self.view.shown else { return Ok(()) };
        let listed =
            walk.rest(&self.view.selection, self.position.scanner.entries(), self.position.scanner.most_hits(header));
        let (shown, done) = match listed {
            Ok(Some(hits)) => (Shown::Hits(hits, 0), Ok(())),
            // Nothing of it is shown, and the next call begins with it again.
            Ok(None) => (Shown::Nothing, Err(self.position.scanner.too_many(header))),
            Err(Bad::Io(error)) => (Shown::Nothing, Err(Bad::Io(error))),
            Err(damaged) => return Err(damaged),
        };
        self.view.shown = shown;
        done
    }

    /// Shows what is wanted of a block, whose entries are loaded, without a list of it.
    fn load_many(&mut self, header: &BlockHeader, headers_only: bool) -> Result<bool, Bad> {
        self.view.first_only = false;
        if !headers_only {
            self.position.scanner.load_payload(header)?;
        }
        self.position.scanner.check_whole(header)?;
        self.view.shown = Shown::Walk(Walk::new(header, &self.view.selection));
        Ok(true)
    }

    /// Reads the pages from the first of these records to the last, or the whole payload when that is hardly more.
    fn load_payload_of(&mut self, header: &BlockHeader, mut hits: Vec<Hit>) -> Result<Vec<Hit>, Bad> {
        let (Some(first), Some(last)) = (hits.first(), hits.last()) else { return Ok(hits) };
        let wanted = first.payload().start..last.payload().end;
        if header.codec != 0 || wanted.len() > header.payload_len as usize / 4 * 3 {
            match self.position.scanner.load_payload(header) {
                Ok(()) => return Ok(hits),
                // The pages that are wanted may be good.
                Err(Bad::Malformed(Malformed::Page { .. })) if header.codec == 0 => (),
                Err(bad) => return Err(bad),
            }
        }
        let from = self.position.scanner.load_pages(header, wanted)?;
        hits.iter_mut().for_each(|hit| hit.payload_at -= from);
        Ok(hits)
    }

    /// Reads the wanted records of a block at the places that the index states, without the rest of the block; false
    /// when the index does not state all of them.
    pub(super) fn load_located(&mut self, window: &Window, row: &Row) -> Result<bool, Bad> {
        // The events have to be learnt.
        let found = if row.has_events { None } else { self.view.selection.located(window, row) };
        let Some(found) = found.filter(|found| !found.is_empty()) else { return Ok(false) };
        if !self.view.selection.headers_only() {
            self.position.scanner.load_located(row, found.iter().map(|(_, located)| located))?;
        }
        self.view.first_only = false;
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
        self.view.shown = Shown::Hits(found.iter().map(hit).collect(), 0);
        Ok(true)
    }

    /// Records what the events of the block state about types, about the next segment, and about records that are known
    /// to be lost.
    pub(super) fn learn(&mut self, header: &BlockHeader) -> Result<(), Bad> {
        let mut names = vec![];
        let mut recovered = false;
        for placed in Entries::new(header, self.position.scanner.entries()) {
            let entry = placed?.entry;
            let facts = Metadata::from_bytes(entry.metadata);
            match entry.type_id {
                event::TYPE => {
                    memory::append(&mut names, NamedType::from_event(facts))?;
                }
                event::ROTATE_NEXT => self.position.successor = facts.get("file").map(str::to_owned),
                event::OPENED => self.position.successor = None,
                event::RECOVERED => (self.position.acknowledged, recovered) = (id_after_loss(facts), true),
                _ => (),
            }
        }
        for named in names {
            self.note_name(&named);
            self.view.selection.learn_name(named);
        }
        // A legacy file contains no other such event than its torn end.
        match recovered {
            true => self.pass_torn_legacy(),
            false => Ok(()),
        }
    }
}
