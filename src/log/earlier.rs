//! The segments before the last one, when a writer opens a log and it is not noted how far they are durable.

use std::sync::Arc;

use super::left::Left;
use super::survey::never_durable;
use crate::error::{Error, Kind, Result};
use crate::format::declaration::{FileHeader, Hole, Predecessor};
use crate::io::{Access, Directory};
use crate::memory;
use crate::record::NamedType;
use crate::segment::{self, begins_with_names, is_unborn, Inherited, Schema, Segment};

/// The parts of the segments before `last` that were never known to be durable, the newest first, back to a segment
/// whose beginning was known to be. Checks that these segments are whole, except for bytes that a power cut may have
/// left: those are returned as holes.
///
/// The writer that rolled makes them durable right after the roll, before its next sync of the current segment. It may
/// have been killed before, or its fsync may have failed. Therefore a segment that states nothing about durability
/// proves nothing about the ones before it.
pub(crate) fn earlier_not_durable(
    directory: &dyn Directory,
    last: &Arc<Segment>,
    earlier: &[(u64, String)],
    left: Option<&Left>,
) -> Result<(Vec<Inherited>, Vec<Hole>)> {
    let (mut inherited, mut holes) = (vec![], vec![]);
    let mut next = last.clone();
    let mut later = vec![last.clone()];
    while let Some(mut stated) = next.header.predecessor.clone() {
        let (mut lost, mut segment) = (vec![], predecessor(directory, &stated, earlier)?);
        if segment.is_none() {
            // It may have been removed because of its age: then it was durable.
            if !earlier.iter().any(|(sequence, _)| *sequence == stated.sequence) {
                break;
            }
            (lost, segment) = without_beginning((directory, left), &stated, &next, earlier)?;
        }
        let first_lost = lost.last().map(|(sequence, ..)| *sequence);
        let Some(segment) = segment else {
            let first_id = if first_lost == Some(1) { 1 } else { left.map_or(u64::MAX, |left| left.next_id) };
            holes.extend(whole_holes(&lost, first_id, &later));
            break;
        };
        if segment.file.len().is_ok_and(|len| len == u64::MAX) {
            // Only durable segments are compressed.
            break;
        }
        let is_as_stated = stated.marker == segment.header.marker;
        if segment.header.original.is_some() || (segment.header.recovered.is_some() && !is_as_stated) {
            // It replaced another file when that and the ones before it were durable, and its header states what is
            // lost at its end.
            break;
        }
        for later in &later {
            segment.learn_holes(&next.header, &later.header);
        }
        let len = segment.file.len().map_err(|e| Error::io(&e, "stat").at(&segment.path))?;
        let proven = left.map_or(0, |left| left.durable_end(&segment.header, len));
        let mut found = segment::recover_past_holes(&segment, proven)?;
        if let Some((.., next_id)) = lost.last().copied() {
            // Only the lost header stated what is lost of the records at this segment's end.
            if found.torn_bytes > 0 {
                found.leave_torn_tail(len);
            }
            if found.next_id > next_id {
                return Err(cut_short(&stated, &next).at_offset(&segment.path, found.end));
            }
            stated = ended_at(&segment.header, found.end, found.next_id);
            holes.extend(whole_holes(&lost, found.next_id, &later));
        }
        let lacks_ids = found.ends_with_hole() && found.next_id <= stated.last_id;
        if found.torn_bytes > 0 || found.end < stated.bytes || lacks_ids {
            let is_durable = found.durable_end > found.end;
            if is_durable || !found.lose_the_rest(stated.bytes.max(len), stated.last_id + 1) {
                return Err(cut_short(&stated, &next).at_offset(&segment.path, found.end));
            }
        }
        if found.next_id != stated.last_id + 1 {
            return Err(cut_short(&stated, &next).at_offset(&segment.path, found.end));
        }
        let known = segment.holes().iter().chain(&found.holes).cloned().collect();
        let to_renew = to_renew(directory, &segment, (found.durable_end, found.end.min(len)), &stated, left)?;
        inherited.extend(to_renew.map(|inherited| inherited.with_holes(known)));
        holes.append(&mut found.holes);
        if found.durable_end > 0 {
            break;
        }
        later.push(segment.clone());
        next = segment;
    }
    Ok((inherited, holes))
}

