//! From one form of a segment to the other: written, compared, made durable, named, and only then the source removed.

use std::io::ErrorKind;
use std::sync::Arc;

use super::blocks::{records, Blocks, Mark};
use super::closed::{self, Closed, Direction};
use super::compare::{compare, ReadBack};
use super::dictionary;
use super::forms;
use super::options::CompressOptions;
use super::pack;
use super::part::Part;
use super::progress::Told;
use super::regroup::{regroup, Form};
use super::{sum, Compressed};
use crate::error::{Error, Kind, Result};
use crate::format::codec::Codec;
use crate::format::declaration::{FileHeader, Predecessor, HAS_DICTIONARY, SPACE};
use crate::io::{fill_random, Access, Directory};
use crate::log::{mark, names};
use crate::options::DEFAULT_BLOCK_BYTES;
use crate::segment::{latest_time, recover, Segment};

/// Makes the other form of the segment in the file `name`.
pub(super) fn make(
    directory: &dyn Directory,
    name: &str,
    options: &CompressOptions,
    direction: Direction,
) -> Result<Compressed> {
    let closed = closed::open(directory, name, direction)?;
    let source = &closed.segment;
    let facts = directory.facts(name).map_err(|e| Error::io(&e, "stat").at(&source.path))?;
    let mut made = Compressed {
        path: directory.path_of(&direction.name(name, None)),
        source: source.path.clone(),
        source_removed: false,
        sequence: source.header.sequence,
        records: 0,
        bytes_before: facts.len,
        bytes_after: 0,
        sha256: None,
    };
    if options.dry_run {
        return Ok(made);
    }
    forms::check(directory, source, direction)?;
    let mut told = Told::begin(options.progress.as_ref(), &source.path, facts.len)?;
    let target = match there(directory, &closed, direction)? {
        // A run that was cut short made it.
        Some(there) => {
            told.all_written()?;
            made.records = same(source, &there, &mut told)?;
            // It may not have come to the sync, or another has put the file there, who did not care.
            let file = directory.open(&there.name, Access::Read);
            file.and_then(|file| file.sync_data()).map_err(|e| Error::io(&e, "sync").at(&there.path))?;
            directory.sync().map_err(|e| Error::io(&e, "sync").at(directory.path()))?;
            there.name.clone()
        }
        None => write(directory, &closed, options, direction, &mut made, &mut told)?,
    };
    made.path = directory.path_of(&target);
    made.bytes_after = directory.facts(&target).map_err(|e| Error::io(&e, "stat").at(&made.path))?.len;
    made.source_removed = finish(directory, &closed, options, &target)?;
    Ok(made)
}

/// The other form, when it is there already.
fn there(directory: &dyn Directory, closed: &Closed, direction: Direction) -> Result<Option<Arc<Segment>>> {
    let source = &closed.segment;
    let listed = directory.list().map_err(|e| Error::io(&e, "list").at(directory.path()))?;
    mark::check(directory, &listed)?;
    let plain = names::plain(&source.name);
    for name in listed.into_iter().filter(|name| *name != source.name && names::plain(name) == plain) {
        let wanted = match direction {
            // With a sum in its name, or without.
            Direction::Compress => !names::is_whole(&name),
            other => name == other.name(&source.name, None),
        };
        if !wanted {
            continue;
        }
        let other = Segment::open(directory, &name, Access::Read)?;
        if other.header.log_id != source.header.log_id
            || other.header.sequence != source.header.sequence
            || !other.header.markers().iter().any(|marker| source.header.markers().contains(marker))
        {
            let reason = format!("the file is in the way of what is made of {}: it is another segment", source.name);
            return Err(Error::invalid(reason).at(&other.path));
        }
        return Ok(Some(Arc::new(other)));
    }
    Ok(None)
}

/// Writes the other form, compares it and gives it its name, which is returned.
fn write(
    directory: &dyn Directory,
    closed: &Closed,
    options: &CompressOptions,
    direction: Direction,
    made: &mut Compressed,
    told: &mut Told<'_>,
) -> Result<String> {
    let source = &closed.segment;
    let part = Part::begin(directory, &direction.name(&source.name, None))?;
    // Behind what was compared while it was written, if it was.
    let mut compared = None;
    match direction {
        Direction::Pack(whole) => {
            let packed = pack::pack(&*source.file, closed.found.end, &part, (whole, options.level), told);
            packed.map_err(|e| e.at(&directory.path_of(&part.name)))?;
        }
        Direction::Decompress if source.is_compressed_whole() => {
            pack::unpack(&*source.file, &part, told).map_err(|e| e.at(&source.path))?;
        }
        _ => compared = Some(rewrite(directory, closed, options, direction, &part, told)?),
    }
    told.all_written()?;
    part.sync()?;
    let written = Arc::new(Segment::open(directory, &part.name, Access::Read)?);
    made.records = match compared {
        Some((last, records)) => {
            ReadBack::new(source, &written).finish(last, closed.found.next_id)?;
            told.all_compared()?;
            records
        }
        None => same(source, &written, told)?,
    };
    if options.sha256_name && direction == Direction::Compress {
        made.sha256 = Some(sum::sha256(&*written.file).map_err(|e| Error::io(&e, "read").at(&written.path))?);
    }
    let name = direction.name(&source.name, made.sha256.as_deref());
    part.publish(&name, &source.name)?;
    Ok(name)
}

