//! `/sys/fs/cgroup` as the container sees it: its own cgroup as the top of each tree.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use super::options::MountOptions;
use crate::cgroup::{Cgroup, CgroupMode};
use crate::sys::{self, FileSystem, MountAttributes};

/// What is to be mounted for each tree.
#[derive(Debug)]
pub(super) enum CgroupView {
    /// The one v2 tree.
    Unified(TreeSource),
    /// A tmpfs with a directory for each v1 tree.
    Split(Vec<Tree>),
}

#[derive(Debug)]
pub(super) struct Tree {
    name: String,
    controllers: Vec<String>,
    source: TreeSource,
}

#[derive(Debug)]
pub(super) enum TreeSource {
    /// Mounted inside a cgroup namespace, it shows that namespace's part alone.
    OwnNamespace,
    /// Without one, the container's directory is bound there.
    Host(OwnedFd),
}

impl CgroupView {
    pub(super) fn new(cgroup: &Cgroup, own_namespace: bool) -> io::Result<Self> {
        let mut trees = Vec::new();
        for hierarchy in &cgroup.hierarchies {
            let source = if own_namespace {
                TreeSource::OwnNamespace
            } else {
                let path = hierarchy.directory.as_os_str().as_bytes();
                let tree = sys::clone_tree(sys::working_directory(), path, true)?;
                super::set_propagation(tree.as_fd(), libc::MS_SLAVE, true)?;
                TreeSource::Host(tree)
            };
            let (name, controllers) = (hierarchy.name.clone(), hierarchy.controllers.clone());
            trees.push(Tree {
                name,
                controllers,
                source,
            });
        }
        match (cgroup.mode, trees.pop()) {
            (CgroupMode::V2, Some(tree)) => Ok(Self::Unified(tree.source)),
            (_, last) => {
                trees.extend(last);
                Ok(Self::Split(trees))
            }
        }
    }

    pub(super) fn make(&self, target: BorrowedFd, options: &MountOptions) -> io::Result<()> {
        let attributes = options.attributes;
        match self {
            Self::Unified(source) => source.attach(target, "cgroup2", &[], &attributes),
            Self::Split(trees) => {
                let directory = FileSystem::open("tmpfs")?;
                directory.set("source", b"tmpfs")?;
                directory.set("mode", b"755")?;
                let nothing =
                    sys::MOUNT_ATTR_NOSUID | sys::MOUNT_ATTR_NODEV | sys::MOUNT_ATTR_NOEXEC;
                let directory = directory.mount(nothing)?;
                sys::attach(&directory, target)?;
                for tree in trees {
                    tree.make(directory.as_fd(), &attributes)?;
                }
                sys::set_attributes(directory.as_fd(), &attributes, false)
            }
        }
    }
}

impl Tree {
    fn make(&self, directory: BorrowedFd, attributes: &MountAttributes) -> io::Result<()> {
        let name = self.name.as_bytes();
        sys::make_directory(directory, name, 0o755)?;
        let target = sys::open_how(directory, name, libc::O_PATH | libc::O_NOFOLLOW, 0, 0)?;
        self.source
            .attach(target.as_fd(), "cgroup", &self.controllers, attributes)?;
        for controller in &self.controllers {
            // Where `cpu,cpuacct` is one tree, each is looked for by its own name as well.
            if !controller.contains('=') && *controller != self.name {
                sys::make_symlink(directory, controller.as_bytes(), name)?;
            }
        }
        Ok(())
    }
}

impl TreeSource {
    fn attach(
        &self,
        target: BorrowedFd,
        kind: &str,
        controllers: &[String],
        attributes: &MountAttributes,
    ) -> io::Result<()> {
        let tree = match self {
            Self::Host(tree) => {
                sys::set_attributes(tree.as_fd(), attributes, false)?;
                return sys::attach(tree, target);
            }
            Self::OwnNamespace => {
                let tree = FileSystem::open(kind)?;
                tree.set("source", b"cgroup")?;
                for controller in controllers {
                    match controller.split_once('=') {
                        Some((_, name)) => {
                            tree.set_flag("none")?;
                            tree.set("name", name.as_bytes())?;
                        }
                        None => tree.set_flag(controller)?,
                    }
                }
                tree.mount(attributes.set)?
            }
        };
        sys::attach(&tree, target)
    }
}
