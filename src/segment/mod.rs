//! One segment file: opening, scanning its blocks, appending blocks, its index, and finding its end after a crash.

mod ahead;
mod appender;
mod block;
mod durable;
mod headers;
mod holes;
mod indexing;
mod inherited;
mod legacy;
mod map;
mod moved;
mod naming;
mod recover;
mod remains;
mod rescue;
mod scanner;
mod schemas;
mod successor;
mod tail;
mod times;
mod unborn;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use crate::error::{Error, Kind, Result};
use crate::format::block::BlockHeader;
use crate::format::declaration::{self, FileHeader, DECLARATION};
use crate::format::trailer;
use crate::format::Malformed;
use crate::io::{self, Access, Directory, File};
use crate::legacy::Translated;
use crate::memory;

pub(crate) use ahead::FillAhead;
pub(crate) use appender::{Appender, LAST_STEP};
pub(crate) use block::Block;
pub(crate) use durable::durable_end;
pub(crate) use holes::{first_lost, HOLE, LOST_BEGINNING};
pub(crate) use inherited::Inherited;
pub(crate) use legacy::Ancestry;
pub(crate) use map::{Hole, Map, Part};
pub(crate) use moved::{moved_at, next_moved};
pub(crate) use recover::{
    check_last_records, find_end, recover, recover_past_holes, survey, Recovered, Written, NO_TRAILER,
};
pub(crate) use remains::{remains, Remains};
pub(crate) use rescue::{has_block, is_headed_by_another, rescue, with_first_id_by_index, ANOTHERS_HEADER};
pub(crate) use scanner::{Bad, Scanner};
pub(crate) use schemas::{begins_with_names, Schema};
pub(crate) use successor::successor;
pub(crate) use tail::{
    behind, block_at, end_before_space, is_space, is_torn, lacks_trailer, last_block, last_block_inflated, next_block,
    Behind, Moved,
};
pub(crate) use times::{earliest_time, latest_time};
pub(crate) use unborn::{is_left_over, is_unborn, unborn};

/// The ending of every segment's file name.
pub(crate) const EXTENSION: &str = ".binlog";
/// The least number of digits in a segment's number. No run of digits before the number is as long.
pub(crate) const SEQUENCE_DIGITS: usize = 10;

/// A segment whose declaration and file header have been read.
pub(crate) struct Segment {
    pub file: Arc<dyn File>,
    pub name: String,
    pub path: PathBuf,
    pub header: FileHeader,
    /// Its first eight bytes; those of this library when they are damaged.
    pub declaration: [u8; 8],
    /// Offset of the first block.
    pub start: u64,
    /// Its beginning is damaged: the header was put together from other information.
    pub is_rescued: bool,
    /// It is a log of one file that was never begun; see [`unborn`].
    pub is_unborn: bool,
    /// It represents a legacy file.
    pub translated: Option<Arc<Translated>>,
    /// This process holds the writer's lock itself, through another handle, to recover the segment.
    pub is_ours: AtomicBool,
    /// The most memory that may be used for one of its blocks. Readers set a limit; the writer of the log has none.
    pub block_max_bytes: u64,
    cache: map::Cache,
}

impl Segment {
    /// Opens a segment; gzip and zstd files are read as the bytes inside.
    pub fn open(directory: &dyn Directory, name: &str, access: Access) -> Result<Self> {
        let path = directory.path_of(name);
        let file = directory.open(name, access).map_err(|e| match access {
            // As for any other file that is not a segment: readers can still read what is before it.
            Access::Read if io::is_no_file(&e) => Error::io(&e, "open").with_kind(Kind::Corrupt).at(&path),
            _ => Error::io(&e, "open").at(&path),
        })?;
        let failed = |e: std::io::Error| reading(&e).at(&path);
        let first = first_bytes(&*file).map_err(failed)?;
        let inside = match access {
            Access::Read => io::inflated_from(&file, &first).map_err(failed)?,
            Access::ReadWrite => None,
        };
        let (read, file) = match inside {
            Some(inside) => (read_start(&*inside), inside),
            None => (read_start_behind(&*file, first), file),
        };
        let (declaration, header, start) = read.inspect_err(|_| file.doubt()).map_err(|e| e.at_offset(&path, 0))?;
        Ok(Segment {
            file,
            name: name.to_owned(),
            path,
            header,
            declaration,
            start,
            is_rescued: false,
            is_unborn: false,
            translated: None,
            is_ours: AtomicBool::new(false),
            block_max_bytes: u64::MAX,
            cache: map::Cache::default(),
        })
    }

