//! Where the blocks of a segment are: from its index as far as that reaches, and by hopping over headers elsewhere.

use std::ops::ControlFlow;
use std::sync::Arc;

use parking_lot::Mutex;

use super::recover::{load_index, unusable};
use super::tail::last_block;
use super::{Bad, Scanner, Segment};
use crate::error::{Error, Kind, Result};
use crate::format::block::{BlockHeader, BlockKind};
use crate::format::entries::Progress;
use crate::format::index::{self, Pairs, Row, Window};
use crate::format::{trailer, Malformed};
use crate::memory;
use crate::record::{event, Metadata, NamedType};

/// Rows that are kept decoded for the next question: about 2 MB.
const ROWS_KEPT: usize = 16 << 10;

/// A stretch of a segment whose blocks are known.
#[derive(Clone)]
pub(crate) struct Part {
    pub from: u64,
    pub to: u64,
    /// Id of the first record that can be in it, and of the first behind it.
    pub first_id: u64,
    pub next_id: u64,
    pub min_time: i64,
    pub max_time: i64,
    rows: Rows,
}

#[derive(Clone)]
enum Rows {
    /// The INDEX block at this offset has them.
    Index(u64),
    Held(Arc<Window>),
}

/// The parts of a segment, in order; they may leave stretches out that nothing is known of.
#[derive(Clone, Default)]
pub(crate) struct Map {
    pub parts: Vec<Part>,
    /// Named types, as far as the parts tell them.
    pub names: Vec<NamedType>,
    /// Records and events of each type up to the end of the last INDEX block, when it knows.
    pub counts: Option<Vec<(u32, u64)>>,
    /// Why the hopping over headers came to an end, and where.
    pub stopped: Option<Arc<(u64, Bad)>>,
}

/// What a segment keeps of its index between questions.
#[derive(Default)]
pub(crate) struct Cache {
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    /// The map by the index alone, and the file's length when it was made.
    indexed: Option<(u64, Arc<Map>)>,
    /// The map of the whole segment.
    whole: Option<(u64, Arc<Map>)>,
    windows: Vec<(u64, Arc<Window>)>,
}

impl Part {
    /// Whether its rows came from the headers rather than from the index.
    pub fn is_held(&self) -> bool {
        matches!(self.rows, Rows::Held(_))
    }
}

impl Map {
    /// Whether the parts leave nothing out before the end of the last, in a segment whose blocks begin at `start`.
    pub fn is_contiguous(&self, start: u64) -> bool {
        let mut at = start;
        self.parts.iter().all(|part| std::mem::replace(&mut at, part.to) == part.from)
    }

    /// The end of the last part.
    pub fn end(&self) -> Option<u64> {
        self.parts.last().map(|part| part.to)
    }
}

impl Segment {
    /// What the index tells of the segment; empty when there is none that can be used.
    pub fn indexed(self: &Arc<Self>) -> Result<Arc<Map>> {
        if self.translated.is_some() {
            return Ok(Arc::default());
        }
        let len = self.len()?;
        if len == u64::MAX {
            return Ok(Arc::default());
        }
        if let Some((_, map)) = self.cache.kept.lock().indexed.as_ref().filter(|(known, _)| *known == len) {
            return Ok(map.clone());
        }
        let map = Arc::new(by_index(self)?);
        self.cache.kept.lock().indexed = Some((len, map.clone()));
        Ok(map)
    }

    /// Where all blocks of the segment are, up to the first that is none. Stretches that the index does not cover are
    /// walked by their headers, once.
    pub fn mapped(self: &Arc<Self>) -> Result<Arc<Map>> {
        let len = self.len()?;
        let known = self.cache.kept.lock().whole.clone();
        let map = match known {
            Some((known, map)) if known == len && len != u64::MAX => return Ok(map),
            // The segment has grown: what was known stays.
            Some((known, map)) if known < len => Map { stopped: None, ..(*map).clone() },
            _ => (*self.indexed()?).clone(),
        };
        let map = Arc::new(hop_the_rest(self, map)?);
        self.cache.kept.lock().whole = Some((len, map.clone()));
        Ok(map)
    }

    /// The same without the index, because that was found to be wrong.
    pub fn hopped(self: &Arc<Self>) -> Result<Arc<Map>> {
        let map = Arc::new(hop_the_rest(self, Map::default())?);
        let len = self.len()?;
        let mut kept = self.cache.kept.lock();
        kept.indexed = Some((len, Arc::default()));
        kept.whole = Some((len, map.clone()));
        Ok(map)
    }

