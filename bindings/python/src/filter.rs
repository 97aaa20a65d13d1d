//! The selection of `records`, `table` and `splits` as a filter.

use binlog::{Filter, Reader};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use crate::convert;
use crate::error::OrRaise;

/// What a caller selects. Patterns of type names are kept apart: the library's filter has names alone.
#[derive(Default)]
pub struct Selection {
    pub filter: Filter,
    pub patterns: Vec<String>,
}

/// The arguments that select records.
pub struct Arguments<'a, 'py> {
    pub types: Option<&'a Bound<'py, PyAny>>,
    pub pairs: Option<&'a Bound<'py, PyAny>>,
    pub since: Option<&'a Bound<'py, PyAny>>,
    pub until: Option<&'a Bound<'py, PyAny>>,
    pub from_id: Option<&'a Bound<'py, PyAny>>,
    pub to_id: Option<&'a Bound<'py, PyAny>>,
}

impl Selection {
    pub fn new(arguments: &Arguments<'_, '_>) -> PyResult<Self> {
        let mut selection = Selection::default();
        if let Some(types) = arguments.types {
            selection.add_types(types)?;
        }
        let filter = &mut selection.filter;
        if let Some(pairs) = arguments.pairs {
            convert::each_pair("where", pairs, |key, value| {
                filter.metadata.push((key.to_owned(), value.to_owned()));
                Ok(())
            })?;
        }
        filter.from_time = arguments.since.map(|given| convert::time("since", given)).transpose()?;
        filter.to_time = arguments.until.map(|given| convert::time("until", given)).transpose()?;
        filter.from_id = arguments.from_id.map(|given| convert::integer("from_id", given)).transpose()?;
        filter.to_id = arguments.to_id.map(|given| convert::integer("to_id", given)).transpose()?;
        Ok(selection)
    }

    fn add_types(&mut self, given: &Bound<'_, PyAny>) -> PyResult<()> {
        if self.add_type(given)? {
            return Ok(());
        }
        let wanted = "a name, a pattern, a number, or several of them";
        if given.is_instance_of::<PyBytes>() {
            return Err(convert::wrong_type("type", wanted, given));
        }
        for one in convert::iterated("type", wanted, given)? {
            let one = one?;
            if !self.add_type(&one)? {
                return Err(convert::wrong_type("each type", "a name, a pattern or a number", &one));
            }
        }
        if self.filter.types.is_empty() && self.filter.type_names.is_empty() && self.patterns.is_empty() {
            // None of the types is not all of them.
            self.filter.type_names.push(String::new());
        }
        Ok(())
    }

    fn add_type(&mut self, given: &Bound<'_, PyAny>) -> PyResult<bool> {
        if given.is_instance_of::<PyString>() {
            let name = convert::text("type", given)?;
            match name.contains(['*', '?', '[']) {
                true => self.patterns.push(name.to_owned()),
                false => self.filter.type_names.push(name.to_owned()),
            }
            return Ok(true);
        }
        if !convert::is_integer(given) {
            return Ok(false);
        }
        self.filter.types.push(convert::integer("type", given)?);
        Ok(true)
    }

    /// Replaces patterns by the names in the log that match.
    pub fn resolve(&mut self, py: Python<'_>, reader: &Reader) -> PyResult<()> {
        if self.patterns.is_empty() {
            return Ok(());
        }
        let types = py.detach(|| reader.types()).or_raise(py)?;
        let matches = py.import("fnmatch")?.getattr("fnmatchcase")?;
        for pattern in std::mem::take(&mut self.patterns) {
            for info in &types {
                let is_new = !self.filter.type_names.contains(&info.name);
                if is_new && matches.call1((&info.name, &pattern))?.is_truthy()? {
                    self.filter.type_names.push(info.name.clone());
                }
            }
            // No match is not a match of everything, and a type may have a pattern for a name.
            self.filter.type_names.push(pattern);
        }
        Ok(())
    }
}
