//! Append-only structured binary logs.
//!
//! A service writes typed records (payload, type, time, string metadata) at the speed of memory, and reads them back
//! years later. **A log is a sequence of segments, a segment is a sequence of blocks, a block is a batch of records**;
//! a block is the unit of writing, checksumming, compressing, skipping and following.
//!
//! [`Writer`] appends, from any number of threads; [`Reader`] opens a file, a directory or a pattern, and its
//! [`Cursor`]s show the records, while a writer is still at work too. The same library has a C interface, which
//! `include/binlog.h` declares and `docs/c-api.md` explains.

#![deny(unsafe_op_in_unsafe_fn)]
#![warn(missing_docs)]

mod archive;
mod calling;
mod error;
pub mod ffi;
mod format;
mod hex;
pub mod import;
pub mod io;
mod legacy;
mod log;
mod memory;
mod options;
mod reader;
mod record;
mod repair;
mod segment;
pub mod store;
mod writer;

pub use archive::hooks;
pub use archive::ship::{
    archive_metrics, Problem, ShipMonitor, ShipReport, ShipState, ShipStatus, Shipped, Shipper, VerifyReport,
};
pub use archive::{
    compress, compress_in, compress_segment, decompress, decompress_in, decompress_segment, pack, pack_in, sweep,
};
pub use archive::{prune, prune_in, Pruned, Stage};
pub use archive::{
    ArchiveProgress, CompressOptions, Compressed, Dictionary, OnProgress, Whole, COMPRESSED_BLOCK_BYTES,
};
pub use error::{Error, Kind, Result};
pub use format::codec::Codec;
pub use io::clock::Clock;
pub use options::ShipOptions;
pub use options::{Filter, FullDisk, Lag, Loss, LossKind, OnLoss, ReaderMode, ReaderOptions, Required, WriterOptions};
pub use options::{Hook, Hooks, OnFailure, SegmentFile, DEFAULT_BLOCK_BYTES, DEFAULT_BLOCK_MAX_BYTES};
pub use options::{Period, Retention, RollCheck, RollOptions, SegmentState, DEFAULT_TEMPLATE};
pub use reader::{Contents, SegmentContents, TypeContents};
pub use reader::{
    Cursor, IndexBlockFacts, IndexFacts, Interrupter, Reader, SegmentExtent, SegmentFacts, Tail, TailState, TypeCount,
};
pub use record::{event, is_event, Metadata, MetadataBuf, NewRecord, Pairs, Record, EVENT_BIT, FIRST_NAMED_TYPE};
pub use repair::{
    rebuild_index, rebuild_index_in, recover, recover_in, recover_in_place, recover_in_place_in, recover_in_place_with,
    recover_with,
};
pub use repair::{RecoveredSegment, Recovery, RECOVERY_AT_WORK};
pub use writer::{Position, Writer};
