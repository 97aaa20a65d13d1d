//! Bytes on disk over the payload.

use std::fs;
use std::path::Path;

use mcap::Compression;

use crate::base::BaseWriter;
use crate::binlog_c::{BinlogWriter, Codec, Mode};
use crate::contender::{write_all, Append, SharedAppend};
use crate::folder::{discard, fresh};
use crate::mcap_peer::McapWriter;
use crate::payload::{Load, Payloads};
use crate::raft_engine_peer::RaftEngineWriter;
use crate::report::Figure;
use crate::sqlite::SqliteWriter;
use crate::works::{Amount, BASE};
use crate::{targets, Result};

/// A quarter of a pass is enough to measure the size of a record.
const PART: u64 = 4;

pub fn measure(place: &Path, amount: Amount) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for (size, at_most) in [(600, targets::OVERHEAD_600), (100, targets::OVERHEAD_100)] {
        let load = Load::of_bytes(Payloads::fixed(size), amount.append_bytes / PART);
        let work = format!("on disk over a payload of {size} B");
        for (contender, bytes) in closed_logs(place, &load)? {
            let value = (bytes as f64 - load.bytes() as f64) / load.records as f64;
            let at_most = contender.starts_with("binlog").then_some(at_most);
            figures.push(Figure { work: work.clone(), contender: contender.into(), value, unit: "B", at_most });
        }
    }
    let load = Load::of_bytes(Payloads::notifications().0, amount.append_bytes / PART);
    for (contender, bytes) in compressed_logs(place, &load)? {
        let value = 100.0 * bytes as f64 / load.bytes() as f64;
        let work = "JSON on disk, of its size".into();
        figures.push(Figure { work, contender: contender.into(), value, unit: "%", at_most: None });
    }
    Ok(figures)
}

type Sizes = Vec<(&'static str, u64)>;

fn closed_logs(place: &Path, load: &Load) -> Result<Sizes> {
    let engine = |folder: &Path| {
        let engine = RaftEngineWriter::create(folder, false)?;
        load.iter().try_for_each(|payload| engine.append(payload))?;
        engine.close()
    };
    Ok(vec![
        (BASE, closed_log(place, load, BaseWriter::create)?),
        ("mcap", closed_log(place, load, McapWriter::create)?),
        ("mcap, chunks", closed_log(place, load, |folder| McapWriter::create_chunked(folder, None))?),
        ("SQLite", closed_log(place, load, SqliteWriter::create)?),
        ("raft-engine", size_after(place, engine)?),
        ("binlog", closed_log(place, load, |folder| BinlogWriter::create(folder, Mode::Caller, Codec::None))?),
    ])
}

fn compressed_logs(place: &Path, load: &Load) -> Result<Sizes> {
    let mcap = |codec| closed_log(place, load, |folder| McapWriter::create_chunked(folder, Some(codec)));
    let binlog = |codec| closed_log(place, load, |folder| BinlogWriter::create(folder, Mode::Caller, codec));
    Ok(vec![
        ("mcap, lz4", mcap(Compression::Lz4)?),
        ("mcap, zstd", mcap(Compression::Zstd)?),
        ("binlog, lz4", binlog(Codec::Lz4)?),
        ("binlog, zstd", binlog(Codec::Zstd1)?),
    ])
}

fn closed_log<W: Append>(place: &Path, load: &Load, create: impl FnOnce(&Path) -> Result<W>) -> Result<u64> {
    size_after(place, |folder| write_all(create(folder)?, load))
}

/// All the bytes in the files of a folder that `write` has filled.
fn size_after(place: &Path, write: impl FnOnce(&Path) -> Result<()>) -> Result<u64> {
    let folder = place.join("size");
    write(fresh(&folder)?)?;
    let mut bytes = 0;
    for entry in fs::read_dir(&folder)? {
        bytes += entry?.metadata()?.len();
    }
    discard(&folder)?;
    Ok(bytes)
}
