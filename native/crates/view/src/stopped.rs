//! Mounting the layers of a container that does not run.
use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{fstat, open, FileType, Mode, OFlags, CWD};
use rustix::io::Errno;
use rustix::mount::{
    mount, mount_change, move_mount, open_tree, MountFlags, MountPropagationFlags, MoveMountFlags,
    OpenTreeFlags,
};
use rustix::thread::UnshareFlags;

use crate::overlay::Layers;
use crate::{inside, overlay, private, sys, Error, View};

/// Something of the host put into the tree.
#[derive(Clone, Debug)]
pub struct Mount {
    /// A path of the host: a directory or anything else.
    pub source: Vec<u8>,
    /// A path inside, resolved below the container's root and made when missing.
    pub destination: Vec<u8>,
    pub read_only: bool,
}

impl Mount {
    fn error(&self, doing: &str, errno: Errno) -> Error {
        let source = String::from_utf8_lossy(&self.source);
        let destination = String::from_utf8_lossy(&self.destination);
        Error::system(format!("{doing} {source} for {destination}"), errno)
    }
}

/// Mount a container's layers with `mounts` on top, attached nowhere.
///
/// The caller sees to it that no other mount of this upper directory exists meanwhile but
/// those of views; overlayfs calls two at once undefined. So a view `beside` another one shows
/// that one's layers, once mounted, anew (before Linux 6.15 they are mounted twice after all).
pub fn stopped(
    layers: Layers<'_>,
    mounts: &[Mount],
    read_only: bool,
    beside: Option<BorrowedFd<'_>>,
) -> Result<View, Error> {
    let shared = beside.map(overlay::clone_detached).transpose()?.flatten();
    let root = match shared {
        None => overlay::mount_detached(&layers)?,
        shared => shared,
    };
    if let Some(root) = root {
        match put_mounts(&root, &clone_sources(mounts)?) {
            Ok(()) => return finish(root, None, read_only),
            // Mounting onto a detached tree needs Linux 6.15.
            Err(Error::System {
                errno: Errno::INVAL,
                ..
            }) => {}
            Err(error) => return Err(error),
        }
    }
    stopped_in_namespace(layers, mounts, read_only)
}

fn finish(root: OwnedFd, namespace: Option<OwnedFd>, read_only: bool) -> Result<View, Error> {
    if read_only {
        sys::make_read_only(&root)
            .map_err(|errno| Error::system("make the container's root read-only", errno))?;
    }
    Ok(View {
        root,
        _namespace: namespace,
    })
}

/// Clones of what is to be mounted, detached, with the places they go to.
fn clone_sources(mounts: &[Mount]) -> Result<Vec<(OwnedFd, &Mount)>, Error> {
    let clone = |one| Ok((clone_source(one)?, one));
    mounts.iter().map(clone).collect()
}

fn clone_source(one: &Mount) -> Result<OwnedFd, Error> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_RECURSIVE;
    let source = open_tree(CWD, OsStr::from_bytes(&one.source), flags)
        .map_err(|errno| one.error("clone", errno))?;
    sys::seal_tree(&source, one.read_only).map_err(|errno| one.error("seal", errno))?;
    Ok(source)
}

fn put_mounts(root: impl AsFd, mounts: &[(OwnedFd, &Mount)]) -> Result<(), Error> {
    for (source, one) in mounts {
        let stat = fstat(source).map_err(|errno| one.error("look at", errno))?;
        let kind = match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => FileType::Directory,
            _ => FileType::RegularFile,
        };
        let place = inside::open_or_make(&root, &one.destination, kind)?;
        let flags =
            MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
        move_mount(source, "", &place, "", flags).map_err(|errno| one.error("mount", errno))?;
    }
    Ok(())
}

