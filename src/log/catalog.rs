//! Catalogs: objects that are stored beside a log's segments and repeat what up to a thousand of these state about
//! themselves. With them a log is listed and counted with one request for all of these segments.
//!
//! A catalog is not part of the log. It is believed only about an object that has the length and the time that it
//! states, and only for listing and counting. Reading records, verifying and recovering use the segments.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;

use super::labels::Label;
use crate::format::checksum::crc;
use crate::format::codec::Decompressor;
use crate::format::codec::{Codec, Compressor};
use crate::format::declaration::FileHeader;
use crate::format::limits;
use crate::io::{self, Access, Directory};
use crate::memory::{self, NoMemory};
use crate::record::MetadataBuf;
use crate::record::{check_metadata, Metadata};

/// The object begins with this; the CRC-32 of the rest, the length of the summaries, and their codec follow.
const MAGIC: &[u8; 8] = b"BLCATLG1";
const HEAD: usize = MAGIC.len() + 4 + 4 + 1;
/// Segments that a catalog names, at most.
pub(crate) const SEGMENTS: usize = 1000;
/// Far more than the summaries of a catalog ever need.
const LONGEST: usize = 16 << 20;

/// What can be known of a closed, whole segment without reading it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Summary {
    /// The object: its name, its length, and the second in which it was stored.
    pub file: String,
    pub bytes: u64,
    pub stored_s: i64,
    /// The header that it begins with, without a dictionary.
    pub header: FileHeader,
    /// The id after its last record.
    pub next_id: u64,
    /// Ids of the first and the last record that can be read.
    pub ids: Option<(u64, u64)>,
    pub records: u64,
    pub payload_bytes: u64,
    /// Times of the first and the last record as they were written, and the smallest and the greatest of all.
    pub times: Option<(i64, i64)>,
    pub span: Option<(i64, i64)>,
    pub types: Vec<TypeSum>,
}

/// Records of a type in a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TypeSum {
    pub type_id: u32,
    pub name: Option<String>,
    pub records: u64,
    pub payload_bytes: u64,
}

/// The second of a time; lists and answers about one object may give it with and without fractions.
pub(crate) fn second(ns: i64) -> i64 {
    ns.div_euclid(1_000_000_000)
}

impl Summary {
    fn facts(&self) -> Result<MetadataBuf, NoMemory> {
        // Three numbers and their lengths take less, besides the name.
        const TYPE: usize = 80;
        let mut facts = MetadataBuf::new();
        facts.reserve(self.types.iter().map(|it| TYPE + it.name.as_ref().map_or(0, String::len)).sum())?;
        facts.push("file", &self.file);
        facts.push("bytes", &self.bytes.to_string());
        facts.push("stored", &self.stored_s.to_string());
        facts.push("next_id", &self.next_id.to_string());
        facts.push("records", &self.records.to_string());
        facts.push("payload", &self.payload_bytes.to_string());
        if let Some((first, last)) = self.ids {
            facts.push("ids", &format!("{first} {last}"));
        }
        if let Some((first, last)) = self.times {
            facts.push("times", &format!("{first} {last}"));
        }
        if let Some((from, to)) = self.span {
            facts.push("span", &format!("{from} {to}"));
        }
        for counted in &self.types {
            let sum = format!("{} {} {}", counted.type_id, counted.records, counted.payload_bytes);
            match &counted.name {
                Some(name) => facts.push("type", &format!("{sum} {name}")),
                None => facts.push("type", &sum),
            }
        }
        Ok(facts)
    }

    fn of(facts: Metadata<'_>, header: FileHeader) -> Option<Self> {
        fn both<T: std::str::FromStr>(text: &str) -> Option<(T, T)> {
            let (a, b) = text.split_once(' ')?;
            Some((a.parse().ok()?, b.parse().ok()?))
        }
        let number = |key: &str| facts.get(key)?.parse::<u64>().ok();
        let counted = |text: &str| {
            let mut words = text.splitn(4, ' ');
            let type_id = words.next()?.parse().ok()?;
            let (records, payload_bytes) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
            Some(TypeSum { type_id, records, payload_bytes, name: words.next().map(str::to_owned) })
        };
        let mut types = vec![];
        for (_, text) in facts.into_iter().filter(|(key, _)| *key == "type") {
            memory::push(&mut types, counted(text)?).ok()?;
        }
        Some(Summary {
            file: facts.get("file")?.to_owned(),
            bytes: number("bytes")?,
            stored_s: facts.get("stored")?.parse().ok()?,
            next_id: number("next_id")?,
            records: number("records")?,
            payload_bytes: number("payload")?,
            ids: facts.get("ids").map_or(Some(None), |ids| both(ids).map(Some))?,
            times: facts.get("times").map_or(Some(None), |times| both(times).map(Some))?,
            span: facts.get("span").map_or(Some(None), |span| both(span).map(Some))?,
            types,
            header,
        })
    }

