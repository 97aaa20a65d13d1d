//! Opening files in a directory that may contain anything: only regular files are opened, opening never waits for
//! another process, and nothing is written through a symbolic link.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{ErrorKind, Result};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

use crate::error::Error;

/// Opens a file to read it; a symbolic link is followed.
pub fn to_read(path: &Path) -> Result<(File, Metadata)> {
    regular(path, OpenOptions::new().read(true), 0)
}

/// Opens an existing file for reading and writing. The name must refer to the file itself, not to a link.
pub(crate) fn to_write(path: &Path) -> Result<(File, Metadata)> {
    regular(path, OpenOptions::new().read(true).write(true), libc::O_NOFOLLOW)
}

/// As [`to_read`], but refuses a symbolic link.
pub(crate) fn to_read_itself(path: &Path) -> Result<(File, Metadata)> {
    regular(path, OpenOptions::new().read(true), libc::O_NOFOLLOW)
}

/// Creates a file. The name must not exist yet, not even as a symbolic link to nothing.
pub(crate) fn new(path: &Path, mode: u32) -> Result<File> {
    OpenOptions::new().read(true).write(true).create_new(true).mode(mode).open(path)
}

/// Opens a directory, to make the names in it durable.
pub(crate) fn directory(path: &Path) -> Result<File> {
    OpenOptions::new().read(true).custom_flags(libc::O_DIRECTORY).open(path)
}

/// Whether opening failed because this is not a file: a FIFO, a directory, a link that is not followed or leads in a
/// circle.
pub fn is_no_file(error: &std::io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EISDIR | libc::ELOOP))
        || (error.kind() == ErrorKind::InvalidInput && Error::within(error).is_some())
}

fn regular(path: &Path, options: &mut OpenOptions, flags: i32) -> Result<(File, Metadata)> {
    // Without it, opening would wait for a writer of a FIFO.
    let file = match options.custom_flags(flags | libc::O_NONBLOCK).open(path) {
        Ok(file) => file,
        // Another process holds a lease on the file, and gives it up on request: this waits for that.
        Err(e) if e.kind() == ErrorKind::WouldBlock && path.symlink_metadata().is_ok_and(|facts| facts.is_file()) => {
            options.custom_flags(flags).open(path)?
        }
        Err(e) => return Err(explained(path, e)),
    };
    let facts = file.metadata()?;
    match facts.is_file() {
        true => Ok((file, facts)),
        false => Err(no_file(&facts)),
    }
}

/// Describes what is there, where the system's error does not.
fn explained(path: &Path, error: std::io::Error) -> std::io::Error {
    match error.raw_os_error() {
        // A link where none is followed, or a circle of links.
        Some(libc::ELOOP | libc::EMLINK) if path.is_symlink() => {
            let reason = "this is a symbolic link, and nothing is written through one: name the file itself";
            match std::fs::metadata(path) {
                Err(e) if e.raw_os_error() == Some(libc::ELOOP) => error,
                _ => std::io::Error::new(ErrorKind::InvalidInput, Error::invalid(reason)),
            }
        }
        // A socket, or a FIFO or a device without its other side.
        Some(libc::ENXIO | libc::ENODEV) => match std::fs::metadata(path) {
            Ok(facts) if !facts.is_file() => no_file(&facts),
            _ => error,
        },
        _ => error,
    }
}

fn no_file(facts: &Metadata) -> std::io::Error {
    let kind = facts.file_type();
    let what = match () {
        () if kind.is_dir() => return std::io::Error::from_raw_os_error(libc::EISDIR),
        () if kind.is_fifo() => "a FIFO",
        () if kind.is_socket() => "a socket",
        () if kind.is_block_device() || kind.is_char_device() => "a device",
        () => "something else",
    };
    std::io::Error::new(ErrorKind::InvalidInput, Error::invalid(format!("this is {what}, and not a regular file")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::CString;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::net::UnixListener;

    type Opened = Result<(File, Metadata)>;

    #[test]
    fn what_is_no_regular_file_is_named_and_not_waited_for() {
        let scratch = tempfile::tempdir().unwrap();
        let (fifo, socket, directory) =
            (scratch.path().join("fifo"), scratch.path().join("socket"), scratch.path().join("directory"));
        let c_path = CString::new(fifo.as_os_str().as_bytes()).unwrap();
        // SAFETY: a NUL-terminated path.
        assert_eq!(unsafe { libc::mkfifo(c_path.as_ptr(), 0o600) }, 0);
        let _listener = UnixListener::bind(&socket).unwrap();
        std::fs::create_dir(&directory).unwrap();
        for (path, what) in [(fifo.as_path(), "FIFO"), (&socket, "socket"), (Path::new("/dev/null"), "device")] {
            for opened in [to_read(path), to_write(path), to_read_itself(path)] {
                let error = opened.unwrap_err();
                assert!(is_no_file(&error) && error.to_string().contains(what), "{what}: {error}");
                assert_eq!(Error::io(&error, "open").kind(), crate::Kind::Invalid);
            }
        }
        assert!([to_read(&directory), to_write(&directory)].into_iter().all(|it| is_no_file(&it.unwrap_err())));
    }

    #[test]
    fn a_symbolic_link_is_followed_to_read_and_never_to_write() {
        let scratch = tempfile::tempdir().unwrap();
        let path = |name: &str| scratch.path().join(name);
        std::fs::write(path("file"), "kept").unwrap();
        for (from, to) in [("link", "file"), ("dangling", "nothing"), ("circle", "circle")] {
            std::os::unix::fs::symlink(path(to), path(from)).unwrap();
        }
        to_read(&path("link")).unwrap();
        for open in [to_write, to_read_itself] as [fn(&Path) -> Opened; 2] {
            for name in ["link", "dangling"] {
                let error = open(&path(name)).unwrap_err();
                assert!(error.to_string().contains("symbolic link"), "{name}: {error}");
            }
        }
        assert_eq!(to_read(&path("circle")).unwrap_err().raw_os_error(), Some(libc::ELOOP));
        assert_eq!(new(&path("dangling"), 0o600).unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert!(!path("nothing").exists());
    }
}
