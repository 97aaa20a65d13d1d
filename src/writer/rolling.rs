//! The write stage's part of rolling: one segment ends, the next begins.

use std::sync::Arc;

use super::ahead::Order;
use super::output::Output;
use super::retired::Retired;
use super::stretch::Rules;
use crate::error::Result;
use crate::format::codec::Compressor;
use crate::format::declaration::Predecessor;
use crate::io::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use crate::io::sync::Mutex;
use crate::log::{Naming, Opened, Prepared};
use crate::options::{SegmentFile, SegmentState, WriterOptions};
use crate::record::{event, MetadataBuf, NamedType};
use crate::segment::{Appender, LAST_STEP};

/// The thread that keeps house prepares the next file when an eighth of the segment is left, or so many bytes.
const NEARLY_FULL: u64 = 16 << 20;

/// A roll that was asked for.
pub(super) struct Turn {
    /// For the events and hooks.
    pub reason: String,
    /// Also when the segment holds no record.
    pub forced: bool,
    /// What segments are called from the next one on.
    pub naming: Option<Naming>,
}

/// Where the current segment begins, for the append stage.
#[derive(Default)]
pub(super) struct Mark {
    created: AtomicI64,
    first_id: AtomicU64,
}

impl Mark {
    fn set(&self, appender: &Appender) {
        self.created.store(appender.segment.header.created_ns, Ordering::Relaxed);
        self.first_id.store(appender.segment.header.first_id, Ordering::Release);
    }

    /// When it was created, and the id of its first record.
    pub fn get(&self) -> (i64, u64) {
        let first_id = self.first_id.load(Ordering::Acquire);
        (self.created.load(Ordering::Relaxed), first_id)
    }
}

/// What has to be done about a segment beside the writing of it.
pub(super) enum Step {
    Opened(SegmentFile),
    Closed(SegmentFile),
}

impl Output {
    /// Goes on where a log was found to end, and says so in the log. Begins a new segment when the last one is not for
    /// this time or has other rules.
    pub fn begin(
        opened: Opened,
        compressor: Compressor,
        options: &WriterOptions,
        rules: &Rules,
        types: Arc<Mutex<Vec<NamedType>>>,
    ) -> Result<Self> {
        let Opened { target, appender, types: known, cut, latest, .. } = opened;
        types.lock().extend(known);
        let mark = Arc::new(Mark::default());
        mark.set(&appender);
        let why_new = why_new_segment(&target, &appender, rules, options.clock.now_ns());
        let mut output = Output {
            target,
            appender,
            compressor,
            clock: options.clock.clone(),
            segment_bytes: options.segment_bytes,
            index_bytes: options.index_bytes,
            types,
            next: None,
            told: None,
            ahead: Arc::default(),
            opening: None,
            retired: vec![],
            steps: vec![],
            latest,
            mark,
        };
        let mut events = vec![(event::STARTED, MetadataBuf::from_iter(started_facts()))];
        if let Some(cut) = cut {
            let kept = cut.kept.display().to_string();
            let facts = [
                ("offset", cut.offset.to_string()),
                ("bytes", cut.bytes.to_string()),
                ("kept", kept),
                ("reason", cut.reason),
            ];
            events.push((event::RECOVERED, MetadataBuf::from_iter(facts)));
        }
        match why_new {
            // What was closed stays as it is.
            Some(reason) if output.appender.is_closed() => {
                output.roll_with(reason, true, events)?;
            }
            _ => {
                events.push((event::OPENED, MetadataBuf::new()));
                output.write_events(&events)?;
                match why_new {
                    Some(reason) => drop(output.roll(reason, true)?),
                    None => output.steps.push(Step::Opened(output.file(""))),
                }
            }
        }
        Ok(output)
    }

    /// Carries out a roll that was asked for.
    pub fn turn(&mut self, turn: &Turn) -> Result<()> {
        self.write_opening()?;
        if let Some(naming) = &turn.naming {
            self.target.set_naming(naming.clone());
            self.discard_ahead();
        }
        self.roll(&turn.reason, turn.forced).map(drop)
    }

