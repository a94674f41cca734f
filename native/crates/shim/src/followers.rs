//! Clients that read the log as it grows. Their daemon gave them away: its death is nothing to
//! them.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use drayman_stdio::{last_chunk, Cursor, Form, Grep, LogReader, Pumped, Selection};
use rustix::event::epoll::EventFlags;
use rustix::io::Errno;
use rustix::net::{send, shutdown, SendFlags, Shutdown};

use crate::messages::{Follow, Refusal};
use crate::poll::{Poller, Token, Watch};

/// Sent to one follower before others, and the container's output, have their turn.
const TURN_BYTES: u64 = 256 * 1024;

#[derive(Debug)]
pub struct Follower {
    socket: OwnedFd,
    watch: Watch,
    reader: LogReader,
    chunked: bool,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// There is more for it.
    Behind,
    /// It has all there is.
    UpToDate,
    /// It takes no more for now.
    Full,
    /// It has everything, or has left.
    Done,
}

impl Follow {
    /// A reader of the log as it is wanted. The error says what of the wishes cannot be.
    ///
    /// Expressions are not among them: who follows a log by one is the daemon's.
    pub fn reader(&self, log: &Path) -> Result<LogReader, Refusal> {
        let grep = self.grep.as_ref();
        let selection = Selection {
            stdout: self.stdout,
            stderr: self.stderr,
            since_ns: self.since_ns,
            until_ns: self.until_ns,
            tail: self.tail,
            limit: self.limit,
            grep: grep.map(|text| Grep::bytes(text.as_bytes())),
        };
        let form = Form {
            timestamps: self.timestamps,
            details: self.details,
            framed: self.framed,
            json: self.json,
            whole: self.whole,
            chunked: self.chunked,
            messages: None,
        };
        let opened = match self.cursor.as_deref() {
            None => LogReader::open(log, selection, form),
            Some("") => LogReader::resume(log, selection, form, None),
            Some(text) => {
                let cursor = Cursor::parse(text, log).map_err(Refusal::invalid)?;
                LogReader::resume(log, selection, form, Some(&cursor))
            }
        };
        let mut reader = opened.map_err(|error| {
            let path = log.display();
            Refusal::system(format!("{path}: {error}"))
        })?;
        reader.set_slow(self.slow);
        Ok(reader)
    }
}

impl Follower {
    /// A client that has its answer's head, and how it wants the log.
    pub fn new(socket: OwnedFd, reader: LogReader, chunked: bool) -> Self {
        Self {
            socket,
            watch: Watch::default(),
            reader,
            chunked,
            state: State::Behind,
        }
    }

    fn read_on(&mut self, log_is_whole: bool) {
        if log_is_whole {
            self.reader.complete();
        }
        self.state = match self.reader.pump(self.socket.as_fd(), TURN_BYTES) {
            Ok(Pumped::Idle) => State::UpToDate,
            Ok(Pumped::End) => self.end(),
            Ok(Pumped::TooSlow) => self.cut(),
            Ok(Pumped::Blocked) => State::Full,
            Ok(Pumped::Budget) => State::Behind,
            Ok(Pumped::Gone) => State::Done,
            Err(error) => {
                eprintln!("drayman-shim: log: {error}");
                State::Done
            }
        };
    }

    /// Tell it that this was all.
    fn end(&mut self) -> State {
        if self.chunked {
            let fields = self.reader.fields().unwrap_or_else(|error| {
                eprintln!("drayman-shim: log: {error}");
                Vec::new()
            });
            let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
            if send(&self.socket, &last_chunk(&fields), flags) == Err(Errno::AGAIN) {
                // It is asked again, and finds that nothing is left but this.
                return State::Full;
            }
        }
        // Closing would not do: other copies of the descriptor may exist.
        let _ = shutdown(&self.socket, Shutdown::Write);
        State::Done
    }

    /// End it where it is, so that nobody takes it for all.
    fn cut(&self) -> State {
        let _ = shutdown(&self.socket, Shutdown::Both);
        State::Done
    }

    fn settle(&mut self, number: u32, poller: &Poller) {
        let interest = match self.state {
            State::Done => None,
            State::Full => Some(EventFlags::OUT | EventFlags::RDHUP),
            State::Behind | State::UpToDate => Some(EventFlags::RDHUP),
        };
        let token = Token::Follower(number);
        self.watch.set(poller, &self.socket, token, interest);
    }
}

#[derive(Debug, Default)]
pub struct Followers {
    by_number: BTreeMap<u32, Follower>,
    next: u32,
}

impl Followers {
    pub fn is_empty(&self) -> bool {
        self.by_number.is_empty()
    }

    /// Whether there is something to send that was not sent for the sake of others.
    pub fn are_behind(&self) -> bool {
        let mut all = self.by_number.values();
        all.any(|one| one.state == State::Behind)
    }

    pub fn admit(&mut self, follower: Follower) {
        self.next += 1;
        self.by_number.insert(self.next, follower);
    }

    /// A follower can take more, or left.
    pub fn on_client(&mut self, number: u32, flags: EventFlags) {
        if let Some(follower) = self.by_number.get_mut(&number) {
            let left = EventFlags::HUP | EventFlags::ERR | EventFlags::RDHUP;
            follower.state = if flags.intersects(left) {
                State::Done
            } else {
                State::Behind
            };
        }
    }

    /// Send each what there is for it; `log_grew` since the last time, or no more will come.
    pub fn pump(&mut self, log_grew: bool, log_is_whole: bool, poller: &Poller) {
        for (number, follower) in &mut self.by_number {
            let may_have_more = log_grew || log_is_whole;
            match follower.state {
                State::Behind => follower.read_on(log_is_whole),
                State::UpToDate if may_have_more => follower.read_on(log_is_whole),
                State::Full if log_grew && follower.reader.is_too_slow() => {
                    follower.state = follower.cut();
                }
                _ => {}
            }
            follower.settle(*number, poller);
        }
        self.by_number.retain(|_, one| one.state != State::Done);
    }
}
