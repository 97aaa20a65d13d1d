//! Flush, sync and group commit.

use std::sync::Arc;
use std::time::Duration;

use super::lost::Lost;
use super::{Shared, Writer};
use crate::error::{Error, Kind, Result};
use crate::format::declaration::FileHeader;
use crate::io::sync::atomic::Ordering;
use crate::io::sync::{yield_now, Instant};
use crate::log::Left;
use crate::segment::Segment;

/// Those who wait for the same fdatasync.
#[derive(Default)]
pub(super) struct Group {
    /// A thread is syncing; the others wait for it, and then one of them syncs for all that came meanwhile.
    led: bool,
    /// Threads that wait.
    waiting: u64,
    /// Where the appended position stands when all who were let go by the last round have appended once more.
    expected: u64,
    /// How long the last round took.
    lasted: Duration,
}

/// A round that this thread leads.
struct Round<'a> {
    shared: &'a Shared,
    begun: Instant,
}

impl Drop for Round<'_> {
    fn drop(&mut self) {
        self.shared.end_round(self.begun.elapsed());
    }
}

impl Writer {
    /// Hands everything appended so far to the system: it survives the end of this process, however it ends.
    pub fn flush(&self) -> Result<()> {
        self.shared.check_call()?;
        self.shared.patiently(|| self.shared.flush())
    }

    /// Makes everything appended so far durable: it survives the end of the machine. Threads that sync at the same time
    /// share one fdatasync.
    ///
    /// # Errors
    /// [`Kind::NotFound`] when the file of a segment was removed, replaced or moved before the sync could answer for the
    /// records in it, which the error names; later records are in a new segment, if the log is a directory. When an fsync
    /// fails, it is not known what of the file is on the disk, and the system will not tell it again:
    /// this call and all later ones of the writer fail with [`Kind::Failed`] until the log is opened anew.
    pub fn sync(&self) -> Result<()> {
        self.shared.check_call()?;
        let id = self.shared.append.lock().last_id();
        self.shared.patiently(|| self.shared.sync_to(id))?;
        self.shared.tidy()
    }
}

impl Shared {
    pub(super) fn flush(&self) -> Result<()> {
        self.hand_over(&mut self.append.lock());
        self.drain()?;
        self.flush_dropped();
        Ok(())
    }

    /// Returns when record `id` is durable. The first to come syncs, for all who have appended by then; those who come
    /// while it is at it wait, and the first of them to wake leads the next round (the leader-based group commit of
    /// write-ahead logs, as in DeWitt et al., "Implementation Techniques for Main Memory Database Systems", 1984).
    pub(super) fn sync_to(&self, id: u64) -> Result<()> {
        let told_then = self.losses_told();
        let done = self.sync_past_losses(id);
        self.with_the_lost(told_then, id, done)
    }

    fn sync_past_losses(&self, id: u64) -> Result<()> {
        match self.durable.load(Ordering::Acquire) >= id && id > 0 {
            // Nothing is to be synced, but it may be gone.
            true => self.look_for_segment()?,
            false => self.sync_group_to(id)?,
        }
        if self.losses.lock().is_untold() {
            // Later records go to a new segment, and are made durable there.
            self.look_for_segment()?;
            self.sync_everything()?;
        }
        Ok(())
    }

    fn sync_group_to(&self, id: u64) -> Result<()> {
        let mut group = self.sync.lock();
        loop {
            // The id 0 asks for what is there besides records: a new segment and its events.
            if self.durable.load(Ordering::Acquire) >= id && id > 0 {
                return Ok(());
            }
            self.check_usable()?;
            if !group.led {
                break;
            }
            group.waiting += 1;
            self.synced.wait(&mut group);
            group.waiting -= 1;
        }
        group.led = true;
        let (expected, patience) = (group.expected, group.lasted / 4);
        drop(group);
        // Ends also by a panic, or the others would wait for ever.
        let round = Round { shared: self, begun: Instant::now() };
        while self.appended.load(Ordering::Relaxed) < expected && round.begun.elapsed() < patience {
            yield_now();
        }
        self.sync_everything()
    }

    /// Lets those go who waited for this round. Threads that sync each record come back at once, so the next round waits
    /// for them a little, a quarter of its length at most: without that, two halves of the threads take turns, and
    /// every fdatasync serves only one of them.
    fn end_round(&self, lasted: Duration) {
        let mut group = self.sync.lock();
        let (appended, durable) = (self.appended.load(Ordering::Acquire), self.durable.load(Ordering::Acquire));
        // Each record that is not durable yet has somebody who goes on waiting for it.
        let let_go = group.waiting.saturating_sub(appended.saturating_sub(durable));
        group.expected = appended + let_go;
        group.lasted = lasted;
        group.led = false;
        drop(group);
        self.synced.notify_all();
    }

