//! Reports what was left unread.

use std::fmt;
use std::path::Path;

use binlog::contents::SegmentFacts;
use binlog::{Tail, TailState};

use crate::{advice, human};

/// What follows the place where a cursor stopped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unread {
    /// Bytes of the file in which it stopped.
    pub bytes: u64,
    /// Files that come after it, and their bytes.
    pub later_files: u64,
    pub later_bytes: u64,
}

impl Unread {
    pub fn after<'a>(tail: &Tail, segments: impl Iterator<Item = &'a SegmentFacts>) -> Self {
        let later = segments.skip_while(|segment| segment.path != tail.path).skip(1);
        let mut unread = Unread { bytes: tail.unread_bytes, ..Unread::default() };
        for segment in later {
            unread.later_files += 1;
            unread.later_bytes += segment.bytes.unwrap_or(0);
        }
        unread
    }
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} left unread", human::counted(self.bytes, "byte"))?;
        if self.later_files > 0 {
            let (files, bytes) = (human::counted(self.later_files, "later file"), human::bytes(self.later_bytes));
            write!(f, ", and {files} with {bytes}")?;
        }
        Ok(())
    }
}

/// What is wrong with the end of a log that a cursor reached without an error: a torn tail, or missing segments. A
/// log that is being written, or was not closed, counts as whole. `log` is the path from which it was read.
pub fn at_the_end(tail: &Tail, log: &Path) -> Option<String> {
    let (path, offset) = (tail.path.display(), tail.offset);
    match tail.state {
        TailState::Torn => {
            let bytes = human::counted(tail.unread_bytes, "byte");
            let (reason, shown) = (&tail.reason, advice::quoted(log));
            Some(format!(
                "{path}: offset {offset}: torn tail of {bytes} left unread: {reason}; `binlog cat --salvage {shown}` prints \
                 what is whole in it"
            ))
        }
        TailState::Unclosed if tail.lacks_records => {
            // A writer may have begun the next segment since the cursor looked. The last one may have been given its name.
            let next = tail
                .reason
                .strip_prefix("the log goes on in ")
                .map(|rest| tail.path.with_file_name(rest.strip_suffix(", which is not here").unwrap_or(rest)));
            let is_there = next.is_some_and(|next| next != tail.path && next.exists());
            let advice = || advice::advice(log);
            (!is_there).then(|| format!("{path}: offset {offset}: {}; {}", tail.reason, advice()))
        }
        _ => None,
    }
}
