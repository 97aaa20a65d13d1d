//! A writer. An append that neither syncs nor calls back into Python keeps the GIL: it takes a few dozen nanoseconds, and
//! giving the GIL away would let other threads run for milliseconds. Every other call gives it away.

use std::cell::Cell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

use binlog::{FullDisk, MetadataBuf, NewRecord, TypeOptions, FIRST_NAMED_TYPE};
use parking_lot::{Mutex, RwLock, RwLockReadGuard};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyInt, PyString, PyTuple};

use crate::callback::Callback;
use crate::calls::is_in_callback;
use crate::convert::{self, Payload};
use crate::error::{self, OrRaise};
use crate::{facts, writer_options};

/// Payloads of so many bytes are copied without the GIL.
const LARGE: usize = 64 << 10;

/// Appends to a log.
#[pyclass(frozen, subclass, module = "libbinlog._libbinlog")]
pub struct Writer {
    /// `None` when closed.
    inner: RwLock<Option<binlog::Writer>>,
    location: PathBuf,
    names: Mutex<Names>,
    callbacks: Vec<Callback>,
    /// Whether an append may wait, or call a function of Python.
    may_wait: bool,
}

/// Numbers of named types.
#[derive(Default)]
struct Names {
    /// The name that was used last: programs pass the same object again.
    last: Option<(Py<PyString>, u32)>,
    known: HashMap<String, u32>,
}

impl Writer {
    /// The writer, which stays open until the guard is dropped.
    #[inline]
    fn open(&self, py: Python<'_>) -> PyResult<Opened<'_>> {
        let guard = match self.inner.try_read_recursive() {
            Some(guard) => guard,
            None => {
                // Whoever closes it takes it out and goes on without the lock.
                loop {
                    py.detach(|| drop(self.inner.read_recursive()));
                    if let Some(guard) = self.inner.try_read_recursive() {
                        break guard;
                    }
                }
            }
        };
        match *guard {
            Some(_) => Ok(Opened::new(guard)),
            None => Err(error::new(py, "closed", "the writer is closed")),
        }
    }

    #[inline]
    fn number(&self, writer: &binlog::Writer, given: &Bound<'_, PyAny>) -> PyResult<u32> {
        if given.cast_exact::<PyInt>().is_ok() {
            return convert::integer("type", given);
        }
        let py = given.py();
        let Ok(name) = given.cast::<PyString>() else {
            return match convert::is_integer(given) {
                true => convert::integer("type", given),
                false => Err(convert::wrong_type("type", "a name or a number", given)),
            };
        };
        // While the lock is held, nothing of Python runs that could wait for other threads.
        if let Some((last, number)) = &self.names.lock().last {
            if last.is(name) {
                return Ok(*number);
            }
        }
        let text = convert::text("type", given)?;
        let known = self.names.lock().known.get(text).copied();
        let number = match known {
            Some(number) => number,
            None => {
                let number = py.detach(|| writer.type_id(text, "")).or_raise(py)?;
                let mut names = self.names.lock();
                // Another thread may have given the name a newer type meanwhile.
                let newest = names.known.entry(text.to_owned()).or_insert(number);
                *newest = number.max(*newest);
                *newest
            }
        };
        let last = (name.clone().unbind(), number);
        let mut names = self.names.lock();
        let is_newest = names.known.get(text) == Some(&number);
        let before = if is_newest { names.last.replace(last) } else { Some(last) };
        drop(names);
        drop(before);
        Ok(number)
    }

    /// Calls the library, without the GIL unless that is a loss.
    #[inline]
    fn append_with<T: Send>(
        &self,
        py: Python<'_>,
        bytes: usize,
        call: impl FnOnce() -> binlog::Result<T> + Send,
    ) -> PyResult<T> {
        match self.may_wait || bytes >= LARGE {
            true => py.detach(call).or_raise(py),
            false => call().or_raise(py),
        }
    }
}

thread_local! {
    /// How many calls of this thread have a writer open: a call may run the caller's own code, such as a generator.
    static INSIDE: Cell<u32> = const { Cell::new(0) };
}

/// A writer that stays open meanwhile.
struct Opened<'a>(RwLockReadGuard<'a, Option<binlog::Writer>>);

impl<'a> Opened<'a> {
    #[inline]
    fn new(guard: RwLockReadGuard<'a, Option<binlog::Writer>>) -> Self {
        INSIDE.set(INSIDE.get() + 1);
        Opened(guard)
    }
}

impl Drop for Opened<'_> {
    #[inline]
    fn drop(&mut self) {
        INSIDE.set(INSIDE.get() - 1);
    }
}

impl std::ops::Deref for Opened<'_> {
    type Target = binlog::Writer;

    #[inline]
    fn deref(&self) -> &binlog::Writer {
        match &*self.0 {
            Some(writer) => writer,
            None => unreachable!("it was open, and the lock keeps it so"),
        }
    }
}

