//! Memory in which a program stages packed frames by itself, for languages in which a call of the library costs more than
//! a record (`docs/decisions/0026-appenders.md` explains the protocol).

use std::ptr::NonNull;
use std::sync::atomic::{fence, AtomicI64, AtomicU32, AtomicU64, Ordering};

use super::buffer::Buffer;
use super::filling::refused_type;
use crate::error::{Error, Kind, Result};
use crate::format::draft::NewEntry;
use crate::format::packed::Frame;
use crate::record::{check_metadata, FIRST_NAMED_TYPE};

/// What is in front of the frames. The program stores `end`, the library everything else. It is `binlog_area` in C.
#[repr(C)]
pub(crate) struct Head {
    /// Bytes of frames that are complete, from the first on.
    pub end: AtomicU64,
    reserved0: [u64; 7],
    /// The program may complete frames up to this many bytes; 0 = it has to call the library first.
    pub limit: AtomicU64,
    /// Bytes of frames that the library has taken.
    pub taken: AtomicU64,
    /// Times on the clock of the append at which frames may be completed: from the first one, before the second.
    pub from_ns: AtomicI64,
    pub until_ns: AtomicI64,
    /// Named types below this number may be used.
    pub types_end: AtomicU32,
    /// The longest payload of a frame.
    pub payload_max: AtomicU32,
    reserved1: [u32; 6],
}

const _: () = assert!(size_of::<Head>() == 128);

/// The least room for frames.
const LEAST: usize = 1 << 10;
/// The most: so much may be copied while other threads wait for the append lock.
const MOST: usize = 1 << 20;

/// The library's side of the memory. Whoever has the staging of the appender uses it.
pub(crate) struct Area {
    head: NonNull<Head>,
    /// Bytes for frames.
    room: usize,
    taken: usize,
    /// The longest payload; longer ones are appended by a call.
    payload_max: u32,
    /// Why frames were refused; reported by the next call of the appender.
    broken: Option<Error>,
}

// SAFETY: `head` refers to memory that any thread may use, as long as the area exists.
unsafe impl Send for Area {}

/// How far the frames of an area may go, and when they may be completed.
#[derive(Clone, Copy)]
pub(super) struct Rules {
    pub bytes: usize,
    pub from_ns: i64,
    pub until_ns: i64,
    pub types_end: u32,
}

impl Area {
    /// For `size` bytes of memory, with the head.
    ///
    /// # Safety
    /// The memory is valid, and not written by others than the program's staging thread, until the area is dropped.
    pub unsafe fn new(memory: NonNull<u8>, size: usize, payload_max: u32) -> Result<Self> {
        let head = memory.cast::<Head>();
        let room = size.saturating_sub(size_of::<Head>());
        if !head.is_aligned() || !(LEAST..=MOST).contains(&room) {
            return Err(Error::invalid(format!(
                "the memory of an appender has to be aligned to 8 and to have {} to {} bytes; it has {size}",
                LEAST + size_of::<Head>(),
                MOST + size_of::<Head>(),
            )));
        }
        let mut area = Area { head, room: room / 8 * 8, taken: 0, payload_max, broken: None };
        area.reset();
        area.head().payload_max.store(payload_max, Ordering::Relaxed);
        Ok(area)
    }

    fn head(&self) -> &Head {
        // SAFETY: the promise of `new`; every field is atomic.
        unsafe { self.head.as_ref() }
    }

    /// Bytes for frames.
    pub fn room(&self) -> usize {
        self.room
    }

    /// Makes the program call before it completes another frame. One that it is completing now is there afterwards, or
    /// it sees that it has to call.
    pub fn close(&self) {
        self.head().limit.store(0, Ordering::SeqCst);
        fence(Ordering::SeqCst);
    }

    /// Whether there are frames that were not taken.
    pub fn has_frames(&self) -> bool {
        self.head().end.load(Ordering::SeqCst) != self.taken as u64
    }

