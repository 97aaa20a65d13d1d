//! Zeros that are written ahead of the blocks of a segment with SPACE: an fdatasync of a block that is written over them
//! commits data alone, and no new length and no new places (`docs/decisions/0027-zeros-ahead.md`).

use crate::io::{self, File};

/// The first step has this length, and each later one doubles the file, up to the longest.
const FIRST_STEP: u64 = 256 << 10;
/// Filling writes everything twice, and pays only while the syncs take longer than the writing: not where a write
/// contains more than this many bytes on average.
const SHORT: u64 = 24 << 10;
static ZEROS: [u8; 64 << 10] = [0; 64 << 10];

/// How far a writer fills its segments ahead. The default is not at all.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct FillAhead {
    /// Bytes of the longest step; 0 = nothing is filled.
    pub step: u64,
    /// The length that a segment may reach: nothing is filled after it.
    pub limit: u64,
}

impl FillAhead {
    /// Whether segments are filled, and say so in their headers.
    pub fn is_on(&self) -> bool {
        self.step > 0
    }
}

/// The zeros ahead of the blocks of one segment.
pub(super) struct Ahead {
    how: FillAhead,
    /// The file may have zeros up to this offset.
    end: u64,
    /// A block that ends after this offset begins the next step.
    next: u64,
    /// Where the blocks ended at the last step, and how many writes there were since.
    since: u64,
    writes: u64,
}

impl Ahead {
    /// For a segment whose blocks end at `from` and whose file ends at `end`.
    pub fn new(how: FillAhead, from: u64, end: u64) -> Self {
        Ahead { how, end, next: from, since: from, writes: 0 }
    }

    /// Whether there may be zeros after the blocks, which end at `end`.
    pub fn is_behind(&self, end: u64) -> bool {
        self.end > end
    }

    /// Notes that the file was cut to `end`.
    pub fn cut(&mut self, end: u64) {
        (self.end, self.next, self.since, self.writes) = (end, end, end, 0);
    }

    /// Fills the next step when the blocks, which end at `end`, have used up the last one. A failure is none of the
    /// caller: what follows is appended, and fails by itself if it finds no space.
    pub fn wrote(&mut self, file: &dyn File, end: u64) {
        self.writes += 1;
        if !self.how.is_on() || end <= self.next {
            return;
        }
        let is_short = end - self.since <= self.writes * SHORT;
        let step = end.clamp(FIRST_STEP.min(self.how.step), self.how.step);
        // Whole pages: the last one is not written again by the next step.
        let target = ((end + step) / PAGE * PAGE).min(self.how.limit);
        (self.next, self.since, self.writes) = (target.max(end), end, 0);
        let mut at = end;
        while is_short && at < target {
            let len = (ZEROS.len() as u64).min(target - at) as usize;
            let parts = [&ZEROS[..len]];
            match io::write_full(file, &parts, at) {
                Ok(()) => at += len as u64,
                Err((done, _)) => {
                    self.end = self.end.max(at + done);
                    return;
                }
            }
        }
        self.end = self.end.max(at);
    }
}

const PAGE: u64 = crate::format::checksum::PAGE as u64;
