//! A legacy file, shown as the segment that it would be.

use std::io::Result;
use std::sync::Arc;

use parking_lot::Mutex;

use super::translate::{Built, Row, Translator, Verdict};
use super::window::Window;
use super::{invalid, Form, Legacy};
use crate::io::{is_of_system, File};
use crate::memory;
use crate::record::Hit;

/// Where blocks begin in the translation. It contains no beginning of a segment before them: the header is made
/// separately.
pub const START: u64 = 4096;

/// Shows blocks that are made when they are read, and made again when they are read again: only their places are kept.
pub(crate) struct Translated {
    source: Arc<dyn File>,
    first_id: u64,
    /// No file of the same log follows it.
    is_last: bool,
    state: Mutex<State>,
}

struct State {
    translator: Translator,
    /// The blocks so far, and the place of the next.
    rows: Vec<Row>,
    next: Row,
    /// The block that was made last: its number, and its bytes.
    current: Option<usize>,
    built: Built,
    ended: Option<Ended>,
}

/// The bytes after the last block.
struct Ended {
    /// Where bytes of this library's format continue.
    at: u64,
    bytes: Vec<u8>,
    verdict: Verdict,
    /// Bytes of the legacy file that are no record.
    left: u64,
    records: u64,
}

impl Ended {
    fn left_at(&self) -> u64 {
        self.at + self.bytes.len() as u64
    }
}

impl Translated {
    pub fn new(legacy: &Legacy, marker: u64, first_id: u64, is_last: bool) -> Self {
        let end = match legacy.form {
            Form::Python { end: Some(end) } => end,
            _ => u64::MAX,
        };
        let window = Window::new(legacy.file.clone(), end);
        let next = Row::first(START, legacy.start, first_id);
        let state = State {
            translator: Translator::new(legacy.form, marker, window),
            rows: vec![],
            next,
            current: None,
            built: Built::default(),
            ended: None,
        };
        Translated { source: legacy.file.clone(), first_id, is_last, state: Mutex::new(state) }
    }

    /// Bytes of the legacy file; `u64::MAX` when it is compressed.
    pub fn source_len(&self) -> Result<u64> {
        self.source.len()
    }

    /// Whether the translation reaches `end`.
    pub fn reaches(&self, end: u64) -> Result<bool> {
        let mut state = self.state.lock();
        while state.ended.is_none() && state.next.at < end {
            self.go_on(&mut state)?;
        }
        let len = state.ended.as_ref().map_or(u64::MAX, |ended| ended.left_at() + ended.left);
        Ok(end <= len)
    }

    /// The number of records. Reads to the end, unless that was done before.
    pub fn records(&self) -> Result<u64> {
        let mut state = self.state.lock();
        self.finish(&mut state).map(|ended| ended.records)
    }

    /// Moves the wanted records of the block at `offset` into `hits`, in exchange for its contents, and, if there are
    /// any and it is not `None`, the bytes of the legacy file that contain their payloads into `buffer`. Returns false
    /// when there is no such block.
    pub fn lend(
        &self,
        offset: u64,
        hits: &mut Vec<Hit>,
        buffer: Option<&mut Vec<u8>>,
        wants: impl Fn(&Hit) -> bool,
    ) -> Result<bool> {
        let mut state = self.state.lock();
        let Ok(index) = state.rows.binary_search_by_key(&offset, |row| row.at) else { return Ok(false) };
        self.make(&mut state, index, false)?;
        let are_wanted = state.built.hits.iter().any(&wants);
        if let Some(buffer) = buffer.filter(|_| are_wanted) {
            self.make(&mut state, index, true)?;
            let next = state.rows.get(index + 1).map_or(state.next.source, |next| next.source);
            let len = next - state.rows[index].source;
            state.translator.window.give(len as usize, buffer)?;
        }
        state.current = None;
        state.built.hits.retain(wants);
        std::mem::swap(&mut state.built.hits, hits);
        Ok(true)
    }

    /// The place in the legacy file of the byte or the block at `offset` of the translation.
    pub fn place_of(&self, offset: u64) -> u64 {
        let state = self.state.lock();
        match &state.ended {
            Some(ended) if offset >= ended.at => state.next.source + offset.saturating_sub(ended.left_at()),
            _ => {
                let behind = state.rows.partition_point(|row| row.at <= offset);
                behind.checked_sub(1).map_or(state.next.source, |at| state.rows[at].source)
            }
        }
    }

    /// What is wrong at `offset` of the translation, if that is where the records end.
    pub fn verdict_at(&self, offset: u64) -> Option<String> {
        match self.state.lock().ended.as_ref().filter(|ended| offset == ended.left_at())?.verdict.clone() {
            Verdict::Torn(reason) | Verdict::Corrupt(reason) => Some(reason),
            Verdict::Closed | Verdict::Unclosed => None,
        }
    }

    /// Whether the file ends within a record.
    pub fn is_torn(&self) -> bool {
        self.state.lock().ended.as_ref().is_some_and(|ended| matches!(ended.verdict, Verdict::Torn(_)))
    }

    /// Where and why the file ends within a record although others of its log follow it, once that was read.
    pub fn torn_within(&self) -> Option<(u64, String)> {
        let state = self.state.lock();
        let ended = state.ended.as_ref().filter(|_| !self.is_last)?;
        match &ended.verdict {
            Verdict::Torn(reason) => Some((state.next.source, reason.clone())),
            Verdict::Closed | Verdict::Unclosed | Verdict::Corrupt(_) => None,
        }
    }

