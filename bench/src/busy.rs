//! Threads that use the processors while others append, as the rest of a service does.

use std::hint::spin_loop;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::thread::{available_parallelism, spawn, JoinHandle};

use crate::contender::SharedAppend;
use crate::Result;

/// Appends to `W` beside one thread a processor that never sleeps.
pub struct Busy<W> {
    writer: W,
    _others: Others,
}

struct Others {
    are_over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl<W> Busy<W> {
    pub fn beside(writer: W) -> Result<Self> {
        let are_over = Arc::new(AtomicBool::new(false));
        let threads = (0..available_parallelism()?.get())
            .map(|_| {
                let are_over = are_over.clone();
                spawn(move || {
                    while !are_over.load(Ordering::Relaxed) {
                        spin_loop();
                    }
                })
            })
            .collect();
        Ok(Busy { writer, _others: Others { are_over, threads } })
    }
}

impl Drop for Others {
    fn drop(&mut self) {
        self.are_over.store(true, Ordering::Relaxed);
        self.threads.drain(..).for_each(|thread| drop(thread.join()));
    }
}

impl<W: SharedAppend> SharedAppend for Busy<W> {
    fn append(&self, payload: &[u8]) -> Result<()> {
        self.writer.append(payload)
    }

    fn of_thread(&self) -> Result<impl FnMut(&[u8]) -> Result<()> + '_> {
        self.writer.of_thread()
    }

    fn flush(&self) -> Result<()> {
        self.writer.flush()
    }

    fn close(self) -> Result<()> {
        self.writer.close()
    }

    const CLOSE_SYNCS: bool = W::CLOSE_SYNCS;
}
