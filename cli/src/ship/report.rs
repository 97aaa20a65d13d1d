//! The report at the end of shipping, for people and for programs.

use std::path::Path;

use binlog::rolling::Pruned;
use binlog::shipping::{Problem, Shipped, VerifyReport};
use serde_json::{json, Value};

use super::{Run, State};
use crate::human::{self, bytes, count, counted, plain};

/// One line about all logs.
pub fn summary(runs: &[Run], directory: &Path) -> String {
    let uploaded = || runs.iter().flat_map(|run| &run.uploaded);
    let size: u64 = uploaded().map(|it| it.bytes).sum();
    let found = uploaded().filter(|it| it.found).count() as u64;
    let mut text = match uploaded().count() as u64 {
        0 => format!("{}: nothing to ship", directory.display()),
        n => format!("{} shipped, {}", counted(n, "segment"), bytes(size)),
    };
    if found > 0 {
        text += &format!(", {} of them were there already", count(found));
    }
    let removed: u64 = runs.iter().map(|run| run.pruned.len() as u64).sum();
    if removed > 0 {
        text += &format!("; {} removed here", counted(removed, "segment"));
    }
    let removed: u64 = runs.iter().map(|run| run.pruned_there.len() as u64).sum();
    if removed > 0 {
        text += &format!("; {} removed in the store", counted(removed, "segment"));
    }
    let sum =
        |of: fn(&binlog::shipping::ShipStatus) -> u64| runs.iter().filter_map(|run| run.status.as_ref()).map(of).sum();
    let (damaged, missing): (u64, u64) = (sum(|it| it.damaged_segments), sum(|it| it.missing_segments));
    if damaged + missing > 0 {
        text += &format!("; {} damaged and {} missing", count(damaged), count(missing));
    }
    if let Some(store) = runs.iter().find_map(|run| run.kept_for.as_ref()) {
        text += &format!(
            "; the rules would have more removed here, but {} does not hold it yet (`binlog ship --forget` if it never will)",
            plain(store)
        );
    }
    text
}

/// What a run would do.
pub fn planned(runs: &[Run]) -> String {
    let mut out = String::new();
    let name = |path: &Path| path.file_name().map_or(String::new(), |name| plain(&name.to_string_lossy()));
    let uploaded = || runs.iter().flat_map(|run| &run.uploaded);
    let row = |it: &Shipped| vec![name(&it.path), count(it.sequence), bytes(it.bytes)];
    let rows: Vec<_> = uploaded().map(row).collect();
    if !rows.is_empty() {
        human::table(&mut out, &["segment", ">sequence", ">size"], &rows);
    }
    let size: u64 = uploaded().map(|it| it.bytes).sum();
    out += &match rows.len() as u64 {
        0 => "nothing would be shipped\n".to_owned(),
        n => format!("{} would be shipped, {}\n", counted(n, "segment"), bytes(size)),
    };
    let pruned = || runs.iter().flat_map(|run| &run.pruned);
    let size: u64 = pruned().map(|it| it.bytes).sum();
    match pruned().count() as u64 {
        0 => (),
        n => {
            let removed = counted(n, "segment");
            out += &format!("{removed} would be removed here, once the store holds them, {}\n", bytes(size));
        }
    }
    out
}

/// One log as a JSON object.
pub fn json(run: &Run, dry_run: bool) -> Value {
    let shipped = |it: &Shipped| json!({ "file": it.path.to_string_lossy(), "sequence": it.sequence, "bytes": it.bytes, "found": it.found });
    let pruned = |it: &Pruned| json!({ "file": it.path.to_string_lossy(), "sequence": it.sequence, "bytes": it.bytes, "why": it.why });
    let status = run.status.clone().unwrap_or_default();
    json!({
        "log": run.log,
        "store": status.store,
        "dry_run": dry_run,
        "result": match run.state {
            State::Done => "done",
            State::Stopped => "stopped",
            State::Obstructed => "damaged",
            State::Failed => "failed",
        },
        "shipped": run.uploaded.iter().map(shipped).collect::<Vec<_>>(),
        "removed": run.pruned.iter().map(pruned).collect::<Vec<_>>(),
        "removed_in_store": run.pruned_there.iter().map(pruned).collect::<Vec<_>>(),
        "waiting_segments": status.waiting_segments,
        "waiting_bytes": status.waiting_bytes,
        "damaged_segments": status.damaged_segments,
        "missing_segments": status.missing_segments,
        "problems": run.obstacles,
        "kept_for": run.kept_for,
        "error": run.error,
    })
}

/// A comparison that failed, as a JSON object.
pub fn not_verified_json(log: &str, url: &str, error: &binlog::Error) -> Value {
    // The options of the URL are not part of the store's name.
    let store = url.split('?').next().unwrap_or_default();
    json!({ "log": log, "store": store, "verdict": "failed", "error": error.to_string() })
}

/// The result of a comparison, as a JSON object.
pub fn verified_json(log: &str, store: &str, report: &VerifyReport) -> Value {
    let problem = |problem: &Problem| {
        let (kind, sequence, last, object, is_here) = match problem {
            Problem::Missing { sequence, object, is_here } => ("missing", sequence, sequence, Some(object), *is_here),
            Problem::Different { sequence, object } => ("different", sequence, sequence, Some(object), false),
            Problem::Damaged { sequence, object, .. } => ("damaged", sequence, sequence, Some(object), false),
            Problem::Gap { first, last, .. } => ("gap", first, last, None, false),
            Problem::Changed { sequence, .. } => ("changed", sequence, sequence, None, true),
        };
        json!({
            "kind": kind,
            "sequence": sequence,
            "last_sequence": last,
            "object": object,
            "is_here": is_here,
            "message": problem.to_string(),
        })
    };
    json!({
        "log": log,
        "store": store,
        "verdict": if report.problems.is_empty() { "whole" } else { "damaged" },
        "sound_segments": report.sound_segments,
        "sound_bytes": report.sound_bytes,
        "waiting_segments": report.waiting_segments,
        "accepted_segments": report.accepted_segments,
        "first_sequence": report.first,
        "last_sequence": report.last,
        "problems": report.problems.iter().map(problem).collect::<Vec<_>>(),
        "foreign": report.foreign,
    })
}

/// The same for people.
pub fn verified(log: &str, report: &VerifyReport, quiet: bool) -> String {
    let log = plain(log);
    let mut text: String =
        report.problems.iter().map(|problem| format!("{log}: {}\n", plain(&problem.to_string()))).collect();
    if quiet {
        return text;
    }
    for name in &report.foreign {
        text += &format!("{log}: {} is none of the log's, and was not looked at\n", plain(name));
    }
    let accepted = match report.accepted_segments {
        0 => String::new(),
        n => format!(", {} missing, as was accepted", count(n)),
    };
    let waiting = match report.waiting_segments {
        0 => String::new(),
        n => format!(", {} still to be shipped", count(n)),
    };
    let sound = format!("{} in the store, {}", counted(report.sound_segments, "segment"), bytes(report.sound_bytes));
    let verdict = match report.problems.len() as u64 {
        0 => "as they were shipped".to_owned(),
        n => format!("as they were shipped; {}", counted(n, "problem")),
    };
    text + &format!("{log}: {sound}, {verdict}{accepted}{waiting}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comparison_is_reported_line_by_line() {
        let report = VerifyReport {
            sound_segments: 3,
            sound_bytes: 4096,
            waiting_segments: 1,
            problems: vec![binlog::shipping::Problem::Gap { first: 2, last: 4, file: None }],
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
