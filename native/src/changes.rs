//! `drayman._native.changes` and the size of a tree.
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use drayman_changes::{Change, Error, Marks, Question};
use pyo3::prelude::*;

use crate::errors::{raise, Kind};

fn to_python(error: &Error) -> PyErr {
    raise(Kind::System, error)
}

type PyChange = (OsString, u8, Option<(u32, u64)>);

#[pyfunction]
#[pyo3(signature = (upper, lower, *, facts = false, since_ns = None))]
fn changes(
    py: Python<'_>,
    upper: OsString,
    lower: Vec<OsString>,
    facts: bool,
    since_ns: Option<i64>,
) -> PyResult<Vec<PyChange>> {
    let (upper, lower) = (upper.into_vec(), paths(lower));
    let question = Question { facts, since_ns };
    let found =
        py.detach(|| drayman_changes::changes(&upper, &lower, Marks::of_this_process(), question));
    listed(found)
}

#[pyfunction]
#[pyo3(signature = (old, new, *, facts = false, since_ns = None))]
fn changes_between(
    py: Python<'_>,
    old: Vec<OsString>,
    new: Vec<OsString>,
    facts: bool,
    since_ns: Option<i64>,
) -> PyResult<Vec<PyChange>> {
    let (old, new) = (paths(old), paths(new));
    let question = Question { facts, since_ns };
    let found = py.detach(|| {
        drayman_changes::changes_between(&old, &new, Marks::of_this_process(), question)
    });
    listed(found)
}

fn paths(given: Vec<OsString>) -> Vec<Vec<u8>> {
    given.into_iter().map(OsString::into_vec).collect()
}

fn listed(found: Result<Vec<Change>, Error>) -> PyResult<Vec<PyChange>> {
    let listed = |change: Change| {
        let facts = change
            .facts
            .map(|facts| (facts.type_bits, facts.size_bytes));
        (OsString::from_vec(change.path), change.kind as u8, facts)
    };
    let found = found.map_err(|error| to_python(&error))?;
    Ok(found.into_iter().map(listed).collect())
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
