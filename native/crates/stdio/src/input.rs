//! What was read of a log and not yet taken apart, line by line.

use std::io;

use crate::position::{Position, Step};

/// Read from the file at a time,
const READ_BYTES: usize = 256 * 1024;
/// but at first, for that is all there is for who follows a log that grows slowly.
const FIRST_READ_BYTES: usize = 8 * 1024;
/// A longer line is no record: 16 KiB of text are at most 96 KiB when escaped, attributes rarely a few more.
pub(crate) const RECORD_BYTES_MAX: usize = 1024 * 1024;

#[derive(Debug, Default)]
pub(crate) struct Input {
    /// Of which `taken..filled` is what there is.
    bytes: Vec<u8>,
    taken: usize,
    filled: usize,
    /// There is more than a first read takes.
    is_bulk: bool,
    /// Inside a line that is too long to be a record.
    overlong: bool,
}

impl Input {
    /// The length of the next whole line, its newline off; None when more must be read first.
    pub(crate) fn next(&mut self) -> Option<usize> {
        loop {
            let length = memchr::memchr(b'\n', &self.bytes[self.taken..self.filled])?;
            if !std::mem::take(&mut self.overlong) {
                return Some(length);
            }
            self.take(length);
        }
    }

    /// The next line, of which the length is known.
    pub(crate) fn line(&self, length: usize) -> &[u8] {
        &self.bytes[self.taken..self.taken + length]
    }

    /// Have done with a line of this length.
    pub(crate) fn take(&mut self, length: usize) {
        self.taken += length + 1;
    }

    /// What was read and not taken.
    pub(crate) fn unread_bytes(&self) -> usize {
        self.filled - self.taken
    }

    /// Read on.
    pub(crate) fn read(&mut self, position: &mut Position) -> io::Result<Step> {
        self.bytes.copy_within(self.taken..self.filled, 0);
        self.filled -= self.taken;
        self.taken = 0;
        if self.filled >= RECORD_BYTES_MAX {
            self.overlong = true;
            self.filled = 0;
        }
        let room = if self.is_bulk {
            READ_BYTES
        } else {
            FIRST_READ_BYTES
        };
        if self.bytes.len() < self.filled + room {
            self.bytes.resize(self.filled + room, 0);
        }
        let step = position.read(&mut self.bytes[self.filled..], self.filled)?;
        match step {
            Step::Bytes(count) => {
                self.filled += count;
                self.is_bulk |= self.filled == self.bytes.len();
            }
            Step::Next => {
                self.filled = 0;
                self.overlong = false;
            }
            Step::Idle => {}
        }
        Ok(step)
    }

    /// All was read: hold no more memory than the next record may need.
    pub(crate) fn trim(&mut self) {
        if !std::mem::take(&mut self.is_bulk) {
            return;
        }
        self.bytes = self.bytes[self.taken..self.filled].to_vec();
        self.taken = 0;
        self.filled = self.bytes.len();
    }
}
