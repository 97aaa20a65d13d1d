//! `binlog man`: the manual pages, made from the text of `--help`.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::{Args, Command};
use clap_mangen::roff::{bold, roman, Roff};

use crate::output::Fail;
use crate::OK;

/// Write the manual pages to a directory
///
/// Into binlog.1 there, and one page for each command, such as binlog-append.1; they replace older ones.
#[derive(Args)]
#[command(after_help = "\
Examples:
  binlog man ~/.local/share/man/man1
  binlog man . && man ./binlog-append.1")]
pub struct Man {
    /// Directory of the pages, created when it is not there
    directory: PathBuf,
}

pub fn run(args: &Man, program: Command) -> Result<u8, Fail> {
    let mut program = program.disable_help_subcommand(true);
    program.build();
    fs::create_dir_all(&args.directory).map_err(|e| refused(&args.directory, &e))?;
    for command in [&program].into_iter().chain(program.get_subcommands()) {
        let path = args.directory.join(format!("{}.1", title(command)));
        write(&path, page(&program, command).as_bytes()).map_err(|e| refused(&path, &e))?;
    }
    Ok(OK)
}

/// Replaces a page, and never writes through a link in its place.
fn write(path: &Path, page: &[u8]) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => (),
    }
    fs::OpenOptions::new().write(true).create_new(true).open(path)?.write_all(page)
}

fn refused(path: &Path, error: &io::Error) -> Fail {
    Fail::Message(format!("{}: {error}", path.display()))
}

/// "binlog", or "binlog-append".
fn title(command: &Command) -> &str {
    command.get_display_name().unwrap_or_else(|| command.get_name())
}

fn page(program: &Command, command: &Command) -> String {
    let made = clap_mangen::Man::new(command.clone());
    let mut text = vec![];
    let written = made
        .render_name_section(&mut text)
        .and_then(|()| made.render_synopsis_section(&mut text))
        .and_then(|()| made.render_description_section(&mut text))
        .and_then(|()| made.render_options_section(&mut text))
        .and_then(|()| match command.has_subcommands() {
            true => made.render_subcommands_section(&mut text),
            false => Ok(()),
        })
        .and_then(|()| {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let mut more = after_the_options(&help);
            see_also(&mut more, program, command);
            more.to_writer(&mut text)
        });
    written.expect("memory takes everything");
    let text = String::from_utf8(text).expect("it was made of strings");
    // clap_mangen writes the same definitions with each section; once is enough.
    let definitions = Roff::new().render();
    // No date: a version has the same pages whenever they are written.
    let heading = format!(
        ".TH {} 1 \"\" \"binlog {}\" \"Binary logs\"\n",
        title(command),
        program.get_version().unwrap_or_default()
    );
    definitions.clone() + &heading + &text.replace(&definitions, "")
}

/// The paragraphs of the help that follow the options. One that begins with a word and a colon becomes a section,
/// if manual pages usually have it; commands under "Examples:" keep their lines.
fn after_the_options(help: &str) -> Roff {
    let mut page = Roff::new();
    let mut in_notes = false;
    for paragraph in help.split("\n\n") {
        if let Some(examples) = paragraph.strip_prefix("Examples:\n") {
            page.control("SH", ["EXAMPLES"]).control("nf", []);
            for line in examples.lines() {
                page.text([roman(line.strip_prefix("  ").unwrap_or(line))]);
            }
            page.control("fi", []);
            in_notes = false;
        } else if let Some(status) = paragraph.strip_prefix("Exit status: ") {
            page.control("SH", ["EXIT STATUS"]).text([roman(status)]);
            in_notes = false;
        } else if !paragraph.is_empty() {
            page.control(if in_notes { "PP" } else { "SH" }, (!in_notes).then_some("NOTES"));
            page.text([roman(paragraph)]);
            in_notes = true;
        }
    }
    page
}

fn see_also(page: &mut Roff, program: &Command, command: &Command) {
    page.control("SH", ["SEE ALSO"]);
    let mut others = [program].into_iter().chain(program.get_subcommands()).filter(|c| title(c) != title(command));
    let mut next = others.next();
    while let Some(other) = next {
        next = others.next();
        page.text([bold(title(other)), roman(if next.is_some() { "(1)," } else { "(1)" })]);
    }
}
