//! Every command accepts what another one has made of a damaged log: recovered, compressed, indexed, pruned and
//! appended to, the log is whole, and the records that are missing are those that were reported as lost.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::common::{binlog, binlog_with};
use binlog::{Filter, Reader, ReaderMode, ReaderOptions, Writer, WriterOptions};
use tempfile::tempdir;

const HEADER: usize = 80;

/// Blocks of a whole segment: offset, offset of the entries, end, kind and count.
struct Block {
    at: usize,
    entries: usize,
    end: usize,
    kind: u8,
    count: u32,
}

fn blocks(bytes: &[u8]) -> Vec<Block> {
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let (mut at, mut found) = (16 + word(8) as usize, vec![]);
    while at < bytes.len() {
        let payload = word(at + 24) as usize;
        let entries = at + HEADER + 4 * payload.div_ceil(4096);
        let end = entries + word(at + 20) as usize + payload;
        found.push(Block { at, entries, end, kind: bytes[at + 12], count: word(at + 16) });
        at = end;
    }
    found
}

/// Records of two named types in five segments of small blocks.
fn write(log: &Path) -> BTreeMap<u64, (String, Vec<u8>)> {
    let options = WriterOptions {
        segment_bytes: 24 << 10,
        block_bytes: 4 << 10,
        index_bytes: 12 << 10,
        ..WriterOptions::default()
    };
    let writer = Writer::open(log, options).unwrap();
    let mut written = BTreeMap::new();
    for i in 0..600 {
        let name = if i % 3 == 0 { "orders" } else { "fills" };
        let payload = format!("record {i} {}", "x".repeat(i % 170)).into_bytes();
        let id = writer.append(writer.type_id(name, "").unwrap(), &payload).unwrap();
        written.insert(id, (name.to_owned(), payload));
        if i == 570 {
            writer.sync().unwrap();
        }
    }
    writer.close().unwrap();
    written
}

fn segment(log: &Path, number: u64) -> PathBuf {
    log.join(format!("default.{number:010}.binlog"))
}

fn change(log: &Path, number: u64, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(segment(log, number)).unwrap();
    change(&mut bytes);
    fs::write(segment(log, number), bytes).unwrap();
}

/// The block of records in the middle of the segment.
fn middle(bytes: &[u8]) -> Block {
    let mut records: Vec<Block> = blocks(bytes).into_iter().filter(|block| block.count > 0).collect();
    records.remove(records.len() / 2)
}

fn last(bytes: &[u8]) -> Block {
    blocks(bytes).into_iter().rfind(|block| block.count > 0).unwrap()
}

fn newest(log: &Path) -> u64 {
    (1..).take_while(|&number| segment(log, number).exists()).last().unwrap()
}

