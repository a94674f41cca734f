//! A container's files reached through a descriptor, with no path on the host: nothing for
//! another process to find, nothing to race with, nothing left behind by a crash.
//!
//! A running container is entered ([`running`]), a stopped one is mounted and attached
//! nowhere ([`stopped`]). Paths inside are resolved below that descriptor alone ([`inside`]).
mod copy;
mod error;
pub mod inside;
mod overlay;
mod populate;
mod private;
mod running;
mod stopped;
mod sys;
mod tree;

pub use error::Error;
pub use overlay::Layers;
pub use populate::populate_volume;
pub use running::running;
pub use stopped::{stopped, Mount};

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

/// A container's root directory; what was mounted for it goes when this is dropped.
#[derive(Debug)]
pub struct View {
    root: OwnedFd,
    /// Where the mounts live when the kernel cannot keep them detached (before Linux 6.15):
    /// the mounts below a root are cut off when their namespace ends.
    _namespace: Option<OwnedFd>,
}

impl View {
    fn detached(root: OwnedFd) -> Self {
        Self {
            root,
            _namespace: None,
        }
    }
}

impl AsFd for View {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.root.as_fd()
    }
}

impl AsRawFd for View {
    fn as_raw_fd(&self) -> RawFd {
        self.root.as_raw_fd()
    }
}