/// The way of older kernels: the same tree, in a mount namespace of a thread of its own,
/// over the directory that holds the upper one. The namespace lives as long as the view.
fn stopped_in_namespace(
    layers: Layers<'_>,
    mounts: &[Mount],
    read_only: bool,
) -> Result<View, Error> {
    private::on_own_thread(|| {
        let fail = |what: &str| {
            let what = format!("{what} for a view");
            move |errno| Error::system(what, errno)
        };
        sys::unshare_thread(UnshareFlags::FS | UnshareFlags::NEWNS)
            .map_err(fail("make a mount namespace"))?;
        let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
        mount_change("/", private).map_err(fail("make the mounts private"))?;
        // Before the mount below hides the container's own directory.
        let sources = clone_sources(mounts)?;
        let upper = Path::new(OsStr::from_bytes(layers.upper));
        let place = upper.parent().unwrap_or(Path::new("/"));
        mount_as_string(&layers, place)?;
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = open(place, flags, Mode::empty()).map_err(fail("open the layers"))?;
        put_mounts(&root, &sources)?;
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let namespace = open("/proc/thread-self/ns/mnt", flags, Mode::empty())
            .map_err(fail("keep the mount namespace"))?;
        finish(root, Some(namespace), read_only)
    })
}

/// Layers by descriptor: a page is all the options may take, and the paths in `/proc` are
/// short. `:` and `\` in a layer's own path need no escaping this way either.
fn mount_as_string(layers: &Layers<'_>, place: &Path) -> Result<(), Error> {
    let open_layer = |path: &Vec<u8>| {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        open(OsStr::from_bytes(path), flags, Mode::empty())
            .map_err(|errno| Error::system(String::from_utf8_lossy(path), errno))
    };
    let by_descriptor = |layer: &OwnedFd| {
        let number = std::os::fd::AsRawFd::as_raw_fd(layer);
        format!("/proc/self/fd/{number}")
    };
    let lower: Vec<OwnedFd> = layers
        .lower
        .iter()
        .map(open_layer)
        .collect::<Result<_, _>>()?;
    let upper = open_layer(&layers.upper.to_vec())?;
    let work = open_layer(&layers.work.to_vec())?;
    let lower: Vec<String> = lower.iter().map(by_descriptor).collect();
    let options = format!(
        "lowerdir={},upperdir={},workdir={}",
        lower.join(":"),
        by_descriptor(&upper),
        by_descriptor(&work)
    );
    let options = std::ffi::CString::new(options)
        .map_err(|_| Error::Invalid("a layer's path holds a NUL byte".into()))?;
    mount(
        "overlay",
        place,
        "overlay",
        MountFlags::NODEV | MountFlags::NOATIME,
        options.as_c_str(),
    )
    .map_err(|errno| Error::system("mount the layers", errno))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd;

    /// The way of older kernels is never taken where the tests run, so it is called by name.
    #[test]
    fn a_namespace_of_its_own_shows_the_same() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let name = format!("drayman-view-{}", std::process::id());
        let base = std::env::temp_dir().join(name);
        let path = |name: &str| base.join(name).into_os_string().into_encoded_bytes();
        for name in ["lower:1", "lower,2", "upper", "work", "volume"] {
            std::fs::create_dir_all(base.join(name)).unwrap();
        }
        std::fs::write(base.join("lower:1/file"), "below").unwrap();
        std::fs::write(base.join("volume/file"), "on top").unwrap();
        let lower = [path("lower:1"), path("lower,2")];
        let (upper, work) = (path("upper"), path("work"));
        let layers = Layers {
            lower: &lower,
            upper: &upper,
            work: &work,
        };
        let mounts = [Mount {
            source: path("volume"),
            destination: b"/data".to_vec(),
            read_only: true,
        }];
        let view = stopped_in_namespace(layers, &mounts, false).unwrap();
        let inside = format!("/proc/self/fd/{}", view.as_raw_fd());
        let read = |name: &str| std::fs::read_to_string(format!("{inside}/{name}")).unwrap();
        assert_eq!(read("file"), "below");
        assert_eq!(read("data/file"), "on top");
        std::fs::write(format!("{inside}/new"), "").unwrap();
        assert!(std::fs::write(format!("{inside}/data/new"), "").is_err());
        drop(view);
        assert!(base.join("upper/new").exists());
        std::fs::remove_dir_all(&base).unwrap();
    }
}
