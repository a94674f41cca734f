//! One process with its pipes or terminal, and the clients attached to it.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use drayman_stdio::{now_ns, DetachKeys, LogReader, Stream, OUTBOX_BYTES};
use rustix::event::epoll::EventFlags;

use crate::client::{Client, UNSEEN_BYTES_MIN};
use crate::journal::Journal;
use crate::messages::{Attachment, Refusal};
use crate::output::Output;
use crate::pipes::{Ours, PIPE_BYTES};
use crate::poll::{Poller, Token};
use crate::process::{Exit, Process};
use crate::stdin::Stdin;

mod hear;
mod unseen;

/// Read from a pipe or a client at a time.
pub const READ_BYTES: usize = 64 * 1024;
/// Reads of one client in a row, before others have their turn; and as much of one output.
const READS_IN_A_ROW: usize = 4;
const TURN_BYTES: usize = READS_IN_A_ROW * READ_BYTES;
/// How long the pipes of a process that ended are read on, should a child of it keep them open.
const DRAIN_WAIT: Duration = Duration::from_secs(2);
/// What the pipes of a process that ended may still hold goes to slow clients beyond their limit.
const DRAIN_BYTES: usize = 2 * PIPE_BYTES;

/// What the sessions of a shim share.
pub struct Shared<'a> {
    pub poller: &'a Poller,
    /// At least [`READ_BYTES`].
    pub scratch: &'a mut [u8],
    pub now: Instant,
}

#[derive(Debug)]
pub struct Session {
    number: u32,
    manner: Manner,
    stdin: Stdin,
    stdout: Output,
    stderr: Output,
    clients: BTreeMap<u32, Client>,
    next_client: u32,
    /// A client is too far behind: the process has to wait.
    held_up: bool,
    /// Nobody but one client is interested in the output.
    is_spliced: bool,
    /// So is who the log is sent to.
    log_is_behind: bool,
    pub process: Option<Process>,
    drain_until: Option<Instant>,
    /// Clients that typed the detach keys.
    detached: Vec<u32>,
}

/// How a session treats its process.
#[allow(clippy::struct_excessive_bools)]
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    pub tty: bool,
    pub takes_stdin: bool,
    pub stdin_once: bool,
    /// A client that hangs up takes the process with it.
    pub dies_with_client: bool,
}

impl Manner {
    /// A client's end of input is the process's; otherwise it ends that client's attachment.
    fn ends_stdin(self) -> bool {
        self.stdin_once && !self.tty
    }
}

impl Session {
    pub fn new(number: u32, manner: Manner) -> Self {
        Self {
            number,
            manner,
            stdin: Stdin::new(),
            stdout: Output::default(),
            stderr: Output::default(),
            clients: BTreeMap::new(),
            next_client: 0,
            held_up: false,
            is_spliced: false,
            log_is_behind: false,
            process: None,
            drain_until: None,
            detached: Vec::new(),
        }
    }

    /// Make a client of this session, without attaching it yet; it hears of the `past` first. The text
    /// of the error is Docker's when the keys are not to be understood.
    pub fn invite(
        &self,
        socket: OwnedFd,
        attachment: &Attachment,
        default_keys: &str,
        past: Option<LogReader>,
        now: Instant,
    ) -> Result<Client, Refusal> {
        let keys = match &attachment.detach_keys {
            Some(keys) if !keys.is_empty() => keys,
            _ => default_keys,
        };
        let keys = DetachKeys::parse(keys).map_err(Refusal::invalid)?;
        Client::new(
            socket,
            attachment,
            attachment.stdin && self.manner.takes_stdin,
            keys,
            past,
            now,
        )
    }

    /// Attach a client: greet it, and pass on what it has said already.
    pub fn admit(&mut self, mut client: Client, attachment: &Attachment, shared: &mut Shared<'_>) {
        client.greet(&attachment.head);
        let mut early = attachment.early.clone();
        let said = client.understand(&mut early);
        let number = self.next_client;
        self.next_client += 1;
        self.clients.insert(number, client);
        self.take(number, said, &early, shared.now);
        self.settle(shared);
    }

