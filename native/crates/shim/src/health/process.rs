//! A probe that is a process: a command of the container's, or a look at its files.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use drayman_executor::spec::Process as ProcessPlan;
use drayman_executor::{Started, StdioPlan};
use rustix::event::epoll::EventFlags;
use rustix::io::Errno;
use rustix::pipe::{pipe_with, PipeFlags};
use rustix::process::{kill_process_group, Pid, Signal};

use super::output::Output;
use super::NOT_RUNNING;
use crate::open_files::OpenFiles;
use crate::pipes::set_nonblocking;
use crate::poll::{Poller, Token, Watch};
use crate::process::{Exit, Process};
use crate::runtime::Runtime;

/// Read at a time.
const PIECE_BYTES: usize = 4096;
/// Reads in a row: a probe that never ends to write has its turn, and no more.
const PIECES_MAX: usize = 32;

#[derive(Debug)]
pub struct ProcessProbe {
    process: Process,
    /// Both of its outputs.
    pipe: OwnedFd,
    watch: Watch,
    pub output: Output,
    /// It leads a process group of its own.
    leads_group: bool,
}

impl ProcessProbe {
    /// Run what the plan in a file says.
    pub fn command(
        container: &dyn Runtime,
        plan: &Path,
        open_files: OpenFiles,
        poller: &Poller,
    ) -> Result<Self, String> {
        let named = |error: &dyn std::fmt::Display| format!("{}: {error}", plan.display());
        let text = std::fs::read(plan).map_err(|error| named(&error))?;
        let mut plan = ProcessPlan::parse(&text).map_err(|error| named(&error))?;
        open_files.limit(&mut plan);
        let (pipe, theirs) = pipe().map_err(|error| format!("pipe: {error}"))?;
        let nowhere = File::open("/dev/null").map_err(|error| format!("/dev/null: {error}"))?;
        let stdio = StdioPlan::Pipes {
            stdin: nowhere.as_fd(),
            stdout: theirs.as_fd(),
            stderr: theirs.as_fd(),
        };
        let started = container.exec(&plan, &stdio);
        let started = started.map_err(|error| error.message)?;
        Ok(Self::watch(started, pipe, true, poller))
    }

    /// Look whether there is something at a path.
    pub fn look(container: &dyn Runtime, path: &str, poller: &Poller) -> Result<Self, String> {
        let (pipe, theirs) = pipe().map_err(|error| format!("pipe: {error}"))?;
        let inside = container.inside().ok_or(NOT_RUNNING)?;
        let started = inside.look_for(path, theirs.as_fd());
        let started = started.map_err(|error| error.to_string())?;
        Ok(Self::watch(started, pipe, false, poller))
    }

    fn watch(started: Started, pipe: OwnedFd, leads_group: bool, poller: &Poller) -> Self {
        let mut watch = Watch::default();
        watch.set(poller, &pipe, Token::ProbeIo, Some(EventFlags::IN));
        Self {
            process: Process::watch(started, poller, Token::ProbeEnd),
            pipe,
            watch,
            output: Output::default(),
            leads_group,
        }
    }

    /// It has said something.
    pub fn hear(&mut self, poller: &Poller) {
        let mut piece = [0; PIECE_BYTES];
        for _ in 0..PIECES_MAX {
            match rustix::io::read(&self.pipe, &mut piece) {
                Ok(0) => return self.watch.set(poller, &self.pipe, Token::ProbeIo, None),
                Ok(count) => self.output.push(&piece[..count]),
                Err(Errno::INTR) => {}
                Err(_) => return,
            }
        }
    }

    /// How it ended, if it has, with all that it said.
    pub fn end(&mut self, poller: &Poller) -> io::Result<Option<Exit>> {
        let exit = self.process.reap(poller, Token::ProbeEnd)?;
        if exit.is_some() {
            self.hear(poller);
        }
        Ok(exit)
    }

    /// End it, and what it started in its process group.
    pub fn kill(&self) {
        // It fails where there is nothing left to kill; until it is reaped the number is its own.
        let _ = self.process.signal(libc::SIGKILL);
        if let Some(group) = Pid::from_raw(self.process.pid).filter(|_| self.leads_group) {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (ours, theirs) = pipe_with(PipeFlags::CLOEXEC)?;
    set_nonblocking(&ours)?;
    Ok((ours, theirs))
}
