//! `LogReader`: a container's log, from its files to a client's descriptor.
use std::os::fd::RawFd;
use std::path::PathBuf;

use drayman_stdio::websocket::Opcode;
use drayman_stdio::{Form, LogReader as Reader, Pumped, Selection};
use pyo3::prelude::*;

use crate::descriptors::lend;
use crate::errors::{raise, Kind};

#[pyclass(module = "drayman._native")]
struct LogReader {
    inner: Reader,
}

#[pymethods]
impl LogReader {
    #[new]
    #[pyo3(signature = (path, *, stdout, stderr, timestamps, details, since_ns, until_ns, tail, framed, chunked, messages=None))]
    #[allow(clippy::too_many_arguments, clippy::fn_params_excessive_bools)]
    fn new(
        py: Python<'_>,
        path: PathBuf,
        stdout: bool,
        stderr: bool,
        timestamps: bool,
        details: bool,
        since_ns: Option<i64>,
        until_ns: Option<i64>,
        tail: Option<u64>,
        framed: bool,
        chunked: bool,
        messages: Option<&str>,
    ) -> PyResult<Self> {
        let selection = Selection {
            stdout,
            stderr,
            since_ns,
            until_ns,
            tail,
        };
        let form = Form {
            timestamps,
            details,
            framed,
            chunked,
            messages: messages.map(opcode).transpose()?,
        };
        let opened = py.detach(|| Reader::open(&path, selection, form));
        let inner =
            opened.map_err(|error| raise(Kind::System, format!("{}: {error}", path.display())))?;
        Ok(Self { inner })
    }

    fn pump(&mut self, py: Python<'_>, fd: RawFd, budget_bytes: u64) -> PyResult<&'static str> {
        let fd = lend(fd)?;
        let stop = py.detach(|| self.inner.pump(fd, budget_bytes));
        let stop = stop.map_err(|error| raise(Kind::System, format!("log: {error}")))?;
        Ok(match stop {
            Pumped::End => "end",
            Pumped::Idle => "idle",
            Pumped::Blocked => "blocked",
            Pumped::Budget => "budget",
            Pumped::Gone => "gone",
        })
    }
}

fn opcode(kind: &str) -> PyResult<Opcode> {
    match kind {
        "text" => Ok(Opcode::Text),
        "binary" => Ok(Opcode::Binary),
        _ => Err(raise(
            Kind::InvalidParameter,
            format!("no kind of WebSocket message: {kind}"),
        )),
    }
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<LogReader>()
}
