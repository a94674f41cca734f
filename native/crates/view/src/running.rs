//! Entering a container that lives.
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::fs::{open, Mode, OFlags, CWD};
use rustix::io::Errno;
use rustix::mount::{open_tree, OpenTreeFlags};
use rustix::thread::{move_into_thread_name_spaces, ThreadNameSpaceType, UnshareFlags};

use crate::{private, sys, Error, View};

/// Enter the container of a process: as it sees itself (`mounts`), or its root mount alone,
/// which shows what lies under its volumes and tmpfs.
///
/// [`Error::NotFound`] when the process behind `pidfd` has ended.
pub fn running(pid: u32, pidfd: BorrowedFd<'_>, mounts: bool) -> Result<View, Error> {
    let root = if mounts {
        open_process_root(pid, pidfd)?
    } else {
        private::on_own_thread(|| clone_root_mount(pid, pidfd))?
    };
    Ok(View::detached(root))
}

fn ended(pid: u32) -> Error {
    Error::NotFound(format!("process {pid} of the container has ended"))
}

fn open_process_root(pid: u32, pidfd: BorrowedFd<'_>) -> Result<OwnedFd, Error> {
    let path = format!("/proc/{pid}/root");
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = open(path.as_str(), flags, Mode::empty()).map_err(|errno| match errno {
        Errno::NOENT | Errno::SRCH => ended(pid),
        _ => Error::system(path, errno),
    })?;
    // Asked after the opening: while the process lives its number is not given to another,
    // so the directory opened was its own.
    let mut fds = [PollFd::new(&pidfd, PollFlags::IN)];
    match poll(&mut fds, Some(&Timespec::default())) {
        Ok(0) => Ok(root),
        Ok(_) => Err(ended(pid)),
        Err(errno) => Err(Error::system(format!("pidfd of process {pid}"), errno)),
    }
}

/// `open_tree` refuses a mount of another namespace, so the thread moves there first. The
/// move goes by pidfd: no number can be mistaken.
fn clone_root_mount(pid: u32, pidfd: BorrowedFd<'_>) -> Result<OwnedFd, Error> {
    sys::unshare_thread(UnshareFlags::FS)
        .map_err(|errno| Error::system("leave the shared working directory", errno))?;
    move_into_thread_name_spaces(pidfd, ThreadNameSpaceType::MOUNT).map_err(
        |errno| match errno {
            Errno::SRCH => ended(pid),
            _ => Error::system(format!("enter the mounts of process {pid}"), errno),
        },
    )?;
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    open_tree(CWD, "/", flags)
        .map_err(|errno| Error::system(format!("clone the root mount of process {pid}"), errno))
}
