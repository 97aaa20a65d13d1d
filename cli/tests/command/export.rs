//! `binlog export`: what the older libraries' own programs then read, and what is refused.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::{binlog, command, finish, kill, piped, run, until, Ran};
use binlog::{event, Filter, Location, MetadataBuf, NewRecord, Reader, ReaderOptions, Writer, WriterOptions};
use serde_json::{json, Value};
use tempfile::{tempdir, TempDir};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn sample(name: &str) -> String {
    root().join("tests/data/legacy").join(name).to_str().unwrap().to_owned()
}

const LINES: &str =
    "shoebox/notifications_20140201_a189f71eaa9853083691fe2312d1c8ab2f0eeac1018030f71730a9b315626191.json.gz";

/// Each sample, its form, and whether it ends torn.
const SAMPLES: [(&str, &str, bool); 14] = [
    ("java/default.20140201-1011.binlog", "java-binlog", false),
    ("java/default.20140201-1012.binlog", "java-binlog", false),
    ("java/gzipped.20140201-1011.binlog.gz", "java-binlog", false),
    ("java/small.binlog", "java-binlog", false),
    ("java/torn-length.binlog", "java-binlog", true),
    ("java/torn.binlog", "java-binlog", true),
    ("maplogger/closed.log", "python-logger", false),
    ("maplogger/not-closed.log", "python-logger", false),
    ("maplogger/reopened.log", "python-logger", false),
    ("maplogger/torn.log", "python-logger", true),
    ("shoebox/test_2014_02_01_10_11_12.events", "shoebox", false),
    ("shoebox/test_2014_02_01_10_12_40.events", "shoebox", false),
    ("shoebox/torn.events", "shoebox", true),
    (LINES, "shoebox-json", false),
];

/// What the independent reader of a form reads from a file.
fn read_by_python(form: &str, file: &Path) -> Value {
    let script = match form {
        "java-binlog" => "read_java_binlog.py",
        "python-logger" => "read_python_logger.py",
        _ => "read_shoebox.py",
    };
    let mut python = Command::new("python3");
    python.arg("-B").arg(root().join("tests/legacy").join(script)).arg(file);
    run(python, b"").ok().json()
}

/// A record with the name of its type, where it has one, in place of the number.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Row {
    id: u64,
    time: i64,
    type_of: String,
    pairs: Vec<(String, String)>,
    payload: Vec<u8>,
}

fn rows(path: impl Into<Location>, events: bool) -> Vec<Row> {
    let reader = Reader::open(path, ReaderOptions::default()).unwrap();
    let mut cursor = reader.cursor(&Filter { events, ..Filter::default() }).unwrap();
    let mut rows = vec![];
    loop {
        let Some(record) = cursor.next().unwrap() else { return rows };
        let (id, time, type_id, payload) = (record.id, record.time, record.type_id, record.payload.to_vec());
        let pairs = record.metadata.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        // Events that define type names add nothing to the names in the records.
        if type_id != event::TYPE {
            let type_of = cursor.type_name(type_id).map_or(type_id.to_string(), |name| format!("{name:?}"));
            rows.push(Row { id, time, type_of, pairs, payload });
        }
    }
}

fn export(home: &Path, form: &str, log: &str, output: &str, options: &[&str]) -> Ran {
    binlog(home, &[&["export", "--to", form, log, output], options].concat())
}