    /// Whether this can be true of a segment. Anyone who may write to the store may have created the catalog.
    fn is_sound(&self) -> bool {
        const LONGEST: u64 = limits::RECORD;
        let sum = |of: fn(&TypeSum) -> u64| self.types.iter().map(of).try_fold(0, u64::checked_add);
        let ids = match self.ids {
            Some((first, last)) => {
                self.records > 0
                    && self.header.first_id <= first
                    && first <= last
                    && last < self.next_id
                    && self.records - 1 <= last - first
                    && self.times.is_some()
                    && self.span.is_some_and(|(from, to)| from <= to)
            }
            None => self.times.is_none() && self.span.is_none(),
        };
        self.header.first_id <= self.next_id
            && self.ids.is_some() == (self.records > 0)
            && ids
            && sum(|counted| counted.records) == Some(self.records)
            && sum(|counted| counted.payload_bytes) == Some(self.payload_bytes)
            && self.payload_bytes / LONGEST <= self.records
    }

    /// Whether the segment with this header follows this one, with nothing between them to report.
    pub fn is_followed_by(&self, next: &FileHeader) -> bool {
        follows(&self.header, self.bytes, self.next_id, next)
    }
}

/// Whether a segment follows one that ends at the offset `end`, with nothing between them to report.
pub(crate) fn follows(ended: &FileHeader, end: u64, next_id: u64, next: &FileHeader) -> bool {
    let is_predecessor = next.predecessor.as_ref().is_some_and(|stated| {
        stated.sequence == ended.sequence
            && ended.is_followed_by(stated)
            && ended.comparable_length(stated, end).is_none_or(|length| stated.bytes == length)
    });
    ended.log_id == next.log_id && ended.sequence + 1 == next.sequence && is_predecessor && next.first_id == next_id
}

/// The bytes of a catalog; `None` when the header of a segment cannot be encoded, or there is no memory for it.
pub(crate) fn encode(summaries: &[Summary]) -> Option<Vec<u8>> {
    let mut plain = vec![];
    for summary in summaries {
        let (facts, header) = (summary.facts().ok()?, summary.header.encode_segment_start().ok()?);
        for part in [facts.as_metadata().as_bytes(), &header] {
            memory::extend(&mut plain, &u32::try_from(part.len()).ok()?.to_le_bytes()).ok()?;
            memory::extend(&mut plain, part).ok()?;
        }
    }
    let len = u32::try_from(plain.len()).ok().filter(|&len| len as usize <= LONGEST)?;
    let mut packed = vec![];
    let is_packed = Codec::Lz4.is_available()
        && Compressor::new(Codec::Lz4, 0).is_ok_and(|mut compressor| compressor.compress(&plain, &mut packed));
    let (codec, stored) = if is_packed { (Codec::Lz4, packed) } else { (Codec::None, plain) };
    let mut out = memory::with_room(HEAD + stored.len()).ok()?;
    let rest_at = MAGIC.len() + 4;
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&len.to_le_bytes());
    out.push(codec.to_byte());
    out.extend_from_slice(&stored);
    let sum = crc(0, &out[rest_at..]);
    out[MAGIC.len()..rest_at].copy_from_slice(&sum.to_le_bytes());
    Some(out)
}

