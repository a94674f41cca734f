//! The text of a compressed log file: inflated as it is read, never held.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use flate2::bufread::MultiGzDecoder;

use crate::stamp;

/// Read of the compressed file at a time.
const INPUT_BYTES: usize = 32 * 1024;
/// What Docker tells of a file in its gzip header, as JSON of this one member.
const LAST_TIME: &[u8] = b"\"lastTime\":\"";

/// A way through the text, from the front.
#[derive(Debug)]
pub(crate) struct Inflated {
    file: Arc<File>,
    decoder: MultiGzDecoder<BufReader<Reading>>,
    offset: u64,
    /// What is damaged ends here: its beginning counts all the same.
    ended: bool,
}

/// A file read by an offset of its own.
#[derive(Debug)]
struct Reading {
    file: Arc<File>,
    offset: u64,
}

impl Read for Reading {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(buffer, self.offset)?;
        self.offset += count as u64;
        Ok(count)
    }
}

impl Inflated {
    pub(crate) fn new(file: Arc<File>) -> Self {
        let reading = Reading {
            file: Arc::clone(&file),
            offset: 0,
        };
        Self {
            decoder: MultiGzDecoder::new(BufReader::with_capacity(INPUT_BYTES, reading)),
            file,
            offset: 0,
            ended: false,
        }
    }

    /// Read the text from an offset on; 0 at its end. Going back means to begin anew.
    pub(crate) fn read_at(&mut self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        if offset < self.offset {
            *self = Self::new(Arc::clone(&self.file));
        }
        while self.offset < offset {
            let left = usize::try_from(offset - self.offset).unwrap_or(usize::MAX);
            let length = left.min(buffer.len());
            if self.read(&mut buffer[..length])? == 0 {
                return Ok(0);
            }
        }
        self.read(buffer)
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.ended {
            return Ok(0);
        }
        let count = match self.decoder.read(buffer) {
            Ok(count) => count,
            Err(error) => match error.kind() {
                io::ErrorKind::InvalidInput
                | io::ErrorKind::InvalidData
                | io::ErrorKind::UnexpectedEof => 0,
                _ => return Err(error),
            },
        };
        self.ended = count == 0 && !buffer.is_empty();
        self.offset += count as u64;
        Ok(count)
    }

    /// When its last record was written, as far as its header tells.
    pub(crate) fn last_ns(&self) -> Option<i64> {
        let told = Self::new(Arc::clone(&self.file));
        let told = told.decoder.header()?.extra()?;
        let begin = memchr::memmem::find(told, LAST_TIME)? + LAST_TIME.len();
        let length = memchr::memchr(b'"', &told[begin..])?;
        stamp::parse(&told[begin..begin + length])
    }
}
