//! Paths inside a container are hostile: each is resolved by the kernel, from a descriptor of the root.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::sys;

/// A rename in the tree makes the kernel give up a resolution with `EAGAIN`; one that is renamed for ever is an attack.
const RESOLVE_ATTEMPTS: u32 = 64;
/// As many links as the kernel follows in one path.
const LINKS_MAX: u32 = 40;
/// As many components as fit in the kernel's longest path.
const COMPONENTS_MAX: usize = 4096;

/// What to make where a path leads to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missing {
    Directory,
    /// An empty file, to be mounted on.
    File,
}

/// Opens `path` as a process whose `/` is `root` would, magic links apart, and never leaves it.
pub fn open_in_root(root: BorrowedFd, path: &[u8], flags: i32) -> io::Result<OwnedFd> {
    open_resolved(root, path, flags, 0)
}

/// As [`open_in_root`], and refuses symbolic links anywhere in the path (`ELOOP`).
pub(crate) fn open_without_links(root: BorrowedFd, path: &[u8], flags: i32) -> io::Result<OwnedFd> {
    open_resolved(root, path, flags, sys::RESOLVE_NO_SYMLINKS)
}

/// The directory `path` inside `root`, made with its parents (mode 0755) where missing; an `O_PATH` descriptor.
pub fn make_directories_in_root(root: BorrowedFd, path: &[u8]) -> io::Result<OwnedFd> {
    let directory = make_in_root(root, path, Missing::Directory)?;
    if sys::status(directory.as_fd())?.st_mode & libc::S_IFMT != libc::S_IFDIR {
        return Err(io::Error::from_raw_os_error(libc::ENOTDIR));
    }
    Ok(directory)
}

/// What `path` leads to inside `root`, made with its parents where missing; an `O_PATH` descriptor. A link that leads
/// nowhere is followed, as by the kernel, and what it names is made.
pub(crate) fn make_in_root(root: BorrowedFd, path: &[u8], missing: Missing) -> io::Result<OwnedFd> {
    match open_in_root(root, path, libc::O_PATH) {
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => {}
        found => return found,
    }
    let mut walked: Vec<u8> = Vec::new();
    let mut ahead: VecDeque<Vec<u8>> = components(path).collect();
    let mut links = 0;
    let mut here = open_in_root(root, b"/", libc::O_PATH)?;
    while let Some(name) = ahead.pop_front() {
        let mut next = walked.clone();
        next.push(b'/');
        next.extend_from_slice(&name);
        let kind = if ahead.is_empty() {
            missing
        } else {
            Missing::Directory
        };
        here = match open_in_root(root, &next, libc::O_PATH) {
            Ok(found) => found,
            Err(error) if error.raw_os_error() != Some(libc::ENOENT) => return Err(error),
            Err(error) => {
                if let Ok(target) = sys::read_link(here.as_fd(), &name) {
                    links += 1;
                    if links > LINKS_MAX || ahead.len() > COMPONENTS_MAX {
                        return Err(io::Error::from_raw_os_error(libc::ELOOP));
                    }
                    if target.starts_with(b"/") {
                        walked.clear();
                        here = open_in_root(root, b"/", libc::O_PATH)?;
                    }
                    let expanded: Vec<Vec<u8>> = components(&target).collect();
                    for part in expanded.into_iter().rev() {
                        ahead.push_front(part);
                    }
                    continue;
                }
                if name == b".." {
                    return Err(error);
                }
                make_child(here.as_fd(), &name, kind)?
            }
        };
        walked = next;
    }
    Ok(here)
}

/// The parts of a path that lead somewhere.
fn components(path: &[u8]) -> impl Iterator<Item = Vec<u8>> + use<'_> {
    path.split(|byte| *byte == b'/')
        .filter(|part| !part.is_empty() && *part != b".")
        .map(<[u8]>::to_vec)
}

