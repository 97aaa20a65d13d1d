//! The file of the next segment, made before it is needed.

use crate::error::{Error, Kind, Result};
use crate::log::{Maker, Prepared};

/// Locked while a file is being made, so that there is one who makes it: the thread that keeps house, or a roll that has
/// found none. Taken after the output lock, never before it.
#[derive(Default)]
pub(super) struct Ahead {
    /// With the rules that it was named by.
    pub prepared: Option<(Prepared, Rules)>,
    /// The fsync of the directory has failed: the next one would not tell the truth.
    failed: Option<Error>,
}

/// Period, template and zone, as file headers tell them.
type Rules = (u64, String, String);

/// What it takes to prepare the next file.
pub(super) struct Order {
    pub maker: Maker,
    /// The number that the segment is behind.
    pub after: u64,
    /// Bytes of disk space to set aside.
    pub bytes: u64,
}

impl Ahead {
    /// Whether a file is there, or is not to be had.
    pub fn is_settled(&self) -> bool {
        self.prepared.is_some() || self.failed.is_some()
    }

    /// Creates the file of the segment behind number `after`, named for `time`.
    pub fn make(&mut self, maker: &Maker, after: u64, time: i64) -> Result<Prepared> {
        if let Some(failed) = &self.failed {
            return Err(failed.clone());
        }
        maker.next(after, time).inspect_err(|error| {
            if error.kind() == Kind::Failed {
                self.failed = Some(error.clone());
            }
        })
    }

    /// Prepares the next file, unless there is one.
    pub fn prepare(&mut self, order: &Order, time: i64) -> Result<()> {
        if self.is_settled() {
            return Ok(());
        }
        let mut prepared = self.make(&order.maker, order.after, time)?;
        prepared.set_aside(order.bytes);
        self.prepared = Some((prepared, order.maker.naming.told()));
        Ok(())
    }
}
