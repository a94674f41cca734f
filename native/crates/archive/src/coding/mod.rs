//! A tar compressed on its way to a client that asked for it, by HTTP's content codings.
mod deflate;

use std::io::{self, Write};

use flate2::Crc;
use zstd::zstd_safe::CParameter;

use crate::crew;
use crate::error::Error;
use crate::pack::Sink;
use deflate::Deflater;

/// More threads than these gain nothing that a connection could take.
const THREADS_MAX: usize = 16;
/// What one thread of zstd's compresses at a time; it buffers some of these for each.
const ZSTD_JOB_BYTES: u32 = 1 << 20;
/// ID, deflate, no flags, no time, fastest, unknown system (RFC 1952).
const GZIP_HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 255];

/// A content coding. `Deflate` is without a zlib frame, as Go's servers send it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    Gzip,
    Deflate,
    Zstd,
}

/// Have `pack` write into `sink` through a compressor that uses every core; what `pack` returns.
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
    let threads = crew::threads(THREADS_MAX);
    match coding {
        Coding::Gzip => {
            sink.write_all(&GZIP_HEAD).map_err(Error::Stream)?;
            let (packed, crc) = deflated(sink, threads, pack)?;
            let tail = [crc.sum().to_le_bytes(), crc.amount().to_le_bytes()];
            sink.write_all(&tail.concat()).map_err(Error::Stream)?;
            Ok(packed)
        }
        Coding::Deflate => deflated(sink, threads, pack).map(|(packed, _)| packed),
        Coding::Zstd => {
            let mut through = Through(zstd_encoder(sink, threads).map_err(Error::Stream)?);
            let packed = pack(&mut through)?;
            through.0.finish().map_err(Error::Stream)?;
            Ok(packed)
        }
    }
}

fn deflated<T>(
    sink: &mut dyn Sink,
    threads: usize,
    pack: impl FnOnce(&mut dyn Sink) -> Result<T, Error>,
) -> Result<(T, Crc), Error> {
    let mut through = Through(Deflater::new(sink, threads));
    let packed = pack(&mut through)?;
    let crc = through.0.finish().map_err(Error::Stream)?;
    Ok((packed, crc))
}

fn zstd_encoder<W: Write>(sink: W, threads: usize) -> io::Result<zstd::Encoder<'static, W>> {
    let mut encoder = zstd::Encoder::new(sink, 1)?;
    encoder.include_checksum(true)?;
    if threads > 1 {
        encoder.multithread(u32::try_from(threads).unwrap_or(1))?;
        encoder.set_parameter(CParameter::JobSize(ZSTD_JOB_BYTES))?;
    }
    Ok(encoder)
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

impl<W: Write> Sink for Through<W> {}
