//! Options of `append`: when a new segment begins, which old ones are removed, and which log it must be.

use std::time::Duration;

use binlog::rolling::{Retention, RollOptions};
use binlog::Required;
use clap::Args;

use crate::args::{self, EachPeriod};

/// When a new segment begins, and its name. All rules may be combined; the first that is met counts.
#[derive(Args, Debug)]
#[command(next_help_heading = "Rolling")]
pub struct Rolling {
    /// Roll to a new segment rather than let one grow larger; it contains at least one block, whatever that
    /// takes [default: 1GiB]
    #[arg(long, visible_alias = "size", value_name = "SIZE", value_parser = args::size)]
    pub segment_size: Option<u64>,
    /// Roll at each multiple of a period by the wall clock: MINUTE, FIVE_MINUTES, TEN_MINUTES, QUARTER_HOUR, HALF_HOUR,
    /// HOUR, DAY, a number of seconds, or NEVER
    #[arg(long, value_name = "PERIOD", value_parser = args::period)]
    period: Option<EachPeriod>,
    /// Time zone of --period and of times in file names, such as Europe/Berlin [default: UTC]
    #[arg(long, value_name = "ZONE")]
    zone: Option<String>,
    /// Roll so long after a segment was begun, such as 90s, 15m, 1h30m, 2d
    #[arg(long, value_name = "DURATION", value_parser = args::duration)]
    age: Option<Duration>,
    /// Roll after so many records
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    records: Option<u64>,
    /// Names of segments: {name}, {seq}, and the conversions of strftime, such as "{name}-%Y%m%d-{seq}" [default:
    /// {name}.{seq}]
    #[arg(long, value_name = "TEMPLATE")]
    template: Option<String>,
    /// Write a heartbeat event when so much time has passed since the last one
    #[arg(long, value_name = "DURATION", value_parser = args::duration)]
    pub heartbeat: Option<Duration>,
}

impl Rolling {
    pub fn options(&self) -> RollOptions {
        let default = RollOptions::default();
        RollOptions {
            period: self.period.and_then(|each| each.0),
            zone: self.zone.clone().unwrap_or_default(),
            age: self.age,
            records: self.records,
            template: self.template.clone().unwrap_or(default.template),
            check: None,
        }
    }

    /// Whether any option was given that a log of a single file does not support.
    pub fn is_some(&self) -> bool {
        let rules =
            self.segment_size.is_some() || self.period.is_some() || self.age.is_some() || self.records.is_some();
        rules || self.zone.is_some() || self.template.is_some()
    }
}

/// Which segments stay.
#[derive(Args, Debug)]
#[command(next_help_heading = "Keeping")]
pub struct Keep {
    /// Remove segments whose newest record is older than this, such as 12h, 30d, 8w
    #[arg(long, value_name = "DURATION", value_parser = args::duration)]
    keep: Option<Duration>,
    /// Remove the oldest segments until no more than so many are there
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    keep_segments: Option<u64>,
    /// Remove the oldest segments until all together are no larger
    #[arg(long, value_name = "SIZE", value_parser = args::some_size)]
    keep_bytes: Option<u64>,
}

impl Keep {
    pub fn rules(&self) -> Retention {
        Retention { age: self.keep, segments: self.keep_segments, bytes: self.keep_bytes, unshipped: false }
    }
}

/// Properties that the log must have.
#[derive(Args, Debug)]
#[command(next_help_heading = "What the log must be")]
pub struct Require {
    /// Fail unless the log has this name
    #[arg(long, value_name = "NAME")]
    require_name: Option<String>,
    /// Fail unless the log's payloads are of this MIME type
    #[arg(long, value_name = "TYPE")]
    require_content_type: Option<String>,
    /// Fail unless the log has this parameter with this value; may be repeated
    #[arg(long = "require", value_name = "KEY=VALUE", value_parser = args::parameter)]
    parameters: Vec<(String, String)>,
}

impl Require {
    pub fn required(&self) -> Required {
        Required {
            name: self.require_name.clone(),
            content_type: self.require_content_type.clone(),
            parameters: self.parameters.iter().cloned().collect(),
        }
    }
}
