//! Files beside a log that concern no reader: they are told of, and are nothing wrong.

use std::path::{Path, PathBuf};

use binlog::{Reader, SegmentFacts};
use serde_json::{json, Value};

use crate::human::plain;

/// What is noted of a path.
#[derive(Default)]
pub struct Notes {
    strays: Vec<PathBuf>,
    leftovers: Vec<PathBuf>,
    /// Names of the logs, where there are several.
    logs: Vec<String>,
}

impl Notes {
    /// Of the path of the reader, in which these segments are, each log's behind each other.
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

    /// The same of files alone, for who tells of each log by itself.
    pub fn of_files(reader: &Reader) -> Self {
        Notes { strays: reader.strays().to_vec(), leftovers: reader.leftovers().to_vec(), logs: vec![] }
    }

    /// A line for each.
    pub fn text(&self) -> String {
        let mut text = String::new();
        if !self.logs.is_empty() {
            let names: Vec<String> = self.logs.iter().map(|name| plain(name)).collect();
            text += &format!("note: {} logs are here: {}\n", names.len(), names.join(", "));
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
