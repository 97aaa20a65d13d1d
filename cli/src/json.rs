//! A record as one line of JSON.

use std::collections::HashMap;
use std::io::{self, Write};

use base64::display::Base64Display;
use base64::prelude::BASE64_STANDARD;
use binlog::{event, Metadata, Record};

use crate::human;
use crate::render::Shown;

/// Writes the record as an object: `id`, `time`, `type`, `type_name` of a named type or `event` of an event,
/// `metadata`, `length`, and the payload as `text` or else as `base64`, unless only headers are read; or its `value`.
pub fn record(out: &mut impl Write, record: &Record<'_>, shown: Shown<'_>, headers: bool) -> io::Result<()> {
    write!(out, "{{\"id\":{},\"time\":\"{}\",\"type\":{}", record.id, human::time(record.time), record.type_id)?;
    if let Some(name) = shown.name {
        out.write_all(b",\"type_name\":")?;
        string(out, name)?;
    }
    if record.is_event() {
        out.write_all(b",\"event\":")?;
        string(out, event::name(record.type_id).unwrap_or(""))?;
    }
    out.write_all(b",\"metadata\":")?;
    metadata(out, record.metadata)?;
    write!(out, ",\"length\":{}", record.payload_len)?;
    match shown.value {
        Some(Ok(value)) => {
            out.write_all(b",\"value\":")?;
            out.write_all(value.as_bytes())?;
        }
        // Of the events, schemas are what a reader may want.
        _ if headers || (record.is_event() && record.type_id != event::SCHEMA) => (),
        undecoded => {
            out.write_all(b",")?;
            payload(out, record)?;
            reason(out, undecoded)?;
        }
    }
    out.write_all(b"}\n")
}

/// Writes the value of a payload, or an object with the payload and why it has no value.
pub fn value(out: &mut impl Write, record: &Record<'_>, value: Option<&Result<String, String>>) -> io::Result<()> {
    match value {
        Some(Ok(value)) => out.write_all(value.as_bytes())?,
        undecoded => {
            out.write_all(b"{")?;
            payload(out, record)?;
            reason(out, undecoded)?;
            out.write_all(b"}")?;
        }
    }
    out.write_all(b"\n")
}

fn payload(out: &mut impl Write, record: &Record<'_>) -> io::Result<()> {
    match std::str::from_utf8(record.payload) {
        Ok(text) => {
            out.write_all(b"\"text\":")?;
            string(out, text)
        }
        Err(_) => write!(out, "\"base64\":\"{}\"", Base64Display::new(record.payload, &BASE64_STANDARD)),
    }
}

fn reason(out: &mut impl Write, value: Option<&Result<String, String>>) -> io::Result<()> {
    let Some(Err(why)) = value else { return Ok(()) };
    out.write_all(b",\"undecoded\":")?;
    string(out, why)
}

fn string(out: &mut impl Write, text: &str) -> io::Result<()> {
    Ok(serde_json::to_writer(out, text)?)
}

/// An object; a key that occurs more than once has an array of all its values.
pub fn metadata(out: &mut impl Write, metadata: Metadata<'_>) -> io::Result<()> {
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut members: Vec<(&str, Vec<&str>)> = vec![];
    for (key, value) in metadata {
        let place = *places.entry(key).or_insert(members.len());
        match members.get_mut(place) {
            Some((_, values)) => values.push(value),
            None => members.push((key, vec![value])),
        }
    }
    let mut before = "{";
    for (key, values) in &members {
        out.write_all(before.as_bytes())?;
        string(out, key)?;
        out.write_all(b":")?;
        match values[..] {
            [value] => string(out, value)?,
            _ => serde_json::to_writer(&mut *out, values)?,
        }
        before = ",";
    }
    out.write_all(if members.is_empty() { b"{}" } else { b"}" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use binlog::MetadataBuf;

    #[test]
    fn no_metadata_gets_lost_when_keys_repeat() {
        let pairs: MetadataBuf = [("a", "1"), ("b", "\"\n"), ("a", "2")].into_iter().collect();
        let mut out = vec![];
        metadata(&mut out, pairs.as_metadata()).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), r#"{"a":["1","2"],"b":"\"\n"}"#);
    }
}
