//! Where and why a cursor shows no more.

use super::{Tail, TailState};
use crate::error::Error;

/// The end that a cursor has come to, and what it reports there.
#[derive(Default)]
pub(super) struct Ending {
    pub tail: Tail,
    /// Why nothing more is shown, in this call and in all later ones.
    failure: Option<Failure>,
    /// Damage that leaves fewer of the last records than were asked for. It is reported after them.
    pub hidden: Option<Failure>,
    /// The smallest id that was asked for, as far as the log contains it or is known to have contained it.
    pub wanted_from: Option<u64>,
    /// The records that are no longer there, for the next call to report.
    pub missed: Option<Error>,
}

/// Why a cursor shows nothing more, and what its tail contains from then on.
#[derive(Clone)]
pub(super) struct Failure {
    pub error: Error,
    pub tail: Tail,
}

impl Failure {
    /// Damage at the place of this tail.
    pub fn damage(error: Error, tail: Tail) -> Self {
        let (state, reason) = (TailState::Corrupt, error.reason().to_owned());
        Failure { error, tail: Tail { state, reason, ..tail } }
    }
}

impl Ending {
    /// Begins another call, which may come to another end.
    ///
    /// # Errors
    /// What an earlier call has left for this one, or failed with for good.
    pub fn leave(&mut self) -> Result<(), Error> {
        if let Some(missed) = self.missed.take() {
            return Err(missed);
        }
        if let Some(failure) = &self.failure {
            self.tail = failure.tail.clone();
            return Err(failure.error.clone());
        }
        self.tail = Tail::default();
        Ok(())
    }

    /// Forgets the end.
    pub fn restart(&mut self) {
        (self.failure, self.missed, self.tail) = (None, None, Tail::default());
    }

    pub fn failure(&self) -> Option<&Failure> {
        self.failure.as_ref()
    }

    /// Fails for good. Later calls report the failure that was set last.
    pub fn fail(&mut self, failure: Failure) -> Error {
        self.tail = failure.tail.clone();
        let error = failure.error.clone();
        self.failure = Some(failure);
        error
    }
}
