//! The INDEX block: a row for each RECORDS block of a segment span, and totals of the segment up to there.
//!
//! An index is only an aid. Code that uses it compares it with the blocks themselves.

use std::ops::Range;

use super::block::{BlockHeader, BlockKind, HEADER};
use super::draft::BlockPlace;
use super::tally::Standing;
use super::types::{is_event, NamedType};
use super::{checksum, varint, Malformed};
use crate::memory::{self, NoMemory};

/// Pages that a located record may touch at most.
pub const LOCATED_PAGES: usize = 2;

/// How many records of one type a block holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TypeCount {
    pub type_id: u32,
    pub count: u32,
    /// Where the places of its records begin in [`Window::located`], if they are located.
    pub located: Option<u32>,
}

/// The place of one record, and the checksums of the pages it touches: enough to read and verify it alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Located {
    pub standing: Standing,
    pub sums: [u32; LOCATED_PAGES],
}

impl Located {
    /// The payload's pages that the record touches.
    pub fn pages(&self) -> Range<usize> {
        pages(&self.standing)
    }
}

/// The pages of a payload that a record touches; none when it is empty.
pub fn pages(standing: &Standing) -> Range<usize> {
    let (from, to) = (standing.payload_at as usize, standing.payload_at as usize + standing.payload_len as usize);
    match from == to {
        true => 0..0,
        false => from / checksum::PAGE..to.div_ceil(checksum::PAGE),
    }
}

/// What the index states about the metadata in a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pairs {
    /// No record has any.
    None,
    /// A filter, by its place in [`Window::filters`].
    Filter(Range<usize>),
    /// It may hold any pair.
    Any,
}

/// One RECORDS block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub offset: u64,
    pub len: u64,
    /// Bytes before the payload.
    pub head_len: u32,
    pub first_id: u64,
    /// Records, events not counted.
    pub count: u32,
    pub min_time: i64,
    pub max_time: i64,
    /// In [`Window::types`]; `None` = it may hold any type.
    pub types: Option<Range<usize>>,
    pub has_events: bool,
    pub pairs: Pairs,
}

impl Row {
    /// Offset after the block.
    pub fn end(&self) -> u64 {
        self.offset + self.len
    }

    /// Id that the first record after the block has, unless records are missing there.
    pub fn next_id(&self) -> u64 {
        self.first_id + u64::from(self.count)
    }
}

/// A segment span: the contents of one INDEX block, or of the next one to be written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// Offset of the INDEX block of the previous span; 0 = none.
    pub previous: u64,
    /// Where the span begins.
    pub from: u64,
    pub rows: Vec<Row>,
    pub types: Vec<TypeCount>,
    pub located: Vec<Located>,
    pub filters: Vec<u8>,
}

/// Totals of the segment up to an INDEX block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Records and events of each type, by type; `None` when they are not known exactly.
    pub counts: Option<Vec<(u32, u64)>>,
    pub names: Vec<NamedType>,
    /// The largest time of the records, without events; `i64::MIN` = there are none, `None` = not known.
    pub latest: Option<i64>,
    /// The places of the INDEX blocks before this one, in order, as far as they are known.
    pub earlier: Vec<Range<u64>>,
}

impl Window {
    /// An empty span that begins at `from`.
    pub fn new(previous: u64, from: u64) -> Self {
        Window { previous, from, ..Window::default() }
    }

    /// The types of a row; `None` when it may hold any.
    pub fn types_of(&self, row: &Row) -> Option<&[TypeCount]> {
        Some(&self.types[row.types.clone()?])
    }

    /// The records of a type whose places are known.
    pub fn located_of(&self, counted: &TypeCount) -> Option<&[Located]> {
        let from = counted.located? as usize;
        Some(&self.located[from..from + counted.count as usize])
    }

    /// Drops the rows, for the span that begins at `from`.
    pub fn begin(&mut self, previous: u64, from: u64) {
        (self.previous, self.from) = (previous, from);
        self.rows.clear();
        self.types.clear();
        self.located.clear();
        self.filters.clear();
    }
}

