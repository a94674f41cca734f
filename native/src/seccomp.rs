//! To be written: `seccomp`.
use pyo3::prelude::*;

#[allow(clippy::unnecessary_wraps)]
pub(crate) fn register(_module: &Bound<'_, PyModule>) -> PyResult<()> {
    Ok(())
}
