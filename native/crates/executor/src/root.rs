//! The container's root directory, before it is anyone's root: a mount that is attached nowhere.

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::sys::{self, MountAttributes};
use crate::{overlay, Error};

/// What the container sees as `/`: layers and a writable directory on top, or a directory as it is.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum RootSource {
    /// An overlay; `lower` begins with the topmost layer.
    Overlay {
        lower: Vec<PathBuf>,
        upper: PathBuf,
        work: PathBuf,
        #[serde(default)]
        read_only: bool,
    },
    /// A directory of the host.
    Path { path: PathBuf },
}

impl RootSource {
    /// Makes the mount. It is writable yet even if it is not to stay so: mount points may have to be made in it.
    pub(crate) fn mount(&self) -> Result<OwnedFd, Error> {
        match self {
            Self::Overlay {
                lower, upper, work, ..
            } => overlay::mount(lower, upper, work, false),
            Self::Path { path } => {
                let failed =
                    |error| Error::system(format!("open the root {}", path.display()))(error);
                let tree =
                    sys::clone_tree(sys::working_directory(), path.as_os_str().as_bytes(), true)
                        .map_err(failed)?;
                // What the container mounts must not appear below the host's directory.
                let private = MountAttributes {
                    propagation: libc::MS_PRIVATE,
                    ..Default::default()
                };
                sys::set_attributes(tree.as_fd(), &private, true).map_err(failed)?;
                Ok(tree)
            }
        }
    }

    /// Mounts it at `place`, for programs that take a path, in a mount namespace that becomes the caller's own: nobody
    /// else sees it, and nothing is left of it when those who do have ended.
    pub fn mount_at(&self, place: &Path) -> Result<(), Error> {
        let tree = self.mount()?;
        sys::leave_namespaces(libc::CLONE_NEWNS).map_err(Error::system("unshare the mounts"))?;
        // What is mounted on the host later is seen still, but nothing of ours there.
        let slave = MountAttributes {
            propagation: libc::MS_SLAVE,
            ..Default::default()
        };
        sys::open(b"/", libc::O_PATH | libc::O_DIRECTORY)
            .and_then(|root| sys::set_attributes(root.as_fd(), &slave, true))
            .map_err(Error::system("detach the mounts from the host's"))?;
        sys::open(
            place.as_os_str().as_bytes(),
            libc::O_PATH | libc::O_DIRECTORY,
        )
        .and_then(|target| sys::attach(&tree, target.as_fd()))
        .map_err(Error::system(format!(
            "mount the root at {}",
            place.display()
        )))
    }

    /// Whether the container may not write to it, once it runs.
    pub(crate) fn is_read_only(&self) -> bool {
        matches!(
            self,
            Self::Overlay {
                read_only: true,
                ..
            }
        )
    }
}
