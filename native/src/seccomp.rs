//! Python's door to the compiler of seccomp profiles.
use drayman_seccomp::{compile, Error};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::errors::{raise, Kind};

#[pyfunction]
fn seccomp_compile(
    py: Python<'_>,
    profile: Vec<u8>,
    architectures: Vec<String>,
) -> PyResult<Bound<'_, PyBytes>> {
    let compiled = py.detach(|| compile(&profile, &architectures));
    match compiled {
        Ok(program) => Ok(PyBytes::new(py, &program)),
        Err(error @ Error::System(_)) => Err(raise(Kind::System, error)),
        Err(error) => Err(raise(Kind::InvalidParameter, error)),
    }
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(seccomp_compile, module)?)
}
