//! A tar compressed on its way to a client that asked for it, by HTTP's content codings.
use std::io::{self, Write};
use std::os::fd::BorrowedFd;

use flate2::write::{DeflateEncoder, GzEncoder};
use flate2::Compression;

use crate::error::Error;
use crate::pack::Sink;

/// Bytes of a file that are compressed at a time.
const PIECE_BYTES: u64 = 128 << 10;

/// A content coding. `Deflate` is without a zlib frame, as Go's servers send it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    Gzip,
    Deflate,
}

/// Have `pack` write into `sink` through a compressor; what `pack` returns.
///
/// The level is the fastest: a client that cannot take a plain tar is rarely so far away that
/// the next level's tenth less of bytes is worth twice its time.
///
/// # Errors
///
/// Those of `pack`, and `Error::Stream` of the sink.
pub fn compressed<T>(
    coding: Coding,
    sink: &mut dyn Sink,
    pack: impl FnOnce(&mut dyn Sink) -> Result<T, Error>,
) -> Result<T, Error> {
    match coding {
        Coding::Gzip => {
            let mut through = Through(GzEncoder::new(sink, Compression::fast()));
            let packed = pack(&mut through)?;
            through.0.finish().map_err(Error::Stream)?;
            Ok(packed)
        }
        Coding::Deflate => {
            let mut through = Through(DeflateEncoder::new(sink, Compression::fast()));
            let packed = pack(&mut through)?;
            through.0.finish().map_err(Error::Stream)?;
            Ok(packed)
        }
    }
}

struct Through<W>(W);

impl<W: Write> Write for Through<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl<W: Write> Sink for Through<W> {
    fn send_file(
        &mut self,
        file: BorrowedFd<'_>,
        offset: u64,
        length_bytes: u64,
    ) -> io::Result<()> {
        let mut piece = vec![0; usize::try_from(length_bytes.min(PIECE_BYTES)).unwrap_or(0)];
        let (mut at, end) = (offset, offset + length_bytes);
        while at < end {
            let room = usize::try_from(end - at).map_or(piece.len(), |left| left.min(piece.len()));
            let read =
                rustix::io::retry_on_intr(|| rustix::io::pread(file, &mut piece[..room], at))?;
            // The file became shorter than its header says.
            let length = if read == 0 {
                piece[..room].fill(0);
                room
            } else {
                read
            };
            self.0.write_all(&piece[..length])?;
            at += length as u64;
        }
        Ok(())
    }
}
