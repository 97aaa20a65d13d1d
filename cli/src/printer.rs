//! Prints the records of a cursor, one after the other.

use binlog::{Cursor, FIRST_NAMED_TYPE};

use crate::decoding::Decoders;
use crate::held::Held;
use crate::losses::{self, LossQueue};
use crate::output::{complain, Fail, Out};
use crate::render::{render, Format, Shown};
use crate::scan::ReadBar;

/// Why no record was printed.
pub enum Stop {
    Log(binlog::Error),
    Output(Fail),
}

/// Where records go, in which form, and how many more of them.
pub struct Printer {
    pub out: Out,
    format: Format,
    headers: bool,
    /// For payloads that are shown as values.
    decoders: Option<Decoders>,
    /// Records that may still be printed.
    pub left: u64,
    /// The losses that the cursors report.
    pub reported: LossQueue,
    /// Losses reported so far.
    pub losses: u64,
    /// Ranges of records that were reported as removed: nothing is damaged there.
    pub removed: u64,
    held: Held,
}

impl Printer {
    pub fn new(out: Out, format: Format, headers: bool, decode: bool, limit: Option<u64>) -> Self {
        Printer {
            out,
            format,
            headers,
            decoders: decode.then(Decoders::new),
            left: limit.unwrap_or(u64::MAX),
            reported: LossQueue::default(),
            losses: 0,
            removed: 0,
            held: Held::default(),
        }
    }

    /// Prints the next record; false when there is none for now.
    pub fn next(&mut self, cursor: &mut Cursor, bar: Option<&ReadBar>) -> Result<bool, Stop> {
        let next = cursor.next();
        report(&self.reported, &mut self.losses, &mut self.out, bar).map_err(Stop::Output)?;
        let Some(record) = next.map_err(Stop::Log)? else { return Ok(false) };
        let shows_type = self.headers || self.decoders.is_some() || matches!(self.format, Format::Hex | Format::Json);
        let rendered = if shows_type && record.type_id >= FIRST_NAMED_TYPE && !record.is_event() {
            // A cursor returns no names while a record borrows it.
            self.held.copy(&record);
            let (type_id, record) = (self.held.type_id, self.held.record());
            let value = match &mut self.decoders {
                Some(decoders) => decoders.value(cursor, type_id, record.payload).map_err(Stop::Log)?,
                None => None,
            };
            let shown = Shown { name: cursor.type_name(type_id), value: value.as_ref() };
            render(&mut self.out, self.format, self.headers, &record, shown)
        } else {
            render(&mut self.out, self.format, self.headers, &record, Shown::default())
        };
        rendered.map_err(|e| Stop::Output(e.into()))?;
        self.left -= 1;
        Ok(true)
    }

    /// Passes over the next record; false when there is none for now.
    pub fn pass(&mut self, cursor: &mut Cursor, bar: Option<&ReadBar>) -> Result<bool, Stop> {
        let next = cursor.next();
        report(&self.reported, &mut self.losses, &mut self.out, bar).map_err(Stop::Output)?;
        Ok(next.map_err(Stop::Log)?.is_some())
    }

    /// Reports the losses before the next record.
    pub fn report_losses(&mut self) -> Result<(), Fail> {
        report(&self.reported, &mut self.losses, &mut self.out, None)
    }
}

#[inline]
fn report(reported: &LossQueue, losses: &mut u64, out: &mut Out, bar: Option<&ReadBar>) -> Result<(), Fail> {
    for loss in reported.take() {
        // On a terminal, both appear in the order of the log.
        out.flush()?;
        let line = losses::line(&loss);
        match bar {
            Some(bar) => bar.hide_while(|| complain(&line)),
            None => complain(&line),
        }
        *losses += 1;
    }
    Ok(())
}
