//! The queue between appending and writing: it gives out buffers to fill and takes the full ones.

use std::collections::VecDeque;
use std::time::Duration;

use super::buffer::Buffer;
use super::health::Health;
use super::turn::Turn;
use crate::error::Result;
use crate::io::sync::atomic::{AtomicUsize, Ordering};
use crate::io::sync::{spin_while, Condvar, JoinHandle, Mutex, MutexGuard};
use crate::options::WriterOptions;

/// One being filled, one being written, and two in between: neither side waits for a short delay of the other. Three
/// and six were slower with the background thread (`docs/decisions/0020-what-was-tried-for-speed.md`).
const BUFFERS: usize = 4;
/// Payload bytes of the buffers that are added to these while a write hangs in the kernel, as it does during a
/// journal's commit: appends then continue instead of waiting for the disk.
const ADDED_BYTES: usize = 16 << 20;
/// A write that takes longer counts as hanging; a buffer normally takes a tenth of that.
const HANGS_AFTER: Duration = Duration::from_micros(500);
/// How many buffers of other threads a thread writes after its own, at most.
const SHARE: u64 = BUFFERS as u64;

/// Work for the write stage.
pub(super) enum Work {
    Write(Buffer),
    Roll(Turn),
}

pub(super) struct Stage {
    queue: Mutex<Queue>,
    /// How many buffers of the queue are free and full, for reading without its lock.
    free: AtomicUsize,
    full: AtomicUsize,
    /// A buffer has become free, or a write has failed.
    room: Condvar,
    /// There is work for the background thread.
    work: Condvar,
    /// Whether a background thread writes.
    background: bool,
}

struct Queue {
    /// Still to be written, in order.
    full: VecDeque<Work>,
    /// How many were handed over, and how many of these were written, since the writer was opened.
    given: u64,
    done: u64,
    /// Ready to be filled again.
    free: Vec<Buffer>,
    block_bytes: usize,
    /// Buffers beyond the first [`BUFFERS`] and those of appenders.
    added: usize,
    /// Buffers that are dropped when they come back: their appenders were closed.
    surplus: usize,
    /// No buffer has come back since a thread waited in vain for one; the next thread need not wait that long again.
    hangs: bool,
    /// Whether the next buffer that comes back is kept, although there are more than needed.
    keeps: bool,
    /// A thread is emptying `full`, and will look once more before it stops.
    draining: bool,
    /// Writing failed at the front of `full`; the next thread that needs room tries again and gets the error.
    stuck: bool,
    /// The background thread sleeps.
    idle: bool,
    stop: bool,
}

impl Queue {
    /// Whether something waits to be written and no thread is writing.
    fn is_left(&self) -> bool {
        !self.full.is_empty() && !self.draining
    }

    /// Adds a buffer, while a write hangs and there are not too many yet.
    fn add(&mut self) -> Option<Buffer> {
        if !self.hangs || (self.added + 1) * Buffer::most(self.block_bytes) > ADDED_BYTES {
            return None;
        }
        self.added += 1;
        Some(Buffer::new(self.block_bytes))
    }

    /// Takes back a buffer that was written, or returns it to be dropped. While there are added buffers, every second
    /// one is dropped: otherwise appends that fill them as fast as they come back would keep using more memory than the
    /// caches hold.
    fn give_back(&mut self, mut buffer: Buffer) -> Option<Buffer> {
        self.hangs = false;
        if self.surplus > 0 {
            self.surplus -= 1;
            return Some(buffer);
        }
        self.keeps = !self.keeps;
        if self.added > 0 && !self.keeps {
            self.added -= 1;
            return Some(buffer);
        }
        buffer.clear();
        self.free.push(buffer);
        None
    }
}

impl Stage {
    pub fn new(options: &WriterOptions) -> Self {
        let block_bytes = options.block_bytes as usize;
        let queue = Queue {
            full: VecDeque::new(),
            given: 0,
            done: 0,
            free: (0..BUFFERS).map(|_| Buffer::new(block_bytes)).collect(),
            block_bytes,
            added: 0,
            surplus: 0,
            hangs: false,
            keeps: false,
            draining: false,
            stuck: false,
            idle: false,
            stop: false,
        };
        Stage {
            queue: Mutex::new(queue),
            free: AtomicUsize::new(0),
            full: AtomicUsize::new(0),
            room: Condvar::new(),
            work: Condvar::new(),
            background: options.background,
        }
    }

    /// A free buffer, unless the caller would have to wait for it.
    pub fn take_free(&self) -> Option<Buffer> {
        let mut queue = self.queue.lock();
        match queue.stuck {
            true => None,
            false => self.pop_free(&mut queue),
        }
    }

    /// Adds the buffer of an appender.
    pub fn add_buffer(&self) {
        let mut queue = self.queue.lock();
        let buffer = Buffer::new(queue.block_bytes);
        self.push_free(&mut queue, buffer);
    }

    /// Removes the buffer of an appender, as soon as there is a free one.
    pub fn remove_buffer(&self) {
        let mut queue = self.queue.lock();
        let spent = self.pop_free(&mut queue);
        queue.surplus += usize::from(spent.is_none());
        drop(queue);
        drop(spent);
    }

    /// Takes back a buffer that was not used.
    pub fn return_free(&self, buffer: Buffer) {
        self.push_free(&mut self.queue.lock(), buffer);
        self.room.notify_one();
    }

    fn push_free(&self, queue: &mut Queue, buffer: Buffer) {
        queue.free.push(buffer);
        self.free.store(queue.free.len(), Ordering::Relaxed);
    }

