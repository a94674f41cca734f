//! One attached client: a socket that was lent to us, on which we never wait.

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use drayman_stdio::{header, DetachKeys, Outbox, Sent, Stream};
use rustix::event::epoll::EventFlags;
use rustix::net::sockopt::{set_socket_send_buffer_size_force, socket_domain, socket_type};
use rustix::net::{recv, shutdown, AddressFamily, RecvFlags, Shutdown, SocketType};

use crate::kernel::unread_by_peer_bytes;
use crate::messages::{Attachment, Refusal};
use crate::poll::{Poller, Token, Watch};

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
    /// Never read.
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

/// What a client said.
#[derive(Debug)]
pub enum Said {
    Bytes(usize),
    Nothing,
    End,
}

/// What of the output is for a client.
#[derive(Clone, Copy, Debug)]
struct Wanted {
    stdout: bool,
    stderr: bool,
    framed: bool,
}

#[derive(Debug)]
pub struct Client {
    socket: OwnedFd,
    watch: Watch,
    wanted: Wanted,
    input: Input,
    pub keys: DetachKeys,
    outbox: Outbox,
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
        now: Instant,
    ) -> Result<Self, Refusal> {
        if socket_type(&socket) != Ok(SocketType::STREAM) {
            return Err(Refusal::invalid("the descriptor is not a stream socket"));
        }
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
                framed: attachment.framed,
            },
            input: if takes_input {
                Input::Open
            } else {
                Input::Unwanted
            },
            keys,
            outbox: Outbox::default(),
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

    /// Send what the process wrote, if the client asked for that stream.
    pub fn deliver(&mut self, stream: Stream, bytes: &[u8]) {
        let wanted = match stream {
            Stream::Stdout => self.wanted.stdout,
            Stream::Stderr => self.wanted.stderr,
        };
        if !wanted || self.hung_up || !matches!(self.phase, Phase::Attached) {
            return;
        }
        let header = header(stream, bytes.len());
        let header = if self.wanted.framed { &header[..] } else { &[] };
        if self.is_gated() {
            self.outbox.queue(header, bytes);
        } else if self.outbox.push(self.socket.as_fd(), header, bytes) == Sent::Gone {
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
        if matches!(self.phase, Phase::Ending) && self.outbox.waiting_bytes() == 0 {
            let told = shutdown(&self.socket, Shutdown::Write).is_ok();
            let stays = told && !self.hung_up && self.input != Input::Ended;
            self.phase = if stays {
                Phase::Told(now + HANG_UP_WAIT)
            } else {
                Phase::Gone
            };
        }
    }

    /// Read what the client said into `buffer`, without waiting.
    pub fn listen(&mut self, buffer: &mut [u8]) -> Said {
        match recv(&self.socket, buffer, RecvFlags::DONTWAIT) {
            Ok((0, _)) => Said::End,
            Ok((count, _)) => Said::Bytes(count),
            Err(rustix::io::Errno::AGAIN) if self.hung_up => Said::End,
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => Said::Nothing,
            Err(_) => Said::End,
        }
    }

    /// The client will say no more.
    pub fn end_input(&mut self) {
        self.input = Input::Ended;
        if self.hung_up || matches!(self.phase, Phase::Told(_)) {
            self.phase = Phase::Gone;
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
            _ if self.outbox.waiting_bytes() > 0 => self.gate,
            _ => None,
        }
    }

    pub fn waiting_bytes(&self) -> usize {
        self.outbox.waiting_bytes()
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

    /// Watch for what can be dealt with now; `stdin_ready` tells whether the process can be spoken to.
    pub fn settle(&mut self, poller: &Poller, token: Token, stdin_ready: bool) {
        // A connection that hung up reports that for ever.
        let interest = (!self.hung_up && !self.is_gone()).then(|| self.interest(stdin_ready));
        self.watch.set(poller, &self.socket, token, interest);
    }

    fn interest(&self, stdin_ready: bool) -> EventFlags {
        let mut interest = EventFlags::empty();
        if matches!(self.phase, Phase::Told(_)) || (self.speaks() && stdin_ready) {
            interest |= EventFlags::IN | EventFlags::RDHUP;
        }
        if self.outbox.waiting_bytes() > 0 {
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
