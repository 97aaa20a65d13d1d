//! Reports types and keys of a selection that occur in no record. Without it a mistyped one shows no record and no
//! error.

use std::collections::BTreeSet;

use binlog::{Filter, Reader};

use crate::args::Type;
use crate::human;
use crate::output::complain;
use crate::select::Select;

/// At most so many of the names that occur are shown.
const SHOWN: usize = 8;

pub struct Unmatched<'a> {
    select: &'a Select,
    /// Which of the requested types and keys were found, in their order.
    types: Vec<bool>,
    keys: Vec<bool>,
    /// The types and keys that occur.
    other_types: BTreeSet<String>,
    other_keys: BTreeSet<String>,
    /// Records in which keys were searched for.
    records: u64,
    /// Set for a log that cannot be read to its end: nothing is reported.
    is_unknown: bool,
}

impl<'a> Unmatched<'a> {
    pub fn new(select: &'a Select) -> Self {
        Unmatched {
            select,
            types: vec![false; select.types.len()],
            keys: vec![false; select.pairs.len()],
            other_types: BTreeSet::new(),
            other_keys: BTreeSet::new(),
            records: 0,
            is_unknown: false,
        }
    }

    /// Searches a log; `let_through` is whether any of its records matched. Types are looked up in its index; for
    /// keys, when no record matched, the headers are read once more, until `stops` returns true.
    pub fn look(&mut self, reader: &Reader, let_through: bool, is_far: bool, stops: &dyn Fn() -> bool) {
        if let_through {
            self.keys.fill(true);
            if let [only] = &mut *self.types {
                *only = true;
            }
        }
        let found = self.look_for_types(reader).and_then(|()| match is_far {
            // The search would fetch the blocks a second time.
            true => self.keys.iter().all(|&found| found).then_some(()),
            false => self.look_for_keys(reader, stops),
        });
        self.is_unknown |= found.is_none();
    }

    fn look_for_types(&mut self, reader: &Reader) -> Option<()> {
        if self.types.iter().all(|&found| found) {
            return Some(());
        }
        let contents = reader.contents(&mut |_, _| ()).ok().filter(|contents| contents.damage.is_none())?;
        for there in contents.types.iter().filter(|there| there.records > 0) {
            for (wanted, found) in self.select.types.iter().zip(&mut self.types) {
                *found |= match wanted {
                    Type::Number(number) => *number == there.type_id,
                    Type::Name(name) => Some(name) == there.name.as_ref(),
                };
            }
            let name = there.name.as_deref().map_or_else(|| there.type_id.to_string(), human::plain);
            self.other_types.insert(name);
        }
        Some(())
    }

    fn look_for_keys(&mut self, reader: &Reader, stops: &dyn Fn() -> bool) -> Option<()> {
        if self.keys.iter().all(|&found| found) {
            return Some(());
        }
        let rest = Filter { headers_only: true, metadata: vec![], last: None, ..self.select.filter() };
        let mut cursor = reader.cursor(&rest).ok()?;
        while let Some(record) = cursor.next().ok()? {
            self.records += 1;
            for (key, _) in record.metadata {
                for ((wanted, _), found) in self.select.pairs.iter().zip(&mut self.keys) {
                    *found |= wanted == key;
                }
                if self.other_keys.len() <= SHOWN && !self.other_keys.contains(key) {
                    self.other_keys.insert(key.to_owned());
                }
            }
            if self.keys.iter().all(|&found| found) || stops() {
                break;
            }
        }
        (!stops()).then_some(())
    }

    /// Prints the result, after all logs were searched.
    pub fn report(&self) {
        if self.is_unknown {
            return;
        }
        for (wanted, _) in self.select.types.iter().zip(&self.types).filter(|(_, &found)| !found) {
            let wanted = match wanted {
                Type::Number(number) => number.to_string(),
                Type::Name(name) => human::quoted(name),
            };
            let others = self.other_types.iter().cloned();
            complain(&format!("no record has the type {wanted}; {}", those_that_occur("types", others)));
        }
        if self.records == 0 {
            return;
        }
        for ((key, _), _) in self.select.pairs.iter().zip(&self.keys).filter(|(_, &found)| !found) {
            let records = human::counted(self.records, "record");
            let others = self.other_keys.iter().map(|key| human::plain(key));
            complain(&format!(
                "no metadata has the key {} ({records} read); {}",
                human::quoted(key),
                those_that_occur("keys", others)
            ));
        }
    }
}

fn those_that_occur(what: &str, others: impl ExactSizeIterator<Item = String>) -> String {
    let more = if others.len() > SHOWN { ", ..." } else { "" };
    match others.take(SHOWN).collect::<Vec<_>>() {
        none if none.is_empty() => format!("there are no {what}"),
        others => format!("the {what} that there are: {}{more}", others.join(", ")),
    }
}
