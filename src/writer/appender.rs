//! Appends from one thread, without a lock: records are staged in a buffer of the appender's own, and get their ids when
//! that is handed over to the writer.

use std::ptr::NonNull;
use std::sync::Arc;

use super::append::{NewRun, Plain, Sums, ToPlace, Unplaced};
use super::area::Area;
use super::buffer::Buffer;
use super::filling::Ticker;
use super::pace::Pace;
use super::staging::{Limits, Pushed, Slot, Staging};
use super::{Parts, Writer};
use crate::calling::is_calling;
use crate::error::{Error, Kind, Result};
use crate::io::biased::Owner;
use crate::memory::{self, NoMemory};
use crate::options::AppenderOptions;
use crate::record::NewRecord;

/// Appends records to the log of a [`Writer`], faster than the writer itself: without a lock, from one thread at a time.
/// Any number of appenders can be opened on a writer.
///
/// A record is *staged* in the appender's own memory. It gets its id when the appender hands over what it has staged:
/// when that has reached [`AppenderOptions::hand_over_bytes`], at [`Self::flush`] and [`Self::close`], and at each flush,
/// sync, roll and close of the writer, which collects from all appenders whatever was appended before the call. The
/// records of an appender keep their order; those of several appenders, and of the writer, follow in the order in which
/// they are handed over. Their times may therefore run back by as long as records are staged.
///
/// Other threads may close the writer meanwhile: each record is then in the log, or its append fails.
///
/// Staged records are not in [`super::Position`]: they are lost when the process ends without a close, as those between
/// the appended and the flushed position are. The flush interval bounds how long they are staged; with a background
/// thread, or a thread that ticks, also when the appender gets no further record. The bounds of the policies in records
/// and bytes count what was handed over; each appender stages no more than one such bound in addition.
///
/// In a log that rolls by its number of records, and with a policy that flushes or syncs each record, nothing is staged:
/// an append is then the writer's. The same applies to records and batches that are larger than a block.
///
/// ```
/// # fn main() -> binlog::Result<()> {
/// # let scratch = std::env::temp_dir().join(format!("binlog-appender-{}", std::process::id()));
/// let writer = binlog::Writer::open(&scratch, binlog::WriterOptions::default())?;
/// std::thread::scope(|scope| {
///     for _ in 0..4 {
///         let mut appender = writer.appender()?;
///         scope.spawn(move || -> binlog::Result<u64> {
///             for _ in 0..1000 {
///                 appender.append(7, b"a record")?;
///             }
///             appender.close() // returns the id of the last of them
///         });
///     }
///     Ok::<(), binlog::Error>(())
/// })?;
/// writer.sync()?;
/// assert_eq!(writer.position()?.durable, 4000);
/// # writer.close()?;
/// # std::fs::remove_dir_all(scratch).ok();
/// # Ok(())
/// # }
/// ```
pub struct Appender {
    parts: Arc<Parts>,
    slot: Arc<Slot>,
    staging: Owner<Staging>,
    clock: Ticker,
    limits: Limits,
    pace: Pace,
    /// Each record is flushed or synced: nothing is staged.
    each: bool,
    /// The program stages records in memory of its own.
    has_area: bool,
    /// A spare buffer was made for that, which is the writer's now unless it is still there.
    had_spare: bool,
}

impl Writer {
    /// Opens an appender with the default options.
    ///
    /// # Errors
    /// As for [`Self::appender_with`].
    pub fn appender(&self) -> Result<Appender> {
        self.appender_with(AppenderOptions::default())
    }

    /// Opens an appender on this writer.
    ///
    /// # Errors
    /// [`crate::Kind::Invalid`] for options out of range; [`crate::Kind::Failed`] after an fsync has failed;
    /// [`crate::Kind::Forked`] in the child of a fork.
    pub fn appender_with(&self, options: AppenderOptions) -> Result<Appender> {
        options.check()?;
        let parts = self.parts.clone();
        parts.health.check_call()?;
        let (records, bytes) = parts.schedule.most_waiting();
        let usual = options.hand_over_bytes.max(parts.options.block_bytes as usize);
        let bytes = usual.min(usize::try_from(bytes).unwrap_or(usize::MAX));
        let (slot, staging) = Slot::new();
        parts.stage.add_buffer();
        parts.filling.lock().appenders.add(slot.clone());
        let clock = Ticker::new(&parts.options.clock);
        let limits = Limits { bytes, records };
        let (pace, each) = (Pace::default(), records == 1);
        Ok(Appender { parts, slot, staging, clock, limits, pace, each, has_area: false, had_spare: false })
    }
}