/// Makes one entry and opens just that, whatever happens to the name meanwhile.
fn make_child(parent: BorrowedFd, name: &[u8], missing: Missing) -> io::Result<OwnedFd> {
    let made = match missing {
        Missing::Directory => sys::make_directory(parent, name, 0o755),
        Missing::File => sys::make_node(parent, name, libc::S_IFREG | 0o755, 0),
    };
    match made {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    open_without_links(parent, name, libc::O_PATH | libc::O_NOFOLLOW)
}

fn open_resolved(root: BorrowedFd, path: &[u8], flags: i32, resolve: u64) -> io::Result<OwnedFd> {
    let relative = match path.iter().position(|byte| *byte != b'/') {
        Some(start) => &path[start..],
        None => b".",
    };
    let resolve = resolve | sys::RESOLVE_IN_ROOT | sys::RESOLVE_NO_MAGICLINKS;
    let mut attempts = 0;
    loop {
        match sys::open_how(root, relative, flags, 0, resolve) {
            Err(error)
                if error.raw_os_error() == Some(libc::EAGAIN) && attempts < RESOLVE_ATTEMPTS =>
            {
                attempts += 1;
            }
            answer => return answer,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::PathBuf;

    struct Tree(PathBuf);

    impl Tree {
        fn new(name: &str) -> (Self, OwnedFd) {
            let path =
                std::env::temp_dir().join(format!("drayman-paths-{name}-{}", std::process::id()));
            fs::create_dir_all(path.join("root")).unwrap();
            let root = fs::File::open(path.join("root")).unwrap().into();
            (Self(path), root)
        }

        fn root(&self) -> PathBuf {
            self.0.join("root")
        }
    }

    impl Drop for Tree {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).unwrap();
        }
    }

    #[test]
    fn makes_directories_with_parents() {
        let (tree, root) = Tree::new("parents");
        make_directories_in_root(root.as_fd(), b"/a//b/./c").unwrap();
        assert!(tree.root().join("a/b/c").is_dir());
    }

    #[test]
    fn follows_a_dangling_link_inside_the_root() {
        let (tree, root) = Tree::new("dangling");
        symlink("/run", tree.root().join("varrun")).unwrap();
        make_in_root(root.as_fd(), b"/varrun/sock", Missing::File).unwrap();
        assert!(tree.root().join("run/sock").is_file());
    }

    #[test]
    fn a_link_out_of_the_root_stays_inside() {
        let (tree, root) = Tree::new("escape");
        fs::create_dir(tree.0.join("outside")).unwrap();
        symlink("../../outside", tree.root().join("up")).unwrap();
        symlink(tree.0.join("outside"), tree.root().join("absolute")).unwrap();
        make_directories_in_root(root.as_fd(), b"/up/made").unwrap();
        make_directories_in_root(root.as_fd(), b"/absolute/made").unwrap();
        assert_eq!(fs::read_dir(tree.0.join("outside")).unwrap().count(), 0);
        assert!(tree.root().join("outside/made").is_dir());
    }

    #[test]
    fn a_loop_of_links_is_an_error() {
        let (tree, root) = Tree::new("loop");
        symlink("b", tree.root().join("a")).unwrap();
        symlink("a", tree.root().join("b")).unwrap();
        let error = make_directories_in_root(root.as_fd(), b"/a/x").unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ELOOP));
        // A dangling chain that grows with each step has to end as well.
        symlink("c/c/c", tree.root().join("c")).unwrap();
        assert!(make_directories_in_root(root.as_fd(), b"/c/x").is_err());
    }

    #[test]
    fn magic_links_are_refused() {
        let host = fs::File::open("/").unwrap();
        let error = open_in_root(host.as_fd(), b"/proc/self/root", libc::O_PATH).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ELOOP));
    }

    #[test]
    fn a_file_where_a_directory_is_wanted_is_an_error() {
        let (tree, root) = Tree::new("file");
        fs::write(tree.root().join("f"), "").unwrap();
        let error = make_directories_in_root(root.as_fd(), b"/f").unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENOTDIR));
    }
}
