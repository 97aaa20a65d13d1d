//! What `src/repair` promises, through the public interface.

#[path = "../common/mod.rs"]
mod common;

mod names;
mod recover;
mod rows;
