//! How long the slowest appends take while the log rolls, and how soon a reader sees what was flushed.

use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use super::{boxed, Amount, Contenders, BASE, SCHEDULE};
use crate::base::{BaseReader, BaseWriter};
use crate::base_rolling::{RollingBase, RollingBaseReader};
use crate::binlog_c::{BatchReader, BinlogAppender, BinlogWriter, Codec, Layout, Mode, TickedWriter};
use crate::contender::{Append, Contender, Needing, Read};
use crate::crash::ONE_SEGMENT;
use crate::paced::{Idle, Nothing, Paced, PACE};
use crate::payload::{Load, Payloads};
use crate::shipping::{Beside, Shipped};
use crate::tail::Tailing;
use crate::Result;

const SIZE: usize = 600;
/// Bytes of a segment: a roll each quarter of a second.
const SEGMENT: u64 = 15_000_000;

/// The latencies of a thread without a log that shares the processors with a writer, a shipper and a server.
pub const BESIDE: &str = "the schedule alone, another log shipped";

pub const APPENDER: &str = "binlog, appender, background";

const MODES: [(&str, Mode); 2] = [("binlog", Mode::Caller), ("binlog, background", Mode::Background)];

pub fn rolls(amount: Amount) -> Result<Contenders> {
    let bytes = amount.rolls * SEGMENT + SEGMENT / 2;
    let load = Rc::new(Load::of_bytes(Payloads::fixed(SIZE), bytes));
    let files = 1 + amount.rolls as usize;
    let base = |folder: &Path| RollingBase::create(folder, SEGMENT);
    let mut contenders = vec![
        boxed(Idle::new(SCHEDULE, &load, PACE, |_| Ok(Nothing))),
        paced(BASE, &load, files, base, RollingBaseReader),
    ];
    let layouts = |name: &str| {
        let rolling = Layout { segment_bytes: SEGMENT, ..Layout::default() };
        [(name.to_owned(), rolling, files), (format!("{name}, no rolls"), ONE_SEGMENT, 1)]
    };
    for (name, layout, files) in layouts("binlog, ticked") {
        let create = move |folder: &Path| {
            let writer = BinlogWriter::open(folder, Mode::Caller, Codec::None, layout)?;
            Ok(TickedWriter::new(writer))
        };
        contenders.push(paced(&name, &load, files, create, BatchReader));
    }
    for (name, mode) in MODES {
        for (name, layout, files) in layouts(name) {
            let create = move |folder: &Path| BinlogWriter::open(folder, mode, Codec::None, layout);
            contenders.push(paced(&name, &load, files, create, BatchReader));
        }
    }
    Ok(contenders)
}

fn paced<W: Append + 'static>(
    name: &str,
    load: &Rc<Load>,
    files: usize,
    create: impl Fn(&Path) -> Result<W> + 'static,
    reader: impl Read + 'static,
) -> Box<dyn Contender> {
    boxed(Paced { name: name.into(), load: load.clone(), pace: PACE, files, create, reader })
}

/// Small records, a million a second, and no rolls.
pub fn fast(amount: Amount) -> Result<Contenders> {
    const PACE: Duration = Duration::from_micros(1);
    // Three seconds, with the default of 50 rolls.
    let load = Rc::new(Load { payloads: Payloads::fixed(100), records: 60_000 * amount.rolls });
    let idle = Idle::new(SCHEDULE, &load, PACE, |_| Ok(Nothing));
    let base = |folder: &Path| BaseWriter::create(folder);
    let writer = |folder: &Path| BinlogWriter::open(folder, Mode::Background, Codec::None, ONE_SEGMENT);
    let appender = |folder: &Path| BinlogAppender::create(folder, Mode::Background);
    let (files, pace) = (1, PACE);
    Ok(vec![
        boxed(idle),
        boxed(Paced { name: BASE.into(), load: load.clone(), pace, files, create: base, reader: BaseReader }),
        boxed(Paced {
            name: "binlog, background".into(),
            load: load.clone(),
            pace,
            files,
            create: writer,
            reader: BatchReader,
        }),
        boxed(Paced { name: APPENDER.into(), load, pace, files, create: appender, reader: BatchReader }),
    ])
}

/// Appends over rolls, with a process beside it that ships each closed segment to an S3 server on this machine.
pub fn shipping(amount: Amount) -> Result<Contenders> {
    let bytes = amount.rolls * SEGMENT + SEGMENT / 2;
    let load = Rc::new(Load::of_bytes(Payloads::fixed(SIZE), bytes));
    let files = 1 + amount.rolls as usize;
    let layout = Layout { segment_bytes: SEGMENT, ..Layout::default() };
    let alone = move |folder: &Path| BinlogWriter::open(folder, Mode::Background, Codec::None, layout);
    let shipped = move |folder: &Path| Shipped::open(folder, layout);
    let beside = move |folder: &Path| Beside::start(folder.to_owned(), layout, Payloads::fixed(SIZE), PACE);
    let needing = |contender| boxed(Needing { contender, missing: crate::shipping::missing });
    Ok(vec![
        boxed(Idle::new(SCHEDULE, &load, PACE, |_| Ok(Nothing))),
        paced("binlog, background", &load, files, alone, BatchReader),
        needing(boxed(Idle::new(BESIDE, &load, PACE, beside))),
        needing(paced("binlog, background, shipped", &load, files, shipped, BatchReader)),
    ])
}

pub fn tail(amount: Amount) -> Result<Contenders> {
    let records = amount.tailed_records;
    Ok(MODES.map(|(name, mode)| boxed(Tailing { name: name.into(), mode, records })).into())
}
