//! Types as a cursor meets them, shared by their records.

use std::sync::{Arc, OnceLock};

use binlog::TypeInfo;
use binlog_decode::Decoder;
use pyo3::prelude::*;
use pyo3::types::PyString;

/// A named type.
pub struct NamedType {
    pub info: TypeInfo,
    pub name: Py<PyString>,
    /// Whether the caller's patterns take it.
    pub is_wanted: bool,
    decoder: OnceLock<Result<Decoder, String>>,
}

impl NamedType {
    pub fn new(py: Python<'_>, info: TypeInfo, is_wanted: bool) -> Arc<Self> {
        let name = PyString::intern(py, &info.name).unbind();
        Arc::new(NamedType { info, name, is_wanted, decoder: OnceLock::new() })
    }

    pub fn is(&self, info: &TypeInfo) -> bool {
        let TypeInfo { number, name, content_type, encoding, message, schema_sha256, .. } = &self.info;
        (number, name, content_type) == (&info.number, &info.name, &info.content_type)
            && (encoding, message, schema_sha256) == (&info.encoding, &info.message, &info.schema_sha256)
    }

    /// Made when the first value is asked for.
    pub fn decoder(&self) -> Result<&Decoder, &str> {
        self.decoder.get_or_init(|| Decoder::new(&self.info)).as_ref().map_err(|reason| &**reason)
    }
}
