//! The form of the Java binlog (mfz-binlog 2.1), file version 1.0.
//!
//! `"MFIZZ.COM-BINLOG" 0x10 0x01 header_length4 header record*`, a record being `record_length(W) record_header_length(W)
//! record_header data`, all integers big-endian; record_length counts what follows it. Headers are protobuf.

use std::io::{self, Write};

use binlog::contents::SegmentFacts;
use binlog::{event, Record, FIRST_NAMED_TYPE};

use super::form::{Form, Loss, Losses, Stop};
use crate::human;

const NS_PER_MS: i64 = 1_000_000;
/// Parameters that this library adds when it reads files of older ones; the files do not contain them.
const OF_THIS_LIBRARY: [&str; 3] = ["legacy.format", "import.id", "import.files"];

pub struct Java {
    /// Bytes of a length: 1, 2 or 4.
    width: usize,
    losses: Losses,
    header: Vec<u8>,
    scratch: Vec<u8>,
}

/// How a record's type is written.
enum Kind<'a> {
    User(i32),
    Event(i32, &'a str),
}

impl Java {
    pub fn new(width: u8, losses: Losses) -> Self {
        Java { width: usize::from(width), losses, header: vec![], scratch: vec![] }
    }

    /// `None` for events that the form leaves out.
    fn kind<'a>(&self, record: &Record<'_>, name: Option<&'a str>) -> Result<Option<Kind<'a>>, Stop> {
        let known = |number, name| Ok(Some(Kind::Event(number, name)));
        match record.type_id {
            event::STARTED => known(1, "binlogger-started"),
            event::STOPPED => known(2, "binlogger-stopped"),
            event::HEARTBEAT => known(3, "binlogger-heartbeat"),
            event::ROTATE_NEXT => known(4, "binlogger-rotate-next"),
            event::ROTATE_PREV => known(5, "binlogger-rotate-prev"),
            event::OPENED => known(6, "binlogger-opened"),
            event::CLOSED => known(7, "binlogger-closed"),
            // The records of the type carry its name.
            event::TYPE => Ok(None),
            other if record.is_event() => {
                let what = event::name(other).unwrap_or("of a number that is not known");
                self.losses.allow(Loss::Events, || {
                    format!("it follows the event {what}, which the Java binlog does not have")
                })?;
                Ok(None)
            }
            number if number < FIRST_NAMED_TYPE => Ok(Some(Kind::User(number as i32))),
            _ => match name.and_then(kind_of_name) {
                Some(kind) => Ok(Some(kind)),
                None => {
                    let name = name.unwrap_or("");
                    self.losses.allow(Loss::Types, || {
                        format!("has the named type {name:?}, and the Java binlog has only numbers for types")
                    })?;
                    Ok(Some(Kind::User(0)))
                }
            },
        }
    }

    fn put_length(&self, out: &mut dyn Write, len: usize) -> io::Result<()> {
        out.write_all(&(len as u32).to_be_bytes()[4 - self.width..])
    }
}

/// Types and events of the Java binlog that this library's reader shows under these names.
fn kind_of_name(name: &str) -> Option<Kind<'_>> {
    if let Some(number) = name.strip_prefix("type ") {
        let number = canonical(number)?;
        let own = u32::try_from(number).is_ok_and(|number| number < FIRST_NAMED_TYPE);
        return (!own).then_some(Kind::User(number));
    }
    let event = name.strip_prefix("event ")?;
    let (number, name) = event.split_once(' ').unwrap_or((event, ""));
    canonical(number).filter(|number| !(1..=7).contains(number)).map(|number| Kind::Event(number, name))
}

/// Only digits in canonical form.
fn canonical(digits: &str) -> Option<i32> {
    digits.parse().ok().filter(|number: &i32| number.to_string() == digits)
}

impl Form for Java {
    fn begin(&mut self, out: &mut dyn Write, log: &SegmentFacts) -> io::Result<()> {
        let header = &mut self.header;
        header.clear();
        put_fixed64(header, 1, log.created.div_euclid(NS_PER_MS));
        put_bytes(header, 2, log.name.as_bytes());
        put_bytes(header, 3, log.content_type.as_bytes());
        for (key, value) in log.parameters.iter().filter(|(key, _)| !OF_THIS_LIBRARY.contains(&&***key)) {
            put_pair(header, &mut self.scratch, key, value);
        }
        put_varint(header, 5 << 3);
        put_varint(header, self.width as u64);
        out.write_all(b"MFIZZ.COM-BINLOG\x10\x01")?;
        out.write_all(&(header.len() as u32).to_be_bytes())?;
        out.write_all(header)
    }

