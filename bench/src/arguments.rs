//! The command line.

use std::path::PathBuf;

use crate::works::{BASE, RAW};
use crate::Result;

pub const HELP: &str = "\
Measures binlog against raw system calls, a plain writer and its peers.

  --scale FACTOR    how much is done: 1 (the default) is 2 GiB a run for each contender
  --rounds N        timed rounds after the warm-up (default 5)
  --quick           a smoke run of a few seconds: one round, everything read back and compared
  --only PATTERN    only works whose name contains PATTERN; may be repeated
  --with PATTERN    only contenders whose name contains PATTERN, besides raw and BASE; may be repeated
  --dir DIR         where the files go; may be repeated, each gets a table (default: a folder in the target folder)
  --markdown FILE   writes the tables there, too
  --svg FILE        writes a plot
  --list            names the works
";

#[derive(Debug, PartialEq)]
pub struct Arguments {
    pub scale: f64,
    pub rounds: usize,
    /// One pass a run.
    pub quick: bool,
    pub only: Vec<String>,
    pub with: Vec<String>,
    pub dirs: Vec<PathBuf>,
    pub markdown: Option<PathBuf>,
    pub svg: Option<PathBuf>,
    pub list: bool,
    pub help: bool,
}

impl Arguments {
    pub fn parse(mut words: impl Iterator<Item = String>) -> Result<Self> {
        let mut arguments = Arguments {
            scale: 1.0,
            rounds: 5,
            quick: false,
            only: Vec::new(),
            with: Vec::new(),
            dirs: Vec::new(),
            markdown: None,
            svg: None,
            list: false,
            help: false,
        };
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("{word} needs a value"));
            match word.as_str() {
                "--scale" => arguments.scale = value()?.parse().map_err(|error| format!("--scale: {error}"))?,
                "--rounds" => arguments.rounds = value()?.parse().map_err(|error| format!("--rounds: {error}"))?,
                "--quick" => (arguments.quick, arguments.scale, arguments.rounds) = (true, 0.01, 1),
                "--only" => arguments.only.push(value()?),
                "--with" => arguments.with.push(value()?),
                "--dir" => arguments.dirs.push(value()?.into()),
                "--markdown" => arguments.markdown = Some(value()?.into()),
                "--svg" => arguments.svg = Some(value()?.into()),
                "--list" => arguments.list = true,
                "--help" | "-h" => arguments.help = true,
                _ => return Err(format!("{word:?} is no option; see --help").into()),
            }
        }
        if !(arguments.scale > 0.0 && arguments.scale <= 100.0) || arguments.rounds == 0 {
            return Err("--scale is more than 0 and at most 100, --rounds at least 1".into());
        }
        Ok(arguments)
    }

    pub fn wants(&self, work: &str) -> bool {
        matches(&self.only, work)
    }

    /// The ratios need raw and BASE in every selection.
    pub fn wants_contender(&self, name: &str) -> bool {
        name == RAW || name == BASE || matches(&self.with, name)
    }
}

fn matches(patterns: &[String], name: &str) -> bool {
    patterns.is_empty() || patterns.iter().any(|pattern| name.contains(pattern.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &str) -> Result<Arguments> {
        Arguments::parse(words.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn options_are_understood() -> Result<()> {
        let arguments = parse("--scale 0.5 --dir /a --dir /b --only read --with mcap --svg x.svg --rounds 7")?;
        assert_eq!((arguments.scale, arguments.rounds), (0.5, 7));
        assert_eq!(arguments.dirs, [PathBuf::from("/a"), PathBuf::from("/b")]);
        assert!(arguments.wants("read 600 B") && !arguments.wants("append 600 B"));
        assert!(arguments.wants_contender("mcap, chunks") && !arguments.wants_contender("SQLite"));
        assert!(arguments.wants_contender("raw") && arguments.wants_contender("BASE"));
        assert_eq!(parse("--quick")?.rounds, 1);
        Ok(())
    }

    #[test]
    fn nonsense_is_refused() {
        for words in ["--scale", "--scale x", "--scale 0", "--rounds 0", "--fast", "read"] {
            assert!(parse(words).is_err(), "{words}");
        }
    }
}
