//! Payloads made by other programs, or by the examples of the specifications, become the JSON that they are.

use binlog::{Filter, Reader, ReaderOptions, TypeInfo, TypeOptions, Writer, WriterOptions};
use binlog_decode::Decoder;
use prost::Message;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet};
use serde_json::json;

/// The type as a log describes it.
fn described(options: &TypeOptions<'_>) -> TypeInfo {
    let place = tempfile::tempdir().unwrap();
    let log = place.path().join("log");
    let writer = Writer::open(&log, WriterOptions::default()).unwrap();
    writer.append(writer.type_of(options).unwrap(), b"x").unwrap();
    writer.close().unwrap();
    let reader = Reader::open(&log, ReaderOptions::default()).unwrap();
    let mut cursor = reader.cursor(&Filter::default()).unwrap();
    let number = cursor.next().unwrap().unwrap().type_id;
    cursor.type_info(number).unwrap().unwrap()
}

/// A decoder whose JSON is parsed.
struct Parsing(Decoder);

impl Parsing {
    fn decode(&self, payload: &[u8]) -> Result<serde_json::Value, String> {
        self.0.decode(payload).map(|json| serde_json::from_str(&json).expect("it is JSON"))
    }
}

fn of(encoding: &str, message: &str, schema: &[u8]) -> Result<Parsing, String> {
    let options = TypeOptions { name: "t", encoding, message, schema, ..TypeOptions::default() };
    Decoder::new(&described(&options)).map(Parsing)
}

fn field(name: &str, number: i32, of: Type, label: Label) -> FieldDescriptorProto {
    FieldDescriptorProto {
        name: Some(name.into()),
        number: Some(number),
        label: Some(label as i32),
        r#type: Some(of as i32),
        ..FieldDescriptorProto::default()
    }
}

#[derive(Clone, PartialEq, Message)]
struct Order {
    #[prost(uint64, tag = "1")]
    order_id: u64,
    #[prost(string, repeated, tag = "2")]
    items: Vec<String>,
    #[prost(bytes = "vec", tag = "3")]
    seal: Vec<u8>,
}

fn orders() -> Vec<u8> {
    let order = DescriptorProto {
        name: Some("Order".into()),
        field: vec![
            field("order_id", 1, Type::Uint64, Label::Optional),
            field("items", 2, Type::String, Label::Repeated),
            field("seal", 3, Type::Bytes, Label::Optional),
        ],
        ..DescriptorProto::default()
    };
    let other = DescriptorProto { name: Some("Other".into()), ..DescriptorProto::default() };
    let file = FileDescriptorProto {
        name: Some("shop.proto".into()),
        package: Some("shop".into()),
        message_type: vec![order, other],
        syntax: Some("proto3".into()),
        ..FileDescriptorProto::default()
    };
    FileDescriptorSet { file: vec![file] }.encode_to_vec()
}

#[test]
fn a_message_of_protobuf_has_the_names_and_the_numbers_of_its_schema() {
    let decoder = of("protobuf", "shop.Order", &orders()).unwrap();
    let order = Order { order_id: u64::MAX, items: vec!["a".into(), "\"".into()], seal: vec![0, 255] };
    let expected = json!({"order_id": u64::MAX, "items": ["a", "\""], "seal": "AP8="});
    assert_eq!(decoder.decode(&order.encode_to_vec()), Ok(expected));
    assert!(decoder.decode(b"\x08").unwrap_err().starts_with("not a shop.Order: "));
    let why = |message, schema: &[u8]| of("protobuf", message, schema).err().unwrap();
    assert_eq!(why("shop.Missing", &orders()), "the schema has no message \"shop.Missing\"");
    assert!(why("", &orders()).starts_with("the schema has several messages"));
    assert!(why("shop.Order", b"\xff").starts_with("the schema is no FileDescriptorSet"));
    assert_eq!(why("shop.Order", b""), "the type \"t\" has no schema, which protobuf needs");
}