    fn record(&mut self, out: &mut dyn Write, record: &Record<'_>, name: Option<&str>) -> Result<(), Stop> {
        let Some(kind) = self.kind(record, name)? else { return Ok(()) };
        let is_event = record.is_event();
        self.header.clear();
        if !is_event {
            match i32::try_from(record.id) {
                Ok(id) => put_field(&mut self.header, 1, id),
                Err(_) => self.losses.allow(Loss::Ids, || {
                    format!("has an id over {}, the Java binlog's greatest", human::count(i32::MAX as u64))
                })?,
            }
        }
        if record.time % NS_PER_MS != 0 {
            self.losses.allow(Loss::Times, || {
                let time = human::time(record.time);
                format!("has the time {time}, which is finer than the Java binlog's milliseconds")
            })?;
        }
        if record.time != 0 {
            put_fixed64(&mut self.header, 2, record.time.div_euclid(NS_PER_MS));
        }
        if let Kind::User(number @ (..=-1 | 1..)) = kind {
            put_field(&mut self.header, 3, number);
        }
        let mut pairs: Vec<(&str, &str)> = record.metadata.into_iter().collect();
        if is_event {
            // From an event that an import took over.
            pairs.retain(|pair| *pair != ("imported", "1"));
        }
        let info = match (&kind, pairs.last()) {
            (Kind::Event(..), Some(("info", info))) => Some(*info),
            _ => None,
        };
        pairs.truncate(pairs.len() - usize::from(info.is_some()));
        for (key, value) in pairs {
            put_pair(&mut self.header, &mut self.scratch, key, value);
        }
        if let Kind::Event(number, name) = kind {
            put_field(&mut self.header, 5, number);
            if !name.is_empty() {
                put_bytes(&mut self.header, 6, name.as_bytes());
            }
            if let Some(info) = info {
                put_bytes(&mut self.header, 7, info.as_bytes());
            }
        }
        let len = self.width + self.header.len() + record.payload.len();
        let most = match self.width {
            1 => 0xff,
            2 => 0xffff,
            // A Java program counts in signed numbers.
            _ => i32::MAX as usize,
        };
        if len > most {
            let (len, width) = (human::count(len as u64), self.width);
            return Err(Stop::Refused(format!(
                "takes {len} bytes with its header, more than a length of {} can express: see --length-bytes",
                human::counted(width as u64, "byte")
            )));
        }
        self.put_length(out, len)?;
        self.put_length(out, self.header.len())?;
        out.write_all(&self.header)?;
        Ok(out.write_all(record.payload)?)
    }
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// An int32; a negative one takes ten bytes.
fn put_field(out: &mut Vec<u8>, field: u64, value: i32) {
    put_varint(out, field << 3);
    put_varint(out, i64::from(value) as u64);
}

fn put_fixed64(out: &mut Vec<u8>, field: u64, value: i64) {
    put_varint(out, field << 3 | 1);
    out.extend_from_slice(&value.to_le_bytes());
}

fn put_bytes(out: &mut Vec<u8>, field: u64, bytes: &[u8]) {
    put_varint(out, field << 3 | 2);
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn put_pair(out: &mut Vec<u8>, scratch: &mut Vec<u8>, key: &str, value: &str) {
    scratch.clear();
    put_bytes(scratch, 1, key.as_bytes());
    put_bytes(scratch, 2, value.as_bytes());
    put_bytes(out, 4, scratch);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_a_reader_gives_to_java_types_become_numbers_again() {
        for (name, number) in [("type -5", -5), ("type 1073741824", 1 << 30), ("type -2147483648", i32::MIN)] {
            assert!(matches!(kind_of_name(name), Some(Kind::User(n)) if n == number), "{name}");
        }
        for (name, number, event) in [("event 9", 9, ""), ("event 0 a b", 0, "a b"), ("event -1 x", -1, "x")] {
            assert!(matches!(kind_of_name(name), Some(Kind::Event(n, e)) if (n, e) == (number, event)), "{name}");
        }
        for name in ["type 5", "type 05", "type +5", "type 2147483648", "type ", "event", "event 7", "event x", "order"]
        {
            assert!(kind_of_name(name).is_none(), "{name}");
        }
    }

    fn written(record: &Record<'_>, losses: &[Loss]) -> Result<Vec<u8>, String> {
        let mut out = vec![];
        match Java::new(2, Losses(losses.to_vec())).record(&mut out, record, None) {
            Ok(()) => Ok(out),
            Err(Stop::Refused(why)) => Err(why),
            Err(Stop::Output(e)) => panic!("{e}"),
        }
    }

    #[test]
    fn an_id_over_31_bits_is_refused_or_left_out() {
        let record = |id| Record {
            id,
            time: 0,
            type_id: 0,
            metadata: binlog::Metadata::from_bytes(&[]),
            payload: b"x",
            payload_len: 1,
        };
        let largest = b"\0\x09\0\x06\x08\xff\xff\xff\xff\x07x";
        assert_eq!(written(&record(i32::MAX as u64), &[]).as_deref(), Ok(&largest[..]));
        assert!(written(&record(1 << 31), &[Loss::Times]).is_err_and(|why| why.contains("an id over 2,147,483,647")));
        assert_eq!(written(&record(1 << 31), &[Loss::Ids]).as_deref(), Ok(&b"\0\x03\0\0x"[..]));
    }

    #[test]
    fn an_event_that_the_java_binlog_does_not_know_is_refused_or_left_out() {
        let facts = binlog::MetadataBuf::from_iter([("first_lost_id", "7")]);
        let record =
            |type_id| Record { id: 7, time: 0, type_id, metadata: facts.as_metadata(), payload: b"", payload_len: 0 };
        assert!(written(&record(event::RECOVERED), &[]).is_err_and(|why| why.contains("the event RECOVERED")));
        assert_eq!(written(&record(event::RECOVERED), &[Loss::Events]).as_deref(), Ok(&b""[..]));
        assert_eq!(written(&record(event::TYPE), &[]).as_deref(), Ok(&b""[..]));
    }
}
