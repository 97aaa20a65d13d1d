//! What `src/writer` promises, through the public interface.

#[path = "../common/mod.rs"]
mod common;

mod appenders;
mod appenders_soak;
mod appends;
mod area;
mod birth;
mod failed_open;
mod failed_sync;
mod faults;
mod file_size_limit;
mod fill_ahead;
mod forked;
mod full_disk;
mod hooks;
mod kill;
mod maintenance;
mod nothing_left;
mod panics;
mod power;
mod power_loss;
mod reopen;
mod reopen_index;
mod required;
mod rights;
mod rolling;
mod rolling_names;
