//! Files that do not begin as a segment does: what they are, and their place in a log.

use std::path::PathBuf;
use std::sync::Arc;

use super::alike::are_alike;
use super::heads::{File, Heads};
use super::lost;
use super::proof::Proof;
use super::remark::Remark;
use super::slot::{Slot, SlotState};
use super::snapshot::Unreadable;
use crate::error::{Error, Kind, Result};
use crate::io::{Access, Directory};
use crate::log::names;
use crate::options::ReaderMode;
use crate::segment::{has_block, rescue, with_first_id_by_index, Segment, EXTENSION};

/// The result of judging them.
#[derive(Default)]
pub(super) struct Broken {
    /// Segments of a log whose beginning is lost, or which have a newer format.
    pub unreadable: Vec<Unreadable>,
    /// Files that are not segments of any log, and the errors that show this.
    pub strays: Vec<(PathBuf, Error)>,
    /// Remarks about damaged files of segments that are read from another file.
    pub damaged: Vec<Remark>,
    /// Files that were meant to become a segment and never held anything.
    pub leftovers: Vec<File>,
    /// When there is no segment here: a file that should be one, and its place in a log. One that held records comes
    /// first.
    pub place_of_void: Option<(File, (String, u64))>,
}

impl Broken {
    /// Judges the files that were found broken or unborn. For a salvaging reader, those with readable blocks become
    /// slots.
    pub fn judge(heads: &mut Heads<'_>) -> Result<Self> {
        let mut judged = Broken::default();
        let files = || heads.broken.iter().map(|(file, _)| file).chain(&heads.unborn).cloned();
        let files: Vec<File> = if heads.slots.is_empty() { files().collect() } else { vec![] };
        let broken = std::mem::take(&mut heads.broken).into_iter();
        let mut broken: Vec<_> = broken.map(|(file, error)| (place_of(&heads.slots, &file.1), file, error)).collect();
        // In order: each finds the one before it.
        broken.sort_by(|(a, ..), (b, ..)| a.cmp(b));
        for (place, file, error) in broken {
            judged.place(heads, place, file, error)?;
        }
        for file in std::mem::take(&mut heads.unborn) {
            judged.place_unborn(heads, file);
        }
        judged.set_first_ids(&heads.slots);
        if let Some((directory, _)) = files.first() {
            judged.set_ids_of_all(&**directory);
        }
        judged.place_of_void = judged.find_void(files);
        Ok(judged)
    }

    /// Sets the ids that are lost with all segments of a log when none can be read: its lock file notes what they held
    /// when the log was closed.
    fn set_ids_of_all(&mut self, directory: &dyn Directory) {
        let one_log = self.unreadable.windows(2).all(|pair| pair[0].log == pair[1].log);
        let from_first = self.unreadable.iter().zip(1..).all(|(file, number)| file.sequence == number);
        let Some(last) = self.unreadable.last_mut().filter(|_| one_log && from_first) else { return };
        last.ids = Proof::of(directory, &last.log, &[]).and_then(|proof| proof.ids_up_to(last.sequence));
    }

    fn place(&mut self, heads: &mut Heads<'_>, place: Option<(String, u64)>, file: File, error: Error) -> Result<()> {
        let (directory, name) = &file;
        if self.is_other_form(heads, &file, error.reason()) {
            return Ok(());
        }
        let path = directory.path_of(name);
        let bytes = len(&file);
        if error.kind() == Kind::Corrupt && self.is_named_lost(heads, &file, place.as_ref())? {
            return Ok(());
        }
        let (log, sequence) = place.unwrap_or_else(|| (name.clone(), 1));
        let read = heads.slots.iter().find(|slot| slot.log.name == log && slot.sequence == sequence);
        // Whatever it held, no number is missing. Who removes segments has to know which file it is.
        let is_passed_over = error.kind() == Kind::Corrupt && !heads.is_lenient && !is_salvaged(heads, &file);
        if let Some(slot) = read.filter(|_| is_passed_over) {
            self.damaged.push(Remark::unreadable(path, bytes, slot, error.reason()));
            return Ok(());
        }
        let is_known = heads.slots.iter().any(|slot| slot.log.name == log) || Proof::is_kept(&**directory, &log);
        if error.kind() == Kind::Corrupt && !is_known && !has_block(&**directory, name) {
            self.strays.push((path, error));
            return Ok(());
        }
        if heads.mode == ReaderMode::Salvage && error.kind() == Kind::Corrupt {
            if let Some(segment) = rescued(heads, &file, (&log, sequence))? {
                let segment = heads.shared.bounded(segment);
                heads.take(directory, &segment);
                return Ok(());
            }
        }
        self.unreadable.push(Unreadable { path, bytes, ids: None, error, log, sequence });
        Ok(())
    }

    fn find_void(&self, files: Vec<File>) -> Option<(File, (String, u64))> {
        let is_lost = |(directory, name): &File| {
            let path = directory.path_of(name);
            self.unreadable.iter().any(|file| file.path == path)
        };
        let file = files.iter().find(|file| is_lost(file)).or(self.leftovers.first())?.clone();
        let stem = || file.1.strip_suffix(EXTENSION).unwrap_or(&file.1).to_owned();
        let place = place_of(&[], &file.1).unwrap_or_else(|| (stem(), 1));
        Some((file, place))
    }

