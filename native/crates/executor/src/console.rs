//! The terminal of a process: a pair from the container's own `/dev/pts`, so that its name means something inside.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::paths::{make_in_root, open_in_root, Missing};
use crate::{sys, Error};

const DEVPTS_MAGIC: u64 = 0x1cd1;

/// Both ends of a pseudo-terminal.
#[derive(Debug)]
pub(crate) struct Console {
    master: OwnedFd,
    slave: OwnedFd,
}

impl Console {
    /// Opens a pair for `user` (as the calling process numbers users).
    pub(crate) fn open(
        root: BorrowedFd,
        user: u32,
        size: Option<(u16, u16)>,
    ) -> Result<Self, Error> {
        Self::open_pair(root, user, size)
            .map_err(Error::system("open a terminal in the container's /dev/pts"))
    }

    fn open_pair(root: BorrowedFd, user: u32, size: Option<(u16, u16)>) -> io::Result<Self> {
        let place = open_in_root(root, b"/dev/pts/ptmx", libc::O_PATH)?;
        if sys::file_system(place.as_fd())? != DEVPTS_MAGIC {
            return Err(io::Error::other("it is not devpts"));
        }
        let master = open_in_root(root, b"/dev/pts/ptmx", libc::O_RDWR | libc::O_NOCTTY)?;
        // Again on what was opened: a name may mean something else the second time.
        if !sys::is_same_file(&place, &master)? {
            return Err(io::Error::other("it was replaced"));
        }
        let slave = sys::open_slave(master.as_fd())?;
        if let Some((rows, columns)) = size {
            sys::set_window_size(master.as_fd(), rows, columns)?;
        }
        sys::change_owner(slave.as_fd(), b"", Some(user), None)?;
        Ok(Self { master, slave })
    }

    /// Sends the master home; the process itself keeps only the slave.
    pub(crate) fn send_master(&self, socket: BorrowedFd) -> Result<(), Error> {
        sys::send_descriptor(socket, self.master.as_fd())
            .map_err(Error::system("send the terminal home"))
    }

    /// Makes it the session's terminal, and the process's 0, 1 and 2.
    pub(crate) fn take_control(&self) -> Result<(), Error> {
        let slave = self.slave.as_fd();
        sys::set_controlling_terminal(slave)
            .and_then(|()| (0..3).try_for_each(|number| sys::duplicate_to(slave, number, 0)))
            .map_err(Error::system("set the controlling terminal"))
    }

    /// Shows it as `/dev/console`, as the first process's terminal is.
    pub(crate) fn show_as_dev_console(&self, root: BorrowedFd) -> Result<(), Error> {
        let show = || -> io::Result<()> {
            let target = make_in_root(root, b"/dev/console", Missing::File)?;
            let tree = sys::clone_tree(self.slave.as_fd(), b"", false)?;
            sys::attach(&tree, target.as_fd())
        };
        show().map_err(Error::system("mount the terminal on /dev/console"))
    }
}
