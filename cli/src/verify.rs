//! `binlog verify`: checks that every byte is as it was written.

use std::collections::{HashMap, HashSet};
use std::io::Write;
use std::path::{Path, PathBuf};

use binlog::contents::SegmentFacts;
use binlog::{Error, Kind, Loss, LossKind, Reader, Tail, TailState};
use clap::Args;

use crate::losses::LossQueue;
use crate::notes::{unfinished_recovery, Notes};
use crate::output::{complain, Fail, Out};
use crate::reading::{OfLog, Reading};
use crate::remote::{is_url, Remote};
use crate::scan::is_continued;
use crate::verdict::Verdict;
use crate::{verdict, DAMAGED, FAILED, OK};

/// Read everything and check it against its checksums
///
/// Verification continues after damage, and reports each loss. A log that a writer has open causes no false alarm.
/// Each of several logs in one directory has its own verdict.
#[derive(Args)]
#[command(after_help = "\
Findings: damage; a torn tail, which a crash leaves behind and the next writer cuts off; missing \
bytes, records or segments; a segment that is there twice; an index that disagrees with the records \
(costs nothing: `binlog index --rebuild`).

Exit status: 0 every log is whole (one that is being written, or was never closed, is too); 1 a log \
could not be verified: it is missing, no log, or may not be read; 3 a log can be read, but something \
in it is damaged, torn or missing.

Examples:
  binlog verify logs/
  binlog verify --json 'archive/*.binlog' | jq 'select(.verdict != \"whole\")'
  binlog verify --json logs/ | jq '[.findings[].lost_records] | add'   records that are lost")]
pub struct Verify {
    /// Logs: directories, files, patterns or URLs
    #[arg(required = true)]
    path: Vec<PathBuf>,
    /// One JSON object for each log of a path
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    remote: Remote,
}

pub fn run(args: &Verify) -> Result<u8, Fail> {
    let mut out = Out::new();
    let mut code = OK;
    for path in &args.path {
        let verdicts = verify(path, &args.remote);
        match &verdicts {
            Ok(verdicts) if verdicts.iter().all(|verdict| verdict.findings.is_empty()) => (),
            Ok(verdicts) if verdicts.iter().any(Verdict::is_newer) => code = FAILED,
            Ok(_) => code = if code == OK { DAMAGED } else { code },
            Err(_) => code = FAILED,
        }
        // The reader of the output may have closed it; verification continues for the exit status.
        let written = match (&verdicts, args.json) {
            (Ok(verdicts), false) => {
                verdicts.iter().try_for_each(|verdict| verdict::write_text(&mut out, path, verdict))
            }
            (Ok(verdicts), true) => {
                verdicts.iter().try_for_each(|verdict| writeln!(out, "{}", verdict::json(path, verdict)))
            }
            (Err(error), true) => writeln!(out, "{}", verdict::unverified(path, error)),
            (Err(_), false) => Ok(()),
        };
        match written.and_then(|()| Write::flush(&mut out)).map_err(Fail::from) {
            Ok(()) | Err(Fail::Closed) => (),
            Err(other) => return Err(other),
        }
        if let Err(error) = &verdicts {
            complain(&format!("not verified: {error}"));
        }
    }
    Ok(code)
}

