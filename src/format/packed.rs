//! Records one after the other in memory, for crossing a language boundary many at a time. No file holds this form.
//!
//! A frame is a header of 40 bytes, little-endian: u32 size of the frame, u32 type, u64 id, i64 time, u32 metadata
//! length, u32 payload length, u32 flags, u32 zero; then metadata, payload, and zeros up to a multiple of 8.

use byteorder::{ByteOrder, LittleEndian as LE};

use super::Malformed;

/// Bytes of a frame's header.
pub const HEADER: usize = 40;

/// A record in a packed frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    pub id: u64,
    pub time: i64,
    pub type_id: u32,
    pub flags: u32,
    pub metadata: &'a [u8],
    pub payload: &'a [u8],
    /// Length of the payload; differs from `payload.len()` when the payload was not read.
    pub payload_len: u32,
}

impl<'a> Frame<'a> {
    /// Bytes of the frame.
    pub fn size(&self) -> usize {
        (HEADER + self.metadata.len() + self.payload.len()).next_multiple_of(8)
    }

    /// Writes the frame to the beginning of `out`, which is at least [`Self::size`] long.
    pub fn encode(&self, out: &mut [u8]) {
        let size = self.size();
        LE::write_u32(&mut out[0..], size as u32);
        LE::write_u32(&mut out[4..], self.type_id);
        LE::write_u64(&mut out[8..], self.id);
        LE::write_i64(&mut out[16..], self.time);
        LE::write_u32(&mut out[24..], self.metadata.len() as u32);
        LE::write_u32(&mut out[28..], self.payload_len);
        LE::write_u32(&mut out[32..], self.flags);
        LE::write_u32(&mut out[36..], 0);
        let payload_at = HEADER + self.metadata.len();
        let end = payload_at + self.payload.len();
        out[HEADER..payload_at].copy_from_slice(self.metadata);
        out[payload_at..end].copy_from_slice(self.payload);
        out[end..size].fill(0);
    }

    /// Takes the first frame off `frames`; `Ok(None)` at the end. `no_payload` is the flag of a frame whose payload
    /// was not read.
    pub fn decode(frames: &mut &'a [u8], no_payload: u32) -> Result<Option<Self>, Malformed> {
        let bytes = *frames;
        if bytes.is_empty() {
            return Ok(None);
        }
        if bytes.len() < HEADER {
            return Err(Malformed::Short("packed frame"));
        }
        let size = LE::read_u32(bytes) as usize;
        let metadata_len = LE::read_u32(&bytes[24..]) as usize;
        let payload_len = LE::read_u32(&bytes[28..]);
        let flags = LE::read_u32(&bytes[32..]);
        let present = if flags & no_payload != 0 { 0 } else { payload_len as usize };
        let end = HEADER as u64 + metadata_len as u64 + present as u64;
        if size as u64 != end.next_multiple_of(8) || LE::read_u32(&bytes[36..]) != 0 {
            return Err(Malformed::inconsistent("the lengths of a packed frame do not add up to its size"));
        }
        if size > bytes.len() {
            return Err(Malformed::Short("packed frame"));
        }
        let (frame, rest) = bytes.split_at(size);
        *frames = rest;
        Ok(Some(Frame {
            id: LE::read_u64(&frame[8..]),
            time: LE::read_i64(&frame[16..]),
            type_id: LE::read_u32(&frame[4..]),
            flags,
            metadata: &frame[HEADER..HEADER + metadata_len],
            payload: &frame[HEADER + metadata_len..end as usize],
            payload_len,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn frames_come_back(metadata: Vec<u8>, payload: Vec<u8>, id: u64, time: i64, type_id: u32) {
            let payload_len = payload.len() as u32;
            let frame = Frame { id, time, type_id, flags: 1, metadata: &metadata, payload: &payload, payload_len };
            let mut bytes = vec![0xEE; 2 * frame.size()];
            frame.encode(&mut bytes);
            frame.encode(&mut bytes[frame.size()..]);
            let mut rest = &bytes[..];
            prop_assert_eq!(Frame::decode(&mut rest, 4), Ok(Some(frame)));
            prop_assert_eq!(Frame::decode(&mut rest, 4), Ok(Some(frame)));
            prop_assert_eq!(Frame::decode(&mut rest, 4), Ok(None));
        }

        #[test]
        fn any_bytes_are_frames_or_refused(bytes: Vec<u8>) {
            let mut rest = &bytes[..];
            while let Ok(Some(_)) = Frame::decode(&mut rest, 4) {}
        }
    }
}