#[test]
fn a_datum_of_avro_is_its_fields() {
    // The example of the specification, and a union, an enum, bytes and a map beside it.
    let schema = br#"{"type": "record", "name": "test", "fields": [{"name": "a", "type": "long"}, {"name": "b", "type": "string"}]}"#;
    let decoder = of("avro", "", schema).unwrap();
    assert_eq!(decoder.decode(b"\x36\x06foo"), Ok(json!({"a": 27, "b": "foo"})));
    assert_eq!(decoder.decode(b"\x36\x06foo.").unwrap_err(), "not of the schema: 1 bytes follow the value");
    assert!(decoder.decode(b"\x36\x06fo").unwrap_err().starts_with("not of the schema: "));
    let schema = br#"{"type": "record", "name": "n.r", "fields": [
        {"name": "u", "type": ["null", "double"]}, {"name": "e", "type": {"type": "enum", "name": "e", "symbols": ["A", "B"]}},
        {"name": "y", "type": "bytes"}, {"name": "m", "type": {"type": "map", "values": "boolean"}}]}"#;
    let payload = [&b"\x02"[..], &1.5f64.to_le_bytes(), b"\x02\x04\x00\xff\x02\x02k\x01\x00"].concat();
    let expected = json!({"u": 1.5, "e": "B", "y": "AP8=", "m": {"k": true}});
    assert_eq!(of("avro", "", schema).unwrap().decode(&payload), Ok(expected));
}

#[test]
fn what_another_program_encodes_by_an_avro_schema_is_decoded_as_that_program_decodes_it() {
    let text = r#"{"type": "record", "name": "a.R", "fields": [
        {"name": "i", "type": "int"}, {"name": "f", "type": "float"}, {"name": "s", "type": {"type": "string"}},
        {"name": "l", "type": {"type": "array", "items": ["null", "long", {"type": "enum", "name": "E", "symbols": ["A", "B"]}]}},
        {"name": "r", "type": {"type": "map", "values": ["null", "R"]}},
        {"name": "t", "type": {"type": "long", "logicalType": "timestamp-micros"}}, {"name": "e", "type": "a.E"}]}"#;
    let schema = apache_avro::Schema::parse_str(text).unwrap();
    use apache_avro::types::Value as V;
    let record = |r: V, i: i32| {
        V::Record(vec![
            ("i".into(), V::Int(i)),
            ("f".into(), V::Float(0.5)),
            ("s".into(), V::String("é".into())),
            (
                "l".into(),
                V::Array(vec![
                    V::Union(0, V::Null.into()),
                    V::Union(1, V::Long(i64::MIN).into()),
                    V::Union(2, V::Enum(1, "B".into()).into()),
                ]),
            ),
            ("r".into(), r),
            ("t".into(), V::TimestampMicros(-1)),
            ("e".into(), V::Enum(0, "A".into())),
        ])
    };
    let inner = V::Union(1, record(V::Map(Default::default()), i32::MAX).into());
    let value = record(V::Map([("k".to_owned(), inner)].into()), -1);
    let payload = apache_avro::to_avro_datum(&schema, value.clone()).unwrap();
    let expected: serde_json::Value = value.try_into().unwrap();
    assert_eq!(of("avro", "", text.as_bytes()).unwrap().decode(&payload), Ok(expected));
    for cut in 0..payload.len() {
        assert!(of("avro", "", text.as_bytes()).unwrap().decode(&payload[..cut]).is_err(), "cut to {cut}");
    }
}

