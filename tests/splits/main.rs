//! What a plan of a log and its splits promise, through the public interface.

#[path = "../common/mod.rs"]
mod common;

mod changed;
mod counts;
mod damage;
mod files;
mod measure;
mod property;
mod times;

use std::sync::Arc;

use binlog::io::MemoryDirectory;
use binlog::splits::{PlanOptions, Split};
use binlog::{Filter, Reader, ReaderMode, ReaderOptions};

/// The splits of a log, by a reader of this mode.
fn plan(directory: &MemoryDirectory, mode: ReaderMode, filter: &Filter, target_bytes: u64) -> Vec<Split> {
    let options = ReaderOptions { mode, ..ReaderOptions::default() };
    let reader = Reader::open(Arc::new(directory.clone()), options).unwrap();
    let options = PlanOptions { target_bytes, ..PlanOptions::default() };
    reader.plan(filter, &options).unwrap().splits().to_vec()
}

/// Opens a split of a log in memory.
fn open(directory: &MemoryDirectory, split: &Split, options: ReaderOptions) -> binlog::Result<Reader> {
    Reader::open_split_at(&split.token, Arc::new(directory.clone()), options)
}

/// Checks what all plans have in common.
fn check(splits: &[Split], context: &str) {
    for split in splits {
        assert!(split.last_id + 1 >= split.first_id, "{split:?}: {context}");
        let besides = split.token.len() - split.location.len();
        assert!(besides < 300 && !split.token.contains(char::is_whitespace), "{split:?}: {context}");
    }
    let log_of = |split: &Split| split.token.split(':').nth(2).map(str::to_owned);
    for pair in splits.windows(2).filter(|pair| log_of(&pair[0]) == log_of(&pair[1])) {
        assert!(pair[0].last_id < pair[1].first_id, "{pair:?} overlap: {context}");
    }
}
