//! Old segments are removed from logs whose files have other names than their headers state: the newest segments stay.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use binlog::compression::{compress, CompressOptions};
use binlog::io::{Directory, MemoryDirectory};
use binlog::rolling::{prune, Retention};
use binlog::{Filter, Location, Reader, ReaderMode, ReaderOptions, Writer, WriterOptions};
use common::*;
use proptest::prelude::*;

const SEGMENTS: u64 = 7;

fn file(number: u64) -> String {
    format!("default.{number:010}.binlog")
}

/// Each segment has ten records; some are compressed, with their source or without.
fn a_log(forms: &[u8]) -> MemoryDirectory {
    let directory = MemoryDirectory::new();
    let writer = Writer::open(Arc::new(directory.clone()), WriterOptions::default()).unwrap();
    for number in 1..=SEGMENTS {
        for i in 0..10 {
            writer.append(1, &payload(60, 10 * number + i)).unwrap();
        }
        if number < SEGMENTS {
            writer.roll().unwrap();
        }
    }
    writer.close().unwrap();
    for (number, form) in (1..SEGMENTS).zip(forms).filter(|(_, form)| **form > 0) {
        let options = CompressOptions { keep_source: *form == 1, ..CompressOptions::default() };
        compress(Location::File(Arc::new(directory.clone()), file(number).clone()), &options).unwrap();
    }
    directory
}

/// Something that happens to the files of a log.
#[derive(Clone, Debug)]
enum Mishap {
    Copied(prop::sample::Index, u8),
    Renamed(prop::sample::Index, u8),
    Swapped(prop::sample::Index, prop::sample::Index),
    /// So many bytes at the beginning are zeros.
    Headless(prop::sample::Index, usize),
    Cut(prop::sample::Index, usize),
    /// So many bytes more are behind its end.
    Grown(prop::sample::Index, usize),
    /// One byte of the file, counted from the end, is changed.
    Flipped(prop::sample::Index, usize),
    Removed(prop::sample::Index),
}

fn mishap() -> impl Strategy<Value = Mishap> {
    let any = any::<prop::sample::Index>;
    prop_oneof![
        (any(), 0..6u8).prop_map(|(which, to)| Mishap::Copied(which, to)),
        (any(), 0..6u8).prop_map(|(which, to)| Mishap::Renamed(which, to)),
        (any(), any()).prop_map(|(this, that)| Mishap::Swapped(this, that)),
        (any(), 1..2000usize).prop_map(|(which, bytes)| Mishap::Headless(which, bytes)),
        (any(), 0..2000usize).prop_map(|(which, bytes)| Mishap::Cut(which, bytes)),
        (any(), 1..5000usize).prop_map(|(which, bytes)| Mishap::Grown(which, bytes)),
        (any(), 1..1500usize).prop_map(|(which, at)| Mishap::Flipped(which, at)),
        any().prop_map(Mishap::Removed),
    ]
}

/// A name that no segment of the log has, as a user may choose it.
fn another_name(name: &str, kind: u8) -> String {
    match kind {
        0 => file(9),
        1 => file(12),
        2 => name.replace(".binlog", "-copy.binlog"),
        3 => name.replace(".binlog", ".1.binlog"),
        4 => "saved.binlog".to_owned(),
        _ => name.replace("default.", "default.0"),
    }
}

fn happen(directory: &MemoryDirectory, mishap: &Mishap) {
    let mut names = directory.list().unwrap();
    names.retain(|name| name.ends_with(".binlog"));
    names.sort();
    if names.is_empty() {
        return;
    }
    let contents = |name: &String| directory.contents(name).unwrap();
    match mishap {
        Mishap::Copied(which, to) => {
            let name = which.get(&names);
            directory.set_contents(&another_name(name, *to), contents(name));
        }
        Mishap::Renamed(which, to) => {
            let name = which.get(&names);
            directory.set_contents(&another_name(name, *to), contents(name));
            directory.remove(name).unwrap();
        }
        Mishap::Swapped(this, that) => {
            let (this, that) = (this.get(&names), that.get(&names));
            let (of_this, of_that) = (contents(this), contents(that));
            directory.set_contents(this, of_that);
            directory.set_contents(that, of_this);
        }
        Mishap::Headless(which, bytes) => {
            let name = which.get(&names);
            let mut data = contents(name);
            let end = data.len().min(*bytes);
            data[..end].fill(0);
            directory.set_contents(name, data);
        }
        Mishap::Cut(which, len) => {
            let name = which.get(&names);
            let mut data = contents(name);
            data.truncate(*len);
            directory.set_contents(name, data);
        }
        Mishap::Grown(which, bytes) => {
            let name = which.get(&names);
            directory.set_contents(name, [contents(name), vec![0; *bytes]].concat());
        }
        Mishap::Flipped(which, at) => {
            let name = which.get(&names);
            let mut data = contents(name);
            if let Some(at) = data.len().checked_sub(*at) {
                data[at] ^= 1;
            }
            directory.set_contents(name, data);
        }
        Mishap::Removed(which) => directory.remove(which.get(&names).as_str()).unwrap(),
    }
}

