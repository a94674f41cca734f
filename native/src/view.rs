//! `drayman._native.View` and the paths inside one.
use std::ffi::OsString;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::ffi::OsStringExt;

use drayman_view as view;
use drayman_view::inside::{self, Owner};
use pyo3::prelude::*;

use crate::descriptors::lend;
use crate::errors::{raise, Kind};

fn to_python(error: &view::Error) -> PyErr {
    let kind = match error {
        view::Error::NotFound(_) => Kind::NotFound,
        view::Error::Invalid(_) => Kind::InvalidParameter,
        view::Error::System { .. } => Kind::System,
    };
    raise(kind, error)
}

#[pyclass(module = "drayman._native")]
struct View(Option<view::View>);

#[pymethods]
impl View {
    #[staticmethod]
    #[pyo3(signature = (pid, pidfd, *, mounts))]
    fn running(py: Python<'_>, pid: u32, pidfd: RawFd, mounts: bool) -> PyResult<Self> {
        let pidfd = lend(pidfd)?;
        py.detach(|| view::running(pid, pidfd, mounts))
            .map(|view| Self(Some(view)))
            .map_err(|error| to_python(&error))
    }

    #[staticmethod]
    #[pyo3(signature = (lower, upper, work, mounts, read_only = false, beside = None))]
    fn stopped(
        py: Python<'_>,
        lower: Vec<OsString>,
        upper: OsString,
        work: OsString,
        mounts: Vec<(OsString, OsString, bool)>,
        read_only: bool,
        beside: Option<RawFd>,
    ) -> PyResult<Self> {
        let beside = beside.map(lend).transpose()?;
        let lower: Vec<Vec<u8>> = lower.into_iter().map(OsString::into_vec).collect();
        let (upper, work) = (upper.into_vec(), work.into_vec());
        let mounts: Vec<view::Mount> = mounts
            .into_iter()
            .map(|(source, destination, read_only)| view::Mount {
                source: source.into_vec(),
                destination: destination.into_vec(),
                read_only,
            })
            .collect();
        let layers = view::Layers {
            lower: &lower,
            upper: &upper,
            work: &work,
        };
        py.detach(|| view::stopped(layers, &mounts, read_only, beside))
            .map(|view| Self(Some(view)))
            .map_err(|error| to_python(&error))
    }

    fn fileno(&self) -> PyResult<RawFd> {
        let closed = || raise(Kind::System, "the view is closed");
        self.0.as_ref().map(AsRawFd::as_raw_fd).ok_or_else(closed)
    }

    fn close(&mut self, py: Python<'_>) {
        let view = self.0.take();
        // Taking mounts down can wait for a file system.
        py.detach(|| drop(view));
    }
}

#[pyfunction]
fn open_in_root(py: Python<'_>, root_fd: RawFd, path: OsString, flags: u32) -> PyResult<RawFd> {
    let root = lend(root_fd)?;
    let path = path.into_vec();
    py.detach(|| inside::open_in_root(root, &path, flags))
        .map(std::os::fd::IntoRawFd::into_raw_fd)
        .map_err(|error| to_python(&error))
}

#[pyfunction]
#[pyo3(signature = (root_fd, path, uid, gid, mode = 0o755))]
fn make_directory_in_root(
    py: Python<'_>,
    root_fd: RawFd,
    path: OsString,
    uid: u32,
    gid: u32,
    mode: u32,
) -> PyResult<bool> {
    let root = lend(root_fd)?;
    let path = path.into_vec();
    py.detach(|| inside::make_directory_in_root(root, &path, Owner { uid, gid, mode }))
        .map_err(|error| to_python(&error))
}

#[pyfunction]
fn populate_volume(
    py: Python<'_>,
    root_fd: RawFd,
    path: OsString,
    volume: OsString,
) -> PyResult<bool> {
    let root = lend(root_fd)?;
    let (path, volume) = (path.into_vec(), volume.into_vec());
    py.detach(|| view::populate_volume(root, &path, &volume))
        .map_err(|error| to_python(&error))
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<View>()?;
    module.add_function(wrap_pyfunction!(open_in_root, module)?)?;
    module.add_function(wrap_pyfunction!(make_directory_in_root, module)?)?;
    module.add_function(wrap_pyfunction!(populate_volume, module)?)?;
    Ok(())
}
