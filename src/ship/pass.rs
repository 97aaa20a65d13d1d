//! One pass over all segments, from the oldest to the newest.

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use super::keeper::{entry_of, is_shipped, Noting};
use super::local::{Here, Local};
use super::pipeline::{token_for, Pipeline, Summed};
use super::sound::Behind;
use super::{here as failed_here, ShipMonitor, ShipReport, ShipState, Shipped, Shipper, Work};
use crate::compress::{compress_segment, sweep};
use crate::error::{a_defect, Error, Kind, Result};
use crate::hex::hex;
use crate::ledger::{Entry, Stage};
use crate::log::names;
use crate::options::CompressOptions;
use crate::segment::open_closed;
use crate::store::{confirm_unless, stopped, Again, Answer, Confirmed, Failure, Monitor, Stored, Sums, Upload};

/// The result for a segment that was to be shipped.
enum Outcome {
    Shipped(Shipped),
    /// It is damaged, and waits until an operator acts.
    HeldBack,
    /// Its file has changed: it was compressed or removed.
    Changed,
}

/// How often all segments are looked at, to prune and to count those that wait, while all are being shipped.
const LOOK_OFTEN: usize = 64;

/// The closed ones of a log's newest segments: all but the last.
fn closed(newest: &[Local]) -> impl Iterator<Item = &Local> {
    newest.split_last().into_iter().flat_map(|(_, closed)| closed)
}

/// Whether it is neither a compressed segment nor a whole file in gzip or zstd.
fn is_plain(segment: &Local) -> bool {
    !names::is_whole(&segment.name) && names::plain(&segment.name) == segment.name
}

impl Shipper {
    /// Ships the waiting segments, and removes those that need not stay. Ends early, without a failure, when it is
    /// asked to stop.
    pub(super) fn pass(&self, work: &mut Work, monitor: &dyn ShipMonitor, report: &mut ShipReport) -> Answer<()> {
        // A panic is treated like other failures: no thread waits forever, and the next pass begins again with the
        // current files.
        let passed = catch_unwind(AssertUnwindSafe(|| self.go_through(work, monitor, report)));
        work.ahead = Pipeline::default();
        passed.unwrap_or_else(|_| Err(failed_here(a_defect("the segment was not shipped"))))
    }

    fn go_through(&self, work: &mut Work, monitor: &dyn ShipMonitor, report: &mut ShipReport) -> Answer<()> {
        work.obstacles.clear();
        if self.options.dry_run {
            return self.preview(work, monitor, report);
        }
        if let (Some(_), false) = (&self.options.compress, work.is_swept) {
            sweep(self.directory.clone(), Some(&self.log)).map_err(failed_here)?;
        }
        let mut here = work.files.look(&self.directory).map_err(failed_here)?;
        self.count_waiting(work, &here);
        self.meet(work)?;
        self.settle(work, &here)?;
        self.note_holes(work, &here, monitor)?;
        self.count_waiting(work, &here);
        // The number of the next segment.
        let mut next = 0;
        let mut since_looked = 0;
        loop {
            let waiting =
                closed(here.from(next)).find(|segment| !is_shipped(&work.keeper.lock(), self.store.url(), segment));
            let Some(segment) = waiting.cloned() else { break };
            if monitor.stop() {
                self.count_waiting(work, &here);
                report.stopped = true;
                return Ok(());
            }
            self.status.lock().reported.state = ShipState::Working;
            match self.ship(work, &here, &segment, monitor) {
                Ok(Outcome::Shipped(shipped)) => {
                    next = segment.sequence + 1;
                    self.note_upload(&shipped);
                    monitor.uploaded(&shipped);
                    report.uploaded.push(shipped);
                    self.put_into_catalogs(work, false, monitor);
                    // At once, as the waiting segments may exceed the disk; with many segments less often, as it looks
                    // at all of them.
                    since_looked += 1;
                    if since_looked * LOOK_OFTEN <= here.segments.len() {
                        continue;
                    }
                    since_looked = 0;
                    self.prune(work, &here, monitor, report)?;
                    self.prune_there(work, monitor, report)?;
                }
                // Later segments are still shipped; nothing from this one on is removed here.
                Ok(Outcome::HeldBack) => next = segment.sequence + 1,
                Ok(Outcome::Changed) => {
                    here = work.files.look(&self.directory).map_err(failed_here)?;
                    self.note_holes(work, &here, monitor)?;
                }
                Err(failure) => {
                    self.count_waiting(work, &here);
                    // An error of this segment is no reason to keep those before it.
                    if failure.again == Again::WhenMended && !monitor.stop() {
                        let pruned = self.prune(work, &here, monitor, report);
                        // There may be no room until old ones are removed.
                        for other in
                            [pruned, self.prune_there(work, monitor, report)].into_iter().filter_map(Result::err)
                        {
                            self.note_failure(&other, monitor, None);
                        }
                    }
                    return Err(failure);
                }
            }
            self.count_waiting(work, &here);
        }
        self.count_waiting(work, &here);
        self.prune(work, &here, monitor, report)?;
        self.prune_there(work, monitor, report)?;
        self.put_into_catalogs(work, true, monitor);
        work.reported.retain(|obstacle| work.obstacles.contains_key(obstacle));
        self.sweep(work, monitor);
        self.status.lock().reported.state = ShipState::Idle;
        Ok(())
    }

