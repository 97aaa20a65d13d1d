//! The beginning of a segment: the declaration (magic, version, transcoder) and the file header in protobuf.

use byteorder::{ByteOrder, LittleEndian as LE};
use std::collections::BTreeMap;

use super::protobuf::{each_field, put_bytes, put_fixed64, put_message, put_varint};
use super::{checksum::crc, codec::Codec, limits, Malformed};

/// The declaration: magic, version 2.0 in half-bytes, transcoder 1 = protobuf. The TRAILER ends with the same bytes.
pub const DECLARATION: [u8; 8] = *b"BINLOG\x20\x01";
/// Bytes before the protobuf message: the declaration and the message's length.
pub const PREFIX: usize = 12;
/// Bytes of the magic, with which a segment of any version begins.
pub const MAGIC: usize = 6;

/// Whether a segment that begins with these bytes is of a later minor version than this library writes. It can be read,
/// but not written to: only that version knows the meaning of new fields and bits.
pub fn is_newer_minor(declaration: &[u8; 8]) -> bool {
    declaration[MAGIC] & 0xf > DECLARATION[MAGIC] & 0xf
}

/// The file header of a segment, as `docs/binlog.proto` defines it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileHeader {
    /// When the segment was created, in nanoseconds since the Unix epoch.
    pub created_ns: i64,
    /// The log's name.
    pub name: String,
    /// The MIME type of the payloads.
    pub content_type: String,
    /// The user's own parameters of the log.
    pub parameters: BTreeMap<String, String>,
    /// 16 random bytes that all segments of a log share.
    pub log_id: Vec<u8>,
    /// Random, never 0, new for each segment: every block of the segment begins with it.
    pub marker: u64,
    /// Number of the segment in its log, from 1, never used again.
    pub sequence: u64,
    /// Id of the first user record in the segment.
    pub first_id: u64,
    /// The segment before this one, when there is one.
    pub predecessor: Option<Predecessor>,
    /// Rotation period in force, in seconds; 0 = none.
    pub period_s: u64,
    /// File name template in force.
    pub template: String,
    /// What wrote the segment.
    pub writer: Option<WriterFacts>,
    /// Features without which the segment cannot be read; an unknown bit refuses the file.
    pub incompatible: u64,
    /// Features that a reader may ignore.
    pub compatible: u64,
    /// The damaged segment that this one was recovered from.
    pub recovered: Option<Predecessor>,
    /// Time zone of the period and of the times in names; empty = UTC.
    pub zone: String,
    /// The segment that was compressed to this one.
    pub original: Option<Predecessor>,
    /// The zstd dictionary of the segment's blocks; empty in most.
    pub dictionary: Vec<u8>,
    /// Bytes of earlier segments of the log that are no blocks, and that readers skip.
    pub holes: Vec<Hole>,
}

/// The bit of [`FileHeader::incompatible`] of segments with a dictionary.
pub const HAS_DICTIONARY: u64 = 1;
/// The bit of [`FileHeader::incompatible`] of segments whose space is filled ahead: zeros from the end of the last
/// whole block to the end of the file are space.
pub const SPACE: u64 = 2;
const KNOWN_FEATURES: u64 = HAS_DICTIONARY | SPACE;

/// Bytes of an earlier segment that are no blocks. The writer that found them left them there, began a new segment and
/// named them in its header.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hole {
    /// Number of the segment that they are in.
    pub sequence: u64,
    pub offset: u64,
    pub bytes: u64,
    /// The records that are lost with them; 0 and 0 = none are known to be.
    pub first_lost_id: u64,
    pub last_lost_id: u64,
}

impl Hole {
    /// A hole in the segment of this number, between two offsets. The first id was expected there, the second one
    /// follows.
    pub fn new(sequence: u64, (offset, end): (u64, u64), (expected, next_id): (u64, u64)) -> Self {
        let (first_lost_id, last_lost_id) = if next_id > expected { (expected, next_id - 1) } else { (0, 0) };
        Hole { sequence, offset, bytes: end - offset, first_lost_id, last_lost_id }
    }

    /// Offset after the bytes.
    pub fn end(&self) -> u64 {
        self.offset.saturating_add(self.bytes)
    }

    /// The first and the last record that are lost with them, if any are known to be.
    pub fn lost(&self) -> Option<(u64, u64)> {
        (self.first_lost_id > 0).then_some((self.first_lost_id, self.last_lost_id))
    }