/// The summaries in a catalog; `None` when it is not a catalog, or is damaged, or there is no memory for them.
pub(crate) fn decode(bytes: &[u8]) -> Option<Vec<Summary>> {
    let rest = bytes.strip_prefix(MAGIC)?;
    let (sum, rest) = rest.split_first_chunk::<4>()?;
    if u32::from_le_bytes(*sum) != crc(0, rest) {
        return None;
    }
    let (len, rest) = rest.split_first_chunk::<4>()?;
    let (&codec, stored) = rest.split_first()?;
    let len = usize::try_from(u32::from_le_bytes(*len)).ok().filter(|&len| len <= LONGEST)?;
    let mut plain = vec![];
    Decompressor::new(&[]).decompress(codec, stored, len, &mut plain).ok()?;
    let mut left = plain.as_slice();
    let mut part = || {
        let (len, behind) = left.split_first_chunk::<4>()?;
        let (part, behind) = behind.split_at_checked(usize::try_from(u32::from_le_bytes(*len)).ok()?)?;
        left = behind;
        Some(part)
    };
    let mut summaries = vec![];
    while let Some(facts) = part() {
        check_metadata(facts).ok().filter(|_| summaries.len() < SEGMENTS)?;
        let (header, _) = FileHeader::decode_segment_start(part()?).ok()?;
        let summary = Summary::of(Metadata::from_bytes(facts), header).filter(Summary::is_sound)?;
        memory::push(&mut summaries, summary).ok()?;
    }
    left.is_empty().then_some(summaries)
}

/// The catalog in an object; `None` when it cannot be read.
pub(crate) fn read(directory: &dyn Directory, name: &str) -> Option<Vec<Summary>> {
    let file = directory.open(name, Access::Read).ok()?;
    let len = usize::try_from(file.len().ok()?).ok().filter(|&len| (HEAD..=LONGEST).contains(&len))?;
    let mut bytes = memory::zeros(len).ok()?;
    let n = io::read_full(&*file, &mut bytes, 0).ok()?;
    decode(&bytes[..n])
}

/// The catalogs of the stores that a reader reads. Each is fetched when it is first needed; the last ones are kept,
/// because listing and counting go from segment to segment.
#[derive(Default)]
pub(crate) struct Catalogs {
    /// By store and log.
    logs: Mutex<HashMap<(PathBuf, String), OfLog>>,
}

/// Catalogs that are kept in memory, and how many of those that name a segment are tried: there is one, and a second
/// when the shipper was killed while it replaced it. Others may have been put there by anyone.
const KEPT: usize = 2;

struct OfLog {
    /// The objects, with the numbers of the first and the last segment that they name. The one that reaches furthest
    /// comes first.
    there: Vec<(u64, u64, String)>,
    /// Those that were fetched last: their summaries by the segment's file.
    fetched: VecDeque<(String, BTreeMap<String, Arc<Summary>>)>,
}

impl OfLog {
    fn of(log: &str, directory: &dyn Directory) -> Self {
        let catalog = |name: String| match Label::parse(log, &name)? {
            Label::Catalog(first, last) => Some((first, last, name)),
            Label::Log(_) | Label::Pruned(_) => None,
        };
        let names = directory.names_listed(&format!("{log}.catalog-"));
        let mut there: Vec<_> = names.into_iter().filter_map(catalog).collect();
        there.sort_unstable_by_key(|&(first, last, _)| std::cmp::Reverse((last, first)));
        OfLog { there, fetched: VecDeque::new() }
    }

    fn find(&mut self, directory: &dyn Directory, sequence: u64, file: &str) -> Option<Arc<Summary>> {
        let covers = |(first, last, _): &&(u64, u64, String)| (*first..=*last).contains(&sequence);
        for (_, _, name) in self.there.iter().filter(covers).take(KEPT) {
            if !self.fetched.iter().any(|(fetched, _)| fetched == name) {
                self.fetched.truncate(KEPT - 1);
                let summaries = read(directory, name).unwrap_or_default().into_iter();
                let by_file = memory::map(summaries.map(|summary| (summary.file.clone(), Arc::new(summary))));
                self.fetched.push_front((name.clone(), by_file));
            }
            let known = self.fetched.iter().find(|(fetched, _)| fetched == name);
            if let Some(summary) = known.and_then(|(_, summaries)| summaries.get(file)) {
                return Some(summary.clone());
            }
        }
        None
    }
}

