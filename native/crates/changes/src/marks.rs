//! The extended attributes in which overlayfs writes down what a directory hides or joins.
//!
//! The kernel heeds one set of names only: `trusted.overlay.*`, which no container can write,
//! or with the mount option `userxattr`, for engines without privilege, `user.overlay.*`.
use std::ffi::CStr;
use std::os::fd::AsFd;

use rustix::fs::fgetxattr;
use rustix::io::Errno;

use crate::attributes::lgetxattr_at;

/// Which set of names the layers were mounted with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marks {
    Trusted,
    User,
}

/// What a directory of a layer says of the layers below it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct DirectoryMarks {
    /// Nothing below shows through.
    pub opaque: bool,
    /// Some files in it are whiteouts by an attribute of their own.
    pub attribute_whiteouts: bool,
    /// The layers below hold it under this name (or path, from their roots).
    pub redirect: Option<Vec<u8>>,
}

/// A redirect is a path.
const REDIRECT_MAX_BYTES: usize = 4096;

impl Marks {
    /// Those that the kernel heeds when this process mounts: the trusted ones can only be
    /// had with privilege over the whole machine, which a user namespace takes away.
    pub fn of_this_process() -> Self {
        let whole_machine = std::fs::read_to_string("/proc/self/uid_map")
            .is_ok_and(|map| map.split_whitespace().eq(["0", "0", "4294967295"]));
        if whole_machine && rustix::process::geteuid().is_root() {
            Self::Trusted
        } else {
            Self::User
        }
    }

    pub(crate) fn read(self, directory: impl AsFd) -> Result<DirectoryMarks, Errno> {
        let [opaque, redirect, _] = self.names();
        let mut value = [0; REDIRECT_MAX_BYTES];
        let length = present(fgetxattr(&directory, opaque, &mut value))?;
        let letter = length.map(|length| &value[..length]);
        let mut marks = DirectoryMarks {
            opaque: letter == Some(b"y"),
            attribute_whiteouts: letter == Some(b"x"),
            redirect: None,
        };
        // With `userxattr` the kernel follows no redirect: a container could write one.
        if !marks.opaque && self == Self::Trusted {
            let length = present(fgetxattr(&directory, redirect, &mut value))?;
            marks.redirect = length.map(|length| value[..length].to_vec());
        }
        Ok(marks)
    }

    /// Whether an (empty, regular) file is a whiteout.
    pub(crate) fn is_whiteout(self, directory: impl AsFd, name: &[u8]) -> Result<bool, Errno> {
        let [_, _, whiteout] = self.names();
        Ok(present(lgetxattr_at(directory, name, whiteout, &mut [0; 8]))?.is_some())
    }

    fn names(self) -> [&'static CStr; 3] {
        match self {
            Self::Trusted => [
                c"trusted.overlay.opaque",
                c"trusted.overlay.redirect",
                c"trusted.overlay.whiteout",
            ],
            Self::User => [
                c"user.overlay.opaque",
                c"user.overlay.redirect",
                c"user.overlay.whiteout",
            ],
        }
    }
}

/// The length of an attribute that may be missing; one longer than any the kernel writes is
/// not the kernel's.
fn present(length: Result<usize, Errno>) -> Result<Option<usize>, Errno> {
    match length {
        Ok(length) => Ok(Some(length)),
        Err(Errno::NODATA | Errno::OPNOTSUPP | Errno::RANGE | Errno::NOENT) => Ok(None),
        Err(errno) => Err(errno),
    }
}
