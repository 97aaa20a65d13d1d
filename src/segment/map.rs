//! The places of a segment's blocks: from its index as far as that reaches, and elsewhere by walking the headers.

use std::collections::BTreeSet;
use std::sync::Arc;

use parking_lot::Mutex;

use super::holes::Learned;
use super::recover::{load_index, unusable};
use super::tail::{block_at, end_before_space, is_space, last_block, next_block};
use super::{Bad, Scanner, Segment};
use crate::error::{Error, Kind, Result};
use crate::format::block::{BlockHeader, BlockKind};
use crate::format::declaration::SPACE;
use crate::format::entries::Entries;
use crate::format::index::{self, Pairs, Row, Window};
use crate::format::{trailer, Malformed};
use crate::memory::{self, NoMemory};
use crate::record::{event, Metadata, NamedType};

/// Rows that are kept decoded for later: about 2 MB.
const ROWS_KEPT: usize = 16 << 10;

/// A segment span whose blocks are known.
#[derive(Clone)]
pub(crate) struct Part {
    pub from: u64,
    pub to: u64,
    /// Id of the first record that can be in it, and of the first after it.
    pub first_id: u64,
    pub next_id: u64,
    pub min_time: i64,
    pub max_time: i64,
    rows: Rows,
}

#[derive(Clone)]
enum Rows {
    /// They are in the INDEX block at this offset.
    Index(u64),
    Held(Arc<Window>),
}

/// Bytes between two blocks that are not a block.
#[derive(Clone)]
pub(crate) struct Hole {
    pub from: u64,
    /// Where the next block begins.
    pub to: u64,
    pub bad: Arc<Bad>,
}

/// The parts of a segment, in order; there may be unknown spans between them.
#[derive(Default)]
pub(crate) struct Map {
    /// Length of the file that it was made for.
    pub len: u64,
    pub parts: Vec<Part>,
    /// The holes that were found between them, in order.
    pub holes: Vec<Hole>,
    /// Named types, as far as the parts contain them. The map of the whole segment often shares those of its index.
    pub names: Arc<Vec<NamedType>>,
    /// Records and events of each type up to the end of the last INDEX block, if that contains them.
    pub counts: Option<Arc<Vec<(u32, u64)>>>,
    /// The offset of the TRAILER at the end of the file, if there is one.
    pub trailer: Option<u64>,
    /// Where and why walking the headers ended: no block follows.
    pub stopped: Option<(u64, Arc<Bad>)>,
}

/// What a segment keeps of its index for later, and what is known of it otherwise.
#[derive(Default)]
pub(crate) struct Cache {
    kept: Mutex<Kept>,
    pub(super) learned: Learned,
}

#[derive(Default)]
struct Kept {
    /// The map from the index alone.
    indexed: Option<Arc<Map>>,
    /// The map of the whole segment.
    whole: Option<Arc<Map>>,
    windows: Vec<(u64, Arc<Window>)>,
    /// Everything from this offset to the end of the file, which had this length, was found to be zeros.
    space: Option<(u64, u64)>,
}

impl Part {
    /// Whether its rows came from the headers rather than from the index.
    pub fn is_held(&self) -> bool {
        matches!(self.rows, Rows::Held(_))
    }
}

impl Map {
    /// Whether the parts cover everything up to the end of the last, in a segment whose blocks begin at `start`.
    pub fn is_contiguous(&self, start: u64) -> bool {
        let mut at = start;
        self.parts.iter().all(|part| std::mem::replace(&mut at, part.to) == part.from)
    }

    /// The end of the last part.
    pub fn end(&self) -> Option<u64> {
        self.parts.last().map(|part| part.to)
    }

    /// The hole between the blocks before this offset and a part that begins there.
    pub fn hole_before(&self, offset: u64) -> Option<&Hole> {
        self.holes.iter().find(|hole| hole.to == offset)
    }

    /// The hole after the blocks before this offset.
    pub fn hole_behind(&self, offset: u64) -> Option<&Hole> {
        self.holes.iter().find(|hole| hole.from == offset)
    }

    /// The map up to the last hole, if no record follows that: then the damage is at the end.
    pub fn up_to_damaged_end(&self) -> Result<Option<Map>, NoMemory> {
        let Some(hole) = self.holes.last() else { return Ok(None) };
        let parts = self.parts.partition_point(|part| part.from < hole.from);
        let is_empty = |part: &Part| matches!(&part.rows, Rows::Held(window) if window.rows.is_empty());
        if !self.parts[parts..].iter().all(is_empty) {
            return Ok(None);
        }
        let mut map = self.copied()?;
        map.parts.truncate(parts);
        map.holes.pop();
        map.stopped = Some((hole.from, hole.bad.clone()));
        Ok(Some(map))
    }

