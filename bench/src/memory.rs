//! Memory of an open writer and an open reader of a large log, each in a process of its own.

use std::path::Path;
use std::process::Command;

use crate::base::{BaseReader, BaseWriter};
use crate::binlog_c::{BatchReader, BinlogWriter, Codec, Mode};
use crate::contender::{write_all, Read, SharedAppend};
use crate::folder::{discard, fresh};
use crate::mcap_peer::{McapReader, McapWriter};
use crate::payload::{Load, Payloads};
use crate::place::proc_bytes;
use crate::raft_engine_peer::{RaftEngineReader, RaftEngineWriter};
use crate::report::Figure;
use crate::sqlite::{SqliteReader, SqliteWriter};
use crate::works::{Amount, BASE};
use crate::{targets, Result};

/// Argument with which the benchmark's own binary becomes such a process.
pub const COMMAND: &str = "measure-memory";

const CONTENDERS: [&str; 8] =
    [BASE, "mcap", "mcap, chunks", "SQLite", "raft-engine", "binlog", "binlog, background", "binlog, zstd, background"];

/// Writes a log of 600-byte records with each contender and reads it again.
pub fn measure(place: &Path, amount: Amount) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    let folder = place.join("memory");
    for contender in CONTENDERS {
        fresh(&folder)?;
        for part in ["writer", "reader"] {
            let growth = in_child(contender, part, &folder, amount.memory_bytes)?;
            figures.push(Figure {
                work: format!("memory of an open {part}"),
                contender: contender.into(),
                value: growth as f64 / f64::from(1 << 20),
                unit: "MiB",
                at_most: contender.starts_with("binlog").then_some(targets::MEMORY),
            });
        }
        discard(&folder)?;
    }
    figures.sort_by(|a, b| b.work.cmp(&a.work)); // stable: the contenders stay in their order
    Ok(figures)
}

fn in_child(contender: &str, part: &str, folder: &Path, bytes: u64) -> Result<u64> {
    let mut child = Command::new(std::env::current_exe()?);
    child.args([COMMAND, contender, part]).arg(folder).arg(bytes.to_string());
    let output = child.output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    said.trim().parse().map_err(|_| {
        let complaint = String::from_utf8_lossy(&output.stderr);
        format!("no measure of the memory of {contender}: {}", complaint.trim()).into()
    })
}

/// The child's main function: prints the maximum by which its resident memory has grown.
pub fn child(arguments: &[String]) -> Result<()> {
    let [contender, part, folder, bytes] = arguments else {
        return Err(format!("{COMMAND} takes a contender, a part, a folder and a number of bytes").into());
    };
    let (folder, load) = (Path::new(folder), Load::of_bytes(Payloads::fixed(600), bytes.parse()?));
    let before = proc_bytes("/proc/self/status", "VmRSS")?;
    let reading = part == "reader";
    match contender.as_str() {
        BASE if reading => read(BaseReader, folder, &load)?,
        BASE => write_all(BaseWriter::create(folder)?, &load)?,
        "mcap" | "mcap, chunks" if reading => read(McapReader, folder, &load)?,
        "mcap" => write_all(McapWriter::create(folder)?, &load)?,
        "mcap, chunks" => write_all(McapWriter::create_chunked(folder, None)?, &load)?,
        "SQLite" if reading => read(SqliteReader, folder, &load)?,
        "SQLite" => write_all(SqliteWriter::create(folder)?, &load)?,
        "raft-engine" if reading => read(RaftEngineReader, folder, &load)?,
        "raft-engine" => {
            let engine = RaftEngineWriter::create(folder, false)?;
            load.iter().try_for_each(|payload| engine.append(payload))?;
        }
        _ if reading => read(BatchReader, folder, &load)?,
        "binlog" => write_all(BinlogWriter::create(folder, Mode::Caller, Codec::None)?, &load)?,
        "binlog, background" => write_all(BinlogWriter::create(folder, Mode::Background, Codec::None)?, &load)?,
        "binlog, zstd, background" => write_all(BinlogWriter::create(folder, Mode::Background, Codec::Zstd1)?, &load)?,
        unknown => return Err(format!("there is no contender {unknown:?}").into()),
    }
    println!("{}", proc_bytes("/proc/self/status", "VmHWM")?.saturating_sub(before));
    Ok(())
}

fn read(reader: impl Read, folder: &Path, load: &Load) -> Result<()> {
    let mut records = 0;
    reader.read(folder, |_| records += 1)?;
    if records != load.records {
        return Err(format!("read {records} records, but written were {}", load.records).into());
    }
    Ok(())
}
