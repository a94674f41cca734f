//! The daemons that are connected, usually one, and the door for the next.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::event::epoll::EventFlags;

use crate::control::{accept, listen_at, Connection, Received};
use crate::poll::{Poller, Token, Watch};

#[derive(Debug)]
pub struct Daemons {
    path: PathBuf,
    listener: Option<(OwnedFd, Watch)>,
    connections: BTreeMap<u32, (Connection, Watch)>,
    next: u32,
}

impl Daemons {
    /// Listen at a path, for daemons beside the one that is there already.
    pub fn new(path: &Path, first: OwnedFd, poller: &Poller) -> io::Result<Self> {
        let listener = listen_at(path)?;
        let mut watch = Watch::default();
        watch.set(poller, &listener, Token::Listener, Some(EventFlags::IN));
        let mut daemons = Self {
            path: path.to_owned(),
            listener: Some((listener, watch)),
            connections: BTreeMap::new(),
            next: 0,
        };
        daemons.add(first, poller);
        Ok(daemons)
    }

    /// Whether daemons can still come.
    pub fn are_welcome(&self) -> bool {
        self.listener.is_some()
    }

    pub fn are_gone(&self) -> bool {
        self.connections.is_empty()
    }

    /// One waits at the door.
    pub fn admit(&mut self, poller: &Poller) {
        if let Some(Ok(fd)) = self.listener.as_ref().map(|(listener, _)| accept(listener)) {
            self.add(fd, poller);
        }
    }

    /// Take one message of a daemon, and send it what waits for it.
    pub fn receive(&mut self, number: u32, flags: EventFlags, poller: &Poller) -> Received {
        let Some((connection, _)) = self.connections.get_mut(&number) else {
            return Received::Nothing;
        };
        let received = if flags.contains(EventFlags::OUT) && !connection.flush() {
            Received::Closed
        } else if flags.intersects(EventFlags::IN | EventFlags::HUP | EventFlags::ERR) {
            connection.receive()
        } else {
            Received::Nothing
        };
        if matches!(received, Received::Closed) {
            self.connections.remove(&number);
        }
        self.watch(number, poller);
        received
    }

    /// Send a message to one daemon; one that does not read is given up.
    pub fn send(&mut self, number: u32, message: Vec<u8>, poller: &Poller) {
        if let Some((connection, _)) = self.connections.get_mut(&number) {
            if !connection.send(message) {
                self.connections.remove(&number);
            }
        }
        self.watch(number, poller);
    }

    /// Send a message to every daemon.
    pub fn send_all(&mut self, message: &[u8], poller: &Poller) {
        let numbers: Vec<u32> = self.connections.keys().copied().collect();
        for number in numbers {
            self.send(number, message.to_owned(), poller);
        }
    }

    /// Let nobody in any more, then hang up.
    pub fn dismiss(&mut self) -> io::Result<()> {
        let is_open = self.listener.take().is_some();
        let removed = is_open.then(|| std::fs::remove_file(&self.path));
        self.connections.clear();
        removed.unwrap_or(Ok(()))
    }

    fn add(&mut self, fd: OwnedFd, poller: &Poller) {
        let number = self.next;
        self.next += 1;
        let connection = (Connection::new(fd), Watch::default());
        self.connections.insert(number, connection);
        self.watch(number, poller);
    }

    fn watch(&mut self, number: u32, poller: &Poller) {
        if let Some((connection, watch)) = self.connections.get_mut(&number) {
            let mut interest = EventFlags::IN;
            interest.set(EventFlags::OUT, connection.is_waiting());
            watch.set(
                poller,
                &connection.fd,
                Token::Control(number),
                Some(interest),
            );
        }
    }
}
