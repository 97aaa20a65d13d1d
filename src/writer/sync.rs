//! Making what was appended durable.

use std::sync::Arc;

use super::lost::Lost;
use super::{Parts, Writer};
use crate::error::{Error, Kind, Result};
use crate::format::declaration::FileHeader;
use crate::log::Left;
use crate::segment::Segment;

impl Writer {
    /// Makes everything appended so far durable: it survives the end of the machine. Threads that sync at the same time
    /// share one fdatasync.
    ///
    /// # Errors
    /// [`Kind::NotFound`] when the file of a segment was removed, replaced or moved before the sync could confirm the
    /// records in it; the error names them, and later records are in a new segment if the log is a directory. When an
    /// fsync fails, it is not known which part of the file is on the disk, and the system does not report it again:
    /// this call and all later ones of the writer fail with [`Kind::Failed`] until the log is opened anew.
    pub fn sync(&self) -> Result<()> {
        let parts = &self.parts;
        parts.health.check_call()?;
        let mut filling = parts.filling.lock();
        parts.collect(&mut filling);
        let id = filling.last_id();
        drop(filling);
        parts.patiently(|| parts.sync_to(id))?;
        parts.maintain()
    }
}

impl Parts {
    /// Returns when record `id` is durable, or an error when it is lost.
    pub(super) fn sync_to(&self, id: u64) -> Result<()> {
        let reported_then = self.losses.reported();
        let done = self.sync_past_losses(id);
        self.losses.with(reported_then, id, done)
    }

    fn sync_past_losses(&self, id: u64) -> Result<()> {
        match self.positions.durable() >= id && id > 0 {
            // Nothing has to be synced, but the file may be gone.
            true => self.look_for_segment()?,
            false => {
                if let Some(_round) = self.syncing.lead(id, &self.positions, &self.health)? {
                    self.sync_everything()?;
                }
            }
        }
        if self.losses.is_unreported() {
            // Later records go to a new segment, and are made durable there.
            self.look_for_segment()?;
            self.sync_everything()?;
        }
        Ok(())
    }

    fn sync_everything(&self) -> Result<()> {
        self.schedule.within_interval(|| {
            self.flush()?;
            self.sync_written()
        })
    }

    /// Makes closed segments durable. Until then none may be removed: the sync would find its file gone and report its
    /// records as lost.
    pub(super) fn sync_closed(&self) -> Result<()> {
        let has_retired = self.output.lock().has_retired();
        match has_retired {
            true => self.sync_written(),
            false => Ok(()),
        }
    }

    /// Makes everything durable that has been written so far, closed segments first.
    pub(super) fn sync_written(&self) -> Result<()> {
        let mut inherited = self.syncing.alone();
        self.health.check()?;
        let bytes = self.positions.flushed_bytes();
        let point = self.output.lock().sync_point();
        for retired in &point.retired {
            if let Err(error) = retired.give_back() {
                self.report(&error);
            }
        }
        // One after the other: no later segment is on the disk before them.
        for from_before in &*inherited {
            from_before.renew().map_err(|error| match error.kind() {
                // There was no space, but nothing was lost and nothing was synced: the next sync tries again.
                Kind::NoSpace => error,
                _ => self.health.fail(error),
            })?;
            self.sync_file(&from_before.segment)?;
            from_before.prove(|| self.output.lock()).map_err(|error| self.health.fail(error))?;
        }
        let is_synced = |segment: &&Arc<Segment>| inherited.iter().any(|before| Arc::ptr_eq(&before.segment, segment));
        let files = point.retired.iter().map(|retired| &retired.segment).chain([&point.current]);
        for segment in files.filter(|segment| !is_synced(segment)) {
            self.sync_file(segment)?;
        }
        inherited.clear();
        // What was synced to a file without a name is not in the log. Closed segments are checked before they count as
        // durable: from then on companions may remove them.
        let directory = self.output.lock().target.directory().clone();
        let of = |segment: &Arc<Segment>, last_id| Lost::look(&*directory, segment, last_id);
        let mut lost: Vec<Lost> = point.retired.iter().filter_map(|old| of(&old.segment, old.last_id)).collect();
        if !lost.is_empty() && self.companions.remove_segments() {
            lost.clear();
        }
        match of(&point.current, point.id) {
            Some(current) => {
                lost.push(current);
                // The check begins a new segment.
                self.maintenance.look_soon();
            }
            None => self.note_synced(&point.current.header),
        }
        self.output.lock().synced(&point);
        drop(inherited);
        self.losses.note(lost, |error| self.report(error));
        if self.losses.is_unreported() {
            return Ok(());
        }
        self.positions.durable_to(point.id, bytes);
        Ok(())
    }

    /// Notes durably, once for each segment, that something in it is durable: if its file is lost or its beginning
    /// damaged, it is then not mistaken for one that never held a record. A sync does not promise this, so a failure is
    /// only reported, and the next sync tries again.
    fn note_synced(&self, header: &FileHeader) {
        if !self.rolling.rolls || self.syncing.is_noted(header.sequence) {
            return;
        }
        let left = Left { synced: header.sequence, ..Left::at_the_beginning_of(header, header.first_id) };
        match self.note_left(&left) {
            Ok(()) => self.syncing.note(header.sequence),
            Err(error) => self.report(&error.because("it is not noted that the segment holds something")),
        }
    }

    fn sync_file(&self, segment: &Segment) -> Result<()> {
        segment.file.sync_data().map_err(|e| self.health.fail(Error::io(&e, "sync").at(&segment.path)))
    }
}
