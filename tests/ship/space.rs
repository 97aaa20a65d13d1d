//! Closed segments whose new length a power cut has taken: zeros follow the trailer, and are neither shipped nor counted.

use std::sync::Arc;

use crate::common::history::copy_of;
use crate::runs::{codecs, obstructed};
use crate::shipping::*;
use binlog::io::{Directory, MemoryDirectory};
use binlog::shipping::{ShipOptions, Shipped};
use binlog::store::MemoryStore;
use binlog::Writer;

/// A log of two closed segments, of which the trailers have reached the disk, and the new lengths of the files have not,
/// and a third one. Returns what the two are without their space as well.
fn with_space_after_a_trailer() -> (MemoryDirectory, Arc<dyn Directory>, [Vec<u8>; 2]) {
    let (memory, directory) = memory();
    let writer = Writer::open(directory.clone(), filling()).unwrap();
    let mut next_id = 1;
    (0..2).for_each(|_| append_and_roll(&writer, &mut next_id, 5));
    writer.append(1, &payload(next_id)).unwrap();
    writer.close().unwrap();
    let cut = [1, 2].map(|number| {
        let cut = memory.contents(&name(number)).unwrap();
        memory.set_contents(&name(number), [&cut[..], &[0; 50_000]].concat());
        cut
    });
    (memory, directory, cut)
}

fn filling() -> binlog::WriterOptions {
    binlog::WriterOptions { fill_ahead: Some(1 << 20), ..writer_options() }
}

#[test]
fn a_closed_segment_is_shipped_without_space_after_its_trailer_whether_it_is_cut_off_here_or_not() {
    for threads in [1, 3] {
        let (memory, directory, cut) = with_space_after_a_trailer();
        let store = MemoryStore::new();
        let options = |segments| ShipOptions { keep: keep(segments), threads, ..options() };
        let shipper = open_with(&directory, &store, ShipOptions { dry_run: true, ..options(9) }).unwrap();
        let lengths = cut.each_ref().map(|cut| cut.len() as u64);
        let bytes = |uploaded: &[Shipped]| uploaded.iter().map(|it| it.bytes).collect::<Vec<_>>();
        assert_eq!(bytes(&shipper.run_once(&()).unwrap().uploaded), lengths);
        drop(shipper);
        let shipper = open_with(&directory, &store, options(9)).unwrap();
        assert_eq!(shipper.status().waiting_bytes, lengths.iter().sum::<u64>());
        let report = shipper.run_once(&()).unwrap();
        assert_eq!(bytes(&report.uploaded), lengths);
        assert_eq!([1, 2].map(|number| objects(&store)[&name(number)].clone()), cut);
        assert_eq!(memory.contents(&name(1)).unwrap().len(), cut[0].len() + 50_000, "the file stays as it is");
        for read_back in [false, true] {
            assert_eq!(shipper.verify(read_back, &()).unwrap().problems, []);
        }
        drop(shipper);
        // Removed here while the zeros are still there, and after the next writer has cut them off.
        let copy: Arc<dyn Directory> = Arc::new(copy_of(&memory));
        let report = open_with(&copy, &store, options(1)).unwrap().run_once(&()).unwrap();
        assert_eq!(report.pruned.iter().map(|it| it.sequence).collect::<Vec<_>>(), [1, 2]);
        let writer = Writer::open(directory.clone(), filling()).unwrap();
        writer.append(1, b"after the power cut").unwrap();
        writer.close().unwrap();
        for (number, cut) in (1..).zip(&cut) {
            memory.set_contents(&name(number), cut.clone());
        }
        let shipper = open_with(&directory, &store, options(1)).unwrap();
        for read_back in [false, true] {
            assert_eq!(shipper.verify(read_back, &()).unwrap().problems, []);
        }
        let report = shipper.run_once(&()).unwrap();
        assert_eq!(report.pruned.iter().map(|it| it.sequence).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(here(&directory), [name(3)]);
    }
}

#[test]
fn a_closed_segment_with_space_after_its_trailer_is_compressed_and_shipped_without_it() {
    let (memory, directory, _) = with_space_after_a_trailer();
    let store = MemoryStore::new();
    let codec = codecs().unwrap_or(binlog::Codec::None);
    let compress = binlog::compression::CompressOptions { codec, ..binlog::compression::CompressOptions::default() };
    let options = ShipOptions { compress: Some(compress), ..options() };
    let shipper = open_with(&directory, &store, options).unwrap();
    assert_eq!(shipper.run_once(&()).unwrap().uploaded.len(), 2);
    let z = format!("{LOG}.0000000001.z.binlog");
    let there = objects(&store)[&z].clone();
    assert_eq!(there[there.len() - 8..], there[..8], "nothing comes after the trailer");
    assert_eq!(Some(there), memory.contents(&z));
    assert_eq!(shipper.verify(true, &()).unwrap().problems, []);
}

#[test]
fn a_closed_segment_with_space_after_its_trailer_is_whole_although_the_next_one_is_missing() {
    let (_, directory, cut) = with_space_after_a_trailer();
    let store = MemoryStore::new();
    directory.remove(&name(2)).unwrap();
    let shipper = open(&directory, &store);
    let error = obstructed(&shipper, &());
    assert!(error.to_string().contains("segment 2 of the log is neither here"), "{error}");
    assert_eq!(objects(&store).get(&name(1)), Some(&cut[0]));
}
