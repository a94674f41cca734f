//! The kernel's control files: text in, text out, and errors that name the file.

use std::fs::{self, Permissions};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::{sys, Error};

/// A container's own users may look at its limits, as with every runtime.
const DIRECTORY_MODE: u32 = 0o755;

/// Writes `value` in one call, which the kernel takes or refuses as a whole.
pub(super) fn write(file: &Path, value: &str) -> Result<(), Error> {
    let failed = |error| Error::System(format!("write {value:?} to {}", file.display()), error);
    let open = sys::open(file.as_os_str().as_bytes(), libc::O_WRONLY).map_err(failed)?;
    sys::write_once(open.as_fd(), value.as_bytes()).map_err(failed)
}

pub(super) fn read(file: &Path) -> Result<String, Error> {
    fs::read_to_string(file).map_err(Error::system(format!("read {}", file.display())))
}

/// Makes a directory that everyone may read, whatever the umask; one that is there already stays as it is.
pub(super) fn make_directory(directory: &Path) -> Result<(), Error> {
    let made = match fs::create_dir(directory) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => return Ok(()),
        made => made,
    };
    made.and_then(|()| fs::set_permissions(directory, Permissions::from_mode(DIRECTORY_MODE)))
        .map_err(Error::system(format!("mkdir {}", directory.display())))
}

/// Every directory from just below `root` down to `path` in it.
pub(super) fn descent(root: &Path, path: &str) -> Vec<std::path::PathBuf> {
    let mut here = root.to_path_buf();
    let parts = path
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".");
    parts
        .map(|part| {
            here.push(part);
            here.clone()
        })
        .collect()
}

pub(super) fn open_directory(directory: &Path) -> Result<OwnedFd, Error> {
    sys::open(
        directory.as_os_str().as_bytes(),
        libc::O_RDONLY | libc::O_DIRECTORY,
    )
    .map_err(Error::system(format!("open {}", directory.display())))
}

pub(super) fn open_for_writing(file: &Path) -> Result<OwnedFd, Error> {
    sys::open(file.as_os_str().as_bytes(), libc::O_WRONLY)
        .map_err(Error::system(format!("open {}", file.display())))
}