/// Whether both files hold the same, of which one was made of the other; how many records that are.
fn same(source: &Arc<Segment>, made: &Arc<Segment>, told: &mut Told<'_>) -> Result<u64> {
    let packed = match (source.is_compressed_whole(), made.is_compressed_whole()) {
        (false, false) => return compare(source, made, told),
        (true, _) => pack::compare(&*made.file, source.file.clone(), told),
        (_, true) => pack::compare(&*source.file, made.file.clone(), told),
    };
    packed.map_err(|e| e.at(&made.path))?;
    let plain = if source.is_compressed_whole() { made } else { source };
    recover(plain)?;
    records(plain)
}

/// Writes the records of the segment in other blocks, and compares them; returns the mark behind the last of them, and how many
/// they are.
fn rewrite(
    directory: &dyn Directory,
    closed: &Closed,
    options: &CompressOptions,
    direction: Direction,
    part: &Part<'_>,
    told: &mut Told<'_>,
) -> Result<(Mark, u64)> {
    let source = &closed.segment;
    let dictionary = match direction {
        Direction::Compress => dictionary::of(source, options)?,
        _ => vec![],
    };
    let header = header(closed, dictionary.clone())?;
    let segment = Arc::new(Segment::create(directory, &part.name, part.file.clone(), header)?);
    let form = match direction {
        Direction::Compress => Form {
            codec: options.codec,
            level: options.level,
            dictionary: &dictionary,
            block_bytes: options.block_bytes as usize,
            threads: options.threads as usize,
        },
        _ => Form {
            codec: Codec::None,
            level: 0,
            dictionary: &[],
            block_bytes: DEFAULT_BLOCK_BYTES as usize,
            threads: 1,
        },
    };
    let mut blocks = Blocks::of(source);
    let last = regroup(&mut blocks, source, &segment, &form, told)?;
    if (blocks.end(), blocks.next_id()) != (closed.found.end, closed.found.next_id) {
        let reason = "the segment ends elsewhere than its index and its last block say";
        return Err(Error::corrupt(reason).at_offset(&source.path, blocks.end()));
    }
    Ok((last, blocks.records()))
}

/// The header of the other form.
fn header(closed: &Closed, dictionary: Vec<u8>) -> Result<FileHeader> {
    let old = &closed.segment.header;
    let mut marker = [0; 8];
    fill_random(&mut marker).map_err(|e| Error::io(&e, "get random bytes"))?;
    // What the next segment knows it by is passed on: that of the first form, unless a writer went on in a later one.
    let passed_on = old.original.clone().filter(|_| closed.told_by_next != Some(old.marker));
    let original = passed_on.unwrap_or_else(|| Predecessor {
        sequence: old.sequence,
        last_id: closed.found.next_id - 1,
        bytes: closed.found.end,
        marker: old.marker,
        latest_ns: latest_time(&closed.segment, &closed.found),
    });
    let others = old.incompatible & !(HAS_DICTIONARY | SPACE);
    Ok(FileHeader {
        marker: u64::from_le_bytes(marker).max(1),
        original: Some(original),
        incompatible: if dictionary.is_empty() { others } else { others | HAS_DICTIONARY },
        dictionary,
        ..old.clone()
    })
}

/// Removes the source, now that the other form is durable, unless it is to stay; whether it is gone.
fn finish(directory: &dyn Directory, closed: &Closed, options: &CompressOptions, target: &str) -> Result<bool> {
    let source = &closed.segment;
    let failed = |e: std::io::Error, doing: &str| Error::io(&e, doing).at(&source.path);
    let sync = || directory.sync().map_err(|e| Error::io(&e, "sync").at(directory.path()));
    match directory.facts(&source.name) {
        Ok(facts) if facts.identity == source.file.identity().map_err(|e| failed(e, "stat"))? => (),
        Ok(_) => return Err(Error::new(Kind::Io, "another file has taken the place of the segment").at(&source.path)),
        // An old segment that was removed is not to come back.
        Err(e) if e.kind() == ErrorKind::NotFound => {
            match directory.remove(target) {
                Err(e) if e.kind() != ErrorKind::NotFound => return Err(failed(e, "remove what was made of it")),
                _ => sync()?,
            }
            return Err(Error::new(Kind::NotFound, "the segment was removed meanwhile").at(&source.path));
        }
        Err(e) => return Err(failed(e, "stat")),
    }
    if options.keep_source || (closed.is_single && !options.remove_single) {
        return Ok(false);
    }
    match directory.remove(&source.name) {
        Err(e) if e.kind() != ErrorKind::NotFound => return Err(failed(e, "remove")),
        _ => (),
    }
    sync()?;
    Ok(true)
}
