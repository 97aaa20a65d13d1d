//! What the command prints, refuses and leaves behind, run as a user runs it.

mod append;
mod cat;
mod common;
mod compress;
mod export;
mod import;
mod info_verify;
mod legacy;
mod messages;
mod pairs;
mod recover;
mod remote;
mod rolling;
mod schema;
mod segments;
mod several_logs;
mod ship;
mod splits;
mod statuses;
mod usage;
mod verify;
