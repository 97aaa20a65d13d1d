//! A log that is read.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use binlog::contents::TypeCount;
use binlog::splits::PlanOptions;
use binlog::{Filter, Loss, Reader, ReaderMode, ReaderOptions, Required, TailState};
use parking_lot::{Mutex, RwLock};
use pyo3::exceptions::PyTypeError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyDict, PyList, PyString};

use crate::callback::Callback;
use crate::error::{self, OrRaise};
use crate::filter::{Arguments, Selection};
use crate::records::{Records, Showing, Wanted};
use crate::value::Decoder;
use crate::{convert, facts, stores, table};

/// A log, or logs, at a path or a URL.
#[pyclass(frozen, subclass, module = "libbinlog._libbinlog")]
pub struct Log {
    /// `None` when closed.
    reader: RwLock<Option<Arc<Reader>>>,
    /// As it was given; empty for a split whose token has it.
    location: PathBuf,
    /// Where the log is.
    place: PathBuf,
    /// Of a split.
    token: Option<String>,
    options: ReaderOptions,
    on_loss: Option<Callback>,
}

/// The mode of this name.
fn mode_of(name: &Bound<'_, PyAny>) -> PyResult<ReaderMode> {
    match convert::text("mode", name)? {
        "prefix" => Ok(ReaderMode::Prefix),
        "strict" => Ok(ReaderMode::Strict),
        "salvage" => Ok(ReaderMode::Salvage),
        _ => Err(convert::wrong_value("mode", "\"prefix\", \"strict\" or \"salvage\"", name)),
    }
}

/// What a log must be.
pub fn required(
    name: Option<&Bound<'_, PyAny>>,
    content_type: Option<&Bound<'_, PyAny>>,
    parameters: Option<&Bound<'_, PyAny>>,
) -> PyResult<Required> {
    let mut required = Required {
        name: convert::text_or_none("require_name", name)?,
        content_type: convert::text_or_none("require_content_type", content_type)?,
        ..Required::default()
    };
    if let Some(parameters) = parameters {
        convert::each_pair("require_parameters", parameters, |key, value| {
            required.parameters.insert(key.to_owned(), value.to_owned());
            Ok(())
        })?;
    }
    Ok(required)
}

/// The log at a location, or the split of a token, whose own location may be replaced.
fn open(location: &Path, token: Option<&str>, options: ReaderOptions) -> binlog::Result<Reader> {
    match token {
        None => Reader::open(location, options),
        Some(token) if location.as_os_str().is_empty() => Reader::open_split(token, options),
        Some(token) => Reader::open_split_at(token, location, options),
    }
}

impl Log {
    fn reader(&self, py: Python<'_>) -> PyResult<Arc<Reader>> {
        let reader = self.reader.read().clone();
        reader.ok_or_else(|| error::new(py, "closed", "the log is closed"))
    }

    /// The reader, and the filter for it.
    fn selected(&self, py: Python<'_>, arguments: &Arguments<'_, '_>) -> PyResult<(Arc<Reader>, Filter)> {
        let reader = self.reader(py)?;
        let mut selection = Selection::new(arguments)?;
        selection.resolve(py, &reader)?;
        Ok((reader, selection.filter))
    }
}

