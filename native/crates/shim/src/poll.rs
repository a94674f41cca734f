//! What the shim waits for: an epoll instance, and one [`Watch`] for each descriptor it looks at.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::event::Timespec;

/// Events taken at a time; the log is written once for all of them.
const BATCH: usize = 64;

/// Which descriptor an event is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token {
    Listener,
    /// The daemon's connection of that number.
    Control(u32),
    /// The end of a session's process.
    Process(u32),
    Stdout(u32),
    Stderr(u32),
    Stdin(u32),
    /// Session and number of the client.
    Client(u32, u32),
    /// A client of the daemon's that waits for the container's end.
    Waiter(u32),
    Lifeline(u32),
    /// A client that reads the log as it grows.
    Follower(u32),
    /// The pipe to the process that sends the log away.
    Delivery,
    /// What that process says.
    Answers,
    /// The end of one that compresses a file of the log.
    Compressor,
    /// The end of a probe's process.
    ProbeEnd,
    /// What a probe's process or peer says.
    ProbeIo,
}

/// Sessions and clients are numbered in 30 bits each, upwards: an event of one that is gone meets nobody.
const NUMBER_BITS: u32 = 30;
const NUMBER_MASK: u64 = (1 << NUMBER_BITS) - 1;

impl Token {
    pub fn is_of_probe(self) -> bool {
        matches!(self, Self::ProbeEnd | Self::ProbeIo)
    }

    fn pack(self) -> u64 {
        let (kind, session, client) = match self {
            Self::Listener => (0, 0, 0),
            Self::Control(number) => (1, 0, number),
            Self::Process(session) => (2, session, 0),
            Self::Stdout(session) => (3, session, 0),
            Self::Stderr(session) => (4, session, 0),
            Self::Stdin(session) => (5, session, 0),
            Self::Client(session, client) => (6, session, client),
            Self::Waiter(number) => (7, 0, number),
            Self::Lifeline(number) => (8, 0, number),
            Self::Follower(number) => (9, 0, number),
            Self::Delivery => (10, 0, 0),
            Self::Answers => (11, 0, 0),
            Self::Compressor => (12, 0, 0),
            Self::ProbeEnd => (13, 0, 0),
            Self::ProbeIo => (14, 0, 0),
        };
        kind << (2 * NUMBER_BITS) | u64::from(session) << NUMBER_BITS | u64::from(client)
    }

    #[allow(clippy::cast_possible_truncation)]
    fn unpack(packed: u64) -> Self {
        let session = (packed >> NUMBER_BITS & NUMBER_MASK) as u32;
        let client = (packed & NUMBER_MASK) as u32;
        match packed >> (2 * NUMBER_BITS) {
            0 => Self::Listener,
            1 => Self::Control(client),
            2 => Self::Process(session),
            3 => Self::Stdout(session),
            4 => Self::Stderr(session),
            5 => Self::Stdin(session),
            6 => Self::Client(session, client),
            7 => Self::Waiter(client),
            8 => Self::Lifeline(client),
            9 => Self::Follower(client),
            10 => Self::Delivery,
            11 => Self::Answers,
            12 => Self::Compressor,
            13 => Self::ProbeEnd,
            _ => Self::ProbeIo,
        }
    }
}

#[derive(Debug)]
pub struct Poller {
    epoll: OwnedFd,
}

impl Poller {
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            epoll: epoll::create(CreateFlags::CLOEXEC)?,
        })
    }

    /// Wait, for ever without a `timeout`, and append what happened to `events`.
    pub fn wait(
        &self,
        timeout: Option<Duration>,
        events: &mut Vec<(Token, EventFlags)>,
    ) -> io::Result<()> {
        let mut batch = [Event {
            flags: EventFlags::empty(),
            data: EventData::new_u64(0),
        }; BATCH];
        let timeout = timeout.and_then(|time| Timespec::try_from(time).ok());
        let count = match epoll::wait(&self.epoll, &mut batch[..], timeout.as_ref()) {
            Err(rustix::io::Errno::INTR) => 0,
            count => count?,
        };
        let happened = batch[..count].iter();
        events.extend(happened.map(|event| (Token::unpack({ event.data }.u64()), { event.flags })));
        Ok(())
    }
}

/// How a descriptor is watched now. It must be taken off before the descriptor is closed, unless
/// that closes the last reference to its file.
#[derive(Debug, Default)]
pub struct Watch {
    interest: Option<EventFlags>,
}

impl Watch {
    /// Watch for `interest` (errors and hang-ups always come along), or not at all.
    pub fn set(
        &mut self,
        poller: &Poller,
        fd: impl AsFd,
        token: Token,
        interest: Option<EventFlags>,
    ) {
        if self.interest == interest {
            return;
        }
        let data = EventData::new_u64(token.pack());
        let done = match (self.interest, interest) {
            (None, Some(flags)) => epoll::add(&poller.epoll, fd, data, flags),
            (Some(_), Some(flags)) => epoll::modify(&poller.epoll, fd, data, flags),
            (Some(_), None) => epoll::delete(&poller.epoll, fd),
            (None, None) => Ok(()),
        };
        match done {
            Ok(()) => self.interest = interest,
            Err(error) => eprintln!("drayman-shim: epoll: {token:?}: {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_travel() {
        let most = (1 << NUMBER_BITS) - 1;
        for token in [
            Token::Listener,
            Token::Control(7),
            Token::Process(0),
            Token::Stdout(most),
            Token::Stderr(1),
            Token::Stdin(2),
            Token::Client(most, most),
            Token::Waiter(3),
            Token::Lifeline(most),
            Token::Follower(4),
            Token::Delivery,
            Token::Answers,
            Token::Compressor,
            Token::ProbeEnd,
            Token::ProbeIo,
        ] {
            assert_eq!(Token::unpack(token.pack()), token);
        }
    }
}
