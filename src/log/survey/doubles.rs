//! Files that hold the same segment: one is read, the others replace it when it is damaged.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

use super::remark::Remark;
use super::slot::Slot;
use crate::format::block::BlockKind;
use crate::io::Access;
use crate::log::names;
use crate::segment::{last_block_inflated, Segment};

/// The other files of the segments that are read, by the address of the slot that is read, which is kept for that.
#[derive(Clone, Default)]
pub(super) struct Alternatives(HashMap<usize, (Arc<Slot>, Vec<Arc<Slot>>)>);

impl Alternatives {
    /// All other files of the segment that is read from this one.
    pub fn all_of(&self, read: &Arc<Slot>) -> &[Arc<Slot>] {
        self.0.get(&key(read)).map_or(&[], |(_, others)| others)
    }

    /// Forgets the other files of this segment, and returns them.
    pub fn forget(&mut self, read: &Arc<Slot>) -> Vec<Arc<Slot>> {
        self.0.remove(&key(read)).map_or(vec![], |(_, others)| others)
    }

    /// The segment that was read from `before` is read from `read`; of its other files, `gone` is none any more.
    pub fn replace(&mut self, before: &Arc<Slot>, read: &Arc<Slot>, gone: &Arc<Slot>) {
        let mut left = self.forget(before);
        left.retain(|slot| !Arc::ptr_eq(slot, gone));
        if !left.is_empty() {
            self.0.insert(key(read), (read.clone(), left));
        }
    }

    /// Takes over the entry of `all` for this segment.
    pub fn take_from(&mut self, all: &Alternatives, read: &Arc<Slot>) {
        self.0.extend(all.0.get(&key(read)).map(|of_read| (key(read), of_read.clone())));
    }

    /// Pairs of the file that is read and another file of the same segment.
    pub fn pairs(&self) -> impl Iterator<Item = (&Arc<Slot>, &Arc<Slot>)> {
        self.0.values().flat_map(|(read, others)| others.iter().map(move |other| (read, other)))
    }

    pub fn iter(&self) -> impl Iterator<Item = &Arc<Slot>> {
        self.0.values().flat_map(|(_, others)| others)
    }

    /// The segment of `other` is read from `read`, and so are those that were read from `other`.
    fn add(&mut self, other: Arc<Slot>, read: &Arc<Slot>) {
        let mut others = self.forget(&other);
        others.push(other);
        let of_read = self.0.entry(key(read)).or_insert_with(|| (read.clone(), vec![]));
        of_read.1.extend(others);
    }
}

fn key(slot: &Arc<Slot>) -> usize {
    Arc::as_ptr(slot) as usize
}

/// Each segment once.
#[derive(Default)]
pub(super) struct Once {
    pub slots: Vec<Arc<Slot>>,
    pub alternatives: Alternatives,
    /// Remarks about the files that are skipped and are not another form of the one that is read.
    pub remarks: Vec<Remark>,
}

/// The segments without their second files: compressed or not, or copied to another name. Two different segments with
/// the same place both stay; the reader that comes there reports damage.
pub(super) fn once_each(slots: Vec<Arc<Slot>>) -> Once {
    let mut places: HashMap<_, Vec<usize>> = HashMap::with_capacity(slots.len());
    let mut once = Once::default();
    for slot in slots {
        let here = places.entry((slot.log.id.clone(), slot.sequence)).or_default();
        let Some(&at) = here.iter().find(|&&at| once.slots[at].is_copy_of(&slot)) else {
            here.push(once.slots.len());
            once.slots.push(slot);
            continue;
        };
        let there = once.slots[at].clone();
        let (read, other) = match is_better(&slot, &there) {
            true => (slot, there),
            false => (there, slot),
        };
        once.slots[at] = read.clone();
        once.pass_over(other, read);
    }
    once
}

impl Once {
    fn pass_over(&mut self, other: Arc<Slot>, read: Arc<Slot>) {
        if !other.is_same_segment(&read) {
            let (sequence, name) = (read.sequence, &read.name);
            let reason = format!(
                "the file is a copy of segment {sequence} of the log, which {name} holds too, and is passed over: move it \
                 out of the directory"
            );
            self.remarks.push(Remark::passed_over(&other, &read, reason));
        }
        self.alternatives.add(other, &read);
    }
}

/// The slots without other forms of the same segment. Where no header was read, names alone decide.
pub(super) fn without_other_forms(slots: Vec<Arc<Slot>>) -> Vec<Arc<Slot>> {
    once_each(slots).slots
}

/// Which of two files of a segment is read: of two forms the one that [`Slot::is_better_than`] prefers, otherwise the
/// one that holds more blocks, or has the right name.
fn is_better(this: &Slot, other: &Slot) -> bool {
    if this.is_same_segment(other) {
        return this.is_better_than(other);
    }
    if this.is_rescued() != other.is_rescued() {
        return other.is_rescued();
    }
    let rank = |slot: &Slot| (slot.is_as_written(), slot.is_compressed(), std::cmp::Reverse(slot.path()));
    // Offsets in different forms cannot be compared.
    let holds_more = match this.is_compressed() == other.is_compressed() {
        true => extent(this).cmp(&extent(other)),
        false => Ordering::Equal,
    };
    holds_more.then_with(|| rank(this).cmp(&rank(other))).is_gt()
}

/// How much of the segment the file holds: the id after its last block that is where it was written, and the offset of
/// that. Its length does not say that, as bytes may have been added to it that are no blocks.
pub(super) fn extent(slot: &Slot) -> (u64, u64) {
    let segment = Segment::open(slot.directory(), &slot.name, Access::Read).map(Arc::new);
    let last = segment.and_then(|segment| last_block_inflated(&segment)).ok().flatten();
    last.map_or((0, 0), |(offset, header)| match header.kind {
        BlockKind::Skippable(_) => (0, offset),
        _ => (header.next_id(), offset),
    })
}

/// Remarks about the segments whose names contain another number than their headers.
pub(super) fn misnamed(slots: &[Arc<Slot>]) -> Vec<Remark> {
    let mut remarks = vec![];
    for (at, slot) in slots.iter().enumerate() {
        let Some(named) = names::sequence(&slot.log.name, &slot.name) else { continue };
        // The first segment of a log has the number 1 even when its name had to take a greater one.
        let is_alone = at == 0 || slots[at - 1].log.id != slot.log.id;
        let next = slots.get(at + 1).filter(|next| next.log.id == slot.log.id);
        let may_differ = is_alone && slot.is_first() && named > 1 && next.is_none_or(|next| next.sequence > named);
        if slot.is_rightly_named() || slot.known().is_none() || slot.is_legacy() || slot.is_unborn || may_differ {
            continue;
        }
        let sequence = slot.sequence;
        let what = if slot.is_rescued() { "blocks show" } else { "header says" };
        let reason = format!(
            "the file is named as number {named} of its log, and its {what} that it is number {sequence}: it is read as \
             that; give it its name back"
        );
        remarks.push(Remark::of(slot, reason));
    }
    remarks
}
