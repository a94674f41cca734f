//! `receive_*`: a tar that an engine sends, as its client takes it: unpacked, or written away.
use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::fd::{BorrowedFd, RawFd};
use std::os::unix::ffi::OsStrExt;

use drayman_archive::{unpack, Error, Options};
use drayman_wire::{BodyReader, BodyWriter, Stop};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::archive::python_error;
use crate::descriptors::lend;
use crate::errors::{raise, Kind};
use crate::passing::{Passed, Watched};
use crate::wire::framing;

const COPY_BYTES: usize = 1 << 20;

/// What can be told of a body once it was read.
#[pyclass(frozen, module = "drayman._native")]
struct Received {
    sum: Option<Vec<u8>>,
    trailers: Vec<u8>,
}

#[pymethods]
impl Received {
    #[getter]
    fn sum<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        self.sum.as_ref().map(|sum| PyBytes::new(py, sum))
    }

    #[getter]
    fn trailers<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.trailers)
    }
}

#[pyfunction]
#[pyo3(signature = (
    fd, root_fd, *, chunked, length_bytes, early, name = None, owner = None, summed = false,
    passed = None, cancel_fd = None
))]
// The signature is the stub's.
#[allow(clippy::too_many_arguments)]
fn receive_tree(
    py: Python<'_>,
    fd: RawFd,
    root_fd: RawFd,
    chunked: bool,
    length_bytes: Option<u64>,
    early: Vec<u8>,
    name: Option<OsString>,
    owner: Option<(u32, u32)>,
    summed: bool,
    passed: Option<Py<Passed>>,
    cancel_fd: Option<RawFd>,
) -> PyResult<Received> {
    let (from, root) = (lend(fd)?, lend(root_fd)?);
    let cancel = cancel_fd.map(lend).transpose()?;
    let options = Options {
        no_overwrite_dir_non_dir: true,
        owner,
        name: name.as_ref().map(|name| name.as_bytes()),
        ..Options::default()
    };
    let passed = passed.as_ref().map(Py::get);
    let body = BodyReader::new(from, cancel, framing(chunked, length_bytes), early);
    py.detach(|| {
        receive(body, passed, summed, |body| {
            unpack(root, b"/", &mut *body, options).map_err(python_error)?;
            // What follows the archive belongs to the body, and to its sum.
            io::copy(body, &mut io::sink()).map_err(unreadable)?;
            Ok(())
        })
    })
}

#[pyfunction]
#[pyo3(signature = (
    fd, to_fd, *, chunked, length_bytes, early, summed = false, passed = None, cancel_fd = None
))]
// The signature is the stub's.
#[allow(clippy::too_many_arguments)]
fn receive_file(
    py: Python<'_>,
    fd: RawFd,
    to_fd: RawFd,
    chunked: bool,
    length_bytes: Option<u64>,
    early: Vec<u8>,
    summed: bool,
    passed: Option<Py<Passed>>,
    cancel_fd: Option<RawFd>,
) -> PyResult<Received> {
    let (from, to) = (lend(fd)?, lend(to_fd)?);
    let cancel = cancel_fd.map(lend).transpose()?;
    let passed = passed.as_ref().map(Py::get);
    let body = BodyReader::new(from, cancel, framing(chunked, length_bytes), early);
    py.detach(|| receive(body, passed, summed, |body| copy(body, to, cancel)))
}

fn receive(
    mut body: BodyReader<'_>,
    passed: Option<&Passed>,
    summed: bool,
    take: impl FnOnce(&mut dyn Read) -> PyResult<()>,
) -> PyResult<Received> {
    let mut watched = Watched::new(&mut body, passed, summed);
    take(&mut watched)?;
    Ok(Received {
        sum: watched.finish(),
        trailers: body.trailers().to_vec(),
    })
}

fn copy(body: &mut dyn Read, to: BorrowedFd<'_>, cancel: Option<BorrowedFd<'_>>) -> PyResult<()> {
    let unwritable = |error| match Stop::of(&error) {
        Some(Stop::Gone) => raise(Kind::System, "write: broken pipe"),
        _ => raise(Kind::System, format!("write: {error}")),
    };
    let mut writer = BodyWriter::new(to, cancel, false);
    let mut buffer = vec![0; COPY_BYTES];
    loop {
        match body.read(&mut buffer) {
            Ok(0) => return writer.finish().map(drop).map_err(unwritable),
            Ok(read) => {
                writer.write_all(&buffer[..read]).map_err(unwritable)?;
                // Who follows a log is shown what there is.
                writer.flush().map_err(unwritable)?;
            }
            Err(error) => {
                // What has come is kept, for who will ask for the rest.
                let _ = writer.flush();
                return Err(unreadable(error));
            }
        }
    }
}

fn unreadable(error: io::Error) -> PyErr {
    python_error(Error::Stream(error))
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Received>()?;
    module.add_function(wrap_pyfunction!(receive_tree, module)?)?;
    module.add_function(wrap_pyfunction!(receive_file, module)?)
}
