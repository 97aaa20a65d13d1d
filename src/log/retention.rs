//! Which old segments of a log are removed, and their removal.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::ErrorKind;
use std::time::Duration;

use super::names;
use super::template::Template;
use crate::error::{Error, Kind, Result};
use crate::format::declaration::FileHeader;
use crate::io::{Access, Directory, FileFacts, Identity};
use crate::options::Retention;
use crate::segment::{is_unborn, Segment, EXTENSION};

/// The log whose segments are looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ours {
    pub name: String,
    pub log_id: Vec<u8>,
    /// Number of the segment that is being written, as its name tells it. It and what is behind it stays.
    pub active_sequence: u64,
}

/// A segment that is to be removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Doomed {
    pub name: String,
    pub sequence: u64,
    /// Length of the file.
    pub bytes: u64,
    /// The rule that it falls under: "age", "segments" or "bytes".
    pub why: &'static str,
    pub first_id: u64,
    /// `first_id - 1` when it holds no record of the user's.
    pub last_id: u64,
    /// See [`FileHeader::known_as`].
    pub known_as: [u64; 3],
    identity: Option<Identity>,
    markers: [u64; 2],
    /// The file of the segment behind it.
    behind: String,
}

/// The segments that `keep` has removed, oldest first, when it is `now_ns`; see [`Retention`].
///
/// A file that is no segment of the log, whatever it is called, is left alone, and so is one that may not be opened. With
/// ten thousand segments this lists the directory once, asks for each file's length if there is a rule for bytes, or one for
/// their number under which some have to go, and reads the headers only of those to be removed, of the one behind, and of one
/// for each way in which names look.
pub(crate) fn plan(directory: &dyn Directory, log: &Ours, keep: &Retention, now_ns: i64) -> Result<Vec<Doomed>> {
    let mut doomed = vec![];
    if !keep.is_some() {
        return Ok(doomed);
    }
    let mut walk = Walk::begin(directory, log, keep)?;
    let mut oldest = None;
    // No header is read as long as no rule asks for one.
    while keep.age.is_some() || walk.excess(keep).is_some() {
        let this = match oldest.take() {
            Some(this) => Some(this),
            None => walk.next()?,
        };
        let Some(this) = this.filter(|this: &Found| this.named < log.active_sequence) else { break };
        // One behind it must be there: it alone tells the age, and that the log went on.
        let (copies, next) = walk.behind(&this)?;
        let Some(next) = next else { break };
        let is_old = keep.age.is_some_and(|age| is_longer_ago(next.header.created_ns, age, now_ns));
        let rule = if is_old { Some("age") } else { walk.excess(keep) };
        let Some(why) = rule else { break };
        walk.without(&this.name, this.named, this.facts.len);
        for copy in copies {
            walk.without(&copy.name, copy.named, copy.facts.len);
            doomed.push(copy.doomed(&next, why));
        }
        doomed.push(this.doomed(&next, why));
        oldest = Some(next);
    }
    Ok(doomed)
}

/// Removes the segments, oldest first, and makes that durable. One that is gone already is no error. Behind one that
/// cannot be removed, nothing is, so that no hole comes about. Returns what failed.
///
/// The segment behind them is made durable before: its beginning may be all that tells which ids the log has given.
pub(crate) fn remove(directory: &dyn Directory, doomed: &[Doomed]) -> Vec<Error> {
    let mut failed = vec![];
    if let Some(error) = doomed.last().and_then(|last| keep_durable(directory, &last.behind).err()) {
        return vec![error];
    }
    for segment in doomed {
        if let Err(error) = remove_one(directory, segment) {
            failed.push(error);
            break;
        }
    }
    if !doomed.is_empty() {
        failed.extend(directory.sync().err().map(|e| Error::io(&e, "sync").at(directory.path())));
    }
    failed
}

