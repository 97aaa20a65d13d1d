//! Many threads append to one log, in memory's time and in the disk's.

use std::path::Path;
use std::rc::Rc;
use std::sync::Mutex;
use std::time::Duration;

use super::{boxed, Amount, Contenders, BASE, RAW, RAW_PREALLOCATED};
use crate::base::{BaseReader, BaseWriter};
use crate::binlog_c::{BatchReader, BinlogAppenders, BinlogWriter, Codec, Durable, Mode, FILL_NEVER};
use crate::busy::Busy;
use crate::contender::{Contender, Read, SharedAppend};
use crate::okaywal_peer::{OkaywalReader, OkaywalWriter};
use crate::payload::{Load, Payloads};
use crate::raft_engine_peer::{RaftEngineReader, RaftEngineWriter};
use crate::raw::{RawDurable, RawFile, RawReader, RawWrite};
use crate::sqlite::{SqliteReader, SqliteWriter};
use crate::timed::{Share, Sharing};
use crate::Result;

const SIZE: usize = 600;
const THREADS: [usize; 3] = [1, 8, 64];

pub fn with_threads(name: &str, threads: usize) -> String {
    format!("{name}, {threads} thread{}", if threads == 1 { "" } else { "s" })
}

pub fn threads(amount: Amount) -> Result<Contenders> {
    let whole = Rc::new(Load::of_bytes(Payloads::fixed(SIZE), amount.append_bytes));
    let mut contenders: Contenders =
        vec![boxed(RawWrite { name: RAW.into(), load: whole.clone(), preallocate: false })];
    for threads in THREADS {
        let share = |part| Load::of_bytes(Payloads::fixed(SIZE), amount.append_bytes / threads as u64 / part);
        // The ratios are to BASE with one thread, the first of its rows.
        let base = |folder: &Path| Ok(Mutex::new(BaseWriter::create(folder)?));
        let name = if threads == 1 { BASE.into() } else { with_threads("BASE in a lock", threads) };
        contenders.push(sharing(name, threads, Share::Load(share(1).into()), base, BaseReader));
        let engine = |folder: &Path| RaftEngineWriter::create(folder, false);
        let name = with_threads("raft-engine", threads);
        contenders.push(sharing(name, threads, Share::Load(share(8).into()), engine, RaftEngineReader));
        for (name, mode) in [("binlog", Mode::Caller), ("binlog, background", Mode::Background)] {
            let create = move |folder: &Path| BinlogWriter::create(folder, mode, Codec::None);
            let name = with_threads(name, threads);
            contenders.push(sharing(name, threads, Share::Load(share(1).into()), create, BatchReader));
        }
        let create = |folder: &Path| Ok(BinlogAppenders(BinlogWriter::create(folder, Mode::Background, Codec::None)?));
        let name = with_threads("binlog, appenders, background", threads);
        contenders.push(sharing(name, threads, Share::Load(share(1).into()), create, BatchReader));
    }
    Ok(contenders)
}

pub fn durable(amount: Amount) -> Result<Contenders> {
    let share = || in_time(amount.durable_time);
    let raw = |preallocate| move |folder: &Path| Ok(Mutex::new(RawDurable(RawFile::create(folder, preallocate)?)));
    let mut contenders = vec![
        sharing(RAW.into(), 1, share(), raw(false), RawReader { size: SIZE }),
        sharing(RAW_PREALLOCATED.into(), 1, share(), raw(true), RawReader { size: SIZE }),
    ];
    for threads in THREADS {
        let named = |name| with_threads(name, threads);
        let engine = |folder: &Path| RaftEngineWriter::create(folder, true);
        contenders.push(sharing(named("raft-engine"), threads, share(), engine, RaftEngineReader));
        let sqlite = |folder: &Path| Ok(Mutex::new(SqliteWriter::create_durable(folder)?));
        contenders.push(sharing(named("SQLite"), threads, share(), sqlite, SqliteReader));
        contenders.push(sharing(named("okaywal"), threads, share(), OkaywalWriter::create, OkaywalReader));
        for (name, mode, fill_ahead) in [
            ("binlog", Mode::Caller, 0),
            ("binlog, background", Mode::Background, 0),
            ("binlog, nothing filled ahead", Mode::Caller, FILL_NEVER),
        ] {
            let create = move |folder: &Path| Durable::create(folder, mode, fill_ahead);
            contenders.push(sharing(named(name), threads, share(), create, BatchReader));
        }
    }
    Ok(contenders)
}

/// The same where the processors have something else to do: threads that wait for one another get them late.
pub fn durable_beside_busy(amount: Amount) -> Result<Contenders> {
    let share = || in_time(amount.durable_time);
    let raw = |folder: &Path| Busy::beside(Mutex::new(RawDurable(RawFile::create(folder, false)?)));
    let mut contenders = vec![sharing(RAW.into(), 1, share(), raw, RawReader { size: SIZE })];
    for threads in THREADS {
        let named = |name| with_threads(name, threads);
        let engine = |folder: &Path| Busy::beside(RaftEngineWriter::create(folder, true)?);
        contenders.push(sharing(named("raft-engine"), threads, share(), engine, RaftEngineReader));
        let sqlite = |folder: &Path| Busy::beside(Mutex::new(SqliteWriter::create_durable(folder)?));
        contenders.push(sharing(named("SQLite"), threads, share(), sqlite, SqliteReader));
        let okaywal = |folder: &Path| Busy::beside(OkaywalWriter::create(folder)?);
        contenders.push(sharing(named("okaywal"), threads, share(), okaywal, OkaywalReader));
        for (name, mode) in [("binlog", Mode::Caller), ("binlog, background", Mode::Background)] {
            let create = move |folder: &Path| Busy::beside(Durable::create(folder, mode, 0)?);
            contenders.push(sharing(named(name), threads, share(), create, BatchReader));
        }
    }
    Ok(contenders)
}

fn in_time(limit: Duration) -> Share {
    Share::Time(Rc::new(Load { payloads: Payloads::fixed(SIZE), records: 1 }), limit)
}

fn sharing<W: SharedAppend + 'static>(
    name: String,
    threads: usize,
    share: Share,
    create: impl Fn(&Path) -> Result<W> + 'static,
    reader: impl Read + 'static,
) -> Box<dyn Contender> {
    boxed(Sharing { name, threads, share, create, reader })
}
