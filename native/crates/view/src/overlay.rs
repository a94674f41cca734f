//! An overlay mount attached nowhere.
use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use rustix::io::Errno;
use rustix::mount::{
    fsconfig_create, fsconfig_set_string, fsmount, fsopen, open_tree, FsMountFlags, FsOpenFlags,
    MountAttrFlags, OpenTreeFlags,
};

use crate::Error;

/// The directories an overlay is made of; paths of the host.
#[derive(Clone, Copy, Debug)]
pub struct Layers<'a> {
    /// Topmost first.
    pub lower: &'a [Vec<u8>],
    pub upper: &'a [u8],
    pub work: &'a [u8],
}

/// Mount layers with the new mount API, detached.
///
/// `Ok(None)` when this kernel does not take layers one by one (before Linux 6.8).
pub(crate) fn mount_detached(layers: &Layers<'_>) -> Result<Option<OwnedFd>, Error> {
    let context = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC)
        .map_err(|errno| Error::system("open the overlay file system", errno))?;
    for (index, lower) in layers.lower.iter().enumerate() {
        match set(&context, "lowerdir+", lower) {
            // The first one tells an unknown parameter; a later one would be at fault itself.
            Err(Errno::INVAL) if index == 0 => return Ok(None),
            other => other.map_err(|errno| layer_error(&context, lower, errno))?,
        }
    }
    set(&context, "upperdir", layers.upper).map_err(|e| layer_error(&context, layers.upper, e))?;
    set(&context, "workdir", layers.work).map_err(|e| layer_error(&context, layers.work, e))?;
    match fsconfig_create(&context) {
        // Before Linux 6.5 parameters are looked at here; whoever mounts otherwise tells other faults.
        Err(Errno::INVAL) => return Ok(None),
        other => other.map_err(|errno| layer_error(&context, layers.upper, errno))?,
    }
    let attributes = MountAttrFlags::MOUNT_ATTR_NODEV | MountAttrFlags::MOUNT_ATTR_NOATIME;
    let mount = fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes)
        .map_err(|errno| layer_error(&context, layers.upper, errno))?;
    Ok(Some(mount))
}

/// The mount at the root of a detached tree once more, without what is mounted on it.
///
/// `Ok(None)` when this kernel does not clone what is detached (before Linux 6.15).
pub(crate) fn clone_detached(root: BorrowedFd<'_>) -> Result<Option<OwnedFd>, Error> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_EMPTY_PATH;
    match open_tree(root, "", flags) {
        Ok(root) => Ok(Some(root)),
        Err(Errno::INVAL) => Ok(None),
        Err(errno) => Err(Error::system("clone the container's root", errno)),
    }
}

fn set(context: &OwnedFd, key: &str, value: &[u8]) -> Result<(), Errno> {
    fsconfig_set_string(context.as_fd(), key, OsStr::from_bytes(value))
}

/// Name the layer, and repeat what the kernel wrote about it.
fn layer_error(context: &OwnedFd, layer: &[u8], errno: Errno) -> Error {
    let mut text = [0_u8; 512];
    let said = rustix::io::read(context, &mut text)
        .map(|length| String::from_utf8_lossy(&text[..length]).trim().to_owned())
        .unwrap_or_default();
    let layer = String::from_utf8_lossy(layer);
    let what = if said.is_empty() {
        format!("mount the layers, at {layer}")
    } else {
        format!("mount the layers, at {layer} ({said})")
    };
    Error::system(what, errno)
}
