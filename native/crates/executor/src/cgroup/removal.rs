//! The end of a cgroup: signalling whatever is in it, and taking the directories away.

use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Cgroup, CgroupMode};
use crate::{sys, Error};

/// A process that was killed may stay in its cgroup for a moment, until it is reaped.
const REMOVAL_ATTEMPTS: u32 = 500;
const REMOVAL_PAUSE: Duration = Duration::from_millis(1);
/// New processes can appear while the list is read; a fork bomb is left for the next attempt.
const KILL_PASSES: u32 = 10;

impl Cgroup {
    /// Signals every process in the cgroup and below it.
    pub fn signal_all(&self, signal: i32) -> Result<(), Error> {
        let Some(hierarchy) = self.hierarchies.first() else {
            return Ok(());
        };
        let directory = hierarchy.directory.as_path();
        if self.mode == CgroupMode::V2 && signal == libc::SIGKILL {
            // Linux 5.14: all of them at once, whatever they fork.
            if fs::write(directory.join("cgroup.kill"), "1").is_ok() {
                return Ok(());
            }
        }
        let passes = if signal == libc::SIGKILL {
            KILL_PASSES
        } else {
            1
        };
        for _ in 0..passes {
            if signal_below(directory, signal)? == 0 {
                break;
            }
        }
        Ok(())
    }

    /// Removes the directories, with those that the container made inside them and the processes left there.
    pub fn remove(&self) -> Result<(), Error> {
        let mut attempts = 0;
        loop {
            let busy = self.hierarchies.iter().find_map(|hierarchy| {
                remove_below(&hierarchy.directory)
                    .err()
                    .map(|error| (&hierarchy.directory, error))
            });
            let Some((directory, error)) = busy else {
                return Ok(());
            };
            if error.raw_os_error() != Some(libc::EBUSY) || attempts == REMOVAL_ATTEMPTS {
                return Err(Error::System(
                    format!("rmdir {}", directory.display()),
                    error,
                ));
            }
            if attempts % 50 == 1 {
                self.signal_all(libc::SIGKILL)?;
            }
            attempts += 1;
            std::thread::sleep(REMOVAL_PAUSE);
        }
    }
}

/// Signals the processes of a directory and of those below it; says how many there were.
fn signal_below(directory: &Path, signal: i32) -> Result<usize, Error> {
    let held: Vec<(i32, OwnedFd)> = processes(directory)?
        .into_iter()
        .filter_map(|pid| sys::open_process(pid).ok().map(|process| (pid, process)))
        .collect();
    // A number may have gone to a process elsewhere before it was opened; those that are still listed are ours.
    let listed = processes(directory)?;
    let ours = held.iter().filter(|(pid, _)| listed.contains(pid));
    let mut count = 0;
    for (pid, process) in ours {
        count += 1;
        match sys::send_signal(process.as_fd(), signal) {
            Err(error) if error.raw_os_error() != Some(libc::ESRCH) => {
                return Err(Error::System(format!("signal process {pid}"), error));
            }
            _ => {}
        }
    }
    for child in children(directory) {
        count += signal_below(&child, signal)?;
    }
    Ok(count)
}

/// As the host numbers them; those of other namespaces show as 0 and are left out.
fn processes(directory: &Path) -> Result<Vec<i32>, Error> {
    match fs::read_to_string(directory.join("cgroup.procs")) {
        Ok(listed) => Ok(listed
            .lines()
            .filter_map(|line| line.parse().ok())
            .filter(|pid| *pid > 0)
            .collect()),
        Err(error) if is_gone(&error) => Ok(Vec::new()),
        Err(error) => Err(Error::System(
            format!("read {}", directory.display()),
            error,
        )),
    }
}

/// Removes the directory, leaves first. A cgroup's files go with it.
fn remove_below(directory: &Path) -> io::Result<()> {
    match fs::remove_dir(directory) {
        Err(error) if is_gone(&error) => return Ok(()),
        Err(error) if error.raw_os_error() != Some(libc::EBUSY) => return Err(error),
        Err(_) => {}
        Ok(()) => return Ok(()),
    }
    for child in children(directory) {
        remove_below(&child)?;
    }
    match fs::remove_dir(directory) {
        Err(error) if is_gone(&error) => Ok(()),
        answer => answer,
    }
}

fn children(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(directory) else {
        return Vec::new();
    };
    let entries = entries.filter_map(Result::ok);
    entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
        .collect()
}

/// `ENODEV` is what the files of a removed cgroup answer.
fn is_gone(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENODEV))
}
