//! The work of an export: reading the log, and writing what is read.

use std::io::{self, Write};

use binlog::columns::TableOptions;
use binlog::contents::SegmentFacts;
use binlog::{Cursor, Error, Filter, Kind, Reader, Tail, FIRST_NAMED_TYPE};

use super::arrow::{self, Arrow};
use super::form::{Form, Stop};
use super::Export;
use crate::held::Held;
use crate::losses::{self, LossQueue};
use crate::output::{complain, Fail};
use crate::scan::{may_have_been_closed_meanwhile, ReadBar};
use crate::signals::Signals;
use crate::{advice, damage, human};

/// How reading came to an end.
pub enum Ended {
    Well,
    /// Something is left unread.
    Damaged,
    Signal(i32),
}

/// Why there is no export.
pub enum Failed {
    Output(io::Error),
    Otherwise(Fail),
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Failed::Output(error)
    }
}

impl From<Fail> for Failed {
    fn from(fail: Fail) -> Self {
        Failed::Otherwise(fail)
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Failed::Otherwise(error.into())
    }
}

pub struct Work<'a> {
    pub args: &'a Export,
    pub signals: Signals,
    pub reported: LossQueue,
    pub bar: ReadBar,
    pub to_file: bool,
    pub records: u64,
    pub bytes: u64,
}

impl Work<'_> {
    /// Writes the records, one after the other.
    pub fn records(
        &mut self,
        reader: &Reader,
        form: &mut dyn Form,
        log: &SegmentFacts,
        out: &mut dyn Write,
    ) -> Result<Ended, Failed> {
        form.begin(out, log)?;
        let mut cursor = reader.cursor(&self.filter())?;
        let (mut held, mut losses, mut second_look) = (Held::default(), 0, false);
        // Records that are appended to a log meanwhile are not the last ones that it had.
        let mut to_copy = self.args.select.last.filter(|_| !self.args.events).unwrap_or(u64::MAX);
        loop {
            if let Some(signal) = self.signals.caught() {
                return Ok(Ended::Signal(signal));
            }
            if to_copy == 0 && cursor.next()?.is_some() {
                form.end(out)?;
                return Ok(if losses > 0 { Ended::Damaged } else { Ended::Well });
            }
            let copied = self.next(&mut cursor, &mut held, form, out);
            losses += self.report();
            self.bar.show(&cursor);
            match copied? {
                true => (to_copy, second_look) = (to_copy.saturating_sub(1), false),
                false if !second_look && may_have_been_closed_meanwhile(&cursor) => second_look = true,
                false => break,
            }
        }
        form.end(out)?;
        Ok(self.ended(&cursor.tail(), losses))
    }

    /// Writes the library's table, batch by batch.
    pub fn table(&mut self, reader: &Reader, out: &mut dyn Write) -> Result<Ended, Failed> {
        let options = TableOptions { columns: arrow::columns(&self.args.columns), ..TableOptions::default() };
        let mut table = reader.table(&self.filter(), &options)?;
        let mut arrow = Arrow::begin(out, table.schema(), self.to_file)?;
        let mut losses = 0;
        loop {
            if let Some(signal) = self.signals.caught() {
                return Ok(Ended::Signal(signal));
            }
            let batch = table.next_batch();
            losses += self.report();
            self.bar.show_now(table.cursor());
            let Some(batch) = batch.map_err(|e| self.broken(&e))? else { break };
            self.records += batch.rows() as u64;
            self.bytes += arrow::payload_bytes(&batch, table.schema());
            arrow.batch(batch)?;
        }
        arrow.end()?;
        let mut tail = table.cursor().tail();
        // A salvaging cursor has reported a torn tail already.
        if !self.args.salvage && may_have_been_closed_meanwhile(table.cursor()) {
            tail = end_now(reader, tail);
        }
        Ok(self.ended(&tail, losses))
    }

    fn filter(&self) -> Filter {
        Filter { events: self.args.events, ..self.args.select.filter() }
    }

    /// Prints the losses since the last call, and returns how many there are.
    fn report(&self) -> usize {
        let losses = self.reported.take();
        for loss in &losses {
            self.bar.hide_while(|| complain(&losses::line(loss)));
        }
        losses.len()
    }

    fn ended(&self, tail: &Tail, losses: usize) -> Ended {
        match damage::at_the_end(tail, &self.args.log) {
            // A salvaging cursor has reported it as a loss.
            Some(trouble) if !self.args.salvage => {
                self.bar.hide_while(|| complain(&trouble));
                Ended::Damaged
            }
            _ if losses > 0 => Ended::Damaged,
            _ => Ended::Well,
        }
    }

    /// What an export that fails leaves.
    fn exported(&self) -> &'static str {
        match self.to_file {
            true => "nothing was exported",
            false => "the records before it were printed",
        }
    }

    fn broken(&self, error: &Error) -> Fail {
        let exported = self.exported();
        Fail::Message(match error.kind() {
            Kind::Corrupt => format!(
                "{error}; {exported}; --salvage exports what is behind damage too; {}",
                advice::advice(&self.args.log)
            ),
            _ => format!("{error}; {exported}"),
        })
    }

    /// Writes the next record; false when there is none.
    fn next(
        &mut self,
        cursor: &mut Cursor,
        held: &mut Held,
        form: &mut dyn Form,
        out: &mut dyn Write,
    ) -> Result<bool, Failed> {
        let Some(record) = cursor.next().map_err(|e| self.broken(&e))? else { return Ok(false) };
        let id = record.id;
        if !record.is_event() {
            self.records += 1;
            self.bytes += record.payload.len() as u64;
        }
        let written = if record.type_id >= FIRST_NAMED_TYPE && !record.is_event() {
            // A cursor returns no names while a record borrows it.
            held.copy(&record);
            form.record(out, &held.record(), cursor.type_name(held.type_id))
        } else {
            form.record(out, &record, None)
        };
        match written {
            Ok(()) => Ok(true),
            Err(Stop::Output(e)) => Err(e.into()),
            Err(Stop::Refused(why)) => {
                let (log, id) = (self.args.log.display(), human::count(id));
                Err(Fail::Message(format!("{log}: record {id} {why}; {}", self.exported())).into())
            }
        }
    }
}

/// Where the log ends now: a table that has ended reads no further, and its end may have looked torn only because a
/// writer was at work.
fn end_now(reader: &Reader, seen: Tail) -> Tail {
    let rest = Filter { from_id: Some(seen.next_id), headers_only: true, ..Filter::default() };
    let Ok(mut cursor) = reader.cursor(&rest) else { return seen };
    loop {
        match cursor.next_batch(usize::MAX, |_| ()) {
            Ok(0) => return cursor.tail(),
            Ok(_) => (),
            Err(_) => return seen,
        }
    }
}
