//! What a program knows of a log that it writes on a machine which may lose power, and what must hold for whatever is
//! left afterwards.

#![allow(dead_code)] // each test program uses a part of it

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::{Deref, RangeInclusive};
use std::sync::{Arc, Mutex};

use binlog::io::{Directory, Fate, Image, PowerDirectory};
use binlog::{
    Appender, Filter, Kind, Loss, MetadataBuf, NewRecord, OnLoss, Reader, ReaderMode, ReaderOptions, Writer,
    WriterOptions,
};

use crate::common::*;

/// A record as it was given to a writer.
#[derive(Clone, Debug, Default)]
pub struct Given {
    pub type_id: u32,
    pub type_name: Option<&'static str>,
    pub time: Option<i64>,
    pub metadata: Vec<(String, String)>,
    pub payload: Vec<u8>,
}

impl Given {
    pub fn of(type_id: u32, payload: Vec<u8>) -> Self {
        Given { type_id, payload, ..Given::default() }
    }

    fn as_new<'a>(&'a self, facts: &'a MetadataBuf) -> NewRecord<'a> {
        NewRecord { type_id: self.type_id, time: self.time, metadata: facts.as_metadata(), payload: &self.payload }
    }

    fn is(&self, row: &Row) -> bool {
        self.type_id == row.type_id
            && self.payload == row.payload
            && self.metadata == row.metadata
            && self.time.is_none_or(|time| time == row.time)
    }
}

