//! Protocol Buffers: the schema is a FileDescriptorSet.

use std::sync::Arc;

use prost_reflect::{
    Cardinality, DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, ReflectMessage,
    SerializeOptions, Value,
};

use crate::text::Text;
use crate::{too_deep, wire, DEPTH};

/// Levels of `google.protobuf.Any` within each other. Each has a copy of all those within it.
const ANY_DEPTH: usize = 16;

const ANY: &str = "google.protobuf.Any";

/// The messages that have a form of their own in JSON, besides Any. None of them contains others than these.
const WELL_KNOWN: [&str; 16] = [
    "google.protobuf.Timestamp",
    "google.protobuf.Duration",
    "google.protobuf.Struct",
    "google.protobuf.FloatValue",
    "google.protobuf.DoubleValue",
    "google.protobuf.Int32Value",
    "google.protobuf.Int64Value",
    "google.protobuf.UInt32Value",
    "google.protobuf.UInt64Value",
    "google.protobuf.BoolValue",
    "google.protobuf.StringValue",
    "google.protobuf.BytesValue",
    "google.protobuf.FieldMask",
    "google.protobuf.ListValue",
    "google.protobuf.Value",
    "google.protobuf.Empty",
];

/// The parsed schema.
pub fn pool(schema: &[u8]) -> Result<DescriptorPool, String> {
    let invalid = |e: String| format!("the schema is no FileDescriptorSet: {e}");
    let pool = DescriptorPool::decode(schema).map_err(|e| invalid(e.to_string()))?;
    // The library does not check these, and panics at a payload that has one.
    for entry in pool.all_messages().filter(MessageDescriptor::is_map_entry) {
        check_entry(&entry).map_err(|why| invalid(format!("the map entry {:?} {why}", entry.full_name())))?;
    }
    Ok(pool)
}

fn check_entry(entry: &MessageDescriptor) -> Result<(), &'static str> {
    let part = |number| entry.get_field(number).filter(|field| field.cardinality() != Cardinality::Repeated);
    let key = part(1).ok_or("has no key")?;
    part(2).ok_or("has no value")?;
    match key.kind() {
        Kind::Double | Kind::Float | Kind::Bytes | Kind::Message(_) | Kind::Enum(_) => Err("has a key of a wrong type"),
        _ => Ok(()),
    }
}

pub struct Protobuf {
    of: MessageDescriptor,
    /// Shared while a decoder holds it.
    _pool: Arc<DescriptorPool>,
}

impl Protobuf {
    pub fn new(pool: Arc<DescriptorPool>, message: &str) -> Result<Self, String> {
        if !message.is_empty() {
            let found = pool.get_message_by_name(message.trim_start_matches('.'));
            let of = found.ok_or_else(|| format!("the schema has no message {message:?}"))?;
            return Ok(Protobuf { of, _pool: pool });
        }
        let found = {
            let mut all = pool.all_messages();
            (all.next(), all.next())
        };
        match found {
            (Some(of), None) => Ok(Protobuf { of, _pool: pool }),
            (None, _) => Err("the schema has no message".to_owned()),
            _ => Err("the schema has several messages, and the type does not say which".to_owned()),
        }
    }

    pub fn decode(&self, payload: &[u8]) -> Result<String, String> {
        let mut shown = Shown { json: Text::of(payload), memory: wire::budget(payload), any: ANY_DEPTH };
        let read = shown.read(&self.of, payload).and_then(|message| shown.message(&message, DEPTH));
        read.map_err(|e| format!("not a {}: {e}", self.of.full_name()))?;
        shown.json.into_string()
    }
}

struct Shown {
    json: Text,
    /// Bytes of memory that messages may still take.
    memory: usize,
    /// Levels of Any that may still come.
    any: usize,
}

impl Shown {
    /// The message, unless it would take too much memory.
    fn read(&mut self, of: &MessageDescriptor, payload: &[u8]) -> Result<DynamicMessage, String> {
        wire::charge(of, payload, &mut self.memory)?;
        DynamicMessage::decode(of.clone(), payload).map_err(|e| e.to_string())
    }

    fn message(&mut self, message: &DynamicMessage, depth: usize) -> Result<(), String> {
        let of = message.descriptor();
        match of.full_name() {
            ANY => self.any(message, depth),
            known if WELL_KNOWN.contains(&known) => {
                let options = SerializeOptions::new().stringify_64_bit_integers(false);
                let mut json = serde_json::Serializer::new(&mut self.json);
                message.serialize_with_options(&mut json, &options).map_err(|e| e.to_string())
            }
            _ => {
                self.json.push("{")?;
                self.fields(message, "", depth)
            }
        }
    }

