//! Sinks in front of sinks: a tar seen on its way out.
use std::io::{self, Write};
use std::os::fd::BorrowedFd;

use rustix::io::{pread, retry_on_intr};
use sha2::{Digest, Sha256};

use super::Sink;

/// Bytes of a file that are looked at at a time.
const PIECE_BYTES: u64 = 128 << 10;

/// Give the pieces of a file to `take`, with zeros for what it lacks.
pub(crate) fn each_piece(
    file: BorrowedFd<'_>,
    offset: u64,
    length_bytes: u64,
    mut take: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let mut piece = vec![0; usize::try_from(length_bytes.min(PIECE_BYTES)).unwrap_or(0)];
    let (mut at, end) = (offset, offset + length_bytes);
    while at < end {
        let room = usize::try_from(end - at).map_or(piece.len(), |left| left.min(piece.len()));
        let read = retry_on_intr(|| pread(file, &mut piece[..room], at))?;
        // The file became shorter than its header says.
        let length = if read == 0 {
            piece[..room].fill(0);
            room
        } else {
            read
        };
        take(&piece[..length])?;
        at += length as u64;
    }
    Ok(())
}

/// Sums up what passes.
pub struct Hashed<'s> {
    sink: &'s mut dyn Sink,
    hash: Sha256,
}

impl<'s> Hashed<'s> {
    pub fn new(sink: &'s mut dyn Sink) -> Self {
        Self {
            sink,
            hash: Sha256::new(),
        }
    }

    /// The SHA-256 of all that passed.
    pub fn finish(self) -> [u8; 32] {
        self.hash.finalize().into()
    }
}

impl Write for Hashed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.sink.write(bytes)?;
        self.hash.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }
}

impl Sink for Hashed<'_> {}

/// Holds back the beginning, for a client that has it.
pub struct Skipping<'s> {
    sink: &'s mut dyn Sink,
    left: u64,
}

impl<'s> Skipping<'s> {
    pub fn new(sink: &'s mut dyn Sink, bytes: u64) -> Self {
        Self { sink, left: bytes }
    }
}

impl Write for Skipping<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.left == 0 {
            return self.sink.write(bytes);
        }
        let skipped = usize::try_from(self.left).map_or(bytes.len(), |left| left.min(bytes.len()));
        self.left -= skipped as u64;
        Ok(skipped)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }
}

impl Sink for Skipping<'_> {
    fn send_file(
        &mut self,
        file: BorrowedFd<'_>,
        offset: u64,
        length_bytes: u64,
    ) -> io::Result<()> {
        let skipped = self.left.min(length_bytes);
        self.left -= skipped;
        if skipped == length_bytes {
            return Ok(());
        }
        self.sink
            .send_file(file, offset + skipped, length_bytes - skipped)
    }
}
