//! `/dev`: the nodes every container has, those its plan adds, and the links that programs expect.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::paths::{make_directories_in_root, make_in_root, open_in_root, Missing};
use crate::spec::Device;
use crate::{sys, Error};

/// What the OCI specification gives every container: name, major, minor.
const DEFAULT_DEVICES: &[(&str, u32, u32)] = &[
    ("null", 1, 3),
    ("zero", 1, 5),
    ("full", 1, 7),
    ("random", 1, 8),
    ("urandom", 1, 9),
    ("tty", 5, 0),
];

const LINKS: &[(&[u8], &[u8])] = &[
    (b"fd", b"/proc/self/fd"),
    (b"stdin", b"/proc/self/fd/0"),
    (b"stdout", b"/proc/self/fd/1"),
    (b"stderr", b"/proc/self/fd/2"),
    (b"ptmx", b"pts/ptmx"),
];

/// The devices of one container.
#[derive(Debug)]
pub(crate) struct Devices {
    nodes: Vec<Node>,
}

#[derive(Debug)]
struct Node {
    device: Device,
    /// In a user namespace nobody may make device nodes: the host's own is bound, opened as the host.
    host: Option<OwnedFd>,
}

impl Devices {
    pub(crate) fn prepare(planned: &[Device], in_user_namespace: bool) -> Result<Self, Error> {
        let mut devices: Vec<Device> = planned
            .iter()
            .filter(|device| device.path != "/dev/ptmx")
            .cloned()
            .collect();
        for (name, major, minor) in DEFAULT_DEVICES {
            let path = format!("/dev/{name}");
            if !devices.iter().any(|device| device.path == path) {
                let (kind, uid, gid) = ("c".into(), Some(0), Some(0));
                devices.push(Device {
                    path,
                    kind,
                    major: *major,
                    minor: *minor,
                    file_mode: Some(0o666),
                    uid,
                    gid,
                });
            }
        }
        let open = |device: Device| -> Result<Node, Error> {
            let host = in_user_namespace
                .then(|| sys::clone_tree(sys::working_directory(), device.path.as_bytes(), false))
                .transpose()
                .map_err(|error| failure(&device, error))?;
            Ok(Node { device, host })
        };
        Ok(Self {
            nodes: devices.into_iter().map(open).collect::<Result<_, _>>()?,
        })
    }

    /// Makes nodes and links below `root`. The umask must be 0.
    pub(crate) fn make(&self, root: BorrowedFd) -> Result<(), Error> {
        for node in &self.nodes {
            node.make(root)
                .map_err(|error| failure(&node.device, error))?;
        }
        make_links(root).map_err(Error::system("make the links of /dev"))
    }
}

fn failure(device: &Device, error: io::Error) -> Error {
    Error::System(format!("error creating device {:?}", device.path), error)
}

impl Node {
    fn make(&self, root: BorrowedFd) -> io::Result<()> {
        let Device {
            path,
            major,
            minor,
            file_mode,
            uid,
            gid,
            ..
        } = &self.device;
        if let Some(host) = &self.host {
            let target = make_in_root(root, path.as_bytes(), Missing::File)?;
            return sys::attach(host, target.as_fd());
        }
        let (directory, name) = path.rsplit_once('/').ok_or(io::ErrorKind::InvalidInput)?;
        let directory = make_directories_in_root(root, directory.as_bytes())?;
        let kind = match self.device.kind.as_str() {
            "c" | "u" => libc::S_IFCHR,
            "b" => libc::S_IFBLK,
            "p" => libc::S_IFIFO,
            _ => return Err(io::ErrorKind::InvalidInput.into()),
        };
        let mode = kind | file_mode.unwrap_or(0o666) & 0o7777;
        match sys::make_node(
            directory.as_fd(),
            name.as_bytes(),
            mode,
            libc::makedev(*major, *minor),
        ) {
            // The image, or an earlier mount, has one.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(error),
            Ok(()) if uid.unwrap_or(0) == 0 && gid.unwrap_or(0) == 0 => Ok(()),
            Ok(()) => sys::change_owner(directory.as_fd(), name.as_bytes(), *uid, *gid),
        }
    }
}

fn make_links(root: BorrowedFd) -> io::Result<()> {
    let dev = open_in_root(root, b"/dev", libc::O_PATH | libc::O_DIRECTORY)?;
    for (name, target) in LINKS {
        make_link(dev.as_fd(), name, target)?;
    }
    // As runc: the kernel's memory image, where /proc shows one.
    if open_in_root(root, b"/proc/kcore", libc::O_PATH).is_ok() {
        make_link(dev.as_fd(), b"core", b"/proc/kcore")?;
    }
    Ok(())
}

fn make_link(directory: BorrowedFd, name: &[u8], target: &[u8]) -> io::Result<()> {
    match sys::make_symlink(directory, name, target) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        answer => answer,
    }
}