    /// Closes the current segment and begins the next, unless the current one holds no record and nothing forces it.
    /// False when there was nothing to do.
    pub fn roll(&mut self, reason: &str, forced: bool) -> Result<bool> {
        self.roll_with(reason, forced, vec![])
    }

    /// A roll got no further than telling the next segment in the current one, or closing that.
    pub fn is_between_segments(&self) -> bool {
        self.told.is_some()
    }

    fn roll_with(&mut self, reason: &str, forced: bool, events: Vec<(u32, MetadataBuf)>) -> Result<bool> {
        self.target.check_rolls().map_err(|e| e.at(&self.appender.segment.path))?;
        if !self.appender.has_records() && !self.appender.is_closed() && !forced && self.told.is_none() {
            return Ok(false);
        }
        let next = self.next_file()?;
        if !self.appender.is_closed() {
            if let Err(error) = self.close_for(&next, reason) {
                self.next = Some(next);
                return Err(error);
            }
        }
        self.begin_segment(next, events)?;
        Ok(true)
    }

    /// Tells the next segment in the current one, unless an earlier try has, and closes that.
    fn close_for(&mut self, next: &Prepared, reason: &str) -> Result<()> {
        if self.told.is_none() {
            let facts = MetadataBuf::from_iter([("file", next.name.as_str()), ("reason", reason)]);
            self.write_events(&[(event::ROTATE_NEXT, facts), (event::CLOSED, MetadataBuf::new())])?;
        }
        let reason = self.told.get_or_insert_with(|| reason.to_owned()).clone();
        self.appender.finish(&self.types.lock())?;
        self.steps.push(Step::Closed(self.file(&reason)));
        Ok(())
    }

    /// Makes `next` the current segment; `events` stand first in it.
    fn begin_segment(&mut self, next: Prepared, mut events: Vec<(u32, MetadataBuf)>) -> Result<()> {
        let last = &self.appender.segment;
        let predecessor = Predecessor {
            sequence: last.header.sequence,
            last_id: self.appender.next_id() - 1,
            bytes: self.appender.end(),
            marker: last.header.marker,
            latest_ns: self.latest,
        };
        let previous = MetadataBuf::from_iter([("file", &last.name)]);
        let started = match self.target.start(&next, self.appender.next_id(), Some(predecessor)) {
            Ok(started) => started,
            Err(error) => {
                // The next try takes the same file, whose name the log has told, rather than leave one more behind.
                self.next = next.is_untouched().then_some(next);
                return Err(error);
            }
        };
        let closed = std::mem::replace(&mut self.appender, started);
        self.told = None;
        self.mark.set(&self.appender);
        // Readers of other processes may now know that no more comes in the old one.
        let _ = closed.segment.file.unlock();
        self.retired.push(Arc::new(Retired::new(closed)));
        events.extend([(event::OPENED, MetadataBuf::new()), (event::ROTATE_PREV, previous)]);
        self.opening = Some(events);
        self.steps.push(Step::Opened(self.file("")));
        self.write_opening()
    }

    /// Writes the events that begin a segment. The types among them are what the next writer learns of them, so that no
    /// record may come before.
    pub fn write_opening(&mut self) -> Result<()> {
        if let Some(mut events) = self.opening.clone() {
            events.extend(self.types.lock().iter().map(|named| (event::TYPE, named.to_facts())));
            self.write_events(&events)?;
            self.opening = None;
        }
        Ok(())
    }

    /// The file of the next segment: the one that the current one tells already, the one that was prepared, if its name is
    /// right, or a new one.
    fn next_file(&mut self) -> Result<Prepared> {
        if let Some(told) = self.next.take() {
            return Ok(told);
        }
        let now = self.clock.now_ns();
        let (maker, after) = self.target.maker(self.appender.segment.header.sequence)?;
        // Whoever is preparing one is waited for: making another would take as long.
        let mut ahead = self.ahead.lock();
        if let Some((prepared, rules)) = ahead.prepared.take() {
            let is_next = prepared.sequence > after && rules == maker.naming.told();
            if is_next && prepared.named_for.is_none_or(|time| time <= now) {
                return Ok(prepared);
            }
            maker.discard(prepared);
        }
        ahead.make(&maker, after, now)
    }