    /// The process runs, and these are the other ends of its standard descriptors.
    pub fn begin(&mut self, process: Process, ours: Ours, shared: &mut Shared<'_>) {
        self.process = Some(process);
        self.stdout.open(ours.stdout);
        self.stderr.open(ours.stderr);
        self.stdin.open(ours.stdin);
        self.hear_the_gone(shared);
        self.settle(shared);
    }

    /// The terminal, for its size.
    pub fn terminal(&self) -> Option<&OwnedFd> {
        self.stdout.fd().filter(|_| self.manner.tty)
    }

    /// The process ended: read what is left in its pipes.
    pub fn drain(&mut self, shared: &mut Shared<'_>, mut log: Option<&mut Journal>) {
        self.stdin.close();
        self.drain_until = Some(shared.now + DRAIN_WAIT);
        for stream in [Stream::Stdout, Stream::Stderr] {
            self.read(stream, shared, log.as_deref_mut());
        }
        self.settle(shared);
    }

    /// Learn whether the process ended.
    pub fn reap(&mut self, poller: &Poller) -> std::io::Result<Option<Exit>> {
        let token = Token::Process(self.number);
        self.process
            .as_mut()
            .map_or(Ok(None), |process| process.reap(poller, token))
    }

    /// How the process ended, once: nothing more of its output is waited for.
    pub fn take_exit(&mut self) -> Option<Exit> {
        self.drain_until.take()?;
        self.process.as_ref()?.exit
    }

    /// Whether its process runs, or ended and was not recorded yet.
    pub fn is_live(&self) -> bool {
        let running = self.process.as_ref().is_some_and(Process::is_running);
        running || self.drain_until.is_some()
    }

    /// Whether the process ended and nothing more of its output is waited for.
    pub fn is_drained(&self, now: Instant) -> bool {
        let at_end = !self.stdout.is_open() && !self.stderr.is_open();
        self.drain_until.is_some_and(|until| at_end || until <= now)
    }

    /// Let the clients go, each as soon as it has everything.
    pub fn end(&mut self, shared: &mut Shared<'_>) {
        self.stdout.close();
        self.stderr.close();
        self.stdin.close();
        for client in self.clients.values_mut() {
            client.end(shared.now);
        }
        self.settle(shared);
    }

    pub fn has_clients(&self) -> bool {
        !self.clients.is_empty()
    }

    /// When [`Session::expire`] is due.
    pub fn deadline(&self) -> Option<Instant> {
        let clients = self.clients.values().filter_map(Client::deadline);
        clients.chain(self.drain_until).min()
    }

    pub fn expire(&mut self, shared: &mut Shared<'_>) {
        for client in self.clients.values_mut() {
            client.expire(shared.now);
        }
        self.settle(shared);
    }

    /// An output has something, or has ended.
    pub fn on_output(
        &mut self,
        stream: Stream,
        shared: &mut Shared<'_>,
        log: Option<&mut Journal>,
    ) {
        self.read(stream, shared, log);
        self.hear_the_gone(shared);
        self.settle(shared);
    }

    /// Whether a client is to be told of the past before anything else.
    pub fn has_past(&self) -> bool {
        self.clients.values().any(Client::has_past)
    }

    /// Tell clients of the past (see [`Client::catch_up`]).
    pub fn catch_up(&mut self, held: Option<&[(Stream, &[u8])]>, shared: &mut Shared<'_>) {
        for client in self.clients.values_mut() {
            client.catch_up(held, shared.now);
        }
        self.hear_the_gone(shared);
        self.settle(shared);
    }

    /// Whether a client can be told more of the past at once.
    pub fn is_behind(&self) -> bool {
        self.clients.values().any(Client::is_behind)
    }

    /// The log has caught up.
    pub fn go_on(&mut self, shared: &mut Shared<'_>) {
        if std::mem::take(&mut self.log_is_behind) {
            self.settle(shared);
        }
    }

    /// The process can take more input: what waits, then what clients have to say.
    pub fn on_stdin(&mut self, shared: &mut Shared<'_>) {
        self.stdin.flush();
        self.hear_the_gone(shared);
        self.settle(shared);
    }