    /// Reports what a pass would do.
    fn preview(&self, work: &mut Work, monitor: &dyn ShipMonitor, report: &mut ShipReport) -> Answer<()> {
        let here = work.files.look(&self.directory).map_err(failed_here)?;
        self.note_holes(work, &here, monitor)?;
        for (segment, _) in here.closed() {
            let known = entry_of(&work.keeper.lock(), self.store.url(), segment).cloned();
            if known.as_ref().is_some_and(|known| known.stage.is_shipped()) {
                continue;
            }
            if monitor.stop() {
                report.stopped = true;
                return Ok(());
            }
            let damage = match known.is_some_and(|known| known.accepted) {
                true => None,
                false => match self.damage_of(&here, segment, monitor) {
                    // It is compressed or removed just now.
                    Err(failure) if failure.error.kind() == Kind::NotFound => None,
                    damage => damage?,
                },
            };
            match damage {
                Some(damage) => self.hold_back(work, segment, damage, monitor)?,
                None => report.uploaded.push(self.shipped(segment, segment.bytes, false)),
            }
        }
        report.pruned.extend(self.plan(work, &here, true)?.0.expired.iter().map(|expired| self.pruned(expired)));
        Ok(())
    }

    /// Notes changes to files since the last look, and gives up uploads that cannot be resumed.
    fn settle(&self, work: &Work, here: &Here) -> Answer<()> {
        let Some(newest) = here.segments.last().map(|last| last.sequence) else { return Ok(()) };
        let mut keeper = work.keeper.lock();
        let mut changed = vec![];
        for entry in keeper.of_store(self.store.url()).filter(|entry| entry.sequence < newest) {
            let at = here.segments.binary_search_by_key(&entry.sequence, |segment| segment.sequence);
            let is_here = at.is_ok_and(|at| here.segments[at].known_as.contains(&entry.marker));
            let now = match (entry.stage, is_here) {
                (Stage::Uploaded, false) => Stage::Pruned,
                (Stage::Pruned, true) => Stage::Uploaded,
                (Stage::Uploading, false) if entry.token.is_some() => Stage::Closed,
                _ => continue,
            };
            changed.push(Entry { stage: now, when_ns: self.now(), ..entry.clone() });
        }
        for mut entry in changed {
            if let Some(token) = entry.token.take() {
                self.store.abort(&entry.file, &token)?;
            }
            keeper.note(entry, false).map_err(failed_here)?;
        }
        Ok(())
    }

    /// Gives up the leftovers of old uploads. Done once; nothing depends on it.
    fn sweep(&self, work: &mut Work, monitor: &dyn ShipMonitor) {
        if std::mem::replace(&mut work.is_swept, true) {
            return;
        }
        if let Err(failure) = self.store.abort_stale(&self.log, self.options.stale) {
            let error = failure.error.because("what is left of old uploads was not given up");
            monitor.failed(&error, None);
        }
    }

