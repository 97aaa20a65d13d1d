//! Python functions that the library calls.

use std::path::PathBuf;
use std::sync::Arc;

use binlog::hooks::{Hook, OnFailure, SegmentFile};
use binlog::rolling::RollCheck;
use binlog::{Error, Kind, Loss, OnLoss};
use parking_lot::Mutex;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;

use crate::calls::InCallback;
use crate::{convert, error, facts};

/// A Python function in a closure of the library. The garbage collector sees it through its owner, and may clear it.
#[derive(Clone)]
pub struct Callback(Arc<Mutex<Option<Py<PyAny>>>>);

impl Callback {
    /// Of the argument of this name.
    pub fn new(name: &str, function: &Bound<'_, PyAny>) -> PyResult<Self> {
        Ok(Callback(Arc::new(Mutex::new(Some(convert::callable(name, function)?)))))
    }

    pub fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self.0.try_lock() {
            Some(function) => function.as_ref().map_or(Ok(()), |function| visit.call(function)),
            // It is being called, and so referred to from elsewhere.
            None => Ok(()),
        }
    }

    pub fn clear(&self) {
        let function = self.0.lock().take();
        drop(function);
    }

    /// Calls it; `None` when it was cleared, or Python is ending.
    fn call<'a, T>(
        &self,
        arguments: impl for<'py> FnOnce(Python<'py>) -> PyResult<Bound<'py, PyAny>> + 'a,
        result: impl for<'py> FnOnce(&Bound<'py, PyAny>) -> PyResult<T> + 'a,
    ) -> Option<Result<T, Error>> {
        Python::try_attach(|py| {
            let function = self.0.lock().as_ref().map(|function| function.clone_ref(py))?;
            let _marked = InCallback::enter();
            let returned = arguments(py).and_then(|one| function.bind(py).call1((one,))).and_then(|r| result(&r));
            Some(returned.map_err(|raised| of_raised(py, &raised)))
        })
        .flatten()
    }

    /// A callback whose exceptions nobody else sees.
    fn tell(&self, arguments: impl for<'py> FnOnce(Python<'py>) -> PyResult<Bound<'py, PyAny>>) {
        Python::try_attach(|py| {
            let Some(function) = self.0.lock().as_ref().map(|function| function.clone_ref(py)) else { return };
            let _marked = InCallback::enter();
            if let Err(raised) = arguments(py).and_then(|one| function.bind(py).call1((one,))) {
                raised.write_unraisable(py, Some(function.bind(py)));
            }
        });
    }

    pub fn on_loss(&self) -> OnLoss {
        let callback = self.clone();
        Arc::new(move |loss: &Loss| callback.tell(|py| facts::loss(py, loss)))
    }

    pub fn on_failure(&self) -> OnFailure {
        let callback = self.clone();
        Arc::new(move |failure: &Error| callback.tell(|py| error::exception(py, failure)))
    }

    pub fn hook(&self) -> Hook {
        let callback = self.clone();
        Arc::new(move |segment: &SegmentFile| {
            let moved =
                callback.call(|py| facts::segment_file(py, segment), |returned| returned.extract::<Option<PathBuf>>());
            moved.unwrap_or(Ok(None))
        })
    }

    /// A check that raises is one that says no, and its exception is reported as Python does in such places.
    pub fn roll_check(&self) -> RollCheck {
        let callback = self.clone();
        Arc::new(move |state| {
            let mut roll = false;
            callback.tell_and(
                |py| facts::segment_state(py, state),
                |returned| {
                    roll = returned.is_truthy()?;
                    Ok(())
                },
            );
            roll
        })
    }

    fn tell_and(
        &self,
        arguments: impl for<'py> FnOnce(Python<'py>) -> PyResult<Bound<'py, PyAny>>,
        result: impl for<'py> FnOnce(&Bound<'py, PyAny>) -> PyResult<()>,
    ) {
        Python::try_attach(|py| {
            let Some(function) = self.0.lock().as_ref().map(|function| function.clone_ref(py)) else { return };
            let _marked = InCallback::enter();
            let done = arguments(py).and_then(|one| function.bind(py).call1((one,))).and_then(|r| result(&r));
            if let Err(raised) = done {
                raised.write_unraisable(py, Some(function.bind(py)));
            }
        });
    }
}

/// What the library reports of an exception that a callback raised.
fn of_raised(py: Python<'_>, raised: &PyErr) -> Error {
    let value = raised.value(py);
    let kind = value.getattr("kind").and_then(|kind| kind.extract::<String>());
    let kind = kind.map_or(Kind::Io, |kind| error::kind_of(&kind));
    Error::new(kind, format!("a function in Python raised {raised}"))
}
