//! The C interface: one guard around every export, handles, plain structs, and no logic of its own. `include/binlog.h`
//! is generated from here; `docs/c-api.md` gives the rules that all functions follow.
#![allow(non_camel_case_types)]

mod arrow;
mod compress;
mod cursor;
mod described;
mod error;
mod filter;
mod guard;
mod hooks;
mod loss;
mod metadata;
mod packed;
mod plan;
mod reader;
mod repair;
mod required;
mod rolling;
mod ship;
mod table;
mod types;
mod version;
mod writer;

pub use crate::store::table::{
    binlog_store, binlog_store_object, binlog_store_open_callback, binlog_store_options, binlog_store_range,
    binlog_store_reply, binlog_store_upload, BINLOG_STORE_LATER, BINLOG_STORE_WHEN_MENDED, BINLOG_STORE_WRITE_ONLY,
};
pub use arrow::{stream_of, ArrowArray, ArrowArrayStream, ArrowSchema};
pub use compress::*;
pub use cursor::*;
pub use described::*;
pub use error::*;
pub use filter::*;
pub use hooks::*;
pub use loss::*;
pub use metadata::*;
pub use packed::*;
pub use plan::*;
pub use reader::*;
pub use repair::*;
pub use required::*;
pub use rolling::*;
pub use ship::*;
pub use table::*;
pub use types::*;
pub use version::*;
pub use writer::*;
