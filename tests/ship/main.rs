//! What `src/ship` promises, through the public interface.

#[path = "../common/mod.rs"]
mod common;

mod crashes;
mod kept;
mod panics;
mod runs;
mod shipping;
mod space;
mod writer;
