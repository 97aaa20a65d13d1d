//! Handing pieces over to the write stage, and who runs it.

use std::collections::VecDeque;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::Arc;
use std::time::Duration;

use super::filling::{Filling, Room};
use super::output::Output;
use super::piece::Piece;
use super::rolling::Turn;
use super::Shared;
use crate::error::{Error, Kind, Result};
use crate::io::sync::atomic::Ordering;
use crate::io::sync::{self, spin_while, JoinHandle, MutexGuard};
use crate::options::WriterOptions;

/// One being filled, one being written, and two between them, so that neither side waits for a short delay of the other.
/// Three and six were slower with the background thread (`docs/decisions/0020-what-was-tried-for-speed.md`).
const PIECES: usize = 4;
/// Payload bytes of the pieces that are added to these while a write hangs in the kernel, as it does for the length of a
/// journal's commit: appends then go on instead of waiting for the disk.
const ADDED_BYTES: usize = 16 << 20;
/// Whoever fills a piece sooner than this waits all the same: at such a pace no memory lasts, and much of it is slower than
/// what the caches hold.
const UNHURRIED: Duration = Duration::from_millis(1);
/// So many pieces in a row have to be filled that slowly: one alone may be of a thread that had to wait for a processor.
const IN_A_ROW: u32 = 3;
/// A write that takes longer hangs; one of a piece takes a tenth of that.
const HANGS_AFTER: Duration = Duration::from_micros(500);
/// How many pieces of others, at the most, a thread writes after its own.
const SHARE: u64 = PIECES as u64;

/// What the write stage is given.
enum Work {
    Write(Piece),
    Roll(Turn),
}

/// Pieces between the append stage and the write stage.
pub(super) struct Queue {
    /// To be written, in order.
    full: VecDeque<Work>,
    /// How many were handed over, and how many of them are written, since the writer was opened.
    given: u64,
    done: u64,
    /// Ready to be filled again.
    free: Vec<Piece>,
    block_bytes: usize,
    /// Pieces that there are more than [`PIECES`].
    added: usize,
    /// No piece has come back since somebody waited in vain for one: the next who needs one need not try that again.
    hangs: bool,
    /// Whether the next piece that comes back stays, although there are some more than needed.
    keeps: bool,
    /// A thread is emptying `full`, and will look once more before it stops.
    draining: bool,
    /// The write stage failed at the front of `full`; whoever needs room next tries again and gets the error.
    stuck: bool,
    /// The background thread sleeps.
    idle: bool,
    stop: bool,
}

impl Queue {
    pub fn new(options: &WriterOptions) -> Self {
        let block_bytes = options.block_bytes as usize;
        let free = (0..PIECES).map(|_| Piece::new(block_bytes)).collect();
        Queue {
            full: VecDeque::new(),
            given: 0,
            done: 0,
            free,
            block_bytes,
            added: 0,
            hangs: false,
            keeps: false,
            draining: false,
            stuck: false,
            idle: false,
            stop: false,
        }
    }

    fn hand_over(&mut self, work: Work) {
        self.full.push_back(work);
        self.given += 1;
    }

    /// Whether something waits to be written and no thread of a caller is at it.
    fn is_left(&self) -> bool {
        !self.full.is_empty() && !self.draining
    }

    /// One more piece, while a write hangs and there are not too many yet.
    fn add(&mut self) -> Option<Piece> {
        if !self.hangs || (self.added + 1) * Piece::most(self.block_bytes) > ADDED_BYTES {
            return None;
        }
        self.added += 1;
        Some(Piece::new(self.block_bytes))
    }

    /// Takes back a piece that was written, or gives it to be dropped: as long as there are added ones every second goes,
    /// so that appends that fill them as fast as they come back do not stay with more memory than the caches hold.
    fn give_back(&mut self, mut piece: Piece) -> Option<Piece> {
        self.hangs = false;
        self.keeps = !self.keeps;
        if self.added > 0 && !self.keeps {
            self.added -= 1;
            return Some(piece);
        }
        piece.clear();
        self.free.push(piece);
        None
    }
}

impl Shared {
    /// The append lock with a piece to fill. Waits for the write stage when all are full; an error of the write stage comes out
    /// here, before anything has been taken.
    #[cold]
    pub(super) fn wait_for_room<'a>(&'a self, mut filling: MutexGuard<'a, Filling>) -> Result<Room<'a>> {
        let unhurried = filling.wants_piece(UNHURRIED) >= IN_A_ROW;
        loop {
            filling = match Room::of(filling) {
                Ok(room) => return Ok(room),
                Err(filling) => filling,
            };
            match self.wait_for_piece(unhurried)? {
                Some(piece) => self.begin_piece(&mut filling, piece),
                None => {
                    drop(filling);
                    self.write_kept_back()?;
                    filling = self.append.lock();
                }
            }
        }
    }

