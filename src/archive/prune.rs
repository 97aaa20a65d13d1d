//! Removes old segments without a writer, or beside one.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::life;
use crate::error::{Error, Kind, Result};
use crate::io::{clock, Directory, RealDirectory};
use crate::log::labels::Label;
use crate::log::retention::{Ours, Plan};
use crate::log::{check_name, is_url, retention, Source};
use crate::options::{ReaderOptions, Retention};

/// A segment that [`prune`] removed, or would have removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pruned {
    /// Its file.
    pub path: PathBuf,
    /// Its number in the log.
    pub sequence: u64,
    /// Length of the file in bytes.
    pub bytes: u64,
    /// The rule that it fell under: "age", "segments" or "bytes".
    pub why: &'static str,
    /// Ids of its first and its last record; `last_id` is `first_id - 1` when it holds none of the user's.
    pub first_id: u64,
    /// See `first_id`.
    pub last_id: u64,
}

/// Removes the old segments of the logs in the directory `path`, as a writer with this `keep` would: of the log `log`, or
/// of each one, by itself. The newest segment of a log stays whatever the rules say. Ages are told by the system's clock.
///
/// With the feature `upload`, `path` may be the URL of a log in an object store; credentials come from the environment then, or
/// from the machine.
///
/// No lock is taken and no writer is disturbed. Files are told by their headers; what is no segment of a log, a symbolic
/// link, and what this user may not read is left alone. So is what is not in a store yet of a log that is shipped to one,
/// unless [`Retention::unshipped`] is said. With `dry_run` nothing is removed. Returns the segments, log by
/// log, the oldest first; once it returns, their removal is durable.
///
/// Fails with [`Kind::Invalid`] for a rule of zero, with [`Kind::NotFound`] when there is no such directory or log, with
/// [`Kind::Io`] when the system does, and with [`Kind::Corrupt`] where a file keeps segments from being removed: it holds
/// records of the log, or may, and is not what its name says (a copy, a renamed segment, a damaged one), so that what is newer
/// would leave a hole behind it. When a segment cannot be removed, those of its log that are newer stay, the other
/// logs are gone through nevertheless, and the error says how many were removed.
pub fn prune(path: impl AsRef<Path>, log: Option<&str>, keep: &Retention, dry_run: bool) -> Result<Vec<Pruned>> {
    let path = path.as_ref();
    let directory = match remote_directory(path)? {
        Some(directory) => directory,
        None => Arc::new(RealDirectory::open(path).map_err(|e| Error::io(&e, "open the directory").at(path))?),
    };
    prune_in(directory, log, keep, dry_run)
}

/// The log of a URL.
fn remote_directory(path: &Path) -> Result<Option<Arc<dyn Directory>>> {
    if !is_url(path) {
        return Ok(None);
    }
    match Source::of(path, &ReaderOptions::default())? {
        Source::Directory(directory) => Ok(Some(directory)),
        _ => {
            Err(Error::invalid("the URL of the whole log is wanted, without a segment or a pattern at its end")
                .at(path))
        }
    }
}

