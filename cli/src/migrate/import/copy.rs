//! Copies the records of other files, such as those of older libraries, into a log, and compares the log with them afterwards.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use binlog::{
    event, Error, Filter, Kind, Loss, MetadataBuf, NamedType, NewRecord, OnLoss, Reader, ReaderOptions, Record,
    Required, Result, Tail, TailState, Writer, WriterOptions,
};

use super::sum::Sum;

/// The time of a record in milliseconds since the epoch where nanoseconds do not hold it: a key of its metadata.
const TIME_MS: &str = "legacy.time_ms";

/// Parameters of the log that say which files it was made of: a name for all of them together, and how many they are.
const ID: &str = "import.id";
const FILES: &str = "import.files";

/// What is imported, and to where.
#[derive(Clone, Debug)]
pub struct Import {
    /// Files, directories and patterns, in this order.
    pub sources: Vec<PathBuf>,
    /// The directory of the log.
    pub target: PathBuf,
    /// How the log is written. An empty name, content type and parameters stand for those of the first source.
    pub options: WriterOptions,
}

/// What an import has come to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Records of the sources, all of which the log holds.
    pub records: u64,
    /// Of those, how many it held before, from an import that was stopped.
    pub found: u64,
    /// Bytes of their payloads.
    pub payload_bytes: u64,
    /// Events that the log holds, too: that a writer began, ended, or was alive.
    pub events: u64,
    /// Events about the old files themselves, such as their names, which would not be true of the new ones.
    pub left_out: u64,
    /// Files whose end is torn, or that were not closed: what stood before is imported.
    pub torn: Vec<Tail>,
    /// Records whose time is before 1677 or after 2262, which 64 bits of nanoseconds do not hold: it is in their metadata, as
    /// `legacy.time_ms`, and the time that is shown is the first or the last that there is.
    pub cut_times: u64,
    /// The first of them, counted from 1.
    pub first_cut_time: u64,
    /// CRC-32 over type, time, metadata and payload of all records, in order.
    pub checksum: u32,
}

/// How far an import is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// So many bytes of payload were read from the sources.
    Reading(u64),
    /// So many were read back from the log.
    Verifying(u64),
}

/// Imports, and compares what the log holds then with what the sources do. A log that an import was stopped in goes on
/// where that was, when the sources are the same; a finished one is compared again, and gets what was appended to the
/// sources since. `progress` hears how far it is. Memory does not grow with the sources.
///
/// # Errors
/// [`Kind::Mismatch`] when the target is a log that no import of these sources began; [`Kind::Corrupt`] at damage in a
/// source, after everything before it was imported, and when the log is not what the sources are; and what opening,
/// reading and writing fail with.
pub fn import(import: &Import, progress: &mut dyn FnMut(Stage)) -> Result<Imported> {
    let passed = Passed::default();
    let readers = open(&import.sources, &passed)?;
    let options = options(import, &readers)?;
    let is_there = is_there(&import.target, &options)?;
    let writer = Writer::open(&import.target, options)?;
    // Only now: opening cuts off what a crash has left at the end.
    let (found, events) = if is_there { held(&import.target)? } else { (0, 0) };
    let mut importing = Importing { writer: Some(&writer), passed, found, events, ..Importing::default() };
    let result = importing.all(&readers, progress);
    let Importing { sum, done, .. } = importing;
    // What was read is kept, whatever stopped the reading.
    writer.close()?;
    result?;
    let imported = Imported { checksum: sum.checksum(), ..done };
    compare(&import.target, &imported, progress)?;
    Ok(imported)
}

/// Reads all sources and writes nothing.
pub fn look(sources: &[PathBuf], progress: &mut dyn FnMut(Stage)) -> Result<Imported> {
    let mut looking = Importing::default();
    let readers = open(sources, &looking.passed)?;
    looking.all(&readers, progress)?;
    Ok(Imported { checksum: looking.sum.checksum(), ..looking.done })
}

/// Torn ends that were passed over because other files or logs come behind them.
type Passed = Arc<Mutex<Vec<Loss>>>;

