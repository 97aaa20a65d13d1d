//! Every contender must return all records and check its checksums; otherwise its numbers mean nothing.

use std::fs;
use std::path::Path;

use mcap::Compression;

use crate::base::{self, BaseReader, BaseWriter};
use crate::base_rolling::{RollingBase, RollingBaseReader};
use crate::binlog_c::{self, BatchReader, BinlogWriter, Codec, Durable, Mode, NextReader};
use crate::contender::{Append, Read, SharedAppend};
use crate::mcap_peer::{McapReader, McapWriter};
use crate::okaywal_peer::{OkaywalReader, OkaywalWriter};
use crate::raft_engine_peer::{RaftEngineReader, RaftEngineWriter};
use crate::sqlite::{SqliteReader, SqliteWriter};
use crate::tracing_peer::TracingWriter;
use crate::Result;

/// Lengths below, at and above the buffers' sizes, and different bytes for each record.
fn payloads() -> Vec<Vec<u8>> {
    let lengths = [600, 1, 0, 100, 65_536, 200_000, 4_096, 17].into_iter().cycle();
    lengths.take(200).enumerate().map(|(index, len)| vec![index as u8; len]).collect()
}

fn read(folder: &Path, reader: &impl Read) -> Result<Vec<Vec<u8>>> {
    let mut found = Vec::new();
    reader.read(folder, |payload| found.push(payload.to_vec()))?;
    Ok(found)
}

type ReadAll<'a> = &'a dyn Fn(&Path) -> Result<Vec<Vec<u8>>>;

fn returns_what_was_appended<W: Append>(create: impl Fn(&Path) -> Result<W>, readers: &[ReadAll]) -> Result<()> {
    let payloads = payloads();
    let folder = tempfile::tempdir()?;
    let mut writer = create(folder.path())?;
    for payload in &payloads[..100] {
        writer.append(payload)?;
    }
    for batch in payloads[100..150].chunks(7) {
        writer.append_batch(&batch.iter().map(Vec::as_slice).collect::<Vec<_>>())?;
    }
    for payload in &payloads[150..] {
        let (first, second) = payload.split_at(payload.len() / 2);
        writer.gather(&[first, second])?;
    }
    writer.flush()?;
    writer.close()?;
    for reader in readers {
        assert!(reader(folder.path())? == payloads, "other payloads came back");
    }
    Ok(())
}

fn returns_what_was_shared<W: SharedAppend>(create: impl Fn(&Path) -> Result<W>, reader: impl Read) -> Result<()> {
    let payloads = payloads();
    let folder = tempfile::tempdir()?;
    let writer = create(folder.path())?;
    payloads.iter().try_for_each(|payload| writer.append(payload))?;
    writer.flush()?;
    writer.close()?;
    assert!(read(folder.path(), &reader)? == payloads, "other payloads came back");
    Ok(())
}

#[test]
fn base_returns_what_was_appended() -> Result<()> {
    returns_what_was_appended(BaseWriter::create, &[&|folder| read(folder, &BaseReader)])?;
    let rolling = |folder: &Path| RollingBase::create(folder, 300_000);
    returns_what_was_appended(rolling, &[&|folder| read(folder, &RollingBaseReader)])
}

#[test]
fn tracing_appender_returns_what_was_appended() -> Result<()> {
    returns_what_was_appended(TracingWriter::create, &[&|folder| read(folder, &BaseReader)])
}

#[test]
fn mcap_returns_what_was_appended() -> Result<()> {
    let reader = |folder: &Path| read(folder, &McapReader);
    returns_what_was_appended(McapWriter::create, &[&reader])?;
    returns_what_was_appended(McapWriter::create_zstd_alone, &[&reader])?;
    for codec in [None, Some(Compression::Lz4), Some(Compression::Zstd)] {
        returns_what_was_appended(|folder| McapWriter::create_chunked(folder, codec), &[&reader])?;
    }
    Ok(())
}

#[test]
fn sqlite_returns_what_was_appended() -> Result<()> {
    let reader = |folder: &Path| read(folder, &SqliteReader);
    returns_what_was_appended(SqliteWriter::create, &[&reader])?;
    returns_what_was_appended(SqliteWriter::create_durable, &[&reader])
}

#[test]
fn raft_engine_returns_what_was_appended() -> Result<()> {
    returns_what_was_shared(|folder| RaftEngineWriter::create(folder, false), RaftEngineReader)?;
    returns_what_was_shared(|folder| RaftEngineWriter::create(folder, true), RaftEngineReader)
}

#[test]
fn okaywal_returns_what_was_appended() -> Result<()> {
    returns_what_was_shared(OkaywalWriter::create, OkaywalReader)
}

#[test]
fn binlog_returns_what_was_appended() -> Result<()> {
    let readers: [ReadAll; 2] = [&|folder| read(folder, &BatchReader), &|folder| read(folder, &NextReader)];
    for mode in [Mode::Caller, Mode::Background] {
        for codec in [Codec::None, Codec::Lz4, Codec::Zstd1] {
            returns_what_was_appended(|folder| BinlogWriter::create(folder, mode, codec), &readers)?;
        }
        let durable = |folder: &Path| Durable::create(folder, mode, 0);
        returns_what_was_shared(durable, BatchReader)?;
    }
    Ok(())
}

#[test]
fn headers_alone_say_every_length() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (base, binlog) = (folder.path().join("base"), folder.path().join("binlog"));
    fs::create_dir(&base)?;
    fs::create_dir(&binlog)?;
    let lengths: Vec<u64> = payloads().iter().map(|payload| payload.len() as u64).collect();
    let mut writer = BaseWriter::create(&base)?;
    payloads().iter().try_for_each(|payload| writer.append(payload))?;
    writer.close()?;
    let mut found = Vec::new();
    base::read_headers(&base, |len| found.push(len))?;
    assert_eq!(found, lengths);

    let mut writer = BinlogWriter::create(&binlog, Mode::Caller, Codec::None)?;
    payloads().iter().try_for_each(|payload| Append::append(&mut writer, payload))?;
    Append::close(writer)?;
    let mut found = Vec::new();
    binlog_c::read_headers(&binlog, |len| found.push(len))?;
    assert_eq!(found, lengths);
    Ok(())
}

/// Flips one bit of the payloads in the middle of the largest file.
fn damage(folder: &Path) -> Result<()> {
    let files = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    let largest = files.into_iter().max_by_key(|file| file.metadata().map_or(0, |data| data.len()));
    let file = largest.ok_or("no files")?;
    let mut bytes = fs::read(&file)?;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    Ok(fs::write(file, bytes)?)
}

fn notices_damage<W: Append>(create: impl Fn(&Path) -> Result<W>, reader: impl Read) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut writer = create(folder.path())?;
    (0..1_000).try_for_each(|_| writer.append(&[7; 600]))?;
    writer.close()?;
    assert_eq!(read(folder.path(), &reader)?.len(), 1_000);
    damage(folder.path())?;
    let whole = read(folder.path(), &reader).is_ok_and(|found| found.len() == 1_000);
    assert!(!whole, "a flipped bit was not noticed");
    Ok(())
}

#[test]
fn readers_verify_checksums() -> Result<()> {
    notices_damage(BaseWriter::create, BaseReader)?;
    notices_damage(|folder| RollingBase::create(folder, 200_000), RollingBaseReader)?;
    notices_damage(McapWriter::create, McapReader)?;
    notices_damage(|folder| McapWriter::create_chunked(folder, None), McapReader)?;
    notices_damage(|folder| BinlogWriter::create(folder, Mode::Caller, Codec::None), BatchReader)
}