    /// The next segments, as many as may be processed in parallel, each with what comes after it. A segment that has to
    /// be compressed first waits for its turn.
    fn next_to(&self, work: &Work, here: &Here, segment: &Local) -> Vec<(Local, Behind)> {
        let keeper = work.keeper.lock();
        let next = closed(here.from(segment.sequence + 1));
        let next = next.filter(|next| !is_shipped(&keeper, self.store.url(), next));
        let next = next.take_while(|next| self.options.compress.is_none() || !is_plain(next));
        next.take(self.options.threads as usize - 1).map(|next| (next.clone(), here.behind(next))).collect()
    }

    /// Compresses a segment; returns true when its file has changed.
    fn compress(&self, work: &Work, segment: &Local) -> Answer<bool> {
        let Some(options) = self.options.compress.as_ref() else { return Ok(false) };
        let options = CompressOptions { keep_source: false, dry_run: false, progress: None, ..options.clone() };
        let made = match compress_segment(&*self.directory, &segment.name, &options) {
            Ok(made) => made,
            Err(e) if e.kind() == Kind::NotFound => return Ok(true),
            // Another process is compressing it.
            Err(error) if error.kind() == Kind::Locked => return Err(Failure { error, again: Again::Later(None) }),
            Err(error) => return Err(failed_here(error)),
        };
        if !made.source_removed {
            let error =
                Error::new(Kind::Io, "the segment was compressed, and its source is still there").at(&made.source);
            return Err(Failure { error, again: Again::Later(None) });
        }
        let file = made.path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let known = entry_of(&work.keeper.lock(), self.store.url(), segment).cloned();
        if let Some(token) = known.as_ref().and_then(|known| known.token.as_ref()) {
            // The token belongs to the removed file.
            self.store.abort(&segment.name, token)?;
        }
        let entry = self.entry(segment, Stage::Compressed, file, made.bytes_after);
        work.keeper.lock().note(entry, false).map_err(failed_here)?;
        Ok(true)
    }

    /// The ledger's entry for a segment.
    pub(super) fn entry(&self, segment: &Local, stage: Stage, file: String, bytes: u64) -> Entry {
        Entry {
            store: self.store.url().to_owned(),
            sequence: segment.sequence,
            after: segment.after,
            marker: segment.marker,
            stage,
            file,
            bytes,
            sha256: None,
            tag: String::new(),
            token: None,
            damage: String::new(),
            accepted: false,
            when_ns: self.now(),
        }
    }

