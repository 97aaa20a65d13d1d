//! Waits for requests on the calling thread.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use tokio::runtime::{Builder, Handle};

use binlog::{Error, Result};

/// Runs futures to their end on the calling thread. The only other threads look up the names of hosts, for which the
/// system has only a blocking call; such a thread ends when it has been idle for a second.
pub(crate) struct Runtime {
    /// `None` only while it is dropped.
    runtime: Option<tokio::runtime::Runtime>,
}

impl Runtime {
    pub(crate) fn new() -> Result<Self> {
        let runtime = Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .max_blocking_threads(2)
            .thread_keep_alive(Duration::from_secs(1))
            .thread_name("binlog-names")
            .on_thread_start(block_signals)
            .build()
            .map_err(|e| Error::io(&e, "set up the waiting for requests"))?;
        Ok(Runtime { runtime: Some(runtime) })
    }

    /// Waits for a future; returns `otherwise` when that is not possible.
    pub(crate) fn run<T: Send>(&self, future: impl Future<Output = T> + Send, otherwise: impl FnOnce() -> T) -> T {
        let Some(runtime) = &self.runtime else { return otherwise() };
        // A thread that serves another runtime must not wait in this one: it would panic.
        if Handle::try_current().is_ok() {
            return std::thread::scope(|scope| {
                scope.spawn(|| runtime.block_on(future)).join().unwrap_or_else(|_| otherwise())
            });
        }
        runtime.block_on(future)
    }
}

/// Blocks all signals in this thread: the host's own threads handle them.
fn block_signals() {
    // SAFETY: a sigset_t is a plain C value that sigfillset initialises; the mask of this thread alone is set.
    unsafe {
        let mut all: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &all, std::ptr::null_mut());
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        // Does not wait for a name that is still being looked up.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Runtime")
    }
}
