//! Avro: a payload is one datum, without a header; the schema is JSON.
//!
//! Decoded here rather than by a library, because the nesting of a value, and how many values it has, need bounds: a
//! few bytes of a payload can state any number of both.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use crate::bytes::Bytes;
use crate::text::Text;
use crate::{too_deep, DEPTH};

/// Values that a payload may have besides one for each of its bytes: some take none.
const VALUES: usize = 64 << 10;

pub struct Avro {
    types: Vec<Type>,
    root: usize,
}

/// A type; others are meant by their places in [`Avro::types`].
enum Type {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Bytes,
    Text,
    Fixed(usize),
    Enum(Vec<String>),
    Array(usize),
    Map(usize),
    Union(Vec<usize>),
    Record(Vec<(String, usize)>),
}

impl Avro {
    pub fn new(schema: &[u8]) -> Result<Self, String> {
        let invalid = |e: String| format!("the schema is no Avro schema: {e}");
        // The nesting of JSON is limited, and so is that of the schema.
        let json: Value = serde_json::from_slice(schema).map_err(|e| invalid(e.to_string()))?;
        let mut parser = Parser::default();
        let root = parser.parse(&json, "").map_err(invalid)?;
        Ok(Avro { types: parser.types, root })
    }

    pub fn decode(&self, payload: &[u8]) -> Result<String, String> {
        let values = payload.len().saturating_add(VALUES);
        let mut datum = Datum { types: &self.types, left: Bytes(payload), values, json: Text::of(payload) };
        let read = datum.value(self.root, DEPTH).and_then(|()| datum.left.end());
        read.map_err(|e| format!("not of the schema: {e}"))?;
        datum.json.into_string()
    }
}

#[derive(Default)]
struct Parser {
    types: Vec<Type>,
    /// Named types, by their full names.
    named: HashMap<String, usize>,
}

impl Parser {
    fn add(&mut self, new: Type) -> usize {
        self.types.push(new);
        self.types.len() - 1
    }

    /// The place of the type that `schema` is, within this namespace.
    fn parse(&mut self, schema: &Value, namespace: &str) -> Result<usize, String> {
        match schema {
            Value::String(name) => self.by_name(name, namespace),
            Value::Array(variants) => {
                let variants: Result<_, _> = variants.iter().map(|it| self.parse(it, namespace)).collect();
                Ok(self.add(Type::Union(variants?)))
            }
            Value::Object(members) => self.complex(members, namespace),
            _ => Err("a type is a text, an array or an object".to_owned()),
        }
    }

    fn by_name(&mut self, name: &str, namespace: &str) -> Result<usize, String> {
        let primitive = match name {
            "null" => Type::Null,
            "boolean" => Type::Boolean,
            "int" => Type::Int,
            "long" => Type::Long,
            "float" => Type::Float,
            "double" => Type::Double,
            "bytes" => Type::Bytes,
            "string" => Type::Text,
            _ => {
                let known = self.named.get(&full_name(name, namespace)).or_else(|| self.named.get(name));
                return known.copied().ok_or_else(|| format!("there is no type {name:?}"));
            }
        };
        Ok(self.add(primitive))
    }

    fn complex(&mut self, members: &Map<String, Value>, namespace: &str) -> Result<usize, String> {
        let part = |key: &str| members.get(key).ok_or_else(|| format!("a type without {key:?}"));
        let of = match part("type")? {
            Value::String(of) => of,
            // A type in one more pair of braces.
            inner => return self.parse(inner, namespace),
        };
        match &**of {
            "array" => {
                let items = self.parse(part("items")?, namespace)?;
                Ok(self.add(Type::Array(items)))
            }
            "map" => {
                let values = self.parse(part("values")?, namespace)?;
                Ok(self.add(Type::Map(values)))
            }
            "record" | "error" | "enum" | "fixed" => {
                let name = part("name")?.as_str().ok_or("a name is a text")?;
                let namespace = members.get("namespace").and_then(Value::as_str).unwrap_or(namespace);
                let name = full_name(name, namespace);
                let within = name.rsplit_once('.').map_or("", |(within, _)| within);
                // Its own fields may refer to it.
                let place = self.add(Type::Record(vec![]));
                self.named.insert(name.clone(), place);
                self.types[place] = match &**of {
                    "enum" => Type::Enum(names(part("symbols")?)?),
                    "fixed" => {
                        let size = part("size")?.as_u64().and_then(|size| usize::try_from(size).ok());
                        Type::Fixed(size.ok_or("a size is a number")?)
                    }
                    _ => {
                        let fields = part("fields")?.as_array().ok_or("fields are an array")?;
                        let field = |field: &Value| {
                            let name = field.get("name").and_then(Value::as_str).ok_or("a field without a name")?;
                            let of = field.get("type").ok_or("a field without a type")?;
                            Ok::<_, String>((name.to_owned(), self.parse(of, within)?))
                        };
                        let fields = fields.iter().map(field).collect::<Result<Vec<_>, _>>()?;
                        let mut names = HashSet::new();
                        if let Some((twice, _)) = fields.iter().find(|(name, _)| !names.insert(name)) {
                            return Err(format!("the record {name:?} has two fields {twice:?}"));
                        }
                        Type::Record(fields)
                    }
                };
                Ok(place)
            }
            // A logical type is shown as what it is stored as.
            name => self.by_name(name, namespace),
        }
    }
}

