//! The error type: the kind of failure, the file, the offset, and the system's reason.

use std::fmt;
use std::path::{Path, PathBuf};

/// The closed list of failures. Each kind is one status of the C interface, and has its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(i32)]
pub enum Kind {
    /// The caller's arguments are wrong; nothing was done.
    Invalid = -1,
    /// The system failed to read or write; the reason is in [`Error::os_code`].
    Io = -2,
    /// The bytes of a file are not what a writer wrote.
    Corrupt = -3,
    /// There is no such file, log, type or key.
    NotFound = -4,
    /// Another writer has the log open.
    Locked = -5,
    /// A record, a batch, a buffer or a block is over its limit.
    TooLarge = -6,
    /// This build, this format version or this kind of log cannot do it.
    Unsupported = -7,
    /// An fsync failed earlier: the state of the disk is unknown, and the writer refuses to continue until it is
    /// reopened.
    Failed = -8,
    /// The disk, the quota or the file size limit is full. Writing works again once there is space.
    NoSpace = -9,
    /// The handle was made before a fork, and this is the child.
    Forked = -10,
    /// Records that were requested are no longer in the log, because old segments were removed: [`Error::missed`]
    /// returns which. Reported once; the next call continues behind them.
    Missed = -11,
    /// The log is not the required one.
    Mismatch = -12,
    /// The system has no memory for what a file, a caller or another machine requires. Nothing was done, and the same
    /// call may be tried again.
    NoMemory = -13,
    /// A wait was ended from outside, by [`Interrupter::interrupt`](crate::Interrupter::interrupt) or by a signal.
    /// Nothing was done, and the same call may be tried again.
    Interrupted = -14,
}

impl Kind {
    /// All of them, in the order of their numbers.
    const ALL: [Kind; 14] = [
        Kind::Invalid,
        Kind::Io,
        Kind::Corrupt,
        Kind::NotFound,
        Kind::Locked,
        Kind::TooLarge,
        Kind::Unsupported,
        Kind::Failed,
        Kind::NoSpace,
        Kind::Forked,
        Kind::Missed,
        Kind::Mismatch,
        Kind::NoMemory,
        Kind::Interrupted,
    ];

    /// The status of the C interface.
    pub(crate) fn status(self) -> i32 {
        self as i32
    }

    /// The kind for the status of another library or a callback. States of this library's own handles, which neither
    /// can have, become [`Kind::Io`], and so do unknown ones.
    pub(crate) fn of_status(status: i32) -> Self {
        let known = Self::ALL.into_iter().find(|kind| kind.status() == status);
        known.filter(|kind| !matches!(kind, Kind::Failed | Kind::Forked | Kind::Missed)).unwrap_or(Kind::Io)
    }
}

/// The result of functions of this library.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure, described in one line, with its facts as fields for programs.
#[derive(Clone)]
pub struct Error(Box<Facts>);

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Error {}

#[derive(Clone, Debug)]
struct Facts {
    kind: Kind,
    reason: String,
    path: Option<PathBuf>,
    offset: Option<u64>,
    os_code: Option<i32>,
    record_id: Option<u64>,
    missed: Option<(u64, u64)>,
}

/// A panic in a function or a thread, as an error: the rest of the library continues.
pub fn a_defect(consequence: &str) -> Error {
    Error::new(Kind::Failed, "a defect of the library (a panic)").because(consequence)
}

impl Error {
    /// A failure of this kind, for this reason.
    pub fn new(kind: Kind, reason: impl Into<String>) -> Self {
        let reason = reason.into();
        Error(Box::new(Facts { kind, reason, path: None, offset: None, os_code: None, record_id: None, missed: None }))
    }

    /// A failure for wrong arguments.
    pub fn invalid(reason: impl Into<String>) -> Self {
        Self::new(Kind::Invalid, reason)
    }

    pub(crate) fn corrupt(reason: impl fmt::Display) -> Self {
        Self::new(Kind::Corrupt, reason.to_string())
    }

    /// A failure of a system call; `doing` states what was tried, such as "write" or "open".
    pub fn io(error: &std::io::Error, doing: &str) -> Self {
        if let Some(own) = Self::within(error) {
            return own.clone();
        }
        let code = error.raw_os_error();
        let kind = match code {
            Some(libc::ENOSPC | libc::EDQUOT | libc::EFBIG) => Kind::NoSpace,
            Some(libc::ENOENT | libc::ENOTDIR) => Kind::NotFound,
            Some(libc::ENOMEM) => Kind::NoMemory,
            None if is_no_memory(error) => Kind::NoMemory,
            _ => Kind::Io,
        };
        let mut made = Self::new(kind, format!("cannot {doing}: {error}"));
        made.0.os_code = code;
        made
    }

