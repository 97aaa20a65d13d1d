//! Comma-separated values, as RFC 4180 describes them: a line of names, then a line a record. Fields with commas, quotes
//! or line breaks are quoted.

use std::io::{self, Write};

use base64::prelude::{Engine, BASE64_STANDARD};
use binlog::contents::SegmentFacts;
use binlog::Record;
use csv_core::WriteResult;

use super::form::{Form, Stop};
use crate::{human, json};

/// How payloads are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Payload {
    /// As they are, in the column `text`; a payload that is not UTF-8 ends the export
    #[default]
    Text,
    /// As base64, in the column `base64`
    Base64,
}

pub struct Csv {
    quoting: csv_core::Writer,
    payload: Payload,
    /// A field that is made up from others.
    field: Vec<u8>,
    is_first: bool,
}

impl Csv {
    pub fn new(payload: Payload) -> Self {
        Csv { quoting: csv_core::Writer::new(), payload, field: vec![], is_first: true }
    }

    fn field(&mut self, out: &mut dyn Write, mut bytes: &[u8]) -> io::Result<()> {
        let mut buffer = [0; 1024];
        if !std::mem::take(&mut self.is_first) {
            let (_, written) = self.quoting.delimiter(&mut buffer);
            out.write_all(&buffer[..written])?;
        }
        loop {
            let (result, read, written) = self.quoting.field(bytes, &mut buffer);
            out.write_all(&buffer[..written])?;
            bytes = &bytes[read..];
            if result == WriteResult::InputEmpty {
                return Ok(());
            }
        }
    }

    /// A field of what `make` writes.
    fn made(&mut self, out: &mut dyn Write, make: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> io::Result<()> {
        let mut field = std::mem::take(&mut self.field);
        field.clear();
        make(&mut field)?;
        self.field(out, &field)?;
        self.field = field;
        Ok(())
    }

    fn end_line(&mut self, out: &mut dyn Write) -> io::Result<()> {
        let mut buffer = [0; 8];
        let (_, written) = self.quoting.terminator(&mut buffer);
        self.is_first = true;
        out.write_all(&buffer[..written])
    }
}

impl Form for Csv {
    fn begin(&mut self, out: &mut dyn Write, _log: &SegmentFacts) -> io::Result<()> {
        let payload = match self.payload {
            Payload::Text => "text",
            Payload::Base64 => "base64",
        };
        for name in ["id", "time", "type", "type_name", "metadata", "length", payload] {
            self.field(out, name.as_bytes())?;
        }
        self.end_line(out)
    }

    fn record(&mut self, out: &mut dyn Write, record: &Record<'_>, name: Option<&str>) -> Result<(), Stop> {
        let is_text = self.payload == Payload::Text;
        if is_text && std::str::from_utf8(record.payload).is_err() {
            return Err(Stop::Refused(
                "has a payload that is not UTF-8; `--payload base64` exports payloads of any bytes".to_owned(),
            ));
        }
        self.made(out, |field| write!(field, "{}", record.id))?;
        self.made(out, |field| write!(field, "{}", human::time(record.time)))?;
        self.made(out, |field| write!(field, "{}", record.type_id))?;
        self.field(out, name.unwrap_or_default().as_bytes())?;
        self.made(out, |field| json::metadata(field, record.metadata))?;
        self.made(out, |field| write!(field, "{}", record.payload_len))?;
        match is_text {
            true => self.field(out, record.payload)?,
            false => self.field(out, BASE64_STANDARD.encode(record.payload).as_bytes())?,
        }
        Ok(self.end_line(out)?)
    }
}