fn full_name(name: &str, namespace: &str) -> String {
    match namespace.is_empty() || name.contains('.') {
        true => name.to_owned(),
        false => format!("{namespace}.{name}"),
    }
}

fn names(of: &Value) -> Result<Vec<String>, String> {
    let all = of.as_array().ok_or("symbols are an array")?;
    all.iter().map(|it| it.as_str().map(str::to_owned).ok_or_else(|| "a symbol is a text".to_owned())).collect()
}

/// The bytes being decoded, and their JSON.
struct Datum<'a> {
    types: &'a [Type],
    left: Bytes<'a>,
    /// Values that may still come.
    values: usize,
    json: Text,
}

impl<'a> Datum<'a> {
    fn value(&mut self, of: usize, depth: usize) -> Result<(), String> {
        let deeper = depth.checked_sub(1).ok_or_else(too_deep)?;
        self.values = self.values.checked_sub(1).ok_or("it has many more values than bytes")?;
        let types = self.types;
        match &types[of] {
            Type::Null => self.json.push("null"),
            Type::Boolean => match self.left.byte()? {
                0 => self.json.push("false"),
                1 => self.json.push("true"),
                _ => Err("a boolean is 0 or 1".to_owned()),
            },
            Type::Int => {
                let number = i32::try_from(self.long()?).map_err(|_| "an int has more than 32 bits")?;
                self.json.display(number)
            }
            Type::Long => {
                let number = self.long()?;
                self.json.display(number)
            }
            Type::Float => self.json.float(f32::from_le_bytes(self.left.array()?).into()),
            Type::Double => self.json.float(f64::from_le_bytes(self.left.array()?)),
            Type::Bytes => {
                let bytes = self.counted()?;
                self.json.base64(bytes)
            }
            Type::Text => self.text(),
            Type::Fixed(size) => self.json.base64(self.left.take(*size)?),
            Type::Enum(symbols) => {
                let symbol = symbols.get(self.place()?).ok_or("an enum has no such symbol")?;
                self.json.string(symbol)
            }
            Type::Array(items) => self.blocks("[", "]", &mut |datum| datum.value(*items, deeper)),
            Type::Map(values) => self.blocks("{", "}", &mut |datum| {
                datum.text()?;
                datum.json.push(":")?;
                datum.value(*values, deeper)
            }),
            Type::Union(variants) => {
                let variant = *variants.get(self.place()?).ok_or("a union has no such variant")?;
                self.value(variant, deeper)
            }
            Type::Record(fields) => {
                let mut before = "{";
                for (name, of) in fields {
                    self.json.push(before)?;
                    self.json.string(name)?;
                    self.json.push(":")?;
                    self.value(*of, deeper)?;
                    before = ",";
                }
                self.json.push(if fields.is_empty() { "{}" } else { "}" })
            }
        }
    }

    /// The blocks of an array or a map: each states how many items it has.
    fn blocks(
        &mut self,
        open: &str,
        close: &str,
        item: &mut dyn FnMut(&mut Self) -> Result<(), String>,
    ) -> Result<(), String> {
        self.json.push(open)?;
        let mut before = "";
        loop {
            let count = self.long()?;
            if count == 0 {
                return self.json.push(close);
            }
            if count < 0 {
                // Its bytes, for who skips the block.
                self.long()?;
            }
            for _ in 0..count.unsigned_abs() {
                self.json.push(before)?;
                item(self)?;
                before = ",";
            }
        }
    }

    fn counted(&mut self) -> Result<&'a [u8], String> {
        let len = self.place()?;
        self.left.take(len)
    }

    fn text(&mut self) -> Result<(), String> {
        let text = std::str::from_utf8(self.counted()?).map_err(|_| "a text is not UTF-8")?;
        self.json.string(text)
    }

    fn place(&mut self) -> Result<usize, String> {
        usize::try_from(self.long()?).map_err(|_| "a length or a place is negative".to_owned())
    }

    fn long(&mut self) -> Result<i64, String> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.left.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok((number >> 1) as i64 ^ -((number & 1) as i64));
            }
        }
        Err("a number has more than ten bytes".to_owned())
    }
}
