//! The Python module `libbinlog._libbinlog`: what needs the library itself. The package around it, in Python, has the
//! names that programs use, the exceptions, and what other packages are needed for.

mod callback;
mod calls;
mod convert;
mod error;
mod facts;
mod filter;
mod log;
mod record;
mod records;
mod repair;
mod stores;
mod table;
mod types;
mod value;
mod writer;
mod writer_options;

use pyo3::exceptions::PyImportError;
use pyo3::prelude::*;

/// Refuses an interpreter beside the main one: what is known of Python's classes is kept for the process. CPython
/// before 3.12 does not ask.
#[pyfunction]
fn _check_interpreter() -> PyResult<()> {
    // SAFETY: this thread is attached, so there is a current interpreter.
    let id = unsafe { pyo3::ffi::PyInterpreterState_GetID(pyo3::ffi::PyInterpreterState_Get()) };
    match id {
        0 => Ok(()),
        _ => {
            Err(PyImportError::new_err("libbinlog works in the main interpreter alone, and this is a sub-interpreter"))
        }
    }
}

/// The part of libbinlog that is written in Rust.
// Everything that threads share is behind locks, so it may run without the GIL.
#[pymodule(gil_used = false)]
fn _libbinlog(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<log::Log>()?;
    module.add_class::<record::Record>()?;
    module.add_class::<records::Records>()?;
    module.add_class::<value::Decoder>()?;
    module.add_class::<writer::Writer>()?;
    module.add_function(wrap_pyfunction!(_check_interpreter, module)?)?;
    module.add_function(wrap_pyfunction!(repair::recover, module)?)?;
    module.add_function(wrap_pyfunction!(repair::recover_in_place, module)?)?;
    module.add_function(wrap_pyfunction!(repair::rebuild_index, module)?)?;
    module.add_function(wrap_pyfunction!(repair::compress, module)?)?;
    Ok(())
}
