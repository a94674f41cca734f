//! `rm -r` by descriptors: nothing outside the directory is reached, links are not followed.
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{fstat, openat2, unlinkat, AtFlags, Mode, ResolveFlags};
use rustix::io::{Errno, Result};

use crate::descent::{Descent, Step, DIRECTORY};

/// Remove a directory and all below it. A mount is not gone into, a volume's files being no
/// part of the tree: EBUSY, and before anything is removed if the directory is one itself.
pub(super) fn remove_tree(parent: impl AsFd, name: &[u8]) -> Result<()> {
    let top = open(&parent, name)?;
    let stat = fstat(&top)?;
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
                    let below = open(directory, leaf)?;
                    let stat = fstat(&below)?;
                    descent.enter(below, &stat, 0);
                }
                Err(errno) => return Err(errno),
            },
        }
    }
}

fn open(parent: impl AsFd, name: &[u8]) -> Result<OwnedFd> {
    let here = ResolveFlags::NO_XDEV;
    openat2(parent, name, DIRECTORY, Mode::empty(), here).map_err(|errno| match errno {
        Errno::XDEV => Errno::BUSY,
        other => other,
    })
}
