//! A process that compresses one rotated file of the log, so that nobody waits for it.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::event::epoll::EventFlags;

use crate::poll::{Poller, Token, Watch};

#[derive(Debug)]
pub struct Compressor {
    child: Child,
    /// Its other end is closed when it ends.
    lifeline: OwnedFd,
    watch: Watch,
}

impl Compressor {
    /// Start it; its end comes with [`Token::Compressor`].
    pub fn start(logger: &Path, path: &Path, last_time: &str, poller: &Poller) -> io::Result<Self> {
        let mut child = Command::new(logger)
            .arg("compress")
            .arg(path)
            .arg(last_time)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = child.stdout.take();
        let lifeline = stdout.ok_or_else(|| io::Error::other("a pipe is missing"))?;
        let lifeline = OwnedFd::from(lifeline);
        let mut watch = Watch::default();
        watch.set(poller, &lifeline, Token::Compressor, Some(EventFlags::IN));
        Ok(Self {
            child,
            lifeline,
            watch,
        })
    }

    /// It has ended, or is to.
    pub fn end(mut self, poller: &Poller) {
        self.watch
            .set(poller, &self.lifeline, Token::Compressor, None);
        // It fails where there is nothing left to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
