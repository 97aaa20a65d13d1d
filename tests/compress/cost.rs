//! Compressing reads each byte of a segment once, and each byte of its result once.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::common::interposed::Interposed;
use crate::common::payload;
use binlog::compression::{compress, decompress, CompressOptions};
use binlog::io::MemoryDirectory;
use binlog::rolling::RollOptions;
use binlog::{Writer, WriterOptions};
use parking_lot::Mutex;

const NAME: &str = "default.0000000001.binlog";

/// A closed segment of about 4 MiB and one after it. Records that are written at once, as here, are made durable only
/// by the roll.
fn log() -> MemoryDirectory {
    let directory = MemoryDirectory::new();
    let options = WriterOptions { roll: RollOptions::default(), block_bytes: 64 << 10, ..WriterOptions::default() };
    let writer = Writer::open(Arc::new(directory.clone()), options).unwrap();
    for i in 0..4000u64 {
        writer.append(1, &payload(1000, i)).unwrap();
    }
    writer.roll().unwrap();
    writer.append(1, b"the next segment").unwrap();
    writer.close().unwrap();
    directory
}

#[test]
fn a_segment_is_read_once_and_what_is_made_of_it_once() {
    let memory = log();
    let read = Arc::new(Mutex::new(BTreeMap::<String, usize>::new()));
    let count = read.clone();
    let on_read = move |name: &str, bytes: usize| *count.lock().entry(name.to_owned()).or_default() += bytes;
    let directory = Interposed { on_read: Some(Arc::new(on_read)), ..Interposed::around(Arc::new(memory.clone())) };
    for threads in [1, 3] {
        let how = CompressOptions { threads, ..CompressOptions::default() };
        for (compresses, source) in [(true, NAME.to_owned()), (false, NAME.replace(".binlog", ".z.binlog"))] {
            let before = memory.contents(&source).unwrap().len();
            read.lock().clear();
            let made = match compresses {
                true => compress(Arc::new(directory.clone()), &how),
                false => decompress(Arc::new(directory.clone()), &how),
            };
            let made = made.unwrap().remove(0);
            let (part, after) = (made.path.file_name().unwrap().to_str().unwrap(), made.bytes_after as usize);
            let read = read.lock();
            // A little more for the header, the index and the names.
            let of_source = read[&source];
            assert!((before..before + before / 20).contains(&of_source), "{of_source} of {before} bytes of {source}");
            let of_made = read[&format!(".{part}.part")];
            assert!((after - 4096..after + after / 20).contains(&of_made), "{of_made} of {after} bytes of {part}");
        }
    }
}
