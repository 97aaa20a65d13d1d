//! Whole files compressed with gzip or zstd, recognised by their first bytes and read as the bytes inside.

use std::io::{BufReader, Read, Result};
use std::sync::Arc;

use parking_lot::Mutex;

use super::{read_full, File};

/// `file` itself, or the bytes inside when it is a gzip or zstd file.
pub(crate) fn inflated(file: Arc<dyn File>) -> Result<Arc<dyn File>> {
    let mut magic = [0; 4];
    let n = read_full(&*file, &mut magic, 0)?;
    let form = match magic[..n] {
        [0x1f, 0x8b, ..] if cfg!(feature = "gzip") => Form::Gzip,
        [0x28, 0xb5, 0x2f, 0xfd] if cfg!(feature = "zstd") => Form::Zstd,
        _ => return Ok(file),
    };
    let stream = Stream::start(form, &file)?;
    Ok(Arc::new(Inflated { file, form, stream: Mutex::new(stream) }))
}

#[derive(Clone, Copy)]
enum Form {
    Gzip,
    Zstd,
}

/// Reading forward costs the inflating; reading backward starts from the beginning again.
struct Inflated {
    file: Arc<dyn File>,
    form: Form,
    stream: Mutex<Stream>,
}

struct Stream {
    reader: Box<dyn Read + Send>,
    at: u64,
}

impl Stream {
    fn start(form: Form, file: &Arc<dyn File>) -> Result<Self> {
        let source = BufReader::with_capacity(64 << 10, Sequential { file: file.clone(), at: 0 });
        let reader: Box<dyn Read + Send> = match form {
            #[cfg(feature = "gzip")]
            Form::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(source)),
            #[cfg(feature = "zstd")]
            Form::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(source)?;
                decoder.window_log_max(crate::format::limits::ZSTD_WINDOW_LOG)?;
                Box::new(decoder)
            }
            #[allow(unreachable_patterns)]
            _ => Box::new(source),
        };
        Ok(Stream { reader, at: 0 })
    }
}

struct Sequential {
    file: Arc<dyn File>,
    at: u64,
}

impl Read for Sequential {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let n = self.file.read_at(buffer, self.at)?;
        self.at += n as u64;
        Ok(n)
    }
}

impl File for Inflated {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        let mut stream = self.stream.lock();
        if offset < stream.at {
            *stream = Stream::start(self.form, &self.file)?;
        }
        let mut skipped = [0; 16 << 10];
        while stream.at < offset {
            let want = skipped.len().min(usize::try_from(offset - stream.at).unwrap_or(usize::MAX));
            match stream.reader.read(&mut skipped[..want])? {
                0 => return Ok(0),
                n => stream.at += n as u64,
            }
        }
        let n = stream.reader.read(buffer)?;
        stream.at += n as u64;
        Ok(n)
    }

    fn write_at(&self, _parts: &[std::io::IoSlice<'_>], _offset: u64) -> Result<usize> {
        read_only()
    }

    fn len(&self) -> Result<u64> {
        Ok(u64::MAX)
    }

    fn set_len(&self, _len: u64) -> Result<()> {
        read_only()
    }

    fn allocate(&self, _offset: u64, _len: u64) -> Result<()> {
        read_only()
    }

    fn sync_data(&self) -> Result<()> {
        read_only()
    }

    fn try_lock(&self) -> Result<bool> {
        read_only()
    }

    fn unlock(&self) -> Result<()> {
        read_only()
    }

    fn is_locked(&self) -> Result<bool> {
        Ok(false)
    }

    fn identity(&self) -> Result<Option<super::Identity>> {
        self.file.identity()
    }
}

fn read_only<T>() -> Result<T> {
    Err(std::io::Error::from_raw_os_error(libc::EROFS))
}
