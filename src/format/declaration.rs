//! How a segment begins: the declaration (magic, version, transcoder) and the file header in protobuf.

use byteorder::{ByteOrder, LittleEndian as LE};
use prost::Message;
use std::collections::BTreeMap;

use super::{checksum::crc, codec::Codec, limits, Malformed};

/// The declaration: magic, version 2.0 in half-bytes, transcoder 1 = protobuf. The TRAILER ends with the same bytes.
pub const DECLARATION: [u8; 8] = *b"BINLOG\x20\x01";
/// Bytes before the protobuf message: the declaration and the message's length.
pub const PREFIX: usize = 12;
/// Bytes of the magic, with which a segment of any version begins.
pub const MAGIC: usize = 6;

/// Whether a segment that begins with these bytes is of a later minor version than this library writes. It can be read, and
/// is not written to: what its writer meant by fields and bits that are new, only that version knows.
pub fn is_newer_minor(declaration: &[u8; 8]) -> bool {
    declaration[MAGIC] & 0xf > DECLARATION[MAGIC] & 0xf
}

/// What a segment says about itself, as `docs/binlog.proto` declares it.
#[derive(Clone, PartialEq, Message)]
pub struct FileHeader {
    /// When the segment was created, in nanoseconds since the Unix epoch.
    #[prost(sfixed64, tag = "1")]
    pub created_ns: i64,
    /// The log's name.
    #[prost(string, tag = "2")]
    pub name: String,
    /// What the payloads are, as a MIME type.
    #[prost(string, tag = "3")]
    pub content_type: String,
    /// The user's own facts about the log.
    #[prost(btree_map = "string, string", tag = "4")]
    pub parameters: BTreeMap<String, String>,
    /// 16 random bytes that all segments of a log share.
    #[prost(bytes = "vec", tag = "5")]
    pub log_id: Vec<u8>,
    /// Random, never 0, new for each segment: begins every block of it.
    #[prost(fixed64, tag = "6")]
    pub marker: u64,
    /// Number of the segment in its log, from 1, never used again.
    #[prost(uint64, tag = "7")]
    pub sequence: u64,
    /// Id of the first user record in the segment.
    #[prost(uint64, tag = "8")]
    pub first_id: u64,
    /// The segment before this one, when there is one.
    #[prost(message, optional, tag = "9")]
    pub predecessor: Option<Predecessor>,
    /// Rotation period in force, in seconds; 0 = none.
    #[prost(uint64, tag = "10")]
    pub period_s: u64,
    /// File name template in force.
    #[prost(string, tag = "11")]
    pub template: String,
    /// Who wrote the segment.
    #[prost(message, optional, tag = "12")]
    pub writer: Option<WriterFacts>,
    /// Features without which the segment cannot be read; an unknown bit refuses the file.
    #[prost(uint64, tag = "13")]
    pub incompatible: u64,
    /// Features that a reader may ignore.
    #[prost(uint64, tag = "14")]
    pub compatible: u64,
    /// The damaged segment that this one was recovered from.
    #[prost(message, optional, tag = "15")]
    pub recovered: Option<Predecessor>,
    /// Time zone of the period and of the times in names; empty = UTC.
    #[prost(string, tag = "16")]
    pub zone: String,
    /// The segment that was compressed to this one.
    #[prost(message, optional, tag = "17")]
    pub original: Option<Predecessor>,
    /// The zstd dictionary of the segment's blocks; empty in most.
    #[prost(bytes = "vec", tag = "18")]
    pub dictionary: Vec<u8>,
    /// Bytes of earlier segments of the log that are no blocks, and that readers pass over.
    #[prost(message, repeated, tag = "19")]
    pub holes: Vec<Hole>,
}

/// The bit of [`FileHeader::incompatible`] of segments with a dictionary.
pub const HAS_DICTIONARY: u64 = 1;
/// The bit of [`FileHeader::incompatible`] of segments whose space is filled ahead: zeros from the end of the last whole block
/// to the end of the file are space.
pub const SPACE: u64 = 2;
const KNOWN_FEATURES: u64 = HAS_DICTIONARY | SPACE;

/// Bytes of an earlier segment that are no blocks. The writer that found them left them there, began a segment of its own
/// and named them in its header.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Hole {
    /// Number of the segment that they are in.
    #[prost(uint64, tag = "1")]
    pub sequence: u64,
    #[prost(uint64, tag = "2")]
    pub offset: u64,
    #[prost(uint64, tag = "3")]
    pub bytes: u64,
    /// The records that are lost with them; 0 and 0 = none that anybody knows of.
    #[prost(uint64, tag = "4")]
    pub first_lost_id: u64,
    #[prost(uint64, tag = "5")]
    pub last_lost_id: u64,
}

