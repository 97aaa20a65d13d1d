//! `binlog schema`, and payloads shown as values.

use std::path::Path;

use binlog::{TypeOptions, Writer, WriterOptions};
use serde_json::{json, Value};
use tempfile::tempdir;

use crate::common::binlog;

const POINT: &[u8] =
    br#"{"type": "record", "name": "Point", "fields": [{"name": "x", "type": "int"}, {"name": "s", "type": "string"}]}"#;

/// An Avro record, one that is cut, a record of MessagePack, one of a name alone, one of a number.
fn make(home: &Path) {
    let writer = Writer::open(home.join("log"), WriterOptions::default()).unwrap();
    let point =
        TypeOptions { name: "point", content_type: "avro/binary", encoding: "avro", message: "Point", schema: POINT };
    let older = TypeOptions { schema: br#""int""#, ..point };
    let pack = TypeOptions { name: "pack", encoding: "msgpack", ..TypeOptions::default() };
    writer.append(writer.type_of(&older).unwrap(), b"\x05").unwrap();
    let point = writer.type_of(&point).unwrap();
    writer.append(point, b"\x0d\x04ab").unwrap();
    writer.append(point, b"\x0d\xff").unwrap();
    writer.append(writer.type_of(&pack).unwrap(), b"\x81\xa1k\xc0").unwrap();
    writer.append(writer.type_id("named", "text/plain").unwrap(), b"text").unwrap();
    writer.append(7, b"plain").unwrap();
    writer.close().unwrap();
}

#[test]
fn types_are_listed_and_the_bytes_of_a_schema_are_written() {
    let home = tempdir().unwrap();
    let home = home.path();
    make(home);
    let listed = binlog(home, &["schema", "log"]).ok();
    let lines: Vec<&str> = listed.text().lines().collect();
    assert_eq!(lines.len(), 5, "{}", listed.text());
    assert!(
        lines[2].contains("point") && lines[2].contains("avro/binary") && lines[2].contains("Point"),
        "{}",
        lines[2]
    );
    let all = binlog(home, &["schema", "--json", "log"]).ok().json();
    let second = &all["types"][1];
    assert_eq!(second["schema_sha256"].as_str().unwrap().len(), 64);
    assert_eq!(
        (&second["type"], &second["encoding"], &second["schema_bytes"]),
        (&json!(1073741825), &json!("avro"), &json!(POINT.len()))
    );
    assert_eq!(all["types"][2]["schema_bytes"], Value::Null);
    assert_eq!(binlog(home, &["schema", "log", "point"]).ok().out, POINT, "the newest of that name");
    assert_eq!(binlog(home, &["schema", "log", "1073741824"]).ok().out, br#""int""#);
    for (of, why) in
        [("pack", "has no schema"), ("nothing", "there is no named type \"nothing\""), ("7", "no named type")]
    {
        let ran = binlog(home, &["schema", "log", of]).exits(1);
        assert!(ran.err.contains(why), "{}", ran.err);
    }
}

#[test]
fn payloads_are_shown_as_values_and_what_is_none_with_the_reason() {
    let home = tempdir().unwrap();
    let home = home.path();
    make(home);
    let lines = binlog(home, &["cat", "--decode", "log"]).ok();
    let lines: Vec<&str> = lines.text().lines().collect();
    assert_eq!(lines[..2], ["-3", r#"{"x":-7,"s":"ab"}"#]);
    let undecoded: Value = serde_json::from_str(lines[2]).unwrap();
    assert_eq!(undecoded["base64"], "Df8=");
    assert_eq!(undecoded["undecoded"], "not of the schema: it ends too early");
    assert_eq!(lines[3], r#"{"k":null}"#);
    assert_eq!(lines[4], r#"{"text":"text","undecoded":"the type \"named\" has no encoding"}"#);
    assert_eq!(lines[5], "plain", "nothing is known of a type without a name");
    let objects = binlog(home, &["cat", "--decode", "--format", "json", "log"]).ok();
    let objects: Vec<Value> = objects.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(objects[1]["value"], json!({"x": -7, "s": "ab"}));
    assert!(objects[1].get("base64").is_none() && objects[1].get("text").is_none());
    assert!(objects[2].get("value").is_none() && objects[2]["base64"] == "Df8=" && objects[2]["undecoded"].is_string());
    assert_eq!((&objects[5]["text"], objects[5].get("undecoded")), (&json!("plain"), None));
    let newest = binlog(home, &["cat", "--decode", "--reverse", "--type", "point", "log"]).ok();
    assert_eq!(newest.text().lines().last(), Some("-3"));
    let schemas = binlog(home, &["cat", "--events", "--format", "json", "log"]).ok();
    assert!(schemas.text().lines().any(|line| line.contains(r#""event":"SCHEMA""#) && line.contains("Point")));
    for with in [["--format", "hex"], ["--format", "raw"], ["--headers", "--events"]] {
        binlog(home, &[&["cat", "--decode"], &with[..], &["log"]].concat()).exits(2);
    }
}

#[test]
fn a_payload_of_json_is_shown_with_its_own_numbers_and_keys_on_one_line() {
    let home = tempdir().unwrap();
    let home = home.path();
    let writer = Writer::open(home.join("log"), WriterOptions::default()).unwrap();
    let json = TypeOptions { name: "json", encoding: "json", ..TypeOptions::default() };
    let json = writer.type_of(&json).unwrap();
    let shown = [
        r#"{"b":18446744073709551616,"a":0.10000000000000000555}"#,
        r#"{"a":1e400,"a":"\u0000 \n"}"#,
        r#"{"a b":[1]}"#,
    ];
    for payload in [shown[0], shown[1], "{\n  \"a b\": [1]\n}\n"] {
        writer.append(json, payload.as_bytes()).unwrap();
    }
    writer.close().unwrap();
    let values = binlog(home, &["cat", "--decode", "log"]).ok();
    assert_eq!(values.text().lines().collect::<Vec<_>>(), shown);
    let objects = binlog(home, &["cat", "--decode", "--format", "json", "log"]).ok();
    for (line, shown) in objects.text().lines().zip(shown) {
        assert!(line.ends_with(&format!(",\"value\":{shown}}}")), "{line}");
    }
}

#[test]
fn a_decoder_that_panics_is_a_reason_and_prints_nothing() {
    let home = tempdir().unwrap();
    let home = home.path();
    let writer = Writer::open(home.join("log"), WriterOptions::default()).unwrap();
    // A file "a" whose syntax is "editions": prost-reflect 0.16.5 panics while it makes its error.
    let schema = b"\x0a\x0d\x0a\x01a\x62\x08editions";
    let options = TypeOptions { name: "t", encoding: "protobuf", message: "p.N", schema, ..TypeOptions::default() };
    writer.append(writer.type_of(&options).unwrap(), b"x").unwrap();
    writer.close().unwrap();
    let ran = binlog(home, &["cat", "--decode", "log"]).ok();
    assert_eq!((ran.text(), &*ran.err), ("{\"text\":\"x\",\"undecoded\":\"the decoder has failed\"}\n", ""));
}