/// Reads everything that can be read, and returns a verdict for each log.
pub fn verify(path: &Path, remote: &Remote) -> Result<Vec<Verdict>, Error> {
    let reported = LossQueue::default();
    let reader = Reader::open(path, remote.options(reported.options()))?;
    if let Some(error) = unfinished_recovery(&reader) {
        return Err(error);
    }
    let mut reading = Reading::new(&reader);
    let (stopped, tail) = match reading.read_all() {
        Ok(tail) => (None, tail),
        Err((error, tail)) if error.kind() == Kind::Corrupt => (Some(error), tail),
        Err((error, _)) => return Err(error),
    };
    // A writer may have worked meanwhile: the facts of the files are those of now.
    let mut losses = reported.take();
    losses.extend(stopped.map(|error| unread(&error, &tail)));
    let options = match losses.is_empty() {
        // Where all is well, the names of the files are enough to list them.
        true => LossQueue::default().up_to_damage(),
        false => LossQueue::default().options(),
    };
    let after = Reader::open(path, remote.options(options)).ok();
    let removed = reading.removed().to_vec();
    let mut logs = reading.finish();
    let mut judging = Judging::new(&reader, after.as_ref(), &mut logs);
    for loss in losses {
        judging.add(loss);
    }
    let mut verdicts = judging.finish(&tail)?;
    if let Some(first) = verdicts.first_mut() {
        first.notes.removed = removed;
    }
    Ok(verdicts)
}

fn unread(error: &Error, tail: &Tail) -> Loss {
    Loss {
        kind: LossKind::Damage,
        path: error.path().unwrap_or(&tail.path).to_owned(),
        offset: error.offset().unwrap_or(tail.offset),
        bytes: tail.unread_bytes,
        ids: None,
        pages: None,
        reason: error.reason().to_owned(),
        durable: false,
    }
}

/// Assigns what was found to the logs.
struct Judging<'a> {
    reader: &'a Reader,
    after: Option<&'a Reader>,
    logs: &'a mut Vec<OfLog>,
    /// The log of each file, and the file's length when it was read.
    files: HashMap<PathBuf, (usize, Option<u64>)>,
    verdicts: Vec<Verdict>,
}

impl<'a> Judging<'a> {
    fn new(reader: &'a Reader, after: Option<&'a Reader>, logs: &'a mut Vec<OfLog>) -> Self {
        let mut files = HashMap::new();
        for (at, log) in logs.iter_mut().enumerate() {
            files.extend(log.files.drain(..).map(|(path, bytes)| (path, (at, bytes))));
        }
        let mut judging = Judging { reader, after, logs, files, verdicts: vec![] };
        // Files of which no block was shown.
        for path in reader.paths() {
            if !judging.files.contains_key(&path) {
                if let Ok(facts) = reader.facts_of(&path) {
                    judging.add_file(facts);
                }
            }
        }
        judging.verdicts.resize_with(judging.logs.len(), Verdict::default);
        judging
    }

    fn add_file(&mut self, facts: SegmentFacts) {
        let log = self.logs.iter().position(|log| log.last.log_id == facts.log_id);
        let at = log.unwrap_or_else(|| {
            self.logs.push(OfLog::begin(facts.clone()));
            self.logs.len() - 1
        });
        if facts.sequence > self.logs[at].last.sequence {
            self.logs[at].last = facts.clone();
        }
        self.files.insert(facts.path, (at, facts.bytes));
    }

