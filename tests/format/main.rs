//! What the format promises: golden files, versions, and that what is written is read back.

#[path = "../common/mod.rs"]
mod common;

mod event_payloads;
mod golden;
mod newer_minor;
mod round_trip;
