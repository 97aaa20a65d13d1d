//! `binlog compress` and `binlog decompress`: finished segments in less space, and back.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use binlog::compression::{CompressOptions, CompressProgress, Compressed, Dictionary, Whole};
use binlog::{Codec, Error};
use clap::{Args, ValueEnum};
use serde_json::{json, Value};

use crate::human::{self, bytes, count, counted, plain, share};
use crate::output::{Fail, Out};
use crate::progress::Progress;
use crate::{advice, args, OK};

/// Compress finished segments
///
/// The records are put together in larger blocks, which are compressed: ids, times, types and metadata stay, any record can
/// be read alone, and `orders.0000000042.binlog` becomes `orders.0000000042.z.binlog`. The result is compared with
/// the source, record by record, before the source is removed. A writer may have the log open: its newest segment is
/// left as it is.
#[derive(Args)]
#[command(after_help = "\
A log of one file stays beside what is made of it, unless --remove-single is given; it must have been closed.
What a run that was stopped has left is finished, or swept, by the next.

Examples:
  binlog compress --dry-run logs/                 which segments would be?
  binlog compress logs/
  binlog compress --level 19 --threads 4 logs/    as small as can be, on four processors
  binlog compress --whole gzip logs/              as *.binlog.gz, for other people's tools
  binlog compress --json logs/ | jq '.compressed[].bytes_after'")]
pub struct Compress {
    /// Logs: directories, files, or patterns
    #[arg(required = true)]
    logs: Vec<PathBuf>,
    /// Compression of the blocks
    #[arg(long, value_enum, default_value = "zstd", conflicts_with = "whole")]
    codec: BlockCodec,
    /// Level of zstd, 1 to 22 (of gzip, with --whole, up to 9)
    #[arg(long, default_value_t = 3, allow_hyphen_values = true)]
    level: i32,
    /// Payload bytes of a block, 4KiB to 16MiB: as much is decompressed to show one record
    #[arg(long, value_name = "SIZE", value_parser = args::size, default_value = "1MiB", conflicts_with = "whole")]
    block_bytes: u64,
    /// Threads that compress
    #[arg(long, default_value_t = 1, conflicts_with = "whole")]
    threads: u32,
    /// Give no segment a zstd dictionary; otherwise one with blocks of 256KiB or less gets one where that pays
    #[arg(long, conflicts_with = "whole")]
    no_dictionary: bool,
    /// Put the file's SHA-256 into its name
    #[arg(long, conflicts_with = "whole")]
    sha256_name: bool,
    /// Compress each file as a whole: it can only be read from its beginning then
    #[arg(long, value_enum)]
    whole: Option<WholeFile>,
    #[command(flatten)]
    common: Common,
}

/// Make ordinary segments of compressed ones
///
/// Undoes `binlog compress`, with --whole byte for byte. The result is compared with the source before the source
/// is removed.
#[derive(Args)]
#[command(after_help = "\
Examples:
  binlog decompress logs/
  binlog decompress --keep-source logs/orders.0000000042.z.binlog
  binlog decompress 'logs/*.binlog.gz'")]
pub struct Decompress {
    /// Logs: directories, files, or patterns
    #[arg(required = true)]
    logs: Vec<PathBuf>,
    #[command(flatten)]
    common: Common,
}