    /// The id that comes after the hole, where `next_id` would come without it.
    pub fn next_id(&self, next_id: u64) -> u64 {
        self.lost().map_or(next_id, |(_, last)| next_id.max(last.saturating_add(1)))
    }

    /// Whether it is a whole segment, whose beginning is lost.
    pub fn is_whole(&self) -> bool {
        self.offset == 0
    }

    fn encode(&self, out: &mut Vec<u8>) {
        put_varint(out, 1, self.sequence);
        put_varint(out, 2, self.offset);
        put_varint(out, 3, self.bytes);
        put_varint(out, 4, self.first_lost_id);
        put_varint(out, 5, self.last_lost_id);
    }

    fn decode(message: &[u8]) -> Result<Self, Malformed> {
        let mut hole = Hole::default();
        each_field(message, |number, value| {
            match number {
                1 => hole.sequence = value.varint()?,
                2 => hole.offset = value.varint()?,
                3 => hole.bytes = value.varint()?,
                4 => hole.first_lost_id = value.varint()?,
                5 => hole.last_lost_id = value.varint()?,
                _ => (),
            }
            Ok(())
        })?;
        Ok(hole)
    }

    fn is_sound(&self, sequence: u64) -> bool {
        (1..sequence).contains(&self.sequence)
            && self.bytes > 0
            && self.end() - self.offset == self.bytes
            && self.lost().map_or(self.last_lost_id == 0, |(first, last)| first <= last)
    }
}

/// Where the previous segment ended, by which a missing, foreign or shortened one is noticed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Predecessor {
    pub sequence: u64,
    pub last_id: u64,
    pub bytes: u64,
    pub marker: u64,
    /// The largest time of all records up to the end of that segment; absent = not known.
    pub latest_ns: Option<i64>,
    /// How far times have run back: no record up to the end of that segment is earlier by more than this than the
    /// largest time before its own segment; absent = not known.
    pub disorder_ns: Option<u64>,
}

/// The library, process and machine that created a segment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WriterFacts {
    pub library: String,
    pub pid: u32,
    pub host: String,
}

impl Predecessor {
    fn encode(&self, out: &mut Vec<u8>) {
        put_varint(out, 1, self.sequence);
        put_varint(out, 2, self.last_id);
        put_varint(out, 3, self.bytes);
        if self.marker != 0 {
            put_fixed64(out, 4, self.marker);
        }
        if let Some(latest_ns) = self.latest_ns {
            put_fixed64(out, 5, latest_ns as u64);
        }
        if let Some(disorder_ns) = self.disorder_ns {
            put_fixed64(out, 6, disorder_ns);
        }
    }

    /// Merges the fields of a message, as protobuf requires when a field occurs twice.
    fn merge(&mut self, message: &[u8]) -> Result<(), Malformed> {
        each_field(message, |number, value| {
            match number {
                1 => self.sequence = value.varint()?,
                2 => self.last_id = value.varint()?,
                3 => self.bytes = value.varint()?,
                4 => self.marker = value.fixed64()?,
                5 => self.latest_ns = Some(value.fixed64()? as i64),
                6 => self.disorder_ns = Some(value.fixed64()?),
                _ => (),
            }
            Ok(())
        })
    }
}

impl WriterFacts {
    fn encode(&self, out: &mut Vec<u8>) {
        put_bytes(out, 1, self.library.as_bytes());
        put_varint(out, 2, u64::from(self.pid));
        put_bytes(out, 3, self.host.as_bytes());
    }

    fn merge(&mut self, message: &[u8]) -> Result<(), Malformed> {
        each_field(message, |number, value| {
            match number {
                1 => self.library = value.text()?,
                // As protobuf reads a uint32: the low 32 bits.
                2 => self.pid = value.varint()? as u32,
                3 => self.host = value.text()?,
                _ => (),
            }
            Ok(())
        })
    }
}

impl FileHeader {
    /// The largest time of the records before this segment; `i64::MIN` = there are none, `None` = not known.
    pub fn latest_before_ns(&self) -> Option<i64> {
        match &self.predecessor {
            Some(before) => before.latest_ns,
            None if self.sequence == 1 => Some(i64::MIN),
            None => None,
        }
    }

    /// How far times have run back before this segment ([`Predecessor::disorder_ns`]); `None` = not known.
    pub fn disorder_before_ns(&self) -> Option<u64> {
        match &self.predecessor {
            Some(before) => before.disorder_ns,
            None if self.sequence == 1 => Some(0),
            None => None,
        }
    }