fn names(home: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(home).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn every_sample_comes_back_in_its_own_form_with_the_same_records() {
    let home = tempdir().unwrap();
    for (name, form, is_torn) in SAMPLES {
        let source = sample(name);
        let file = Path::new(name).file_name().unwrap().to_str().unwrap();
        let has_events = form == "java-binlog";
        let options: &[&str] = if has_events { &["--events"] } else { &[] };
        let ran = export(home.path(), form, &source, file, options).exits(if is_torn { 3 } else { 0 });
        assert_eq!(ran.err.contains("torn tail of"), is_torn, "{}", ran.err);
        let copy = home.path().join(file);
        assert_eq!(rows(&copy, has_events), rows(&source, has_events), "{name}");
        let described: Value = serde_json::from_slice(&fs::read(format!("{source}.json")).unwrap()).unwrap();
        for (what, file) in [("sample", Path::new(&source)), ("export", &copy)] {
            let mut read = read_by_python(form, file);
            let mut expected = described["records"].clone();
            if what == "export" && has_events {
                for (i, record) in
                    read["records"].as_array().unwrap().iter().filter(|r| r["event"].is_null()).enumerate()
                {
                    assert_eq!(record["id"], i + 1, "{name}: ids are this library's");
                }
                forget_what_may_differ(&mut read["records"]);
                forget_what_may_differ(&mut expected);
            }
            assert_eq!(read["records"], expected, "the {what} of {name}");
            if has_events {
                for key in ["content_type", "parameters"] {
                    assert_eq!(read["header"][key], described["header"][key], "the {what} of {name}");
                }
            }
        }
    }
}

/// Removes ids, and types of 0, of which the Java binlog records whether they were given.
fn forget_what_may_differ(records: &mut Value) {
    for record in records.as_array_mut().unwrap() {
        let record = record.as_object_mut().unwrap();
        record.remove("id");
        if record.get("type") == Some(&json!(0)) {
            record.remove("type");
        }
    }
}

/// These forms have one encoding only, for the map of the Python logger as for records.
#[test]
fn a_closed_file_of_the_python_logger_and_an_archive_come_out_byte_for_byte() {
    let home = tempdir().unwrap();
    for (name, form, is_torn) in SAMPLES.iter().filter(|(_, form, _)| matches!(*form, "python-logger" | "shoebox")) {
        let file = Path::new(name).file_name().unwrap().to_str().unwrap();
        export(home.path(), form, &sample(name), file, &[]);
        let (source, copy) = (fs::read(sample(name)).unwrap(), fs::read(home.path().join(file)).unwrap());
        let is_closed = matches!(*name, "maplogger/closed.log" | "maplogger/reopened.log") || *form == "shoebox";
        match (is_torn, is_closed) {
            (false, true) => assert!(copy == source, "{name}"),
            // The map is there now.
            (false, false) => assert!(copy.starts_with(&source), "{name}"),
            // The torn record is not carried over: up to it the files are the same.
            (true, _) => {
                let same = copy.iter().zip(&source).take_while(|(a, b)| a == b).count();
                assert!(source.len() - same < 10_000 && same > 40_000, "{name}: the first {same} bytes");
            }
        }
    }
}

/// Into a log, and out of it again.
#[test]
fn an_imported_file_goes_back_to_what_it_was() {
    for (name, form, _) in SAMPLES.iter().filter(|(_, _, is_torn)| !is_torn) {
        let home = tempdir().unwrap();
        let home = home.path();
        binlog(home, &["import", &sample(name), "log"]).ok();
        let options: &[&str] = if *form == "java-binlog" { &["--length-bytes", "4"] } else { &[] };
        export(home, form, "log", "out", options).ok();
        assert_eq!(rows(home.join("out"), false), rows(sample(name), false), "{name}");
        let (source, out) = (fs::read(sample(name)).unwrap(), fs::read(home.join("out")).unwrap());
        match *form {
            "shoebox" => assert!(out == source, "{name}"),
            "python-logger" => assert!(out == source || name.ends_with("not-closed.log"), "{name}"),
            "java-binlog" => {
                let described: Value =
                    serde_json::from_slice(&fs::read(sample(&format!("{name}.json"))).unwrap()).unwrap();
                assert_eq!(
                    read_by_python(form, &home.join("out"))["header"]["parameters"],
                    described["header"]["parameters"]
                );
                let options = ["--events", "--leave-out", "times"];
                export(home, form, "log", "events", &options).ok();
                let heartbeats = |described: &Value| -> Vec<Value> {
                    described["records"]
                        .as_array()
                        .unwrap()
                        .iter()
                        .filter(|record| record["event"] == 3)
                        .cloned()
                        .collect()
                };
                assert!(!heartbeats(&described).is_empty());
                assert_eq!(heartbeats(&read_by_python(form, &home.join("events"))), heartbeats(&described), "{name}");
            }
            _ => (),
        }
    }
}

#[test]
fn files_of_several_become_one() {
    let home = tempdir().unwrap();
    let home = home.path();
    for (source, form, output, events) in [
        (sample("java/rolled"), "java-binlog", "all.binlog", true),
        (sample("shoebox/test_*.events"), "shoebox", "all.events", false),
    ] {
        let options: &[&str] = if events { &["--events"] } else { &[] };
        export(home, form, &source, output, options).ok();
        let expected = rows(&source, events);
        assert_eq!(rows(home.join(output), events), expected);
        assert_eq!(expected.iter().filter(|row| !row.payload.is_empty()).count(), if events { 50 } else { 100 });
    }
    let ran = export(home, "jsonl", &sample("shoebox"), "mixed", &[]).exits(1);
    assert!(ran.err.contains("holds several logs") && ran.err.contains("notifications, test"), "{}", ran.err);
}

const SECOND: i64 = 1_000_000_000;

fn new_log(path: &Path) -> Writer {
    let options = WriterOptions {
        name: "orders".to_owned(),
        content_type: "text/x-order".to_owned(),
        parameters: [("größe".to_owned(), "€".to_owned())].into(),
        ..WriterOptions::default()
    };
    Writer::open(path, options).unwrap()
}

fn append(writer: &Writer, time: i64, type_id: u32, pairs: &[(&str, &str)], payload: &[u8]) {
    let metadata: MetadataBuf = pairs.iter().copied().collect();
    let record = NewRecord { type_id, metadata: metadata.as_metadata(), payload, time: Some(time) };
    writer.append_record(&record).unwrap();
}

/// A log of this library's own with all that the form can hold.
fn native(home: &Path, form: &str) {
    let writer = new_log(&home.join("log"));
    let names = ["Reading", "StringLog"].map(|name| writer.type_id(name, "").unwrap());
    for i in 0..2500u32 {
        let pairs = [("index", i.to_string()), ("ключ", "значение".to_owned()), ("", String::new())];
        let pairs: Vec<(&str, &str)> = pairs.iter().map(|(key, value)| (*key, &**value)).collect();
        let pairs = &pairs[..i as usize % 4];
        let payload = format!("{{\"n\":{i},\"pad\":\"{}\"}}", "x".repeat(i as usize % 700));
        match form {
            "java-binlog" => append(
                &writer,
                (i64::from(i) - 5) * SECOND / 1000,
                i % 7,
                pairs,
                &[&payload.as_bytes()[1..], b"\n\xff"].concat(),
            ),
            "python-logger" => {
                append(&writer, 0, names[i as usize % 2], &[], &payload.as_bytes()[..1 + i as usize % 9])
            }
            "shoebox" => append(&writer, 0, 0, pairs, &[payload.as_bytes(), b"\n\0"].concat()),
            _ => append(&writer, 0, 0, &[], payload.as_bytes()),
        }
    }
    writer.close().unwrap();
}

#[test]
fn a_log_goes_to_each_form_and_back() {
    for form in ["java-binlog", "python-logger", "shoebox", "shoebox-json"] {
        let home = tempdir().unwrap();
        let home = home.path();
        native(home, form);
        let ran = export(home, form, "log", "out", &[]).ok();
        let lost = if form == "java-binlog" { "" } else { "; the form has no place for the log's parameters" };
        assert!(
            ran.err.starts_with("binlog: 2,500 records (") && ran.err.ends_with(&format!("exported to out{lost}\n")),
            "{}",
            ran.err
        );
        let expected = rows(home.join("log"), false);
        assert_eq!(rows(home.join("out"), false), expected, "{form}");
        let read = read_by_python(form, &home.join("out"));
        assert_eq!(read["records"].as_array().unwrap().len(), 2500);
        if form == "java-binlog" {
            assert_eq!(
                read["header"],
                json!({ "name": "orders", "content_type": "text/x-order", "parameters": { "größe": "€" } })
            );
            assert_eq!(read["record_length_bytes"], 4);
            let created = Reader::open(home.join("log"), ReaderOptions::default()).unwrap().segments()[0].created;
            assert_eq!(read["created_ms"].as_i64(), Some(created / 1_000_000));
            export(home, form, "log", "out.gz", &["--length-bytes", "2", "-q"]).ok();
            assert_eq!(fs::read(home.join("out.gz")).unwrap()[..2], [0x1f, 0x8b]);
            assert_eq!(read_by_python(form, &home.join("out.gz"))["records"], read["records"]);
        }
        // From the older library's form to another log's, and so to the same file.
        export(home, form, "out", "again", &["-q"]).exits(0);
        let (out, again) = (fs::read(home.join("out")).unwrap(), fs::read(home.join("again")).unwrap());
        assert!(
            out == again || form == "java-binlog",
            "{form}: its header has the log's name, which the file's name states"
        );
        assert_eq!(rows(home.join("again"), false), expected);
    }
}

#[test]
fn events_are_mapped_back_to_those_of_the_java_binlog() {
    let home = tempdir().unwrap();
    let home = home.path();
    let writer = new_log(&home.join("log"));
    append(&writer, 7 * SECOND, 3, &[], b"one");
    writer.roll().unwrap();
    append(&writer, 8 * SECOND, 3, &[], b"two");
    writer.heartbeat().unwrap();
    writer.close().unwrap();
    export(home, "java-binlog", "log", "out", &["--events", "--leave-out", "times"]).ok();
    let read = read_by_python("java-binlog", &home.join("out"));
    let seen: Vec<i64> = read["records"].as_array().unwrap().iter().map(|r| r["event"].as_i64().unwrap_or(0)).collect();
    let expected: Vec<i64> = rows(home.join("log"), true)
        .iter()
        .map(|row| row.type_of.parse::<u32>().unwrap())
        .map(|number| if number >> 31 == 1 { i64::from(number & 0xff) } else { 0 })
        .collect();
    assert_eq!(seen, expected);
    assert!([0, 1, 2, 3, 4, 5, 6, 7].iter().all(|event| seen.contains(event)), "{seen:?}");
    let heartbeat = read["records"].as_array().unwrap().iter().find(|record| record["event"] == 3).unwrap();
    assert_eq!(heartbeat["name"], "binlogger-heartbeat");
    let cut: Vec<Row> = rows(home.join("log"), true)
        .into_iter()
        .map(|row| Row { time: row.time.div_euclid(1_000_000) * 1_000_000, ..row })
        .collect();
    assert_eq!(rows(home.join("out"), true), cut);
    // Without that option they are left out.
    export(home, "java-binlog", "log", "bare", &["--leave-out", "times"]).ok();
    assert_eq!(rows(home.join("bare"), true).len(), 2);
}

#[test]
fn lines_of_json_are_what_cat_prints() {
    let home = tempdir().unwrap();
    let home = home.path();
    native(home, "java-binlog");
    for options in [&[][..], &["--events"], &["--id", "7..9"], &["--type", "3", "--last", "5"], &["--where", "index=9"]]
    {
        let printed = binlog(home, &[&["cat", "--format", "json", "log"], options].concat()).ok();
        let piped = export(home, "jsonl", "log", "-", options).ok();
        assert!(piped.out == printed.out && piped.err.is_empty() && !printed.out.is_empty(), "{options:?}");
        export(home, "jsonl", "log", "lines", &[&["--force"], options].concat()).ok();
        assert!(fs::read(home.join("lines")).unwrap() == printed.out, "{options:?}");
    }
    let printed = binlog(home, &["cat", "--format", "json", "--from", "@1", "--to", "@2", "log"]).ok();
    let piped = export(home, "jsonl", "log", "-", &["--since", "@1", "--until", "@2"]).ok();
    assert!(piped.out == printed.out && piped.text().lines().count() == 1000);
}

/// Form, options, the function that makes the record, the text of its error, and the loss that has to be allowed for it.
type Refusal<'a> = (&'a str, &'a [&'a str], fn(&Writer), &'a str, Option<&'a str>);

