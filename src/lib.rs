//! Append-only structured binary logs.
//!
//! A service appends typed records (payload, type, time, string metadata) at the speed of memory, and readers find them years
//! later. **A log is a sequence of segments, a segment is a sequence of blocks, a block is a batch of records**; a block is the
//! unit of writing, checksumming, compressing, skipping and following.
//!
//! [`Writer`] appends, from any number of threads. [`Reader`] opens a file, a directory, a pattern or a URL; its [`Cursor`]s show
//! the records, also while a writer has the log open. [`recovery`] saves a damaged log, [`compression`] makes closed segments
//! smaller, [`shipping`] sends them to a [`store`], and [`rolling`] says when segments begin and which old ones are removed.
//! `include/binlog.h` is the C interface of the same library.
//!
//! ```
//! use binlog::recovery::recover;
//! use binlog::{Filter, MetadataBuf, NewRecord, Reader, ReaderOptions, Writer, WriterOptions};
//! use std::time::Duration;
//!
//! # fn main() -> binlog::Result<()> {
//! # let home = std::env::temp_dir().join(format!("binlog-crate-{}", std::process::id()));
//! # let (log, copy) = (home.join("log"), home.join("copy"));
//! # std::fs::create_dir_all(&home).unwrap();
//! // Writing: a type is a number below 2^30, or a name.
//! let writer = Writer::open(&log, WriterOptions::default())?;
//! writer.append(7, b"any bytes")?;
//! let login = writer.type_id("login", "text/plain")?;
//! let pairs = MetadataBuf::from_iter([("host", "example.org")]);
//! let record = NewRecord { type_id: login, payload: b"alice", metadata: pairs.as_metadata(), ..NewRecord::default() };
//! let id = writer.append_record(&record)?;
//! writer.sync()?; // from here on it survives a power cut
//!
//! // Reading: all records, or those that a filter selects.
//! let reader = Reader::open(&log, ReaderOptions::default())?;
//! let mut logins = reader.cursor(&Filter { type_names: vec!["login".into()], ..Filter::default() })?;
//! while let Some(record) = logins.next()? {
//!     assert_eq!((record.id, record.payload), (id, &b"alice"[..]));
//!     assert_eq!(record.metadata.get("host"), Some("example.org"));
//! }
//!
//! // Following: wait for the next one.
//! writer.append(login, b"bob")?;
//! writer.flush()?; // readers see what was flushed
//! assert!(logins.wait(Duration::from_secs(10))?);
//! assert_eq!(logins.next()?.map(|record| record.id), Some(3));
//! writer.close()?;
//!
//! // Recovery: what can be read of a damaged log becomes a new one. This log is whole.
//! let recovery = recover(&log, &copy, ReaderOptions::default())?;
//! assert_eq!((recovery.records, recovery.lost_records), (3, 0));
//! # std::fs::remove_dir_all(home).ok();
//! # Ok(())
//! # }
//! ```

#![deny(unsafe_op_in_unsafe_fn)]
#![warn(missing_docs)]

mod calling;
mod companion;
mod compress;
mod error;
pub mod ffi;
mod format;
mod hex;
pub mod hooks;
pub mod io;
mod ledger;
mod legacy;
mod log;
mod memory;
mod options;
mod reader;
mod record;
mod repair;
mod retention;
mod segment;
mod ship;
pub mod store;
mod table;
mod writer;

pub use error::{Error, Kind, Result};
pub use format::codec::Codec;
pub use io::clock::Clock;
pub use io::Location;
pub use options::{
    AppenderOptions, Filter, FullDisk, Lag, Loss, LossKind, OnLoss, ReaderMode, ReaderOptions, Required, TypeOptions,
    WriterOptions,
};
pub use options::{DEFAULT_BLOCK_BYTES, DEFAULT_BLOCK_MAX_BYTES};
pub use reader::{Cursor, Interrupter, Reader, Tail, TailState, TypeInfo};
pub use record::{
    event, is_event, Metadata, MetadataBuf, NamedType, NewRecord, Pairs, Record, EVENT_BIT, FIRST_NAMED_TYPE,
};
pub use writer::{Appender, Position, Writer};

/// What a log contains: its segments, its types with their counts, its indexes.
pub mod contents {
    pub use crate::reader::{Contents, SegmentContents, SegmentExtent, SegmentFacts, TypeContents, TypeCount};
    pub use crate::reader::{IndexBlockFacts, IndexFacts};
}

/// Compression of closed segments, and decompression.
pub mod compression {
    pub use crate::compress::{compress, decompress, pack, sweep, Compressed};
    pub use crate::options::{
        CompressOptions, CompressProgress, Dictionary, OnProgress, Whole, COMPRESSED_BLOCK_BYTES,
    };
}

/// Recovery of damaged logs, and missing indexes written anew.
pub mod recovery {
    pub use crate::repair::{rebuild_index, recover, recover_in_place, RecoveredSegment, Recovery, RECOVERY_AT_WORK};
}

/// A log divided into parts that can be read independently of each other.
pub mod splits {
    pub use crate::table::{Plan, PlanOptions, Split};
}

/// When a writer begins a new segment, and which old ones are removed.
pub mod rolling {
    pub use crate::options::{Period, Retention, RollCheck, RollOptions, SegmentState, DEFAULT_TEMPLATE};
    pub use crate::retention::{prune, Pruned};
}

/// The records of a log as columns, in batches.
pub mod columns {
    pub use crate::table::{
        Batch, Bytes, Column, ColumnType, Columns, Field, Names, Nulls, Pairs, Table, TableOptions,
    };
}

/// Shipping of closed segments to a [`store`].
pub mod shipping {
    pub use crate::ledger::Stage;
    pub use crate::options::ShipOptions;
    pub use crate::ship::VerifyReport;
    pub use crate::ship::{ship_metrics, Problem, ShipMonitor, ShipReport, ShipState, ShipStatus, Shipped, Shipper};
}
