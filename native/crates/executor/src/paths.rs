//! Paths inside a container are hostile: each is resolved by the kernel, from a descriptor of the root.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

/// Opens `path` as a process whose `/` is `root` would, magic links apart, and never leaves it.
pub fn open_in_root(_root: BorrowedFd, _path: &[u8], _flags: i32) -> io::Result<OwnedFd> {
    Err(io::Error::from_raw_os_error(libc::ENOSYS))
}

/// The directory `path` inside `root`, made with its parents (mode 0755) where missing; an `O_PATH` descriptor.
pub fn make_directories_in_root(_root: BorrowedFd, _path: &[u8]) -> io::Result<OwnedFd> {
    Err(io::Error::from_raw_os_error(libc::ENOSYS))
}