/// Each thing that a form has no place for ends the export with the record's id, until it may be lost.
#[test]
fn what_cannot_be_carried_over_is_refused_by_id_and_nothing_is_left_behind() {
    let cases: [Refusal<'_>; 20] = [
        ("csv", &[], |w| append(w, 0, 0, &[], b"\xff"), "is not UTF-8; `--payload base64` exports", None),
        ("java-binlog", &[], |w| append(w, 1, 0, &[], b""), "finer than the Java binlog's milliseconds", Some("times")),
        (
            "java-binlog",
            &[],
            |w| append(w, 0, w.type_id("order.placed", "").unwrap(), &[], b""),
            "the named type \"order.placed\"",
            Some("types"),
        ),
        (
            "java-binlog",
            &["--length-bytes", "1"],
            |w| append(w, 0, 0, &[], &[7; 253]),
            "takes 256 bytes with its header, more than a length of 1 byte can express",
            None,
        ),
        (
            "java-binlog",
            &["--length-bytes", "2"],
            |w| append(w, 0, 0, &[], &[7; 65_532]),
            "more than a length of 2 bytes can express",
            None,
        ),
        (
            "java-binlog",
            &["--length-bytes", "1"],
            |w| append(w, 0, 0, &[("k", &"v".repeat(300))], b""),
            "with its header",
            None,
        ),
        (
            "python-logger",
            &[],
            |w| append(w, 0, 7, &[], b"x"),
            "has the type 7, and the Python binary logger has only names of classes",
            Some("types"),
        ),
        ("python-logger", &[], |w| append(w, 0, 0, &[], b"x"), "has the type 0", Some("types")),
        (
            "python-logger",
            &[],
            |w| append(w, 0, w.type_id("Größe", "").unwrap(), &[], b"x"),
            "is not ASCII",
            Some("types"),
        ),
        (
            "python-logger",
            &[],
            |w| append(w, 0, w.type_id(&"C".repeat(1025), "").unwrap(), &[], b"x"),
            "takes 1025 bytes",
            Some("types"),
        ),
        (
            "python-logger",
            &[],
            |w| append(w, 5, w.type_id("A", "").unwrap(), &[], b"x"),
            "has the time 1970-01-01T00:00:00.000000005Z",
            Some("times"),
        ),
        (
            "python-logger",
            &[],
            |w| append(w, 0, w.type_id("A", "").unwrap(), &[("k", "v")], b"x"),
            "has metadata (\"k\")",
            Some("metadata"),
        ),
        ("shoebox", &[], |w| append(w, 5, 0, &[], b""), "shoebox has no times", Some("times")),
        ("shoebox", &[], |w| append(w, 0, 5, &[], b""), "has the type 5, and shoebox has no types", Some("types")),
        (
            "shoebox",
            &[],
            |w| append(w, 0, 0, &[("k", "1"), ("k", "2")], b""),
            "the metadata key \"k\" more than once",
            Some("metadata"),
        ),
        (
            "shoebox-json",
            &[],
            |w| append(w, 0, w.type_id("A", "").unwrap(), &[], b"{}"),
            "has the type \"A\"",
            Some("types"),
        ),
        ("shoebox-json", &[], |w| append(w, 0, 0, &[("k", "v")], b"{}"), "has metadata", Some("metadata")),
        ("shoebox-json", &[], |w| append(w, -1, 0, &[], b"{}"), "has no times", Some("times")),
        ("shoebox-json", &[], |w| append(w, 0, 0, &[], b"{\"a\":\n1}"), "line break", None),
        ("shoebox-json", &[], |w| append(w, 0, 0, &[], b"plain"), "does not begin as a JSON object does", None),
    ];
    for (form, options, make, why, leave_out) in cases {
        let home = tempdir().unwrap();
        let home = home.path();
        let writer = new_log(&home.join("log"));
        let fits = writer.type_id("Fits", "").unwrap();
        append(&writer, 0, if form == "python-logger" { fits } else { 0 }, &[], b"{}");
        make(&writer);
        writer.close().unwrap();
        let ran = export(home, form, "log", "out", options).exits(1);
        let place = "binlog: log: record 2 ";
        assert!(
            ran.err.starts_with(place) && ran.err.contains(why) && ran.err.lines().count() == 1,
            "{form}: {}",
            ran.err
        );
        assert!(ran.err.ends_with("nothing was exported\n"), "{form}: {}", ran.err);
        assert_eq!(names(home), ["log"], "{form}: {why}");
        // Permission for other losses does not help.
        let all = ["times", "types", "metadata", "ids", "events", "empty"];
        let others: Vec<&str> = all.into_iter().filter(|what| Some(*what) != leave_out).collect();
        export(home, form, "log", "out", &[options, &["--leave-out", &others.join(",")]].concat()).exits(1);
        if let Some(what) = leave_out {
            assert!(ran.err.contains(&format!("`--leave-out {what}`")), "{}", ran.err);
            export(home, form, "log", "out", &[options, &["--leave-out", what]].concat()).ok();
            assert_eq!(rows(home.join("out"), false).len(), 2, "{form}: {why}");
            assert_eq!(read_by_python(form, &home.join("out"))["records"].as_array().unwrap().len(), 2);
        }
    }
}

