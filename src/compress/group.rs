//! Joins blocks of a segment into larger ones.

use super::blocks::{Blocks, Kept, Mark};
use crate::error::{Error, Result};
use crate::format::draft::{Buffers, Draft, Need, NewEntry};
use crate::format::metadata;
use crate::memory;
use crate::record::{event, Metadata, NamedType};

/// A block to be written: consecutive whole blocks of the source.
pub(super) struct Group {
    pub buffers: Buffers,
    pub draft: Draft,
    pub payload: Vec<u8>,
    /// The payload as it is stored; empty if it is stored unchanged, or not compressed yet.
    pub shorter: Vec<u8>,
    /// The blocks of the source, for the comparison.
    pub kept: Kept,
    pub names: Vec<NamedType>,
    /// Where it ends in the source.
    pub end: Mark,
}

impl Group {
    /// An empty group in the memory of another that is no longer needed: touching memory for the first time costs as
    /// much as a tenth of the compressing.
    fn begin(first_id: u64, used: Option<Group>) -> Self {
        if let Some(mut group) = used {
            group.payload.clear();
            group.shorter.clear();
            group.kept.clear();
            group.names.clear();
            group.buffers.clear(group.draft.entries_len());
            group.draft = Draft::new(first_id, &mut group.buffers, 0);
            group.end = Mark::default();
            return group;
        }
        let mut buffers = Buffers::default();
        let draft = Draft::new(first_id, &mut buffers, 0);
        let (payload, shorter, names) = (vec![], vec![], vec![]);
        Group { buffers, draft, payload, shorter, kept: Kept::default(), names, end: Mark::default() }
    }

    fn len(&self) -> usize {
        self.payload.len() + self.draft.entries_len()
    }

    fn next_id(&self) -> u64 {
        self.draft.last_id() + 1
    }
}

/// Shows the blocks of a segment in groups of up to `target` bytes. No block is split, as a batch must stay whole; a
/// larger block is a group of its own. `each` returns a group that is no longer needed, if there is one.
pub(super) fn each_group(
    blocks: &mut Blocks,
    target: usize,
    mut each: impl FnMut(Group) -> Result<Option<Group>>,
) -> Result<()> {
    let mut group: Option<Group> = None;
    let mut used = None;
    while let Some(header) = blocks.next()? {
        let len = header.payload_len as usize + header.entries_len as usize;
        // Ids within a block have no gaps.
        let full = |group: &mut Group| len > target || group.next_id() != header.first_id;
        if let Some(mut full) = group.take_if(full) {
            full.buffers.settle();
            used = each(full)?.or(used);
        }
        let into = group.get_or_insert_with(|| Group::begin(header.first_id, used.take()));
        let (entries, payload) = blocks.contents();
        memory::extend(&mut into.payload, payload)?;
        into.kept.push(&header, entries)?;
        let Group { buffers, draft, names, .. } = into;
        buffers.reserve(Need::as_in(entries.len()))?;
        let mut failed = None;
        blocks.each(&header, |entry, _| {
            if entry.type_id == event::TYPE {
                let named = NamedType::from_event(Metadata::from_bytes(entry.metadata));
                memory::append(names, named).unwrap_or_else(|refused| failed = Some(refused.into()));
            }
            let pairs = if entry.metadata.is_empty() { Ok(0) } else { metadata::check(entry.metadata) };
            let pairs = pairs.map_err(|reason| failed = Some(Error::corrupt(reason))).unwrap_or(0);
            let new = NewEntry {
                type_id: entry.type_id,
                time: entry.time,
                metadata: (pairs, entry.metadata),
                payload_len: entry.payload_len as usize,
            };
            draft.push(&new, buffers);
        })?;
        if let Some(error) = failed {
            return Err(error);
        }
        into.end = blocks.mark();
        if let Some(mut full) = group.take_if(|group| group.len() >= target) {
            full.buffers.settle();
            used = each(full)?.or(used);
        }
    }
    match group {
        Some(mut last) if !last.draft.is_empty() => {
            last.buffers.settle();
            each(last).map(drop)
        }
        _ => Ok(()),
    }
}
