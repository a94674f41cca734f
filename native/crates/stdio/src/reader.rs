//! The reader of `json-file` logs, from a file to a client's descriptor without a copy in between.

use std::io::{self, Write};
use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd};
use std::path::Path;

use crate::position::{Position, Step};
use crate::record::Record;
use crate::render::{Form, Selection, Verdict};
use crate::websocket;

/// Read from the file at a time.
const READ_BYTES: usize = 256 * 1024;
/// Written to the client at a time, give or take a record.
const WRITE_BYTES: usize = 256 * 1024;
/// A longer line is no record: 16 KiB of text are at most 96 KiB when escaped, attributes rarely a few more.
pub(crate) const RECORD_BYTES_MAX: usize = 1024 * 1024;
/// Room in front of the output for the head of an HTTP chunk (eight hexadecimal digits and CR LF) or
/// of a WebSocket message.
const WRAP_HEAD_BYTES: usize = websocket::HEAD_BYTES_MAX;

/// Why [`LogReader::pump`] came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pumped {
    /// No more will match.
    End,
    /// All that is in the file was written.
    Idle,
    /// The descriptor is non-blocking and full.
    Blocked,
    /// As much as was allowed was written.
    Budget,
    /// The peer left.
    Gone,
}

/// One client's way through one log.
#[derive(Debug)]
pub struct LogReader {
    selection: Selection,
    form: Form,
    position: Position,
    /// What was read and not yet taken apart: `input[taken..filled]`.
    input: Vec<u8>,
    taken: usize,
    filled: usize,
    /// Inside a line that is too long to be a record.
    overlong: bool,
    /// What waits to be written: `output[written..]`.
    output: Vec<u8>,
    written: usize,
    ended: bool,
}

impl LogReader {
    /// Open the log; one that does not exist yet is empty until it does.
    pub fn open(path: &Path, selection: Selection, form: Form) -> io::Result<Self> {
        Ok(Self {
            position: Position::open(path, selection.tail, selection.since_ns)?,
            selection,
            form,
            input: Vec::new(),
            taken: 0,
            filled: 0,
            overlong: false,
            output: Vec::new(),
            written: 0,
            ended: false,
        })
    }

    /// Write records to `fd` until there is a reason to stop. May be called again after any answer.
    pub fn pump(&mut self, fd: BorrowedFd<'_>, budget_bytes: u64) -> io::Result<Pumped> {
        let mut spent = 0;
        loop {
            if let Some(stop) = self.write_out(fd, &mut spent)? {
                return Ok(stop);
            }
            if self.ended {
                return Ok(Pumped::End);
            }
            if spent >= budget_bytes {
                return Ok(Pumped::Budget);
            }
            if !self.fill()? {
                self.rest();
                return Ok(Pumped::Idle);
            }
        }
    }

    /// The next piece of output, for a caller that sends it by other means than [`LogReader::pump`];
    /// None when there is nothing to be had now.
    pub fn compose(&mut self) -> io::Result<Option<&[u8]>> {
        if self.ended || !self.fill()? {
            self.rest();
            return Ok(None);
        }
        Ok(Some(&self.output[self.written..]))
    }

    /// Compose output until there is enough of it; false when there is nothing to be had now.
    fn fill(&mut self) -> io::Result<bool> {
        self.output.clear();
        self.output.reserve(WRITE_BYTES + RECORD_BYTES_MAX / 8);
        if self.form.chunked || self.form.messages.is_some() {
            self.output.resize(WRAP_HEAD_BYTES, 0);
        }
        let empty = self.output.len();
        while self.output.len() < WRITE_BYTES && !self.ended {
            if self.records() {
                continue;
            }
            match self.read()? {
                Step::Bytes(_) | Step::Next => {}
                Step::Idle => break,
            }
        }
        self.written = 0;
        if self.output.len() == empty {
            self.output.clear();
            return Ok(self.ended);
        }
        if self.form.chunked || self.form.messages.is_some() {
            self.wrap();
        }
        Ok(true)
    }

    /// Take whole lines apart; false when more must be read first.
    fn records(&mut self) -> bool {
        let input = &self.input[..self.filled];
        let mut any = false;
        while self.output.len() < WRITE_BYTES {
            let rest = &input[self.taken..];
            let Some(length) = memchr::memchr(b'\n', rest) else {
                return any;
            };
            any = true;
            self.taken += length + 1;
            if std::mem::take(&mut self.overlong) {
                continue;
            }
            let Some(record) = Record::parse(&rest[..length]) else {
                continue;
            };
            match self.selection.judge(&record) {
                Verdict::Take => self.form.append(&record, &mut self.output),
                Verdict::Skip => {}
                Verdict::End => {
                    self.ended = true;
                    return true;
                }
            }
        }
        any
    }

    fn read(&mut self) -> io::Result<Step> {
        self.input.copy_within(self.taken..self.filled, 0);
        self.filled -= self.taken;
        self.taken = 0;
        if self.filled >= RECORD_BYTES_MAX {
            self.overlong = true;
            self.filled = 0;
        }
        if self.input.len() < self.filled + READ_BYTES {
            self.input.resize(self.filled + READ_BYTES, 0);
        }
        let step = self.position.read(&mut self.input[self.filled..])?;
        match step {
            Step::Bytes(count) => self.filled += count,
            Step::Next => {
                self.filled = 0;
                self.overlong = false;
            }
            Step::Idle => {}
        }
        Ok(step)
    }

    /// A reader that follows is idle most of its life: it keeps the beginning of a record that is
    /// still being written, and no more.
    fn rest(&mut self) {
        self.output = Vec::new();
        self.input = self.input[self.taken..self.filled].to_vec();
        self.taken = 0;
        self.filled = self.input.len();
    }

    /// Put the head of a chunk or message in front, and what ends a chunk behind.
    fn wrap(&mut self) {
        let length = self.output.len() - WRAP_HEAD_BYTES;
        let mut head = Vec::with_capacity(WRAP_HEAD_BYTES);
        if let Some(opcode) = self.form.messages {
            websocket::push_head(opcode, length, &mut head);
        } else {
            head.extend_from_slice(format!("{length:x}\r\n").as_bytes());
            self.output.extend_from_slice(b"\r\n");
        }
        self.written = WRAP_HEAD_BYTES - head.len();
        self.output[self.written..WRAP_HEAD_BYTES].copy_from_slice(&head);
    }

    /// Write what waits; a reason to stop when not all of it can be.
    fn write_out(&mut self, fd: BorrowedFd<'_>, spent: &mut u64) -> io::Result<Option<Pumped>> {
        // SAFETY: the descriptor is the caller's and outlives this call; ManuallyDrop leaves it open.
        let mut file = ManuallyDrop::new(unsafe { std::fs::File::from_raw_fd(fd.as_raw_fd()) });
        while self.written < self.output.len() {
            match file.write(&self.output[self.written..]) {
                Ok(count) => {
                    self.written += count;
                    *spent += count as u64;
                }
                Err(error) => match error.kind() {
                    io::ErrorKind::Interrupted => {}
                    io::ErrorKind::WouldBlock => return Ok(Some(Pumped::Blocked)),
                    io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => {
                        return Ok(Some(Pumped::Gone))
                    }
                    _ => return Err(error),
                },
            }
        }
        self.output.clear();
        self.written = 0;
        Ok(None)
    }
}
