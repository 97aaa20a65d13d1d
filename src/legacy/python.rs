//! The Python binary logger, `MapLogger` 1.0.
//!
//! `"MapLogger_v1.0" record* [map offset8 "MapLogger_v1.0"]`, a record being `name_length8 name data_length8 data`, all
//! integers of 8 bytes, big-endian. The name is the class of the logged object; its length counts characters. The map
//! is a pickle, which is code: it is never read, as the records contain everything that is in it.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use byteorder::{BigEndian as BE, ByteOrder};

use super::item::{check_len, Item, Step, Type};
use super::{Form, Legacy};
use crate::io::{read_full, File};

pub const HEADER: &[u8] = b"MapLogger_v1.0";
/// The end of a file that was closed: where the map begins, and the header once more.
const FOOTER: usize = 8 + HEADER.len();
/// Characters of a class name, at the most.
const NAME: u64 = 1024;

/// Finds where the records of a file end.
pub fn open(file: Arc<dyn File>) -> io::Result<Legacy> {
    let len = file.len()?;
    let mut end = None;
    let start = HEADER.len() as u64;
    if let (true, Some(at)) = (len != u64::MAX, len.checked_sub(FOOTER as u64).filter(|&at| at >= start)) {
        let mut footer = [0; FOOTER];
        let n = read_full(&*file, &mut footer, at)?;
        // A map with another offset is none: then the records show where they end.
        let map = BE::read_u64(&footer);
        end = (n == FOOTER && footer[8..] == *HEADER && (start..=at).contains(&map)).then_some(map);
    }
    let form = Form::Python { end };
    Ok(Legacy { form, file, start, created_ns: 0, content_type: None, parameters: BTreeMap::new() })
}

/// Parses the record that begins with `bytes`, after which the file has `beyond` more bytes.
pub fn parse(bytes: &[u8], beyond: usize, item: &mut Item) -> Step {
    let Some(head) = bytes.get(..8) else { return Step::Need(8) };
    let chars = BE::read_u64(head);
    if chars == 0 || chars > NAME {
        return Step::Malformed(format!("a record declares a class name of {chars} characters"));
    }
    let known = &item.name;
    let name = match known.len() as u64 == chars && known.is_ascii() && bytes[8..].starts_with(known.as_bytes()) {
        true => 8..8 + known.len(),
        false => match name_at(bytes, chars) {
            Ok(name) => name,
            Err(needed) => return Step::Need(needed),
        },
    };
    let at = name.end;
    let Some(head) = bytes.get(at..at + 8) else { return Step::Need(at + 8) };
    let len = match check_len(BE::read_u64(head)) {
        Ok(len) => len,
        Err(reason) => return Step::Malformed(reason),
    };
    let payload = at + 8..at + 8 + len;
    if payload.end > bytes.len() + beyond {
        return Step::Need(payload.end);
    }
    if item.name.as_bytes() != &bytes[name.clone()] {
        let Ok(name) = std::str::from_utf8(&bytes[name]) else {
            return Step::Malformed("the class name is not UTF-8".to_owned());
        };
        item.name.clear();
        item.name.push_str(name);
    }
    (item.type_of, item.size, item.payload) = (Type::Name, payload.end, payload);
    Step::Record
}

/// The place of a name of this many characters; as an error, the number of bytes that are needed to find it.
fn name_at(bytes: &[u8], chars: u64) -> Result<Range<usize>, usize> {
    let mut at = 8;
    for _ in 0..chars {
        let first = *bytes.get(at).ok_or(at + 1)?;
        at += match first {
            0..0x80 => 1,
            0x80..0xe0 => 2,
            0xe0..0xf0 => 3,
            0xf0.. => 4,
        };
    }
    Ok(8..at)
}
