//! How a log ends, for a writer that opens it: decided by its last segment, the one before, and the lock file. Damage
//! further back does not keep a writer away. Damage that would make it repeat ids does, and then nothing on the disk is
//! changed.

use std::io::ErrorKind;
use std::sync::Arc;

use super::alike::are_alike;
use super::lost::never_durable;
use super::proof::{held, missing_behind};
use crate::error::{Error, Kind, Result};
use crate::format::declaration::FileHeader;
use crate::io::{Access, Directory};
use crate::log::lock::read_left;
use crate::log::quoted::quoted;
use crate::log::{is_named, names, Left, Naming};
use crate::segment::{is_headed_by_another, is_unborn, successor, Recovered, Remains, Segment, ANOTHERS_HEADER};

/// A log that is being opened, under its writer's lock.
pub(crate) struct Opening<'a> {
    pub directory: &'a dyn Directory,
    pub log: &'a str,
    pub naming: &'a Naming,
    /// The lock file's line.
    pub left: Option<&'a Left>,
}

/// How the log ends.
pub(crate) struct End {
    /// The file of the last segment; `None` when there is none.
    pub last: Option<String>,
    /// The files before it, with the numbers in their names.
    pub earlier: Vec<(u64, String)>,
    /// The greatest number in the name of a file of the log, including files that were never begun.
    pub greatest: u64,
    /// The segments after the last one that have lost their beginning in a power cut before anything in them was
    /// durable: their numbers and what remains of them, the oldest first.
    pub lost: Vec<(u64, Remains)>,
}

/// The kind of a file that is named like a segment of the log.
enum Head {
    Segment(Box<FileHeader>),
    /// Nothing was written to it, as far as has survived.
    Unborn,
    /// It does not begin as a segment, or not as one that can be read.
    Broken(Error),
    /// It belongs to another log, or does not exist any more.
    Other,
}