#[pymethods]
impl Writer {
    #[new]
    #[pyo3(signature = (location, single_file, options))]
    fn new(
        py: Python<'_>,
        location: &Bound<'_, PyAny>,
        single_file: bool,
        options: &Bound<'_, PyDict>,
    ) -> PyResult<Self> {
        let location = convert::path("location", location)?;
        let (options, callbacks) = writer_options::options(options)?;
        let waits = matches!(options.full_disk, FullDisk::Wait(_));
        let syncs = options.sync.records.is_some() || options.sync.bytes.is_some() || options.sync.interval.is_some();
        let may_wait = waits || syncs || !callbacks.is_empty() || options.ship.is_some();
        let opened = py.detach(|| match single_file {
            true => binlog::Writer::open_file(location.as_path(), options),
            false => binlog::Writer::open(location.as_path(), options),
        });
        let inner = RwLock::new(Some(opened.or_raise(py)?));
        Ok(Writer { inner, location, names: Mutex::default(), callbacks, may_wait })
    }

    /// Appends a record and returns its id; 0 when it was dropped because the disk is full.
    #[pyo3(signature = (payload, r#type=None, metadata=None, time=None))]
    fn append(
        &self,
        py: Python<'_>,
        payload: &Bound<'_, PyAny>,
        r#type: Option<&Bound<'_, PyAny>>,
        metadata: Option<&Bound<'_, PyAny>>,
        time: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<u64> {
        let writer = self.open(py)?;
        let writer = &*writer;
        let payload = convert::payload(payload)?;
        let bytes = payload.as_bytes();
        let type_id = r#type.map_or(Ok(0), |given| self.number(writer, given))?;
        if metadata.is_none() && time.is_none() {
            return self.append_with(py, bytes.len(), || writer.append(type_id, bytes));
        }
        let pairs = metadata.map(convert::metadata).transpose()?.unwrap_or_default();
        let time = time.map(|given| convert::time("time", given)).transpose()?;
        let record = NewRecord { type_id, time, metadata: pairs.as_metadata(), payload: bytes };
        self.append_with(py, bytes.len(), || writer.append_record(&record))
    }

    /// Appends one record whose payload is the parts, one after the other.
    #[pyo3(signature = (parts, r#type=None, metadata=None, time=None))]
    fn gather(
        &self,
        py: Python<'_>,
        parts: &Bound<'_, PyAny>,
        r#type: Option<&Bound<'_, PyAny>>,
        metadata: Option<&Bound<'_, PyAny>>,
        time: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<u64> {
        if parts.is_instance_of::<PyBytes>() || parts.is_instance_of::<PyString>() {
            return Err(convert::wrong_type("parts", "several bytes-like objects", parts));
        }
        let writer = self.open(py)?;
        let writer = &*writer;
        let type_id = r#type.map_or(Ok(0), |given| self.number(writer, given))?;
        let pairs = metadata.map(convert::metadata).transpose()?.unwrap_or_default();
        let time = time.map(|given| convert::time("time", given)).transpose()?;
        let parts = convert::iterated("parts", "several bytes-like objects", parts)?;
        let parts: Vec<Bound<'_, PyAny>> = parts.collect::<PyResult<_>>()?;
        let parts: Vec<Payload<'_, '_>> = parts.iter().map(convert::payload).collect::<PyResult<_>>()?;
        let parts: Vec<&[u8]> = parts.iter().map(Payload::as_bytes).collect();
        let record = NewRecord { type_id, time, metadata: pairs.as_metadata(), payload: b"" };
        py.detach(|| writer.gather_record(&record, &parts)).or_raise(py)
    }

    /// Appends all records or none, and returns the id of the first.
    #[pyo3(signature = (records, r#type=None, metadata=None, time=None))]
    fn append_batch(
        &self,
        py: Python<'_>,
        records: &Bound<'_, PyAny>,
        r#type: Option<&Bound<'_, PyAny>>,
        metadata: Option<&Bound<'_, PyAny>>,
        time: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<u64> {
        let wanted = "several payloads, or tuples that begin with one";
        if records.is_instance_of::<PyBytes>() || records.is_instance_of::<PyString>() {
            return Err(convert::wrong_type("records", wanted, records));
        }
        let writer = self.open(py)?;
        let writer = &*writer;
        let type_id = r#type.map_or(Ok(0), |given| self.number(writer, given))?;
        let pairs = metadata.map(convert::metadata).transpose()?.unwrap_or_default();
        let time = time.map(|given| convert::time("time", given)).transpose()?;
        let mut objects = vec![];
        let mut others: Vec<(u32, Option<i64>, Option<MetadataBuf>)> = vec![];
        for one in convert::iterated("records", wanted, records)? {
            let one = one?;
            let Ok(fields) = one.cast::<PyTuple>() else {
                objects.push(one);
                others.push((type_id, time, None));
                continue;
            };
            if !(1..=4).contains(&fields.len()) {
                return Err(error::new(py, "invalid", "a record must be a tuple of payload, type, metadata and time"));
            }
            let field = |at| fields.get_item(at).ok().filter(|field| !field.is_none());
            others.push((
                field(1).map_or(Ok(type_id), |given| self.number(writer, &given))?,
                field(3).map(|given| convert::time("time", &given)).transpose()?.or(time),
                field(2).map(|given| convert::metadata(&given)).transpose()?,
            ));
            objects.push(fields.get_item(0)?);
        }
        let payloads: Vec<Payload<'_, '_>> = objects.iter().map(convert::payload).collect::<PyResult<_>>()?;
        let new: Vec<NewRecord<'_>> = payloads
            .iter()
            .zip(&others)
            .map(|(payload, (type_id, time, own))| NewRecord {
                type_id: *type_id,
                time: *time,
                metadata: own.as_ref().unwrap_or(&pairs).as_metadata(),
                payload: payload.as_bytes(),
            })
            .collect();
        py.detach(|| writer.append_batch(new.iter().copied())).or_raise(py)
    }

    /// The number of a type in this log.
    #[pyo3(
        signature = (name, *, content_type=None, encoding=None, message=None, schema=None),
        text_signature = "($self, name, *, content_type='', encoding='', message='', schema=None)",
    )]
    fn r#type(
        &self,
        py: Python<'_>,
        name: &Bound<'_, PyAny>,
        content_type: Option<&Bound<'_, PyAny>>,
        encoding: Option<&Bound<'_, PyAny>>,
        message: Option<&Bound<'_, PyAny>>,
        schema: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<u32> {
        let name = convert::text("name", name)?;
        let text = |name, given: Option<_>| given.map_or(Ok(""), |given| convert::text(name, given));
        let content_type = text("content_type", content_type)?;
        let (encoding, message) = (text("encoding", encoding)?, text("message", message)?);
        let writer = self.open(py)?;
        let writer = &*writer;
        let schema = schema.map(convert::payload).transpose()?;
        let schema = schema.as_ref().map_or(&b""[..], Payload::as_bytes);
        let options = TypeOptions { name, content_type, encoding, message, schema };
        let number = py.detach(|| writer.type_of(&options)).or_raise(py)?;
        let mut names = self.names.lock();
        // The newest type of a name is the one that the name alone means.
        let is_newest = names.known.get(name).is_none_or(|&known| known < number);
        let mut before = None;
        if is_newest && number >= FIRST_NAMED_TYPE {
            names.known.insert(name.to_owned(), number);
            before = names.last.take();
        }
        drop(names);
        drop(before);
        Ok(number)
    }

    /// Hands everything to the system: it survives the process.
    fn flush(&self, py: Python<'_>) -> PyResult<()> {
        let writer = self.open(py)?;
        let writer = &*writer;
        py.detach(|| writer.flush()).or_raise(py)
    }

    /// Makes everything durable: it survives the machine.
    fn sync(&self, py: Python<'_>) -> PyResult<()> {
        let writer = self.open(py)?;
        let writer = &*writer;
        py.detach(|| writer.sync()).or_raise(py)
    }

    /// Begins a new segment.
    fn roll(&self, py: Python<'_>) -> PyResult<()> {
        let writer = self.open(py)?;
        let writer = &*writer;
        py.detach(|| writer.roll()).or_raise(py)
    }

    /// Does what is due: lags, rolls, heartbeats.
    fn tick(&self, py: Python<'_>) -> PyResult<()> {
        let writer = self.open(py)?;
        let writer = &*writer;
        py.detach(|| writer.tick()).or_raise(py)
    }

    /// Flushes, ends the log cleanly, and gives it free for other writers.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        if is_in_callback() {
            return Err(error::new(py, "invalid", "a function that the writer calls must not close it"));
        }
        let writer = match self.inner.try_write() {
            Some(mut writer) => writer.take(),
            // It would wait for itself.
            None if INSIDE.get() > 0 => {
                let reason = "a writer is not closed within one of its calls, by a generator that it reads or by the handler of a \
                              signal: close it when the call has returned";
                return Err(error::new(py, "invalid", reason));
            }
            None => py.detach(|| self.inner.write().take()),
        };
        match writer {
            Some(writer) => py.detach(|| writer.close()).or_raise(py),
            None => Ok(()),
        }
    }

    #[getter]
    fn position<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let position = self.open(py)?.position().or_raise(py)?;
        facts::position(py, position)
    }

    #[getter]
    fn dropped(&self, py: Python<'_>) -> PyResult<u64> {
        Ok(self.open(py)?.dropped())
    }

    #[getter]
    fn failures(&self, py: Python<'_>) -> PyResult<u64> {
        Ok(self.open(py)?.failures())
    }

    #[getter]
    fn closed(&self) -> bool {
        self.inner.try_read_recursive().is_none_or(|writer| writer.is_none())
    }

    #[getter]
    fn location(&self) -> &Path {
        &self.location
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.callbacks.iter().try_for_each(|callback| callback.traverse(&visit))
    }

    fn __clear__(&self) {
        self.callbacks.iter().for_each(Callback::clear);
    }
}

impl Drop for Writer {
    /// A writer that was not closed is flushed. Its threads may need the GIL to end.
    fn drop(&mut self) {
        if let Some(writer) = self.inner.get_mut().take() {
            let mut writer = Some(writer);
            let detached = Python::try_attach(|py| {
                let writer = writer.take();
                py.detach(|| drop(writer));
            });
            if detached.is_none() {
                drop(writer);
            }
        }
    }
}
