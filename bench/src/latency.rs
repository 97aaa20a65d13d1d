//! Latencies of single records: of most of them, and of the slowest.

use crate::stats::median;

/// Quantiles of one run, in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Latency {
    pub p50: f64,
    pub p99: f64,
    pub p999: f64,
    pub most: f64,
}

impl Latency {
    /// `None` without values. The values are nanoseconds, and are sorted.
    pub fn of(nanos: &mut [u64]) -> Option<Self> {
        nanos.sort_unstable();
        let last = nanos.len().checked_sub(1)?;
        // The smallest value that such a share of all does not exceed.
        let at = |share: f64| nanos[((share * nanos.len() as f64).ceil() as usize).clamp(1, last + 1) - 1] as f64 / 1e9;
        Some(Latency { p50: at(0.5), p99: at(0.99), p999: at(0.999), most: at(1.0) })
    }
}

/// Several runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Latencies {
    /// Each quantile's median.
    pub median: Latency,
    /// The smallest and the greatest of the maxima.
    pub most: (f64, f64),
}

impl Latencies {
    /// `None` without any.
    pub fn of(runs: &[Latency]) -> Option<Self> {
        let all = |of: fn(&Latency) -> f64| runs.iter().map(of).collect::<Vec<f64>>();
        let most = all(|run| run.most);
        let median = Latency {
            p50: median(&all(|run| run.p50))?,
            p99: median(&all(|run| run.p99))?,
            p999: median(&all(|run| run.p999))?,
            most: median(&most)?,
        };
        let least = most.iter().copied().reduce(f64::min)?;
        Some(Latencies { median, most: (least, most.into_iter().reduce(f64::max)?) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_the_least_value_that_its_share_does_not_exceed() {
        let mut nanos: Vec<u64> = (1..=1_000).rev().map(|nanos| nanos * 1_000).collect();
        let latency = Latency::of(&mut nanos).expect("there are some");
        assert_eq!(latency, Latency { p50: 500e-6, p99: 990e-6, p999: 999e-6, most: 1e-3 });
        assert_eq!(Latency::of(&mut [7_000]), Some(Latency { p50: 7e-6, p99: 7e-6, p999: 7e-6, most: 7e-6 }));
        assert_eq!(Latency::of(&mut []), None);
    }

    #[test]
    fn runs_have_the_median_of_each_quantile_and_the_spread_of_the_maxima() {
        let run = |p50: f64, most: f64| Latency { p50, p99: p50, p999: p50, most };
        let latencies = Latencies::of(&[run(1.0, 9.0), run(3.0, 4.0), run(2.0, 5.0)]).expect("there are some");
        assert_eq!(latencies, Latencies { median: run(2.0, 5.0), most: (4.0, 9.0) });
        assert_eq!(Latencies::of(&[]), None);
    }
}
