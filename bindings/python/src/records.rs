//! The iterator over records. A batch of them is copied from its block without the GIL, and shown one by one.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

use binlog::{Cursor, Interrupter, Kind, MetadataBuf, FIRST_NAMED_TYPE};
use parking_lot::{Mutex, MutexGuard};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::error::{self, raised, OrRaise};
use crate::record::{Payload, Record};
use crate::types::NamedType;
use crate::{convert, facts};

/// Records that are copied at a time: few at first, as some callers want few.
const FIRST: usize = 32;
const MOST: usize = 2048;
/// The longest wait until signals are looked at: one may have come in another thread than the waiting one.
const LOOK: Duration = Duration::from_millis(200);

/// How records are shown.
pub struct Showing {
    pub follow: bool,
    pub timeout: Option<Duration>,
    pub views: bool,
    pub headers_only: bool,
    /// When there are patterns that the filter does not have.
    pub wanted: Option<Wanted>,
}

/// Types that are taken, for a filter of patterns.
pub struct Wanted {
    pub numbers: Vec<u32>,
    pub names: Vec<String>,
    pub patterns: Vec<String>,
}

/// Iterates over the records of a log.
#[pyclass(frozen, module = "libbinlog")]
pub struct Records {
    reading: Mutex<Reading>,
    /// The thread that holds the lock while it reads.
    reader: AtomicU64,
    closed: AtomicBool,
    interrupter: Interrupter,
}

struct Reading {
    /// `None` when closed.
    cursor: Option<Cursor>,
    showing: Showing,
    batch: Batch,
    most: usize,
    types: HashMap<u32, Arc<NamedType>>,
    last: Option<(u32, Option<Arc<NamedType>>)>,
    block: Option<Py<PyBytes>>,
    ended: bool,
    /// Records that may still come: those that are appended to a log meanwhile are not the last ones that it had.
    left: u64,
}

/// Copies of records.
#[derive(Default)]
struct Batch {
    at: usize,
    records: Vec<Copied>,
    bytes: Vec<u8>,
    /// Bytes of the payload that there was no memory for. The records behind it were read, but not copied.
    too_much: Option<usize>,
}

struct Copied {
    id: u64,
    time: i64,
    number: u32,
    length: u32,
    payload: usize,
    pairs: Option<Box<MetadataBuf>>,
}

impl Batch {
    fn fill(&mut self, cursor: &mut Cursor, most: usize) -> binlog::Result<usize> {
        self.at = 0;
        self.records.clear();
        self.bytes.clear();
        let Batch { records, bytes, too_much, .. } = self;
        cursor.next_batch(most, |record| {
            if too_much.is_some() || bytes.try_reserve(record.payload.len()).is_err() {
                too_much.get_or_insert(record.payload.len());
                return;
            }
            records.push(Copied {
                id: record.id,
                time: record.time,
                number: record.type_id,
                length: record.payload_len,
                payload: bytes.len(),
                pairs: (!record.metadata.is_empty())
                    .then(|| Box::new(record.metadata.into_iter().collect::<MetadataBuf>())),
            });
            bytes.extend_from_slice(record.payload);
        })
    }
}

impl Records {
    pub fn new(cursor: Cursor, showing: Showing, most: Option<u64>) -> Self {
        Records {
            interrupter: cursor.interrupter(),
            reading: Mutex::new(Reading {
                cursor: Some(cursor),
                showing,
                batch: Batch::default(),
                most: FIRST,
                types: HashMap::new(),
                last: None,
                block: None,
                ended: false,
                left: most.unwrap_or(u64::MAX),
            }),
            reader: AtomicU64::new(0),
            closed: AtomicBool::new(false),
        }
    }

