//! Records that are larger than a block.

use super::append::Unplaced;
use super::Shared;
use crate::error::Result;
use crate::format::codec::Codec;
use crate::format::draft::{Buffers, Draft, Need};
use crate::io::sync::atomic::Ordering;
use crate::memory;
use crate::segment::Block;

impl Shared {
    /// A record larger than a block gets a block of its own, written from the caller's memory. The append lock is held
    /// meanwhile, so that no later record can get an id and be written before it, or be left behind a gap if it fails;
    /// so everything slow is done before: compressing it, and writing what came earlier.
    #[cold]
    pub(super) fn append_large(&self, record: Unplaced<'_>, parts: &[&[u8]]) -> Result<u64> {
        if self.is_stuck() {
            // Compressing it would be in vain.
            self.write_kept_back()?;
        }
        self.append.lock().check_type(record.type_id)?;
        let compressed = self.compress_large(parts);
        let mut buffers = Buffers::default();
        buffers.reserve(Need::of(1, record.metadata.1.len()))?;
        self.turn_if_now_over();
        self.flush()?;
        let mut filling = self.append.lock();
        while self.drops.untold() && !self.push_dropped(&mut filling) {
            drop(filling);
            filling = self.room()?.into_filling();
        }
        let now = filling.clock.now_ns();
        // Meanwhile time has passed, and others have appended.
        if filling.stretch.is_over(now, filling.next_id(), 1) {
            self.turn_if_over(&mut filling, now, 1);
        }
        self.hand_over(&mut filling);
        let mut output = self.output.lock();
        self.drain_into(&mut output, self.given())?;
        let id = filling.next_id();
        let mut draft = Draft::new(id, &mut buffers, 0);
        draft.push(&record.at(now), &mut buffers);
        buffers.settle();
        let block = Block { draft: &draft, buffers: &buffers, parts, compressed: Some(&compressed) };
        output.write_direct(&block, now).map_err(|e| self.remember_failed(e))?;
        filling.wrote_one(record.payload_len as u64);
        // In this order, so that no position is ever seen ahead of the one that it follows.
        self.appended.store(id, Ordering::Release);
        self.flushed.store(id, Ordering::Release);
        self.flushed_bytes.store(filling.bytes(), Ordering::Release);
        self.note_unsynced(now);
        let due = self.due(&filling, id, now);
        drop(filling);
        let tidied = self.after_write(output).and_then(|()| self.ask_check());
        tidied.and_then(|()| self.carry_out_taken(due, id)).map_err(|e| e.although_taken(id))?;
        Ok(id)
    }

    /// Rolls ahead of the record when it is time, so that nobody waits for that under the append lock.
    fn turn_if_now_over(&self) {
        let mut filling = self.append.lock();
        let now = filling.clock.now_ns();
        if filling.stretch.is_over(now, filling.next_id(), 1) {
            self.turn_if_over(&mut filling, now, 1);
        }
    }

    /// The record's bytes in less space; empty when there is no codec, or they do not get shorter.
    fn compress_large(&self, parts: &[&[u8]]) -> Vec<u8> {
        let mut compressor = self.compressor.lock();
        let mut shorter = vec![];
        if compressor.codec() == Codec::None {
            return shorter;
        }
        let mut joined = vec![];
        let whole = match parts {
            [whole] => whole,
            parts => {
                // Without memory to compress it in, it is written as it is.
                if memory::reserve_exact(&mut joined, parts.iter().map(|part| part.len()).sum()).is_err() {
                    return shorter;
                }
                parts.iter().for_each(|part| joined.extend_from_slice(part));
                &joined[..]
            }
        };
        if !compressor.compress(whole, &mut shorter) {
            shorter.clear();
        }
        shorter
    }
}
