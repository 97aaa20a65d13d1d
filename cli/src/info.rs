//! `binlog info`: what is in a log.

use std::io::Write;
use std::path::PathBuf;

use binlog::{Kind, Reader};
use clap::Args;

use crate::damage::{self, Unread};
use crate::losses::{self, LossQueue};
use crate::output::{complain, Fail, Out};
use crate::progress::Progress;
use crate::remote::Remote;
use crate::summary::Summary;
use crate::{advice, notes, summary, DAMAGED, OK};

/// Show records, types, times, sizes and segments
///
/// Answers from the index, and reads the headers of what the index does not cover. It is fast, and does not check
/// payloads; `binlog verify` does.
#[derive(Args)]
#[command(after_help = "\
Examples:
  binlog info logs/
  binlog info --json logs/ | jq '.types[] | select(.name == \"order.placed\").records'")]
pub struct Info {
    /// A log: directory, file, pattern or URL
    path: PathBuf,
    /// One JSON object, for programs
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    remote: Remote,
}

pub fn run(args: &Info) -> Result<u8, Fail> {
    let reported = LossQueue::default();
    let options = args.remote.options(reported.up_to_damage());
    let reader = Reader::open(&args.path, options).map_err(advice::fail(&args.path))?;
    notes::warn_of_recovery(&reader);
    let mut progress = Progress::of_files(reader.paths().len());
    let contents = reader.contents(&mut |done, of| progress.part(done, of))?;
    drop(progress);
    let trouble = match &contents.damage {
        Some(error) => {
            let advice = match error.kind() {
                Kind::Corrupt => advice::advice(&args.path),
                _ => "a newer version reads on".to_owned(),
            };
            let unread = Unread::after(&contents.tail, contents.segments.iter().map(|segment| &segment.facts));
            Some(format!("{error}; {unread}; {advice}"))
        }
        None => damage::at_the_end(&contents.tail, &args.path),
    };
    let summary = Summary::of(args.path.clone(), contents);
    let mut out = Out::new();
    match args.json {
        true => writeln!(out, "{}", summary::json(&summary))?,
        false => out.put(summary::text(&summary).as_bytes())?,
    }
    out.flush()?;
    let passed = reported.take();
    passed.iter().map(losses::line).chain(trouble.clone()).for_each(|line| complain(&line));
    Ok(if passed.is_empty() && trouble.is_none() { OK } else { DAMAGED })
}
