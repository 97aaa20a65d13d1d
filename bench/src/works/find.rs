//! Searches in a log of many types: all records of one type, one by its id, one by its time.

use std::path::Path;
use std::rc::Rc;

use super::{Amount, Contenders, SQLITE, SQLITE_MAPPED};
use crate::binlog_c::{self, BinlogWriter, ByIndex, Codec, Mode};
use crate::blocks;
use crate::crash::ONE_SEGMENT;
use crate::mcap_index::{self, ChannelWriter};
use crate::sqlite_index::{self, ByRow, Cache, IndexedWriter};
use crate::task::{finding, reading_rare, By, Make};
use crate::typed::{TypedLoad, RARE};
use crate::Result;

const SIZE: usize = 600;
const CACHES: [(&str, Cache); 2] = [(SQLITE, Cache::Pages), (SQLITE_MAPPED, Cache::Mapped)];

pub fn one_type(amount: Amount) -> Result<Contenders> {
    let load = Rc::new(TypedLoad::of_bytes(SIZE, amount.log_bytes));
    let mut contenders = Contenders::new();
    for (name, cache) in CACHES {
        let read =
            move |folder: &Path, visit: &mut dyn FnMut(u64, &[u8])| sqlite_index::read_type(folder, cache, RARE, visit);
        contenders.push(reading_rare(name, "sqlite", &load, sqlite(&load), read));
    }
    let read = |folder: &Path, visit: &mut dyn FnMut(u64, &[u8])| mcap_index::read_type(folder, RARE, visit);
    contenders.push(reading_rare("mcap, chunks", "mcap", &load, mcap(&load), read));
    let read = |folder: &Path, visit: &mut dyn FnMut(u64, &[u8])| binlog_c::read_type(folder, RARE, visit);
    contenders.push(reading_rare("binlog, no index", "binlog-unindexed", &load, unindexed_binlog(&load), read));
    contenders.push(reading_rare("binlog", "binlog", &load, binlog(&load), read));
    Ok(contenders)
}

pub fn by_id(amount: Amount) -> Result<Contenders> {
    single(amount, By::Id)
}

pub fn by_time(amount: Amount) -> Result<Contenders> {
    single(amount, By::Time)
}

fn single(amount: Amount, by: By) -> Result<Contenders> {
    let load = Rc::new(TypedLoad::of_bytes(SIZE, amount.log_bytes));
    let mut contenders = Contenders::new();
    for (name, cache) in CACHES {
        let open = move |folder: &Path| ByRow::open(folder, cache);
        contenders.push(finding(name, "sqlite", &load, by, sqlite(&load), open));
    }
    contenders.push(finding("binlog", "binlog", &load, by, binlog(&load), ByIndex::open));
    Ok(contenders)
}

fn sqlite(load: &Rc<TypedLoad>) -> Make {
    let load = load.clone();
    Box::new(move |folder| load.write(IndexedWriter::create(folder)?))
}

fn mcap(load: &Rc<TypedLoad>) -> Make {
    let load = load.clone();
    Box::new(move |folder| load.write(ChannelWriter::create(folder)?))
}

fn binlog(load: &Rc<TypedLoad>) -> Make {
    let load = load.clone();
    Box::new(move |folder| load.write(BinlogWriter::create(folder, Mode::Caller, Codec::None)?))
}

/// A log in one segment that has no usable index and was never closed.
pub fn unindexed_binlog(load: &Rc<TypedLoad>) -> Make {
    let load = load.clone();
    Box::new(move |folder| {
        load.write(BinlogWriter::open(folder, Mode::Caller, Codec::None, ONE_SEGMENT)?)?;
        blocks::lose_index(&blocks::only_segment(folder)?)
    })
}