impl Appender {
    /// Appends a record with the current time. Returns false when it was dropped ([`crate::FullDisk::Drop`]).
    ///
    /// # Errors
    /// As for [`Writer::append`]; [`crate::Kind::Invalid`] also when the writer is closed. When
    /// [`crate::Error::record_id`] is not `None`, the record was taken, and only the flush or sync that a policy requires
    /// has failed; otherwise it was not taken, and may be appended again.
    #[inline]
    pub fn append(&mut self, type_id: u32, payload: &[u8]) -> Result<bool> {
        match self.stage_plain(type_id, payload) {
            Ok(()) => Ok(true),
            Err(error) => self.when_full(error, 1, |appender| appender.stage_plain_again(type_id, payload)),
        }
    }

    /// Appends a record with a time or metadata of its own.
    pub fn append_record(&mut self, record: &NewRecord<'_>) -> Result<bool> {
        self.gather_record(record, &[record.payload])
    }

    /// Appends one record whose payload is the parts, one after the other.
    pub fn gather(&mut self, type_id: u32, parts: &[&[u8]]) -> Result<bool> {
        self.gather_record(&NewRecord { type_id, ..NewRecord::default() }, parts)
    }

    /// As [`Self::gather`], with the time and metadata of `record`, whose own payload is ignored.
    pub fn gather_record(&mut self, record: &NewRecord<'_>, parts: &[&[u8]]) -> Result<bool> {
        let record = Unplaced::of(record, parts)?;
        match self.stage(&record, parts) {
            Ok(()) => Ok(true),
            Err(error) => self.when_full(error, 1, |appender| appender.stage(&record, parts)),
        }
    }

