//! One log: a directory of segments or a single file. Names, the writer's lock, the next segment, and what is there to
//! be read.

mod names;
mod snapshot;
mod target;
mod torn;

pub(crate) use names::check_name;
pub(crate) use snapshot::{Snapshot, Source, Unreadable};
pub(crate) use target::{take_lock, Facts, Opened, Prepared, Target};
