//! Removes old segments without a writer, or while one is active.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{logs_in, logs_of, look_at_all, only_shipped, plan, plan_by_headers, remove, Ours, Plan};
use crate::error::{Error, Kind, Result};
use crate::io::{clock, Directory, Location};
use crate::log::labels::Label;
use crate::log::{is_url, mark, Source};
use crate::options::{check_name, ReaderOptions, Retention};

/// A segment that [`prune`] removed, or would have removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pruned {
    /// Its file.
    pub path: PathBuf,
    /// Its number in the log.
    pub sequence: u64,
    /// Length of the file in bytes.
    pub bytes: u64,
    /// The rule that removed it: "age", "segments" or "bytes".
    pub why: &'static str,
    /// Ids of its first and its last record; `last_id` is `first_id - 1` when it holds no record of the user.
    pub first_id: u64,
    /// See `first_id`.
    pub last_id: u64,
}

/// Removes the old segments of the logs in the directory at `location`, as a writer with this `keep` would: of the log `log`,
/// or of each log separately. The newest segment of a log stays whatever the rules say. Ages are measured by the
/// system's clock.
///
/// The location may be the URL of a log in an object store; the credentials then come from the
/// environment, or from the machine.
///
/// No lock is taken and no writer is disturbed. Files are identified by their headers. A file that is not a segment of
/// a log, a symbolic link, and a file that this user may not read are left alone. So are the segments of a shipped log
/// that are not in a store yet, unless [`Retention::unshipped`] is set. With `dry_run` nothing is removed. Returns the
/// segments, log by log, the oldest first; when it returns, their removal is durable.
///
/// Fails with [`Kind::Invalid`] for a rule of zero, with [`Kind::NotFound`] when there is no such directory or log,
/// with [`Kind::Io`] when the system does, and with [`Kind::Corrupt`] where a file keeps segments from being removed:
/// it holds or may hold records of the log and is not what its name says (a copy, a renamed segment, a damaged one), so
/// removing newer ones would leave a hole after it. When a segment cannot be removed, the newer ones of its log stay,
/// the other logs are processed nevertheless, and the error says how many were removed.
pub fn prune(location: impl Into<Location>, log: Option<&str>, keep: &Retention, dry_run: bool) -> Result<Vec<Pruned>> {
    let directory = match location.into() {
        Location::Path(url) if is_url(&url) => remote_directory(&url)?,
        location => location.directory()?,
    };
    prune_directory(directory, log, keep, dry_run)
}

/// The log that a URL refers to.
fn remote_directory(url: &Path) -> Result<Arc<dyn Directory>> {
    match Source::of(url.into(), &ReaderOptions::default())? {
        Source::Directory(directory) => Ok(directory),
        _ => {
            Err(Error::invalid("the URL of the whole log is wanted, without a segment or a pattern at its end").at(url))
        }
    }
}

/// As [`prune`], over a directory that the caller provides.
fn prune_directory(
    directory: Arc<dyn Directory>,
    log: Option<&str>,
    keep: &Retention,
    dry_run: bool,
) -> Result<Vec<Pruned>> {
    keep.check()?;
    log.map_or(Ok(()), check_name)?;
    if !directory.is_far() {
        mark::check_in(&*directory)?;
    }
    // Each header in a store is a request: unless something contradicts the names, these determine the segments.
    let there = if directory.is_far() { None } else { Some(look_at_all(&directory)?) };
    let logs = match &there {
        Some(there) => logs_of(there, log),
        None => logs_in(&directory, log)?,
    };
    if let (Some(log), true) = (log, logs.is_empty()) {
        let reason = format!("the directory holds no segment of a log {log:?}");
        return Err(Error::new(Kind::NotFound, reason).at(directory.path()));
    }
    let now_ns = clock::now_ns();
    // All plans first: if one fails, nothing is removed.
    let plan = |log| {
        let plan = match &there {
            Some(there) => plan_by_headers(&directory, there, log, keep, now_ns)?,
            None => plan(&directory, log, keep, now_ns)?,
        };
        match keep.unshipped {
            true => Ok(plan),
            false => only_shipped(&*directory, log, plan, false),
        }
    };
    let plans = logs.iter().map(plan).collect::<Result<Vec<Plan>>>()?;
    let all = || plans.iter().flat_map(|plan| &plan.expired);
    if !dry_run {
        note_in_store(&*directory, &logs, &plans)?;
        let failed: Vec<Error> = plans.iter().flat_map(|plan| remove(&*directory, &plan.expired)).collect();
        if let Some(first) = failed.into_iter().next() {
            let left = all().filter(|expired| directory.facts(&expired.name).is_ok()).count();
            let removed = all().count() - left;
            return Err(first.because(&format!("{removed} old segments were removed, {left} were not")));
        }
    }
    if let Some(obstacle) = plans.iter().find_map(|plan| plan.obstacle.clone()) {
        let (removed, could) = if dry_run { ("would be", "could") } else { ("were", "can") };
        return Err(
            obstacle.because(&format!("{} old segments {removed} removed, and no more {could} be", all().count()))
        );
    }
    let pruned = plans.iter().flat_map(|plan| &plan.expired).map(|expired| Pruned {
        path: directory.path_of(&expired.name),
        sequence: expired.sequence,
        bytes: expired.bytes,
        why: expired.why,
        first_id: expired.first_id,
        last_id: expired.last_id,
    });
    Ok(pruned.collect())
}

