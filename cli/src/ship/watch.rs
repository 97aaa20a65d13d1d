//! Monitors a shipper: prints what it does, and collects what is reported at the end.

use std::io::IsTerminal;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use binlog::rolling::Pruned;
use binlog::shipping::{ShipMonitor, Shipped};
use binlog::Error;

use crate::human::{self, bytes};
use crate::output::complain;
use crate::progress::Progress;
use crate::signals::Signals;

/// What is shown of a run.
#[derive(Clone, Copy)]
pub struct Show<'a> {
    /// The directory of the log: other paths are in the store.
    pub directory: &'a Path,
    /// Neither a bar nor lines.
    pub quiet: bool,
    /// A line for each segment, where there is no bar.
    pub each: bool,
    /// The run does not end by itself: nothing is collected.
    pub follows: bool,
}

/// Prints what happens, and ends the work when a signal has come.
pub struct Watch<'a> {
    show: Show<'a>,
    signals: &'a Signals,
    /// For the bar: bytes of finished segments, and of the one that is being sent.
    done: AtomicU64,
    sent: AtomicU64,
    bar: Mutex<Progress>,
    seen: Mutex<Seen>,
}

/// What one run has done, also when it fails in the end.
#[derive(Default)]
pub struct Seen {
    pub uploaded: Vec<Shipped>,
    pub pruned: Vec<Pruned>,
    pub pruned_there: Vec<Pruned>,
    /// What keeps more from being shipped.
    pub obstacles: Vec<String>,
    /// Failures that were not retried.
    failed: Vec<String>,
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<'a> Watch<'a> {
    /// Monitors a run of so many bytes, if the number is known.
    pub fn new(show: Show<'a>, signals: &'a Signals, total: Option<u64>) -> Self {
        let total = total.filter(|_| !show.quiet);
        Watch {
            show,
            signals,
            done: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            bar: Mutex::new(Progress::new(total)),
            seen: Mutex::default(),
        }
    }

    /// What it has collected. Prints the failures that `last`, the error of the whole run, does not contain.
    pub fn finish(self, last: Option<&str>) -> Seen {
        drop(self.bar);
        let mut seen = self.seen.into_inner().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut seen.failed)
            .iter()
            .filter(|failure| Some(failure.as_str()) != last)
            .for_each(|failure| complain(failure));
        seen
    }

    fn show(&self) {
        let at = self.done.load(Ordering::Relaxed) + self.sent.load(Ordering::Relaxed);
        held(&self.bar).at(at);
    }

    fn print(&self, line: &str) {
        held(&self.bar).hide_while(|| complain(line));
    }

    /// Where there is no bar, a line for each segment shows the progress.
    fn prints_each(&self) -> bool {
        self.show.each && (self.show.follows || !std::io::stderr().is_terminal())
    }
}

impl ShipMonitor for Watch<'_> {
    fn begins(&self, _segment: &Shipped) {
        self.sent.store(0, Ordering::Relaxed);
    }

    fn sent(&self, bytes: u64) {
        self.sent.fetch_add(bytes, Ordering::Relaxed);
        self.show();
    }

    fn uploaded(&self, segment: &Shipped) {
        self.sent.store(0, Ordering::Relaxed);
        self.done.fetch_add(segment.bytes, Ordering::Relaxed);
        self.show();
        if self.prints_each() {
            let found = if segment.found { ", which held it already" } else { "" };
            self.print(&format!("{} is in the store{found} ({})", segment.path.display(), bytes(segment.bytes)));
        }
        if !self.show.follows {
            held(&self.seen).uploaded.push(segment.clone());
        }
    }

    fn pruned(&self, segment: &Pruned) {
        if self.prints_each() {
            self.print(&format!("{} was removed ({})", segment.path.display(), segment.why));
        }
        if !self.show.follows {
            let mut seen = held(&self.seen);
            let is_here = segment.path.starts_with(self.show.directory);
            let removed = if is_here { &mut seen.pruned } else { &mut seen.pruned_there };
            removed.push(segment.clone());
        }
    }

    fn obstacle(&self, error: &Error) {
        self.print(&error.to_string());
        held(&self.seen).obstacles.push(error.to_string());
    }

    fn failed(&self, error: &Error, wait: Option<Duration>) {
        match wait {
            Some(wait) => self.print(&format!("{error}; tried again in {}", human::span(wait.as_nanos() as u64))),
            None if self.show.follows => self.print(&error.to_string()),
            // It may be the error with which the run ends, which is printed then.
            None => held(&self.seen).failed.push(error.to_string()),
        }
    }

    fn stop(&self) -> bool {
        self.signals.caught().is_some()
    }
}