    /// Ships one segment, unless it is damaged.
    fn ship(&self, work: &mut Work, here: &Here, segment: &Local, monitor: &dyn ShipMonitor) -> Answer<Outcome> {
        if self.is_held_back(work, segment) {
            return Ok(Outcome::HeldBack);
        }
        let known = entry_of(&work.keeper.lock(), self.store.url(), segment).cloned();
        let is_accepted = known.as_ref().is_some_and(|known| known.accepted);
        if known.as_ref().is_none_or(|known| known.token.is_none()) {
            if let Some(entry) = self.other_form_there(work, segment, monitor)? {
                let shipped = self.shipped(segment, entry.bytes, true);
                work.keeper.lock().note(entry, true).map_err(failed_here)?;
                return Ok(Outcome::Shipped(shipped));
            }
        }
        // A segment that was sent uncompressed stays so.
        let is_there =
            work.there.get(&segment.name).is_some_and(|there| there.iter().any(|(name, _)| *name == segment.name));
        if self.options.compress.is_some() && is_plain(segment) && !is_accepted && !is_there {
            match self.damage_of(here, segment, monitor) {
                Ok(None) => (),
                Ok(Some(damage)) => return self.hold_back_or_pass_over(work, segment, damage, monitor),
                Err(failure) => return unless_gone(failure),
            }
            match self.compress(work, segment) {
                Ok(false) => (),
                Ok(true) => return Ok(Outcome::Changed),
                Err(failure) if failure.error.kind() == Kind::Corrupt => {
                    return self.hold_back_or_pass_over(work, segment, failure.error, monitor);
                }
                Err(failure) => return Err(failure),
            }
        }
        let path = self.directory.path_of(&segment.name);
        let file = match open_closed(&*self.directory, &segment.name) {
            Ok(file) => file,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Outcome::Changed),
            Err(e) => return Err(failed_here(Error::io(&e, "open").at(&path))),
        };
        let mut shipped = self.shipped(segment, segment.bytes, false);
        monitor.begins(&shipped);
        let entry = self.entry(segment, Stage::Uploading, segment.name.clone(), segment.bytes);
        let noting = Noting::new(work.keeper.clone(), entry, self.options.clock.clone());
        let mut following = Following { shipper: self, monitor, noting, reported: AtomicU64::new(0) };
        let mut is_stopped = false;
        let ahead = work.ahead.finish(segment, |sent, found| {
            following.count(sent);
            following.report(sent + found);
            following.reported.fetch_add(sent + found, Ordering::Relaxed);
            is_stopped = monitor.stop();
            !is_stopped
        });
        if is_stopped {
            return Err(stopped());
        }
        let read = match ahead {
            Some(read) => read.map_err(failed_here),
            None => self.read(file, segment, here.behind(segment), monitor),
        };
        let Summed { file, sums, damage } = match read {
            Ok(summed) => summed,
            Err(failure) => return unless_gone(failure),
        };
        if let Some(damage) = damage.clone().filter(|_| !is_accepted) {
            return self.hold_back_or_pass_over(work, segment, damage, monitor);
        }
        let known = entry_of(&work.keeper.lock(), self.store.url(), segment).cloned();
        let entry = &mut following.noting.entry;
        entry.damage = damage.map_or_else(String::new, |damage| damage.to_string());
        entry.accepted = !entry.damage.is_empty();
        (entry.bytes, entry.sha256) = (sums.bytes, Some(sums.sha256));
        shipped.bytes = sums.bytes;
        // Checked first, to avoid sending everything only to be refused.
        let mut confirmed = match self.store.can_read() {
            true => confirm_unless(&|| monitor.stop(), &*self.store, &segment.name, &sums)?,
            false => Confirmed::Absent,
        };
        shipped.found = confirmed == Confirmed::Same;
        if confirmed == Confirmed::Absent {
            entry.token = token_for(&*self.store, known, entry)?;
            // A resumed upload was noted already.
            if entry.token.is_none() {
                work.keeper.lock().note(entry.clone(), true).map_err(failed_here)?;
            }
            let next = self.next_to(work, here, segment);
            work.ahead.begin(next.iter(), |segment, behind| self.job(&work.keeper, segment, behind));
            let resume = following.noting.entry.token.as_deref();
            let upload =
                Upload { name: &segment.name, source: &*file, path: &path, sums: &sums, resume, monitor: &following };
            let stored = self.store.upload(&upload)?;
            confirmed = match self.store.can_read() {
                true => confirm_unless(&|| monitor.stop(), &*self.store, &segment.name, &sums)?,
                // The store has confirmed it, and more is not available from this store.
                false => Confirmed::Same,
            };
            shipped.found = stored == Stored::Exists;
        } else if let Some((file, token)) = known.and_then(|known| Some((known.file, known.token?))) {
            // All of it was there when an earlier run was interrupted, which may have left more than the object.
            self.store.abort(&file, &token)?;
        }
        match confirmed {
            Confirmed::Same => (),
            Confirmed::Absent => {
                let reason = "the store has said that it holds the object, and does not show it";
                return Err(Failure {
                    error: self.of_object(Kind::NotFound, reason, &segment.name),
                    again: Again::Later(None),
                });
            }
            Confirmed::Different => return Err(self.different(&segment.name, &sums)),
        }
        let stat = if self.store.can_read() { self.store.stat(&segment.name)? } else { None };
        let entry = following.noting.entry;
        self.note_for_catalog(work, segment, stat.as_ref(), entry.accepted);
        let tag = stat.map_or_else(String::new, |stat| stat.tag);
        let entry = Entry { stage: Stage::Uploaded, tag, token: None, when_ns: self.now(), ..entry };
        work.keeper.lock().note(entry, true).map_err(failed_here)?;
        work.held.remove(&segment.sequence);
        Ok(Outcome::Shipped(shipped))
    }

    /// A damaged segment is not sent, unless another form of it is here, which is judged by itself.
    fn hold_back_or_pass_over(
        &self,
        work: &mut Work,
        segment: &Local,
        damage: Error,
        monitor: &dyn ShipMonitor,
    ) -> Answer<Outcome> {
        if work.files.pass_over(segment) {
            monitor.failed(&damage.because("the segment is shipped from its other file"), None);
            return Ok(Outcome::Changed);
        }
        self.hold_back(work, segment, damage, monitor)?;
        Ok(Outcome::HeldBack)
    }

    /// The error for another object of that name in the store.
    pub(super) fn different(&self, name: &str, sums: &Sums) -> Failure {
        let there = self.store.stat(name).ok().flatten();
        let length = there.map_or_else(|| "other contents".to_owned(), |stat| format!("{} bytes", stat.bytes));
        let reason = format!(
            "the store holds another object of this name ({length}; the segment here has {} bytes and the SHA-256 {}): it is \
             left as it is",
            sums.bytes,
            hex(&sums.sha256)
        );
        Failure { error: self.of_object(Kind::Mismatch, &reason, name), again: Again::WhenMended }
    }

    /// An error about an object.
    pub(super) fn of_object(&self, kind: Kind, reason: &str, name: &str) -> Error {
        Error::new(kind, reason).at(Path::new(&format!("{}/{name}", self.store.url().trim_end_matches('/'))))
    }

    pub(super) fn shipped(&self, segment: &Local, bytes: u64, found: bool) -> Shipped {
        Shipped { path: self.directory.path_of(&segment.name), sequence: segment.sequence, bytes, found }
    }

    fn note_upload(&self, shipped: &Shipped) {
        let mut status = self.status.lock();
        status.reported.uploaded_segments += 1;
        status.reported.uploaded_bytes += shipped.bytes;
        status.reported.last_upload = Some(self.now());
    }

    pub(super) fn now(&self) -> i64 {
        self.options.clock.now_ns()
    }
}

