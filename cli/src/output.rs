//! Standard output is data, standard error is talk.

use std::fmt::Display;
use std::io::{self, BufWriter, ErrorKind, IsTerminal, Write};

use crate::plain::Plain;

/// Why a command ends early.
#[derive(Debug)]
pub enum Fail {
    /// Nobody reads standard output any more, as in `binlog cat … | head`: a quiet end.
    Closed,
    /// To be told on standard error.
    Told(String),
}

impl Fail {
    pub fn told(message: impl Display) -> Self {
        Fail::Told(message.to_string())
    }
}

impl From<binlog::Error> for Fail {
    fn from(error: binlog::Error) -> Self {
        Fail::told(error)
    }
}

/// Of writing to standard output; no other input or output of the commands goes through this conversion.
impl From<io::Error> for Fail {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::BrokenPipe => Fail::Closed,
            _ => Fail::Told(format!("standard output: {error}")),
        }
    }
}

/// Buffered standard output. On a terminal, control characters of what logs hold are shown and not sent.
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

    /// To the system, so that whoever reads sees it.
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

/// One line on standard error. That nobody reads it is no reason to stop.
pub fn complain(message: &str) {
    let message = message.replace(char::is_control, " ");
    let _ = writeln!(io::stderr(), "binlog: {message}");
}