    /// Appends all records or, on an error, none; a crash too keeps all or none of them. Records without a time of their
    /// own get the same one.
    pub fn append_batch<'a, I>(&mut self, records: I) -> Result<bool>
    where
        I: IntoIterator<Item = NewRecord<'a>>,
        I::IntoIter: Clone,
    {
        // Iterated once: a second pass may yield other records.
        let records = memory::collect(records.into_iter().map(Ok::<NewRecord<'a>, Error>))?;
        let sums = self.parts.sum(&records)?;
        self.append_runs(records.iter().copied().map(NewRun::of_one), sums)
    }

    /// As [`Self::append_batch`], for runs of records that differ only in their payloads, with the totals of all.
    pub(crate) fn append_runs<'a>(
        &mut self,
        runs: impl Iterator<Item = NewRun<'a>> + Clone,
        sums: Sums,
    ) -> Result<bool> {
        match self.stage_runs(runs.clone(), sums) {
            Ok(()) => Ok(true),
            Err(error) => self.when_full(error, sums.count, |appender| appender.stage_runs(runs.clone(), sums)),
        }
    }

    /// Passes the records of this appender to the system, and all that are before them in the log, as [`Writer::flush`]
    /// does for all. Returns the id of its last record, 0 if there is none.
    pub fn flush(&mut self) -> Result<u64> {
        self.parts.health.check_call()?;
        self.write_out()?;
        Ok(self.slot.last_id())
    }

    /// Flushes as [`Self::flush`] does, and ends the appender, whatever the result. After the writer was closed, which has
    /// collected what was staged, this succeeds. Dropping an appender hands over what is staged, without the flush.
    pub fn close(mut self) -> Result<u64> {
        self.parts.health.check_call()?;
        let settled = if self.has_area { self.settle() } else { Ok(()) };
        let written = match self.write_out() {
            Err(error) if error.kind() == Kind::Invalid && self.parts.health.is_closed() => Ok(()),
            written => written,
        };
        written.and(settled).map(|()| self.slot.last_id())
    }

    /// Lets the program stage packed frames by itself, in `size` bytes of memory that begin with
    /// [`super::area::Head`].
    ///
    /// # Safety
    /// The memory is valid, and used as the documentation of binlog_appender_open_area says, until the appender is
    /// dropped.
    pub(crate) unsafe fn stage_in(&mut self, memory: NonNull<u8>, size: usize) -> Result<()> {
        let options = &self.parts.options;
        let payload_max = options.record_max_bytes.min(u64::from(options.block_bytes)) as u32;
        // SAFETY: the caller's promise.
        let area = unsafe { Area::new(memory, size, payload_max)? };
        self.staging.enter().set_area(area, self.parts.options.block_bytes as usize);
        self.has_area = true;
        Ok(())
    }

    /// Makes a call after what the program has staged by itself, and lets it stage again.
    #[inline(always)]
    pub(crate) fn call<T>(&mut self, call: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        match self.has_area {
            true => self.call_around_area(call),
            false => call(self),
        }
    }

    #[inline(never)]
    fn call_around_area<T>(&mut self, call: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.settle()?;
        if self.staging.enter().has_in_area() {
            // They come before the call's.
            return Err(no_memory(self.parts.options.block_bytes as usize));
        }
        let done = call(self);
        self.open_area();
        done
    }

    /// Takes what the program has staged by itself, and lets it stage again.
    pub(crate) fn settle_area(&mut self) -> Result<()> {
        let settled = self.settle();
        self.open_area();
        settled
    }

    /// Takes what the program has staged by itself. An error says that the last of these records is not in the log.
    pub(crate) fn settle(&mut self) -> Result<()> {
        self.parts.health.check_call()?;
        let inside = self.parts.gate.enter();
        if inside.is_err() {
            // What it does not collect now is not in the log.
            self.parts.gate.wait_until_collected();
        }
        let mut staging = self.staging.enter();
        match inside {
            Ok(_) => staging.take_area(),
            Err(closed) if staging.has_in_area() => {
                staging.discard_area();
                return Err(closed);
            }
            Err(_) => (),
        }
        let Some(error) = staging.area_error() else { return Ok(()) };
        staging.discard_area();
        Err(error)
    }

    fn open_area(&mut self) {
        if self.staging.enter().lacks_spare() {
            let spare = Buffer::new(self.parts.options.block_bytes as usize);
            self.note_spare_spent();
            self.staging.enter().set_spare(spare);
            self.had_spare = true;
        }
        let now = self.clock.now_ns();
        let mut staging = self.staging.enter();
        if let Some(since) = staging.open_area(&self.limits, &self.parts.schedule, now) {
            self.slot.note_since(since);
        }
    }

    /// The writer has a spare buffer of this appender, and one more than it is to have.
    fn note_spare_spent(&mut self) {
        if std::mem::take(&mut self.had_spare) {
            self.parts.stage.remove_buffer();
        }
    }

    /// Hands over what is staged, and writes what was handed over.
    fn write_out(&mut self) -> Result<()> {
        let parts = &*self.parts;
        let _inside = parts.gate.enter()?;
        let mut filling = parts.filling.lock();
        let buffer = take_staged(&mut self.staging, &self.slot);
        parts.take_over(&mut filling, &self.slot, buffer);
        filling.hand_over_own(&parts.stage);
        drop(filling);
        parts.patiently(|| parts.drain())?;
        parts.flush_dropped();
        Ok(())
    }

    /// Stages a record without metadata, with the current time. A function of its own, which saves the cost of the others.
    #[inline(always)]
    fn stage_plain(&mut self, type_id: u32, payload: &[u8]) -> Result<()> {
        self.stage(&Plain { type_id, payload_len: payload.len() }, &[payload])
    }

    #[cold]
    fn stage_plain_again(&mut self, type_id: u32, payload: &[u8]) -> Result<()> {
        self.stage_plain(type_id, payload)
    }

    /// Stages a record; the error of a full disk is returned before it is taken.
    #[inline(always)]
    fn stage(&mut self, record: &impl ToPlace, parts: &[&[u8]]) -> Result<()> {
        self.parts.health.check_call()?;
        self.parts.check_length(record.payload_len() as u64)?;
        if record.payload_len() > self.parts.options.block_bytes as usize || self.each {
            return self.append_directly(|writer| writer.append(record.as_unplaced(), parts));
        }
        loop {
            let now = self.clock.now_ns();
            let rules = (&self.limits, &self.parts.schedule);
            let slot = &self.slot;
            let mut staging = self.staging.enter();
            let first = staging.since() == 0;
            let pushed = staging.push(&record.at(now), parts, now, rules);
            if first && matches!(pushed, Pushed::Taken) {
                slot.note_since(now);
            }
            drop(staging);
            match pushed {
                Pushed::Taken => return Ok(()),
                Pushed::Full => return self.hand_over(now),
                Pushed::NoMemory => return Err(no_memory(record.payload_len() + record.metadata_len())),
                Pushed::NoRoom => {
                    if !self.prepare(record.type_id())? {
                        return self.append_directly(|writer| writer.append(record.as_unplaced(), parts));
                    }
                }
            }
        }
    }

    #[inline(never)]
    fn stage_runs<'a>(&mut self, runs: impl Iterator<Item = NewRun<'a>> + Clone, sums: Sums) -> Result<()> {
        self.parts.health.check_call()?;
        if sums.count == 0 {
            return self.parts.gate.enter().map(drop);
        }
        self.parts.check_runs(runs.clone(), &sums)?;
        let directly = |writer: &Parts| writer.append_runs(runs.clone(), sums).map(|first| first + sums.count - 1);
        if sums.payload.saturating_add(sums.metadata) > u64::from(self.parts.options.block_bytes) || self.each {
            return self.append_directly(directly);
        }
        loop {
            let now = self.clock.now_ns();
            let rules = (&self.limits, &self.parts.schedule);
            let slot = &self.slot;
            let mut staging = self.staging.enter();
            let pushed = match staging.takes(sums.greatest_type, now) {
                true => staging.push_runs(runs.clone(), &sums, now, rules),
                false => Pushed::NoRoom,
            };
            if matches!(pushed, Pushed::Taken) {
                slot.note_since(staging.since());
            }
            drop(staging);
            match pushed {
                Pushed::Taken => return Ok(()),
                Pushed::Full => return self.hand_over(now),
                Pushed::NoMemory => return Err(no_memory((sums.payload + sums.metadata) as usize)),
                Pushed::NoRoom => {
                    if !self.prepare(sums.greatest_type)? {
                        return self.append_directly(directly);
                    }
                }
            }
        }
    }

