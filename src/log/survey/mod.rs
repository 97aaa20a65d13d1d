//! What the files of a source are. This is the only place that decides it, for readers of all modes, for opening a log
//! to append, and for verifying and repairing one.
//!
//! Headers with correct checksums are believed; names only show where to look. Statements of other files and the line
//! of the lock file prove what is missing.

mod alike;
mod broken;
mod by_names;
mod chain;
mod doubles;
mod durable;
mod heads;
mod judge;
mod legacy;
mod listing;
mod lost;
mod oldest;
mod opening;
mod order;
mod part;
mod proof;
mod remark;
mod same_name;
mod slot;
mod snapshot;
mod source;

pub(crate) use chain::chain_break;
pub(crate) use lost::never_durable;
pub(crate) use oldest::{look, Oldest};
pub(super) use opening::{End, Opening};
pub(crate) use part::{Limit, Part};
pub(crate) use proof::{held, missing_behind};
pub(crate) use proof::{vanished, Vanished};
pub(crate) use remark::Remark;
pub(crate) use slot::{Known, Slot, SlotState};
pub(crate) use snapshot::{Missing, Snapshot};
pub(crate) use source::{is_url, refuse_url, Source};
