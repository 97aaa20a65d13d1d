//! `binlog ship`: closed segments to a store, once or with --follow.

mod follow;
mod report;
mod watch;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use binlog::compression::CompressOptions;
use binlog::rolling::{Pruned, Retention};
use binlog::shipping::{ship_metrics, ShipOptions, ShipState, ShipStatus, Shipped, Shipper};
use binlog::store::StoreOptions;
use binlog::{Codec, Error, Kind, Reader, ReaderOptions, Writer};
use clap::Args;

use crate::args;
use crate::human::{counted, plain};
use crate::log::last_segment;
use crate::output::{complain, Fail, Out};
use crate::roll;
use crate::rolling::Keep;
use crate::signals::{exit_code, Signals};
use crate::{advice, DAMAGED, FAILED, OK};
use watch::{Show, Watch};

/// Ship closed segments to object storage, and remove them here once it holds them
///
/// All segments of a log but the last are closed: they are sent to the store one after the other, the oldest first,
/// and then compared with what the store holds. Nothing is ever overwritten there. A writer may have the log open. The
/// state of each segment is kept in <name>.archive beside the log, and the next run continues one that was stopped.
///
/// Each segment is verified before it is sent. A damaged one is not sent and stays here, with all newer ones, until
/// it is recovered, or is sent as it is with --accept. Segments that are newer than one that is neither here nor in the
/// store wait in the same way. When a log has several stores, a segment is removed here when all of them hold it.
///
/// URL: s3://BUCKET/PREFIX, gs://..., az://..., swift://CONTAINER/PREFIX, file:///DIRECTORY, or exec:COMMAND, which finds the
/// file's path in $BINLOG_PATH and its name in $BINLOG_NAME. Credentials come from the environment or from a file, never from
/// the URL.
#[derive(Args)]
#[command(after_help = "\
Exit status: 0 all closed segments are in the store, 1 something failed, 3 segments are damaged or missing, or --verify \
has found something wrong, \
130 and 143 stopped by Ctrl-C and by SIGTERM, after the part that was being sent.

Examples:
  binlog ship logs/ 's3://archive/orders?region=eu-central-1'       what is closed, once
  binlog ship --roll --compress zstd --keep 7d logs/ file:///mnt/archive
  binlog ship --keep 7d --keep-remote 365d logs/ file:///mnt/archive
  binlog ship --follow --bandwidth 10MB --metrics /run/binlog.prom logs/ 'swift://archive/orders?auth=https://.../v3'
  binlog ship --dry-run --keep 7d logs/ file:///mnt/archive         what would be shipped and removed
  binlog ship --verify logs/ file:///mnt/archive                    is all of it still there?
  binlog ship --accept 7 logs/ file:///mnt/archive                  segment 7 is damaged: send it as it is
  binlog ship logs/ 'exec:rclone copyto --immutable \"$BINLOG_PATH\" \"backup:archive/$BINLOG_NAME\"'")]