fn open(sources: &[PathBuf], passed: &Passed) -> Result<Vec<Reader>> {
    if sources.is_empty() {
        return Err(Error::invalid("there is nothing to import"));
    }
    let heard = passed.clone();
    let on_loss: OnLoss =
        Arc::new(move |loss| heard.lock().expect("nothing panics while it is locked").push(loss.clone()));
    let options = || ReaderOptions { on_loss: Some(on_loss.clone()), ..ReaderOptions::default() };
    sources.iter().map(|source| Reader::open(source, options())).collect()
}

/// The options with what the sources say, and the mark of this import.
fn options(import: &Import, readers: &[Reader]) -> Result<WriterOptions> {
    let mut options = import.options.clone();
    let mut names = vec![];
    for reader in readers {
        let segment = reader.first_segment()?;
        if options.name.is_empty() {
            options.name.clone_from(&segment.name);
        }
        if options.content_type.is_empty() {
            options.content_type.clone_from(&segment.content_type);
        }
        for (key, value) in segment.parameters {
            options.parameters.entry(key).or_insert(value);
        }
        let file = |path: PathBuf| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        names.extend(reader.paths().into_iter().map(file));
    }
    let id = crc32fast::hash(names.join("\n").as_bytes());
    options.parameters.insert(ID.to_owned(), format!("{id:08x}"));
    options.parameters.insert(FILES.to_owned(), names.len().to_string());
    let own = [ID, FILES].map(|key| (key.to_owned(), options.parameters[key].clone()));
    options.require = Required { parameters: own.into(), ..Required::default() };
    Ok(options)
}

/// Whether the log is there that an import of these files has begun.
fn is_there(target: &Path, options: &WriterOptions) -> Result<bool> {
    let required = ReaderOptions { require: options.require.clone(), ..ReaderOptions::default() };
    match Reader::open(target, required) {
        Ok(_) => Ok(true),
        Err(error) => match error.kind() {
            Kind::NotFound => Ok(false),
            Kind::Mismatch => {
                Err(error.because("the log was not begun by an import of these files: name another target"))
            }
            _ => Err(error),
        },
    }
}

/// How many records the log holds, and how many imported events stand behind the last of them. Not its last id: those of
/// records that a crash has cost are not given again.
fn held(target: &Path) -> Result<(u64, u64)> {
    let reader = Reader::open(target, ReaderOptions::default())?;
    let records = reader.counts()?.iter().map(|of_type| of_type.records).sum();
    let mut cursor = reader.cursor(&Filter { last: Some(1), events: true, ..Filter::default() })?;
    let mut events = 0;
    while let Some(record) = cursor.next()? {
        match record.is_event() {
            false => events = 0,
            true => events += u64::from(is_imported(&record)),
        }
    }
    Ok((records, events))
}

/// What is true of the new log's past, too.
fn is_kept(type_id: u32) -> bool {
    matches!(type_id, event::STARTED | event::STOPPED | event::HEARTBEAT)
}

/// What an imported event has besides its own metadata: the log's own do not have it.
const MARK: (&str, &str) = ("imported", "1");

fn is_imported(record: &Record<'_>) -> bool {
    record.metadata.get(MARK.0) == Some(MARK.1)
}

#[derive(Default)]
struct Importing<'a> {
    /// `None` only looks.
    writer: Option<&'a Writer>,
    passed: Passed,
    /// Records that are there already, and events behind the last of them.
    found: u64,
    events: u64,
    sum: Sum,
    done: Imported,
}

