//! Which records a command is about. Times are the commands' own, as not all call them the same.

use binlog::Filter;
use clap::Args;

use crate::args::{self, Ids, Type};

#[derive(Args)]
pub struct Select {
    /// Only records of this type; may be repeated
    #[arg(long = "type", value_name = "N|NAME", value_parser = args::any_type)]
    types: Vec<Type>,
    /// Only this record, or those of a range with both ends: 7, 7..9, 7.., ..9
    #[arg(long, value_name = "ID|A..B", value_parser = args::ids)]
    id: Option<Ids>,
    /// Only records with this metadata; may be repeated, and all must be there
    #[arg(long = "where", value_name = "KEY=VALUE", value_parser = args::pair)]
    pairs: Vec<(String, String)>,
    /// Only the last so many of the records that all the rest lets through
    #[arg(long, value_name = "N")]
    last: Option<u64>,
}

impl Select {
    /// With the times from which on and before which.
    pub fn filter(&self, from_time: Option<i64>, to_time: Option<i64>) -> Filter {
        let (from_id, to_id) = self.id.unwrap_or_default();
        let mut filter = Filter {
            from_id,
            to_id,
            from_time,
            to_time,
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
