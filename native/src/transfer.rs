//! `archive_transfer`: from a path in one root to a directory in another, by way of nobody.
use std::ffi::OsString;
use std::os::fd::RawFd;
use std::os::unix::ffi::OsStrExt;

use drayman_archive::{transfer, Error, Options, Packing, Selection, Spot};
use drayman_wire::Stop;
use pyo3::prelude::*;

use crate::archive::{python_error, Sent};
use crate::descriptors::lend;

#[pyfunction]
#[pyo3(signature = (
    source_root_fd, source_path, root_fd, path, *, include = vec![], exclude = vec![], name = None,
    no_overwrite_dir_non_dir = false, owner = None, cancel_fd = None
))]
// The signature is the stub's.
#[allow(clippy::too_many_arguments)]
fn archive_transfer(
    py: Python<'_>,
    source_root_fd: RawFd,
    source_path: OsString,
    root_fd: RawFd,
    path: OsString,
    include: Vec<String>,
    exclude: Vec<String>,
    name: Option<OsString>,
    no_overwrite_dir_non_dir: bool,
    owner: Option<(u32, u32)>,
    cancel_fd: Option<RawFd>,
) -> PyResult<Sent> {
    let (source_root, root) = (lend(source_root_fd)?, lend(root_fd)?);
    let cancel = cancel_fd.map(lend).transpose()?;
    let packing = Packing {
        selection: Selection::new(&include, &exclude).map_err(python_error)?,
        // Nobody sees the tar: what is a hole here is one there.
        sparse: true,
        digests: false,
    };
    let options = Options {
        no_overwrite_dir_non_dir,
        owner,
        name: name.as_ref().map(|name| name.as_bytes()),
        ..Options::default()
    };
    let from = Spot {
        root: source_root,
        path: source_path.as_bytes(),
    };
    let to = Spot {
        root,
        path: path.as_bytes(),
    };
    let copied = py.detach(|| transfer(from, &packing, to, options, || Stop::check(cancel)));
    match copied {
        Err(Error::Stream(error)) if Stop::of(&error).is_some() => Ok(Sent::default()),
        Err(error) => Err(python_error(error)),
        Ok((packed, _)) => Ok(Sent::new((packed, None))),
    }
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(archive_transfer, module)?)
}
