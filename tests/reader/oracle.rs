//! Random logs, which are damaged, rolled and pruned between opening a reader and querying it, and random queries: the
//! answers are compared with what was written. No record is shown that was not written, none is shown twice or out of
//! order, and none is left out silently.
//!
//! `BINLOG_ORACLE_SEEDS` sets how many logs are tried, `BINLOG_ORACLE_FIRST` the first seed.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use crate::common::history::*;
use crate::common::layout::Segment;
use crate::common::*;
use binlog::io::{write_full, Access, Directory};
use binlog::{Codec, Cursor, Error, Filter, Kind, Reader, ReaderMode, ReaderOptions, Tail, TailState, WriterOptions};

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().map_or(default, |text| text.parse().expect("a number"))
}

/// A log, and what happened to it.
struct World {
    log: Log,
    dice: Dice,
    /// Ids of records whose files were removed: all up to this one.
    removed: u64,
    /// Ids that damage may have cost.
    touched: BTreeSet<u64>,
    /// Ids at which damage may stop a forward reader: those of the first record after each damaged place.
    stops: BTreeSet<u64>,
    /// The last file is damaged: its writer would notice, and fail.
    is_end_damaged: bool,
    /// Id of the first record of damaged blocks that no whole block follows: they look the same as what a crash leaves.
    torn_from: Option<u64>,
    /// The beginning of a file is damaged.
    is_header_lost: bool,
    /// Id of the last record in each file that has records.
    last_ids: BTreeMap<String, u64>,
    /// What was done, for messages.
    story: Vec<String>,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut dice = Dice(seed);
        let codec = match dice.roll(4) {
            0 => codecs().nth(dice.roll(codecs().count())).unwrap(),
            _ => Codec::None,
        };
        let block_bytes = [4 << 10, 4 << 10, 16 << 10, 64 << 10][dice.roll(4)];
        let index_bytes = [4096, 1 << 20][dice.roll(2)];
        let log = Log::new(WriterOptions { block_bytes, index_bytes, ..small_blocks(codec) });
        let story = vec![format!("{codec:?}, blocks of {block_bytes}, index {index_bytes}")];
        let mut world = World {
            log,
            dice,
            removed: 0,
            touched: BTreeSet::new(),
            stops: BTreeSet::new(),
            is_end_damaged: false,
            torn_from: None,
            is_header_lost: false,
            last_ids: BTreeMap::new(),
            story,
        };
        if world.dice.one_in(8) {
            // More than are opened to find their order.
            for _ in 0..70 {
                let count = world.dice.roll(3);
                world.append(count);
                world.log.writer().roll().unwrap();
            }
            world.story = vec![format!("70 segments, up to {}", world.log.rows.len())];
        }
        for _ in 0..1 + world.dice.roll(5) {
            let count = 1 + world.dice.roll(120);
            world.append(count);
            if world.dice.one_in(2) {
                world.log.writer().roll().unwrap();
                world.story.push("roll".into());
            }
        }
        world
    }

    fn append(&mut self, count: usize) {
        let most = [20, 200, 1500, 9000][self.dice.roll(4)];
        for _ in 0..count {
            let id = self.log.rows.len() as u64 + 1;
            let late = if self.dice.one_in(9) { 300 } else { 0 };
            let metadata = match self.dice.roll(5) {
                0 => vec![("user".to_owned(), ["a", "b", "c"][self.dice.roll(3)].to_owned())],
                _ => vec![],
            };
            let made = Made {
                type_id: self.dice.roll(4) as u32,
                time: 10 * id as i64 - late,
                metadata,
                len: self.dice.roll(most),
                seed: id,
            };
            self.log.put(&made);
            if self.dice.one_in(25) {
                self.log.writer().flush().unwrap();
            }
        }
        self.log.writer().sync().unwrap();
        self.last_ids.extend(self.files().pop().map(|file| (file, self.log.rows.len() as u64)));
        self.story.push(format!("append to {}", self.log.rows.len()));
    }

    fn files(&self) -> Vec<String> {
        let mut files = self.log.directory.list().unwrap();
        files.retain(|name| name.ends_with(".binlog"));
        files
    }

    fn bytes(&self, file: &str) -> Vec<u8> {
        self.log.directory.contents(file).unwrap()
    }

    fn is_damaged(&self) -> bool {
        !self.stops.is_empty()
    }

    /// Lets something happen to the log.
    fn happen(&mut self) {
        match self.dice.roll(7) {
            0 | 1 if self.log.writer.is_some() && !self.is_end_damaged => {
                let count = 1 + self.dice.roll(120);
                self.append(count);
                if self.dice.one_in(2) {
                    self.log.writer().roll().unwrap();
                    self.story.push("roll".into());
                }
            }
            2 | 3 => self.prune(),
            4 | 5 if !self.is_damaged() => self.damage(),
            6 if !self.is_damaged() => match self.log.writer.is_some() {
                true => {
                    self.log.close();
                    self.story.push("close".into());
                }
                false => {
                    self.log.reopen(self.log.options.codec);
                    self.story.push("reopen".into());
                }
            },
            _ => (),
        }
    }

    fn prune(&mut self) {
        let files = self.files();
        // The last ones stay: a writer may have them open.
        let count = self.dice.roll(files.len().saturating_sub(2) + 1);
        for file in &files[..count] {
            self.removed = self.removed.max(self.last_ids.get(file).copied().unwrap_or(0));
            self.log.directory.remove(file).unwrap();
        }
        self.story.push(format!("prune {count} files, up to {}", self.removed));
    }

    /// Changes bytes of one file where it is.
    fn damage(&mut self) {
        let files = self.files();
        let file = &files[self.dice.roll(files.len())];
        let bytes = self.bytes(file);
        let segment = Segment::parse(&bytes);
        let at = match self.dice.roll(3) {
            0 => self.dice.roll(bytes.len()),
            // The smaller parts are hit seldom by chance.
            1 => segment.blocks[self.dice.roll(segment.blocks.len())].offset + self.dice.roll(80),
            _ => {
                let block = &segment.blocks[self.dice.roll(segment.blocks.len())];
                block.entries.start + self.dice.roll(block.entries.len().max(1))
            }
        };
        let at = at.min(bytes.len() - 1);
        let range = at..bytes.len().min(at + [1, 1, 100, 5000][self.dice.roll(4)]);
        self.note_damage(&segment, &range);
        self.is_end_damaged = files.last() == Some(file);
        let reaches_end = segment.blocks.last().is_some_and(|block| range.end > block.offset);
        if self.is_end_damaged && reaches_end {
            self.torn_from = segment.blocks.iter().find(|block| block.end() > range.start).map(|block| block.first_id);
        }
        let mut bad = bytes[range.clone()].to_vec();
        match self.dice.roll(2) {
            0 => bad.iter_mut().for_each(|byte| *byte ^= 0x41),
            _ => bad.iter_mut().for_each(|byte| *byte = !*byte),
        }
        let handle = self.log.directory.open(file, Access::ReadWrite).unwrap();
        write_full(&*handle, &[&bad], range.start as u64).map_err(|(_, e)| e).unwrap();
        self.story.push(format!("damage {file} {range:?}: {:?}", self.touched));
    }

    fn note_damage(&mut self, segment: &Segment, range: &Range<usize>) {
        let overlaps = |other: &Range<usize>| other.start < range.end && range.start < other.end;
        if range.start < segment.start {
            self.is_header_lost = true;
            self.stops.extend(segment.blocks.first().map(|block| block.first_id));
            self.touched.extend(segment.blocks.iter().flat_map(|block| block.ids()));
            return;
        }
        for block in segment.blocks.iter().filter(|block| overlaps(&(block.offset..block.end()))) {
            self.stops.insert(block.first_id);
            if block.codec != 0 || block.records.is_empty() || overlaps(&(block.offset..block.entries.end)) {
                self.touched.extend(block.ids());
                continue;
            }
            let bad: Vec<_> = (0..block.pages()).map(|page| block.page(page)).filter(|page| overlaps(page)).collect();
            let is_hit = |at: &Range<usize>| bad.iter().any(|page| at.start < page.end && page.start < at.end);
            self.touched.extend(block.records.iter().filter(|(at, _)| is_hit(at)).filter_map(|(_, id)| *id));
        }
    }

    fn filter(&mut self) -> Filter {
        let rows = std::mem::take(&mut self.log.rows);
        let filter = self.dice.filter(&rows);
        self.log.rows = rows;
        // The model has no events and no names.
        Filter { events: false, type_names: vec![], ..filter }
    }
}

