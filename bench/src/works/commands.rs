//! Commands that read every segment of a log: their time must grow in proportion to the number of segments.

use std::path::Path;
use std::process::Stdio;
use std::rc::Rc;

use super::{boxed, Amount, Contenders, FULL_READ};
use crate::binlog_c::{BatchReader, BinlogWriter, Codec, Mode};
use crate::contender::{Contender, Read};
use crate::shipping::command;
use crate::task::{once, Make, Task};
use crate::typed::{AppendTyped, TypedLoad};
use crate::Result;

const SIZE: usize = 100;
/// Records of a segment.
const RECORDS: u64 = 100;

/// The commands, and the part of the segments that they read: all, a half, a quarter.
const ASKED: [(&str, [&str; 3]); 3] = [
    ("ls", ["binlog ls", "binlog ls, half", "binlog ls, a quarter"]),
    ("info", ["binlog info", "binlog info, half", "binlog info, a quarter"]),
    ("verify", ["binlog verify", "binlog verify, half", "binlog verify, a quarter"]),
];
const LOGS: [&str; 3] = ["all", "half", "quarter"];

pub fn segments(amount: Amount) -> Result<Contenders> {
    let load = Rc::new(TypedLoad::of_bytes(SIZE, 0));
    let sizes = [amount.segments, amount.segments / 2, amount.segments / 4];
    let mut contenders = vec![full_read(LOGS[0], &load, sizes[0])];
    for (asked, names) in ASKED {
        for ((name, log), segments) in names.into_iter().zip(LOGS).zip(sizes) {
            contenders.push(asking(name, asked, log, rolled(&load, segments)));
        }
    }
    Ok(contenders)
}

pub fn info(amount: Amount) -> Result<Contenders> {
    let load = Rc::new(TypedLoad::of_bytes(SIZE, amount.log_bytes));
    let whole = |load: &Rc<TypedLoad>| -> Make {
        let load = load.clone();
        Box::new(move |folder| load.write(BinlogWriter::create(folder, Mode::Caller, Codec::None)?))
    };
    let bytes = load.bytes();
    let read = move |folder: &Path, _: bool| once(bytes, || BatchReader.read(folder, |_| ()));
    let full_read = Task { name: FULL_READ.into(), log: "one", make: whole(&load), run: Box::new(read) };
    Ok(vec![boxed(full_read), asking("binlog info", "info", "one", whole(&load))])
}

/// A log of so many segments.
fn rolled(load: &Rc<TypedLoad>, segments: u64) -> Make {
    let load = load.clone();
    Box::new(move |folder| {
        let mut writer = BinlogWriter::create(folder, Mode::Caller, Codec::None)?;
        for id in 1..=segments * RECORDS {
            writer.append_typed(&load.record(id))?;
            if id % RECORDS == 0 && id < segments * RECORDS {
                writer.roll()?;
            }
        }
        writer.finish()
    })
}

fn full_read(log: &'static str, load: &Rc<TypedLoad>, segments: u64) -> Box<dyn Contender> {
    let bytes = segments * RECORDS * SIZE as u64;
    let run = move |folder: &Path, _: bool| {
        let mut records = 0;
        let sample = once(bytes, || BatchReader.read(folder, |_| records += 1))?;
        match records == segments * RECORDS {
            true => Ok(sample),
            false => Err(format!("{records} records of {}", segments * RECORDS).into()),
        }
    };
    boxed(Task { name: FULL_READ.into(), log, make: rolled(load, segments), run: Box::new(run) })
}

fn asking(name: &str, asked: &'static str, log: &'static str, make: Make) -> Box<dyn Contender> {
    let run = move |folder: &Path, _: bool| {
        once(0, || {
            let mut command = command();
            let status = command.arg(asked).arg(folder).stdin(Stdio::null()).stdout(Stdio::null()).status()?;
            match status.success() {
                true => Ok(()),
                false => Err(format!("binlog {asked}: {status}").into()),
            }
        })
    };
    boxed(Task { name: name.into(), log, make, run: Box::new(run) })
}