    /// The same before the next segment, if no record of this one is earlier than `earliest`.
    pub fn disorder_with_ns(&self, earliest: i64) -> Option<u64> {
        let back = i128::from(self.latest_before_ns()?) - i128::from(earliest);
        let here = u64::try_from(back.max(0)).unwrap_or(u64::MAX);
        Some(self.disorder_before_ns()?.max(here))
    }

    /// Appends the message, with its fields in the order of their numbers.
    fn encode(&self, out: &mut Vec<u8>) {
        if self.created_ns != 0 {
            put_fixed64(out, 1, self.created_ns as u64);
        }
        put_bytes(out, 2, self.name.as_bytes());
        put_bytes(out, 3, self.content_type.as_bytes());
        for (key, value) in &self.parameters {
            put_message(out, 4, |entry| {
                put_bytes(entry, 1, key.as_bytes());
                put_bytes(entry, 2, value.as_bytes());
            });
        }
        put_bytes(out, 5, &self.log_id);
        if self.marker != 0 {
            put_fixed64(out, 6, self.marker);
        }
        put_varint(out, 7, self.sequence);
        put_varint(out, 8, self.first_id);
        let put_other = |out: &mut Vec<u8>, number, other: &Option<Predecessor>| {
            if let Some(other) = other {
                put_message(out, number, |out| other.encode(out));
            }
        };
        put_other(out, 9, &self.predecessor);
        put_varint(out, 10, self.period_s);
        put_bytes(out, 11, self.template.as_bytes());
        if let Some(writer) = &self.writer {
            put_message(out, 12, |out| writer.encode(out));
        }
        put_varint(out, 13, self.incompatible);
        put_varint(out, 14, self.compatible);
        put_other(out, 15, &self.recovered);
        put_bytes(out, 16, self.zone.as_bytes());
        put_other(out, 17, &self.original);
        put_bytes(out, 18, &self.dictionary);
        for hole in &self.holes {
            put_message(out, 19, |out| hole.encode(out));
        }
    }

    fn decode(message: &[u8]) -> Result<Self, Malformed> {
        let mut header = FileHeader::default();
        each_field(message, |number, value| {
            let header = &mut header;
            match number {
                1 => header.created_ns = value.fixed64()? as i64,
                2 => header.name = value.text()?,
                3 => header.content_type = value.text()?,
                4 => {
                    let (mut key, mut text) = (String::new(), String::new());
                    each_field(value.bytes()?, |number, value| {
                        match number {
                            1 => key = value.text()?,
                            2 => text = value.text()?,
                            _ => (),
                        }
                        Ok(())
                    })?;
                    header.parameters.insert(key, text);
                }
                5 => header.log_id = value.bytes()?.to_vec(),
                6 => header.marker = value.fixed64()?,
                7 => header.sequence = value.varint()?,
                8 => header.first_id = value.varint()?,
                9 => header.predecessor.get_or_insert_default().merge(value.bytes()?)?,
                10 => header.period_s = value.varint()?,
                11 => header.template = value.text()?,
                12 => header.writer.get_or_insert_default().merge(value.bytes()?)?,
                13 => header.incompatible = value.varint()?,
                14 => header.compatible = value.varint()?,
                15 => header.recovered.get_or_insert_default().merge(value.bytes()?)?,
                16 => header.zone = value.text()?,
                17 => header.original.get_or_insert_default().merge(value.bytes()?)?,
                18 => header.dictionary = value.bytes()?.to_vec(),
                19 => header.holes.push(Hole::decode(value.bytes()?)?),
                _ => (),
            }
            Ok(())
        })?;
        Ok(header)
    }

    /// Whether a segment that states this predecessor follows this segment.
    pub fn is_followed_by(&self, stated: &Predecessor) -> bool {
        let is_of = |other: &Option<Predecessor>| other.as_ref().is_some_and(|other| other.marker == stated.marker);
        self.sequence == stated.sequence
            && (stated.marker == self.marker || is_of(&self.recovered) || is_of(&self.original))
    }

    /// The marker of the segment as it was before it was compressed.
    pub fn first_marker(&self) -> u64 {
        self.original.as_ref().map_or(self.marker, |original| original.marker)
    }

    /// The markers of a segment in its forms, compressed or not. Two files with a marker in common are forms of the
    /// same segment.
    pub fn markers(&self) -> [u64; 2] {
        [self.marker, self.first_marker()]
    }