#[test]
fn avro_that_would_nest_or_repeat_without_end_is_refused() {
    let list = br#"{"type": "record", "name": "List", "fields": [{"name": "next", "type": ["null", "List"]}]}"#;
    let decoder = of("avro", "", list).unwrap();
    assert_eq!(decoder.decode(b"\x02\x02\x00"), Ok(json!({"next": {"next": {"next": null}}})));
    assert!(decoder.decode(&[2; 1 << 20]).unwrap_err().contains("levels"));
    let nulls = of("avro", "", br#"{"type": "array", "items": "null"}"#).unwrap();
    assert_eq!(nulls.decode(b"\x06\x00"), Ok(json!([null, null, null])));
    assert!(nulls.decode(b"\x80\x80\x80\x80\x80\x80\x01\x00").unwrap_err().contains("more values than bytes"));
    // An array of 2^40 items that are not there.
    let longs = of("avro", "", br#"{"type": "array", "items": "long"}"#).unwrap();
    assert!(longs.decode(b"\x80\x80\x80\x80\x80\x80\x01\x02").is_err());
}

#[test]
fn message_pack_cbor_and_json_need_no_schema() {
    let pack = of("msgpack", "", b"").unwrap();
    assert_eq!(pack.decode(b"\x82\xa7compact\xc3\xa6schema\x00"), Ok(json!({"compact": true, "schema": 0})));
    assert_eq!(pack.decode(b"\x81\x01\xc4\x02\x00\xff"), Ok(json!({"1": "AP8="})));
    assert!(pack.decode(b"\x82").unwrap_err().starts_with("not MessagePack"));
    assert!(pack.decode(b"\x00\x00").unwrap_err().contains("follow"));
    assert!(pack.decode(&[0x91; 100_000]).is_err(), "very deep");
    assert!(pack.decode(b"\xdd\xff\xff\xff\xff").is_err(), "2^32 items that are not there");
    let cbor = of("cbor", "", b"").unwrap();
    assert_eq!(cbor.decode(b"\xa2\x61a\x01\x61b\x82\x02\x03"), Ok(json!({"a": 1, "b": [2, 3]})));
    assert_eq!(cbor.decode(b"\x3b\xff\xff\xff\xff\xff\xff\xff\xff"), Ok(json!("-18446744073709551616")));
    assert!(cbor.decode(b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff").is_err(), "2^64 items that are not there");
    assert!(cbor.decode(&[0x81; 100_000]).is_err(), "very deep");
    let plain = of("json", "", b"").unwrap();
    assert_eq!(plain.decode(br#"{"a": 1.5}"#), Ok(json!({"a": 1.5})));
    assert!(plain.decode(b"{").unwrap_err().starts_with("not JSON"));
    assert!(plain.decode("[".repeat(100_000).as_bytes()).is_err(), "very deep");
    assert_eq!(of("jsonschema", "", b"{}").unwrap().decode(b"[]"), Ok(json!([])));
}

#[test]
fn a_content_type_says_the_encoding_where_a_type_has_none() {
    let by = |content_type| {
        let options = TypeOptions { name: "t", content_type, ..TypeOptions::default() };
        Decoder::new(&described(&options)).map(|decoder| Parsing(decoder).decode(b"\x01"))
    };
    assert_eq!(by("application/cbor").unwrap(), Ok(json!(1)));
    assert_eq!(by("application/msgpack").unwrap(), Ok(json!(1)));
    assert!(by("application/vnd.x+json; charset=utf-8").unwrap().is_err());
    assert_eq!(by("text/plain").err(), Some("the type \"t\" has no encoding".to_owned()));
    assert_eq!(Decoder::new(&TypeInfo::default()).err(), Some("the type has no encoding".to_owned()));
    assert_eq!(
        of("flatbuffer", "", b"x").err(),
        Some("payloads of the encoding \"flatbuffer\" cannot be decoded".to_owned())
    );
}

/// Any of Any of Any, `levels` times.
fn nested_any(levels: usize) -> Vec<u8> {
    let url = "x/google.protobuf.Any";
    // From the outermost, whose length is the longest, so that the bytes are made in one go.
    let mut lens = vec![prost_types::Any { type_url: url.into(), value: vec![] }.encoded_len()];
    for _ in 0..levels {
        let len = lens[lens.len() - 1];
        lens.push(len + lens[0] + 1 + prost::length_delimiter_len(len));
    }
    let mut made = vec![];
    for len in lens.iter().rev().skip(1) {
        prost::encoding::string::encode(1, &url.to_owned(), &mut made);
        made.push(0x12);
        prost::encode_length_delimiter(*len, &mut made).unwrap();
    }
    prost::encoding::string::encode(1, &url.to_owned(), &mut made);
    made
}

fn file(package: &str, message_type: Vec<DescriptorProto>) -> Vec<u8> {
    let syntax = Some("proto3".into());
    let (name, package) = (Some("a.proto".into()), Some(package.into()));
    let file = FileDescriptorProto { name, package, message_type, syntax, ..FileDescriptorProto::default() };
    FileDescriptorSet { file: vec![file] }.encode_to_vec()
}

fn message(name: &str, field: Vec<FieldDescriptorProto>) -> DescriptorProto {
    DescriptorProto { name: Some(name.into()), field, ..DescriptorProto::default() }
}

/// A message `N` with a field `m` that is a map with these fields in its entries.
fn with_map(entry: Vec<FieldDescriptorProto>) -> Vec<u8> {
    let mut inner = message("MEntry", entry);
    inner.options = Some(prost_types::MessageOptions { map_entry: Some(true), ..Default::default() });
    let mut map = field("m", 1, Type::Message, Label::Repeated);
    map.type_name = Some(".p.N.MEntry".into());
    let mut outer = message("N", vec![map]);
    outer.nested_type = vec![inner];
    file("p", vec![outer])
}

#[test]
fn any_within_any_has_a_bound() {
    let any =
        vec![field("type_url", 1, Type::String, Label::Optional), field("value", 2, Type::Bytes, Label::Optional)];
    let decoder = of("protobuf", "google.protobuf.Any", &file("google.protobuf", vec![message("Any", any)])).unwrap();
    let url = "x/google.protobuf.Any";
    let one = prost_types::Any { type_url: url.into(), value: b"".to_vec() };
    let two = prost_types::Any { type_url: url.into(), value: one.encode_to_vec() };
    assert_eq!(nested_any(1), two.encode_to_vec());
    assert!(decoder.decode(&nested_any(3)).unwrap_err().contains("no \"/\""), "the innermost is empty");
    for levels in [16, 100, 8_000, 20_000] {
        let why = decoder.decode(&nested_any(levels)).unwrap_err();
        assert_eq!(why, "not a google.protobuf.Any: it has more than 16 levels of google.protobuf.Any");
    }
}

#[test]
fn a_message_in_any_is_shown_by_its_own_fields() {
    let mut inner = field("held", 1, Type::Message, Label::Optional);
    inner.type_name = Some(".google.protobuf.Any".into());
    let files = [
        prost_reflect::DescriptorPool::global().get_file_by_name("google/protobuf/any.proto").unwrap(),
        prost_reflect::DescriptorPool::global().get_file_by_name("google/protobuf/timestamp.proto").unwrap(),
    ];
    let mut set = FileDescriptorSet::decode(&file("p", vec![message("N", vec![inner])])[..]).unwrap();
    set.file[0].dependency = files.iter().map(|file| file.name().to_owned()).collect();
    set.file.extend(files.iter().map(|file| file.file_descriptor_proto().clone()));
    let schema = set.encode_to_vec();
    let decoder = of("protobuf", "p.N", &schema).unwrap();
    let held = |url: &str, value: Vec<u8>| {
        let any = prost_types::Any { type_url: url.into(), value }.encode_to_vec();
        [&[0x0a, any.len() as u8][..], &any].concat()
    };
    let time = prost_types::Timestamp { seconds: 0, nanos: 500_000_000 }.encode_to_vec();
    let of_time = held("x/google.protobuf.Timestamp", time);
    for payload in [of_time.clone(), held("x/p.N", of_time), vec![]] {
        // The library's own JSON, which has no bound.
        let pool = prost_reflect::DescriptorPool::decode(&schema[..]).unwrap();
        let message = pool.get_message_by_name("p.N").unwrap();
        let message = prost_reflect::DynamicMessage::decode(message, &payload[..]).unwrap();
        assert_eq!(decoder.decode(&payload), Ok(serde_json::to_value(&message).unwrap()));
    }
}

#[test]
fn a_small_payload_of_many_messages_is_refused_before_it_takes_memory() {
    let mut list = field("list", 1, Type::Message, Label::Repeated);
    list.type_name = Some(".p.N".into());
    let number = field("number", 2, Type::Int32, Label::Optional);
    let decoder = of("protobuf", "p.N", &file("p", vec![message("N", vec![list, number])])).unwrap();
    let some = decoder.decode(&b"\x0a\x02\x10\x05".repeat(1000)).unwrap();
    assert_eq!(some["list"].as_array().unwrap().len(), 1000);
    // 8 MiB, which would take 1.6 GiB.
    let why = decoder.decode(&b"\x0a\x02\x10\x05".repeat(2 << 20)).unwrap_err();
    assert_eq!(why, "not a p.N: its value would take too much memory for its size");
}

#[test]
fn names_of_a_schema_do_not_make_the_json_much_longer_than_its_payload() {
    let long = "n".repeat(100_000);
    let schema = format!(
        r#"{{"type": "array", "items": {{"type": "record", "name": "r", "fields": [{{"name": "{long}", "type": "null"}}]}}}}"#
    );
    let decoder = of("avro", "", schema.as_bytes()).unwrap();
    assert_eq!(decoder.decode(b"\x04\x00").unwrap().as_array().unwrap().len(), 2);
    assert_eq!(
        decoder.decode(b"\x80\x01\x00").unwrap_err(),
        format!("not of the schema: its JSON would have more than {} bytes", 3 * 64 + (1 << 20))
    );
    let numbers = message("N", vec![field(&long, 1, Type::Int32, Label::Optional)]);
    let mut list = field("list", 1, Type::Message, Label::Repeated);
    list.type_name = Some(".p.N".into());
    let decoder = of("protobuf", "p.L", &file("p", vec![numbers, message("L", vec![list])])).unwrap();
    let why = decoder.decode(&b"\x0a\x02\x08\x05".repeat(100)).unwrap_err();
    assert!(why.contains("its JSON would have more than"), "{why}");
}

#[test]
fn maps_whose_keys_are_of_no_allowed_type_are_refused_with_the_schema() {
    let of_message = |name: &str, number| {
        let mut field = field(name, number, Type::Message, Label::Optional);
        field.type_name = Some(".p.N".into());
        field
    };
    let good = with_map(vec![field("key", 1, Type::Int64, Label::Optional), of_message("value", 2)]);
    let decoder = of("protobuf", "p.N", &good).unwrap();
    assert_eq!(
        decoder.decode(b"\x0a\x02\x08\x05\x0a\x0d\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x12\x00"),
        Ok(json!({"m": {"-1": {}, "5": {}}}))
    );
    for (entry, why) in [
        (vec![], "has no key"),
        (vec![field("key", 1, Type::Int64, Label::Optional)], "has no value"),
        (vec![field("key", 1, Type::Int64, Label::Repeated), of_message("value", 2)], "has no key"),
        (vec![field("key", 1, Type::Float, Label::Optional), of_message("value", 2)], "has a key of a wrong type"),
        (vec![field("key", 1, Type::Bytes, Label::Optional), of_message("value", 2)], "has a key of a wrong type"),
        (vec![of_message("key", 1), of_message("value", 2)], "has a key of a wrong type"),
    ] {
        let refused = of("protobuf", "p.N", &with_map(entry)).err().unwrap();
        assert!(refused.ends_with(&format!("the map entry \"p.N.MEntry\" {why}")), "{refused}");
    }
}

#[test]
fn json_keeps_its_numbers_its_keys_and_their_order() {
    let options = TypeOptions { name: "t", encoding: "json", ..TypeOptions::default() };
    let decoder = Decoder::new(&described(&options)).unwrap();
    for same in [
        "18446744073709551616",
        "-9223372036854775809",
        "0.1000000000000000055511151231257827",
        "123456789.123456789123456789",
        "1e400",
        "-0",
        "1E5",
        r#"{"b":1,"a":2}"#,
        r#"{"a":1,"a":2}"#,
        r#""\u0000\ud83d\ude00 \"[{ \\""#,
        "[1.0,[],{}]",
        "\"\u{e9}\u{2028}\"",
    ] {
        assert_eq!(decoder.decode(same.as_bytes()).as_deref(), Ok(same));
    }
    let lines = "\n{ \"a b\" :\r\n\t[ 1 , \"\\\" ]\" ] }\n";
    assert_eq!(decoder.decode(lines.as_bytes()).as_deref(), Ok(r#"{"a b":[1,"\" ]"]}"#));
    for none in [&b""[..], b"1 2", b"01", b"{a:1}", b"\"\n\"", b"\"\xff\"", b"nul", b"[1,]", b"\xef\xbb\xbf{}"] {
        assert!(decoder.decode(none).unwrap_err().starts_with("not JSON: "), "{none:?}");
    }
    let deep = |levels: usize| decoder.decode(["[".repeat(levels), "]".repeat(levels)].concat().as_bytes());
    assert!(deep(128).is_ok() && deep(129).unwrap_err().contains("128 levels"));
}

#[test]
fn bytes_without_a_meaning_are_no_message_pack() {
    let pack = of("msgpack", "", b"").unwrap();
    assert_eq!(pack.decode(b"\xc1").unwrap_err(), "not MessagePack: the byte c1 has no meaning");
    assert!(pack.decode(b"\x92\x01\xc1").is_err());
}

#[test]
fn a_record_of_avro_with_two_fields_of_one_name_and_an_int_of_more_than_32_bits_are_refused() {
    let twice =
        br#"{"type": "record", "name": "r", "fields": [{"name": "a", "type": "int"}, {"name": "a", "type": "int"}]}"#;
    assert!(of("avro", "", twice).err().unwrap().ends_with("the record \"r\" has two fields \"a\""));
    let (int, long) = (of("avro", "", br#""int""#).unwrap(), of("avro", "", br#""long""#).unwrap());
    for (number, fits) in
        [(i64::from(i32::MAX), true), (i64::from(i32::MIN), true), (1 << 31, false), (-1 - (1 << 31), false)]
    {
        let schema = apache_avro::Schema::Long;
        let payload = apache_avro::to_avro_datum(&schema, apache_avro::types::Value::Long(number)).unwrap();
        assert_eq!(long.decode(&payload), Ok(json!(number)));
        match fits {
            true => assert_eq!(int.decode(&payload), Ok(json!(number))),
            false => assert_eq!(int.decode(&payload).unwrap_err(), "not of the schema: an int has more than 32 bits"),
        }
    }
}

#[test]
fn message_pack_and_cbor_are_what_other_libraries_read() {
    // Numbers, which repeat from run to run, and that favor the heads of values.
    let mut state = 1u64;
    let mut next = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let (pack, cbor) = (of("msgpack", "", b"").unwrap(), of("cbor", "", b"").unwrap());
    let (mut packs, mut cbors) = (0, 0);
    for _ in 0..200_000 {
        let len = 1 + next(12);
        let bytes: Vec<u8> = (0..len).map(|_| if next(3) == 0 { next(4) as u8 } else { next(256) as u8 }).collect();
        let mut left = &bytes[..];
        let theirs = rmpv::decode::read_value(&mut left).ok().filter(|_| left.is_empty() && !bytes.contains(&0xc1));
        match theirs {
            Some(value) => {
                packs += 1;
                assert_eq!(pack.decode(&bytes), Ok(pack_json(&value)), "{bytes:02x?}");
            }
            None if !bytes.contains(&0xc1) => assert!(pack.decode(&bytes).is_err(), "{bytes:02x?}"),
            None => (),
        }
        let mut left = &bytes[..];
        let theirs: Option<ciborium::Value> = ciborium::from_reader(&mut left).ok().filter(|_| left.is_empty());
        if let Some(value) = theirs {
            cbors += 1;
            assert_eq!(cbor.decode(&bytes), Ok(cbor_json(&value)), "{bytes:02x?}");
        }
    }
    assert!(packs > 1000 && cbors > 1000, "{packs} {cbors}");
}

fn base64(bytes: &[u8]) -> serde_json::Value {
    use base64::prelude::{Engine, BASE64_STANDARD};
    BASE64_STANDARD.encode(bytes).into()
}

fn float(number: f64) -> serde_json::Value {
    serde_json::Number::from_f64(number).map_or_else(|| number.to_string().into(), serde_json::Value::Number)
}

fn key(key: serde_json::Value) -> String {
    key.as_str().map_or_else(|| key.to_string(), str::to_owned)
}

fn pack_json(value: &rmpv::Value) -> serde_json::Value {
    match value {
        rmpv::Value::Nil => json!(null),
        rmpv::Value::Boolean(is) => json!(is),
        rmpv::Value::Integer(number) => number.as_u64().map_or_else(|| json!(number.as_i64()), |number| json!(number)),
        rmpv::Value::F32(number) => float(f64::from(*number)),
        rmpv::Value::F64(number) => float(*number),
        rmpv::Value::String(text) => text.as_str().map_or_else(|| base64(text.as_bytes()), |text| json!(text)),
        rmpv::Value::Binary(bytes) => base64(bytes),
        rmpv::Value::Array(items) => items.iter().map(pack_json).collect(),
        rmpv::Value::Map(pairs) => pairs.iter().map(|(k, v)| (key(pack_json(k)), pack_json(v))).collect(),
        rmpv::Value::Ext(number, data) => json!({"ext": number, "data": base64(data)}),
    }
}

fn cbor_json(value: &ciborium::Value) -> serde_json::Value {
    use ciborium::Value as Cbor;
    match value {
        Cbor::Bool(is) => json!(is),
        Cbor::Integer(number) => match (u64::try_from(*number), i64::try_from(*number)) {
            (Ok(number), _) => json!(number),
            (_, Ok(number)) => json!(number),
            _ => i128::from(*number).to_string().into(),
        },
        Cbor::Float(number) => float(*number),
        Cbor::Text(text) => json!(text),
        Cbor::Bytes(bytes) => base64(bytes),
        Cbor::Array(items) => items.iter().map(cbor_json).collect(),
        Cbor::Map(pairs) => pairs.iter().map(|(k, v)| (key(cbor_json(k)), cbor_json(v))).collect(),
        // Of the integers of more than 64 bits it reads those without leading zeros alone.
        Cbor::Tag(tag @ (2 | 3), value) if value.as_bytes().is_some_and(|bytes| bytes.len() < 16) => {
            let number = value.as_bytes().unwrap().iter().fold(0, |number, byte| number << 8 | i128::from(*byte));
            let number = if *tag == 2 { number } else { -1 - number };
            u64::try_from(number)
                .map(|it| json!(it))
                .or_else(|_| i64::try_from(number).map(|it| json!(it)))
                .unwrap_or(json!(number.to_string()))
        }
        Cbor::Tag(_, value) => cbor_json(value),
        _ => json!(null),
    }
}

#[test]
fn keys_of_maps_and_strings_in_pieces_are_texts() {
    let cbor = of("cbor", "", b"").unwrap();
    // {[1, "a"]: 0, {"k": null}: 1}, and strings and an array without lengths.
    assert_eq!(cbor.decode(b"\xa2\x82\x01\x61a\x00\xa1\x61k\xf6\x01"), Ok(json!({"[1,\"a\"]": 0, "{\"k\":null}": 1})));
    assert_eq!(cbor.decode(b"\x9f\x7f\x61a\x61b\xff\x5f\x41\0\xff\xff"), Ok(json!(["ab", "AA=="])));
    assert_eq!(cbor.decode(b"\x83\xf9\x3c\x00\xf9\x7c\x00\xf9\x00\x01"), Ok(json!([1.0, "inf", 5.960464477539063e-8])));
    // 2^64 and -1 - 2^64 (RFC 8949, appendix A), and a number of 17 bytes.
    assert_eq!(cbor.decode(b"\xc2\x49\x01\0\0\0\0\0\0\0\0"), Ok(json!("18446744073709551616")));
    assert_eq!(cbor.decode(b"\xc3\x49\x01\0\0\0\0\0\0\0\0"), Ok(json!("-18446744073709551617")));
    assert_eq!(
        cbor.decode(b"\xc2\x51\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
        Ok(base64(&[&[1][..], &[0; 16]].concat()))
    );
    // A map in a map as the key of each: each level doubles the quotes' escapes.
    let payload = [&[0xa1; 100][..], b"\x61k", &[0; 100]].concat();
    assert!(cbor.decode(&payload).unwrap_err().contains("its JSON would have more than"));
}
