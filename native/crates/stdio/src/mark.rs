//! What tells a file of a log from all others. Their text need not: what is said in one breath
//! bears one time, and files that begin with the same word may go on with it to their end.

use std::fs::File;
use std::os::unix::fs::MetadataExt;

use crate::attribute;
use crate::stamp::now_ns;

/// Holds when the file was made, in nanoseconds, and its inode then.
pub(crate) const ATTRIBUTE: &str = "user.drayman.file";

/// Mark a file that begins, before anything is in it.
pub(crate) fn put(file: &File) {
    let inode = file.metadata().map_or(0, |metadata| metadata.ino());
    attribute::write(
        file,
        ATTRIBUTE,
        format!("{:x}-{inode:x}", now_ns()).as_bytes(),
    );
}

/// Nothing for a file of somebody else's, or where none can be kept.
pub(crate) fn of(file: &File) -> Vec<u8> {
    attribute::read(file, ATTRIBUTE).unwrap_or_default()
}
