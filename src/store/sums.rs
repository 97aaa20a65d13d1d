//! Length and checksums of a file to store: the stored object must match them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::thread::JoinHandle;

use md5::{Digest as _, Md5};
use parking_lot::Mutex;
use sha2::Sha256;

use crate::error::{Error, Kind, Result};
use crate::hex::hex;
use crate::io::{read_full, thread, File};
use crate::memory;

/// Swift does not accept more parts than this by default (S3 accepts ten times as many): a file that would have more
/// gets larger ones.
pub const MOST_PARTS: u64 = 1000;

/// Length and checksums of a file, from one pass over it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sums {
    /// Length of the file.
    pub bytes: u64,
    /// SHA-256 of the whole file.
    pub sha256: [u8; 32],
    /// Length of all parts but the last, if the file is stored in parts.
    pub part_bytes: u64,
    /// MD5 of each part; of the whole file, if that is the only one. MD5 takes longer than everything else here, so
    /// each byte is hashed once.
    pub part_md5: Vec<[u8; 16]>,
}

impl Sums {
    /// Reads a file from its beginning to its end. Its parts have `part_bytes` bytes, plus the MiB that are needed to
    /// have at most 1000 of them.
    pub fn of(file: &Arc<dyn File>, part_bytes: u64) -> Result<Self> {
        Self::by(1, file, part_bytes, &Arc::default(), &|| false)
    }

    /// As [`Self::of`], with several threads, of which this one is the first: it hashes the whole file, and its parts
    /// from the first on; the others hash parts from the last on, until all are done. Fails soon when `stop` is set or
    /// `ask` returns true; this thread calls `ask` repeatedly.
    pub(crate) fn by(
        threads: u32,
        file: &Arc<dyn File>,
        part_bytes: u64,
        stop: &Arc<AtomicBool>,
        ask: &dyn Fn() -> bool,
    ) -> Result<Self> {
        if part_bytes == 0 {
            return Err(Error::invalid("a part must have at least one byte"));
        }
        let len = file.len().map_err(|e| Error::io(&e, "read the length of the file"))?;
        let part_bytes = part_bytes_of(len, part_bytes);
        // If the length is unknown, one thread finds the number of parts while reading.
        let parts = if len == u64::MAX { 0 } else { len.div_ceil(part_bytes) };
        let shared = Arc::new(Parts {
            file: file.clone(),
            part_bytes,
            taken: (0..parts).map(|_| AtomicBool::new(false)).collect(),
            md5: Mutex::new(vec![None; parts as usize]),
            stop: stop.clone(),
        });
        let helpers = Helpers::start(threads.min(u32::try_from(parts).unwrap_or(u32::MAX)), &shared);
        let mut sha256 = Sha256::new();
        let mut bytes = 0;
        for number in 0.. {
            let is_taken = shared.taken.get(number).is_some_and(|taken| taken.swap(true, Ordering::Relaxed));
            let mut md5 = (!is_taken).then(Md5::new);
            let n = shared.read(number, |piece| {
                match &mut md5 {
                    Some(md5) => both(piece, md5, &mut sha256),
                    None => sha256.update(piece),
                }
                if ask() {
                    stop.store(true, Ordering::Relaxed);
                }
            })?;
            bytes += n;
            if let Some(md5) = md5.filter(|_| n > 0 || number == 0) {
                shared.note(number, md5);
            }
            if n < part_bytes || bytes > len {
                break;
            }
        }
        helpers.finish()?;
        if len != u64::MAX && bytes != len {
            let reason = format!("the file had {len} bytes, and {bytes} when it was read: it is being written to");
            return Err(Error::new(Kind::Invalid, reason));
        }
        let part_md5 = shared.md5.lock().iter().copied().collect::<Option<Vec<_>>>();
        // A thread that ends early leaves a part without a checksum.
        let part_md5 = part_md5.ok_or_else(|| Error::new(Kind::Io, "a thread that computes checksums has ended"))?;
        Ok(Sums { bytes, sha256: sha256.finalize().into(), part_bytes, part_md5 })
    }

    /// Offset and length of a part, counted from 0.
    pub fn part(&self, number: usize) -> (u64, u64) {
        let at = self.part_bytes * number as u64;
        (at, self.part_bytes.min(self.bytes.saturating_sub(at)))
    }

    /// MD5 of the whole file; `None` if it is sent in parts.
    pub fn md5(&self) -> Option<[u8; 16]> {
        match self.part_md5[..] {
            [md5] => Some(md5),
            _ => None,
        }
    }