    /// The length to compare with the one that the next segment states for this one, if the file ends at `end`. `None`
    /// when they cannot be compared, because the header states separately what is lost.
    pub fn comparable_length(&self, stated: &Predecessor, end: u64) -> Option<u64> {
        match &self.original {
            _ if self.recovered.is_some() => None,
            Some(original) if stated.marker != self.marker => Some(original.bytes),
            _ => Some(end),
        }
    }

    /// The same without the dictionary that its blocks are compressed with.
    pub fn without_dictionary(&self) -> Self {
        FileHeader { dictionary: vec![], incompatible: self.incompatible & !HAS_DICTIONARY, ..self.clone() }
    }

    /// All markers that this segment has or had: now, and before it was recovered or compressed.
    pub fn known_as(&self) -> [u64; 3] {
        let of = |other: &Option<Predecessor>| other.as_ref().map_or(self.marker, |other| other.marker);
        [self.marker, of(&self.recovered), of(&self.original)]
    }

    /// The bytes at the beginning of a segment. Fails when parameters make them longer than the limit.
    pub fn encode_segment_start(&self) -> Result<Vec<u8>, Malformed> {
        if self.holes.len() > limits::HOLES {
            let (holes, most) = (self.holes.len(), limits::HOLES);
            return Err(Malformed::inconsistent(format!("{holes} holes: a file header may name {most}")));
        }
        let mut out = DECLARATION.to_vec();
        out.extend_from_slice(&[0; PREFIX - DECLARATION.len()]);
        self.encode(&mut out);
        let len = out.len() - PREFIX;
        if len > limits::FILE_HEADER {
            return Err(Malformed::inconsistent(format!(
                "name, content type and parameters take {len} bytes; a file header may have {}",
                limits::FILE_HEADER
            )));
        }
        LE::write_u32(&mut out[DECLARATION.len()..PREFIX], len as u32);
        let sum = crc(0, &out);
        out.extend_from_slice(&sum.to_le_bytes());
        Ok(out)
    }

    /// Reads what [`Self::encode_segment_start`] wrote; returns the header and its length in bytes.
    pub fn decode_segment_start(bytes: &[u8]) -> Result<(Self, usize), Malformed> {
        let end = segment_start_len(bytes)?;
        let Some(bytes) = bytes.get(..end) else { return Err(Malformed::Short("file header")) };
        let (covered, sum) = bytes.split_at(end - 4);
        if crc(0, covered) != LE::read_u32(sum) {
            return Err(Malformed::Checksum("file header"));
        }
        // Checked only now: a flipped bit must not look like a newer version.
        if bytes[MAGIC] >> 4 != DECLARATION[MAGIC] >> 4 {
            return Err(Malformed::Version(bytes[MAGIC] >> 4, bytes[MAGIC] & 0xf));
        }
        if bytes[MAGIC + 1] != DECLARATION[MAGIC + 1] {
            return Err(Malformed::Transcoder(bytes[MAGIC + 1]));
        }
        let header = Self::decode(&covered[PREFIX..])?;
        if header.incompatible & !KNOWN_FEATURES != 0 {
            return Err(Malformed::Features(header.incompatible & !KNOWN_FEATURES));
        }
        let has_dictionary = header.incompatible & HAS_DICTIONARY != 0;
        if has_dictionary == header.dictionary.is_empty() || header.dictionary.len() > limits::DICTIONARY {
            return Err(Malformed::inconsistent("the file header describes another dictionary than the one in it"));
        }
        if has_dictionary && !Codec::Zstd.is_available() {
            return Err(Malformed::Dictionary);
        }
        if header.marker == 0 || header.log_id.len() != 16 || header.sequence == 0 || header.first_id == 0 {
            return Err(Malformed::inconsistent("the file header lacks its marker, log id, sequence or first id"));
        }
        if header.holes.len() > limits::HOLES || !header.holes.iter().all(|hole| hole.is_sound(header.sequence)) {
            return Err(Malformed::inconsistent("the file header names holes that cannot be"));
        }
        Ok((header, end))
    }
}