    fn sync_everything(&self) -> Result<()> {
        self.within_interval(|| {
            self.flush()?;
            self.sync_written()
        })
    }

    /// Makes everything durable that was written by now, closed segments first.
    pub(super) fn sync_written(&self) -> Result<()> {
        // One at a time: a thread that syncs beside one whose fdatasync fails would be told that all is well, and what
        // this one is going to sync may be durable when the other is done.
        let mut inherited = self.syncing.lock();
        self.check_usable()?;
        let bytes = self.flushed_bytes.load(Ordering::Acquire);
        let point = self.output.lock().sync_point();
        for retired in &point.retired {
            if let Err(error) = retired.give_back() {
                self.report(&error);
            }
        }
        // One after the other, so that no later segment is on the disk before them.
        for from_before in &*inherited {
            from_before.renew().map_err(|error| match error.kind() {
                // Nothing was lost for want of space, and nothing was synced: the next sync tries again.
                Kind::NoSpace => error,
                _ => self.fail(error),
            })?;
            self.sync_file(&from_before.segment)?;
            from_before.prove(|| self.output.lock()).map_err(|error| self.fail(error))?;
        }
        let is_synced = |segment: &&Arc<Segment>| inherited.iter().any(|before| Arc::ptr_eq(&before.segment, segment));
        let files = point.retired.iter().map(|retired| &retired.segment).chain([&point.current]);
        for segment in files.filter(|segment| !is_synced(segment)) {
            self.sync_file(segment)?;
        }
        inherited.clear();
        // What was synced to a file without a name is not in the log. Closed segments are looked for before they count as durable:
        // from then on hooks and the removal of old segments may take them away.
        let directory = self.output.lock().target.directory().clone();
        let of = |segment: &Arc<Segment>, last_id| Lost::look(&*directory, segment, last_id);
        let mut lost: Vec<Lost> = point.retired.iter().filter_map(|old| of(&old.segment, old.last_id)).collect();
        // Of a log that is shipped, closed segments go when a store holds them.
        let is_shipped = || {
            let noted = crate::archive::life::file(&point.current.header.name);
            self.is_shipped() || directory.facts(&noted).is_ok()
        };
        if !lost.is_empty() && is_shipped() {
            lost.clear();
        }
        match of(&point.current, point.id) {
            Some(current) => {
                lost.push(current);
                // Whoever looks for it begins a new segment.
                self.looked.store(0, Ordering::Relaxed);
            }
            None => self.note_synced(&point.current.header),
        }
        self.output.lock().synced(&point);
        drop(inherited);
        self.note_lost(lost);
        if self.losses.lock().is_untold() {
            return Ok(());
        }
        self.durable.fetch_max(point.id, Ordering::AcqRel);
        self.durable_bytes.fetch_max(bytes, Ordering::AcqRel);
        Ok(())
    }

    /// Notes durably, once for each segment, that something of it is durable: should its file be lost or its beginning
    /// damaged, nobody takes it for one that never held a record. It is no part of what a sync promises, so that a failure
    /// is only reported, and the next sync tries again.
    fn note_synced(&self, header: &FileHeader) {
        if !self.rolls || self.noted.load(Ordering::Relaxed) >= header.sequence {
            return;
        }
        let left = Left { synced: header.sequence, ..Left::at_the_beginning_of(header, header.first_id) };
        match self.note_left(&left) {
            Ok(()) => self.noted.store(header.sequence, Ordering::Relaxed),
            Err(error) => self.report(&error.because("it is not noted that the segment holds something")),
        }
    }

    fn sync_file(&self, segment: &Segment) -> Result<()> {
        segment.file.sync_data().map_err(|e| self.fail(Error::io(&e, "sync").at(&segment.path)))
    }

    /// The error of a write, which may come from the fsync of the directory in which the next segment was created: then
    /// the writer has failed.
    pub(super) fn remember_failed(&self, error: Error) -> Error {
        match error.kind() {
            Kind::Failed => self.fail(error),
            _ => error,
        }
    }

    /// Remembers a failed fsync for ever.
    pub(super) fn fail(&self, cause: Error) -> Error {
        let mut failure = self.failure.lock();
        let error = failure.get_or_insert(cause.with_kind(Kind::Failed)).clone();
        self.has_failed.store(true, Ordering::Release);
        error
    }
}
