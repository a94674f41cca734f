//! What waits to be written to a client: a batch of records, in an HTTP chunk or not.

use std::io::{self, Write};
use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd};

use crate::form::Form;
use crate::websocket;

/// Written at a time, give or take a record.
const WRITE_BYTES: usize = 256 * 1024;
/// Kept by who has written all there is.
const KEPT_BYTES: usize = 8 * 1024;
/// Room in front for the head of an HTTP chunk (eight hexadecimal digits and CR LF) or of a WebSocket
/// message.
const WRAP_HEAD_BYTES: usize = websocket::HEAD_BYTES_MAX;

/// What became of writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    All,
    /// The descriptor is non-blocking and full.
    Blocked,
    /// The peer left.
    Gone,
}

#[derive(Debug, Default)]
pub(crate) struct Output {
    pub(crate) bytes: Vec<u8>,
    /// Where in `bytes` the batch begins.
    begin: usize,
    written: usize,
}

impl Output {
    /// Begin a batch.
    pub(crate) fn begin(&mut self, form: Form) {
        self.bytes.clear();
        let is_wrapped = form.chunked || form.messages.is_some();
        self.begin = if is_wrapped { WRAP_HEAD_BYTES } else { 0 };
        self.bytes.resize(self.begin, 0);
        self.written = self.begin;
    }

    pub(crate) fn is_full(&self) -> bool {
        self.bytes.len() >= WRITE_BYTES
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.len() <= self.begin
    }

    /// The batch is complete: put the head of a chunk or message in front, and what ends a chunk
    /// behind.
    pub(crate) fn seal(&mut self, form: Form) {
        if self.is_empty() {
            self.bytes.clear();
            self.written = 0;
        } else if self.begin > 0 {
            let length = self.bytes.len() - self.begin;
            let mut head = Vec::with_capacity(WRAP_HEAD_BYTES);
            if let Some(opcode) = form.messages {
                websocket::push_head(opcode, length, &mut head);
            } else {
                head.extend_from_slice(format!("{length:x}\r\n").as_bytes());
                self.bytes.extend_from_slice(b"\r\n");
            }
            self.written = self.begin - head.len();
            self.bytes[self.written..self.begin].copy_from_slice(&head);
        }
    }

    /// What waits.
    pub(crate) fn waiting(&self) -> &[u8] {
        &self.bytes[self.written..]
    }

    /// Write what waits, and count it.
    pub(crate) fn write_to(
        &mut self,
        fd: BorrowedFd<'_>,
        spent_bytes: &mut u64,
    ) -> io::Result<Written> {
        // SAFETY: the descriptor is the caller's and outlives this call; ManuallyDrop leaves it open.
        let mut file = ManuallyDrop::new(unsafe { std::fs::File::from_raw_fd(fd.as_raw_fd()) });
        while self.written < self.bytes.len() {
            match file.write(&self.bytes[self.written..]) {
                Ok(count) => {
                    self.written += count;
                    *spent_bytes += count as u64;
                }
                Err(error) => match error.kind() {
                    io::ErrorKind::Interrupted => {}
                    io::ErrorKind::WouldBlock => return Ok(Written::Blocked),
                    io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => {
                        return Ok(Written::Gone)
                    }
                    _ => return Err(error),
                },
            }
        }
        self.bytes.clear();
        self.written = 0;
        Ok(Written::All)
    }

    /// Hold no more memory than the next record may need.
    pub(crate) fn trim(&mut self) {
        self.bytes.shrink_to(KEPT_BYTES);
    }
}

/// The last chunk of a body (RFC 9112, 7.1), with trailer fields behind it.
pub fn last_chunk(fields: &[(&str, String)]) -> Vec<u8> {
    let mut chunk = b"0\r\n".to_vec();
    for (name, value) in fields {
        chunk.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    chunk.extend_from_slice(b"\r\n");
    chunk
}
