//! Paths inside a container: hostile, so always resolved below a root descriptor.
use std::collections::VecDeque;
use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use rustix::fs::{
    fchmod, fchown, fstat, mkdirat, mknodat, openat, openat2, readlinkat, FileType, Gid, Mode,
    OFlags, ResolveFlags, Uid,
};
use rustix::io::Errno;

use crate::Error;

/// How often a resolution is tried again that the kernel gave up because something was
/// renamed meanwhile (EAGAIN); a container may rename for ever.
const RENAME_RETRIES: usize = 64;
/// As many symbolic links as the kernel follows in one path.
const LINKS_MAX: usize = 40;

/// The owner and mode of what is made inside a root.
#[derive(Clone, Copy, Debug)]
pub struct Owner {
    pub uid: u32,
    pub gid: u32,
    /// Permission bits; the process's umask does not count.
    pub mode: u32,
}

impl Owner {
    /// Docker's owner and mode for mount points and parents.
    pub const ROOT: Self = Self {
        uid: 0,
        gid: 0,
        mode: 0o755,
    };
}

/// Open a path as the container would, `flags` being those of `open(2)`; links and `..` end
/// at the root. The descriptor is close-on-exec.
pub fn open_in_root(root: impl AsFd, path: &[u8], flags: u32) -> Result<OwnedFd, Error> {
    if path.contains(&0) {
        return Err(Error::Invalid("a path cannot hold a NUL byte".into()));
    }
    resolve(root, path, OFlags::from_bits_retain(flags)).map_err(|errno| Error::at(path, errno))
}

fn resolve(root: impl AsFd, path: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
    let path = if path.is_empty() { b"." } else { path };
    let how = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    for _ in 0..RENAME_RETRIES {
        let opened = openat2(
            root.as_fd(),
            OsStr::from_bytes(path),
            flags | OFlags::CLOEXEC,
            Mode::empty(),
            how,
        );
        match opened {
            Err(Errno::AGAIN | Errno::INTR) => {}
            other => return other,
        }
    }
    Err(Errno::AGAIN)
}

/// `mkdir -p` inside a root; true when the last directory was made by this call. All that
/// are made get the owner, as Docker does for a working directory.
pub fn make_directory_in_root(root: impl AsFd, path: &[u8], owner: Owner) -> Result<bool, Error> {
    let mut walk = Walk::new(root.as_fd(), path, owner)?;
    while walk.step(FileType::Directory)? {}
    Ok(walk.made_last)
}

/// The place a mount goes to: opened, or made when missing (a directory, or an empty file),
/// with the missing directories above it. Opened with `O_PATH`.
pub(crate) fn open_or_make(root: impl AsFd, path: &[u8], kind: FileType) -> Result<OwnedFd, Error> {
    match resolve(&root, path, OFlags::PATH) {
        Err(Errno::NOENT) => {}
        other => return other.map_err(|errno| Error::at(path, errno)),
    }
    let mut walk = Walk::new(root.as_fd(), path, Owner::ROOT)?;
    while walk.step(kind)? {}
    resolve(&root, &walk.done, OFlags::PATH).map_err(|errno| Error::at(path, errno))
}

/// A path on its way from "to be made" to "done", one name at a time. Dangling links are
/// followed by hand, so that what they name is made, below the root.
struct Walk<'a> {
    root: rustix::fd::BorrowedFd<'a>,
    done: Vec<u8>,
    left: VecDeque<Vec<u8>>,
    owner: Owner,
    links: usize,
    made_last: bool,
}

impl<'a> Walk<'a> {
    fn new(root: rustix::fd::BorrowedFd<'a>, path: &[u8], owner: Owner) -> Result<Self, Error> {
        if path.contains(&0) {
            return Err(Error::Invalid("a path cannot hold a NUL byte".into()));
        }
        Ok(Self {
            root,
            done: Vec::new(),
            left: names(path).collect(),
            owner,
            links: 0,
            made_last: false,
        })
    }

    /// Take one name; false when none is left. `last` is what the last one becomes.
    fn step(&mut self, last: FileType) -> Result<bool, Error> {
        let Some(name) = self.left.pop_front() else {
            return Ok(false);
        };
        self.made_last = false;
        let kind = if self.left.is_empty() {
            last
        } else {
            FileType::Directory
        };
        let mut path = self.done.clone();
        path.push(b'/');
        path.extend_from_slice(&name);
        let mut flags = OFlags::PATH;
        flags.set(OFlags::DIRECTORY, kind == FileType::Directory);
        match resolve(self.root, &path, flags) {
            Ok(_) => self.done = path,
            Err(Errno::NOENT) => self.make(&name, path, kind)?,
            Err(errno) => return Err(Error::at(&path, errno)),
        }
        Ok(true)
    }

    fn make(&mut self, name: &[u8], path: Vec<u8>, kind: FileType) -> Result<(), Error> {
        let fail = |errno| Error::at(&path, errno);
        let parent = resolve(self.root, &self.done, OFlags::DIRECTORY).map_err(fail)?;
        let made = if kind == FileType::Directory {
            mkdirat(&parent, name, Mode::from_raw_mode(0o700))
        } else {
            mknodat(
                &parent,
                name,
                FileType::RegularFile,
                Mode::from_raw_mode(0o600),
                0,
            )
        };
        match made {
            Ok(()) => {
                let mut flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                flags.set(OFlags::DIRECTORY, kind == FileType::Directory);
                let new = openat(&parent, name, flags, Mode::empty()).map_err(fail)?;
                self.give_to_owner(&new).map_err(fail)?;
                self.made_last = true;
                self.done = path;
                Ok(())
            }
            Err(Errno::EXIST) => self.follow(&parent, name).map_err(fail),
            Err(errno) => Err(fail(errno)),
        }
    }

    fn give_to_owner(&self, new: &OwnedFd) -> Result<(), Errno> {
        let Owner { uid, gid, mode } = self.owner;
        let stat = fstat(new)?;
        if (stat.st_uid, stat.st_gid) != (uid, gid) {
            fchown(new, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))?;
        }
        fchmod(new, Mode::from_raw_mode(mode))
    }

    /// Absent when followed, present when made: a dangling link, or another's work just now.
    fn follow(&mut self, parent: &OwnedFd, name: &[u8]) -> Result<(), Errno> {
        self.links += 1;
        if self.links > LINKS_MAX {
            return Err(Errno::LOOP);
        }
        let target = match readlinkat(parent, name, Vec::new()) {
            Ok(target) => target.into_bytes(),
            // Not a link: it was made meanwhile; look again.
            Err(Errno::INVAL | Errno::NOENT) => name.to_vec(),
            Err(errno) => return Err(errno),
        };
        if target.first() == Some(&b'/') {
            self.done.clear();
        }
        for part in names(&target).collect::<Vec<_>>().into_iter().rev() {
            self.left.push_front(part);
        }
        Ok(())
    }
}

fn names(path: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
    path.split(|byte| *byte == b'/')
        .filter(|name| !name.is_empty() && *name != b".")
        .map(<[u8]>::to_vec)
}
