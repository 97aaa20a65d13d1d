//! Where an export goes: standard output, or a file that is written whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

use flate2::write::GzEncoder;
use flate2::Compression;

use crate::output::{Fail, Out};

/// The file's name until it is whole.
const UNFINISHED: &str = ".exporting";
const BUFFER: usize = 256 << 10;

pub enum Target {
    Standard(Out),
    File(Unfinished),
}

impl Target {
    /// Adds the file to an error's message.
    pub fn failed(&self, error: io::Error) -> Fail {
        match self {
            Target::Standard(_) => error.into(),
            Target::File(file) => Fail::Message(format!("{}: cannot write: {error}", file.path.display())),
        }
    }

    pub fn out(&mut self) -> &mut dyn Write {
        match self {
            Target::Standard(out) => out,
            Target::File(file) => &mut file.sink,
        }
    }

    /// Makes what was written durable, under its own name.
    pub fn finish(self) -> Result<(), Fail> {
        match self {
            Target::Standard(mut out) => out.flush(),
            Target::File(file) => file.finish(),
        }
    }
}

/// Refuses to write over an existing file.
pub fn check(path: &Path, force: bool) -> Result<(), Fail> {
    let shown = path.display();
    match fs::symlink_metadata(path) {
        Ok(there) if !there.is_file() => Err(Fail::Message(format!("{shown} is there, and is no file"))),
        Ok(_) if !force => Err(Fail::Message(format!("{shown} is there already: --force replaces it"))),
        _ => Ok(()),
    }
}

/// The file, under another name beside its own. An unfinished one is removed.
pub struct Unfinished {
    path: PathBuf,
    temporary: PathBuf,
    force: bool,
    sink: Sink,
}

enum Sink {
    Plain(BufWriter<File>),
    Gzip(Box<GzEncoder<BufWriter<File>>>),
    Finished,
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Sink::Plain(file) => file.write(bytes),
            Sink::Gzip(file) => file.write(bytes),
            Sink::Finished => Err(ErrorKind::BrokenPipe.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Sink::Plain(file) => file.flush(),
            Sink::Gzip(file) => file.flush(),
            Sink::Finished => Ok(()),
        }
    }
}

impl Unfinished {
    pub fn create(path: &Path, gzip: bool, force: bool) -> Result<Self, Fail> {
        check(path, force)?;
        let mut temporary = path.as_os_str().to_owned();
        temporary.push(UNFINISHED);
        let temporary = PathBuf::from(temporary);
        let file = OpenOptions::new().write(true).create_new(true).open(&temporary).map_err(|e| {
            let shown = temporary.display();
            Fail::Message(match e.kind() {
                ErrorKind::AlreadyExists => format!(
                    "{shown} is there: another export is at work on it, or one was killed; then remove it, and call again"
                ),
                _ => format!("{shown}: cannot create: {e}"),
            })
        })?;
        let file = BufWriter::with_capacity(BUFFER, file);
        let sink = match gzip {
            true => Sink::Gzip(Box::new(GzEncoder::new(file, Compression::default()))),
            false => Sink::Plain(file),
        };
        Ok(Unfinished { path: path.to_owned(), temporary, force, sink })
    }

    fn finish(mut self) -> Result<(), Fail> {
        self.put_in_place().map_err(|e| {
            let shown = self.path.display();
            Fail::Message(match e.kind() {
                ErrorKind::AlreadyExists => format!("{shown} has come to be meanwhile: --force replaces it"),
                _ => format!("{shown}: cannot write: {e}"),
            })
        })
    }

    fn put_in_place(&mut self) -> io::Result<()> {
        let buffer = match std::mem::replace(&mut self.sink, Sink::Finished) {
            Sink::Plain(buffer) => buffer,
            Sink::Gzip(encoder) => encoder.finish()?,
            Sink::Finished => return Ok(()),
        };
        let file = buffer.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        drop(file);
        match self.force {
            true => fs::rename(&self.temporary, &self.path)?,
            false => match fs::hard_link(&self.temporary, &self.path) {
                // `drop` removes the other name.
                Ok(()) => (),
                Err(e) if e.kind() == ErrorKind::AlreadyExists => return Err(e),
                // A file system without links.
                Err(_) if self.path.symlink_metadata().is_err() => fs::rename(&self.temporary, &self.path)?,
                Err(_) => return Err(ErrorKind::AlreadyExists.into()),
            },
        }
        let directory = match self.path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        File::open(directory)?.sync_all()
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.temporary);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_comes_to_be_meanwhile_stays() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("out");
        for force in [false, true] {
            fs::remove_file(&path).ok();
            let mut file = Unfinished::create(&path, false, force).unwrap();
            file.sink.write_all(b"exported").unwrap();
            fs::write(&path, "another's").unwrap();
            assert_eq!(file.finish().is_ok(), force);
            assert_eq!(fs::read(&path).unwrap(), if force { &b"exported"[..] } else { b"another's" });
            assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1);
        }
    }
}
