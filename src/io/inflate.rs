//! Whole files compressed with gzip or zstd, recognized by their first bytes and read as the bytes inside.

use std::io::{BufRead, BufReader, Read, Result};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::Arc;

use parking_lot::Mutex;

use super::{is_of_system, read_full, File, InflatedEnd};
use crate::error::Error;
use crate::memory;

/// `file` itself, or the bytes inside when it is a gzip or zstd file.
pub(crate) fn inflated(file: Arc<dyn File>) -> Result<Arc<dyn File>> {
    let mut magic = [0; 4];
    let n = read_full(&*file, &mut magic, 0)?;
    Ok(inflated_from(&file, &magic[..n])?.unwrap_or(file))
}

/// The bytes inside of a file that begins with `first`; `None` when it is not a gzip or zstd file.
pub(crate) fn inflated_from(file: &Arc<dyn File>, first: &[u8]) -> Result<Option<Arc<dyn File>>> {
    let form = match *first {
        [0x1f, 0x8b, ..] if cfg!(feature = "gzip") => Form::Gzip,
        [0x28, 0xb5, 0x2f, 0xfd, ..] if cfg!(feature = "zstd") => Form::Zstd,
        _ => return Ok(None),
    };
    let stream = Mutex::new(Stream::start(form, file)?);
    Ok(Some(Arc::new(Inflated { file: file.clone(), form, stream, end: Mutex::default() })))
}

#[derive(Clone, Copy)]
enum Form {
    Gzip,
    Zstd,
}

/// Bytes that are decompressed at once. The result does not depend on how much the caller requests: a broken stream
/// ends at the same place for all readers.
const STEP: usize = 16 << 10;

/// Reading forward costs the decompression; reading backward starts from the beginning again. Where the stream is
/// broken, the bytes end.
struct Inflated {
    file: Arc<dyn File>,
    form: Form,
    stream: Mutex<Stream>,
    end: Mutex<Option<InflatedEnd>>,
}

struct Stream {
    form: Form,
    file: Arc<dyn File>,
    reader: Box<dyn Read + Send>,
    bytewise: Arc<AtomicBool>,
    /// The last decompressed bytes, and their offset.
    step: Vec<u8>,
    at: u64,
}

/// Decoders decompress this far ahead of what they return, at most.
const AHEAD: u64 = 64 << 10;

impl Stream {
    fn start(form: Form, file: &Arc<dyn File>) -> Result<Self> {
        let bytewise = Arc::new(AtomicBool::new(false));
        let buffered = BufReader::with_capacity(64 << 10, Sequential { file: file.clone(), at: 0 });
        let source = Source { buffered, bytewise: bytewise.clone() };
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
        Ok(Stream { form, file: file.clone(), reader, bytewise, step: vec![], at: 0 })
    }

    fn end(&self) -> u64 {
        self.at + self.step.len() as u64
    }

    /// Decompresses the next step. When it is shorter than [`STEP`], the stream ends there: returns the end and its
    /// reason.
    fn next(&mut self) -> Result<Option<InflatedEnd>> {
        self.at = self.end();
        let end = self.decompress()?;
        if self.bytewise.load(Relaxed) || end.as_ref().is_none_or(|end| end.broken.is_none()) {
            return Ok(end);
        }
        // Decoders do not return what they have decompressed in the call that fails. They are given the bytes before the
        // failure once more, one by one, so that what each of them completes is returned.
        let at = self.at;
        *self = Stream::start(self.form, &self.file)?;
        loop {
            self.bytewise.store(self.at + AHEAD >= at, Relaxed);
            let end = self.decompress()?;
            if self.at >= at || end.is_some() {
                return Ok(end);
            }
            self.at = self.end();
        }
    }

    /// Fills the step; returns the end of the stream and its reason, when it ends within the step.
    fn decompress(&mut self) -> Result<Option<InflatedEnd>> {
        memory::resize(&mut self.step, STEP)?;
        let mut done = 0;
        let mut broken = None;
        while done < STEP {
            match self.reader.read(&mut self.step[done..]) {
                Ok(0) => break,
                Ok(n) => done += n,
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => (),
                Err(e) if is_of_system(&e) || Error::within(&e).is_some() => {
                    self.step.truncate(done);
                    return Err(e);
                }
                Err(e) => {
                    broken = Some(e.to_string());
                    break;
                }
            }
        }
        self.step.truncate(done);
        Ok((done < STEP).then(|| InflatedEnd { at: self.end(), broken }))
    }
}

/// The compressed bytes, all that are buffered or one at a time.
struct Source {
    buffered: BufReader<Sequential>,
    bytewise: Arc<AtomicBool>,
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let n = self.fill_buf()?.read(buffer)?;
        self.consume(n);
        Ok(n)
    }
}

impl BufRead for Source {
    fn fill_buf(&mut self) -> Result<&[u8]> {
        let there = self.buffered.fill_buf()?;
        Ok(if self.bytewise.load(Relaxed) { &there[..there.len().min(1)] } else { there })
    }

    fn consume(&mut self, n: usize) {
        self.buffered.consume(n);
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
        let mut end = self.end.lock();
        while stream.end() <= offset && !buffer.is_empty() {
            if end.as_ref().is_some_and(|end| end.at <= offset) {
                return Ok(0);
            }
            if let Some(found) = stream.next()? {
                *end = Some(found);
            }
        }
        let there = &stream.step[(offset - stream.at) as usize..];
        let n = there.len().min(buffer.len());
        buffer[..n].copy_from_slice(&there[..n]);
        Ok(n)
    }

    fn inflated_end(&self) -> Option<InflatedEnd> {
        self.end.lock().clone()
    }

    fn len(&self) -> Result<u64> {
        Ok(u64::MAX)
    }

    fn identity(&self) -> Result<Option<super::Identity>> {
        self.file.identity()
    }
}
