//! Segments of a later minor version than the library writes, and compressed ones: they are read, and stay as they are. And
//! segments with preallocated space after their blocks, as a later writer may leave them.

#![cfg(all(feature = "lz4", feature = "zstd"))]

use std::fs;
use std::path::Path;
use std::sync::Arc;

use crate::common::layout::{u32_at, u64_at};
use crate::common::*;
use binlog::io::MemoryDirectory;
use binlog::rolling::RollOptions;
use binlog::{Kind, Location, Reader, ReaderOptions, TailState, Writer, WriterOptions};

/// The name of the golden file as the first segment of its log.
const FIRST: &str = "gölden.0000000001.binlog";
/// A TRAILER.
const TRAILER: usize = 104;

fn newer() -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/minor_version.binlog")).unwrap()
}

fn options() -> WriterOptions {
    WriterOptions { name: "gölden".into(), ..WriterOptions::default() }
}

fn log_of(bytes: &[u8]) -> MemoryDirectory {
    let directory = MemoryDirectory::new();
    directory.set_contents(FIRST, bytes.to_vec());
    directory
}

fn reader(directory: &MemoryDirectory) -> Reader {
    Reader::open(Arc::new(directory.clone()), ReaderOptions::default()).unwrap()
}

#[test]
fn a_writer_leaves_a_segment_of_a_newer_minor_version_as_it_is_and_continues_behind_it() {
    let whole = newer();
    let cut = whole.len() - TRAILER;
    for (end, what) in [(whole.len(), "closed"), (cut, "not closed"), (cut - 3, "torn")] {
        let directory = log_of(&whole[..end]);
        for round in 0..3 {
            let writer = Writer::open(Arc::new(directory.clone()), options()).unwrap();
            assert_eq!(writer.append(1, b"by this version").unwrap(), 14 + round, "{what}");
            writer.sync().unwrap();
            writer.close().unwrap();
            assert!(directory.contents(FIRST).unwrap() == whole[..end], "{what}: not a byte is changed");
        }
        assert!(directory.contents("gölden.0000000003.binlog").is_none(), "{what}: the others continue in the second");
        let rows = rows_of(&reader(&directory));
        let ids: Vec<u64> = rows.iter().filter(|row| !row.is_event()).map(|row| row.id).collect();
        assert_eq!(ids, (1..=16).collect::<Vec<u64>>(), "{what}");
    }
}

#[test]
fn a_log_of_one_file_of_a_newer_minor_version_is_read_and_not_appended_to() {
    let whole = newer();
    for end in [whole.len(), whole.len() - TRAILER, whole.len() - TRAILER - 3] {
        let directory = MemoryDirectory::new();
        directory.set_contents("a.binlog", whole[..end].to_vec());
        let refused = Writer::open(Location::File(Arc::new(directory.clone()), "a.binlog".to_owned()), options())
            .map(drop)
            .unwrap_err();
        assert_eq!(refused.kind(), Kind::Unsupported, "{refused}");
        assert!(directory.contents("a.binlog").unwrap() == whole[..end], "not a byte is changed");
    }
}

#[test]
fn the_trailer_of_a_newer_minor_version_is_its_own_first_bytes_and_no_others() {
    let whole = newer();
    assert_eq!(whole[whole.len() - 8..], whole[..8]);
    let ended = |bytes: &[u8]| {
        let mut cursor = reader(&log_of(bytes)).cursor(&Default::default()).unwrap();
        while let Ok(Some(_)) = cursor.next() {}
        cursor.tail().state
    };
    assert_eq!(ended(&whole), TailState::Closed);
    // This version's fields in their place, and the matching checksums of the block.
    let mut other = whole.clone();
    let (at, end) = (whole.len() - TRAILER, whole.len());
    other[end - 2] = 0x20;
    let marker = u64_at(&whole, 16 + u32_at(&whole, 8) as usize) as u32;
    let sum = crc(marker, &other[at + 80..]);
    other[at + 72..at + 76].copy_from_slice(&sum.to_le_bytes());
    other[at + 8..at + 12].fill(0);
    let sum = crc(at as u32, &other[at..at + 80]);
    other[at + 8..at + 12].copy_from_slice(&sum.to_le_bytes());
    assert_ne!(ended(&other), TailState::Closed);
}

#[test]
fn a_writer_does_not_append_to_a_compressed_segment() {
    let directory = tempfile::tempdir().unwrap();
    let options = || WriterOptions { name: "orders".into(), roll: RollOptions::default(), ..WriterOptions::default() };
    let writer = Writer::open(directory.path(), options()).unwrap();
    for i in 0..100u32 {
        writer.append(i % 3, format!("record {i}").as_bytes()).unwrap();
    }
    writer.roll().unwrap();
    writer.close().unwrap();
    let first = directory.path().join("orders.0000000001.binlog");
    binlog::compression::compress(&first, &binlog::compression::CompressOptions::default()).unwrap();
    // A power cut left nothing of the segment after it.
    fs::write(directory.path().join("orders.0000000002.binlog"), b"").unwrap();
    fs::remove_file(directory.path().join("orders.lock")).unwrap();
    let compressed = directory.path().join("orders.0000000001.z.binlog");
    let before = fs::read(&compressed).unwrap();
    let writer = Writer::open(directory.path(), options()).unwrap();
    assert_eq!(writer.append(1, b"behind it").unwrap(), 101);
    writer.close().unwrap();
    assert!(fs::read(&compressed).unwrap() == before, "not a byte is changed");
    assert_eq!(rows_at(directory.path()).iter().filter(|row| !row.is_event()).count(), 101);
}

#[test]
fn a_writer_continues_in_front_of_space_and_refuses_zeros_where_records_were_durable() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/space.binlog");
    let space = fs::read(golden).unwrap();
    let start = 16 + u32_at(&space, 8) as usize;
    let id = space[..start].windows(2).position(|field| field == [0x2a, 0x10]).unwrap() + 2;
    let hex: String = space[id..id + 16].iter().map(|byte| format!("{byte:02x}")).collect();
    let marker = u64_at(&space, start);
    // The lock file's line for a segment that was closed with so many bytes.
    let closed_at = |bytes: usize| {
        let line = format!("left {hex} 1 14 1 {bytes} {marker:016x} 1 1");
        let line = format!("{line} {:08x}", crc(0, line.as_bytes()));
        format!("{:511}\n{line:511}\n{:511}\n", "1", "").into_bytes()
    };
    let opened = |lock: Option<Vec<u8>>| {
        let directory = log_of(&space);
        lock.into_iter().for_each(|lock| directory.set_contents("gölden.lock", lock));
        Writer::open(Arc::new(directory.clone()), options()).map(|writer| {
            assert_eq!(writer.append(1, b"in front of the space").unwrap(), 14);
            writer.close().unwrap();
            let bytes = directory.contents(FIRST).unwrap();
            assert_eq!(bytes[bytes.len() - 8..], bytes[..8], "the space is given back");
            assert_eq!(rows_of(&reader(&directory)).iter().filter(|row| !row.is_event()).count(), 14);
        })
    };
    opened(None).unwrap();
    let end = space.iter().rposition(|&byte| byte != 0).unwrap() + 1;
    let refused = opened(Some(closed_at(end + 100))).unwrap_err();
    assert_eq!(refused.kind(), Kind::Corrupt, "{refused}");
}

fn crc(seed: u32, bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(seed);
    hasher.update(bytes);
    hasher.finalize()
}
