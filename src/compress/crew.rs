//! Threads that compress groups and compare what was written of them, together with the thread that distributes the
//! groups.

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread::JoinHandle;

use parking_lot::{Condvar, Mutex};

use super::blocks::Mark;
use super::compare::ReadBack;
use super::group::Group;
use crate::error::{Error, Kind, Result};
use crate::format::codec::Compressor;
use crate::io::thread;

/// The task for a group.
pub(super) enum Task {
    /// Compress its payload. Groups are numbered in the order in which they will be written.
    Compress(u64),
    /// Compare it with what was written between two marks.
    Compare { from: Mark, until: Mark },
}

type Job = (Task, Group);

/// The tools of one thread.
pub(super) struct Tools {
    pub compressor: Compressor,
    pub read_back: ReadBack,
}

impl Tools {
    fn work(&mut self, (task, group): &mut Job) -> Result<()> {
        match *task {
            Task::Compress(_) => {
                // A lasting compression must not skip a block because memory was short for a moment.
                Ok(self.compressor.try_compress(&group.payload, &mut group.shorter).map(drop)?)
            }
            Task::Compare { from, until } => self.read_back.compare(group, from, until),
        }
    }
}

/// The thread that owns it, and others. When dropped, it waits for their current jobs.
pub(super) struct Crew {
    pub tools: Tools,
    shared: Arc<Shared>,
    others: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    board: Mutex<Board>,
    /// Jobs are waiting, or no more will come.
    work: Condvar,
    /// A job is done.
    done: Condvar,
}

#[derive(Default)]
struct Board {
    waiting: VecDeque<Job>,
    done: VecDeque<Result<Job>>,
    is_over: bool,
}

impl Crew {
    /// Uses this many threads, including the calling one, each with tools of its own.
    pub fn start(threads: usize, mut tools: impl FnMut() -> Result<Tools>) -> Result<Self> {
        let mut crew = Crew { tools: tools()?, shared: Arc::default(), others: vec![] };
        for _ in 1..threads {
            let (shared, mut tools) = (crew.shared.clone(), tools()?);
            let thread = thread::spawn("binlog-compress", move || shared.work(&mut tools));
            crew.others.push(thread.map_err(|e| Error::io(&e, "start a thread"))?);
        }
        Ok(crew)
    }

    /// Hands out a job.
    pub fn give(&self, task: Task, group: Group) {
        let mut board = self.shared.board.lock();
        match task {
            Task::Compress(_) => board.waiting.push_back((task, group)),
            // What was just written is still in the caches, and its memory is freed sooner.
            Task::Compare { .. } => board.waiting.push_front((task, group)),
        }
        drop(board);
        self.shared.work.notify_one();
    }

    /// A job that is done; `None` when there is none yet. The calling thread does a job itself when the others have
    /// enough to do, and always when it must `wait`.
    pub fn done(&mut self, wait: bool) -> Option<Result<Job>> {
        let mut board = self.shared.board.lock();
        loop {
            if let Some(done) = board.done.pop_front() {
                return Some(done);
            }
            // Each thread has another job waiting when it is done with one.
            if board.waiting.len() > self.others.len() || wait {
                if let Some(mut job) = board.waiting.pop_front() {
                    drop(board);
                    return Some(self.tools.work(&mut job).map(|()| job));
                }
            }
            if !wait {
                return None;
            }
            self.shared.done.wait(&mut board);
        }
    }
}

impl Shared {
    /// Does jobs until the crew is stopped.
    fn work(&self, tools: &mut Tools) {
        let mut board = self.board.lock();
        loop {
            let Some(mut job) = board.waiting.pop_front() else {
                if board.is_over {
                    return;
                }
                self.work.wait(&mut board);
                continue;
            };
            drop(board);
            let ended = Ended(self);
            let done = tools.work(&mut job).map(|()| job);
            std::mem::forget(ended);
            board = self.board.lock();
            board.done.push_back(done);
            self.done.notify_one();
        }
    }
}

/// Reports that a thread has panicked at a job, for which another thread would wait forever.
struct Ended<'a>(&'a Shared);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        let ended = Error::new(Kind::Io, "a thread that compresses has ended before its time");
        self.0.board.lock().done.push_back(Err(ended));
        self.0.done.notify_one();
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        {
            let mut board = self.shared.board.lock();
            board.waiting.clear();
            board.is_over = true;
        }
        self.shared.work.notify_all();
        for thread in self.others.drain(..) {
            // A thread that panicked has reported it.
            let _ = thread.join();
        }
    }
}
