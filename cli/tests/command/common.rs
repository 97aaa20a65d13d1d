//! Runs the real command, with a watchdog so that nothing hangs.
#![allow(dead_code)] // each test file uses its share

use std::io::{Read, Write};
use std::os::fd::{FromRawFd, OwnedFd};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// Longer than anything takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub struct Ran {
    pub code: Option<i32>,
    pub out: Vec<u8>,
    pub err: String,
}

impl Ran {
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.out).expect("the output is text")
    }

    #[track_caller]
    pub fn ok(self) -> Self {
        self.exits(0)
    }

    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "standard error: {}", self.err);
        self
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.out).expect("the output is JSON")
    }
}

pub fn command(directory: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_binlog"));
    command.args(args).current_dir(directory);
    command
}

pub fn binlog(directory: &Path, args: &[&str]) -> Ran {
    binlog_with(directory, args, b"")
}

/// Runs the command with this standard input.
pub fn binlog_with(directory: &Path, args: &[&str], input: &[u8]) -> Ran {
    run(command(directory, args), input)
}

pub fn run(mut command: Command, input: &[u8]) -> Ran {
    let mut child = piped(&mut command);
    let mut stdin = child.stdin.take().expect("piped");
    let input = input.to_vec();
    // The command may end before it has read everything.
    let feeding = thread::spawn(move || drop(stdin.write_all(&input)));
    let ran = finish(child);
    feeding.join().expect("the input was offered");
    ran
}

pub fn piped(command: &mut Command) -> Child {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("the command starts")
}

/// Waits for the end of the command, and kills it if it does not end.
pub fn finish(child: Child) -> Ran {
    let pid = child.id() as libc::pid_t;
    let (done, waiting) = mpsc::channel::<()>();
    let watchdog = thread::spawn(move || {
        if waiting.recv_timeout(PATIENCE) == Err(mpsc::RecvTimeoutError::Timeout) {
            kill(pid, libc::SIGKILL);
        }
    });
    let Output { status, stdout, stderr } = child.wait_with_output().expect("the command ends");
    drop(done);
    watchdog.join().expect("the watchdog ends");
    Ran { code: status.code(), out: stdout, err: String::from_utf8_lossy(&stderr).into_owned() }
}

pub fn kill(pid: libc::pid_t, signal: i32) {
    // SAFETY: no memory is involved; the child was not waited for yet, so the number is still its own.
    unsafe { libc::kill(pid, signal) };
}

/// Repeats `done` until it is true.
#[track_caller]
pub fn until(what: &str, mut done: impl FnMut() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < PATIENCE, "waited too long until {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Reads until so many lines are there.
pub fn read_lines(from: &mut impl Read, mut lines: usize) -> String {
    let (mut text, mut byte) = (vec![], [0]);
    while lines > 0 {
        match from.read(&mut byte) {
            Ok(1) => text.push(byte[0]),
            other => panic!("the output ends after {:?}: {other:?}", String::from_utf8_lossy(&text)),
        }
        lines -= usize::from(byte[0] == b'\n');
    }
    String::from_utf8(text).expect("the output is text")
}

/// The command's output to a terminal, which is only its standard output.
pub fn on_terminal(mut command: Command) -> Vec<u8> {
    let (mut terminal, mut end) = (0, 0);
    // SAFETY: both are places for a descriptor; the rest may be NULL.
    let made = unsafe {
        libc::openpty(&mut terminal, &mut end, std::ptr::null_mut(), std::ptr::null_mut(), std::ptr::null_mut())
    };
    assert_eq!(made, 0, "{}", std::io::Error::last_os_error());
    // SAFETY: nothing else owns the two.
    let (terminal, end) = unsafe { (OwnedFd::from_raw_fd(terminal), OwnedFd::from_raw_fd(end)) };
    let mut child = command.stdin(Stdio::null()).stdout(end).spawn().expect("the command starts");
    // It still holds the other end.
    drop(command);
    let mut out = vec![];
    // EIO is the end of a terminal.
    let _ = std::fs::File::from(terminal).read_to_end(&mut out);
    assert!(child.wait().expect("the command ends").success());
    out
}
