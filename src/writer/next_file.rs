//! The file of the next segment, created before it is needed.

use crate::error::{Error, Kind, Result};
use crate::log::{Maker, Prepared};

/// Locked while a file is being created, so that only one thread creates it: the maintenance thread, or a roll that has
/// found none. Taken after the output lock, never before it.
#[derive(Default)]
pub(super) struct NextFile {
    /// With the rules that it was named by.
    pub prepared: Option<(Prepared, NamedBy)>,
    /// The fsync of the directory has failed: a later one could falsely succeed.
    failed: Option<Error>,
}

/// Period, template and zone, as file headers state them.
type NamedBy = (u64, String, String);

/// What is needed to prepare the next file.
pub(super) struct Order {
    pub maker: Maker,
    /// The number of the segment before it.
    pub after: u64,
    /// Bytes of disk space to set aside.
    pub bytes: u64,
}

impl NextFile {
    /// Whether a file exists or cannot be created.
    pub fn is_settled(&self) -> bool {
        self.prepared.is_some() || self.failed.is_some()
    }

    /// Creates the file of the segment after number `after`, named for `time`.
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
        self.prepared = Some((prepared, order.maker.naming.stated()));
        Ok(())
    }
}
