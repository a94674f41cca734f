//! A lent descriptor, and the waiting on it that a second one can end.
use std::io;
use std::os::fd::BorrowedFd;

use rustix::event::{poll, PollFd, PollFlags};
use rustix::fs::{sendfile, FileType};
use rustix::io::Errno;
use rustix::net::{recv, send, sockopt, AddressFamily, RecvFlags, SendFlags};

use crate::stop::Stop;

/// What the send buffer of a unix socket is set to. A big one matters more than the size of
/// the chunks: 208 KiB (the usual default) 1.0, 1 MiB 2.7, 4 MiB 2.9 times as fast. The
/// kernel doubles the number it is given.
const SEND_BUFFER_BYTES: usize = 2 << 20;

/// How sending from a file went.
pub(crate) enum Sent {
    Bytes(u64),
    /// The file has no more.
    FileEnded,
    /// Not by the kernel alone: copy instead, which also tells what is wrong and with which
    /// of the two.
    Copy,
}

/// Where a transfer's bytes go or come from. Blocking or not, it is waited on by `poll`.
pub(crate) struct Channel<'fd> {
    fd: BorrowedFd<'fd>,
    cancel: Option<BorrowedFd<'fd>>,
    socket: bool,
}

impl<'fd> Channel<'fd> {
    pub(crate) fn new(fd: BorrowedFd<'fd>, cancel: Option<BorrowedFd<'fd>>) -> Channel<'fd> {
        let socket = rustix::fs::fstat(fd)
            .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Socket);
        Channel { fd, cancel, socket }
    }

    /// Give a unix socket room for megabytes; best effort, it is only speed.
    pub(crate) fn widen(&self) {
        if self.socket && sockopt::socket_domain(self.fd) == Ok(AddressFamily::UNIX) {
            // Above net.core.wmem_max only a privileged process may go.
            if sockopt::set_socket_send_buffer_size_force(self.fd, SEND_BUFFER_BYTES).is_err() {
                let _ = sockopt::set_socket_send_buffer_size(self.fd, SEND_BUFFER_BYTES);
            }
        }
    }

    /// Read what there is, waiting for something; 0 at the end.
    pub(crate) fn receive(&self, into: &mut [u8]) -> io::Result<usize> {
        Stop::check(self.cancel)?;
        loop {
            let result = if self.socket {
                recv(self.fd, &mut *into, RecvFlags::DONTWAIT).map(|(_, bytes)| bytes)
            } else {
                self.wait(PollFlags::IN)?;
                rustix::io::read(self.fd, &mut *into)
            };
            match result {
                Ok(bytes) => return Ok(bytes),
                Err(Errno::AGAIN) => self.wait(PollFlags::IN)?,
                Err(Errno::INTR) => {}
                Err(error) => return Err(failure(error)),
            }
        }
    }

    /// Write all of it.
    pub(crate) fn send_all(&self, mut bytes: &[u8]) -> io::Result<()> {
        Stop::check(self.cancel)?;
        while !bytes.is_empty() {
            let result = if self.socket {
                send(self.fd, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL)
            } else {
                self.wait(PollFlags::OUT)?;
                rustix::io::write(self.fd, bytes)
            };
            match result {
                Ok(sent) => bytes = &bytes[sent..],
                Err(Errno::AGAIN) => self.wait(PollFlags::OUT)?,
                Err(Errno::INTR) => {}
                Err(error) => return Err(failure(error)),
            }
        }
        Ok(())
    }

    /// Move up to `count` bytes of a file, from `offset`, which is advanced.
    pub(crate) fn send_file(
        &self,
        file: BorrowedFd<'_>,
        offset: &mut u64,
        count: usize,
    ) -> io::Result<Sent> {
        Stop::check(self.cancel)?;
        loop {
            match sendfile(self.fd, file, Some(offset), count) {
                Ok(0) => return Ok(Sent::FileEnded),
                Ok(sent) => return Ok(Sent::Bytes(sent as u64)),
                Err(Errno::AGAIN) => self.wait(PollFlags::OUT)?,
                Err(Errno::INTR) => {}
                Err(error) if is_gone(error) => return Err(Stop::Gone.into()),
                Err(_) => return Ok(Sent::Copy),
            }
        }
    }

    fn wait(&self, events: PollFlags) -> io::Result<()> {
        let mut fds = [
            PollFd::from_borrowed_fd(self.fd, events),
            PollFd::from_borrowed_fd(self.cancel.unwrap_or(self.fd), PollFlags::IN),
        ];
        let watched = if self.cancel.is_some() { 2 } else { 1 };
        loop {
            match poll(&mut fds[..watched], None) {
                Ok(_) => break,
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        if watched == 2 && !fds[1].revents().is_empty() {
            return Err(Stop::Cancelled.into());
        }
        // A hang-up is found by the call that comes next, with its errno.
        Ok(())
    }
}

fn is_gone(error: Errno) -> bool {
    matches!(
        error,
        Errno::PIPE | Errno::CONNRESET | Errno::NOTCONN | Errno::TIMEDOUT
    )
}

fn failure(error: Errno) -> io::Error {
    if is_gone(error) {
        Stop::Gone.into()
    } else {
        error.into()
    }
}
