//! What `src/compress` promises, through the public interface.

#[path = "../common/mod.rs"]
mod common;

mod cost;
mod faults;
mod segments;
