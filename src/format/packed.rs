//! Records one after the other in memory, for crossing a language boundary many at a time. No file contains this form.
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

    /// Writes the frame to `out`, which must have [`Self::size`] bytes.
    #[inline(always)]
    pub fn encode(&self, out: &mut [u8]) {
        let size = out.len() as u32;
        // The final zeros are in the last 8 bytes; the others of these are overwritten.
        if let Some(last) = out.last_chunk_mut::<8>() {
            *last = [0; 8];
        }
        let Some((header, body)) = out.split_first_chunk_mut::<HEADER>() else { return };
        LE::write_u32(&mut header[0..], size);
        LE::write_u32(&mut header[4..], self.type_id);
        LE::write_u64(&mut header[8..], self.id);
        LE::write_i64(&mut header[16..], self.time);
        LE::write_u32(&mut header[24..], self.metadata.len() as u32);
        LE::write_u32(&mut header[28..], self.payload_len);
        LE::write_u32(&mut header[32..], self.flags);
        LE::write_u32(&mut header[36..], 0);
        let Some((metadata, behind)) = body.split_at_mut_checked(self.metadata.len()) else { return };
        if !metadata.is_empty() {
            metadata.copy_from_slice(self.metadata);
        }
        if let Some(payload) = behind.get_mut(..self.payload.len()) {
            payload.copy_from_slice(self.payload);
        }
    }

    /// Takes the first frame from `frames`; `Ok(None)` at the end. `no_payload` is the flag of a frame whose payload
    /// was not read.
    #[inline]
    pub fn decode(frames: &mut &'a [u8], no_payload: u32) -> Result<Option<Self>, Malformed> {
        let bytes = *frames;
        let Some(header) = bytes.first_chunk::<HEADER>() else {
            return if bytes.is_empty() { Ok(None) } else { Err(Malformed::Short("packed frame")) };
        };
        let size = LE::read_u32(header) as usize;
        let metadata_len = LE::read_u32(&header[24..]) as usize;
        let payload_len = LE::read_u32(&header[28..]);
        let flags = LE::read_u32(&header[32..]);
        let present = if flags & no_payload != 0 { 0 } else { payload_len as usize };
        let end = HEADER as u64 + metadata_len as u64 + u64::from(present as u32);
        if size as u64 != end.next_multiple_of(8) || LE::read_u32(&header[36..]) != 0 {
            return Err(Malformed::inconsistent("the lengths of a packed frame do not add up to its size"));
        }
        let Some((frame, rest)) = bytes.split_at_checked(size) else { return Err(Malformed::Short("packed frame")) };
        *frames = rest;
        let (metadata, behind) = frame[HEADER..].split_at(metadata_len);
        Ok(Some(Frame {
            id: LE::read_u64(&header[8..]),
            time: LE::read_i64(&header[16..]),
            type_id: LE::read_u32(&header[4..]),
            flags,
            metadata,
            payload: &behind[..present],
            payload_len,
        }))
    }
}

/// Consecutive frames that differ only in ids and payloads, as those of a batch mostly do: a check of the first holds
/// for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run<'a> {
    pub first: Frame<'a>,
    /// The frames after the first.
    others: &'a [u8],
    /// Bytes of a frame.
    size: usize,
}

impl<'a> Run<'a> {
    /// Takes the first run from `frames`; otherwise as [`Frame::decode`]. A frame with metadata is a run of its own.
    #[inline]
    pub fn decode(frames: &mut &'a [u8], no_payload: u32) -> Result<Option<Self>, Malformed> {
        let bytes = *frames;
        let Some(first) = Frame::decode(frames, no_payload)? else { return Ok(None) };
        let behind = *frames;
        let size = bytes.len() - behind.len();
        let mut end = 0;
        if let ([], Some(header)) = (first.metadata, bytes.first_chunk()) {
            while behind.get(end..end + size).and_then(<[u8]>::first_chunk).is_some_and(|next| is_alike(header, next)) {
                end += size;
            }
        }
        let (others, rest) = behind.split_at(end);
        *frames = rest;
        Ok(Some(Run { first, others, size }))
    }

    /// The number of frames after the first.
    #[inline]
    pub fn others(&self) -> u32 {
        (self.others.len() / self.size) as u32
    }

    /// The payloads of the frames after the first.
    #[inline]
    pub fn other_payloads(&self) -> impl Iterator<Item = &'a [u8]> + Clone {
        let payload = HEADER..HEADER + self.first.payload.len();
        self.others.chunks_exact(self.size).map(move |frame| &frame[payload.clone()])
    }
}

/// Whether two headers differ only in their ids.
#[inline(always)]
fn is_alike(one: &[u8; HEADER], other: &[u8; HEADER]) -> bool {
    let word = |bytes: &[u8; HEADER], at: usize| LE::read_u64(&bytes[at..at + 8]);
    [0, 16, 24, 32].iter().fold(0, |differing, &at| differing | (word(one, at) ^ word(other, at))) == 0
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
            bytes.chunks_exact_mut(frame.size()).for_each(|room| frame.encode(room));
            let mut rest = &bytes[..];
            prop_assert_eq!(Frame::decode(&mut rest, 4), Ok(Some(frame)));
            prop_assert_eq!(Frame::decode(&mut rest, 4), Ok(Some(frame)));
            prop_assert_eq!(Frame::decode(&mut rest, 4), Ok(None));
        }

        #[test]
        fn runs_are_the_frames_one_by_one(
            rows in proptest::collection::vec((0u32..2, 0i64..2, 0usize..3, 0usize..20, 1usize..5), 0..9),
        ) {
            let mut bytes = vec![];
            let payload: Vec<u8> = (0..20).collect();
            for (i, &(type_id, time, metadata, len, times)) in rows.iter().enumerate() {
                for id in 0..times as u64 {
                    let payload = &payload[i % (len + 1)..len];
                    let metadata = &b"ab"[..metadata];
                    let payload_len = payload.len() as u32;
                    let frame = Frame { id, time, type_id, flags: 1, metadata, payload, payload_len };
                    let at = bytes.len();
                    bytes.resize(at + frame.size(), 0xEE);
                    frame.encode(&mut bytes[at..]);
                }
            }
            let (mut frames, mut runs) = (&bytes[..], &bytes[..]);
            while let Some(run) = Run::decode(&mut runs, 4).unwrap() {
                let all = std::iter::once(run.first.payload).chain(run.other_payloads());
                prop_assert_eq!(all.clone().count(), 1 + run.others() as usize);
                for payload in all {
                    let frame = Frame::decode(&mut frames, 4).unwrap().unwrap();
                    prop_assert_eq!(Frame { id: frame.id, payload, ..run.first }, frame);
                }
                prop_assert_eq!(runs.len(), frames.len());
            }
            prop_assert!(frames.is_empty());
        }

        #[test]
        fn any_bytes_are_frames_or_refused(bytes: Vec<u8>) {
            let mut rest = &bytes[..];
            while let Ok(Some(_)) = Frame::decode(&mut rest, 4) {}
            let mut rest = &bytes[..];
            while let Ok(Some(_)) = Run::decode(&mut rest, 4) {}
        }
    }
}
