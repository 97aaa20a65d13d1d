//! A forked child of a writer's process holds nothing of the log: when the parent dies, the next writer continues.
#![cfg(target_os = "linux")]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::common::full_name;
use binlog::rolling::RollOptions;
use binlog::{Filter, Kind, Reader, ReaderOptions, TailState, Writer, WriterOptions};

/// Makes the program the parent: the log that it opens, and how it makes its child.
const LOG: &str = "BINLOG_TEST_FORKED_LOG";
const HOW: &str = "BINLOG_TEST_FORKED_HOW";

/// A process with the log open, which has forked a child that lives until its standard input ends.
struct Parent {
    process: Child,
    /// The standard input of the child, too.
    _input: ChildStdin,
    output: BufReader<ChildStdout>,
    log: PathBuf,
}

impl Parent {
    fn start(test: &str, log: &Path, how: &str) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", &full_name(module_path!(), test), "--nocapture"]).env(LOG, log).env(HOW, how);
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (input, output) = (process.stdin.take().unwrap(), BufReader::new(process.stdout.take().unwrap()));
        let mut parent = Parent { process, _input: input, output, log: log.to_owned() };
        // Both processes report it; the line of the child shows that the handlers have run.
        parent.wait_for("forked");
        parent.wait_for("forked");
        parent
    }

    fn wait_for(&mut self, word: &str) {
        let mut line = String::new();
        while !line.contains(word) {
            line.clear();
            assert!(self.output.read_line(&mut line).unwrap() > 0, "the parent has ended before it said {word:?}");
        }
    }

    /// Kills the parent. The child lives on until this is dropped.
    fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Parent {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn is_file(log: &Path) -> bool {
    log.extension().is_some()
}

fn open(log: &Path) -> binlog::Result<Writer> {
    match is_file(log) {
        true => Writer::open_file(log, WriterOptions::default()),
        // The file of the next segment is prepared once this one is half full.
        false => {
            let options = WriterOptions {
                segment_bytes: 8 << 10,
                block_bytes: 4 << 10,
                roll: RollOptions::default(),
                ..WriterOptions::default()
            };
            Writer::open(log, options)
        }
    }
}

/// What the parent does; `how` = "bare" makes the child so that no handler of the C library runs.
fn be_parent(log: &Path, how: &str) -> ! {
    let writer = open(log).unwrap();
    writer.append(1, &[7; 5000]).unwrap();
    writer.flush().unwrap();
    writer.tick().unwrap();
    // SAFETY: the child calls nothing but read(2) and _exit(2).
    let child = unsafe {
        match how {
            "bare" => libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) as libc::pid_t,
            _ => libc::fork(),
        }
    };
    if child == 0 {
        let mut byte = [0u8; 1];
        // SAFETY: reports that it runs, waits for the end of the input, and ends without running any code of the
        // parent.
        unsafe {
            libc::write(1, b"forked: runs\n".as_ptr().cast(), 13);
            while libc::read(0, byte.as_mut_ptr().cast(), 1) > 0 {}
            libc::_exit(0);
        }
    }
    println!("forked {child}");
    let mut line = String::new();
    // With "end" the child has ended, and this process continues.
    std::io::stdin().read_line(&mut line).unwrap();
    writer.append(1, b"x").unwrap();
    writer.close().unwrap();
    std::process::exit(0);
}

fn tail(log: &Path) -> TailState {
    let reader = Reader::open(log, ReaderOptions::default()).unwrap();
    let mut cursor = reader.cursor(&Filter::default()).unwrap();
    while cursor.next().unwrap().is_some() {}
    cursor.tail().state
}

#[test]
fn a_forked_child_does_not_keep_the_log_when_its_parent_has_died() {
    if let (Some(log), Ok(how)) = (std::env::var_os(LOG), std::env::var(HOW)) {
        be_parent(Path::new(&log), &how);
    }
    let scratch = tempfile::tempdir().unwrap();
    for name in ["log", "log.binlog"] {
        let log = scratch.path().join(name);
        let test = "a_forked_child_does_not_keep_the_log_when_its_parent_has_died";
        let mut parent = Parent::start(test, &log, "fork");
        assert_eq!(tail(&log), TailState::Live);
        assert_eq!(open(&log).err().expect("the parent lives").kind(), Kind::Locked);
        if !is_file(&log) {
            let files = std::fs::read_dir(&log).unwrap().filter(|entry| {
                entry.as_ref().unwrap().path().extension().is_some_and(|extension| extension == "binlog")
            });
            assert_eq!(files.count(), 2, "one is prepared ahead");
        }
        parent.kill();
        assert_eq!(tail(&log), TailState::Unclosed, "{name}: the writer is gone");
        let writer = open(&log).unwrap();
        assert_eq!(writer.append(1, b"x").unwrap(), 2, "{name}");
        writer.close().unwrap();
        drop(parent);
    }
}

#[test]
fn the_parent_keeps_its_locks_while_a_child_lives_and_when_it_ends() {
    if let (Some(log), Ok(how)) = (std::env::var_os(LOG), std::env::var(HOW)) {
        be_parent(Path::new(&log), &how);
    }
    let scratch = tempfile::tempdir().unwrap();
    for name in ["log", "log.binlog"] {
        let log = scratch.path().join(name);
        let writer = open(&log).unwrap();
        writer.append(1, b"x").unwrap();
        writer.flush().unwrap();
        for _ in 0..3 {
            // SAFETY: the child ends at once.
            let child = unsafe { libc::fork() };
            if child == 0 {
                // SAFETY: runs no code of the parent.
                unsafe { libc::_exit(0) };
            }
            let mut status = 0;
            // SAFETY: waits for the child made above.
            assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
            assert_eq!(open(&log).err().expect("the writer is open").kind(), Kind::Locked, "{name}");
            assert_eq!(tail(&log), TailState::Live);
            writer.append(1, b"y").unwrap();
            writer.sync().unwrap();
        }
        writer.close().unwrap();
        assert_eq!(tail(&log), TailState::Closed);
    }
}

#[test]
fn a_lock_that_only_a_child_can_hold_is_reported_as_that() {
    if let (Some(log), Ok(how)) = (std::env::var_os(LOG), std::env::var(HOW)) {
        be_parent(Path::new(&log), &how);
    }
    let scratch = tempfile::tempdir().unwrap();
    let log = scratch.path().join("log");
    let mut parent = Parent::start("a_lock_that_only_a_child_can_hold_is_reported_as_that", &log, "bare");
    let pid = parent.process.id();
    let message_with = |expected: &str| {
        let error = open(&log).err().expect("the lock is held");
        assert_eq!(error.kind(), Kind::Locked);
        assert!(error.to_string().contains(expected), "{error}");
        error.to_string()
    };
    assert!(!message_with(&format!("process {pid}")).contains("ended"));
    parent.kill();
    let message = message_with(&format!("process {pid} has ended: a child that it forked may still hold the lock"));
    assert!(message.contains(&parent.log.join("default.lock").display().to_string()), "{message}");
}
