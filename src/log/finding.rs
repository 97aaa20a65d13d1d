//! Which of the files that are there are segments, and in which order.
//!
//! Headers tell it for certain, and are read when the files are few. Where they are many, names tell it: a file that
//! begins with the name of a log, which is known from the header of one like it, and has a number that no other has.
//! What such a name said is compared with the header when the file is opened.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::elders;
use super::names;
use super::slot::{Found, Log, Shared, Slot};
use super::snapshot::{Snapshot, Unreadable};
use crate::error::{Error, Kind, Result};
use crate::io::{Access, Directory};
use crate::options::ReaderMode;
use crate::segment::{is_left_over, rescue, unborn, Segment};

/// So many new files are opened to ask for their place.
const FEW: usize = 64;
/// Kinds of names that may be among many files.
const KINDS: usize = 16;
/// Files of one kind of name that are opened to find one that is a segment.
const TRIED: usize = 8;

type File = (Arc<dyn Directory>, String);

/// Segments being collected.
pub(super) struct Finding<'a> {
    known: &'a Snapshot,
    /// Those that are known, by their names: more than one has the same only in different directories.
    by_name: HashMap<&'a str, &'a Arc<Slot>>,
    mode: ReaderMode,
    shared: Arc<Shared>,
    slots: Vec<Arc<Slot>>,
    fresh: Vec<File>,
    /// Those that do not begin as a segment.
    broken: Vec<(File, Error)>,
    /// Those to which nothing was ever written, as far as has survived.
    unborn: Vec<File>,
    /// Files of older libraries.
    elders: Vec<elders::Found>,
    /// Files of a directory that are not called as segments are.
    others: Vec<File>,
    /// No listed file was found to be removed.
    is_whole: bool,
}

impl<'a> Finding<'a> {
    pub fn new(known: &'a Snapshot, mode: ReaderMode) -> Self {
        Finding {
            known,
            by_name: known.slots.iter().map(|slot| (slot.name.as_str(), slot)).collect(),
            mode,
            shared: known.shared.clone(),
            slots: vec![],
            fresh: vec![],
            broken: vec![],
            unborn: vec![],
            elders: vec![],
            others: vec![],
            is_whole: true,
        }
    }

    /// Takes files that are there.
    pub fn add(&mut self, directory: &Arc<dyn Directory>, names: Vec<String>) {
        for name in names {
            let known = match self.by_name.get(name.as_str()) {
                Some(slot) if slot.is_at(&**directory, &name) => Some(*slot),
                Some(_) => self.known.slots.iter().find(|slot| slot.is_at(&**directory, &name)),
                None => None,
            };
            match known {
                Some(slot) => self.slots.push(slot.clone()),
                None => self.fresh.push((directory.clone(), name)),
            }
        }
    }

    /// Takes files that are none of this library's: those of older ones among them count where it has none itself.
    pub fn add_others(&mut self, directory: &Arc<dyn Directory>, names: Vec<String>) {
        let others = names.into_iter().filter(|name| !name.starts_with('.'));
        self.others.extend(others.map(|name| (directory.clone(), name)));
    }

    /// Takes one file, which must be a segment, or what is left of the beginning of one.
    pub fn add_alone(&mut self, directory: &Arc<dyn Directory>, name: &str) -> Result<()> {
        let segment = match self.shared.open(&**directory, name) {
            Ok(Found::Segment(segment)) => segment,
            Ok(Found::Unborn) if is_left_over(&**directory, name) => Arc::new(unborn(&**directory, name)?),
            // The error that says why not.
            Ok(_) => self.shared.bounded(Segment::open(&**directory, name, Access::Read)?),
            Err(error) if error.kind() == Kind::Corrupt => match elders::look(directory, name)? {
                Some(found) => {
                    self.elders.push(found);
                    return Ok(());
                }
                None => return Err(error),
            },
            Err(error) => return Err(error),
        };
        self.take(directory, &segment);
        Ok(())
    }

