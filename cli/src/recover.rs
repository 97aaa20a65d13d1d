//! `binlog recover`: a clean log from what can be read of a damaged one.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use binlog::recovery::{Recovery, RECOVERY_AT_WORK};
use binlog::{Error, Filter, Kind, Loss, OnLoss, Reader, ReaderMode, ReaderOptions};
use clap::Args;

use crate::output::Fail;
use crate::progress::Progress;
use crate::recover_report::Report;
use crate::remote::{self, Remote};
use crate::scan::ReadBar;
use crate::{advice, verify, DAMAGED, FAILED, OK};

/// Save what can be read of a damaged log
///
/// Writes a new log to TARGET, a directory that holds none; SOURCE is only read. With --in-place, the damaged
/// segments are written anew under their names, and the damaged files are kept beside them as `<segment>.damaged`.
/// Records keep their ids; a RECOVERED event marks each place where records are lost.
#[derive(Args)]
#[command(
    override_usage = "binlog recover [OPTIONS] <SOURCE> <TARGET>\n       binlog recover [OPTIONS] --in-place <PATH>\n       \
                      binlog recover [OPTIONS] --dry-run <SOURCE>",
    after_help = "\
Exit status: 0 nothing was lost, 3 something was (what could be read was saved), 1 the recovery failed. \
One that was stopped is begun anew: with --in-place by the same command, else after TARGET was removed.

Examples:
  binlog recover --dry-run logs/              what would be lost? Writes nothing
  binlog recover logs/ saved/                 a new log; logs/ stays as it is
  binlog recover --in-place logs/             damaged segments anew, the old ones kept beside them
  binlog recover --json logs/ saved/ | jq '.losses[].reason'"
)]
pub struct Recover {
    /// The log: a directory, a file, a pattern, or a URL
    source: PathBuf,
    /// Directory of the new log; made when it is not there
    #[arg(required_unless_present_any = ["in_place", "dry_run"], conflicts_with = "in_place")]
    target: Option<PathBuf>,
    /// Repair the log where it is; no writer may have it open
    #[arg(long)]
    in_place: bool,
    /// Show what would be lost, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not read the result to verify it
    #[arg(long, conflicts_with = "dry_run")]
    no_verify: bool,
    /// One JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    remote: Remote,
}

pub fn run(args: &Recover) -> Result<u8, Fail> {
    if args.in_place {
        remote::refuse(&args.source, "recover in place")?;
    }
    if let Some(target) = args.target.as_deref().filter(|_| !args.dry_run) {
        check_target(target)?;
    }
    let mut report = Report::new(args.json, args.dry_run);
    report.begin(&args.source, args.target.as_deref(), args.in_place);
    let done = match args.dry_run {
        true => look(args, &mut report),
        false => recover(args, &mut report),
    };
    let code = match &done {
        Ok(recovery) if recovery.losses > 0 => DAMAGED,
        Ok(_) => OK,
        Err(_) => FAILED,
    };
    report.end(done)?;
    Ok(code)
}

/// Refuses a directory that contains a log, or an unfinished recovery.
fn check_target(target: &Path) -> Result<(), Fail> {
    let shown = target.display();
    if target.join(RECOVERY_AT_WORK).exists() {
        return Err(Fail::Message(format!(
            "{shown}: a recovery into it was stopped, so that it holds a part only: remove it with `rm -r {}`, and call again",
            advice::quoted(target)
        )));
    }
    let Ok(mut there) = fs::read_dir(target) else { return Ok(()) };
    let segment = |entry: fs::DirEntry| Path::new(&entry.file_name()).extension().is_some_and(|e| e == "binlog");
    match there.any(|entry| entry.is_ok_and(segment)) {
        true => Err(Fail::Message(format!("{shown}: holds segments already: name a directory without any"))),
        false => Ok(()),
    }
}

