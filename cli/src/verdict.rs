//! The results of `verify`, for people and for programs.

use std::io::{self, Write};
use std::path::Path;

use binlog::{Error, Loss, LossKind};
use serde_json::{json, Value};

use crate::notes::Notes;
use crate::{human, losses};

/// The result for one log.
#[derive(Default)]
pub struct Verdict {
    /// The log's name, if the path contains several.
    pub log: Option<String>,
    pub records: u64,
    pub payload_bytes: u64,
    pub file_bytes: u64,
    pub files: u64,
    /// How the log ends: `closed`, `live`, `unclosed`, `torn` or `damaged`; `continued` if later segments are still
    /// to come, as in a copy of a log; `unborn` for one file into which nothing was ever written.
    pub end: &'static str,
    pub findings: Vec<Loss>,
    /// Remarks on the path, in the verdict of its first log.
    pub notes: Notes,
}

impl Verdict {
    /// `whole`, `torn` when a torn tail is the only finding, `unverified` when a newer version is needed to read it
    /// all, or `damaged`.
    pub fn word(&self) -> &'static str {
        let all = |kind| self.findings.iter().all(|finding| finding.kind == kind);
        match self.findings.is_empty() {
            true => "whole",
            false if self.is_newer() => "unverified",
            false if all(LossKind::TornTail) => "torn",
            false => "damaged",
        }
    }

    /// Whether a newer version is needed to read it all.
    pub fn is_newer(&self) -> bool {
        self.findings.iter().any(|finding| finding.kind == LossKind::Newer)
    }
}

pub fn write_text(out: &mut impl Write, path: &Path, verdict: &Verdict) -> io::Result<()> {
    let note = match (verdict.word(), verdict.end) {
        ("whole", "live") => ", still being written",
        ("whole", "continued") => ", and the log goes on in a segment that is not here yet",
        ("whole", "unclosed") => ", not closed",
        ("whole", "unborn") => ", nothing was ever written",
        ("torn", _) => " by a crash, otherwise whole",
        _ => "",
    };
    let records = human::counted(verdict.records, "record");
    let (bytes, files) = (human::counted(verdict.file_bytes, "byte"), human::counted(verdict.files, "file"));
    let log = verdict.log.as_ref().map_or_else(String::new, |log| format!(": log {}", human::plain(log)));
    writeln!(out, "{}{log}: {}{note}: {records} verified, {bytes} in {files}", path.display(), verdict.word())?;
    for finding in &verdict.findings {
        let kind = match finding.kind {
            LossKind::TornTail => " (torn tail)",
            LossKind::Index => " (no record is lost)",
            _ => "",
        };
        writeln!(out, "  {}{kind}", losses::line(finding))?;
    }
    verdict.notes.text().lines().try_for_each(|note| writeln!(out, "  {note}"))
}

pub fn json(path: &Path, verdict: &Verdict) -> Value {
    let lost: u64 = verdict.findings.iter().map(Loss::records).sum();
    json!({
        "path": path.to_string_lossy(),
        "log": verdict.log,
        "verdict": verdict.word(),
        "end": verdict.end,
        "records": verdict.records,
        "lost_records": lost,
        "payload_bytes": verdict.payload_bytes,
        "file_bytes": verdict.file_bytes,
        "files": verdict.files,
        "findings": verdict.findings.iter().map(losses::json).collect::<Vec<Value>>(),
        "strays": verdict.notes.strays(),
        "leftovers": verdict.notes.leftovers(),
    })
}

pub fn unverified(path: &Path, error: &Error) -> Value {
    json!({ "path": path.to_string_lossy(), "verdict": "unverified", "reason": error.to_string() })
}
