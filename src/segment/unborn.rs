//! Files that were meant to become a segment, and of which nothing but the name was ever durable.

use std::io::{IoSlice, Result as IoResult};
use std::sync::Arc;

use super::moved::first_moved;
use super::rescue::first_block;
use super::{map, read_start, Segment, SEQUENCE_DIGITS};
use crate::error::{Error, Kind, Result};
use crate::format::declaration::{self, FileHeader};
use crate::format::limits;
use crate::io::{self, Access, Directory, File, Identity};

/// Whether nothing of a file was ever durable but its name: it is empty, or holds zeros, or a part of a segment's
/// beginning with zeros in place of the rest, as a power cut leaves it. It cannot hold a record then. Any other file
/// that is not a segment is damaged, and must not be skipped as if it had never held a record. A file without a
/// sequence number in its name is a log by itself, for which [`is_left_over`] decides.
pub(crate) fn is_unborn(directory: &dyn Directory, name: &str) -> bool {
    match has_sequence(name) {
        true => lacks_beginning(directory, name),
        false => is_left_over(directory, name),
    }
}

/// Whether there is a run of digits in the name that can be a segment's number.
fn has_sequence(name: &str) -> bool {
    name.split(|c: char| !c.is_ascii_digit()).any(|run| run.len() >= SEQUENCE_DIGITS)
}

/// Whether the file is empty, or its beginning is not whole and there is no block in it.
fn lacks_beginning(directory: &dyn Directory, name: &str) -> bool {
    let Ok(file) = directory.open(name, Access::Read) else { return false };
    // Most often the first bytes decide.
    let mut first = [0; declaration::PREFIX];
    match io::read_full(&*file, &mut first, 0) {
        Ok(0) => return true,
        Ok(n) if !is_ours(&first[..n]) => return false,
        Ok(_) => (),
        Err(_) => return false,
    }
    // Another version is believed under a correct checksum, as everywhere.
    read_start(&*file).is_err_and(|error| error.kind() == Kind::Corrupt)
        && match end_of_bytes(&*file) {
            Some(0) => true,
            // Without the beginning the marker is unknown, but a block's header has its own checksum, also when bytes
            // before it were removed.
            Some(_) => {
                first_block(&*file).is_ok_and(|block| block.is_none())
                    && first_moved(&*file).is_ok_and(|block| block.is_none())
            }
            None => false,
        }
}

/// Whether a file that begins so can be a segment, of any minor version, with a part missing.
fn is_ours(first: &[u8]) -> bool {
    let known = first.len().min(declaration::DECLARATION.len());
    let missing_from = first[..known].iter().position(|&byte| byte == 0).unwrap_or(known);
    let mut declared = declaration::DECLARATION;
    if let Some(&version) = first.get(declaration::MAGIC) {
        declared[declaration::MAGIC] |= version & 0xf;
    }
    declared.starts_with(&first[..missing_from]) && first[missing_from..known].iter().all(|&byte| byte == 0)
}

/// Offset after the last byte that is not 0; `None` when that is too far from the beginning for a torn one, or the file
/// cannot be read.
fn end_of_bytes(file: &dyn File) -> Option<u64> {
    const MOST: u64 = (declaration::PREFIX + limits::FILE_HEADER + 4096) as u64;
    let mut window = vec![0; 64 << 10];
    let (mut at, mut end) = (0, 0);
    loop {
        let n = io::read_full(file, &mut window, at).ok()?;
        if let Some(last) = window[..n].iter().rposition(|&byte| byte != 0) {
            end = at + last as u64 + 1;
        }
        if end > MOST {
            return None;
        }
        if n < window.len() {
            return Some(end);
        }
        at += n as u64;
    }
}

/// Whether a file is one that a writer leaves when it fails or is killed while it begins a log of one file: it is
/// empty, or holds only zeros, or only the first bytes of a segment's beginning. A writer makes the beginning durable
/// before it writes anything else, so no such file can have held a record; one that may have is damaged. The next
/// writer begins the log in this file.
pub(crate) fn is_left_over(directory: &dyn Directory, name: &str) -> bool {
    if !lacks_beginning(directory, name) {
        return false;
    }
    let Ok(file) = directory.open(name, Access::Read) else { return false };
    let mut first = [0; declaration::PREFIX];
    let Ok(n) = io::read_full(&*file, &mut first, 0) else { return false };
    let Some(end) = end_of_bytes(&*file) else { return false };
    // When the first bytes are missing, the following ones may have been anything.
    let most = match declaration::segment_start_len(&first[..n]) {
        Ok(whole) => whole as u64,
        Err(_) if n < declaration::PREFIX => n as u64,
        Err(_) => first.iter().position(|&byte| byte == 0).unwrap_or(0) as u64,
    };
    end <= most && file.len().is_ok_and(|len| len <= (declaration::PREFIX + limits::FILE_HEADER + 4) as u64)
}

