//! One output of a process: a pipe, or the terminal.

use std::os::fd::OwnedFd;

use rustix::event::epoll::EventFlags;
use rustix::io::Errno;

use crate::poll::{Poller, Token, Watch};

#[derive(Debug, Default)]
pub struct Output {
    fd: Option<OwnedFd>,
    watch: Watch,
    /// To be closed once it is not watched: a terminal's other descriptor keeps its file alive.
    ended: bool,
}

impl Output {
    /// The process writes to the other end of this; None when it writes to nowhere.
    pub fn open(&mut self, fd: Option<OwnedFd>) {
        self.fd = fd;
    }

    pub fn is_open(&self) -> bool {
        self.fd.is_some() && !self.ended
    }

    pub fn fd(&self) -> Option<&OwnedFd> {
        self.fd.as_ref()
    }

    /// Read what is there, 0 when there is nothing now or for ever.
    pub fn read(&mut self, buffer: &mut [u8]) -> usize {
        let Some(fd) = self.fd.as_ref().filter(|_| !self.ended) else {
            return 0;
        };
        match rustix::io::read(fd, buffer) {
            Ok(count) if count > 0 => return count,
            Err(Errno::AGAIN | Errno::INTR) => {}
            // The end of a pipe reads as nothing, that of a terminal as EIO.
            Ok(_) | Err(_) => self.ended = true,
        }
        0
    }

    /// Close it at the next [`Output::settle`].
    pub fn close(&mut self) {
        self.ended = true;
    }

    /// Watch for something to read, unless that is held up.
    pub fn settle(&mut self, poller: &Poller, token: Token, held_up: bool) {
        if let Some(fd) = &self.fd {
            let interest = (!self.ended && !held_up).then_some(EventFlags::IN);
            self.watch.set(poller, fd, token, interest);
        }
        if self.ended {
            self.fd = None;
        }
    }
}
