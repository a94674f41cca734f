//! A probe that is a connection inside the container's network, to be made, or to be answered by HTTP.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use rustix::event::epoll::EventFlags;
use rustix::io::Errno;
use rustix::net::{
    connect, connect_unspec, send, socket_with, sockopt::socket_error, AddressFamily, SendFlags,
    SocketFlags, SocketType,
};

use super::http::{self, Answer};
use super::output::Output;
use super::plan::Test;
use super::NOT_RUNNING;
use crate::poll::{Poller, Token, Watch};
use crate::runtime::Runtime;

const PIECE_BYTES: usize = 4096;
const HEALTHY: i32 = 0;
pub const UNHEALTHY: i32 = 1;

#[derive(Debug)]
pub struct ConnectionProbe {
    socket: OwnedFd,
    watch: Watch,
    is_connected: bool,
    sent_bytes: usize,
    answer: Vec<u8>,
}

/// The exit code that a command would have, and what it would say.
type Verdict = (i32, String);

impl ConnectionProbe {
    /// With the `socket` of the probe before, if there is one: what it takes to make one inside the
    /// container is more than all the rest of a probe.
    pub fn begin(
        container: &dyn Runtime,
        address: SocketAddr,
        socket: Option<OwnedFd>,
        poller: &Poller,
    ) -> Result<Self, String> {
        let family = match address {
            SocketAddr::V4(_) => AddressFamily::INET,
            SocketAddr::V6(_) => AddressFamily::INET6,
        };
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let make = || Ok(socket_with(family, SocketType::STREAM, flags, None)?);
        let socket = match socket {
            Some(socket) => socket,
            None => container
                .inside()
                .ok_or(NOT_RUNNING)?
                .in_network(make)
                .map_err(|error| error.to_string())?,
        };
        match connect(&socket, &address) {
            Ok(()) | Err(Errno::INPROGRESS) => {}
            Err(error) => return Err(refused(address, error)),
        }
        let mut watch = Watch::default();
        watch.set(poller, &socket, Token::ProbeIo, Some(EventFlags::OUT));
        Ok(Self {
            socket,
            watch,
            is_connected: false,
            sent_bytes: 0,
            answer: Vec::new(),
        })
    }

    /// Break the connection off; the socket is good for another one.
    pub fn end(mut self, poller: &Poller) -> Option<OwnedFd> {
        self.watch.set(poller, &self.socket, Token::ProbeIo, None);
        connect_unspec(&self.socket).ok().map(|()| self.socket)
    }

    /// Something can be said or heard; a verdict ends it.
    pub fn go_on(&mut self, test: &Test, poller: &Poller) -> Option<Verdict> {
        let (address, http) = match test {
            Test::Tcp { address } => (*address, None),
            Test::Http {
                address,
                request,
                statuses,
            } => (*address, Some((request.as_bytes(), *statuses))),
            Test::Command { .. } | Test::File { .. } => return None,
        };
        if !self.is_connected {
            if let Ok(Err(error)) | Err(error) = socket_error(&self.socket) {
                return Some((UNHEALTHY, refused(address, error)));
            }
            self.is_connected = true;
        }
        let Some((request, statuses)) = http else {
            return Some((HEALTHY, String::new()));
        };
        let failed = |error: io::Error| (UNHEALTHY, format!("{address}: {error}"));
        if let Err(error) = self.ask(request, poller) {
            return Some(failed(error));
        }
        match self.hear() {
            Err(error) => Some(failed(error)),
            Ok(is_end) => self.judge(statuses, is_end),
        }
    }

    fn ask(&mut self, request: &[u8], poller: &Poller) -> io::Result<()> {
        while self.sent_bytes < request.len() {
            let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
            match send(&self.socket, &request[self.sent_bytes..], flags) {
                Ok(count) => self.sent_bytes += count,
                Err(Errno::AGAIN | Errno::INTR) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
        self.watch
            .set(poller, &self.socket, Token::ProbeIo, Some(EventFlags::IN));
        Ok(())
    }

    /// Whether the other side has said its last.
    fn hear(&mut self) -> io::Result<bool> {
        let mut piece = [0; PIECE_BYTES];
        while self.answer.len() < http::ANSWER_BYTES_MAX {
            match rustix::io::read(&self.socket, &mut piece) {
                Ok(0) => return Ok(true),
                Ok(count) => self.answer.extend_from_slice(&piece[..count]),
                Err(Errno::AGAIN | Errno::INTR) => return Ok(false),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(false)
    }

    fn judge(&self, (first, last): (u16, u16), is_end: bool) -> Option<Verdict> {
        match http::read(&self.answer) {
            Answer::Whole(status, body) => {
                let is_healthy = (first..=last).contains(&status);
                let mut output = Output::default();
                output.push(format!("HTTP {status}\n").as_bytes());
                output.push(&self.answer[body]);
                let code = if is_healthy { HEALTHY } else { UNHEALTHY };
                Some((code, output.text()))
            }
            Answer::Malformed(why) => Some((UNHEALTHY, why)),
            Answer::Partial if is_end => Some((UNHEALTHY, "the answer was cut short".to_owned())),
            Answer::Partial => None,
        }
    }
}

fn refused(address: SocketAddr, error: Errno) -> String {
    format!("connect to {address}: {}", io::Error::from(error))
}