/// The length of declaration, file header and their checksum, from the first [`PREFIX`] bytes of a file of any version.
pub fn segment_start_len(bytes: &[u8]) -> Result<usize, Malformed> {
    let known = bytes.len().min(MAGIC);
    if bytes[..known] != DECLARATION[..known] {
        return Err(Malformed::Magic);
    }
    if bytes.len() < PREFIX {
        return Err(Malformed::Short("declaration"));
    }
    let len = LE::read_u32(&bytes[8..]) as usize;
    if len > limits::FILE_HEADER {
        return Err(Malformed::inconsistent(format!(
            "the file header claims {len} bytes; it may have {}",
            limits::FILE_HEADER
        )));
    }
    Ok(PREFIX + len + 4)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use prost::Message;

    use super::*;

    /// The messages of `docs/binlog.proto`, by another implementation of protobuf.
    mod oracle {
        use std::collections::BTreeMap;

        #[derive(Clone, PartialEq, prost::Message)]
        pub struct FileHeader {
            #[prost(sfixed64, tag = "1")]
            pub created_ns: i64,
            #[prost(string, tag = "2")]
            pub name: String,
            #[prost(string, tag = "3")]
            pub content_type: String,
            #[prost(btree_map = "string, string", tag = "4")]
            pub parameters: BTreeMap<String, String>,
            #[prost(bytes = "vec", tag = "5")]
            pub log_id: Vec<u8>,
            #[prost(fixed64, tag = "6")]
            pub marker: u64,
            #[prost(uint64, tag = "7")]
            pub sequence: u64,
            #[prost(uint64, tag = "8")]
            pub first_id: u64,
            #[prost(message, optional, tag = "9")]
            pub predecessor: Option<Predecessor>,
            #[prost(uint64, tag = "10")]
            pub period_s: u64,
            #[prost(string, tag = "11")]
            pub template: String,
            #[prost(message, optional, tag = "12")]
            pub writer: Option<WriterFacts>,
            #[prost(uint64, tag = "13")]
            pub incompatible: u64,
            #[prost(uint64, tag = "14")]
            pub compatible: u64,
            #[prost(message, optional, tag = "15")]
            pub recovered: Option<Predecessor>,
            #[prost(string, tag = "16")]
            pub zone: String,
            #[prost(message, optional, tag = "17")]
            pub original: Option<Predecessor>,
            #[prost(bytes = "vec", tag = "18")]
            pub dictionary: Vec<u8>,
            #[prost(message, repeated, tag = "19")]
            pub holes: Vec<Hole>,
        }

        #[derive(Clone, PartialEq, prost::Message)]
        pub struct Hole {
            #[prost(uint64, tag = "1")]
            pub sequence: u64,
            #[prost(uint64, tag = "2")]
            pub offset: u64,
            #[prost(uint64, tag = "3")]
            pub bytes: u64,
            #[prost(uint64, tag = "4")]
            pub first_lost_id: u64,
            #[prost(uint64, tag = "5")]
            pub last_lost_id: u64,
        }

        #[derive(Clone, PartialEq, prost::Message)]
        pub struct Predecessor {
            #[prost(uint64, tag = "1")]
            pub sequence: u64,
            #[prost(uint64, tag = "2")]
            pub last_id: u64,
            #[prost(uint64, tag = "3")]
            pub bytes: u64,
            #[prost(fixed64, tag = "4")]
            pub marker: u64,
            #[prost(sfixed64, optional, tag = "5")]
            pub latest_ns: Option<i64>,
            #[prost(fixed64, optional, tag = "6")]
            pub disorder_ns: Option<u64>,
        }

        #[derive(Clone, PartialEq, prost::Message)]
        pub struct WriterFacts {
            #[prost(string, tag = "1")]
            pub library: String,
            #[prost(uint32, tag = "2")]
            pub pid: u32,
            #[prost(string, tag = "3")]
            pub host: String,
        }
    }

    impl From<&FileHeader> for oracle::FileHeader {
        fn from(ours: &FileHeader) -> Self {
            let other = |other: &Option<Predecessor>| {
                other.as_ref().map(|other| oracle::Predecessor {
                    sequence: other.sequence,
                    last_id: other.last_id,
                    bytes: other.bytes,
                    marker: other.marker,
                    latest_ns: other.latest_ns,
                    disorder_ns: other.disorder_ns,
                })
            };
            oracle::FileHeader {
                created_ns: ours.created_ns,
                name: ours.name.clone(),
                content_type: ours.content_type.clone(),
                parameters: ours.parameters.clone(),
                log_id: ours.log_id.clone(),
                marker: ours.marker,
                sequence: ours.sequence,
                first_id: ours.first_id,
                predecessor: other(&ours.predecessor),
                period_s: ours.period_s,
                template: ours.template.clone(),
                writer: ours.writer.as_ref().map(|by| oracle::WriterFacts {
                    library: by.library.clone(),
                    pid: by.pid,
                    host: by.host.clone(),
                }),
                incompatible: ours.incompatible,
                compatible: ours.compatible,
                recovered: other(&ours.recovered),
                zone: ours.zone.clone(),
                original: other(&ours.original),
                dictionary: ours.dictionary.clone(),
                holes: (ours.holes.iter())
                    .map(|hole| oracle::Hole {
                        sequence: hole.sequence,
                        offset: hole.offset,
                        bytes: hole.bytes,
                        first_lost_id: hole.first_lost_id,
                        last_lost_id: hole.last_lost_id,
                    })
                    .collect(),
            }
        }
    }

    /// Zero, small, large.
    fn number() -> impl Strategy<Value = u64> {
        prop_oneof![Just(0), 0..300u64, any::<u64>()]
    }

    fn other() -> impl Strategy<Value = Option<Predecessor>> {
        let times = (proptest::option::of(prop_oneof![Just(0), any::<i64>()]), proptest::option::of(number()));
        let fields = (number(), number(), number(), number(), times);
        proptest::option::of(fields.prop_map(|(sequence, last_id, bytes, marker, (latest_ns, disorder_ns))| {
            Predecessor { sequence, last_id, bytes, marker, latest_ns, disorder_ns }
        }))
    }

    prop_compose! {
        fn any_header()(
            numbers in proptest::collection::vec(number(), 7),
            texts in proptest::collection::vec(".{0,6}", 4),
            parameters in proptest::collection::btree_map(".{0,3}", ".{0,3}", 0..4),
            bytes in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 2),
            others in (other(), other(), other()),
            writer in proptest::option::of((".{0,5}", any::<u32>(), ".{0,5}")),
            holes in proptest::collection::vec((number(), number(), number(), number(), number()), 0..4),
        ) -> FileHeader {
            FileHeader {
                created_ns: numbers[0] as i64,
                name: texts[0].clone(),
                content_type: texts[1].clone(),
                parameters,
                log_id: bytes[0].clone(),
                marker: numbers[1],
                sequence: numbers[2],
                first_id: numbers[3],
                predecessor: others.0,
                period_s: numbers[4],
                template: texts[2].clone(),
                writer: writer.map(|(library, pid, host)| WriterFacts { library, pid, host }),
                incompatible: numbers[5],
                compatible: numbers[6],
                recovered: others.1,
                zone: texts[3].clone(),
                original: others.2,
                dictionary: bytes[1].clone(),
                holes: holes
                    .into_iter()
                    .map(|(sequence, offset, bytes, first_lost_id, last_lost_id)| Hole {
                        sequence, offset, bytes, first_lost_id, last_lost_id,
                    })
                    .collect(),
            }
        }
    }

    /// A field of any number and wire type, well-formed or not.
    fn any_field() -> impl Strategy<Value = Vec<u8>> {
        let key = (0..24u64, 0..8u64).prop_map(|(number, wire_type)| number << 3 | wire_type);
        let value = prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..12),
            number().prop_map(|value| {
                let mut out = vec![];
                super::super::varint::put(&mut out, value);
                out
            }),
            proptest::collection::vec(any::<u8>(), 0..5).prop_map(|bytes| [vec![bytes.len() as u8], bytes].concat()),
            any::<[u8; 8]>().prop_map(Vec::from),
            any::<[u8; 4]>().prop_map(Vec::from),
        ];
        (key, value).prop_map(|(key, value)| {
            let mut out = vec![];
            super::super::varint::put(&mut out, key);
            [out, value].concat()
        })
    }

    fn same_as_the_oracle(message: &[u8]) -> Result<(), TestCaseError> {
        let ours = FileHeader::decode(message).ok();
        let theirs = oracle::FileHeader::decode(message).ok();
        // The oracle ignores the wire type of an entry of the map, field 4: a number is the length of an entry to it.
        let may_have_strange_entry = || message.iter().any(|&byte| byte >> 3 == 4 && byte & 7 != 2);
        if ours.is_none() && theirs.is_some() && may_have_strange_entry() {
            return Ok(());
        }
        prop_assert_eq!(ours.as_ref().map(oracle::FileHeader::from), theirs, "{:02x?}", message);
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn a_file_header_is_written_as_another_implementation_of_protobuf_writes_it(header in any_header()) {
            let mut ours = vec![];
            header.encode(&mut ours);
            prop_assert_eq!(&ours, &oracle::FileHeader::from(&header).encode_to_vec());
            prop_assert_eq!(FileHeader::decode(&ours), Ok(header));
        }

        #[test]
        fn any_bytes_are_read_as_another_implementation_of_protobuf_reads_them(
            header in any_header(),
            another in any_header(),
            fields in proptest::collection::vec(any_field(), 0..6),
            at in any::<prop::sample::Index>(),
            cut in any::<bool>(),
            byte: u8,
        ) {
            let mut message = vec![];
            header.encode(&mut message);
            // Fields that occur twice, that are unknown, and that are of another wire type.
            same_as_the_oracle(&[message.clone(), fields.concat()].concat())?;
            same_as_the_oracle(&[fields.concat(), message.clone()].concat())?;
            same_as_the_oracle(&fields.concat())?;
            let mut twice = message.clone();
            another.encode(&mut twice);
            same_as_the_oracle(&twice)?;
            if !message.is_empty() {
                let at = at.index(message.len());
                match cut {
                    true => message.truncate(at),
                    false => message[at] = byte,
                }
            }
            same_as_the_oracle(&message)?;
        }
    }

    fn header() -> FileHeader {
        FileHeader {
            created_ns: -5,
            name: "orders".into(),
            log_id: vec![7; 16],
            marker: 99,
            sequence: 3,
            first_id: 41,
            parameters: [("unit".to_string(), "EUR".to_string())].into(),
            predecessor: Some(Predecessor {
                sequence: 2,
                last_id: 40,
                bytes: 1234,
                marker: 98,
                latest_ns: Some(-5),
                disorder_ns: None,
            }),
            ..FileHeader::default()
        }
    }

    #[test]
    fn a_file_header_comes_back() {
        let mut bytes = header().encode_segment_start().unwrap();
        let len = bytes.len();
        bytes.extend_from_slice(b"what follows");
        assert_eq!(FileHeader::decode_segment_start(&bytes), Ok((header(), len)));
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        let bytes = header().encode_segment_start().unwrap();
        for i in 0..bytes.len() * 8 {
            let mut bad = bytes.clone();
            bad[i / 8] ^= 1 << (i % 8);
            // Bytes that the checksum does not confirm are damage, even if they claim to be another version or
            // transcoder.
            let refused = FileHeader::decode_segment_start(&bad).unwrap_err();
            let claims_a_version = matches!(refused, Malformed::Version(..) | Malformed::Transcoder(_));
            assert!(!claims_a_version, "bit {i}: {refused}");
        }
        for len in 0..bytes.len() {
            assert!(FileHeader::decode_segment_start(&bytes[..len]).is_err(), "cut to {len}");
            // The result of a disk that wrote only some bytes of a sector.
            let torn: Vec<u8> = bytes[..len].iter().copied().chain(std::iter::repeat_n(0, bytes.len() - len)).collect();
            let refused = FileHeader::decode_segment_start(&torn).err();
            let claims_a_version = matches!(refused, Some(Malformed::Version(..) | Malformed::Transcoder(_)));
            assert!(!claims_a_version && (torn == bytes || refused.is_some()), "torn at {len}: {refused:?}");
        }
    }

    /// With the right checksum.
    fn with_byte(mut bytes: Vec<u8>, at: usize, value: u8) -> Vec<u8> {
        let end = bytes.len() - 4;
        bytes[at] = value;
        let sum = crc(0, &bytes[..end]);
        bytes[end..].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    #[test]
    fn a_newer_minor_version_is_read_and_another_major_or_transcoder_refused() {
        let bytes = header().encode_segment_start().unwrap();
        let read = |at, value| FileHeader::decode_segment_start(&with_byte(bytes.clone(), at, value)).map(|_| ());
        assert_eq!((read(6, 0x21), read(6, 0x2f)), (Ok(()), Ok(())));
        assert_eq!(read(6, 0x30), Err(Malformed::Version(3, 0)));
        assert_eq!(read(6, 0x1f), Err(Malformed::Version(1, 15)));
        assert_eq!(read(7, 2), Err(Malformed::Transcoder(2)));
        let declared = |version| {
            let mut declaration = DECLARATION;
            declaration[6] = version;
            is_newer_minor(&declaration)
        };
        assert_eq!((declared(0x20), declared(0x21), declared(0x2f)), (false, true, true));
    }

    #[test]
    fn holes_come_back_and_those_that_cannot_be_are_refused() {
        let hole = Hole { sequence: 2, offset: 4096, bytes: 100, first_lost_id: 7, last_lost_id: 9 };
        let with = |holes: Vec<Hole>| FileHeader { holes, ..header() };
        let decode = |header: FileHeader| FileHeader::decode_segment_start(&header.encode_segment_start().unwrap());
        let none_lost = Hole { sequence: 1, first_lost_id: 0, last_lost_id: 0, ..hole.clone() };
        let (back, _) = decode(with(vec![hole.clone(), none_lost.clone()])).unwrap();
        assert_eq!(back.holes, [hole.clone(), none_lost]);
        assert_eq!((back.holes[0].lost(), back.holes[1].lost()), (Some((7, 9)), None));
        assert_eq!(back.holes[0].end(), 4196);
        for wrong in [
            Hole { sequence: 0, ..hole.clone() },
            // A segment can only name holes of earlier segments.
            Hole { sequence: 3, ..hole.clone() },
            Hole { bytes: 0, ..hole.clone() },
            Hole { offset: u64::MAX, ..hole.clone() },
            Hole { first_lost_id: 0, ..hole.clone() },
            Hole { last_lost_id: 6, ..hole.clone() },
        ] {
            assert!(matches!(decode(with(vec![wrong.clone()])), Err(Malformed::Inconsistent(_))), "{wrong:?}");
        }
        let most =
            Hole { sequence: 2, offset: u64::MAX >> 1, bytes: 1 << 62, first_lost_id: 1, last_lost_id: u64::MAX };
        assert_eq!(decode(with(vec![most.clone(); limits::HOLES])).unwrap().0.holes.len(), limits::HOLES);
        assert!(with(vec![most; limits::HOLES + 1]).encode_segment_start().is_err(), "more than a header may name");
    }

    #[test]
    fn a_dictionary_is_declared_by_its_bit_and_is_within_its_limit() {
        let with = |incompatible, len| FileHeader { incompatible, dictionary: vec![7; len], ..header() };
        let decode = |header: FileHeader| FileHeader::decode_segment_start(&header.encode_segment_start().unwrap());
        match Codec::Zstd.is_available() {
            true => assert_eq!(decode(with(HAS_DICTIONARY, 100)).unwrap().0.dictionary, [7; 100]),
            false => assert_eq!(decode(with(HAS_DICTIONARY, 100)), Err(Malformed::Dictionary)),
        }
        for (incompatible, len) in [(HAS_DICTIONARY, 0), (0, 100), (HAS_DICTIONARY, limits::DICTIONARY + 1)] {
            assert!(matches!(decode(with(incompatible, len)), Err(Malformed::Inconsistent(_))), "{incompatible} {len}");
        }
        assert_eq!(decode(with(HAS_DICTIONARY | 4, 100)), Err(Malformed::Features(4)));
        assert_eq!(decode(with(SPACE, 0)).unwrap().0.incompatible, SPACE);
    }

    #[test]
    fn a_compressed_segment_is_followed_by_what_followed_the_first_one_and_that_length_counts() {
        let stated = |marker| Predecessor { sequence: 3, last_id: 50, bytes: 900, marker, ..Predecessor::default() };
        let compressed = FileHeader { original: Some(Predecessor { bytes: 1000, ..stated(7) }), ..header() };
        assert!(compressed.is_followed_by(&stated(7)) && compressed.is_followed_by(&stated(99)));
        assert!(!compressed.is_followed_by(&stated(8)) && !header().is_followed_by(&stated(7)));
        assert_eq!(compressed.comparable_length(&stated(7), 300), Some(1000));
        assert_eq!(compressed.comparable_length(&stated(99), 300), Some(300));
        let recovered = FileHeader { recovered: Some(stated(6)), ..compressed };
        assert!([6, 7, 99].iter().all(|&marker| recovered.is_followed_by(&stated(marker))));
        assert_eq!(recovered.comparable_length(&stated(7), 300), None);
    }

    #[test]
    fn an_unknown_incompatible_feature_refuses_the_file_and_a_compatible_one_does_not() {
        let strange = FileHeader { incompatible: 4, ..header() }.encode_segment_start().unwrap();
        assert_eq!(FileHeader::decode_segment_start(&strange), Err(Malformed::Features(4)));
        let fine = FileHeader { compatible: 4, ..header() }.encode_segment_start().unwrap();
        assert!(FileHeader::decode_segment_start(&fine).is_ok());
    }
}