/// Notes in a store what is going to be removed there; comparing the store with what was shipped then does not report
/// it as missing. It is noted before the removal: a label that covers too much is corrected by the next removal, while
/// an object that is missing without a label is not.
fn note_in_store(directory: &dyn Directory, logs: &[Ours], plans: &[Plan]) -> Result<()> {
    if !directory.is_far() {
        return Ok(());
    }
    for (log, plan) in logs.iter().zip(plans) {
        let Some(last) = plan.expired.last() else { continue };
        let failed = |e: &std::io::Error, name: &str| Error::io(e, "note what is removed").at(&directory.path_of(name));
        let label = Label::Pruned(last.sequence);
        let name = label.name(&log.name);
        directory.put_label(&name, &label.text(&log.name)).map_err(|e| failed(&e, &name))?;
        let listed = directory.list().map_err(|e| Error::io(&e, "list").at(directory.path()))?;
        // A catalog of removed segments is not needed any more.
        let is_older = |name: &String| match Label::parse(&log.name, name) {
            Some(Label::Pruned(older)) => older < last.sequence,
            Some(Label::Catalog(_, to)) => to <= last.sequence,
            Some(Label::Log(_)) | None => false,
        };
        for older in listed.into_iter().filter(is_older) {
            directory.remove(&older).map_err(|e| failed(&e, &older))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::{Fault, MemoryDirectory, Operation};
    use crate::{Reader, ReaderOptions, Writer, WriterOptions};

    fn open(directory: &MemoryDirectory, name: &str) -> Writer {
        let options = WriterOptions { name: name.to_owned(), ..WriterOptions::default() };
        Writer::open(Arc::new(directory.clone()), options).unwrap()
    }

    fn three_segments(directory: &MemoryDirectory, name: &str) -> Writer {
        let writer = open(directory, name);
        for _ in 0..2 {
            writer.append(1, b"x").unwrap();
            writer.append(1, b"y").unwrap();
            writer.roll().unwrap();
        }
        writer.append(1, b"z").unwrap();
        writer
    }

    fn keep(segments: u64) -> Retention {
        Retention { segments: Some(segments), ..Retention::default() }
    }

    fn summary(pruned: &[Pruned]) -> Vec<(&str, u64, u64, u64)> {
        let name = |it: &Pruned| it.path.file_name().unwrap().to_str().unwrap().to_owned();
        pruned.iter().map(|it| (name(it).leak() as &str, it.sequence, it.first_id, it.last_id)).collect()
    }

    #[test]
    fn each_log_of_a_directory_is_pruned_by_itself_or_the_one_that_is_named() {
        let directory = MemoryDirectory::new();
        for name in ["a", "a.b"] {
            three_segments(&directory, name).close().unwrap();
        }
        let of_a = [("a.0000000001.binlog", 1, 1, 2), ("a.0000000002.binlog", 2, 3, 4)];
        let before = directory.list().unwrap();
        assert_eq!(summary(&prune(Arc::new(directory.clone()), Some("a"), &keep(1), true).unwrap()), of_a);
        assert_eq!(directory.list().unwrap(), before, "nothing is removed by a dry run");
        assert_eq!(summary(&prune(Arc::new(directory.clone()), Some("a"), &keep(1), false).unwrap()), of_a);
        assert_eq!(prune(Arc::new(directory.clone()), Some("a"), &keep(1), false).unwrap(), []);
        let rest = prune(Arc::new(directory.clone()), None, &keep(2), false).unwrap();
        assert_eq!(summary(&rest), [("a.b.0000000001.binlog", 1, 1, 2)]);
        assert_eq!((rest[0].why, rest[0].bytes > 0), ("segments", true));
    }

    /// Removing what is newer than a copy that stays would leave a hole between the remaining records.
    #[test]
    fn a_copy_under_another_name_counts_for_nothing_and_keeps_what_is_newer_here() {
        for (number, copy, gone) in [
            (1, "a.0000000001-copy.binlog", 0),
            (2, "a.0000000009x.binlog", 1),
            (2, "a.0000000009.binlog", 1),
            (3, "a.0000000003.copy.binlog", 2),
        ] {
            let directory = MemoryDirectory::new();
            three_segments(&directory, "a").close().unwrap();
            directory.set_contents(copy, directory.contents(&format!("a.{number:010}.binlog")).unwrap());
            assert_eq!(prune(Arc::new(directory.clone()), None, &keep(3), false).unwrap(), [], "{copy}");
            let pruned = prune(Arc::new(directory.clone()), None, &keep(1), false);
            match pruned {
                Ok(pruned) => assert_eq!((pruned.len(), gone), (2, 2), "{copy}"),
                Err(error) => {
                    assert_eq!(error.path().unwrap(), directory.path_of(copy));
                    let expected = format!("{gone} old segments were removed, and no more can be");
                    assert!(gone < 2 && error.reason().starts_with(&expected), "{copy}: {error}");
                    assert!(error.reason().contains("`mv -n "), "{copy}: {error}");
                }
            }
            let mut left = directory.list().unwrap();
            left.retain(|name| name.ends_with(".binlog"));
            assert_eq!(left.len(), 4 - gone, "{copy}: {left:?}");
            assert!(left.contains(&copy.to_owned()), "{copy}: {left:?}");
        }
    }

    #[test]
    fn a_live_writer_continues_and_its_segment_stays() {
        let directory = MemoryDirectory::new();
        let writer = three_segments(&directory, "a");
        // Like one that was created ahead.
        directory.set_contents("a.0000000004.binlog", vec![]);
        assert_eq!(prune(Arc::new(directory.clone()), None, &keep(1), false).unwrap().len(), 2);
        assert_eq!(writer.append(1, b"more").unwrap(), 6);
        writer.close().unwrap();
        let reader = Reader::open(Arc::new(directory.clone()), ReaderOptions::default()).unwrap();
        assert_eq!(reader.segments().iter().map(|segment| segment.sequence).collect::<Vec<_>>(), [3]);
        assert_eq!(open(&directory, "a").append(1, b"again").unwrap(), 7);
    }

    #[test]
    fn a_failure_says_how_far_it_came() {
        let directory = MemoryDirectory::new();
        three_segments(&directory, "a").close().unwrap();
        directory.set_fault(Some(Fault { from: 1, times: 1, errno: libc::EPERM, only: Some(Operation::Remove) }));
        let error = prune(Arc::new(directory.clone()), None, &keep(1), false).unwrap_err();
        assert!(error.to_string().contains("1 old segments were removed, 1 were not"), "{error}");
        assert_eq!(error.path().unwrap(), directory.path_of("a.0000000002.binlog"));
    }

    #[test]
    fn what_is_not_there_and_rules_of_zero_are_refused() {
        let directory = MemoryDirectory::new();
        assert_eq!(prune(Arc::new(directory.clone()), None, &keep(1), false).unwrap(), []);
        assert_eq!(prune(Arc::new(directory.clone()), Some("a"), &keep(1), false).unwrap_err().kind(), Kind::NotFound);
        assert_eq!(
            prune(Arc::new(directory.clone()), Some("../a"), &keep(1), false).unwrap_err().kind(),
            Kind::Invalid
        );
        assert_eq!(prune(Arc::new(directory.clone()), None, &keep(0), false).unwrap_err().kind(), Kind::Invalid);
        let nowhere = tempfile::tempdir().unwrap().path().join("nowhere");
        assert_eq!(prune(nowhere, None, &keep(1), false).unwrap_err().kind(), Kind::NotFound);
    }
}
