//! One record. It keeps its bytes itself, so it lives as long as the program wants.

use std::sync::Arc;

use binlog::{is_event, Metadata, MetadataBuf};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyMemoryView, PyString};

use crate::types::NamedType;
use crate::{convert, error, value};

/// A record of a log.
#[pyclass(frozen, module = "libbinlog")]
pub struct Record {
    pub id: u64,
    pub time: i64,
    pub number: u32,
    pub length: u32,
    pub named: Option<Arc<NamedType>>,
    pub pairs: Option<Box<MetadataBuf>>,
    pub payload: Payload,
}

/// The payload's bytes.
pub enum Payload {
    /// Only headers were read.
    Unread,
    Own(Py<PyBytes>),
    /// The part from here on of what was read at a time.
    Part(Py<PyBytes>, usize),
}

impl Record {
    fn bytes<'a>(&'a self, py: Python<'a>) -> PyResult<&'a [u8]> {
        match &self.payload {
            Payload::Unread => {
                Err(error::new(py, "invalid", "the payload was not read: the records have headers only"))
            }
            Payload::Own(bytes) => Ok(bytes.as_bytes(py)),
            Payload::Part(bytes, at) => Ok(&bytes.as_bytes(py)[*at..*at + self.length as usize]),
        }
    }

    fn metadata(&self) -> Metadata<'_> {
        self.pairs.as_ref().map_or_else(Metadata::default, |pairs| pairs.as_metadata())
    }
}

#[pymethods]
impl Record {
    /// 1, 2, 3 … across the whole log. An event has the id of the record that follows it.
    #[getter]
    fn id(&self) -> u64 {
        self.id
    }

    /// The time in UTC; microseconds are rounded down.
    #[getter]
    fn time<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        convert::datetime(py, self.time)
    }

    /// The time in nanoseconds since the Unix epoch.
    #[getter]
    fn time_ns(&self) -> i64 {
        self.time
    }

    /// The type's name, or its number if it has none.
    #[getter]
    fn r#type<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        match &self.named {
            Some(named) => Ok(named.name.bind(py).clone().into_any()),
            None => Ok(self.number.into_pyobject(py)?.into_any()),
        }
    }

    /// The type's number in this log.
    #[getter]
    fn type_number(&self) -> u32 {
        self.number
    }

    /// The type's name, or None.
    #[getter]
    fn type_name<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyString>> {
        self.named.as_ref().map(|named| named.name.bind(py).clone())
    }

    /// The string pairs as a new dict. Of a key that occurs twice, the first value counts.
    #[getter(metadata)]
    fn metadata_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        for (key, value) in self.metadata().into_iter() {
            if !dict.contains(key)? {
                dict.set_item(key, value)?;
            }
        }
        Ok(dict)
    }

    /// All string pairs, in the order in which they were written.
    #[getter]
    fn pairs<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        PyList::new(py, self.metadata().into_iter().collect::<Vec<_>>())
    }

    /// The payload: bytes, or a memoryview if the records were opened so.
    #[getter]
    fn payload<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        match &self.payload {
            Payload::Own(bytes) => Ok(bytes.bind(py).clone().into_any()),
            Payload::Part(bytes, at) => {
                let view = PyMemoryView::from(bytes.bind(py).as_any())?;
                let range = pyo3::types::PySlice::new(py, *at as isize, (*at + self.length as usize) as isize, 1);
                view.get_item(range)
            }
            Payload::Unread => Err(self.bytes(py).err().unwrap_or_else(|| error::new(py, "invalid", "no payload"))),
        }
    }

    /// The payload's length in bytes, also when only headers were read.
    #[getter]
    fn length(&self) -> u32 {
        self.length
    }

    /// Whether this is one of the library's own records.
    #[getter(is_event)]
    fn is_an_event(&self) -> bool {
        is_event(self.number)
    }

    /// What the library noted, such as "STARTED"; None for a record of the user's.
    #[getter]
    fn event(&self) -> Option<&'static str> {
        binlog::event::name(self.number)
    }

    /// The payload as text, which must be UTF-8.
    #[getter]
    fn text<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyString>> {
        let text = std::str::from_utf8(self.bytes(py)?).map_err(|e| {
            let reason = format!("record {}: the payload is not UTF-8 from byte {} on", self.id, e.valid_up_to());
            error::new(py, "decode", &reason)
        })?;
        Ok(PyString::new(py, text))
    }

    /// The payload, decoded by the encoding and schema of its type.
    #[getter]
    fn value<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let payload = self.bytes(py)?;
        let failed = |reason: &str| error::new(py, "decode", &format!("record {}: {reason}", self.id));
        let Some(named) = &self.named else { return Err(failed("its type has no name, and so no encoding")) };
        let decoded = named.decoder().map_err(failed)?.decode(payload).map_err(|reason| failed(&reason))?;
        value::of(py, &decoded).map_err(|e| failed(&e.value(py).to_string()))
    }

    fn __len__(&self) -> usize {
        self.length as usize
    }

    fn __bool__(&self) -> bool {
        true
    }

    fn __bytes__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        match &self.payload {
            Payload::Own(bytes) => Ok(bytes.bind(py).clone()),
            _ => Ok(PyBytes::new(py, self.bytes(py)?)),
        }
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let time: String = self.time(py)?.call_method0("isoformat")?.extract()?;
        let kind = self.r#type(py)?.repr()?;
        let pairs = match self.pairs.is_some() {
            true => format!(" metadata={}", self.metadata_dict(py)?.repr()?),
            false => String::new(),
        };
        Ok(format!("<Record {} {time} type={kind}{pairs} {} bytes>", self.id, self.length))
    }
}