/// What a cursor has returned.
struct Said {
    rows: Vec<Row>,
    missed: Vec<(u64, u64)>,
    end: Result<Tail, Error>,
}

fn ask(cursor: &mut Cursor, way: Way, before: Said) -> Said {
    let mut said = before;
    loop {
        let seen = drain(cursor, way);
        said.rows.extend(seen.rows);
        match seen.end {
            Err(e) if e.missed().is_some() => said.missed.extend(e.missed()),
            end => return Said { end, ..said },
        }
    }
}

fn nothing() -> Said {
    Said { rows: vec![], missed: vec![], end: Ok(Tail::default()) }
}

/// A question that was asked of a reader.
struct Asked<'a> {
    world: &'a World,
    filter: Filter,
    mode: ReaderMode,
    /// Id of the first record of the log when the reader was opened, or of what a seek went to.
    begins: u64,
    /// Ids of the last record when the cursor was made.
    ends: u64,
    what: String,
}

impl Asked<'_> {
    fn fail(&self, said: &Said, reason: &str) -> ! {
        let ids: Vec<u64> = said.rows.iter().map(|row| row.id).collect();
        panic!(
            "{reason}\n{}\n{:?} {:?}\nlog: {:#?}\nshown: {ids:?}\nmissed: {:?}\nend: {:?}",
            self.what, self.mode, self.filter, self.world.story, said.missed, said.end
        );
    }

    fn is_reported_missed(&self, said: &Said, id: u64) -> bool {
        said.missed.iter().any(|&(first, last)| (first..=last).contains(&id))
    }

    /// Checks what all answers have in common.
    fn judge(&self, said: &Said) {
        let (world, filter) = (self.world, &self.filter);
        let everything = Filter { last: None, newest_first: false, ..filter.clone() };
        let mut wanted = shown_of(&world.log.rows, &everything);
        if filter.newest_first {
            wanted.retain(|row| row.id <= self.ends);
            wanted.reverse();
        }
        // Each as it was written, once, in order, and wanted.
        let mut next = 0;
        let mut at = vec![];
        for row in &said.rows {
            match wanted[next..].iter().position(|wanted| wanted == row) {
                Some(skipped) => {
                    at.push(next + skipped);
                    next += skipped + 1;
                }
                None => self.fail(said, &format!("{} was not written, not wanted or shown before", brief(row))),
            }
        }
        let mut missed = BTreeSet::new();
        for &(first, last) in &said.missed {
            let asked = filter.from_id.unwrap_or(0)..=filter.to_id.unwrap_or(u64::MAX);
            if first > last || last > world.removed || !asked.contains(&first) || !asked.contains(&last) {
                self.fail(said, "what is reported as missed is there, or was not asked for");
            }
            if (first..=last).any(|id| !missed.insert(id)) || said.rows.iter().any(|row| missed.contains(&row.id)) {
                self.fail(said, "reported as missed twice, or shown and reported as missed");
            }
        }
        if self.mode == ReaderMode::Salvage {
            return;
        }
        let first_at = at.first().copied().unwrap_or(0);
        let last_at = at.last().copied();
        let is_accounted = |row: &Row| row.id < self.begins || self.is_reported_missed(said, row.id);
        match &said.end {
            Err(e) => {
                let is_unclean = self.mode == ReaderMode::Strict && world.log.writer.is_none() && !world.is_damaged();
                if e.kind() != Kind::Corrupt || (!world.is_damaged() && !is_unclean) {
                    self.fail(said, "an error without damage");
                }
                if e.path().is_none() || e.offset().is_none() || e.to_string().contains('\n') {
                    self.fail(said, "an error without a place");
                }
                // Up to the error, nothing is left out.
                let shown: BTreeSet<u64> = said.rows.iter().map(|row| row.id).collect();
                let range = first_at..last_at.map_or(first_at, |last| last + 1);
                if wanted[range].iter().any(|row| !shown.contains(&row.id) && !is_accounted(row)) {
                    self.fail(said, "a record is left out between those that are shown");
                }
                if filter.last.is_none() && !filter.newest_first && self.mode == ReaderMode::Prefix {
                    let stop = world.stops.first().copied().unwrap_or(0);
                    // A first segment whose header is damaged does not say what was removed before it.
                    let is_known = |row: &Row| !world.is_header_lost || row.id > world.removed;
                    let left_out =
                        |row: &&Row| row.id < stop && is_known(row) && !shown.contains(&row.id) && !is_accounted(row);
                    if let Some(row) = wanted.iter().find(left_out) {
                        self.fail(said, &format!("record {} is before the damage and not shown", row.id));
                    }
                }
            }
            Ok(tail) => {
                let most = filter.last.map_or(usize::MAX, |last| last as usize);
                let shown: BTreeSet<u64> = said.rows.iter().map(|row| row.id).collect();
                let is_left_out = |row: &&Row| !shown.contains(&row.id) && !is_accounted(row);
                // Unless something proves that it was durable, damage at the very end may be a torn tail, or not be
                // written yet.
                let may_be_torn = matches!(tail.state, TailState::Torn | TailState::Live | TailState::Unclosed);
                let in_tail = |row: &Row| may_be_torn && world.torn_from.is_some_and(|from| from <= row.id);
                let mut left_out: Vec<&Row> = wanted.iter().filter(is_left_out).collect();
                left_out.retain(|row| !in_tail(row));
                if filter.last.is_some() {
                    // Only the last ones of the existing records are requested.
                    let there = wanted
                        .iter()
                        .filter(|row| shown.contains(&row.id) || (row.id > world.removed && !in_tail(row)));
                    let ids: BTreeSet<u64> = there.map(|row| row.id).collect();
                    let asked: BTreeSet<u64> = ids.iter().rev().take(most).copied().collect();
                    left_out.retain(|row| asked.contains(&row.id));
                    let appended = world.log.rows.len() as u64 - self.ends;
                    if shown.len() > most.saturating_add(appended as usize) {
                        self.fail(said, "more than were asked for");
                    }
                }
                if let Some(row) = left_out.first() {
                    self.fail(said, &format!("record {} is left out without a word", row.id));
                }
                if tail.state == TailState::More || tail.state == TailState::Corrupt {
                    self.fail(said, "an end that is none");
                }
            }
        }
    }
}

