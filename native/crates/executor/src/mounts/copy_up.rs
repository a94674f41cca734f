//! `tmpcopyup`: a new tmpfs begins with what its mount point held.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;

use crate::paths::open_without_links;
use crate::sys;

/// Deeper trees are not what anyone puts below a mount point, and the copy recurses.
const DEPTH_MAX: u32 = 64;

/// Copies the directory `from` into `to`: kinds, owners and modes as they are.
pub(super) fn copy(from: BorrowedFd, to: BorrowedFd) -> io::Result<()> {
    copy_directory(from, to, 0)
}

fn copy_directory(from: BorrowedFd, to: BorrowedFd, depth: u32) -> io::Result<()> {
    if depth > DEPTH_MAX {
        return Err(io::Error::from_raw_os_error(libc::ELOOP));
    }
    let directory = open_without_links(from, b".", libc::O_RDONLY | libc::O_DIRECTORY)?;
    for name in list(&directory)? {
        let status = sys::status_at(from, &name)?;
        match status.st_mode & libc::S_IFMT {
            libc::S_IFDIR => {
                sys::make_directory(to, &name, 0o700)?;
                let flags = libc::O_PATH | libc::O_DIRECTORY | libc::O_NOFOLLOW;
                let below = sys::open_how(to, &name, flags, 0, 0)?;
                copy_directory(
                    open_without_links(from, &name, flags)?.as_fd(),
                    below.as_fd(),
                    depth + 1,
                )?;
            }
            libc::S_IFREG => {
                let source = open_without_links(from, &name, libc::O_RDONLY | libc::O_NOFOLLOW)?;
                let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL;
                let target = sys::open_how(to, &name, flags, 0o600, 0)?;
                io::copy(&mut File::from(source), &mut File::from(target))?;
            }
            libc::S_IFLNK => sys::make_symlink(to, &name, &sys::read_link(from, &name)?)?,
            _ => sys::make_node(to, &name, status.st_mode, status.st_rdev)?,
        }
        sys::change_owner(to, &name, Some(status.st_uid), Some(status.st_gid))?;
        if status.st_mode & libc::S_IFMT != libc::S_IFLNK {
            // After the owner, whose change clears the set-id bits.
            sys::change_mode(to, &name, status.st_mode & 0o7777)?;
        }
    }
    Ok(())
}

fn list(directory: &impl AsFd) -> io::Result<Vec<Vec<u8>>> {
    use std::os::fd::AsRawFd;
    // The host's /proc, seen by a process that has not left the host's root yet.
    let path = format!("/proc/self/fd/{}", directory.as_fd().as_raw_fd());
    fs::read_dir(path)?
        .map(|entry| Ok(entry?.file_name().as_bytes().to_vec()))
        .collect()
}
