//! The token of a split: one line of text that names a part of a log.
//!
//! `binlog-split:1:LOG_ID:FIRST-LAST[+]:SEQUENCE-SEQUENCE[+SEQUENCE]:FILES:LOG:PLACE`
//!
//! `docs/splits.md` describes it. It contains no offsets, so it stays valid when the segments are compressed.

use std::ffi::OsString;
use std::ops::RangeInclusive;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use crate::error::{Error, Kind, Result};
use crate::hex::{hex, unhex};
use crate::log::{names, Limit};

const BEGIN: &str = "binlog-split:";
const VERSION: &str = "1";
/// The longest token that is read.
const LONGEST: usize = 64 << 10;
/// The longest name of a log, with escapes, that a token contains: without it the headers are read.
const LONGEST_LOG: usize = 128;
/// A token whose files are named by number has at most so many segments.
pub(super) const MOST_SEGMENTS: u64 = 1 << 20;
/// More numbers are not made into names: a list of the place takes less, and a token from others must not take memory
/// and requests for files that are not there.
const MOST_NAMES: u64 = 1024;

/// What a token states.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub log_id: [u8; 16],
    /// The name of the log, if the segments can be found by it.
    pub log: Option<String>,
    pub limit: Limit,
    pub sequences: RangeInclusive<u64>,
    pub files: Files,
    /// Where the log is: a path, a pattern or a URL.
    pub place: PathBuf,
}

/// The names of the segments' files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Files {
    /// Those that the default template gives, in this form.
    ByNumber(Form),
    Named(Vec<String>),
    /// They have to be listed.
    Listed,
}

/// The form in which segments are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Plain,
    Compressed,
    Gzip,
    Zstd,
}