/// A segment that is lost with its beginning: its number, its bytes, and the id after its records.
type Lost = (u64, u64, u64);

/// The segments that are lost with their beginning, from the one that `stated` describes back to one that can be read,
/// which is returned with them.
///
/// # Errors
/// [`Kind::Corrupt`] when a part of one of them was durable.
fn without_beginning(
    (directory, left): (&dyn Directory, Option<&Left>),
    stated: &Predecessor,
    next: &Segment,
    earlier: &[(u64, String)],
) -> Result<(Vec<Lost>, Option<Arc<Segment>>)> {
    let (mut lost, mut next_id): (Vec<Lost>, u64) = (vec![], stated.last_id + 1);
    for (number, name) in earlier.iter().rev().filter(|(number, _)| *number <= stated.sequence) {
        let refused = || cut_short(stated, next).at_offset(&directory.path_of(name), 0);
        match Segment::open(directory, name, Access::Read) {
            Ok(segment) if segment.header.log_id != next.header.log_id => continue,
            // Another segment is in the place of this one.
            Ok(_) if *number == stated.sequence => return Err(refused()),
            Ok(segment) => return Ok((lost, Some(Arc::new(segment)))),
            // It was never begun, and another one replaced it.
            Err(_) if *number < stated.sequence && is_unborn(directory, name) => continue,
            Err(e) if e.kind() != Kind::Corrupt => return Err(e),
            Err(_) => (),
        }
        let remains = never_durable(directory, left, name, *number)?.ok_or_else(refused)?;
        let stated_bytes = if *number == stated.sequence { stated.bytes } else { 1 };
        if remains.next_id > next_id {
            return Err(refused());
        }
        lost.push((*number, remains.bytes.max(stated_bytes), next_id));
        next_id = if remains.next_id > 0 { remains.next_id } else { next_id };
    }
    Ok((lost, None))
}

/// The holes that replace these segments, after a segment that should be followed by the record `first_id`. Holes that
/// a later segment names already are left out.
fn whole_holes(lost: &[Lost], mut first_id: u64, later: &[Arc<Segment>]) -> Vec<Hole> {
    let mut holes = vec![];
    for &(sequence, bytes, next_id) in lost.iter().rev() {
        let is_named = |hole: &Hole| hole.is_whole() && hole.sequence == sequence;
        if !later.iter().any(|later| later.header.holes.iter().any(is_named)) {
            holes.push(Hole::new(sequence, (0, bytes), (first_id, next_id)));
        }
        first_id = first_id.max(next_id);
    }
    holes
}

/// How the segment with this header ended, in the form in which the next one states it.
fn ended_at(header: &FileHeader, end: u64, next_id: u64) -> Predecessor {
    let (sequence, marker) = (header.sequence, header.marker);
    Predecessor { sequence, last_id: next_id - 1, bytes: end, marker, ..Predecessor::default() }
}

/// Makes the segments before `last` durable, for callers other than a writer.
pub(crate) fn make_earlier_durable(
    directory: &dyn Directory,
    last: &Arc<Segment>,
    earlier: &[(u64, String)],
) -> Result<()> {
    let (inherited, holes) = earlier_not_durable(directory, last, earlier, None)?;
    if let Some(hole) = holes.first() {
        let reason =
            format!("segment {} ends with bytes that a power cut left: open the log for writing first", hole.sequence);
        return Err(Error::corrupt(reason).at(&last.path));
    }
    for inherited in inherited {
        inherited.renew()?;
        let segment = &inherited.segment;
        segment.file.sync_data().map_err(|e| Error::io(&e, "sync").at(&segment.path))?;
        inherited.prove(|| ())?;
    }
    Ok(())
}