/// Asks a reader, with things happening in between.
fn question(world: &mut World, reader: &Reader, mode: ReaderMode, begins: u64) {
    let mut filter = world.filter();
    filter.newest_first = world.dice.one_in(3);
    if world.dice.one_in(3) {
        filter.last = Some([0, 1, 3, 50, 100_000][world.dice.roll(5)]);
    }
    let way = WAYS[world.dice.roll(WAYS.len())];
    let ends = world.log.rows.len() as u64;
    world.story.push(format!("ask {way:?} {filter:?}"));
    let mut cursor = match reader.cursor(&filter) {
        Ok(cursor) => cursor,
        Err(e) if e.kind() == Kind::Corrupt && world.is_damaged() => return,
        Err(e) => panic!("{e}\n{filter:?}\n{:#?}", world.story),
    };
    let mut said = nothing();
    let is_disturbed = world.dice.one_in(2);
    if is_disturbed {
        // Reads some records first; then something happens.
        for _ in 0..world.dice.roll(40) {
            match cursor.next() {
                Ok(Some(record)) => said.rows.push(Row::from(&record)),
                Ok(None) => break,
                Err(e) if e.missed().is_some() => said.missed.extend(e.missed()),
                Err(_) => break,
            }
        }
        world.happen();
    }
    let said = ask(&mut cursor, way, said);
    // Removed records of a requested time are reported, also when they were removed before the reader was opened.
    let is_of_time = filter.from_time.is_some() && filter.last.is_none();
    let begins = filter.from_id.unwrap_or(if is_of_time { 0 } else { begins });
    let asked = Asked { world, filter, mode, begins, ends, what: "a cursor".into() };
    asked.judge(&said);
    if !is_disturbed {
        // Whatever was asked meanwhile, the answer is the same.
        let others =
            [Filter { newest_first: true, ..Filter::default() }, Filter { from_id: Some(ends), ..Filter::default() }];
        for other in others {
            let _ = reader.cursor(&other).map(|mut cursor| ask(&mut cursor, Way::Next, nothing()).rows.len());
        }
        let again = ask(&mut reader.cursor(&asked.filter).unwrap(), Way::Next, nothing());
        let is_same = again.rows == said.rows
            && again.missed == said.missed
            && again.end.as_ref().map_err(|e| e.to_string()) == said.end.as_ref().map_err(|e| e.to_string());
        if !is_same {
            asked.fail(&again, "the same question has another answer than before");
        }
    }
}