impl Opening<'_> {
    /// The end of the log among the files of the directory.
    ///
    /// # Errors
    /// [`Kind::Corrupt`] when ids could be given twice, [`Kind::Unsupported`] when the last segment has a newer format
    /// or is compressed as a whole, and errors of the system.
    pub fn end(&self, listed: &[String]) -> Result<End> {
        let numbered = |file: &String| Some((names::sequence(self.log, file)?, file.clone()));
        let mut named: Vec<(u64, String)> = listed.iter().filter_map(numbered).collect();
        named.sort_unstable();
        let (mut greatest, mut lost) = (0, vec![]);
        let last = loop {
            let Some((number, file)) = named.pop() else { break None };
            match self.head(&file, number)? {
                Head::Other => (),
                Head::Unborn if self.is_proven(number) && !self.is_of_another(&file, listed) => {
                    return Err(self.header_lost(&file, "nothing of the segment has survived, which held records"));
                }
                Head::Unborn => greatest = number.max(greatest),
                Head::Broken(error) if self.is_of_another(&file, listed) => drop(error),
                Head::Broken(error) => {
                    let remains = match error.kind() {
                        Kind::Corrupt => never_durable(self.directory, self.left, &file, number)?,
                        _ => None,
                    };
                    lost.push((number, remains.ok_or_else(|| self.broken(&file, error))?));
                    greatest = number.max(greatest);
                }
                Head::Segment(header) => {
                    greatest = number.max(greatest);
                    break Some((number, file, header));
                }
            }
        };
        let Some((number, file, header)) = last else {
            if let Some(missing) = self.left.and_then(|left| missing_behind(left, 0)) {
                return Err(self.missing(None, &format!("number {missing}"), listed));
            }
            lost.reverse();
            return Ok(End { last: None, earlier: vec![], greatest, lost });
        };
        let file = self.form_to_continue(&file, &header, &mut named)?;
        let before = self.before(&mut named)?;
        self.check_alone((number, &file, &header), before.as_ref(), listed)?;
        named.extend(before.map(|(number, file, _)| (number, file)));
        named.sort_unstable();
        let left = self.left.filter(|left| left.log_id == header.log_id);
        if let Some(missing) = left.and_then(|left| missing_behind(left, header.sequence)) {
            return Err(self.missing(Some(&file), &format!("number {missing}"), listed));
        }
        lost.reverse();
        Ok(End { last: Some(file), earlier: named, greatest, lost })
    }

    /// Checks that the last segment is as long as it was when the log was closed, and that, if closed, it does not name
    /// a next segment that is not here.
    pub fn check_end(&self, last: &Arc<Segment>, found: &Recovered, listed: &[String]) -> Result<()> {
        let len = last.file.len().map_err(|e| Error::io(&e, "stat").at(&last.path))?;
        if let Some(noted) = self.left.and_then(|left| left.shortened(&last.header, len)) {
            let (lock, directory) = (names::lock(self.log), self.quoted(""));
            let reason = format!(
                "the end of the log is missing: {lock} notes that the segment was closed with {noted} bytes; nothing is \
                 appended, as ids would be given again: put the file back, or accept that its last records are lost with \
                 `binlog recover --in-place {directory}`"
            );
            return Err(Error::corrupt(reason).at_offset(&last.path, found.end));
        }
        let Some(file) = successor(last, found)?.filter(|_| found.closed) else { return Ok(()) };
        let is_here = |name: &String| names::plain(name) == names::plain(&file);
        let number = names::sequence(self.log, &file);
        let left = self.left.filter(|left| left.log_id == last.header.log_id);
        let was_taken_away = number.zip(left).is_some_and(|(number, left)| left.may_be_gone(number));
        match was_taken_away || listed.iter().any(is_here) {
            true => Ok(()),
            false => Err(self.missing(Some(&last.name), &file, listed)),
        }
    }

    fn head(&self, file: &str, number: u64) -> Result<Head> {
        match Segment::open(self.directory, file, Access::Read) {
            Ok(segment) if is_headed_by_another(&segment)? => {
                Ok(Head::Broken(Error::corrupt(ANOTHERS_HEADER).at_offset(&segment.path, 0)))
            }
            Ok(segment) => {
                let header = segment.header;
                // A file with exactly the name of this log's segment is not accepted.
                let is_named_like_ours = names::segment(self.log, number) == file;
                match header.name == self.log {
                    true => Ok(Head::Segment(Box::new(header))),
                    false if is_named_like_ours => {
                        let reason = format!("the segment belongs to the log {:?}, not {:?}", header.name, self.log);
                        Err(Error::corrupt(reason).at(&segment.path))
                    }
                    false => Ok(Head::Other),
                }
            }
            Err(_) if is_unborn(self.directory, file) => Ok(Head::Unborn),
            Err(e) if matches!(e.kind(), Kind::Corrupt | Kind::Unsupported) => Ok(Head::Broken(e)),
            Err(e) if e.kind() == Kind::NotFound => {
                // A symbolic link to nothing is not a removed file.
                let is_gone = self.directory.facts(file).is_err_and(|e| e.kind() == ErrorKind::NotFound);
                if is_gone {
                    Ok(Head::Other)
                } else {
                    Err(e)
                }
            }
            Err(e) => Err(e),
        }
    }

    /// The segment of the log before the last one, if it can be read.
    fn before(&self, named: &mut Vec<(u64, String)>) -> Result<Option<(u64, String, Box<FileHeader>)>> {
        const TRIED: usize = 8;
        for at in (0..named.len()).rev().take(TRIED) {
            let (number, file) = named[at].clone();
            match self.head(&file, number) {
                Ok(Head::Segment(header)) => {
                    named.remove(at);
                    return Ok(Some((number, file, header)));
                }
                Err(e) if matches!(e.kind(), Kind::Io | Kind::NoMemory) => return Err(e),
                _ => (),
            }
        }
        Ok(None)
    }

    /// The file to continue in, among those that hold the last segment: the one that readers read.
    fn form_to_continue(&self, file: &str, header: &FileHeader, named: &mut Vec<(u64, String)>) -> Result<String> {
        let mut chosen = (file.to_owned(), Box::new(header.clone()));
        let plain = names::plain(file).into_owned();
        while let Some((number, other)) = named.pop_if(|(_, other)| names::plain(other) == plain) {
            let Head::Segment(header) = self.head(&other, number)? else { continue };
            let len = |file: &str| self.directory.facts(file).map_or(0, |facts| facts.len);
            let (this, that) = (&chosen, (other, header));
            let is_better = match (&this.1.original, &that.1.original) {
                _ if names::is_whole(&this.0) => true,
                // It has grown since it was compressed.
                (Some(original), None) => len(&that.0) > original.bytes,
                (None, Some(original)) => len(&this.0) <= original.bytes,
                _ => false,
            };
            if is_better {
                chosen = that;
            }
        }
        if names::is_whole(&chosen.0) {
            let packed = self.quoted(&chosen.0);
            let reason = format!(
                "the newest segment of the log is compressed as a whole, and nothing can be appended to it: `binlog \
                 decompress {packed}` unpacks it"
            );
            return Err(Error::new(Kind::Unsupported, reason).at(&self.directory.path_of(&chosen.0)));
        }
        Ok(chosen.0)
    }

    /// Checks that the last file by name is the last segment by its header, and that no other file holds that segment.
    fn check_alone(
        &self,
        (number, file, header): (u64, &str, &FileHeader),
        before: Option<&(u64, String, Box<FileHeader>)>,
        listed: &[String],
    ) -> Result<()> {
        let path = self.directory.path_of(file);
        let refuse = |reason: String| Err(Error::corrupt(format!("{reason}; nothing is appended")).at(&path));
        let of_another = |(_, other, that): &(u64, String, Box<FileHeader>)| {
            (that.log_id != header.log_id).then(|| self.quoted(other))
        };
        if let Some(there) = before.and_then(of_another).or_else(|| self.noted_log_but(header, listed)) {
            let (log, directory) = (self.log, self.quoted(""));
            return refuse(format!(
                "two logs {log:?} are here: the segment is of another one than {there}: move the files of one of them to a \
                 directory of its own; `binlog ls {directory}` lists them"
            ));
        }
        if let Some((_, other, _)) = before.filter(|(.., that)| is_same(header, that)) {
            return refuse(self.copy_of(file, other, header));
        }
        // The first segment of a log has the number 1 even when its name had to take a greater one.
        let is_first = header.sequence == 1 && header.predecessor.is_none() && before.is_none();
        if number == header.sequence || is_first {
            return Ok(());
        }
        let mut rightful = listed.iter().filter(|other| names::sequence(self.log, other) == Some(header.sequence));
        let there = rightful.find_map(|other| match self.head(other, header.sequence) {
            Ok(Head::Segment(that)) => Some((other, that)),
            _ => None,
        });
        let stated = header.sequence;
        refuse(match there {
            Some((other, that)) if is_same(header, &that) => self.copy_of(file, other, header),
            Some((other, that)) if that.sequence == number => {
                let (this, that, swapped) =
                    (self.quoted(file), self.quoted(other), self.quoted(&format!("{file}.swapped")));
                format!(
                    "its name says number {number} and its header number {stated}, and those of {that} the other way round: \
                     their names were swapped: `mv {this} {swapped} && mv {that} {this} && mv {swapped} {that}` gives them back"
                )
            }
            other => {
                let right = file.replacen(&format!("{number:010}"), &format!("{stated:010}"), 1);
                let there = other
                    .map_or_else(String::new, |(other, _)| format!(", which {} is called, too", self.quoted(other)));
                let (this, right) = (self.quoted(file), self.quoted(&right));
                format!(
                    "its name says number {number}, and its header number {stated}{there}: it was renamed: `mv -n {this} {right}` \
                     gives it its name back"
                )
            }
        })
    }

    /// When the lock file notes another log than this segment's: a file of that log, a segment or the lock file.
    fn noted_log_but(&self, header: &FileHeader, listed: &[String]) -> Option<String> {
        const TRIED: usize = 64;
        let noted = &self.left.filter(|left| left.log_id != header.log_id)?.log_id;
        let is_noted = |file: &&String| {
            let opened = Segment::open(self.directory, file, Access::Read);
            opened.is_ok_and(|segment| segment.header.log_id == *noted)
        };
        let named = listed.iter().filter(|file| names::sequence(self.log, file).is_some());
        let segment = named.take(TRIED).find(is_noted);
        Some(self.quoted(segment.unwrap_or(&names::lock(self.log))))
    }

    fn copy_of(&self, file: &str, other: &str, header: &FileHeader) -> String {
        let is_rightful = names::sequence(self.log, file) == Some(header.sequence) && is_named(header, file);
        let (file, other) = if is_rightful { (other, file) } else { (file, other) };
        let (this, that) = (self.quoted(file), self.quoted(other));
        let set_aside = self.quoted(&format!("{file}.copy"));
        let sequence = header.sequence;
        format!(
            "{this} is a copy of segment {sequence} of the log, which {that} holds, too: `mv -n {this} {set_aside}` takes \
             it out of the log"
        )
    }

    /// Whether the lock file proves that the segment of this number, which has none after it, held something.
    fn is_proven(&self, number: u64) -> bool {
        self.left.is_some_and(|left| held(left, number))
    }

    /// Whether a damaged file belongs to another log whose name begins like this one's: a file with a similar name
    /// belongs to that log, or its lock file is here.
    fn is_of_another(&self, file: &str, listed: &[String]) -> bool {
        const TRIED: usize = 8;
        if names::shape(self.log, file) == names::shape(self.log, &self.naming.file(1, 0)) {
            return false;
        }
        let alike = listed.iter().filter(|other| *other != file && are_alike(other, file)).take(TRIED);
        let mut logs = alike.filter_map(|other| Segment::open(self.directory, other, Access::Read).ok());
        match logs.next() {
            Some(segment) => segment.header.name != self.log,
            None => {
                names::parse(file).is_some_and(|(log, _)| log != self.log && read_left(self.directory, log).is_some())
            }
        }
    }

    fn broken(&self, file: &str, error: Error) -> Error {
        match error.kind() {
            Kind::Corrupt => self.header_lost(file, error.reason()),
            _ => error,
        }
    }

    fn header_lost(&self, file: &str, why: &str) -> Error {
        let directory = self.quoted("");
        let reason = format!(
            "{why}: the beginning of the log's last segment is lost, so that nothing is appended: `binlog recover --in-place \
             {directory}` keeps a copy and saves what can be saved"
        );
        Error::corrupt(reason).at_offset(&self.directory.path_of(file), 0)
    }

    /// The error for a missing segment of the log that is known to have held records: `what` names it.
    fn missing(&self, last: Option<&str>, what: &str, listed: &[String]) -> Error {
        let wanted = names::sequence(self.log, what).or_else(|| what.strip_prefix("number ")?.parse().ok());
        let renamed = listed.iter().filter(|file| names::is_segment(file)).find_map(|file| {
            let header = Segment::open(self.directory, file, Access::Read).ok()?.header;
            (header.name == self.log && Some(header.sequence) == wanted).then_some(file)
        });
        let mends = match renamed {
            Some(file) => format!("{} holds it: give it its name back", self.quoted(file)),
            None => format!(
                "put it back, or accept that its records are lost with `binlog recover --in-place {}`",
                self.quoted("")
            ),
        };
        let proof = match last {
            Some(_) if !what.starts_with("number ") => "the last one here says that the log goes on in it".to_owned(),
            _ => format!("{} notes that it held records", names::lock(self.log)),
        };
        let path = last.map_or_else(|| self.directory.path().to_owned(), |file| self.directory.path_of(file));
        Error::corrupt(format!("the log's segment {what} is not here, and {proof}; nothing is appended: {mends}"))
            .at(&path)
    }

    /// The path of a file of the directory, or of the directory itself, quoted for a shell.
    fn quoted(&self, file: &str) -> String {
        quoted(self.directory, file)
    }
}

/// Whether both headers belong to the same segment.
fn is_same(a: &FileHeader, b: &FileHeader) -> bool {
    a.log_id == b.log_id && a.sequence == b.sequence && a.markers().iter().any(|marker| b.markers().contains(marker))
}
