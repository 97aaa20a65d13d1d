//! Advice at the end of messages about a damaged log: commands that can be run as they are.

use std::path::Path;

use binlog::{Error, Kind};

use crate::output::Fail;
use crate::remote::is_url;

/// The commands to run on the log at this path, in which something is damaged or missing.
pub fn advice(log: &Path) -> String {
    let shown = quoted(log);
    let mends = match is_url(log) {
        // Objects in a store are never changed.
        true => format!("`binlog recover {shown} recovered` writes a whole log of the rest to the directory recovered"),
        false => format!("`binlog recover --in-place {shown}` makes a whole log of the rest"),
    };
    format!(
        "`binlog verify {shown}` reports all that is wrong, `binlog cat --salvage {shown}` prints what can be read, and {mends}"
    )
}

/// The message of an error in the log at this path, with advice when part of the log is damaged.
pub fn advised(error: &Error, log: &Path) -> String {
    // A file that was never a segment belongs to no log.
    let is_of_log = |path: &Path| path.is_dir() || path.to_string_lossy().contains(".binlog");
    if error.kind() != Kind::Corrupt || !error.path().is_some_and(is_of_log) {
        return in_options(&error.to_string());
    }
    match error.reason().contains('`') {
        // The reason itself names the command that repairs this.
        true => format!("{error}; `binlog verify {}` reports all that is wrong", quoted(log)),
        false => format!("{error}; {}", advice(log)),
    }
}

/// Names of the library's options, and of the command's options for the same.
const OPTIONS: [(&str, &str); 5] = [
    (" (block_bytes, ", " ("),
    ("segment_bytes", "--segment-size"),
    ("record_max_bytes", "--record-max"),
    ("block_max_bytes", "--block-max"),
    ("codec_level", "the level of --codec"),
];

fn in_options(message: &str) -> String {
    OPTIONS.iter().fold(message.to_owned(), |message, (name, option)| message.replace(name, option))
}

/// Ends the process as for any other wrong option, if the error is not about a file of the log but about an option.
pub fn end_if_usage(error: &Error) {
    if error.kind() == Kind::Invalid && error.path().is_none() {
        let message = format!("{}\n", in_options(error.reason()));
        clap::Error::raw(clap::error::ErrorKind::ValueValidation, message).exit();
    }
}

/// The same message, as the error with which a command ends.
pub fn fail(log: &Path) -> impl Fn(Error) -> Fail + '_ {
    move |error| Fail::Message(advised(&error, log))
}

/// A path, quoted for a shell, that is never taken for an option.
pub fn quoted(path: &Path) -> String {
    let path = path.to_string_lossy();
    let dashed = if path.starts_with('-') { "./" } else { "" };
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:,@%".contains(c);
    match !path.is_empty() && path.chars().all(is_plain) {
        true => format!("{dashed}{path}"),
        false => format!("'{dashed}{}'", path.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_quoted_where_a_shell_would_take_it_for_something_else() {
        for (path, shown) in [
            ("logs/", "logs/"),
            ("logs/*.binlog", "'logs/*.binlog'"),
            ("a b", "'a b'"),
            ("it's", "'it'\\''s'"),
            ("-logs", "./-logs"),
            ("-a b", "'./-a b'"),
            ("s3://bucket/logs?region=eu", "'s3://bucket/logs?region=eu'"),
            ("", "''"),
        ] {
            assert_eq!(quoted(Path::new(path)), shown);
        }
    }

    #[test]
    fn options_have_the_names_of_the_command() {
        assert_eq!(in_options("segment_bytes is 0, less than one block"), "--segment-size is 0, less than one block");
        assert_eq!(in_options("/tmp/x: cannot open"), "/tmp/x: cannot open");
    }

    #[test]
    fn a_store_is_never_changed() {
        assert!(advice(Path::new("logs")).contains("`binlog recover --in-place logs`"));
        assert!(advice(Path::new("s3://bucket/logs")).contains("`binlog recover s3://bucket/logs recovered`"));
    }
}