    /// A copy with lists of its own, except for what does not change.
    fn copied(&self) -> Result<Map, NoMemory> {
        Ok(Map {
            len: self.len,
            parts: memory::copied(&self.parts)?,
            holes: memory::copied(&self.holes)?,
            names: self.names.clone(),
            counts: self.counts.clone(),
            trailer: self.trailer,
            stopped: self.stopped.clone(),
        })
    }
}

impl Segment {
    /// The map from the index; empty when there is no usable index.
    pub fn indexed(self: &Arc<Self>) -> Result<Arc<Map>> {
        if self.translated.is_some() {
            return Ok(Arc::default());
        }
        let len = self.len()?;
        if len == u64::MAX {
            return Ok(Arc::default());
        }
        if let Some(map) = self.cache.kept.lock().indexed.as_ref().filter(|map| map.len == len) {
            return Ok(map.clone());
        }
        let map = Arc::new(Map { len, ..by_index(self, len)? });
        self.cache.kept.lock().indexed = Some(map.clone());
        Ok(map)
    }

    /// The places of all blocks of the segment. The headers of spans that the index does not cover are walked once.
    pub fn mapped(self: &Arc<Self>) -> Result<Arc<Map>> {
        let len = self.len()?;
        let known = self.cache.kept.lock().whole.clone();
        let map = match known {
            Some(map) if map.len == len && !continues(self, &map)? => return Ok(map),
            // The segment has grown: the known parts stay valid.
            Some(map) if map.len <= len && len != u64::MAX => Map { stopped: None, ..map.copied()? },
            _ => self.indexed()?.copied()?,
        };
        let map = Arc::new(hop_the_rest(self, Map { len, ..map })?);
        self.cache.kept.lock().whole = Some(map.clone());
        Ok(map)
    }

    /// The same without the index, which was found to be wrong or to lead to damage. It is not kept: other readers
    /// continue to use the index, even if one has met damage.
    pub fn hopped(self: &Arc<Self>) -> Result<Arc<Map>> {
        Ok(Arc::new(hop_the_rest(self, Map::default())?))
    }

    /// Whether the index contains every block, and each INDEX block can be read.
    pub fn is_fully_indexed(self: &Arc<Self>) -> Result<bool> {
        let map = self.indexed()?;
        for part in &map.parts {
            match self.rows(part) {
                Ok(_) => (),
                Err(Bad::Io(error)) => return Err(error),
                Err(_) => return Ok(false),
            }
        }
        let end = end_before_space(self)?.saturating_sub(trailer::LEN as u64);
        Ok(map.is_contiguous(self.start) && map.end() == Some(end))
    }

    /// Whether the index contains every block and none in these bytes, which then cost no record: an INDEX block that
    /// was damaged before the index was written anew.
    pub fn is_in_a_gap(self: &Arc<Self>, from: u64, to: u64) -> Result<bool> {
        let map = self.indexed()?;
        let around = map.parts.iter().find(|part| part.from <= from && to < part.to);
        let Some(part) = around.filter(|_| map.is_contiguous(self.start)) else { return Ok(false) };
        let window = match self.rows(part) {
            Ok(window) => window,
            Err(Bad::Io(error)) => return Err(error),
            Err(_) => return Ok(false),
        };
        let behind = window.rows.partition_point(|row| row.end() <= from);
        Ok(window.rows.get(behind).is_none_or(|row| to <= row.offset))
    }

    /// The rows of a part.
    pub fn rows(self: &Arc<Self>, part: &Part) -> Result<Arc<Window>, Bad> {
        let at = match &part.rows {
            Rows::Held(window) => return Ok(window.clone()),
            Rows::Index(at) => *at,
        };
        if let Some((_, window)) = self.cache.kept.lock().windows.iter().find(|(offset, _)| *offset == at) {
            return Ok(window.clone());
        }
        let (_, window, _) = load_index(&mut Scanner::new(self.clone(), at))?;
        let window = Arc::new(window);
        self.keep(at, &window);
        Ok(window)
    }

    /// Frees the memory of rows and of what was prefetched, when a reader leaves the segment for another.
    pub fn forget_rows(&self) {
        self.file.will_need(&[]);
        self.forget_windows();
    }

    /// Frees the memory of rows while others may still be reading the segment.
    pub fn forget_windows(&self) {
        let mut kept = self.cache.kept.lock();
        kept.windows = vec![];
        kept.whole = None;
    }

