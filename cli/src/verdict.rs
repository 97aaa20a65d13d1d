//! What `verify` found, for people and for programs.

use std::io::{self, Write};
use std::path::Path;

use binlog::Error;
use serde_json::{json, Value};

use crate::verify::{Finding, Verdict, What};
use crate::{human, losses};

pub fn tell(out: &mut impl Write, path: &Path, verdict: &Verdict) -> io::Result<()> {
    let note = match (verdict.word(), verdict.end) {
        ("whole", "live") => ", still being written",
        ("whole", "unclosed") => ", not closed",
        ("whole", "unborn") => ", nothing was ever written",
        ("torn", _) => " by a crash, otherwise whole",
        _ => "",
    };
    let records = human::counted(verdict.records, "record");
    let (bytes, files) = (human::counted(verdict.file_bytes, "byte"), human::counted(verdict.files, "file"));
    writeln!(out, "{}: {}{note}: {records} verified, {bytes} in {files}", path.display(), verdict.word())?;
    for finding in &verdict.findings {
        let kind = match finding.what {
            What::TornTail => " (torn tail)",
            What::Index => " (no record is lost)",
            What::Damage | What::Missing | What::Repeated => "",
        };
        writeln!(out, "  {}{kind}", losses::line(&finding.loss))?;
    }
    Ok(())
}

pub fn json(path: &Path, verdict: &Verdict) -> Value {
    let lost: u64 = verdict.findings.iter().map(|finding| finding.loss.records()).sum();
    json!({
        "path": path.to_string_lossy(),
        "verdict": verdict.word(),
        "end": verdict.end,
        "records": verdict.records,
        "lost_records": lost,
        "payload_bytes": verdict.payload_bytes,
        "file_bytes": verdict.file_bytes,
        "files": verdict.files,
        "findings": verdict.findings.iter().map(finding).collect::<Vec<Value>>(),
    })
}

pub fn unverified(path: &Path, error: &Error) -> Value {
    json!({ "path": path.to_string_lossy(), "verdict": "unverified", "reason": error.to_string() })
}

fn finding(finding: &Finding) -> Value {
    let mut object = losses::json(&finding.loss);
    object["kind"] = json!(match finding.what {
        What::Damage => "damage",
        What::TornTail => "torn_tail",
        What::Missing => "missing",
        What::Repeated => "repeated",
        What::Index => "index",
    });
    object
}
