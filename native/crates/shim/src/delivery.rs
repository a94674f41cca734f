//! The shim's end of the process that sends the log away: a pipe that is never waited for.

use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use drayman_stdio::{Head, Stream, READY, REFUSED, WRITTEN};
use rustix::event::epoll::EventFlags;
use rustix::fs::{fcntl_getfl, fcntl_setfl, OFlags};
use rustix::pipe::fcntl_setpipe_size;

use crate::pipes::PIPE_BYTES;
use crate::poll::{Poller, Token, Watch};

/// The pipe once the container has ended: room for all that was in it and for all that is left.
const LAST_PIPE_BYTES: usize = 8 * PIPE_BYTES;
/// It takes no longer than this to finish by its own rule; then it is ended.
const FINISH_WAIT: Duration = Duration::from_secs(12);
/// An answer is one write of a line of text.
const ANSWER_BYTES: usize = 4096;

/// What the other process has said.
#[derive(Debug, PartialEq, Eq)]
pub enum Said {
    Ready,
    /// Why the receiver is not there.
    Refused(String),
    /// More of the log is in its file.
    Written,
    /// It has ended.
    Ended,
}

#[derive(Debug)]
pub struct Delivery {
    child: Child,
    pipe: Option<ChildStdin>,
    pipe_watch: Watch,
    answers: OwnedFd,
    answers_watch: Watch,
    /// What the pipe had no room for.
    waiting: Vec<u8>,
    /// Pieces of which it was not said that they are written.
    unwritten: usize,
    /// Of each stream, whether the last piece ended within a line.
    within_line: [bool; 2],
    ended: bool,
    /// Output that could not be given to it.
    lost_bytes: u64,
    until: Option<Instant>,
}

impl Delivery {
    /// Start it; what it says comes with [`Token::Answers`].
    pub fn start(logger: &Path, bundle: &Path, poller: &Poller) -> io::Result<Self> {
        let mut child = Command::new(logger)
            .arg("deliver")
            .arg(bundle)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let missing = || io::Error::other("a pipe is missing");
        let pipe = child.stdin.take().ok_or_else(missing)?;
        let answers = OwnedFd::from(child.stdout.take().ok_or_else(missing)?);
        fcntl_setfl(&pipe, fcntl_getfl(&pipe)? | OFlags::NONBLOCK)?;
        // Beyond the host's limit for this user it stays as it is.
        let _ = fcntl_setpipe_size(&pipe, PIPE_BYTES);
        let mut answers_watch = Watch::default();
        answers_watch.set(poller, &answers, Token::Answers, Some(EventFlags::IN));
        Ok(Self {
            child,
            pipe: Some(pipe),
            pipe_watch: Watch::default(),
            answers,
            answers_watch,
            waiting: Vec::new(),
            unwritten: 0,
            within_line: [false; 2],
            ended: false,
            lost_bytes: 0,
            until: None,
        })
    }

    /// It has said something.
    pub fn hear(&mut self, poller: &Poller) -> Said {
        let mut text = [0; ANSWER_BYTES];
        let length = rustix::io::read(&self.answers, &mut text).unwrap_or(0);
        let text = &text[..length];
        if text == READY {
            return Said::Ready;
        }
        if !text.is_empty() && text.iter().all(|one| *one == WRITTEN) {
            self.unwritten = self.unwritten.saturating_sub(length);
            return Said::Written;
        }
        if let Some(why) = text.strip_prefix(REFUSED) {
            return Said::Refused(String::from_utf8_lossy(why).into_owned());
        }
        self.lost_bytes += self.waiting.len() as u64;
        self.close(poller);
        Said::Ended
    }

    /// Give it what a process wrote.
    pub fn push(&mut self, stream: Stream, read: &[u8], time_ns: i64) {
        if self.pipe.is_none() {
            self.lost_bytes += read.len() as u64;
            return;
        }
        let length = read.len();
        let head = Head {
            stream,
            length,
            time_ns,
        };
        self.unwritten += 1;
        self.within_line[usize::from(stream == Stream::Stderr)] = !read.ends_with(b"\n");
        self.waiting.extend_from_slice(&head.bytes());
        self.waiting.extend_from_slice(read);
        self.write_out();
    }

    /// Whether the file that it writes has everything.
    pub fn is_settled(&self) -> bool {
        self.ended || (self.unwritten == 0 && self.within_line == [false; 2])
    }

    /// Bytes for which the pipe has no room.
    pub fn waiting_bytes(&self) -> usize {
        self.waiting.len()
    }

    /// Write what the pipe takes, and watch it while something is left. Closed when nothing is
    /// left at the container's end, so that the other process may finish.
    pub fn settle(&mut self, poller: &Poller) {
        self.write_out();
        if self.until.is_some() && self.waiting.is_empty() {
            self.close_pipe(poller);
        }
        if let Some(pipe) = &self.pipe {
            let interest = (!self.waiting.is_empty()).then_some(EventFlags::OUT);
            self.pipe_watch.set(poller, pipe, Token::Delivery, interest);
        }
    }

    /// No more will come.
    pub fn end(&mut self, poller: &Poller) {
        if let Some(pipe) = &self.pipe {
            let _ = fcntl_setpipe_size(pipe, LAST_PIPE_BYTES);
        }
        self.until = Some(Instant::now() + FINISH_WAIT);
        self.settle(poller);
    }

    /// When it is ended if it has not by itself.
    pub fn deadline(&self) -> Option<Instant> {
        self.until.filter(|_| !self.ended)
    }

    /// Whether there is nothing more to wait for.
    pub fn is_over(&self, now: Instant) -> bool {
        self.ended || self.until.is_some_and(|until| until <= now)
    }

    /// Bytes of output that it was never given.
    pub fn lost_bytes(&self) -> u64 {
        self.lost_bytes
    }

    /// End it, should it be there still.
    pub fn close(&mut self, poller: &Poller) {
        self.close_pipe(poller);
        self.waiting = Vec::new();
        self.answers_watch
            .set(poller, &self.answers, Token::Answers, None);
        if !std::mem::replace(&mut self.ended, true) {
            // It fails where there is nothing left to kill.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }

    /// Keep no memory that is not needed.
    pub fn trim(&mut self) {
        self.waiting.shrink_to_fit();
    }

    fn close_pipe(&mut self, poller: &Poller) {
        if let Some(pipe) = self.pipe.take() {
            self.pipe_watch.set(poller, &pipe, Token::Delivery, None);
        }
    }

    fn write_out(&mut self) {
        let Some(pipe) = &mut self.pipe else { return };
        let mut written = 0;
        while written < self.waiting.len() {
            match pipe.write(&self.waiting[written..]) {
                Ok(count) => written += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // Full; or it has gone, of which we hear from it.
                Err(_) => break,
            }
        }
        self.waiting.drain(..written);
    }
}
