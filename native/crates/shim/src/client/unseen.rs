//! Output on its way from a pipe to a client's socket inside the kernel, when nobody needs to look at it.
//!
//! A frame's head tells how long it is, so what it announces has to follow: what the socket does not
//! take yet is owed, and lies in the pipe until it is paid, by more of the same or by a copy.

use std::os::fd::{AsFd, BorrowedFd};

use drayman_stdio::{Slow, Stream};
use rustix::io::{ioctl_fionread, Errno};
use rustix::net::{send, SendFlags};
use rustix::pipe::{splice, SpliceFlags};

use super::{Client, Phase};

/// Less is copied: one write then has both head and payload.
pub const UNSEEN_BYTES_MIN: usize = 16 * 1024;
/// Moved in one turn.
const UNSEEN_BYTES_MAX: usize = 256 * 1024;

/// What was announced to a client and not sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Debt {
    stream: Stream,
    bytes: usize,
}

impl Client {
    /// Whether it can do without our looking: nothing comes in between, and nothing is left out.
    pub fn takes_unseen(&self) -> bool {
        self.websocket.is_none() && self.slow == Slow::Wait
    }

    /// Move what a pipe has to the socket. False when that is not to be done now: it has to be read.
    pub fn splice(&mut self, stream: Stream, pipe: BorrowedFd<'_>) -> bool {
        if let Some(debt) = self.debt {
            return debt.stream == stream && self.pay(pipe);
        }
        if !self.hears(stream) || self.outbox.waiting_bytes() > 0 {
            return false;
        }
        let ready = ioctl_fionread(pipe).map_or(0, |bytes| usize::try_from(bytes).unwrap_or(0));
        let bytes = ready.min(UNSEEN_BYTES_MAX);
        if bytes < UNSEEN_BYTES_MIN || self.is_gated() {
            return false;
        }
        let head = self.form.head(stream, bytes);
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL | SendFlags::MORE;
        let sent = match send(&self.socket, &head, flags) {
            _ if head.is_empty() => 0,
            Ok(sent) => sent,
            // A full socket takes neither; one that is gone is dealt with by who writes next.
            Err(_) => return false,
        };
        self.debt = Some(Debt { stream, bytes });
        if sent < head.len() {
            self.outbox.queue(&head[sent..], &[]);
            self.copy_debt(pipe);
            return true;
        }
        self.pay(pipe)
    }

    /// The stream of which something is owed.
    pub fn owes(&self) -> Option<Stream> {
        self.debt.map(|debt| debt.stream)
    }

    /// Whether it is owed something that it will have to be given by a copy, for it is about to go.
    pub fn is_parting(&self) -> bool {
        self.debt.is_some() && !matches!(self.phase, Phase::Attached)
    }

    /// Pay by a copy, which may wait in the outbox.
    pub fn copy_debt(&mut self, pipe: BorrowedFd<'_>) {
        let Some(debt) = self.debt.take() else { return };
        if let Err(error) = self.outbox.queue_from(pipe, debt.bytes) {
            eprintln!("drayman-shim: a pipe has less than it said: {error}");
            self.hang_up();
        }
    }

    /// Move what is owed; true, whatever is left of it.
    fn pay(&mut self, pipe: BorrowedFd<'_>) -> bool {
        while let Some(debt) = &mut self.debt {
            let flags = SpliceFlags::NONBLOCK | SpliceFlags::MOVE;
            match splice(pipe, None, self.socket.as_fd(), None, debt.bytes, flags) {
                Ok(count) if count > 0 => {
                    debt.bytes -= count;
                    if debt.bytes == 0 {
                        self.debt = None;
                    }
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => break,
                // Not between these two; or its peer is gone, of which the next write will learn.
                Ok(_) | Err(_) => {
                    self.copy_debt(pipe);
                    break;
                }
            }
        }
        true
    }
}
