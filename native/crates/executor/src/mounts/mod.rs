//! The plan's mounts: sources opened on the host before there is a process, targets opened inside the root after.

mod binds;
mod cgroups;
mod copy_up;
pub(crate) mod options;

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::cgroup::Cgroup;
use crate::paths::{make_in_root, open_in_root, open_without_links, Missing};
use crate::spec::{Mount, Spec};
use crate::sys::{self, FileSystem, MountAttributes};
use crate::Error;
use cgroups::CgroupView;
use options::MountOptions;

/// What Docker says when a file meets a directory, after which clients look.
const TYPE_MISMATCH: &str = "Are you trying to mount a directory onto a file (or vice-versa)? \
    Check if the specified host path exists and is the expected type";

/// The kernel's own, for a tmpfs that is told nothing.
const TMPFS_MODE: u32 = 0o1777;

/// One mount, with what has to be opened as the host.
#[derive(Debug)]
struct Prepared<'a> {
    mount: &'a Mount,
    options: MountOptions,
    source: Source,
}

#[derive(Debug)]
enum Source {
    /// A detached copy of a place of the host, and what its mount point has to be.
    Bind(OwnedFd, Missing),
    Cgroups(CgroupView),
    /// A file system of its own, which has to be made inside the namespaces that it shows.
    New,
}

/// Every mount of a container.
#[derive(Debug)]
pub(crate) struct Mounts<'a> {
    prepared: Vec<Prepared<'a>>,
    label: &'a str,
}

impl<'a> Mounts<'a> {
    /// Opens the sources. Runs in the parent, so that a container's ids or namespaces never decide what it may reach.
    pub(crate) fn prepare(spec: &'a Spec, cgroup: &Cgroup) -> Result<Self, Error> {
        let prepare = |mount: &'a Mount| -> Result<Prepared<'a>, Error> {
            let options = MountOptions::parse(&mount.kind, &mount.options)?;
            let source = if options.is_bind {
                let (tree, kind) = binds::open(&mount.source, &options).map_err(Error::system(
                    format!("error mounting {:?}: open the source", mount.source),
                ))?;
                Source::Bind(tree, kind)
            } else if mount.kind == "cgroup" || mount.kind == "cgroup2" {
                let own_namespace = spec.linux.has_namespace("cgroup");
                Source::Cgroups(
                    CgroupView::new(cgroup, own_namespace)
                        .map_err(|error| failure(mount, error))?,
                )
            } else {
                Source::New
            };
            Ok(Prepared {
                mount,
                options,
                source,
            })
        };
        let prepared = spec.mounts.iter().map(prepare).collect::<Result<_, _>>()?;
        Ok(Self {
            prepared,
            label: &spec.linux.mount_label,
        })
    }

    /// Makes the mounts below `root`, in order. Runs in the child. Gives the mounts that are to become read-only once
    /// everything has been made in them.
    pub(crate) fn make(&self, root: BorrowedFd) -> Result<Vec<OwnedFd>, Error> {
        let mut read_only_later = Vec::new();
        for prepared in &self.prepared {
            let later = prepared
                .make(root, self.label)
                .map_err(|error| failure(prepared.mount, error))?;
            read_only_later.extend(later);
        }
        Ok(read_only_later)
    }

    /// Whether `/dev` is the host's own affair: a bind there is to show what the source holds, no more.
    pub(crate) fn binds_dev(&self) -> bool {
        let is_dev =
            |prepared: &Prepared| prepared.mount.destination.trim_end_matches('/') == "/dev";
        self.prepared
            .iter()
            .any(|prepared| prepared.options.is_bind && is_dev(prepared))
    }
}

/// Makes the mounts given by [`Mounts::make`] read-only.
pub(crate) fn make_read_only(mounts: &[OwnedFd]) -> Result<(), Error> {
    for mount in mounts {
        set_read_only(mount.as_fd()).map_err(Error::system("remount read-only"))?;
    }
    Ok(())
}

/// Refuses writes through this mount.
pub(crate) fn set_read_only(mount: BorrowedFd) -> io::Result<()> {
    let read_only = MountAttributes {
        set: sys::MOUNT_ATTR_RDONLY,
        ..Default::default()
    };
    sys::set_attributes(mount, &read_only, false)
}