    /// The snapshot, and whether every listed file was there when it was opened.
    pub fn finish(mut self) -> Result<(Snapshot, bool)> {
        let fresh = std::mem::take(&mut self.fresh);
        let by_names = match fresh.len() <= FEW || self.mode == ReaderMode::Salvage {
            true => None,
            false => self.by_names(&fresh)?,
        };
        match by_names {
            Some(slots) => self.slots.extend(slots),
            None => self.by_headers(fresh)?,
        }
        if self.slots.is_empty() && self.broken.is_empty() {
            for (directory, name) in std::mem::take(&mut self.others) {
                self.elders.extend(elders::look(&directory, &name).ok().flatten());
            }
        }
        let mut unreadable = self.place_the_broken()?;
        unreadable.extend(self.lost_beginnings());
        self.slots.extend(elders::slots(std::mem::take(&mut self.elders)));
        if let (true, Some(first)) = (self.slots.is_empty(), unreadable.first()) {
            return Err(first.error.clone());
        }
        self.slots = without_repeated(std::mem::take(&mut self.slots));
        sort(&mut self.slots);
        let one_log = is_one_log(&self.slots);
        self.shared.keep_only(&self.slots);
        Ok((Snapshot { slots: self.slots, unreadable, one_log, shared: self.shared }, self.is_whole))
    }

