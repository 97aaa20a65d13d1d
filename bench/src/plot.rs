//! The rates as bars: one panel for each work with its own scale, raw as a line to compare with.

use std::fmt::Write as _;

use crate::report::Section;
use crate::run::Row;
use crate::stats::{digits, Rates};
use crate::works::{BASE, RAW};

const WIDTH: usize = 1200;
const MARGIN: usize = 20;
const COLUMNS: usize = 2;
const PANEL: usize = (WIDTH - MARGIN) / COLUMNS - MARGIN;
const NAMES: usize = 215;
const VALUES: usize = 75;
const BAR: usize = 18;
const TITLE: usize = 34;

/// The works that are drawn, in this order: the table has all of them.
const DRAWN: [&str; 6] =
    ["append 600 B", "append 100 B", "read 600 B", "read 100 B", "threads append 600 B", "durable appends of 600 B"];

const STYLE: &str = "text { font: 12px DejaVu Sans, Verdana, Arial, sans-serif; fill: #222 } .title { font-weight: bold; font-size: 14px } \
                     .section { font-size: 18px; font-weight: bold } .name { text-anchor: end }";

/// The bars of one work from (x, y) on.
struct Panel<'a> {
    work: &'a str,
    bars: Vec<(&'a str, Rates)>,
}

impl<'a> Panel<'a> {
    fn new(work: &'a str, rows: &'a [Row]) -> Self {
        let bar = |row: &'a Row| Some((row.contender.as_str(), *row.rates.as_ref().ok()?));
        Panel { work, bars: rows.iter().filter_map(bar).collect() }
    }

    fn height(&self) -> usize {
        TITLE + self.bars.len() * BAR + MARGIN
    }

    fn draw(&self, svg: &mut String, x: usize, y: usize) {
        let most = self.bars.iter().map(|(_, rates)| rates.most).fold(f64::MIN_POSITIVE, f64::max);
        let room = (PANEL - NAMES - VALUES) as f64;
        let left = (x + NAMES) as f64;
        let at = |rate: f64| left + rate / most * room;
        let _ = writeln!(svg, r#"<text class="title" x="{x}" y="{}">{}</text>"#, y + 16, escape(self.work));
        for (index, (name, rates)) in self.bars.iter().enumerate() {
            let top = y + TITLE - 8 + index * BAR;
            let (middle, text) = (top + BAR / 2, top + 13);
            let _ = writeln!(
                svg,
                r##"<text class="name" x="{:.0}" y="{text}">{}</text>
<rect x="{left:.0}" y="{}" width="{:.1}" height="{}" fill="{}"/>
<line x1="{:.1}" x2="{:.1}" y1="{middle}" y2="{middle}" stroke="#222"/>
<text x="{:.1}" y="{text}">{}</text>"##,
                left - 6.0,
                escape(name),
                top + 2,
                at(rates.median) - left,
                BAR - 4,
                colour(name),
                at(rates.least),
                at(rates.most),
                at(rates.most) + 6.0,
                rate(rates.median),
            );
        }
    }
}

pub fn svg(sections: &[Section]) -> String {
    let mut body = String::new();
    let mut y = MARGIN;
    for section in sections {
        let of_name = |name: &&str| section.works.iter().find(|(work, _)| work == name);
        let works: Vec<_> = DRAWN.iter().filter_map(of_name).collect();
        if works.is_empty() {
            continue;
        }
        let title = format!("Records a second on {}, medians; lines from the least to the most", section.file_system);
        let _ = writeln!(body, r#"<text class="section" x="{MARGIN}" y="{}">{}</text>"#, y + 18, escape(&title));
        y += 18 + MARGIN;
        let panels: Vec<Panel> = works.iter().map(|(work, rows)| Panel::new(work, rows)).collect();
        for line in panels.chunks(COLUMNS) {
            for (column, panel) in line.iter().enumerate() {
                panel.draw(&mut body, MARGIN + column * (PANEL + MARGIN), y);
            }
            y += line.iter().map(Panel::height).max().unwrap_or(0);
        }
    }
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y}" viewBox="0 0 {WIDTH} {y}">
<style>{STYLE}</style>
<rect width="100%" height="100%" fill="#fff"/>
{body}</svg>
"##
    )
}

fn colour(contender: &str) -> &'static str {
    match contender {
        name if name.starts_with("binlog") => "#2b6cb0",
        name if name.starts_with(RAW) && !name.starts_with("raft") => "#a0aec0",
        name if name.starts_with(BASE) => "#718096",
        _ => "#d69e2e",
    }
}

fn rate(records: f64) -> String {
    match records {
        many if many >= 1e6 => format!("{} M", digits(many / 1e6)),
        some if some >= 1e3 => format!("{} k", digits(some / 1e3)),
        few => digits(few),
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plot_has_a_bar_for_each_contender_that_finished() {
        let rates = |median| Ok(Rates { median, least: median * 0.9, most: median * 1.1, bytes: 1.0, latency: None });
        let row = |contender: &str, rates| Row { contender: contender.into(), rates };
        let rows = vec![row("raw", rates(2e6)), row("a < b", rates(1e6)), row("SQLite", Err("no space".into()))];
        let times = vec![row("SQLite", rates(1e5))];
        let works = vec![("append 600 B", rows), ("find 1 record by id", times)];
        let text = svg(&[Section { file_system: "ext4".into(), works, figures: Vec::new(), left_out: Vec::new() }]);
        assert_eq!(text.matches("<rect x=").count(), 2, "{text}");
        assert!(text.contains("2.00 M") && text.contains("a &lt; b") && text.ends_with("</svg>\n"), "{text}");
    }
}
