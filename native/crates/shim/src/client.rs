//! One attached client: a socket that was lent to us, on which we never wait.

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use drayman_stdio::websocket::{self, Frames};
use drayman_stdio::{DetachKeys, LogReader, Outbox, Sent, Slow};
use rustix::event::epoll::EventFlags;
use rustix::net::sockopt::{set_socket_send_buffer_size_force, socket_domain, socket_type};
use rustix::net::{shutdown, AddressFamily, Shutdown, SocketType};

use crate::form::Form;
use crate::kernel::unread_by_peer_bytes;
use crate::loss::Loss;
use crate::messages::{Attachment, Refusal};
use crate::pipes::set_nonblocking;
use crate::poll::{Poller, Token, Watch};

mod deliver;
mod listen;
mod unseen;

pub use listen::Said;
pub use unseen::UNSEEN_BYTES_MIN;

/// The kernel's share of what waits for a client. Large writes need it: 64 KiB run at a fifth of the speed.
const SEND_BUFFER_BYTES: usize = 512 * 1024;
/// A response head counts as read when less than this is left: the kernel's accounting is not exact.
const HEAD_UNREAD_BYTES: usize = 256;
/// How long the first output waits for the peer to read the response head. docker-py loses what
/// arrives together with it. A unix socket tells when it has been read; tcp only that it arrived.
const HEAD_WAIT_UNIX: Duration = Duration::from_millis(20);
const HEAD_WAIT_TCP: Duration = Duration::from_millis(3);
/// How long a client that was told the end may take to hang up. Closing while it still sends would
/// reset the connection, and it could lose what it has not read.
const HANG_UP_WAIT: Duration = Duration::from_secs(2);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Input {
    /// Not for the process; read at all only for what a WebSocket says beside it.
    Unwanted,
    Open,
    Ended,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    Attached,
    /// To be told the end once it has everything.
    Ending,
    /// Was told the end; waits for it to hang up, not for ever.
    Told(Instant),
    Gone,
}

/// A connection that speaks in WebSocket frames.
#[derive(Debug)]
struct WebSocket {
    frames: Frames,
    /// The frame that will close it, until that was sent.
    close: Option<Vec<u8>>,
}

/// What of the output is for a client.
#[derive(Clone, Copy, Debug, Default)]
struct Wanted {
    stdout: bool,
    stderr: bool,
}

#[derive(Debug)]
pub struct Client {
    socket: OwnedFd,
    watch: Watch,
    wanted: Wanted,
    form: Form,
    websocket: Option<WebSocket>,
    input: Input,
    pub keys: DetachKeys,
    outbox: Outbox,
    debt: Option<unseen::Debt>,
    slow: Slow,
    loss: Loss,
    /// What it is told of the log first: until then it is not told what the process writes.
    past: Option<LogReader>,
    /// It was told all that there is of it for now.
    past_is_idle: bool,
    /// Until when output is withheld for the sake of the response head.
    gate: Option<Instant>,
    phase: Phase,
    /// Both directions are closed: nothing can be told it any more, but it may have said something.
    hung_up: bool,
    /// That came before its attachment had ended.
    abandoned: bool,
}

impl Client {
    pub fn new(
        socket: OwnedFd,
        attachment: &Attachment,
        takes_input: bool,
        keys: DetachKeys,
        past: Option<LogReader>,
        now: Instant,
    ) -> Result<Self, Refusal> {
        if socket_type(&socket) != Ok(SocketType::STREAM) {
            return Err(Refusal::invalid("the descriptor is not a stream socket"));
        }
        // What is spliced into it would wait.
        set_nonblocking(&socket).map_err(Refusal::system)?;
        // As much as the host allows, if not all.
        let _ = set_socket_send_buffer_size_force(&socket, SEND_BUFFER_BYTES);
        let wait = match socket_domain(&socket) {
            Ok(AddressFamily::UNIX) => HEAD_WAIT_UNIX,
            _ => HEAD_WAIT_TCP,
        };
        Ok(Self {
            watch: Watch::default(),
            wanted: Wanted {
                stdout: attachment.stdout,
                stderr: attachment.stderr,
            },
            form: Form::of(attachment),
            websocket: attachment.messages.map(|_| WebSocket {
                frames: Frames::default(),
                close: Some(websocket::close(Some(websocket::NORMAL_CLOSURE))),
            }),
            input: if takes_input {
                Input::Open
            } else {
                Input::Unwanted
            },
            keys,
            outbox: Outbox::default(),
            debt: None,
            slow: attachment.slow,
            loss: Loss::default(),
            past,
            past_is_idle: false,
            gate: Some(now + wait),
            phase: Phase::Attached,
            hung_up: false,
            abandoned: false,
            socket,
        })
    }

