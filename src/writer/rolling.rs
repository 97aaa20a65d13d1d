//! The write stage's part of rolling: one segment ends, the next begins.

use std::sync::Arc;

use super::ahead::Order;
use super::lost::Lost;
use super::output::Output;
use super::retired::Retired;
use super::stretch::Rules;
use crate::error::Result;
use crate::format::codec::Compressor;
use crate::format::declaration::{Hole, Predecessor};
use crate::io::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use crate::io::sync::Mutex;
use crate::log::{Behind, Last, Left, Naming, Opened, Prepared};
use crate::options::{SegmentFile, SegmentState, WriterOptions};
use crate::record::{event, MetadataBuf, NamedType};
use crate::segment::{Appender, Written, LAST_STEP};

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
    /// When it was asked for: the time that the next segment is begun for, however late it is made.
    pub at: i64,
}

/// Where the current segment begins, for the append stage.
#[derive(Default)]
pub(super) struct Mark {
    created: AtomicI64,
    first_id: AtomicU64,
}

impl Mark {
    fn set(&self, begun: i64, first_id: u64) {
        self.created.store(begun, Ordering::Relaxed);
        self.first_id.store(first_id, Ordering::Release);
    }

    /// When it was created, and the id of its first record.
    pub fn get(&self) -> (i64, u64) {
        let first_id = self.first_id.load(Ordering::Acquire);
        (self.created.load(Ordering::Relaxed), first_id)
    }
}