    /// Gets a buffer and the writer's present rules, and rolls when it is time. Returns false when nothing can be staged
    /// under these rules. A write's error is returned here, before anything has been taken.
    #[cold]
    fn prepare(&mut self, type_id: u32) -> Result<bool> {
        let parts = &*self.parts;
        let _inside = parts.gate.enter()?;
        if parts.filling.lock().rules.count_records() {
            return Ok(false);
        }
        // Before the append lock is taken again: this may wait.
        let has_buffer = self.staging.enter().has_buffer();
        let buffer = match has_buffer {
            true => None,
            false => Some(parts.free_buffer(self.pace.is_unhurried())?),
        };
        self.pace.begin();
        let mut filling = parts.filling.lock();
        let known = filling.check_type(type_id);
        let staged = known.is_ok() && !filling.rules.count_records();
        let now = self.clock.now_ns();
        if staged && filling.span.is_over(now, filling.next_id(), 1) {
            let handed_over = parts.hand_over(&mut filling);
            filling.owes_stage = true;
            parts.rolling.turn_if_over(&mut filling, &parts.stage, now, 1, handed_over);
        }
        filling = parts.with_dropped(filling);
        let unneeded = match staged {
            true => self.staging.enter().begin(buffer, &filling),
            false => buffer,
        };
        let owes_stage = std::mem::take(&mut filling.owes_stage);
        drop(filling);
        if let Some(buffer) = unneeded {
            parts.stage.return_free(buffer);
        }
        if owes_stage {
            parts.run_stage();
        }
        known.map(|()| staged)
    }

