//! What is written down with a file of a log, beside its text: a rename keeps it, and so does who
//! compresses it.

use std::fs::File;

use rustix::fs::{fgetxattr, fsetxattr, XattrFlags};

/// None of them is longer.
const BYTES_MAX: usize = 64;

pub(crate) fn read(file: &File, name: &str) -> Option<Vec<u8>> {
    let mut value = [0; BYTES_MAX];
    let length = fgetxattr(file, name, &mut value[..]).ok()?;
    Some(value[..length].to_vec())
}

/// Whether that was possible: some file systems keep none.
pub(crate) fn write(file: &File, name: &str, value: &[u8]) -> bool {
    fsetxattr(file, name, value, XattrFlags::empty()).is_ok()
}

/// Give another file of the same text what the one has, if anything.
pub(crate) fn copy(from: &File, to: &File, name: &str) {
    if let Some(value) = read(from, name) {
        write(to, name, &value);
    }
}
