//! `archive_*`: trees to tar on a lent descriptor, and back.
use std::ffi::OsString;
use std::io::{self, Write};
use std::os::fd::{BorrowedFd, RawFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use drayman_archive::{Coding, Error, Options, Sink};
use drayman_wire::{BodyReader, BodyWriter, Stop};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::descriptors::lend;
use crate::errors::{raise, Kind};
use crate::wire::{framing, DRAIN_LIMIT_BYTES};

fn python_error(error: Error) -> PyErr {
    let kind = match &error {
        Error::NotFound(_) => Kind::NotFound,
        Error::Invalid(_) => Kind::InvalidParameter,
        Error::System(_) | Error::Stream(_) => Kind::System,
    };
    raise(kind, error)
}

/// The connection as a place for a tar to go.
struct Body<'fd>(BodyWriter<'fd>);

impl Write for Body<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Sink for Body<'_> {
    fn send_file(
        &mut self,
        file: BorrowedFd<'_>,
        offset: u64,
        length_bytes: u64,
    ) -> io::Result<()> {
        self.0.send_file(file, offset, length_bytes).map(drop)
    }
}

#[pyclass(frozen, module = "drayman._native")]
struct Stat {
    #[pyo3(get)]
    name: OsString,
    #[pyo3(get)]
    size_bytes: u64,
    #[pyo3(get)]
    mode: u32,
    #[pyo3(get)]
    mtime_ns: i128,
    #[pyo3(get)]
    link_target: OsString,
    #[pyo3(get)]
    is_dir: bool,
}

#[pyfunction]
fn archive_stat(py: Python<'_>, root_fd: RawFd, path: OsString) -> PyResult<Stat> {
    let root = lend(root_fd)?;
    let stat = py.detach(|| drayman_archive::stat(root, path.as_bytes()));
    let stat = stat.map_err(python_error)?;
    Ok(Stat {
        name: OsString::from_vec(stat.name),
        size_bytes: stat.size_bytes,
        mode: stat.mode,
        mtime_ns: stat.mtime_ns,
        link_target: OsString::from_vec(stat.link_target),
        is_dir: stat.is_dir,
    })
}

#[pyfunction]
fn archive_check(py: Python<'_>, root_fd: RawFd, path: OsString) -> PyResult<()> {
    let root = lend(root_fd)?;
    py.detach(|| drayman_archive::check(root, path.as_bytes()))
        .map_err(python_error)
}

#[pyfunction]
#[pyo3(signature = (root_fd, path, fd, *, chunked, coding = None, cancel_fd = None))]
#[allow(clippy::needless_pass_by_value)]
fn archive_pack(
    py: Python<'_>,
    root_fd: RawFd,
    path: OsString,
    fd: RawFd,
    chunked: bool,
    coding: Option<String>,
    cancel_fd: Option<RawFd>,
) -> PyResult<u64> {
    let root = lend(root_fd)?;
    let coding = match coding.as_deref() {
        None => None,
        Some("gzip") => Some(Coding::Gzip),
        Some("deflate") => Some(Coding::Deflate),
        Some(other) => {
            let text = format!("unknown content coding {other:?}");
            return Err(raise(Kind::InvalidParameter, text));
        }
    };
    send(py, fd, chunked, cancel_fd, |body| match coding {
        None => drayman_archive::pack(root, path.as_bytes(), body),
        Some(coding) => drayman_archive::compressed(coding, body, |through| {
            drayman_archive::pack(root, path.as_bytes(), through)
        }),
    })
}

#[pyfunction]
#[pyo3(signature = (root_fd, fd, *, chunked, cancel_fd = None))]
fn archive_export(
    py: Python<'_>,
    root_fd: RawFd,
    fd: RawFd,
    chunked: bool,
    cancel_fd: Option<RawFd>,
) -> PyResult<u64> {
    let root = lend(root_fd)?;
    send(py, fd, chunked, cancel_fd, |body| {
        drayman_archive::export(root, body)
    })
}

/// Send what `pack` writes; the tar's bytes, fewer when the client left or it was cancelled.
fn send(
    py: Python<'_>,
    fd: RawFd,
    chunked: bool,
    cancel_fd: Option<RawFd>,
    pack: impl FnOnce(&mut dyn Sink) -> Result<u64, Error> + Send,
) -> PyResult<u64> {
    let to = lend(fd)?;
    let cancel = cancel_fd.map(lend).transpose()?;
    py.detach(|| {
        let mut body = Body(BodyWriter::new(to, cancel, chunked));
        let packed = pack(&mut body);
        let sent = body.0.body_bytes();
        let finished = packed.and_then(|_| body.0.finish().map_err(Error::Stream));
        match finished {
            Err(Error::Stream(error)) if Stop::of(&error).is_some() => Ok(sent),
            other => other,
        }
    })
    .map_err(python_error)
}

#[pyclass(frozen, module = "drayman._native")]
struct Unpacked {
    surplus: Py<PyBytes>,
    #[pyo3(get)]
    content_bytes: u64,
    #[pyo3(get)]
    diff_id: String,
}

#[pymethods]
impl Unpacked {
    #[getter]
    fn surplus(&self, py: Python<'_>) -> Py<PyBytes> {
        self.surplus.clone_ref(py)
    }
}

#[pyfunction]
#[pyo3(signature = (
    root_fd, path, fd, *, chunked, length_bytes, early, no_overwrite_dir_non_dir = false,
    owner = None, whiteouts = false, cancel_fd = None
))]
// The signature is the stub's.
#[allow(clippy::too_many_arguments, clippy::fn_params_excessive_bools)]
fn archive_unpack(
    py: Python<'_>,
    root_fd: RawFd,
    path: OsString,
    fd: RawFd,
    chunked: bool,
    length_bytes: Option<u64>,
    early: Vec<u8>,
    no_overwrite_dir_non_dir: bool,
    owner: Option<(u32, u32)>,
    whiteouts: bool,
    cancel_fd: Option<RawFd>,
) -> PyResult<Unpacked> {
    let (root, from) = (lend(root_fd)?, lend(fd)?);
    let cancel = cancel_fd.map(lend).transpose()?;
    let options = Options {
        no_overwrite_dir_non_dir,
        owner,
        whiteouts,
    };
    let (summary, surplus) = py.detach(|| {
        let mut body = BodyReader::new(from, cancel, framing(chunked, length_bytes), early);
        let unpacked = drayman_archive::unpack(root, path.as_bytes(), &mut body, options);
        // What follows the archive belongs to the body; after an error only a little is read.
        let limit = if unpacked.is_ok() {
            u64::MAX
        } else {
            DRAIN_LIMIT_BYTES
        };
        let drained = body.drain(limit);
        let summary = unpacked.map_err(python_error)?;
        drained.map_err(|error| python_error(Error::Stream(error)))?;
        PyResult::Ok((summary, body.into_surplus()))
    })?;
    Ok(Unpacked {
        surplus: PyBytes::new(py, &surplus).unbind(),
        content_bytes: summary.content_bytes,
        diff_id: summary.diff_id,
    })
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Stat>()?;
    module.add_class::<Unpacked>()?;
    module.add_function(wrap_pyfunction!(archive_stat, module)?)?;
    module.add_function(wrap_pyfunction!(archive_check, module)?)?;
    module.add_function(wrap_pyfunction!(archive_pack, module)?)?;
    module.add_function(wrap_pyfunction!(archive_export, module)?)?;
    module.add_function(wrap_pyfunction!(archive_unpack, module)?)
}
