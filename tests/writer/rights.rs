//! A file that the library makes from another has its permission bits, its owner and its group, from before it has any
//! contents; where one of them cannot be set, it is open to no user to whom the other file was not.
#![cfg(target_os = "linux")]

use std::os::unix::fs::{chown, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use crate::common::interposed::Interposed;
use binlog::compression::{compress, decompress, CompressOptions};
use binlog::io::RealDirectory;
use binlog::recovery::{rebuild_index, recover, recover_in_place};
use binlog::{ReaderOptions, Writer, WriterOptions};

/// Numbers that no account of the machine has.
const OWNER: u32 = 61_234;
const GROUP: u32 = 61_235;

fn is_root() -> bool {
    // SAFETY: has no effect.
    unsafe { libc::geteuid() == 0 }
}

/// Runs `work` in a thread that has the rights of this user and of a group of that number, and no other.
fn as_user<T: Send>(user: u32, work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let none: [libc::gid_t; 0] = [];
            // SAFETY: plain system calls, which change only the calling thread: the C library's own change all threads.
            let done = unsafe {
                [
                    libc::syscall(libc::SYS_setgroups, 0, none.as_ptr()),
                    libc::syscall(libc::SYS_setresgid, user, user, user),
                    libc::syscall(libc::SYS_setresuid, user, user, user),
                ]
            };
            assert_eq!(done, [0; 3]);
            work()
        });
        thread.join().unwrap()
    })
}

type Rights = (u32, u32, u32);

fn rights(path: &Path) -> Rights {
    let facts = std::fs::symlink_metadata(path).unwrap();
    (facts.mode() & 0o7777, facts.uid(), facts.gid())
}

fn segment(sequence: u64) -> String {
    format!("default.{sequence:010}.binlog")
}

/// A log of two segments whose files all have these rights, as far as this process may give them.
fn log(path: &Path, mode: u32) -> Rights {
    let writer = Writer::open(path, WriterOptions { file_mode: 0o600, ..WriterOptions::default() }).unwrap();
    writer.append(1, &[1; 9000]).unwrap();
    writer.roll().unwrap();
    writer.append(1, &[2; 9000]).unwrap();
    writer.close().unwrap();
    for entry in std::fs::read_dir(path).unwrap() {
        give(&entry.unwrap().path(), mode);
    }
    if is_root() {
        chown(path, Some(OWNER), Some(GROUP)).unwrap();
    }
    rights(&path.join(segment(1)))
}

fn give(path: &Path, mode: u32) {
    if is_root() {
        chown(path, Some(OWNER), Some(GROUP)).unwrap();
    }
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

fn damage(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn what_is_recovered_in_place_has_the_rights_of_what_was_damaged_at_every_moment() {
    for mode in [0o600, 0o640, 0o444, 0o604] {
        let scratch = tempfile::tempdir().unwrap();
        let expected = log(scratch.path(), mode);
        damage(&scratch.path().join(segment(1)));
        std::fs::remove_file(scratch.path().join("default.lock")).unwrap();
        let mut interposed = Interposed::around(Arc::new(RealDirectory::open(scratch.path()).unwrap()));
        let (home, seen): (PathBuf, Arc<Mutex<Vec<Rights>>>) = (scratch.path().to_owned(), Arc::default());
        let into = seen.clone();
        interposed.on_write = Some(Arc::new(move |name: &str| {
            if name.ends_with(".recovering") {
                into.lock().unwrap().push(rights(&home.join(name)));
            }
        }));
        recover_in_place(Arc::new(interposed), ReaderOptions::default()).unwrap();
        let seen = seen.lock().unwrap();
        assert!(!seen.is_empty() && seen.iter().all(|it| *it == expected), "{mode:o}: {seen:?}");
        for name in [segment(1), format!("{}.damaged", segment(1)), "default.lock".to_owned()] {
            assert_eq!(rights(&scratch.path().join(&name)), expected, "{mode:o}: {name}");
        }
    }
}

#[test]
fn what_is_made_of_a_segment_elsewhere_or_in_another_form_has_its_rights() {
    let scratch = tempfile::tempdir().unwrap();
    let (here, there) = (scratch.path().join("log"), scratch.path().join("recovered"));
    let expected = log(&here, 0o600);
    recover(&here, &there, ReaderOptions::default()).unwrap();
    assert_eq!(rights(&there.join(segment(1))), expected);
    compress(&here, &CompressOptions::default()).unwrap();
    assert_eq!(rights(&here.join("default.0000000001.z.binlog")), expected);
    decompress(&here, &CompressOptions::default()).unwrap();
    assert_eq!(rights(&here.join(segment(1))), expected);
    std::fs::remove_file(here.join("default.lock")).unwrap();
    rebuild_index(&here).unwrap();
    assert_eq!(rights(&here.join("default.lock")), expected, "a user who may write the log can open it");
}

#[test]
fn a_torn_tail_is_kept_under_the_rights_of_its_segment() {
    let scratch = tempfile::tempdir().unwrap();
    let expected = log(scratch.path(), 0o600);
    let path = scratch.path().join(segment(2));
    let mut bytes = std::fs::read(&path).unwrap();
    // After the close, as if a writer had continued.
    bytes.extend([7; 50]);
    std::fs::write(&path, &bytes).unwrap();
    let options = WriterOptions { file_mode: 0o644, ..WriterOptions::default() };
    Writer::open(scratch.path(), options).unwrap().close().unwrap();
    let kept = scratch.path().join(format!("{}.torn-{}", segment(2), bytes.len() - 50));
    assert_eq!(rights(&kept), expected);
}

#[test]
fn rights_that_cannot_be_given_make_no_file_open_to_others() {
    if !is_root() {
        return;
    }
    for (mode, expected) in [(0o640, 0o600), (0o660, 0o600), (0o644, 0o644), (0o664, 0o644), (0o604, 0o600)] {
        let scratch = tempfile::tempdir().unwrap();
        chown(scratch.path(), Some(OWNER), Some(GROUP)).unwrap();
        let here = scratch.path().join("log");
        log(&here, mode);
        damage(&here.join(segment(1)));
        let there = scratch.path().join("recovered");
        // The owner of the files is not in their group.
        as_user(OWNER, || {
            recover(&here, &there, ReaderOptions::default()).unwrap();
            recover_in_place(&here, ReaderOptions::default()).unwrap();
            compress(&here, &CompressOptions::default()).unwrap();
        });
        for path in [there.join(segment(1)), here.join("default.0000000001.z.binlog")] {
            assert_eq!(rights(&path), (expected, OWNER, OWNER), "{mode:o}: {}", path.display());
        }
    }
}
