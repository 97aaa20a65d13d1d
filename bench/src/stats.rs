//! Medians, spreads and ratios.

use crate::contender::Sample;
use crate::latency::{Latencies, Latency};

/// The rates of one contender in one work.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rates {
    /// Records a second.
    pub median: f64,
    pub least: f64,
    pub most: f64,
    /// Payload bytes a second, in the median.
    pub bytes: f64,
    pub latency: Option<Latencies>,
}

impl Rates {
    /// `None` without samples.
    pub fn of(samples: &[Sample]) -> Option<Self> {
        let rates: Vec<f64> = samples.iter().map(|sample| sample.records as f64 / sample.seconds).collect();
        let bytes: Vec<f64> = samples.iter().map(|sample| sample.bytes as f64 / sample.seconds).collect();
        let least = rates.iter().copied().reduce(f64::min)?;
        let most = rates.iter().copied().reduce(f64::max)?;
        let latencies: Vec<Latency> = samples.iter().filter_map(|sample| sample.latency).collect();
        let latency = Latencies::of(&latencies);
        Some(Rates { median: median(&rates)?, least, most, bytes: median(&bytes)?, latency })
    }
}

/// The middle value, or the mean of the two middle ones.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(sorted[middle]),
        _ => Some((sorted[middle - 1] + sorted[middle]) / 2.0),
    }
}

/// Three significant digits at any size: 12.3, 0.00679, 1234.
pub fn digits(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return "0".into();
    }
    let before_point = value.abs().log10().floor() as i32 + 1;
    format!("{value:.*}", (3 - before_point).max(0) as usize)
}

/// A time in a suitable unit.
pub fn time(seconds: f64) -> String {
    match seconds {
        short if short < 1e-6 => format!("{} ns", digits(short * 1e9)),
        short if short < 1e-3 => format!("{} µs", digits(short * 1e6)),
        short if short < 1.0 => format!("{} ms", digits(short * 1e3)),
        long => format!("{} s", digits(long)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_or_the_mean_of_the_middle_two() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[7.0]), Some(7.0));
        assert_eq!(median(&[9.0, 1.0, 5.0]), Some(5.0));
        assert_eq!(median(&[9.0, 1.0, 5.0, 6.0]), Some(5.5));
    }

    #[test]
    fn rates_are_records_and_bytes_a_second_with_their_spread() {
        let sample = |seconds| Sample { seconds, records: 100, bytes: 60_000, latency: None };
        let rates = Rates::of(&[sample(1.0), sample(4.0), sample(2.0)]).expect("there are samples");
        assert_eq!(rates, Rates { median: 50.0, least: 25.0, most: 100.0, bytes: 30_000.0, latency: None });
        assert_eq!(Rates::of(&[]), None);
    }

    #[test]
    fn three_digits_count() {
        assert_eq!(digits(12.345), "12.3");
        assert_eq!(digits(0.006_791), "0.00679");
        assert_eq!(digits(1_234.5), "1234");
        assert_eq!(digits(1.0), "1.00");
        assert_eq!(digits(0.0), "0");
    }

    #[test]
    fn a_time_is_shown_in_a_suitable_unit() {
        let times = [1.5e-7, 2e-5, 0.0123, 75.0].map(time);
        assert_eq!(times, ["150 ns", "20.0 µs", "12.3 ms", "75.0 s"]);
    }
}
