//! Decides whether a segment gets a zstd dictionary, and makes it.

use std::sync::Arc;

use crate::error::Result;
use crate::format::codec::Codec;
use crate::options::{CompressOptions, Dictionary};
use crate::segment::Segment;

/// The dictionary of the segment that is made from `source`; empty if it gets none.
pub(super) fn of(source: &Arc<Segment>, options: &CompressOptions) -> Result<Vec<u8>> {
    if options.codec != Codec::Zstd || options.dictionary == Dictionary::Never {
        return Ok(vec![]);
    }
    #[cfg(feature = "zstd")]
    return trial::run(source, options);
    #[cfg(not(feature = "zstd"))]
    {
        let _ = source;
        Ok(vec![])
    }
}

/// Makes a dictionary of some records near the segment's beginning, and tries it on others.
#[cfg(feature = "zstd")]
mod trial {
    use super::*;
    use crate::compress::blocks::Blocks;
    use crate::error::Error;
    use crate::format::codec::Compressor;
    use crate::memory;

    /// Bytes that a dictionary is made from, and its greatest size: a larger one saves little more (`docs/decisions`).
    const LEARNT: usize = 2 << 20;
    const DICTIONARY: usize = 64 << 10;
    /// The trainer selects what many samples of this size have in common.
    const SAMPLE: usize = 4 << 10;
    /// Blocks on which it is tried, between the samples that it is made from.
    const TRIED: usize = 2;
    /// In larger blocks it saves a tenth at most, and takes two thirds more time: a higher level achieves the same.
    const BLOCK_MOST: usize = 256 << 10;
    /// A segment of this size or less is too small to benefit.
    const SEGMENT_LEAST: u64 = 256 << 10;
    /// It must save a tenth of the bytes that would be written, after its own size is subtracted.
    const MARGIN: f64 = 0.1;

    pub fn run(source: &Arc<Segment>, options: &CompressOptions) -> Result<Vec<u8>> {
        let block_bytes = options.block_bytes as usize;
        let len = source.file_len().unwrap_or(0);
        if block_bytes > BLOCK_MOST || len < SEGMENT_LEAST {
            return Ok(vec![]);
        }
        let Some(samples) = Samples::of(source, block_bytes)? else { return Ok(vec![]) };
        let sizes: Vec<usize> = samples.learnt.chunks(SAMPLE).map(<[u8]>::len).collect();
        // The trainer fails on samples that have nothing in common.
        let Ok(dictionary) = zstd::dict::from_continuous(&samples.learnt, &sizes, DICTIONARY) else {
            return Ok(vec![]);
        };
        let shrunk = |dictionary: &[u8]| {
            let mut compressor = Compressor::with_dictionary(Codec::Zstd, options.level, dictionary)
                .map_err(|e| Error::io(&e, "set up the compressor"))?;
            let mut out = vec![];
            let lens = samples.tried.iter().map(|block| match compressor.compress(block, &mut out) {
                true => out.len(),
                false => block.len(),
            });
            Ok::<f64, Error>(lens.sum::<usize>() as f64)
        };
        let (without, with) = (shrunk(&[])?, shrunk(&dictionary)?);
        let tried: usize = samples.tried.iter().map(Vec::len).sum();
        // The rest is assumed to be like the beginning.
        let payload = len as f64 * samples.payload as f64 / samples.read as f64;
        let written = payload * without / tried as f64;
        let saved = written * (1.0 - with / without) - dictionary.len() as f64;
        Ok(if saved > written * MARGIN { dictionary } else { vec![] })
    }

    struct Samples {
        learnt: Vec<u8>,
        tried: Vec<Vec<u8>>,
        /// Payload that was read, and bytes of the file that it takes.
        payload: usize,
        read: u64,
    }

    impl Samples {
        /// `None` when the segment is too short for a trial.
        fn of(source: &Arc<Segment>, block_bytes: usize) -> Result<Option<Self>> {
            let mut blocks = Blocks::of(source);
            let mut samples = Samples { learnt: vec![], tried: vec![vec![]], payload: 0, read: 0 };
            let mut block_bytes = block_bytes;
            while let Some(header) = blocks.next()? {
                // Whole blocks are joined.
                block_bytes = block_bytes.max(header.payload_len.min(BLOCK_MOST as u32) as usize);
                if header.has_events() {
                    blocks.each(&header, |_, _| ())?;
                }
                let mut payload = blocks.contents().1;
                samples.payload += payload.len();
                samples.read = blocks.end() - source.start;
                while !payload.is_empty() {
                    // A block to try it on, then a part of the samples, and once more.
                    let learn_to = LEARNT / TRIED * samples.tried.len();
                    let (into, room) = match samples.tried.last_mut() {
                        Some(block) if block.len() < block_bytes => {
                            let room = block_bytes - block.len();
                            (block, room)
                        }
                        _ => {
                            let room = learn_to - samples.learnt.len();
                            (&mut samples.learnt, room)
                        }
                    };
                    let (now, later) = payload.split_at(room.min(payload.len()));
                    memory::extend(into, now)?;
                    payload = later;
                    if samples.learnt.len() == learn_to {
                        if samples.tried.len() == TRIED {
                            return Ok(Some(samples));
                        }
                        samples.tried.push(vec![]);
                    }
                }
            }
            // If the segment ends earlier, the last block is not a full one.
            samples.tried.retain(|block| block.len() >= block_bytes);
            Ok(Some(samples).filter(|samples| !samples.tried.is_empty() && samples.learnt.len() > 8 * SAMPLE))
        }
    }
}