fn recover(args: &Recover, report: &mut Report) -> Result<Recovery, String> {
    let message = |e: Error| e.to_string();
    let (source, target) = (args.source.clone(), args.target.clone());
    let total = bytes_of(&source, &args.remote);
    // The directory of the new files. An in-place recovery writes them beside the old ones, one at a time.
    let place = target.clone().unwrap_or_else(|| match source.is_dir() {
        true => source.clone(),
        false => source.parent().unwrap_or(Path::new("")).to_owned(),
    });
    if target.is_some() {
        // Nothing is created for a source that cannot be read.
        let options = ReaderOptions { mode: ReaderMode::Salvage, ..ReaderOptions::default() };
        Reader::open(&source, args.remote.options(options)).map_err(message)?;
    }
    let (sender, receiver) = mpsc::sync_channel::<Loss>(1024);
    let on_loss: OnLoss = Arc::new(move |loss| drop(sender.send(loss.clone())));
    let options = args.remote.options(ReaderOptions { on_loss: Some(on_loss), ..ReaderOptions::default() });
    let work = thread::spawn(move || match target {
        Some(target) => binlog::recovery::recover(source, target, options),
        None => binlog::recovery::recover_in_place(source, options),
    });
    let mut progress = Progress::new(Some(total).filter(|_| !args.in_place));
    loop {
        match receiver.recv_timeout(Duration::from_millis(100)) {
            Ok(loss) => progress.hide_while(|| report.loss(&loss)),
            Err(RecvTimeoutError::Timeout) => progress.at(bytes_of(&place, &Remote::default())),
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    drop(progress);
    let recovered = work.join().map_err(|_| "the recovery failed within the library".to_owned())?;
    let recovery = recovered.map_err(|e| match e.kind() {
        Kind::Locked => format!("{e}: stop it first, or recover into another directory"),
        _ => e.to_string(),
    })?;
    if !args.no_verify {
        let at = args.target.as_ref().unwrap_or(&args.source);
        let verdicts = verify::verify(at, &args.remote).map_err(message)?;
        let records = verdicts.iter().map(|verdict| verdict.records).sum();
        if let Some(finding) = verdicts.iter().find_map(|verdict| verdict.findings.first()) {
            let line = crate::losses::line(finding);
            let at = advice::quoted(at);
            return Err(format!(
                "what was written is not whole: {line}; `binlog verify {at}` reports all that is wrong"
            ));
        }
        if !args.in_place && records != recovery.records {
            let (there, saved) = (records, recovery.records);
            return Err(format!("what was written holds {there} records, and not the {saved} that were saved"));
        }
        report.verified = Some(records);
    }
    Ok(recovery)
}

/// Reads the source as a recovery does, and writes nothing.
fn look(args: &Recover, report: &mut Report) -> Result<Recovery, String> {
    let message = |e: Error| e.to_string();
    let reported = crate::losses::LossQueue::default();
    let reader = Reader::open(&args.source, args.remote.options(reported.options())).map_err(message)?;
    let mut cursor = reader.cursor(&Filter { events: true, ..Filter::default() }).map_err(message)?;
    let mut recovery = Recovery::default();
    let mut bar = ReadBar::new(&reader, false);
    loop {
        let mut records = 0;
        let n = match cursor.next_batch(usize::MAX, |record| records += u64::from(!record.is_event())) {
            // Old segments that are removed meanwhile are no loss.
            Err(error) if error.kind() == Kind::Missed => continue,
            shown => shown.map_err(message)?,
        };
        recovery.records += records;
        for loss in reported.take() {
            recovery.losses += 1;
            recovery.lost_records += loss.records();
            bar.hide_while(|| report.loss(&loss));
        }
        if n == 0 {
            return Ok(recovery);
        }
        bar.show(&cursor);
    }
}

/// Bytes of the segments at `path`, for the bar.
fn bytes_of(path: &Path, remote: &Remote) -> u64 {
    let options = || remote.options(ReaderOptions { mode: ReaderMode::Salvage, ..ReaderOptions::default() });
    match fs::read_dir(path) {
        Ok(entries) => entries
            .filter_map(|entry| entry.ok())
            .filter(|entry| entry.file_name().to_string_lossy().ends_with(".binlog"))
            .filter_map(|entry| Some(entry.metadata().ok()?.len()))
            .sum(),
        Err(_) => match fs::metadata(path) {
            Ok(facts) => facts.len(),
            Err(_) => Reader::open(path, options())
                .map_or(0, |reader| reader.segments().iter().map(|segment| segment.bytes.unwrap_or(0)).sum()),
        },
    }
}