/// What a ledger appends to. The ids are returned where they are known.
pub trait Appends {
    fn writer(&self) -> &Writer;
    fn append_record(&self, record: &NewRecord<'_>) -> binlog::Result<Option<u64>>;
    fn append_batch(&self, records: &[NewRecord<'_>]) -> binlog::Result<Option<u64>>;
}

impl Appends for Writer {
    fn writer(&self) -> &Writer {
        self
    }

    fn append_record(&self, record: &NewRecord<'_>) -> binlog::Result<Option<u64>> {
        self.append_record(record).map(Some)
    }

    fn append_batch(&self, records: &[NewRecord<'_>]) -> binlog::Result<Option<u64>> {
        self.append_batch(records.iter().copied()).map(Some)
    }
}

/// A writer, all of whose records come through one appender if there is one.
pub struct Through {
    writer: Writer,
    appender: Option<RefCell<Appender>>,
}

impl Through {
    pub fn new(writer: Writer, appender: bool) -> Self {
        let appender = appender.then(|| RefCell::new(writer.appender().unwrap()));
        Through { writer, appender }
    }

    pub fn close(self) -> binlog::Result<()> {
        self.writer.close()
    }
}

impl Deref for Through {
    type Target = Writer;

    fn deref(&self) -> &Writer {
        &self.writer
    }
}

impl Appends for Through {
    fn writer(&self) -> &Writer {
        &self.writer
    }

    fn append_record(&self, record: &NewRecord<'_>) -> binlog::Result<Option<u64>> {
        match &self.appender {
            Some(appender) => appender.borrow_mut().append_record(record).map(|_| None),
            None => Appends::append_record(&self.writer, record),
        }
    }

    fn append_batch(&self, records: &[NewRecord<'_>]) -> binlog::Result<Option<u64>> {
        match &self.appender {
            Some(appender) => appender.borrow_mut().append_batch(records.iter().copied()).map(|_| None),
            None => Appends::append_batch(&self.writer, records),
        }
    }
}

/// What was appended, and what of it was acknowledged.
#[derive(Clone, Default)]
pub struct Ledger {
    /// The records 1, 2, 3 …
    pub taken: Vec<Given>,
    pub flushed: u64,
    pub durable: u64,
    batches: Vec<RangeInclusive<u64>>,
    /// Records that a writer has found to be lost or not when it continued behind holes, whatever its positions are
    /// since.
    found_behind: Option<RangeInclusive<u64>>,
}

impl Ledger {
    fn last(&self) -> u64 {
        self.taken.len() as u64
    }

    /// Reads the writer's positions, after a call that succeeded or failed.
    pub fn note(&mut self, writer: &Writer) {
        let position = writer.position().unwrap();
        assert!(position.durable <= position.flushed && position.flushed <= position.appended, "{position:?}");
        self.flushed = self.flushed.max(position.flushed);
        self.durable = self.durable.max(position.durable);
    }

    /// Appends a batch, or a single record as such; `None` when the power went.
    pub fn append(&mut self, writer: &impl Appends, records: Vec<Given>) -> Option<()> {
        let first = self.last() + 1;
        let facts: Vec<_> = records.iter().map(|given| metadata(&given.metadata)).collect();
        let got = match &records[..] {
            [single] => writer.append_record(&single.as_new(&facts[0])),
            several => {
                let records: Vec<_> = several.iter().zip(&facts).map(|(given, facts)| given.as_new(facts)).collect();
                writer.append_batch(&records)
            }
        };
        let writer = writer.writer();
        let got = match got {
            Ok(id) => {
                assert_eq!(id.unwrap_or(first), first, "ids neither repeat nor skip");
                Some(())
            }
            Err(e) if e.record_id().is_some() => None,
            Err(_) => {
                self.note(writer);
                return None;
            }
        };
        let last = first + records.len() as u64 - 1;
        if records.len() > 1 {
            self.batches.push(first..=last);
        }
        self.taken.extend(records);
        self.note(writer);
        got
    }

    /// `result` is that of a call after which everything taken before is durable.
    pub fn acknowledged(&mut self, writer: &Writer, result: binlog::Result<()>) -> Option<()> {
        self.note(writer);
        result.ok()?;
        self.durable = self.last();
        Some(())
    }

    /// As [`Self::acknowledged`], where a writer may continue behind records that are lost: no more of the earlier
    /// records are known to be durable than before.
    fn acknowledged_behind(&mut self, writer: &Writer, result: binlog::Result<()>, durable: u64) -> Option<()> {
        self.acknowledged(writer, result)?;
        self.durable = durable;
        Some(())
    }

    pub fn flushed(&mut self, writer: &Writer, result: binlog::Result<()>) -> Option<()> {
        self.note(writer);
        result.ok()?;
        self.flushed = self.last();
        Some(())
    }

    pub fn closed(&mut self, result: binlog::Result<()>) -> Option<()> {
        result.ok()?;
        self.durable = self.last();
        Some(())
    }

    /// A writer continues after record `last`: later records are gone, and what is there was found in the files.
    pub fn continues_behind(&mut self, last: u64) {
        self.taken.truncate(last as usize);
        self.batches.retain(|batch| *batch.end() <= last);
        self.flushed = self.flushed.min(last);
    }

    /// A writer continues after record `last`, although a reader showed only the records up to `shown` before.
    pub fn continues_behind_holes(&mut self, shown: u64, last: u64) {
        self.continues_behind(last);
        self.found_behind = (last > shown).then_some(shown + 1..=last);
    }

    /// A machine came up with the records up to `last`, which are durable from then on.
    pub fn found(&mut self, last: u64) {
        self.continues_behind(last);
        self.durable = last;
    }

    /// Rows must be what was taken, in order and each once, from the first on and without a gap except for what is
    /// reported as lost, with everything that was acknowledged as durable.
    fn compare(&self, rows: &[Row], lost: &[(u64, u64)], what: &str) {
        self.compare_records(rows, lost, what);
        let is_shown = |id: u64| rows.iter().any(|row| row.id == id);
        for batch in &self.batches {
            let first = is_shown(*batch.start());
            assert!(
                batch.clone().all(|id| is_shown(id) == first),
                "{what}: a part of the batch {batch:?}; {lost:?} are lost"
            );
        }
    }

    /// As [`Self::compare`], for a reader that shows what it can save, also of a damaged batch.
    fn compare_records(&self, rows: &[Row], lost: &[(u64, u64)], what: &str) {
        let is_lost = |id: u64| lost.iter().any(|&(first, last)| (first..=last).contains(&id));
        let mut expected = 1;
        for row in rows {
            expected = (expected..).find(|&id| !is_lost(id)).unwrap();
            let given = self.taken.get(expected as usize - 1);
            let is_as_given = row.id == expected && given.is_some_and(|given| given.is(row));
            assert!(is_as_given, "{what}: {} is not record {expected}; {lost:?} are lost", brief(row));
            expected += 1;
        }
        // The last ones may be lost, too.
        while is_lost(expected) {
            expected += 1;
        }
        let shown = expected - 1;
        assert!(shown <= self.last(), "{what}: {shown} records of {} that were appended", self.last());
        assert!(shown >= self.durable, "{what}: {shown} records, and {} were acknowledged durable", self.durable);
        let was_found = |id: &u64| self.found_behind.as_ref().is_some_and(|found| found.contains(id));
        let durable_and_lost = lost.iter().find(|(first, _)| *first <= self.durable && !was_found(first));
        assert!(
            durable_and_lost.is_none(),
            "{what}: {lost:?} are lost, and {} were acknowledged durable",
            self.durable
        );
    }
}

/// The files of a directory by name.
pub type Files = BTreeMap<String, Vec<u8>>;

pub fn files(directory: &PowerDirectory) -> Files {
    let names = directory.list().unwrap().into_iter();
    names.map(|name| (name.clone(), directory.contents(&name).unwrap())).collect()
}

/// Whether nothing survived behind something that was lost, neither in a segment nor in a later one: then any bad bytes
/// are a torn tail, and a writer has no reason to refuse it.
pub fn is_orderly(fates: &[Fate]) -> bool {
    let mut lost = false;
    // Names come in order.
    fates.iter().filter(|fate| fate.name.ends_with(".binlog")).all(|fate| {
        let orderly = !(fate.has_hole() || lost && fate.survived_to > 0);
        lost |= fate.lost_from.is_some();
        orderly
    })
}

/// Whether a part of some segment's beginning has survived, and not all of it.
pub fn has_torn_beginning(directory: &PowerDirectory, fates: &[Fate]) -> bool {
    fates.iter().filter(|fate| fate.name.ends_with(".binlog")).any(|fate| {
        let whole = directory.contents(&fate.name).unwrap_or_default();
        let len = whole.get(8..12).map_or(0, |len| u32::from_le_bytes(len.try_into().unwrap()));
        fate.survived_to > 0 && fate.lost_from.is_some_and(|lost| lost < u64::from(len) + 16)
    })
}

/// An image of a log, what is known of it, and which images came before it while it was being recovered.
pub struct Case<'a> {
    pub ledger: &'a Ledger,
    pub orderly: bool,
    pub before: Vec<Files>,
    pub what: String,
}

/// A copy of a machine that has power.
pub fn copy(directory: &PowerDirectory) -> PowerDirectory {
    directory.image(binlog::io::Survival::Everything).directory
}

pub fn reader(directory: &PowerDirectory, mode: ReaderMode) -> binlog::Result<Reader> {
    Reader::open(Arc::new(directory.clone()), ReaderOptions { mode, ..ReaderOptions::default() })
}

impl Case<'_> {
    /// What a reader shows before any writer has touched the image, after it was compared with the ledger.
    pub fn shown(&self, directory: &PowerDirectory) -> Vec<Row> {
        let what = format!("{}, before it is reopened", self.what);
        let (rows, lost, _) = match reader(directory, ReaderMode::Prefix) {
            Ok(_) => rows_and_losses(directory, ReaderMode::Prefix, self.ledger, &what),
            Err(e) => {
                let nothing = e.kind() == Kind::NotFound || !self.orderly && e.kind() == Kind::Corrupt;
                assert!(nothing, "{what}: {e:?}");
                (vec![], vec![], Ok(()))
            }
        };
        self.ledger.compare(&rows, &lost, &what);
        rows
    }

    /// Opens the image for writing, which is never refused, and appends to it; false when bytes were lost that were followed by
    /// others, which the log records from then on.
    pub fn reopen(&self, directory: &PowerDirectory, options: &WriterOptions) -> bool {
        let before = files(directory);
        let shown = self.shown(directory).last().map_or(0, |row| row.id);
        let what = format!("{}, reopened", self.what);
        let writer = Writer::open(Arc::new(directory.clone()), options.clone());
        let writer = writer.unwrap_or_else(|e| panic!("{what}: {e:?}"));
        let found = writer.position().unwrap().appended;
        assert!(
            found >= shown && (found == shown || !self.orderly),
            "{what}: continues after {found}, {shown} were shown"
        );
        let mut ledger = self.ledger.clone();
        assert!(found <= ledger.last(), "{what}: continues after {found}, {} were given", ledger.last());
        ledger.continues_behind(found);
        let done = ledger.append(&writer, vec![Given::of(9, b"after".to_vec())]);
        let done = done.and_then(|()| ledger.acknowledged_behind(&writer, writer.sync(), self.ledger.durable));
        assert_eq!((done, writer.position().unwrap().durable), (Some(()), found + 1), "{what}");
        writer.close().unwrap();
        let mut lost_any = false;
        for mode in [ReaderMode::Prefix, ReaderMode::Salvage] {
            let (rows, lost, end) = rows_and_losses(directory, mode, &ledger, &what);
            let what = format!("{what}, {mode:?} ({end:?})");
            match mode {
                ReaderMode::Salvage => ledger.compare_records(&rows, &lost, &what),
                _ => ledger.compare(&rows, &lost, &what),
            }
            assert!(end.is_ok(), "{what}, {mode:?}: {end:?}");
            assert_eq!(rows.last().map(|row| row.id), Some(found + 1), "{what}, {mode:?}");
            lost_any |= !lost.is_empty();
            assert!(lost.is_empty() || !self.orderly, "{what}, {mode:?}: {lost:?} are lost");
        }
        let reader = reader(directory, ReaderMode::Strict).unwrap_or_else(|e| panic!("{what}: {e:?}"));
        let (rows, end) = rows_of_log(&reader, &ledger, &what);
        match &end {
            Ok(()) => ledger.compare(&rows, &[], &what),
            Err(e) => assert!(e.kind() == Kind::Corrupt && !self.orderly, "{what}: {e:?}"),
        }
        let after = files(directory);
        self.before.iter().chain([&before]).for_each(|before| assert_kept(before, &after, &what));
        end.is_ok() && !lost_any
    }
}

/// The rows that a reader in this mode shows, the records that it reports as lost, and how the log ends.
fn rows_and_losses(
    directory: &PowerDirectory,
    mode: ReaderMode,
    ledger: &Ledger,
    what: &str,
) -> (Vec<Row>, Vec<(u64, u64)>, binlog::Result<()>) {
    let losses: Arc<Mutex<Vec<Loss>>> = Arc::default();
    let heard = losses.clone();
    let on_loss: OnLoss = Arc::new(move |loss| heard.lock().unwrap().push(loss.clone()));
    let options = ReaderOptions { mode, on_loss: Some(on_loss), ..ReaderOptions::default() };
    let reader = Reader::open(Arc::new(directory.clone()), options).unwrap_or_else(|e| panic!("{what}: {e:?}"));
    let (rows, end) = rows_of_log(&reader, ledger, what);
    let lost = losses.lock().unwrap().iter().filter_map(|loss| loss.ids).collect();
    (rows, lost, end)
}

/// The rows, with the names of their types compared, and how the log ends.
fn rows_of_log(reader: &Reader, ledger: &Ledger, what: &str) -> (Vec<Row>, binlog::Result<()>) {
    let mut cursor = reader.cursor(&Filter::default()).unwrap();
    let mut rows: Vec<Row> = vec![];
    loop {
        match cursor.next().map(|record| record.map(|record| Row::from(&record))) {
            Ok(Some(row)) => {
                if let Some(given) = ledger.taken.get(row.id as usize - 1) {
                    assert_eq!(cursor.type_name(row.type_id), given.type_name, "{what}: {}", brief(&row));
                }
                rows.push(row);
            }
            Ok(None) => return (rows, Ok(())),
            Err(e) => return (rows, Err(e)),
        }
    }
}

/// Bytes of segments are where they were, or in a file that states the offset at which they were cut off.
fn assert_kept(before: &Files, after: &Files, what: &str) {
    for (name, was) in before.iter().filter(|(name, _)| name.ends_with(".binlog")) {
        let is = after.get(name).map_or(&[][..], |bytes| &bytes[..]);
        if is.starts_with(was) {
            continue;
        }
        let same = was.iter().zip(is).take_while(|(was, is)| was == is).count();
        if has_space(was) && was[same..].iter().all(|&byte| byte == 0) {
            continue;
        }
        let kept = after.iter().any(|(kept, bytes)| {
            let offset = kept.strip_prefix(&format!("{name}.torn-")).map(|rest| rest.split('.').next());
            let offset: Option<usize> = offset.flatten().and_then(|digits| digits.parse().ok());
            offset.is_some_and(|offset| offset <= same && was[offset..] == bytes[..])
        });
        let there: Vec<_> = after.keys().collect();
        assert!(kept, "{what}: the bytes of {name} behind {same} are neither there nor kept: {there:?}");
    }
}

/// Everything that must hold of an image; false when something was lost in it that others follow.
pub fn check(image: &Image, ledger: &Ledger, options: &WriterOptions, what: &str) -> bool {
    let case = Case { ledger, orderly: is_orderly(&image.fates), before: vec![], what: what.to_owned() };
    case.reopen(&image.directory, options)
}
