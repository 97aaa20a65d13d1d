//! Pieces of an object in memory.

use std::collections::BTreeMap;
use std::ops::Range;

/// Pieces of up to this many bytes in all; the least recently used are removed first.
pub(super) struct Pieces {
    most: u64,
    bytes: u64,
    /// By their first byte.
    pieces: BTreeMap<u64, Piece>,
    clock: u64,
}

struct Piece {
    bytes: Vec<u8>,
    used: u64,
}

impl Pieces {
    pub fn new(most: u64) -> Self {
        Pieces { most, bytes: 0, pieces: BTreeMap::new(), clock: 0 }
    }

    pub fn put(&mut self, at: u64, bytes: Vec<u8>) {
        if bytes.is_empty() || self.pieces.get(&at).is_some_and(|there| there.bytes.len() >= bytes.len()) {
            return;
        }
        self.clock += 1;
        self.bytes += bytes.len() as u64;
        let replaced = self.pieces.insert(at, Piece { bytes, used: self.clock });
        self.bytes -= replaced.map_or(0, |piece| piece.bytes.len() as u64);
        while self.bytes > self.most && self.pieces.len() > 1 {
            let Some(oldest) = self.pieces.iter().min_by_key(|(_, piece)| piece.used).map(|(&at, _)| at) else { break };
            self.bytes -= self.pieces.remove(&oldest).map_or(0, |piece| piece.bytes.len() as u64);
        }
    }

    /// Copies the bytes from `offset` on; 0 if there are none.
    pub fn copy(&mut self, buffer: &mut [u8], offset: u64) -> usize {
        let Some((&at, piece)) = self.pieces.range_mut(..=offset).next_back() else { return 0 };
        let copied = copy(buffer, offset, at, &piece.bytes);
        if copied > 0 {
            self.clock += 1;
            piece.used = self.clock;
        }
        copied
    }

    /// Whether one piece contains all of it.
    pub fn has(&self, range: &Range<u64>) -> bool {
        let piece = self.pieces.range(..=range.start).next_back();
        piece.is_some_and(|(at, piece)| at + piece.bytes.len() as u64 >= range.end)
    }

    /// Where the first piece after `offset` begins.
    pub fn next_behind(&self, offset: u64) -> Option<u64> {
        self.pieces.range(offset + 1..).next().map(|(&at, _)| at)
    }

    pub fn clear(&mut self) {
        self.pieces.clear();
        self.bytes = 0;
    }

    #[cfg(test)]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

/// Copies the bytes from `offset` on out of `bytes`, which begin at `at`.
pub(super) fn copy(buffer: &mut [u8], offset: u64, at: u64, bytes: &[u8]) -> usize {
    let from = offset.checked_sub(at).and_then(|from| usize::try_from(from).ok());
    let Some(there) = from.and_then(|from| bytes.get(from..)) else { return 0 };
    let n = there.len().min(buffer.len());
    buffer[..n].copy_from_slice(&there[..n]);
    n
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_take_no_more_memory_than_they_may_and_the_least_used_go_first() {
        let mut pieces = Pieces::new(100);
        let mut byte = [0];
        for at in [0, 100, 200] {
            pieces.put(at, vec![at as u8; 40]);
            pieces.copy(&mut byte, 0);
        }
        assert_eq!(pieces.bytes(), 80);
        assert!(pieces.has(&(0..40)) && pieces.has(&(210..240)) && !pieces.has(&(100..101)));
        assert_eq!((pieces.copy(&mut byte, 39), pieces.copy(&mut byte, 40)), (1, 0));
        assert_eq!(pieces.next_behind(0), Some(200));
        pieces.put(300, vec![1; 500]);
        assert_eq!((pieces.bytes(), pieces.has(&(300..800))), (500, true), "what was just fetched stays");
        pieces.clear();
        assert_eq!((pieces.bytes(), pieces.copy(&mut byte, 300)), (0, 0));
    }
}