    /// The log of a file: from what was read of the file, or else from its name.
    fn log_of(&self, path: &Path) -> usize {
        if let Some((at, _)) = self.files.get(path) {
            return *at;
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let begun = |log: &&(usize, &OfLog)| name.starts_with(&log.1.last.name);
        let of_name = self.logs.iter().enumerate().filter(|log| begun(&log));
        of_name.max_by_key(|(_, log)| log.last.name.len()).map_or(0, |(at, _)| at)
    }

    fn add(&mut self, loss: Loss) {
        let at = self.log_of(&loss.path);
        // For a file in which nothing can be read, only the loss contains the length.
        let known = self.files.get(&loss.path).map(|(_, bytes)| *bytes);
        self.verdicts[at].files += u64::from(known.is_none());
        if known.is_none_or(|bytes| bytes == Some(0)) {
            self.verdicts[at].file_bytes += loss.bytes;
        }
        self.verdicts[at].findings.push(loss);
    }

    fn finish(mut self, tail: &Tail) -> Result<Vec<Verdict>, Error> {
        let several = self.logs.len() > 1;
        let last = self.log_of(&tail.path);
        for (at, log) in self.logs.iter_mut().enumerate() {
            let verdict = &mut self.verdicts[at];
            verdict.log = several.then(|| log.last.name.clone());
            (verdict.records, verdict.payload_bytes) = (log.records, log.payload_bytes);
            verdict.end = match at == last {
                true => end_of_last(verdict, log, tail),
                false => end_of(verdict, log, self.reader),
            };
            // A damaged file is among the findings already.
            let reported: HashSet<PathBuf> = verdict.findings.iter().map(|finding| finding.path.clone()).collect();
            for loss in std::mem::take(&mut log.index).into_iter().filter(|loss| !reported.contains(&loss.path)) {
                if self.after.is_some_and(|after| is_quiet(self.reader, after, &loss.path)) {
                    verdict.findings.push(loss);
                }
            }
        }
        self.count_files();
        if let Some(first) = self.verdicts.first_mut() {
            first.notes = Notes::of_files(self.reader);
        }
        Ok(self.verdicts)
    }

    fn count_files(&mut self) {
        let Judging { after, reader, files, verdicts, logs, .. } = self;
        let now = after.unwrap_or(reader);
        for path in now.paths() {
            let (at, bytes) = match files.get(&path) {
                Some(known) => *known,
                None => match now.facts_of(&path) {
                    Ok(facts) => {
                        let log = logs.iter().position(|log| log.last.log_id == facts.log_id);
                        (log.unwrap_or(0), facts.bytes)
                    }
                    Err(_) => continue,
                },
            };
            let Some(verdict) = verdicts.get_mut(at) else { continue };
            // Only the last file of a log can grow.
            let may_grow = logs.get(at).is_some_and(|log| log.last.path == path) && !is_url(&path);
            let now = may_grow.then(|| path.metadata().ok().map(|facts| facts.len())).flatten();
            verdict.files += 1;
            // A file into which nothing was ever written has no bytes of a log.
            verdict.file_bytes += bytes.filter(|&bytes| bytes > 0).map_or(0, |bytes| now.unwrap_or(bytes));
        }
    }
}

/// Whether the file is unchanged since it was read: only then can its index be compared with what was read a moment
/// ago.
fn is_quiet(before: &Reader, after: &Reader, path: &Path) -> bool {
    let facts = |reader: &Reader| reader.facts_of(path).ok().filter(|facts| !facts.live);
    facts(before).is_some_and(|then| facts(after).is_some_and(|now| now == then))
}

/// The end of the log in which reading ended.
fn end_of_last(verdict: &Verdict, log: &OfLog, tail: &Tail) -> &'static str {
    match tail.state {
        TailState::Live if is_continued(tail) => "continued",
        TailState::Live => "live",
        _ => match at_the_end(verdict, log) {
            Some(word) => word,
            None if tail.state == TailState::Corrupt => "damaged",
            None if tail.reason.starts_with("the log was not begun") => "unborn",
            None if tail.state == TailState::Unclosed => "unclosed",
            None => "closed",
        },
    }
}

/// The end of another log.
fn end_of(verdict: &Verdict, log: &OfLog, reader: &Reader) -> &'static str {
    match at_the_end(verdict, log) {
        Some(word) => word,
        None if log.last.live => "live",
        None if reader.is_closed(&log.last.path).ok().flatten() == Some(false) => "unclosed",
        None => "closed",
    }
}

fn at_the_end(verdict: &Verdict, log: &OfLog) -> Option<&'static str> {
    let last = verdict.findings.last().filter(|finding| reaches_the_end(finding, log))?;
    match last.kind {
        LossKind::TornTail => Some("torn"),
        LossKind::Missing | LossKind::Double | LossKind::Misnamed | LossKind::OtherForm | LossKind::Index => None,
        _ => Some("damaged"),
    }
}

/// Whether the loss includes the last bytes of the log.
fn reaches_the_end(loss: &Loss, log: &OfLog) -> bool {
    loss.path == log.last.path && log.last.bytes.is_some_and(|bytes| loss.offset + loss.bytes >= bytes)
}
