//! The Rust program of the conformance suite: `tests/conformance/README.md` describes its commands.
//!
//!     conform read PATH [CONDITION]... | salvage PATH | types PATH | write DIR COUNT | stage DIR COUNT | tail DIR COUNT

mod describe;

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant};

use binlog::rolling::RollOptions;
use binlog::{Appender, Filter, Kind, MetadataBuf, NewRecord, Reader, ReaderOptions, Writer, WriterOptions};
use describe::{describe_filtered, describe_salvaged, describe_type, next, one_line_each, Described};

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let outcome = match words[..] {
        ["read", path, ref conditions @ ..] => read(Path::new(path), conditions),
        ["salvage", path] => print(&one_line_each(&describe_salvaged(Path::new(path)))),
        ["types", path] => types(Path::new(path)),
        ["write", dir, count] => count.parse().map_err(Into::into).and_then(|count| write(Path::new(dir), count)),
        ["stage", dir, count] => count.parse().map_err(Into::into).and_then(|count| stage(Path::new(dir), count)),
        ["tail", dir, count] => count.parse().map_err(Into::into).and_then(|count| tail(Path::new(dir), count)),
        _ => Err("conform read PATH [CONDITION]... | salvage PATH | types PATH | write|stage|tail DIR COUNT".into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("conform: {e}");
            ExitCode::FAILURE
        }
    }
}

fn read(path: &Path, conditions: &[&str]) -> Outcome {
    let mut filter = Filter::default();
    for condition in conditions {
        let (what, value) = condition.split_once('=').unwrap_or((condition, ""));
        match what {
            "from_id" => filter.from_id = Some(value.parse()?),
            "to_id" => filter.to_id = Some(value.parse()?),
            "from_time" => filter.from_time = Some(value.parse()?),
            "to_time" => filter.to_time = Some(value.parse()?),
            "type" => filter.types.push(value.parse()?),
            "type_name" => filter.type_names.push(value.to_owned()),
            "pair" => {
                let (key, value) = value.split_once('=').ok_or("a pair is pair=KEY=VALUE")?;
                filter.metadata.push((key.to_owned(), value.to_owned()));
            }
            "last" => filter.last = Some(value.parse()?),
            "newest_first" => filter.newest_first = true,
            _ => return Err(format!("{condition} is no condition").into()),
        }
    }
    print(&one_line_each(&describe_filtered(path, &filter)))
}

fn types(path: &Path) -> Outcome {
    let types = Reader::open(path, ReaderOptions::default())?.types()?;
    print(&types.iter().map(|info| format!("{}\n", describe_type(info))).collect::<String>())
}

fn print(text: &str) -> Outcome {
    Ok(std::io::stdout().write_all(text.as_bytes())?)
}

/// Records of a call that takes several, and of a run that is written in one way.
const RUN: u64 = 10;
/// Records from one flush to the next.
const FLUSH: u64 = 100;
/// Records of a segment.
const SEGMENT: u64 = 1000;

/// Record number `i` of a log that is written here.
struct Numbered {
    time: i64,
    type_id: u32,
    metadata: MetadataBuf,
    payload: Vec<u8>,
}

impl Numbered {
    fn new(i: u64, named: u32) -> Self {
        let mut metadata = MetadataBuf::new();
        if i.is_multiple_of(3) {
            metadata.push("i", &i.to_string());
            metadata.push("ключ", "значение");
        }
        Numbered {
            time: 1_700_000_000_000_000_000 + i as i64 * 1000,
            type_id: if i.is_multiple_of(5) { named } else { (i % 5) as u32 },
            metadata,
            payload: (0..i * 7919 % 700).map(|j| (i * 31 + j * 7) as u8).collect(),
        }
    }

    fn record(&self) -> NewRecord<'_> {
        NewRecord {
            type_id: self.type_id,
            time: Some(self.time),
            metadata: self.metadata.as_metadata(),
            payload: &self.payload,
        }
    }

    /// The record without its payload.
    fn head(&self) -> NewRecord<'_> {
        NewRecord { payload: b"", ..self.record() }
    }

    fn parts(&self) -> [&[u8]; 3] {
        let (first, rest) = self.payload.split_at(self.payload.len() / 3);
        let (second, third) = rest.split_at(rest.len() / 2);
        [first, second, third]
    }
}

fn write(dir: &Path, count: u64) -> Outcome {
    let writer = open(dir, Some(SEGMENT))?;
    append(&writer, count, |way, run| match way {
        0 => run.iter().try_for_each(|one| writer.append_record(&one.record()).map(drop)),
        1 => run.iter().try_for_each(|one| writer.gather_record(&one.head(), &one.parts()).map(drop)),
        // Packed frames are for other languages: here they are a batch like any other.
        _ => writer.append_batch(run.iter().map(Numbered::record)).map(drop),
    })?;
    Ok(writer.close()?)
}

fn stage(dir: &Path, count: u64) -> Outcome {
    let writer = open(dir, None)?;
    let mut appender: Appender = writer.appender()?;
    append(&writer, count, |way, run| match way {
        0 => run.iter().try_for_each(|one| appender.append_record(&one.record()).map(drop)),
        1 => run.iter().try_for_each(|one| appender.gather_record(&one.head(), &one.parts()).map(drop)),
        _ => appender.append_batch(run.iter().map(Numbered::record)).map(drop),
    })?;
    Ok(writer.close()?)
}

fn open(dir: &Path, segment_records: Option<u64>) -> binlog::Result<Writer> {
    let options = WriterOptions {
        name: "conform".into(),
        content_type: "application/x-conform".into(),
        parameters: [("writer".to_owned(), "rust".to_owned())].into(),
        roll: RollOptions { records: segment_records, ..RollOptions::default() },
        ..WriterOptions::default()
    };
    Writer::open(dir, options)
}

/// Appends so many records, each run of them in the next way.
fn append(writer: &Writer, count: u64, mut each: impl FnMut(u64, &[Numbered]) -> binlog::Result<()>) -> Outcome {
    let named = writer.type_id("conform.named", "text/plain")?;
    let before = writer.position()?.appended;
    let mut done = 0;
    while done < count {
        let run: Vec<Numbered> =
            (done..count.min(done + RUN)).map(|at| Numbered::new(before + at + 1, named)).collect();
        each(done / RUN % 4, &run)?;
        done += run.len() as u64;
        if done.is_multiple_of(FLUSH) {
            writer.flush()?;
        }
    }
    writer.flush()?;
    let position = writer.position()?.appended;
    match position == before + count {
        true => Ok(()),
        false => Err(format!("the last id is {position} after {count} records behind {before}").into()),
    }
}

fn tail(dir: &Path, count: u64) -> Outcome {
    let start = Instant::now();
    let reader = loop {
        match Reader::open(dir, ReaderOptions::default()) {
            Err(e) if e.kind() == Kind::NotFound && start.elapsed() < Duration::from_secs(30) => {
                sleep(Duration::from_millis(5));
            }
            opened => break opened?,
        }
    };
    let mut cursor = reader.cursor(&Filter { from_id: Some(1), ..Filter::default() })?;
    let mut out = std::io::stdout().lock();
    let mut seen = 0;
    while seen < count {
        match next(&mut cursor)? {
            Some(Described::Record(record)) => {
                writeln!(out, "{record}")?;
                seen += 1;
            }
            Some(Described::Event(event)) => return Err(format!("an event that was not asked for: {event}").into()),
            None if cursor.wait(Duration::from_secs(60))? => (),
            None => return Err(format!("no more than {seen} of {count} records came in 60 s").into()),
        }
    }
    Ok(out.flush()?)
}