    /// A server's tag for an object that was sent as one (S3, Google, Swift), in lower-case hexadecimal digits.
    pub fn plain_tag(&self) -> Option<String> {
        self.md5().map(|md5| hex(&md5))
    }

    /// S3's tag for an object that was sent in these parts: the MD5 of the parts' MD5, and the number of parts.
    pub fn s3_parts_tag(&self) -> String {
        let mut md5 = Md5::new();
        for part in &self.part_md5 {
            md5.update(part);
        }
        format!("{}-{}", hex(&<[u8; 16]>::from(md5.finalize())), self.part_md5.len())
    }

    /// Swift's tag for a static large object of these parts: the MD5 of the parts' MD5 in hexadecimal digits.
    pub fn swift_parts_tag(&self) -> String {
        let mut md5 = Md5::new();
        for part in &self.part_md5 {
            md5.update(hex(part));
        }
        hex(&<[u8; 16]>::from(md5.finalize()))
    }
}

/// Updates both in alternating small blocks: each step of MD5 waits for the one before it, and a processor executes
/// steps of the other meanwhile.
fn both(bytes: &[u8], md5: &mut Md5, sha256: &mut Sha256) {
    /// Both take this many bytes in a step.
    const BLOCK: usize = 64;
    for block in bytes.chunks(BLOCK) {
        md5.update(block);
        sha256.update(block);
    }
}

/// The parts of a file, which several threads hash.
struct Parts {
    file: Arc<dyn File>,
    part_bytes: u64,
    /// A thread hashes the part, or has done so.
    taken: Vec<AtomicBool>,
    md5: Mutex<Vec<Option<[u8; 16]>>>,
    stop: Arc<AtomicBool>,
}

impl Parts {
    /// Passes the bytes of a part to `each`, buffer by buffer; returns their number.
    fn read(&self, number: usize, mut each: impl FnMut(&[u8])) -> Result<u64> {
        /// Bytes read at once: large enough for the disk, small enough for the cache.
        const BUFFER: u64 = 256 << 10;
        let mut buffer = memory::zeros(self.part_bytes.min(BUFFER) as usize)?;
        let begin = self.part_bytes * number as u64;
        let mut n = 0;
        while n < self.part_bytes {
            if self.stop.load(Ordering::Relaxed) {
                return Err(Error::new(Kind::Io, "the computing of checksums was stopped"));
            }
            let wanted = (self.part_bytes - n).min(BUFFER) as usize;
            let read = read_full(&*self.file, &mut buffer[..wanted], begin + n);
            let read = read.map_err(|e| Error::io(&e, "read the file"))?;
            each(&buffer[..read]);
            n += read as u64;
            if read < wanted {
                break;
            }
        }
        Ok(n)
    }

    fn note(&self, number: usize, md5: Md5) {
        let mut all = self.md5.lock();
        // Only for a file whose length was not known.
        while all.len() <= number {
            all.push(None);
        }
        all[number] = Some(md5.finalize().into());
    }

    /// Hashes the parts that no thread has taken, the last first.
    fn help(&self) -> Result<()> {
        for (number, taken) in self.taken.iter().enumerate().rev() {
            if !taken.swap(true, Ordering::Relaxed) {
                let mut md5 = Md5::new();
                self.read(number, |piece| md5.update(piece))?;
                self.note(number, md5);
            }
        }
        Ok(())
    }
}

/// The result of a thread.
type ThreadResult = Arc<Mutex<Result<()>>>;

/// The threads beside the calling one. They are stopped when this is dropped.
struct Helpers {
    threads: Vec<(JoinHandle<()>, ThreadResult)>,
    stop: Arc<AtomicBool>,
}

impl Helpers {
    /// Starts one thread less than `threads`, or as many as the system permits.
    fn start(threads: u32, parts: &Arc<Parts>) -> Self {
        let mut helpers = Helpers { threads: vec![], stop: parts.stop.clone() };
        for _ in 1..threads {
            // The result if the thread ends early.
            let found = Arc::new(Mutex::new(Err(Error::new(Kind::Io, "a thread that computes checksums has ended"))));
            let (result, parts) = (found.clone(), parts.clone());
            let Ok(thread) = thread::spawn("binlog-sums", move || *result.lock() = parts.help()) else { break };
            helpers.threads.push((thread, found));
        }
        helpers
    }

    fn finish(mut self) -> Result<()> {
        for (thread, found) in self.threads.drain(..) {
            let _ = thread.join();
            found.lock().clone()?;
        }
        Ok(())
    }
}

