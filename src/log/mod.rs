//! One log: a directory of segments or a single file. Names, the writer's lock, the next segment, and the segments that
//! can be read.

pub(crate) mod active;
mod calendar;
pub(crate) mod catalog;
mod earlier;
pub(crate) mod labels;
mod left;
mod lock;
mod maker;
pub(crate) mod mark;
pub(crate) mod names;
mod naming;
mod quoted;
mod required;
pub(crate) mod survey;
mod target;
mod template;
mod torn;

pub(crate) use active::Active;
pub(crate) use calendar::Calendar;
pub(crate) use earlier::make_earlier_durable;
pub(crate) use left::{Last, Left};
pub(crate) use lock::{accept_end, accept_loss_of_all, note_new_end, read_left, take_lock};
pub(crate) use lock::{take_lock_of, Lock};
pub(crate) use maker::{Maker, Prepared};
pub(crate) use naming::{is_named, is_numbered, rightful_name, Naming};
pub(crate) use survey::{
    chain_break, is_url, refuse_url, vanished, Known, Limit, Missing, Part, Remark, Slot, SlotState, Snapshot, Source,
    Vanished,
};
pub(crate) use survey::{held, missing_behind};
pub(crate) use target::{Behind, Facts, Opened, Target};
