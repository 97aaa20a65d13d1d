//! Decoded payloads as Python's values.

use binlog::TypeInfo;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use crate::{convert, error};

/// A value of JSON in Python, as `json.loads` makes it.
pub fn of<'py>(py: Python<'py>, json: &str) -> PyResult<Bound<'py, PyAny>> {
    static LOADS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    LOADS.import(py, "json", "loads")?.call1((json,))
}

/// Decodes payloads of one encoding and schema, without a log.
#[pyclass(frozen, module = "libbinlog")]
pub struct Decoder(binlog_decode::Decoder);

impl From<binlog_decode::Decoder> for Decoder {
    fn from(decoder: binlog_decode::Decoder) -> Self {
        Decoder(decoder)
    }
}

#[pymethods]
impl Decoder {
    #[new]
    #[pyo3(
        signature = (encoding, schema=None, message=None, content_type=None),
        text_signature = "(encoding, schema=None, message='', content_type='')",
    )]
    fn new(
        py: Python<'_>,
        encoding: &Bound<'_, PyAny>,
        schema: Option<&Bound<'_, PyAny>>,
        message: Option<&Bound<'_, PyAny>>,
        content_type: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let mut info = TypeInfo::default();
        info.encoding = convert::text("encoding", encoding)?.to_owned();
        info.message = convert::text_or_none("message", message)?.unwrap_or_default();
        info.content_type = convert::text_or_none("content_type", content_type)?.unwrap_or_default();
        info.schema = match schema {
            Some(schema) => Some(std::sync::Arc::new(convert::payload(schema)?.as_bytes().to_vec())),
            None => None,
        };
        let decoder = py.detach(|| binlog_decode::Decoder::new(&info));
        decoder.map(Decoder).map_err(|reason| error::new(py, "decode", &reason))
    }

    /// The value of a payload.
    fn decode<'py>(&self, payload: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = payload.py();
        let payload = convert::payload(payload)?;
        match self.0.decode(payload.as_bytes()) {
            Ok(json) => of(py, &json).map_err(|e| error::new(py, "decode", &e.value(py).to_string())),
            Err(reason) => Err(error::new(py, "decode", &reason)),
        }
    }

    /// The value as JSON, or None for a payload that has none.
    fn to_json(&self, payload: &Bound<'_, PyAny>) -> PyResult<Option<String>> {
        let payload = convert::payload(payload)?;
        Ok(self.0.decode(payload.as_bytes()).ok())
    }
}
