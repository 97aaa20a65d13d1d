//! The `binlog` command: appends to logs, reads them, looks at them, verifies and repairs them.
#![forbid(unsafe_code)]

mod advice;
mod append;
mod args;
mod batch;
mod cat;
mod compress;
mod damage;
mod decoding;
mod held;
mod human;
mod index;
mod index_check;
mod info;
mod input;
mod json;
mod log;
mod losses;
mod ls;
mod man;
mod migrate;
mod notes;
mod output;
mod plain;
mod printer;
mod progress;
mod prune;
mod reading;
mod recover;
mod recover_report;
mod remote;
mod render;
mod roll;
mod rolling;
mod scan;
mod schema;
mod select;
mod ship;
mod signals;
mod splits;
mod summary;
mod unmatched;
mod verdict;
mod verify;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use output::Fail;

/// Everything went well.
const OK: u8 = 0;
/// The command could not do what it was asked for.
const FAILED: u8 = 1;
/// What could be read was read, but something was left unread: damage, a torn tail, missing records.
const DAMAGED: u8 = 3;

/// Append-only structured binary logs: append to them, read them, look at them, verify and repair them
#[derive(Parser)]
#[command(
    name = "binlog",
    version,
    max_term_width = 100,
    after_help = "\
Data goes to standard output, everything else to standard error.

Exit status: 0 all went well, 1 the command failed, 2 wrong usage, 3 something in a log is damaged, \
torn or missing (what could be read was read), 130 and 143 stopped by Ctrl-C and by SIGTERM.

Examples:
  binlog append logs/ < access.log            each line becomes a record
  binlog info logs/                           what is in there
  binlog ls logs/                             its segments
  binlog cat logs/                            the records again, one a line
  binlog cat --follow --format json logs/     and those that are still to come
  binlog cat --reverse --last 10 logs/        the newest ten, the newest first
  binlog schema logs/                         what its types say of themselves
  binlog verify logs/                         is every byte what was written?
  binlog cat --salvage logs/                  all that can be read of a damaged log
  binlog cat s3://bucket/logs/                a log in an object store
  binlog recover logs/ saved/                 and a clean log of it
  binlog compress logs/                       finished segments in less space
  binlog prune --keep 30d --dry-run logs/     what is older than 30 days
  binlog ship --keep 7d logs/ s3://archive    closed segments to object storage
  binlog import old/*.binlog logs/            an older library's files become a log
  binlog export --to jsonl logs/ all.jsonl    and a log the file of another library"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Append(append::Append),
    Cat(cat::Cat),
    Info(info::Info),
    Verify(verify::Verify),
    Recover(recover::Recover),
    Index(index::Index),
    Import(migrate::import::Import),
    Export(migrate::export::Export),
    Ls(ls::Ls),
    Schema(schema::Schema),
    Splits(splits::Splits),
    Roll(roll::Roll),
    Compress(compress::Compress),
    Decompress(compress::Decompress),
    Prune(prune::Prune),
    Ship(ship::Ship),
    /// Print a completion script for a shell
    #[command(after_help = "\
Examples:
  binlog completions bash > ~/.local/share/bash-completion/completions/binlog
  binlog completions zsh > \"${fpath[1]}/_binlog\"
  binlog completions fish > ~/.config/fish/completions/binlog.fish")]
    Completions {
        shell: clap_complete::Shell,
    },
    Man(man::Man),
}

fn main() -> ExitCode {
    signals::let_oversized_writes_fail();
    let matches = command_line().get_matches();
    let done = match Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit()).command {
        Command::Append(args) => append::run(&args),
        Command::Cat(args) => cat::run(&args),
        Command::Info(args) => info::run(&args),
        Command::Verify(args) => verify::run(&args),
        Command::Recover(args) => recover::run(&args),
        Command::Index(args) => index::run(&args),
        Command::Import(args) => migrate::import::run(&args),
        Command::Export(args) => migrate::export::run(&args),
        Command::Ls(args) => ls::run(&args),
        Command::Schema(args) => schema::run(&args),
        Command::Splits(args) => splits::run(&args),
        Command::Roll(args) => roll::run(&args),
        Command::Compress(args) => compress::run(&args),
        Command::Decompress(args) => compress::run_back(&args),
        Command::Prune(args) => prune::run(&args),
        Command::Ship(args) => ship::run(&args),
        Command::Completions { shell } => completions(shell),
        Command::Man(args) => man::run(&args, command_line()),
    };
    ExitCode::from(match done {
        Ok(code) => code,
        // The program that reads the output has closed it.
        Err(Fail::Closed) => OK,
        Err(Fail::Message(message)) => {
            output::complain(&message);
            FAILED
        }
    })
}

/// `cat` also accepts the older names of its options for times.
fn command_line() -> clap::Command {
    Cli::command().mut_subcommand("cat", |cat| {
        cat.mut_arg("since", |since| since.visible_alias("from")).mut_arg("until", |until| until.visible_alias("to"))
    })
}

fn completions(shell: clap_complete::Shell) -> Result<u8, Fail> {
    let mut script = vec![];
    clap_complete::generate(shell, &mut command_line(), "binlog", &mut script);
    let mut out = output::Out::new();
    out.put(&script)?;
    out.flush()?;
    Ok(OK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        command_line().debug_assert();
    }
}
