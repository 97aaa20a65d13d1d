//! Follows what a shipper does: tells a person, and keeps what is reported in the end.

use std::io::IsTerminal;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use binlog::{Error, Pruned, ShipMonitor, Shipped};

use super::Ship;
use crate::human::{self, bytes};
use crate::output::complain;
use crate::progress::Progress;
use crate::signals::Signals;

/// Tells a person what happens, and ends the work when a signal has come.
pub struct Watch<'a> {
    args: &'a Ship,
    signals: &'a Signals,
    /// For the bar: bytes of segments that are done, and of the one that is being sent.
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
    /// What is in the way of more.
    pub obstacles: Vec<String>,
    /// What has failed without another try.
    failed: Vec<String>,
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<'a> Watch<'a> {
    /// Of so many bytes, if that is known.
    pub fn new(args: &'a Ship, signals: &'a Signals, total: Option<u64>) -> Self {
        let total = total.filter(|_| !args.quiet);
        Watch {
            args,
            signals,
            done: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            bar: Mutex::new(Progress::new(total)),
            seen: Mutex::default(),
        }
    }

    /// What it has seen. Failures that `last`, with which the run ended, does not tell are told now.
    pub fn finish(self, last: Option<&str>) -> Seen {
        drop(self.bar);
        let mut seen = self.seen.into_inner().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut seen.failed)
            .iter()
            .filter(|told| Some(told.as_str()) != last)
            .for_each(|told| complain(told));
        seen
    }

    fn show(&self) {
        let at = self.done.load(Ordering::Relaxed) + self.sent.load(Ordering::Relaxed);
        held(&self.bar).at(at);
    }

    fn tell(&self, line: &str) {
        held(&self.bar).hide_while(|| complain(line));
    }

    /// Where there is no bar, lines say how far it is.
    fn tells_each(&self) -> bool {
        !self.args.quiet
            && !self.args.json
            && (self.args.follow || !std::io::stderr().is_terminal())
            && !self.args.verify
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
        if self.tells_each() {
            let found = if segment.found { ", which held it already" } else { "" };
            self.tell(&format!("{} is in the store{found} ({})", segment.path.display(), bytes(segment.bytes)));
        }
        if !self.args.follow {
            held(&self.seen).uploaded.push(segment.clone());
        }
    }

    fn pruned(&self, segment: &Pruned) {
        if self.tells_each() {
            self.tell(&format!("{} was removed ({})", segment.path.display(), segment.why));
        }
        if !self.args.follow {
            let mut seen = held(&self.seen);
            let is_here = segment.path.starts_with(&self.args.directory);
            let removed = if is_here { &mut seen.pruned } else { &mut seen.pruned_there };
            removed.push(segment.clone());
        }
    }

    fn obstacle(&self, error: &Error) {
        self.tell(&error.to_string());
        held(&self.seen).obstacles.push(error.to_string());
    }

    fn failed(&self, error: &Error, wait: Option<Duration>) {
        match wait {
            Some(wait) => self.tell(&format!("{error}; tried again in {}", human::span(wait.as_nanos() as u64))),
            None if self.args.follow => self.tell(&error.to_string()),
            // It may be what the run ends with, which is told then.
            None => held(&self.seen).failed.push(error.to_string()),
        }
    }

    fn stop(&self) -> bool {
        self.signals.caught().is_some()
    }
}
