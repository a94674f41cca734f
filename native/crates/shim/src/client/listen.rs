//! What a client says.

use std::time::Instant;

use drayman_stdio::websocket::{self, Control, Opcode};
use drayman_stdio::OUTBOX_BYTES;
use rustix::net::{recv, RecvFlags};

use super::{Client, Input, Phase};

/// What a client said.
#[derive(Clone, Copy, Debug)]
pub enum Said {
    Bytes(usize),
    /// Bytes, and that it wants the connection closed.
    Last(usize),
    Nothing,
    End,
}

impl Client {
    /// Read what the client said into `buffer`, without waiting.
    pub fn listen(&mut self, buffer: &mut [u8]) -> Said {
        match recv(&self.socket, &mut *buffer, RecvFlags::DONTWAIT) {
            Ok((0, _)) => Said::End,
            Ok((count, _)) => self.understand(&mut buffer[..count]),
            Err(rustix::io::Errno::AGAIN) if self.hung_up => Said::End,
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => Said::Nothing,
            Err(_) => Said::End,
        }
    }

    /// Reduce what the client said to what is meant for the process, at the buffer's beginning.
    pub fn understand(&mut self, said: &mut [u8]) -> Said {
        let Some(websocket) = &mut self.websocket else {
            return Said::Bytes(said.len());
        };
        let mut controls = Vec::new();
        let count = websocket.frames.push(said, &mut controls);
        let mut understood = Said::Bytes(count);
        for control in controls {
            match control {
                Control::Ping(bytes) => self.pong(&bytes),
                Control::Close(code) => {
                    understood = Said::Last(count);
                    if let Some(close) = self.websocket.as_mut().and_then(|one| one.close.as_mut())
                    {
                        *close = websocket::close(code);
                    }
                }
            }
        }
        understood
    }

    /// Answer a ping. A client that does not read its answers gets no more of them.
    fn pong(&mut self, bytes: &[u8]) {
        let room = self.outbox.waiting_bytes() < OUTBOX_BYTES;
        if room && !self.hung_up && matches!(self.phase, Phase::Attached) {
            let mut head = Vec::new();
            websocket::push_head(Opcode::Pong, bytes.len(), &mut head);
            self.push(&head, bytes);
        }
    }

    /// The client wants the connection closed: what it says from now on is void.
    pub fn close(&mut self, now: Instant) {
        self.input = Input::Unwanted;
        self.past = None;
        self.end(now);
    }

    /// The client will say no more.
    pub fn end_input(&mut self) {
        self.input = Input::Ended;
        if self.hung_up || matches!(self.phase, Phase::Told(_)) {
            self.phase = Phase::Gone;
        }
    }
}
