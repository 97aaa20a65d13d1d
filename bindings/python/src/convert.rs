//! Python's values as those of the library.

use std::time::Duration;

use binlog::MetadataBuf;
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyBytes, PyDict, PyInt, PyString};

use crate::error;

static TO_NS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
static TO_SECONDS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
static FROM_NS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// Nanoseconds since the Unix epoch, of an int, a datetime, or a text.
pub fn time(value: &Bound<'_, PyAny>) -> PyResult<i64> {
    match value.cast_exact::<PyInt>() {
        Ok(number) => number.extract(),
        Err(_) => TO_NS.import(value.py(), "libbinlog._times", "to_ns")?.call1((value,))?.extract(),
    }
}

/// A datetime in UTC; microseconds are rounded down.
pub fn datetime<'py>(py: Python<'py>, ns: i64) -> PyResult<Bound<'py, PyAny>> {
    FROM_NS.import(py, "libbinlog._times", "from_ns")?.call1((ns,))
}

/// A length of time: seconds, a timedelta, or a text such as "500ms".
pub fn duration(value: &Bound<'_, PyAny>) -> PyResult<Duration> {
    let seconds: f64 = TO_SECONDS.import(value.py(), "libbinlog._times", "to_seconds")?.call1((value,))?.extract()?;
    Duration::try_from_secs_f64(seconds).map_err(|e| PyValueError::new_err(format!("{seconds} seconds: {e}")))
}

/// The bytes of a bytes-like object.
pub enum Payload<'a, 'py> {
    Borrowed(&'a Bound<'py, PyBytes>),
    Owned(Vec<u8>),
}

impl Payload<'_, '_> {
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Payload::Borrowed(bytes) => bytes.as_bytes(),
            Payload::Owned(bytes) => bytes,
        }
    }
}

#[inline]
pub fn payload<'a, 'py>(value: &'a Bound<'py, PyAny>) -> PyResult<Payload<'a, 'py>> {
    match value.cast::<PyBytes>() {
        Ok(bytes) => Ok(Payload::Borrowed(bytes)),
        Err(_) => copied(value).map(Payload::Owned),
    }
}

/// Others than bytes can change while they are used, so they are copied first.
#[cold]
fn copied(value: &Bound<'_, PyAny>) -> PyResult<Vec<u8>> {
    let py = value.py();
    if value.is_instance_of::<PyString>() {
        return Err(PyTypeError::new_err("a payload is bytes-like, not str: encode it first"));
    }
    if let Ok(buffer) = PyBuffer::<u8>::get(value) {
        let mut copy = vec![];
        copy.try_reserve_exact(buffer.len_bytes()).map_err(|_| no_memory(py, buffer.len_bytes()))?;
        copy.resize(buffer.len_bytes(), 0);
        buffer.copy_to_slice(py, &mut copy)?;
        return Ok(copy);
    }
    // Of other items than bytes, such as an array of floats: the memory behind them.
    let view = pyo3::types::PyMemoryView::from(value)
        .map_err(|_| PyTypeError::new_err(format!("a payload is bytes-like, not {}", type_name(value))))?;
    view.call_method0("tobytes")?.extract()
}

/// There is no memory for so many bytes.
pub fn no_memory(py: Python<'_>, bytes: usize) -> PyErr {
    error::new(py, "no_memory", &format!("there is no memory for {bytes} bytes"))
}

fn type_name(value: &Bound<'_, PyAny>) -> String {
    value.get_type().name().map_or_else(|_| "this".to_owned(), |name| name.to_string())
}

/// The pairs of a mapping, or of an iterable of pairs.
pub fn metadata(value: &Bound<'_, PyAny>) -> PyResult<MetadataBuf> {
    let mut pairs = MetadataBuf::new();
    each_pair(value, |key, value| {
        pairs.push(key, value);
        Ok(())
    })?;
    Ok(pairs)
}

pub fn each_pair(value: &Bound<'_, PyAny>, mut each: impl FnMut(&str, &str) -> PyResult<()>) -> PyResult<()> {
    if let Ok(pairs) = value.cast_exact::<PyDict>() {
        for (key, value) in pairs.iter() {
            each(text(&key)?, text(&value)?)?;
        }
        return Ok(());
    }
    let items = match value.hasattr("items")? {
        true => value.call_method0("items")?,
        false => value.clone(),
    };
    for pair in items.try_iter()? {
        let (key, value): (Bound<'_, PyAny>, Bound<'_, PyAny>) = pair?.extract()?;
        each(text(&key)?, text(&value)?)?;
    }
    Ok(())
}

pub fn text<'a>(value: &'a Bound<'_, PyAny>) -> PyResult<&'a str> {
    match value.cast::<PyString>() {
        Ok(text) => text.to_str(),
        Err(_) => Err(PyTypeError::new_err(format!("keys and values of metadata are str, not {}", type_name(value)))),
    }
}

/// A number that is no bool.
pub fn number<T>(value: &Bound<'_, PyAny>) -> Option<PyResult<T>>
where
    T: for<'a, 'py> FromPyObject<'a, 'py, Error = PyErr>,
{
    let is_number = value.is_instance_of::<PyInt>() && !value.is_instance_of::<PyBool>();
    is_number.then(|| value.extract::<T>())
}
