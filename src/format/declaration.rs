//! How a segment begins: the declaration (magic, version, transcoder) and the file header in protobuf.

use byteorder::{ByteOrder, LittleEndian as LE};
use prost::Message;
use std::collections::BTreeMap;

use super::{checksum::crc, limits, Malformed};

/// The declaration: magic, version 2.0 in half-bytes, transcoder 1 = protobuf. The TRAILER ends with the same bytes.
pub const DECLARATION: [u8; 8] = *b"BINLOG\x20\x01";
/// Bytes before the protobuf message: the declaration and the message's length.
pub const PREFIX: usize = 12;

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
        let recovered_from = self.recovered.as_ref().map(|recovered| recovered.marker);
        self.sequence == told.sequence && (told.marker == self.marker || recovered_from == Some(told.marker))
    }

    /// The bytes with which a segment begins. Fails when parameters make it longer than the limit.
    pub fn encode_segment_start(&self) -> Result<Vec<u8>, Malformed> {
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
        let header = Self::decode(&covered[PREFIX..])
            .map_err(|e| Malformed::inconsistent(format!("the file header is no valid protobuf: {e}")))?;
        if header.incompatible != 0 {
            return Err(Malformed::Features(header.incompatible));
        }
        if header.marker == 0 || header.log_id.len() != 16 || header.sequence == 0 || header.first_id == 0 {
            return Err(Malformed::inconsistent("the file header lacks its marker, log id, sequence or first id"));
        }
        Ok((header, end))
    }
}

/// How many bytes declaration, file header and their checksum take, from the first [`PREFIX`] bytes of a file.
pub fn segment_start_len(bytes: &[u8]) -> Result<usize, Malformed> {
    let known = bytes.len().min(6);
    if bytes[..known] != DECLARATION[..known] {
        return Err(Malformed::Magic);
    }
    if bytes.len() < PREFIX {
        return Err(Malformed::Short("declaration"));
    }
    if bytes[6] >> 4 != 2 {
        return Err(Malformed::Version(bytes[6] >> 4, bytes[6] & 0xf));
    }
    if bytes[7] != DECLARATION[7] {
        return Err(Malformed::Transcoder(bytes[7]));
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
            // A higher minor version is read, but the checksum covers the version too.
            assert!(FileHeader::decode_segment_start(&bad).is_err(), "bit {i}");
        }
        for len in 0..bytes.len() {
            assert!(FileHeader::decode_segment_start(&bytes[..len]).is_err(), "cut to {len}");
        }
    }

    #[test]
    fn a_newer_minor_version_is_read_and_a_newer_major_refused() {
        let mut bytes = header().encode_segment_start().unwrap();
        let end = bytes.len() - 4;
        for (version, readable) in [(0x21, true), (0x30, false), (0x10, false)] {
            bytes[6] = version;
            let sum = crc(0, &bytes[..end]);
            bytes[end..].copy_from_slice(&sum.to_le_bytes());
            assert_eq!(FileHeader::decode_segment_start(&bytes).is_ok(), readable, "{version:#x}");
        }
    }

    #[test]
    fn an_unknown_incompatible_feature_refuses_the_file_and_a_compatible_one_does_not() {
        let strange = FileHeader { incompatible: 4, ..header() }.encode_segment_start().unwrap();
        assert_eq!(FileHeader::decode_segment_start(&strange), Err(Malformed::Features(4)));
        let fine = FileHeader { compatible: 4, ..header() }.encode_segment_start().unwrap();
        assert!(FileHeader::decode_segment_start(&fine).is_ok());
    }
}