impl Hole {
    /// In the segment of this number, between two offsets, where the first of two ids would come and the other comes.
    pub fn new(sequence: u64, (offset, end): (u64, u64), (expected, next_id): (u64, u64)) -> Self {
        let (first_lost_id, last_lost_id) = if next_id > expected { (expected, next_id - 1) } else { (0, 0) };
        Hole { sequence, offset, bytes: end - offset, first_lost_id, last_lost_id }
    }

    /// Offset behind the bytes.
    pub fn end(&self) -> u64 {
        self.offset.saturating_add(self.bytes)
    }

    /// The first and the last record that are lost with them, if any are known to be.
    pub fn lost(&self) -> Option<(u64, u64)> {
        (self.first_lost_id > 0).then_some((self.first_lost_id, self.last_lost_id))
    }

    /// The id that comes behind the hole, where `next_id` would come without it.
    pub fn next_id(&self, next_id: u64) -> u64 {
        self.lost().map_or(next_id, |(_, last)| next_id.max(last.saturating_add(1)))
    }

    /// Whether it is all of a segment whose beginning is lost.
    pub fn is_whole(&self) -> bool {
        self.offset == 0
    }

    fn is_sound(&self, sequence: u64) -> bool {
        (1..sequence).contains(&self.sequence)
            && self.bytes > 0
            && self.end() - self.offset == self.bytes
            && self.lost().map_or(self.last_lost_id == 0, |(first, last)| first <= last)
    }
}

/// Where the segment before ended, so that a missing, foreign or shortened one is noticed.
#[derive(Clone, PartialEq, Message)]
pub struct Predecessor {
    #[prost(uint64, tag = "1")]
    pub sequence: u64,
    #[prost(uint64, tag = "2")]
    pub last_id: u64,
    #[prost(uint64, tag = "3")]
    pub bytes: u64,
    #[prost(fixed64, tag = "4")]
    pub marker: u64,
    /// The largest time of all records before, in this segment and the ones before it; absent = not known.
    #[prost(sfixed64, optional, tag = "5")]
    pub latest_ns: Option<i64>,
}

/// The library, process and machine that created a segment.
#[derive(Clone, PartialEq, Message)]
pub struct WriterFacts {
    #[prost(string, tag = "1")]
    pub library: String,
    #[prost(uint32, tag = "2")]
    pub pid: u32,
    #[prost(string, tag = "3")]
    pub host: String,
}

impl FileHeader {
    /// Whether a segment whose predecessor was this one follows this.
    pub fn is_followed_by(&self, told: &Predecessor) -> bool {
        let is_of = |other: &Option<Predecessor>| other.as_ref().is_some_and(|other| other.marker == told.marker);
        self.sequence == told.sequence
            && (told.marker == self.marker || is_of(&self.recovered) || is_of(&self.original))
    }

    /// The marker of the segment as it was before it was compressed.
    pub fn first_marker(&self) -> u64 {
        self.original.as_ref().map_or(self.marker, |original| original.marker)
    }

    /// The markers by which one form of a segment, compressed or not, is known to be of the same segment as another that has
    /// one of them too.
    pub fn markers(&self) -> [u64; 2] {
        [self.marker, self.first_marker()]
    }

    /// The length that counts where the segment behind says how long this one was, if the file ends at `end`. `None` when
    /// none does, because what is lost of it is told otherwise.
    pub fn told_length(&self, told: &Predecessor, end: u64) -> Option<u64> {
        match &self.original {
            _ if self.recovered.is_some() => None,
            Some(original) if told.marker != self.marker => Some(original.bytes),
            _ => Some(end),
        }
    }

    /// The same without the dictionary that its blocks are compressed with.
    pub fn without_dictionary(&self) -> Self {
        FileHeader { dictionary: vec![], incompatible: self.incompatible & !HAS_DICTIONARY, ..self.clone() }
    }

    /// All markers that this segment is or was known by, as it is and before it was recovered or compressed.
    pub fn known_as(&self) -> [u64; 3] {
        let of = |other: &Option<Predecessor>| other.as_ref().map_or(self.marker, |other| other.marker);
        [self.marker, of(&self.recovered), of(&self.original)]
    }

    /// The bytes with which a segment begins. Fails when parameters make it longer than the limit.
    pub fn encode_segment_start(&self) -> Result<Vec<u8>, Malformed> {
        if self.holes.len() > limits::HOLES {
            let (holes, most) = (self.holes.len(), limits::HOLES);
            return Err(Malformed::inconsistent(format!("{holes} holes: a file header may name {most}")));
        }
        let len = self.encoded_len();
        if len > limits::FILE_HEADER {
            return Err(Malformed::inconsistent(format!(
                "name, content type and parameters take {len} bytes; a file header may have {}",
                limits::FILE_HEADER
            )));
        }
        let mut out = Vec::with_capacity(PREFIX + len + 4);
        out.extend_from_slice(&DECLARATION);
        out.extend_from_slice(&(len as u32).to_le_bytes());
        self.encode(&mut out).map_err(|e| Malformed::inconsistent(e.to_string()))?;
        let sum = crc(0, &out);
        out.extend_from_slice(&sum.to_le_bytes());
        Ok(out)
    }

