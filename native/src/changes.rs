//! `drayman._native.changes` and the size of a tree.
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use drayman_changes::{Change, Error, Marks, Question};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::errors::{raise, Kind};

fn to_python(error: &Error) -> PyErr {
    raise(Kind::System, error)
}

#[pyfunction]
#[pyo3(signature = (upper, lower, *, facts = false, since_ns = None))]
fn changes(
    py: Python<'_>,
    upper: OsString,
    lower: Vec<OsString>,
    facts: bool,
    since_ns: Option<i64>,
) -> PyResult<Bound<'_, PyBytes>> {
    let (upper, lower) = (upper.into_vec(), paths(lower));
    let question = Question { facts, since_ns };
    told(py, || {
        drayman_changes::changes(&upper, &lower, Marks::of_this_process(), question)
    })
}

#[pyfunction]
#[pyo3(signature = (old, new, *, facts = false, since_ns = None))]
fn changes_between(
    py: Python<'_>,
    old: Vec<OsString>,
    new: Vec<OsString>,
    facts: bool,
    since_ns: Option<i64>,
) -> PyResult<Bound<'_, PyBytes>> {
    let (old, new) = (paths(old), paths(new));
    let question = Question { facts, since_ns };
    told(py, || {
        drayman_changes::changes_between(&old, &new, Marks::of_this_process(), question)
    })
}

fn paths(given: Vec<OsString>) -> Vec<Vec<u8>> {
    given.into_iter().map(OsString::into_vec).collect()
}

/// Find changes and write them down, both without the interpreter: tens of thousands would
/// be slower to make into objects than to find.
fn told(
    py: Python<'_>,
    find: impl FnOnce() -> Result<Vec<Change>, Error> + Send,
) -> PyResult<Bound<'_, PyBytes>> {
    let document = py
        .detach(|| find().map(|found| drayman_changes::document(&found)))
        .map_err(|error| to_python(&error))?
        .map_err(|error| raise(Kind::System, error))?;
    Ok(PyBytes::new(py, &document))
}

#[pyfunction]
fn tree_size_bytes(py: Python<'_>, path: OsString) -> PyResult<u64> {
    let path = path.into_vec();
    py.detach(|| drayman_changes::tree_size_bytes(&path))
        .map_err(|error| to_python(&error))
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(changes, module)?)?;
    module.add_function(wrap_pyfunction!(changes_between, module)?)?;
    module.add_function(wrap_pyfunction!(tree_size_bytes, module)?)?;
    Ok(())
}
