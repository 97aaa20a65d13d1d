//! The doubles in memory and the library that programs link do the same to the files of a log, in the same order: the same
//! calls are made on [`PowerDirectory`] and, by a C program under a recorder of system calls, on the shared library.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use binlog::io::{Access, Directory, PowerDirectory};
use binlog::rolling::RollOptions;
use binlog::{Lag, Location, NewRecord, Writer, WriterOptions};

const POLICIES: [&str; 6] = ["none", "each synced", "each flushed", "by bytes", "rolling", "file"];
const FILE: &str = "log.binlog";

fn options(policy: &str) -> WriterOptions {
    let records = |records| Lag { records: Some(records), ..Lag::default() };
    let bytes = |bytes| Lag { bytes: Some(bytes), ..Lag::default() };
    let never = Lag { interval: None, ..Lag::default() };
    let options = WriterOptions { block_bytes: 4096, segment_bytes: 30_000, flush: never, ..WriterOptions::default() };
    match policy {
        "each synced" => WriterOptions { sync: records(1), ..options },
        "each flushed" => WriterOptions { flush: records(1), sync: records(3), ..options },
        "by bytes" => WriterOptions { flush: bytes(5000), sync: bytes(20_000), ..options },
        "rolling" => WriterOptions { roll: RollOptions { records: Some(4), ..RollOptions::default() }, ..options },
        _ => options,
    }
}

fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/operations").join(name)
}

/// The lines of the script, with the name of the torn file, which only the double knows.
fn script(last: &str) -> String {
    std::fs::read_to_string(source("calls.txt")).unwrap().replace("LAST", last)
}

fn open(directory: &PowerDirectory, policy: &str) -> Writer {
    let shared = Arc::new(directory.clone());
    match policy {
        "file" => Writer::open(Location::File(shared, FILE.to_owned()), options(policy)).unwrap(),
        _ => Writer::open(shared, options(policy)).unwrap(),
    }
}

/// The operations of the double, and the last segment at the time that its end is torn.
fn on_the_double(policy: &str) -> (Vec<String>, String) {
    let (mut directory, mut writer, mut last) = (PowerDirectory::new(), None, String::new());
    let (bytes, mut all) = (vec![0xA5; 1 << 20], vec![]);
    let done = |directory: &PowerDirectory| -> Vec<String> {
        directory.done().into_iter().map(|(operation, file)| format!("{operation:?} {file}")).collect()
    };
    for line in script("LAST").lines().filter(|line| !line.starts_with('#')) {
        let words: Vec<&str> = line.split(' ').collect();
        let number = |at: usize| words[at].parse::<usize>().unwrap();
        match words[0] {
            "open" => writer = Some(open(&directory, policy)),
            "leave" => {
                std::mem::forget(writer.take());
                all.extend(done(&directory));
                directory = directory.after_kill();
                let names = directory.list().unwrap();
                last = names.into_iter().filter(|name| name.ends_with(".binlog")).max().unwrap();
            }
            "torn" => {
                let file = directory.open(&last, Access::ReadWrite).unwrap();
                file.write_at(&[std::io::IoSlice::new(&bytes[..number(2)])], file.len().unwrap()).unwrap();
            }
            "close" => writer.take().unwrap().close().unwrap(),
            call => {
                let writer = writer.as_ref().unwrap();
                match call {
                    "append" => {
                        writer.append(number(1) as u32, &bytes[..number(2)]).unwrap();
                    }
                    "batch" => {
                        let one = NewRecord { type_id: 1, payload: &bytes[..number(2)], ..NewRecord::default() };
                        writer.append_batch(std::iter::repeat_n(one, number(1))).unwrap();
                    }
                    "type" => {
                        let named = writer.type_id(&line[5..], "").unwrap();
                        writer.append(named, &bytes[..100]).unwrap();
                    }
                    "flush" => writer.flush().unwrap(),
                    "sync" => writer.sync().unwrap(),
                    "tick" => writer.tick().unwrap(),
                    "heartbeat" => writer.heartbeat().unwrap(),
                    "roll" if policy == "file" => (),
                    "roll" => writer.roll().unwrap(),
                    other => panic!("{other}"),
                }
            }
        }
    }
    all.extend(done(&directory));
    (all, last)
}

