//! The system's clock, a cheaper way to read it many times in a row, and clocks that a caller provides.

use std::fmt;
use std::sync::Arc;

/// Now, in nanoseconds since the Unix epoch, UTC.
#[inline]
pub fn now_ns() -> i64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` is a valid timespec to write to; CLOCK_REALTIME exists everywhere, so the call cannot fail.
    unsafe { libc::clock_gettime(libc::CLOCK_REALTIME, &mut now) };
    now.tv_sec.wrapping_mul(1_000_000_000).wrapping_add(now.tv_nsec)
}

/// The source of a writer's time: the system's clock by default, or a function, for tests and for logs that are written
/// anew. It is called for each record, so it should be fast, and may be called from any thread.
#[derive(Clone, Default)]
pub struct Clock(Option<Arc<dyn Fn() -> i64 + Send + Sync>>);

impl Clock {
    /// A clock that calls a function, which returns nanoseconds since the Unix epoch, UTC.
    pub fn from_fn(now_ns: impl Fn() -> i64 + Send + Sync + 'static) -> Self {
        Clock(Some(Arc::new(now_ns)))
    }

    /// Now, in nanoseconds since the Unix epoch, UTC.
    pub fn now_ns(&self) -> i64 {
        self.0.as_ref().map_or_else(now_ns, |given| given())
    }

    /// Whether it is the system's clock.
    pub fn is_system(&self) -> bool {
        self.0.is_none()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_system() { "Clock(system)" } else { "Clock(given)" })
    }
}

/// The system's clock for a caller that reads it many times a millisecond. The system is asked at least every 100
/// microseconds; in between, the processor's time stamp counter is added. That halves the cost of a reading, which is
/// the larger part of a small append. When the clock is set or slewed, this one follows within those 100 microseconds.
///
/// What it shows in between is within 2 microseconds of the system's time, as the documentation of a record's time says. It
/// is rather before than after it: an answer is taken to belong to the moment when it arrived, so that the time does not go
/// back when the system is asked again.
///
/// The counter is used only where it always runs at the same rate on all processors, and only after two measurements of
/// that rate, a millisecond apart, have agreed; otherwise each reading asks the system.
#[derive(Debug, Default)]
pub struct Stopwatch {
    /// The last answer of the system: counter and nanoseconds.
    asked: (u64, i64),
    /// Ticks of the counter for which that answer may be extrapolated; 0 = ask every time.
    trusted_ticks: u64,
    /// Nanoseconds for a tick, in units of 2^-32.
    rate: u64,
    /// When the measurement of the rate began.
    measured_from: (u64, i64),
}

impl Stopwatch {
    const CARRY_NS: u64 = 100_000;
    const MEASURE_NS: i64 = 1_000_000;
    /// Asking takes a few hundred ticks; an answer that took longer may be too old by as much.
    const BRIEF_TICKS: u64 = 2_000;
    /// The ticks that an answer may take, of at most a nanosecond each on the processors that have such a counter, and a
    /// thousandth of the 100 microseconds for which the rate is used, with room.
    #[cfg(test)]
    const ERROR_NS: i64 = 2_000;

    /// Now, in nanoseconds since the Unix epoch, UTC.
    #[inline]
    pub fn now_ns(&mut self) -> i64 {
        let ticks = counter::read().wrapping_sub(self.asked.0);
        match ticks < self.trusted_ticks {
            // At most 100 microseconds of ticks at no more than 16 ns each: the product stays below 2^64.
            true => self.asked.1.wrapping_add(((ticks * self.rate) >> 32) as i64),
            false => self.ask(),
        }
    }

    #[cold]
    fn ask(&mut self) -> i64 {
        if !counter::is_steady() {
            return now_ns();
        }
        let before = counter::read();
        let now = now_ns();
        let after = counter::read();
        if after.wrapping_sub(before) < Self::BRIEF_TICKS {
            self.asked = (after, now);
            self.measure();
        } else {
            // This thread was interrupted: it is not known to which tick the answer belongs, so it is not extrapolated.
            self.asked.0 = after.wrapping_sub(self.trusted_ticks);
        }
        now
    }

    fn measure(&mut self) {
        let ticks = self.asked.0.wrapping_sub(self.measured_from.0);
        let nanos = self.asked.1.wrapping_sub(self.measured_from.1);
        if (0..Self::MEASURE_NS).contains(&nanos) {
            return;
        }
        let rate = u64::try_from((nanos.unsigned_abs() as u128) << 32).unwrap_or(0).checked_div(ticks).unwrap_or(0);
        let plausible = nanos > 0 && (1 << 26..1 << 36).contains(&rate);
        let agreed = plausible && rate.abs_diff(self.rate) < rate >> 10;
        self.trusted_ticks = if agreed { (Self::CARRY_NS << 32) / rate } else { 0 };
        self.rate = rate;
        self.measured_from = self.asked;
    }
}

#[cfg(target_arch = "x86_64")]
mod counter {
    use std::arch::x86_64::{__cpuid, _rdtsc};
    use std::sync::OnceLock;

    #[inline]
    pub fn read() -> u64 {
        // SAFETY: every processor of this architecture has the instruction.
        unsafe { _rdtsc() }
    }

    /// Whether the processor promises an invariant counter, and the kernel uses it for its own time.
    pub fn is_steady() -> bool {
        static STEADY: OnceLock<bool> = OnceLock::new();
        *STEADY.get_or_init(|| {
            const EXTENDED: u32 = 0x8000_0000;
            const POWER: u32 = 0x8000_0007;
            let promised = __cpuid(EXTENDED).eax >= POWER && __cpuid(POWER).edx & (1 << 8) != 0;
            let source = std::fs::read_to_string("/sys/devices/system/clocksource/clocksource0/current_clocksource");
            promised && source.is_ok_and(|source| matches!(source.trim(), "tsc" | "kvm-clock"))
        })
    }
}

#[cfg(not(target_arch = "x86_64"))]
mod counter {
    pub fn read() -> u64 {
        0
    }

    pub fn is_steady() -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stopwatch_shows_the_systems_time_while_it_extrapolates() {
        let mut watch = Stopwatch::default();
        let end = now_ns() + 50_000_000;
        let mut extrapolated = 0;
        while now_ns() < end {
            let before = now_ns();
            let shown = watch.now_ns();
            let after = now_ns();
            extrapolated += u32::from(watch.asked.1 != shown);
            let error = Stopwatch::ERROR_NS;
            assert!(shown >= before - error && shown <= after + error, "{before} {shown} {after}");
        }
        assert!(extrapolated > 0 || !counter::is_steady());
    }

    #[test]
    fn a_rate_that_was_measured_across_a_change_of_the_clock_is_not_trusted() {
        let mut watch = Stopwatch { asked: (10_000_000, 5_000_000), ..Stopwatch::default() };
        watch.measure();
        assert_eq!(watch.trusted_ticks, 0, "one measurement is none");
        watch.asked = (20_000_000, 10_000_000);
        watch.measure();
        assert_eq!(watch.trusted_ticks, 200_000);
        watch.asked = (30_000_000, 3_610_000_000_000);
        watch.measure();
        assert_eq!(watch.trusted_ticks, 0, "the clock was set forward");
        watch.asked = (40_000_000, 10_000_000);
        watch.measure();
        assert_eq!(watch.trusted_ticks, 0, "the clock was set back");
    }
}
