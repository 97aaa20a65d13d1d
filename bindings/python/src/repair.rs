//! Repairs, and compression of closed segments.

use std::path::PathBuf;

use binlog::compression::CompressOptions;
use binlog::recovery;
use binlog::{Codec, ReaderOptions};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::callback::Callback;
use crate::error::OrRaise;
use crate::{facts, stores};

fn options(on_loss: Option<Py<PyAny>>) -> ReaderOptions {
    let on_loss = on_loss.map(|function| Callback::new(function).on_loss());
    ReaderOptions { on_loss, opener: stores::opener(), ..ReaderOptions::default() }
}

/// Writes what can be saved of a damaged log to a new log; ids stay, and the source is not changed.
#[pyfunction]
#[pyo3(signature = (source, target, *, on_loss=None))]
pub fn recover<'py>(
    py: Python<'py>,
    source: PathBuf,
    target: PathBuf,
    on_loss: Option<Py<PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let options = options(on_loss);
    let recovery = py.detach(|| recovery::recover(source.as_path(), target.as_path(), options)).or_raise(py)?;
    facts::recovery(py, &recovery)
}

/// Mends a damaged log where it is; a copy of each damaged file stays beside it.
#[pyfunction]
#[pyo3(signature = (location, *, on_loss=None))]
pub fn recover_in_place<'py>(
    py: Python<'py>,
    location: PathBuf,
    on_loss: Option<Py<PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let options = options(on_loss);
    let recovery = py.detach(|| recovery::recover_in_place(location.as_path(), options)).or_raise(py)?;
    facts::recovery(py, &recovery)
}

/// The codec of this name.
pub fn codec_of(name: &str) -> PyResult<Codec> {
    match name {
        "none" => Ok(Codec::None),
        "lz4" => Ok(Codec::Lz4),
        "zstd" => Ok(Codec::Zstd),
        _ => Err(PyValueError::new_err(format!("codec is {name:?}; it may be \"none\", \"lz4\" or \"zstd\""))),
    }
}

/// Writes missing and damaged indexes anew, and returns the files that were.
#[pyfunction]
pub fn rebuild_index(py: Python<'_>, location: PathBuf) -> PyResult<Vec<PathBuf>> {
    py.detach(|| recovery::rebuild_index(location.as_path())).or_raise(py)
}

/// Compresses closed segments; returns (file, source, bytes before, bytes after) of each.
#[pyfunction]
#[pyo3(signature = (location, *, codec="zstd", level=None, threads=1, keep_source=false, dry_run=false, log=None))]
#[allow(clippy::too_many_arguments)] // they are keywords
pub fn compress(
    py: Python<'_>,
    location: PathBuf,
    codec: &str,
    level: Option<i32>,
    threads: u32,
    keep_source: bool,
    dry_run: bool,
    log: Option<String>,
) -> PyResult<Vec<(PathBuf, PathBuf, u64, u64)>> {
    let defaults = CompressOptions::default();
    let level = level.unwrap_or(defaults.level);
    let options = CompressOptions { codec: codec_of(codec)?, level, threads, keep_source, dry_run, log, ..defaults };
    let done = py.detach(|| binlog::compression::compress(location.as_path(), &options)).or_raise(py)?;
    Ok(done.into_iter().map(|one| (one.path, one.source, one.bytes_before, one.bytes_after)).collect())
}
