//! Handing pieces over to the write stage, and who runs it.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::MutexGuard;

use super::append::Filling;
use super::output::Output;
use super::piece::Piece;
use super::rolling::Turn;
use super::Shared;
use crate::error::{Error, Result};
use crate::io::thread;
use crate::options::WriterOptions;

/// One being filled, one being written, and two between them, so that neither side waits for a short delay of the other.
/// Three and six were slower with the background thread (`docs/performance.md`).
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

/// What the write stage is given.
enum Work {
    Write(Piece),
    Roll(Turn),
}

/// Pieces between the append stage and the write stage.
pub(super) struct Queue {
    /// To be written, in order.
    full: VecDeque<Work>,
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
    /// A piece to fill. Waits for the write stage when all are full; an error of the write stage comes out here, before
    /// anything has been taken.
    #[cold]
    pub(super) fn free_piece(&self, filling: &mut MutexGuard<'_, Filling>) -> Result<Piece> {
        filling.unhurried = match filling.piece_since {
            Some(since) if since.elapsed() >= UNHURRIED => filling.unhurried.saturating_add(1),
            _ => 0,
        };
        let piece = self.wait_for_piece(filling, filling.unhurried >= IN_A_ROW)?;
        filling.piece_since = Some(Instant::now());
        Ok(piece)
    }

    fn wait_for_piece(&self, filling: &mut MutexGuard<'_, Filling>, unhurried: bool) -> Result<Piece> {
        loop {
            let mut queue = self.queue.lock();
            if queue.stuck {
                drop(queue);
                self.check_full_just_now()?;
                MutexGuard::unlocked(filling, || self.drain())?;
                // Another thread may have got a piece meanwhile.
                if let Some(piece) = filling.piece.take() {
                    return Ok(piece);
                }
                continue;
            }
            if let Some(piece) = queue.free.pop() {
                self.free.store(queue.free.len(), Ordering::Relaxed);
                return Ok(piece);
            }
            if let Some(piece) = unhurried.then(|| queue.add()).flatten() {
                return Ok(piece);
            }
            // Whoever handed the last piece over writes it, or the background thread does; this thread keeps the
            // append lock, as nobody else could append now either.
            MutexGuard::unlocked(&mut queue, || spin_while(|| self.free.load(Ordering::Relaxed) == 0));
            if queue.free.is_empty() && !queue.stuck {
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
        if filling.piece.as_ref().is_none_or(Piece::is_empty) {
            return;
        }
        let mut queue = self.queue.lock();
        queue.full.extend(filling.piece.take().map(Work::Write));
        self.full.store(queue.full.len(), Ordering::Relaxed);
    }

    /// Gives the piece being filled, if any, to the write stage, and has it roll behind that. As after
    /// [`Self::hand_over`], somebody has to run it.
    pub(super) fn hand_over_turn(&self, filling: &mut Filling, turn: Turn) {
        self.hand_over(filling);
        let mut queue = self.queue.lock();
        queue.full.push_back(Work::Roll(turn));
        self.full.store(queue.full.len(), Ordering::Relaxed);
        filling.owes_stage = true;
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

    /// The next piece to write, for the thread that empties the queue.
    fn take_full(&self) -> Option<Work> {
        let mut queue = self.queue.lock();
        let work = queue.full.pop_front();
        self.full.store(queue.full.len(), Ordering::Relaxed);
        queue.draining = work.is_some();
        queue.stuck &= work.is_some();
        work
    }

    /// Writes everything that was handed over before the call.
    pub(super) fn drain(&self) -> Result<()> {
        let mut output = self.output.lock();
        self.drain_into(&mut output)?;
        // Large records are written without passing here, but whoever writes one flushes first. What was to be written
        // is: an index that finds no room is tried again later.
        let _ = output.index_if_due();
        self.after_write(output)
    }

    /// As [`Self::drain`], under the output lock.
    pub(super) fn drain_into(&self, output: &mut Output) -> Result<()> {
        loop {
            // In a statement of its own, so that the queue is not locked while the piece is written.
            let next = self.take_full();
            let Some(mut work) = next else { return Ok(()) };
            let done = match &mut work {
                Work::Write(piece) => output.write(piece),
                Work::Roll(turn) => output.turn(turn),
            };
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

    /// Writes what was handed over unless another thread is at it, which then writes this too. An error is kept for
    /// whoever needs room or flushes next.
    fn pump(&self) {
        if !self.queue.lock().draining {
            let _ = self.drain();
        }
    }

    /// Leaves what the writing made necessary to whoever keeps house, and asks the caller's check, outside of all locks.
    pub(super) fn after_write(&self, mut output: MutexGuard<'_, Output>) -> Result<()> {
        let (retired, ends) = (output.has_retired(), output.wants_next(false, false).is_some());
        let look = self.is_time_to_look();
        let has_house = self.has_house.load(Ordering::Acquire);
        let posts = !output.steps.is_empty() || (has_house && (retired || ends || look));
        if posts {
            self.post(&mut output);
        }
        drop(output);
        if posts {
            self.chores.notify_one();
        }
        if has_house {
            return self.ask_check();
        }
        if look {
            self.look_now_and_then();
        }
        let tidied = if self.is_overdue() { self.tidy() } else { Ok(()) };
        tidied.and_then(|()| self.ask_check())
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
        let _ = thread.join();
    }
}

/// Waits for the other side without giving the processor away, for about as long as a piece takes. Sleeping and being
/// woken costs more than that where the other processor has to be roused, as in most virtual machines.
fn spin_while(waiting: impl Fn() -> bool) {
    const ROUNDS: usize = 1000;
    for _ in 0..ROUNDS {
        if !waiting() {
            return;
        }
        std::hint::spin_loop();
    }
}

pub(super) fn start_background(shared: Arc<Shared>) -> Result<JoinHandle<()>> {
    thread::spawn("binlog-writer", move || shared.run_background()).map_err(|e| Error::io(&e, "start a thread"))
}
