//! Copying one file: its content without passing through this process where the file
//! systems allow, then owner, mode, extended attributes and times, in the order that keeps them.
use std::ffi::CStr;
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use rustix::fs::{
    chmodat, chownat, fchmod, fchown, fgetxattr, flistxattr, fsetxattr, fstat, futimens,
    ioctl_ficlone, lgetxattr, llistxattr, lsetxattr, utimensat, AtFlags, FileType, Gid, Mode, Stat,
    Timespec, Timestamps, Uid, XattrFlags,
};
use rustix::io::Errno;

/// The most a file's attribute may hold, and the names of all together (Linux's own limit).
const ATTRIBUTE_MAX_BYTES: usize = 65_536;

/// Share the content where the file system can (reflink), else copy it within the kernel.
pub(crate) fn content(source: &File, target: &File) -> Result<(), Errno> {
    if ioctl_ficlone(target, source).is_ok() {
        return Ok(());
    }
    // `std::io::copy` uses copy_file_range, sendfile or splice, whichever the pair allows.
    std::io::copy(&mut &*source, &mut &*target)
        .map(drop)
        .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))
}

/// Give an open file or directory the owner, mode, attributes and times of another.
pub(crate) fn metadata(source: impl AsFd, target: impl AsFd) -> Result<(), Errno> {
    let (source, target) = (source.as_fd(), target.as_fd());
    let stat = fstat(source)?;
    // The owner first: a change of owner takes set-id bits and capabilities away.
    let (uid, gid) = owner(&stat);
    fchown(target, uid, gid)?;
    fchmod(target, Mode::from_raw_mode(stat.st_mode))?;
    attributes(
        |buffer| flistxattr(source, buffer),
        |name, buffer| fgetxattr(source, name, buffer),
        |name, value| fsetxattr(target, name, value, XattrFlags::empty()),
    )?;
    futimens(target, &times(&stat))
}

/// As `metadata`, for what cannot be opened for it: links, devices, sockets, pipes. The
/// volume is not yet anyone else's, so a name in it means the same thing from call to call.
pub(crate) fn metadata_by_name(target: &OwnedFd, name: &[u8], stat: &Stat) -> Result<(), Errno> {
    let (uid, gid) = owner(stat);
    chownat(target, name, uid, gid, AtFlags::SYMLINK_NOFOLLOW)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::Symlink {
        let mode = Mode::from_raw_mode(stat.st_mode);
        chmodat(target, name, mode, AtFlags::empty())?;
    }
    utimensat(target, name, &times(stat), AtFlags::SYMLINK_NOFOLLOW)
}

/// Copy the extended attributes of what cannot be opened.
pub(crate) fn attributes_by_name(from: &OwnedFd, to: &OwnedFd, name: &[u8]) -> Result<(), Errno> {
    let (source, target) = (through_proc(from, name), through_proc(to, name));
    attributes(
        |buffer| llistxattr(source.as_slice(), buffer),
        |attribute, buffer| lgetxattr(source.as_slice(), attribute, buffer),
        |attribute, value| lsetxattr(target.as_slice(), attribute, value, XattrFlags::empty()),
    )
}

fn through_proc(directory: impl AsFd, name: &[u8]) -> Vec<u8> {
    let number = directory.as_fd().as_raw_fd();
    let mut path = format!("/proc/self/fd/{number}/").into_bytes();
    path.extend_from_slice(name);
    path
}

fn attributes(
    list: impl FnOnce(&mut [u8]) -> Result<usize, Errno>,
    get: impl Fn(&CStr, &mut [u8]) -> Result<usize, Errno>,
    set: impl Fn(&CStr, &[u8]) -> Result<(), Errno>,
) -> Result<(), Errno> {
    let mut names = vec![0; ATTRIBUTE_MAX_BYTES];
    let length = match list(&mut names) {
        Err(Errno::OPNOTSUPP) | Ok(0) => return Ok(()),
        other => other?,
    };
    let mut value = vec![0; ATTRIBUTE_MAX_BYTES];
    for name in names[..length].split_inclusive(|byte| *byte == 0) {
        // The marks of an overlay mean nothing outside it.
        if name.starts_with(b"trusted.overlay.") || name.starts_with(b"user.overlay.") {
            continue;
        }
        let Ok(name) = CStr::from_bytes_with_nul(name) else {
            continue;
        };
        let length = get(name, &mut value)?;
        match set(name, &value[..length]) {
            // A host's label of a security module is not always ours to set.
            Err(Errno::OPNOTSUPP | Errno::PERM) => {}
            other => other?,
        }
    }
    Ok(())
}

fn owner(stat: &Stat) -> (Option<Uid>, Option<Gid>) {
    (
        Some(Uid::from_raw(stat.st_uid)),
        Some(Gid::from_raw(stat.st_gid)),
    )
}

#[allow(clippy::cast_possible_wrap, clippy::unnecessary_cast)] // below 1e9; types differ by target
fn times(stat: &Stat) -> Timestamps {
    Timestamps {
        last_access: Timespec {
            tv_sec: stat.st_atime,
            tv_nsec: stat.st_atime_nsec as _,
        },
        last_modification: Timespec {
            tv_sec: stat.st_mtime,
            tv_nsec: stat.st_mtime_nsec as _,
        },
    }
}
