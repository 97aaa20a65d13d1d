//! The names of a log's segments, and what their headers state about them.

use super::calendar::Calendar;
use super::names;
use super::template::Template;
use crate::error::Result;
use crate::format::declaration::FileHeader;
use crate::options::{Period, RollOptions};
use crate::segment::EXTENSION;

/// Template, period and zone in force.
#[derive(Clone, Debug)]
pub(crate) struct Naming {
    template: Template,
    pub calendar: Calendar,
    pub period: Option<Period>,
    zone: String,
}

impl Naming {
    /// For the log `name`.
    pub fn new(roll: &RollOptions, name: &str) -> Result<Self> {
        Ok(Naming {
            template: Template::parse(&roll.template, name)?,
            calendar: Calendar::of_zone(&roll.zone)?,
            period: roll.period,
            zone: if roll.zone == "UTC" { String::new() } else { roll.zone.clone() },
        })
    }

    /// The file of a segment that is created at `time`.
    pub fn file(&self, sequence: u64, time: i64) -> String {
        self.template.render(sequence, time, &self.calendar)
    }

    /// Whether a segment that is begun at `time` may have the file that was created as number `sequence` and named
    /// `name` for the time `named_for`: its name is for the same period, or without a period for the same time.
    pub fn fits(&self, (sequence, name, named_for): (u64, &str, i64), time: i64) -> bool {
        let is_same_period = |period| named_for <= time && time < self.calendar.next_boundary(period, named_for);
        self.file(sequence, named_for) == name
            && (self.period.is_some_and(is_same_period) || self.file(sequence, time) == name)
    }

    /// Whether a name depends on when the file is created.
    pub fn has_time(&self) -> bool {
        self.template.has_time()
    }

    /// The values in file headers: period in seconds, template, zone.
    pub fn stated(&self) -> (u64, String, String) {
        let template = self.template.text();
        let template = template.strip_suffix(EXTENSION).unwrap_or(template);
        (self.period.map_or(0, Period::seconds), format!("{template}{EXTENSION}"), self.zone.clone())
    }

    /// Whether the segment with this header was begun under the same rules.
    pub fn matches(&self, header: &FileHeader) -> bool {
        self.stated() == (header.period_s, header.template.clone(), header.zone.clone())
    }
}

/// The name that the file of the segment with this header, now named `file`, should have in its log: the same, unless a
/// writer would not name it so or its name contains another number. A log of one file may have any name.
pub(crate) fn rightful_name(header: &FileHeader, file: &str) -> String {
    let text = header.template.strip_suffix(EXTENSION).unwrap_or(&header.template);
    let Ok(template) = Template::parse(text, &header.name) else { return file.to_owned() };
    let is_right = |file: &String| {
        let is_rendered = names::forms(file).any(|form| template.may_render(&form));
        is_rendered && !names::is_whole(file) && names::sequence(&header.name, file) == Some(header.sequence)
    };
    let renumbered = || {
        let number = names::sequence(&header.name, file)?;
        Some(file.replacen(&format!("{number:010}"), &format!("{:010}", header.sequence), 1))
    };
    let as_it_is = [Some(file.to_owned()), renumbered(), Some(names::plain(file).into_owned())];
    as_it_is.into_iter().flatten().find(is_right).unwrap_or_else(|| {
        let zone = if header.zone.is_empty() { "UTC" } else { &header.zone };
        match Calendar::of_zone(zone) {
            Ok(calendar) => template.render(header.sequence, header.created_ns, &calendar),
            Err(_) => names::segment(&header.name, header.sequence),
        }
    })
}

/// Whether the header agrees with the number in the name. When the first name of a log was taken, only the number in
/// the name is higher.
pub(crate) fn is_numbered(header: &FileHeader, named: u64) -> bool {
    header.sequence == named || (header.sequence == 1 && header.predecessor.is_none())
}

/// Whether the segment with this header may have this name. A copy under a name of the user's own is not part of the
/// log.
pub(crate) fn is_named(header: &FileHeader, name: &str) -> bool {
    let template = header.template.strip_suffix(EXTENSION).unwrap_or(&header.template);
    // When the header contains no valid template, as that of a later version may, every name is accepted.
    Template::parse(template, &header.name)
        .map_or(true, |template| names::forms(name).any(|form| template.may_render(&form)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_gets_the_name_that_its_header_states() {
        let header = |template: &str| FileHeader {
            name: "log".to_owned(),
            sequence: 2,
            created_ns: 1_784_035_020_000_000_000,
            template: template.to_owned(),
            ..FileHeader::default()
        };
        for (template, file, right) in [
            ("{name}.{seq}.binlog", "log.0000000002.binlog", "log.0000000002.binlog"),
            ("{name}.{seq}.binlog", "log.0000000002.z.binlog", "log.0000000002.z.binlog"),
            ("{name}.{seq}.binlog", "log.0000000002.binlog.gz", "log.0000000002.binlog"),
            ("{name}.{seq}.binlog", "log.0000000009.binlog", "log.0000000002.binlog"),
            ("{name}.{seq}.binlog", "log.0000000009.z.binlog", "log.0000000002.z.binlog"),
            ("{name}.{seq}.binlog", "log.0000000002-copy.binlog", "log.0000000002.binlog"),
            ("{name}.{seq}.binlog", "a copy.binlog", "log.0000000002.binlog"),
            ("{name}.%Y.{seq}.binlog", "log.2025.0000000009.binlog", "log.2025.0000000002.binlog"),
            ("{name}.%Y.{seq}.binlog", "kept.binlog.damaged", "log.2026.0000000002.binlog"),
            ("app.binlog", "whatever.binlog", "whatever.binlog"),
            ("", "log.0000000009.binlog", "log.0000000009.binlog"),
        ] {
            assert_eq!(rightful_name(&header(template), file), right, "{template} {file}");
        }
    }
}
