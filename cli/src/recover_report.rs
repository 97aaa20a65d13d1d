//! What a recovery reports during its work, and at its end.

use std::io::Write;
use std::path::Path;

use binlog::recovery::Recovery;
use binlog::Loss;
use serde_json::{json, Value};

use crate::output::{Fail, Out};
use crate::{human, losses};

/// Lines, or a JSON object that is written part by part: a log may have more losses than fit into memory.
pub struct Report {
    out: Out,
    json: bool,
    dry_run: bool,
    losses: u64,
    /// Number of records in the new log, after it was read again.
    pub verified: Option<u64>,
    /// Why nothing more can be printed. The recovery continues.
    broken: Option<Fail>,
}

impl Report {
    pub fn new(json: bool, dry_run: bool) -> Self {
        Report { out: Out::new(), json, dry_run, losses: 0, verified: None, broken: None }
    }

    pub fn begin(&mut self, source: &Path, target: Option<&Path>, in_place: bool) {
        if !self.json {
            return;
        }
        let text = |path: &Path| Value::from(path.to_string_lossy());
        let (source, target, dry_run) = (text(source), target.map_or(Value::Null, text), self.dry_run);
        self.put(&format!(
            "{{\"source\":{source},\"target\":{target},\"in_place\":{in_place},\"dry_run\":{dry_run},\"losses\":["
        ));
    }

    /// Prints a loss when it is found.
    pub fn loss(&mut self, loss: &Loss) {
        let before = if self.losses > 0 { "," } else { "" };
        let text = match self.json {
            true => format!("{before}\n{}", losses::json(loss)),
            false => format!("{}\n", losses::line(loss)),
        };
        self.losses += 1;
        self.put(&text);
        if !self.json {
            self.flush();
        }
    }

    /// Prints the summary, or why there is none.
    pub fn end(mut self, done: Result<Recovery, String>) -> Result<(), Fail> {
        if self.json {
            let end = match &done {
                Ok(recovery) => self.facts(recovery),
                Err(reason) => json!({ "error": reason }),
            };
            // The members of this object belong to the one that was begun.
            self.put(&format!("],{}\n", &end.to_string()[1..]));
        } else if let Ok(recovery) = &done {
            let summary = self.summary(recovery);
            self.put(&summary);
        }
        self.flush();
        match (done, self.broken) {
            (Err(reason), _) => Err(Fail::Message(reason)),
            (_, Some(broken @ Fail::Message(_))) => Err(broken),
            _ => Ok(()),
        }
    }

    fn facts(&self, recovery: &Recovery) -> Value {
        let segments: Vec<Value> = recovery
            .segments
            .iter()
            .map(|segment| {
                json!({
                    "source": segment.source.to_string_lossy(),
                    "target": segment.target.to_string_lossy(),
                    "records": segment.records,
                })
            })
            .collect();
        json!({
            "records": recovery.records,
            "lost_records": recovery.lost_records,
            "segments": segments,
            "verified_records": self.verified,
        })
    }

    fn summary(&self, recovery: &Recovery) -> String {
        let lost = match recovery.losses {
            0 => "nothing lost".to_owned(),
            n => {
                let losses = if n == 1 { "1 loss".to_owned() } else { format!("{} losses", human::count(n)) };
                format!("{} lost in {losses}", human::counted(recovery.lost_records, "record"))
            }
        };
        let records = human::counted(recovery.records, "record");
        if self.dry_run {
            return format!("{records} can be saved, {lost}; nothing was written\n");
        }
        let files = human::counted(recovery.segments.len() as u64, "file");
        let mut text = match recovery.segments.is_empty() {
            true => format!("nothing to write anew, {lost}\n"),
            false => format!("{records} saved in {files}, {lost}\n"),
        };
        for segment in &recovery.segments {
            let (source, target) = (segment.source.display(), segment.target.display());
            text += &format!("  {target}: {} from {source}\n", human::counted(segment.records, "record"));
        }
        if let Some(records) = self.verified {
            text += &format!("the log was read again and is whole: {}\n", human::counted(records, "record"));
        }
        text
    }

    fn put(&mut self, text: &str) {
        if self.broken.is_none() {
            self.broken = self.out.put(text.as_bytes()).err();
        }
    }

    fn flush(&mut self) {
        if self.broken.is_none() {
            self.broken = Write::flush(&mut self.out).map_err(Fail::from).err();
        }
    }
}
