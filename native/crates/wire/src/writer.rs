//! A response body going out: small writes gathered into large chunks, files by `sendfile`.
use std::io::{self, Write};
use std::os::fd::BorrowedFd;

use crate::channel::{Channel, Sent};

/// Small writes are gathered up to this before they are sent.
const GATHER_BYTES: usize = 512 << 10;
/// The largest chunk that is announced for a file. Larger ones save nothing that can be measured.
const FILE_CHUNK_BYTES: u64 = 16 << 20;
/// Room for the end of the last chunk and the head of the next: CRLF, 8 digits, CRLF.
const HEAD_ROOM: usize = 12;
const COPY_BYTES: usize = 256 << 10;
const ZEROS: [u8; 16 << 10] = [0; 16 << 10];

/// Writes a body to a lent descriptor, raw or chunked. Nothing is sent on drop: a body
/// without its last chunk is how the peer learns that it was cut.
pub struct BodyWriter<'fd> {
    channel: Channel<'fd>,
    chunked: bool,
    /// `HEAD_ROOM` bytes that a chunk's head is written into, then what was gathered.
    gathered: Vec<u8>,
    /// A chunk was sent without the CRLF behind it.
    chunk_open: bool,
    body_bytes: u64,
}

impl<'fd> BodyWriter<'fd> {
    /// Lend `fd` to a body; `cancel` becoming readable ends it with `Stop::Cancelled`. Where `fd`
    /// blocks, `sendfile` does, too, and is not cut short: connections are non-blocking.
    pub fn new(
        fd: BorrowedFd<'fd>,
        cancel: Option<BorrowedFd<'fd>>,
        chunked: bool,
    ) -> BodyWriter<'fd> {
        let channel = Channel::new(fd, cancel);
        channel.widen();
        let mut gathered = Vec::with_capacity(HEAD_ROOM + GATHER_BYTES);
        gathered.resize(HEAD_ROOM, 0);
        BodyWriter {
            channel,
            chunked,
            gathered,
            chunk_open: false,
            body_bytes: 0,
        }
    }

    /// How many bytes of body were taken so far, framing not counted.
    pub fn body_bytes(&self) -> u64 {
        self.body_bytes
    }

    /// Send exactly `length_bytes`: the file's from `offset` on, and zeros for what the file
    /// turns out not to have. Returns how many were the file's. What cannot be read is an error:
    /// zeros would pass for its content.
    pub fn send_file(
        &mut self,
        file: BorrowedFd<'_>,
        mut offset: u64,
        length_bytes: u64,
    ) -> io::Result<u64> {
        let mut left = length_bytes;
        let mut from_file = 0;
        let mut file_ended = false;
        while left > 0 {
            let piece = left.min(FILE_CHUNK_BYTES);
            self.send_gathered(piece)?;
            let mut due = piece;
            while due > 0 && !file_ended {
                let sent = self.send_some(file, &mut offset, due)?;
                file_ended = sent == 0;
                from_file += sent;
                due -= sent;
            }
            while due > 0 {
                let zeros = &ZEROS[..ZEROS.len().min(usize::try_from(due).unwrap_or(usize::MAX))];
                self.channel.send_all(zeros)?;
                due -= zeros.len() as u64;
            }
            left -= piece;
            self.body_bytes += piece;
        }
        Ok(from_file)
    }

    /// Send what was gathered. The last chunk is left to whoever knows that the whole answer
    /// is well: it may have more to say, and a body without it reads as cut.
    pub fn finish(mut self) -> io::Result<u64> {
        self.send_gathered(0)?;
        if self.chunk_open {
            self.channel.send_all(b"\r\n")?;
        }
        Ok(self.body_bytes)
    }

    /// Bytes of the file sent by one call; 0 when it has no more.
    fn send_some(&self, file: BorrowedFd<'_>, offset: &mut u64, due: u64) -> io::Result<u64> {
        let count = usize::try_from(due).unwrap_or(usize::MAX);
        match self.channel.send_file(file, offset, count)? {
            Sent::Bytes(sent) => Ok(sent),
            Sent::FileEnded => Ok(0),
            Sent::Copy => {
                let mut buffer = vec![0; COPY_BYTES.min(count)];
                let read = || rustix::io::pread(file, &mut buffer[..], *offset);
                let bytes = rustix::io::retry_on_intr(read)?;
                self.channel.send_all(&buffer[..bytes])?;
                *offset += bytes as u64;
                Ok(bytes as u64)
            }
        }
    }

    /// Send what was gathered, in a chunk that has `more_bytes` still to come.
    fn send_gathered(&mut self, more_bytes: u64) -> io::Result<()> {
        let chunk_bytes = (self.gathered.len() - HEAD_ROOM) as u64 + more_bytes;
        if chunk_bytes == 0 {
            return Ok(());
        }
        let mut start = HEAD_ROOM;
        if self.chunked {
            let before = if self.chunk_open { "\r\n" } else { "" };
            let head = format!("{before}{chunk_bytes:x}\r\n");
            start = HEAD_ROOM - head.len();
            self.gathered[start..HEAD_ROOM].copy_from_slice(head.as_bytes());
            self.chunk_open = true;
        }
        self.channel.send_all(&self.gathered[start..])?;
        self.gathered.truncate(HEAD_ROOM);
        Ok(())
    }
}

impl Write for BodyWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = HEAD_ROOM + GATHER_BYTES - self.gathered.len();
        let taken = &bytes[..bytes.len().min(room)];
        self.gathered.extend_from_slice(taken);
        self.body_bytes += taken.len() as u64;
        if self.gathered.len() == HEAD_ROOM + GATHER_BYTES {
            self.send_gathered(0)?;
        }
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.send_gathered(0)
    }
}
