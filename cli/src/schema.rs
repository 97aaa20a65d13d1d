//! `binlog schema`: the named types of a log, and their schemas.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;

use binlog::{Reader, ReaderOptions, TypeInfo};
use clap::Args;
use serde_json::{json, Value};

use crate::human::{self, bytes, plain};
use crate::output::{Fail, Out};
use crate::remote::Remote;
use crate::{advice, OK};

/// Show the named types, or write the schema of one
///
/// Without TYPE: the number, name, content type, encoding and message of each named type, and its schema. With TYPE, the
/// bytes of its schema go to standard output.
#[derive(Args)]
#[command(after_help = "\
Examples:
  binlog schema logs/
  binlog schema --json logs/ | jq -r '.types[].name'
  binlog schema logs/ order.placed > orders.desc")]
pub struct Schema {
    /// A log: directory, file, pattern or URL
    path: PathBuf,
    /// The name of a type, of which the newest counts, or its number
    #[arg(value_name = "TYPE")]
    of: Option<String>,
    /// One JSON object, for programs
    #[arg(long, conflicts_with = "of")]
    json: bool,
    #[command(flatten)]
    remote: Remote,
}

pub fn run(args: &Schema) -> Result<u8, Fail> {
    let options = args.remote.options(ReaderOptions::default());
    let reader = Reader::open(&args.path, options).map_err(advice::fail(&args.path))?;
    let types = reader.types()?;
    let mut out = if args.of.is_some() && !std::io::stdout().is_terminal() { Out::raw() } else { Out::new() };
    match &args.of {
        Some(of) => out.put(schema(args, of, &types)?)?,
        None if args.json => {
            let types: Vec<Value> = types.iter().map(to_json).collect();
            writeln!(out, "{}", json!({ "path": args.path.to_string_lossy(), "types": types }))?;
        }
        None => out.put(text(&types).as_bytes())?,
    }
    out.flush()?;
    Ok(OK)
}

/// The schema of the type with this name or number.
fn schema<'a>(args: &Schema, of: &str, types: &'a [TypeInfo]) -> Result<&'a [u8], Fail> {
    let path = args.path.display();
    let number = of.parse().ok();
    let named = types.iter().rfind(|info| info.name == of);
    let Some(info) = named.or_else(|| types.iter().find(|info| Some(info.number) == number)) else {
        return Err(Fail::Message(format!("{path}: there is no named type {}", human::quoted(of))));
    };
    match (&info.schema, info.schema_sha256) {
        (Some(schema), _) => Ok(schema),
        (None, Some(sum)) => Err(Fail::Message(format!(
            "{path}: the log has lost the schema of {}, whose SHA-256 is {}",
            human::quoted(&info.name),
            hex(&sum)
        ))),
        (None, None) => Err(Fail::Message(format!("{path}: the type {} has no schema", human::quoted(&info.name)))),
    }
}

fn text(types: &[TypeInfo]) -> String {
    let row = |info: &TypeInfo| {
        let text = |text: &str| if text.is_empty() { "-".to_owned() } else { plain(text) };
        vec![
            info.number.to_string(),
            plain(&info.name),
            text(&info.content_type),
            text(&info.encoding),
            text(&info.message),
            match (&info.schema, info.schema_sha256) {
                (Some(schema), _) => bytes(schema.len() as u64),
                (None, Some(_)) => "lost".to_owned(),
                (None, None) => "-".to_owned(),
            },
            info.schema_sha256.map_or_else(|| "-".to_owned(), |sum| hex(&sum)),
        ]
    };
    let rows: Vec<_> = types.iter().map(row).collect();
    let mut out = String::new();
    if !rows.is_empty() {
        let heading = [">type", "name", "content type", "encoding", "message", ">schema", "sha256"];
        human::table(&mut out, &heading, &rows);
    }
    out
}

fn to_json(info: &TypeInfo) -> Value {
    json!({
        "type": info.number,
        "name": info.name,
        "content_type": info.content_type,
        "encoding": info.encoding,
        "message": info.message,
        "schema_bytes": info.schema.as_ref().map(|schema| schema.len()),
        "schema_sha256": info.schema_sha256.map(|sum| hex(&sum)),
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
