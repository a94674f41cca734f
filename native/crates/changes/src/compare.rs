//! When a file counts as modified: moby's rule, word for word, because its clients know it.
use std::os::fd::AsFd;

use rustix::fs::{FileType, Stat};
use rustix::io::Errno;

use crate::attributes::lgetxattr_at;

/// A file capability is 24 bytes at most (`struct vfs_ns_cap_data`).
const CAPABILITY_MAX_BYTES: usize = 64;

/// Whether two stats tell of a change. Content, inode and ctime are not compared, nor a
/// directory's size and time: a copy made by overlayfs differs in them without any change
/// (moby's `statDifferent`).
pub(crate) fn stats_differ(old: &Stat, new: &Stat) -> bool {
    if (old.st_mode, old.st_uid, old.st_gid, old.st_rdev)
        != (new.st_mode, new.st_uid, new.st_gid, new.st_rdev)
    {
        return true;
    }
    if FileType::from_raw_mode(new.st_mode) == FileType::Directory {
        return false;
    }
    old.st_size != new.st_size || !same_time(old, new)
}

/// Equal, or in the same second with one of them cut to whole seconds: tar archives hold no
/// more, so a file of an image and its copy may differ by that alone (moby's `sameFsTime`).
fn same_time(old: &Stat, new: &Stat) -> bool {
    old.st_mtime == new.st_mtime
        && (old.st_mtime_nsec == new.st_mtime_nsec
            || old.st_mtime_nsec == 0
            || new.st_mtime_nsec == 0)
}

/// The bytes of a file's capability; empty when it has none.
pub(crate) fn capability(directory: impl AsFd, name: &[u8]) -> Result<Vec<u8>, Errno> {
    let mut value = [0; CAPABILITY_MAX_BYTES];
    match lgetxattr_at(directory, name, c"security.capability", &mut value) {
        Ok(length) => Ok(value[..length].to_vec()),
        Err(Errno::NODATA | Errno::OPNOTSUPP | Errno::NOENT) => Ok(Vec::new()),
        Err(errno) => Err(errno),
    }
}
