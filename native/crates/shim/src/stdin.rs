//! The way into a process's standard input: several clients may write, one at a time waits.

use std::os::fd::OwnedFd;

use rustix::event::epoll::EventFlags;

use crate::poll::{Poller, Token, Watch};

#[derive(Debug)]
enum Sink {
    /// The process has not been started; what is written waits for it.
    Unopened,
    /// A non-blocking pipe or terminal.
    Open(OwnedFd),
    /// Ended by a client, or by the process itself. What is written is lost, as with any pipe.
    Closed,
}

#[derive(Debug)]
pub struct Stdin {
    sink: Sink,
    /// What the process has not taken yet: one read of a client at most, beside what came early.
    pending: Vec<u8>,
    /// Close when nothing is pending any more.
    ending: bool,
    watch: Watch,
    /// Closed, but perhaps still watched: a terminal's other descriptor keeps its file alive.
    closing: Option<OwnedFd>,
}

impl Stdin {
    /// For a process that is yet to be started.
    pub fn new() -> Self {
        Self {
            sink: Sink::Unopened,
            pending: Vec::new(),
            ending: false,
            watch: Watch::default(),
            closing: None,
        }
    }

    /// The process has been started; None when it reads from nowhere.
    pub fn open(&mut self, fd: Option<OwnedFd>) {
        self.sink = fd.map_or(Sink::Closed, Sink::Open);
        self.flush();
    }

    /// Whether a client may be read from: what it says can be passed on (or thrown away) at once.
    pub fn is_ready(&self) -> bool {
        match self.sink {
            Sink::Unopened => false,
            Sink::Open(_) => self.pending.is_empty(),
            Sink::Closed => true,
        }
    }

    /// Pass on what a client said; what does not fit waits.
    pub fn write(&mut self, bytes: &[u8]) {
        if !matches!(self.sink, Sink::Closed) {
            self.pending.extend_from_slice(bytes);
            self.flush();
        }
    }

    /// No more will come: the process reads the end of the file behind what is pending.
    pub fn end(&mut self) {
        self.ending = true;
        self.flush();
    }

    /// Pass on what waits.
    pub fn flush(&mut self) {
        let Sink::Open(fd) = &self.sink else {
            return;
        };
        let mut written = 0;
        while written < self.pending.len() {
            match rustix::io::write(fd, &self.pending[written..]) {
                Ok(count) => written += count,
                Err(rustix::io::Errno::AGAIN) => break,
                Err(rustix::io::Errno::INTR) => {}
                // The process closed its end.
                Err(_) => return self.close(),
            }
        }
        self.pending.drain(..written);
        if self.pending.is_empty() {
            self.pending = Vec::new();
            if self.ending {
                self.close();
            }
        }
    }

    /// Close it at the next [`Stdin::settle`].
    pub fn close(&mut self) {
        if let Sink::Open(fd) = std::mem::replace(&mut self.sink, Sink::Closed) {
            self.closing = Some(fd);
        }
        self.pending = Vec::new();
    }

    pub fn settle(&mut self, poller: &Poller, token: Token) {
        if let Some(fd) = self.closing.take() {
            self.watch.set(poller, fd, token, None);
        }
        if let Sink::Open(fd) = &self.sink {
            let interest = (!self.pending.is_empty()).then_some(EventFlags::OUT);
            self.watch.set(poller, fd, token, interest);
        }
    }
}
