//! What `src/store` promises, through the public interface.

#[path = "../common/mod.rs"]
mod common;
#[path = "../contract/mod.rs"]
mod contract;

mod command;
mod implementations;
mod remote;
mod remote_faults;
mod remote_requests;
