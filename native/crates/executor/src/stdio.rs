//! Where a new process reads and writes.

use std::os::fd::BorrowedFd;

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