/// Goes back and forth with one cursor.
fn seeks(world: &mut World, reader: &Reader, mode: ReaderMode, begins: u64) {
    let filter = match world.dice.one_in(2) {
        true => Filter::default(),
        false => Filter { from_time: None, ..world.filter() },
    };
    let Ok(mut cursor) = reader.cursor(&filter) else { return };
    for _ in 0..6 {
        if world.dice.one_in(4) {
            world.happen();
        }
        let ends = world.log.rows.len() as u64;
        let id = world.dice.roll(ends as usize + 3) as u64;
        let from_id = id.max(filter.from_id.unwrap_or(0));
        if world.dice.one_in(2) {
            world.story.push(format!("get {id} {filter:?}"));
            let wanted = shown_of(&world.log.rows, &filter).into_iter().find(|row| row.id == id);
            let got = cursor.get(id).map(|record| record.map(|record| Row::from(&record)));
            let in_tail = world.torn_from.is_some_and(|from| from <= id);
            let is_right = match &got {
                Ok(Some(row)) => wanted.as_ref() == Some(row),
                // A torn tail hides it, or nothing records that it was there.
                Ok(None) => wanted.is_none() || (in_tail && cursor.tail().state != TailState::Closed),
                Err(e) if e.kind() == Kind::Missed => e.missed() == Some((id, id)) && id <= world.removed,
                Err(e) => e.kind() == Kind::Corrupt && world.is_damaged(),
            };
            assert!(
                is_right,
                "get {id}: {got:?}, not {:?}\n{filter:?}\n{:#?}",
                wanted.as_ref().map(brief),
                world.story
            );
            if got.is_err() && wanted.is_some() && mode == ReaderMode::Prefix && id > world.removed {
                assert!(
                    world.stops.first().is_some_and(|&stop| stop <= id),
                    "get {id}: {got:?}: it is before the damage\n{filter:?}\n{:#?}",
                    world.story
                );
            }
            continue;
        }
        let (time, begins) = (10 * id as i64, if world.dice.one_in(2) { from_id } else { begins.max(from_id) });
        let filter = match begins == from_id {
            true => {
                cursor.seek(id).unwrap_or_else(|e| panic!("seek {id}: {e}\n{:#?}", world.story));
                Filter { from_id: Some(from_id), ..filter.clone() }
            }
            false => {
                cursor.seek_time(time).unwrap_or_else(|e| panic!("seek_time {time}: {e}\n{:#?}", world.story));
                let from_time = Some(time.max(filter.from_time.unwrap_or(i64::MIN)));
                Filter { from_time, ..filter.clone() }
            }
        };
        world.story.push(format!("seek {id} {filter:?}"));
        let said = ask(&mut cursor, WAYS[world.dice.roll(WAYS.len())], nothing());
        // Where the log knows that records of a sought time are missing, it reports them.
        let begins = if filter.from_time.is_some() { world.removed + 1 } else { begins };
        Asked { world, filter, mode, begins, ends, what: format!("seek {id}") }.judge(&said);
    }
}

