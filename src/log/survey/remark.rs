//! Reports about files that are skipped.

use std::path::PathBuf;
use std::sync::Arc;

use super::slot::Slot;
use crate::format::declaration::Hole;
use crate::options::{Loss, LossKind};
use crate::segment::LOST_BEGINNING;

/// Something about a file, reported once by the reader that comes to its place in the log.
#[derive(Clone)]
pub(crate) struct Remark {
    kind: LossKind,
    pub path: PathBuf,
    /// Its length.
    pub bytes: u64,
    pub reason: String,
    /// The records that are lost with the file.
    ids: Option<(u64, u64)>,
    /// The segment that is read there.
    slot: Arc<Slot>,
}

impl Remark {
    /// About a file that is skipped because the segment is read from `slot`.
    pub fn passed_over(file: &Slot, slot: &Arc<Slot>, reason: String) -> Self {
        Remark { kind: LossKind::Double, path: file.path(), bytes: file.len(), reason, ids: None, slot: slot.clone() }
    }

    /// About a damaged file that is skipped because the segment is read from `slot`.
    pub fn damaged(path: PathBuf, bytes: u64, slot: &Arc<Slot>, damage: &str) -> Self {
        let reason = format!("{damage}; {} holds the same segment and is read instead", slot.name);
        Remark { kind: LossKind::OtherForm, path, bytes, reason, ids: None, slot: slot.clone() }
    }

    /// About a file that cannot be read, and whose name has the number of a segment that is read from `slot`.
    pub fn unreadable(path: PathBuf, bytes: u64, slot: &Arc<Slot>, damage: &str) -> Self {
        let reason = format!("{damage}; {} holds the segment with this number", slot.name);
        Remark { kind: LossKind::OtherForm, path, bytes, reason, ids: None, slot: slot.clone() }
    }

    /// About the file of a segment that lost its beginning and that a later one names as this hole; `slot` comes after
    /// it.
    pub fn lost(path: PathBuf, hole: &Hole, slot: &Arc<Slot>) -> Self {
        let (bytes, reason) = (hole.bytes, LOST_BEGINNING.to_owned());
        Remark { kind: LossKind::Hole, path, bytes, reason, ids: hole.lost(), slot: slot.clone() }
    }

    /// About the name of the file of `slot`.
    pub fn of(slot: &Arc<Slot>, reason: String) -> Self {
        Remark { kind: LossKind::Misnamed, path: slot.path(), bytes: slot.len(), reason, ids: None, slot: slot.clone() }
    }

    /// Whether it is reported where this segment is read.
    pub fn concerns(&self, slot: &Slot) -> bool {
        self.place() == (slot.log.id.as_slice(), slot.sequence)
    }

    /// The name of the log that it concerns.
    pub fn log(&self) -> &str {
        &self.slot.log.name
    }

    /// The segment where it is reported: its log and its number.
    pub fn place(&self) -> (&[u8], u64) {
        (&self.slot.log.id, self.slot.sequence)
    }

    /// The loss that is reported.
    pub fn to_loss(&self) -> Loss {
        let (path, reason) = (self.path.clone(), self.reason.clone());
        // With a copy or a misnamed file nothing is lost that could have been durable.
        let durable = self.kind == LossKind::OtherForm;
        Loss { kind: self.kind, path, offset: 0, bytes: self.bytes, ids: self.ids, pages: None, reason, durable }
    }
}
