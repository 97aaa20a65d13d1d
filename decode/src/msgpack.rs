//! MessagePack.
//!
//! Written as JSON while it is read: a tree of the values would take hundreds of times the payload's memory.

use crate::bytes::Bytes;
use crate::text::Text;
use crate::{too_deep, DEPTH};

pub fn decode(payload: &[u8]) -> Result<String, String> {
    let mut pack = Pack { left: Bytes(payload), json: Text::of(payload) };
    pack.value(DEPTH).and_then(|()| pack.left.end()).map_err(|e| format!("not MessagePack: {e}"))?;
    pack.json.into_string()
}

struct Pack<'a> {
    left: Bytes<'a>,
    json: Text,
}

impl Pack<'_> {
    fn value(&mut self, depth: usize) -> Result<(), String> {
        let deeper = depth.checked_sub(1).ok_or_else(too_deep)?;
        match self.left.byte()? {
            number @ 0x00..=0x7f => self.json.display(number),
            head @ 0x80..=0x8f => self.map(u64::from(head & 0x0f), deeper),
            head @ 0x90..=0x9f => self.array(u64::from(head & 0x0f), deeper),
            head @ 0xa0..=0xbf => self.text(usize::from(head & 0x1f)),
            0xc0 => self.json.push("null"),
            0xc1 => Err("the byte c1 has no meaning".to_owned()),
            0xc2 => self.json.push("false"),
            0xc3 => self.json.push("true"),
            head @ 0xc4..=0xc6 => {
                let len = self.len(1 << (head - 0xc4))?;
                self.json.base64(self.left.take(len)?)
            }
            head @ 0xc7..=0xc9 => {
                let len = self.len(1 << (head - 0xc7))?;
                self.extension(len)
            }
            0xca => self.json.float(f32::from_be_bytes(self.left.array()?).into()),
            0xcb => self.json.float(f64::from_be_bytes(self.left.array()?)),
            head @ 0xcc..=0xcf => self.json.display(self.left.number(1 << (head - 0xcc))?),
            0xd0 => self.json.display(i8::from_be_bytes(self.left.array()?)),
            0xd1 => self.json.display(i16::from_be_bytes(self.left.array()?)),
            0xd2 => self.json.display(i32::from_be_bytes(self.left.array()?)),
            0xd3 => self.json.display(i64::from_be_bytes(self.left.array()?)),
            head @ 0xd4..=0xd8 => self.extension(1 << (head - 0xd4)),
            head @ 0xd9..=0xdb => {
                let len = self.len(1 << (head - 0xd9))?;
                self.text(len)
            }
            head @ 0xdc..=0xdd => {
                let count = self.left.number(2 << (head - 0xdc))?;
                self.array(count, deeper)
            }
            head @ 0xde..=0xdf => {
                let count = self.left.number(2 << (head - 0xde))?;
                self.map(count, deeper)
            }
            head @ 0xe0..=0xff => self.json.display(head as i8),
        }
    }

    fn len(&mut self, of: usize) -> Result<usize, String> {
        usize::try_from(self.left.number(of)?).map_err(|e| e.to_string())
    }

    /// A text that is not UTF-8 is shown as bytes: older writers had no other type for them.
    fn text(&mut self, len: usize) -> Result<(), String> {
        let bytes = self.left.take(len)?;
        match std::str::from_utf8(bytes) {
            Ok(text) => self.json.string(text),
            Err(_) => self.json.base64(bytes),
        }
    }

    fn array(&mut self, count: u64, deeper: usize) -> Result<(), String> {
        self.json.push("[")?;
        for at in 0..count {
            self.json.push(if at == 0 { "" } else { "," })?;
            self.value(deeper)?;
        }
        self.json.push("]")
    }

    fn map(&mut self, count: u64, deeper: usize) -> Result<(), String> {
        self.json.push("{")?;
        for at in 0..count {
            self.json.push(if at == 0 { "" } else { "," })?;
            let key = self.json.begin();
            self.value(deeper)?;
            self.json.end_key(key)?;
            self.value(deeper)?;
        }
        self.json.push("}")
    }

    fn extension(&mut self, len: usize) -> Result<(), String> {
        let number = i8::from_be_bytes(self.left.array()?);
        self.json.display(format_args!("{{\"ext\":{number},\"data\":"))?;
        self.json.base64(self.left.take(len)?)?;
        self.json.push("}")
    }
}