    /// Forgets the places of the blocks, because more became known of the segment.
    pub(super) fn forget_map(&self) {
        *self.cache.kept.lock() = Kept::default();
    }

    /// Whether the file was noted to have nothing but zeros from this offset on, when it had this length.
    pub(super) fn is_known_space(&self, space: (u64, u64)) -> bool {
        self.cache.kept.lock().space == Some(space)
    }

    /// Notes that, or the contrary.
    pub(super) fn note_space(&self, space: Option<(u64, u64)>) {
        self.cache.kept.lock().space = space;
    }

    fn keep(&self, at: u64, window: &Arc<Window>) {
        let windows = &mut self.cache.kept.lock().windows;
        windows.push((at, window.clone()));
        let mut rows: usize = windows.iter().map(|(_, window)| window.rows.len()).sum();
        while rows > ROWS_KEPT && windows.len() > 1 {
            rows -= windows.remove(0).1.rows.len();
        }
    }

    fn len(&self) -> Result<u64> {
        self.file.len().map_err(|e| Error::io(&e, "stat").at(&self.path))
    }
}

/// Follows the chain of INDEX blocks of a file of this length, from the last one back. Where the chain breaks, the rest
/// is unknown.
fn by_index(segment: &Arc<Segment>, len: u64) -> Result<Map> {
    let Some((offset, last)) = last_block(segment)? else { return Ok(Map::default()) };
    let mut at = if last.kind == BlockKind::Index { offset } else { last.last_index };
    let is_at_the_end = last.kind == BlockKind::Trailer && offset + trailer::LEN as u64 == len;
    let trailer = is_at_the_end.then_some(offset);
    let mut map = Map { trailer, ..Map::default() };
    let mut scanner = Scanner::new(segment.clone(), at);
    while at != 0 {
        scanner.jump(at);
        match link(&mut scanner, segment, &mut map) {
            // Each is nearer to the beginning, so this ends.
            Ok(previous) if previous < at => at = previous,
            Err(Bad::Io(error)) => return Err(error),
            Ok(_) | Err(_) => break,
        }
    }
    map.parts.reverse();
    for i in 0..map.parts.len() {
        let before = i.checked_sub(1).map(|before| &map.parts[before]);
        let known = match before {
            Some(before) if before.to == map.parts[i].from => Some(before.next_id),
            None if map.parts[i].from == segment.start => Some(segment.header.first_id),
            _ => None,
        };
        map.parts[i].first_id = match known {
            Some(first_id) => first_id,
            None => match segment.rows(&map.parts[i]) {
                Ok(window) => window.rows.first().map_or(map.parts[i].next_id, |row| row.first_id),
                Err(Bad::Io(error)) => return Err(error),
                Err(_) => return Ok(Map::default()),
            },
        };
    }
    Ok(map)
}

/// Adds the part of the INDEX block at the scanner's offset before the known ones; returns the offset of the previous
/// INDEX block.
fn link(scanner: &mut Scanner, segment: &Arc<Segment>, map: &mut Map) -> Result<u64, Bad> {
    let at = scanner.offset();
    let wrong = || Bad::Malformed(Malformed::inconsistent("the chain of index blocks is broken"));
    let (header, begins, previous) = match map.parts.last() {
        None => {
            let (header, window, totals) = load_index(scanner)?;
            (map.names, map.counts) = (Arc::new(totals.names), totals.counts.map(Arc::new));
            if segment.file.is_far() && !totals.earlier.is_empty() {
                // Otherwise each would be waited for, because it contains the place of the next one.
                let mut newest_first = totals.earlier;
                newest_first.reverse();
                segment.file.will_need(&newest_first);
            }
            let reach = (header, window.from, window.previous);
            segment.keep(at, &Arc::new(window));
            reach
        }
        Some(_) => {
            let header = scanner.header()?;
            scanner.load_entries(&header).map_err(unusable)?;
            let (begins, previous) = index::decode_reach(scanner.entries()).map_err(Bad::from)?;
            (header, begins, previous)
        }
    };
    let to = at + header.block_len();
    if header.kind != BlockKind::Index || begins < segment.start || begins > at {
        return Err(wrong());
    }
    // A span begins where the one before ends; one that claims more has rows for only a part of it.
    if map.parts.last().is_some_and(|part| part.from != to) || (previous == 0 && begins != segment.start) {
        map.parts.clear();
        return Err(wrong());
    }
    let part = Part {
        from: begins,
        to,
        first_id: 0,
        next_id: header.first_id,
        min_time: header.min_time,
        max_time: header.max_time,
        rows: Rows::Index(at),
    };
    memory::push(&mut map.parts, part)?;
    Ok(previous)
}