#[test]
fn what_may_be_lost_is_kept_as_far_as_the_form_goes() {
    let home = tempdir().unwrap();
    let home = home.path();
    let writer = new_log(&home.join("log"));
    append(&writer, -1, 5, &[], b"a");
    append(&writer, 1_234_567_890, writer.type_id("named", "").unwrap(), &[("k", "1"), ("l", "2"), ("k", "3")], b"b");
    writer.close().unwrap();
    let any = ["--leave-out", "times,types,metadata"];
    export(home, "java-binlog", "log", "java", &any).ok();
    let read = read_by_python("java-binlog", &home.join("java"));
    let facts: Vec<_> =
        read["records"].as_array().unwrap().iter().map(|r| [&r["id"], &r["time_ms"], &r["type"]]).collect();
    assert_eq!(facts, [[&json!(1), &json!(-1), &json!(5)], [&json!(2), &json!(1234), &Value::Null]]);
    export(home, "python-logger", "log", "python", &any).ok();
    let classes: Vec<String> = rows(home.join("python"), false).into_iter().map(|row| row.type_of).collect();
    assert_eq!(classes, ["\"StringLog\"", "\"named\""]);
    export(home, "shoebox", "log", "archive", &any).ok();
    let pairs = [("k", "3"), ("l", "2")].map(|(key, value)| (key.to_owned(), value.to_owned()));
    assert_eq!(rows(home.join("archive"), false)[1].pairs, pairs);
}