    /// Whether the segment in this damaged file is read from another form of it, compressed or not.
    fn is_other_form(&mut self, heads: &Heads<'_>, file: &File, damage: &str) -> bool {
        let (directory, name) = file;
        let is_other = |slot: &&Arc<Slot>| names::plain(&slot.name) == names::plain(name) && slot.is_in(&**directory);
        let other = heads.slots.iter().find(is_other);
        self.damaged.extend(other.map(|slot| Remark::damaged(directory.path_of(name), len(file), slot, damage)));
        other.is_some()
    }

    /// Whether a later segment of the log names the segment in the file as lost with its beginning. The file is then
    /// skipped, except for the blocks that a salvaging reader finds in it.
    fn is_named_lost(&mut self, heads: &mut Heads<'_>, file: &File, place: Option<&(String, u64)>) -> Result<bool> {
        let Some((log, sequence)) = place.filter(|_| heads.mode != ReaderMode::Strict) else { return Ok(false) };
        let Some((hole, next)) = lost::named(&heads.slots, log, *sequence) else { return Ok(false) };
        if heads.mode == ReaderMode::Salvage {
            if let Some(segment) = rescued(heads, file, (log, *sequence))? {
                let segment = heads.shared.bounded(segment);
                heads.take(&file.0, &segment);
                return Ok(true);
            }
        }
        self.damaged.push(Remark::lost(file.0.path_of(&file.1), &hole, &next));
        Ok(true)
    }

    /// A file without contents was never begun, unless something proves that it held records: they were written, and are
    /// lost.
    fn place_unborn(&mut self, heads: &mut Heads<'_>, file: File) {
        if self.is_other_form(heads, &file, "nothing of the file has survived") {
            return;
        }
        let (directory, name) = &file;
        let place = place_of(&heads.slots, name);
        // There is no block in it.
        if self.is_named_lost(heads, &file, place.as_ref()).unwrap_or_default() {
            return;
        }
        let Some((log, sequence)) = place else { return self.leftovers.push(file) };
        if heads.slots.iter().any(|slot| slot.log.name == log && slot.sequence == sequence) {
            return self.leftovers.push(file);
        }
        let behind = heads.slots.iter().filter(|slot| slot.log.name == log && slot.sequence > sequence);
        let known = behind.min_by_key(|slot| slot.sequence).map(|next| next.known());
        let reason = match known {
            Some(Some(known)) if known.predecessor == Some(sequence) => format!(
                "nothing of the segment has survived, and the log goes on behind it with record {}",
                known.first_id
            ),
            // A store contains only finished segments.
            _ if directory.is_far() => {
                "nothing of the segment has survived, which a store holds only when it is finished".to_owned()
            }
            // It was begun after another one.
            Some(_) => return self.leftovers.push(file),
            None if !Proof::of(&**directory, &log, &heads.slots).is_some_and(|proof| proof.held(sequence)) => {
                return self.leftovers.push(file);
            }
            None => match heads.shared.open(&**directory, name) {
                // Its writer has begun it meanwhile.
                Ok(SlotState::Segment(segment)) => return heads.take(directory, &segment),
                _ => {
                    format!("nothing of the segment has survived, which held records: {} notes that", names::lock(&log))
                }
            },
        };
        let path = directory.path_of(name);
        let bytes = len(&file);
        let error = Error::corrupt(reason).at_offset(&path, 0);
        self.unreadable.push(Unreadable { error, path, bytes, ids: None, log, sequence });
    }

    /// Sets the ids that are lost with the first segments of a log: without a segment before them nothing else states
    /// them.
    fn set_first_ids(&mut self, slots: &[Arc<Slot>]) {
        self.unreadable.sort_by(|a, b| (&a.log, a.sequence).cmp(&(&b.log, b.sequence)));
        let mut from = 0;
        while from < self.unreadable.len() {
            let log = self.unreadable[from].log.clone();
            let files = self.unreadable[from..].iter().take_while(|file| file.log == log).count();
            let first = slots.iter().filter(|slot| slot.log.name == log).min_by_key(|slot| slot.sequence);
            if let Some((first, known)) = first.and_then(|first| Some((first, first.known()?))) {
                let lost = &mut self.unreadable[from..from + files];
                let lost = lost.iter_mut().zip(1..).take_while(|(file, number)| file.sequence == *number);
                let last = lost.map(|(file, _)| file).take_while(|file| file.sequence < first.sequence).last();
                let is_next = |file: &&mut Unreadable| known.predecessor.unwrap_or(first.sequence - 1) == file.sequence;
                if let Some(file) = last.filter(is_next) {
                    file.ids = (known.first_id > 1).then(|| (1, known.first_id - 1));
                }
            }
            from += files;
        }
    }
}