    fn by_headers(&mut self, files: Vec<File>) -> Result<()> {
        for (directory, name) in files {
            match self.shared.open(&*directory, &name) {
                Ok(Found::Segment(segment)) => self.take(&directory, &segment),
                Ok(Found::Unborn) => self.unborn.push((directory, name)),
                Ok(Found::Gone) => self.is_whole = false,
                Err(error) if error.kind() == Kind::Corrupt => match elders::look(&directory, &name)? {
                    Some(found) => self.elders.push(found),
                    None => self.broken.push(((directory, name), error)),
                },
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn take(&mut self, directory: &Arc<dyn Directory>, segment: &Arc<Segment>) {
        let log = self.log_of(segment);
        self.slots.push(Arc::new(Slot::of(directory, log, segment, &self.shared)));
    }

    /// The log of a segment; the same one for all that are of it.
    fn log_of(&self, segment: &Segment) -> Arc<Log> {
        let log = Log { name: segment.header.name.clone(), id: segment.header.log_id.clone() };
        // Most often it is that of the one before.
        let known = self.slots.iter().rev().map(|slot| &slot.log).find(|known| ***known == log);
        known.cloned().unwrap_or_else(|| Arc::new(log))
    }

    /// Places the files by their names; `None` when these do not tell the order of all of them.
    fn by_names(&mut self, files: &[File]) -> Result<Option<Vec<Arc<Slot>>>> {
        let mut placed: Vec<Arc<Slot>> = vec![];
        let mut left: Vec<&File> = files.iter().collect();
        for _ in 0..KINDS {
            let Some((_, like)) = left.first() else { break };
            let mut segment = None;
            for (directory, name) in left.iter().filter(|(_, name)| are_alike(name, like)).take(TRIED) {
                match self.shared.open(&**directory, name) {
                    Ok(Found::Segment(found)) => {
                        segment = Some(found);
                        break;
                    }
                    Ok(Found::Unborn | Found::Gone) => (),
                    // Whoever comes to its place will be told.
                    Err(error) if error.kind() == Kind::Corrupt => (),
                    Err(error) => return Err(error),
                }
            }
            let Some(segment) = segment else { return Ok(None) };
            if names::sequence(&segment.header.name, &segment.name).is_none() {
                return Ok(None);
            }
            let log = self.log_of(&segment);
            let log = placed.iter().map(|slot| &slot.log).find(|known| **known == log).cloned().unwrap_or(log);
            left.retain(|(directory, name)| match names::sequence(&log.name, name) {
                Some(sequence) if are_alike(name, like) => {
                    placed.push(Arc::new(Slot::by_name(directory.clone(), name.clone(), log.clone(), sequence)));
                    false
                }
                _ => true,
            });
        }
        let mut places = HashSet::with_capacity(placed.len());
        let once = without_repeated(self.slots.iter().chain(&placed).cloned().collect());
        let all_differ = once.iter().all(|slot| places.insert((&slot.log.id, slot.sequence)));
        Ok((left.is_empty() && all_differ).then_some(placed))
    }

    /// The log and the number that the name of a damaged file tells: those of the log that has a file named alike, or else
    /// of one whose name it begins with, or as segments are named by default.
    fn place_of(&self, file: &str) -> Option<(String, u64)> {
        let of_log = |slot: &'_ Arc<Slot>| Some((slot.log.name.clone(), names::sequence(&slot.log.name, file)?));
        let alike = self.slots.iter().filter(|slot| are_alike(&slot.name, file)).find_map(of_log);
        let begun = || self.slots.iter().filter_map(of_log).max_by_key(|(log, _)| log.len());
        let default = || names::parse(file).map(|(log, sequence)| (log.to_owned(), sequence));
        alike.or_else(begun).or_else(default)
    }

    /// Files without anything in them that the log's first segment tells to have come before it: they were written, and
    /// what stood in them was lost before it was durable. Others nobody has begun.
    fn lost_beginnings(&mut self) -> Vec<Unreadable> {
        let mut lost = vec![];
        for (directory, name) in std::mem::take(&mut self.unborn) {
            let Some((log, sequence)) = self.place_of(&name) else { continue };
            let first = self.slots.iter().filter(|slot| slot.log.name == log).min_by_key(|slot| slot.sequence);
            let Some(known) = first.and_then(|first| first.known()) else { continue };
            if known.predecessor != Some(sequence) {
                continue;
            }
            let reason = format!(
                "nothing of the segment has survived, and the log goes on behind it with record {}",
                known.first_id
            );
            let path = directory.path_of(&name);
            let bytes = directory.open(&name, Access::Read).and_then(|file| file.len()).unwrap_or(0);
            lost.push(Unreadable { error: Error::corrupt(reason).at_offset(&path, 0), path, bytes, log, sequence });
        }
        lost
    }

    /// Finds the place of each file that does not begin as a segment, or what can be read of it in salvage.
    fn place_the_broken(&mut self) -> Result<Vec<Unreadable>> {
        let mut unreadable = vec![];
        let broken = std::mem::take(&mut self.broken).into_iter();
        let mut broken: Vec<_> = broken.map(|(file, error)| (self.place_of(&file.1), file, error)).collect();
        // In order, so that each finds the one before it.
        broken.sort_by(|(a, ..), (b, ..)| a.cmp(b));
        for (known, (directory, name), error) in broken {
            let (log, sequence) = match &known {
                Some((log, sequence)) => (log.as_str(), *sequence),
                None => (name.as_str(), 1),
            };
            let others = || self.slots.iter().filter(|slot| slot.log.name == log);
            let rescued = match self.mode {
                ReaderMode::Salvage => {
                    let before = others().filter(|slot| slot.sequence < sequence).max_by_key(|slot| slot.sequence);
                    let beside = before.or_else(|| others().next());
                    let beside = beside.map(|slot| slot.open(&self.shared)).transpose()?;
                    let beside = beside.and_then(|found| match found {
                        Found::Segment(segment) => Some(segment),
                        Found::Unborn | Found::Gone => None,
                    });
                    rescue(&*directory, &name, (log, sequence), beside.as_ref())?
                }
                // Nobody knows where it belongs.
                _ if known.is_none() || others().next().is_none() => return Err(error),
                _ => None,
            };
            if let Some(segment) = rescued {
                let segment = self.shared.bounded(segment);
                self.take(&directory, &segment);
                continue;
            }
            let bytes = directory.open(&name, Access::Read).and_then(|file| file.len()).unwrap_or(0);
            let (path, log) = (directory.path_of(&name), log.to_owned());
            unreadable.push(Unreadable { path, bytes, error, log, sequence });
        }
        Ok(unreadable)
    }
}

/// Whether two names differ in nothing but the digits of their numbers, and in whether they are compressed.
fn are_alike(a: &str, b: &str) -> bool {
    let (a, b) = (names::plain(a), names::plain(b));
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    let digits = |bytes: &[u8]| bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    loop {
        match (digits(a), digits(b)) {
            (0, 0) => (),
            (0, _) | (_, 0) => return false,
            (of_a, of_b) => (a, b) = (&a[of_a..], &b[of_b..]),
        }
        match (a.split_first(), b.split_first()) {
            (None, None) => return true,
            (Some((x, rest_a)), Some((y, rest_b))) if x == y => (a, b) = (rest_a, rest_b),
            _ => return false,
        }
    }
}

/// The segments without those that are there a second time, compressed or not.
fn without_repeated(slots: Vec<Arc<Slot>>) -> Vec<Arc<Slot>> {
    let mut places = HashMap::with_capacity(slots.len());
    let mut once: Vec<Arc<Slot>> = Vec::with_capacity(slots.len());
    for slot in slots {
        let at = *places.entry((slot.log.id.clone(), slot.sequence)).or_insert(once.len());
        match once.get(at) {
            Some(there) if there.is_same_segment(&slot) => {
                if slot.is_better_than(there) {
                    once[at] = slot;
                }
            }
            _ => once.push(slot),
        }
    }
    once
}

pub(super) fn is_one_log(slots: &[Arc<Slot>]) -> bool {
    slots.windows(2).all(|pair| Arc::ptr_eq(&pair[0].log, &pair[1].log) || pair[0].log.id == pair[1].log.id)
}

/// Segments of one log stand together, by sequence number: names, times and inodes may lie, headers do not. Logs are
/// ordered by name, then by when they began.
pub(super) fn sort(slots: &mut [Arc<Slot>]) {
    let mut began: HashMap<Vec<u8>, i64> = HashMap::new();
    if !is_one_log(slots) {
        for slot in slots.iter() {
            let created = slot.known().map_or(i64::MAX, |known| known.created_ns);
            began.entry(slot.log.id.clone()).and_modify(|at| *at = created.min(*at)).or_insert(created);
        }
    }
    // Of two copies the one comes first that is named as a writer names it.
    let is_copy = |slot: &Slot| names::sequence(&slot.log.name, &slot.name) != Some(slot.sequence);
    slots.sort_by(|a, b| {
        let by_log = match Arc::ptr_eq(&a.log, &b.log) {
            true => std::cmp::Ordering::Equal,
            false => {
                let key =
                    |slot: &'_ Slot| (slot.log.name.clone(), began.get(&slot.log.id).copied(), slot.log.id.clone());
                key(a).cmp(&key(b))
            }
        };
        by_log
            .then_with(|| a.sequence.cmp(&b.sequence))
            .then_with(|| (is_copy(a), a.path()).cmp(&(is_copy(b), b.path())))
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_alike_when_only_numbers_differ() {
        for (a, b, alike) in [
            ("a.0000000001.binlog", "a.0000000012.binlog", true),
            ("a.2026-11-21.0000000001.binlog", "a.2026-1-2.00000000001.binlog", true),
            ("a.0000000001.binlog", "a.0000000012.z.binlog", true),
            ("a1.0000000001.binlog", "a22.0000000001.binlog", true),
            ("a.0000000001.binlog", "b.0000000001.binlog", false),
            ("a.0000000001.binlog", "a.b.0000000001.binlog", false),
            ("a.0000000001.binlog", "a.binlog", false),
            ("a.0000000001.binlog", "a.0000000001.binlog2", false),
            ("", "", true),
        ] {
            assert_eq!((are_alike(a, b), are_alike(b, a)), (alike, alike), "{a} {b}");
        }
    }
}
