//! Output that nobody needs to look at: one client, and no log.

use std::os::fd::AsFd;

use drayman_stdio::Stream;

use super::Session;
use crate::client::Client;

impl Session {
    /// Whether output, if it is not logged, can go to the only client inside the kernel.
    pub(super) fn may_splice(&self) -> bool {
        let mut clients = self.clients.values();
        let is_taken = clients.next().is_some_and(Client::takes_unseen) && clients.next().is_none();
        is_taken && !self.manner.tty && self.drain_until.is_none()
    }

    /// Move output to the only client. False when it has to be read.
    pub(super) fn splice(&mut self, stream: Stream) -> bool {
        let pipe = match stream {
            Stream::Stdout => self.stdout.fd(),
            Stream::Stderr => self.stderr.fd(),
        };
        let client = self.clients.values_mut().next();
        pipe.zip(client)
            .is_some_and(|(pipe, client)| client.splice(stream, pipe.as_fd()))
    }

    /// Go on where a socket was full.
    pub(super) fn pay_debts(&mut self) {
        if let Some(stream) = self.clients.values().find_map(Client::owes) {
            if !self.may_splice() || !self.splice(stream) {
                self.copy_debts();
            }
        }
    }

    pub(super) fn is_in_debt(&self) -> bool {
        self.clients.values().any(|client| client.owes().is_some())
    }

    /// Take what is owed out of the pipe: something else is to be read or sent.
    pub(super) fn copy_debts(&mut self) {
        for client in self.clients.values_mut() {
            let pipe = client.owes().and_then(|stream| match stream {
                Stream::Stdout => self.stdout.fd(),
                Stream::Stderr => self.stderr.fd(),
            });
            if let Some(pipe) = pipe {
                client.copy_debt(pipe.as_fd());
            }
        }
    }

    /// Who is to go gets the rest of what it was promised.
    pub(super) fn part(&mut self) {
        if self.clients.values().any(Client::is_parting) {
            self.copy_debts();
        }
    }
}