fn keep_durable(directory: &dyn Directory, name: &str) -> Result<()> {
    if directory.is_far() {
        return Ok(());
    }
    match directory.open(name, Access::Read).and_then(|file| file.sync_data()) {
        // A writer's hook has moved it away, or another process has compressed it: both leave something durable.
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
        synced => synced.map_err(|e| Error::io(&e, "sync").at(&directory.path_of(name))),
    }
}

fn remove_one(directory: &dyn Directory, segment: &Doomed) -> Result<()> {
    let failed = |e: &std::io::Error| Error::io(e, "remove").at(&directory.path_of(&segment.name));
    match directory.facts(&segment.name) {
        Ok(facts) if facts.is_plain && facts.identity == segment.identity => (),
        Ok(_) => {
            let reason = "another file has taken the place of the old segment, and stays";
            return Err(Error::new(Kind::Io, reason).at(&directory.path_of(&segment.name)));
        }
        Err(e) if e.kind() == ErrorKind::NotFound => return remove_other_form(directory, segment),
        Err(e) => return Err(failed(&e)),
    }
    match directory.remove(&segment.name) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(failed(&e)),
        _ => Ok(()),
    }
}

/// Removes what has taken the place of an old segment that is gone since it was planned: another process may have compressed
/// it just then, and what is behind it is going to be removed.
fn remove_other_form(directory: &dyn Directory, segment: &Doomed) -> Result<()> {
    let plain = names::plain(&segment.name);
    for name in list(directory)?.into_iter().filter(|name| names::plain(name) == plain) {
        let Some((_, header)) = look(directory, &name)? else { continue };
        if header.sequence == segment.sequence && header.markers().iter().any(|it| segment.markers.contains(it)) {
            match directory.remove(&name) {
                Err(e) if e.kind() != ErrorKind::NotFound => {
                    return Err(Error::io(&e, "remove").at(&directory.path_of(&name)));
                }
                _ => (),
            }
        }
    }
    Ok(())
}

/// The logs of a directory, by the headers of the files in it; the newest segment of each passes for the one that is
/// being written. Those of `only`, if it names a log.
pub(crate) fn logs_of(directory: &dyn Directory, only: Option<&str>) -> Result<Vec<Ours>> {
    let mut logs: BTreeMap<(String, Vec<u8>), u64> = BTreeMap::new();
    for name in list(directory)?.into_iter().filter(|name| names::is_segment(name)) {
        if only.is_some_and(|log| names::sequence(log, &name).is_none()) {
            continue;
        }
        let Some((_, header)) = look(directory, &name)? else { continue };
        match names::sequence(&header.name, &name) {
            Some(sequence)
                if only.is_none_or(|log| header.name == log)
                    && is_numbered(&header, sequence)
                    && is_named(&header, &name) =>
            {
                let newest = logs.entry((header.name, header.log_id)).or_default();
                *newest = sequence.max(*newest);
            }
            _ => (),
        }
    }
    let ours = |((name, log_id), active_sequence)| Ours { name, log_id, active_sequence };
    Ok(logs.into_iter().map(ours).collect())
}

/// Whether a time is longer ago than `age`; one in the future, as a clock that was set back leaves it, is not.
fn is_longer_ago(then_ns: i64, age: Duration, now_ns: i64) -> bool {
    u128::try_from(i128::from(now_ns) - i128::from(then_ns)).is_ok_and(|ago| ago > age.as_nanos())
}

fn list(directory: &dyn Directory) -> Result<Vec<String>> {
    directory.list().map_err(|e| Error::io(&e, "list").at(directory.path()))
}

/// What is known of a plain file; `None` = it is another thing, or gone.
fn facts_of(directory: &dyn Directory, name: &str) -> Result<Option<FileFacts>> {
    match directory.facts(name) {
        Ok(facts) => Ok(Some(facts).filter(|facts| facts.is_plain)),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Error::io(&e, "stat").at(&directory.path_of(name))),
    }
}