impl Form {
    const ALL: [(Form, &'static str); 4] =
        [(Form::Plain, "n"), (Form::Compressed, "nz"), (Form::Gzip, "ngz"), (Form::Zstd, "nzst")];

    /// The file of a segment of the log in this form.
    pub fn file(self, log: &str, sequence: u64) -> String {
        let plain = names::segment(log, sequence);
        match self {
            Form::Plain => plain,
            Form::Compressed => names::compressed(&plain, None),
            Form::Gzip => plain + names::WHOLE[0],
            Form::Zstd => plain + names::WHOLE[1],
        }
    }

    /// The form of this file of a segment, if the default template gives its name.
    pub fn of(log: &str, sequence: u64, file: &str) -> Option<Self> {
        Self::ALL.into_iter().map(|(form, _)| form).find(|form| form.file(log, sequence) == file)
    }
}

impl Token {
    pub fn encode(&self) -> String {
        let Limit { first_id, last_id, to_the_end, last_sequence } = &self.limit;
        let (from, to) = (self.sequences.start(), self.sequences.end());
        let end = if *to_the_end { "+" } else { "" };
        let behind = if to > last_sequence { format!("+{to}") } else { String::new() };
        let files = match &self.files {
            Files::ByNumber(form) => Form::ALL.iter().find(|(it, _)| it == form).map_or("", |it| it.1).to_owned(),
            Files::Named(files) => {
                files.iter().map(|file| format!("={}", escaped(file.as_bytes(), b":="))).collect::<String>()
            }
            Files::Listed => "l".to_owned(),
        };
        let log = self.log.as_ref().map_or_else(String::new, |log| escaped(log.as_bytes(), b":"));
        let place = escaped(self.place.as_os_str().as_bytes(), b"");
        let log_id = hex(&self.log_id);
        format!(
            "{BEGIN}{VERSION}:{log_id}:{first_id}-{last_id}{end}:{from}-{last_sequence}{behind}:{files}:{log}:{place}"
        )
    }

    /// # Errors
    /// [`Kind::Unsupported`] for a token of another version, [`Kind::Invalid`] for anything else.
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = || Error::invalid("this is not the token of a split: take it as the plan gave it, as one line");
        let rest = text.strip_prefix(BEGIN).filter(|_| text.len() <= LONGEST).ok_or_else(wrong)?;
        let (version, rest) = rest.split_once(':').ok_or_else(wrong)?;
        if version != VERSION {
            let is_number = !version.is_empty() && version.len() < 10 && version.bytes().all(|b| b.is_ascii_digit());
            return Err(match is_number {
                true => Error::new(
                    Kind::Unsupported,
                    format!("the token has the version {version}, which only another version of the library can open"),
                ),
                false => wrong(),
            });
        }
        Self::parse_parts(rest).ok_or_else(wrong)
    }

    fn parse_parts(rest: &str) -> Option<Self> {
        let mut parts = rest.splitn(6, ':');
        let mut part = || parts.next();
        let (log_id, ids, segments, files, log, place) = (part()?, part()?, part()?, part()?, part()?, part()?);
        let (ids, to_the_end) = ids.strip_suffix('+').map_or((ids, false), |ids| (ids, true));
        let (first_id, last_id) = numbers(ids)?;
        let (own, behind) = match segments.split_once('+') {
            Some((own, behind)) => (own, Some(number(behind)?)),
            None => (segments, None),
        };
        let (from, last_sequence) = numbers(own)?;
        let to = behind.unwrap_or(last_sequence);
        let are_right = first_id > 0
            && first_id - 1 <= last_id
            && last_id < u64::MAX
            && from <= last_sequence
            && behind.is_none_or(|behind| behind > last_sequence);
        if !are_right {
            return None;
        }
        let log = match log {
            "" => None,
            log => Some(String::from_utf8(unescaped(log)?).ok().filter(|log| !log.contains(['/', '\0']))?),
        };
        let files = match files.strip_prefix('=') {
            Some(files) => Files::Named(files.split('=').map(file_name).collect::<Option<_>>()?),
            None if files == "l" => Files::Listed,
            None => {
                let form = Form::ALL.into_iter().find(|(_, text)| *text == files)?.0;
                (log.is_some() && to - from < MOST_SEGMENTS).then_some(Files::ByNumber(form))?
            }
        };
        let place = unescaped(place).filter(|place| !place.is_empty() && !place.contains(&0))?;
        Some(Token {
            log_id: unhex(log_id)?,
            log,
            limit: Limit { first_id, last_id, to_the_end, last_sequence },
            sequences: from..=to,
            files,
            place: PathBuf::from(OsString::from_vec(place)),
        })
    }

    /// The names of the files; none if they are not known or too many.
    pub fn names(&self) -> Vec<String> {
        let are_few = self.sequences.end() - self.sequences.start() < MOST_NAMES;
        match (&self.files, &self.log) {
            (Files::ByNumber(form), Some(log)) if are_few => {
                self.sequences.clone().map(|number| form.file(log, number)).collect()
            }
            (Files::Named(files), _) => files.clone(),
            _ => vec![],
        }
    }
}

/// The name of a log as a token contains it; `None` when that would take too much.
pub(super) fn log_in_token(log: &str) -> Option<String> {
    (escaped(log.as_bytes(), b":").len() <= LONGEST_LOG).then(|| log.to_owned())
}

/// The place of a log as a token contains it: one that does not depend on the current directory.
pub(super) fn absolute(place: &Path) -> Result<PathBuf> {
    match crate::log::is_url(place) {
        true => Ok(place.to_owned()),
        false => std::path::absolute(place).map_err(|e| Error::io(&e, "find the absolute path").at(place)),
    }
}

fn file_name(text: &str) -> Option<String> {
    let name = String::from_utf8(unescaped(text)?).ok()?;
    (!name.is_empty() && !name.contains(['/', '\0']) && name != "." && name != "..").then_some(name)
}

fn numbers(text: &str) -> Option<(u64, u64)> {
    let (from, to) = text.split_once('-')?;
    Some((number(from)?, number(to)?))
}

fn number(text: &str) -> Option<u64> {
    text.parse().ok().filter(|_| text.bytes().all(|b| b.is_ascii_digit()))
}

/// The text with %-escapes for what would end a line or a word, for what xargs(1) and shells take for quotes, and for
/// these characters.
fn escaped(bytes: &[u8], others: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            let is_plain = !c.is_control() && !c.is_whitespace() && !['%', '\'', '"', '\\'].contains(&c);
            match is_plain && u8::try_from(c).map_or(true, |byte| !others.contains(&byte)) {
                true => out.push(c),
                false => c.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| out.push_str(&format!("%{byte:02x}"))),
            }
        }
        chunk.invalid().iter().for_each(|byte| out.push_str(&format!("%{byte:02x}")));
    }
    out
}

