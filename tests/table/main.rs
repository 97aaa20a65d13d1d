//! What `src/table` promises, through the public interface: a table has what a cursor shows, in columns.

#[path = "../common/mod.rs"]
mod common;

mod columns;
mod limits;
mod logs;
mod stops;
