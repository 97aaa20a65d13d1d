//! Standard output is for data, standard error for messages.

use std::fmt::Display;
use std::io::{self, BufWriter, ErrorKind, IsTerminal, Write};

use crate::plain::Plain;

/// Why a command ends early.
#[derive(Debug)]
pub enum Fail {
    /// The reader of standard output has closed it, as in `binlog cat … | head`: no message.
    Closed,
    /// With a message for standard error.
    Message(String),
}

impl Fail {
    pub fn message(message: impl Display) -> Self {
        Fail::Message(message.to_string())
    }
}

impl From<binlog::Error> for Fail {
    fn from(error: binlog::Error) -> Self {
        Fail::message(error)
    }
}

/// An error of standard output; no other I/O error of the commands goes through this conversion.
impl From<io::Error> for Fail {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::BrokenPipe => Fail::Closed,
            _ => Fail::Message(format!("standard output: {error}")),
        }
    }
}

/// Buffered standard output. On a terminal, control characters in logs are shown and not sent.
pub struct Out(BufWriter<Box<dyn Write>>);

impl Out {
    pub fn new() -> Self {
        let out = io::stdout().lock();
        match out.is_terminal() {
            true => Self::of(Box::new(Plain::new(out))),
            false => Self::of(Box::new(out)),
        }
    }

    /// With control characters, on a terminal too.
    pub fn raw() -> Self {
        Self::of(Box::new(io::stdout().lock()))
    }

    fn of(out: Box<dyn Write>) -> Self {
        Out(BufWriter::with_capacity(256 << 10, out))
    }

    pub fn put(&mut self, bytes: &[u8]) -> Result<(), Fail> {
        Ok(self.0.write_all(bytes)?)
    }

    /// Passes everything to the system, where the reader of the output sees it.
    pub fn flush(&mut self) -> Result<(), Fail> {
        Ok(self.0.flush()?)
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Prints one line on standard error, and ignores a failure to do so.
pub fn complain(message: &str) {
    let message = message.replace(char::is_control, " ");
    let _ = writeln!(io::stderr(), "binlog: {message}");
}
