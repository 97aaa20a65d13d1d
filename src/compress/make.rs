//! Makes one form of a segment from the other: written, compared, made durable, named, and only then the source is
//! removed.

use std::io::ErrorKind;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::blocks::{records, Blocks, Mark};
use super::closed::{self, Closed, Direction};
use super::compare::{compare, ReadBack};
use super::dictionary;
use super::forms;
use super::pack;
use super::part::{self, Part};
use super::progress::Progress;
use super::regroup::{regroup, Form};
use super::{sum, Compressed};
use crate::error::{Error, Kind, Result};
use crate::format::codec::Codec;
use crate::format::declaration::{FileHeader, Predecessor, HAS_DICTIONARY, SPACE};
use crate::io::{exclude_others, Access, Directory};
use crate::log::{mark, names};
use crate::options::{CompressOptions, DEFAULT_BLOCK_BYTES};
use crate::segment::{latest_time, recover, Segment};

/// Makes the other form of the segment in the file `name`.
pub(super) fn make(
    directory: &dyn Directory,
    name: &str,
    options: &CompressOptions,
    direction: Direction,
) -> Result<Compressed> {
    // Before the segment is opened: while another one is at work on it, either form may be removed.
    let _lock = if options.dry_run { None } else { Some(part::lock(directory, name)?) };
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
    let mut progress = Progress::begin(options.progress.as_ref(), &source.path, facts.len)?;
    let target = match there(directory, &closed, direction)? {
        // An interrupted run made it.
        Some(there) => {
            progress.all_written()?;
            made.records = same(source, &there, &mut progress)?;
            // It may not have been synced yet, or another program has put the file there without a sync.
            let file = directory.open(&there.name, Access::Read);
            file.and_then(|file| file.sync_data()).map_err(|e| Error::io(&e, "sync").at(&there.path))?;
            directory.sync().map_err(|e| Error::io(&e, "sync").at(directory.path()))?;
            Target::There(there.name.clone())
        }
        None => write(directory, &closed, options, direction, &mut made, &mut progress)?,
    };
    // Retention removes the segment either before it gets another name, or in both forms.
    let excluded = exclude_others(directory)?;
    let target = match target {
        Target::There(name) => name,
        Target::Written(part, name) => {
            check_source(directory, source)?;
            part.publish(&name, &source.name)?;
            name
        }
    };
    made.path = directory.path_of(&target);
    made.bytes_after = directory.facts(&target).map_err(|e| Error::io(&e, "stat").at(&made.path))?.len;
    made.source_removed = finish(directory, &closed, options, &target)?;
    drop(excluded);
    Ok(made)
}

/// The other form of a segment, before the source may go.
enum Target<'a> {
    /// An earlier run gave it this name.
    There(String),
    /// It is whole and durable, and gets this name.
    Written(Part<'a>, String),
}