pub struct Ship {
    /// Directory of the log
    directory: PathBuf,
    /// The store
    url: String,
    /// Only the log of this name; without it, each log of the directory by itself
    #[arg(long, value_name = "NAME")]
    log: Option<String>,
    /// Continue with segments and logs that are still to come, and retry what fails, until Ctrl-C or SIGTERM
    #[arg(short, long, conflicts_with_all = ["verify", "dry_run"])]
    follow: bool,
    /// Roll first, so that all records are in closed segments; a writer that has the log open rolls it itself
    #[arg(long, conflicts_with = "verify")]
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
    /// Threads: 3 (a segment is read while another is sent and a third becomes an object), with --follow 1, which
    /// leaves the processors to the service
    #[arg(long, value_name = "N")]
    threads: Option<u32>,
    /// Take a request for failed after so long without any progress, and retry it
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = args::duration)]
    timeout: Duration,
    /// Fail after so long without any progress; with --follow, retry for ever
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = args::duration)]
    patience: Duration,
    /// File of KEY=VALUE lines with credentials, which only its owner may read
    #[arg(long, value_name = "FILE")]
    credentials: Option<PathBuf>,
    /// Write figures for Prometheus to this file: replaced in one step every 5 seconds, and at the end
    #[arg(long, value_name = "FILE")]
    metrics: Option<PathBuf>,
    /// Ship nothing, and compare the store with what is here and with what was shipped
    #[arg(long, conflicts_with = "dry_run")]
    verify: bool,
    /// With --verify: read each object whole, instead of asking the store what it holds
    #[arg(long, requires = "verify")]
    read_back: bool,
    /// Send this segment although it is damaged, or do not wait for it although it is missing: its number or its file, of
    /// missing ones also FIRST-LAST
    #[arg(long, value_name = "SEGMENT", conflicts_with_all = ["verify", "dry_run", "follow"])]
    accept: Vec<String>,
    /// Send this segment in place of the object of its name, which is kept as NAME.replaced-1
    #[arg(long, value_name = "SEGMENT", conflicts_with_all = ["verify", "dry_run", "follow"])]
    replace: Vec<String>,
    /// Ship nothing, and forget the store: segments are no longer kept here until it holds them, too. What it holds
    /// stays there
    #[arg(long, conflicts_with_all = ["verify", "dry_run", "follow", "roll", "accept", "replace"])]
    forget: bool,
    /// Change nothing, and show what would be shipped and removed
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// One JSON object for each log: what was shipped and removed, what waits, what is damaged or missing; with
    /// --verify what is wrong
    #[arg(long, conflicts_with_all = ["follow", "forget"])]
    json: bool,
    /// Print nothing but failures
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    keep: Keep,
    #[command(flatten)]
    keep_remote: KeepRemote,
}

/// Which segments stay in the store.
#[derive(Args)]
struct KeepRemote {
    /// Remove segments from the store whose newest record is older than this, such as 365d
    #[arg(long, value_name = "DURATION", value_parser = args::duration)]
    keep_remote: Option<Duration>,
    /// Remove the oldest segments from the store until no more than so many are there
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    keep_remote_segments: Option<u64>,
    /// Remove the oldest segments from the store until all together are no larger
    #[arg(long, value_name = "SIZE", value_parser = args::size)]
    keep_remote_bytes: Option<u64>,
}

impl KeepRemote {
    fn rules(&self) -> Retention {
        let (age, segments) = (self.keep_remote, self.keep_remote_segments);
        Retention { age, segments, bytes: self.keep_remote_bytes, unshipped: false }
    }
}

pub fn run(args: &Ship) -> Result<u8, Fail> {
    let signals = Signals::catch().map_err(|e| Fail::Message(format!("cannot catch signals: {e}")))?;
    if args.follow {
        return follow::run(args, &signals);
    }
    let logs = logs(args)?;
    if args.verify {
        return verify(args, &logs, &signals);
    }
    if args.forget {
        return forget(args, &logs);
    }
    if logs.len() > 1 && !(args.accept.is_empty() && args.replace.is_empty()) {
        let reason = "the directory holds several logs: say with --log which one's segment is meant";
        return Err(Fail::Message(format!("{}: {reason}", args.directory.display())));
    }
    if args.roll && !args.dry_run {
        logs.iter().try_for_each(|log| roll(args, log))?;
    }
    once(args, &logs, &signals)
}

/// The logs to ship.
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
        return Err(Fail::Message(match directory.exists() {
            true => format!("{path} is no directory: only a log of segments is shipped"),
            false => format!("{path}: there is no such directory"),
        }));
    }
    Shipper::logs(directory).map_err(advice::fail(directory))
}