/// Types and events of the Java binlog that are no numbers here become what they were.
#[test]
fn types_that_were_given_names_become_numbers_again() {
    let home = tempdir().unwrap();
    let home = home.path();
    let writer = new_log(&home.join("log"));
    for name in ["type -5", "type 1073741824", "event 9 odd", "event 12"] {
        append(&writer, 0, writer.type_id(name, "").unwrap(), &[("a", "b"), ("info", "c")], b"x");
    }
    append(&writer, 0, writer.type_id("type 5", "").unwrap(), &[], b"");
    writer.close().unwrap();
    let ran = export(home, "java-binlog", "log", "out", &[]).exits(1);
    assert!(ran.err.contains("record 5 has the named type \"type 5\""), "{}", ran.err);
    export(home, "java-binlog", "log", "out", &["--id", "..4"]).ok();
    assert_eq!(rows(home.join("out"), false), rows(home.join("log"), false)[..4]);
    let read = read_by_python("java-binlog", &home.join("out"));
    assert_eq!((&read["records"][0]["type"], &read["records"][1]["type"]), (&json!(-5), &json!(1 << 30)));
    assert_eq!((&read["records"][2]["event"], &read["records"][2]["name"]), (&json!(9), &json!("odd")));
}

#[test]
fn a_file_that_is_there_stays_unless_it_may_go() {
    let home = tempdir().unwrap();
    let home = home.path();
    native(home, "shoebox");
    fs::write(home.join("out"), "precious").unwrap();
    fs::create_dir(home.join("directory")).unwrap();
    let ran = export(home, "shoebox", "log", "out", &[]).exits(1);
    assert!(ran.err.contains("out is there already: --force replaces it"), "{}", ran.err);
    assert_eq!(fs::read(home.join("out")).unwrap(), b"precious");
    // A failure does not cost the old one either.
    export(home, "python-logger", "log", "out", &["--force"]).exits(1);
    assert_eq!(fs::read(home.join("out")).unwrap(), b"precious");
    export(home, "shoebox", "log", "out", &["--force"]).ok();
    assert_eq!(rows(home.join("out"), false).len(), 2500);
    export(home, "shoebox", "log", "directory", &["--force"]).exits(1);
    let own = names(&home.join("log")).into_iter().find(|name| name.ends_with(".binlog")).unwrap();
    let before = fs::read(home.join("log").join(&own)).unwrap();
    for output in ["log/out.binlog", &format!("log/{own}")] {
        let ran = export(home, "shoebox", "log", output, &["--force"]).exits(1);
        assert!(ran.err.contains("in the log's own directory"), "{}", ran.err);
    }
    let file = format!("log/{own}");
    let ran = export(home, "jsonl", &file, &file, &["--force"]).exits(1);
    assert!(ran.err.contains("is a file of the log itself"), "{}", ran.err);
    assert!(fs::read(home.join("log").join(&own)).unwrap() == before);
    fs::write(home.join("new.exporting"), "another's").unwrap();
    let ran = export(home, "shoebox", "log", "new", &[]).exits(1);
    assert!(ran.err.contains("another export is at work on it, or one was killed"), "{}", ran.err);
    assert_eq!(names(home), ["directory", "log", "new.exporting", "out"]);
    export(home, "shoebox", "log", "missing/out", &[]).exits(1);
    export(home, "shoebox", "missing", "other", &[]).exits(1);
    assert_eq!(names(home), ["directory", "log", "new.exporting", "out"]);
}

