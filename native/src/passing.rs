//! `Passed`: bytes counted and summed up while they pass, for whoever watches.
use std::io::{self, Read, Write};
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicU64, Ordering};

use drayman_archive::Sink;
use pyo3::prelude::*;
use sha2::{Digest, Sha256};

/// A file is sent in pieces of this length where it is counted, so that the count moves.
const PIECE_BYTES: u64 = 4 << 20;

/// A count that one thread adds to while another looks at it.
#[pyclass(frozen, module = "drayman._native")]
#[derive(Default)]
pub(crate) struct Passed(AtomicU64);

#[pymethods]
impl Passed {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    #[getter]
    fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Passed {
    fn add(&self, bytes: u64) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// A body being read.
pub(crate) struct Watched<'w, R> {
    source: R,
    passed: Option<&'w Passed>,
    hash: Option<Sha256>,
}

impl<'w, R: Read> Watched<'w, R> {
    pub(crate) fn new(source: R, passed: Option<&'w Passed>, summed: bool) -> Self {
        Self {
            source,
            passed,
            hash: summed.then(Sha256::new),
        }
    }

    /// The SHA-256 of all that passed, if it was wanted.
    pub(crate) fn finish(self) -> Option<Vec<u8>> {
        self.hash.map(|hash| hash.finalize().to_vec())
    }
}

impl<R: Read> Read for Watched<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let bytes = self.source.read(into)?;
        if let Some(passed) = self.passed {
            passed.add(bytes as u64);
        }
        if let Some(hash) = &mut self.hash {
            hash.update(&into[..bytes]);
        }
        Ok(bytes)
    }
}

/// A tar being written.
pub(crate) struct Counted<'w> {
    pub(crate) sink: &'w mut dyn Sink,
    pub(crate) passed: &'w Passed,
}

impl Write for Counted<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.sink.write(bytes)?;
        self.passed.add(written as u64);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }
}

impl Sink for Counted<'_> {
    fn send_file(
        &mut self,
        file: BorrowedFd<'_>,
        mut offset: u64,
        length_bytes: u64,
    ) -> io::Result<()> {
        let end = offset + length_bytes;
        while offset < end {
            let piece = PIECE_BYTES.min(end - offset);
            self.sink.send_file(file, offset, piece)?;
            self.passed.add(piece);
            offset += piece;
        }
        Ok(())
    }
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Passed>()
}