/// Builds the two C sources against the library that was built with this test.
fn build(scratch: &Path) {
    let library = std::env::current_exe().unwrap().with_file_name("libbinlog.so");
    assert!(library.exists(), "{} was not built", library.display());
    for name in ["libbinlog.so", "libbinlog.so.0"] {
        std::os::unix::fs::symlink(&library, scratch.join(name)).unwrap();
    }
    let cc = || Command::new(std::env::var_os("CC").unwrap_or_else(|| "cc".into()));
    let run = |command: &mut Command| assert!(command.status().expect("a C compiler").success(), "{command:?}");
    let strict = ["-O1", "-Wall", "-Wextra", "-Werror"];
    let place = |flag: &str, path: &Path| format!("{flag}{}", path.display());
    run(cc().args(strict).args(["-shared", "-fPIC", "-o"]).arg(scratch.join("recorder.so")).arg(source("recorder.c")));
    run(cc()
        .args(strict)
        .arg("-o")
        .arg(scratch.join("calls"))
        .arg(source("calls.c"))
        .arg(place("-I", &Path::new(env!("CARGO_MANIFEST_DIR")).join("include")))
        .args([place("-L", scratch), place("-Wl,-rpath,", scratch), "-lbinlog".into()]));
}

/// The system calls of the library.
fn under_the_recorder(scratch: &Path, policy: &str, last: &str) -> Vec<String> {
    let (directory, record) = (scratch.join("log"), scratch.join("record"));
    let _ = std::fs::remove_file(&record);
    let _ = std::fs::remove_dir_all(&directory);
    std::fs::create_dir(&directory).unwrap();
    std::fs::write(scratch.join("script"), script(last)).unwrap();
    let log = if policy == "file" { directory.join(FILE) } else { directory.clone() };
    let ran = Command::new(scratch.join("calls"))
        .arg(scratch.join("script"))
        .args([policy.as_ref(), log.as_os_str()])
        .env("LD_PRELOAD", scratch.join("recorder.so"))
        .env("RECORDED", &directory)
        .env("RECORDER", &record)
        .status()
        .unwrap();
    assert!(ran.success(), "{policy}: {ran}");
    std::fs::read_to_string(record).unwrap().lines().map(str::to_owned).collect()
}

/// Without the number of bytes in a name: process numbers, which take more or fewer bytes, are in each file.
fn without_offsets(operations: Vec<String>) -> Vec<String> {
    let cut = |line: String| match line.split_once(".torn-") {
        Some((before, after)) => format!("{before}.torn-{}", after.trim_start_matches(|c: char| c.is_ascii_digit())),
        None => line,
    };
    operations.into_iter().map(cut).collect()
}

#[test]
fn the_shared_library_asks_the_system_for_what_the_double_sees_in_the_same_order() {
    let scratch = tempfile::tempdir().unwrap();
    build(scratch.path());
    for policy in POLICIES {
        let (double, last) = on_the_double(policy);
        let real = without_offsets(under_the_recorder(scratch.path(), policy, &last));
        let double = without_offsets(double);
        let differs = double.iter().zip(&real).position(|(double, real)| double != real);
        let at = differs.unwrap_or(double.len().min(real.len()));
        let near = at.saturating_sub(4);
        assert_eq!(
            double[near..double.len().min(at + 3)],
            real[near..real.len().min(at + 3)],
            "{policy}: operation {at} of {} on the double and {} of the system",
            double.len(),
            real.len()
        );
        assert!(double.len() > 50, "{policy}: {} operations", double.len());
    }
}
