//! `binlog ship`: closed segments to a store, once or for as long as it is let.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use binlog::store::StoreOptions;
use binlog::{
    archive_metrics, Codec, CompressOptions, Error, Kind, Pruned, Reader, ReaderMode, ReaderOptions, ShipMonitor,
    ShipOptions, ShipReport, Shipped, Shipper, VerifyReport, Writer,
};
use clap::Args;

use crate::args;
use crate::human::{self, bytes, count, counted, plain};
use crate::log::last_segment;
use crate::output::{complain, Fail, Out};
use crate::progress::Progress;
use crate::roll;
use crate::rolling::Keep;
use crate::signals::{exit_code, Signals};
use crate::{advice, DAMAGED, FAILED, OK};

/// How often the file with the figures is written anew.
const METRICS_EVERY: Duration = Duration::from_secs(5);
/// How often --follow looks for logs that are new in the directory.
const LOGS_EVERY: Duration = Duration::from_secs(10);
/// The same while there is none.
const FIRST_LOG_EVERY: Duration = Duration::from_secs(1);

/// Ship closed segments to object storage, and remove them here once it holds them
///
/// All segments of a log but the last are closed: they are sent to the store one after the other, the oldest first, and
/// compared with what it holds then. Nothing is ever overwritten there. A writer may have the log open. What has become of
/// each segment is kept in <name>.archive beside the log, so that a run that was stopped is gone on with by the next.
///
/// URL: s3://BUCKET/PREFIX, gs://..., az://..., swift://CONTAINER/PREFIX, file:///DIRECTORY, or exec:COMMAND, which finds the
/// file's path in $BINLOG_PATH and its name in $BINLOG_NAME. Credentials come from the environment or from a file, never from
/// the URL.
#[derive(Args)]
#[command(after_help = "\
Exit status: 0 all closed segments are in the store, 1 something failed, 3 --verify has found something wrong, \
130 and 143 stopped by Ctrl-C and by SIGTERM, after the part that was being sent.

Examples:
  binlog ship logs/ 's3://archive/orders?region=eu-central-1'       what is closed, once
  binlog ship --roll --compress zstd --keep 7d logs/ file:///mnt/archive
  binlog ship --follow --bandwidth 10MB --metrics /run/binlog.prom logs/ 'swift://archive/orders?auth=https://.../v3'
  binlog ship --dry-run --keep 7d logs/ file:///mnt/archive         what would be shipped and removed
  binlog ship --verify logs/ file:///mnt/archive                    is all of it still there?
  binlog ship logs/ 'exec:rclone copyto --immutable \"$BINLOG_PATH\" \"backup:archive/$BINLOG_NAME\"'")]
pub struct Ship {
    /// Directory of the log
    directory: PathBuf,
    /// The store
    url: String,
    /// Only the log of this name; without it, each log of the directory by itself
    #[arg(long, value_name = "NAME")]
    log: Option<String>,
    /// Go on with what is still to come, also logs, and try again what fails, until Ctrl-C or SIGTERM
    #[arg(short, long, conflicts_with_all = ["verify", "dry_run"])]
    follow: bool,
    /// Roll first, so that all records are in closed segments; a writer that has the log open rolls it itself
    #[arg(long, conflicts_with_all = ["verify", "dry_run"])]
    roll: bool,
    /// Compress each segment before: zstd, zstd:LEVEL or lz4
    #[arg(long, value_name = "CODEC", default_value = "none", value_parser = args::codec)]
    compress: (Codec, i32),
    /// Send no more than so many bytes a second
    #[arg(long, value_name = "SIZE", value_parser = args::size)]
    bandwidth: Option<u64>,
    /// Send files that are larger than this in parts of this size
    #[arg(long, value_name = "SIZE", default_value = "8MiB", value_parser = args::size)]
    part_size: u64,
    /// Threads at work: 3 (a segment is read while another is sent and a third becomes an object), with --follow 1, which
    /// stays out of a service's way
    #[arg(long, value_name = "N")]
    threads: Option<u32>,
    /// Take a request for failed after so long without any progress, and try it again
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = args::duration)]
    timeout: Duration,
    /// Fail when nothing has got any further for so long; with --follow it is never given up
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = args::duration)]
    patience: Duration,
    /// File of KEY=VALUE lines with credentials, which nobody but its owner may read
    #[arg(long, value_name = "FILE")]
    credentials: Option<PathBuf>,
    /// Write figures for Prometheus to this file: replaced in one step every 5 seconds, and at the end
    #[arg(long, value_name = "FILE")]
    metrics: Option<PathBuf>,
    /// Ship nothing, and compare the store with what is here and with what was shipped
    #[arg(long, conflicts_with = "dry_run")]
    verify: bool,
    /// With --verify: read all of each object, rather than ask the store what it holds
    #[arg(long, requires = "verify")]
    read_back: bool,
    /// Change nothing, and show what would be shipped and removed
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// Say nothing but what fails
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    keep: Keep,
}

