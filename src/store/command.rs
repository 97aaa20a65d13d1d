//! A command as a store: it runs once for each file, and its exit status is the result, as with PostgreSQL's
//! archive_command.
//!
//! The command receives its parameters only in environment variables. None of them is ever put into text that a shell
//! reads: a log may be called `a;reboot;b`, and quotes around a placeholder do not protect against a name that contains
//! the quote.

use std::ffi::OsString;
use std::fmt;
use std::io::{ErrorKind, Read};
use std::ops::Range;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use super::{brief, check_name, stopped, url_of, Again, Answer, Failure, Listed, Stat, Store, Stored, Upload};
use crate::error::{Error, Kind, Result};
use crate::hex::hex;

/// Runs `/bin/sh -c COMMAND` for each file. There is no way to ask it later what it has stored.
pub(super) struct CommandStore {
    url: String,
    command: String,
}

impl CommandStore {
    /// The command finds its parameters in [`VARIABLES`].
    pub(super) fn new(command: &str) -> Result<Self> {
        if command.trim().is_empty() {
            return Err(Error::invalid("exec: must be followed by a command"));
        }
        if command.contains('\0') {
            return Err(Error::invalid("a command cannot have a NUL in it"));
        }
        check_placeholders(command)?;
        // The rest of the command may contain a secret, and still distinguishes one store from another.
        let program = command.split_whitespace().next().unwrap_or_default();
        let sum = Sha256::digest(command.as_bytes());
        Ok(CommandStore { url: format!("exec:{program}#{}", hex(&sum[..4])), command: command.to_owned() })
    }

    fn unsupported<T>(&self, name: &str) -> Answer<T> {
        let reason = "a command stores files, but cannot be asked for them";
        Err(Failure::when_mended(Error::new(Kind::Unsupported, reason)).at(&url_of(&self.url, name)))
    }

    /// Runs the command until it ends; returns its exit status (128 and more: a signal), and the last line of its errors.
    fn run(&self, upload: &Upload<'_>) -> Answer<(Option<i32>, String)> {
        // The host may ignore SIGCHLD, or wait for any child: then the status would not be available here. A shell
        // around the command therefore writes it to its own standard output, which no other process has, and which is
        // closed when it ends. The shell also sets the variables: its arguments are never read as commands, and the
        // host's environment, which another thread may be changing, is not read.
        let mut child = Command::new("/bin/sh")
            .args(["-c", SHELL, "sh", &self.command])
            .args(values(upload))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .map_err(|e| Failure::later(Error::io(&e, "start the command")))?;
        let ended = self.listen(&mut child, upload);
        if ended.is_err() {
            end(&mut child);
        }
        let _ = child.wait();
        ended
    }

    fn listen(&self, child: &mut Child, upload: &Upload<'_>) -> Answer<(Option<i32>, String)> {
        let failed = |e: std::io::Error| Failure::later(Error::io(&e, "listen to the command"));
        let missing = || std::io::Error::from_raw_os_error(libc::EBADF);
        let mut status = child.stdout.take().ok_or_else(missing).map_err(failed)?;
        let mut errors = child.stderr.take().ok_or_else(missing).map_err(failed)?;
        set_nonblocking(&status).map_err(failed)?;
        set_nonblocking(&errors).map_err(failed)?;
        let (mut output, mut complaints) = (Tail::default(), Tail::default());
        loop {
            wait_readable([status.as_raw_fd(), if complaints.ended { -1 } else { errors.as_raw_fd() }]);
            complaints.take_from(&mut errors);
            output.take_from(&mut status);
            // A background process may keep the other pipe open: it is not waited for.
            if output.ended {
                complaints.take_from(&mut errors);
                return Ok((output.last_line().parse().ok(), complaints.last_line()));
            }
            if upload.monitor.stop() {
                return Err(stopped());
            }
        }
    }
}

/// Ends a command whose caller no longer waits for it, and its children: with SIGTERM, and with SIGKILL after a while.
fn end(child: &mut Child) {
    let group = -(child.id() as libc::pid_t);
    // SAFETY: a plain system call. The shell that leads the group has not been waited for: the number is still its own.
    unsafe { libc::kill(group, libc::SIGTERM) };
    for _ in 0..50 {
        if !matches!(child.try_wait(), Ok(None)) {
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    // SAFETY: as above.
    unsafe { libc::kill(group, libc::SIGKILL) };
}

/// The variables that describe the file to the command.
const VARIABLES: [&str; 4] = ["BINLOG_PATH", "BINLOG_NAME", "BINLOG_BYTES", "BINLOG_SHA256"];

/// The shell around the command: $1 is the command, and the values of [`VARIABLES`] follow.
const SHELL: &str =
    "BINLOG_PATH=$2 BINLOG_NAME=$3 BINLOG_BYTES=$4 BINLOG_SHA256=$5 /bin/sh -c \"$1\" >/dev/null; echo $?";

/// The values of [`VARIABLES`], in their order.
fn values(upload: &Upload<'_>) -> [OsString; VARIABLES.len()] {
    // An absolute path is never taken for an option, and remains right after a `cd`.
    let path = std::path::absolute(upload.path).unwrap_or_else(|_| Path::new(".").join(upload.path));
    let sums = upload.sums;
    [path.into(), upload.name.into(), sums.bytes.to_string().into(), hex(&sums.sha256).into()]
}

/// Earlier versions replaced `%p` and `%f`. A command that still contains them would use files of those names: it is
/// refused, with a message that names the replacement. `%%` is left to the shell, where it has a meaning of its own.
fn check_placeholders(command: &str) -> Result<()> {
    let mut chars = command.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            continue;
        }
        let (placeholder, variable) = match chars.next() {
            Some('p') => ("%p", VARIABLES[0]),
            Some('f') => ("%f", VARIABLES[1]),
            _ => continue,
        };
        return Err(Error::invalid(format!(
            "{placeholder} is not replaced in a command: write \"${variable}\" instead, in double quotes (and %\\{} where \
             the command itself needs {placeholder})",
            &placeholder[1..]
        )));
    }
    Ok(())
}

