//! `binlog roll`: a new segment for a log that no writer has open.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use binlog::contents::SegmentFacts;
use binlog::rolling::RollOptions;
use binlog::{Kind, Writer, WriterOptions};
use clap::Args;

use crate::log::last_segment;
use crate::output::{complain, Fail};
use crate::{advice, OK};

/// Close the last segment of a log and begin the next one
///
/// For a log that no writer has open; a writer rolls its log itself. Nothing happens when the last segment holds no
/// record. Period and template stay those of the last segment.
#[derive(Args)]
#[command(after_help = "\
Examples:
  binlog roll logs/
  binlog roll --reason 'before the upgrade' logs/")]
pub struct Roll {
    /// Directory of the log
    log: PathBuf,
    /// Name of the log, when the directory holds several
    #[arg(long)]
    name: Option<String>,
    /// The reason that is stored in the log, up to 256 bytes
    #[arg(long, default_value = "by hand", value_parser = reason)]
    reason: String,
    /// Say nothing when all went well
    #[arg(short, long)]
    quiet: bool,
}

fn reason(text: &str) -> Result<String, String> {
    match text.len() {
        1..=256 => Ok(text.to_owned()),
        _ => Err("a reason has 1 to 256 bytes".to_owned()),
    }
}

pub fn run(args: &Roll) -> Result<u8, Fail> {
    crate::remote::refuse(&args.log, "roll")?;
    let before = last_segment(&args.log, args.name.as_deref())?;
    let writer = Writer::open(&args.log, options_of(&before)).map_err(|e| match e.kind() {
        Kind::Locked => Fail::Message(format!("{e}: a writer that has the log open rolls it itself")),
        _ => advice::fail(&args.log)(e),
    })?;
    let rolled = writer.roll_because(&args.reason);
    writer.close()?;
    rolled?;
    let after = last_segment(&args.log, Some(&before.name))?;
    if !args.quiet {
        let file = |segment: &SegmentFacts| segment.path.display().to_string();
        complain(&match after.sequence > before.sequence {
            true => format!("{} is closed; the log goes on in {}", file(&before), file(&after)),
            false => format!("{} holds no record yet: nothing to roll", file(&before)),
        });
    }
    Ok(OK)
}

/// Options to continue the log as its last segment states.
pub fn options_of(last: &SegmentFacts) -> WriterOptions {
    let mut options = WriterOptions {
        name: last.name.clone(),
        content_type: last.content_type.clone(),
        parameters: last.parameters.clone(),
        roll: RollOptions { period: last.period, zone: last.zone.clone(), ..RollOptions::default() },
        ..WriterOptions::default()
    };
    if !last.template.is_empty() {
        options.roll.template.clone_from(&last.template);
    }
    if let Ok(facts) = fs::metadata(&last.path) {
        options.file_mode = facts.permissions().mode() & 0o777 | 0o600;
    }
    options
}
