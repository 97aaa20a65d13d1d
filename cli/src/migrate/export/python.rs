//! The form of the Python binary logger (`MapLogger`, version 1.0), closed.
//!
//! `"MapLogger_v1.0" record* map offset8 "MapLogger_v1.0"`, a record being `name_length8 name data_length8 data`, all
//! integers of 8 bytes, big-endian. The name is a class. The map is a pickle of `{name: [[position, length], …]}`.

use std::collections::HashMap;
use std::io::{self, Write};

use binlog::contents::SegmentFacts;
use binlog::Record;

use super::form::{Form, Loss, Losses, Stop};
use super::pickle;

const HEADER: &[u8] = b"MapLogger_v1.0";
/// The class that the logger itself defines.
const STRING_LOG: &str = "StringLog";
/// The longest name that this library's reader accepts.
const LONGEST_NAME: usize = 1024;
const FORM: &str = "the Python binary logger";

pub struct Python {
    losses: Losses,
    at: u64,
    /// Positions and lengths of the records of each class, the classes in the order of their first records.
    map: Vec<(String, Vec<(u64, u64)>)>,
    places: HashMap<String, usize>,
    /// Records without a payload.
    left_out: u64,
}

impl Python {
    pub fn new(losses: Losses) -> Self {
        Python { losses, at: 0, map: vec![], places: HashMap::new(), left_out: 0 }
    }

    fn class<'a>(&self, record: &Record<'_>, name: Option<&'a str>) -> Result<&'a str, Stop> {
        let why = match name {
            None => format!("has the type {}, and {FORM} has only names of classes", record.type_id),
            Some(name) if !name.is_ascii() => {
                format!("has the type {name:?}, which is not ASCII: {FORM} counts characters where it reads bytes")
            }
            Some("") => format!("has a type without a name, and {FORM} needs one"),
            Some(name) if name.len() > LONGEST_NAME => {
                format!("has a type whose name takes {} bytes, more than {LONGEST_NAME}", name.len())
            }
            Some(name) => return Ok(name),
        };
        self.losses.allow(Loss::Types, || format!("{why} (as {STRING_LOG:?}, then)"))?;
        Ok(STRING_LOG)
    }
}

impl Form for Python {
    fn begin(&mut self, out: &mut dyn Write, _log: &SegmentFacts) -> io::Result<()> {
        self.at = HEADER.len() as u64;
        out.write_all(HEADER)
    }

    fn record(&mut self, out: &mut dyn Write, record: &Record<'_>, name: Option<&str>) -> Result<(), Stop> {
        let class = self.class(record, name)?;
        if record.payload.is_empty() {
            let why =
                || format!("has no payload, and {FORM} takes that for the end of the records when it restores its map");
            self.losses.allow(Loss::Empty, why)?;
            self.left_out += 1;
            return Ok(());
        }
        self.losses.no_time(record, FORM)?;
        self.losses.no_metadata(record, FORM)?;
        let len = record.payload.len() as u64;
        out.write_all(&(class.len() as u64).to_be_bytes())?;
        out.write_all(class.as_bytes())?;
        out.write_all(&len.to_be_bytes())?;
        out.write_all(record.payload)?;
        self.at += 16 + class.len() as u64;
        let place = match self.places.get(class) {
            Some(&place) => place,
            None => {
                self.places.insert(class.to_owned(), self.map.len());
                self.map.push((class.to_owned(), vec![]));
                self.map.len() - 1
            }
        };
        self.map[place].1.push((self.at, len));
        self.at += len;
        Ok(())
    }

    fn left_out(&self) -> u64 {
        self.left_out
    }

    fn end(&mut self, out: &mut dyn Write) -> io::Result<()> {
        pickle::write_map(out, &self.map)?;
        out.write_all(&self.at.to_be_bytes())?;
        out.write_all(HEADER)
    }
}
