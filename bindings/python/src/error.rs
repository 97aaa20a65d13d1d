//! The library's errors as exceptions; `libbinlog._errors` has their classes.

use binlog::{Error, Kind};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyDict;

static MAKE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// The name of a kind, which selects the class of the exception.
pub fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Invalid => "invalid",
        Kind::Io => "io",
        Kind::Corrupt => "corrupt",
        Kind::NotFound => "not_found",
        Kind::Locked => "locked",
        Kind::TooLarge => "too_large",
        Kind::Unsupported => "unsupported",
        Kind::Failed => "failed",
        Kind::NoSpace => "no_space",
        Kind::Forked => "forked",
        Kind::Missed => "missed",
        Kind::Mismatch => "mismatch",
        Kind::NoMemory => "no_memory",
        Kind::Interrupted => "interrupted",
    }
}

/// The kind of a name, for errors that a callback raised; others are `Io`.
pub fn kind_of(name: &str) -> Kind {
    match name {
        "invalid" => Kind::Invalid,
        "corrupt" => Kind::Corrupt,
        "not_found" => Kind::NotFound,
        "unsupported" => Kind::Unsupported,
        "no_space" => Kind::NoSpace,
        _ => Kind::Io,
    }
}

/// The exception itself.
pub fn exception<'py>(py: Python<'py>, error: &Error) -> PyResult<Bound<'py, PyAny>> {
    let facts = PyDict::new(py);
    facts.set_item("kind", kind_name(error.kind()))?;
    facts.set_item("file", error.path())?;
    facts.set_item("offset", error.offset())?;
    facts.set_item("os_error", error.os_code())?;
    facts.set_item("record_id", error.record_id())?;
    facts.set_item("missed", error.missed())?;
    facts.set_item("reason", error.reason())?;
    let make = MAKE.import(py, "libbinlog._errors", "make")?;
    make.call((error.to_string(),), Some(&facts))
}

/// What a function raises for this error.
pub fn raised(py: Python<'_>, error: &Error) -> PyErr {
    match exception(py, error) {
        Ok(exception) => PyErr::from_value(exception),
        Err(other) => other,
    }
}

/// An exception of this kind that has no file.
pub fn new(py: Python<'_>, kind: &str, reason: &str) -> PyErr {
    let facts = PyDict::new(py);
    let made = facts
        .set_item("kind", kind)
        .and_then(|()| facts.set_item("reason", reason))
        .and_then(|()| MAKE.import(py, "libbinlog._errors", "make")?.call((reason,), Some(&facts)));
    made.map_or_else(|other| other, PyErr::from_value)
}

/// Turns a result of the library into one of Python.
pub trait OrRaise<T> {
    fn or_raise(self, py: Python<'_>) -> PyResult<T>;
}

impl<T> OrRaise<T> for binlog::Result<T> {
    fn or_raise(self, py: Python<'_>) -> PyResult<T> {
        self.map_err(|error| raised(py, &error))
    }
}
