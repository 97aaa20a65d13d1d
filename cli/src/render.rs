//! The forms in which `cat` shows records.

use std::io::{self, Write};

use binlog::{event, Record};

use crate::{human, json};

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// The payload and a newline
    Lines,
    /// The payload alone
    Raw,
    /// A line about the record, then its bytes
    Hex,
    /// One JSON object a line
    Json,
}

/// What is shown of a record besides itself.
#[derive(Clone, Copy, Default)]
pub struct Shown<'a> {
    /// The name of its type.
    pub name: Option<&'a str>,
    /// The value of its payload as JSON, or why there is none.
    pub value: Option<&'a Result<String, String>>,
}

/// Writes one record.
pub fn render(
    out: &mut impl Write,
    format: Format,
    headers: bool,
    record: &Record<'_>,
    shown: Shown<'_>,
) -> io::Result<()> {
    let name = shown.name;
    match format {
        Format::Json => json::record(out, record, shown, headers),
        Format::Hex => {
            about(out, record, name)?;
            dump(out, record.payload)
        }
        // Both have no payload to show.
        Format::Lines | Format::Raw if headers || record.is_event() => about(out, record, name),
        Format::Lines if shown.value.is_some() => json::value(out, record, shown.value),
        Format::Lines => {
            out.write_all(record.payload)?;
            out.write_all(b"\n")
        }
        Format::Raw => out.write_all(record.payload),
    }
}

/// `1  2026-03-01T12:30:00.000000000Z  type 7  12 bytes  key=value`
fn about(out: &mut impl Write, record: &Record<'_>, name: Option<&str>) -> io::Result<()> {
    write!(out, "{}  {}  ", record.id, human::time(record.time))?;
    match (record.is_event(), name) {
        (true, _) => match event::name(record.type_id) {
            Some(name) => write!(out, "event {name}")?,
            None => write!(out, "event {:#x}", record.type_id)?,
        },
        (false, Some(name)) => write!(out, "type {}", human::plain(name))?,
        (false, None) => write!(out, "type {}", record.type_id)?,
    }
    if !record.is_event() {
        write!(out, "  {} byte{}", record.payload_len, if record.payload_len == 1 { "" } else { "s" })?;
    }
    for (key, value) in record.metadata {
        write!(out, "  {}={}", human::plain(key), human::plain(value))?;
    }
    out.write_all(b"\n")
}

/// As `hexdump -C` does: offset, sixteen bytes, and the printable ones among them.
fn dump(out: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    for (i, row) in bytes.chunks(16).enumerate() {
        let mut hex = [b' '; 49];
        let mut text = [0; 16];
        for (j, &byte) in row.iter().enumerate() {
            // A gap after eight bytes makes them easier to count.
            let at = 3 * j + usize::from(j >= 8);
            write!(&mut hex[at..], "{byte:02x}")?;
            text[j] = if byte.is_ascii_graphic() || byte == b' ' { byte } else { b'.' };
        }
        write!(out, "{:08x}  ", i * 16)?;
        out.write_all(&hex)?;
        out.write_all(b" |")?;
        out.write_all(&text[..row.len()])?;
        out.write_all(b"|\n")?;
    }
    Ok(())
}
