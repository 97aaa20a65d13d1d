//! One thread reads a whole log from the page cache.

use std::path::Path;
use std::rc::Rc;

use super::{boxed, Amount, Contenders, BASE, RAW};
use crate::base::{self, BaseReader, BaseWriter};
use crate::binlog_c::{self, BatchReader, BinlogWriter, Codec, Mode, NextReader};
use crate::contender::{write_all, Append, Contender, Read, SharedAppend, Tally};
use crate::mcap_peer::{McapReader, McapWriter};
use crate::payload::{Load, Payloads};
use crate::raft_engine_peer::{RaftEngineReader, RaftEngineWriter};
use crate::raw;
use crate::sqlite::{SqliteReader, SqliteWriter};
use crate::timed::Reading;
use crate::Result;

/// As in the works of appending.
const SLOW: u64 = 8;

pub fn everything(size: usize, amount: Amount) -> Result<Contenders> {
    let load = Rc::new(Load::of_bytes(Payloads::fixed(size), amount.read_bytes));
    let small = Rc::new(Load::of_bytes(Payloads::fixed(size), amount.read_bytes / SLOW));
    let chunked = |folder: &Path| McapWriter::create_chunked(folder, None);
    Ok(vec![
        raw_read(&load),
        reading(BASE, "base", &load, BaseWriter::create, BaseReader),
        reading("mcap", "mcap", &load, McapWriter::create, McapReader),
        reading("mcap, chunks", "mcap-chunks", &load, chunked, McapReader),
        reading("SQLite", "sqlite", &small, SqliteWriter::create, SqliteReader),
        raft_engine(&small),
        reading("binlog", "binlog", &load, plain_binlog, BatchReader),
        reading("binlog, a call each", "binlog", &load, plain_binlog, NextReader),
    ])
}

pub fn headers(size: usize, amount: Amount) -> Result<Contenders> {
    let load = Rc::new(Load::of_bytes(Payloads::fixed(size), amount.read_bytes));
    Ok(vec![
        raw_read(&load),
        reading(BASE, "base", &load, BaseWriter::create, BaseReader),
        boxed(Reading {
            name: "BASE, headers only".into(),
            load: load.clone(),
            log: "base".into(),
            write: Box::new(|folder, load| write_all(BaseWriter::create(folder)?, load)),
            read: Box::new(|folder, tally| base::read_headers(folder, |len| tally.add_len(len))),
        }),
        reading("binlog", "binlog", &load, plain_binlog, BatchReader),
        boxed(Reading {
            name: "binlog, headers only".into(),
            load,
            log: "binlog".into(),
            write: Box::new(|folder, load| write_all(plain_binlog(folder)?, load)),
            read: Box::new(|folder, tally| binlog_c::read_headers(folder, |len| tally.add_len(len))),
        }),
    ])
}

fn plain_binlog(folder: &Path) -> Result<BinlogWriter> {
    BinlogWriter::create(folder, Mode::Caller, Codec::None)
}

pub fn raw_read(load: &Rc<Load>) -> Box<dyn Contender> {
    let records = load.records;
    boxed(Reading {
        name: RAW.into(),
        load: load.clone(),
        log: "raw".into(),
        write: Box::new(raw::write_load),
        read: Box::new(move |folder, tally| raw::read_pieces(folder, records, tally)),
    })
}

pub fn reading<W: Append + 'static>(
    name: &str,
    log: &str,
    load: &Rc<Load>,
    create: impl Fn(&Path) -> Result<W> + 'static,
    reader: impl Read + 'static,
) -> Box<dyn Contender> {
    boxed(Reading {
        name: name.into(),
        load: load.clone(),
        log: log.into(),
        write: Box::new(move |folder, load| write_all(create(folder)?, load)),
        read: Box::new(move |folder: &Path, tally: &mut Tally| reader.read(folder, |payload| tally.add(payload))),
    })
}

fn raft_engine(load: &Rc<Load>) -> Box<dyn Contender> {
    boxed(Reading {
        name: "raft-engine".into(),
        load: load.clone(),
        log: "raft-engine".into(),
        write: Box::new(|folder, load| {
            let engine = RaftEngineWriter::create(folder, false)?;
            load.iter().try_for_each(|payload| engine.append(payload))
        }),
        read: Box::new(|folder, tally| RaftEngineReader.read(folder, |payload| tally.add(payload))),
    })
}