/// 40 MB, so that there is time to stop the work.
fn large() -> TempDir {
    let home = tempdir().unwrap();
    let writer = new_log(&home.path().join("log"));
    for _ in 0..40_000 {
        append(&writer, 0, 0, &[], &[b'x'; 1000]);
    }
    writer.close().unwrap();
    home
}

#[test]
fn a_full_disk_and_ctrl_c_leave_nothing_behind() {
    let home = large();
    let home = home.path();
    for form in ["shoebox", "csv", "arrow"] {
        let mut shell = Command::new("bash");
        let script = "ulimit -f 1024 && exec \"$0\" export --to \"$1\" log out";
        shell.args(["-c", script, env!("CARGO_BIN_EXE_binlog"), form]).current_dir(home);
        let ran = run(shell, b"").exits(1);
        assert!(ran.err.contains("out: cannot write: ") && ran.err.lines().count() == 1, "{form}: {}", ran.err);
        assert_eq!(names(home), ["log"]);
    }
    for (signal, form) in [(libc::SIGINT, "shoebox"), (libc::SIGTERM, "shoebox"), (libc::SIGINT, "arrow")] {
        // An export that was done before the signal came is started again.
        until("a signal comes in time", || {
            let child = piped(&mut command(home, &["export", "-q", "--to", form, "log", "out"]));
            let pid = child.id() as libc::pid_t;
            until("it is at work", || names(home).len() > 1);
            kill(pid, signal);
            let ran = finish(child);
            if ran.code == Some(0) {
                fs::remove_file(home.join("out")).unwrap();
                return false;
            }
            let ran = ran.exits(128 + signal);
            assert!(ran.err.is_empty(), "{}", ran.err);
            assert_eq!(names(home), ["log"]);
            true
        });
    }
    export(home, "shoebox", "log", "out", &["-q"]).ok();
    assert_eq!(names(home), ["log", "out"]);
}

