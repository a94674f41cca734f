//! Contents that come as ranges of files: shared or copied by the kernel where it can.
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::copy_file_range;
use rustix::io::{pwrite, Errno};

use crate::error::Error;
use crate::pack::each_piece;
use crate::tar::FileRange;

/// Write a range to a file, at an offset. File systems with reflinks share the blocks.
pub(super) fn write_range(
    file: &OwnedFd,
    mut offset: u64,
    range: &FileRange,
    path: &[u8],
) -> Result<(), Error> {
    let (mut from, mut left) = (range.offset, range.length_bytes);
    while left > 0 {
        let count = usize::try_from(left).unwrap_or(usize::MAX);
        match copy_file_range(&range.file, Some(&mut from), file, Some(&mut offset), count) {
            // Not by the kernel, or the file has no more: what copies below also tells what is
            // wrong, and with which of the two.
            Ok(0) => break,
            Ok(copied) => left -= copied as u64,
            Err(Errno::INTR) => {}
            Err(_) => break,
        }
    }
    let mut unwritten = None;
    each_piece(range.file.as_fd(), from, left, |piece| {
        write_all(file, piece, &mut offset).map_err(|errno| {
            unwritten = Some(errno);
            errno.into()
        })
    })
    .map_err(|error| match unwritten {
        Some(errno) => Error::system("write", path, errno),
        None => Error::system(
            "read",
            path,
            Errno::from_io_error(&error).unwrap_or(Errno::IO),
        ),
    })
}

fn write_all(file: &OwnedFd, mut bytes: &[u8], offset: &mut u64) -> rustix::io::Result<()> {
    while !bytes.is_empty() {
        match pwrite(file, bytes, *offset) {
            Ok(0) => return Err(Errno::IO),
            Ok(written) => {
                bytes = &bytes[written..];
                *offset += written as u64;
            }
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}