    /// This library's own error inside an error of files and directories: those of other machines have details for
    /// which the system has no numbers.
    pub(crate) fn within(error: &std::io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }

    /// Records, from the first to the last of these ids, that are no longer in the log.
    pub(crate) fn of_missed(first: u64, last: u64) -> Self {
        let reason = format!("the records {first} to {last} are no longer here: old segments of the log were removed");
        let mut made = Self::new(Kind::Missed, reason);
        made.0.missed = Some((first, last));
        made
    }

    /// Adds the file, directory or URL that it happened in, unless there is one already.
    pub fn at(mut self, path: &Path) -> Self {
        self.0.path.get_or_insert_with(|| path.to_owned());
        self
    }

    pub(crate) fn at_offset(mut self, path: &Path, offset: u64) -> Self {
        self.0.offset.get_or_insert(offset);
        self.at(path)
    }

    /// Marks a failure after which a record is in the log anyway, under this id.
    pub(crate) fn although_taken(mut self, id: u64) -> Self {
        self.0.record_id = Some(id);
        self
    }

    /// Adds a consequence before the reason.
    pub fn because(mut self, consequence: &str) -> Self {
        self.0.reason = format!("{consequence}: {}", self.0.reason);
        self
    }

    /// The same failure as another kind.
    pub fn with_kind(mut self, kind: Kind) -> Self {
        self.0.kind = kind;
        self
    }

    /// Sets the closest `errno`, if it was no system call that failed.
    pub fn with_os_code(mut self, code: i32) -> Self {
        self.0.os_code = Some(code);
        self
    }

    /// The kind of the failure.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// The file or directory that it happened in.
    pub fn path(&self) -> Option<&Path> {
        self.0.path.as_deref()
    }

    /// The offset in that file, in bytes from its beginning.
    pub fn offset(&self) -> Option<u64> {
        self.0.offset
    }

    /// The system's `errno`, when a system call failed.
    pub fn os_code(&self) -> Option<i32> {
        self.0.os_code
    }

    /// The (first) id of a record that an append took although it failed afterwards: the record is in the writer's
    /// memory, and only the flush or sync that a policy requires did not succeed.
    pub fn record_id(&self) -> Option<u64> {
        self.0.record_id
    }

    /// First and last id of the records that are no longer in the log ([`Kind::Missed`]).
    pub fn missed(&self) -> Option<(u64, u64)> {
        self.0.missed
    }

    /// The reason alone, without file and offset.
    pub fn reason(&self) -> &str {
        &self.0.reason
    }
}

/// Whether the standard library, or a codec, found no memory.
pub(crate) fn is_no_memory(error: &std::io::Error) -> bool {
    // The message of zstd, in all of its versions.
    const ZSTD: &str = "Allocation error : not enough memory";
    error.kind() == std::io::ErrorKind::OutOfMemory || error.get_ref().is_some_and(|e| e.to_string() == ZSTD)
}

impl fmt::Display for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(path) = &self.path {
            write!(f, "{}: ", path.display())?;
        }
        if let Some(offset) = self.offset {
            write!(f, "offset {offset}: ")?;
        }
        f.write_str(&self.reason)?;
        if let Some(id) = self.record_id {
            write!(f, " (record {id} was taken and waits in memory)")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.0.kind, self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_line_with_file_offset_and_reason() {
        let error = Error::corrupt("payload page 3 fails its checksum").at_offset(Path::new("a.binlog"), 4096);
        assert_eq!(error.to_string(), "a.binlog: offset 4096: payload page 3 fails its checksum");
        assert_eq!((error.kind(), error.offset()), (Kind::Corrupt, Some(4096)));
    }

    #[test]
    fn memory_that_the_system_or_a_codec_does_not_get_is_no_memory() {
        let of_zstd = std::io::Error::other("Allocation error : not enough memory");
        let of_std = std::io::ErrorKind::OutOfMemory.into();
        for error in [std::io::Error::from_raw_os_error(libc::ENOMEM), of_zstd, of_std] {
            assert_eq!(Error::io(&error, "read").kind(), Kind::NoMemory);
        }
    }

    #[test]
    fn a_full_disk_a_quota_and_a_file_size_limit_are_no_space() {
        for code in [libc::ENOSPC, libc::EDQUOT, libc::EFBIG] {
            let error = Error::io(&std::io::Error::from_raw_os_error(code), "write");
            assert_eq!((error.kind(), error.os_code()), (Kind::NoSpace, Some(code)));
        }
    }
}
