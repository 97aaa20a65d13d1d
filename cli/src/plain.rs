//! Bytes for a terminal. A terminal obeys control characters: the writer of a record could move its cursor, change
//! its title, or have it show other records than there are.

use std::io::{self, Write};

/// Passes text on, and writes each control character except tabs and line ends as `\u001b`, and bytes that are not
/// UTF-8 as `\xff`. The marks that change the direction of text are control characters here.
pub struct Plain<W> {
    out: W,
    /// The beginning of a character, or a carriage return, whose meaning depends on the next byte.
    held: Vec<u8>,
}

impl<W: Write> Plain<W> {
    pub fn new(out: W) -> Self {
        Plain { out, held: vec![] }
    }

    fn put(&mut self, bytes: &[u8], is_last: bool) -> io::Result<()> {
        let mut shown = String::with_capacity(bytes.len());
        let mut rest = bytes;
        while !rest.is_empty() {
            let (text, broken) = match std::str::from_utf8(rest) {
                Ok(text) => (text, None),
                Err(error) => {
                    let (text, _) = rest.split_at(error.valid_up_to());
                    (std::str::from_utf8(text).unwrap_or_default(), Some(error.error_len()))
                }
            };
            let mut chars = text.chars().peekable();
            while let Some(char) = chars.next() {
                match char {
                    '\n' | '\t' => shown.push(char),
                    '\r' if chars.peek() == Some(&'\n') => shown.push(char),
                    '\r' if chars.peek().is_none() && broken.is_none() && !is_last => self.held.push(b'\r'),
                    _ if is_control(char) => shown += &format!("\\u{:04x}", u32::from(char)),
                    _ => shown.push(char),
                }
            }
            rest = &rest[text.len()..];
            match broken {
                None => break,
                // The rest of the character comes with the next write.
                Some(None) if !is_last => {
                    self.held.extend_from_slice(rest);
                    break;
                }
                Some(len) => {
                    let (bytes, behind) = rest.split_at(len.unwrap_or(rest.len()));
                    bytes.iter().for_each(|byte| shown += &format!("\\x{byte:02x}"));
                    rest = behind;
                }
            }
        }
        self.out.write_all(shown.as_bytes())
    }
}

fn is_control(char: char) -> bool {
    char.is_control()
        || matches!(char, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{61c}')
}

impl<W: Write> Write for Plain<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match std::mem::take(&mut self.held) {
            held if held.is_empty() => self.put(bytes, false)?,
            mut held => {
                held.extend_from_slice(bytes);
                self.put(&held, false)?;
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let held = std::mem::take(&mut self.held);
        self.put(&held, true)?;
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Written in chunks of each size.
    fn shown(bytes: &[u8]) -> String {
        let all: Vec<String> = (1..=bytes.len().max(1))
            .map(|size| {
                let mut plain = Plain::new(vec![]);
                bytes.chunks(size).for_each(|piece| plain.write_all(piece).unwrap());
                plain.flush().unwrap();
                String::from_utf8(plain.out).unwrap()
            })
            .collect();
        assert!(all.iter().all(|one| *one == all[0]), "{all:?}");
        all.into_iter().next().unwrap()
    }

    #[test]
    fn text_passes_and_control_characters_are_shown() {
        assert_eq!(shown("plain\tübung €😀\r\nend\n".as_bytes()), "plain\tübung €😀\r\nend\n");
        assert_eq!(shown(b"\x1b[2J\x07\x00\x7f"), r"\u001b[2J\u0007\u0000\u007f");
        assert_eq!(shown("\u{9b}31m \u{202e}txt".as_bytes()), r"\u009b31m \u202etxt");
        assert_eq!(shown(b"over\rwritten\r"), r"over\u000dwritten\u000d");
        assert_eq!(shown(b"\r\r\n"), "\\u000d\r\n");
        assert_eq!(shown(b"\x9b31m \xff \xe2\x82"), r"\x9b31m \xff \xe2\x82");
        assert_eq!(shown(b""), "");
    }
}