fn failure(mount: &Mount, error: io::Error) -> Error {
    let what = format!(
        "error mounting {:?} to rootfs at {:?}",
        mount.source, mount.destination
    );
    if error.raw_os_error() == Some(libc::ENOTDIR) {
        return Error::Spec(format!("{what}: not a directory: {TYPE_MISMATCH}"));
    }
    Error::System(what, error)
}

impl Prepared<'_> {
    fn make(&self, root: BorrowedFd, label: &str) -> io::Result<Option<OwnedFd>> {
        let destination = self.mount.destination.as_bytes();
        match &self.source {
            Source::Bind(tree, kind) => {
                let target = make_in_root(root, destination, *kind)?;
                let is_directory =
                    sys::status(target.as_fd())?.st_mode & libc::S_IFMT == libc::S_IFDIR;
                if is_directory != (*kind == Missing::Directory) {
                    // What mount(2) answers; move_mount would say EINVAL.
                    return Err(io::Error::from_raw_os_error(libc::ENOTDIR));
                }
                sys::attach(tree, target.as_fd())?;
                Ok(None)
            }
            Source::Cgroups(view) => {
                let target = make_in_root(root, destination, Missing::Directory)?;
                view.make(target.as_fd(), &self.options)?;
                Ok(None)
            }
            Source::New => self.make_new(root, label),
        }
    }

    fn make_new(&self, root: BorrowedFd, label: &str) -> io::Result<Option<OwnedFd>> {
        let kind = self.mount.kind.as_str();
        let destination = self.mount.destination.as_bytes();
        let mode = match kind {
            "tmpfs" => mode_of(root, destination)?,
            _ => None,
        };
        let mut target = make_in_root(root, destination, Missing::Directory)?;
        if kind == "tmpfs" && mode.is_none() {
            // What a restart of the container finds here must look as this start's tmpfs does.
            sys::change_mode(target.as_fd(), b".", TMPFS_MODE)?;
        }
        if matches!(kind, "proc" | "sysfs") {
            // A link in the image could put them elsewhere, and what is masked or written below would be another's
            // file (CVE-2019-19921, CVE-2023-27561).
            target = open_without_links(root, destination, libc::O_PATH)?;
        }
        let later = kind == "tmpfs" && self.options.is_read_only();
        let tree = self.file_system(label, mode, later)?;
        if self.options.copies_up && kind == "tmpfs" {
            copy_up::copy(target.as_fd(), tree.as_fd())?;
        }
        for (propagation, recursive) in &self.options.propagation {
            set_propagation(tree.as_fd(), *propagation, *recursive)?;
        }
        sys::attach(&tree, target.as_fd())?;
        Ok(later.then_some(tree))
    }

    /// The file system, detached. `mode` is its root's, unless the options have one; `writable` leaves out `ro` for now.
    fn file_system(&self, label: &str, mode: Option<u32>, writable: bool) -> io::Result<OwnedFd> {
        let kind = self.mount.kind.as_str();
        let file_system = FileSystem::open(kind)?;
        file_system.set("source", self.mount.source.as_bytes())?;
        let takes_label = !matches!(kind, "proc" | "sysfs" | "mqueue");
        if takes_label && !label.is_empty() {
            file_system.set("context", label.as_bytes())?;
        }
        if let Some(mode) = mode {
            file_system.set("mode", format!("{mode:o}").as_bytes())?;
        }
        // Of two values of an option the later counts.
        for (name, value) in &self.options.data {
            match value {
                Some(value) => file_system.set(name, value.as_bytes())?,
                None => file_system.set_flag(name)?,
            }
        }
        let mut attributes = self.options.attributes.set | self.options.recursive_attributes.set;
        if writable {
            attributes &= !sys::MOUNT_ATTR_RDONLY;
        } else if self.options.is_read_only() {
            file_system.set_flag("ro")?;
        }
        file_system.mount(attributes)
    }
}

/// The mode of the place that a tmpfs is to cover and looks like, as runc has it; none where it has yet to be made.
fn mode_of(root: BorrowedFd, destination: &[u8]) -> io::Result<Option<u32>> {
    match open_in_root(root, destination, libc::O_PATH) {
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(None),
        found => Ok(Some(sys::status(found?.as_fd())?.st_mode & 0o7777)),
    }
}

/// Changes how a mount passes mounts on.
pub(crate) fn set_propagation(
    mount: BorrowedFd,
    propagation: u64,
    recursive: bool,
) -> io::Result<()> {
    let attributes = MountAttributes {
        propagation,
        ..Default::default()
    };
    sys::set_attributes(mount, &attributes, recursive)
}
