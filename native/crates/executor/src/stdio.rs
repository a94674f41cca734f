//! Where a new process reads and writes.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::console::Console;
use crate::{sys, Error};

/// The standard descriptors of a new process.
#[derive(Debug, Clone, Copy)]
pub enum StdioPlan<'a> {
    /// Three descriptors of the caller's, which the process inherits as 0, 1 and 2.
    Pipes {
        stdin: BorrowedFd<'a>,
        stdout: BorrowedFd<'a>,
        stderr: BorrowedFd<'a>,
    },
    /// A pseudo-terminal of the container's own `/dev/pts`; its master comes back as [`crate::Started::console`].
    Terminal {
        /// Rows and columns, where the client has said.
        size: Option<(u16, u16)>,
    },
}

/// The plan with what both sides of a clone need.
#[derive(Debug)]
pub(crate) enum Stdio {
    Pipes([OwnedFd; 3]),
    Terminal {
        size: Option<(u16, u16)>,
        /// The parent's end and the child's.
        sockets: (OwnedFd, OwnedFd),
    },
}

impl Stdio {
    /// `owner` is the host's number of the process's user.
    pub(crate) fn prepare(plan: &StdioPlan, owner: u32) -> Result<Self, Error> {
        match plan {
            StdioPlan::Pipes {
                stdin,
                stdout,
                stderr,
            } => {
                let ends = [*stdin, *stdout, *stderr];
                for end in ends {
                    own_by(end, owner)
                        .map_err(Error::system("give the standard streams to the user"))?;
                }
                // The three may be each other's numbers.
                let [stdin, stdout, stderr] = ends.map(sys::duplicate_above_stdio);
                let failed = Error::system("duplicate the standard streams");
                let ends = stdin
                    .and_then(|stdin| Ok([stdin, stdout?, stderr?]))
                    .map_err(failed)?;
                Ok(Self::Pipes(ends))
            }
            StdioPlan::Terminal { size } => {
                let sockets = sys::socket_pair().map_err(Error::system("make a socket pair"))?;
                Ok(Self::Terminal {
                    size: *size,
                    sockets,
                })
            }
        }
    }

    /// In the child: the descriptors, and the terminal where there is one. `root` is the container's.
    pub(crate) fn install(&self, root: BorrowedFd, user: u32) -> Result<Option<Console>, Error> {
        match self {
            Self::Pipes(_) => self.install_pipes().map(|()| None),
            Self::Terminal { size, sockets } => {
                let console = Console::open(root, user, *size)?;
                console.send_master(sockets.1.as_fd())?;
                console.take_control()?;
                Ok(Some(console))
            }
        }
    }

    /// In the child, before its root is known: pipes are needed from no path.
    pub(crate) fn install_pipes(&self) -> Result<(), Error> {
        let Self::Pipes(ends) = self else {
            return Ok(());
        };
        for (number, end) in (0..).zip(ends) {
            sys::duplicate_to(end.as_fd(), number, 0)
                .map_err(Error::system("install the standard streams"))?;
        }
        Ok(())
    }

    /// In the child: the descriptor that is needed until the terminal's master is sent.
    pub(crate) fn socket(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Self::Pipes(_) => None,
            Self::Terminal { sockets, .. } => Some(sockets.1.as_fd()),
        }
    }

    /// In the parent, once the child runs its program: the terminal's master.
    pub(crate) fn receive_console(self) -> io::Result<Option<OwnedFd>> {
        match self {
            Self::Pipes(_) => Ok(None),
            Self::Terminal { sockets, .. } => sys::receive_descriptor(sockets.0.as_fd()),
        }
    }
}

/// Lets the process open its own streams again by name (`/dev/stdout`), as runc does; what others use stays theirs.
fn own_by(stream: BorrowedFd, owner: u32) -> io::Result<()> {
    let status = sys::status(stream)?;
    let is_private = matches!(
        status.st_mode & libc::S_IFMT,
        libc::S_IFIFO | libc::S_IFSOCK
    );
    if !is_private || status.st_uid == owner {
        return Ok(());
    }
    sys::change_owner(stream, b"", Some(owner), None)
}