pub fn run(args: &Ship) -> Result<u8, Fail> {
    let signals = Signals::catch().map_err(|e| Fail::Told(format!("cannot catch signals: {e}")))?;
    if args.follow {
        return follow(args, &signals);
    }
    let logs = logs(args)?;
    if args.verify {
        return verify(args, &logs, &signals);
    }
    if args.roll {
        logs.iter().try_for_each(|log| roll(args, log))?;
    }
    once(args, &logs, &signals)
}

/// Those that are to be shipped.
fn logs(args: &Ship) -> Result<Vec<String>, Fail> {
    match &args.log {
        Some(log) => Ok(vec![log.clone()]),
        None => logs_of(&args.directory),
    }
}

/// The logs of a directory.
fn logs_of(directory: &Path) -> Result<Vec<String>, Fail> {
    let path = directory.display();
    if !directory.is_dir() {
        return Err(Fail::Told(match directory.exists() {
            true => format!("{path} is no directory: only a log of segments is shipped"),
            false => format!("{path}: there is no such directory"),
        }));
    }
    let options = ReaderOptions { mode: ReaderMode::Salvage, ..ReaderOptions::default() };
    let reader = Reader::open(directory, options).map_err(advice::fail(directory))?;
    let mut names: Vec<String> = reader.segments().into_iter().map(|segment| segment.name).collect();
    names.sort();
    names.dedup();
    Ok(names)
}

fn roll(args: &Ship, log: &str) -> Result<(), Fail> {
    let last = last_segment(&args.directory, Some(log))?;
    let writer = match Writer::open(&args.directory, roll::options_of(&last)) {
        Ok(writer) => writer,
        // It is shipped when that rolls.
        Err(error) if error.kind() == Kind::Locked => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let rolled = writer.roll_because("to be shipped");
    writer.close()?;
    Ok(rolled?)
}

fn options(args: &Ship, dry_run: bool) -> ShipOptions {
    let store = StoreOptions {
        credentials: args.credentials.clone(),
        part_bytes: args.part_size,
        bandwidth: args.bandwidth.unwrap_or(0),
        timeout: args.timeout,
        ..StoreOptions::default()
    };
    let threads = args.threads.unwrap_or(if args.follow { 1 } else { 3 });
    let compress = match args.compress {
        (Codec::None, _) => None,
        (codec, 0) => Some(CompressOptions { codec, threads, ..CompressOptions::default() }),
        (codec, level) => Some(CompressOptions { codec, level, threads, ..CompressOptions::default() }),
    };
    let plain = ShipOptions::default();
    // A person who waits for seconds only wants to be told of a failure that a minute's pause would outlast.
    let longest_delay = plain.longest_delay.min(args.patience / 8).max(Duration::from_millis(50));
    ShipOptions {
        url: args.url.clone(),
        store,
        compress,
        keep: args.keep.rules(),
        threads,
        dry_run,
        first_delay: plain.first_delay.min(longest_delay),
        longest_delay,
        patience: args.patience,
        ..plain
    }
}

fn open(args: &Ship, log: &str, dry_run: bool) -> binlog::Result<Shipper> {
    Shipper::open(&args.directory, Some(log), options(args, dry_run))
}

/// Tells a person what happens, and ends the work when a signal has come.
struct Watch<'a> {
    args: &'a Ship,
    signals: &'a Signals,
    /// For the bar: bytes of segments that are done, and of the one that is being sent.
    done: AtomicU64,
    sent: AtomicU64,
    bar: Mutex<Progress>,
}

