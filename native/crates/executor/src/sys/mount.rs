//! Mounts by descriptor: made detached, given their attributes, then moved onto a place that was opened before.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::ptr;

use super::file::own;
use super::{check, text};

pub(crate) const MOUNT_ATTR_RDONLY: u64 = 0x1;
pub(crate) const MOUNT_ATTR_NOSUID: u64 = 0x2;
pub(crate) const MOUNT_ATTR_NODEV: u64 = 0x4;
pub(crate) const MOUNT_ATTR_NOEXEC: u64 = 0x8;
/// The mask of the three below, of which `relatime` is nought.
pub(crate) const MOUNT_ATTR_ATIME: u64 = 0x70;
pub(crate) const MOUNT_ATTR_NOATIME: u64 = 0x10;
pub(crate) const MOUNT_ATTR_STRICTATIME: u64 = 0x20;
pub(crate) const MOUNT_ATTR_NODIRATIME: u64 = 0x80;
pub(crate) const MOUNT_ATTR_NOSYMFOLLOW: u64 = 0x20_0000;

const FSCONFIG_SET_FLAG: u32 = 0;
const FSCONFIG_SET_STRING: u32 = 1;
const FSCONFIG_CMD_CREATE: u32 = 6;
const FSOPEN_CLOEXEC: u32 = 1;
const FSMOUNT_CLOEXEC: u32 = 1;
const OPEN_TREE_CLONE: i32 = 1;
const MOVE_MOUNT_F_EMPTY_PATH: u32 = 0x4;
const MOVE_MOUNT_T_EMPTY_PATH: u32 = 0x40;

/// What `mount_setattr` changes; the kernel's own layout.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct MountAttributes {
    pub set: u64,
    pub clear: u64,
    /// `MS_PRIVATE`, `MS_SLAVE`, `MS_SHARED`, `MS_UNBINDABLE`, or 0 to leave it.
    pub propagation: u64,
    pub userns: u64,
}

/// A file system about to be made.
#[derive(Debug)]
pub(crate) struct FileSystem(OwnedFd);

impl FileSystem {
    pub(crate) fn open(kind: &str) -> io::Result<Self> {
        let kind = text(kind.as_bytes())?;
        // SAFETY: `kind` is a C string that outlives the call.
        check(unsafe { libc::syscall(libc::SYS_fsopen, kind.as_ptr(), FSOPEN_CLOEXEC) })
            .map(|fd| Self(own(fd)))
    }

    pub(crate) fn set(&self, key: &str, value: &[u8]) -> io::Result<()> {
        let value = text(value)?;
        self.configure(FSCONFIG_SET_STRING, Some(key), Some(&value))
    }

    pub(crate) fn set_flag(&self, key: &str) -> io::Result<()> {
        self.configure(FSCONFIG_SET_FLAG, Some(key), None)
    }

    /// Makes it, and a detached mount of it with these attributes (`MOUNT_ATTR_*`).
    pub(crate) fn mount(&self, attributes: u64) -> io::Result<OwnedFd> {
        self.configure(FSCONFIG_CMD_CREATE, None, None)?;
        // SAFETY: no memory is involved.
        let answer = unsafe {
            libc::syscall(
                libc::SYS_fsmount,
                self.0.as_raw_fd(),
                FSMOUNT_CLOEXEC,
                attributes,
            )
        };
        check(answer).map(own)
    }

    fn configure(&self, command: u32, key: Option<&str>, value: Option<&CStr>) -> io::Result<()> {
        let key = key.map(|key| text(key.as_bytes())).transpose()?;
        let key = key.as_ref().map_or(ptr::null(), |key| key.as_ptr());
        let value = value.map_or(ptr::null(), CStr::as_ptr);
        // SAFETY: both are null or C strings that outlive the call.
        check(unsafe {
            libc::syscall(
                libc::SYS_fsconfig,
                self.0.as_raw_fd(),
                command,
                key,
                value,
                0,
            )
        })
        .map(drop)
    }
}

/// A detached copy of the mount at `path`, with what is mounted below when `recursive`.
/// An empty `path` means `directory` itself.
pub(crate) fn clone_tree(
    directory: BorrowedFd,
    path: &[u8],
    recursive: bool,
) -> io::Result<OwnedFd> {
    let path = text(path)?;
    let recursive = if recursive { libc::AT_RECURSIVE } else { 0 };
    let flags = OPEN_TREE_CLONE | libc::O_CLOEXEC | libc::AT_EMPTY_PATH | recursive;
    // SAFETY: `path` is a C string that outlives the call.
    check(unsafe {
        libc::syscall(
            libc::SYS_open_tree,
            directory.as_raw_fd(),
            path.as_ptr(),
            flags,
        )
    })
    .map(own)
}

/// Attaches a detached mount onto `target`.
pub(crate) fn attach(tree: &impl AsFd, target: BorrowedFd) -> io::Result<()> {
    let empty = c"".as_ptr();
    let flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
    let (tree, target) = (tree.as_fd().as_raw_fd(), target.as_raw_fd());
    // SAFETY: the two paths are constants.
    check(unsafe { libc::syscall(libc::SYS_move_mount, tree, empty, target, empty, flags) })
        .map(drop)
}

/// Changes the mount whose root `mount` is, and those below it when `recursive`.
pub(crate) fn set_attributes(
    mount: BorrowedFd,
    attributes: &MountAttributes,
    recursive: bool,
) -> io::Result<()> {
    let flags = libc::AT_EMPTY_PATH | if recursive { libc::AT_RECURSIVE } else { 0 };
    let size = size_of::<MountAttributes>();
    // SAFETY: the path is a constant, the structure outlives the call and `size` is its own.
    let answer = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            flags,
            attributes,
            size,
        )
    };
    check(answer).map(drop)
}

/// Makes the working directory, which must be a mount's root, the root, and lets go of the old one.
pub(crate) fn pivot_to_working_directory() -> io::Result<()> {
    let here = c".".as_ptr();
    // SAFETY: the paths are constants.
    unsafe {
        check(libc::syscall(libc::SYS_pivot_root, here, here))?;
        // The old root now lies over the new one, which is still the working directory.
        check(libc::umount2(here, libc::MNT_DETACH).into())?;
        check(libc::chdir(c"/".as_ptr()).into()).map(drop)
    }
}
