//! A request body coming in: chunked, of a given length, or to the end of the stream.
use std::io::{self, Read};
use std::os::fd::BorrowedFd;

use crate::channel::Channel;
use crate::chunks::ChunkParser;

const BUFFER_BYTES: usize = 256 << 10;
/// Reads at least this large go straight into the caller's buffer.
const DIRECT_BYTES: u64 = 64 << 10;

/// How a body's end is known.
#[derive(Debug)]
pub enum Framing {
    Chunked(ChunkParser),
    /// Bytes still to come.
    Length(u64),
    ToEnd,
}

/// Reads a body off a lent descriptor. A body cut short is `UnexpectedEof`; bad chunks are
/// `InvalidData`.
pub struct BodyReader<'fd> {
    channel: Channel<'fd>,
    framing: Framing,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    ended: bool,
}

impl<'fd> BodyReader<'fd> {
    /// Lend `fd` to a body of which `early` was read already.
    pub fn new(
        fd: BorrowedFd<'fd>,
        cancel: Option<BorrowedFd<'fd>>,
        framing: Framing,
        early: Vec<u8>,
    ) -> BodyReader<'fd> {
        let end = early.len();
        let mut buffer = early;
        buffer.resize(BUFFER_BYTES.max(end), 0);
        BodyReader {
            channel: Channel::new(fd, cancel),
            framing,
            buffer,
            start: 0,
            end,
            ended: false,
        }
    }

    /// Whether the body was read to its end.
    pub fn is_done(&self) -> bool {
        match &self.framing {
            Framing::Chunked(parser) => parser.is_done(),
            Framing::Length(left) => *left == 0,
            Framing::ToEnd => self.ended && self.start == self.end,
        }
    }

    /// Throw away what is left of the body, up to a limit; whether its end was reached.
    pub fn drain(&mut self, limit_bytes: u64) -> io::Result<bool> {
        let drained = io::copy(&mut self.by_ref().take(limit_bytes), &mut io::sink())?;
        if drained == limit_bytes && !self.is_done() {
            // The last chunk may be all that is missing.
            self.skip_framing(false)?;
        }
        Ok(self.is_done())
    }

    /// The trailer fields of a chunked body that was read to its end.
    pub fn trailers(&self) -> &[u8] {
        match &self.framing {
            Framing::Chunked(parser) => parser.trailers(),
            Framing::Length(_) | Framing::ToEnd => &[],
        }
    }

    /// What was read beyond the body: the beginning of the next request.
    pub fn into_surplus(self) -> Vec<u8> {
        self.buffer[self.start..self.end].to_vec()
    }

    /// Bytes of body that come next, 0 at its end.
    fn due(&mut self) -> io::Result<u64> {
        self.skip_framing(true)?;
        Ok(match &self.framing {
            Framing::Chunked(parser) => parser.due(),
            Framing::Length(left) => *left,
            Framing::ToEnd if self.is_done() => 0,
            Framing::ToEnd => u64::MAX,
        })
    }

    fn skip_framing(&mut self, wait: bool) -> io::Result<()> {
        loop {
            let Framing::Chunked(parser) = &mut self.framing else {
                return Ok(());
            };
            self.start += parser.advance(&self.buffer[self.start..self.end])?;
            if parser.is_done() || parser.due() > 0 || !wait {
                return Ok(());
            }
            self.fill()?;
        }
    }

    /// Read into the empty buffer. The stream's end is an error unless it ends the body.
    fn fill(&mut self) -> io::Result<()> {
        self.start = 0;
        self.end = self.channel.receive(&mut self.buffer)?;
        self.note_end(self.end)
    }

    fn note_end(&mut self, received: usize) -> io::Result<()> {
        if received > 0 {
            return Ok(());
        }
        self.ended = true;
        if matches!(self.framing, Framing::ToEnd) {
            return Ok(());
        }
        Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            "unexpected EOF",
        ))
    }
}

impl Read for BodyReader<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let due = self.due()?;
        let wanted = usize::try_from(due).unwrap_or(usize::MAX).min(into.len());
        if wanted == 0 {
            return Ok(0);
        }
        let taken = if self.start == self.end && wanted as u64 >= DIRECT_BYTES {
            let received = self.channel.receive(&mut into[..wanted])?;
            self.note_end(received)?;
            received
        } else {
            if self.start == self.end {
                self.fill()?;
            }
            let taken = wanted.min(self.end - self.start);
            into[..taken].copy_from_slice(&self.buffer[self.start..self.start + taken]);
            self.start += taken;
            taken
        };
        match &mut self.framing {
            Framing::Chunked(parser) => parser.take(taken as u64),
            Framing::Length(left) => *left -= taken as u64,
            Framing::ToEnd => {}
        }
        // The last chunk often arrives with the last data: see it now, without waiting.
        self.skip_framing(false)?;
        Ok(taken)
    }
}
