//! Looking into a running container with nothing of it executed.

use std::convert::Infallible;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use super::Started;
use crate::error::errno_text;
use crate::{paths, protect, sys, Error};

/// What a look exits with that did not find its file.
const NOT_FOUND: i32 = 1;

/// A running container, by its first process.
#[derive(Clone, Copy, Debug)]
pub struct Inside<'a> {
    pub pid: i32,
    pub pidfd: BorrowedFd<'a>,
}

impl Inside<'_> {
    /// Does something in the container's network namespace, such as making a socket, which stays there.
    pub fn in_network<T>(self, act: impl FnOnce() -> io::Result<T>) -> Result<T, Error> {
        let failed = || Error::system("enter the container's network namespace");
        let home = sys::open(b"/proc/self/ns/net", libc::O_RDONLY).map_err(failed())?;
        sys::enter_namespaces(self.pidfd, libc::CLONE_NEWNET).map_err(failed())?;
        let done = act();
        sys::enter_namespaces(home.as_fd(), libc::CLONE_NEWNET)
            .map_err(Error::system("return to the host's network namespace"))?;
        done.map_err(Error::system("socket"))
    }

    /// Looks whether a path exists, as the container sees it, in a process of its own: the file system may be one that
    /// does not answer. It exits with 0 when it does; otherwise it writes why not to `output` first.
    pub fn look_for(self, path: &str, output: BorrowedFd) -> Result<Started, Error> {
        protect::hide_self()?;
        let Some(child) = sys::clone(0, None).map_err(Error::system("clone"))? else {
            let Err(error) = look(self.pid, path, output);
            let text = format!("{path}: {}", errno_text(&error));
            // There is nobody else to tell.
            let _ = sys::write_once(output, text.as_bytes());
            sys::exit_now(NOT_FOUND);
        };
        Ok(Started {
            pid: child.pid,
            pidfd: child.pidfd,
            console: None,
        })
    }
}

/// In the child: ends with it, or tells what was wrong.
fn look(pid: i32, path: &str, output: BorrowedFd) -> io::Result<Infallible> {
    let flags = libc::O_PATH | libc::O_DIRECTORY;
    let root = sys::open(format!("/proc/{pid}/root").as_bytes(), flags)?;
    // Clients of ours must not wait for this process to end.
    sys::close_all_but(&[root.as_fd(), output])?;
    paths::open_in_root(root.as_fd(), path.as_bytes(), libc::O_PATH)?;
    sys::exit_now(0)
}