/// The end of a command's output.
#[derive(Default)]
struct Tail {
    bytes: Vec<u8>,
    ended: bool,
}

impl Tail {
    const MOST: usize = 4096;

    /// Takes what is there now.
    fn take_from(&mut self, pipe: &mut impl Read) {
        let mut buffer = [0; 4096];
        // A command that writes without end must not hide that it has ended.
        for _ in 0..64 {
            match pipe.read(&mut buffer) {
                Ok(n @ 1..) => {
                    self.bytes.extend_from_slice(&buffer[..n]);
                    let over = self.bytes.len().saturating_sub(Self::MOST);
                    self.bytes.drain(..over);
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => (),
                Err(e) if e.kind() == ErrorKind::WouldBlock => return,
                Ok(_) | Err(_) => {
                    self.ended = true;
                    return;
                }
            }
        }
    }

    fn last_line(&self) -> String {
        let text = String::from_utf8_lossy(&self.bytes);
        brief(text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default())
    }
}

fn set_nonblocking(pipe: &impl AsRawFd) -> std::io::Result<()> {
    // SAFETY: plain system calls on a descriptor that `pipe` keeps open.
    let done = unsafe {
        match libc::fcntl(pipe.as_raw_fd(), libc::F_GETFL) {
            flags @ 0.. => libc::fcntl(pipe.as_raw_fd(), libc::F_SETFL, flags | libc::O_NONBLOCK),
            failed => failed,
        }
    };
    match done {
        0.. => Ok(()),
        _ => Err(std::io::Error::last_os_error()),
    }
}

/// Waits until one of the pipes has data or has ended, but not long: the caller may want to stop the upload. A negative
/// descriptor is ignored.
fn wait_readable(pipes: [RawFd; 2]) {
    const A_WHILE_MS: libc::c_int = 100;
    let mut polls = pipes.map(|fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 });
    // SAFETY: two entries that live across the call.
    unsafe { libc::poll(polls.as_mut_ptr(), 2, A_WHILE_MS) };
}

impl fmt::Debug for CommandStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)
    }
}

impl Store for CommandStore {
    fn url(&self) -> &str {
        &self.url
    }

    fn can_read(&self) -> bool {
        false
    }

    fn stat(&self, name: &str) -> Answer<Option<Stat>> {
        self.unsupported(name)
    }

    fn upload(&self, upload: &Upload<'_>) -> Answer<Stored> {
        check_name(&self.url, upload.name)?;
        let at = |failure: Failure| failure.at(&url_of(&self.url, upload.name));
        let (status, complaint) = self.run(upload).map_err(at)?;
        let detail = if complaint.is_empty() { String::new() } else { format!(": {complaint}") };
        let failed = |how: String, again| {
            Err(at(Failure { error: Error::new(Kind::Io, format!("the command {how}{detail}")), again }))
        };
        match status {
            Some(0) => {
                upload.monitor.sent(upload.sums.bytes);
                Ok(Stored::New)
            }
            Some(status @ 1..=125) => failed(format!("ended with status {status}"), Again::Later(None)),
            Some(126) => failed("cannot be executed (status 126)".into(), Again::WhenMended),
            Some(127) => failed("was not found (status 127)".into(), Again::WhenMended),
            Some(status @ 129..=192) => failed(format!("was ended by signal {}", status - 128), Again::WhenMended),
            Some(status) => failed(format!("ended with status {status}"), Again::WhenMended),
            None => failed("was ended before it could say its status".into(), Again::WhenMended),
        }
    }

    fn read(&self, name: &str, _ranges: &[Range<u64>]) -> Answer<Vec<Vec<u8>>> {
        self.unsupported(name)
    }

    fn read_end(&self, name: &str, _bytes: u64) -> Answer<(Stat, Vec<u8>)> {
        self.unsupported(name)
    }

    fn list(&self, _prefix: &str) -> Answer<Vec<Listed>> {
        self.unsupported("")
    }

    fn remove(&self, name: &str) -> Answer<()> {
        self.unsupported(name)
    }

    fn abort(&self, _name: &str, _token: &str) -> Answer<()> {
        Ok(())
    }

    fn abort_stale(&self, _prefix: &str, _age: Duration) -> Answer<u64> {
        Ok(0)
    }
}
