//! What a client is told: what the log has, then what the process writes, as fast as it takes it or less.

use std::os::fd::AsFd;
use std::time::Instant;

use drayman_stdio::{Outbox, Sent, Slow, Stream, OUTBOX_BYTES};
use rustix::net::{shutdown, Shutdown};

use super::{Client, Phase, Wanted};

impl Client {
    /// Send what the process wrote, if the client asked for that stream.
    pub fn deliver(&mut self, stream: Stream, bytes: &[u8]) {
        if !self.hears(stream) {
            return;
        }
        let waiting_bytes = self.outbox.waiting_bytes();
        match self.slow {
            Slow::Disconnect if waiting_bytes + bytes.len() > OUTBOX_BYTES => self.cut(),
            Slow::Wait | Slow::Disconnect => self.send(stream, bytes),
            Slow::Drop => {
                let kept = self.loss.sift(stream, bytes, waiting_bytes);
                self.tell_loss(waiting_bytes);
                if !kept.is_empty() {
                    self.send(stream, kept);
                }
            }
        }
    }

    /// Whether it is to be told what the process writes there now.
    pub(super) fn hears(&self, stream: Stream) -> bool {
        let wanted = match stream {
            Stream::Stdout => self.wanted.stdout,
            Stream::Stderr => self.wanted.stderr,
        };
        let is_live = self.past.is_none() && matches!(self.phase, Phase::Attached);
        wanted && is_live && !self.hung_up
    }

    fn send(&mut self, stream: Stream, bytes: &[u8]) {
        self.push(&self.form.head(stream, bytes.len()), bytes);
    }

    pub(super) fn push(&mut self, head: &[u8], bytes: &[u8]) {
        if self.is_gated() {
            self.outbox.queue(head, bytes);
        } else if self.outbox.push(self.socket.as_fd(), head, bytes) == Sent::Gone {
            self.hang_up();
        }
    }

    /// Tell of what it lost, once it reads again. In frames it is standard error that tells.
    pub(super) fn tell_loss(&mut self, waiting_bytes: usize) {
        if let Some(notice) = self.loss.notice(waiting_bytes) {
            self.send(Stream::Stderr, notice.as_bytes());
        }
    }

    /// End the connection of a client that is too far behind: it hears of nothing any more, and
    /// its hang-up will be that of any client.
    fn cut(&mut self) {
        let unsent_bytes = self.outbox.waiting_bytes();
        eprintln!(
            "drayman-shim: a client was disconnected, for it did not read in time: \
             {unsent_bytes} bytes of output and all that followed were not sent to it"
        );
        self.outbox = Outbox::default();
        self.wanted = Wanted::default();
        // It fails where the client has left.
        let _ = shutdown(&self.socket, Shutdown::Both);
    }

    /// Send of the log what comes next, if that is what it waits for; `held` is what the process
    /// wrote and the log does not have yet, if that can be told. Where nothing comes next, it has
    /// heard everything.
    pub fn catch_up(&mut self, held: Option<&[(Stream, &[u8])]>, now: Instant) {
        if self.past.is_none() || self.hung_up || self.outbox.waiting_bytes() > 0 || self.is_gated()
        {
            return;
        }
        let Some(reader) = &mut self.past else { return };
        self.past_is_idle = false;
        match reader.compose() {
            Ok(Some(piece)) => {
                if self.outbox.push(self.socket.as_fd(), &[], piece) == Sent::Gone {
                    self.hang_up();
                }
                return;
            }
            Ok(None) => {}
            Err(error) => eprintln!("drayman-shim: log: {error}"),
        }
        self.past_is_idle = true;
        let Some(held) = held else { return };
        self.past = None;
        for (stream, bytes) in held.iter().filter(|(_, bytes)| !bytes.is_empty()) {
            self.deliver(*stream, bytes);
        }
        self.flush(now);
    }

    /// Whether it was not told yet all that the log has.
    pub fn has_past(&self) -> bool {
        self.past.is_some()
    }

    /// Whether there is more of the log that it could be sent now.
    pub fn is_behind(&self) -> bool {
        let can_be_sent = self.outbox.waiting_bytes() == 0 && self.gate.is_none();
        self.past.is_some() && !self.past_is_idle && can_be_sent && !self.hung_up && !self.is_gone()
    }

    /// Tell it no more of the log than it was told.
    pub fn forget_past(&mut self) {
        self.past = None;
    }
}
