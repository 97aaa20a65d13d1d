//! Python's values as those of the library. A value of a wrong type is a `TypeError`, and a wrong value of the right type
//! an `InvalidError`, which is a `ValueError`: every argument is converted here, and nothing of CPython's own
//! (`OverflowError`, `UnicodeEncodeError`) comes through.

use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::Duration;

use binlog::MetadataBuf;
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::{PyOverflowError, PyTypeError, PyUnicodeError, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyBytes, PyDict, PyInt, PyIterator, PyList, PyString, PyTuple};

use crate::error;

static TO_NS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
static TO_SECONDS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
static FROM_NS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// The exception for an argument of a wrong type.
#[cold]
pub fn wrong_type(name: &str, wanted: &str, given: &Bound<'_, PyAny>) -> PyErr {
    PyTypeError::new_err(format!("{name} must be {wanted}, not {}", type_name(given)))
}

/// The exception for an argument of the right type whose value is not possible.
#[cold]
pub fn wrong_value(name: &str, wanted: &str, given: &Bound<'_, PyAny>) -> PyErr {
    error::new(given.py(), "invalid", &format!("{name} is {}; it must be {wanted}", shown(given)))
}

/// What a message shows of a value: not all of a long one, and nothing of one that cannot be shown.
fn shown(value: &Bound<'_, PyAny>) -> String {
    const MOST: usize = 60;
    // Of a text, what is no Unicode is escaped. A very large int has no text.
    let shown = value.py().import("builtins").and_then(|builtins| builtins.call_method1("ascii", (value,)));
    match shown.and_then(|shown| shown.extract::<String>()) {
        Ok(shown) if shown.len() <= MOST => shown,
        Ok(shown) => format!("{} …", &shown[..MOST]),
        Err(_) => format!("a very large {}", type_name(value)),
    }
}

/// The integers of the library.
pub trait Integer: for<'a, 'py> FromPyObject<'a, 'py, Error = PyErr> {
    const RANGE: &'static str;
}

impl Integer for u32 {
    const RANGE: &'static str = "from 0 to 4294967295";
}

impl Integer for i32 {
    const RANGE: &'static str = "from -2147483648 to 2147483647";
}

impl Integer for u64 {
    const RANGE: &'static str = "from 0 to 18446744073709551615";
}

impl Integer for usize {
    const RANGE: &'static str = <u64 as Integer>::RANGE;
}

impl Integer for i64 {
    const RANGE: &'static str = "from -9223372036854775808 to 9223372036854775807";
}

/// An int, or what may be used as one, such as NumPy's; a bool is none.
#[inline]
pub fn integer<T: Integer>(name: &str, value: &Bound<'_, PyAny>) -> PyResult<T> {
    if value.is_instance_of::<PyBool>() {
        return Err(wrong_type(name, "an int", value));
    }
    value.extract::<T>().map_err(|raised| {
        let py = value.py();
        if raised.is_instance_of::<PyOverflowError>(py) {
            wrong_value(name, T::RANGE, value)
        } else if raised.is_instance_of::<PyTypeError>(py) {
            wrong_type(name, "an int", value)
        } else {
            raised
        }
    })
}

/// Whether [`integer`] takes values of this type. An array of NumPy may be used as an int by its type, but is several.
pub fn is_integer(value: &Bound<'_, PyAny>) -> bool {
    let has = |name| value.hasattr(name).unwrap_or_default();
    !value.is_instance_of::<PyBool>() && (value.is_instance_of::<PyInt>() || (has("__index__") && !has("__iter__")))
}

pub fn text<'a>(name: &str, value: &'a Bound<'_, PyAny>) -> PyResult<&'a str> {
    let Ok(text) = value.cast::<PyString>() else { return Err(wrong_type(name, "a str", value)) };
    text.to_str().map_err(|raised| {
        let is_surrogate = raised.is_instance_of::<PyUnicodeError>(value.py());
        if is_surrogate {
            wrong_value(name, "without lone surrogates, which UTF-8 does not have", value)
        } else {
            raised
        }
    })
}

/// As [`text`], for an argument that may be left out.
pub fn text_or_none(name: &str, value: Option<&Bound<'_, PyAny>>) -> PyResult<Option<String>> {
    value.map(|value| text(name, value).map(str::to_owned)).transpose()
}

pub fn flag(name: &str, value: &Bound<'_, PyAny>) -> PyResult<bool> {
    value.extract().map_err(|_| wrong_type(name, "a bool", value))
}

/// A str, or an object that has a path.
pub fn path(name: &str, value: &Bound<'_, PyAny>) -> PyResult<PathBuf> {
    let py = value.py();
    let path: PathBuf = value.extract().map_err(|raised: PyErr| {
        if raised.is_instance_of::<PyUnicodeError>(py) {
            wrong_value(name, "a path of the file system, which has no such characters", value)
        } else if raised.is_instance_of::<PyTypeError>(py) {
            wrong_type(name, "a str or os.PathLike", value)
        } else {
            raised
        }
    })?;
    match path.as_os_str().as_bytes().contains(&0) {
        true => Err(wrong_value(name, "without null characters", value)),
        false => Ok(path),
    }
}