    /// A client's socket can be read or written, or hung up.
    pub fn on_client(&mut self, number: u32, flags: EventFlags, shared: &mut Shared<'_>) {
        let Some(client) = self.clients.get_mut(&number) else {
            return;
        };
        if flags.intersects(EventFlags::HUP | EventFlags::ERR) {
            client.hang_up();
        } else if flags.contains(EventFlags::OUT) {
            client.flush(shared.now);
            self.pay_debts();
        }
        self.hear(number, shared);
        self.settle(shared);
    }

    /// How many clients typed the detach keys since the last [`Session::let_go`].
    pub fn detached(&self) -> usize {
        self.detached.len()
    }

    /// Let those go that typed the detach keys.
    pub fn let_go(&mut self, shared: &mut Shared<'_>) {
        for number in std::mem::take(&mut self.detached) {
            if let Some(client) = self.clients.get_mut(&number) {
                client.forget_past();
                client.end(shared.now);
            }
        }
        self.settle(shared);
    }

    fn read(&mut self, stream: Stream, shared: &mut Shared<'_>, mut log: Option<&mut Journal>) {
        self.is_spliced = log.is_none() && self.may_splice();
        let mut rounds = 0;
        while self.is_spliced && rounds < READS_IN_A_ROW && self.splice(stream) {
            rounds += 1;
            if self.is_in_debt() {
                return;
            }
        }
        if rounds > 0 {
            return;
        }
        self.copy_debts();
        let output = match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        };
        let ended = self.drain_until.is_some();
        let mut left_bytes = if ended { DRAIN_BYTES } else { TURN_BYTES };
        loop {
            let count = output.read(&mut shared.scratch[..READ_BYTES]);
            let bytes = &shared.scratch[..count];
            if count > 0 {
                if let Some(log) = log.as_deref_mut() {
                    log.push(stream, bytes, now_ns());
                }
                for client in self.clients.values_mut() {
                    client.deliver(stream, bytes);
                }
            }
            left_bytes = left_bytes.saturating_sub(count);
            // A pipe that gave less than asked for is empty now; of one that ends we want the end.
            let empty = count == 0 || (count < READ_BYTES && !ended);
            self.log_is_behind = log.as_ref().is_some_and(|log| log.is_behind(ended));
            if empty || left_bytes == 0 || self.log_is_behind {
                return;
            }
        }
    }

    /// Watch for what can be dealt with now, and forget who is gone.
    fn settle(&mut self, shared: &Shared<'_>) {
        self.part();
        let furthest = self
            .clients
            .values()
            .map(Client::waiting_bytes)
            .max()
            .unwrap_or(0);
        let limit = match self.drain_until {
            Some(_) => OUTBOX_BYTES + DRAIN_BYTES,
            // What waits keeps all the rest from being spliced.
            None if self.is_spliced && self.held_up => 1,
            None if self.is_spliced => UNSEEN_BYTES_MIN,
            // Once held up, until half is gone: not a read for every write.
            None if self.held_up => OUTBOX_BYTES / 2,
            None => OUTBOX_BYTES,
        };
        self.held_up = furthest >= limit || self.is_in_debt();
        let held_up = self.held_up || self.log_is_behind;
        self.stdout
            .settle(shared.poller, Token::Stdout(self.number), held_up);
        self.stderr
            .settle(shared.poller, Token::Stderr(self.number), held_up);
        self.stdin.settle(shared.poller, Token::Stdin(self.number));
        let stdin_ready = self.stdin.is_ready();
        for (number, client) in &mut self.clients {
            let token = Token::Client(self.number, *number);
            client.settle(shared.poller, token, stdin_ready);
        }
        self.kill_abandoned();
        self.clients.retain(|_, client| !client.is_gone());
    }

    /// Kill a process whose client hung up, if that is its manner.
    fn kill_abandoned(&self) {
        let mut clients = self.clients.iter();
        let abandoned = clients
            .any(|(number, client)| client.has_abandoned() && !self.detached.contains(number));
        if !abandoned || !self.manner.dies_with_client {
            return;
        }
        if let Some(process) = self.process.as_ref().filter(|process| process.is_running()) {
            // It fails where there is nothing left to kill.
            let _ = process.signal(libc::SIGKILL);
        }
    }
}