/// Fills the gaps between the parts, and continues after the last.
fn hop_the_rest(segment: &Arc<Segment>, known: Map) -> Result<Map> {
    let mut map = Map { parts: vec![], holes: vec![], ..known };
    let mut named = vec![];
    let mut at = segment.start;
    let mut next_id = segment.header.first_id;
    for part in known.parts {
        if at < part.from {
            hop(segment, (&mut map, &mut named), (at, next_id), part.from)?;
            if map.stopped.is_some() {
                map.names = joined(&map.names, named)?;
                return Ok(map);
            }
        }
        (at, next_id) = (part.to, part.next_id);
        memory::push(&mut map.parts, part)?;
    }
    hop(segment, (&mut map, &mut named), (at, next_id), u64::MAX)?;
    map.names = joined(&map.names, named)?;
    Ok(map)
}

/// The known types, and behind them those that events name.
fn joined(known: &Arc<Vec<NamedType>>, mut named: Vec<NamedType>) -> Result<Arc<Vec<NamedType>>, NoMemory> {
    if named.is_empty() {
        return Ok(known.clone());
    }
    // Events repeat what the index contains, and what earlier events say.
    let (there, mut seen) = (memory::set(known.iter()), BTreeSet::new());
    named.retain(|named| !there.contains(named) && seen.insert(named.clone()));
    if named.is_empty() {
        return Ok(known.clone());
    }
    let mut all = memory::with_room(known.len() + named.len())?;
    all.extend_from_slice(known);
    all.append(&mut named);
    Ok(Arc::new(all))
}

/// Notes the types that the block with this header names, at the scanner's offset.
pub(super) fn learn_names(scanner: &mut Scanner, header: &BlockHeader, names: &mut Vec<NamedType>) -> Result<(), Bad> {
    scanner.load_entries(header)?;
    for placed in Entries::new(header, scanner.entries()) {
        let entry = placed?.entry;
        let named = (entry.type_id == event::TYPE).then(|| NamedType::from_event(Metadata::from_bytes(entry.metadata)));
        memory::append(names, named.flatten())?;
    }
    Ok(())
}

/// A part whose headers are being walked.
struct Hopped {
    part: Part,
    window: Window,
}

impl Hopped {
    fn new(from: u64, first_id: u64) -> Self {
        let part = Part {
            from,
            to: from,
            first_id,
            next_id: first_id,
            min_time: i64::MAX,
            max_time: i64::MIN,
            rows: Rows::Index(0),
        };
        Hopped { part, window: Window::new(0, from) }
    }

    fn add_to(mut self, map: &mut Map) -> Result<(), NoMemory> {
        self.part.rows = Rows::Held(Arc::new(self.window));
        match self.part.to > self.part.from {
            true => memory::push(&mut map.parts, self.part),
            false => Ok(()),
        }
    }

    /// Drops the last block of the file if its payload is not all there: it is being written, or a crash has torn it. Its
    /// head alone counts for nothing, as it does for who reads the block.
    fn drop_torn_end(&mut self, scanner: &mut Scanner, map: &mut Map) -> Result<()> {
        let is_last = |row: &&Row| row.end() == self.part.to && row.offset >= scanner.durable_end();
        let Some(row) = self.window.rows.last().filter(is_last) else { return Ok(()) };
        scanner.jump(row.offset);
        let read = scanner.header().and_then(|header| match header.first_id == row.first_id {
            true => scanner.load(&header),
            false => Ok(()),
        });
        match read {
            Err(bad @ (Bad::Malformed(_) | Bad::End { .. })) => {
                (self.part.to, self.part.next_id) = (row.offset, row.first_id);
                map.stopped = Some((row.offset, Arc::new(bad)));
                self.window.rows.pop();
                Ok(())
            }
            Err(Bad::Io(error)) if matches!(error.kind(), Kind::Corrupt | Kind::TooLarge | Kind::NoMemory) => Ok(()),
            Err(Bad::Io(error)) => Err(error.at(&scanner.segment().path)),
            Ok(()) => Ok(()),
        }
    }

