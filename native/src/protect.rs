//! Python's door to what keeps the host's binaries out of containers' reach.
use std::os::fd::IntoRawFd;
use std::path::PathBuf;

use drayman_executor::protect;
use pyo3::prelude::*;

use crate::errors::{raise, Kind};

#[pyfunction]
fn sealed_program(py: Python<'_>, binary: PathBuf) -> PyResult<i32> {
    py.detach(|| protect::sealed(&binary))
        .map(IntoRawFd::into_raw_fd)
        .map_err(|error| raise(Kind::System, error))
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("SEALED", protect::SEALED)?;
    module.add_function(wrap_pyfunction!(sealed_program, module)?)
}
