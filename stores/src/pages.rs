//! Lists that come page by page, from a server that may have no end of them.

use std::collections::HashSet;

use crate::http::Refusal;

/// So many pages in a row may show nothing: servers look through what does not belong to the list, and say how far they are.
const EMPTY: u32 = 1000;
/// Memory for the names of one list: some three million segments.
const BYTES: usize = 256 << 20;
/// What a name takes besides its characters.
const EACH: usize = 64;

/// How far a list is. Whatever a server answers, it comes to an end.
#[derive(Default)]
pub(crate) struct Pages {
    /// What asks for each page that came.
    tokens: HashSet<String>,
    /// What was shown: a page of what was there already is no progress.
    seen: HashSet<u64>,
    bytes: usize,
    empty: u32,
}

impl Pages {
    /// Takes a page with these names, on which the one follows that `next` asks for.
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

/// One in many billions of pairs of names has the same: what matters is whether a whole page is known.
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
        // One that moved between two pages is no repetition.
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
