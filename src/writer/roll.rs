//! Rolls that callers ask for, the caller's check, and segments whose file is gone.

use super::filling::Filling;
use super::turn::Turn;
use super::{Parts, Writer};
use crate::error::{Error, Result};
use crate::log::Naming;
use crate::options::RollOptions;

impl Writer {
    /// Ends the current segment and continues in a new one. Does nothing while the current one holds no record. On
    /// return the closed segment is durable.
    ///
    /// # Errors
    /// [`crate::Kind::Unsupported`] for a log that is a single file; else as [`Self::sync`].
    pub fn roll(&self) -> Result<()> {
        self.roll_because("call")
    }

    /// As [`Self::roll`], with a reason of 1 to 256 bytes, which the log's events contain and hooks receive.
    pub fn roll_because(&self, reason: &str) -> Result<()> {
        if !(1..=256).contains(&reason.len()) {
            return Err(Error::invalid(format!("a reason has 1 to 256 bytes, not {}", reason.len())));
        }
        self.parts.health.check_call()?;
        self.parts.patiently(|| self.parts.roll(reason))
    }

    /// Changes when the log rolls and how its segments are named. The new rules begin with a new segment, at once, also
    /// when the current one holds no record.
    ///
    /// # Errors
    /// [`crate::Kind::Invalid`] for an invalid template or zone: the old rules stay. Otherwise as [`Self::roll`]; the
    /// new rules then hold, and the next write begins the new segment.
    pub fn set_roll(&self, roll: RollOptions) -> Result<()> {
        let parts = &self.parts;
        parts.health.check_call()?;
        roll.check()?;
        let naming = Naming::new(&roll, &parts.options.name)?;
        parts.output.lock().target.check_rolls()?;
        let mut filling = parts.filling.lock();
        let handed_over = parts.hand_over(&mut filling);
        parts.rolling.change(&mut filling, &parts.stage, (roll, naming), handed_over);
        drop(filling);
        parts.patiently(|| parts.finish_roll())
    }
}

impl Parts {
    fn roll(&self, reason: &str) -> Result<()> {
        let output = self.output.lock();
        output.target.check_rolls().map_err(|e| e.at(&output.file("").path))?;
        drop(output);
        // Handed over as any other roll: appends then use the time of the new segment.
        let mut filling = self.filling.lock();
        self.collect(&mut filling);
        if self.rolling.has_records(&filling) {
            self.turn(&mut filling, reason, false);
        }
        drop(filling);
        self.finish_roll()
    }

    /// Hands over a roll. The caller writes it.
    fn turn(&self, filling: &mut Filling, reason: &str, forced: bool) {
        let at = filling.clock.now_ns();
        let turn = Turn { reason: reason.to_owned(), forced, naming: None, at };
        let handed_over = self.hand_over(filling);
        self.rolling.turn(filling, &self.stage, turn, 0, handed_over);
        filling.owes_stage = false;
    }

    /// Carries out the roll, and does the work that the maintenance thread would do soon.
    fn finish_roll(&self) -> Result<()> {
        let reported_then = self.losses.reported();
        let done = self.flush().and_then(|()| self.sync_closed());
        match &done {
            Ok(()) => self.take_steps(),
            // When no other segment can be begun, this one may be lost as well.
            Err(_) => {
                let lost = self.output.lock().lost();
                self.losses.note(lost, |error| self.report(error));
            }
        }
        self.losses.with(reported_then, 0, done)
    }

    /// Calls the caller's check, outside of all locks, and rolls when it returns true.
    pub(super) fn ask_check(&self) -> Result<()> {
        match self.rolling.asks(&self.output, |check, state| self.health.calling(|| check(state))) {
            true => self.roll_now("check", false),
            false => Ok(()),
        }
    }

    /// Begins a new segment when the file of the current one was removed or replaced, and reports that.
    pub(super) fn look_for_segment(&self) -> Result<()> {
        let lost = self.output.lock().lost();
        let Some(lost) = lost else { return Ok(()) };
        self.losses.note([lost], |error| self.report(error));
        // What cannot be written now is written after a roll, which detects the loss itself.
        match self.rolling.rolls && !self.stage.is_stuck() {
            true => self.roll_now("deleted", true),
            false => Ok(()),
        }
    }

    /// Does not call the check again, which could repeat for ever.
    fn roll_now(&self, reason: &str, forced: bool) -> Result<()> {
        self.turn(&mut self.filling.lock(), reason, forced);
        self.drain_up_to(self.stage.given())
    }
}
