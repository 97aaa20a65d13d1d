//! What the segments of a log are called, and what their headers say of it.

use super::calendar::Calendar;
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

    /// Whether a segment that is begun at `time` may have the file that was created as number `sequence` and named `name`
    /// for the time `named_for`: its name tells no other period, and without a period no other time.
    pub fn fits(&self, (sequence, name, named_for): (u64, &str, i64), time: i64) -> bool {
        let is_same_period = |period| named_for <= time && time < self.calendar.next_boundary(period, named_for);
        self.file(sequence, named_for) == name
            && (self.period.is_some_and(is_same_period) || self.file(sequence, time) == name)
    }

    /// Whether a name depends on when the file is created.
    pub fn tells_time(&self) -> bool {
        self.template.has_time()
    }

    /// As file headers tell it: period in seconds, template, zone.
    pub fn told(&self) -> (u64, String, String) {
        let template = self.template.text();
        let template = template.strip_suffix(EXTENSION).unwrap_or(template);
        (self.period.map_or(0, Period::seconds), format!("{template}{EXTENSION}"), self.zone.clone())
    }

    /// Whether the segment with this header was begun under the same rules.
    pub fn is_told_by(&self, header: &FileHeader) -> bool {
        self.told() == (header.period_s, header.template.clone(), header.zone.clone())
    }
}
