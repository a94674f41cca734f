//! `wire_*`: request bodies on a lent descriptor.
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{BorrowedFd, RawFd};

use drayman_wire::{BodyReader, ChunkParser, Framing};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::descriptors::lend;
use crate::errors::{raise, Kind};

/// How much of a body is read after an error, so that the client sees the answer instead of a
/// broken pipe; Go's server reads as much.
pub(crate) const DRAIN_LIMIT_BYTES: u64 = 256 << 10;
const COPY_BYTES: usize = 1 << 20;

/// How the end of a request's body is told.
pub(crate) fn framing(chunked: bool, length_bytes: Option<u64>) -> Framing {
    match length_bytes {
        _ if chunked => Framing::Chunked(ChunkParser::default()),
        Some(length) => Framing::Length(length),
        None => Framing::ToEnd,
    }
}

#[pyfunction]
#[pyo3(signature = (fd, to_fd, *, chunked, length_bytes, early, limit_bytes))]
fn wire_read_body(
    py: Python<'_>,
    fd: RawFd,
    to_fd: RawFd,
    chunked: bool,
    length_bytes: Option<u64>,
    early: Vec<u8>,
    limit_bytes: u64,
) -> PyResult<(u64, Bound<'_, PyBytes>)> {
    let (body, to) = (lend(fd)?, lend(to_fd)?);
    let (bytes, surplus) = py.detach(|| {
        let mut reader = BodyReader::new(body, None, framing(chunked, length_bytes), early);
        let copied = copy(&mut reader, to, limit_bytes);
        if copied.is_err() {
            // The first error is the one that counts.
            let _ = reader.drain(DRAIN_LIMIT_BYTES);
        }
        copied.map(|bytes| (bytes, reader.into_surplus()))
    })?;
    Ok((bytes, PyBytes::new(py, &surplus)))
}

fn copy(reader: &mut BodyReader<'_>, to: BorrowedFd<'_>, limit_bytes: u64) -> PyResult<u64> {
    let unwritable = |error| raise(Kind::System, format!("write: {error}"));
    let mut to = File::from(to.try_clone_to_owned().map_err(unwritable)?);
    let mut buffer = vec![0; COPY_BYTES];
    let mut copied = 0;
    loop {
        let read = reader.read(&mut buffer).map_err(body_error)?;
        if read == 0 {
            return Ok(copied);
        }
        copied += read as u64;
        if copied > limit_bytes {
            let message = format!("request body larger than {limit_bytes} bytes");
            return Err(raise(Kind::InvalidParameter, message));
        }
        to.write_all(&buffer[..read]).map_err(unwritable)?;
    }
}

/// A body that breaks its framing or ends early is the client's fault; the rest is the host's.
fn body_error(error: io::Error) -> PyErr {
    let kind = match error.kind() {
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => Kind::InvalidParameter,
        _ => Kind::System,
    };
    raise(kind, error)
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(wire_read_body, module)?)
}
