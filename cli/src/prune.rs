//! `binlog prune`: removes the old segments of a log.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use binlog::rolling::{Pruned, Retention};
use binlog::store::remote::RemoteDirectory;
use binlog::store::StoreOptions;
use clap::Args;
use serde_json::{json, Value};

use crate::human::{self, bytes, count, counted, plain};
use crate::output::{Fail, Out};
use crate::remote::{is_url, Remote};
use crate::rolling::Keep;
use crate::{advice, OK};

/// Remove old segments
///
/// The oldest go first, until all rules are kept; the last segment always stays. A writer may have the log open.
/// Only files whose own headers make them segments of this log are removed, and never through a symbolic link. Of a log
/// that is shipped to a store, only segments that the store holds are removed.
#[derive(Args)]
#[command(
    group(clap::ArgGroup::new("rules").args(["keep", "keep_segments", "keep_bytes"]).required(true).multiple(true)),
    after_help = "\
Examples:
  binlog prune --keep 30d --dry-run logs/         what would go
  binlog prune --keep 30d logs/
  binlog prune --keep-segments 10 --keep-bytes 10GB logs/
  binlog prune --keep 365d --dry-run s3://bucket/logs/
  binlog prune --keep 30d --json logs/ | jq '.removed[].file'"
)]
pub struct Prune {
    /// The log: a directory, or the URL of one in an object store
    log: PathBuf,
    /// Only the log of this name; without it, each log of the directory by itself
    #[arg(long)]
    name: Option<String>,
    /// Remove nothing, and show what would be removed
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// One JSON object, for programs
    #[arg(long)]
    json: bool,
    /// Of a log that is shipped to a store, remove segments that no store holds yet, too
    #[arg(long)]
    unshipped: bool,
    #[command(flatten)]
    keep: Keep,
    #[command(flatten)]
    remote: Remote,
}

pub fn run(args: &Prune) -> Result<u8, Fail> {
    let rules = Retention { unshipped: args.unshipped, ..args.keep.rules() };
    let name = args.name.as_deref();
    let pruned = match args.log.to_str().filter(|_| is_url(&args.log)) {
        Some(url) => {
            let options = StoreOptions { credentials: args.remote.credentials(), ..StoreOptions::default() };
            binlog::rolling::prune(Arc::new(RemoteDirectory::open(url, &options)?), name, &rules, args.dry_run)?
        }
        None => binlog::rolling::prune(&args.log, name, &rules, args.dry_run).map_err(advice::fail(&args.log))?,
    };
    let mut out = Out::new();
    match args.json {
        true => writeln!(out, "{}", to_json(args, &pruned))?,
        false => out.put(text(&pruned, args.dry_run).as_bytes())?,
    }
    out.flush()?;
    Ok(OK)
}

fn records(pruned: &Pruned) -> u64 {
    (pruned.last_id + 1).saturating_sub(pruned.first_id)
}

fn text(pruned: &[Pruned], dry_run: bool) -> String {
    let mut out = String::new();
    let row = |one: &Pruned| {
        let file = one.path.file_name().map_or(String::new(), |name| plain(&name.to_string_lossy()));
        vec![file, count(one.sequence), count(records(one)), bytes(one.bytes), one.why.to_owned()]
    };
    if !pruned.is_empty() {
        let rows: Vec<_> = pruned.iter().map(row).collect();
        human::table(&mut out, &["segment", ">sequence", ">records", ">size", "because of"], &rows);
    }
    let size: u64 = pruned.iter().map(|one| one.bytes).sum();
    let segments = counted(pruned.len() as u64, "segment");
    out.push_str(&match (pruned.is_empty(), dry_run) {
        (true, true) => "nothing would be removed\n".to_owned(),
        (true, false) => "nothing to remove\n".to_owned(),
        (false, true) => format!("{segments} would be removed, {}\n", bytes(size)),
        (false, false) => format!("{segments} removed, {}\n", bytes(size)),
    });
    out
}

fn to_json(args: &Prune, pruned: &[Pruned]) -> Value {
    let each = |one: &Pruned| {
        json!({
            "file": one.path.to_string_lossy(),
            "sequence": one.sequence,
            "bytes": one.bytes,
            "records": records(one),
            "first_id": one.first_id,
            "last_id": one.last_id,
            "because_of": one.why,
        })
    };
    let list: Vec<Value> = pruned.iter().map(each).collect();
    json!({
        "path": args.log.to_string_lossy(),
        "dry_run": args.dry_run,
        if args.dry_run { "would_remove" } else { "removed" }: list,
        "bytes": pruned.iter().map(|one| one.bytes).sum::<u64>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn old() -> Pruned {
        let path = PathBuf::from("logs/a.0000000001.binlog");
        Pruned { path, sequence: 1, bytes: 2048, why: "age", first_id: 1, last_id: 1000 }
    }

    #[test]
    fn a_dry_run_says_what_would_go() {
        assert_eq!(
            text(&[old()], true),
            "segment              sequence  records     size  because of\n\
             a.0000000001.binlog         1    1,000  2.0 KiB  age\n\
             1 segment would be removed, 2.0 KiB\n"
        );
        assert!(text(&[old()], false).ends_with("1 segment removed, 2.0 KiB\n"));
        assert_eq!(
            (text(&[], true), text(&[], false)),
            ("nothing would be removed\n".into(), "nothing to remove\n".into())
        );
    }
}