/// A function that the library will call.
pub fn callable(name: &str, value: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
    match value.is_callable() {
        true => Ok(value.clone().unbind()),
        false => Err(wrong_type(name, "callable", value)),
    }
}

/// Nanoseconds since the Unix epoch, of an int, a datetime, or a text.
#[inline]
pub fn time(name: &str, value: &Bound<'_, PyAny>) -> PyResult<i64> {
    let nanoseconds = match value.cast_exact::<PyInt>() {
        Ok(_) => value,
        Err(_) => &TO_NS.import(value.py(), "libbinlog._times", "to_ns")?.call1((value,))?,
    };
    nanoseconds.extract().map_err(|_| {
        let wanted = "between 1677-09-21 and 2262-04-11: 64 bits of nanoseconds since 1970";
        wrong_value(name, wanted, value)
    })
}

/// A datetime in UTC; microseconds are rounded down.
pub fn datetime<'py>(py: Python<'py>, ns: i64) -> PyResult<Bound<'py, PyAny>> {
    FROM_NS.import(py, "libbinlog._times", "from_ns")?.call1((ns,))
}

/// A length of time: seconds, a timedelta, or a text such as "500ms".
pub fn duration(name: &str, value: &Bound<'_, PyAny>) -> PyResult<Duration> {
    let seconds: f64 = TO_SECONDS.import(value.py(), "libbinlog._times", "to_seconds")?.call1((value,))?.extract()?;
    Duration::try_from_secs_f64(seconds).map_err(|_| wrong_value(name, "0 or more, and finite", value))
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
        return Err(PyTypeError::new_err("a payload must be bytes-like, not str: encode it first"));
    }
    if let Ok(buffer) = PyBuffer::<u8>::get(value) {
        let mut copy = vec![];
        copy.try_reserve_exact(buffer.len_bytes()).map_err(|_| no_memory(py, buffer.len_bytes()))?;
        copy.resize(buffer.len_bytes(), 0);
        buffer.copy_to_slice(py, &mut copy)?;
        return Ok(copy);
    }
    // Of other items than bytes, such as an array of floats: the memory behind them.
    let view = pyo3::types::PyMemoryView::from(value).map_err(|raised| {
        if raised.is_instance_of::<PyValueError>(py) {
            error::new(py, "invalid", "the payload is a memoryview that was released")
        } else {
            wrong_type("a payload", "bytes-like", value)
        }
    })?;
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
    each_pair("metadata", value, |key, value| {
        pairs.push(key, value);
        Ok(())
    })?;
    Ok(pairs)
}

pub fn each_pair(
    name: &str,
    value: &Bound<'_, PyAny>,
    mut each: impl FnMut(&str, &str) -> PyResult<()>,
) -> PyResult<()> {
    if let Ok(pairs) = value.cast_exact::<PyDict>() {
        for (key, value) in pairs.iter() {
            each(part(name, &key)?, part(name, &value)?)?;
        }
        return Ok(());
    }
    let items = match value.hasattr("items")? {
        true => value.call_method0("items")?,
        false => value.clone(),
    };
    let wanted = "a mapping or several pairs";
    // Its characters are no pairs.
    if items.is_instance_of::<PyString>() || items.is_instance_of::<PyBytes>() {
        return Err(wrong_type(name, wanted, value));
    }
    for pair in iterated(name, wanted, &items)? {
        let pair = pair?;
        let pair = match pair.cast_into::<PyTuple>() {
            Ok(pair) => pair,
            Err(other) => match other.into_inner() {
                list if list.is_instance_of::<PyList>() => list.cast::<PyList>()?.to_tuple(),
                other => return Err(wrong_type(&format!("each of {name}"), "a pair", &other)),
            },
        };
        if pair.len() != 2 {
            return Err(wrong_value(&format!("one of {name}"), "a pair", &pair));
        }
        each(part(name, &pair.get_item(0)?)?, part(name, &pair.get_item(1)?)?)?;
    }
    Ok(())
}

/// A key or a value.
#[inline]
fn part<'a>(name: &str, value: &'a Bound<'_, PyAny>) -> PyResult<&'a str> {
    match value.cast::<PyString>().map(|text| text.to_str()) {
        Ok(Ok(text)) => Ok(text),
        _ => text(&format!("each key and value of {name}"), value),
    }
}

/// What an iterable yields.
pub fn iterated<'py>(name: &str, wanted: &str, value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyIterator>> {
    value.try_iter().map_err(|raised| match raised.is_instance_of::<PyTypeError>(value.py()) {
        true => wrong_type(name, wanted, value),
        false => raised,
    })
}
