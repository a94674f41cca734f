//! `archive_*`: trees to tar on a lent descriptor, and back.
use std::ffi::OsString;
use std::io::{self, Write};
use std::os::fd::{BorrowedFd, RawFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use drayman_archive::{
    compressed, survey, Coding, Error, Hashed, Limits, Options, Packed, Packing, Selection, Sink,
    Skipping,
};
use drayman_wire::{BodyReader, BodyWriter, Stop};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::descriptors::lend;
use crate::errors::{raise, Kind};
use crate::passing::{Counted, Passed};
use crate::wire::{framing, DRAIN_LIMIT_BYTES};

pub(crate) fn python_error(error: Error) -> PyErr {
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

/// A tree to be packed: what lies at a path, or (None) a whole root without an entry of its own.
#[pyclass(frozen, module = "drayman._native")]
struct Tar {
    root_fd: RawFd,
    path: Option<OsString>,
    packing: Packing,
}

#[pymethods]
impl Tar {
    #[new]
    #[pyo3(signature = (
        root_fd, path, *, include = vec![], exclude = vec![], sparse = false, digests = false
    ))]
    // The signature is the stub's.
    #[allow(clippy::needless_pass_by_value)]
    fn new(
        root_fd: RawFd,
        path: Option<OsString>,
        include: Vec<String>,
        exclude: Vec<String>,
        sparse: bool,
        digests: bool,
    ) -> PyResult<Self> {
        let packing = Packing {
            selection: Selection::new(&include, &exclude).map_err(python_error)?,
            sparse,
            digests,
        };
        Ok(Self {
            root_fd,
            path,
            packing,
        })
    }

    fn survey<'py>(&self, py: Python<'py>) -> PyResult<(u64, Bound<'py, PyBytes>)> {
        let root = lend(self.root_fd)?;
        let survey = py
            .detach(|| survey(|sink| self.pack(root, sink)))
            .map_err(python_error)?;
        Ok((survey.bytes, PyBytes::new(py, &survey.fingerprint)))
    }

    #[pyo3(signature = (
        fd, *, chunked, coding = None, skip_bytes = 0, summed = false, passed = None,
        cancel_fd = None
    ))]
    // The signature is the stub's.
    #[allow(clippy::too_many_arguments)]
    fn send(
        &self,
        py: Python<'_>,
        fd: RawFd,
        chunked: bool,
        coding: Option<&str>,
        skip_bytes: u64,
        summed: bool,
        passed: Option<Py<Passed>>,
        cancel_fd: Option<RawFd>,
    ) -> PyResult<Sent> {
        let (root, to) = (lend(self.root_fd)?, lend(fd)?);
        let cancel = cancel_fd.map(lend).transpose()?;
        let coding = coding.map(coding_of).transpose()?;
        let passed = passed.as_ref().map(Py::get);
        py.detach(|| {
            let mut body = Body(BodyWriter::new(to, cancel, chunked));
            let mut passing = Skipping::new(&mut body, skip_bytes);
            let sent = if summed {
                let mut hashed = Hashed::new(&mut passing);
                let packed = self.write(root, coding, passed, &mut hashed);
                packed.map(|packed| (packed, Some(hashed.finish().to_vec())))
            } else {
                let packed = self.write(root, coding, passed, &mut passing);
                packed.map(|packed| (packed, None))
            };
            let sent = sent.and_then(|sent| body.0.finish().map_err(Error::Stream).map(|_| sent));
            match sent {
                Err(Error::Stream(error)) if Stop::of(&error).is_some() => Ok(Sent::default()),
                other => other.map(Sent::new),
            }
        })
        .map_err(python_error)
    }
}

impl Tar {
    fn write(
        &self,
        root: BorrowedFd<'_>,
        coding: Option<Coding>,
        passed: Option<&Passed>,
        sink: &mut dyn Sink,
    ) -> Result<Packed, Error> {
        let pack = |sink: &mut dyn Sink| match passed {
            None => self.pack(root, sink),
            Some(passed) => self.pack(root, &mut Counted { sink, passed }),
        };
        match coding {
            None => pack(sink),
            Some(coding) => compressed(coding, sink, |through| pack(through)),
        }
    }

    fn pack(&self, root: BorrowedFd<'_>, sink: &mut dyn Sink) -> Result<Packed, Error> {
        match &self.path {
            Some(path) => drayman_archive::pack(root, path.as_bytes(), &self.packing, sink),
            None => drayman_archive::export(root, &self.packing, sink),
        }
    }
}

fn coding_of(name: &str) -> PyResult<Coding> {
    match name {
        "gzip" => Ok(Coding::Gzip),
        "deflate" => Ok(Coding::Deflate),
        "zstd" => Ok(Coding::Zstd),
        other => {
            let text = format!("unknown content coding {other:?}");
            Err(raise(Kind::InvalidParameter, text))
        }
    }
}

/// What became of a tar; all is empty when the client left or it was cancelled.
#[pyclass(frozen, module = "drayman._native")]
#[derive(Default)]
pub(crate) struct Sent {
    #[pyo3(get)]
    tar_bytes: u64,
    #[pyo3(get)]
    left_out: Vec<String>,
    #[pyo3(get)]
    left_out_count: u64,
    sum: Option<Vec<u8>>,
}

impl Sent {
    pub(crate) fn new((packed, sum): (Packed, Option<Vec<u8>>)) -> Self {
        Self {
            tar_bytes: packed.bytes,
            left_out: packed.left_out_first,
            left_out_count: packed.left_out,
            sum,
        }
    }
}

#[pymethods]
impl Sent {
    #[getter]
    fn sum<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        self.sum.as_ref().map(|sum| PyBytes::new(py, sum))
    }
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
    owner = None, whiteouts = false, name = None, codings = vec![], limits = None, cancel_fd = None
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
    name: Option<OsString>,
    codings: Vec<String>,
    limits: Option<(u64, u64, u64)>,
    cancel_fd: Option<RawFd>,
) -> PyResult<Unpacked> {
    let (root, from) = (lend(root_fd)?, lend(fd)?);
    let cancel = cancel_fd.map(lend).transpose()?;
    let codings: Vec<Coding> = codings
        .iter()
        .map(|name| coding_of(name))
        .collect::<PyResult<_>>()?;
    let limits = limits.map_or(Limits::NONE, |(entries, ratio, ratio_from_bytes)| Limits {
        entries,
        ratio,
        ratio_from_bytes,
    });
    let options = Options {
        no_overwrite_dir_non_dir,
        owner,
        whiteouts,
        name: name.as_ref().map(|name| name.as_bytes()),
        codings: &codings,
        limits,
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
    module.add_class::<Tar>()?;
    module.add_class::<Sent>()?;
    module.add_class::<Unpacked>()?;
    module.add_function(wrap_pyfunction!(archive_stat, module)?)?;
    module.add_function(wrap_pyfunction!(archive_check, module)?)?;
    module.add_function(wrap_pyfunction!(archive_unpack, module)?)
}
