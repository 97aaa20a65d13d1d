//! Work that is due by time: intervals of the policies, heartbeats, rolling, the next file.

use std::time::Duration;

use super::filling::{Filling, Room};
use super::schedule::Due;
use super::{Parts, Writer};
use crate::error::Result;
use crate::record::{event, Metadata};

impl Writer {
    /// Does the work that is due by time: the intervals of the flush and sync policies, rolling, heartbeats, preparing
    /// the next segment, and what rolls have left to do. Needed only by a writer without a background thread. Call it
    /// regularly from a thread of its own when the log may become quiet, or when no append may wait for the disk
    /// because of a roll.
    pub fn tick(&self) -> Result<()> {
        let parts = &self.parts;
        parts.health.check_call()?;
        parts.maintenance.note_tick();
        let turned = parts.turn_if_time(&mut parts.filling.lock());
        let beaten = parts.beat_if_time()?;
        let mut filling = parts.filling.lock();
        let (due, _) = parts.due_by_time(&filling);
        if due != Due::Nothing {
            // Their records belong to what is flushed or synced below, up to the id of the last.
            parts.collect(&mut filling);
        }
        drop(filling);
        let due = if due == Due::Nothing && (turned || beaten) { Due::Flush } else { due };
        let id = parts.positions.appended();
        parts.carry_out(due, id)?;
        parts.ask_check()?;
        parts.look_for_segment()?;
        parts.prepare_next();
        parts.maintain()
    }

    /// Writes a [`crate::event::HEARTBEAT`] and flushes it: readers that ask for events see that the writer is alive.
    pub fn heartbeat(&self) -> Result<()> {
        let parts = &self.parts;
        parts.health.check_call()?;
        parts.patiently(|| parts.beat(parts.room()?))?;
        parts.patiently(|| parts.flush())
    }
}

impl Parts {
    /// Puts a heartbeat in front of the next record.
    fn beat(&self, mut room: Room<'_>) -> Result<()> {
        let now = room.now();
        room.push_event(event::HEARTBEAT, now, Metadata::default(), &[])?;
        room.into_filling().beat = now;
        Ok(())
    }

    fn beat_if_time(&self) -> Result<bool> {
        if !self.schedule.is_time_to_beat(&mut self.filling.lock()) {
            return Ok(false);
        }
        self.beat(self.room()?).map(|()| true)
    }

    /// Rolls when it is time, also without traffic; a segment without a record waits for one.
    fn turn_if_time(&self, filling: &mut Filling) -> bool {
        if !self.rolling.is_time(filling) {
            return false;
        }
        let handed_over = self.hand_over(filling);
        self.rolling.turn_if_time(filling, &self.stage, handed_over)
    }

    fn due_by_time(&self, filling: &Filling) -> (Due, Option<Duration>) {
        self.schedule.due_by_time(filling, self.stage.is_stuck())
    }

    /// The background thread's part; returns how long the thread may sleep. Errors appear again in the next call that
    /// needs what failed.
    ///
    /// It never waits for the append lock: the thread that holds it may be waiting for this one to free a buffer, and
    /// checks the intervals by itself.
    pub(super) fn tick_background(&self) -> Option<Duration> {
        const SOON: Duration = Duration::from_millis(1);
        if self.health.has_failed() {
            // Nothing is written any more.
            return None;
        }
        let Some(mut filling) = self.filling.try_lock() else { return Some(SOON) };
        let turned = self.turn_if_time(&mut filling);
        let mut beaten = false;
        if self.schedule.is_time_to_beat(&mut filling) {
            // Only when there is room: waiting for room could mean waiting for this thread.
            filling = match self.room_now(filling) {
                Ok(mut room) => {
                    let now = room.now();
                    beaten = room.push_event(event::HEARTBEAT, now, Metadata::default(), &[]).is_ok();
                    let mut filling = room.into_filling();
                    filling.beat = now;
                    filling
                }
                Err(filling) => filling,
            };
        }
        let (due, next) = self.due_by_time(&filling);
        if due == Due::Nothing && !turned && !beaten {
            return next.map(|time| time.max(SOON));
        }
        self.hand_over(&mut filling);
        drop(filling);
        let done = match due {
            Due::Sync => self.schedule.within_interval(|| self.drain().and_then(|()| self.sync_written())),
            _ => self.drain(),
        };
        Some(if done.is_ok() { SOON } else { Duration::from_secs(1) })
    }
}
