//! The old segments that may be removed from a log that is shipped.

use super::{Ours, Plan};
use crate::error::Result;
use crate::io::Directory;
use crate::ledger;

/// Limits a plan for a shipped log: segments that a store does not hold stay, and so do those after them. The whole
/// plan for a log that is not shipped; `is_shipped_anyway` states that it is, even if its `<log>.archive` was lost.
pub(crate) fn only_shipped(
    directory: &dyn Directory,
    log: &Ours,
    mut plan: Plan,
    is_shipped_anyway: bool,
) -> Result<Plan> {
    if plan.expired.is_empty() || !(is_shipped_anyway || ledger::is_shipped(directory, &log.name)?) {
        return Ok(plan);
    }
    let ledger = ledger::read(directory, &log.name, &log.log_id)?.unwrap_or_default();
    plan.keep_only(|segment| ledger.keeps(segment.sequence, &segment.known_as).is_none());
    Ok(plan)
}
