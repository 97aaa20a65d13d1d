//! A split: a part of a log that is read independently of the others.

use std::path::Path;

use super::token::Token;
use crate::error::{Error, Result};
use crate::io::Location;
use crate::log::{Part, Source};
use crate::options::ReaderOptions;
use crate::reader::Reader;

/// A part of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Split {
    /// One line of text by which [`Reader::open_split`] opens it, in this process or in another one, on this machine or
    /// on another one that reaches [`Self::location`]. It contains no credentials.
    pub token: String,
    /// Where the log is: an absolute path, a pattern, or a URL with its options.
    pub location: String,
    /// Id of the first record that can be in it. The splits of a plan do not overlap.
    pub first_id: u64,
    /// Id of the last one; `first_id - 1` if there are only events in it.
    pub last_id: u64,
    /// How many of its records the filter may want, by the index: those in the blocks that may contain something
    /// wanted, with the ids of the filter; if the filter has types and the index states how many records of each type a
    /// block contains, only those of these types. Fewer records may match, but never more: times, metadata, and types
    /// together with ids are known for whole blocks only. It is exact for a filter of ids alone, and for one of types
    /// alone if the log has an index.
    pub records: u64,
    /// Bytes of these blocks as they are stored; of the whole file where blocks are not known.
    pub bytes: u64,
    /// No record in these blocks has an earlier time, in nanoseconds since the Unix epoch; `i64::MIN` = not known.
    pub first_time: i64,
    /// No record in these blocks has a later time; `i64::MAX` = not known.
    pub last_time: i64,
}

impl Reader {
    /// Opens a split by its token. The reader shows the records of the split and no others: each call of it and of its
    /// cursors is limited to them. The filter of the plan is not a part of the token: give it again.
    ///
    /// The files of the segments are opened by their names where the token contains these, without listing the
    /// directory or the store; they are listed if a file has another name by now, because it was compressed.
    ///
    /// # Errors
    /// [`crate::Kind::Invalid`] for a text that is no token, [`crate::Kind::Unsupported`] for a token of another
    /// version; [`crate::Kind::Missed`] when all segments of the split were removed, [`crate::Kind::Mismatch`] when
    /// another log is at its place, or not the one of [`ReaderOptions::log`]; [`crate::Kind::NotFound`] when its segments
    /// are newer than all that are there; else as [`Self::open`]. If only some segments were removed, the first call of a
    /// cursor reports which records are missing ([`crate::Kind::Missed`]), once.
    pub fn open_split(token: &str, options: ReaderOptions) -> Result<Reader> {
        let token = Token::parse(token)?;
        let place = token.place.clone();
        open(&token, &place, options)
    }

    /// As [`Self::open_split`], for a log that is at another place now: the directory or the store that has the files
    /// of the same names, or the directory of the caller's making that was planned.
    ///
    /// # Errors
    /// As [`Self::open_split`].
    pub fn open_split_at(token: &str, location: impl Into<Location>, options: ReaderOptions) -> Result<Reader> {
        open(&Token::parse(token)?, location, options)
    }
}

fn open(token: &Token, location: impl Into<Location>, options: ReaderOptions) -> Result<Reader> {
    let location = location.into();
    let place = location.path();
    let source = Source::of(location, &options)?;
    let log = (token.log.clone(), token.log_id);
    let part = Part::new(source, log, token.sequences.clone(), token.names(), token.limit.clone());
    Reader::of_part(part, place, options)
}

/// Refuses a place that a token must not contain.
pub(super) fn check_place(place: &Path) -> Result<()> {
    let url = place.to_str().filter(|_| crate::log::is_url(place));
    match url.is_some_and(crate::store::shows_secret) {
        true => Err(Error::invalid(
            "the log's URL contains a user, a password or a signature, which the tokens of its splits must not contain: \
             give them in the environment or in a file",
        )),
        false => Ok(()),
    }
}