impl Catalogs {
    /// The catalog's summary of the segment with this number in this file, if the object is the one that it was made
    /// from.
    pub fn summary(
        &self,
        directory: &dyn Directory,
        (log, id): (&str, &[u8]),
        sequence: u64,
        file: &str,
    ) -> Option<Arc<Summary>> {
        let (bytes, modified_ns) = directory.listed(file)?;
        let mut logs = self.logs.lock();
        let of_log =
            logs.entry((directory.path().to_owned(), log.to_owned())).or_insert_with(|| OfLog::of(log, directory));
        let summary = of_log.find(directory, sequence, file)?;
        let is_it = (summary.bytes, summary.stored_s) == (bytes, second(modified_ns))
            && (summary.header.sequence, &*summary.header.name, &*summary.header.log_id) == (sequence, log, id);
        is_it.then_some(summary)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(sequence: u64) -> Summary {
        let header = FileHeader {
            name: "orders".to_owned(),
            log_id: (0..16).collect(),
            sequence,
            first_id: 100 * sequence,
            marker: 7 + sequence,
            ..FileHeader::default()
        };
        Summary {
            file: format!("orders.{sequence:010}.binlog"),
            bytes: 4711,
            stored_s: -5,
            header,
            next_id: 100 * sequence + 100,
            ids: Some((100 * sequence, 100 * sequence + 99)),
            records: 100,
            payload_bytes: 6400,
            times: Some((5, -3)),
            span: Some((i64::MIN, i64::MAX)),
            types: vec![
                TypeSum { type_id: 7, name: None, records: 40, payload_bytes: 400 },
                TypeSum { type_id: 1 << 30, name: Some("order placed 7".to_owned()), records: 60, payload_bytes: 6000 },
            ],
        }
    }

    #[test]
    fn summaries_come_back() {
        let all: Vec<Summary> = (1..=1000).map(summary).collect();
        let bytes = encode(&all).unwrap();
        assert_eq!(decode(&bytes), Some(all));
        let empty =
            Summary { ids: None, times: None, span: None, types: vec![], records: 0, payload_bytes: 0, ..summary(1) };
        assert_eq!(decode(&encode(std::slice::from_ref(&empty)).unwrap()), Some(vec![empty]));
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        let bytes = encode(&[summary(1), summary(2)]).unwrap();
        for bit in 0..8 * bytes.len() {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(decode(&damaged), None, "bit {bit}");
        }
        for len in 0..bytes.len() {
            assert_eq!(decode(&bytes[..len]), None, "{len} bytes");
        }
    }

    /// Anyone who may write to the store may have created a catalog.
    #[test]
    fn what_cannot_be_true_of_a_segment_is_not_believed() {
        let whole = summary(3);
        let type_sum = |records, payload_bytes| TypeSum { type_id: 1, name: None, records, payload_bytes };
        let lies = [
            Summary { next_id: 0, ..whole.clone() },
            Summary { next_id: 399, ..whole.clone() },
            Summary { records: u64::MAX, types: vec![type_sum(u64::MAX, 6400)], ..whole.clone() },
            Summary { records: 101, types: vec![type_sum(101, 6400)], ..whole.clone() },
            Summary { records: 0, types: vec![type_sum(0, 6400)], ..whole.clone() },
            Summary { records: 99, ..whole.clone() },
            Summary { payload_bytes: 6401, ..whole.clone() },
            Summary { payload_bytes: u64::MAX, types: vec![type_sum(100, u64::MAX)], ..whole.clone() },
            Summary { types: vec![type_sum(100, u64::MAX), type_sum(0, 6401)], ..whole.clone() },
            Summary { ids: None, ..whole.clone() },
            Summary { ids: Some((399, 300)), ..whole.clone() },
            Summary { ids: Some((1, 100)), ..whole.clone() },
            Summary { times: None, ..whole.clone() },
            Summary { span: None, ..whole.clone() },
            Summary { span: Some((1, 0)), ..whole.clone() },
        ];
        for lie in lies {
            assert_eq!(decode(&encode(std::slice::from_ref(&lie)).unwrap()), None, "{lie:?}");
        }
        assert!(decode(&encode(&vec![whole.clone(); SEGMENTS]).unwrap()).is_some());
        assert_eq!(decode(&encode(&vec![whole; SEGMENTS + 1]).unwrap()), None);
    }
}