/// A segment whose file, or that of the one behind it, was compressed or removed while it was read is looked for again.
fn unless_gone(failure: Failure) -> Answer<Outcome> {
    match failure.error.kind() {
        Kind::NotFound => Ok(Outcome::Changed),
        _ => Err(failure),
    }
}

/// Follows one upload.
struct Following<'a> {
    shipper: &'a Shipper,
    monitor: &'a dyn ShipMonitor,
    noting: Noting,
    /// Bytes that were reported already, and will be reported again.
    reported: AtomicU64,
}

impl Following<'_> {
    /// Counts bytes that the store has taken.
    fn count(&self, bytes: u64) {
        self.shipper.status.lock().reported.sent_bytes += bytes;
    }

    /// Reports that so many more bytes are there.
    fn report(&self, bytes: u64) {
        if bytes > 0 {
            self.monitor.sent(bytes);
        }
    }

    /// Reports bytes, some of which may have been reported already.
    fn report_once(&self, bytes: u64) {
        let already = self.reported.load(Ordering::Relaxed).min(bytes);
        self.reported.fetch_sub(already, Ordering::Relaxed);
        self.report(bytes - already);
    }
}

impl Monitor for Following<'_> {
    fn sent(&self, bytes: u64) {
        self.count(bytes);
        self.report_once(bytes);
    }

    fn found(&self, bytes: u64) {
        self.report_once(bytes);
    }

    fn note(&self, token: &str) -> Result<()> {
        self.noting.note(token)
    }

    fn stop(&self) -> bool {
        self.monitor.stop()
    }
}
