//! How an appender stages records.

use std::ops::RangeInclusive;

use crate::error::{Error, Result};

/// The least and the most payload bytes at which an appender may hand over.
const HAND_OVER: RangeInclusive<usize> = if cfg!(feature = "model") { 1..=256 << 10 } else { 64 << 10..=256 << 10 };

/// How an [`crate::Appender`] works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AppenderOptions {
    /// Payload bytes at which the appender hands over what it has staged: 64 KiB to 256 KiB. It is never less than a block
    /// ([`crate::WriterOptions::block_bytes`]), nor more than a policy lets wait. An appender takes the memory of one
    /// buffer of its writer, some 0.4 MiB with default options.
    pub hand_over_bytes: usize,
}

impl Default for AppenderOptions {
    fn default() -> Self {
        AppenderOptions { hand_over_bytes: *HAND_OVER.end() }
    }
}

impl AppenderOptions {
    pub(crate) fn check(&self) -> Result<()> {
        match HAND_OVER.contains(&self.hand_over_bytes) {
            true => Ok(()),
            false => Err(Error::invalid(format!(
                "hand_over_bytes is {}; it may be {} to {}",
                self.hand_over_bytes,
                HAND_OVER.start(),
                HAND_OVER.end()
            ))),
        }
    }
}