    /// Takes the lock; another thread that has it may need the GIL to give it back.
    fn lock(&self, py: Python<'_>) -> PyResult<MutexGuard<'_, Reading>> {
        loop {
            if let Some(reading) = self.reading.try_lock() {
                return Ok(reading);
            }
            if self.reader.load(Ordering::Relaxed) == this_thread() {
                let reason =
                    "this thread is reading the records already: a function that it calls must not read them too";
                return Err(error::new(py, "invalid", reason));
            }
            py.detach(|| drop(self.reading.lock()));
        }
    }

    /// Reads the next batch; false at the end.
    #[inline(never)]
    fn read_on(&self, py: Python<'_>, reading: &mut Reading) -> PyResult<bool> {
        self.reader.store(this_thread(), Ordering::Relaxed);
        let read = self.read_batch(py, reading);
        self.reader.store(0, Ordering::Relaxed);
        read
    }

    fn read_batch(&self, py: Python<'_>, reading: &mut Reading) -> PyResult<bool> {
        let began = Instant::now();
        loop {
            if self.closed.load(Ordering::Relaxed) || reading.ended {
                return Ok(false);
            }
            if let Some(bytes) = reading.batch.too_much {
                reading.ended = true;
                return Err(convert::no_memory(py, bytes));
            }
            let Reading { cursor: Some(cursor), batch, most, showing, left, .. } = reading else { return Ok(false) };
            let within = usize::try_from(*left).unwrap_or(usize::MAX);
            // Behind the last one, there may be damage.
            let read = py.detach(|| match within {
                0 => cursor.next_batch(1, |_| ()).map(|_| 0),
                _ => batch.fill(cursor, within.min(*most)),
            });
            let count = match read {
                Ok(count) => count,
                Err(error) if error.kind() == Kind::Interrupted => {
                    py.check_signals()?;
                    continue;
                }
                Err(error) => return Err(raised(py, &error)),
            };
            *left -= count as u64;
            if count > 0 {
                *most = (*most * 2).min(MOST);
                return reading.prepare(py).map(|()| true);
            }
            if !showing.follow {
                return Ok(false);
            }
            let left = match showing.timeout {
                Some(timeout) => timeout.saturating_sub(began.elapsed()),
                None => LOOK,
            };
            match py.detach(|| cursor.wait(left.min(LOOK))) {
                Ok(false) if left.is_zero() => return Ok(false),
                Ok(_) => (),
                Err(error) if error.kind() == Kind::Interrupted => (),
                Err(error) => return Err(raised(py, &error)),
            }
            py.check_signals()?;
        }
    }
}

impl Reading {
    /// Learns the types of the batch, and makes the block for views.
    fn prepare(&mut self, py: Python<'_>) -> PyResult<()> {
        self.last = None;
        let mut before = None;
        for at in 0..self.batch.records.len() {
            let number = self.batch.records[at].number;
            if before.replace(number) == Some(number) || !(FIRST_NAMED_TYPE..binlog::EVENT_BIT).contains(&number) {
                continue;
            }
            self.learn(py, number)?;
        }
        self.block = match self.showing.views && !self.showing.headers_only {
            true => Some(bytes(py, &self.batch.bytes)?.unbind()),
            false => None,
        };
        Ok(())
    }

    fn learn(&mut self, py: Python<'_>, number: u32) -> PyResult<()> {
        let Some(cursor) = &mut self.cursor else { return Ok(()) };
        let Some(name) = cursor.type_name(number) else {
            self.types.remove(&number);
            return Ok(());
        };
        let known = self.types.get(&number);
        // A block's types are asked for often, and nearly always known.
        if known.is_some_and(|known| known.info.name == name && known.info.schema_sha256.is_none()) {
            return Ok(());
        }
        let Some(info) = py.detach(|| cursor.type_info(number)).or_raise(py)? else { return Ok(()) };
        if !known.is_some_and(|known| known.is(&info)) {
            let is_wanted = match &self.showing.wanted {
                Some(wanted) => wanted.takes(py, number, &info.name)?,
                None => true,
            };
            self.types.insert(number, NamedType::new(py, info, is_wanted));
        }
        Ok(())
    }

