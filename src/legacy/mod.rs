//! Reads the files of three older libraries as segments: the Python binary logger's, the Java binlog's and shoebox's.
//!
//! Each form has a parser of its own (`python`, `java`, `shoebox`, `lines`), which does not use this library's format.
//! `translate` makes blocks of what they find, and `file` shows these blocks as a file, so that all readers can use a
//! legacy segment like any other.

mod file;
mod item;
mod java;
mod lines;
mod names;
mod protobuf;
mod python;
mod shoebox;
mod translate;
mod window;

use std::collections::BTreeMap;
use std::io::Result;
use std::sync::Arc;

use crate::io::{self, Access, Directory, File};

pub(crate) use file::{Translated, START};
pub(crate) use names::log_name;

/// The key of a record's own time in milliseconds, if 64 bits of nanoseconds cannot contain it.
pub(crate) const TIME_MS: &str = "legacy.time_ms";

/// The library that wrote a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// The Python binary logger, `MapLogger` 1.0: records end at this offset, or with the file if it was not closed.
    Python { end: Option<u64> },
    /// The Java binlog (mfz-binlog), file version 1.0: the number of bytes of a length.
    Java { width: usize },
    /// An archive of shoebox, version 1.
    Shoebox,
    /// The JSON variant of shoebox: one payload per line.
    Lines,
}

impl Form {
    /// The name for people, and in the parameters of a log.
    pub fn name(self) -> &'static str {
        match self {
            Form::Python { .. } => "Python binary logger 1.0",
            Form::Java { .. } => "Java binlog 1.0",
            Form::Shoebox => "shoebox archive 1",
            Form::Lines => "shoebox JSON lines",
        }
    }
}

/// A legacy file, and the facts in its header.
pub(crate) struct Legacy {
    pub form: Form,
    pub file: Arc<dyn File>,
    /// Where its records begin.
    pub start: u64,
    /// In nanoseconds since the Unix epoch; 0 when it is not stated.
    pub created_ns: i64,
    /// `None` when it is not stated.
    pub content_type: Option<String>,
    pub parameters: BTreeMap<String, String>,
}

impl Legacy {
    /// The file, if it is a legacy file. A file that begins like one and cannot be read further is an error of the kind
    /// [`std::io::ErrorKind::InvalidData`] that states the reason.
    pub fn find(directory: &dyn Directory, name: &str) -> Result<Option<Self>> {
        let raw = match directory.open(name, Access::Read) {
            // As below.
            Err(e) if io::is_no_file(&e) => return Ok(None),
            opened => opened?,
        };
        let file = io::inflated(raw.clone())?;
        let is_compressed = file.len()? == u64::MAX;
        let mut first = [0; 64];
        let n = match io::read_full(&*file, &mut first, 0) {
            Ok(n) => n,
            // The error is reported when the file is opened as a segment.
            Err(e) if !io::is_of_system(&e) => return Ok(None),
            Err(e) => return Err(e),
        };
        let first = &first[..n];
        if first.starts_with(python::HEADER) {
            return python::open(file).map(Some);
        }
        if first.starts_with(java::MAGIC) {
            return java::open(file).map(Some);
        }
        if shoebox::is_one(first) {
            return Ok(Some(Legacy::plain(Form::Shoebox, file)));
        }
        // Text alone could be anything: only the compressed form, which shoebox wrote, is accepted.
        if is_compressed && lines::is_one(first) {
            return Ok(Some(Legacy::plain(Form::Lines, file)));
        }
        Ok(None)
    }

    /// A file without any facts in it.
    fn plain(form: Form, file: Arc<dyn File>) -> Self {
        let content_type = (form == Form::Lines).then(|| "application/json".to_owned());
        Legacy { form, file, start: 0, created_ns: 0, content_type, parameters: BTreeMap::new() }
    }
}

/// An error of reading that the system did not cause.
fn invalid(reason: impl Into<String>) -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::InvalidData, reason.into())
}
