//! What remains of a segment whose beginning is lost.

use super::rescue::rescue;
use super::tail::{find_marker, header_at, is_moved};
use crate::error::Result;
use crate::format::block::BlockKind;
use crate::format::Malformed;
use crate::io::{Access, Directory};

/// What the blocks in a file without a readable beginning show.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Remains {
    /// Length of the file.
    pub bytes: u64,
    /// The id after their last record; 0 when there is no block.
    pub next_id: u64,
    /// Whether they state that a part of the segment was durable, or are not where they were written, which no crash
    /// causes.
    pub was_durable: bool,
}

/// Examines every block that remains in the file.
pub(crate) fn remains(directory: &dyn Directory, name: &str) -> Result<Remains> {
    let len = directory.open(name, Access::Read).and_then(|file| file.len()).unwrap_or(0);
    let mut remains = Remains { bytes: len, ..Remains::default() };
    let Some(segment) = rescue(directory, name, ("", 1), None)? else { return Ok(remains) };
    find_marker(&segment, 0, |at| {
        match header_at(&segment, at)? {
            Ok(header) => {
                remains.was_durable |= header.durable_end > 0;
                if !matches!(header.kind, BlockKind::Skippable(_)) {
                    remains.next_id = remains.next_id.max(header.next_id());
                }
            }
            Err(Malformed::Newer(_)) => remains.was_durable = true,
            Err(_) => remains.was_durable |= is_moved(&segment, at, 0)?,
        }
        Ok(None::<()>)
    })?;
    Ok(remains)
}