/// What has to be done about a segment beside the writing of it.
pub(super) enum Step {
    Opened(SegmentFile, Left),
    /// With what the log has given by then.
    Closed(SegmentFile, Left),
    /// Somebody has removed or replaced its file while it was written: no hook may touch what is called so now.
    Lost(Lost),
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
        let Opened { target, appender, types: known, cut, latest, written, behind, left_as_is, holes, lost_to, .. } =
            opened;
        types.lock().extend(known);
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
            told: None,
            ahead: Arc::default(),
            opening: None,
            retired: vec![],
            steps: vec![],
            latest,
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
            // What was closed stays as it is, and so does what is not this writer's to write to.
            Some(reason) if output.appender.is_closed() || !output.appender.segment.takes_more() => {
                output.roll_with(reason, true, events, now)?;
            }
            _ => {
                events.push((event::OPENED, MetadataBuf::new()));
                output.write_events(&events)?;
                if left_as_is.is_none() {
                    // The segment has been begun with them.
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

    /// Carries out a roll that was asked for.
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

    /// A roll got no further than telling the next segment in the current one, or closing that.
    pub fn is_between_segments(&self) -> bool {
        self.told.is_some() || (self.appender.is_closed() && self.next.is_some())
    }

    fn roll_with(&mut self, reason: &str, forced: bool, events: Vec<(u32, MetadataBuf)>, at: i64) -> Result<bool> {
        self.target.check_rolls().map_err(|e| e.at(&self.appender.segment.path))?;
        if !self.appender.has_records() && !self.appender.is_closed() && !forced && self.told.is_none() {
            return Ok(false);
        }
        let next = self.next_file(at)?;
        // Not even the name of the next segment is written to one that takes no more.
        if !self.appender.is_closed() && self.appender.segment.takes_more() {
            if let Err(error) = self.close_for(&next, reason) {
                self.next = Some(next);
                return Err(error);
            }
        }
        self.begin_segment(next, events, at)?;
        Ok(true)
    }

    /// Tells the next segment in the current one, unless an earlier try has, and closes that.
    fn close_for(&mut self, next: &Prepared, reason: &str) -> Result<()> {
        // Whatever rolls: nobody looks for the file any more once it is closed.
        let lost = self.lost();
        let reason = match &self.told {
            _ if lost.is_some() => "deleted".to_owned(),
            Some((_, reason)) => reason.clone(),
            None => reason.to_owned(),
        };
        if self.told.as_ref().is_none_or(|(name, _)| *name != next.name) {
            let facts = MetadataBuf::from_iter([("file", &next.name), ("reason", &reason)]);
            self.write_events(&[(event::ROTATE_NEXT, facts), (event::CLOSED, MetadataBuf::new())])?;
            self.told = Some((next.name.clone(), reason.clone()));
        }
        self.appender.finish(&self.types.lock())?;
        self.is_lost = lost.is_some();
        let step = lost.map_or_else(|| Step::Closed(self.file(&reason), self.left(next.sequence)), Step::Lost);
        self.steps.push(step);
        Ok(())
    }

    /// Makes `next` the current segment, begun at `at`; `events` stand first in it.
    fn begin_segment(&mut self, next: Prepared, mut events: Vec<(u32, MetadataBuf)>, at: i64) -> Result<()> {
        let previous = MetadataBuf::from_iter([("file", &self.appender.segment.name)]);
        let (first_id, next_id, predecessor) = self.succession();
        let started = match self.target.start(&next, first_id, (predecessor, &self.holes), at) {
            Ok(started) => started,
            Err(error) => {
                // The next try takes the same file, whose name the log has told, rather than leave one more behind.
                self.next = next.is_untouched().then_some(next);
                return Err(error);
            }
        };
        let closed = std::mem::replace(&mut self.appender, started);
        self.told = None;
        // Only now: who opened the log would look for the file that it says it goes on in.
        if let (Some(outdated), Ok((maker, _))) = (self.outdated.take(), self.target.maker(0)) {
            maker.discard(outdated);
        }
        self.mark.set(at, next_id);
        (self.is_lost, self.behind, self.lost_to) = (false, None, 0);
        self.holes.clear();
        if next_id > first_id {
            let lost = [("first_lost_id", first_id.to_string()), ("last_lost_id", (next_id - 1).to_string())];
            // Behind what is told of earlier losses: the last one says which record comes.
            events.push((event::RECOVERED, MetadataBuf::from_iter(lost)));
            self.skip_to = next_id;
        }
        // Readers of other processes may now know that no more comes in the old one.
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

    /// What the log has given, which is closed and goes on in no other segment.
    pub fn left_at_the_end(&self) -> Left {
        Left { ends_there: true, ..self.left(0) }
    }

    /// What the log has given with the current segment, which is closed, when a segment numbered `sequence` is there.
    fn left(&self, sequence: u64) -> Left {
        let header = &self.appender.segment.header;
        let last = Last { sequence: header.sequence, bytes: self.appender.end(), marker: header.marker };
        let log_id = header.log_id.clone();
        let sequence = sequence.max(header.sequence);
        Left { log_id, sequence, next_id: self.next_id(), last: Some(last), synced: header.sequence, ends_there: false }
    }

    /// How the next segment follows the current one: the first id that it accounts for, the one of its first record, and
    /// the segment that it names as the one before. It says that the ids between are lost.
    fn succession(&self) -> (u64, u64, Option<Predecessor>) {
        let last = &self.appender.segment.header;
        let next_id = self.next_id();
        let this = Predecessor {
            sequence: last.sequence,
            last_id: next_id - 1,
            // Which of its forms will be there nobody knows: both are known by the marker of the first.
            bytes: last.original.as_ref().map_or(self.appender.end(), |original| original.bytes),
            marker: last.first_marker(),
            latest_ns: self.latest,
        };
        // The header tells which ids are lost with segments that it names.
        let first_id = next_id.max(self.lost_to);
        match &self.behind {
            Some(Behind::Moved(moved, predecessor)) => {
                let first_id = first_id.max(*moved);
                (first_id, first_id, predecessor.clone())
            }
            Some(Behind::Lost(lost)) => (first_id, first_id.max(*lost), Some(this)),
            // It takes the place of the one that was removed: nobody is to look for that.
            None if self.is_lost => (last.first_id, next_id, last.predecessor.clone()),
            None => (first_id, first_id, Some(this)),
        }
    }

    /// Writes the events that begin a segment. The types among them are what the next writer learns of them, so that no
    /// record may come before.
    pub fn write_opening(&mut self) -> Result<()> {
        if let Some(mut events) = self.opening.clone() {
            events.extend(self.types.lock().iter().map(|named| (event::TYPE, named.to_facts())));
            self.write_events(&events)?;
            self.opening = None;
            self.appender.skip_to(self.skip_to);
        }
        Ok(())
    }

    /// The file of the next segment, which is begun for the time `at`: the one that the current one tells already, the one
    /// that was prepared, or a new one where their names tell another time.
    fn next_file(&mut self, at: i64) -> Result<Prepared> {
        let (maker, after) = self.target.maker(self.appender.segment.header.sequence)?;
        let fits = |file: &Prepared| file.sequence > after && maker.naming.fits(file.told(), at);
        // Whoever is preparing one is waited for: making another would take as long.
        let mut ahead = self.ahead.lock();
        let told = match self.next.take() {
            Some(told) if fits(&told) => return Ok(told),
            told => told,
        };
        if let Some((prepared, rules)) = ahead.prepared.take() {
            if rules == maker.naming.told() && fits(&prepared) {
                self.outdated = told;
                return Ok(prepared);
            }
            maker.discard(prepared);
        }
        match ahead.make(&maker, after, at) {
            Ok(made) => {
                self.outdated = told;
                Ok(made)
            }
            Err(error) => {
                // A roll that got half-way is known by it.
                self.next = told;
                Err(error)
            }
        }
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
            self.roll("close", true, self.clock.now_ns())?;
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
        self.steps.push(Step::Closed(self.file("close"), self.left(0)));
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

/// When the segment that a log ends with counts as begun, for whoever opens it `now`. The clock may have been put right since
/// it was created, by this writer's time or an earlier one's: what was written last tells.
fn begun_by_now(last: &Appender, rules: &Rules, written: Written, now: i64) -> i64 {
    let begun = rules.begun(last.segment.header.created_ns, written.clock.unwrap_or(i64::MAX));
    let has_been_set_back = rules.begun(begun, now) != begun;
    // Records may have times of their own, so that they are asked only where nothing else tells.
    match written.records.filter(|&time| has_been_set_back && time <= now) {
        Some(time) => rules.begun(begun, time),
        None => begun,
    }
}

/// Why the segment that a log ends with, which counts as begun at `begun`, is not the one to go on in.
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
    if !target.naming()?.is_told_by(&last.segment.header) {
        return Some("options");
    }
    rules.why_over((begun, last.first_id()), now, last.next_id(), 0)
}

/// What a RECOVERED event says of bytes that are no blocks.
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
