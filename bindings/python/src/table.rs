//! A log as an Arrow stream in a capsule, as the Arrow PyCapsule interface has it.

use std::ffi::CStr;
use std::mem::MaybeUninit;

use binlog::columns::{Columns, Table, TableOptions};
use binlog::ffi::{stream_of, ArrowArrayStream, ArrowSchema};
use pyo3::exceptions::PyMemoryError;
use pyo3::prelude::*;
use pyo3::types::PyCapsule;

use crate::{convert, error};

const STREAM: &CStr = c"arrow_array_stream";
const SCHEMA: &CStr = c"arrow_schema";

/// The options of a table.
pub fn options(
    py: Python<'_>,
    columns: u32,
    metadata: &[Bound<'_, PyAny>],
    plain: bool,
    batch_rows: Option<&Bound<'_, PyAny>>,
    batch_bytes: Option<&Bound<'_, PyAny>>,
) -> PyResult<TableOptions> {
    let defaults = TableOptions::default();
    let columns = Columns::from_bits(columns).ok_or_else(|| error::new(py, "invalid", "unknown columns"))?;
    Ok(TableOptions {
        columns,
        metadata: metadata
            .iter()
            .map(|key| Ok(convert::text("a metadata key", key)?.to_owned()))
            .collect::<PyResult<_>>()?,
        plain,
        batch_rows: batch_rows.map_or(Ok(defaults.batch_rows), |given| convert::integer("batch_rows", given))?,
        batch_bytes: batch_bytes.map_or(Ok(defaults.batch_bytes), |given| convert::integer("batch_bytes", given))?,
    })
}

/// The stream of a table. It belongs to the capsule until somebody takes it.
pub fn stream<'py>(py: Python<'py>, table: Table) -> PyResult<Bound<'py, PyCapsule>> {
    capsule(py, stream_of(table), STREAM, free_stream)
}

/// The schema of a table.
pub fn schema<'py>(py: Python<'py>, table: Table) -> PyResult<Bound<'py, PyCapsule>> {
    let mut stream = stream_of(table);
    let mut schema = MaybeUninit::<ArrowSchema>::uninit();
    // SAFETY: the stream is valid, and filled the schema if it returned 0; it is released once.
    let schema = unsafe {
        let get_schema = stream.get_schema;
        let status = get_schema.map_or(-1, |get_schema| get_schema(&mut stream, schema.as_mut_ptr()));
        if let Some(release) = stream.release {
            release(&mut stream);
        }
        if status != 0 {
            return Err(PyMemoryError::new_err("no memory for a schema"));
        }
        schema.assume_init()
    };
    capsule(py, schema, SCHEMA, free_schema)
}

fn capsule<'py, T>(
    py: Python<'py>,
    value: T,
    name: &'static CStr,
    free: unsafe extern "C" fn(*mut pyo3::ffi::PyObject),
) -> PyResult<Bound<'py, PyCapsule>> {
    let value = Box::into_raw(Box::new(value));
    // SAFETY: the name is static, and `free` frees what is in the capsule, once.
    unsafe {
        let made = pyo3::ffi::PyCapsule_New(value.cast(), name.as_ptr(), Some(free));
        if made.is_null() {
            drop(Box::from_raw(value));
            return Err(PyErr::fetch(py));
        }
        Ok(Bound::from_owned_ptr(py, made).cast_into_unchecked())
    }
}

/// # Safety
/// Called once by Python, with the capsule.
unsafe extern "C" fn free_stream(capsule: *mut pyo3::ffi::PyObject) {
    // SAFETY: the capsule has a boxed stream; whoever moved it away has set its `release` to NULL.
    unsafe {
        let stream = pyo3::ffi::PyCapsule_GetPointer(capsule, STREAM.as_ptr()).cast::<ArrowArrayStream>();
        if stream.is_null() {
            return pyo3::ffi::PyErr_Clear();
        }
        let mut stream = Box::from_raw(stream);
        if let Some(release) = stream.release {
            release(&mut *stream);
        }
    }
}

/// # Safety
/// As [`free_stream`].
unsafe extern "C" fn free_schema(capsule: *mut pyo3::ffi::PyObject) {
    // SAFETY: as in `free_stream`.
    unsafe {
        let schema = pyo3::ffi::PyCapsule_GetPointer(capsule, SCHEMA.as_ptr()).cast::<ArrowSchema>();
        if schema.is_null() {
            return pyo3::ffi::PyErr_Clear();
        }
        let mut schema = Box::from_raw(schema);
        if let Some(release) = schema.release {
            release(&mut *schema);
        }
    }
}