/// The records that a salvaging reader shows.
fn shown(directory: &MemoryDirectory) -> BTreeMap<u64, Vec<u8>> {
    let options = ReaderOptions { mode: ReaderMode::Salvage, ..ReaderOptions::default() };
    let Ok(reader) = Reader::open(Arc::new(directory.clone()), options) else { return BTreeMap::new() };
    let seen = drain(&mut reader.cursor(&Filter::default()).unwrap(), Way::Next);
    seen.rows.into_iter().map(|row| (row.id, row.payload)).collect()
}

/// A copy of the directory as it is.
fn twin(directory: &MemoryDirectory) -> MemoryDirectory {
    let twin = MemoryDirectory::new();
    for name in directory.list().unwrap() {
        twin.set_contents(&name, directory.contents(&name).unwrap());
    }
    twin
}

fn assert_only_the_oldest_went(before: &BTreeMap<u64, Vec<u8>>, after: &MemoryDirectory) -> Result<(), TestCaseError> {
    let left = shown(after);
    let oldest_left = left.keys().copied().find(|id| before.contains_key(id));
    let newest: BTreeSet<_> = before.keys().copied().filter(|id| oldest_left.is_some_and(|left| *id >= left)).collect();
    let here: BTreeSet<_> = left.keys().copied().filter(|id| before.contains_key(id)).collect();
    prop_assert_eq!(here, newest, "of {:?}", before.keys().collect::<Vec<_>>());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    /// Also when the removal is killed on the way, and when a writer does it.
    #[test]
    fn whatever_has_happened_to_a_log_only_its_oldest_records_go(
        forms in prop::collection::vec(0..3u8, SEGMENTS as usize),
        mishaps in prop::collection::vec(mishap(), 0..4),
        rule in 0..3u8,
        most in 1..6u64,
        killed_after in 1..9usize,
    ) {
        let directory = a_log(&forms);
        mishaps.iter().for_each(|mishap| happen(&directory, mishap));
        let before = shown(&directory);
        let keep = match rule {
            0 => Retention { segments: Some(most), ..Retention::default() },
            1 => Retention { bytes: Some(most * 700), ..Retention::default() },
            _ => Retention { age: Some(Duration::from_nanos(1)), ..Retention::default() },
        };
        let lock = directory.contents("default.lock");

        let pruned = twin(&directory);
        let _ = prune(Arc::new(pruned.clone()), None, &keep, false);
        assert_only_the_oldest_went(&before, &pruned)?;
        prop_assert_eq!(pruned.contents("default.lock"), lock, "what the log has given stays known");

        let killed = twin(&directory);
        let fault = binlog::io::Fault {
            from: killed_after,
            times: usize::MAX,
            errno: libc::EIO,
            only: Some(binlog::io::Operation::Remove),
        };
        killed.set_fault(Some(fault));
        let _ = prune(Arc::new(killed.clone()), None, &keep, false);
        killed.set_fault(None);
        assert_only_the_oldest_went(&before, &killed)?;

        let written = twin(&directory);
        let options = WriterOptions { keep, ..WriterOptions::default() };
        if let Ok(writer) = Writer::open(Arc::new(written.clone()), options) {
            let id = writer.append(1, b"new").unwrap();
            prop_assert!(before.keys().next_back().is_none_or(|last| *last < id), "{} is given twice", id);
            let _ = writer.roll();
            let _ = writer.close();
            assert_only_the_oldest_went(&before, &written)?;
        }
    }
}
