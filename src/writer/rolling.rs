//! When the log rolls: the part of rolling that appends use.

use std::sync::Arc;
use std::time::Duration;

use super::filling::Filling;
use super::output::Output;
use super::span::Rules;
use super::stage::{Stage, Work};
use super::staging::HandedOver;
use super::turn::{Mark, Turn};
use crate::io::clock::Clock;
use crate::io::sync::atomic::{AtomicI64, Ordering};
use crate::io::sync::Mutex;
use crate::log::Naming;
use crate::options::{RollCheck, RollOptions, SegmentState};

pub(super) struct Rolling {
    /// Whether the log is a directory, and so rolls.
    pub rolls: bool,
    /// Where the current segment begins.
    mark: Arc<Mark>,
    /// The caller's check of whether the log rolls.
    check: Mutex<Option<RollCheck>>,
    /// When the current segment's time is over, `i64::MAX` = never, and how long before that the next file is prepared:
    /// in nanoseconds, by the writer's clock.
    deadline: AtomicI64,
    lead: AtomicI64,
    clock: Clock,
}

impl Rolling {
    /// For a log whose appends begin with `filling`.
    pub fn new(rolls: bool, mark: Arc<Mark>, check: Option<RollCheck>, filling: &Filling, clock: Clock) -> Self {
        let rolling = Rolling {
            rolls,
            mark,
            check: Mutex::new(check.filter(|_| rolls)),
            deadline: AtomicI64::new(i64::MAX),
            lead: AtomicI64::new(filling.rules.lead()),
            clock,
        };
        rolling.set_deadline(filling);
        rolling
    }

    /// Writes the following records to another segment: the log rolls after what was handed over, which is everything
    /// that was appended. `count` records are about to be appended.
    pub fn turn(&self, filling: &mut Filling, stage: &Stage, turn: Turn, count: u64, _: HandedOver) {
        let now = turn.at;
        stage.give(Work::Roll(turn));
        filling.owes_stage = true;
        filling.begun = (now, filling.next_id());
        self.set_span(filling, now, count);
    }

    /// Rolls when the span of the current segment is over, unless only the clock was set back or another segment has
    /// been begun meanwhile.
    #[cold]
    pub fn turn_if_over(&self, filling: &mut Filling, stage: &Stage, now: i64, count: u64, handed_over: HandedOver) {
        let (created, first_id) = self.mark.get();
        if first_id > filling.begun.1 {
            filling.begun = (created, first_id);
        }
        let (begun, id) = (filling.begun, filling.next_id());
        match filling.rules.why_over(begun, now, id, count) {
            Some(reason) if self.rolls => {
                let turn = Turn { reason: reason.to_owned(), forced: reason != "records", naming: None, at: now };
                self.turn(filling, stage, turn, count, handed_over);
            }
            _ => self.set_span(filling, now, count),
        }
    }

    /// Whether the time of the current segment is over.
    pub fn is_time(&self, filling: &mut Filling) -> bool {
        let now = filling.clock.now_ns();
        self.rolls && filling.span.is_over(now, filling.next_id(), 0)
    }

    /// Rolls when it is time; a segment without a record waits for one.
    pub fn turn_if_time(&self, filling: &mut Filling, stage: &Stage, handed_over: HandedOver) -> bool {
        if !self.has_records(filling) || !self.is_time(filling) {
            return false;
        }
        let now = filling.clock.now_ns();
        self.turn_if_over(filling, stage, now, 0, handed_over);
        std::mem::take(&mut filling.owes_stage)
    }

    /// Whether anything was appended to the current segment.
    pub fn has_records(&self, filling: &Filling) -> bool {
        filling.next_id() > filling.begun.1.max(self.mark.get().1)
    }

    /// Applies other rules, which begin with a new segment.
    pub fn change(
        &self,
        filling: &mut Filling,
        stage: &Stage,
        (roll, naming): (RollOptions, Naming),
        handed_over: HandedOver,
    ) {
        filling.rules = Rules::new(&roll, &naming);
        self.lead.store(filling.rules.lead(), Ordering::Relaxed);
        *self.check.lock() = roll.check;
        let at = filling.clock.now_ns();
        let turn = Turn { reason: "options".to_owned(), forced: true, naming: Some(naming), at };
        self.turn(filling, stage, turn, 0, handed_over);
    }

    /// Asks the caller's check, through `call` and outside of all locks, whether the log is to roll.
    pub fn asks(&self, output: &Mutex<Output>, call: impl FnOnce(&RollCheck, &SegmentState) -> bool) -> bool {
        let Some(check) = self.check.lock().clone() else { return false };
        let Some(state) = output.lock().state() else { return false };
        call(&check, &state)
    }

    fn set_span(&self, filling: &mut Filling, now: i64, count: u64) {
        if !self.rolls {
            return;
        }
        filling.begun.0 = filling.rules.begun(filling.begun.0, now);
        filling.span = filling.rules.span(filling.begun, now, filling.next_id(), count);
        self.set_deadline(filling);
    }

    fn set_deadline(&self, filling: &Filling) {
        self.deadline.store(filling.span.end().unwrap_or(i64::MAX), Ordering::Relaxed);
    }

    /// The end of the current segment's time, when it is so near that the next file should be prepared.
    pub fn near_end(&self, now: i64) -> Option<i64> {
        let deadline = self.deadline.load(Ordering::Relaxed);
        let lead = self.lead.load(Ordering::Relaxed);
        let is_near = deadline != i64::MAX && now < deadline && deadline.saturating_sub(now) <= lead;
        is_near.then_some(deadline)
    }

    /// How long until the next file has to be prepared for the end of the current segment's time.
    pub fn until_prepared(&self) -> Option<Duration> {
        const LONG: Duration = Duration::from_secs(60);
        let deadline = self.deadline.load(Ordering::Relaxed);
        if deadline == i64::MAX || !self.clock.is_system() {
            return None;
        }
        let left = deadline.saturating_sub(self.lead.load(Ordering::Relaxed)).saturating_sub(self.clock.now_ns());
        // Not far ahead, because the clock may be set; and not at once, because the file may exist already or cannot be
        // created.
        Some(Duration::from_nanos(left.max(0) as u64).clamp(Duration::from_millis(100), LONG))
    }
}
