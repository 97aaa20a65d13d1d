//! One thread appends; the clock stops when everything has been passed to the system.

use std::path::Path;
use std::rc::Rc;

use super::{boxed, Amount, Contenders, BASE, RAW, RAW_PREALLOCATED};
use crate::base::{BaseReader, BaseWriter};
use crate::binlog_c::{BatchReader, BinlogAppender, BinlogWriter, Codec, Mode};
use crate::contender::{Append, Contender, Read};
use crate::loggers::{Logger, Logging};
use crate::mcap_peer::{McapReader, McapWriter};
use crate::payload::{Load, Payloads};
use crate::raft_engine_peer::{RaftEngineReader, RaftEngineWriter};
use crate::raw::RawWrite;
use crate::sqlite::{SqliteReader, SqliteWriter};
use crate::timed::{Appending, How, Share, Sharing};
use crate::tracing_peer::TracingWriter;
use crate::Result;

/// Contenders that take several times as long get so much less to do; rates are compared.
const SLOW: u64 = 8;

pub fn one_by_one(size: usize, amount: Amount) -> Result<Contenders> {
    let load = Rc::new(Load::of_bytes(Payloads::fixed(size), amount.append_bytes));
    let small = Rc::new(Load::of_bytes(Payloads::fixed(size), amount.append_bytes / SLOW));
    let mut contenders = common(&load, How::OneByOne);
    contenders.push(appending("SQLite, batches of 1,000", &small, How::OneByOne, SqliteWriter::create, SqliteReader));
    contenders.push(boxed(Sharing {
        name: "raft-engine".into(),
        threads: 1,
        share: Share::Load(small),
        create: |folder: &Path| RaftEngineWriter::create(folder, false),
        reader: RaftEngineReader,
    }));
    contenders.extend(binlog(&load, "", How::OneByOne));
    for (name, mode) in [("binlog, appender", Mode::Caller), ("binlog, appender, background", Mode::Background)] {
        let create = move |folder: &Path| BinlogAppender::create(folder, mode);
        contenders.push(appending(name, &load, How::OneByOne, create, BatchReader));
    }
    Ok(contenders)
}

/// Besides, what programs log with when an append must not wait for the file.
pub fn beside_loggers(size: usize, amount: Amount) -> Result<Contenders> {
    let load = Rc::new(Load::of_bytes(Payloads::fixed(size), amount.append_bytes));
    let text = |bytes| Rc::new(Load::of_bytes(Payloads::text(size), bytes));
    let mut contenders = one_by_one(size, amount)?;
    contenders.push(appending("tracing-appender", &load, How::OneByOne, TracingWriter::create, BaseReader));
    contenders.push(boxed(Logging { logger: Logger::FastLog, size, load: text(amount.append_bytes / SLOW) }));
    contenders.push(boxed(Logging { logger: Logger::Inqjet, size, load: text(amount.append_bytes) }));
    Ok(contenders)
}

pub fn small(amount: Amount) -> Result<Contenders> {
    let load = Rc::new(Load::of_bytes(Payloads::fixed(100), amount.append_bytes));
    let mut contenders = beside_loggers(100, amount)?;
    contenders.extend(binlog(&load, ", batches of 100", How::Batches(100)));
    Ok(contenders)
}

pub fn gather(amount: Amount) -> Result<Contenders> {
    let load = Rc::new(Load::of_bytes(Payloads::fixed(1 << 20), amount.append_bytes));
    let mut contenders = common(&load, How::ThreeParts);
    contenders.extend(binlog(&load, "", How::ThreeParts));
    Ok(contenders)
}

/// The contenders in all works of appending.
fn common(load: &Rc<Load>, how: How) -> Contenders {
    let chunked = |folder: &Path| McapWriter::create_chunked(folder, None);
    vec![
        boxed(RawWrite { name: RAW.into(), load: load.clone(), preallocate: false }),
        boxed(RawWrite { name: RAW_PREALLOCATED.into(), load: load.clone(), preallocate: true }),
        appending(BASE, load, how, BaseWriter::create, BaseReader),
        appending("mcap", load, how, McapWriter::create, McapReader),
        appending("mcap, chunks", load, how, chunked, McapReader),
    ]
}

fn binlog(load: &Rc<Load>, suffix: &str, how: How) -> Contenders {
    let in_mode = |name: &str, mode| {
        let create = move |folder: &Path| BinlogWriter::create(folder, mode, Codec::None);
        appending(&format!("{name}{suffix}"), load, how, create, BatchReader)
    };
    vec![in_mode("binlog", Mode::Caller), in_mode("binlog, background", Mode::Background)]
}

pub fn appending<W: Append + 'static>(
    name: &str,
    load: &Rc<Load>,
    how: How,
    create: impl Fn(&Path) -> Result<W> + 'static,
    reader: impl Read + 'static,
) -> Box<dyn Contender> {
    boxed(Appending { name: name.into(), load: load.clone(), how, create, reader })
}
