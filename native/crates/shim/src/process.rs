//! A process that is our child, and how it ended.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use drayman_executor::Started;
use rustix::event::epoll::EventFlags;
use rustix::process::{waitid, WaitId, WaitIdOptions};

use crate::kernel::send_signal;
use crate::poll::{Poller, Token, Watch};

#[derive(Debug)]
pub struct Process {
    pub pid: i32,
    pidfd: OwnedFd,
    watch: Watch,
    pub exit: Option<Exit>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit {
    /// As a shell tells it: 128 and the signal's number, if a signal ended it.
    pub code: i32,
    pub signal: Option<i32>,
}

impl Process {
    /// Have the poller tell when what the executor started ends.
    pub fn watch(started: Started, poller: &Poller, token: Token) -> Self {
        let mut watch = Watch::default();
        watch.set(poller, &started.pidfd, token, Some(EventFlags::IN));
        Self {
            pid: started.pid,
            pidfd: started.pidfd,
            watch,
            exit: None,
        }
    }

    /// Learn how it ended, and let the kernel forget it. None when it has not.
    pub fn reap(&mut self, poller: &Poller, token: Token) -> io::Result<Option<Exit>> {
        let which = WaitId::PidFd(self.pidfd.as_fd());
        let status = waitid(which, WaitIdOptions::EXITED | WaitIdOptions::NOHANG)?;
        let Some(status) = status else {
            return Ok(None);
        };
        // A pidfd stays readable for ever.
        self.watch.set(poller, &self.pidfd, token, None);
        let signal = status.terminating_signal();
        let code = signal.map_or_else(|| status.exit_status().unwrap_or(0), |number| 128 + number);
        self.exit = Some(Exit { code, signal });
        Ok(self.exit)
    }

    pub fn signal(&self, number: i32) -> io::Result<()> {
        send_signal(self.pidfd.as_fd(), number)
    }

    pub fn is_running(&self) -> bool {
        self.exit.is_none()
    }
}
