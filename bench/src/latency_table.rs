//! The report's table of latencies.

use std::fmt::Write as _;

use crate::latency::{Latencies, Latency};
use crate::report::yes_or_no;
use crate::run::Row;
use crate::stats::{time, Rates};
use crate::targets::{self, Bound, Quantile};

pub const HEAD: &str = "\n| work | contender | p50 | p99 | p99.9 | maximum | maxima | target | met |\n\
                        |---|---|--:|--:|--:|--:|--:|---|---|\n";

pub fn add(text: &mut String, work: &str, rows: &[Row]) {
    for row in rows {
        let Some(Latencies { median, most }) = latencies_of(row) else { continue };
        let bounds = targets::bounds(work, &row.contender);
        let verdicts: Vec<(String, String)> = bounds.iter().map(|bound| verdict(bound, median, rows)).collect();
        let (wanted, met): (Vec<String>, Vec<String>) = verdicts.into_iter().unzip();
        let _ = writeln!(
            text,
            "| {work} | {} | {} | {} | {} | {} | {} to {} | {} | {} |",
            row.contender,
            time(median.p50),
            time(median.p99),
            time(median.p999),
            time(median.most),
            time(most.0),
            time(most.1),
            wanted.join("; "),
            met.join("; "),
        );
    }
}

/// The quantiles in a few words.
pub fn in_words(rates: &Rates) -> String {
    rates.latency.map_or_else(String::new, |Latencies { median, .. }| {
        format!("{}, p99.9 {}, at most {}", time(median.p50), time(median.p999), time(median.most))
    })
}

fn latencies_of(row: &Row) -> Option<Latencies> {
    row.rates.as_ref().ok()?.latency
}

/// A bound in words, and whether it is kept.
fn verdict(bound: &Bound, reached: Latency, rows: &[Row]) -> (String, String) {
    let (name, of): (&str, fn(&Latency) -> f64) = match bound.quantile {
        Quantile::P50 => ("p50", |latency| latency.p50),
        Quantile::P999 => ("p99.9", |latency| latency.p999),
        Quantile::Most => ("maximum", |latency| latency.most),
    };
    let Some(other) = bound.over else {
        let reached = of(&reached);
        let met = format!("{} ({})", yes_or_no(reached <= bound.at_most), time(reached));
        return (format!("{name} at most {}", time(bound.at_most)), met);
    };
    let wanted = format!("{name} at most {} over {other}", time(bound.at_most));
    let Some(without) = rows.iter().find(|row| row.contender == other).and_then(latencies_of) else {
        return (wanted, "unknown".into());
    };
    let more = of(&reached) - of(&without.median);
    let sign = if more < 0.0 { "-" } else { "" };
    (wanted, format!("{} ({sign}{})", yes_or_no(more <= bound.at_most), time(more.abs())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(contender: &str, p50: f64, most: f64) -> Row {
        let latency = Latencies::of(&[Latency { p50, p99: p50, p999: p50, most }]);
        let rates = Rates { median: 1e5, least: 1e5, most: 1e5, bytes: 6e7, latency };
        Row { contender: contender.into(), rates: Ok(rates) }
    }

    #[test]
    fn a_bound_counts_from_the_same_quantile_of_the_other() {
        let rows = [row("binlog, background", 2e-6, 4e-3), row("binlog, background, no rolls", 3e-6, 2e-3)];
        let mut text = String::new();
        add(&mut text, "append latency over 50 rolls", &rows);
        assert!(text.contains("| 2.00 µs | 2.00 µs | 2.00 µs | 4.00 ms | 4.00 ms to 4.00 ms |"), "{text}");
        assert!(text.contains("| yes (-1.00 µs); **no** (2.00 ms) |"), "{text}");
    }

    #[test]
    fn a_bound_of_its_own_is_a_time() {
        let mut text = String::new();
        add(&mut text, "a tail sees a flushed record", &[row("binlog", 1.5e-3, 1.0)]);
        assert!(text.contains("| p50 at most 2.00 ms | yes (1.50 ms) |"), "{text}");
    }
}
