//! Ready-made hooks for closed segments.
//!
//! ```
//! use binlog::hooks::{self, Hooks};
//! use binlog::WriterOptions;
//!
//! let options = WriterOptions {
//!     hooks: Hooks { on_close: vec![hooks::change_extension(".done"), hooks::move_to("archive")], ..Hooks::default() },
//!     ..WriterOptions::default()
//! };
//! # drop(options);
//! ```
//!
//! None of them ever replaces an existing file: it fails with [`crate::Kind::Invalid`], and the segment stays where it
//! was. A name that they give or remove is durable on return. A segment that they have moved out of the log's
//! directory, or given another extension, is no longer a part of the log for readers and for retention.

use std::fs::{self, FileTimes};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::io::{open, rename_new, Rights};
pub use crate::options::{Hook, Hooks, OnFailure, SegmentFile};

/// Changes the extension of the segment's file: with ".done", `orders.0000000001.binlog` becomes
/// `orders.0000000001.done`. It replaces the part of the name from the last dot on.
///
/// The extension begins with a dot, and may contain more dots, but no slash; a hook made with another one fails with
/// [`crate::Kind::Invalid`] each time.
pub fn change_extension(extension: &str) -> Hook {
    let extension = extension.to_owned();
    Arc::new(move |segment| {
        check_extension(&extension)?;
        let from = segment.path.as_path();
        let stem = from.file_stem().ok_or_else(|| Error::invalid("this is not the path of a file").at(from))?;
        let mut name = stem.to_owned();
        name.push(&extension);
        let to = from.with_file_name(name);
        rename(from, &to).map_err(|e| failed(&e, "rename", from, &to))?;
        sync_directory_of(from)?;
        Ok(Some(to))
    })
}

/// Moves the segment's file into a directory, under its name. The directory must exist; a relative path is one from the
/// working directory at the time of this call.
///
/// To another file system the file is copied: under a name that begins with a dot until all of it is durable, with its
/// permission bits, owner, group (as far as permitted, and never with wider permissions) and times; then the original
/// is removed. A crash in between leaves both the original and the copy.
pub fn move_to(directory: impl Into<PathBuf>) -> Hook {
    let directory = directory.into();
    let directory = std::path::absolute(&directory).unwrap_or(directory);
    Arc::new(move |segment| {
        let from = segment.path.as_path();
        let name = from.file_name().ok_or_else(|| Error::invalid("this is not the path of a file").at(from))?;
        let to = directory.join(name);
        match rename(from, &to) {
            Err(e) if e.raw_os_error() == Some(libc::EXDEV) => copy_over(from, &to)?,
            moved => moved.map_err(|e| failed(&e, "move", from, &to))?,
        }
        // The new name is synced before the old one: after a crash, at least one of them exists.
        sync_directory_of(&to)?;
        sync_directory_of(from)?;
        Ok(Some(to))
    })
}

/// Removes the segment's file. It should come last: hooks after it find no file.
pub fn delete() -> Hook {
    Arc::new(|segment| {
        let path = segment.path.as_path();
        fs::remove_file(path).map_err(|e| Error::io(&e, "remove").at(path))?;
        sync_directory_of(path)?;
        Ok(None)
    })
}

/// Refuses an invalid extension.
pub(crate) fn check_extension(extension: &str) -> Result<()> {
    let rest = extension.strip_prefix('.').unwrap_or_default();
    match rest.is_empty() || rest.contains('/') || rest.contains('\0') || rest.len() > 64 {
        true => Err(Error::invalid(format!("{extension:?} is no file extension such as \".done\""))),
        false => Ok(()),
    }
}

/// Renames a file to a name that must not exist.
fn rename(from: &Path, to: &Path) -> io::Result<()> {
    match rename_new(from, to) {
        // Both names refer to the same file: an earlier try was interrupted.
        Err(e) if e.kind() == ErrorKind::AlreadyExists && from != to && is_same_file(from, to) => fs::remove_file(from),
        renamed => renamed,
    }
}

fn is_same_file(a: &Path, b: &Path) -> bool {
    match (fs::symlink_metadata(a), fs::symlink_metadata(b)) {
        (Ok(a), Ok(b)) => (a.dev(), a.ino()) == (b.dev(), b.ino()),
        _ => false,
    }
}

/// Moves a file to another file system.
fn copy_over(from: &Path, to: &Path) -> Result<()> {
    if fs::symlink_metadata(to).is_ok() {
        return Err(taken(to));
    }
    let name = to.file_name().unwrap_or_default().to_string_lossy();
    let partial = to.with_file_name(format!(".{name}.{}.part", std::process::id()));
    let copied = copy(from, &partial).map_err(|e| failed(&e, "copy", from, &partial)).and_then(|()| {
        rename_new(&partial, to).map_err(|e| failed(&e, "rename", &partial, to))?;
        sync_directory_of(to)
    });
    if copied.is_err() {
        let _ = fs::remove_file(&partial);
        return copied;
    }
    fs::remove_file(from).map_err(|e| Error::io(&e, "remove").at(from))
}

/// A durable copy with the same permissions and times.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let (mut source, facts) = open::to_read_itself(from)?;
    let mut target = open::new(to, 0o600)?;
    Rights::of(&facts).give_to(&target)?;
    io::copy(&mut source, &mut target)?;
    target.set_times(FileTimes::new().set_accessed(facts.accessed()?).set_modified(facts.modified()?))?;
    target.sync_all()
}