/// The header of a plain file; `None` = it is no segment, gone, or none of this user's. A failing system is an error,
/// lest a segment of ours be passed over because of it, and a younger one removed.
pub(crate) fn look(directory: &dyn Directory, name: &str) -> Result<Option<(FileFacts, FileHeader)>> {
    let Some(facts) = facts_of(directory, name)? else { return Ok(None) };
    match Segment::open(directory, name, Access::Read) {
        Ok(segment) => {
            // Between the two looks a link may have come in its place.
            let opened = segment.file.identity().ok().flatten();
            let is_same = opened.is_none() || opened == facts.identity;
            Ok(is_same.then_some((facts, segment.header)))
        }
        Err(e) if matches!(e.kind(), Kind::Corrupt | Kind::Unsupported | Kind::NotFound) => Ok(None),
        Err(e) if matches!(e.os_code(), Some(libc::EACCES | libc::EPERM)) => Ok(None),
        Err(e) => Err(e),
    }
}

/// Whether the header bears out the number in the name. Where a log begins behind a name that was taken, only the name
/// counts on.
pub(crate) fn is_numbered(header: &FileHeader, named: u64) -> bool {
    header.sequence == named || (header.sequence == 1 && header.predecessor.is_none())
}

/// Whether the segment with this header may be called so: what somebody has copied it to, under a name of his own, is no
/// part of the log.
fn is_named(header: &FileHeader, name: &str) -> bool {
    let template = header.template.strip_suffix(EXTENSION).unwrap_or(&header.template);
    // Where the header tells no template that is one, as a later version's may be, anything goes.
    Template::parse(template, &header.name).map_or(true, |template| template.may_render(&names::plain(name)))
}

/// The files named like segments of the log, from the oldest on, and how much is left of it.
struct Walk<'a> {
    directory: &'a dyn Directory,
    log: &'a Ours,
    files: std::vec::IntoIter<File>,
    /// How many files there are of each old segment, by its name as an ordinary one.
    left: HashMap<String, u64>,
    bytes: u64,
}

struct File {
    named: u64,
    name: String,
    /// 0 when there is no rule for bytes.
    len: u64,
}

/// A segment of the log.
struct Found {
    named: u64,
    name: String,
    facts: FileFacts,
    header: FileHeader,
}

impl<'a> Walk<'a> {
    fn begin(directory: &'a dyn Directory, log: &'a Ours, keep: &Retention) -> Result<Self> {
        let mut files = vec![];
        for name in list(directory)? {
            let named = names::sequence(&log.name, &name).filter(|named| *named <= log.active_sequence);
            files.extend(named.map(|named| File { named, name, len: 0 }));
        }
        if keep.bytes.is_some() {
            files = with_lengths(directory, files)?;
        }
        files.sort_unstable_by(|a, b| (a.named, &a.name).cmp(&(b.named, &b.name)));
        let mut walk = Walk { directory, log, files: files.into_iter(), left: HashMap::new(), bytes: 0 };
        walk.count();
        if walk.excess(keep).is_some() {
            walk.leave_out_others()?;
            walk.count();
        }
        if walk.excess(keep).is_some() {
            walk.leave_out_unborn(keep.bytes.is_some())?;
            walk.count();
        }
        Ok(walk)
    }

    fn count(&mut self) {
        let files = self.files.as_slice();
        self.left.clear();
        for old in files.iter().filter(|file| file.named < self.log.active_sequence) {
            // One that is here compressed and as it was is one segment.
            *self.left.entry(names::plain(&old.name).into_owned()).or_default() += 1;
        }
        self.bytes = files.iter().fold(0, |sum, file| file.len.saturating_add(sum));
    }

