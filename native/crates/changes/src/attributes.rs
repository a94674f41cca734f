//! Extended attributes of a name in an open directory, whatever lies there, links unfollowed.
use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd};

use rustix::fs::lgetxattr;
use rustix::io::Errno;

/// `lgetxattr` relative to a directory; by `/proc`, since `getxattrat` needs Linux 6.13.
pub(crate) fn lgetxattr_at(
    directory: impl AsFd,
    name: &[u8],
    attribute: &CStr,
    value: &mut [u8],
) -> Result<usize, Errno> {
    let mut path = format!("/proc/self/fd/{}/", directory.as_fd().as_raw_fd()).into_bytes();
    path.extend_from_slice(name);
    lgetxattr(path.as_slice(), attribute, value)
}
