//! The way to one attached client: what its socket does not take now waits here, up to a limit.

use std::io::{self, ErrorKind, IoSlice};
use std::os::fd::BorrowedFd;

use rustix::io::Errno;

use crate::socket::send;

/// A client that has this much waiting holds up the process it listens to, as it does with Docker.
pub const OUTBOX_BYTES: usize = 1024 * 1024;
/// An empty outbox keeps no more memory than this.
const KEPT_BYTES: usize = 4096;

/// How a client stands after something was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    All,
    /// Something waits until the socket is writable.
    Waiting,
    /// The client left.
    Gone,
}

/// Bytes on their way to one socket, in order; a frame once begun is never interrupted by another.
#[derive(Debug, Default)]
pub struct Outbox {
    queue: Vec<u8>,
    sent: usize,
}

impl Outbox {
    /// Queue header and payload behind what waits already, without sending.
    pub fn queue(&mut self, header: &[u8], payload: &[u8]) {
        self.queue.extend_from_slice(header);
        self.queue.extend_from_slice(payload);
    }

    /// Queue so many bytes that lie ready in a pipe, without sending.
    pub fn queue_from(&mut self, pipe: BorrowedFd<'_>, count: usize) -> io::Result<()> {
        let start = self.queue.len();
        self.queue.resize(start + count, 0);
        let mut filled = start;
        let read = loop {
            if filled == self.queue.len() {
                break Ok(());
            }
            match rustix::io::read(pipe, &mut self.queue[filled..]) {
                Ok(0) => break Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => filled += count,
                Err(Errno::INTR) => {}
                Err(error) => break Err(error.into()),
            }
        };
        self.queue.truncate(filled);
        read
    }

    /// Send header and payload in one write, or queue what the socket does not take.
    pub fn push(&mut self, fd: BorrowedFd<'_>, header: &[u8], payload: &[u8]) -> Sent {
        if self.waiting_bytes() > 0 {
            self.queue(header, payload);
            return self.flush(fd);
        }
        let parts = [IoSlice::new(header), IoSlice::new(payload)];
        let parts = if header.is_empty() {
            &parts[1..]
        } else {
            &parts[..]
        };
        match send(fd, parts) {
            Ok(count) => {
                self.queue
                    .extend_from_slice(header.get(count..).unwrap_or_default());
                let of_payload = count.saturating_sub(header.len());
                self.queue.extend_from_slice(&payload[of_payload..]);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => self.queue(header, payload),
            Err(_) => return Sent::Gone,
        }
        self.standing()
    }

    /// Send what waits.
    pub fn flush(&mut self, fd: BorrowedFd<'_>) -> Sent {
        while self.waiting_bytes() > 0 {
            match send(fd, &[IoSlice::new(&self.queue[self.sent..])]) {
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => return Sent::Gone,
            }
        }
        self.compact();
        self.standing()
    }

    pub fn waiting_bytes(&self) -> usize {
        self.queue.len() - self.sent
    }

    fn standing(&self) -> Sent {
        if self.waiting_bytes() == 0 {
            Sent::All
        } else {
            Sent::Waiting
        }
    }

    fn compact(&mut self) {
        if self.waiting_bytes() == 0 {
            self.queue.clear();
            self.queue.shrink_to(KEPT_BYTES);
            self.sent = 0;
        } else if self.sent >= self.queue.len() / 2 {
            self.queue.drain(..self.sent);
            self.sent = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    #[test]
    fn nothing_is_lost_or_reordered_when_the_socket_fills_up() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let mut outbox = Outbox::default();
        let mut expected = Vec::new();
        let mut number = 0u32;
        while outbox.waiting_bytes() < OUTBOX_BYTES {
            let payload = vec![b'a' + u8::try_from(number % 26).unwrap(); 5000];
            assert_ne!(
                outbox.push(ours.as_fd(), &number.to_be_bytes(), &payload),
                Sent::Gone
            );
            expected.extend(number.to_be_bytes());
            expected.extend(payload);
            number += 1;
        }
        let mut got = vec![0; expected.len()];
        let mut filled = 0;
        while filled < got.len() {
            filled += theirs.read(&mut got[filled..]).unwrap();
            outbox.flush(ours.as_fd());
        }
        assert_eq!(outbox.waiting_bytes(), 0);
        assert!(got == expected);
    }

    #[test]
    fn a_client_that_left_is_told_of() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        drop(theirs);
        assert_eq!(Outbox::default().push(ours.as_fd(), b"", b"x"), Sent::Gone);
    }
}