impl Drop for Helpers {
    fn drop(&mut self) {
        if !self.threads.is_empty() {
            self.stop.store(true, Ordering::Relaxed);
        }
        for (thread, _) in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// Length of the parts of a file of this length, when this one was asked for.
fn part_bytes_of(len: u64, asked: u64) -> u64 {
    const MIB: u64 = 1 << 20;
    // If the length is unknown, `asked` is used, which is right unless the file is enormous.
    if len == u64::MAX || len.div_ceil(asked) <= MOST_PARTS {
        return asked;
    }
    len.div_ceil(MOST_PARTS).div_ceil(MIB).saturating_mul(MIB)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::{Access, Directory as _, MemoryDirectory};

    fn sums(bytes: &[u8], part_bytes: u64) -> Sums {
        let directory = MemoryDirectory::new();
        directory.set_contents("f", bytes.to_vec());
        Sums::of(&directory.open("f", Access::Read).unwrap(), part_bytes).unwrap()
    }

    #[test]
    fn a_file_in_one_part_has_the_checksums_that_the_tools_say() {
        let abc = sums(b"abc", 16);
        assert_eq!(hex(&abc.part_md5[0]), "900150983cd24fb0d6963f7d28e17f72");
        assert_eq!(hex(&abc.sha256), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!((abc.bytes, abc.part_md5.len(), abc.md5()), (3, 1, Some(abc.part_md5[0])));
        let empty = sums(b"", 16);
        assert_eq!(hex(&empty.part_md5[0]), "d41d8cd98f00b204e9800998ecf8427e");
        assert_eq!((empty.bytes, empty.part_md5.len()), (0, 1));
    }

    #[test]
    fn parts_are_summed_at_their_borders_whatever_the_length() {
        let bytes: Vec<u8> = (0..1_000_000u32).map(|i| ((i * 7) >> 3) as u8).collect();
        for (len, part) in [(1_000_000, 300_000), (600_000, 300_000), (600_001, 300_000), (300_000, 300_000), (7, 3)] {
            let whole = sums(&bytes[..len], part as u64);
            let parts: Vec<_> = bytes[..len].chunks(part).map(|part| sums(part, 1 << 20).part_md5[0]).collect();
            assert_eq!(whole.part_md5, parts, "{len} in {part}");
            assert_eq!(whole.md5().is_some(), whole.part_md5.len() == 1, "{len} in {part}");
            let lengths: u64 = (0..parts.len()).map(|i| whole.part(i).1).sum();
            assert_eq!(lengths, len as u64);
        }
    }

    #[test]
    fn several_threads_sum_what_one_does() {
        let bytes: Vec<u8> = (0..1_000_000u32).map(|i| ((i * 7) >> 3) as u8).collect();
        let directory = MemoryDirectory::new();
        for len in [0, 1, 99_999, 100_000, 100_001, 1_000_000] {
            directory.set_contents("f", bytes[..len].to_vec());
            let file = directory.open("f", Access::Read).unwrap();
            let alone = Sums::of(&file, 100_000).unwrap();
            for threads in [2, 3, 30] {
                let stop = Arc::new(AtomicBool::new(false));
                assert_eq!(Sums::by(threads, &file, 100_000, &stop, &|| false).unwrap(), alone, "{len} by {threads}");
                stop.store(true, Ordering::Relaxed);
                assert!(Sums::by(threads, &file, 100_000, &stop, &|| false).is_err() || len == 0, "{len} by {threads}");
            }
        }
    }

    #[test]
    fn the_tags_of_parts_are_those_that_the_servers_compute() {
        // Two parts, "ab" and "c": computed by another implementation of MD5 by the rules that S3 and Swift document.
        let abc = sums(b"abc", 2);
        assert_eq!(abc.s3_parts_tag(), "d833159094d1d7ad96ffcc78414e3682-2");
        assert_eq!(abc.swift_parts_tag(), "d01939207250a67be1cfa7b7a7a1e4a9");
    }

    #[test]
    fn a_file_of_more_than_a_thousand_parts_gets_larger_ones() {
        const MIB: u64 = 1 << 20;
        assert_eq!(part_bytes_of(16_000 * MIB, 16 * MIB), 16 * MIB);
        assert_eq!(part_bytes_of(16_000 * MIB + 1, 16 * MIB), 17 * MIB);
        assert_eq!(part_bytes_of(u64::MAX, 16 * MIB), 16 * MIB);
    }
}