/// As [`prune`], over a directory of the caller's making.
pub fn prune_in(
    directory: Arc<dyn Directory>,
    log: Option<&str>,
    keep: &Retention,
    dry_run: bool,
) -> Result<Vec<Pruned>> {
    keep.check()?;
    log.map_or(Ok(()), check_name)?;
    // Each header in a store is a request: as long as nothing contradicts the names, they tell which segments there are.
    let there = if directory.is_far() { None } else { Some(retention::look_at_all(&directory)?) };
    let logs = match &there {
        Some(there) => retention::logs_of(there, log),
        None => retention::logs_in(&directory, log)?,
    };
    if let (Some(log), true) = (log, logs.is_empty()) {
        let reason = format!("the directory holds no segment of a log {log:?}");
        return Err(Error::new(Kind::NotFound, reason).at(directory.path()));
    }
    let now_ns = clock::now_ns();
    // All of it first: what cannot be planned removes nothing.
    let plan = |log| {
        let plan = match &there {
            Some(there) => retention::plan_by_headers(&directory, there, log, keep, now_ns)?,
            None => retention::plan(&directory, log, keep, now_ns)?,
        };
        match keep.unshipped {
            true => Ok(plan),
            false => life::only_shipped(&*directory, log, plan, false),
        }
    };
    let plans = logs.iter().map(plan).collect::<Result<Vec<Plan>>>()?;
    let all = || plans.iter().flat_map(|plan| &plan.doomed);
    if !dry_run {
        note_in_store(&*directory, &logs, &plans)?;
        let failed: Vec<Error> = plans.iter().flat_map(|plan| retention::remove(&*directory, &plan.doomed)).collect();
        if let Some(first) = failed.into_iter().next() {
            let left = all().filter(|doomed| directory.facts(&doomed.name).is_ok()).count();
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
    let pruned = plans.iter().flat_map(|plan| &plan.doomed).map(|doomed| Pruned {
        path: directory.path_of(&doomed.name),
        sequence: doomed.sequence,
        bytes: doomed.bytes,
        why: doomed.why,
        first_id: doomed.first_id,
        last_id: doomed.last_id,
    });
    Ok(pruned.collect())
}

/// Says in a store what is going to be removed there, so that who compares it with what was shipped does not miss that. Before it
/// is removed: a label that says too much is corrected by the next removal, and an object that nobody expects to be missing is
/// not.
fn note_in_store(directory: &dyn Directory, logs: &[Ours], plans: &[Plan]) -> Result<()> {
    if !directory.is_far() {
        return Ok(());
    }
    for (log, plan) in logs.iter().zip(plans) {
        let Some(last) = plan.doomed.last() else { continue };
        let failed = |e: &std::io::Error, name: &str| Error::io(e, "note what is removed").at(&directory.path_of(name));
        let label = Label::Pruned(last.sequence);
        let name = label.name(&log.name);
        directory.put_label(&name, &label.text(&log.name)).map_err(|e| failed(&e, &name))?;
        let listed = directory.list().map_err(|e| Error::io(&e, "list").at(directory.path()))?;
        // Of segments that are gone no catalog need tell.
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
        Writer::open_in(Arc::new(directory.clone()), options).unwrap()
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

    fn told(pruned: &[Pruned]) -> Vec<(&str, u64, u64, u64)> {
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
        assert_eq!(told(&prune_in(Arc::new(directory.clone()), Some("a"), &keep(1), true).unwrap()), of_a);
        assert_eq!(directory.list().unwrap(), before, "nothing is removed by a dry run");
        assert_eq!(told(&prune_in(Arc::new(directory.clone()), Some("a"), &keep(1), false).unwrap()), of_a);
        assert_eq!(prune_in(Arc::new(directory.clone()), Some("a"), &keep(1), false).unwrap(), []);
        let rest = prune_in(Arc::new(directory.clone()), None, &keep(2), false).unwrap();
        assert_eq!(told(&rest), [("a.b.0000000001.binlog", 1, 1, 2)]);
        assert_eq!((rest[0].why, rest[0].bytes > 0), ("segments", true));
    }

    /// What is newer than a copy that stays would leave a hole between the records that stay.
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
            assert_eq!(prune_in(Arc::new(directory.clone()), None, &keep(3), false).unwrap(), [], "{copy}");
            let pruned = prune_in(Arc::new(directory.clone()), None, &keep(1), false);
            match pruned {
                Ok(pruned) => assert_eq!((pruned.len(), gone), (2, 2), "{copy}"),
                Err(error) => {
                    assert_eq!(error.path().unwrap(), directory.path_of(copy));
                    let said = format!("{gone} old segments were removed, and no more can be");
                    assert!(gone < 2 && error.reason().starts_with(&said), "{copy}: {error}");
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
    fn a_live_writer_goes_on_and_its_segment_stays() {
        let directory = MemoryDirectory::new();
        let writer = three_segments(&directory, "a");
        // As one that was created ahead.
        directory.set_contents("a.0000000004.binlog", vec![]);
        assert_eq!(prune_in(Arc::new(directory.clone()), None, &keep(1), false).unwrap().len(), 2);
        assert_eq!(writer.append(1, b"more").unwrap(), 6);
        writer.close().unwrap();
        let reader = Reader::open_in(Arc::new(directory.clone()), ReaderOptions::default()).unwrap();
        assert_eq!(reader.segments().iter().map(|segment| segment.sequence).collect::<Vec<_>>(), [3]);
        assert_eq!(open(&directory, "a").append(1, b"again").unwrap(), 7);
    }

    #[test]
    fn a_failure_says_how_far_it_came() {
        let directory = MemoryDirectory::new();
        three_segments(&directory, "a").close().unwrap();
        directory.set_fault(Some(Fault { from: 1, times: 1, errno: libc::EPERM, only: Some(Operation::Remove) }));
        let error = prune_in(Arc::new(directory.clone()), None, &keep(1), false).unwrap_err();
        assert!(error.to_string().contains("1 old segments were removed, 1 were not"), "{error}");
        assert_eq!(error.path().unwrap(), directory.path_of("a.0000000002.binlog"));
    }

    #[test]
    fn what_is_not_there_and_rules_of_zero_are_refused() {
        let directory = MemoryDirectory::new();
        assert_eq!(prune_in(Arc::new(directory.clone()), None, &keep(1), false).unwrap(), []);
        assert_eq!(
            prune_in(Arc::new(directory.clone()), Some("a"), &keep(1), false).unwrap_err().kind(),
            Kind::NotFound
        );
        assert_eq!(
            prune_in(Arc::new(directory.clone()), Some("../a"), &keep(1), false).unwrap_err().kind(),
            Kind::Invalid
        );
        assert_eq!(prune_in(Arc::new(directory.clone()), None, &keep(0), false).unwrap_err().kind(), Kind::Invalid);
        let nowhere = tempfile::tempdir().unwrap().path().join("nowhere");
        assert_eq!(prune(nowhere, None, &keep(1), false).unwrap_err().kind(), Kind::NotFound);
    }
}
