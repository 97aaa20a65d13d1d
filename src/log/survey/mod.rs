//! What the files of a source are: the one place that says so, asked by readers of all modes, by whoever opens a log to
//! append, and by whoever verifies or repairs one.
//!
//! Headers whose sums are right are believed, names only tell where to look; what one file says of another and the lock
//! file's line prove what is missing.

mod alike;
mod broken;
mod by_names;
mod chain;
mod doubles;
mod durable;
mod elders;
mod heads;
mod lost;
mod oldest;
mod opening;
mod order;
mod proof;
mod remark;
mod same_name;
mod slot;
mod snapshot;

pub(crate) use chain::chain_break;
pub(crate) use lost::never_durable;
pub(crate) use oldest::{look, Oldest};
pub(super) use opening::{End, Opening};
pub(crate) use proof::{held, missing_behind};
pub(crate) use proof::{vanished, Vanished};
pub(crate) use remark::Remark;
pub(crate) use slot::{Found, Known, Slot};
pub(crate) use snapshot::{is_url, refuse_url, Missing, Snapshot, Source};
