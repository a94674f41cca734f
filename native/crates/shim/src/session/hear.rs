//! What clients say, on its way to the process.

use std::time::Instant;

use drayman_stdio::Typed;

use super::{Session, Shared, READS_IN_A_ROW, READ_BYTES};
use crate::client::Said;

impl Session {
    /// Clients that hung up are not watched: what they said before is read when the process takes it.
    pub(super) fn hear_the_gone(&mut self, shared: &mut Shared<'_>) {
        let gone = self
            .clients
            .iter()
            .filter(|(_, client)| client.has_hung_up());
        let numbers: Vec<u32> = gone.map(|(number, _)| *number).collect();
        for number in numbers {
            self.hear(number, shared);
        }
    }

    /// Read what a client says, as long as the process takes it.
    pub(super) fn hear(&mut self, number: u32, shared: &mut Shared<'_>) {
        let mut reads = 0;
        while let Some(client) = self.clients.get_mut(&number) {
            let has_had_its_turn = reads == READS_IN_A_ROW && !client.has_hung_up();
            let has_to_wait = client.speaks() && !self.stdin.is_ready();
            if client.is_gone() || has_had_its_turn || has_to_wait {
                return;
            }
            reads += 1;
            let said = client.listen(&mut shared.scratch[..READ_BYTES]);
            if !self.take(number, said, shared.scratch, shared.now) {
                return;
            }
        }
    }

    /// Act on what a client said, which is at the beginning of `bytes`; whether it may say more.
    pub(super) fn take(&mut self, number: u32, said: Said, bytes: &[u8], now: Instant) -> bool {
        match said {
            Said::Nothing => {}
            Said::Bytes(count) => self.pass_on(number, &bytes[..count]),
            Said::Last(count) => {
                self.pass_on(number, &bytes[..count]);
                self.close(number, now);
            }
            Said::End => self.end_input(number, now),
        }
        matches!(said, Said::Bytes(_))
    }

    /// Give the process what a client said, up to the detach keys.
    fn pass_on(&mut self, number: u32, bytes: &[u8]) {
        let Some(client) = self
            .clients
            .get_mut(&number)
            .filter(|client| client.speaks())
        else {
            return;
        };
        if !self.manner.tty {
            return self.stdin.write(bytes);
        }
        match client.keys.push(bytes) {
            Typed::Send(bytes) => self.stdin.write(&bytes),
            Typed::Detach(bytes) => {
                self.stdin.write(&bytes);
                client.end_input();
                self.detached.push(number);
            }
        }
    }

    /// A client will say no more. Docker: that ends the input of a process that was made for one
    /// client without a terminal, and else that client's attachment.
    fn end_input(&mut self, number: u32, now: Instant) {
        let attached = self.last_words(number) && !self.manner.ends_stdin();
        if let Some(client) = self.clients.get_mut(&number) {
            client.end_input();
            // Half a WebSocket is none.
            if attached || client.is_websocket() {
                client.end(now);
            }
        }
    }

    /// A WebSocket is to be closed, which is the end of both directions.
    fn close(&mut self, number: u32, now: Instant) {
        self.last_words(number);
        if let Some(client) = self.clients.get_mut(&number) {
            client.close(now);
        }
    }

    /// Pass on what was held back of what a client said, and the end of its input if it is that of
    /// the process. Whether it spoke to the process.
    fn last_words(&mut self, number: u32) -> bool {
        let client = self.clients.get_mut(&number);
        let Some(client) = client.filter(|client| client.speaks()) else {
            return false;
        };
        self.stdin.write(&client.keys.finish());
        if self.manner.ends_stdin() {
            self.stdin.end();
        }
        true
    }
}
