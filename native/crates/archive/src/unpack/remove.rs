//! `rm -r` by descriptors: nothing outside the directory is reached, links are not followed.
use std::os::fd::AsFd;

use rustix::fs::{fstat, openat, unlinkat, AtFlags, Mode};
use rustix::io::{Errno, Result};

use crate::descent::{Descent, Step, DIRECTORY};

/// Remove a directory and all below it, staying on its file system.
pub(super) fn remove_tree(parent: impl AsFd, name: &[u8]) -> Result<()> {
    let top = openat(&parent, name, DIRECTORY, Mode::empty())?;
    let stat = fstat(&top)?;
    let device = stat.st_dev;
    let mut descent = Descent::default();
    descent.enter(top, &stat, 0);
    loop {
        match descent.next() {
            Step::Done => return unlinkat(&parent, name, AtFlags::REMOVEDIR),
            Step::End => {
                descent.leave();
                if let Some((directory, left)) = descent.current() {
                    unlinkat(directory, left, AtFlags::REMOVEDIR)?;
                }
            }
            Step::Entry(directory, leaf, _) => match unlinkat(directory, leaf, AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(Errno::ISDIR) => {
                    let below = openat(directory, leaf, DIRECTORY, Mode::empty())?;
                    let stat = fstat(&below)?;
                    if stat.st_dev != device {
                        return Err(Errno::BUSY);
                    }
                    descent.enter(below, &stat, 0);
                }
                Err(errno) => return Err(errno),
            },
        }
    }
}
