//! The report's table of the programs in other languages.

use std::fmt::Write as _;

use crate::report::{median_of, verdict};
use crate::run::Row;
use crate::stats::digits;
use crate::targets;
use crate::works::C;

pub const HEAD: &str = "\n| work | program | M records/s | GB/s | spread, M records/s | × C | target | met |\n\
                        |---|---|--:|--:|--:|--:|---|---|\n";

pub fn add(text: &mut String, work: &str, rows: &[Row]) {
    for row in rows {
        let Ok(rates) = &row.rates else { continue };
        let (wanted, met) = verdict(rates, rows, &targets::of(work, &row.contender));
        let _ = writeln!(
            text,
            "| {work} | {} | {} | {} | {} to {} | {} | {wanted} | {met} |",
            row.contender,
            digits(rates.median / 1e6),
            digits(rates.bytes / 1e9),
            digits(rates.least / 1e6),
            digits(rates.most / 1e6),
            median_of(rows, C).map_or(String::new(), |c| digits(rates.median / c)),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Rates;

    #[test]
    fn a_program_is_compared_with_the_one_in_c() {
        let row = |contender: &str, median: f64| Row {
            contender: contender.into(),
            rates: Ok(Rates { median, least: median, most: median, bytes: median * 100.0, latency: None }),
        };
        let mut text = String::new();
        add(&mut text, "languages read 100 B", &[row("C", 4e7), row("Java", 3e7), row("Go", 2e7)]);
        assert!(text.contains("| C | 40.0 | 4.00 | 40.0 to 40.0 | 1.00 |  |  |"), "{text}");
        assert!(text.contains("| Java | 30.0 | 3.00 | 30.0 to 30.0 | 0.750 | 0.5 × C | yes (0.750) |"), "{text}");
        assert!(text.contains("| 0.500 | 0.7 × C | **no** (0.500) |"), "{text}");
    }
}