    /// Whether it states that it was closed, or is of a form that does not state it. Reads to the end, unless that was
    /// done before.
    pub fn is_closed(&self) -> Result<bool> {
        let mut state = self.state.lock();
        self.finish(&mut state).map(|ended| ended.verdict == Verdict::Closed)
    }

    fn finish<'a>(&self, state: &'a mut State) -> Result<&'a Ended> {
        while state.ended.is_none() {
            self.go_on(state)?;
        }
        state.ended.as_ref().ok_or_else(|| invalid("the file does not end"))
    }

    /// Makes the block after the last known one.
    fn go_on(&self, state: &mut State) -> Result<()> {
        let row = state.next;
        state.current = None;
        memory::reserve(&mut state.rows, 1)?;
        let (next, verdict) = state.translator.build(row, &mut state.built, false)?;
        if state.built.len() > 0 {
            state.rows.push(row);
            state.current = Some(state.rows.len() - 1);
        }
        state.next = next;
        if let Some(verdict) = verdict {
            let records = next.first_id - self.first_id;
            let bytes = state.translator.ending(next, records, &verdict, self.is_last)?;
            let left = match &verdict {
                Verdict::Closed | Verdict::Unclosed => 0,
                Verdict::Torn(_) if !self.is_last => 0,
                // At least one byte, which can be reported as wrong.
                _ => match self.source.len()? {
                    u64::MAX => 1,
                    len => len.saturating_sub(next.source).max(1),
                },
            };
            state.ended = Some(Ended { at: next.at, bytes, verdict, left, records });
        }
        Ok(())
    }

    /// Makes a block again, unless it was made last, with its payloads if they are wanted.
    fn make(&self, state: &mut State, index: usize, payloads: bool) -> Result<()> {
        if state.current == Some(index) && (state.built.has_payloads || !payloads) {
            return Ok(());
        }
        state.current = None;
        let known = state.rows.get(index + 1).map_or(state.next.at, |next| next.at);
        let (next, _) = state.translator.build(state.rows[index], &mut state.built, payloads)?;
        if next.at != known {
            return Err(invalid("the file has changed while it was read"));
        }
        state.current = Some(index);
        Ok(())
    }

    /// Copies bytes from `offset` of the translation on, of one block or of the bytes after the last.
    fn copy(&self, state: &mut State, buffer: &mut [u8], offset: u64) -> Result<usize> {
        while state.ended.is_none() && state.next.at <= offset {
            self.go_on(state)?;
        }
        if let Some(ended) = state.ended.as_ref().filter(|ended| offset >= ended.at) {
            return match offset.checked_sub(ended.left_at()) {
                None => Ok(copy_part(buffer, &ended.bytes, offset - ended.at)),
                Some(at) if at >= ended.left => Ok(0),
                Some(at) => {
                    let most = buffer.len().min(usize::try_from(ended.left - at).unwrap_or(usize::MAX));
                    match self.source.read_at(&mut buffer[..most], state.next.source + at) {
                        // The compressed file is damaged there.
                        Ok(0) => {
                            buffer[0] = 0;
                            Ok(1)
                        }
                        Err(e) if !is_of_system(&e) => {
                            buffer[0] = 0;
                            Ok(1)
                        }
                        read => read,
                    }
                }
            };
        }
        let index = state.rows.partition_point(|row| row.at <= offset) - 1;
        self.make(state, index, false)?;
        let row = state.rows[index];
        let mut at = offset - row.at;
        if at < state.built.head.len() as u64 {
            return Ok(copy_part(buffer, &state.built.head, at));
        }
        at -= state.built.head.len() as u64;
        let built = &state.built;
        let bytes = state.translator.window.bytes(usize::MAX);
        let mut done = 0;
        for hit in &built.hits {
            if done == buffer.len() {
                break;
            }
            match at.checked_sub(u64::from(hit.payload_len)) {
                Some(behind) => at = behind,
                None if built.has_payloads => {
                    done += copy_part(&mut buffer[done..], &bytes[hit.payload()], at);
                    at = 0;
                }
                None => {
                    let len = buffer.len() - done;
                    let len = len.min(usize::try_from(u64::from(hit.payload_len) - at).unwrap_or(usize::MAX));
                    let from = row.source + hit.payload_at as u64 + at;
                    return Ok(done + self.source.read_at(&mut buffer[done..done + len], from)?);
                }
            }
        }
        Ok(done)
    }
}

fn copy_part(buffer: &mut [u8], bytes: &[u8], from: u64) -> usize {
    let part = &bytes[from as usize..];
    let len = part.len().min(buffer.len());
    buffer[..len].copy_from_slice(&part[..len]);
    len
}

impl File for Translated {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        if offset < START {
            let len = buffer.len().min((START - offset) as usize);
            buffer[..len].fill(0);
            return Ok(len);
        }
        let mut state = self.state.lock();
        self.copy(&mut state, buffer, offset)
    }

    fn len(&self) -> Result<u64> {
        let mut state = self.state.lock();
        self.finish(&mut state).map(|ended| ended.left_at() + ended.left)
    }
}
