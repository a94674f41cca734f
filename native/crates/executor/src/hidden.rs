//! What a container must not see or must not write to, though it lies in file systems that it has.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::mounts::set_read_only;
use crate::paths::open_in_root;
use crate::sys::{self, FileSystem};
use crate::Error;

/// `/dev/null`, by its number.
const NULL_DEVICE: (u32, u32) = (1, 3);
const TMPFS_MAGIC: u64 = 0x0102_1994;

/// Makes each path that exists read-only, with the attributes it has otherwise.
pub(crate) fn make_paths_read_only(root: BorrowedFd, paths: &[String]) -> Result<(), Error> {
    for path in paths {
        make_path_read_only(root, path).map_err(|error| {
            Error::System(format!("unable to apply readonly path {path:?}"), error)
        })?;
    }
    Ok(())
}

fn make_path_read_only(root: BorrowedFd, path: &str) -> io::Result<()> {
    let Some(target) = find(root, path)? else {
        return Ok(());
    };
    let tree = sys::clone_tree(target.as_fd(), b"", true)?;
    set_read_only(tree.as_fd())?;
    sys::attach(&tree, target.as_fd())
}

/// Covers each path that exists: a file with the null device, a directory with an empty one.
pub(crate) fn mask_paths(root: BorrowedFd, paths: &[String]) -> Result<(), Error> {
    if paths.is_empty() {
        return Ok(());
    }
    let mut cover =
        Cover::new().map_err(Error::system("open what masked paths are covered with"))?;
    for path in paths {
        cover.mask(root, path).map_err(|error| {
            Error::System(format!("unable to apply masked path {path:?}"), error)
        })?;
    }
    Ok(())
}

/// The path as it is, without following its last link, or `None` where there is nothing.
fn find(root: BorrowedFd, path: &str) -> io::Result<Option<OwnedFd>> {
    match open_in_root(root, path.as_bytes(), libc::O_PATH) {
        Ok(found) => Ok(Some(found)),
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENOTDIR)) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

struct Cover {
    /// The host's, never the container's: an image may call anything `/dev/null` (CVE-2025-31133).
    null: OwnedFd,
    /// One empty directory, mounted first where it is first needed, then shown again.
    empty: Option<OwnedFd>,
}

impl Cover {
    fn new() -> io::Result<Self> {
        let null = sys::open(b"/dev/null", libc::O_PATH | libc::O_NOFOLLOW)?;
        if !is_null_device(null.as_fd())? {
            return Err(io::Error::other(
                "the host's /dev/null is not the null device",
            ));
        }
        Ok(Self { null, empty: None })
    }

    fn mask(&mut self, root: BorrowedFd, path: &str) -> io::Result<()> {
        let Some(target) = find(root, path)? else {
            return Ok(());
        };
        let is_directory = sys::status(target.as_fd())?.st_mode & libc::S_IFMT == libc::S_IFDIR;
        if is_directory {
            let tree = match &self.empty {
                Some(empty) => sys::clone_tree(empty.as_fd(), b"", false)?,
                None => empty_directory()?,
            };
            sys::attach(&tree, target.as_fd())?;
            self.empty.get_or_insert(tree);
        } else {
            let tree = sys::clone_tree(self.null.as_fd(), b"", false)?;
            sys::attach(&tree, target.as_fd())?;
        }
        // Whoever shares these mounts may have moved the path meanwhile; then it is not hidden.
        let covered = find(root, path)?.ok_or(io::ErrorKind::NotFound)?;
        let is_covered = if is_directory {
            sys::file_system(covered.as_fd())? == TMPFS_MAGIC
        } else {
            is_null_device(covered.as_fd())?
        };
        if is_covered {
            Ok(())
        } else {
            Err(io::Error::other(
                "the path was replaced while it was being masked",
            ))
        }
    }
}

fn is_null_device(file: BorrowedFd) -> io::Result<bool> {
    let status = sys::status(file)?;
    let is_device = status.st_mode & libc::S_IFMT == libc::S_IFCHR;
    Ok(is_device && (libc::major(status.st_rdev), libc::minor(status.st_rdev)) == NULL_DEVICE)
}

fn empty_directory() -> io::Result<OwnedFd> {
    let directory = FileSystem::open("tmpfs")?;
    directory.set("source", b"tmpfs")?;
    directory.set("nr_blocks", b"1")?;
    directory.set("nr_inodes", b"1")?;
    directory.set_flag("ro")?;
    directory.mount(sys::MOUNT_ATTR_RDONLY)
}