#[test]
fn damage_ends_an_export_and_with_salvage_the_rest_is_exported() {
    let home = tempdir().unwrap();
    let home = home.path();
    native(home, "shoebox");
    let segment = home.join("log/orders.0000000001.binlog");
    let mut bytes = fs::read(&segment).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&segment, bytes).unwrap();
    let ran = export(home, "shoebox", "log", "out", &[]).exits(1);
    assert!(ran.err.contains("nothing was exported; --salvage exports") && ran.err.contains("offset"), "{}", ran.err);
    assert_eq!(names(home), ["log"]);
    let ran = export(home, "shoebox", "log", "out", &["--salvage"]).exits(3);
    assert!(ran.err.contains(" lost (") && ran.err.contains("exported to out"), "{}", ran.err);
    let left = rows(home.join("out"), false).len();
    assert!((1000..2500).contains(&left), "{left}");
    let read = read_by_python("shoebox", &home.join("out"));
    assert_eq!(read["records"].as_array().unwrap().len(), left);
    for form in ["arrow", "csv"] {
        let ran = export(home, form, "log", "table", &[]).exits(1);
        assert!(
            ran.err.contains("nothing was exported; --salvage exports") && ran.err.contains("offset"),
            "{}",
            ran.err
        );
        let ran =
            export(home, form, "log", "-", &["--salvage", "--payload", "base64"][..if form == "csv" { 3 } else { 1 }]);
        assert!(ran.code == Some(3), "{form}: {}", ran.err);
    }
    assert_eq!(names(home), ["log", "out"]);
    // On standard output, the records before the damage have been written already.
    let ran = export(home, "jsonl", "log", "-", &[]).exits(1);
    assert!(ran.err.contains("the records before it were printed"), "{}", ran.err);
    assert!(ran.text().lines().count() > 100);
}