    /// Leaves out the files of logs whose names begin like this one's: the headers of all that are named alike are read
    /// only if the newest of them is not ours.
    fn leave_out_others(&mut self) -> Result<()> {
        let (mut alike, mut others) = (BTreeMap::new(), BTreeSet::new());
        for file in self.files.as_slice().iter().rev() {
            let shape = names::shape(&self.log.name, &file.name);
            let is_known = match alike.get(&shape) {
                Some(is_ours) => *is_ours,
                None => {
                    let is_ours = self.look(file)?.is_some();
                    alike.insert(shape, is_ours);
                    is_ours
                }
            };
            if !is_known && self.look(file)?.is_none() {
                others.insert(file.name.clone());
            }
        }
        let files = std::mem::take(&mut self.files);
        self.files = files.filter(|file| !others.contains(&file.name)).collect::<Vec<_>>().into_iter();
        Ok(())
    }

    /// Leaves out the files that nobody has begun to write: they are no segments. A look at the length tells most of them
    /// from others, and as a rule they are empty.
    fn leave_out_unborn(&mut self, has_lengths: bool) -> Result<()> {
        const SMALL: u64 = 4096;
        let mut files = vec![];
        for file in std::mem::take(&mut self.files) {
            let len = match has_lengths {
                true => file.len,
                false => facts_of(self.directory, &file.name)?.map_or(u64::MAX, |facts| facts.len),
            };
            let is_old = file.named < self.log.active_sequence;
            // A failing system is an error, lest one that was never begun count.
            let is_none = is_old && len < SMALL && self.look(&file)?.is_none();
            if !(is_none && is_unborn(self.directory, &file.name)) {
                files.push(file);
            }
        }
        self.files = files.into_iter();
        Ok(())
    }

    /// How many segments there are. The one being written counts, also when somebody has removed its file.
    fn segments(&self) -> u64 {
        1 + self.left.len() as u64
    }

    /// The rule that more is there than it has.
    fn excess(&self, keep: &Retention) -> Option<&'static str> {
        match keep {
            Retention { segments: Some(most), .. } if self.segments() > *most => Some("segments"),
            Retention { bytes: Some(most), .. } if self.bytes > *most => Some("bytes"),
            _ => None,
        }
    }

    /// Other files of the segment `this`, compressed or not, and the segment behind it.
    fn behind(&mut self, this: &Found) -> Result<(Vec<Found>, Option<Found>)> {
        let mut copies = vec![];
        loop {
            match self.next()? {
                Some(next) if next.is_same_segment(this) => copies.push(next),
                next => return Ok((copies, next)),
            }
        }
    }

    /// The next segment of the log. What is none counts for nothing.
    fn next(&mut self) -> Result<Option<Found>> {
        while let Some(file) = self.files.next() {
            match self.look(&file)? {
                Some((facts, header)) => {
                    return Ok(Some(Found { named: file.named, name: file.name, facts, header }));
                }
                None => self.without(&file.name, file.named, file.len),
            }
        }
        Ok(None)
    }

    fn look(&self, file: &File) -> Result<Option<(FileFacts, FileHeader)>> {
        let found = look(self.directory, &file.name)?;
        let is_ours = |header: &FileHeader| {
            header.log_id == self.log.log_id && is_numbered(header, file.named) && is_named(header, &file.name)
        };
        Ok(found.filter(|(_, header)| is_ours(header)))
    }

    /// Counts a file no longer; its segment counts as long as another file of it is there.
    fn without(&mut self, name: &str, named: u64, bytes: u64) {
        let plain = names::plain(name);
        if named < self.log.active_sequence {
            match self.left.get_mut(plain.as_ref()) {
                Some(files) if *files > 1 => *files -= 1,
                _ => drop(self.left.remove(plain.as_ref())),
            }
        }
        self.bytes = self.bytes.saturating_sub(bytes);
    }
}

fn with_lengths(directory: &dyn Directory, files: Vec<File>) -> Result<Vec<File>> {
    let mut plain = vec![];
    for file in files {
        let facts = facts_of(directory, &file.name)?;
        plain.extend(facts.map(|facts| File { len: facts.len, ..file }));
    }
    Ok(plain)
}