    /// The frames that are complete and not taken.
    fn frames(&self) -> Result<&[u8]> {
        let end = self.head().end.load(Ordering::SeqCst);
        if end < self.taken as u64 || end > self.room as u64 {
            return Err(Error::invalid(format!(
                "the memory of an appender has {} bytes for frames, of which {} were taken: the end {end} is none",
                self.room, self.taken
            )));
        }
        // SAFETY: within the memory; the program does not change complete frames.
        let frames = unsafe { std::slice::from_raw_parts(self.head.as_ptr().add(1).cast::<u8>(), end as usize) };
        Ok(&frames[self.taken..])
    }

    fn note_taken(&mut self, taken: usize) {
        self.taken = taken;
        self.head().taken.store(taken as u64, Ordering::SeqCst);
    }

    /// Moves complete frames to `buffer`, whose records were appended at `since` or later. Returns how many there were;
    /// what there is no memory for stays.
    pub(super) fn move_to(&mut self, buffer: &mut Buffer, first: u64, since: i64, types_end: u32) -> u64 {
        let (mut records, mut taken) = (0, self.taken);
        let refused = match self.frames() {
            Err(error) => Some(error),
            Ok(mut frames) => loop {
                let left = frames.len();
                match self.next(&mut frames, types_end) {
                    Err(error) => break Some(error),
                    Ok(None) => break None,
                    Ok(Some((entry, payload))) => {
                        if buffer.reserve(1, payload.len(), entry.metadata.1.len()).is_err() {
                            break None;
                        }
                        buffer.make_room(first + records, payload.len(), since);
                        buffer.push(&entry, std::iter::once(payload));
                        taken += left - frames.len();
                        records += 1;
                    }
                }
            },
        };
        if let Some(error) = refused {
            // Nothing after it is known to be a frame.
            let end = self.head().end.load(Ordering::SeqCst);
            let consequence = format!("the records from byte {taken} of an appender's memory on are not in the log");
            self.broken = Some(error.because(&consequence));
            taken = usize::try_from(end).unwrap_or(self.room).min(self.room);
        }
        self.note_taken(taken);
        records
    }

    fn next<'a>(&self, frames: &mut &'a [u8], types_end: u32) -> Result<Option<(NewEntry<'a>, &'a [u8])>> {
        // No flag for a payload that is not there.
        let frame = Frame::decode(frames, 0).map_err(|malformed| Error::invalid(malformed.to_string()))?;
        let Some(frame) = frame else { return Ok(None) };
        let type_id = frame.type_id;
        if type_id >= FIRST_NAMED_TYPE && type_id >= types_end {
            return Err(refused_type(type_id));
        }
        if frame.payload.len() > self.payload_max as usize {
            let (len, most) = (frame.payload.len(), self.payload_max);
            let reason = format!("a payload of {len} bytes; frames may have payloads of up to {most}");
            return Err(Error::new(Kind::TooLarge, reason));
        }
        let metadata = (check_metadata(frame.metadata)?, frame.metadata);
        let entry = NewEntry { type_id, time: frame.time, metadata, payload_len: frame.payload.len() };
        Ok(Some((entry, frame.payload)))
    }

    /// The error of frames that were refused, once.
    pub fn take_broken(&mut self) -> Option<Error> {
        self.broken.take()
    }

    /// Lets the program complete frames by these rules. Called in the program's own thread, when all frames were taken.
    pub(super) fn open(&mut self, rules: &Rules) {
        self.reset();
        let head = self.head();
        head.from_ns.store(rules.from_ns, Ordering::Relaxed);
        head.until_ns.store(rules.until_ns, Ordering::Relaxed);
        head.types_end.store(rules.types_end, Ordering::Relaxed);
        head.limit.store(rules.bytes.min(self.room) as u64, Ordering::SeqCst);
    }

    /// Begins at the first byte again, still closed. As [`Self::open`].
    pub fn reset(&mut self) {
        self.close();
        self.head().end.store(0, Ordering::SeqCst);
        self.note_taken(0);
    }
}
