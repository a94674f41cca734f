//! Clients of the daemon that wait for the container's end, kept here so that no daemon's death
//! cuts them off.
//!
//! The daemon answers them itself. Should it die before, its end of the *lifeline*, a pipe, closes
//! without a word, and whoever comes next answers: another daemon that adopts them, or we.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;

use rustix::event::epoll::EventFlags;
use rustix::io::Errno;
use rustix::net::{send, shutdown, SendFlags, Shutdown};

use crate::messages::Until;
use crate::poll::{Poller, Token, Watch};

/// What a daemon may say over a lifeline: at most this much, in one write.
const LAST_WORDS_BYTES_MAX: usize = 4096;

#[derive(Debug)]
struct Client {
    socket: OwnedFd,
    watch: Watch,
    until: Until,
    /// How the answer's body is framed.
    chunked: bool,
    /// None: its daemon is gone.
    lifeline: Option<u32>,
}

#[derive(Debug)]
struct Lifeline {
    fd: OwnedFd,
    watch: Watch,
}

#[derive(Debug, Default)]
pub struct Waits {
    clients: BTreeMap<u32, Client>,
    lifelines: BTreeMap<u32, Lifeline>,
    next: u32,
    exit_code: Option<i32>,
    /// No daemon will come any more.
    closed: bool,
}

impl Waits {
    pub fn is_empty(&self) -> bool {
        self.clients.is_empty()
    }

    /// Keep a client that has its answer's head.
    pub fn keep(
        &mut self,
        socket: OwnedFd,
        lifeline: OwnedFd,
        until: Until,
        chunked: bool,
        poller: &Poller,
    ) {
        let lifeline = Some(self.tie(lifeline, poller));
        let number = self.number();
        let mut watch = Watch::default();
        // Hang-ups come unasked.
        watch.set(
            poller,
            &socket,
            Token::Waiter(number),
            Some(EventFlags::empty()),
        );
        let client = Client {
            socket,
            watch,
            until,
            chunked,
            lifeline,
        };
        self.clients.insert(number, client);
    }

    /// How many that wait for that have lost their daemon.
    pub fn orphans(&self, until: Until) -> usize {
        let is_orphan = |client: &&Client| client.until == until && client.lifeline.is_none();
        self.clients.values().filter(is_orphan).count()
    }

    /// Another daemon will answer those that lost theirs.
    pub fn adopt(&mut self, lifeline: OwnedFd, until: Until, poller: &Poller) {
        if self.orphans(until) == 0 {
            return;
        }
        let lifeline = Some(self.tie(lifeline, poller));
        for client in self.clients.values_mut() {
            if client.until == until && client.lifeline.is_none() {
                client.lifeline = lifeline;
            }
        }
    }

    /// The container ended; that is recorded.
    pub fn exited(&mut self, exit_code: i32, poller: &Poller) {
        self.exit_code = Some(exit_code);
        self.answer_orphans(poller);
    }

    /// From now on no daemon can come for those that lose theirs.
    pub fn close(&mut self, poller: &Poller) {
        self.closed = true;
        self.answer_orphans(poller);
    }

    /// A client hung up.
    pub fn on_client(&mut self, number: u32, poller: &Poller) {
        let lifeline = self.clients.get(&number).and_then(|c| c.lifeline);
        self.let_go(number, poller);
        let is_used = |client: &Client| client.lifeline == lifeline;
        if let Some(lifeline) = lifeline.filter(|_| !self.clients.values().any(is_used)) {
            self.untie(lifeline, poller);
        }
    }

    /// A daemon said its last words over a lifeline, or died without.
    pub fn on_lifeline(&mut self, number: u32, poller: &Poller) {
        let Some(lifeline) = self.lifelines.get(&number) else {
            return;
        };
        let mut words = [0; LAST_WORDS_BYTES_MAX];
        let words = match rustix::io::read(&lifeline.fd, &mut words) {
            Err(Errno::AGAIN | Errno::INTR) => return,
            Ok(count) => &words[..count],
            Err(_) => &[],
        };
        self.untie(number, poller);
        let tied: Vec<u32> = self
            .clients
            .iter()
            .filter(|(_, client)| client.lifeline == Some(number))
            .map(|(number, _)| *number)
            .collect();
        for number in tied {
            if words.is_empty() {
                if let Some(client) = self.clients.get_mut(&number) {
                    client.lifeline = None;
                }
                continue;
            }
            // A document is the answer to send; any other word tells that one was sent.
            if let Some(client) = self.clients.get(&number).filter(|_| words[0] == b'{') {
                client.answer(words);
            }
            self.let_go(number, poller);
        }
        self.answer_orphans(poller);
    }

    /// Those that nobody else will answer learn the exit code, when there is one.
    fn answer_orphans(&mut self, poller: &Poller) {
        let is_due = |client: &Client| {
            client.lifeline.is_none()
                && (self.closed || (self.exit_code.is_some() && client.until == Until::Exit))
        };
        let due = self.clients.iter().filter(|(_, client)| is_due(client));
        let due: Vec<u32> = due.map(|(number, _)| *number).collect();
        for number in due {
            if let (Some(client), Some(code)) = (self.clients.get(&number), self.exit_code) {
                client.answer(format!("{{\"StatusCode\":{code}}}\n").as_bytes());
            }
            self.let_go(number, poller);
        }
    }

    fn number(&mut self) -> u32 {
        self.next += 1;
        self.next
    }

    fn tie(&mut self, fd: OwnedFd, poller: &Poller) -> u32 {
        let number = self.number();
        let mut watch = Watch::default();
        watch.set(poller, &fd, Token::Lifeline(number), Some(EventFlags::IN));
        self.lifelines.insert(number, Lifeline { fd, watch });
        number
    }

    fn untie(&mut self, number: u32, poller: &Poller) {
        if let Some(mut lifeline) = self.lifelines.remove(&number) {
            let token = Token::Lifeline(number);
            lifeline.watch.set(poller, &lifeline.fd, token, None);
        }
    }

    /// The daemon's own descriptor keeps the connection's file alive: it is taken off the poller.
    fn let_go(&mut self, number: u32, poller: &Poller) {
        if let Some(mut client) = self.clients.remove(&number) {
            let token = Token::Waiter(number);
            client.watch.set(poller, &client.socket, token, None);
        }
    }
}

impl Client {
    /// Send an answer's body and end the connection.
    fn answer(&self, document: &[u8]) {
        let mut body = Vec::new();
        if self.chunked {
            body.extend_from_slice(format!("{:x}\r\n", document.len()).as_bytes());
        }
        body.extend_from_slice(document);
        if self.chunked {
            body.extend_from_slice(b"\r\n0\r\n\r\n");
        }
        tell(&self.socket, &body);
        // Closing would not do: other copies of the descriptor may exist.
        let _ = shutdown(&self.socket, Shutdown::Both);
    }
}

/// Send a little to a client. One that takes nothing gets nothing.
pub fn tell(client: &OwnedFd, words: &[u8]) {
    if !words.is_empty() {
        let _ = send(client, words, SendFlags::DONTWAIT | SendFlags::NOSIGNAL);
    }
}
