//! Deflate by all cores: pieces compressed apart and joined into one stream, as pigz does it.
use std::io::{self, Write};

use flate2::{Compress, Compression, Crc, FlushCompress, Status};

use crate::crew::{Crew, Work};

/// What is compressed at a time: large beside the window that is handed on with it.
const PIECE_BYTES: usize = 256 << 10;
/// How far back deflate looks, into the piece before, too.
const WINDOW_BYTES: usize = 32 << 10;

/// Of one piece, and then of another: memory for so much is dear to get and to give back.
struct Buffers {
    plain: Vec<u8>,
    deflated: Vec<u8>,
}

struct Piece {
    buffers: Buffers,
    /// What came before it.
    window: Vec<u8>,
    is_last: bool,
}

struct Deflated {
    buffers: Buffers,
    crc: Crc,
}

/// Compresses what is written to it.
pub(super) struct Deflater<W> {
    sink: W,
    crew: Crew<Piece, io::Result<Deflated>>,
    buffers: Buffers,
    spare: Vec<Buffers>,
    window: Vec<u8>,
    crc: Crc,
}

impl Buffers {
    fn new() -> Self {
        Self {
            plain: Vec::with_capacity(PIECE_BYTES),
            deflated: Vec::new(),
        }
    }
}

impl<W: Write> Deflater<W> {
    pub(super) fn new(sink: W, threads: usize) -> Self {
        Self {
            sink,
            crew: Crew::new("drayman-deflate", threads, || Ok(work())),
            buffers: Buffers::new(),
            spare: Vec::new(),
            window: Vec::new(),
            crc: Crc::new(),
        }
    }

    /// Write what is left, and the stream's end; the sum over all that was compressed.
    pub(super) fn finish(mut self) -> io::Result<Crc> {
        let last = self.take_piece(true);
        if self.crew.is_unused() {
            self.put(work()(last)?)?;
        } else {
            self.hand_on(last)?;
        }
        while let Some(deflated) = self.crew.collect()? {
            self.put(deflated?)?;
        }
        Ok(self.crc)
    }

    fn take_piece(&mut self, is_last: bool) -> Piece {
        let next = self.spare.pop().unwrap_or_else(Buffers::new);
        let buffers = std::mem::replace(&mut self.buffers, next);
        let plain = &buffers.plain;
        let window = plain[plain.len().saturating_sub(WINDOW_BYTES)..].to_vec();
        Piece {
            buffers,
            window: std::mem::replace(&mut self.window, window),
            is_last,
        }
    }

    fn hand_on(&mut self, piece: Piece) -> io::Result<()> {
        if self.crew.is_full() {
            if let Some(deflated) = self.crew.collect()? {
                self.put(deflated?)?;
            }
        }
        self.crew.hand_on(piece)
    }

    fn put(&mut self, deflated: Deflated) -> io::Result<()> {
        let Deflated { mut buffers, crc } = deflated;
        self.crc.combine(&crc);
        self.sink.write_all(&buffers.deflated)?;
        buffers.plain.clear();
        buffers.deflated.clear();
        self.spare.push(buffers);
        Ok(())
    }
}

impl<W: Write> Write for Deflater<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(PIECE_BYTES - self.buffers.plain.len());
        self.buffers.plain.extend_from_slice(&bytes[..taken]);
        if self.buffers.plain.len() == PIECE_BYTES {
            let piece = self.take_piece(false);
            self.hand_on(piece)?;
        }
        Ok(taken)
    }

    /// Nothing: pieces go out when they are full.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn work() -> Work<Piece, io::Result<Deflated>> {
    let mut compressor = Compress::new(Compression::fast(), false);
    Box::new(move |piece| deflate(&mut compressor, piece))
}

fn deflate(compressor: &mut Compress, piece: Piece) -> io::Result<Deflated> {
    compressor.reset();
    if !piece.window.is_empty() {
        compressor.set_dictionary(&piece.window)?;
    }
    let flush = if piece.is_last {
        FlushCompress::Finish
    } else {
        // Ends on a whole byte.
        FlushCompress::Sync
    };
    let mut buffers = piece.buffers;
    let Buffers { plain, deflated } = &mut buffers;
    deflated.reserve(plain.len() / 2 + 64);
    let mut taken = 0;
    loop {
        let before = compressor.total_in();
        let status = compressor.compress_vec(&plain[taken..], deflated, flush)?;
        taken += usize::try_from(compressor.total_in() - before).unwrap_or(0);
        let room = deflated.capacity() > deflated.len();
        if status == Status::StreamEnd || (!piece.is_last && taken == plain.len() && room) {
            break;
        }
        deflated.reserve(PIECE_BYTES / 4);
    }
    let mut crc = Crc::new();
    crc.update(plain);
    Ok(Deflated { buffers, crc })
}
