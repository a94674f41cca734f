//! Entering a container that lives.
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::fs::CWD;
use rustix::io::Errno;
use rustix::mount::{open_tree, OpenTreeFlags};
use rustix::thread::{move_into_thread_name_spaces, ThreadNameSpaceType, UnshareFlags};

use crate::{private, sys, Error, View};

/// Enter the container of a process: as it sees itself (`mounts`), or its root mount alone,
/// which shows what lies under its volumes and tmpfs.
///
/// [`Error::NotFound`] when the process behind `pidfd` has ended.
pub fn running(pid: u32, pidfd: BorrowedFd<'_>, mounts: bool) -> Result<View, Error> {
    private::on_own_thread(|| clone_root(pid, pidfd, mounts)).map(View::detached)
}

fn ended(pid: u32) -> Error {
    Error::NotFound(format!("process {pid} of the container has ended"))
}

/// `open_tree` refuses a mount of another namespace, so the thread moves there first. The
/// move goes by pidfd: no number can be mistaken.
fn clone_root(pid: u32, pidfd: BorrowedFd<'_>, mounts: bool) -> Result<OwnedFd, Error> {
    sys::unshare_thread(UnshareFlags::FS)
        .map_err(|errno| Error::system("leave the shared working directory", errno))?;
    move_into_thread_name_spaces(pidfd, ThreadNameSpaceType::MOUNT).map_err(
        |errno| match errno {
            Errno::SRCH => ended(pid),
            _ => Error::system(format!("enter the mounts of process {pid}"), errno),
        },
    )?;
    let mut flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    flags.set(OpenTreeFlags::AT_RECURSIVE, mounts);
    open_tree(CWD, "/", flags)
        .and_then(|root| sys::seal_tree(&root, false).map(|()| root))
        .map_err(|errno| Error::system(format!("clone the mounts of process {pid}"), errno))
}
