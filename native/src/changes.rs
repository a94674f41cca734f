//! `drayman._native.changes` and the size of a tree.
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use drayman_changes::{Error, Marks};
use pyo3::prelude::*;

use crate::errors::{raise, Kind};

fn to_python(error: &Error) -> PyErr {
    raise(Kind::System, error)
}

#[pyfunction]
fn changes(py: Python<'_>, upper: OsString, lower: Vec<OsString>) -> PyResult<Vec<(OsString, u8)>> {
    let upper = upper.into_vec();
    let lower: Vec<Vec<u8>> = lower.into_iter().map(OsString::into_vec).collect();
    let found = py
        .detach(|| drayman_changes::changes(&upper, &lower, Marks::of_this_process()))
        .map_err(|error| to_python(&error))?;
    Ok(found
        .into_iter()
        .map(|change| (OsString::from_vec(change.path), change.kind as u8))
        .collect())
}

#[pyfunction]
fn tree_size_bytes(py: Python<'_>, path: OsString) -> PyResult<u64> {
    let path = path.into_vec();
    py.detach(|| drayman_changes::tree_size_bytes(&path))
        .map_err(|error| to_python(&error))
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(changes, module)?)?;
    module.add_function(wrap_pyfunction!(tree_size_bytes, module)?)?;
    Ok(())
}
