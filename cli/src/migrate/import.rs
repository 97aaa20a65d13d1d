//! `binlog import`: older libraries' files become a log.

mod copy;
mod sum;

use std::path::{Path, PathBuf};

use binlog::{Codec, Error, Kind, Reader, ReaderOptions, WriterOptions};
use clap::Args;
use copy::{Imported, Stage};

use crate::output::{self, Fail, Out};
use crate::progress::Progress;
use crate::{advice, args, human, DAMAGED, OK};

/// Bring the files of older libraries over into a log
///
/// Reads files of the Python binary logger, the Java binlog and shoebox, and logs of this library, found by their contents,
/// in the order in which they are named; the files of a directory or pattern in the order in which they were written. LOG
/// is a directory, which is made when it is not there. Afterwards the log is read back and compared with the files: numbers
/// of records, bytes, and a checksum over types, times, metadata and payloads.
///
/// An import that was stopped, however that came about, goes on when it is called again with the same files. One that is
/// done takes over what was appended to the files since. A log that no import of these files began is left alone.
#[derive(Args)]
#[command(
    override_usage = "binlog import [OPTIONS] <SOURCE>... <LOG>\n       binlog import [OPTIONS] --dry-run <SOURCE>...",
    after_help = "\
Exit status: 0 everything is in the log, 3 it is, but for the torn end of a file, 1 the import failed; what was read before \
that is in the log.

Examples:
  binlog import default.*.binlog logs/        the Java binlog's files become a log
  binlog import the_logger.log archives/ logs/
  binlog import --dry-run default.*.binlog    what is in them? Writes nothing
  binlog import --codec zstd --name app old/ logs/"
)]
pub struct Import {
    /// Files, directories or patterns, and at the end the directory of the log
    #[arg(required = true, value_name = "SOURCE")]
    paths: Vec<PathBuf>,
    /// Read everything and say what is there; write nothing, and take no LOG
    #[arg(long)]
    dry_run: bool,
    /// Name of the log; the first file's, up to the time in it, unless said otherwise
    #[arg(long)]
    name: Option<String>,
    /// MIME type of the payloads; what the first file says, unless said otherwise
    #[arg(long)]
    content_type: Option<String>,
    /// Compression of blocks: none, lz4, zstd or zstd:LEVEL
    #[arg(long, value_parser = args::codec, default_value = "none")]
    codec: (Codec, i32),
    /// Begin a new segment rather than let one grow over this size
    #[arg(long, value_name = "SIZE", value_parser = args::size)]
    size: Option<u64>,
}

pub fn run(args: &Import) -> Result<u8, Fail> {
    let (sources, target) = match args.dry_run {
        true => (args.paths.clone(), None),
        false => match args.paths.split_last() {
            Some((target, sources)) if !sources.is_empty() => (sources.to_vec(), Some(target.clone())),
            _ => return Err(Fail::Message("name the files, and at the end the directory of the log".to_owned())),
        },
    };
    let total = sources.iter().map(|source| bytes_of(source)).sum();
    let mut progress = Progress::new(Some(total));
    let mut verifying = false;
    let mut on_stage = |stage: Stage| match stage {
        Stage::Reading(bytes) => progress.at(bytes),
        Stage::Verifying(bytes) => {
            if !std::mem::replace(&mut verifying, true) {
                progress = Progress::new(Some(total));
            }
            progress.at(bytes);
        }
    };
    let imported = match &target {
        None => copy::look(&sources, &mut on_stage),
        Some(target) => {
            let options = WriterOptions {
                name: args.name.clone().unwrap_or_default(),
                content_type: args.content_type.clone().unwrap_or_default(),
                codec: args.codec.0,
                codec_level: args.codec.1,
                segment_bytes: args.size.unwrap_or(WriterOptions::default().segment_bytes),
                // What is written is to be read at once, by nobody else.
                background: true,
                ..WriterOptions::default()
            };
            let import = copy::Import { sources: sources.clone(), target: target.clone(), options };
            copy::import(&import, &mut on_stage)
        }
    };
    drop(progress);
    let imported = imported.map_err(|e| match e.kind() {
        Kind::Mismatch => Fail::Message(e.to_string()),
        _ => advised(e, &sources),
    })?;
    let mut out = Out::new();
    out.put(report(&imported, target.is_some()).as_bytes())?;
    out.flush()?;
    if imported.cut_times > 0 {
        output::complain(&format!(
            "{} a time before 1677 or after 2262, which a log does not hold; the first is record {}. It is in the metadata, \
             as legacy.time_ms",
            match imported.cut_times {
                1 => "1 record has".to_owned(),
                n => format!("{} records have", human::count(n)),
            },
            human::count(imported.first_cut_time)
        ));
    }
    for tail in &imported.torn {
        let (path, offset, bytes) = (tail.path.display(), tail.offset, human::count(tail.unread_bytes));
        output::complain(&format!("{path}: offset {offset}: torn tail of {bytes} bytes: {}", tail.reason));
    }
    Ok(if imported.torn.is_empty() { OK } else { DAMAGED })
}

/// An error of one of the sources: which of them is damaged says what can be done about it.
fn advised(error: Error, sources: &[PathBuf]) -> Fail {
    let is_of = |source: &&PathBuf| error.path().is_some_and(|path| path.starts_with(source));
    match sources.iter().find(is_of).or(sources.first()) {
        Some(source) => advice::fail(source)(error),
        None => error.into(),
    }
}

/// Bytes of the files behind a path, for the progress bar.
fn bytes_of(source: &Path) -> u64 {
    let paths = Reader::open(source, ReaderOptions::default()).map_or_else(|_| vec![], |reader| reader.paths());
    paths.iter().filter_map(|path| Some(path.metadata().ok()?.len())).sum()
}

fn report(imported: &Imported, written: bool) -> String {
    let mut out = String::new();
    let mut line = |name: &str, value: String| out.push_str(&format!("{name:<9} {value}\n"));
    line("records", human::count(imported.records));
    if imported.found > 0 {
        line("of which", format!("{} were there before", human::count(imported.found)));
    }
    line(
        "payload",
        format!("{} ({} bytes)", human::bytes(imported.payload_bytes), human::count(imported.payload_bytes)),
    );
    if imported.events > 0 {
        line("events", human::count(imported.events));
    }
    if imported.left_out > 0 {
        line("left out", format!("{} events about the old files", human::count(imported.left_out)));
    }
    line("checksum", format!("{:08x}", imported.checksum));
    if written {
        line("verified", "the log holds what the files do".to_owned());
    }
    out
}