    /// Send the response's head, if that is for us to do.
    pub fn greet(&mut self, head: &[u8]) {
        if !head.is_empty() && self.outbox.push(self.socket.as_fd(), &[], head) == Sent::Gone {
            self.hang_up();
        }
    }

    /// Send what waits, and tell the end when it is time.
    pub fn flush(&mut self, now: Instant) {
        if self.outbox.waiting_bytes() > 0
            && !self.is_gated()
            && self.outbox.flush(self.socket.as_fd()) == Sent::Gone
        {
            self.hang_up();
        }
        self.tell_loss(self.outbox.waiting_bytes());
        if !matches!(self.phase, Phase::Ending) || self.past.is_some() {
            return;
        }
        if let Some(close) = self.websocket.as_mut().and_then(|one| one.close.take()) {
            self.push(&[], &close);
        }
        if self.outbox.waiting_bytes() == 0 && self.debt.is_none() && !self.is_gone() {
            let told = shutdown(&self.socket, Shutdown::Write).is_ok();
            let stays = told && !self.hung_up && self.input != Input::Ended;
            self.phase = if stays {
                Phase::Told(now + HANG_UP_WAIT)
            } else {
                Phase::Gone
            };
        }
    }

    /// Detach it: it gets what is its due, then the end.
    pub fn end(&mut self, now: Instant) {
        if matches!(self.phase, Phase::Attached) {
            self.phase = Phase::Ending;
            self.flush(now);
        }
    }

    /// The other side closed the connection altogether.
    pub fn hang_up(&mut self) {
        self.hung_up = true;
        self.abandoned |= matches!(self.phase, Phase::Attached);
        self.outbox = Outbox::default();
        self.debt = None;
        if self.input != Input::Open || !matches!(self.phase, Phase::Attached) {
            self.phase = Phase::Gone;
        }
    }

    /// What lies in time: the head counts as read, the hang-up as done.
    pub fn expire(&mut self, now: Instant) {
        if self.gate.is_some_and(|until| until <= now) {
            self.gate = None;
            self.flush(now);
        }
        if matches!(self.phase, Phase::Told(until) if until <= now) {
            self.phase = Phase::Gone;
        }
    }

    /// When [`Client::expire`] is due.
    pub fn deadline(&self) -> Option<Instant> {
        match self.phase {
            Phase::Told(until) => Some(until),
            _ if self.outbox.waiting_bytes() > 0 || self.past.is_some() => self.gate,
            _ => None,
        }
    }

    /// What waits for it, and makes the process wait.
    pub fn waiting_bytes(&self) -> usize {
        match self.slow {
            Slow::Wait => self.outbox.waiting_bytes(),
            Slow::Drop | Slow::Disconnect => 0,
        }
    }

    pub fn is_gone(&self) -> bool {
        matches!(self.phase, Phase::Gone)
    }

    pub fn has_hung_up(&self) -> bool {
        self.hung_up
    }

    /// Whether it hung up while it was attached.
    pub fn has_abandoned(&self) -> bool {
        self.abandoned
    }

    /// Whether what it says goes to the process; otherwise it is thrown away.
    pub fn speaks(&self) -> bool {
        self.input == Input::Open && matches!(self.phase, Phase::Attached)
    }

    pub fn is_websocket(&self) -> bool {
        self.websocket.is_some()
    }

    /// Watch for what can be dealt with now; `stdin_ready` tells whether the process can be spoken to.
    pub fn settle(&mut self, poller: &Poller, token: Token, stdin_ready: bool) {
        // A connection that hung up reports that for ever.
        let interest = (!self.hung_up && !self.is_gone()).then(|| self.interest(stdin_ready));
        self.watch.set(poller, &self.socket, token, interest);
    }

    fn interest(&self, stdin_ready: bool) -> EventFlags {
        let mut interest = EventFlags::empty();
        let is_heard = match self.phase {
            Phase::Told(_) => true,
            Phase::Attached if self.input == Input::Unwanted => self.is_websocket(),
            _ => self.speaks() && stdin_ready,
        };
        if is_heard {
            interest |= EventFlags::IN | EventFlags::RDHUP;
        }
        let waits_for_head = self.past.is_some() && self.gate.is_some();
        if self.outbox.waiting_bytes() > 0 || self.debt.is_some() || waits_for_head {
            interest |= EventFlags::OUT;
            if self.gate.is_some() {
                // It is writable all the time; the edge comes each time the peer has read something.
                interest |= EventFlags::ET;
            }
        }
        interest
    }

    fn is_gated(&mut self) -> bool {
        if self.gate.is_some() && unread_by_peer_bytes(self.socket.as_fd()) < HEAD_UNREAD_BYTES {
            self.gate = None;
        }
        self.gate.is_some()
    }
}