/// Whether a salvaging reader looks for blocks in the file, and there are some.
fn is_salvaged(heads: &Heads<'_>, (directory, name): &File) -> bool {
    heads.mode == ReaderMode::Salvage && has_block(&**directory, name)
}

fn len((directory, name): &File) -> u64 {
    directory.open(name, Access::Read).and_then(|file| file.len()).unwrap_or(0)
}

/// The segment made of the blocks in the file. Its place is the one in its name, unless the header of another segment
/// or the lock file shows to which segment these blocks belong, or a whole segment has that place: then their ids
/// decide.
fn rescued(heads: &Heads<'_>, file: &File, (log, sequence): (&str, u64)) -> Result<Option<Segment>> {
    let Some(segment) = rescued_at(heads, file, (log, sequence))? else { return Ok(None) };
    let marker = segment.header.marker;
    let by_header = || heads.slots.iter().find_map(|slot| Some((slot.log.name.clone(), slot.number_by(marker)?)));
    let by_lock = || Some((log.to_owned(), Proof::of(&*file.0, log, &heads.slots)?.number_by(marker)?));
    let by_ids = || Ok(number_by_ids(heads, file, (log, sequence))?.map(|number| (log.to_owned(), number)));
    let place = by_header().or_else(by_lock).map_or_else(by_ids, |place| Ok::<_, Error>(Some(place)))?;
    match place.filter(|(of_log, number)| (of_log.as_str(), *number) != (log, sequence)) {
        Some((log, number)) => rescued_at(heads, file, (&log, number)),
        None => Ok(Some(segment)),
    }
}

/// The number of the segment whose blocks are in the file, when a whole segment has the number in the file's name: one
/// that is free between the segments with lower and with higher ids. When two files were swapped, it is the number in
/// the other one's name.
fn number_by_ids(heads: &Heads<'_>, file: &File, (log, sequence): (&str, u64)) -> Result<Option<u64>> {
    let whole =
        || heads.slots.iter().filter(|slot| slot.log.name == log && !slot.is_rescued() && slot.known().is_some());
    let Some(there) = whole().find(|slot| slot.sequence == sequence) else { return Ok(None) };
    // For a number that no segment has, the first id is that of the first block.
    let Some(segment) = rescued_at(heads, file, (log, u64::MAX))? else { return Ok(None) };
    let first_id = segment.header.first_id;
    let is_before = |slot: &&Arc<Slot>| slot.known().is_some_and(|known| known.first_id <= first_id);
    let before = whole().filter(is_before).map(|slot| slot.sequence).max().unwrap_or(0);
    let behind = whole().filter(|slot| !is_before(slot)).map(|slot| slot.sequence).min().unwrap_or(u64::MAX);
    let is_free = |number: &u64| {
        before < *number
            && *number < behind
            && heads.slots.iter().all(|slot| slot.log.name != log || slot.sequence != *number)
    };
    let swapped = names::sequence(log, &there.name).filter(is_free);
    let next_to_it = if before > 0 { before.checked_add(1) } else { behind.checked_sub(1) };
    Ok(swapped.or(next_to_it.filter(is_free)))
}

fn rescued_at(heads: &Heads<'_>, (directory, name): &File, (log, sequence): (&str, u64)) -> Result<Option<Segment>> {
    let others = || heads.slots.iter().filter(|slot| slot.log.name == log);
    let before = others().filter(|slot| slot.sequence < sequence).max_by_key(|slot| slot.sequence);
    let beside = before.or_else(|| others().next());
    let beside = beside.map(|slot| slot.open(&heads.shared)).transpose()?;
    let beside = beside.and_then(|found| match found {
        SlotState::Segment(segment) => Some(segment),
        SlotState::Unborn | SlotState::Gone => None,
    });
    let is_next = beside.as_ref().is_some_and(|beside| beside.header.sequence.checked_add(1) == Some(sequence));
    let mut rescued = rescue(&**directory, name, (log, sequence), beside.as_ref())?;
    if !is_next && sequence > 1 {
        // Nothing else shows which records the blocks that are lost with the beginning had.
        rescued = rescued.map(with_first_id_by_index).transpose()?;
    }
    if let (Some(segment), None) = (&mut rescued, &beside) {
        if let Some(proof) = Proof::of(&**directory, log, &heads.slots) {
            segment.header.log_id = proof.log_id().to_vec();
        }
    }
    Ok(rescued)
}

/// The log and the number according to the name of a damaged file. The log is that of a file with a similar name, or
/// else one whose name the file's name begins with, or the one in the default form of names.
fn place_of(slots: &[Arc<Slot>], file: &str) -> Option<(String, u64)> {
    let of_log = |slot: &'_ Arc<Slot>| Some((slot.log.name.clone(), names::sequence(&slot.log.name, file)?));
    let alike = slots.iter().filter(|slot| are_alike(&slot.name, file)).find_map(of_log);
    let begun = || slots.iter().filter_map(of_log).max_by_key(|(log, _)| log.len());
    let default = || names::parse(file).map(|(log, sequence)| (log.to_owned(), sequence));
    alike.or_else(begun).or_else(default)
}