    /// Whether the index knows every block, and each INDEX block can be read.
    pub fn is_fully_indexed(self: &Arc<Self>) -> Result<bool> {
        let map = self.indexed()?;
        for part in &map.parts {
            match self.rows(part) {
                Ok(_) => (),
                Err(Bad::Io(error)) => return Err(error),
                Err(_) => return Ok(false),
            }
        }
        let end = self.len()?.saturating_sub(trailer::LEN as u64);
        Ok(map.is_contiguous(self.start) && map.end() == Some(end))
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

    /// Gives the memory for rows back, and for what was fetched ahead, when the segment is left for another.
    pub fn forget_rows(&self) {
        self.file.will_need(&[]);
        let mut kept = self.cache.kept.lock();
        kept.windows = vec![];
        kept.whole = None;
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

/// Follows the chain of INDEX blocks from the last one back. Where it breaks, the rest is simply not known.
fn by_index(segment: &Arc<Segment>) -> Result<Map> {
    let Some((offset, last)) = last_block(segment)? else { return Ok(Map::default()) };
    let mut at = if last.kind == BlockKind::Index { offset } else { last.last_index };
    let mut map = Map::default();
    let mut scanner = Scanner::new(segment.clone(), at);
    while at != 0 {
        scanner.jump(at);
        match link(&mut scanner, segment, &mut map) {
            // Ever nearer to the beginning, so this ends.
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

/// Adds the part that the INDEX block tells of, at which the scanner stands, before those known so far; returns the
/// offset of the one before.
fn link(scanner: &mut Scanner, segment: &Arc<Segment>, map: &mut Map) -> Result<u64, Bad> {
    let at = scanner.offset();
    let wrong = || Bad::Malformed(Malformed::inconsistent("the chain of index blocks is broken"));
    let (header, begins, previous) = match map.parts.last() {
        None => {
            let (header, window, totals) = load_index(scanner)?;
            (map.names, map.counts) = (totals.names, totals.counts);
            if segment.file.is_far() && !totals.earlier.is_empty() {
                // Each tells where the next one is, and would be waited for.
                let newest_first: Vec<_> = totals.earlier.into_iter().rev().collect();
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
    // A stretch begins where the one before ends; one that claims more has rows for less than it claims.
    if map.parts.last().is_some_and(|part| part.from != to) || (previous == 0 && begins != segment.start) {
        map.parts.clear();
        return Err(wrong());
    }
    map.parts.push(Part {
        from: begins,
        to,
        first_id: 0,
        next_id: header.first_id,
        min_time: header.min_time,
        max_time: header.max_time,
        rows: Rows::Index(at),
    });
    Ok(previous)
}

/// Fills what the parts leave out, and goes on behind the last.
fn hop_the_rest(segment: &Arc<Segment>, known: Map) -> Result<Map> {
    let mut map = Map { parts: vec![], ..known };
    let mut at = segment.start;
    let mut next_id = segment.header.first_id;
    for part in known.parts {
        if at < part.from && hop(segment, &mut map, (at, next_id), part.from)?.is_break() {
            return Ok(map);
        }
        (at, next_id) = (part.to, part.next_id);
        map.parts.push(part);
    }
    let _ = hop(segment, &mut map, (at, next_id), u64::MAX)?;
    Ok(map)
}

/// Takes note of the types that the block with this header names, at which the scanner stands.
fn learn_names(scanner: &mut Scanner, header: &BlockHeader, names: &mut Vec<NamedType>) -> Result<(), Bad> {
    scanner.load_entries(header)?;
    let mut progress = Progress::new(header.min_time);
    while let Some(entry) = progress.next(scanner.entries()).map_err(Bad::from)? {
        let named = (entry.type_id == event::TYPE).then(|| NamedType::from_event(Metadata::from_bytes(entry.metadata)));
        names.extend(named.flatten().filter(|named| !names.contains(named)));
    }
    Ok(())
}

/// Walks the headers from an offset and id to the offset `to` and adds them as a part. Breaks where there is no block.
fn hop(segment: &Arc<Segment>, map: &mut Map, (from, first_id): (u64, u64), to: u64) -> Result<ControlFlow<()>> {
    let mut window = Window::new(0, from);
    let mut scanner = Scanner::new(segment.clone(), from);
    let mut part = Part {
        from,
        to: from,
        first_id,
        next_id: first_id,
        min_time: i64::MAX,
        max_time: i64::MIN,
        rows: Rows::Index(0),
    };
    let stopped = loop {
        if part.to >= to {
            break None;
        }
        let header = match scanner.header().and_then(|header| scanner.check_whole(&header).map(|()| header)) {
            Ok(header) => header,
            Err(Bad::Io(error)) if error.kind() != Kind::Corrupt => return Err(error),
            Err(Bad::End { left: 0 }) => break None,
            Err(bad) => break Some(bad),
        };
        if header.kind == BlockKind::Records {
            if header.has_events() {
                match learn_names(&mut scanner, &header, &mut map.names).map_err(unusable) {
                    // Damage comes up when the block is read.
                    Ok(()) | Err(Bad::Malformed(_) | Bad::End { .. }) => (),
                    Err(Bad::Io(error)) => return Err(error),
                }
            }
            if header.first_id < part.next_id {
                break Some(Bad::Malformed(Malformed::inconsistent("the block's ids were there before")));
            }
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
            memory::push(&mut window.rows, row).map_err(|e| Error::from(e).at(&segment.path))?;
        }
        scanner.skip(&header);
        part.to = scanner.offset() + header.block_len();
    };
    part.rows = Rows::Held(Arc::new(window));
    let stopped = stopped.map(|bad| Arc::new((part.to, bad)));
    if part.to > part.from {
        map.parts.push(part);
    }
    map.stopped = stopped;
    Ok(if map.stopped.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
}