impl<'a> Watch<'a> {
    fn new(args: &'a Ship, signals: &'a Signals, total: Option<u64>) -> Self {
        let total = total.filter(|_| !args.quiet);
        Watch { args, signals, done: AtomicU64::new(0), sent: AtomicU64::new(0), bar: Mutex::new(Progress::new(total)) }
    }

    fn show(&self) {
        let at = self.done.load(Ordering::Relaxed) + self.sent.load(Ordering::Relaxed);
        self.bar.lock().unwrap_or_else(PoisonError::into_inner).at(at);
    }

    fn tell(&self, line: &str) {
        self.bar.lock().unwrap_or_else(PoisonError::into_inner).hide_while(|| complain(line));
    }
}

impl ShipMonitor for Watch<'_> {
    fn begins(&self, _segment: &Shipped) {
        self.sent.store(0, Ordering::Relaxed);
    }

    fn sent(&self, bytes: u64) {
        self.sent.fetch_add(bytes, Ordering::Relaxed);
        self.show();
    }

    fn uploaded(&self, segment: &Shipped) {
        self.sent.store(0, Ordering::Relaxed);
        self.done.fetch_add(segment.bytes, Ordering::Relaxed);
        self.show();
        if self.args.follow && !self.args.quiet {
            let found = if segment.found { ", which held it already" } else { "" };
            self.tell(&format!("{} is in the store{found} ({})", segment.path.display(), bytes(segment.bytes)));
        }
    }

    fn pruned(&self, segment: &Pruned) {
        if self.args.follow && !self.args.quiet {
            self.tell(&format!("{} was removed here ({})", segment.path.display(), segment.why));
        }
    }

    fn failed(&self, error: &Error, wait: Option<Duration>) {
        // Without a next try the command says it in the end; what is only noticed by the way is told here.
        if let Some(wait) = wait {
            self.tell(&format!("{error}; tried again in {}", human::span(wait.as_nanos() as u64)));
        } else if self.args.follow || error.kind() == Kind::NotFound {
            self.tell(&error.to_string());
        }
    }

    fn stop(&self) -> bool {
        self.signals.caught().is_some()
    }
}

fn once(args: &Ship, logs: &[String], signals: &Signals) -> Result<u8, Fail> {
    let (mut all, mut statuses, mut failed) = (ShipReport::default(), vec![], false);
    for log in logs {
        let shipper = match open(args, log, args.dry_run) {
            Ok(shipper) => shipper,
            Err(error) => {
                complain(&error.to_string());
                failed = true;
                continue;
            }
        };
        let watch = Watch::new(args, signals, Some(shipper.status().waiting_bytes));
        let done = shipper.run_once(&watch);
        statuses.push(shipper.status());
        match done {
            Ok(report) => {
                all.uploaded.extend(report.uploaded);
                all.pruned.extend(report.pruned);
            }
            Err(error) => {
                drop(watch);
                let status = shipper.status();
                complain(&format!("{error}; {} still to be shipped", counted(status.waiting_segments, "segment")));
                failed = true;
            }
        }
        if signals.caught().is_some() {
            break;
        }
    }
    if args.dry_run {
        let mut out = Out::new();
        out.put(foretold(&all).as_bytes())?;
        out.flush()?;
        return Ok(if failed { FAILED } else { OK });
    }
    if let Some(file) = &args.metrics {
        write_metrics(file, &archive_metrics(&statuses))?;
    }
    if !args.quiet && !failed {
        complain(&summary(&all, args));
    }
    Ok(match (signals.caught(), failed) {
        (Some(signal), _) => exit_code(signal),
        (None, true) => FAILED,
        (None, false) => OK,
    })
}

