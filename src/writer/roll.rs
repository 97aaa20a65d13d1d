//! Rolling, as callers and the append stage ask for it.

use super::filling::Filling;
use super::rolling::Turn;
use super::stretch::Rules;
use super::{Shared, Writer};
use crate::error::{Error, Result};
use crate::io::sync::atomic::Ordering;
use crate::io::sync::MutexGuard;
use crate::log::Naming;
use crate::options::RollOptions;

impl Writer {
    /// Ends the current segment and goes on in a new one. Does nothing while the current one holds no record. On return
    /// the closed segment is durable.
    ///
    /// # Errors
    /// [`crate::Kind::Unsupported`] for a log that is a single file; else as [`Self::sync`].
    pub fn roll(&self) -> Result<()> {
        self.roll_because("call")
    }

    /// As [`Self::roll`], for a reason of the caller's, 1 to 256 bytes, which the log's events and hooks tell.
    pub fn roll_because(&self, reason: &str) -> Result<()> {
        if !(1..=256).contains(&reason.len()) {
            return Err(Error::invalid(format!("a reason has 1 to 256 bytes, not {}", reason.len())));
        }
        self.shared.check_call()?;
        self.shared.patiently(|| self.shared.roll(reason))
    }

    /// Changes when the log rolls and what its segments are called. The new rules begin with a new segment, at once, also
    /// when the current one holds no record.
    ///
    /// # Errors
    /// [`crate::Kind::Invalid`] for a template or zone that is none: the old rules stay. Else as [`Self::roll`]; then the
    /// new rules hold, and the next write begins the new segment.
    pub fn set_roll(&self, roll: RollOptions) -> Result<()> {
        self.shared.check_call()?;
        roll.check()?;
        let shared = &self.shared;
        let naming = Naming::new(&roll, &shared.options.name)?;
        shared.output.lock().target.check_rolls()?;
        let mut filling = shared.append.lock();
        filling.rules = Rules::new(&roll, &naming);
        shared.lead.store(filling.rules.lead(), Ordering::Relaxed);
        *shared.check.lock() = roll.check;
        let now = filling.clock.now_ns();
        shared.turn(
            &mut filling,
            Turn { reason: "options".to_owned(), forced: true, naming: Some(naming), at: now },
            now,
            0,
        );
        drop(filling);
        shared.patiently(|| shared.finish_roll())
    }
}

impl Shared {
    fn roll(&self, reason: &str) -> Result<()> {
        let output = self.output.lock();
        output.target.check_rolls().map_err(|e| e.at(&output.file("").path))?;
        drop(output);
        let mut filling = self.append.lock();
        // Handed over as any other roll, so that the append stage goes by the time of the new segment.
        if filling.next_id() > filling.begun.1.max(self.mark.get().1) {
            let now = filling.clock.now_ns();
            self.turn(&mut filling, Turn { reason: reason.to_owned(), forced: false, naming: None, at: now }, now, 0);
            filling.owes_stage = false;
        }
        drop(filling);
        self.finish_roll()
    }

    /// Carries out what was asked for, and does now what a thread that keeps house would do soon.
    fn finish_roll(&self) -> Result<()> {
        let told_then = self.losses_told();
        let done = self.flush().and_then(|()| self.sync_closed());
        match &done {
            Ok(()) => self.keep_house(),
            // Where no other segment can be begun, this one may be gone as well.
            Err(_) => {
                let lost = self.output.lock().lost();
                self.note_lost(lost);
            }
        }
        self.with_the_lost(told_then, 0, done)
    }

    /// Has the records from the next on stand in another segment: what was appended is handed over, and the write stage
    /// rolls behind it. `count` records are about to be appended.
    pub(super) fn turn(&self, filling: &mut MutexGuard<'_, Filling>, turn: Turn, now: i64, count: u64) {
        self.hand_over_turn(filling, turn);
        filling.begun = (now, filling.next_id());
        self.set_stretch(filling, now, count);
    }

    /// What an append does that finds the current segment's stretch over: rolls, unless only the clock was set back or the
    /// write stage has begun another segment meanwhile.
    #[cold]
    pub(super) fn turn_if_over(&self, filling: &mut MutexGuard<'_, Filling>, now: i64, count: u64) {
        let (created, first_id) = self.mark.get();
        if first_id > filling.begun.1 {
            filling.begun = (created, first_id);
        }
        let (begun, id) = (filling.begun, filling.next_id());
        match filling.rules.why_over(begun, now, id, count) {
            Some(reason) if self.rolls => {
                let turn = Turn { reason: reason.to_owned(), forced: reason != "records", naming: None, at: now };
                self.turn(filling, turn, now, count);
            }
            _ => self.set_stretch(filling, now, count),
        }
    }

    /// Rolls when it is time, also without traffic; a segment without a record waits for one.
    pub(super) fn turn_if_time(&self, filling: &mut MutexGuard<'_, Filling>) -> bool {
        let (now, id) = (filling.clock.now_ns(), filling.next_id());
        if !self.rolls || !filling.stretch.is_over(now, id, 0) || id == filling.begun.1.max(self.mark.get().1) {
            return false;
        }
        self.turn_if_over(filling, now, 0);
        std::mem::take(&mut filling.owes_stage)
    }

    fn set_stretch(&self, filling: &mut Filling, now: i64, count: u64) {
        if !self.rolls {
            return;
        }
        filling.begun.0 = filling.rules.begun(filling.begun.0, now);
        filling.stretch = filling.rules.stretch(filling.begun, now, filling.next_id(), count);
        self.deadline.store(filling.stretch.end().unwrap_or(i64::MAX), Ordering::Relaxed);
    }

    /// Tells whoever prepares the next file when the current segment's time is over.
    pub(super) fn set_deadline(&self) {
        let filling = self.append.lock();
        self.deadline.store(filling.stretch.end().unwrap_or(i64::MAX), Ordering::Relaxed);
    }

    /// Asks the caller's check, outside of all locks, and rolls when it says so.
    pub(super) fn ask_check(&self) -> Result<()> {
        let Some(check) = self.check.lock().clone() else { return Ok(()) };
        let Some(state) = self.output.lock().state() else { return Ok(()) };
        match self.calling(|| check(&state)) {
            true => self.turn_now("check"),
            false => Ok(()),
        }
    }

    /// Begins a new segment when the file of the current one has been removed or replaced, and reports that.
    pub(super) fn look_for_segment(&self) -> Result<()> {
        let lost = self.output.lock().lost();
        let Some(lost) = lost else { return Ok(()) };
        self.note_lost([lost]);
        // What cannot be written now will be, behind a roll that finds the loss by itself.
        match self.rolls && !self.is_stuck() {
            true => self.turn_now("deleted"),
            false => Ok(()),
        }
    }

    fn turn_now(&self, reason: &str) -> Result<()> {
        let mut filling = self.append.lock();
        let now = filling.clock.now_ns();
        let turn = Turn { reason: reason.to_owned(), forced: reason == "deleted", naming: None, at: now };
        self.turn(&mut filling, turn, now, 0);
        filling.owes_stage = false;
        drop(filling);
        // Without asking the check again, which could go on for ever.
        self.drain_up_to(self.given())
    }
}