impl Importing<'_> {
    fn all(&mut self, readers: &[Reader], progress: &mut dyn FnMut(Stage)) -> Result<()> {
        for reader in readers {
            self.source(reader, progress)?;
        }
        if self.done.records < self.found {
            let reason = format!("the log holds {} records, and its sources only {}", self.found, self.done.records);
            return Err(Error::new(Kind::Corrupt, reason));
        }
        self.done.found = self.found;
        Ok(())
    }

    fn source(&mut self, reader: &Reader, progress: &mut dyn FnMut(Stage)) -> Result<()> {
        const EACH: u64 = 1 << 20;
        let mut cursor = reader.cursor(&Filter { events: true, ..Filter::default() })?;
        let mut types: HashMap<u32, (String, u32)> = HashMap::new();
        let mut next = self.done.payload_bytes;
        while let Some(record) = cursor.next()? {
            match record.is_event() {
                true => self.event(&record, &mut types)?,
                false => self.record(&record, &types)?,
            }
            if self.done.payload_bytes >= next {
                next = self.done.payload_bytes + EACH;
                progress(Stage::Reading(next - EACH));
            }
        }
        let torn = |loss: Loss| Tail {
            state: TailState::Torn,
            path: loss.path,
            offset: loss.offset,
            unread_bytes: loss.bytes,
            reason: loss.reason,
            ..Tail::default()
        };
        self.done.torn.extend(self.passed.lock().expect("nothing panics while it is locked").drain(..).map(torn));
        let tail = cursor.tail();
        if tail.state == TailState::Torn {
            self.done.torn.push(tail);
        }
        Ok(())
    }

    fn record(&mut self, record: &Record<'_>, types: &HashMap<u32, (String, u32)>) -> Result<()> {
        let named = types.get(&record.type_id);
        self.sum.add(record, named.map(|(name, _)| &**name));
        self.done.records += 1;
        self.done.payload_bytes += record.payload.len() as u64;
        if matches!(record.time, i64::MIN | i64::MAX) && record.metadata.get(TIME_MS).is_some() {
            self.done.cut_times += 1;
            if self.done.cut_times == 1 {
                self.done.first_cut_time = self.done.records;
            }
        }
        let Some(writer) = self.writer.filter(|_| self.done.records > self.found) else { return Ok(()) };
        let id = writer.append_record(&NewRecord {
            type_id: named.map_or(record.type_id, |(_, number)| *number),
            time: Some(record.time),
            metadata: record.metadata,
            payload: record.payload,
        })?;
        // Behind those that a crash has cost, ids are greater than the number of records.
        match id >= self.done.records {
            true => Ok(()),
            false => {
                Err(Error::new(Kind::Corrupt, format!("record {} became record {id} of the log", self.done.records)))
            }
        }
    }

    fn event(&mut self, record: &Record<'_>, types: &mut HashMap<u32, (String, u32)>) -> Result<()> {
        if record.type_id == event::TYPE {
            if let Some(named) = NamedType::from_event(record.metadata) {
                let number = match self.writer {
                    Some(writer) => writer.type_id(&named.name, &named.content_type)?,
                    None => named.number,
                };
                types.insert(named.number, (named.name, number));
            }
            return Ok(());
        }
        if !is_kept(record.type_id) {
            self.done.left_out += 1;
            return Ok(());
        }
        self.done.events += 1;
        let behind = self.done.records >= self.found;
        if behind && self.done.records == self.found && self.events > 0 {
            self.events -= 1;
            return Ok(());
        }
        match self.writer.filter(|_| behind) {
            Some(writer) => writer.append_event(&NewRecord {
                type_id: record.type_id,
                time: Some(record.time),
                metadata: MetadataBuf::from_iter(record.metadata.into_iter().chain([MARK])).as_metadata(),
                payload: record.payload,
            }),
            None => Ok(()),
        }
    }
}

/// Reads the log back.
fn compare(target: &Path, imported: &Imported, progress: &mut dyn FnMut(Stage)) -> Result<()> {
    let mut verifying = |stage| {
        if let Stage::Reading(bytes) = stage {
            progress(Stage::Verifying(bytes));
        }
    };
    let there = look(&[target.to_owned()], &mut verifying)?;
    let of = |imported: &Imported| (imported.records, imported.payload_bytes, imported.checksum);
    let ((records, bytes, checksum), expected) = (of(&there), of(imported));
    if (records, bytes, checksum) == expected {
        return Ok(());
    }
    let reason = format!(
        "the log holds {records} records, {bytes} bytes of payload, checksum {checksum:08x}; its sources {}, {}, {:08x}",
        expected.0, expected.1, expected.2
    );
    Err(Error::new(Kind::Corrupt, reason).at(target))
}