fn summary(report: &ShipReport, args: &Ship) -> String {
    let size: u64 = report.uploaded.iter().map(|it| it.bytes).sum();
    let found = report.uploaded.iter().filter(|it| it.found).count() as u64;
    let mut text = match report.uploaded.len() as u64 {
        0 => format!("{}: nothing to ship", args.directory.display()),
        n => format!("{} shipped, {}", counted(n, "segment"), bytes(size)),
    };
    if found > 0 {
        text += &format!(", {} of them were there already", count(found));
    }
    if !report.pruned.is_empty() {
        text += &format!("; {} removed here", counted(report.pruned.len() as u64, "segment"));
    }
    text
}

fn foretold(report: &ShipReport) -> String {
    let mut out = String::new();
    let name = |path: &Path| path.file_name().map_or(String::new(), |name| plain(&name.to_string_lossy()));
    if !report.uploaded.is_empty() {
        let row = |it: &Shipped| vec![name(&it.path), count(it.sequence), bytes(it.bytes)];
        let rows: Vec<_> = report.uploaded.iter().map(row).collect();
        human::table(&mut out, &["segment", ">sequence", ">size"], &rows);
    }
    let size: u64 = report.uploaded.iter().map(|it| it.bytes).sum();
    out += &match report.uploaded.len() as u64 {
        0 => "nothing would be shipped\n".to_owned(),
        n => format!("{} would be shipped, {}\n", counted(n, "segment"), bytes(size)),
    };
    if !report.pruned.is_empty() {
        let size: u64 = report.pruned.iter().map(|it| it.bytes).sum();
        let removed = counted(report.pruned.len() as u64, "segment");
        out += &format!("{removed} would be removed here, once the store holds them, {}\n", bytes(size));
    }
    out
}

type Shippers = BTreeMap<String, Arc<Shipper>>;

/// Shippers of the logs that are there and have none yet, or why one cannot be had.
fn begin(args: &Ship, shippers: &Shippers) -> Vec<Result<(String, Arc<Shipper>), Fail>> {
    let begin = |log: String| match open(args, &log, false) {
        Ok(shipper) => {
            let rolled = if args.roll { roll(args, &log) } else { Ok(()) };
            Some(rolled.map(|()| (log, Arc::new(shipper))))
        }
        Err(error) if error.kind() == Kind::NotFound => None,
        Err(error) => Some(Err(error.into())),
    };
    // What cannot be listed, or is not there, is found when it is.
    let new = logs(args).unwrap_or_default().into_iter().filter(|log| !shippers.contains_key(log));
    new.filter_map(begin).collect()
}

fn follow(args: &Ship, signals: &Signals) -> Result<u8, Fail> {
    if args.directory.exists() && !args.directory.is_dir() {
        // That is not waited for.
        logs_of(&args.directory)?;
    }
    let mut shippers = begin(args, &Shippers::new()).into_iter().collect::<Result<Shippers, Fail>>()?;
    if shippers.is_empty() && !args.quiet {
        complain(&format!("{}: no log is here yet: waiting for one", args.directory.display()));
    }
    thread::scope(|scope| {
        let start = |shipper: Arc<Shipper>| {
            scope.spawn(move || shipper.run(&Watch::new(args, signals, None)));
        };
        shippers.values().cloned().for_each(start);
        let (mut told, mut looked) = (None::<Instant>, Instant::now());
        let mut complained = false;
        while signals.caught().is_none() {
            if let Some(file) = args.metrics.as_ref().filter(|_| told.is_none_or(|at| at.elapsed() >= METRICS_EVERY)) {
                let written = write_metrics(file, &metrics_of(&shippers));
                if let (Err(Fail::Told(message)), false) = (&written, complained) {
                    complain(message);
                }
                complained = written.is_err();
                told = Some(Instant::now());
            }
            let look_every = if shippers.is_empty() { FIRST_LOG_EVERY } else { LOGS_EVERY };
            if (args.log.is_none() || shippers.is_empty()) && looked.elapsed() >= look_every {
                looked = Instant::now();
                // What fails now is tried again the next time.
                for (log, shipper) in begin(args, &shippers).into_iter().flatten() {
                    shippers.insert(log, shipper.clone());
                    start(shipper);
                }
            }
            thread::sleep(Duration::from_millis(50));
        }
    });
    if let Some(file) = &args.metrics {
        write_metrics(file, &metrics_of(&shippers))?;
    }
    Ok(signals.caught().map_or(OK, exit_code))
}