    /// Reads what [`Self::encode_segment_start`] wrote; returns the header and how many bytes it took.
    pub fn decode_segment_start(bytes: &[u8]) -> Result<(Self, usize), Malformed> {
        let end = segment_start_len(bytes)?;
        let Some(bytes) = bytes.get(..end) else { return Err(Malformed::Short("file header")) };
        let (covered, sum) = bytes.split_at(end - 4);
        if crc(0, covered) != LE::read_u32(sum) {
            return Err(Malformed::Checksum("file header"));
        }
        // Only now: a flipped bit must not pass for a newer version.
        if bytes[MAGIC] >> 4 != DECLARATION[MAGIC] >> 4 {
            return Err(Malformed::Version(bytes[MAGIC] >> 4, bytes[MAGIC] & 0xf));
        }
        if bytes[MAGIC + 1] != DECLARATION[MAGIC + 1] {
            return Err(Malformed::Transcoder(bytes[MAGIC + 1]));
        }
        let header = Self::decode(&covered[PREFIX..])
            .map_err(|e| Malformed::inconsistent(format!("the file header is no valid protobuf: {e}")))?;
        if header.incompatible & !KNOWN_FEATURES != 0 {
            return Err(Malformed::Features(header.incompatible & !KNOWN_FEATURES));
        }
        let has_dictionary = header.incompatible & HAS_DICTIONARY != 0;
        if has_dictionary == header.dictionary.is_empty() || header.dictionary.len() > limits::DICTIONARY {
            return Err(Malformed::inconsistent("the file header tells of a dictionary other than the one in it"));
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

/// How many bytes declaration, file header and their checksum take, from the first [`PREFIX`] bytes of a file of any version.
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
    use super::*;

    fn header() -> FileHeader {
        FileHeader {
            created_ns: -5,
            name: "orders".into(),
            log_id: vec![7; 16],
            marker: 99,
            sequence: 3,
            first_id: 41,
            parameters: [("unit".to_string(), "EUR".to_string())].into(),
            predecessor: Some(Predecessor { sequence: 2, last_id: 40, bytes: 1234, marker: 98, latest_ns: Some(-5) }),
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
            // What the checksum does not confirm is damage, also where it claims to be another version or transcoder.
            let refused = FileHeader::decode_segment_start(&bad).unwrap_err();
            let claims_a_version = matches!(refused, Malformed::Version(..) | Malformed::Transcoder(_));
            assert!(!claims_a_version, "bit {i}: {refused}");
        }
        for len in 0..bytes.len() {
            assert!(FileHeader::decode_segment_start(&bytes[..len]).is_err(), "cut to {len}");
            // As a disk leaves it that wrote only some bytes of a sector.
            let torn: Vec<u8> = bytes[..len].iter().copied().chain(std::iter::repeat_n(0, bytes.len() - len)).collect();
            let refused = FileHeader::decode_segment_start(&torn).err();
            let claims_a_version = matches!(refused, Some(Malformed::Version(..) | Malformed::Transcoder(_)));
            assert!(!claims_a_version && (torn == bytes || refused.is_some()), "torn at {len}: {refused:?}");
        }
    }

    /// With the checksum that belongs to it.
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
            // They are told by a later segment than the one that has them.
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
    fn a_dictionary_is_told_of_by_its_bit_and_is_within_its_limit() {
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
        let told = |marker| Predecessor { sequence: 3, last_id: 50, bytes: 900, marker, latest_ns: None };
        let compressed = FileHeader { original: Some(Predecessor { bytes: 1000, ..told(7) }), ..header() };
        assert!(compressed.is_followed_by(&told(7)) && compressed.is_followed_by(&told(99)));
        assert!(!compressed.is_followed_by(&told(8)) && !header().is_followed_by(&told(7)));
        assert_eq!(compressed.told_length(&told(7), 300), Some(1000));
        assert_eq!(compressed.told_length(&told(99), 300), Some(300));
        let recovered = FileHeader { recovered: Some(told(6)), ..compressed };
        assert!([6, 7, 99].iter().all(|&marker| recovered.is_followed_by(&told(marker))));
        assert_eq!(recovered.told_length(&told(7), 300), None);
    }

    #[test]
    fn an_unknown_incompatible_feature_refuses_the_file_and_a_compatible_one_does_not() {
        let strange = FileHeader { incompatible: 4, ..header() }.encode_segment_start().unwrap();
        assert_eq!(FileHeader::decode_segment_start(&strange), Err(Malformed::Features(4)));
        let fine = FileHeader { compatible: 4, ..header() }.encode_segment_start().unwrap();
        assert!(FileHeader::decode_segment_start(&fine).is_ok());
    }
}
