//! `LogReader`: a container's log, from its files to a client's descriptor.
use std::os::fd::RawFd;
use std::path::{Path, PathBuf};

use drayman_stdio::websocket::Opcode;
use drayman_stdio::{Cursor, Form, Grep, LogReader as Reader, Pumped, Selection, Slow};
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
    #[pyo3(signature = (
        path, *, stdout, stderr, timestamps = false, details = false, since_ns = None,
        until_ns = None, tail = None, framed, chunked, json = false, whole = false, limit = None,
        grep = None, grep_regex = None, cursor = None, slow = "wait", messages = None
    ))]
    // The signature is the stub's.
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
        json: bool,
        whole: bool,
        limit: Option<u64>,
        grep: Option<&str>,
        grep_regex: Option<&str>,
        cursor: Option<&str>,
        slow: &str,
        messages: Option<&str>,
    ) -> PyResult<Self> {
        let selection = Selection {
            stdout,
            stderr,
            since_ns,
            until_ns,
            tail,
            limit,
            grep: pattern(grep, grep_regex)?,
        };
        let form = Form {
            timestamps,
            details,
            framed,
            json,
            whole,
            chunked,
            messages: messages.map(opcode).transpose()?,
        };
        let from = cursor.map(|text| position(&path, text)).transpose()?;
        let opened = py.detach(|| match from {
            None => Reader::open(&path, selection, form),
            Some(from) => Reader::resume(&path, selection, form, from.as_ref()),
        });
        let mut inner =
            opened.map_err(|error| raise(Kind::System, format!("{}: {error}", path.display())))?;
        let unknown = || raise(Kind::InvalidParameter, format!("invalid slow: {slow}"));
        inner.set_slow(Slow::parse(slow).ok_or_else(unknown)?);
        Ok(Self { inner })
    }

    fn complete(&mut self) {
        self.inner.complete();
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
            Pumped::TooSlow => "too slow",
        })
    }

    fn fields(&mut self) -> PyResult<Vec<(&'static str, String)>> {
        let fields = self.inner.fields();
        fields.map_err(|error| raise(Kind::System, format!("log: {error}")))
    }
}

#[pyfunction]
#[pyo3(signature = (path, *, cursor, grep_regex))]
// They are Python's.
#[allow(clippy::needless_pass_by_value)]
fn log_check(path: PathBuf, cursor: Option<&str>, grep_regex: Option<&str>) -> PyResult<()> {
    cursor.map(|text| position(&path, text)).transpose()?;
    pattern(None, grep_regex)?;
    Ok(())
}

/// None for an empty one: there is none yet.
fn position(path: &Path, text: &str) -> PyResult<Option<Cursor>> {
    if text.is_empty() {
        return Ok(None);
    }
    let cursor = Cursor::parse(text, path);
    cursor
        .map(Some)
        .map_err(|error| raise(Kind::InvalidParameter, error))
}

fn pattern(grep: Option<&str>, grep_regex: Option<&str>) -> PyResult<Option<Grep>> {
    let Some(expression) = grep_regex else {
        return Ok(grep.map(|text| Grep::bytes(text.as_bytes())));
    };
    Grep::regex(expression).map(Some).map_err(|error| {
        raise(
            Kind::InvalidParameter,
            format!("invalid grep-regex: {error}"),
        )
    })
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
    module.add_function(wrap_pyfunction!(log_check, module)?)?;
    module.add_class::<LogReader>()
}
