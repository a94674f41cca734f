//! How much a tree holds.
use std::collections::HashSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use rustix::fs::{open, openat2, statat, AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use crate::layer::join;
use crate::Error;

/// The bytes of the regular files below a directory, hard links counted once, no link
/// followed. What vanishes meanwhile counts nothing.
pub fn tree_size_bytes(path: &[u8]) -> Result<u64, Error> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = open(OsStr::from_bytes(path), flags, Mode::empty()).map_err(Error::at(path))?;
    let mut pending = vec![Vec::new()];
    let mut linked = HashSet::new();
    let mut total = 0_u64;
    while let Some(below) = pending.pop() {
        let here: &[u8] = if below.is_empty() { b"." } else { &below };
        let opened = openat2(
            &root,
            OsStr::from_bytes(here),
            OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC,
            Mode::empty(),
            ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS,
        );
        let directory = match opened {
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::NAMETOOLONG) => continue,
            other => other.map_err(Error::at(&below))?,
        };
        for entry in Dir::read_from(&directory).map_err(Error::at(&below))? {
            let entry = entry.map_err(Error::at(&below))?;
            let name = entry.file_name();
            match entry.file_type() {
                FileType::Directory if matches!(name.to_bytes(), b"." | b"..") => {}
                FileType::Directory => pending.push(join(&below, name.to_bytes())),
                FileType::RegularFile => {
                    let stat = match statat(&directory, name, AtFlags::SYMLINK_NOFOLLOW) {
                        Err(Errno::NOENT) => continue,
                        other => other.map_err(Error::at(&below))?,
                    };
                    if stat.st_nlink == 1 || linked.insert((stat.st_dev, stat.st_ino)) {
                        total = total.saturating_add(u64::try_from(stat.st_size).unwrap_or(0));
                    }
                }
                _ => {}
            }
        }
    }
    Ok(total)
}
