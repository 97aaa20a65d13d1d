//! A writer in the caller's thread, and a thread that ticks beside it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use super::BinlogWriter;
use crate::contender::Append;
use crate::Result;

/// From one tick to the next.
const EVERY: Duration = Duration::from_millis(20);

pub struct TickedWriter {
    writer: Arc<BinlogWriter>,
    stop: Arc<AtomicBool>,
    ticking: JoinHandle<Result<()>>,
}

impl TickedWriter {
    pub fn new(writer: BinlogWriter) -> Self {
        let (writer, stop) = (Arc::new(writer), Arc::new(AtomicBool::new(false)));
        let (ticked, stopped) = (writer.clone(), stop.clone());
        let ticking = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                ticked.tick()?;
                std::thread::sleep(EVERY);
            }
            Ok(())
        });
        TickedWriter { writer, stop, ticking }
    }
}

impl Append for TickedWriter {
    fn append(&mut self, payload: &[u8]) -> Result<()> {
        self.writer.append_one(payload)
    }

    fn flush(&mut self) -> Result<()> {
        self.writer.flush_all()
    }

    fn close(self) -> Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        self.ticking.join().map_err(|_| "the thread that ticks has panicked")??;
        Arc::into_inner(self.writer).ok_or("somebody else has the writer")?.close_once()
    }

    const CLOSE_SYNCS: bool = true;
}
