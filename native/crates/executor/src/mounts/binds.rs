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
    let tree = copy(source, options.is_recursive)?;
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

/// The kernel copies no mount of another mount namespace: what a container has (`/proc/PID/root/…`) is copied in there.
fn copy(source: &str, recursive: bool) -> io::Result<OwnedFd> {
    let clone = |path: &str| sys::clone_tree(sys::working_directory(), path.as_bytes(), recursive);
    let Some((pid, path)) = of_process(source) else {
        return clone(source);
    };
    let namespace = |of: &str| {
        let file = format!("/proc/{of}/ns/mnt");
        sys::open(file.as_bytes(), libc::O_RDONLY)
    };
    let (home, there) = (namespace("self")?, namespace(pid)?);
    sys::enter_namespaces(there.as_fd(), libc::CLONE_NEWNS)?;
    let tree = clone(path);
    sys::enter_namespaces(home.as_fd(), libc::CLONE_NEWNS)?;
    tree
}

/// Whose root a path begins with, and the path below it.
fn of_process(source: &str) -> Option<(&str, &str)> {
    let (pid, _) = source.strip_prefix("/proc/")?.split_once("/root/")?;
    let path = &source["/proc/".len() + pid.len() + "/root".len()..];
    pid.bytes()
        .all(|one| one.is_ascii_digit())
        .then_some((pid, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_of_processes_are_told_from_other_places() {
        assert_eq!(of_process("/proc/7/root/dev/shm"), Some(("7", "/dev/shm")));
        for path in [
            "/proc/7/rooted/x",
            "/proc/self/root/x",
            "/x/proc/7/root/y",
            "/proc/7/root",
        ] {
            assert_eq!(of_process(path), None, "{path}");
        }
    }
}
