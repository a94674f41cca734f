//! The system calls that the libraries have no safe words for.
use std::os::fd::{AsFd, AsRawFd};

use rustix::io::Errno;
use rustix::thread::UnshareFlags;

/// Leave what the calling thread shares with the others of this process.
///
/// Only for threads of our own that end soon after: the rest of the process keeps its root,
/// its working directory and its mounts.
pub(crate) fn unshare_thread(flags: UnshareFlags) -> Result<(), Errno> {
    // SAFETY: the flags used (CLONE_FS, CLONE_NEWNS) leave the descriptor table shared, so no
    // descriptor another thread relies on changes its meaning.
    unsafe { rustix::thread::unshare_unsafe(flags) }
}

/// Make the mounts of a tree private, so that nothing the host mounts shows up in them, and fit
/// to be looked into: no device can be opened and reading changes no time of access. Read-only
/// when asked.
pub(crate) fn seal_tree(tree: impl AsFd, read_only: bool) -> Result<(), Errno> {
    let read_only = if read_only {
        libc::MOUNT_ATTR_RDONLY
    } else {
        0
    };
    set_attributes(tree, LOOKED_INTO | read_only, libc::AT_RECURSIVE)
}

/// Make one mount read-only.
pub(crate) fn make_read_only(mount: impl AsFd) -> Result<(), Errno> {
    set_attributes(mount, libc::MOUNT_ATTR_RDONLY, 0)
}

const LOOKED_INTO: u64 = libc::MOUNT_ATTR_NODEV | libc::MOUNT_ATTR_NOATIME;

fn set_attributes(tree: impl AsFd, set: u64, recursive: libc::c_int) -> Result<(), Errno> {
    let times = set & libc::MOUNT_ATTR__ATIME;
    let attributes = libc::mount_attr {
        attr_set: set,
        // One of them is always set; another only takes its place.
        attr_clr: if times == 0 {
            0
        } else {
            libc::MOUNT_ATTR__ATIME
        },
        propagation: libc::MS_PRIVATE,
        userns_fd: 0,
    };
    // SAFETY: the path is an empty C string and the structure is as large as the size says.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            tree.as_fd().as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH | recursive,
            std::ptr::from_ref(&attributes),
            std::mem::size_of::<libc::mount_attr>(),
        )
    };
    if result < 0 {
        return Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO));
    }
    Ok(())
}