/// A segment without a block, for reading a log that was never begun or of which nothing is left.
pub(crate) fn unborn(directory: &dyn Directory, name: &str, (log, sequence): (&str, u64)) -> Result<Segment> {
    let path = directory.path_of(name);
    let file = directory.open(name, Access::Read).map_err(|e| Error::io(&e, "open").at(&path))?;
    Ok(Segment {
        file: Arc::new(Nothing(file)),
        name: name.to_owned(),
        path,
        header: FileHeader {
            name: log.to_owned(),
            log_id: vec![0; 16],
            marker: 1,
            sequence,
            first_id: 1,
            ..FileHeader::default()
        },
        declaration: declaration::DECLARATION,
        start: 0,
        is_rescued: false,
        is_unborn: true,
        block_max_bytes: u64::MAX,
        translated: None,
        is_ours: false.into(),
        cache: map::Cache::default(),
    })
}

/// A file without contents for readers, whatever is written to it meanwhile.
struct Nothing(Arc<dyn File>);

impl File for Nothing {
    fn read_at(&self, _buffer: &mut [u8], _offset: u64) -> IoResult<usize> {
        Ok(0)
    }

    fn write_at(&self, parts: &[IoSlice<'_>], offset: u64) -> IoResult<usize> {
        self.0.write_at(parts, offset)
    }

    fn len(&self) -> IoResult<u64> {
        Ok(0)
    }

    fn set_len(&self, len: u64) -> IoResult<()> {
        self.0.set_len(len)
    }

    fn allocate(&self, offset: u64, len: u64) -> IoResult<()> {
        self.0.allocate(offset, len)
    }

    fn sync_data(&self) -> IoResult<()> {
        self.0.sync_data()
    }

    fn try_lock(&self) -> IoResult<bool> {
        self.0.try_lock()
    }

    fn unlock(&self) -> IoResult<()> {
        self.0.unlock()
    }

    fn is_locked(&self) -> IoResult<bool> {
        self.0.is_locked()
    }

    fn identity(&self) -> IoResult<Option<Identity>> {
        self.0.identity()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::{Location, MemoryDirectory};
    use crate::{Writer, WriterOptions};

    fn is(bytes: Vec<u8>) -> bool {
        let directory = MemoryDirectory::new();
        directory.set_contents("a.binlog", bytes);
        is_left_over(&directory, "a.binlog")
    }

    #[test]
    fn only_what_a_beginning_leaves_passes_for_a_log_that_was_never_begun() {
        let directory = MemoryDirectory::new();
        let log = Arc::new(directory.clone());
        let parameters = [("a parameter".to_owned(), "x".repeat(2000))].into();
        let options = WriterOptions { parameters, ..WriterOptions::default() };
        Writer::open(Location::File(log, "a.binlog".to_owned()), options).unwrap().close().unwrap();
        let whole = directory.contents("a.binlog").unwrap();
        let start = declaration::segment_start_len(&whole).unwrap();
        for end in 0..start {
            assert!(is(whole[..end].to_vec()), "{end} bytes");
            let with_zeros: Vec<u8> = whole[..end].iter().copied().chain(std::iter::repeat_n(0, start - end)).collect();
            assert!(with_zeros == whole[..start] || is(with_zeros), "{end} bytes and zeros");
        }
        assert!(is(vec![0; 100_000]));
        assert!(!is(whole[..start].to_vec()), "a beginning that is whole");
        let with = |at: usize, bytes: &[u8]| {
            let mut damaged = whole.clone();
            damaged[at..at + bytes.len()].copy_from_slice(bytes);
            damaged
        };
        let (first_bytes_lost, header_damaged) = (with(0, &[0; 512]), with(20, b"?"));
        assert!(!is(first_bytes_lost[..start].to_vec()) && !is(first_bytes_lost), "it is not known what the file was");
        assert!(!is(header_damaged.clone()), "there are blocks behind it");
        let mut with_another_byte = header_damaged[..start].to_vec();
        assert!(is(with_another_byte.clone()));
        with_another_byte.push(7);
        assert!(!is(with_another_byte), "there is something behind it");
        for other in [&b"BINLOG\n"[..], b"a text", b"\0\0\0text", &[0x1f, 0x8b], b"{}"] {
            assert!(!is(other.to_vec()), "{other:?}");
        }
        assert!(!is(vec![0; 2 << 20]), "more zeros than a beginning has bytes");
        let mut newer = whole[..start].to_vec();
        newer[6] = 0x21;
        assert!(is(newer.clone()), "the sum is another version's: a header that was torn");
        assert!(!is(with(6, &[0x21])), "there are blocks behind it");
        let sum = crc32fast::hash(&newer[..start - 4]);
        newer[start - 4..].copy_from_slice(&sum.to_le_bytes());
        assert!(!is(newer.clone()), "a segment of a newer minor version without a block");
        assert!(is(newer[..start - 9].to_vec()), "and what is left of one that was being begun");
    }
}