/// Every record as a strict reader shows it.
fn records(log: &Path, what: &str) -> BTreeMap<u64, (String, Vec<u8>)> {
    let options = ReaderOptions { mode: ReaderMode::Strict, ..ReaderOptions::default() };
    let reader = Reader::open(log, options).unwrap();
    let mut cursor = reader.cursor(&Filter::default()).unwrap();
    let mut seen = BTreeMap::new();
    loop {
        let mut batch = vec![];
        let shown = cursor.next_batch(usize::MAX, |it| batch.push((it.id, it.type_id, it.payload.to_vec())));
        if shown.unwrap_or_else(|error| panic!("{what}: {error}")) == 0 {
            return seen;
        }
        for (id, type_id, payload) in batch {
            let name = cursor.type_name(type_id).unwrap_or_else(|| panic!("{what}: {type_id} has no name")).to_owned();
            assert!(seen.insert(id, (name, payload)).is_none(), "{what}: {id} is there twice");
        }
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(|entry| entry.unwrap()) {
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

fn files(log: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(log).unwrap().map(|entry| entry.unwrap());
    let files = entries.map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()));
    files.filter(|(name, _)| !name.ends_with(".lock")).collect()
}

type Damage = fn(&Path);

const DAMAGES: [(&str, Damage); 17] = [
    ("none", |_| ()),
    ("a byte of a payload", |log| {
        change(log, 2, |bytes| {
            let block = middle(bytes);
            bytes[block.end - 1] ^= 1;
        })
    }),
    ("a byte of the entries", |log| {
        change(log, 2, |bytes| {
            let block = middle(bytes);
            bytes[block.entries] ^= 1;
        })
    }),
    ("a byte of a block's header", |log| {
        change(log, 2, |bytes| {
            let block = middle(bytes);
            bytes[block.at + 33] ^= 1;
        })
    }),
    ("bytes that are missing", |log| {
        change(log, 2, |bytes| {
            let block = middle(bytes);
            bytes.drain(block.end - 60..block.end - 57);
        })
    }),
    ("bytes too many", |log| {
        change(log, 2, |bytes| {
            let block = middle(bytes);
            bytes.splice(block.entries..block.entries, *b"too many");
        })
    }),
    ("a block that is missing", |log| {
        change(log, 2, |bytes| {
            let block = middle(bytes);
            bytes.drain(block.at..block.end);
        })
    }),
    ("a block that is there twice", |log| {
        change(log, 2, |bytes| {
            let block = middle(bytes);
            let twice = bytes[block.at..block.end].to_vec();
            bytes.splice(block.end..block.end, twice);
        })
    }),
    ("the first blocks, which name the types", |log| {
        change(log, 3, |bytes| {
            for block in blocks(bytes).into_iter().take_while(|block| block.count == 0) {
                bytes[block.at + 20] ^= 1;
            }
        })
    }),
    ("the last records of a segment that was closed", |log| {
        change(log, 2, |bytes| {
            let block = last(bytes);
            bytes[block.entries] ^= 1;
        })
    }),
    ("the last records of the log, which was closed", |log| {
        change(log, newest(log), |bytes| {
            let block = last(bytes);
            bytes[block.entries] ^= 1;
        })
    }),
    ("the beginning of a segment", |log| change(log, 2, |bytes| bytes[..100].fill(0))),
    ("the beginning of the first segment", |log| change(log, 1, |bytes| bytes[..100].fill(0))),
    ("the beginning of the last segment", |log| change(log, newest(log), |bytes| bytes[..100].fill(0))),
    ("a segment that is missing", |log| fs::remove_file(segment(log, 2)).unwrap()),
    ("the index", |log| {
        change(log, 2, |bytes| {
            for block in blocks(bytes).into_iter().filter(|block| block.kind == 2) {
                bytes[block.entries] ^= 1;
            }
        })
    }),
    ("two places of two segments", |log| {
        change(log, 2, |bytes| {
            let block = middle(bytes);
            bytes[block.at] ^= 1;
        });
        change(log, 4, |bytes| {
            let block = middle(bytes);
            bytes.drain(block.at + 3..block.at + 5);
        });
    }),
];

#[test]
fn what_one_command_makes_every_other_one_takes() {
    for (what, damage) in DAMAGES {
        let home = tempdir().unwrap();
        let home = home.path();
        let written = write(&home.join("log"));
        assert!(newest(&home.join("log")) >= 4);
        let next_id = written.len() as u64 + 1;
        damage(&home.join("log"));
        copy(&home.join("log"), &home.join("place"));

        let ran = binlog(home, &["recover", "--json", "log", "saved"]);
        assert!(matches!(ran.code, Some(0 | 3)), "{what}: {}", ran.err);
        let report = ran.json();
        let in_place = binlog(home, &["recover", "--in-place", "--json", "place"]);
        assert!(matches!(in_place.code, Some(0 | 3)), "{what}: {}", in_place.err);
        let saved = records(&home.join("saved"), what);
        let lost: Vec<u64> = written.keys().filter(|id| !saved.contains_key(id)).copied().collect();
        assert!(saved.iter().all(|(id, record)| written.get(id) == Some(record)), "{what}");
        for report in [&report, &in_place.json()] {
            assert_eq!(report["lost_records"].as_u64(), Some(lost.len() as u64), "{what}: {report}");
        }
        assert_eq!(report["records"].as_u64(), Some(saved.len() as u64), "{what}");
        assert_eq!(records(&home.join("place"), what), saved, "{what}");

        for made in ["saved", "place"] {
            let log = home.join(made);
            let run = |args: &[&str]| {
                let ran = binlog(home, &[args, &[made]].concat());
                assert_eq!(ran.code, Some(0), "{what}: {args:?} {made}: {}{}", ran.text(), ran.err);
            };
            run(&["verify"]);
            run(&["cat"]);
            let before = files(&log);
            run(&["recover", "--in-place"]);
            assert!(files(&log) == before, "{what}: a second recovery of {made} changes something");
            let again = format!("{made}-again");
            binlog(home, &["recover", made, &again]).ok();
            assert_eq!(records(&home.join(&again), what), saved, "{what}: {made} recovered twice");
            for command in [&["index", "--rebuild"][..], &["compress"], &["recover", "--in-place"], &["decompress"]] {
                run(command);
                run(&["verify"]);
                assert_eq!(records(&log, what), saved, "{what}: {command:?} {made}");
            }
            binlog_with(home, &["append", "-q", "--type", "orders", made], b"one more").ok();
            let now = records(&log, what);
            assert_eq!(now.last_key_value(), Some((&next_id, &("orders".to_owned(), b"one more".to_vec()))), "{what}");
            run(&["verify"]);
            run(&["compress"]);
            run(&["prune", "--keep-segments", "2"]);
            run(&["verify"]);
        }
    }
}