/// The smallest and the largest time of a window, 0 and 0 when it has no rows.
fn times(rows: &[Row]) -> (i64, i64) {
    let min = rows.iter().map(|row| row.min_time).min();
    let max = rows.iter().map(|row| row.max_time).max();
    (min.unwrap_or(0), max.unwrap_or(0))
}

/// The whole INDEX block at `place`, with these names besides those in `totals`; `next_id` is the id of the next
/// record.
pub fn encode(
    window: &Window,
    totals: &Totals,
    names: &[NamedType],
    next_id: u64,
    place: BlockPlace,
) -> Result<Vec<u8>, NoMemory> {
    let mut out = memory::with_room(most_bytes(window, totals, names))?;
    out.resize(HEADER, 0);
    varint::put(&mut out, window.previous);
    varint::put(&mut out, window.from);
    varint::put(&mut out, window.rows.len() as u64);
    let (mut end, mut id, mut time) = (window.from, 1, 0i64);
    for row in &window.rows {
        varint::put(&mut out, row.offset - end);
        varint::put(&mut out, row.len);
        varint::put(&mut out, u64::from(row.head_len));
        varint::put(&mut out, row.first_id - id);
        varint::put(&mut out, u64::from(row.count));
        varint::put(&mut out, varint::zigzag(row.min_time.wrapping_sub(time)));
        varint::put(&mut out, row.max_time.wrapping_sub(row.min_time) as u64);
        put_contents(&mut out, window, row);
        (end, id, time) = (row.end(), row.next_id(), row.min_time);
    }
    put_totals(&mut out, totals, names);
    let (min_time, max_time) = times(&window.rows);
    let entries = (out.len() - HEADER) as u32;
    let header = BlockHeader {
        kind: BlockKind::Index,
        codec: 0,
        flags: 0,
        count: 0,
        entries_stored: entries,
        entries_len: entries,
        payload_stored: 0,
        payload_len: 0,
        first_id: next_id,
        min_time,
        max_time,
        durable_end: place.durable_end,
        last_index: place.last_index,
        meta_crc: checksum::crc(place.marker as u32, &out[HEADER..]),
    };
    header.encode(place.marker, place.offset, &mut out);
    Ok(out)
}

/// An upper bound for the length of the INDEX block.
fn most_bytes(window: &Window, totals: &Totals, names: &[NamedType]) -> usize {
    // A varint takes 10 bytes.
    let text = |it: &NamedType| it.name.len() + it.content_type.len() + it.encoding.len() + it.message.len();
    let texts = |names: &[NamedType]| names.iter().map(|it| text(it) + 100).sum::<usize>();
    let counts = totals.counts.as_ref().map_or(0, Vec::len);
    let rows = 90 * window.rows.len() + 20 * window.types.len() + 48 * window.located.len() + window.filters.len();
    HEADER + 90 + rows + 20 * (counts + totals.earlier.len()) + texts(&totals.names) + texts(names)
}

/// The types and pairs of a row: `types << 3 | any_type << 2 | pairs`, where pairs is 0 none, 1 filter, 2 any.
fn put_contents(out: &mut Vec<u8>, window: &Window, row: &Row) {
    let types = window.types_of(row);
    let pairs = match row.pairs {
        Pairs::None => 0,
        Pairs::Filter(_) => 1,
        Pairs::Any => 2,
    };
    varint::put(out, (types.map_or(0, <[_]>::len) as u64) << 3 | u64::from(types.is_none()) << 2 | pairs);
    for counted in types.unwrap_or_default() {
        varint::put(out, u64::from(counted.type_id));
        varint::put(out, u64::from(counted.count) << 1 | u64::from(counted.located.is_some()));
        for located in window.located_of(counted).unwrap_or_default() {
            let Standing { ordinal, payload_at, payload_len, time, .. } = located.standing;
            varint::put(out, u64::from(ordinal));
            varint::put(out, u64::from(payload_at));
            varint::put(out, u64::from(payload_len));
            varint::put(out, time.wrapping_sub(row.min_time) as u64);
            for sum in &located.sums[..located.pages().len()] {
                out.extend_from_slice(&sum.to_le_bytes());
            }
        }
    }
    if let Pairs::Filter(range) = &row.pairs {
        varint::put(out, range.len() as u64);
        out.extend_from_slice(&window.filters[range.clone()]);
    }
}

