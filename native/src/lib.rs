//! Python's door to the pure crates: one file a crate, no logic of its own.
//!
//! Every function here lets the GIL go while it works on descriptors, and raises the
//! kinds of `drayman.errors`.
// pyo3 hands over by value what it converted.
#![allow(clippy::needless_pass_by_value)]

mod archive;
mod changes;
mod descriptors;
mod errors;
mod logs;
mod network;
mod passing;
mod protect;
mod receive;
mod seccomp;
mod transfer;
mod view;
mod wire;

use pyo3::prelude::*;

#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    archive::register(module)?;
    changes::register(module)?;
    logs::register(module)?;
    network::register(module)?;
    passing::register(module)?;
    protect::register(module)?;
    receive::register(module)?;
    seccomp::register(module)?;
    transfer::register(module)?;
    view::register(module)?;
    wire::register(module)?;
    Ok(())
}
