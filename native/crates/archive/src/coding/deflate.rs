//! Deflate by all cores: pieces compressed apart and joined into one stream, as pigz does it.
use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::mpsc::{sync_channel, Receiver, SyncSender};
use std::thread::JoinHandle;

use flate2::{Compress, Compression, Crc, FlushCompress, Status};

/// What is compressed at a time: large beside the window that is handed on with it.
const PIECE_BYTES: usize = 256 << 10;
/// How far back deflate looks, into the piece before, too.
const WINDOW_BYTES: usize = 32 << 10;
/// What a thread has before it, besides the piece it is at.
const AHEAD: usize = 1;

struct Piece {
    plain: Vec<u8>,
    /// What came before it.
    window: Vec<u8>,
    is_last: bool,
}

struct Deflated {
    bytes: Vec<u8>,
    crc: Crc,
}

/// Compresses what is written to it. Dropped before it is finished, it leaves no thread behind.
pub(super) struct Deflater<W> {
    sink: W,
    threads: usize,
    workers: Vec<Worker>,
    /// Which worker has which piece, the first piece in front.
    due: VecDeque<usize>,
    next: usize,
    plain: Vec<u8>,
    window: Vec<u8>,
    crc: Crc,
}

impl<W: Write> Deflater<W> {
    pub(super) fn new(sink: W, threads: usize) -> Self {
        Self {
            sink,
            threads,
            workers: Vec::new(),
            due: VecDeque::new(),
            next: 0,
            plain: Vec::with_capacity(PIECE_BYTES),
            window: Vec::new(),
            crc: Crc::new(),
        }
    }

    /// Write what is left, and the stream's end; the sum over all that was compressed.
    pub(super) fn finish(mut self) -> io::Result<Crc> {
        let last = self.take_piece(true);
        if self.workers.is_empty() {
            let deflated = deflate(&mut compressor(), &last)?;
            self.put(&deflated)?;
        } else {
            self.hand_on(last)?;
        }
        while !self.due.is_empty() {
            self.collect()?;
        }
        Ok(self.crc)
    }

    fn take_piece(&mut self, is_last: bool) -> Piece {
        let plain = std::mem::replace(&mut self.plain, Vec::with_capacity(PIECE_BYTES));
        let window = plain[plain.len().saturating_sub(WINDOW_BYTES)..].to_vec();
        Piece {
            plain,
            window: std::mem::replace(&mut self.window, window),
            is_last,
        }
    }

    fn hand_on(&mut self, piece: Piece) -> io::Result<()> {
        if self.due.len() == self.threads * (1 + AHEAD) {
            self.collect()?;
        }
        if self.workers.len() < self.threads && self.next == self.workers.len() {
            self.workers.push(Worker::start()?);
        }
        self.workers[self.next].take(piece)?;
        self.due.push_back(self.next);
        self.next = (self.next + 1) % self.threads;
        Ok(())
    }

    fn collect(&mut self) -> io::Result<()> {
        let Some(worker) = self.due.pop_front() else {
            return Ok(());
        };
        let deflated = self.workers[worker].give()?;
        self.put(&deflated)
    }

    fn put(&mut self, deflated: &Deflated) -> io::Result<()> {
        self.crc.combine(&deflated.crc);
        self.sink.write_all(&deflated.bytes)
    }
}

impl<W: Write> Write for Deflater<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(PIECE_BYTES - self.plain.len());
        self.plain.extend_from_slice(&bytes[..taken]);
        if self.plain.len() == PIECE_BYTES {
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

/// A thread that compresses pieces in the order it is given them.
struct Worker {
    pieces: Option<SyncSender<Piece>>,
    deflated: Option<Receiver<io::Result<Deflated>>>,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    fn start() -> io::Result<Self> {
        let (pieces, to_do) = sync_channel::<Piece>(AHEAD);
        let (done, deflated) = sync_channel(1 + AHEAD);
        let thread = std::thread::Builder::new()
            .name("drayman-deflate".into())
            .spawn(move || {
                let mut compressor = compressor();
                for piece in to_do {
                    if done.send(deflate(&mut compressor, &piece)).is_err() {
                        return;
                    }
                }
            })?;
        Ok(Self {
            pieces: Some(pieces),
            deflated: Some(deflated),
            thread: Some(thread),
        })
    }

    fn take(&self, piece: Piece) -> io::Result<()> {
        let pieces = self.pieces.as_ref().ok_or_else(gone)?;
        pieces.send(piece).map_err(|_| gone())
    }

    fn give(&self) -> io::Result<Deflated> {
        let deflated = self.deflated.as_ref().ok_or_else(gone)?;
        deflated.recv().map_err(|_| gone())?
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It waits for one of these.
        self.pieces = None;
        self.deflated = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn gone() -> io::Error {
    io::Error::other("a compressing thread is gone")
}

fn compressor() -> Compress {
    Compress::new(Compression::fast(), false)
}

fn deflate(compressor: &mut Compress, piece: &Piece) -> io::Result<Deflated> {
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
    let mut bytes = Vec::with_capacity(piece.plain.len() / 2 + 64);
    let mut taken = 0;
    loop {
        let before = compressor.total_in();
        let status = compressor.compress_vec(&piece.plain[taken..], &mut bytes, flush)?;
        taken += usize::try_from(compressor.total_in() - before).unwrap_or(0);
        let room = bytes.capacity() > bytes.len();
        if status == Status::StreamEnd || (!piece.is_last && taken == piece.plain.len() && room) {
            break;
        }
        bytes.reserve(PIECE_BYTES / 4);
    }
    let mut crc = Crc::new();
    crc.update(&piece.plain);
    Ok(Deflated { bytes, crc })
}