#[pymethods]
impl Log {
    #[new]
    #[pyo3(signature = (
        location, *, token=None, mode=None, on_loss=None, log=None, require_name=None, require_content_type=None,
        require_parameters=None, cache=None, cache_bytes=None, credentials=None, block_max_bytes=None,
    ))]
    #[allow(clippy::too_many_arguments)] // they are keywords
    fn new(
        py: Python<'_>,
        location: Option<&Bound<'_, PyAny>>,
        token: Option<&Bound<'_, PyAny>>,
        mode: Option<&Bound<'_, PyAny>>,
        on_loss: Option<&Bound<'_, PyAny>>,
        log: Option<&Bound<'_, PyAny>>,
        require_name: Option<&Bound<'_, PyAny>>,
        require_content_type: Option<&Bound<'_, PyAny>>,
        require_parameters: Option<&Bound<'_, PyAny>>,
        cache: Option<&Bound<'_, PyAny>>,
        cache_bytes: Option<&Bound<'_, PyAny>>,
        credentials: Option<&Bound<'_, PyAny>>,
        block_max_bytes: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let bytes = |name, given: Option<&Bound<'_, PyAny>>| given.map_or(Ok(0), |bytes| convert::integer(name, bytes));
        let path = |name, given: Option<&Bound<'_, PyAny>>| given.map(|path| convert::path(name, path)).transpose();
        let on_loss = on_loss.map(|function| Callback::new("on_loss", function)).transpose()?;
        let options = ReaderOptions {
            mode: mode.map_or(Ok(ReaderMode::Prefix), mode_of)?,
            on_loss: on_loss.as_ref().map(Callback::on_loss),
            log: convert::text_or_none("log", log)?,
            require: required(require_name, require_content_type, require_parameters)?,
            cache: path("cache", cache)?,
            cache_bytes: bytes("cache_bytes", cache_bytes)?,
            credentials: path("credentials", credentials)?,
            block_max_bytes: bytes("block_max_bytes", block_max_bytes)?,
            opener: stores::opener(),
        };
        let given = options.clone();
        let token = convert::text_or_none("token", token)?;
        let location = match (location, &token) {
            (None, Some(_)) => PathBuf::new(),
            (None, None) => return Err(PyTypeError::new_err("a log needs a location: a path or a URL")),
            (Some(location), _) => convert::path("location", location)?,
        };
        let opened = py.detach(|| open(&location, token.as_deref(), given)).or_raise(py)?;
        let place = opened.place().to_owned();
        let reader = RwLock::new(Some(Arc::new(opened)));
        Ok(Log { reader, location, place, token, options, on_loss })
    }

    /// A path; of a URL the text, which is none.
    #[getter]
    fn location<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        match self.place.to_str().filter(|place| binlog::store::is_url(place)) {
            Some(url) => Ok(PyString::new(py, url).into_any()),
            None => self.place.as_path().into_pyobject(py).map(Bound::into_any),
        }
    }

    #[getter]
    fn closed(&self) -> bool {
        self.reader.read().is_none()
    }

    fn close(&self, py: Python<'_>) {
        let reader = self.reader.write().take();
        py.detach(|| drop(reader));
    }

    #[pyo3(signature = (
        r#type=None, r#where=None, since=None, until=None, from_id=None, to_id=None, last=None, reverse=false,
        follow=false, timeout=None, events=false, headers_only=false, views=false,
    ))]
    #[allow(clippy::too_many_arguments)] // they are keywords
    fn _records(
        &self,
        py: Python<'_>,
        r#type: Option<&Bound<'_, PyAny>>,
        r#where: Option<&Bound<'_, PyAny>>,
        since: Option<&Bound<'_, PyAny>>,
        until: Option<&Bound<'_, PyAny>>,
        from_id: Option<&Bound<'_, PyAny>>,
        to_id: Option<&Bound<'_, PyAny>>,
        last: Option<&Bound<'_, PyAny>>,
        reverse: bool,
        follow: bool,
        timeout: Option<&Bound<'_, PyAny>>,
        events: bool,
        headers_only: bool,
        views: bool,
    ) -> PyResult<Records> {
        if follow && reverse {
            return Err(error::new(py, "invalid", "what is followed has its newest record not yet: leave reverse out"));
        }
        let reader = self.reader(py)?;
        let arguments = Arguments { types: r#type, pairs: r#where, since, until, from_id, to_id };
        let mut selection = Selection::new(&arguments)?;
        let mut wanted = None;
        if follow && last.is_none() && !selection.patterns.is_empty() {
            // Types that match may get their names later.
            let filter = &mut selection.filter;
            wanted = Some(Wanted {
                numbers: std::mem::take(&mut filter.types),
                names: std::mem::take(&mut filter.type_names),
                patterns: std::mem::take(&mut selection.patterns),
            });
        }
        selection.resolve(py, &reader)?;
        let last = last.map(|given| convert::integer("last", given)).transpose()?;
        let filter = Filter { last, newest_first: reverse, events, headers_only, ..selection.filter };
        let timeout = timeout.map(|given| convert::duration("timeout", given)).transpose()?;
        let cursor = py.detach(|| reader.cursor(&filter)).or_raise(py)?;
        let most = last.filter(|_| !follow && !events);
        Ok(Records::new(cursor, Showing { follow, timeout, views, headers_only, wanted }, most))
    }

    /// A capsule with a stream of the table, or with its schema alone.
    #[pyo3(signature = (
        only_schema, columns, metadata, plain, batch_rows, batch_bytes, *, r#type=None, r#where=None, since=None,
        until=None, from_id=None, to_id=None, last=None, reverse=false, events=false,
    ))]
    #[allow(clippy::too_many_arguments)] // they are keywords
    fn _stream<'py>(
        &self,
        py: Python<'py>,
        only_schema: bool,
        columns: u32,
        metadata: Vec<Bound<'_, PyAny>>,
        plain: bool,
        batch_rows: Option<&Bound<'_, PyAny>>,
        batch_bytes: Option<&Bound<'_, PyAny>>,
        r#type: Option<&Bound<'_, PyAny>>,
        r#where: Option<&Bound<'_, PyAny>>,
        since: Option<&Bound<'_, PyAny>>,
        until: Option<&Bound<'_, PyAny>>,
        from_id: Option<&Bound<'_, PyAny>>,
        to_id: Option<&Bound<'_, PyAny>>,
        last: Option<&Bound<'_, PyAny>>,
        reverse: bool,
        events: bool,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        let arguments = Arguments { types: r#type, pairs: r#where, since, until, from_id, to_id };
        let (reader, filter) = self.selected(py, &arguments)?;
        let last = last.map(|given| convert::integer("last", given)).transpose()?;
        let filter = Filter { last, newest_first: reverse, events, ..filter };
        let options = table::options(py, columns, &metadata, plain, batch_rows, batch_bytes)?;
        let made = py.detach(|| reader.table(&filter, &options)).or_raise(py)?;
        match only_schema {
            true => table::schema(py, made),
            false => table::stream(py, made),
        }
    }

    /// Refuses wrong arguments of a table where they are given: it is read later, by an engine.
    #[pyo3(signature = (
        columns, metadata, plain, batch_rows, batch_bytes, *, r#type=None, r#where=None, since=None, until=None,
        from_id=None, to_id=None, last=None, reverse=false, events=false,
    ))]
    #[allow(clippy::too_many_arguments)] // they are those of a table
    fn _check(
        &self,
        py: Python<'_>,
        columns: u32,
        metadata: Vec<Bound<'_, PyAny>>,
        plain: bool,
        batch_rows: Option<&Bound<'_, PyAny>>,
        batch_bytes: Option<&Bound<'_, PyAny>>,
        r#type: Option<&Bound<'_, PyAny>>,
        r#where: Option<&Bound<'_, PyAny>>,
        since: Option<&Bound<'_, PyAny>>,
        until: Option<&Bound<'_, PyAny>>,
        from_id: Option<&Bound<'_, PyAny>>,
        to_id: Option<&Bound<'_, PyAny>>,
        last: Option<&Bound<'_, PyAny>>,
        reverse: bool,
        events: bool,
    ) -> PyResult<()> {
        let _ = (reverse, events);
        Selection::new(&Arguments { types: r#type, pairs: r#where, since, until, from_id, to_id })?;
        last.map(|given| convert::integer::<u64>("last", given)).transpose()?;
        table::options(py, columns, &metadata, plain, batch_rows, batch_bytes).map(drop)
    }

    #[pyo3(signature = (
        target_bytes, most, *, r#type=None, r#where=None, since=None, until=None, from_id=None, to_id=None,
        events=false,
    ))]
    #[allow(clippy::too_many_arguments)] // they are keywords
    fn _splits<'py>(
        &self,
        py: Python<'py>,
        target_bytes: &Bound<'_, PyAny>,
        most: &Bound<'_, PyAny>,
        r#type: Option<&Bound<'_, PyAny>>,
        r#where: Option<&Bound<'_, PyAny>>,
        since: Option<&Bound<'_, PyAny>>,
        until: Option<&Bound<'_, PyAny>>,
        from_id: Option<&Bound<'_, PyAny>>,
        to_id: Option<&Bound<'_, PyAny>>,
        events: bool,
    ) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let arguments = Arguments { types: r#type, pairs: r#where, since, until, from_id, to_id };
        let (reader, filter) = self.selected(py, &arguments)?;
        let filter = Filter { events, ..filter };
        let options = PlanOptions {
            target_bytes: convert::integer("target", target_bytes)?,
            most: convert::integer("most", most)?,
        };
        let plan = py.detach(|| reader.plan(&filter, &options)).or_raise(py)?;
        plan.splits().iter().map(|split| facts::split(py, split)).collect()
    }

    fn _types<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let reader = self.reader(py)?;
        let types = py.detach(|| reader.types()).or_raise(py)?;
        types.iter().map(|info| facts::type_info(py, info)).collect()
    }

    /// The numbers of the types of this name, the newest last, each with what decodes its payloads or with the reason
    /// why nothing does.
    fn _decoders<'py>(&self, py: Python<'py>, name: &Bound<'_, PyAny>) -> PyResult<Vec<(u32, Bound<'py, PyAny>)>> {
        let reader = self.reader(py)?;
        let name = convert::text("decode", name)?;
        let mut types = py.detach(|| reader.types()).or_raise(py)?;
        types.retain(|info| info.name == name);
        types.sort_by_key(|info| info.number);
        let made = types.iter().map(|info| match py.detach(|| binlog_decode::Decoder::new(info)) {
            Ok(decoder) => Ok((info.number, Bound::new(py, Decoder::from(decoder))?.into_any())),
            Err(reason) => Ok((info.number, PyString::new(py, &reason).into_any())),
        });
        made.collect()
    }

    fn _segments<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let reader = self.reader(py)?;
        let segments = py.detach(|| reader.segments());
        segments.iter().map(|segment| facts::segment(py, segment, None, None)).collect()
    }

    fn _info<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let reader = self.reader(py)?;
        let contents = py.detach(|| reader.contents(&mut |_, _| ())).or_raise(py)?;
        facts::contents(py, &contents)
    }

    fn _counts<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let reader = self.reader(py)?;
        let counts = py.detach(|| reader.counts()).or_raise(py)?;
        let dict = PyDict::new(py);
        for TypeCount { type_id, name, records, .. } in counts {
            match name {
                Some(name) => dict.set_item(name, records)?,
                None => dict.set_item(type_id, records)?,
            }
        }
        Ok(dict)
    }

    /// Reads everything, whatever the log's mode is: records, losses, and the tail.
    fn _verify<'py>(&self, py: Python<'py>) -> PyResult<(u64, Bound<'py, PyList>, Bound<'py, PyAny>, bool)> {
        self.reader(py)?;
        let losses = Arc::new(Mutex::new(Vec::<Loss>::new()));
        let found = losses.clone();
        let options = ReaderOptions {
            mode: ReaderMode::Salvage,
            on_loss: Some(Arc::new(move |loss: &Loss| found.lock().push(loss.clone()))),
            ..self.options.clone()
        };
        let mut cursor = py
            .detach(|| {
                let reader = open(&self.location, self.token.as_deref(), options)?;
                reader.cursor(&Filter::default())
            })
            .or_raise(py)?;
        let mut records = 0u64;
        loop {
            match py.detach(|| cursor.next_batch(usize::MAX, |_| ())).or_raise(py)? {
                0 => break,
                count => records += count as u64,
            }
            py.check_signals()?;
        }
        let list = PyList::empty(py);
        for loss in losses.lock().iter() {
            list.append(facts::loss(py, loss)?)?;
        }
        let tail = cursor.tail();
        let is_whole =
            list.is_empty() && matches!(tail.state, TailState::Closed | TailState::Live | TailState::Unclosed);
        Ok((records, list, facts::tail(py, &tail)?, is_whole))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.on_loss.as_ref().map_or(Ok(()), |on_loss| on_loss.traverse(&visit))
    }

    fn __clear__(&self) {
        if let Some(on_loss) = &self.on_loss {
            on_loss.clear();
        }
    }
}