    /// What it takes to prepare the file of the next segment, when none is prepared and the current one is nearly full
    /// or `time_is_near`. `seldom` is said by who may not come again soon: half full is nearly full then, unless the
    /// file's name would tell a time long before its first record's.
    pub fn wants_next(&self, time_is_near: bool, seldom: bool) -> Option<Order> {
        let nearly_full = self.segment_bytes != u64::MAX && {
            let left = self.segment_bytes.saturating_sub(self.appender.end());
            let seldom = seldom && self.target.naming().is_some_and(|naming| !naming.tells_time());
            left <= if seldom { self.segment_bytes / 2 } else { NEARLY_FULL.min(self.segment_bytes / 8) }
        };
        let wanted = (time_is_near || nearly_full) && self.next.is_none() && self.appender.has_records();
        // One that is locked is being made.
        let wanted = wanted && self.ahead.try_lock().is_some_and(|ahead| !ahead.is_settled());
        let (maker, after) = wanted.then(|| self.target.maker(self.appender.segment.header.sequence).ok())??;
        // As much as the current one needs, which is the best guess.
        let bytes = if nearly_full { self.segment_bytes } else { self.appender.end() };
        Some(Order { maker, after, bytes: bytes.min(LAST_STEP) })
    }

    /// Ends the log cleanly. Not yet durable.
    pub fn close(&mut self) -> Result<()> {
        self.write_opening()?;
        self.discard_ahead();
        if self.is_between_segments() {
            // The log tells that it goes on in another segment.
            self.roll("close", true)?;
        }
        if let Some(next) = self.next.take() {
            self.target.maker(0)?.0.discard(next);
        }
        if self.appender.is_closed() {
            // By an earlier try.
            return self.close_segment();
        }
        self.write_events(&[(event::STOPPED, MetadataBuf::new()), (event::CLOSED, MetadataBuf::new())])?;
        self.close_segment()?;
        self.steps.push(Step::Closed(self.file("close")));
        Ok(())
    }

    /// Removes the file that was prepared, which is not going to be a segment.
    fn discard_ahead(&mut self) {
        let prepared = self.ahead.lock().prepared.take();
        if let (Some((prepared, _)), Ok((maker, _))) = (prepared, self.target.maker(0)) {
            maker.discard(prepared);
        }
    }

    fn close_segment(&mut self) -> Result<()> {
        self.appender.close(&self.types.lock())
    }

    /// Gives the locks back, so that another writer may open the log.
    pub fn unlock(&self) {
        let _ = self.appender.segment.file.unlock();
        self.target.unlock();
    }

    /// The current segment, as hooks see it.
    pub fn file(&self, reason: &str) -> SegmentFile {
        let header = &self.appender.segment.header;
        SegmentFile {
            path: self.appender.segment.path.clone(),
            log: header.name.clone(),
            sequence: header.sequence,
            created: header.created_ns,
            first_id: header.first_id,
            records: self.appender.next_id() - header.first_id,
            bytes: self.appender.end(),
            reason: reason.to_owned(),
        }
    }

    /// The current segment, as a check sees it; `None` when it holds no record.
    pub fn state(&self) -> Option<SegmentState> {
        let SegmentFile { path, sequence, created, first_id, records, bytes, .. } = self.file("");
        let now = self.clock.now_ns();
        (records > 0).then_some(SegmentState { path, sequence, created, now, bytes, first_id, records })
    }
}

/// Why the segment that a log ends with is not the one to go on in.
fn why_new_segment(target: &crate::log::Target, last: &Appender, rules: &Rules, now: i64) -> Option<&'static str> {
    let header = &last.segment.header;
    let naming = target.naming()?;
    if !naming.is_told_by(header) {
        return Some("options");
    }
    rules.why_over((header.created_ns, header.first_id), now, last.next_id(), 0)
}

fn started_facts() -> [(&'static str, String); 3] {
    [
        ("library", concat!("binlog ", env!("CARGO_PKG_VERSION")).to_owned()),
        ("pid", std::process::id().to_string()),
        ("host", crate::io::host_name()),
    ]
}