#[derive(Args)]
struct Common {
    /// Keep the sources beside the results
    #[arg(long)]
    keep_source: bool,
    /// Remove the source also when it is a log of one file
    #[arg(long, conflicts_with = "keep_source")]
    remove_single: bool,
    /// Of a directory, only the log of this name
    #[arg(long = "log", value_name = "NAME")]
    name: Option<String>,
    /// Write nothing, and show what would be done
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// One JSON object, for programs
    #[arg(long)]
    json: bool,
    /// Print nothing but failures
    #[arg(short, long, conflicts_with = "json")]
    quiet: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum BlockCodec {
    Zstd,
    Lz4,
}

#[derive(Clone, Copy, ValueEnum)]
enum WholeFile {
    Gzip,
    Zstd,
}

pub fn run(args: &Compress) -> Result<u8, Fail> {
    let whole = args.whole.map(|whole| match whole {
        WholeFile::Gzip => Whole::Gzip,
        WholeFile::Zstd => Whole::Zstd,
    });
    let options = CompressOptions {
        codec: match args.codec {
            BlockCodec::Zstd => Codec::Zstd,
            BlockCodec::Lz4 => Codec::Lz4,
        },
        level: args.level,
        block_bytes: u32::try_from(args.block_bytes).unwrap_or(u32::MAX),
        threads: args.threads,
        dictionary: if args.no_dictionary { Dictionary::Never } else { Dictionary::Auto },
        sha256_name: args.sha256_name,
        ..args.common.options()
    };
    let call = move |path: &Path, options: &CompressOptions| match whole {
        Some(whole) => binlog::compression::pack(path, whole, options),
        None => binlog::compression::compress(path, options),
    };
    work(&args.logs, &args.common, options, call, "compressed")
}

pub fn run_back(args: &Decompress) -> Result<u8, Fail> {
    let call = |path: &Path, options: &CompressOptions| binlog::compression::decompress(path, options);
    work(&args.logs, &args.common, args.common.options(), call, "decompressed")
}

impl Common {
    fn options(&self) -> CompressOptions {
        CompressOptions {
            keep_source: self.keep_source,
            remove_single: self.remove_single,
            dry_run: self.dry_run,
            log: self.name.clone(),
            ..CompressOptions::default()
        }
    }
}

type Done = Result<Vec<Compressed>, Error>;

/// Does the work for each of the logs, and prints what was done, also when one of them fails.
fn work(
    logs: &[PathBuf],
    common: &Common,
    options: CompressOptions,
    call: impl Fn(&Path, &CompressOptions) -> Done + Copy + Send + 'static,
    done: &str,
) -> Result<u8, Fail> {
    let mut made = vec![];
    let mut failed = None;
    for log in logs {
        match with_progress(log.clone(), options.clone(), call, common.quiet)? {
            Ok(more) => made.extend(more),
            Err(error) => {
                failed = Some((log, error));
                break;
            }
        }
    }
    let mut out = Out::new();
    match common.json {
        true => writeln!(out, "{}", to_json(&made, common.dry_run, done))?,
        // The failure says it all.
        false if common.quiet || (made.is_empty() && failed.is_some()) => (),
        false => out.put(text(&made, common.dry_run, done).as_bytes())?,
    }
    out.flush()?;
    match failed {
        None => Ok(OK),
        Some((log, error)) => Err(advice::fail(log)(error)),
    }
}

/// Calls in a thread, and draws the bar meanwhile.
fn with_progress(
    log: PathBuf,
    options: CompressOptions,
    call: impl Fn(&Path, &CompressOptions) -> Done + Send + 'static,
    quiet: bool,
) -> Result<Done, Fail> {
    let (sender, receiver) = mpsc::sync_channel::<CompressProgress>(64);
    let heavy = !options.dry_run && !quiet;
    let total = if heavy { bytes_of(&log, &options, &call) } else { None };
    let report = move |at: &CompressProgress| {
        // When the channel is full this report is dropped; another follows.
        let _ = sender.try_send(at.clone());
        true
    };
    let options = CompressOptions { progress: Some(Arc::new(report)), ..options };
    let work = thread::spawn(move || {
        let done = call(&log, &options);
        drop(options);
        done
    });
    let mut progress = Progress::new(total);
    let (mut before, mut last) = (0, None::<CompressProgress>);
    loop {
        match receiver.recv_timeout(Duration::from_millis(100)) {
            Ok(at) => {
                if let Some(ended) = last.take().filter(|ended| ended.path != at.path) {
                    before += 2 * ended.bytes;
                }
                progress.at((before + at.done) / 2);
                last = Some(at);
            }
            Err(RecvTimeoutError::Timeout) => (),
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    drop(progress);
    work.join().map_err(|_| Fail::message("the work failed within the library"))
}

/// Bytes of the files that will be worked on, for the bar.
fn bytes_of(log: &Path, options: &CompressOptions, call: &impl Fn(&Path, &CompressOptions) -> Done) -> Option<u64> {
    let dry = CompressOptions { dry_run: true, ..options.clone() };
    let made = call(log, &dry).ok()?;
    Some(made.iter().map(|made| made.bytes_before).sum())
}

fn name_of(path: &Path) -> String {
    path.file_name().map_or(String::new(), |name| plain(&name.to_string_lossy()))
}

fn text(made: &[Compressed], dry_run: bool, done: &str) -> String {
    let mut out = String::new();
    if !made.is_empty() {
        let row = |one: &Compressed| {
            let mut row = vec![name_of(&one.source), name_of(&one.path), bytes(one.bytes_before)];
            if !dry_run {
                row.extend([bytes(one.bytes_after), share(one.bytes_after, one.bytes_before), count(one.records)]);
            }
            row
        };
        let rows: Vec<_> = made.iter().map(row).collect();
        let heading = ["segment", "becomes", ">size", ">then", ">share", ">records"];
        human::table(&mut out, &heading[..if dry_run { 3 } else { 6 }], &rows);
    }
    let sum = |of: fn(&Compressed) -> u64| made.iter().map(of).sum::<u64>();
    let (segments, before) = (counted(made.len() as u64, "segment"), bytes(sum(|one| one.bytes_before)));
    out.push_str(&match (made.is_empty(), dry_run) {
        (true, _) => format!("nothing to be {done}\n"),
        (false, true) => format!("{segments} would be {done}, {before}\n"),
        (false, false) => {
            let after = bytes(sum(|one| one.bytes_after));
            let kept = made.iter().filter(|one| !one.source_removed).count() as u64;
            let kept = if kept > 0 { format!("; {} kept", counted(kept, "source")) } else { String::new() };
            format!("{segments} {done}, {before} to {after}{kept}\n")
        }
    });
    out
}

fn to_json(made: &[Compressed], dry_run: bool, done: &str) -> Value {
    let each = |one: &Compressed| {
        json!({
            "source": one.source.to_string_lossy(),
            "file": one.path.to_string_lossy(),
            "source_removed": one.source_removed,
            "sequence": one.sequence,
            "records": one.records,
            "bytes_before": one.bytes_before,
            "bytes_after": one.bytes_after,
            "sha256": one.sha256,
        })
    };
    let list: Vec<Value> = made.iter().map(each).collect();
    json!({ "dry_run": dry_run, done: list })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one() -> Compressed {
        Compressed {
            path: "logs/a.0000000001.z.binlog".into(),
            source: "logs/a.0000000001.binlog".into(),
            source_removed: true,
            sequence: 1,
            records: 1000,
            bytes_before: 4096,
            bytes_after: 1024,
            sha256: None,
        }
    }

    #[test]
    fn a_summary_shows_how_much_smaller_the_segments_are() {
        let summary = text(&[one()], false, "compressed");
        let lines: Vec<&str> = summary.lines().collect();
        let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(words(lines[0]), "segment becomes size then share records");
        assert!(
            words(lines[1]).starts_with("a.0000000001.binlog a.0000000001.z.binlog 4.0 KiB 1.0 KiB 25"),
            "{summary}"
        );
        assert_eq!(lines[2], "1 segment compressed, 4.0 KiB to 1.0 KiB");
        let kept = Compressed { source_removed: false, ..one() };
        assert!(text(&[kept], false, "compressed").ends_with("to 1.0 KiB; 1 source kept\n"));
        assert!(text(&[one()], true, "compressed").ends_with("1 segment would be compressed, 4.0 KiB\n"));
        assert_eq!(text(&[], true, "compressed"), "nothing to be compressed\n");
    }
}
