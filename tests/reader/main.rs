//! What `src/reader` promises, through the public interface.

#[path = "../common/mod.rs"]
mod common;

mod block_memory;
mod contents;
mod cursors;
mod damage;
mod follow;
mod index;
mod index_cost;
mod index_hint;
mod many_segments;
mod notifications;
mod oracle;
mod other_files;
mod removal;
mod replaced;
mod salvage;
mod salvage_ends;
mod salvage_logs;
mod seek;
mod tail_processes;
mod wait;