    /// The members of an object, and its end. The names are those of the schema, and numbers are numbers: JSON has no
    /// limit for them.
    fn fields(&mut self, message: &DynamicMessage, mut before: &str, depth: usize) -> Result<(), String> {
        let deeper = depth.checked_sub(1).ok_or_else(too_deep)?;
        for (field, value) in message.fields() {
            self.json.push(before)?;
            self.json.string(field.name())?;
            self.json.push(":")?;
            self.value(value, &field.kind(), deeper)?;
            before = ",";
        }
        for (extension, value) in message.extensions() {
            self.json.push(before)?;
            self.json.string(extension.json_name())?;
            self.json.push(":")?;
            self.value(value, &extension.kind(), deeper)?;
            before = ",";
        }
        self.json.push("}")
    }

    fn any(&mut self, any: &DynamicMessage, depth: usize) -> Result<(), String> {
        let deeper = depth.checked_sub(1).ok_or_else(too_deep)?;
        let more = || format!("it has more than {ANY_DEPTH} levels of {ANY}");
        self.any = self.any.checked_sub(1).ok_or_else(more)?;
        let (url, value) = (any.get_field_by_number(1), any.get_field_by_number(2));
        let url = url.as_deref().and_then(Value::as_str).ok_or("an Any without a type_url")?;
        let value = value.as_deref().and_then(Value::as_bytes).ok_or("an Any without a value")?;
        let (_, name) = url.rsplit_once('/').ok_or("the type_url of an Any has no \"/\"")?;
        let of = any.descriptor().parent_pool().get_message_by_name(name);
        let of = of.ok_or_else(|| format!("an Any is a {name:?}, which the schema does not have"))?;
        let message = self.read(&of, value)?;
        self.json.push("{\"@type\":")?;
        self.json.string(url)?;
        if of.full_name() == ANY || WELL_KNOWN.contains(&of.full_name()) {
            self.json.push(",\"value\":")?;
            self.message(&message, deeper)?;
            self.json.push("}")?;
        } else {
            self.fields(&message, ",", deeper)?;
        }
        self.any += 1;
        Ok(())
    }

    fn value(&mut self, value: &Value, kind: &Kind, depth: usize) -> Result<(), String> {
        match value {
            Value::Bool(is) => self.json.display(is),
            Value::I32(number) => self.json.display(number),
            Value::I64(number) => self.json.display(number),
            Value::U32(number) => self.json.display(number),
            Value::U64(number) => self.json.display(number),
            Value::F32(number) if number.is_finite() => self.json.float32(*number),
            Value::F64(number) if number.is_finite() => self.json.float(*number),
            Value::F32(number) => self.not_finite((*number).into()),
            Value::F64(number) => self.not_finite(*number),
            Value::String(text) => self.json.string(text),
            Value::Bytes(bytes) => self.json.base64(bytes),
            Value::EnumNumber(number) => match kind {
                Kind::Enum(of) if of.full_name() == "google.protobuf.NullValue" => self.json.push("null"),
                Kind::Enum(of) => match of.get_value(*number) {
                    Some(named) => self.json.string(named.name()),
                    None => self.json.display(number),
                },
                _ => self.json.display(number),
            },
            Value::Message(message) => self.message(message, depth),
            Value::List(values) => {
                self.json.push("[")?;
                for (at, value) in values.iter().enumerate() {
                    self.json.push(if at == 0 { "" } else { "," })?;
                    self.value(value, kind, depth)?;
                }
                self.json.push("]")
            }
            Value::Map(values) => {
                let entry = kind.as_message().and_then(|entry| entry.get_field(2));
                let of = entry.as_ref().map(FieldDescriptor::kind).ok_or("a map without values")?;
                // They come in no order.
                let mut pairs: Vec<(&MapKey, &Value)> = values.iter().collect();
                pairs.sort_unstable_by_key(|(key, _)| *key);
                self.json.push("{")?;
                for (at, (key, value)) in pairs.into_iter().enumerate() {
                    self.json.push(if at == 0 { "" } else { "," })?;
                    self.key(key)?;
                    self.value(value, &of, depth)?;
                }
                self.json.push("}")
            }
        }
    }

    fn key(&mut self, key: &MapKey) -> Result<(), String> {
        match key {
            MapKey::Bool(is) => self.json.display(format_args!("\"{is}\":")),
            MapKey::I32(number) => self.json.display(format_args!("\"{number}\":")),
            MapKey::I64(number) => self.json.display(format_args!("\"{number}\":")),
            MapKey::U32(number) => self.json.display(format_args!("\"{number}\":")),
            MapKey::U64(number) => self.json.display(format_args!("\"{number}\":")),
            MapKey::String(text) => {
                self.json.string(text)?;
                self.json.push(":")
            }
        }
    }

    /// By the names that the JSON of Protocol Buffers has for them.
    fn not_finite(&mut self, number: f64) -> Result<(), String> {
        self.json.push(match (number.is_nan(), number.is_sign_positive()) {
            (true, _) => "\"NaN\"",
            (false, true) => "\"Infinity\"",
            (false, false) => "\"-Infinity\"",
        })
    }
}
