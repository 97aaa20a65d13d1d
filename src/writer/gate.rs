//! Keeps a writer from being closed in the middle of an appender's call, and appenders from calling a closed writer.

use crate::error::{Error, Kind, Result};
use crate::io::sync::{Condvar, Mutex};

/// Appenders enter it before they use the writer's parts, apart from their own buffer.
#[derive(Default)]
pub(super) struct Gate {
    state: Mutex<State>,
    /// Signalled when one has left, and when everything was collected.
    left: Condvar,
}

#[derive(Default)]
struct State {
    closed: bool,
    /// Everything that appenders had staged was collected.
    collected: bool,
    inside: usize,
}

/// An appender inside the gate.
pub(super) struct Entered<'a>(&'a Gate);

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        state.inside -= 1;
        if state.closed {
            self.0.left.notify_all();
        }
    }
}

impl Gate {
    /// Fails when the writer is closed.
    pub fn enter(&self) -> Result<Entered<'_>> {
        let mut state = self.state.lock();
        if state.closed {
            return Err(Error::new(Kind::Invalid, "the writer of this appender is closed"));
        }
        state.inside += 1;
        Ok(Entered(self))
    }

    /// Lets no appender in any more, and waits until none is inside, unless the caller may be inside itself.
    pub fn close(&self, may_be_inside: bool) {
        let mut state = self.state.lock();
        state.closed = true;
        while state.inside > 0 && !may_be_inside {
            self.left.wait(&mut state);
        }
    }

    /// Notes that the closing thread has collected from all appenders.
    pub fn note_collected(&self) {
        self.state.lock().collected = true;
        self.left.notify_all();
    }

    /// Whether that is done.
    pub fn has_collected(&self) -> bool {
        self.state.lock().collected
    }

    /// Waits for that, when the gate is closed.
    pub fn wait_until_collected(&self) {
        let mut state = self.state.lock();
        while !state.collected {
            self.left.wait(&mut state);
        }
    }
}
