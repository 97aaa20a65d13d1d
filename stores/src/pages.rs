//! Lists that come page by page, from a server that may never end them.

use std::collections::HashSet;

use crate::http::Refusal;

/// So many consecutive pages may be empty: servers scan names outside of the list, and return how far they are.
const EMPTY: u32 = 1000;
/// Memory for the names of one list: some three million segments.
const BYTES: usize = 256 << 20;
/// Memory of a name besides its characters.
const EACH: usize = 64;

/// The progress of a list. It ends whatever a server answers.
#[derive(Default)]
pub(crate) struct Pages {
    /// The queries of the pages so far.
    tokens: HashSet<String>,
    /// The names so far: a page that only repeats them is no progress.
    seen: HashSet<u64>,
    bytes: usize,
    empty: u32,
}

impl Pages {
    /// Takes a page with these names; `next` asks for the page after it.
    pub fn take<'a>(&mut self, names: impl IntoIterator<Item = &'a str>, next: Option<&str>) -> Result<(), Refusal> {
        let (mut shown, mut new) = (false, false);
        for name in names {
            shown = true;
            self.bytes = self.bytes.saturating_add(name.len() + EACH);
            new |= self.seen.insert(hash(name));
        }
        if self.bytes > BYTES {
            return Err(Refusal::broken(format!("the list is longer than {} MiB", BYTES >> 20)));
        }
        let Some(next) = next else { return Ok(()) };
        self.bytes = self.bytes.saturating_add(next.len() + EACH);
        self.empty = if new { 0 } else { self.empty + 1 };
        let repeats = shown && !new;
        match repeats || self.empty > EMPTY || next.is_empty() || !self.tokens.insert(next.to_owned()) {
            true => Err(Refusal::broken("the list does not get on: the server shows the same again")),
            false => Ok(()),
        }
    }
}

/// One of many billions of pairs of names has the same hash. That is harmless: only a page of known names is a
/// repetition.
fn hash(name: &str) -> u64 {
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_gets_on_or_ends() {
        let mut pages = Pages::default();
        pages.take(["a", "b"], Some("1")).unwrap();
        pages.take([], Some("2")).unwrap();
        // A name that moved between two pages is no repetition.
        pages.take(["b", "c"], Some("3")).unwrap();
        pages.take(["d"], None).unwrap();
        let after = |names: &[&'static str], next| {
            let mut pages = Pages::default();
            pages.take(["a", "b"], Some("1")).unwrap();
            pages.take(["c"], Some("2")).unwrap();
            pages.take(names.iter().copied(), Some(next))
        };
        assert!(after(&["d"], "3").is_ok());
        assert!(after(&["d"], "1").is_err(), "a token of two pages ago");
        assert!(after(&["d"], "").is_err(), "no token");
        assert!(after(&["a", "b"], "3").is_err(), "the same names under another token");
    }

    #[test]
    fn a_list_without_an_end_is_given_up() {
        let mut pages = Pages::default();
        assert!((0..10 * EMPTY).any(|n| pages.take([], Some(&n.to_string())).is_err()));
        let long = "x".repeat(1 << 20);
        let mut pages = Pages::default();
        assert!((0..1000).any(|n| pages.take([&*format!("{n}{long}")], Some(&n.to_string())).is_err()));
    }
}