impl Found {
    fn is_same_segment(&self, other: &Found) -> bool {
        let (this, other) = (&self.header, &other.header);
        this.sequence == other.sequence && this.markers().iter().any(|marker| other.markers().contains(marker))
    }

    fn doomed(self, next: &Found, why: &'static str) -> Doomed {
        let told = next.header.predecessor.as_ref().filter(|told| self.header.is_followed_by(told));
        Doomed {
            name: self.name,
            sequence: self.header.sequence,
            bytes: self.facts.len,
            why,
            first_id: self.header.first_id,
            last_id: told.map_or(next.header.first_id - 1, |told| told.last_id),
            known_as: self.header.known_as(),
            identity: self.facts.identity,
            markers: self.header.markers(),
            behind: next.name.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::{Fault, MemoryDirectory, Operation, RealDirectory};
    use crate::{Writer, WriterOptions};
    use std::sync::Arc;

    const NOW: i64 = i64::MAX;

    /// A log of `count` segments, each with 10 records; the last is closed, too.
    fn write(directory: Arc<dyn Directory>, name: &str, count: u64) {
        let options = WriterOptions { name: name.to_owned(), ..WriterOptions::default() };
        let writer = Writer::open_in(directory, options).unwrap();
        for segment in 1..=count {
            for _ in 0..10 {
                writer.append(1, &[7; 100]).unwrap();
            }
            if segment < count {
                writer.roll().unwrap();
            }
        }
        writer.close().unwrap();
    }

    fn memory(count: u64) -> (MemoryDirectory, Ours) {
        let directory = MemoryDirectory::new();
        write(Arc::new(directory.clone()), "a", count);
        let ours = ours(&directory, "a");
        assert_eq!(ours.active_sequence, count);
        (directory, ours)
    }

    fn ours(directory: &dyn Directory, name: &str) -> Ours {
        logs_of(directory, Some(name)).unwrap().remove(0)
    }

    fn created(directory: &dyn Directory, sequence: u64) -> i64 {
        look(directory, &names::segment("a", sequence)).unwrap().unwrap().1.created_ns
    }

    fn planned(directory: &dyn Directory, ours: &Ours, keep: Retention, now_ns: i64) -> Vec<(u64, &'static str)> {
        let doomed = plan(directory, ours, &keep, now_ns).unwrap();
        doomed.iter().map(|segment| (segment.sequence, segment.why)).collect()
    }

    fn segments(most: u64) -> Retention {
        Retention { segments: Some(most), ..Retention::default() }
    }

    fn bytes(most: u64) -> Retention {
        Retention { bytes: Some(most), ..Retention::default() }
    }

    fn age(ns: u64) -> Retention {
        Retention { age: Some(Duration::from_nanos(ns)), ..Retention::default() }
    }

    #[test]
    fn without_a_rule_nothing_goes_and_nobody_looks() {
        let (directory, ours) = memory(3);
        directory.set_fault(None);
        assert_eq!(planned(&directory, &ours, Retention::default(), NOW), []);
        assert_eq!(directory.operations(), 0);
    }

    #[test]
    fn the_oldest_go_until_no_more_than_so_many_are_left_and_the_active_one_stays() {
        let (directory, ours) = memory(5);
        assert_eq!(planned(&directory, &ours, segments(5), NOW), []);
        assert_eq!(planned(&directory, &ours, segments(3), NOW), [(1, "segments"), (2, "segments")]);
        assert_eq!(planned(&directory, &ours, segments(1), NOW).len(), 4);
        let earlier = Ours { active_sequence: 3, ..ours };
        assert_eq!(planned(&directory, &earlier, segments(1), NOW).len(), 2, "what is behind the active one stays");
        let copy = directory.contents("a.0000000003.binlog").unwrap();
        directory.set_contents("a.copy-0000000003.binlog", copy);
        for keep in [segments(1), bytes(1), age(1)] {
            assert_eq!(planned(&directory, &earlier, keep, NOW).len(), 2, "a copy of the active one is none behind it");
        }
    }

    #[test]
    fn the_oldest_go_until_they_take_no_more_than_so_many_bytes() {
        let (directory, ours) = memory(4);
        let len = |sequence| directory.contents(&names::segment("a", sequence)).unwrap().len() as u64;
        let all: u64 = (1..=4).map(len).sum();
        assert_eq!(planned(&directory, &ours, bytes(all), NOW), []);
        assert_eq!(planned(&directory, &ours, bytes(all - 1), NOW), [(1, "bytes")]);
        assert_eq!(planned(&directory, &ours, bytes(all - len(1) - 1), NOW), [(1, "bytes"), (2, "bytes")]);
        assert_eq!(planned(&directory, &ours, bytes(1), NOW).len(), 3);
    }

    #[test]
    fn a_segment_goes_when_the_one_after_it_is_older_than_the_age() {
        let (directory, ours) = memory(4);
        let third = created(&directory, 3);
        assert_eq!(planned(&directory, &ours, age(1_000), third + 1_000).last(), Some(&(1, "age")));
        assert_eq!(planned(&directory, &ours, age(1_000), third + 1_001).last(), Some(&(2, "age")));
        assert_eq!(planned(&directory, &ours, age(1_000), NOW).len(), 3, "the active one stays");
        for set_back in [third - 10_000_000_000, 0, i64::MIN] {
            assert_eq!(planned(&directory, &ours, age(1_000), set_back), [], "a clock that was set back");
        }
    }

    #[test]
    fn rules_combine_and_the_ids_that_go_are_told() {
        let (directory, ours) = memory(5);
        let keep = Retention { segments: Some(2), ..age(1_000) };
        let doomed = plan(&directory, &ours, &keep, created(&directory, 2) + 1_001).unwrap();
        let told: Vec<_> = doomed.iter().map(|it| (it.sequence, it.why, it.first_id, it.last_id)).collect();
        assert_eq!(told, [(1, "age", 1, 10), (2, "segments", 11, 20), (3, "segments", 21, 30)]);
        let len = directory.contents("a.0000000001.binlog").unwrap().len() as u64;
        assert_eq!((doomed[0].name.as_str(), doomed[0].bytes), ("a.0000000001.binlog", len));
    }

    #[test]
    fn only_segments_of_the_log_go_and_others_count_for_nothing() {
        let (directory, ours) = memory(4);
        write(Arc::new(directory.clone()), "a.b", 9);
        let other = MemoryDirectory::new();
        write(Arc::new(other.clone()), "a", 3);
        let copy = |from: &MemoryDirectory, name: &str, to: &str| {
            directory.set_contents(to, from.contents(name).unwrap());
        };
        copy(&other, "a.0000000002.binlog", "a.restored.0000000002.binlog");
        copy(&directory, "a.0000000003.binlog", "a.0000000001-copy.binlog");
        copy(&directory, "a.0000000001.binlog", "a.1.binlog");
        directory.set_contents("a.0000000000.binlog", vec![]);
        directory.set_contents("a.x-0000000001.binlog", b"BINLOG is not all that it takes".to_vec());
        let before = directory.list().unwrap();
        for keep in [segments(2), Retention { segments: Some(2), ..bytes(u64::MAX) }] {
            assert_eq!(planned(&directory, &ours, keep, NOW), [(1, "segments"), (2, "segments")]);
        }
        let of_ours = (1..=4).map(|n| directory.contents(&names::segment("a", n)).unwrap().len() as u64).sum::<u64>();
        assert_eq!(planned(&directory, &ours, bytes(of_ours), NOW), []);
        let doomed = plan(&directory, &ours, &segments(1), NOW).unwrap();
        assert!(remove(&directory, &doomed).is_empty());
        let gone: Vec<_> = before.iter().filter(|name| directory.contents(name).is_none()).collect();
        assert_eq!(gone, ["a.0000000001.binlog", "a.0000000002.binlog", "a.0000000003.binlog"]);
    }

    #[test]
    fn a_file_that_nobody_has_begun_to_write_makes_no_segment_go() {
        for left in [vec![], vec![0; 300], b"BINLOG".to_vec()] {
            let (directory, mut ours) = memory(3);
            for (from, to) in [(3, 6), (2, 4)] {
                directory
                    .set_contents(&names::segment("a", to), directory.contents(&names::segment("a", from)).unwrap());
                let mut bytes = directory.contents(&names::segment("a", to)).unwrap();
                let (mut header, start) = FileHeader::decode_segment_start(&bytes).unwrap();
                header.sequence = to;
                bytes.splice(..start, header.encode_segment_start().unwrap());
                directory.set_contents(&names::segment("a", to), bytes);
                directory.remove(&names::segment("a", from)).unwrap();
            }
            for n in [2, 3, 5] {
                directory.set_contents(&names::segment("a", n), left.clone());
            }
            ours.active_sequence = 6;
            assert_eq!(planned(&directory, &ours, segments(3), NOW), [], "there are three");
            assert_eq!(planned(&directory, &ours, segments(2), NOW), [(1, "segments")]);
            assert_eq!(planned(&directory, &ours, segments(1), NOW).len(), 2);
        }
    }

    #[test]
    fn what_is_no_segment_in_any_of_its_forms_counts_once() {
        let (directory, ours) = memory(3);
        // Two files of one name as an ordinary segment, neither of which is one: counted as one, and left out twice.
        for name in ["a.0000000000.binlog", "a.0000000000.z.binlog", "a.0000000000.binlog.gz"] {
            directory.set_contents(name, vec![b'x'; 5000]);
        }
        assert_eq!(planned(&directory, &ours, segments(1), NOW), [(1, "segments"), (2, "segments")]);
        assert_eq!(planned(&directory, &ours, Retention { segments: Some(3), ..age(1) }, NOW).len(), 2);
    }

    #[test]
    fn a_segment_stays_as_long_as_none_behind_it_is_there() {
        let (directory, ours) = memory(3);
        directory.remove("a.0000000003.binlog").unwrap();
        assert_eq!(planned(&directory, &ours, segments(1), NOW), [(1, "segments")]);
    }

    #[test]
    fn ten_thousand_segments_cost_a_listing_and_the_headers_of_what_goes() {
        let (directory, mut ours) = memory(3);
        for (from, to) in [(3, 10_000), (2, 9_999)] {
            let mut bytes = directory.contents(&names::segment("a", from)).unwrap();
            let (mut header, start) = FileHeader::decode_segment_start(&bytes).unwrap();
            header.sequence = to;
            bytes.splice(..start, header.encode_segment_start().unwrap());
            directory.set_contents(&names::segment("a", to), bytes);
        }
        (3..9_999).for_each(|n| directory.set_contents(&names::segment("a", n), vec![b'x'; 4096]));
        ours.active_sequence = 10_000;
        let cost = |keep: Retention, now_ns| {
            directory.set_fault(None);
            let planned = planned(&directory, &ours, keep, now_ns);
            (planned.len(), directory.operations())
        };
        assert_eq!(cost(segments(10_000), NOW), (0, 1));
        let (gone, operations) = cost(segments(9_999), NOW);
        assert!(gone == 1 && operations < 10_100, "{gone} {operations}");
        let (gone, operations) = cost(age(1_000), 0);
        assert!(gone == 0 && operations < 20, "{gone} {operations}");
        assert_eq!(cost(bytes(1 << 40), NOW), (0, 10_001));
    }

    #[test]
    fn a_failing_system_is_no_reason_to_pass_over_a_segment() {
        let (directory, ours) = memory(4);
        for (operation, from) in
            [(Operation::List, 0), (Operation::Stat, 1), (Operation::Open, 1), (Operation::Read, 1)]
        {
            directory.set_fault(Some(Fault { from, times: 1, errno: libc::EIO, only: Some(operation) }));
            assert_eq!(plan(&directory, &ours, &segments(1), NOW).unwrap_err().os_code(), Some(libc::EIO));
        }
        // Nobody's fault but its owner's.
        directory.set_fault(Some(Fault { from: 4, times: 1, errno: libc::EACCES, only: Some(Operation::Open) }));
        assert_eq!(planned(&directory, &ours, segments(2), NOW), [(2, "segments")]);
    }

    #[test]
    fn behind_a_segment_that_cannot_be_removed_nothing_is() {
        let (directory, ours) = memory(5);
        let doomed = plan(&directory, &ours, &segments(1), NOW).unwrap();
        directory.remove("a.0000000001.binlog").unwrap();
        directory.set_fault(Some(Fault { from: 1, times: 1, errno: libc::EPERM, only: Some(Operation::Remove) }));
        let failed = remove(&directory, &doomed);
        assert_eq!(failed.len(), 1);
        assert_eq!(failed[0].path().unwrap(), directory.path_of("a.0000000003.binlog"), "one that is gone is no error");
        let left = directory.list().unwrap().into_iter().filter(|name| name.ends_with(".binlog")).collect::<Vec<_>>();
        assert_eq!(left, [3, 4, 5].map(|sequence| names::segment("a", sequence)));
    }

    #[test]
    fn removals_are_made_durable_once() {
        let (directory, ours) = memory(5);
        let doomed = plan(&directory, &ours, &segments(1), NOW).unwrap();
        directory.set_fault(Some(Fault { from: 1, times: 9, errno: libc::EIO, only: Some(Operation::SyncDirectory) }));
        assert!(remove(&directory, &doomed).is_empty());
        assert_eq!(directory.operations(), 1);
        assert_eq!(remove(&directory, &doomed)[0].os_code(), Some(libc::EIO));
        assert!(remove(&directory, &[]).is_empty());
    }

    #[test]
    fn a_file_that_took_the_place_of_a_segment_stays() {
        let (directory, ours) = memory(3);
        let doomed = plan(&directory, &ours, &segments(1), NOW).unwrap();
        directory.set_contents("a.0000000001.binlog", b"another".to_vec());
        assert_eq!(remove(&directory, &doomed).len(), 1);
        assert!(directory.contents("a.0000000001.binlog").is_some());
    }

    #[test]
    fn a_symbolic_link_is_neither_followed_nor_removed() {
        let (scratch, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let directory = RealDirectory::open(scratch.path()).unwrap();
        write(Arc::new(RealDirectory::open(scratch.path()).unwrap()), "a", 4);
        let path = |name: &str| scratch.path().join(name);
        let moved = elsewhere.path().join("moved");
        std::fs::rename(path("a.0000000001.binlog"), &moved).unwrap();
        std::os::unix::fs::symlink(&moved, path("a.0000000001.binlog")).unwrap();
        std::fs::create_dir(path("a.0000000000.binlog")).unwrap();
        let ours = ours(&directory, "a");
        let doomed = plan(&directory, &ours, &Retention { segments: Some(2), ..age(1) }, NOW).unwrap();
        assert_eq!(doomed.iter().map(|it| it.sequence).collect::<Vec<_>>(), [2, 3]);
        // Between the plan and its execution.
        std::fs::rename(path("a.0000000002.binlog"), elsewhere.path().join("second")).unwrap();
        std::os::unix::fs::symlink(elsewhere.path().join("second"), path("a.0000000002.binlog")).unwrap();
        assert_eq!(remove(&directory, &doomed).len(), 1);
        assert!(moved.exists() && elsewhere.path().join("second").exists());
        for name in ["a.0000000001.binlog", "a.0000000002.binlog"] {
            assert!(std::fs::symlink_metadata(path(name)).unwrap().is_symlink());
        }
        assert!(path("a.0000000003.binlog").exists());
    }
}
