//! Places of the host shown in a container.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use super::options::MountOptions;
use super::set_propagation;
use crate::paths::Missing;
use crate::sys;

/// A detached copy of the mount at `source`, with its attributes already on it: there is no moment when a read-only
/// bind could be written to.
pub(super) fn open(source: &str, options: &MountOptions) -> io::Result<(OwnedFd, Missing)> {
    let tree = sys::clone_tree(
        sys::working_directory(),
        source.as_bytes(),
        options.is_recursive,
    )?;
    if options.propagation.is_empty() {
        // As runc has it, whose binds come from a tree that is slave to the host's: what the host mounts later appears
        // inside, never the other way round.
        set_propagation(tree.as_fd(), libc::MS_SLAVE, true)?;
    }
    for (propagation, recursive) in &options.propagation {
        set_propagation(tree.as_fd(), *propagation, *recursive)?;
    }
    for (attributes, recursive) in [
        (&options.attributes, false),
        (&options.recursive_attributes, true),
    ] {
        if attributes.set | attributes.clear != 0 {
            sys::set_attributes(tree.as_fd(), attributes, recursive)?;
        }
    }
    let is_directory = sys::status(tree.as_fd())?.st_mode & libc::S_IFMT == libc::S_IFDIR;
    Ok((
        tree,
        if is_directory {
            Missing::Directory
        } else {
            Missing::File
        },
    ))
}