fn counts(world: &World, reader: &Reader) {
    match reader.counts() {
        Ok(counts) => {
            let counted: u64 = counts.iter().map(|count| count.records).sum();
            let there = world.log.rows.len() as u64 - world.removed;
            assert!(counted == there || world.is_damaged(), "{counted} records, not {there}\n{:#?}", world.story);
        }
        Err(e) => assert!(e.kind() == Kind::Corrupt && world.is_damaged(), "{e}\n{:#?}", world.story),
    }
}

/// All that damage did not touch is saved, and what is reported as lost is not shown.
fn salvage(world: &mut World) {
    let (options, losses) = hearing(ReaderMode::Salvage);
    let reader = match Reader::open(Arc::new(world.log.directory.clone()), options) {
        Ok(reader) => reader,
        Err(e) => return assert!(world.is_damaged(), "{e}\n{:#?}", world.story),
    };
    let mut filter = world.filter();
    if world.dice.one_in(2) {
        filter = Filter { last: Some(world.dice.roll(300) as u64), ..Filter::default() };
    }
    let headers_only = filter.headers_only;
    let said = ask(&mut reader.cursor(&filter).unwrap(), Way::Batch(7), nothing());
    let shown: BTreeSet<u64> = said.rows.iter().map(|row| row.id).collect();
    let most = filter.last.map_or(usize::MAX, |last| last as usize);
    let all = Filter { last: None, ..filter.clone() };
    let (ends, story) = (world.log.rows.len() as u64, world.story.clone());
    let asked = Asked { world, filter, mode: ReaderMode::Salvage, begins: 0, ends, what: "salvage".into() };
    asked.judge(&said);
    let wanted = shown_of(&asked.world.log.rows, &all);
    let safe: Vec<u64> = wanted.iter().map(|row| row.id).filter(|id| *id > asked.world.removed).collect();
    let safe: Vec<u64> = safe.into_iter().filter(|id| !asked.world.touched.contains(id)).collect();
    let from = shown.first().copied().unwrap_or(u64::MAX);
    for id in safe.iter().rev().take(most).filter(|id| most == usize::MAX || **id >= from) {
        assert!(
            shown.contains(id),
            "{id} could be saved, of {shown:?}\n{all:?} {most} {:?} {:?}\n{story:#?}",
            said.end,
            losses.lock().unwrap()
        );
    }
    assert!(shown.len() >= safe.len().min(most), "{} of {} {most}\n{story:#?}", shown.len(), safe.len());
    let mut reported = BTreeSet::new();
    for loss in losses.lock().unwrap().iter() {
        for id in loss.ids.into_iter().flat_map(|(first, last)| first..=last) {
            assert!(reported.insert(id), "the loss of {id} is reported twice: {loss:?}\n{story:#?}");
            assert!(!shown.contains(&id) || headers_only, "{id} is shown and reported as lost: {loss:?}\n{story:#?}");
            assert!(asked.world.touched.contains(&id), "{id} is not lost: {loss:?}\n{story:#?}");
        }
    }
}

fn first_id(reader: &Reader) -> u64 {
    reader.segments().first().map_or(1, |segment| segment.first_id)
}

#[test]
fn whatever_is_asked_of_a_log_that_changes_the_answer_is_what_was_written() {
    let first = number("BINLOG_ORACLE_FIRST", 1);
    for seed in first..first + number("BINLOG_ORACLE_SEEDS", 12) {
        let mut world = World::new(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        world.story.push(format!("seed {seed}"));
        let mut readers = vec![];
        for _ in 0..3 {
            for mode in [ReaderMode::Prefix, ReaderMode::Strict] {
                let options = ReaderOptions { mode, ..ReaderOptions::default() };
                // Other tests cover the error for a damaged beginning.
                if let Ok(reader) = Reader::open(Arc::new(world.log.directory.clone()), options) {
                    let begins = first_id(&reader);
                    readers.push((reader, mode, begins));
                }
            }
            world.happen();
            for (reader, mode, begins) in &readers {
                for _ in 0..3 {
                    question(&mut world, reader, *mode, *begins);
                }
                seeks(&mut world, reader, *mode, *begins);
                counts(&world, reader);
            }
            salvage(&mut world);
        }
    }
}