/// The bytes of a segment in a form that can be written anew. They are known to be durable up to the first of two
/// offsets and end at the second.
fn to_renew(
    directory: &dyn Directory,
    segment: &Arc<Segment>,
    (durable_end, end): (u64, u64),
    stated: &Predecessor,
    left: Option<&Left>,
) -> Result<Option<Inherited>> {
    match directory.facts(&segment.name) {
        Ok(facts) if facts.is_plain => (),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(Error::io(&e, "stat").at(&segment.path)),
        // It was moved elsewhere, as hooks do once it is durable, and this is a link to it.
        Ok(_) => return Ok(Some(Inherited::to_be_synced(segment.clone()))),
    }
    match Segment::open(directory, &segment.name, Access::ReadWrite) {
        Ok(writable) if writable.header.is_followed_by(stated) => {
            Ok(Some(Inherited::new(Arc::new(writable), durable_end, end).without_space()))
        }
        Err(e) if e.kind() == Kind::NotFound => Ok(None),
        Err(e) if matches!(e.os_code(), Some(libc::EACCES | libc::EPERM | libc::EROFS)) => {
            // A log notes where it continues when its segments are durable, before a hook may do anything to them.
            let is_ours = |left: &&Left| left.log_id == segment.header.log_id;
            if left
                .filter(is_ours)
                .is_some_and(|left| left.sequence >= stated.sequence && left.next_id > stated.last_id)
            {
                return Ok(Some(Inherited::to_be_synced(segment.clone())));
            }
            Err(e.because("the end of the segment may not be on the disk, and has to be written anew"))
        }
        Err(e) => Err(e),
        Ok(_) => Err(Error::new(Kind::Io, "another file took the place of the segment").at(&segment.path)),
    }
}

/// The segment that `stated` describes. The number in its name may be greater than the one in its header.
fn predecessor(
    directory: &dyn Directory,
    stated: &Predecessor,
    earlier: &[(u64, String)],
) -> Result<Option<Arc<Segment>>> {
    for (_, name) in earlier.iter().rev().take_while(|(sequence, _)| *sequence >= stated.sequence) {
        match Segment::open(directory, name, Access::Read) {
            Ok(segment) if segment.header.is_followed_by(stated) => return Ok(Some(Arc::new(segment))),
            Err(e) if matches!(e.kind(), Kind::Io | Kind::NoMemory) => return Err(e),
            // Another segment, or a file that is no segment.
            _ => (),
        }
    }
    Ok(None)
}

fn cut_short(stated: &Predecessor, next: &Segment) -> Error {
    Error::corrupt(format!(
        "the segment is shorter than {} says: {} bytes, up to record {}; nothing is appended behind such a gap: recovery \
         in place notes what is lost",
        next.name, stated.bytes, stated.last_id
    ))
}

/// Adds the types, with their schemas, that the segments before the last one name, back to one that repeats all of them.
pub(crate) fn earlier_types(
    directory: &dyn Directory,
    earlier: &[(u64, String)],
    types: &mut Vec<NamedType>,
    schemas: &mut Vec<Schema>,
) -> Result<()> {
    for (_, name) in earlier.iter().rev() {
        let segment = match Segment::open(directory, name, Access::Read) {
            Ok(segment) => Arc::new(segment),
            Err(e) if matches!(e.kind(), Kind::Io | Kind::NoMemory) => return Err(e),
            Err(_) => continue,
        };
        let known = memory::set(types.iter().map(|named| named.number));
        let map = segment.mapped()?;
        let found = memory::list(map.names.iter().filter(|named| !known.contains(&named.number)).cloned())?;
        let kept = memory::set(schemas.iter().map(|schema| schema.sha256));
        let mut wanted = memory::set(found.iter().filter_map(|named| named.schema).filter(|sum| !kept.contains(sum)));
        memory::append(schemas, segment.schemas(&mut wanted)?)?;
        memory::append(types, found)?;
        if begins_with_names(&segment)? {
            break;
        }
    }
    types.sort_unstable_by_key(|named| named.number);
    Ok(())
}