/// `None` when a % has no two hexadecimal digits behind it, or the text is not one word of a line.
fn unescaped(text: &str) -> Option<Vec<u8>> {
    if text.contains(|c: char| c.is_control() || c.is_whitespace()) {
        return None;
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, behind)) = rest.split_first() {
        rest = behind;
        match first {
            b'%' => {
                let digits = std::str::from_utf8(behind.get(..2)?).ok()?;
                out.extend(unhex::<1>(digits)?);
                rest = &behind[2..];
            }
            byte => out.push(byte),
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn a_token() -> Token {
        Token {
            log_id: [0xab; 16],
            log: Some("orders:2 %".to_owned()),
            limit: Limit { first_id: 7, last_id: 99, to_the_end: true, last_sequence: 4 },
            sequences: 3..=6,
            files: Files::ByNumber(Form::Compressed),
            place: PathBuf::from("/var/log/a b%/ü"),
        }
    }

    #[test]
    fn a_token_is_one_word_and_comes_back() {
        let others = [
            Token { files: Files::Listed, log: None, ..a_token() },
            Token { files: Files::Named(vec!["a=b:c.binlog".into(), "ü x.binlog".into()]), ..a_token() },
            Token { sequences: 3..=4, ..a_token() },
            Token { place: PathBuf::from(OsString::from_vec(vec![b'/', 0xff, b'\n'])), ..a_token() },
            Token { place: PathBuf::from("s3://b/a%20b?endpoint=http://h:1&region=x"), ..a_token() },
        ];
        for token in others.into_iter().chain([a_token()]) {
            let text = token.encode();
            assert!(!text.contains(|c: char| c.is_whitespace() || c.is_control()), "{text}");
            assert_eq!(Token::parse(&text).unwrap(), token, "{text}");
        }
        let text =
            "binlog-split:1:abababababababababababababababab:7-99+:3-4+6:nz:orders%3a2%20%25:/var/log/a%20b%25/ü";
        assert_eq!(a_token().encode(), text);
        assert_eq!(a_token().names()[0], "orders:2 %.0000000003.z.binlog");
    }

    #[test]
    fn the_longest_token_has_less_than_300_bytes_besides_its_place() {
        let longest = Token {
            log: log_in_token(&"x".repeat(128)),
            limit: Limit {
                first_id: u64::MAX - 1,
                last_id: u64::MAX - 1,
                to_the_end: true,
                last_sequence: u64::MAX - 1,
            },
            sequences: u64::MAX - 2..=u64::MAX,
            files: Files::ByNumber(Form::Zstd),
            place: PathBuf::new(),
            ..a_token()
        };
        let len = longest.encode().len();
        assert!(len < 300, "{len}");
        assert_eq!(log_in_token(&"%".repeat(128)), None);
    }

    #[test]
    fn a_short_token_makes_no_more_names_than_are_opened() {
        let many = |to| Token { sequences: 3..=to, ..a_token() }.names().len();
        assert_eq!(many(2 + MOST_NAMES), MOST_NAMES as usize);
        assert_eq!(many(3 + MOST_NAMES), 0, "they are listed");
        assert_eq!(many(u64::MAX), 0);
    }

    #[test]
    fn what_is_no_token_is_refused_and_another_version_is_told() {
        let good = a_token().encode();
        assert_eq!(Token::parse(&good.replacen(":1:", ":2:", 1)).unwrap_err().kind(), Kind::Unsupported);
        for bad in [
            "",
            "binlog-split",
            "binlog-split:",
            "binlog-split:x:y",
            "/var/log",
            &good.replace(":7-99", ":0-99"),
            &good.replace(":7-99", ":7-5"),
            &good.replace(":7-99", ":+7-99"),
            &good.replace("3-4+6", "3-4+4"),
            &good.replace("3-4+6", "5-4"),
            &good.replace("3-4+6", "1-99999999999"),
            &good.replace(":nz:", ":nq:"),
            &good.replace(":nz:", ":=..:"),
            &good.replace(":nz:", ":=a/b:"),
            &good.replace("%3a", "%3g"),
            &good.replace("%3a", "/"),
            &good.replace("ab:7", "a:7"),
            &format!("{good}\n"),
            &format!("{good}{}", "x".repeat(LONGEST)),
        ] {
            assert_eq!(Token::parse(bad).unwrap_err().kind(), Kind::Invalid, "{bad}");
        }
    }
}
