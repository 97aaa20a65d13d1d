//! The write stage's part of rolling: it ends one segment and begins the next.

use std::sync::Arc;

use super::lost::Lost;
use super::next_file::Order;
use super::output::Output;
use super::retired::Retired;
use super::span::Rules;
use super::turn::{Mark, Step, Turn};
use super::types::Types;
use crate::error::Result;
use crate::format::codec::Compressor;
use crate::format::declaration::{Hole, Predecessor};
use crate::io::sync::Mutex;
use crate::log::{Behind, Last, Left, Opened, Prepared};
use crate::options::{SegmentFile, SegmentState, WriterOptions};
use crate::record::{event, MetadataBuf};
use crate::segment::{Appender, Written, LAST_STEP};

/// The maintenance thread prepares the next file when an eighth of the segment is left, or this many bytes.
const NEARLY_FULL: u64 = 16 << 20;

impl Output {
    /// The current segment, when its file is no longer in its place.
    pub fn lost(&self) -> Option<Lost> {
        Lost::look(&**self.target.directory(), &self.appender.segment, self.next_id() - 1)
    }

    /// Continues at the end that was found of a log, and writes events about that to the log. Begins a new segment when
    /// the last one is for another time or has other rules.
    pub fn begin(
        opened: Opened,
        compressor: Compressor,
        options: &WriterOptions,
        rules: &Rules,
        types: Arc<Mutex<Types>>,
    ) -> Result<Self> {
        let Opened { target, appender, types: known, schemas, cut, latest, earliest, written, behind, .. } = opened;
        let (left_as_is, holes, lost_to, lacks_types) =
            (opened.left_as_is, opened.holes, opened.lost_to, opened.lacks_types);
        types.lock().begin(known, schemas);
        let now = options.clock.now_ns();
        let begun = begun_by_now(&appender, rules, written, now);
        let mark = Arc::new(Mark::default());
        mark.set(begun, appender.first_id());
        let why_new = match behind {
            Some(_) => Some("moved"),
            None => left_as_is.or_else(|| why_new_segment(&target, &appender, rules, begun, now)),
        };
        let mut output = Output {
            target,
            appender,
            compressor,
            clock: options.clock.clone(),
            segment_bytes: options.segment_bytes,
            index_bytes: options.index_bytes,
            types,
            next: None,
            announced: None,
            next_file: Arc::default(),
            opening: None,
            retired: vec![],
            steps: vec![],
            latest,
            earliest,
            mark,
            is_lost: false,
            behind,
            holes,
            lost_to,
            skip_to: 0,
            outdated: None,
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
        events.extend(output.holes.iter().map(|hole| (event::RECOVERED, facts_of(hole))));
        match why_new {
            // A closed segment stays as it is, and so does one that this writer may not write to.
            Some(reason) if output.appender.is_closed() || !output.appender.segment.takes_more() => {
                output.roll_with(reason, true, events, now)?;
            }
            _ => {
                events.push((event::OPENED, MetadataBuf::new()));
                let types = if lacks_types { output.types.lock().described()? } else { vec![] };
                output.write_events_with(&events, &types)?;
                if left_as_is.is_none() {
                    // The segment was begun with them.
                    output.holes.clear();
                }
                match why_new {
                    Some(reason) => drop(output.roll(reason, true, now)?),
                    None => output.push_opened(),
                }
            }
        }
        Ok(output)
    }

    /// Carries out a requested roll.
    pub fn turn(&mut self, turn: &Turn) -> Result<()> {
        self.write_opening()?;
        if let Some(naming) = &turn.naming {
            self.target.set_naming(naming.clone());
            self.discard_ahead();
        }
        self.roll(&turn.reason, turn.forced, turn.at).map(drop)
    }

    /// Closes the current segment and begins the next, for the time `at`, unless the current one holds no record and
    /// nothing forces it. False when there was nothing to do.
    pub fn roll(&mut self, reason: &str, forced: bool, at: i64) -> Result<bool> {
        self.roll_with(reason, forced, vec![], at)
    }

    /// A roll failed after it named the next segment in the current one, or after it closed that.
    pub fn is_between_segments(&self) -> bool {
        self.announced.is_some() || (self.appender.is_closed() && self.next.is_some())
    }

    fn roll_with(&mut self, reason: &str, forced: bool, events: Vec<(u32, MetadataBuf)>, at: i64) -> Result<bool> {
        self.target.check_rolls().map_err(|e| e.at(&self.appender.segment.path))?;
        if !self.appender.has_records() && !self.appender.is_closed() && !forced && self.announced.is_none() {
            return Ok(false);
        }
        let next = self.next_file(at)?;
        // Even the name of the next segment is not written to a segment that takes no more.
        if !self.appender.is_closed() && self.appender.segment.takes_more() {
            if let Err(error) = self.close_for(&next, reason) {
                self.next = Some(next);
                return Err(error);
            }
        }
        self.begin_segment(next, events, at)?;
        Ok(true)
    }

    /// Names the next segment in the current one, unless an earlier try has, and closes that.
    fn close_for(&mut self, next: &Prepared, reason: &str) -> Result<()> {
        // Checked for every roll: the file is not looked for any more once it is closed.
        let lost = self.lost();
        let reason = match &self.announced {
            _ if lost.is_some() => "deleted".to_owned(),
            Some((_, reason)) => reason.clone(),
            None => reason.to_owned(),
        };
        if self.announced.as_ref().is_none_or(|(name, _)| *name != next.name) {
            let facts = MetadataBuf::from_iter([("file", &next.name), ("reason", &reason)]);
            self.write_events(&[(event::ROTATE_NEXT, facts), (event::CLOSED, MetadataBuf::new())])?;
            self.announced = Some((next.name.clone(), reason.clone()));
        }
        self.appender.finish(self.types.lock().named())?;
        self.is_lost = lost.is_some();
        let step = lost.map_or_else(|| Step::Closed(self.file(&reason), self.left(next.sequence)), Step::Lost);
        self.steps.push(step);
        Ok(())
    }

    /// Makes `next` the current segment, begun at `at`; `events` come first in it.
    fn begin_segment(&mut self, next: Prepared, mut events: Vec<(u32, MetadataBuf)>, at: i64) -> Result<()> {
        let previous = MetadataBuf::from_iter([("file", &self.appender.segment.name)]);
        let (first_id, next_id, predecessor) = self.succession();
        let started = match self.target.start(&next, first_id, (predecessor, &self.holes), at) {
            Ok(started) => started,
            Err(error) => {
                // The next try uses the same file, whose name the log states, rather than leave one more behind.
                self.next = next.is_untouched().then_some(next);
                return Err(error);
            }
        };
        let closed = std::mem::replace(&mut self.appender, started);
        self.earliest = Some(i64::MAX);
        self.announced = None;
        // Only now: a writer that opened the log would look for the file that the segment names as the next.
        if let (Some(outdated), Ok((maker, _))) = (self.outdated.take(), self.target.maker(0)) {
            maker.discard(outdated);
        }
        self.mark.set(at, next_id);
        (self.is_lost, self.behind, self.lost_to) = (false, None, 0);
        self.holes.clear();
        if next_id > first_id {
            let lost = [("first_lost_id", first_id.to_string()), ("last_lost_id", (next_id - 1).to_string())];
            // After the events about earlier losses: the last event says which record comes next.
            events.push((event::RECOVERED, MetadataBuf::from_iter(lost)));
            self.skip_to = next_id;
        }
        // Readers of other processes may now see that the old segment does not grow any more.
        let _ = closed.segment.file.unlock();
        self.retired.push(Arc::new(Retired::new(closed)));
        events.extend([(event::OPENED, MetadataBuf::new()), (event::ROTATE_PREV, previous)]);
        self.opening = Some(events);
        self.push_opened();
        self.write_opening()
    }

    fn push_opened(&mut self) {
        let left = Left::at_the_beginning_of(&self.appender.segment.header, self.first_id());
        self.steps.push(Step::Opened(self.file(""), left));
    }

    /// What the log has given when it is closed and continues in no other segment.
    pub fn left_at_the_end(&self) -> Left {
        Left { ends_there: true, ..self.left(0) }
    }

    /// What the log has given with the current segment, which is closed, when there is a segment numbered `sequence`.
    fn left(&self, sequence: u64) -> Left {
        let header = &self.appender.segment.header;
        let last = Last { sequence: header.sequence, bytes: self.appender.end(), marker: header.marker };
        let log_id = header.log_id.clone();
        let sequence = sequence.max(header.sequence);
        Left { log_id, sequence, next_id: self.next_id(), last: Some(last), synced: header.sequence, ends_there: false }
    }

    /// How the next segment follows the current one: the first id that it accounts for, the id of its first record, and
    /// its predecessor. It reports the ids in between as lost.
    fn succession(&self) -> (u64, u64, Option<Predecessor>) {
        let last = &self.appender.segment.header;
        let next_id = self.next_id();
        let this = Predecessor {
            sequence: last.sequence,
            last_id: next_id - 1,
            // It is not known which of its forms will exist: both have the marker of the first.
            bytes: last.original.as_ref().map_or(self.appender.end(), |original| original.bytes),
            marker: last.first_marker(),
            latest_ns: self.latest,
            disorder_ns: self.earliest.and_then(|earliest| last.disorder_with_ns(earliest)),
        };
        // The header states which ids are lost with segments that it names.
        let first_id = next_id.max(self.lost_to);
        match &self.behind {
            Some(Behind::Moved(moved, predecessor)) => {
                let first_id = first_id.max(*moved);
                (first_id, first_id, predecessor.clone())
            }
            Some(Behind::Lost(lost)) => (first_id, first_id.max(*lost), Some(this)),
            // It replaces the removed segment, which readers must not look for.
            None if self.is_lost => (last.first_id, next_id, last.predecessor.clone()),
            None => (first_id, first_id, Some(this)),
        }
    }

    /// Writes the events that begin a segment. The next writer learns the named types and their schemas from them, so no
    /// record may come before.
    pub fn write_opening(&mut self) -> Result<()> {
        if let Some(events) = self.opening.clone() {
            let types = self.types.lock().described()?;
            self.write_events_with(&events, &types)?;
            self.opening = None;
            self.appender.skip_to(self.skip_to);
        }
        Ok(())
    }

    /// The file of the next segment, which is begun for the time `at`: the one that the current segment names already,
    /// the one that was prepared, or a new one when the names of these are for another time.
    fn next_file(&mut self, at: i64) -> Result<Prepared> {
        let (maker, after) = self.target.maker(self.appender.segment.header.sequence)?;
        let fits = |file: &Prepared| file.sequence > after && maker.naming.fits(file.named_as(), at);
        // If another thread is preparing one, this waits for it: making another would take as long.
        let mut ahead = self.next_file.lock();
        let announced = match self.next.take() {
            Some(announced) if fits(&announced) => return Ok(announced),
            announced => announced,
        };
        if let Some((prepared, rules)) = ahead.prepared.take() {
            if rules == maker.naming.stated() && fits(&prepared) {
                self.outdated = announced;
                return Ok(prepared);
            }
            maker.discard(prepared);
        }
        match ahead.make(&maker, after, at) {
            Ok(made) => {
                self.outdated = announced;
                Ok(made)
            }
            Err(error) => {
                // It shows that a roll failed half-way.
                self.next = announced;
                Err(error)
            }
        }
    }

    /// What is needed to prepare the file of the next segment, when none is prepared and the current one is nearly full
    /// or `time_is_near`. A caller that may not come again soon passes `seldom`: half full then counts as nearly full,
    /// unless the file's name would contain a time long before its first record's.
    pub fn wants_next(&self, time_is_near: bool, seldom: bool) -> Option<Order> {
        let nearly_full = self.segment_bytes != u64::MAX && {
            let left = self.segment_bytes.saturating_sub(self.appender.end());
            let seldom = seldom && self.target.naming().is_some_and(|naming| !naming.has_time());
            left <= if seldom { self.segment_bytes / 2 } else { NEARLY_FULL.min(self.segment_bytes / 8) }
        };
        let wanted = (time_is_near || nearly_full) && self.next.is_none() && self.appender.has_records();
        // While it is locked, a file is being created.
        let wanted = wanted && self.next_file.try_lock().is_some_and(|ahead| !ahead.is_settled());
        let (maker, after) = wanted.then(|| self.target.maker(self.appender.segment.header.sequence).ok())??;
        // As much as the current one needs, which is the best guess.
        let bytes = if nearly_full { self.segment_bytes } else { self.appender.end() };
        Some(Order { maker, after, bytes: bytes.min(LAST_STEP) })
    }

    /// Ends the log cleanly. It is not durable yet.
    pub fn close(&mut self) -> Result<()> {
        self.write_opening()?;
        self.discard_ahead();
        if self.is_between_segments() {
            // The log names another segment in which it continues.
            self.roll("close", true, self.clock.now_ns())?;
        }
        if let Some(next) = self.next.take() {
            self.target.maker(0)?.0.discard(next);
        }
        if self.appender.is_closed() {
            // An earlier try has closed it.
            return self.close_segment();
        }
        self.write_events(&[(event::STOPPED, MetadataBuf::new()), (event::CLOSED, MetadataBuf::new())])?;
        self.close_segment()?;
        self.steps.push(Step::Closed(self.file("close"), self.left(0)));
        Ok(())
    }

    /// Removes the prepared file, which does not become a segment.
    fn discard_ahead(&mut self) {
        let prepared = self.next_file.lock().prepared.take();
        if let (Some((prepared, _)), Ok((maker, _))) = (prepared, self.target.maker(0)) {
            maker.discard(prepared);
        }
    }

    fn close_segment(&mut self) -> Result<()> {
        self.appender.close(self.types.lock().named())
    }

    /// Releases the locks: another writer may then open the log.
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
            first_id: self.first_id(),
            records: self.next_id() - self.first_id(),
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

/// When the last segment of a log counts as begun for a writer that opens the log at `now`. The clock may have been
/// corrected since the segment was created, during this writer's time or an earlier one's; the last times written show
/// that.
fn begun_by_now(last: &Appender, rules: &Rules, written: Written, now: i64) -> i64 {
    let begun = rules.begun(last.segment.header.created_ns, written.clock.unwrap_or(i64::MAX));
    let has_been_set_back = rules.begun(begun, now) != begun;
    // Records may have times of their own, so these are used only where nothing else decides.
    match written.records.filter(|&time| has_been_set_back && time <= now) {
        Some(time) => rules.begun(begun, time),
        None => begun,
    }
}

/// Why the last segment of a log, which counts as begun at `begun`, cannot be continued; `None` when it can.
fn why_new_segment(
    target: &crate::log::Target,
    last: &Appender,
    rules: &Rules,
    begun: i64,
    now: i64,
) -> Option<&'static str> {
    if !last.segment.takes_more() {
        return Some("form");
    }
    if !target.naming()?.matches(&last.segment.header) {
        return Some("options");
    }
    rules.why_over((begun, last.first_id()), now, last.next_id(), 0)
}

/// The metadata of a RECOVERED event about bytes that are no blocks.
fn facts_of(hole: &Hole) -> MetadataBuf {
    let place = [("sequence", hole.sequence), ("offset", hole.offset), ("bytes", hole.bytes)];
    let lost = hole.lost().map(|(first, last)| [("first_lost_id", first), ("last_lost_id", last)]);
    let facts = place.into_iter().chain(lost.into_iter().flatten());
    MetadataBuf::from_iter(facts.map(|(key, number)| (key, number.to_string())))
}

fn started_facts() -> [(&'static str, String); 3] {
    [
        ("library", concat!("binlog ", env!("CARGO_PKG_VERSION")).to_owned()),
        ("pid", std::process::id().to_string()),
        ("host", crate::io::host_name()),
    ]
}
