//! Which records a command selects.

use binlog::Filter;
use clap::Args;

use crate::args::{self, Ids, Type};

#[derive(Args)]
pub struct Select {
    /// Only records of this type; may be repeated
    #[arg(long = "type", value_name = "N|NAME", value_parser = args::any_type)]
    pub types: Vec<Type>,
    /// Only this record, or those of a range with both ends: 7, 7..9, 7.., ..9
    #[arg(long, value_name = "ID|A..B", value_parser = args::ids)]
    id: Option<Ids>,
    /// Only records with this metadata; may be repeated, and all must be there
    #[arg(long = "where", value_name = "KEY=VALUE", value_parser = args::pair)]
    pub pairs: Vec<(String, String)>,
    /// Only the last so many of the records that match everything else
    #[arg(long, value_name = "N")]
    pub last: Option<u64>,
    /// Only records of this time or later
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = args::time)]
    since: Option<i64>,
    /// Only records before this time
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = args::time)]
    until: Option<i64>,
}

impl Select {
    /// A selection that makes no sense, as a message about the usage.
    pub fn mistake(&self) -> Option<&'static str> {
        let runs_back = self.since.is_some_and(|since| self.until.is_some_and(|until| since > until));
        runs_back.then_some("--since is later than --until")
    }

    pub fn filter(&self) -> Filter {
        let (from_id, to_id) = self.id.unwrap_or_default();
        let mut filter = Filter {
            from_id,
            to_id,
            from_time: self.since,
            to_time: self.until,
            metadata: self.pairs.clone(),
            last: self.last,
            ..Filter::default()
        };
        for one in &self.types {
            match one {
                Type::Number(number) => filter.types.push(*number),
                Type::Name(name) => filter.type_names.push(name.clone()),
            }
        }
        filter
    }
}