    fn pop_free(&self, queue: &mut Queue) -> Option<Buffer> {
        let buffer = queue.free.pop();
        self.free.store(queue.free.len(), Ordering::Relaxed);
        buffer
    }

    /// Waits for a free buffer; `None` when the caller has to write by itself, without the append lock. An `unhurried`
    /// caller gets more memory while a write hangs.
    pub fn wait_for_free(&self, unhurried: bool, health: &Health) -> Result<Option<Buffer>> {
        loop {
            health.check()?;
            let mut queue = self.queue.lock();
            if queue.stuck {
                return Ok(None);
            }
            if let Some(buffer) = self.pop_free(&mut queue) {
                return Ok(Some(buffer));
            }
            if queue.is_left() && !self.background {
                return Ok(None);
            }
            if let Some(buffer) = unhurried.then(|| queue.add()).flatten() {
                return Ok(Some(buffer));
            }
            // Another thread writes; this one keeps the append lock, because no other could append now either.
            MutexGuard::unlocked(&mut queue, || spin_while(|| self.free.load(Ordering::Relaxed) == 0));
            let waits = queue.free.is_empty() && !queue.stuck && !health.has_failed();
            if waits && (self.background || !queue.is_left()) {
                match queue.hangs {
                    true => self.room.wait(&mut queue),
                    false => queue.hangs = self.room.wait_for(&mut queue, HANGS_AFTER).timed_out(),
                }
            }
        }
    }

    /// Hands work over. The caller then writes it, or makes sure that another thread does.
    pub fn give(&self, work: Work) {
        let mut queue = self.queue.lock();
        queue.full.push_back(work);
        queue.given += 1;
        self.full.store(queue.full.len(), Ordering::Relaxed);
    }

    /// How much has been handed over so far.
    pub fn given(&self) -> u64 {
        self.queue.lock().given
    }

    /// The next work, for the thread that empties the queue up to number `last`: others may keep handing over for ever.
    pub fn take(&self, last: u64) -> Option<Work> {
        let mut queue = self.queue.lock();
        let work = if queue.done < last { queue.full.pop_front() } else { None };
        self.full.store(queue.full.len(), Ordering::Relaxed);
        queue.draining = work.is_some();
        if queue.is_left() {
            // A thread that waits for a buffer writes it.
            self.room.notify_all();
        }
        work
    }

    /// Takes back work that could not be carried out. The next thread that needs room tries it again.
    pub fn put_back(&self, work: Work) {
        let mut queue = self.queue.lock();
        queue.full.push_front(work);
        queue.draining = false;
        queue.stuck = true;
        self.room.notify_all();
    }

    /// The work was carried out; its buffer is free.
    pub fn done(&self, work: Work) {
        let mut queue = self.queue.lock();
        queue.done += 1;
        queue.stuck = false;
        if let Work::Write(buffer) = work {
            let spent = queue.give_back(buffer);
            self.free.store(queue.free.len(), Ordering::Relaxed);
            drop(queue);
            drop(spent);
            self.room.notify_one();
        }
    }

    /// Nothing is written any more, and no thread waits for it.
    pub fn fail(&self) {
        self.queue.lock().stuck = true;
        self.room.notify_all();
    }

    /// As [`Self::fail`], when the thread that wrote has panicked.
    pub fn fail_by_panic(&self) {
        let mut queue = self.queue.lock();
        queue.draining = false;
        queue.stuck = true;
        drop(queue);
        self.room.notify_all();
        self.work.notify_all();
    }

    /// Whether the last write failed and its work is still queued.
    pub fn is_stuck(&self) -> bool {
        self.queue.lock().stuck
    }

    /// Whether something waits to be written and no thread writes it.
    pub fn is_left(&self) -> bool {
        let queue = self.queue.lock();
        queue.is_left() && !queue.stuck
    }

    /// Up to which number the caller should write now: `None` when another thread writes. It is a little more than was
    /// handed over, to include what others hand over meanwhile.
    pub fn share(&self) -> Option<u64> {
        let queue = self.queue.lock();
        (!queue.draining).then_some(queue.given + SHARE)
    }

    /// Whether a background thread writes; wakes it when it sleeps.
    pub fn wake(&self) -> bool {
        if !self.background {
            return false;
        }
        let was_idle = std::mem::take(&mut self.queue.lock().idle);
        if was_idle {
            // Not under the lock: the woken thread would get it, and the next append, which needs a buffer, would wait
            // until that thread runs.
            self.work.notify_one();
        }
        true
    }

    /// The body of the background thread: calls `drain` to write what was handed over, and `tick` when there is nothing
    /// to write; `tick` returns how long the thread may sleep.
    pub fn run(&self, drain: impl Fn(), tick: impl Fn() -> Option<Duration>) {
        let mut queue = self.queue.lock();
        loop {
            if queue.stop {
                return;
            }
            if queue.full.is_empty() {
                MutexGuard::unlocked(&mut queue, || spin_while(|| self.full.load(Ordering::Relaxed) == 0));
            }
            if queue.full.is_empty() || queue.stuck {
                let wait = MutexGuard::unlocked(&mut queue, &tick);
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
            // An error stays with the queue, for the next caller that needs room or flushes.
            MutexGuard::unlocked(&mut queue, &drain);
        }
    }

    /// Ends the background thread; what is queued stays queued.
    pub fn stop(&self, thread: JoinHandle<()>) {
        self.queue.lock().stop = true;
        self.work.notify_all();
        super::close::join(thread);
    }
}
