//! The way from packer to unpacker: bytes, and ranges of files that neither of them reads.
use std::io::{self, Read, Write};
use std::os::fd::BorrowedFd;
use std::sync::mpsc::{sync_channel, Receiver as Pieces, SyncSender};
use std::sync::Arc;

use rustix::io::{pread, retry_on_intr};

use crate::pack::Sink;
use crate::tar::{FileRange, Source};

/// What is written is gathered up to this before it is sent.
const GATHER_BYTES: usize = 256 << 10;
/// The longest range sent in one piece: a copy can be stopped between two of them.
const RANGE_BYTES: u64 = 64 << 20;
/// Pieces on the way: with what either side holds, 2 MiB.
const PIECES_LIMIT: usize = 6;

enum Piece {
    Bytes(Vec<u8>),
    File(FileRange),
}

/// Both ends of a way; `stopped` is asked before each piece that is taken.
pub(super) fn channel<F: Fn() -> io::Result<()>>(stopped: F) -> (Sender, Receiver<F>) {
    let (sender, pieces) = sync_channel(PIECES_LIMIT);
    let sender = Sender {
        pieces: sender,
        gathered: Vec::with_capacity(GATHER_BYTES),
    };
    let receiver = Receiver {
        pieces,
        stopped,
        bytes: Vec::new(),
        start: 0,
        range: None,
    };
    (sender, receiver)
}

/// Whether an error says that the receiver is no more.
pub(super) fn is_left(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::BrokenPipe
}

/// Where a tar is packed to.
pub(super) struct Sender {
    pieces: SyncSender<Piece>,
    gathered: Vec<u8>,
}

impl Sender {
    fn send(&self, piece: Piece) -> io::Result<()> {
        let left = |_| io::Error::from(io::ErrorKind::BrokenPipe);
        self.pieces.send(piece).map_err(left)
    }
}

impl Write for Sender {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = GATHER_BYTES - self.gathered.len();
        let taken = &bytes[..bytes.len().min(room)];
        self.gathered.extend_from_slice(taken);
        if self.gathered.len() == GATHER_BYTES {
            self.flush()?;
        }
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.gathered.is_empty() {
            return Ok(());
        }
        let next = Vec::with_capacity(GATHER_BYTES);
        let gathered = std::mem::replace(&mut self.gathered, next);
        self.send(Piece::Bytes(gathered))
    }
}

impl Sink for Sender {
    fn send_file(
        &mut self,
        file: BorrowedFd<'_>,
        mut offset: u64,
        length_bytes: u64,
    ) -> io::Result<()> {
        self.flush()?;
        let file = Arc::new(file.try_clone_to_owned()?);
        let end = offset + length_bytes;
        while offset < end {
            let length_bytes = RANGE_BYTES.min(end - offset);
            self.send(Piece::File(FileRange {
                file: Arc::clone(&file),
                offset,
                length_bytes,
            }))?;
            offset += length_bytes;
        }
        Ok(())
    }
}

/// Where a tar is unpacked from.
pub(super) struct Receiver<F> {
    pieces: Pieces<Piece>,
    stopped: F,
    bytes: Vec<u8>,
    start: usize,
    range: Option<FileRange>,
}

impl<F: Fn() -> io::Result<()>> Receiver<F> {
    /// Have something to take from, unless nothing more comes.
    fn wait(&mut self) -> io::Result<()> {
        if self.start < self.bytes.len() || self.range.is_some() {
            return Ok(());
        }
        (self.stopped)()?;
        match self.pieces.recv() {
            Ok(Piece::Bytes(bytes)) => {
                self.bytes = bytes;
                self.start = 0;
            }
            Ok(Piece::File(range)) => self.range = Some(range),
            // The packer has ended, or given up.
            Err(_) => {}
        }
        Ok(())
    }
}

impl<F: Fn() -> io::Result<()>> Read for Receiver<F> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        // A range that nobody took as one.
        if let Some(range) = self.file_range(into.len() as u64)? {
            let due = usize::try_from(range.length_bytes).unwrap_or(usize::MAX);
            let read = retry_on_intr(|| pread(&range.file, &mut into[..due], range.offset))?;
            // It became shorter than its header says.
            into[read..due].fill(0);
            return Ok(due);
        }
        let ready = &self.bytes[self.start..];
        let taken = ready.len().min(into.len());
        into[..taken].copy_from_slice(&ready[..taken]);
        self.start += taken;
        Ok(taken)
    }
}

impl<F: Fn() -> io::Result<()>> Source for Receiver<F> {
    fn file_range(&mut self, limit_bytes: u64) -> io::Result<Option<FileRange>> {
        self.wait()?;
        let Some(mut range) = self.range.take() else {
            return Ok(None);
        };
        if range.length_bytes > limit_bytes {
            self.range = Some(range.split_off(limit_bytes));
        }
        Ok(Some(range))
    }
}