    /// As [`Self::wait_for_room`], unless that would have to wait.
    pub(super) fn room_now<'a>(
        &'a self,
        mut filling: MutexGuard<'a, Filling>,
    ) -> std::result::Result<Room<'a>, MutexGuard<'a, Filling>> {
        if !filling.has_piece() {
            let mut queue = self.queue.lock();
            let piece = if queue.stuck { None } else { self.take_free(&mut queue) };
            drop(queue);
            if let Some(piece) = piece {
                self.begin_piece(&mut filling, piece);
            }
        }
        Room::of(filling)
    }

    fn begin_piece(&self, filling: &mut Filling, piece: Piece) {
        filling.begin_piece(piece);
        self.push_dropped(filling);
    }

    fn take_free(&self, queue: &mut Queue) -> Option<Piece> {
        let piece = queue.free.pop();
        self.free.store(queue.free.len(), Ordering::Relaxed);
        piece
    }

    /// A free piece; `None` when whoever needs one has to write by itself, without the append lock.
    fn wait_for_piece(&self, unhurried: bool) -> Result<Option<Piece>> {
        loop {
            self.check_usable()?;
            let mut queue = self.queue.lock();
            if queue.stuck {
                return Ok(None);
            }
            if let Some(piece) = self.take_free(&mut queue) {
                return Ok(Some(piece));
            }
            if queue.is_left() && !self.options.background {
                return Ok(None);
            }
            if let Some(piece) = unhurried.then(|| queue.add()).flatten() {
                return Ok(Some(piece));
            }
            // Another thread writes; this one keeps the append lock, as nobody else could append now either.
            MutexGuard::unlocked(&mut queue, || spin_while(|| self.free.load(Ordering::Relaxed) == 0));
            let waits = queue.free.is_empty() && !queue.stuck && !self.has_failed.load(Ordering::Acquire);
            if waits && (self.options.background || !queue.is_left()) {
                match queue.hangs {
                    true => self.room.wait(&mut queue),
                    false => queue.hangs = self.room.wait_for(&mut queue, HANGS_AFTER).timed_out(),
                }
            }
        }
    }

    /// Whether the last write failed, and what it was to write still waits.
    pub(super) fn is_stuck(&self) -> bool {
        self.queue.lock().stuck
    }

    /// Gives the piece being filled, if any, to the write stage. The caller then runs that, or sees to it that
    /// somebody does.
    pub(super) fn hand_over(&self, filling: &mut Filling) {
        if let Some(piece) = filling.take_piece() {
            self.give(Work::Write(piece));
        }
    }

    /// Gives the piece being filled, if any, to the write stage, and has it roll behind that. As after
    /// [`Self::hand_over`], somebody has to run it.
    pub(super) fn hand_over_turn(&self, filling: &mut Filling, turn: Turn) {
        self.hand_over(filling);
        self.give(Work::Roll(turn));
        filling.owes_stage = true;
    }

    fn give(&self, work: Work) {
        let mut queue = self.queue.lock();
        queue.hand_over(work);
        self.full.store(queue.full.len(), Ordering::Relaxed);
    }

    /// How much was handed over by now.
    pub(super) fn given(&self) -> u64 {
        self.queue.lock().given
    }

    /// Has somebody write what was handed over: the background thread, or this one.
    pub(super) fn run_stage(&self) {
        if !self.options.background {
            return self.pump();
        }
        let was_idle = std::mem::take(&mut self.queue.lock().idle);
        if was_idle {
            // Not under the lock: it would be given to the thread being woken, and the next append, which needs a piece,
            // would wait until that runs.
            self.work.notify_one();
        }
    }

    /// The next piece to write, for the thread that empties the queue up to `last`.
    fn take_full(&self, last: u64) -> Option<Work> {
        let mut queue = self.queue.lock();
        let work = if queue.done < last { queue.full.pop_front() } else { None };
        self.full.store(queue.full.len(), Ordering::Relaxed);
        queue.draining = work.is_some();
        if queue.is_left() {
            // Whoever waits for a piece goes on with it.
            self.room.notify_all();
        }
        work
    }

    /// Writes everything that was handed over before the call.
    pub(super) fn drain(&self) -> Result<()> {
        self.drain_up_to(self.given())?;
        self.ask_check()
    }

    /// Writes what was handed over, up to number `last`: others may go on handing over for ever.
    pub(super) fn drain_up_to(&self, last: u64) -> Result<()> {
        let mut output = self.output.lock();
        self.drain_into(&mut output, last)?;
        // Large records are written without passing here, but whoever writes one flushes first. What was to be written
        // is: an index that finds no room is tried again later.
        let _ = output.index_if_due();
        let tidied = self.after_write(output);
        self.leave_the_rest();
        tidied
    }

    /// As [`Self::drain_up_to`], under the output lock.
    pub(super) fn drain_into(&self, output: &mut Output, last: u64) -> Result<()> {
        loop {
            if self.has_failed.load(Ordering::Acquire) {
                // Nothing is written any more, and nobody waits for it.
                self.queue.lock().stuck = true;
                self.room.notify_all();
                return Err(self.unusable());
            }
            // In a statement of its own, so that the queue is not locked while the piece is written.
            let next = self.take_full(last);
            let Some(mut work) = next else { return Ok(()) };
            let panicking = OnPanic(self);
            let done = match &mut work {
                Work::Write(piece) => output.write(piece),
                Work::Roll(turn) => output.turn(turn),
            };
            drop(panicking);
            self.flushed.store(output.next_id() - 1, Ordering::Release);
            let mut queue = self.queue.lock();
            if let Err(error) = done {
                queue.full.push_front(work);
                queue.draining = false;
                queue.stuck = true;
                self.room.notify_all();
                drop(queue);
                return Err(self.remember_failed(error));
            }
            queue.done += 1;
            queue.stuck = false;
            if let Work::Write(piece) = work {
                self.flushed_bytes.store(piece.bytes_end(), Ordering::Release);
                let spent = queue.give_back(piece);
                self.free.store(queue.free.len(), Ordering::Relaxed);
                drop(queue);
                drop(spent);
                self.room.notify_one();
            }
        }
    }

    /// Writes what was handed over unless another thread is at it, and a little more if others hand over meanwhile. An
    /// error is kept for whoever needs room or flushes next.
    fn pump(&self) {
        let queue = self.queue.lock();
        let (is_being_done, last) = (queue.draining, queue.given + SHARE);
        drop(queue);
        if !is_being_done {
            let _ = self.drain_up_to(last).and_then(|()| self.ask_check());
        }
    }

    /// Has the next append go on with what others have handed over meanwhile, and with what that has made necessary: no call is
    /// held up for ever because others append. With threads of its own the library needs no help.
    fn leave_the_rest(&self) {
        if self.options.background {
            return;
        }
        let queue = self.queue.lock();
        let is_left = queue.is_left() && !queue.stuck;
        drop(queue);
        if is_left || self.has_chores() {
            self.append.lock().owes_stage = true;
        }
    }

    /// Leaves what the writing made necessary to whoever keeps house.
    pub(super) fn after_write(&self, mut output: MutexGuard<'_, Output>) -> Result<()> {
        let rolled = !output.steps.is_empty();
        let (retired, ends) = (output.has_retired(), output.wants_next(false, false).is_some());
        let look = self.is_time_to_look();
        let has_house = self.has_house.load(Ordering::Acquire);
        let many = output.has_many_retired();
        let posts = rolled || (has_house && (retired || ends || look));
        if posts {
            self.post(&mut output);
        }
        drop(output);
        if posts {
            self.chores.notify_one();
        }
        if has_house {
            // Slow hooks keep the thread that would do that.
            return if many { self.sync_closed() } else { Ok(()) };
        }
        if look {
            self.look_now_and_then();
        }
        match self.is_overdue() || (rolled && self.is_far_behind()) {
            true => self.tidy(),
            false => Ok(()),
        }
    }

    /// Takes note that the library has panicked: nobody knows what the write stage has done, so that nothing is written any
    /// more, and nobody waits for it.
    pub(super) fn fail_by_panic(&self) {
        self.fail(Error::new(
            Kind::Failed,
            "the library has panicked while it wrote: open the log anew, and report this",
        ));
        let mut queue = self.queue.lock();
        queue.draining = false;
        queue.stuck = true;
        drop(queue);
        self.room.notify_all();
        self.work.notify_all();
    }

    fn run_background(&self) {
        let mut queue = self.queue.lock();
        loop {
            if queue.stop {
                return;
            }
            if queue.full.is_empty() {
                MutexGuard::unlocked(&mut queue, || spin_while(|| self.full.load(Ordering::Relaxed) == 0));
            }
            if queue.full.is_empty() || queue.stuck {
                let wait = MutexGuard::unlocked(&mut queue, || self.tick_background());
                if (queue.full.is_empty() || queue.stuck) && !queue.stop {
                    queue.idle = true;
                    match wait {
                        Some(time) => {
                            self.work.wait_for(&mut queue, time);
                        }
                        None => self.work.wait(&mut queue),
                    }
                    queue.idle = false;
                }
                continue;
            }
            // An error stays with the queue, for the next caller who needs room or flushes.
            MutexGuard::unlocked(&mut queue, || {
                let _ = self.drain();
            });
        }
    }

    /// Ends the background thread; what is queued stays queued.
    pub(super) fn stop_background(&self, thread: JoinHandle<()>) {
        self.queue.lock().stop = true;
        self.work.notify_all();
        super::close::join(thread);
    }
}

pub(super) fn start_background(shared: Arc<Shared>) -> Result<JoinHandle<()>> {
    let body = move || {
        if catch_unwind(AssertUnwindSafe(|| shared.run_background())).is_err() {
            shared.fail_by_panic();
        }
    };
    sync::spawn("binlog-writer", body).map_err(|e| Error::io(&e, "start a thread"))
}

/// Held while something is done of which others must learn that it has panicked.
struct OnPanic<'a>(&'a Shared);

impl Drop for OnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.fail_by_panic();
        }
    }
}
