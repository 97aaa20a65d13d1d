//! A clock that a test sets.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::Arc;

use binlog::Clock;

pub const SECOND: i64 = 1_000_000_000;
pub const MINUTE: i64 = 60 * SECOND;
pub const HOUR: i64 = 60 * MINUTE;
pub const DAY: i64 = 24 * HOUR;

/// 2026-11-21, 10:00:00 UTC.
pub const TEN: i64 = 1_795_255_200 * SECOND;

#[derive(Clone)]
pub struct Time(Arc<AtomicI64>);

impl Time {
    pub fn at(ns: i64) -> Self {
        Time(Arc::new(AtomicI64::new(ns)))
    }

    pub fn set(&self, ns: i64) {
        self.0.store(ns, Ordering::SeqCst);
    }

    pub fn pass(&self, ns: i64) {
        self.0.fetch_add(ns, Ordering::SeqCst);
    }

    pub fn now(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }

    pub fn clock(&self) -> Clock {
        let time = self.clone();
        Clock::from_fn(move || time.now())
    }
}
