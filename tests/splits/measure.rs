//! How long the plan of an hour takes in a log of 10,000 segments. Run it alone, in a release build:
//! `cargo test --release --test splits -- --ignored --nocapture measure`.

use std::time::Instant;

use binlog::splits::PlanOptions;
use binlog::{Filter, NewRecord, Reader, ReaderOptions, Writer, WriterOptions};

use crate::common::remote::Metered;

const SEGMENTS: i64 = 10_000;
const HOUR: i64 = 3_600_000_000_000;

#[test]
#[ignore = "takes a minute"]
fn an_hour_of_10_000_segments() {
    let home = tempfile::tempdir().unwrap();
    let writer = Writer::open(home.path(), WriterOptions::default()).unwrap();
    for hour in 0..SEGMENTS {
        for i in 0..20 {
            let record =
                NewRecord { type_id: 1, time: Some(hour * HOUR + i), payload: b"a record", ..Default::default() };
            writer.append_record(&record).unwrap();
        }
        writer.roll().unwrap();
    }
    writer.close().unwrap();
    let memory = binlog::io::MemoryDirectory::new();
    for entry in std::fs::read_dir(home.path()).unwrap().flatten().filter(|it| it.file_name() != "default.lock") {
        memory.set_contents(&entry.file_name().to_string_lossy(), std::fs::read(entry.path()).unwrap());
    }
    let metered = Metered::of(&memory);
    for (what, from) in [("the last hour", SEGMENTS - 1), ("an hour in the middle", SEGMENTS / 2), ("the first", 0)] {
        let filter = Filter { from_time: Some(from * HOUR), to_time: Some((from + 1) * HOUR), ..Filter::default() };
        let begun = Instant::now();
        let reader = Reader::open(home.path(), ReaderOptions::default()).unwrap();
        let opened = begun.elapsed();
        let plan = reader.plan(&filter, &PlanOptions::default()).unwrap();
        println!(
            "{what}: opened in {opened:?}, planned in {:?}, {} splits",
            begun.elapsed() - opened,
            plan.splits().len()
        );
        assert_eq!(plan.splits().iter().map(|split| split.records).sum::<u64>(), 20);
        let remote = metered.open();
        let (asked, _) = metered.take();
        metered.take_waits();
        remote.plan(&filter, &PlanOptions::default()).unwrap();
        println!(
            "  in a store: {asked} requests to open, {} to plan, {} waits",
            metered.take().0,
            metered.take_waits()
        );
    }
}
