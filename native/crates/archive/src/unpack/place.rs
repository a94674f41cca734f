//! Where entries go: the directory of extraction, and the parents of each entry below it.
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;

use rustix::fs::{
    fchmod, fchown, fsetxattr, mkdirat, openat, statat, unlinkat, AtFlags, FileType, Gid, Mode,
    OFlags, Stat, Uid, XattrFlags,
};
use rustix::io::{Errno, Result};

use crate::descent::DIRECTORY;
use crate::error::Error;
use crate::paths::{clean, parts, split_last};
use crate::root::Root;

/// The mode of directories that an archive only implies (moby's `ImpliedDirectoryMode`).
const IMPLIED_MODE: Mode = Mode::from_raw_mode(0o755);
const FOUND: OFlags = OFlags::PATH.union(OFlags::DIRECTORY);

/// Resolves entries against the *root*, with the directory of extraction put before their
/// names: so an absolute link on the way leads where it leads inside the container.
pub(super) struct Place<'fd> {
    root: Root<'fd>,
    /// Clean and absolute, without the last slash: empty for the root.
    base: Vec<u8>,
    layer: bool,
    /// The parent of the entry before: most entries share theirs with it.
    last: Option<(Vec<u8>, Rc<OwnedFd>)>,
}

impl<'fd> Place<'fd> {
    pub(super) fn new(root: Root<'fd>, path: &[u8], layer: bool) -> Place<'fd> {
        let mut base = clean(path);
        if base == b"/" {
            base.clear();
        }
        Place {
            root,
            base,
            layer,
            last: None,
        }
    }

    /// The directory of extraction as it is shown.
    pub(super) fn base(&self) -> &[u8] {
        if self.base.is_empty() {
            b"/"
        } else {
            &self.base
        }
    }

    /// The full path of an entry inside the root.
    pub(super) fn path(&self, name: &[u8]) -> Vec<u8> {
        [self.base.as_slice(), b"/", name].concat()
    }

    /// Forget what was found: a directory was removed.
    pub(super) fn forget(&mut self) {
        self.last = None;
    }

    /// The directory an entry goes into, made if it is missing.
    pub(super) fn parent(&mut self, name: &[u8]) -> std::result::Result<Rc<OwnedFd>, Error> {
        let path = self.path(split_last(name).0);
        if let Some((last, directory)) = &self.last {
            if *last == path {
                return Ok(Rc::clone(directory));
            }
        }
        let found = match self.root.open(&path, FOUND) {
            Err(errno) if self.may_be_made(errno) => self.make(&path),
            result => result,
        };
        let found = found.map_err(|errno| Error::system("mkdir", &path, errno))?;
        let directory = Rc::new(found);
        self.last = Some((path, Rc::clone(&directory)));
        Ok(directory)
    }

    /// As `parent`, but there may be no link on the way: a whiteout removes only what lies
    /// where it says.
    pub(super) fn parent_without_links(
        &mut self,
        name: &[u8],
    ) -> std::result::Result<OwnedFd, Error> {
        self.parent(name)?;
        let path = self.path(split_last(name).0);
        let found = self.root.open_without_links(&path, FOUND);
        found.map_err(|errno| Error::system("open", &path, errno))
    }

    /// The parent of something that must exist, and its name there.
    pub(super) fn existing<'p>(&self, path: &'p [u8]) -> Result<(OwnedFd, &'p [u8])> {
        let (parent, leaf) = split_last(path);
        let parent = if parent.is_empty() { b"/" } else { parent };
        Ok((self.root.open(parent, FOUND)?, leaf))
    }

    /// The directory of extraction itself, to be written to.
    pub(super) fn itself(&self) -> Result<OwnedFd> {
        let path = self.base();
        self.root.open(path, OFlags::RDONLY | OFlags::DIRECTORY)
    }

    fn may_be_made(&self, errno: Errno) -> bool {
        // In a layer a whiteout may lie where a directory is to be.
        errno == Errno::NOENT || self.layer && errno == Errno::NOTDIR
    }

    /// `mkdir -p`, from the deepest directory that exists.
    fn make(&self, path: &[u8]) -> Result<OwnedFd> {
        let names: Vec<&[u8]> = parts(path).collect();
        let mut there = names.len();
        let mut directory = loop {
            there = there.checked_sub(1).ok_or(Errno::NOENT)?;
            let above = [b"/".as_slice(), &names[..there].join(&b'/')].concat();
            match self.root.open(&above, FOUND) {
                Err(errno) if self.may_be_made(errno) => {}
                result => break result?,
            }
        };
        for name in &names[there..] {
            directory = self.make_one(&directory, name)?;
        }
        Ok(directory)
    }

    fn make_one(&self, parent: &OwnedFd, name: &[u8]) -> Result<OwnedFd> {
        let mut opaque = false;
        match mkdirat(parent, name, IMPLIED_MODE) {
            Err(Errno::EXIST) if self.layer && is_whiteout(parent, name) => {
                unlinkat(parent, name, AtFlags::empty())?;
                mkdirat(parent, name, IMPLIED_MODE)?;
                opaque = true;
            }
            // Made by someone else meanwhile, or a link that leads nowhere: then it cannot be opened.
            Err(Errno::EXIST) => return openat(parent, name, DIRECTORY, Mode::empty()),
            result => result?,
        }
        let made = openat(parent, name, DIRECTORY, Mode::empty())?;
        fchown(&made, Some(Uid::ROOT), Some(Gid::ROOT))?;
        fchmod(&made, IMPLIED_MODE)?;
        if opaque {
            make_opaque(&made)?;
        }
        Ok(made)
    }
}

/// Let a directory of a layer hide what lies below it.
pub(super) fn make_opaque(directory: impl AsFd) -> Result<()> {
    fsetxattr(
        directory,
        "trusted.overlay.opaque",
        b"y",
        XattrFlags::empty(),
    )
}

/// Whether something is overlayfs's mark of a removed file.
pub(super) fn is_whiteout(parent: impl AsFd, name: &[u8]) -> bool {
    statat(parent, name, AtFlags::SYMLINK_NOFOLLOW).is_ok_and(|stat| is_whiteout_stat(&stat))
}

pub(super) fn is_whiteout_stat(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice && stat.st_rdev == 0
}
