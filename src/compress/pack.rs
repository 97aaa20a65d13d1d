//! Compresses files as a whole, and decompresses them, byte for byte.

use std::io::{Error as IoError, ErrorKind, Result as IoResult, Write};
use std::sync::Arc;

use super::part::Part;
use super::progress::Progress;
use crate::error::{Error, Result};
use crate::io::{self, File};
use crate::memory;
use crate::options::Whole;

/// Bytes that are read and compared at once.
const BUFFER: usize = 256 << 10;
/// zstd's higher levels have larger windows than readers take.
#[cfg(feature = "zstd")]
const MOST_LEVEL: i32 = 19;

/// Writes the `bytes` bytes of `source` to `part` in this form.
pub(super) fn pack(
    source: &dyn File,
    bytes: u64,
    part: &Part<'_>,
    (whole, level): (Whole, i32),
    progress: &mut Progress<'_>,
) -> Result<()> {
    let out = Sequential { file: part.file.clone(), at: 0 };
    let packed: IoResult<Sequential> = match whole {
        #[cfg(feature = "gzip")]
        Whole::Gzip => {
            // Its levels end at 9; 3 is zstd's default, as 6 is gzip's.
            let level = if level == 3 { 6 } else { u32::try_from(level).unwrap_or(6) };
            let mut encoder = flate2::write::GzEncoder::new(out, flate2::Compression::new(level));
            copy(source, bytes, &mut encoder, progress)?;
            encoder.finish()
        }
        #[cfg(feature = "zstd")]
        Whole::Zstd => {
            let failed = |e: IoError| Error::io(&e, "set up the compressor");
            let mut encoder = zstd::stream::write::Encoder::new(out, level).map_err(failed)?;
            encoder.include_checksum(true).map_err(failed)?;
            if level > MOST_LEVEL {
                encoder.window_log(crate::format::limits::ZSTD_WINDOW_LOG).map_err(failed)?;
            }
            encoder.set_pledged_src_size(Some(bytes)).map_err(failed)?;
            copy(source, bytes, &mut encoder, progress)?;
            encoder.finish()
        }
        #[allow(unreachable_patterns)]
        _ => {
            let _ = (source, bytes, out, level, progress);
            Err(ErrorKind::Unsupported.into())
        }
    };
    packed.map(drop).map_err(|e| Error::io(&e, "write"))
}

/// Writes the contents of `source`, a file that is compressed as a whole, to `part`; returns their length.
pub(super) fn unpack(source: &dyn File, part: &Part<'_>, progress: &mut Progress<'_>) -> Result<u64> {
    let mut out = Sequential { file: part.file.clone(), at: 0 };
    copy(source, u64::MAX, &mut out, progress)?;
    Ok(out.at)
}

fn copy(source: &dyn File, bytes: u64, out: &mut dyn Write, progress: &mut Progress<'_>) -> Result<()> {
    let mut buffer = memory::zeros(BUFFER)?;
    let mut at = 0;
    while at < bytes {
        let want = BUFFER.min(usize::try_from(bytes - at).unwrap_or(BUFFER));
        let n = io::read_full(source, &mut buffer[..want], at).map_err(|e| reading(&e))?;
        if n == 0 {
            break;
        }
        out.write_all(&buffer[..n]).map_err(|e| Error::io(&e, "write"))?;
        at += n as u64;
        progress.written(at)?;
    }
    match bytes {
        u64::MAX => Ok(()),
        _ if at == bytes => Ok(()),
        _ => Err(Error::corrupt("the file ends before its end")),
    }
}

/// Compares a file with the contents of one that is compressed as a whole.
pub(super) fn compare(plain: &dyn File, packed: Arc<dyn File>, progress: &mut Progress<'_>) -> Result<()> {
    let inside = io::inflated(packed).map_err(|e| reading(&e))?;
    let (mut these, mut those) = (memory::zeros(BUFFER)?, memory::zeros(BUFFER)?);
    let mut at = 0;
    loop {
        let n = io::read_full(plain, &mut these, at).map_err(|e| reading(&e))?;
        let m = io::read_full(&*inside, &mut those, at).map_err(|e| reading(&e))?;
        if these[..n] != those[..m] {
            return Err(Error::corrupt("what was written is not what the source holds"));
        }
        at += n as u64;
        progress.compared(at)?;
        // Reads past the last byte, so a checksum after it has been verified.
        if n < BUFFER {
            break;
        }
    }
    match inside.read_at(&mut [0], at).map_err(|e| reading(&e))? {
        0 => progress.all_compared(),
        _ => Err(Error::corrupt("what was written is not what the source holds")),
    }
}

/// An error without a system's code means that the compressed stream is broken.
fn reading(error: &IoError) -> Error {
    match io::is_of_system(error) {
        true => Error::io(error, "read"),
        false => Error::corrupt(io::does_not_decompress(error)),
    }
}

struct Sequential {
    file: Arc<dyn File>,
    at: u64,
}

impl Write for Sequential {
    fn write(&mut self, bytes: &[u8]) -> IoResult<usize> {
        io::write_full(&*self.file, &[bytes], self.at).map_err(|(_, e)| e)?;
        self.at += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> IoResult<()> {
        Ok(())
    }
}
