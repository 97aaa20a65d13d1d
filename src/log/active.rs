//! The file `<log>.active`: which segment is being written, for people and scripts. A hint only: nothing reads it back,
//! and it may be lost or stale.

use jiff::Timestamp;

use super::names;
use crate::error::{Error, Result};
use crate::io::{self, remove_if_there, Directory};
use crate::options::Period;

/// The contents of the file.
pub(crate) struct Active<'a> {
    /// The file that is being written.
    pub file: &'a str,
    /// Its number in the log.
    pub sequence: u64,
    /// When it was created: nanoseconds since the Unix epoch.
    pub created_ns: i64,
    /// Id of the first record in it.
    pub first_id: u64,
    pub period: Option<Period>,
    pub template: &'a str,
    /// Permission bits of the `.active` file.
    pub file_mode: u32,
}

/// Replaces the file in one step: a reader finds the old one or the new one, never a part. It is not made durable.
pub(crate) fn write(directory: &dyn Directory, log: &str, facts: &Active<'_>) -> Result<()> {
    let (name, part) = (names::active(log), part(log));
    let failed = |e: &std::io::Error, doing: &str| Error::io(e, doing).at(&directory.path_of(&part));
    // A file left by an interrupted writer is removed rather than written to: it may be anything, and have any mode.
    remove_if_there(directory, &part)?;
    let file = directory.create(&part, facts.file_mode).map_err(|e| failed(&e, "create"))?;
    let written = io::write_full(&*file, &[text(facts).as_bytes()], 0).map_err(|(_, e)| failed(&e, "write"));
    drop(file);
    let done = written.and_then(|()| directory.rename(&part, &name).map_err(|e| failed(&e, "rename")));
    if done.is_err() {
        let _ = directory.remove(&part);
    }
    done
}

/// Removes the file, as when the log is closed. A missing file is no error.
pub(crate) fn remove(directory: &dyn Directory, log: &str) -> Result<()> {
    remove_if_there(directory, &names::active(log))
}

fn part(log: &str) -> String {
    names::active(log) + ".part"
}

/// The name of the file first, then a fact a line: its key, a space, its value. A period is in seconds, 0 = none.
fn text(facts: &Active<'_>) -> String {
    let created = Timestamp::from_nanosecond(facts.created_ns.into()).unwrap_or_default();
    // One line, whatever the host name contains.
    let host = io::host_name().replace(char::is_control, "_");
    format!(
        "{}\nsequence {}\ncreated {created}\nfirst_id {}\npid {}\nhost {host}\nperiod {}\ntemplate {}\n",
        facts.file,
        facts.sequence,
        facts.first_id,
        std::process::id(),
        facts.period.map_or(0, Period::seconds),
        facts.template,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::{Fault, MemoryDirectory, RealDirectory};

    fn facts(sequence: u64) -> Active<'static> {
        Active {
            file: "a.0000000007.binlog",
            sequence,
            created_ns: 1_784_035_024_123_456_789,
            first_id: 1001,
            period: Some(Period::HOUR),
            template: "{name}.{seq}",
            file_mode: 0o640,
        }
    }

    fn read(directory: &MemoryDirectory) -> String {
        String::from_utf8(directory.contents("a.active").unwrap()).unwrap()
    }

    #[test]
    fn the_file_contains_the_segment_and_a_fact_a_line() {
        let directory = MemoryDirectory::new();
        directory.set_contents("a.active.part", vec![b'x'; 10_000]);
        write(&directory, "a", &facts(7)).unwrap();
        let (pid, host) = (std::process::id(), io::host_name());
        let expected = format!(
            "a.0000000007.binlog\nsequence 7\ncreated 2026-07-14T13:17:04.123456789Z\nfirst_id 1001\npid {pid}\nhost {host}\n\
             period 3600\ntemplate {{name}}.{{seq}}\n"
        );
        assert_eq!(read(&directory), expected);
        let none = Active { period: None, created_ns: i64::MIN, ..facts(8) };
        write(&directory, "a", &none).unwrap();
        assert!(
            read(&directory).contains("\nperiod 0\n") && read(&directory).contains("\nsequence 8\ncreated 1677-09-21T")
        );
        assert_eq!(directory.list().unwrap(), ["a.active"]);
        remove(&directory, "a").unwrap();
        remove(&directory, "a").unwrap();
        assert!(directory.list().unwrap().is_empty());
    }

    #[test]
    fn wherever_a_replacement_fails_the_old_file_stays_whole() {
        let directory = MemoryDirectory::new();
        write(&directory, "a", &facts(7)).unwrap();
        let old = read(&directory);
        for from in 0.. {
            directory.set_fault(Some(Fault { from, times: 1, errno: libc::EIO, only: None }));
            match write(&directory, "a", &facts(8)) {
                Ok(()) => {
                    assert!(from >= 4, "remove, create, write and rename can fail");
                    break;
                }
                Err(error) => assert_eq!(error.os_code(), Some(libc::EIO)),
            }
            directory.set_fault(None);
            assert_eq!(read(&directory), old);
            assert_eq!(directory.list().unwrap(), ["a.active"], "nothing is left beside it");
        }
    }

    #[test]
    fn what_a_leftover_links_to_is_not_written_to() {
        let scratch = tempfile::tempdir().unwrap();
        let path = |name: &str| scratch.path().join(name);
        std::fs::write(path("precious"), "kept").unwrap();
        std::os::unix::fs::symlink(path("precious"), path("a.active.part")).unwrap();
        write(&RealDirectory::open(scratch.path()).unwrap(), "a", &facts(7)).unwrap();
        assert_eq!(std::fs::read(path("precious")).unwrap(), b"kept");
        assert!(std::fs::symlink_metadata(path("a.active")).unwrap().is_file());
    }
}
