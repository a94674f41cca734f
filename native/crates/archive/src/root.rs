//! A container's root as a descriptor; every path is resolved in it by the kernel.
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{openat, openat2, Mode, OFlags, ResolveFlags};
use rustix::io::{Errno, Result};

/// How often a look-up is tried that the kernel gave up on (EAGAIN): it does so when a
/// rename anywhere on the host runs beside a `..`.
const ATTEMPTS: u32 = 128;

/// The root: `/`, absolute links and `..` end here.
#[derive(Clone, Copy)]
pub(crate) struct Root<'fd>(BorrowedFd<'fd>);

impl<'fd> Root<'fd> {
    pub(crate) fn new(fd: BorrowedFd<'fd>) -> Root<'fd> {
        Root(fd)
    }

    /// Open a path inside the root; links on the way are followed inside it.
    pub(crate) fn open(self, path: &[u8], flags: OFlags) -> Result<OwnedFd> {
        self.resolve(path, flags, ResolveFlags::empty())
    }

    /// Open a path on whose way there may be no link at all (ELOOP).
    pub(crate) fn open_without_links(self, path: &[u8], flags: OFlags) -> Result<OwnedFd> {
        self.resolve(path, flags, ResolveFlags::NO_SYMLINKS)
    }

    fn resolve(self, path: &[u8], flags: OFlags, more: ResolveFlags) -> Result<OwnedFd> {
        let flags = flags | OFlags::CLOEXEC;
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS | more;
        for _ in 0..ATTEMPTS {
            match openat2(self.0, path, flags, Mode::empty(), resolve) {
                Err(Errno::AGAIN | Errno::INTR) => {}
                result => return result,
            }
        }
        Err(Errno::AGAIN)
    }
}

/// A directory of this process's descriptors, through which a found file is opened: the very
/// file that was looked at, whatever its name has become since. A device node slipped in
/// between looking and opening would be opened otherwise, and some act on being opened.
pub(crate) struct Reopener(OwnedFd);

impl Reopener {
    pub(crate) fn new() -> Result<Reopener> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        rustix::fs::open("/proc/self/fd", flags, Mode::empty()).map(Reopener)
    }

    /// Open what an `O_PATH` descriptor stands for.
    pub(crate) fn open(&self, found: impl AsFd, flags: OFlags) -> Result<OwnedFd> {
        let number = rustix::path::DecInt::from_fd(found.as_fd());
        openat(
            &self.0,
            number.as_c_str(),
            flags | OFlags::CLOEXEC,
            Mode::empty(),
        )
    }
}

/// The way to what an `O_PATH` descriptor stands for, where a call only takes a path.
pub(crate) fn own_path(found: impl AsFd) -> Vec<u8> {
    let number = rustix::path::DecInt::from_fd(found.as_fd());
    [b"/proc/self/fd/", number.as_bytes()].concat()
}