    /// Opens a segment again whose beginning is damaged, with the header that was put together for it and the offset of
    /// its first block.
    pub fn open_rescued(directory: &dyn Directory, name: &str, header: FileHeader, start: u64) -> Result<Self> {
        let path = directory.path_of(name);
        let file = directory.open(name, Access::Read).map_err(|e| Error::io(&e, "open").at(&path))?;
        let file = io::inflated(file).map_err(|e| reading(&e).at(&path))?;
        Ok(Segment {
            file,
            name: name.to_owned(),
            path,
            header,
            declaration: DECLARATION,
            start,
            is_rescued: true,
            is_unborn: false,
            translated: None,
            is_ours: AtomicBool::new(false),
            block_max_bytes: u64::MAX,
            cache: map::Cache::default(),
        })
    }

    /// Makes a new, empty file a segment.
    pub fn create(directory: &dyn Directory, name: &str, file: Arc<dyn File>, header: FileHeader) -> Result<Self> {
        let path = directory.path_of(name);
        let bytes = header.encode_segment_start().map_err(|e| Error::invalid(e.to_string()))?;
        if let Err((done, e)) = io::write_full(&*file, &[&bytes], 0) {
            // Half a beginning would look like damage; an empty file counts as never begun.
            let _ = file.set_len(0);
            return Err(Error::io(&e, "write").at_offset(&path, done));
        }
        Ok(Segment {
            file,
            name: name.to_owned(),
            path,
            header,
            declaration: DECLARATION,
            start: bytes.len() as u64,
            is_rescued: false,
            is_unborn: false,
            translated: None,
            is_ours: AtomicBool::new(false),
            block_max_bytes: u64::MAX,
            cache: map::Cache::default(),
        })
    }

    /// The same segment, to which nobody writes, without space after its blocks.
    pub fn without_space(self) -> Result<Self> {
        let end = end_before_space(&self)?;
        let file = match self.file.len() {
            Ok(len) if len <= end => self.file,
            _ => io::until(self.file, end),
        };
        Ok(Segment { file, ..self })
    }

    /// An error at a place in this segment.
    pub fn corrupt(&self, offset: u64, reason: &Malformed) -> Error {
        malformed(reason).at_offset(&self.path, self.reported_offset(offset))
    }

    /// The offset in the file of a place in the segment, for reports.
    pub fn reported_offset(&self, offset: u64) -> u64 {
        self.translated.as_ref().map_or(offset, |translated| translated.place_of(offset))
    }

    /// Length of the file; `None` when it is compressed as a whole.
    pub fn file_len(&self) -> Option<u64> {
        let len = match &self.translated {
            Some(translated) => translated.source_len(),
            None => self.file.len(),
        };
        len.ok().filter(|&len| len != u64::MAX)
    }

    /// How many bytes can be read; the end of a file that is compressed as a whole is looked for.
    pub fn bytes(&self) -> Result<u64> {
        io::bytes_of(&*self.file).map_err(|e| reading(&e).at(&self.path))
    }

    /// As [`Self::bytes`], without looking for the end: 0 as long as that is not known.
    pub fn known_bytes(&self) -> std::io::Result<u64> {
        match self.file.len()? {
            u64::MAX => Ok(self.file.inflated_end().map_or(0, |end| end.at)),
            len => Ok(len),
        }
    }

    /// Whether the whole file is a gzip or zstd file, which can only be read from its beginning.
    pub fn is_compressed_whole(&self) -> bool {
        self.file.len().is_ok_and(|len| len == u64::MAX)
    }

    /// Whether what was read of a file that is compressed as a whole ended at a place where it does not decompress.
    pub fn is_broken_off(&self) -> bool {
        self.file.inflated_end().is_some_and(|end| end.broken.is_some())
    }

    /// Whether it ends with a trailer, whose last eight bytes are those that the segment begins with. `None` when the
    /// file is compressed as a whole.
    pub fn ends_with_trailer(&self) -> Result<Option<bool>> {
        let failed = |e: std::io::Error| reading(&e).at(&self.path);
        if let Some(translated) = &self.translated {
            return translated.is_closed().map(Some).map_err(failed);
        }
        let Some(len) = self.file_len() else { return Ok(None) };
        let mut end = [0; DECLARATION.len()];
        let at = len.saturating_sub(end.len() as u64);
        let n = io::read_full(&*self.file, &mut end, at).map_err(failed)?;
        Ok(Some(n == end.len() && end == self.declaration))
    }