fn roll(args: &Ship, log: &str) -> Result<(), Fail> {
    let last = last_segment(&args.directory, Some(log))?;
    let writer = match Writer::open(&args.directory, roll::options_of(&last)) {
        Ok(writer) => writer,
        // The segment is shipped when that writer rolls.
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
    // Retries have to fit into a patience of seconds.
    let longest_delay = plain.longest_delay.min(args.patience / 8).max(Duration::from_millis(50));
    ShipOptions {
        url: args.url.clone(),
        store,
        compress,
        keep: args.keep.rules(),
        keep_remote: args.keep_remote.rules(),
        threads,
        dry_run,
        first_delay: plain.first_delay.min(longest_delay),
        longest_delay,
        patience: args.patience,
        ..plain
    }
}

fn open(args: &Ship, log: &str, dry_run: bool) -> binlog::Result<Shipper> {
    let opened = Shipper::open(&args.directory, Some(log), options(args, dry_run));
    opened.inspect_err(advice::end_if_usage)
}

fn once(args: &Ship, logs: &[String], signals: &Signals) -> Result<u8, Fail> {
    let (mut runs, mut statuses) = (vec![], vec![]);
    for log in logs {
        let run = run_of(args, log, signals);
        statuses.extend(run.status.clone());
        runs.push(run);
        if signals.caught().is_some() {
            break;
        }
    }
    if args.json {
        let mut out = Out::new();
        runs.iter().try_for_each(|run| writeln!(out, "{}", report::json(run, args.dry_run)))?;
        out.flush()?;
    } else if args.dry_run {
        let mut out = Out::new();
        out.put(report::planned(&runs).as_bytes())?;
        out.flush()?;
    }
    if let (Some(file), false) = (&args.metrics, args.dry_run) {
        follow::write_metrics(file, &ship_metrics(&statuses))?;
    }
    let is = |state: State| runs.iter().any(|run| run.state == state);
    // Everything about a run that was stopped before it sent anything has been reported.
    let is_reported = is(State::Failed) || (is(State::Stopped) && runs.iter().all(|run| run.uploaded.is_empty()));
    if !args.quiet && !args.json && !args.dry_run && !is_reported {
        complain(&report::summary(&runs, &args.directory));
    }
    Ok(match signals.caught() {
        Some(signal) => exit_code(signal),
        None if is(State::Failed) => FAILED,
        None if is(State::Obstructed) => DAMAGED,
        None => OK,
    })
}

/// The result of one log.
#[derive(Default)]
struct Run {
    log: String,
    uploaded: Vec<Shipped>,
    pruned: Vec<Pruned>,
    /// Objects that were removed in the store.
    pruned_there: Vec<Pruned>,
    /// What keeps more from being shipped.
    obstacles: Vec<String>,
    /// The error with which the run failed.
    error: Option<String>,
    /// A store because of which more is kept here than the rules say.
    kept_for: Option<String>,
    status: Option<ShipStatus>,
    state: State,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Done,
    Stopped,
    Obstructed,
    Failed,
}

/// Ships one log as far as possible, or reports what that would do.
fn run_of(args: &Ship, log: &str, signals: &Signals) -> Run {
    let failed = |error: Error| {
        complain(&error.to_string());
        Run { log: log.to_owned(), error: Some(error.to_string()), state: State::Failed, ..Run::default() }
    };
    let shipper =
        match open(args, log, args.dry_run).and_then(|shipper| accept_and_replace(args, &shipper).map(|()| shipper)) {
            Ok(shipper) => shipper,
            Err(error) => return failed(error),
        };
    let watch = Watch::new(show(args), signals, Some(shipper.status().waiting_bytes));
    let done = shipper.run_once(&watch);
    let text = done.as_ref().err().map(ToString::to_string);
    let seen = watch.finish(text.as_deref());
    let status = shipper.status();
    let mut run = Run {
        log: log.to_owned(),
        uploaded: seen.uploaded,
        pruned: seen.pruned,
        pruned_there: seen.pruned_there,
        obstacles: seen.obstacles,
        status: Some(status.clone()),
        ..Run::default()
    };
    let waiting = || counted(status.waiting_segments, "segment");
    match done {
        Ok(report) => {
            (run.uploaded, run.pruned, run.kept_for) = (report.uploaded, report.pruned, report.kept_for);
            run.pruned_there = report.pruned_there;
            if args.dry_run && args.roll {
                run.uploaded.extend(newest(args, log));
            }
            if report.stopped {
                run.state = State::Stopped;
                if !args.quiet {
                    complain(&format!("{}: stopped; {} still to be shipped", plain(log), waiting()));
                }
            } else if !run.obstacles.is_empty() {
                run.state = State::Obstructed;
            }
        }
        // Each obstacle was reported; the run itself did all it could.
        Err(_) if status.state == ShipState::Idle && !run.obstacles.is_empty() => run.state = State::Obstructed,
        Err(error) => {
            complain(&format!("{error}; {} still to be shipped", waiting()));
            (run.state, run.error) = (State::Failed, Some(error.to_string()));
        }
    }
    run
}

/// The newest segment, which rolling would close, if it contains a record.
fn show(args: &Ship) -> Show<'_> {
    let each = !args.quiet && !args.json && !args.verify;
    Show { directory: &args.directory, quiet: args.quiet, each, follows: args.follow }
}

