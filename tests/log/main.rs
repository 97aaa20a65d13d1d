//! What `src/log` promises, through the public interface.

#[path = "../common/mod.rs"]
mod common;

mod closed_end;
mod holes;
mod lost_segment;
mod one_of_several_logs;
mod strange_files;
mod survey;
