//! The two ways a transfer ends that are nobody's fault.
use std::os::fd::BorrowedFd;
use std::{error, fmt, io};

use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::io::Errno;

/// Why a transfer was given up; travels inside an `io::Error`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The peer closed the connection (EPIPE, ECONNRESET). The docker CLI does so before the
    /// last chunk of every `cp`.
    Gone,
    /// The cancel descriptor became readable.
    Cancelled,
}

impl Stop {
    /// The `Stop` inside an error, where there is one.
    pub fn of(error: &io::Error) -> Option<Stop> {
        error.get_ref()?.downcast_ref::<Stop>().copied()
    }

    /// Raise `Cancelled` when the descriptor, where there is one, is readable.
    pub fn check(cancel: Option<BorrowedFd<'_>>) -> io::Result<()> {
        let Some(cancel) = cancel else {
            return Ok(());
        };
        let mut fds = [PollFd::from_borrowed_fd(cancel, PollFlags::IN)];
        let now = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        match poll(&mut fds, Some(&now)) {
            Ok(0) | Err(Errno::INTR) => Ok(()),
            Ok(_) => Err(Stop::Cancelled.into()),
            Err(error) => Err(error.into()),
        }
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Stop::Gone => "the client left",
            Stop::Cancelled => "the transfer was cancelled",
        })
    }
}

impl error::Error for Stop {}

impl From<Stop> for io::Error {
    fn from(stop: Stop) -> io::Error {
        let kind = match stop {
            Stop::Gone => io::ErrorKind::BrokenPipe,
            // Not `Interrupted`: `read_exact` and `write_all` would try again for ever.
            Stop::Cancelled => io::ErrorKind::ConnectionAborted,
        };
        io::Error::new(kind, stop)
    }
}
