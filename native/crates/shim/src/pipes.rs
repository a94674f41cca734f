//! The standard descriptors of a process that is about to start: its ends, and ours.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use drayman_executor::StdioPlan;
use rustix::fs::{fcntl_getfl, fcntl_setfl, OFlags};
use rustix::pipe::{fcntl_setpipe_size, pipe_with, PipeFlags};

/// What an output pipe holds: a process that writes in bursts need not wait for us. Reading it
/// wakes us once for many of its writes.
pub const PIPE_BYTES: usize = 256 * 1024;

/// Pipes, or `/dev/null` where nobody speaks or listens.
#[derive(Debug)]
pub struct Pipes {
    stdin: OwnedFd,
    stdout: OwnedFd,
    stderr: OwnedFd,
    pub ours: Ours,
}

/// Our ends, non-blocking.
#[derive(Debug, Default)]
pub struct Ours {
    pub stdin: Option<OwnedFd>,
    pub stdout: Option<OwnedFd>,
    pub stderr: Option<OwnedFd>,
}

impl Pipes {
    pub fn new(stdin: bool, stdout: bool, stderr: bool) -> io::Result<Self> {
        let mut ours = Ours::default();
        let nowhere = OpenOptions::new()
            .read(true)
            .write(true)
            .open("/dev/null")?;
        let theirs = |wanted: bool, ours: &mut Option<OwnedFd>| -> io::Result<OwnedFd> {
            if !wanted {
                return Ok(File::try_clone(&nowhere)?.into());
            }
            let (read, write) = pipe_with(PipeFlags::CLOEXEC)?;
            // Beyond the host's limit for this user the pipe stays as it is.
            let _ = fcntl_setpipe_size(&read, PIPE_BYTES);
            set_nonblocking(&read)?;
            *ours = Some(read);
            Ok(write)
        };
        let their_stdout = theirs(stdout, &mut ours.stdout)?;
        let their_stderr = theirs(stderr, &mut ours.stderr)?;
        let their_stdin = if stdin {
            let (read, write) = pipe_with(PipeFlags::CLOEXEC)?;
            set_nonblocking(&write)?;
            ours.stdin = Some(write);
            read
        } else {
            nowhere.into()
        };
        Ok(Self {
            stdin: their_stdin,
            stdout: their_stdout,
            stderr: their_stderr,
            ours,
        })
    }

    pub fn plan(&self) -> StdioPlan<'_> {
        StdioPlan::Pipes {
            stdin: self.stdin.as_fd(),
            stdout: self.stdout.as_fd(),
            stderr: self.stderr.as_fd(),
        }
    }
}

impl Ours {
    /// Both ways of a terminal's master.
    pub fn terminal(console: OwnedFd) -> io::Result<Self> {
        set_nonblocking(&console)?;
        Ok(Self {
            stdin: Some(console.try_clone()?),
            stdout: Some(console),
            stderr: None,
        })
    }
}

/// For whoever has this file open.
pub fn set_nonblocking(fd: impl AsFd) -> io::Result<()> {
    let flags = fcntl_getfl(&fd)?;
    Ok(fcntl_setfl(fd, flags | OFlags::NONBLOCK)?)
}
