//! Threads that do not receive the host's signals.

use std::io::Result;
use std::thread::{Builder, JoinHandle};

/// Starts a thread in which all signals are blocked: a handler of the host never runs on it.
pub(crate) fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>> {
    // SAFETY: a sigset_t is a plain C value that sigfillset initialises; pthread_sigmask only reads and writes the two
    // sets. The new thread inherits the mask of this one, which gets its own back right after.
    unsafe {
        let mut all: libc::sigset_t = std::mem::zeroed();
        let mut before: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &all, &mut before);
        let thread = Builder::new().name(name.to_owned()).spawn(body);
        libc::pthread_sigmask(libc::SIG_SETMASK, &before, std::ptr::null_mut());
        thread
    }
}
