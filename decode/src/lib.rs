//! Payloads as JSON, by the encodings and schemas of their types. The core library does not need this: the command and
//! the Python package do.
#![forbid(unsafe_code)]

mod avro;
mod bytes;
mod cbor;
mod msgpack;
mod protobuf;
mod shared;
mod text;
mod wire;

use std::cell::Cell;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::Arc;

use binlog::TypeInfo;

use avro::Avro;
use protobuf::Protobuf;

/// Levels of nesting that a value may have. Deeper ones are refused: what reads the JSON has a limit too.
pub(crate) const DEPTH: usize = 128;

/// Decodes the payloads of one type. Decoders whose types have the same schema share what is parsed of it.
pub struct Decoder(Kind);

enum Kind {
    Json,
    MessagePack,
    Cbor,
    Protobuf(Protobuf),
    Avro(Arc<Avro>),
}

impl Decoder {
    /// For the type as the log describes it.
    ///
    /// # Errors
    /// Why its payloads cannot be decoded: the encoding is unknown, or the schema is lost or invalid. A sentence without
    /// a full stop.
    pub fn new(of: &TypeInfo) -> Result<Self, String> {
        // A type that no log has described may be without a name.
        let named = match &*of.name {
            "" => "the type".to_owned(),
            name => format!("the type {name:?}"),
        };
        let schema = || match (&of.schema, of.schema_sha256) {
            (Some(schema), _) => Ok(schema),
            (None, Some(_)) => Err(format!("the log has lost the schema of {named}")),
            (None, None) => Err(format!("{named} has no schema, which {} needs", of.encoding)),
        };
        let encoding = match &*of.encoding {
            "" => by_content_type(&of.content_type),
            encoding => encoding,
        };
        guarded(|| {
            Ok(Decoder(match encoding {
                "json" | "jsonschema" => Kind::Json,
                "msgpack" => Kind::MessagePack,
                "cbor" => Kind::Cbor,
                "protobuf" => Kind::Protobuf(Protobuf::new(shared::pool(schema()?)?, &of.message)?),
                "avro" => Kind::Avro(shared::avro(schema()?)?),
                "" => return Err(format!("{named} has no encoding")),
                other => return Err(format!("payloads of the encoding {other:?} cannot be decoded")),
            }))
        })
    }

    /// The value of a payload as JSON, on one line. Its memory and time are in proportion to the payload.
    ///
    /// A payload that is JSON keeps its numbers, strings, keys and their order as it has them.
    ///
    /// # Errors
    /// Why it is none. A sentence without a full stop.
    pub fn decode(&self, payload: &[u8]) -> Result<String, String> {
        guarded(|| match &self.0 {
            Kind::Json => text::own(payload),
            Kind::MessagePack => msgpack::decode(payload),
            Kind::Cbor => cbor::decode(payload),
            Kind::Protobuf(protobuf) => protobuf.decode(payload),
            Kind::Avro(avro) => avro.decode(payload),
        })
    }
}

/// The encoding that a MIME type stands for, where a type has none.
fn by_content_type(content_type: &str) -> &'static str {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match &*essence {
        "application/json" | "text/json" => "json",
        "application/msgpack" | "application/vnd.msgpack" | "application/x-msgpack" => "msgpack",
        "application/cbor" => "cbor",
        json if json.ends_with("+json") => "json",
        cbor if cbor.ends_with("+cbor") => "cbor",
        _ => "",
    }
}

thread_local! {
    static DECODING: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is within a call of a [`Decoder`]. A panic there becomes an error: a program's panic hook may
/// ask here, and print nothing.
pub fn is_decoding() -> bool {
    DECODING.get()
}

/// Runs the code of other libraries: schemas and payloads may be anything, and nothing ends the program.
fn guarded<T>(run: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    DECODING.set(true);
    let done = catch_unwind(AssertUnwindSafe(run));
    DECODING.set(false);
    done.unwrap_or_else(|_| Err("the decoder has failed".to_owned()))
}

pub(crate) fn too_deep() -> String {
    format!("the value has more than {DEPTH} levels")
}
