//! The contents of a log, as the canonical JSON that `tests/golden/README.md` describes.
#![allow(dead_code)] // each program uses a part of it

use std::path::Path;
use std::sync::{Arc, Mutex};

use binlog::{event, Cursor, Error, Filter, Loss, Metadata, Reader, ReaderMode, ReaderOptions, Record, Tail, TypeInfo};
use serde_json::{json, Value};

/// Payloads up to this length are in the JSON in hex, longer ones as their CRC-32.
const HEX: usize = 64;

/// One record or event; the caller, which has the cursor, adds `type_name`.
fn describe(record: &Record<'_>) -> Value {
    if let Some(name) = event_name(record) {
        return json!({
            "before_id": record.id, "event": name, "time": record.time, "metadata": pairs(record.metadata),
        });
    }
    let mut out = json!({
        "id": record.id,
        "time": record.time,
        "type": record.type_id,
        "metadata": pairs(record.metadata),
        "length": record.payload_len,
    });
    if record.payload.len() <= HEX {
        out["hex"] = hex(record.payload).into();
    } else {
        out["crc32"] = crc32fast::hash(record.payload).into();
    }
    out
}

fn event_name(record: &Record<'_>) -> Option<&'static str> {
    event::name(record.type_id).filter(|_| record.is_event())
}

fn pairs(metadata: Metadata<'_>) -> Vec<(&str, &str)> {
    metadata.into_iter().collect()
}

/// What the log says of a named type.
pub fn describe_type(info: &TypeInfo) -> Value {
    let mut out = json!({
        "content_type": info.content_type,
        "encoding": info.encoding,
        "message": info.message,
        "name": info.name,
        "type": info.number,
    });
    for (key, bytes) in [
        ("schema", info.schema.as_ref().map(|schema| &schema[..])),
        ("schema_sha256", info.schema_sha256.as_ref().map(|sum| &sum[..])),
    ] {
        if let Some(bytes) = bytes {
            out[key] = hex(bytes).into();
        }
    }
    out
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A record of a cursor, or one of the library's events.
pub enum Described {
    Record(Value),
    Event(Value),
}

/// What comes next; `None` at the end.
pub fn next(cursor: &mut Cursor) -> Result<Option<Described>, Error> {
    // One at a time, so that the names are those that the log has defined by then.
    let Some(record) = cursor.next()? else { return Ok(None) };
    let (type_id, is_event, mut described) = (record.type_id, event_name(&record).is_some(), describe(&record));
    if is_event {
        return Ok(Some(Described::Event(described)));
    }
    if let Some(name) = cursor.type_name(type_id) {
        described["type_name"] = name.into();
    }
    Ok(Some(Described::Record(described)))
}

pub fn describe_end(end: &Result<Tail, Error>) -> Value {
    match end {
        Ok(tail) => json!({
            "state": format!("{:?}", tail.state).to_lowercase(),
            "next_id": tail.next_id,
            "offset": tail.offset,
            "unread_bytes": tail.unread_bytes,
        }),
        Err(e) => json!({ "error": format!("{:?}", e.kind()).to_lowercase(), "offset": e.offset() }),
    }
}

/// All that a log contains; the events apart from the records.
pub fn describe_log(path: &Path) -> Value {
    describe_with(path, ReaderOptions::default(), &Filter::default())
}

/// The records that the filter selects, and the events.
pub fn describe_filtered(path: &Path, filter: &Filter) -> Value {
    describe_with(path, ReaderOptions::default(), filter)
}

fn describe_with(path: &Path, options: ReaderOptions, filter: &Filter) -> Value {
    let reader = match Reader::open(path, options) {
        Ok(reader) => reader,
        Err(e) => return json!({ "records": [], "events": [], "segments": [], "end": describe_end(&Err(e)) }),
    };
    let filter = Filter { events: true, ..filter.clone() };
    let mut cursor = reader.cursor(&filter).expect("the reader takes such a filter");
    let (mut records, mut events) = (vec![], vec![]);
    let end = loop {
        match next(&mut cursor) {
            Ok(Some(Described::Record(record))) => records.push(record),
            Ok(Some(Described::Event(event))) => events.push(event),
            Ok(None) => break Ok(cursor.tail()),
            Err(e) => break Err(e),
        }
    };
    let segments: Vec<Value> = reader
        .segments()
        .iter()
        .map(|segment| {
            json!({
                "name": segment.name, "content_type": segment.content_type, "parameters": segment.parameters,
                "sequence": segment.sequence, "first_id": segment.first_id,
            })
        })
        .collect();
    json!({ "records": records, "events": events, "segments": segments, "end": describe_end(&end) })
}

/// The same from a reader that salvages, with the losses that it reported.
pub fn describe_salvaged(path: &Path) -> Value {
    let losses = Arc::new(Mutex::new(vec![]));
    let reported = losses.clone();
    let options = ReaderOptions {
        mode: ReaderMode::Salvage,
        on_loss: Some(Arc::new(move |loss| reported.lock().unwrap().push(describe_loss(loss)))),
        ..ReaderOptions::default()
    };
    let mut log = describe_with(path, options, &Filter::default());
    log["losses"] = Value::Array(std::mem::take(&mut losses.lock().unwrap()));
    log
}

fn describe_loss(loss: &Loss) -> Value {
    let (first_id, last_id) = loss.ids.unwrap_or((0, 0));
    let (first_page, page_count) = loss.pages.unwrap_or((0, 0));
    json!({
        "file": loss.path.file_name().map(|name| name.to_string_lossy()),
        "offset": loss.offset, "bytes": loss.bytes, "first_id": first_id, "last_id": last_id,
        "first_page": first_page, "kind": loss.kind as u32, "page_count": page_count, "durable": loss.durable,
    })
}

/// The JSON with a line for each record and event.
pub fn one_line_each(log: &Value) -> String {
    let part = |(key, value): (&String, &Value)| match value {
        Value::Array(rows) => {
            let rows: Vec<String> = rows.iter().map(|row| format!("\n    {row}")).collect();
            format!("  \"{key}\": [{}]", rows.join(","))
        }
        other => format!("  \"{key}\": {other}"),
    };
    let parts: Vec<String> = log.as_object().unwrap().iter().map(part).collect();
    format!("{{\n{}\n}}\n", parts.join(",\n"))
}
