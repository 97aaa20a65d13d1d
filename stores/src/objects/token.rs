//! The progress of an upload in parts, as a line of text that survives a restart.

use percent_encoding::{percent_decode_str, utf8_percent_encode, NON_ALPHANUMERIC};

use binlog::store::support::hex;
use binlog::store::Sums;

/// An upload in parts that was begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    /// The server's id of the upload.
    pub id: String,
    /// The beginning of the file's SHA-256: parts of two files never get into one object.
    file: String,
    part_bytes: u64,
    /// The server's name for each part that it has.
    pub parts: Vec<Option<String>>,
}

/// The first word of a token: other stores have others.
const WORD: &str = "parts";

impl Token {
    pub(super) fn new(id: String, sums: &Sums) -> Self {
        Token { id, file: file_of(sums), part_bytes: sums.part_bytes, parts: vec![None; sums.part_md5.len()] }
    }

    /// Whether the upload is one of this file, in these parts.
    pub(super) fn is_of(&self, sums: &Sums) -> bool {
        self.file == file_of(sums) && self.part_bytes == sums.part_bytes && self.parts.len() == sums.part_md5.len()
    }

    /// One character for a part that is missing (`-`) or named after its MD5 (`=`), as most servers do.
    pub(super) fn to_text(&self, sums: &Sums) -> String {
        let part = |(i, part): (usize, &Option<String>)| match part {
            None => "-".to_owned(),
            Some(tag) if sums.part_md5.get(i).is_some_and(|md5| *tag == quoted(md5)) => "=".to_owned(),
            Some(tag) => format!("({})", encoded(tag)),
        };
        let parts: String = self.parts.iter().enumerate().map(part).collect();
        format!("{WORD} {} {} {parts} {}", self.file, self.part_bytes, encoded(&self.id))
    }

    /// A token with only the parts that have names of their own: enough to abort the upload.
    pub(super) fn parse(text: &str) -> Option<Self> {
        Self::parse_with(text, &[])
    }

    pub(super) fn parse_with(text: &str, md5: &[[u8; 16]]) -> Option<Self> {
        let fields: Vec<&str> = text.split(' ').collect();
        let [WORD, file, part_bytes, parts, id] = fields[..] else { return None };
        let mut tags = vec![];
        let mut rest = parts;
        while let Some(c) = rest.chars().next() {
            rest = &rest[c.len_utf8()..];
            tags.push(match c {
                '-' => None,
                '=' => md5.get(tags.len()).map(quoted),
                '(' => {
                    let (tag, behind) = rest.split_once(')')?;
                    rest = behind;
                    Some(decoded(tag)?)
                }
                _ => return None,
            });
        }
        Some(Token { id: decoded(id)?, file: file.to_owned(), part_bytes: part_bytes.parse().ok()?, parts: tags })
    }
}

fn file_of(sums: &Sums) -> String {
    hex(&sums.sha256[..8])
}

/// Formatted as an ETag.
fn quoted(md5: &[u8; 16]) -> String {
    format!("\"{}\"", hex(md5))
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

fn decoded(text: &str) -> Option<String> {
    Some(percent_decode_str(text).decode_utf8().ok()?.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_back_as_it_was_written() {
        let sums = Sums { bytes: 25, sha256: [7; 32], part_bytes: 10, part_md5: vec![[1; 16], [2; 16], [3; 16]] };
        let mut token = Token::new("an id/of+odd (characters) %20".into(), &sums);
        assert_eq!(Token::parse_with(&token.to_text(&sums), &sums.part_md5).unwrap(), token);
        token.parts[0] = Some(quoted(&[1; 16]));
        token.parts[2] = Some("\"an odd) one\"".into());
        let text = token.to_text(&sums);
        assert!(text.contains(" =-("), "{text}");
        let back = Token::parse_with(&text, &sums.part_md5).unwrap();
        assert_eq!(back, token);
        assert!(back.is_of(&sums));
        assert!(!back.is_of(&Sums { sha256: [8; 32], ..sums.clone() }));
        assert!(!back.is_of(&Sums { part_bytes: 11, ..sums.clone() }));
        for bad in ["", "x", "parts a 1 - ", "parts a b - c", "parts a 1 ? c", "parts a 1 (b c", "parts a 1 - c d"] {
            assert!(Token::parse(bad).is_none_or(|token| token.id.is_empty()), "{bad:?}");
        }
    }
}
