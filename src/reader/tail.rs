//! What a cursor found where it came to an end.

use std::path::PathBuf;

/// Why a cursor shows no more records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TailState {
    /// It has not come to an end.
    #[default]
    More,
    /// The log was closed cleanly, or the filter's range has been passed: everything was read.
    Closed,
    /// A writer has the log open: more may come.
    Live,
    /// No writer has it open and it was never closed. It ends with a whole block; it is not known whether more was
    /// appended. A strict reader fails there with this state.
    Unclosed,
    /// No writer has it open, and the bytes after the last whole block are the torn tail of a crash. A strict reader
    /// fails there with this state.
    Torn,
    /// The cursor stopped at damage.
    Corrupt,
}

/// Where a cursor came to an end, and what it left unread.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tail {
    /// Why there is no more.
    pub state: TailState,
    /// The id that the next record would have: where to continue reading later. At most the id after
    /// [`crate::Filter::to_id`]. With [`crate::Filter::to_time`], records of a later time before this id have been passed.
    pub next_id: u64,
    /// The file that was read last.
    pub path: PathBuf,
    /// Where in it reading stopped.
    pub offset: u64,
    /// Bytes of that file from there on.
    pub unread_bytes: u64,
    /// What was wrong with them.
    pub reason: String,
    /// Records behind the end are known to be missing, for the reason in `reason`. Otherwise a log that was not closed may
    /// have had more.
    pub lacks_records: bool,
}
