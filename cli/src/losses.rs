//! The losses that a salvaging cursor reports, for people and for programs.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use binlog::{Loss, OnLoss, ReaderMode, ReaderOptions};
use serde_json::{json, Value};

use crate::human::{self, count, counted};

/// Losses that were reported and not yet taken.
#[derive(Clone, Default)]
pub struct LossQueue(Arc<Untaken>);

#[derive(Default)]
struct Untaken {
    losses: Mutex<Vec<Loss>>,
    /// Whether there are any; checked for each record.
    any: AtomicBool,
}

impl LossQueue {
    /// Options of a reader that continues after damage, and reports it here.
    pub fn options(&self) -> ReaderOptions {
        ReaderOptions { mode: ReaderMode::Salvage, ..self.up_to_damage() }
    }

    /// Options of a reader that stops at damage, and reports here what it skips before.
    pub fn up_to_damage(&self) -> ReaderOptions {
        let queue = self.0.clone();
        let on_loss: OnLoss = Arc::new(move |loss| {
            queue.losses.lock().unwrap_or_else(PoisonError::into_inner).push(loss.clone());
            queue.any.store(true, Ordering::Release);
        });
        ReaderOptions { on_loss: Some(on_loss), ..ReaderOptions::default() }
    }

    pub fn take(&self) -> Vec<Loss> {
        if !self.0.any.load(Ordering::Acquire) {
            return vec![];
        }
        let mut losses = self.0.losses.lock().unwrap_or_else(PoisonError::into_inner);
        self.0.any.store(false, Ordering::Release);
        std::mem::take(&mut *losses)
    }
}

/// One line, without a newline.
pub fn line(loss: &Loss) -> String {
    let (path, offset) = (loss.path.display(), loss.offset);
    let mut line = format!("{path}: offset {offset}: {}", human::plain(&loss.reason));
    let mut separator = "; ";
    let mut add = |what: String| {
        line.push_str(separator);
        line.push_str(&what);
        separator = ", ";
    };
    if loss.bytes > 0 {
        add(format!("{} unread", counted(loss.bytes, "byte")));
    }
    match loss.ids {
        Some((first, last)) if first == last => add(format!("record {} lost", count(first))),
        Some((first, last)) => {
            add(format!("records {} to {} lost ({})", count(first), count(last), count(loss.records())));
        }
        None => (),
    }
    if let Some((_, pages @ 2..)) = loss.pages {
        add(format!("{} damaged", counted(pages, "page")));
    }
    if loss.bytes > 0 && loss.durable {
        add("durable once".to_owned());
    }
    line
}

/// The same as an object.
pub fn json(loss: &Loss) -> Value {
    json!({
        "kind": loss.kind.name(),
        "file": loss.path.to_string_lossy(),
        "offset": loss.offset,
        "unread_bytes": loss.bytes,
        "reason": loss.reason,
        "first_lost_id": loss.ids.map(|(first, _)| first),
        "last_lost_id": loss.ids.map(|(_, last)| last),
        "lost_records": loss.records(),
        "first_page": loss.pages.map(|(first, _)| first),
        "pages": loss.pages.map(|(_, pages)| pages),
        "durable": loss.durable,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use binlog::LossKind;

    fn loss() -> Loss {
        Loss {
            kind: LossKind::Damage,
            path: "a.binlog".into(),
            offset: 4096,
            bytes: 8192,
            ids: Some((1000, 1009)),
            pages: Some((3, 2)),
            reason: "page 3 of the payload fails its checksum".into(),
            durable: true,
        }
    }

    #[test]
    fn a_loss_is_reported_in_one_line() {
        assert_eq!(
            line(&loss()),
            "a.binlog: offset 4096: page 3 of the payload fails its checksum; 8,192 bytes unread, records 1,000 to 1,009 \
             lost (10), 2 pages damaged, durable once"
        );
        let one = Loss { bytes: 0, ids: Some((7, 7)), pages: None, reason: "a\nb".into(), durable: false, ..loss() };
        assert_eq!(line(&one), "a.binlog: offset 4096: a\\nb; record 7 lost");
        assert_eq!(line(&Loss { ids: None, ..one }), "a.binlog: offset 4096: a\\nb");
    }

    #[test]
    fn a_loss_without_known_records_has_null_ids() {
        let shown = json(&Loss { ids: None, pages: None, ..loss() });
        assert_eq!(
            (&shown["first_lost_id"], &shown["lost_records"], &shown["pages"]),
            (&json!(null), &json!(0), &json!(null))
        );
    }
}
