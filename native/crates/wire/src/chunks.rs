//! The grammar of a chunked body (RFC 9112, 7.1), apart from any reading.
use std::{error, fmt, io};

/// The longest line of a chunk's head, extensions included: what Go's server takes.
const LINE_LIMIT_BYTES: usize = 4096;
/// All trailers together.
const TRAILERS_LIMIT_BYTES: usize = 16 << 10;

/// What is wrong with a chunked body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadChunk(&'static str);

impl fmt::Display for BadChunk {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "malformed chunked encoding: {}", self.0)
    }
}

impl error::Error for BadChunk {}

impl From<BadChunk> for io::Error {
    fn from(bad: BadChunk) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidData, bad)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Before the first digit of a size.
    Size,
    Digits(u64),
    /// Blanks behind a size.
    Blank(u64),
    Extension(u64),
    HeadLineFeed(u64),
    Data(u64),
    DataReturn,
    DataLineFeed,
    Trailer {
        empty: bool,
    },
    TrailerLineFeed {
        empty: bool,
    },
    Done,
}

/// Tells framing from data, byte by byte as they come.
#[derive(Debug)]
pub struct ChunkParser {
    state: State,
    line_bytes: usize,
    /// The lines behind the last chunk, and the end of each.
    trailers: Vec<u8>,
}

impl Default for ChunkParser {
    fn default() -> ChunkParser {
        ChunkParser {
            state: State::Size,
            line_bytes: 0,
            trailers: Vec::new(),
        }
    }
}

impl ChunkParser {
    /// Bytes of data that come next; 0 when framing does, or nothing more.
    pub fn due(&self) -> u64 {
        match self.state {
            State::Data(due) => due,
            _ => 0,
        }
    }

    /// Whether the last chunk and the trailers were seen.
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// The fields behind the last chunk: lines that end in a line feed.
    pub fn trailers(&self) -> &[u8] {
        &self.trailers
    }

    /// Say that `bytes` of the data due were taken.
    pub fn take(&mut self, bytes: u64) {
        if let State::Data(due) = self.state {
            let left = due.saturating_sub(bytes);
            self.state = if left == 0 {
                State::DataReturn
            } else {
                State::Data(left)
            };
        }
    }

    /// Take framing off the front of `input`: how many bytes it was. Stops before data, and
    /// behind the body's end.
    pub fn advance(&mut self, input: &[u8]) -> Result<usize, BadChunk> {
        for (index, &byte) in input.iter().enumerate() {
            if matches!(self.state, State::Data(_) | State::Done) {
                return Ok(index);
            }
            self.state = self.after(byte)?;
        }
        Ok(input.len())
    }

    fn after(&mut self, byte: u8) -> Result<State, BadChunk> {
        match (self.state, byte) {
            (State::Size, _) => {
                self.line_bytes = 0;
                Ok(State::Digits(digit(byte).ok_or(BadChunk("no size"))?))
            }
            (State::Digits(size) | State::Blank(size) | State::Extension(size), b'\r') => {
                Ok(State::HeadLineFeed(size))
            }
            (State::Digits(size) | State::Blank(size), b';') => Ok(State::Extension(size)),
            (State::Digits(size) | State::Blank(size), b' ' | b'\t') => {
                self.count(LINE_LIMIT_BYTES, "size too long")?;
                Ok(State::Blank(size))
            }
            (State::Blank(_), _) => Err(BadChunk("bad size")),
            (State::Digits(size), _) => {
                let digit = digit(byte).ok_or(BadChunk("bad size"))?;
                if size >> 59 != 0 {
                    return Err(BadChunk("size too large"));
                }
                self.count(LINE_LIMIT_BYTES, "size too long")?;
                Ok(State::Digits(size << 4 | digit))
            }
            (State::Extension(_) | State::Trailer { .. }, b'\n' | 0) => {
                Err(BadChunk("bad byte in a line"))
            }
            (State::Extension(size), _) => {
                self.count(LINE_LIMIT_BYTES, "extension too long")?;
                Ok(State::Extension(size))
            }
            (State::HeadLineFeed(0), b'\n') => {
                self.line_bytes = 0;
                Ok(State::Trailer { empty: true })
            }
            (State::HeadLineFeed(size), b'\n') => Ok(State::Data(size)),
            (State::DataReturn, b'\r') => Ok(State::DataLineFeed),
            (State::DataLineFeed, b'\n') => Ok(State::Size),
            (State::Trailer { empty }, b'\r') => Ok(State::TrailerLineFeed { empty }),
            (State::Trailer { .. }, _) => {
                self.count(TRAILERS_LIMIT_BYTES, "trailers too long")?;
                self.trailers.push(byte);
                Ok(State::Trailer { empty: false })
            }
            (State::TrailerLineFeed { empty: true }, b'\n') => Ok(State::Done),
            (State::TrailerLineFeed { empty: false }, b'\n') => {
                self.trailers.push(byte);
                Ok(State::Trailer { empty: true })
            }
            (State::DataReturn | State::DataLineFeed, _) => {
                Err(BadChunk("chunk longer than its size"))
            }
            (_, _) => Err(BadChunk("line not ended by CRLF")),
        }
    }

    fn count(&mut self, limit: usize, complaint: &'static str) -> Result<(), BadChunk> {
        self.line_bytes += 1;
        if self.line_bytes > limit {
            return Err(BadChunk(complaint));
        }
        Ok(())
    }
}

fn digit(byte: u8) -> Option<u64> {
    char::from(byte).to_digit(16).map(u64::from)
}