    /// The next record of the batch.
    #[inline]
    fn show(&mut self, py: Python<'_>) -> PyResult<Option<Record>> {
        let batch = &mut self.batch;
        while let Some(copied) = batch.records.get_mut(batch.at) {
            batch.at += 1;
            let number = copied.number;
            let named = match number < FIRST_NAMED_TYPE {
                true => None,
                false => match &self.last {
                    Some((last, named)) if *last == number => named.clone(),
                    _ => {
                        let named = self.types.get(&number).cloned();
                        self.last = Some((number, named.clone()));
                        named
                    }
                },
            };
            if let Some(wanted) = &self.showing.wanted {
                let is_wanted = match &named {
                    Some(named) => named.is_wanted,
                    None => wanted.numbers.contains(&number),
                };
                if !is_wanted {
                    continue;
                }
            }
            let (from, length) = (copied.payload, copied.length);
            let payload = match (&self.block, self.showing.headers_only) {
                (_, true) => Payload::Unread,
                (Some(block), _) => Payload::Part(block.clone_ref(py), from),
                (None, _) => match bytes(py, &batch.bytes[from..from + length as usize]) {
                    Ok(bytes) => Payload::Own(bytes.unbind()),
                    Err(no_memory) => {
                        // The same record is tried again.
                        batch.at -= 1;
                        return Err(no_memory);
                    }
                },
            };
            let (id, time, pairs) = (copied.id, copied.time, copied.pairs.take());
            return Ok(Some(Record { id, time, number, length, named, pairs, payload }));
        }
        Ok(None)
    }
}

impl Wanted {
    fn takes(&self, py: Python<'_>, number: u32, name: &str) -> PyResult<bool> {
        if self.numbers.contains(&number) || self.names.iter().any(|wanted| wanted == name) {
            return Ok(true);
        }
        let matches = py.import("fnmatch")?.getattr("fnmatchcase")?;
        for pattern in &self.patterns {
            if matches.call1((name, pattern))?.is_truthy()? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// New bytes; large ones without a panic if there is no memory.
#[inline]
fn bytes<'py>(py: Python<'py>, from: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    match from.len() {
        0..=65_535 => Ok(PyBytes::new(py, from)),
        length => PyBytes::new_with(py, length, |to| {
            to.copy_from_slice(from);
            Ok(())
        }),
    }
}

/// A number that no other thread has.
fn this_thread() -> u64 {
    use std::sync::atomic::AtomicU64;
    static NEXT: AtomicU64 = AtomicU64::new(1);
    thread_local!(static MINE: u64 = NEXT.fetch_add(1, Ordering::Relaxed));
    MINE.with(|mine| *mine)
}

#[pymethods]
impl Records {
    fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Option<Record>> {
        let mut reading = self.lock(py)?;
        loop {
            if let Some(record) = reading.show(py)? {
                return Ok(Some(record));
            }
            if !self.read_on(py, &mut reading)? {
                return Ok(None);
            }
        }
    }

    /// Waits until there is another record, for so long at most; whether there is one.
    #[pyo3(signature = (timeout=None))]
    fn wait(&self, py: Python<'_>, timeout: Option<&Bound<'_, PyAny>>) -> PyResult<bool> {
        let timeout = timeout.map(|given| convert::duration("timeout", given)).transpose()?;
        let mut reading = self.lock(py)?;
        if reading.batch.at < reading.batch.records.len() {
            return Ok(true);
        }
        self.reader.store(this_thread(), Ordering::Relaxed);
        let waited = self.wait_with(py, &mut reading, timeout);
        self.reader.store(0, Ordering::Relaxed);
        waited
    }

    /// Where the log ends, as far as it was read, and why.
    #[getter]
    fn tail<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let reading = self.lock(py)?;
        match &reading.cursor {
            Some(cursor) => facts::tail(py, &cursor.tail()),
            None => Err(error::new(py, "closed", "the records are closed")),
        }
    }

    #[getter]
    fn closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// Ends the iteration, also one that waits in another thread, and closes its files.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        self.closed.store(true, Ordering::Relaxed);
        self.interrupter.interrupt();
        if self.reader.load(Ordering::Relaxed) == this_thread() {
            return Ok(());
        }
        let mut reading = self.lock(py)?;
        reading.ended = true;
        reading.batch = Batch::default();
        let cursor = reading.cursor.take();
        drop(reading);
        py.detach(|| drop(cursor));
        Ok(())
    }

    fn __enter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    #[pyo3(signature = (*_raised))]
    fn __exit__(&self, py: Python<'_>, _raised: &Bound<'_, PyAny>) -> PyResult<()> {
        self.close(py)
    }

    fn __repr__(&self) -> String {
        format!("<Records{}>", if self.closed() { ", closed" } else { "" })
    }
}

impl Records {
    fn wait_with(&self, py: Python<'_>, reading: &mut Reading, timeout: Option<Duration>) -> PyResult<bool> {
        let began = Instant::now();
        loop {
            let Some(cursor) = &mut reading.cursor else { return Ok(false) };
            if self.closed.load(Ordering::Relaxed) {
                return Ok(false);
            }
            let left = timeout.map_or(LOOK, |timeout| timeout.saturating_sub(began.elapsed()));
            match py.detach(|| cursor.wait(left.min(LOOK))) {
                Ok(true) => return Ok(true),
                Ok(false) if left.is_zero() => return Ok(false),
                Ok(false) => (),
                Err(error) if error.kind() == Kind::Interrupted => (),
                Err(error) => return Err(raised(py, &error)),
            }
            py.check_signals()?;
        }
    }
}
