//! tracing-appender's non-blocking writer: the caller copies each record into a channel, and a thread writes them.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{channel, Receiver, Sender};

use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};

use crate::base::{header, BUFFER, FILE};
use crate::contender::Append;
use crate::Result;

/// Writes BASE's records, so that [`crate::base::BaseReader`] reads and verifies them.
pub struct TracingWriter {
    /// Both are gone after the flush.
    sending: Option<(NonBlocking, WorkerGuard)>,
    dropped: ErrorCounter,
    written: Receiver<()>,
    path: PathBuf,
    bytes: u64,
    next_id: u64,
    /// A record is one message of the channel; two messages could have another thread's in between.
    record: Vec<u8>,
}

/// The file of the crate's thread. It is dropped when the thread has written and flushed everything; the guard alone
/// stops to wait for that after a second.
struct Written {
    file: BufWriter<File>,
    _until_here: Sender<()>,
}

impl io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl TracingWriter {
    pub fn create(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE);
        let file = BufWriter::with_capacity(BUFFER, File::create_new(&path)?);
        let (until_here, written) = channel();
        // By default it drops records as soon as its channel is full.
        let (writer, guard) =
            NonBlockingBuilder::default().lossy(false).finish(Written { file, _until_here: until_here });
        let dropped = writer.error_counter();
        let sending = Some((writer, guard));
        Ok(TracingWriter { sending, dropped, written, path, bytes: 0, next_id: 1, record: Vec::new() })
    }
}

impl Append for TracingWriter {
    fn append(&mut self, payload: &[u8]) -> Result<()> {
        let (writer, _) = self.sending.as_mut().ok_or("a flush ends it")?;
        self.record.clear();
        self.record.extend_from_slice(&header(payload, self.next_id, crc32fast::hash(payload)));
        self.record.extend_from_slice(payload);
        self.next_id += 1;
        self.bytes += self.record.len() as u64;
        Ok(writer.write_all(&self.record)?)
    }

    /// There is no call that flushes; only dropping the guard does.
    fn flush(&mut self) -> Result<()> {
        if self.sending.take().is_some() {
            // Nothing is ever sent: it ends when the sender is dropped.
            let _ = self.written.recv();
        }
        Ok(())
    }

    fn close(mut self) -> Result<()> {
        self.flush()?;
        // Its thread does not report errors of writing.
        let missing = self.bytes - fs::metadata(&self.path)?.len().min(self.bytes);
        match (self.dropped.dropped_lines(), missing) {
            (0, 0) => Ok(()),
            (lines, bytes) => Err(format!("{lines} records were dropped, {bytes} bytes are missing").into()),
        }
    }
}