fn newest(args: &Ship, log: &str) -> Option<Shipped> {
    let last = last_segment(&args.directory, Some(log)).ok()?;
    let reader = Reader::open(&args.directory, ReaderOptions { log: Some(log.to_owned()), ..ReaderOptions::default() });
    let records: u64 = reader.ok()?.counts_of(&last.path).ok()?.iter().map(|counted| counted.records).sum();
    let bytes = last.bytes.unwrap_or(0);
    (records > 0).then_some(Shipped { path: last.path, sequence: last.sequence, bytes, found: false })
}

/// Carries out --accept and --replace, before anything is shipped.
fn accept_and_replace(args: &Ship, shipper: &Shipper) -> binlog::Result<()> {
    args.accept.iter().try_for_each(|segment| shipper.accept(segment).inspect_err(advice::end_if_usage))?;
    for segment in &args.replace {
        let kept = shipper.replace(segment).inspect_err(advice::end_if_usage)?;
        if !args.quiet {
            complain(&format!("the object that is replaced is kept as {}", plain(&kept)));
        }
    }
    Ok(())
}

fn forget(args: &Ship, logs: &[String]) -> Result<u8, Fail> {
    for log in logs {
        let forgotten = open(args, log, false)?.forget()?;
        if !args.quiet {
            let log = plain(log);
            complain(&match forgotten {
                true => format!("{log}: the store is forgotten"),
                false => format!("{log}: was never shipped to this store"),
            });
        }
    }
    Ok(OK)
}

fn verify(args: &Ship, logs: &[String], signals: &Signals) -> Result<u8, Fail> {
    let (mut out, mut code) = (Out::new(), OK);
    for log in logs {
        let watch = Watch::new(show(args), signals, None);
        let verified = open(args, log, true).and_then(|shipper| {
            let report = shipper.verify(args.read_back, &watch)?;
            Ok((report, shipper.status().store))
        });
        let (report, store) = match verified {
            Ok(verified) => verified,
            // The other logs are verified all the same.
            Err(error) => {
                complain(&error.to_string());
                if args.json {
                    writeln!(out, "{}", report::not_verified_json(log, &args.url, &error))?;
                }
                code = FAILED;
                continue;
            }
        };
        if report.stopped {
            break;
        }
        if !report.problems.is_empty() && code == OK {
            code = DAMAGED;
        }
        match args.json {
            true => writeln!(out, "{}", report::verified_json(log, &store, &report))?,
            false => out.put(report::verified(log, &report, args.quiet).as_bytes())?,
        }
    }
    out.flush()?;
    Ok(signals.caught().map_or(code, exit_code))
}