    /// Adds the block with this header, at the scanner's offset.
    fn add(&mut self, scanner: &mut Scanner, header: &BlockHeader, names: &mut Vec<NamedType>) -> Result<(), Bad> {
        if header.kind == BlockKind::Records {
            if header.has_events() {
                match learn_names(scanner, header, names).map_err(unusable) {
                    // Damage is reported when the block is read.
                    Ok(()) | Err(Bad::Malformed(_) | Bad::End { .. }) => (),
                    Err(bad) => return Err(bad),
                }
            }
            if header.first_id < self.part.next_id {
                return Err(out_of_order());
            }
            let part = &mut self.part;
            part.min_time = part.min_time.min(header.min_time);
            part.max_time = part.max_time.max(header.max_time);
            part.next_id = header.next_id();
            let row = Row {
                offset: scanner.offset(),
                len: header.block_len(),
                head_len: header.head_len() as u32,
                first_id: header.first_id,
                count: header.count,
                min_time: header.min_time,
                max_time: header.max_time,
                types: None,
                has_events: header.has_events(),
                pairs: Pairs::Any,
            };
            memory::push(&mut self.window.rows, row)?;
        }
        scanner.skip(header);
        self.part.to = scanner.offset() + header.block_len();
        Ok(())
    }
}

/// Walks the headers from an offset and id to the offset `to` and adds parts from them, with holes in between where
/// there is no block; `named` gets the types that events name. Stops where no block follows.
fn hop(
    segment: &Arc<Segment>,
    (map, named): (&mut Map, &mut Vec<NamedType>),
    (from, first_id): (u64, u64),
    to: u64,
) -> Result<()> {
    let mut scanner = Scanner::new(segment.clone(), from);
    let mut hopped = Hopped::new(from, first_id);
    while hopped.part.to < to {
        let header = scanner.header().and_then(|header| scanner.check_whole(&header).map(|()| header));
        if let Some(hole) = scanner.take_passed() {
            // A hole that a later segment names.
            let part = &mut hopped.part;
            (part.to, part.next_id) = (hole.end(), hole.next_id(part.next_id));
            if part.to >= to {
                break;
            }
        }
        let bad = match header {
            Ok(header) => match hopped.add(&mut scanner, &header, named) {
                Ok(()) => continue,
                Err(Bad::Io(error)) => return Err(error.at(&segment.path)),
                // Blocks after one that is out of order are not used.
                Err(bad) => {
                    map.stopped = Some((hopped.part.to, Arc::new(bad)));
                    break;
                }
            },
            Err(Bad::Io(error)) if error.kind() != Kind::Corrupt => return Err(error),
            Err(Bad::End { left: 0 }) => break,
            Err(_) if is_space(segment, hopped.part.to)? => break,
            Err(bad) => bad,
        };
        let at = hopped.part.to;
        let Some(next) = behind_hole(segment, at)? else {
            map.stopped = Some((at, Arc::new(bad)));
            break;
        };
        segment.file.doubt();
        scanner.reread();
        if scanner.header().is_ok_and(|header| scanner.check_whole(&header).is_ok()) {
            // A writer has completed it meanwhile.
            continue;
        }
        let next = next.min(to);
        let first_id = block_at(segment, next)?.map_or(hopped.part.next_id, |header| header.first_id);
        if first_id < hopped.part.next_id {
            map.stopped = Some((at, Arc::new(out_of_order())));
            break;
        }
        memory::push(&mut map.holes, Hole { from: at, to: next, bad: Arc::new(bad) })?;
        std::mem::replace(&mut hopped, Hopped::new(next, first_id)).add_to(map)?;
        scanner.jump(next);
    }
    if to == u64::MAX && !segment.is_compressed_whole() {
        hopped.drop_torn_end(&mut scanner, map)?;
    }
    Ok(hopped.add_to(map)?)
}

/// Whether there is a block where the map ended: a writer may fill space that the file already has.
fn continues(segment: &Segment, map: &Map) -> Result<bool> {
    match &map.stopped {
        Some((offset, _)) => Ok(block_at(segment, *offset)?.is_some()),
        None if map.len == u64::MAX => Ok(true),
        // Space after the last block does not grow when a block is written over it.
        None if segment.header.incompatible & SPACE != 0 => match map.end() {
            Some(end) => Ok(block_at(segment, end)?.is_some()),
            None => Ok(true),
        },
        None => Ok(false),
    }
}

fn out_of_order() -> Bad {
    Bad::Malformed(Malformed::inconsistent("the block's ids were there before"))
}

/// The first block after bytes that are not a block.
fn behind_hole(segment: &Segment, at: u64) -> Result<Option<u64>> {
    // What can only be read from its beginning, or was translated from another file, has no markers to search for.
    if segment.translated.is_some() || segment.is_compressed_whole() {
        return Ok(None);
    }
    next_block(segment, at + 1)
}