fn put_totals(out: &mut Vec<u8>, totals: &Totals, names: &[NamedType]) {
    match &totals.counts {
        None => varint::put(out, 0),
        Some(counts) => {
            varint::put(out, 1 + counts.len() as u64);
            for &(type_id, count) in counts {
                varint::put(out, u64::from(type_id));
                varint::put(out, count);
            }
        }
    }
    varint::put(out, (totals.names.len() + names.len()) as u64);
    for named in totals.names.iter().chain(names) {
        varint::put(out, u64::from(named.number));
        put_bytes(out, named.name.as_bytes());
        put_bytes(out, named.content_type.as_bytes());
    }
    let Some(latest) = totals.latest else { return };
    varint::put(out, varint::zigzag(latest));
    let described = || totals.names.iter().chain(names).enumerate().filter(|(_, named)| named.has_details());
    let count = described().count();
    if !totals.earlier.is_empty() || count > 0 {
        varint::put(out, totals.earlier.len() as u64);
        let mut end = 0;
        for block in &totals.earlier {
            varint::put(out, block.start - end);
            varint::put(out, block.end - block.start);
            end = block.end;
        }
    }
    if count > 0 {
        varint::put(out, count as u64);
        for (place, named) in described() {
            varint::put(out, place as u64);
            put_bytes(out, named.encoding.as_bytes());
            put_bytes(out, named.message.as_bytes());
            put_bytes(out, named.schema.as_ref().map_or(&[], |sum| &sum[..]));
        }
    }
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    varint::put(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Reads the verified entries of the INDEX block at `offset`. Everything in it is before `offset`, rows follow each
/// other, and the counts of the rows add up.
pub fn decode(entries: &[u8], offset: u64) -> Result<(Window, Totals), Malformed> {
    let mut from = Source { bytes: entries, at: 0 };
    let mut window = Window::new(from.number()?, from.number()?);
    // A row takes at least 8 bytes, so a wrong number costs no memory.
    let rows = from.count(8)?;
    memory::reserve_exact(&mut window.rows, rows)?;
    let (mut end, mut id, mut time) = (window.from, 1u64, 0i64);
    if window.from > offset || window.previous >= offset.max(1) {
        return Err(wrong());
    }
    for _ in 0..rows {
        let row = row(&mut from, &mut window, (end, id, time))?;
        if row.end() > offset {
            return Err(wrong());
        }
        (end, id, time) = (row.end(), row.next_id(), row.min_time);
        window.rows.push(row);
    }
    let (counts, mut names) = (counts(&mut from)?, names(&mut from)?);
    // An index without this ends here.
    let latest = if from.at < entries.len() { Some(varint::unzigzag(from.number()?)) } else { None };
    let earlier = if from.at < entries.len() { earlier(&mut from, offset)? } else { vec![] };
    if from.at < entries.len() {
        details(&mut from, &mut names)?;
    }
    // A later minor version may have more fields.
    Ok((window, Totals { counts, names, latest, earlier }))
}

/// Where the span of the INDEX block with these entries begins, and the offset of the previous INDEX block.
pub fn decode_reach(entries: &[u8]) -> Result<(u64, u64), Malformed> {
    let mut from = Source { bytes: entries, at: 0 };
    let (previous, begins) = (from.number()?, from.number()?);
    Ok((begins, previous))
}

fn row(from: &mut Source<'_>, window: &mut Window, (end, id, time): (u64, u64, i64)) -> Result<Row, Malformed> {
    let offset = end.checked_add(from.number()?).ok_or_else(wrong)?;
    let (len, head_len) = (from.number()?, from.small()?);
    let first_id = id.checked_add(from.number()?).ok_or_else(wrong)?;
    let count = from.small()?;
    let min_time = time.wrapping_add(varint::unzigzag(from.number()?));
    let max_time = min_time.wrapping_add(from.number()? as i64);
    if len < u64::from(head_len)
        || head_len < HEADER as u32
        || offset.checked_add(len).is_none()
        || first_id.checked_add(u64::from(count)).is_none()
    {
        return Err(wrong());
    }
    let contents = from.number()?;
    let mut row = Row {
        offset,
        len,
        head_len,
        first_id,
        count,
        min_time,
        max_time,
        types: None,
        has_events: false,
        pairs: Pairs::None,
    };
    let first_type = window.types.len();
    let mut records = 0;
    for _ in 0..contents >> 3 {
        let counted = counted(from, window, &row)?;
        records += if is_event(counted.type_id) { 0 } else { u64::from(counted.count) };
        memory::push(&mut window.types, counted)?;
    }
    row.has_events = contents & 4 != 0 || window.types[first_type..].iter().any(|counted| is_event(counted.type_id));
    if contents & 4 == 0 {
        if records != u64::from(count) {
            return Err(wrong());
        }
        row.types = Some(first_type..window.types.len());
    }
    row.pairs = match contents & 3 {
        0 => Pairs::None,
        1 => {
            let len = from.count(1)?;
            let at = window.filters.len();
            memory::extend(&mut window.filters, from.take(len)?)?;
            Pairs::Filter(at..at + len)
        }
        _ => Pairs::Any,
    };
    Ok(row)
}

fn counted(from: &mut Source<'_>, window: &mut Window, row: &Row) -> Result<TypeCount, Malformed> {
    let type_id = from.small()?;
    let count = from.number()?;
    let mut counted = TypeCount { type_id, count: u32::try_from(count >> 1).map_err(|_| wrong())?, located: None };
    if count & 1 != 0 {
        counted.located = Some(u32::try_from(window.located.len()).map_err(|_| wrong())?);
        for _ in 0..counted.count {
            let mut standing = Standing { ordinal: from.small()?, payload_at: from.small()?, ..Standing::default() };
            standing.payload_len = from.small()?;
            standing.time = row.min_time.wrapping_add(from.number()? as i64);
            let behind = u64::from(standing.payload_at) + u64::from(standing.payload_len);
            let pages = pages(&standing);
            if standing.ordinal >= row.count
                || behind > row.len - u64::from(row.head_len)
                || pages.len() > LOCATED_PAGES
            {
                return Err(wrong());
            }
            let mut located = Located { standing, sums: [0; LOCATED_PAGES] };
            for sum in &mut located.sums[..pages.len()] {
                let bytes = from.take(4)?;
                *sum = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
            }
            memory::push(&mut window.located, located)?;
        }
    }
    Ok(counted)
}

fn counts(from: &mut Source<'_>) -> Result<Option<Vec<(u32, u64)>>, Malformed> {
    match from.count(0)? {
        0 => Ok(None),
        n if (n - 1) > from.left() / 2 => Err(wrong()),
        n => memory::collect((1..n).map(|_| Ok((from.small()?, from.number()?)))).map(Some),
    }
}

fn earlier(from: &mut Source<'_>, offset: u64) -> Result<Vec<Range<u64>>, Malformed> {
    let count = from.count(2)?;
    let mut end = 0u64;
    let mut block = || {
        let start = end.checked_add(from.number()?).ok_or_else(wrong)?;
        end = start.checked_add(from.number()?).filter(|&end| end <= offset).ok_or_else(wrong)?;
        Ok(start..end)
    };
    memory::collect((0..count).map(|_| block()))
}

fn names(from: &mut Source<'_>) -> Result<Vec<NamedType>, Malformed> {
    let count = from.count(3)?;
    let mut named = || {
        let (number, name, content_type) = (from.small()?, from.text()?, from.text()?);
        Ok(NamedType { number, name, content_type, ..NamedType::default() })
    };
    memory::collect((0..count).map(|_| named()))
}

/// What is known of named types besides their names and content types.
fn details(from: &mut Source<'_>, names: &mut [NamedType]) -> Result<(), Malformed> {
    for _ in 0..from.count(4)? {
        let named = usize::try_from(from.number()?).ok().and_then(|place| names.get_mut(place)).ok_or_else(wrong)?;
        (named.encoding, named.message) = (from.text()?, from.text()?);
        let len = from.count(1)?;
        named.schema = match from.take(len)? {
            [] => None,
            sum => Some(sum.try_into().map_err(|_| wrong())?),
        };
    }
    Ok(())
}

fn wrong() -> Malformed {
    Malformed::inconsistent("the index block is inconsistent")
}

/// The bytes being decoded; every length is checked against the bytes left.
struct Source<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Source<'a> {
    fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    fn number(&mut self) -> Result<u64, Malformed> {
        varint::get(self.bytes, &mut self.at).ok_or(Malformed::Short("index block"))
    }

    fn small(&mut self) -> Result<u32, Malformed> {
        u32::try_from(self.number()?).map_err(|_| wrong())
    }

    /// A number of things that take at least `each` bytes.
    fn count(&mut self, each: usize) -> Result<usize, Malformed> {
        let count = usize::try_from(self.number()?).map_err(|_| wrong())?;
        match count.checked_mul(each) {
            Some(bytes) if bytes <= self.left() => Ok(count),
            _ => Err(wrong()),
        }
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], Malformed> {
        let taken = self.bytes[self.at..].get(..len).ok_or(Malformed::Short("index block"))?;
        self.at += len;
        Ok(taken)
    }

    fn text(&mut self) -> Result<String, Malformed> {
        let len = self.count(1)?;
        let bytes = self.take(len)?;
        Ok(memory::copied_text(std::str::from_utf8(bytes).map_err(|_| wrong())?)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample(rows: usize) -> (Window, Totals) {
        let mut window = Window::new(64, 1000);
        let (mut at, mut id) = (1000, 7);
        for i in 0..rows {
            let first = window.types.len();
            let standing =
                Standing { ordinal: 3, payload_at: 4000, payload_len: 600, time: 5 + i as i64, has_metadata: false };
            window.located.push(Located { standing, sums: [1, 2] });
            window.types.push(TypeCount { type_id: 1 << 30, count: 99, located: None });
            window.types.push(TypeCount { type_id: 5, count: 1, located: Some(i as u32) });
            window.types.push(TypeCount { type_id: 1 << 31 | 4, count: 2, located: None });
            let pairs = match i % 3 {
                0 => Pairs::None,
                1 => Pairs::Any,
                _ => {
                    let from = window.filters.len();
                    window.filters.extend_from_slice(&[i as u8; 9]);
                    Pairs::Filter(from..from + 9)
                }
            };
            let types = (i % 5 != 4).then_some(first..first + 3);
            if types.is_none() {
                window.types.truncate(first);
                window.located.pop();
                window.located.push(Located::default());
            }
            let offset = at + if i % 7 == 6 { 104 } else { 0 };
            window.rows.push(Row {
                offset,
                len: 9000,
                head_len: 99,
                first_id: id,
                count: 100,
                min_time: 5 - i as i64,
                max_time: 500,
                has_events: true,
                types,
                pairs,
            });
            (at, id) = (offset + 9000, id + 100 + u64::from(i == 3));
        }
        let (name, content_type) = ("Ordér".to_owned(), "text/plain".to_owned());
        let named = NamedType { number: 1 << 30, name, content_type, ..NamedType::default() };
        let mut names = vec![named.clone(); 3];
        names[1] = NamedType { message: "orders.Ordér".into(), ..named.clone() };
        names[2] = NamedType { encoding: "avro".into(), schema: Some([rows as u8; 32]), ..named };
        names.truncate(rows % 4);
        let counts = Some(vec![(5, 12), (1 << 30, 1 << 40)]);
        let earlier = (0..rows as u64 % 3).map(|i| 64 + 500 * i..300 + 600 * i).collect();
        (window, Totals { counts, names, latest: Some(-7), earlier })
    }

    fn tidy(mut window: Window) -> Window {
        // The sample leaves places that no row points to.
        let mut located = vec![];
        for counted in &mut window.types {
            if let Some(at) = counted.located {
                counted.located = Some(located.len() as u32);
                located.push(window.located[at as usize]);
            }
        }
        window.located = located;
        window
    }

    #[test]
    fn an_index_comes_back() {
        for rows in [0, 1, 2, 50] {
            let (window, totals) = sample(rows);
            let window = tidy(window);
            let place = BlockPlace { marker: 5, offset: 1 << 40, durable_end: 50, last_index: 64 };
            let bytes = encode(&window, &totals, &[], 5107, place).unwrap();
            let header = BlockHeader::decode(&bytes, 5, 1 << 40).unwrap();
            assert_eq!(
                (header.kind, header.block_len(), header.first_id),
                (BlockKind::Index, bytes.len() as u64, 5107)
            );
            super::super::block::verify_meta(&header, 5, &bytes[HEADER..]).unwrap();
            assert_eq!(decode(&bytes[HEADER..], 1 << 40), Ok((window, totals)));
        }
    }

    #[test]
    fn what_a_later_version_says_behind_the_last_field_is_passed_over() {
        let (window, totals) = sample(2);
        let (window, place) =
            (tidy(window), BlockPlace { marker: 5, offset: 1 << 40, durable_end: 50, last_index: 64 });
        let mut bytes = encode(&window, &totals, &[], 300, place).unwrap();
        bytes.extend_from_slice(b"\x03more");
        assert!(!totals.earlier.is_empty(), "the last field is there");
        assert!(totals.names[1].has_details());
        assert_eq!(decode(&bytes[HEADER..], 1 << 40), Ok((window, totals)));
    }

    #[test]
    fn details_of_a_type_that_is_not_there_and_a_sum_of_another_length_are_refused() {
        let place = BlockPlace { marker: 5, offset: 1 << 40, durable_end: 50, last_index: 0 };
        let named = NamedType { number: 1 << 30, schema: Some([7; 32]), ..NamedType::default() };
        let totals = Totals { names: vec![named], latest: Some(3), ..Totals::default() };
        let mut bytes = encode(&Window::new(0, 64), &totals, &[], 300, place).unwrap().split_off(HEADER);
        assert_eq!(decode(&bytes, 1 << 40).unwrap().1, totals);
        // The place, two empty texts, the length of the sum, the sum.
        let at = bytes.len() - 36;
        assert_eq!(&bytes[at..at + 4], [0, 0, 0, 32]);
        bytes[at] = 1;
        assert!(decode(&bytes, 1 << 40).is_err(), "there is one name");
        bytes[at] = 0;
        bytes.pop();
        assert!(decode(&bytes, 1 << 40).is_err(), "cut");
        bytes[at + 3] = 31;
        assert!(decode(&bytes, 1 << 40).is_err(), "a sum of 31 bytes");
    }

    #[test]
    fn an_index_that_points_past_itself_or_miscounts_is_refused() {
        let (window, totals) = sample(2);
        let window = tidy(window);
        let place = BlockPlace { marker: 5, offset: 1 << 40, durable_end: 50, last_index: 64 };
        let bytes = encode(&window, &totals, &[], 300, place).unwrap();
        assert!(decode(&bytes[HEADER..], 18_999).is_err(), "a row ends behind the index");
        let mut miscounted = window.clone();
        miscounted.types[0].count += 1;
        let bytes = encode(&miscounted, &totals, &[], 300, place).unwrap();
        assert!(decode(&bytes[HEADER..], 1 << 40).is_err(), "the types are more than the records");
        let misplaced = Totals { earlier: vec![64..300, 300..(1 << 40) + 1], ..totals };
        let bytes = encode(&window, &misplaced, &[], 300, place).unwrap();
        assert!(decode(&bytes[HEADER..], 1 << 40).is_err(), "an index before this one ends behind it");
    }

    proptest! {
        #[test]
        fn any_bytes_are_an_index_or_are_refused(bytes: Vec<u8>, change in 0usize..400, to: u8) {
            let _ = decode(&bytes, 1 << 40);
            let (window, totals) = sample(5);
            let place = BlockPlace { marker: 5, offset: 1 << 40, durable_end: 50, last_index: 64 };
            let mut bytes = encode(&tidy(window), &totals, &[], 300, place).unwrap().split_off(HEADER);
            let at = change % bytes.len();
            bytes[at] = to;
            let _ = decode(&bytes, 1 << 40);
        }
    }
}