    /// Checks the verified entries of a TRAILER block with this header against the segment. When the segment's own
    /// header is lost, neither its first id nor its first bytes are known.
    pub fn check_trailer(&self, header: &BlockHeader, entries: &[u8]) -> Result<(), Malformed> {
        let trailer = trailer::decode(entries, (!self.is_rescued).then_some(&self.declaration))?;
        match self.is_rescued || header.first_id.checked_sub(self.header.first_id) == Some(trailer.records) {
            true => Ok(()),
            false => Err(Malformed::inconsistent("the trailer counts other records than there are")),
        }
    }

    /// Whether it is of a later minor version than this library writes: it is read, but nothing is appended to it or
    /// cut off.
    pub fn is_newer_minor(&self) -> bool {
        declaration::is_newer_minor(&self.declaration)
    }

    /// Whether a writer may continue in it, according to its header. After one of a later minor version, or a
    /// compressed one, the writer begins the next.
    pub fn takes_more(&self) -> bool {
        !self.is_newer_minor() && self.header.original.is_none()
    }

    /// Whether a writer has the segment open. Always false on a file system without locks.
    pub fn is_live(&self) -> bool {
        !self.is_ours.load(Ordering::Relaxed) && self.file.is_locked().unwrap_or(false)
    }
}

/// Opens the file of a closed segment, which is shown without space after its blocks. A file that cannot be read as a
/// segment, or is compressed as a whole, is shown as it is.
pub(crate) fn open_closed(directory: &dyn Directory, name: &str) -> std::io::Result<Arc<dyn File>> {
    match Segment::open(directory, name, Access::Read) {
        Ok(segment) if !segment.is_compressed_whole() => {
            segment.without_space().map(|segment| segment.file).map_err(std::io::Error::other)
        }
        _ => directory.open(name, Access::Read),
    }
}

fn malformed(reason: &Malformed) -> Error {
    let kind = match reason {
        Malformed::Version(..)
        | Malformed::Transcoder(_)
        | Malformed::Features(_)
        | Malformed::Newer(_)
        | Malformed::NoCodec(_)
        | Malformed::Dictionary => Kind::Unsupported,
        Malformed::NoMemory(_) => Kind::NoMemory,
        _ => Kind::Corrupt,
    };
    Error::new(kind, reason.to_string())
}

/// An error of reading. If it is not the system's, the gzip or zstd stream is broken.
fn reading(error: &std::io::Error) -> Error {
    match io::is_of_system(error) || Error::within(error).is_some() {
        true => Error::io(error, "read"),
        false => Error::corrupt(io::does_not_decompress(error)),
    }
}

/// The first eight bytes, the file header, and the offset after it.
fn read_start(file: &dyn File) -> Result<([u8; 8], FileHeader, u64)> {
    let first = first_bytes(file).map_err(|e| reading(&e))?;
    read_start_behind(file, first)
}

/// The first bytes of a file, most often all of its beginning: at least the declaration, if the file is that long.
fn first_bytes(file: &dyn File) -> std::io::Result<Vec<u8>> {
    let mut bytes = vec![0; 4096];
    // A second read would only confirm that a short file ends.
    let mut n = io::read_some(file, &mut bytes, 0)?;
    if n < declaration::PREFIX {
        n = io::read_full(file, &mut bytes, 0)?;
    }
    bytes.truncate(n);
    Ok(bytes)
}

/// As [`read_start`], for a file that begins with these bytes.
fn read_start_behind(file: &dyn File, mut bytes: Vec<u8>) -> Result<([u8; 8], FileHeader, u64)> {
    if bytes.is_empty() {
        return Err(match file.inflated_end().and_then(|end| end.broken) {
            Some(why) => Error::corrupt(io::does_not_decompress(why)),
            None => Error::corrupt("the file is empty"),
        });
    }
    let need = declaration::segment_start_len(&bytes).map_err(|e| malformed(&e))?;
    if need > bytes.len() {
        memory::resize(&mut bytes, need)?;
        let n = io::read_full(file, &mut bytes, 0).map_err(|e| reading(&e))?;
        bytes.truncate(n);
    }
    let (header, len) = FileHeader::decode_segment_start(&bytes).map_err(|e| malformed(&e))?;
    let mut declaration = DECLARATION;
    declaration.copy_from_slice(&bytes[..DECLARATION.len()]);
    Ok((declaration, header, len as u64))
}
