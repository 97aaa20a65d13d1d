//! Records that are larger than a block.

use super::append::{ToPlace, Unplaced};
use super::Parts;
use crate::error::Result;
use crate::format::codec::Codec;
use crate::format::draft::{Buffers, Draft, Need};
use crate::memory;
use crate::segment::Block;

impl Parts {
    /// A record larger than a block gets a block of its own, written from the caller's memory. The append lock is held
    /// meanwhile: no later record can get an id and be written before it, or be left behind a gap if it fails.
    /// Everything slow is done before: compressing it, and writing earlier records.
    #[cold]
    pub(super) fn append_large(&self, record: Unplaced<'_>, parts: &[&[u8]]) -> Result<u64> {
        if self.stage.is_stuck() {
            // Compressing it would be in vain.
            self.write_kept_back()?;
        }
        self.filling.lock().check_type(record.type_id)?;
        let compressed = self.compress_large(parts);
        let mut buffers = Buffers::default();
        buffers.reserve(Need::of(1, record.metadata.1.len()))?;
        self.turn_if_now_over();
        self.flush()?;
        let mut filling = self.filling.lock();
        while self.space.is_unreported() && !self.space.push_dropped(&mut filling) {
            drop(filling);
            filling = self.room()?.into_filling();
        }
        let now = filling.clock.now_ns();
        // Time has passed meanwhile, and other threads have appended.
        let handed_over = self.hand_over(&mut filling);
        if filling.span.is_over(now, filling.next_id(), 1) {
            self.rolling.turn_if_over(&mut filling, &self.stage, now, 1, handed_over);
        }
        let mut output = self.output.lock();
        self.drain_into(&mut output, self.stage.given())?;
        let id = filling.next_id();
        let mut draft = Draft::new(id, &mut buffers, 0);
        draft.push(&record.at(now), &mut buffers);
        buffers.settle();
        let block = Block { draft: &draft, buffers: &buffers, parts, compressed: Some(&compressed) };
        let wrote = output.with_space(|output| output.write_direct(&block, now));
        wrote.map_err(|e| self.health.remember_failed(e))?;
        filling.wrote_one(record.payload_len as u64);
        // In this order: no position is ever seen ahead of the one that it follows.
        self.positions.appended_to(id);
        self.positions.flushed_to(id);
        self.positions.flushed_bytes_to(filling.bytes());
        self.schedule.note_unsynced(now);
        let due = self.schedule.due(&self.positions, &filling, filling.since(), now);
        drop(filling);
        let tidied = self.after_write(output).and_then(|()| self.ask_check());
        tidied.and_then(|()| self.carry_out_taken(due, id)).map_err(|e| e.although_taken(id))?;
        Ok(id)
    }

    /// Rolls before the record when it is time; then no thread waits for that under the append lock.
    fn turn_if_now_over(&self) {
        let mut filling = self.filling.lock();
        let now = filling.clock.now_ns();
        if filling.span.is_over(now, filling.next_id(), 1) {
            let handed_over = self.hand_over(&mut filling);
            self.rolling.turn_if_over(&mut filling, &self.stage, now, 1, handed_over);
        }
    }

    /// The record's bytes, compressed; empty when there is no codec, or they do not get shorter.
    fn compress_large(&self, parts: &[&[u8]]) -> Vec<u8> {
        let mut compressor = self.large.lock();
        let mut shorter = vec![];
        if compressor.codec() == Codec::None {
            return shorter;
        }
        let mut joined = vec![];
        let whole = match parts {
            [whole] => whole,
            parts => {
                // Without memory for compressing, it is written as it is.
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
