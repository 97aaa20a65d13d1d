//! Bounds of memory: false lengths with correct checksums request no memory that the file cannot fill; and an index
//! takes as much as one segment's, however many segments there are.

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;

use binlog::io::MemoryDirectory;
use binlog::{Filter, Reader, ReaderOptions, Writer, WriterOptions};
use common::*;

/// Counts the largest allocation of a thread.
struct Counting;

thread_local! {
    static LARGEST: Cell<usize> = const { Cell::new(0) };
    /// Bytes that the thread holds, and the most that it held.
    static HELD: Cell<(isize, isize)> = const { Cell::new((0, 0)) };
}

fn count(size: usize) {
    let _ = LARGEST.try_with(|largest| largest.set(largest.get().max(size)));
    hold(size as isize);
}

fn hold(more: isize) {
    let _ = HELD.try_with(|held| {
        let (now, most) = held.get();
        held.set((now + more, most.max(now + more)));
    });
}

// SAFETY: every call is passed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        unsafe { System.alloc(layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size);
        hold(-(layout.size() as isize));
        unsafe { System.realloc(at, layout, size) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        hold(-(layout.size() as isize));
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const FILE: &str = "default.0000000001.binlog";

/// A block header with valid checksums at the end of an unclosed log, whose lengths are these claims.
fn lying_block(codec: u8, entries: u32, stored: u32, decoded: u32, behind: &[u8]) -> MemoryDirectory {
    let directory = MemoryDirectory::new();
    let writer = Writer::open(Arc::new(directory.clone()), WriterOptions::default()).unwrap();
    writer.append(1, b"true").unwrap();
    writer.flush().unwrap();
    let mut bytes = directory.contents(FILE).unwrap();
    drop(writer);
    let offset = bytes.len();
    let at = (0..offset - 8).rev().find(|&at| bytes[at..at + 8] == marker_of(&bytes)).unwrap();
    let mut header = bytes[at..at + 80].to_vec();
    header[8..12].fill(0);
    header[13] = codec;
    header[14..16].fill(0);
    header[16..20].copy_from_slice(&1u32.to_le_bytes());
    header[20..24].copy_from_slice(&entries.to_le_bytes());
    header[24..28].copy_from_slice(&stored.to_le_bytes());
    header[28..32].copy_from_slice(&decoded.to_le_bytes());
    header[32..40].copy_from_slice(&2u64.to_le_bytes());
    header[76..80].copy_from_slice(&entries.to_le_bytes());
    let marker = u64::from_le_bytes(header[..8].try_into().unwrap());
    let crc = |seed: u32, bytes: &[u8]| {
        let mut hasher = crc32fast::Hasher::new_with_initial(seed);
        hasher.update(bytes);
        hasher.finalize()
    };
    // Correct page checksums and entries, as far as there are bytes for them.
    let mut meta: Vec<u8> = vec![];
    if behind.len() == stored as usize {
        for (page, bytes) in behind.chunks(4096).enumerate() {
            meta.extend(crc((marker as u32).wrapping_add(page as u32), bytes).to_le_bytes());
        }
        let entry = [&varint(u64::from(decoded))[..], &[2, 0]].concat();
        header[20..24].copy_from_slice(&(entry.len() as u32).to_le_bytes());
        header[76..80].copy_from_slice(&(entry.len() as u32).to_le_bytes());
        meta.extend(entry);
        header[72..76].copy_from_slice(&crc(marker as u32, &meta).to_le_bytes());
    }
    let sum = crc(offset as u32, &header);
    header[8..12].copy_from_slice(&sum.to_le_bytes());
    bytes.extend(header);
    bytes.extend(meta);
    bytes.extend(behind);
    let lying = MemoryDirectory::new();
    lying.set_contents(FILE, bytes);
    lying
}

/// The marker is at the beginning of the first block, after the file header and its checksum.
fn marker_of(bytes: &[u8]) -> [u8; 8] {
    let start = 12 + u32::from_le_bytes(bytes[8..12].try_into().unwrap()) as usize + 4;
    bytes[start..start + 8].try_into().unwrap()
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut out = vec![];
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
    out
}

/// The largest allocation while the log is read, and opened for writing; it must show the one true record.
fn largest_allocation(directory: &MemoryDirectory, what: &str) -> usize {
    LARGEST.set(0);
    for filter in [Filter::default(), Filter { headers_only: true, ..Filter::default() }] {
        let seen =
            read(&Reader::open(Arc::new(directory.clone()), ReaderOptions::default()).unwrap(), &filter, Way::Next);
        // Headers of a block may be shown although its payload, which is not read, is false.
        let shown = if filter.headers_only { 1..=2 } else { 1..=1 };
        assert!(shown.contains(&seen.rows.len()), "{what}: {:?}", seen.end);
    }
    let _ = Writer::open(Arc::new(directory.clone()), WriterOptions::default());
    LARGEST.get()
}

const ALMOST_2_GIB: u32 = (1 << 31) - 1;

#[test]
fn a_length_that_lies_costs_no_memory() {
    let lies = [
        (0, 5, ALMOST_2_GIB, ALMOST_2_GIB),
        (0, ALMOST_2_GIB, 5, 5),
        (0, ALMOST_2_GIB, ALMOST_2_GIB, ALMOST_2_GIB),
        (1, 5, ALMOST_2_GIB, ALMOST_2_GIB),
        (1, 5, 100, ALMOST_2_GIB),
        (2, 5, 100, ALMOST_2_GIB),
        (2, ALMOST_2_GIB, 100, 10),
        (0, u32::MAX, u32::MAX, u32::MAX),
    ];
    for (codec, entries, stored, decoded) in lies {
        for behind in [0, 200, 50_000] {
            let what = format!("codec {codec}: {entries}, {stored}, {decoded} with {behind} bytes behind");
            let lying = lying_block(codec, entries, stored, decoded, &noise(behind, 9));
            let largest = largest_allocation(&lying, &what);
            assert!(largest <= 4 << 20, "{what}: {largest} bytes at once");
        }
    }
}

#[test]
fn a_compressed_block_that_claims_more_than_it_can_hold_costs_no_memory() {
    for codec in [1, 2] {
        for stored in [1000, 20_000] {
            let what = format!("codec {codec}: {stored} bytes claim to be 2 GiB");
            let lying = lying_block(codec, 5, stored, ALMOST_2_GIB, &noise(stored as usize, 9));
            let largest = largest_allocation(&lying, &what);
            assert!(largest <= 32 << 20, "{what}: {largest} bytes at once");
        }
    }
}

#[test]
fn finding_records_by_the_index_of_many_segments_takes_the_memory_of_one() {
    let directory = MemoryDirectory::new();
    let options = WriterOptions { segment_bytes: 600 << 10, ..WriterOptions::default() };
    let writer = Writer::open(Arc::new(directory.clone()), options).unwrap();
    const RECORDS: u64 = 50_000;
    for i in 0..RECORDS {
        // A block each, and so a row of the index.
        writer.append(if i % 1000 == 7 { 5 } else { 1 }, b"0123456789").unwrap();
        writer.flush().unwrap();
    }
    writer.close().unwrap();
    let held = HELD.get().0;
    HELD.set((held, held));
    let reader = Reader::open(Arc::new(directory.clone()), ReaderOptions::default()).unwrap();
    assert!(reader.segments().len() > 8);
    for newest_first in [false, true] {
        let mut cursor = reader.cursor(&Filter { types: vec![5], newest_first, ..Filter::default() }).unwrap();
        let found = std::iter::from_fn(|| cursor.next().unwrap().map(|record| record.id)).count();
        assert_eq!(found as u64, RECORDS / 1000);
    }
    let mut cursor = reader.cursor(&Filter::default()).unwrap();
    for id in (1..=RECORDS).step_by(977) {
        assert_eq!(cursor.get(id).unwrap().unwrap().id, id);
    }
    assert_eq!(reader.counts().unwrap().len(), 2);
    assert!(reader.index().unwrap().iter().all(|facts| facts.unindexed_bytes == 0));
    let most = HELD.get().1 - held;
    assert!(most < 4 << 20, "{most} bytes at once");
}
