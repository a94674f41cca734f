//! Python's door to the compiler of seccomp profiles.
use drayman_seccomp::{compile, Error};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::errors::{raise, Kind};

#[pyfunction]
#[allow(clippy::needless_pass_by_value)] // pyo3 hands over what it converted
fn seccomp_compile<'py>(
    py: Python<'py>,
    profile: Vec<u8>,
    architectures: Vec<String>,
) -> PyResult<Bound<'py, PyBytes>> {
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
