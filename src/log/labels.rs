//! Labels: small objects beside a log's segments in a store. Their names alone state what the segments cannot: to which
//! log these belong, which of them were removed on purpose, and which catalogs list them. A list of the store shows
//! them without further requests.

use crate::hex::{hex, unhex};

/// The meaning of a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Label {
    /// Segments of the log with this id are stored here.
    Log([u8; 16]),
    /// Segments up to this number were removed from the store on purpose.
    Pruned(u64),
    /// The object contains the summaries of the segments between these numbers ([`super::catalog`]).
    Catalog(u64, u64),
}

impl Label {
    /// The object's name.
    pub fn name(&self, log: &str) -> String {
        match self {
            Label::Log(id) => format!("{log}.id-{}", hex(id)),
            Label::Pruned(sequence) => format!("{log}.pruned-{sequence:010}"),
            Label::Catalog(first, last) => format!("{log}.catalog-{first:010}-{last:010}"),
        }
    }

    /// The label that an object of this name is for this log.
    pub fn parse(log: &str, name: &str) -> Option<Self> {
        let rest = name.strip_prefix(log)?;
        let id = || rest.strip_prefix(".id-").and_then(unhex).map(Label::Log);
        let number =
            |digits: &str| Some(digits).filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()))?.parse().ok();
        let pruned = || number(rest.strip_prefix(".pruned-")?).map(Label::Pruned);
        let catalog = || {
            let (first, last) = rest.strip_prefix(".catalog-")?.split_once('-')?;
            Some(Label::Catalog(number(first)?, number(last)?))
        };
        id().or_else(pruned).or_else(catalog)
    }

    /// The contents of the object, for people who find it; empty for a catalog, whose contents are made elsewhere.
    pub fn text(&self, log: &str) -> String {
        match self {
            Label::Catalog(..) => String::new(),
            Label::Log(id) => {
                format!("Segments of the log {log:?} with the id {} are stored here by `binlog ship`.\n", hex(id))
            }
            Label::Pruned(sequence) => {
                format!(
                    "The segments of the log {log:?} up to number {sequence} were removed here by `binlog prune`.\n"
                )
            }
        }
    }
}

/// The number up to which segments were removed on purpose, according to these names.
pub(crate) fn pruned_to<'a>(log: &str, names: impl IntoIterator<Item = &'a str>) -> u64 {
    let pruned = names.into_iter().filter_map(|name| match Label::parse(log, name)? {
        Label::Pruned(sequence) => Some(sequence),
        Label::Log(_) | Label::Catalog(..) => None,
    });
    pruned.max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::names;

    #[test]
    fn a_label_is_known_by_its_name_and_is_no_segment() {
        let id = *b"0123456789abcdef";
        for label in [Label::Log(id), Label::Pruned(7), Label::Pruned(12_345_678_901), Label::Catalog(1, 1000)] {
            let name = label.name("orders");
            assert_eq!(Label::parse("orders", &name), Some(label));
            assert_eq!((Label::parse("order", &name), Label::parse("orders.id", &name)), (None, None));
            assert!(!names::is_segment(&name));
        }
        for other in [
            "orders.id-",
            "orders.id-12",
            "orders.pruned-",
            "orders.pruned-x",
            "orders.pruned-+7",
            "orders.catalog-1",
            "orders",
        ] {
            assert_eq!(Label::parse("orders", other), None, "{other}");
        }
    }

    #[test]
    fn the_newest_that_was_pruned_counts() {
        assert_eq!(pruned_to("orders", ["orders.pruned-0000000007", "orders.pruned-0000000003", "x"]), 7);
        assert_eq!(pruned_to("orders", []), 0);
    }
}
