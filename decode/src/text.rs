//! JSON as it is written, within a budget.

use std::io;

use base64::display::Base64Display;
use base64::prelude::BASE64_STANDARD;
use serde_json::value::RawValue;

use crate::{too_deep, DEPTH};

/// Bytes of JSON for each byte of a payload. A byte of text has at most six, as `\u0000`.
const FOR_EACH_BYTE: usize = 64;
/// Bytes of JSON besides: the names of a schema take none of the payload.
const BESIDES: usize = 1 << 20;

/// The JSON of one payload. Each write takes from its budget, so that memory and time stay in proportion to the payload.
pub struct Text {
    bytes: Vec<u8>,
    budget: usize,
    left: usize,
}

impl Text {
    pub fn of(payload: &[u8]) -> Self {
        let budget = payload.len().saturating_mul(FOR_EACH_BYTE).saturating_add(BESIDES);
        Text { bytes: vec![], budget, left: budget }
    }

    pub fn into_string(self) -> Result<String, String> {
        String::from_utf8(self.bytes).map_err(|_| "the decoder has failed".to_owned())
    }

    pub fn push(&mut self, json: &str) -> Result<(), String> {
        self.append(json.as_bytes())
    }

    fn append(&mut self, json: &[u8]) -> Result<(), String> {
        let left = self.left.checked_sub(json.len());
        self.left = left.ok_or_else(|| format!("its JSON would have more than {} bytes", self.budget))?;
        self.bytes.extend_from_slice(json);
        Ok(())
    }

    pub fn string(&mut self, text: &str) -> Result<(), String> {
        serde_json::to_writer(self, text).map_err(|e| e.to_string())
    }

    /// Text that no JSON has to escape, such as a number.
    pub fn display(&mut self, shown: impl std::fmt::Display) -> Result<(), String> {
        io::Write::write_fmt(self, format_args!("{shown}")).map_err(|e| e.to_string())
    }

    /// Bytes, as base64.
    pub fn base64(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.display(format_args!("\"{}\"", Base64Display::new(bytes, &BASE64_STANDARD)))
    }

    /// A floating-point number; JSON has no other name for those that are none.
    pub fn float(&mut self, number: f64) -> Result<(), String> {
        match number.is_finite() {
            true => serde_json::to_writer(self, &number).map_err(|e| e.to_string()),
            false => self.display(format_args!("\"{number}\"")),
        }
    }

    /// One of 32 bits, with no more digits than those need.
    pub fn float32(&mut self, number: f32) -> Result<(), String> {
        serde_json::to_writer(self, &number).map_err(|e| e.to_string())
    }

    /// An integer; one that no 64 bits hold is a text.
    pub fn integer(&mut self, number: i128) -> Result<(), String> {
        match u64::try_from(number).is_ok() || i64::try_from(number).is_ok() {
            true => self.display(number),
            false => self.display(format_args!("\"{number}\"")),
        }
    }

    /// Where a value begins that will be the key of a map.
    pub fn begin(&self) -> usize {
        self.bytes.len()
    }

    /// Ends the key that began there: what is no text becomes one.
    pub fn end_key(&mut self, start: usize) -> Result<(), String> {
        if self.bytes.get(start) != Some(&b'"') {
            let json = self.bytes.split_off(start);
            self.string(std::str::from_utf8(&json).map_err(|e| e.to_string())?)?;
        }
        self.push(":")
    }
}

impl io::Write for Text {
    fn write(&mut self, json: &[u8]) -> io::Result<usize> {
        self.append(json).map_err(io::Error::other)?;
        Ok(json.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The JSON of a payload that is JSON: its own tokens, since numbers of any size and keys that repeat mean what their
/// writer meant by them. White space between them is left out, so that a value is one line.
pub fn own(payload: &[u8]) -> Result<String, String> {
    let own: &RawValue = serde_json::from_slice(payload).map_err(|e| format!("not JSON: {e}"))?;
    let json = own.get().as_bytes();
    let mut kept = Vec::with_capacity(json.len());
    let mut depth = 0usize;
    let mut at = 0;
    while let Some(&byte) = json.get(at) {
        let from = at;
        at += 1;
        match byte {
            b' ' | b'\t' | b'\n' | b'\r' => continue,
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'"' => {
                while let Some(&within) = json.get(at) {
                    at += if within == b'\\' { 2 } else { 1 };
                    if within == b'"' {
                        break;
                    }
                }
            }
            _ => (),
        }
        if depth > DEPTH {
            return Err(format!("not JSON that is shown: {}", too_deep()));
        }
        kept.extend_from_slice(&json[from..at.min(json.len())]);
    }
    String::from_utf8(kept).map_err(|e| format!("not JSON: {e}"))
}
