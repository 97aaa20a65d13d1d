//! Files beside a log that are not part of it: they are listed, and are no problem.

use std::path::{Path, PathBuf};

use binlog::contents::SegmentFacts;
use binlog::{Error, Reader};
use serde_json::{json, Value};

use crate::human::{count, plain};
use crate::output::complain;

/// The target of a recovery that has not finished: what is shown of it is a part of the log.
pub fn unfinished_recovery(reader: &Reader) -> Option<Error> {
    let reason =
        "a recovery into the directory was stopped, or is at work, so that it holds a part of the log only: remove \
                  the directory, and recover again";
    reader.recovery_at_work().map(|mark| Error::invalid(reason).at(&mark))
}

/// Warns of it.
pub fn warn_of_recovery(reader: &Reader) {
    if let Some(error) = unfinished_recovery(reader) {
        complain(&error.to_string());
    }
}

/// Remarks on a path.
#[derive(Default)]
pub struct Notes {
    strays: Vec<PathBuf>,
    leftovers: Vec<PathBuf>,
    /// Names of the logs, if there are several.
    logs: Vec<String>,
    /// First and last ids of records that were removed with old segments while the log was read.
    pub removed: Vec<(u64, u64)>,
}

impl Notes {
    /// Remarks on the reader's path. `segments` are the segments there, those of each log together.
    pub fn of<'a>(reader: &Reader, segments: impl Iterator<Item = &'a SegmentFacts>) -> Self {
        let mut logs: Vec<&SegmentFacts> = vec![];
        for segment in segments {
            if logs.last().is_none_or(|last| last.log_id != segment.log_id) {
                logs.push(segment);
            }
        }
        let several = logs.len() > 1;
        let logs = logs.into_iter().filter(|_| several).map(|log| log.name.clone()).collect();
        Notes { logs, ..Notes::of_files(reader) }
    }

    /// Remarks on files only, for a caller that reports each log by itself.
    pub fn of_files(reader: &Reader) -> Self {
        Notes { strays: reader.strays().to_vec(), leftovers: reader.leftovers().to_vec(), ..Notes::default() }
    }

    /// One line for each remark.
    pub fn text(&self) -> String {
        let mut text = String::new();
        if !self.logs.is_empty() {
            let names: Vec<String> = self.logs.iter().map(|name| plain(name)).collect();
            text += &format!("note: {} logs are here: {}\n", names.len(), names.join(", "));
        }
        for (first, last) in &self.removed {
            let (first, last) = (count(*first), count(*last));
            text += &format!("note: the records {first} to {last} were removed with old segments meanwhile\n");
        }
        for path in &self.strays {
            text += &format!("note: {}: not a segment of any log: nothing reads it\n", shown(path));
        }
        for path in &self.leftovers {
            text += &format!("note: {}: a segment that was never begun, without a record\n", shown(path));
        }
        text
    }

    pub fn strays(&self) -> Value {
        paths(&self.strays)
    }

    pub fn leftovers(&self) -> Value {
        paths(&self.leftovers)
    }
}

fn shown(path: &Path) -> String {
    plain(&path.strip_prefix(".").unwrap_or(path).to_string_lossy())
}

fn paths(paths: &[PathBuf]) -> Value {
    paths.iter().map(|path| json!(path.to_string_lossy())).collect()
}