fn sync_directory_of(path: &Path) -> Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let synced = open::directory(directory).and_then(|directory| directory.sync_all());
    synced.map_err(|e| Error::io(&e, "sync").at(directory))
}

fn failed(error: &io::Error, doing: &str, from: &Path, to: &Path) -> Error {
    match error.kind() {
        ErrorKind::AlreadyExists => taken(to),
        _ => Error::io(error, &format!("{doing} to {}", to.display())).at(from),
    }
}

fn taken(to: &Path) -> Error {
    Error::invalid("the file is there already, and is not replaced").at(to)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hooks::SegmentFile;
    use crate::Kind;
    use std::os::unix::fs::PermissionsExt;

    fn segment(path: &Path) -> SegmentFile {
        SegmentFile {
            path: path.to_owned(),
            log: "orders".to_owned(),
            sequence: 1,
            created: 0,
            first_id: 1,
            records: 1,
            bytes: 5,
            reason: "close".to_owned(),
        }
    }

    fn make(directory: &Path, name: &str, contents: &str) -> PathBuf {
        let path = directory.join(name);
        fs::write(&path, contents).unwrap();
        path
    }

    fn names(directory: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn an_extension_takes_the_place_of_the_last_one() {
        let home = tempfile::tempdir().unwrap();
        let from = make(home.path(), "orders.0000000001.binlog", "bytes");
        let to = change_extension(".done")(&segment(&from)).unwrap().unwrap();
        assert_eq!(to, home.path().join("orders.0000000001.done"));
        assert_eq!(names(home.path()), ["orders.0000000001.done"]);
        let again = change_extension(".done.old")(&segment(&to)).unwrap().unwrap();
        assert_eq!(fs::read_to_string(again).unwrap(), "bytes");
        for wrong in ["", "done", ".", "./x", ".a/b", ".a\0"] {
            assert_eq!(change_extension(wrong)(&segment(&from)).unwrap_err().kind(), Kind::Invalid, "{wrong:?}");
        }
    }

    #[test]
    fn no_hook_replaces_a_file_that_is_there() {
        let (home, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let from = make(home.path(), "a.0000000001.binlog", "new");
        let done = make(home.path(), "a.0000000001.done", "old");
        let moved = make(other.path(), "a.0000000001.binlog", "old");
        for (hook, there) in [(change_extension(".done"), &done), (move_to(other.path()), &moved)] {
            let error = hook(&segment(&from)).unwrap_err();
            assert_eq!((error.kind(), error.path()), (Kind::Invalid, Some(there.as_path())));
        }
        assert_eq!(copy_over(&from, &moved).unwrap_err().kind(), Kind::Invalid);
        assert_eq!(change_extension(".binlog")(&segment(&from)).unwrap_err().kind(), Kind::Invalid);
        let read = |path: &Path| fs::read_to_string(path).unwrap();
        assert_eq!((read(&from), read(&done), read(&moved)), ("new".into(), "old".into(), "old".into()));
        assert_eq!(names(other.path()), ["a.0000000001.binlog"]);
    }

    #[test]
    fn a_rename_that_got_half_way_is_completed() {
        let home = tempfile::tempdir().unwrap();
        let from = make(home.path(), "a.0000000001.binlog", "bytes");
        fs::hard_link(&from, home.path().join("a.0000000001.done")).unwrap();
        change_extension(".done")(&segment(&from)).unwrap();
        assert_eq!(names(home.path()), ["a.0000000001.done"]);
    }

    #[test]
    fn a_segment_is_moved_into_a_directory_that_is_there() {
        let (home, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let from = make(home.path(), "a.0000000001.binlog", "bytes");
        let missing = move_to(other.path().join("missing"))(&segment(&from)).unwrap_err();
        assert_eq!((missing.kind(), missing.path()), (Kind::NotFound, Some(from.as_path())));
        let to = move_to(other.path())(&segment(&from)).unwrap().unwrap();
        assert_eq!((to.parent(), fs::read_to_string(&to).unwrap()), (Some(other.path()), "bytes".to_owned()));
        assert_eq!(names(home.path()), [""; 0]);
    }

    #[test]
    fn a_copy_to_another_file_system_keeps_rights_and_time_and_leaves_no_part() {
        let (home, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let from = make(home.path(), "a.0000000001.binlog", "bytes");
        // Only root may.
        let _ = std::os::unix::fs::chown(&from, Some(61_234), Some(61_235));
        fs::set_permissions(&from, fs::Permissions::from_mode(0o604)).unwrap();
        let before = fs::metadata(&from).unwrap();
        let to = other.path().join("a.0000000001.binlog");
        copy_over(&from, &to).unwrap();
        let after = fs::metadata(&to).unwrap();
        assert_eq!((after.mode() & 0o777, after.modified().unwrap()), (0o604, before.modified().unwrap()));
        assert_eq!((after.uid(), after.gid()), (before.uid(), before.gid()));
        assert_eq!((names(home.path()), names(other.path())), (vec![], vec!["a.0000000001.binlog".to_owned()]));
    }

    #[test]
    fn deleting_removes_the_file() {
        let home = tempfile::tempdir().unwrap();
        let path = make(home.path(), "a.0000000001.binlog", "bytes");
        assert_eq!(delete()(&segment(&path)).unwrap(), None);
        assert_eq!(delete()(&segment(&path)).unwrap_err().kind(), Kind::NotFound);
    }
}
