//! Repairs, and compression of closed segments.

use std::path::PathBuf;

use binlog::compression::CompressOptions;
use binlog::recovery;
use binlog::{Codec, ReaderOptions};
use pyo3::prelude::*;

use crate::callback::Callback;
use crate::error::OrRaise;
use crate::{convert, facts, stores};

fn options(on_loss: Option<&Bound<'_, PyAny>>) -> PyResult<ReaderOptions> {
    let on_loss = on_loss.map(|function| Callback::new("on_loss", function)).transpose()?;
    let on_loss = on_loss.map(|callback| callback.on_loss());
    Ok(ReaderOptions { on_loss, opener: stores::opener(), ..ReaderOptions::default() })
}

/// Writes what can be saved of a damaged log to a new log; ids stay, and the source is not changed.
#[pyfunction]
#[pyo3(signature = (source, target, *, on_loss=None))]
pub fn recover<'py>(
    py: Python<'py>,
    source: &Bound<'py, PyAny>,
    target: &Bound<'py, PyAny>,
    on_loss: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let options = options(on_loss)?;
    let (source, target) = (convert::path("source", source)?, convert::path("target", target)?);
    let recovery = py.detach(|| recovery::recover(source.as_path(), target.as_path(), options)).or_raise(py)?;
    facts::recovery(py, &recovery)
}

/// Mends a damaged log where it is; a copy of each damaged file stays beside it.
#[pyfunction]
#[pyo3(signature = (location, *, on_loss=None))]
pub fn recover_in_place<'py>(
    py: Python<'py>,
    location: &Bound<'py, PyAny>,
    on_loss: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let options = options(on_loss)?;
    let location = convert::path("location", location)?;
    let recovery = py.detach(|| recovery::recover_in_place(location.as_path(), options)).or_raise(py)?;
    facts::recovery(py, &recovery)
}

/// The codec of this name.
pub fn codec_of(name: &Bound<'_, PyAny>) -> PyResult<Codec> {
    match convert::text("codec", name)? {
        "none" => Ok(Codec::None),
        "lz4" => Ok(Codec::Lz4),
        "zstd" => Ok(Codec::Zstd),
        _ => Err(convert::wrong_value("codec", "\"none\", \"lz4\" or \"zstd\"", name)),
    }
}

/// Writes missing and damaged indexes anew, and returns the files that were.
#[pyfunction]
pub fn rebuild_index(py: Python<'_>, location: &Bound<'_, PyAny>) -> PyResult<Vec<PathBuf>> {
    let location = convert::path("location", location)?;
    py.detach(|| recovery::rebuild_index(location.as_path())).or_raise(py)
}

/// Compresses closed segments; returns (file, source, bytes before, bytes after) of each.
#[pyfunction]
#[pyo3(
    signature = (location, *, codec=None, level=None, threads=None, keep_source=false, dry_run=false, log=None),
    text_signature = "(location, *, codec='zstd', level=None, threads=1, keep_source=False, dry_run=False, log=None)",
)]
#[allow(clippy::too_many_arguments)] // they are keywords
pub fn compress(
    py: Python<'_>,
    location: &Bound<'_, PyAny>,
    codec: Option<&Bound<'_, PyAny>>,
    level: Option<&Bound<'_, PyAny>>,
    threads: Option<&Bound<'_, PyAny>>,
    keep_source: bool,
    dry_run: bool,
    log: Option<&Bound<'_, PyAny>>,
) -> PyResult<Vec<(PathBuf, PathBuf, u64, u64)>> {
    let location = convert::path("location", location)?;
    let defaults = CompressOptions::default();
    let options = CompressOptions {
        codec: codec.map_or(Ok(Codec::Zstd), codec_of)?,
        level: level.map_or(Ok(defaults.level), |given| convert::integer("level", given))?,
        threads: threads.map_or(Ok(1), |given| convert::integer("threads", given))?,
        keep_source,
        dry_run,
        log: convert::text_or_none("log", log)?,
        ..defaults
    };
    let done = py.detach(|| binlog::compression::compress(location.as_path(), &options)).or_raise(py)?;
    Ok(done.into_iter().map(|one| (one.path, one.source, one.bytes_before, one.bytes_after)).collect())
}