#[test]
fn wrong_usage_exits_with_2_and_touches_nothing() {
    let home = tempdir().unwrap();
    let home = home.path();
    let wrong: [&[&str]; 15] = [
        &["log", "out"],
        &["--to", "avro", "log", "out"],
        &["--to", "shoebox", "log"],
        &["--to", "shoebox", "log", "-"],
        &["--to", "shoebox", "log", "out", "--events"],
        &["--to", "shoebox", "log", "out", "--length-bytes", "2"],
        &["--to", "java-binlog", "log", "out", "--length-bytes", "3"],
        &["--to", "python-logger", "log", "out.gz"],
        &["--to", "jsonl", "log", "out", "--leave-out", "payloads"],
        &["--to", "jsonl", "log", "out", "--payload", "base64"],
        &["--to", "csv", "log", "out", "--columns", "id"],
        &["--to", "csv", "log", "out", "--events"],
        &["--to", "arrow", "log", "out", "--columns", "ids"],
        &["--to", "arrow", "log", "out.gz"],
        &["--to", "jsonl", "log", "out", "--since", "2026-01-02", "--until", "2026-01-01"],
    ];
    for args in wrong {
        let ran = binlog(home, &[&["export"], args].concat()).exits(2);
        assert!(ran.out.is_empty() && !ran.err.is_empty(), "{args:?}");
    }
    assert!(names(home).is_empty());
    assert!(binlog(home, &["export", "--help"]).ok().text().contains("Examples:\n  "));
}

#[test]
fn records_without_a_payload_stay_out_of_a_file_of_the_python_logger() {
    let home = tempdir().unwrap();
    let home = home.path();
    let log =
        |payload: &[u8]| crate::common::binlog_with(home, &["append", "-q", "--type", "Reading", "log"], payload).ok();
    log(b"one\n\ntwo\n\n\nthree\n");
    let ran = export(home, "python-logger", "log", "out.log", &["--leave-out", "times"]).exits(1);
    assert!(
        ran.err.contains("record 2 has no payload, and the Python binary logger takes that for the end"),
        "{}",
        ran.err
    );
    assert!(ran.err.contains("`--leave-out empty` goes on without") && !home.join("out.log").exists(), "{}", ran.err);
    let ran = export(home, "python-logger", "log", "out.log", &["--leave-out", "times,empty"]).ok();
    assert!(
        ran.err.contains("3 records (11 bytes) exported to out.log; 3 records without a payload left out"),
        "{}",
        ran.err
    );
    assert_eq!(binlog(home, &["cat", "out.log"]).ok().text(), "one\ntwo\nthree\n");
    // The other forms have a place for them.
    export(home, "java-binlog", "log", "out.binlog", &["--leave-out", "times,types"]).ok();
    assert_eq!(binlog(home, &["cat", "out.binlog"]).ok().text(), "one\n\ntwo\n\n\nthree\n");
}