fn metrics_of(shippers: &BTreeMap<String, Arc<Shipper>>) -> String {
    archive_metrics(&shippers.values().map(|shipper| shipper.status()).collect::<Vec<_>>())
}

/// Replaces the file in one step: who reads it finds the old one or the new one, never a part.
fn write_metrics(file: &Path, text: &str) -> Result<(), Fail> {
    let mut part = file.as_os_str().to_owned();
    part.push(".part");
    // What an earlier one left is removed rather than written to: it may be a link to anything.
    let _ = fs::remove_file(&part);
    let written = fs::File::create_new(&part).and_then(|mut part| part.write_all(text.as_bytes()));
    let written = written.and_then(|()| fs::rename(&part, file));
    written.map_err(|e| {
        let _ = fs::remove_file(&part);
        Fail::Told(format!("{}: the figures cannot be written: {e}", file.display()))
    })
}

fn verify(args: &Ship, logs: &[String], signals: &Signals) -> Result<u8, Fail> {
    let (mut out, mut code) = (Out::new(), OK);
    for log in logs {
        let shipper = open(args, log, true)?;
        let report = shipper.verify(args.read_back, &Watch::new(args, signals, None))?;
        if report.stopped {
            break;
        }
        if !report.problems.is_empty() {
            code = DAMAGED;
        }
        out.put(verified(log, &report, args.quiet).as_bytes())?;
    }
    out.flush()?;
    Ok(signals.caught().map_or(code, exit_code))
}

fn verified(log: &str, report: &VerifyReport, quiet: bool) -> String {
    let log = plain(log);
    let mut text: String =
        report.problems.iter().map(|problem| format!("{log}: {}\n", plain(&problem.to_string()))).collect();
    if quiet {
        return text;
    }
    for name in &report.foreign {
        text += &format!("{log}: {} is none of the log's, and was not looked at\n", plain(name));
    }
    let waiting = match report.waiting_segments {
        0 => String::new(),
        n => format!(", {} still to be shipped", count(n)),
    };
    let sound = format!("{} in the store, {}", counted(report.sound_segments, "segment"), bytes(report.sound_bytes));
    let verdict = match report.problems.len() as u64 {
        0 => "as they were shipped".to_owned(),
        n => format!("as they were shipped; {}", counted(n, "problem")),
    };
    text + &format!("{log}: {sound}, {verdict}{waiting}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comparison_is_told_line_by_line() {
        let report = VerifyReport {
            sound_segments: 3,
            sound_bytes: 4096,
            waiting_segments: 1,
            problems: vec![binlog::Problem::Gap { first: 2, last: 4 }],
            foreign: vec!["a.txt".to_owned()],
            ..VerifyReport::default()
        };
        let text = verified("a", &report, false);
        assert_eq!(
            text,
            "a: segments 2 to 4 are neither here nor in the store\n\
             a: a.txt is none of the log's, and was not looked at\n\
             a: 3 segments in the store, 4.0 KiB, as they were shipped; 1 problem, 1 still to be shipped\n"
        );
        assert_eq!(verified("a", &report, true).lines().count(), 1);
    }
}