/// The other form, if it exists already.
fn there(directory: &dyn Directory, closed: &Closed, direction: Direction) -> Result<Option<Arc<Segment>>> {
    let source = &closed.segment;
    let listed = directory.list().map_err(|e| Error::io(&e, "list").at(directory.path()))?;
    mark::check(directory, &listed)?;
    let plain = names::plain(&source.name);
    for name in listed.into_iter().filter(|name| *name != source.name && names::plain(name) == plain) {
        let wanted = match direction {
            // With or without a checksum in its name.
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

/// Writes the other form, and compares it.
fn write<'a>(
    directory: &'a dyn Directory,
    closed: &Closed,
    options: &CompressOptions,
    direction: Direction,
    made: &mut Compressed,
    progress: &mut Progress<'_>,
) -> Result<Target<'a>> {
    let source = &closed.segment;
    let part = Part::begin(directory, &direction.name(&source.name, None))?;
    // The place after what was compared while it was written, if it was.
    let mut compared = None;
    match direction {
        Direction::Pack(whole) => {
            let packed = pack::pack(&*source.file, closed.found.end, &part, (whole, options.level), progress);
            packed.map_err(|e| e.at(&directory.path_of(&part.name)))?;
        }
        Direction::Decompress if source.is_compressed_whole() => {
            pack::unpack(&*source.file, &part, progress).map_err(|e| e.at(&source.path))?;
        }
        _ => compared = Some(rewrite(directory, closed, options, direction, &part, progress)?),
    }
    progress.all_written()?;
    part.sync()?;
    let written = Arc::new(Segment::open(directory, &part.name, Access::Read)?);
    made.records = match compared {
        Some((last, records)) => {
            ReadBack::new(source, &written).finish(last, closed.found.next_id)?;
            progress.all_compared()?;
            records
        }
        None => same(source, &written, progress)?,
    };
    if options.sha256_name && direction == Direction::Compress {
        made.sha256 = Some(sum::sha256(&*written.file).map_err(|e| Error::io(&e, "read").at(&written.path))?);
    }
    let name = direction.name(&source.name, made.sha256.as_deref());
    Ok(Target::Written(part, name))
}

/// Compares two files, of which one was made from the other; returns the number of records.
fn same(source: &Arc<Segment>, made: &Arc<Segment>, progress: &mut Progress<'_>) -> Result<u64> {
    let packed = match (source.is_compressed_whole(), made.is_compressed_whole()) {
        (false, false) => return compare(source, made, progress),
        (true, _) => pack::compare(&*made.file, source.file.clone(), progress),
        (_, true) => pack::compare(&*source.file, made.file.clone(), progress),
    };
    packed.map_err(|e| e.at(&made.path))?;
    let plain = if source.is_compressed_whole() { made } else { source };
    recover(plain)?;
    records(plain)
}

/// Writes the records of the segment in other blocks, and compares them. Returns the mark after the last of them, and
/// their number.
fn rewrite(
    directory: &dyn Directory,
    closed: &Closed,
    options: &CompressOptions,
    direction: Direction,
    part: &Part<'_>,
    progress: &mut Progress<'_>,
) -> Result<(Mark, u64)> {
    let source = &closed.segment;
    let dictionary = match direction {
        Direction::Compress => dictionary::of(source, options)?,
        _ => vec![],
    };
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
    let header = header(closed, &form);
    let segment = Arc::new(Segment::create(directory, &part.name, part.file.clone(), header)?);
    let mut blocks = Blocks::of(source);
    let last = regroup(&mut blocks, source, &segment, &form, progress)?;
    if (blocks.end(), blocks.next_id()) != (closed.found.end, closed.found.next_id) {
        let reason = "the segment ends elsewhere than its index and its last block say";
        return Err(Error::corrupt(reason).at_offset(&source.path, blocks.end()));
    }
    Ok((last, blocks.records()))
}

/// The header of the other form. It depends on nothing but the segment and the form, so that a segment that is
/// compressed again is the same file as before, and the same object in a store.
fn header(closed: &Closed, form: &Form<'_>) -> FileHeader {
    let old = &closed.segment.header;
    // The marker by which the next segment names it is kept: that of the first form, unless a writer continued in a
    // later one.
    let passed_on = old.original.clone().filter(|_| closed.marker_in_next != Some(old.marker));
    let original = passed_on.unwrap_or_else(|| Predecessor {
        sequence: old.sequence,
        last_id: closed.found.next_id - 1,
        bytes: closed.found.end,
        marker: old.marker,
        latest_ns: latest_time(&closed.segment, &closed.found),
        disorder_ns: None,
    });
    let others = old.incompatible & !(HAS_DICTIONARY | SPACE);
    FileHeader {
        marker: marker(&original, old.sequence, form),
        original: Some(original),
        incompatible: if form.dictionary.is_empty() { others } else { others | HAS_DICTIONARY },
        dictionary: form.dictionary.to_vec(),
        ..old.clone()
    }
}

/// The marker of a form: a hash in place of random bytes.
fn marker(original: &Predecessor, sequence: u64, form: &Form<'_>) -> u64 {
    let mut hash = Sha256::new();
    for number in [original.marker, original.last_id, sequence, form.block_bytes as u64] {
        hash.update(number.to_le_bytes());
    }
    hash.update([form.codec as u8]);
    hash.update(form.level.to_le_bytes());
    hash.update(form.dictionary);
    let hash = hash.finalize();
    hash.first_chunk().map_or(1, |first| u64::from_le_bytes(*first).max(1))
}

/// Fails when the source is not there any more.
fn check_source(directory: &dyn Directory, source: &Segment) -> Result<()> {
    let failed = |e: std::io::Error| Error::io(&e, "stat").at(&source.path);
    match directory.facts(&source.name) {
        Ok(facts) if facts.identity == source.file.identity().map_err(failed)? => Ok(()),
        Ok(_) => Err(Error::new(Kind::Io, "another file has taken the place of the segment").at(&source.path)),
        Err(e) if e.kind() == ErrorKind::NotFound => {
            Err(Error::new(Kind::NotFound, "the segment was removed meanwhile").at(&source.path))
        }
        Err(e) => Err(failed(e)),
    }
}

/// Removes the source, now that the other form is durable, unless it should stay. Returns whether it is gone.
fn finish(directory: &dyn Directory, closed: &Closed, options: &CompressOptions, target: &str) -> Result<bool> {
    let source = &closed.segment;
    let failed = |e: std::io::Error, doing: &str| Error::io(&e, doing).at(&source.path);
    let sync = || directory.sync().map_err(|e| Error::io(&e, "sync").at(directory.path()));
    match check_source(directory, source) {
        // Something that excludes nobody has removed the old segment, which must not come back.
        Err(error) if error.kind() == Kind::NotFound => {
            match directory.remove(target) {
                Err(e) if e.kind() != ErrorKind::NotFound => return Err(failed(e, "remove what was made of it")),
                _ => sync()?,
            }
            return Err(error);
        }
        checked => checked?,
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
