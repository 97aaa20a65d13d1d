//! The tables, in Markdown.

use std::fmt::Write as _;

use crate::language_table;
use crate::latency_table;
use crate::run::Row;
use crate::stats::{digits, time, Rates};
use crate::targets::{self, Of, Target};
use crate::works::{self, Presentation, BASE, RAW};

/// A single value, such as a size, and its limit.
pub struct Figure {
    pub work: String,
    pub contender: String,
    pub value: f64,
    pub unit: &'static str,
    pub at_most: Option<f64>,
}

/// Everything that was measured in one place.
pub struct Section {
    pub file_system: String,
    pub works: Vec<(&'static str, Vec<Row>)>,
    pub figures: Vec<Figure>,
    /// The contenders that could not take part, one line each.
    pub left_out: Vec<String>,
}

impl Section {
    /// The contenders that failed, one line each.
    pub fn failures(&self) -> Vec<String> {
        let rows = self.works.iter().flat_map(|(work, rows)| rows.iter().map(move |row| (work, row)));
        rows.filter_map(|(work, row)| Some(format!("{work}: {}: {}", row.contender, row.rates.as_ref().err()?)))
            .collect()
    }
}

pub fn markdown(introduction: &[String], sections: &[Section]) -> String {
    let mut text = String::from("# Benchmark\n\n");
    for line in introduction {
        let _ = writeln!(text, "- {line}");
    }
    for section in sections {
        let _ = writeln!(text, "\n## On {}", section.file_system);
        let rates: Vec<_> =
            section.works.iter().filter(|(work, _)| works::presentation_of(work) == Presentation::Rates).collect();
        if !rates.is_empty() {
            text +=
                "\n| work | contender | M records/s | GB/s | spread, M records/s | × raw | × BASE | target | met |\n";
            text += "|---|---|--:|--:|--:|--:|--:|---|---|\n";
            rates.iter().for_each(|(work, rows)| add_work(&mut text, work, rows));
        }
        let languages: Vec<_> =
            section.works.iter().filter(|(work, _)| works::presentation_of(work) == Presentation::BesideC).collect();
        let latencies: Vec<_> =
            section.works.iter().filter(|(work, _)| works::presentation_of(work) == Presentation::Latencies).collect();
        if rates.len() + latencies.len() + languages.len() < section.works.len() {
            text += "\n| work | contender | time | spread | as fast as | target | met |\n";
            text += "|---|---|--:|--:|--:|---|---|\n";
            for (work, rows) in &section.works {
                if let Presentation::Times { beside } = works::presentation_of(work) {
                    add_times(&mut text, work, rows, beside);
                }
            }
        }
        if !latencies.is_empty() {
            text += latency_table::HEAD;
            latencies.iter().for_each(|(work, rows)| latency_table::add(&mut text, work, rows));
        }
        if !languages.is_empty() {
            text += language_table::HEAD;
            languages.iter().for_each(|(work, rows)| language_table::add(&mut text, work, rows));
        }
        if !section.figures.is_empty() {
            text += "\n| what | contender | value | target | met |\n|---|---|--:|---|---|\n";
            section.figures.iter().for_each(|figure| add_figure(&mut text, figure));
        }
        for left_out in &section.left_out {
            let _ = writeln!(text, "\nLeft out: {left_out}");
        }
        for failure in section.failures() {
            let _ = writeln!(text, "\nFailed: {failure}");
        }
    }
    text
}

fn add_work(text: &mut String, work: &str, rows: &[Row]) {
    let ratio = |rates: &Rates, to| median_of(rows, to).map_or(String::new(), |other| digits(rates.median / other));
    for row in rows {
        let Ok(rates) = &row.rates else { continue };
        let (wanted, met) = verdict(rates, rows, &targets::of(work, &row.contender));
        let _ = writeln!(
            text,
            "| {work} | {} | {} | {} | {} to {} | {} | {} | {wanted} | {met} |",
            row.contender,
            digits(rates.median / 1e6),
            digits(rates.bytes / 1e9),
            digits(rates.least / 1e6),
            digits(rates.most / 1e6),
            ratio(rates, RAW),
            ratio(rates, BASE),
        );
    }
}

fn add_times(text: &mut String, work: &str, rows: &[Row], beside: &str) {
    for row in rows {
        let Ok(rates) = &row.rates else { continue };
        let ratio = |other| format!("{} × {beside}", digits(rates.median / other));
        let (wanted, met) = verdict(rates, rows, &targets::of(work, &row.contender));
        let _ = writeln!(
            text,
            "| {work} | {} | {} | {} to {} | {} | {wanted} | {met} |",
            row.contender,
            time(1.0 / rates.median),
            time(1.0 / rates.most),
            time(1.0 / rates.least),
            median_of(rows, beside).map_or(String::new(), ratio),
        );
    }
}

pub fn median_of(rows: &[Row], contender: &str) -> Option<f64> {
    Some(rows.iter().find(|row| row.contender == contender)?.rates.as_ref().ok()?.median)
}

/// The targets of a row in words, and whether each is met.
pub fn verdict(rates: &Rates, rows: &[Row], targets: &[Target]) -> (String, String) {
    let mut wanted = Vec::new();
    let mut met = Vec::new();
    for target in targets {
        let (what, reached) = match target.of {
            Of::Contender(name) => {
                (format!("{} × {name}", target.at_least), median_of(rows, name).map(|other| rates.median / other))
            }
            Of::GigabytesPerSecond => (format!("{} GB/s", target.at_least), Some(rates.bytes / 1e9)),
            Of::PerSecond => (format!("at most {}", time(1.0 / target.at_least)), Some(rates.median)),
        };
        let shown = |reached| match target.of {
            Of::PerSecond => time(1.0 / reached),
            _ => digits(reached),
        };
        wanted.push(what);
        met.push(match reached {
            None => "unknown".into(),
            Some(reached) => format!("{} ({})", yes_or_no(reached >= target.at_least), shown(reached)),
        });
    }
    (wanted.join("; "), met.join("; "))
}

fn add_figure(text: &mut String, figure: &Figure) {
    let Figure { work, contender, value, unit, at_most } = figure;
    let wanted = at_most.map_or(String::new(), |most| format!("at most {most} {unit}"));
    let met = at_most.map_or("", |most| yes_or_no(*value <= most));
    let _ = writeln!(text, "| {work} | {contender} | {} {unit} | {wanted} | {met} |", digits(*value));
}

pub fn yes_or_no(is_so: bool) -> &'static str {
    if is_so {
        "yes"
    } else {
        "**no**"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(contender: &str, millions: f64) -> Row {
        let rates = Rates {
            median: millions * 1e6,
            least: millions * 0.9e6,
            most: millions * 1.1e6,
            bytes: millions * 600e6,
            latency: None,
        };
        Row { contender: contender.into(), rates: Ok(rates) }
    }

    fn section(rows: Vec<Row>) -> Section {
        let figure = |value| Figure {
            work: "on disk over a payload of 600 B".into(),
            contender: "binlog".into(),
            value,
            unit: "B",
            at_most: Some(6.0),
        };
        let figures = vec![figure(5.5), figure(6.5)];
        Section { file_system: "ext4".into(), works: vec![("append 600 B", rows)], figures, left_out: Vec::new() }
    }

    #[test]
    fn a_row_says_its_ratios_and_which_targets_are_met() {
        let rows = vec![row("raw", 10.0), row("BASE", 4.0), row("binlog", 5.0), row("binlog, background", 8.2)];
        let text = markdown(&["a machine".into()], &[section(rows)]);
        assert!(text.contains("| append 600 B | raw | 10.0 | 6.00 | 9.00 to 11.0 | 1.00 | 2.50 |  |  |"), "{text}");
        assert!(text.contains("| 0.500 | 1.25 | 1.15 × BASE | yes (1.25) |"), "{text}");
        let both = "| 0.820 | 2.05 | 2 × BASE; 0.85 × raw | yes (2.05); **no** (0.820) |";
        assert!(text.contains(both), "{text}");
    }

    #[test]
    fn a_work_of_times_has_a_table_of_its_own() {
        let rows = vec![row("SQLite", 0.04), row("binlog", 0.1)];
        let opened = vec![row("SQLite", 0.04), row("binlog", 0.1)];
        let works = vec![("find 1 record by id", rows), ("open after a kill", opened)];
        let text = markdown(&[], &[Section { works, ..section(Vec::new()) }]);
        let found = "| binlog | 10.0 µs | 9.09 µs to 11.1 µs | 2.50 × SQLite | 1.2 × SQLite | yes (2.50) |";
        let opened = "| 9.09 µs to 11.1 µs |  | at most 10.0 ms | yes (10.0 µs) |";
        assert!(text.contains(found) && text.contains(opened) && !text.contains("records/s"), "{text}");
    }

    #[test]
    fn a_value_over_its_limit_is_not_met() {
        let text = markdown(&[], &[section(Vec::new())]);
        assert!(text.contains("| binlog | 5.50 B | at most 6 B | yes |"), "{text}");
        assert!(text.contains("| binlog | 6.50 B | at most 6 B | **no** |"), "{text}");
    }

    #[test]
    fn a_failure_is_reported_and_the_others_stay() {
        let failed = Row { contender: "BASE".into(), rates: Err("the disk is full".into()) };
        let text = markdown(&[], &[section(vec![failed, row("raw", 10.0), row("binlog", 5.0)])]);
        assert!(text.contains("Failed: append 600 B: BASE: the disk is full"), "{text}");
        assert!(text.contains("| 1.15 × BASE | unknown |"), "{text}");
    }
}
