//! What a salvaging cursor tells of, for people and for programs.

use std::sync::{Arc, Mutex, PoisonError};

use binlog::{Error, Kind, Loss, OnLoss, ReaderMode, ReaderOptions};
use serde_json::{json, Value};

use crate::human::{self, count, counted};

/// What to do about a log in which something is damaged, for the end of a message.
pub const ADVICE: &str = "`binlog cat --salvage` goes on behind damage, `binlog verify` tells all of it, and `binlog \
                          recover` makes a clean log of what can be read";

/// An error, with what to do about it when a segment is damaged.
pub fn advised(error: &Error) -> String {
    let segment = error.path().is_some_and(|path| path.extension().is_some_and(|ending| ending == "binlog"));
    match error.kind() == Kind::Corrupt && segment {
        true => format!("{error}; {ADVICE}"),
        false => error.to_string(),
    }
}

/// Losses that were told and not yet taken.
#[derive(Clone, Default)]
pub struct Heard(Arc<Mutex<Vec<Loss>>>);

impl Heard {
    /// A reader that goes on behind damage, and tells of it here.
    pub fn options(&self) -> ReaderOptions {
        let heard = self.0.clone();
        let on_loss: OnLoss =
            Arc::new(move |loss| heard.lock().unwrap_or_else(PoisonError::into_inner).push(loss.clone()));
        ReaderOptions { mode: ReaderMode::Salvage, on_loss: Some(on_loss), ..ReaderOptions::default() }
    }

    pub fn take(&self) -> Vec<Loss> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// One line, without a newline.
pub fn line(loss: &Loss) -> String {
    let (path, offset) = (loss.path.display(), loss.offset);
    let mut line = format!("{path}: offset {offset}: {}", human::plain(&loss.reason));
    let mut told = "; ";
    let mut tell = |what: String| {
        line.push_str(told);
        line.push_str(&what);
        told = ", ";
    };
    if loss.bytes > 0 {
        tell(format!("{} unread", counted(loss.bytes, "byte")));
    }
    match loss.ids {
        Some((first, last)) if first == last => tell(format!("record {} lost", count(first))),
        Some((first, last)) => {
            tell(format!("records {} to {} lost ({})", count(first), count(last), count(loss.records())));
        }
        None => (),
    }
    if let Some((_, pages @ 2..)) = loss.pages {
        tell(format!("{} damaged", counted(pages, "page")));
    }
    if loss.bytes > 0 && loss.durable {
        tell("durable once".to_owned());
    }
    line
}

/// The same as an object.
pub fn json(loss: &Loss) -> Value {
    json!({
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

    fn loss() -> Loss {
        Loss {
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
    fn a_loss_is_told_in_one_line() {
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
        let told = json(&Loss { ids: None, pages: None, ..loss() });
        assert_eq!(
            (&told["first_lost_id"], &told["lost_records"], &told["pages"]),
            (&json!(null), &json!(0), &json!(null))
        );
    }
}