    /// Hands over what is staged, and does what the policies require. The last record was taken, whatever the result.
    #[inline(never)]
    fn hand_over(&mut self, now: i64) -> Result<()> {
        let parts = &*self.parts;
        // A writer that is being closed collects it.
        let Ok(_inside) = parts.gate.enter() else { return Ok(()) };
        let mut filling = parts.filling.lock();
        let since = self.slot.since();
        let buffer = take_staged(&mut self.staging, &self.slot);
        parts.take_over(&mut filling, &self.slot, buffer);
        let last_id = filling.last_id();
        let due = parts.schedule.due(&parts.positions, &filling, since, now);
        filling.owes_stage = false;
        drop(filling);
        parts.run_stage();
        parts.carry_out_taken(due, last_id).map_err(|e| e.although_taken(last_id))
    }

    /// Appends through the writer, behind what is staged. `append` returns the id of the last record.
    #[cold]
    fn append_directly(&mut self, append: impl FnOnce(&Parts) -> Result<u64>) -> Result<()> {
        let parts = &*self.parts;
        let _inside = parts.gate.enter()?;
        let mut filling = parts.filling.lock();
        if let Some(buffer) = take_staged(&mut self.staging, &self.slot) {
            parts.take_over(&mut filling, &self.slot, Some(buffer));
            filling.owes_stage = true;
        }
        drop(filling);
        let appended = append(parts);
        let last_id = appended.as_ref().map_or_else(Error::record_id, |id| Some(*id));
        if let Some(last_id) = last_id {
            self.slot.note_last(last_id);
        }
        appended.map(drop)
    }

    /// Applies the policy for a full disk to an append that has failed with `error`.
    #[cold]
    fn when_full(
        &mut self,
        error: Error,
        records: u64,
        mut again: impl FnMut(&mut Self) -> Result<()>,
    ) -> Result<bool> {
        let parts = self.parts.clone();
        parts.or_when_full(Err(error), || again(self).map(|()| 1), || records).map(|taken| taken != 0)
    }

    /// Moves what the program has staged by itself to the buffer, also in a function that the writer has called: nobody
    /// asks for it later. What a closed writer has left there was reported by [`Self::settle`].
    fn end_area(&mut self) {
        let is_late = self.parts.gate.has_collected();
        let mut staging = self.staging.enter();
        if !is_late {
            staging.take_area();
        }
        let spare = staging.remove_area();
        drop(staging);
        if spare.is_none() {
            self.note_spare_spent();
        }
    }

    /// Gives what is staged to the writer, and the buffer back.
    fn end(&mut self) {
        if self.has_area {
            self.end_area();
        }
        let parts = &*self.parts;
        let inside = parts.gate.enter();
        let mut filling = parts.filling.lock();
        let buffer = take_staged(&mut self.staging, &self.slot);
        parts.take_over(&mut filling, &self.slot, buffer);
        filling.appenders.remove(&self.slot);
        filling.owes_stage = true;
        drop(filling);
        let buffer = self.staging.enter().end();
        match buffer {
            Some(buffer) => drop(buffer),
            None => parts.stage.remove_buffer(),
        }
        // Not in a function that the writer has called: what it writes would call others.
        if inside.is_ok() && !is_calling(parts.health.caller()) {
            parts.run_stage();
        }
    }
}

/// What an appender has staged, for its own thread. Called under the append lock, without which another thread could
/// take over later records first.
fn take_staged(staging: &mut Owner<Staging>, slot: &Slot) -> Option<Buffer> {
    let mut staging = staging.enter();
    slot.note_since(0);
    staging.take()
}

#[cold]
fn no_memory(bytes: usize) -> Error {
    NoMemory { bytes: bytes as u64 }.into()
}

impl Drop for Appender {
    fn drop(&mut self) {
        // In the child of a fork a lock may be held by a thread that is not there.
        if !self.parts.health.is_forked() {
            self.end();
        }
    }
}

impl Parts {
    /// A free buffer. Waits for the write stage, and returns its error.
    fn free_buffer(&self, unhurried: bool) -> Result<Buffer> {
        loop {
            match self.stage.wait_for_free(unhurried, &self.health)? {
                Some(buffer) => return Ok(buffer),
                None => self.write_kept_back()?,
            }
        }
    }
}
