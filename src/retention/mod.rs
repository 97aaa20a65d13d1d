//! Which old segments of a log may be removed, and their removal: by a writer, by shipping, and by [`prune`].

mod companion;
mod plan;
mod prune;
mod shipped;

pub(crate) use companion::Retaining;
pub(crate) use plan::{logs_in, logs_of, look, look_at_all, plan, plan_by_headers, remove, Expired, Ours, Plan};
pub use prune::{prune, Pruned};
pub(crate) use shipped::only_shipped;
