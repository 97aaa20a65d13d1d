//! Selects the log of a directory that a command works on.

use std::path::Path;

use binlog::contents::SegmentFacts;
use binlog::{Reader, ReaderOptions};

use crate::advice;
use crate::output::Fail;

/// The last segment of the log in a directory; of the one called `name` when there are several.
pub fn last_segment(directory: &Path, name: Option<&str>) -> Result<SegmentFacts, Fail> {
    let path = directory.display();
    if !directory.is_dir() {
        return Err(Fail::Message(match directory.exists() {
            true => format!("{path} is no directory: only a log of segments does that"),
            false => format!("{path}: there is no such directory"),
        }));
    }
    let reader = Reader::open(directory, ReaderOptions::default()).map_err(advice::fail(directory))?;
    let mut segments = reader.segments();
    segments.retain(|segment| name.is_none_or(|name| segment.name == name));
    let mut names: Vec<&str> = segments.iter().map(|segment| segment.name.as_str()).collect();
    names.dedup();
    match names[..] {
        [] => Err(Fail::Message(format!("{path} holds no log called {:?}", name.unwrap_or_default()))),
        [_] => segments.pop().ok_or_else(|| Fail::Message(format!("{path} holds no log"))),
        _ => Err(Fail::Message(format!("{path} holds several logs: say which with --name ({})", names.join(", ")))),
    }
}
