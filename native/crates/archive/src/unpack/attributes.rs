//! Owner, extended attributes, mode and times, in the order that keeps them: a change of owner
//! takes away setuid and capabilities, so it comes first.
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{
    chmod, chownat, fchmod, fchown, fsetxattr, fstat, futimens, lsetxattr, openat, utimensat,
    AtFlags, Gid, Mode, OFlags, Timespec, Timestamps, Uid, XattrFlags,
};
use rustix::io::{Errno, Result};

use super::Unpacker;
use crate::descent::DIRECTORY;
use crate::error::{text, Error};
use crate::root::own_path;
use crate::tar::{Entry, Kind, Time};

/// Attributes by which overlayfs finds its way between layers: in an archive they are either
/// a mistake or an attempt to reach files of other layers.
const RESERVED: [&[u8]; 2] = [b"trusted.overlay.", b"user.overlay."];

/// As much of directories' names and times is kept for the end, some hundred thousand of them:
/// an archive may have any number, and names as long as it likes.
const KEPT_TIMES_LIMIT_BYTES: usize = 16 << 20;

impl Unpacker<'_> {
    /// Whom an entry is to belong to.
    pub(super) fn owner(&self, entry: &Entry) -> std::result::Result<(Uid, Gid), Error> {
        let header = || {
            let id = |id: i64| u32::try_from(id).ok().filter(|id| *id != u32::MAX);
            id(entry.uid).zip(id(entry.gid))
        };
        let (uid, gid) = self.options.owner.or_else(header).ok_or_else(|| {
            let (uid, gid) = (entry.uid, entry.gid);
            Error::System(format!(
                "lchown {}: invalid owner {uid}:{gid}",
                text(&entry.name)
            ))
        })?;
        Ok((Uid::from_raw(uid), Gid::from_raw(gid)))
    }

    /// Dress an open file or directory; its times only if it is a file.
    pub(super) fn dress_open(
        &self,
        file: &OwnedFd,
        path: &[u8],
        entry: &Entry,
    ) -> std::result::Result<(), Error> {
        let failed = |doing| move |errno| Error::system(doing, path, errno);
        let (uid, gid) = self.owner(entry)?;
        // Most are as they are to be by now: a look is cheaper than two changes.
        let stat = fstat(file).map_err(failed("stat"))?;
        let owned = (stat.st_uid, stat.st_gid) == (uid.as_raw(), gid.as_raw());
        if !owned {
            fchown(file, Some(uid), Some(gid)).map_err(failed("lchown"))?;
        }
        for (name, value) in settable(entry) {
            let result = fsetxattr(file, name, value, XattrFlags::empty());
            tolerate(result).map_err(failed("setxattr"))?;
        }
        let mode = Mode::from_raw_mode(entry.mode);
        if !owned || !entry.xattrs.is_empty() || Mode::from_raw_mode(stat.st_mode) != mode {
            fchmod(file, mode).map_err(failed("chmod"))?;
        }
        if entry.kind != Kind::Directory {
            let result = futimens(file, &timestamps(entry));
            result.map_err(|errno| Error::system("utimensat", path, errno))?;
        }
        Ok(())
    }

    /// Dress what cannot be opened: a link or a node, by its name in its directory.
    pub(super) fn dress_named(
        &self,
        parent: &OwnedFd,
        leaf: &[u8],
        path: &[u8],
        entry: &Entry,
    ) -> std::result::Result<(), Error> {
        let failed = |doing| move |errno| Error::system(doing, path, errno);
        let (uid, gid) = self.owner(entry)?;
        let nofollow = AtFlags::SYMLINK_NOFOLLOW;
        chownat(parent, leaf, Some(uid), Some(gid), nofollow).map_err(failed("lchown"))?;
        for (name, value) in settable(entry) {
            let own = [&own_path(parent), b"/".as_slice(), leaf].concat();
            let result = lsetxattr(own, name, value, XattrFlags::empty());
            tolerate(result).map_err(failed("setxattr"))?;
        }
        if entry.kind != Kind::Symlink {
            let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let found = openat(parent, leaf, flags, Mode::empty()).map_err(failed("chmod"))?;
            let mode = Mode::from_raw_mode(entry.mode);
            chmod(own_path(found.as_fd()), mode).map_err(failed("chmod"))?;
        }
        utimensat(parent, leaf, &timestamps(entry), nofollow).map_err(failed("utimensat"))
    }

    /// The directory of extraction itself takes what the archive says of `./`.
    pub(super) fn merge_place(&mut self, entry: &Entry) -> std::result::Result<(), Error> {
        let path = self.place.base().to_vec();
        let itself = self.place.itself();
        let itself = itself.map_err(|errno| Error::system("open", &path, errno))?;
        self.dress_open(&itself, &path, entry)?;
        self.remember_times(b"", entry);
        Ok(())
    }

    /// Keep a directory's times for the end. Where that is too much to keep, only those of the
    /// directories above are: archives are written depth first, and who writes them otherwise
    /// loses the times of directories that more goes into.
    pub(super) fn remember_times(&mut self, name: &[u8], entry: &Entry) {
        let times = timestamps(entry);
        if self.directory_times.insert(name.to_vec(), times).is_none() {
            self.kept_times_bytes += kept_bytes(name);
        }
        if self.kept_times_bytes > KEPT_TIMES_LIMIT_BYTES {
            self.set_directory_times(|kept| name.starts_with(kept));
        }
    }

    /// Set the times of the directories, but of those to be kept. One that has gone meanwhile
    /// needs none.
    pub(super) fn set_directory_times(&mut self, keep: impl Fn(&[u8]) -> bool) {
        self.kept_times_bytes = 0;
        for (name, times) in std::mem::take(&mut self.directory_times) {
            if keep(&name) {
                self.kept_times_bytes += kept_bytes(&name);
                self.directory_times.insert(name, times);
            } else {
                let _ = self.set_times(&name, &times);
            }
        }
    }

    fn set_times(&self, name: &[u8], times: &Timestamps) -> Result<()> {
        if name.is_empty() {
            return futimens(self.place.itself()?, times);
        }
        let path = self.place.path(name);
        let (parent, leaf) = self.place.existing(&path)?;
        futimens(openat(parent, leaf, DIRECTORY, Mode::empty())?, times)
    }
}

fn kept_bytes(name: &[u8]) -> usize {
    size_of::<(Vec<u8>, Timestamps)>() + name.len()
}

fn settable(entry: &Entry) -> impl Iterator<Item = (&[u8], &[u8])> {
    entry
        .xattrs
        .iter()
        .filter(|(name, _)| !RESERVED.iter().any(|reserved| name.starts_with(reserved)))
        .map(|(name, value)| (name.as_slice(), value.as_slice()))
}

/// EPERM is what a restricted host says to attributes it reserves; Docker goes on, too.
fn tolerate(result: Result<()>) -> Result<()> {
    match result {
        Err(Errno::PERM) => Ok(()),
        other => other,
    }
}

/// The later of both times as access time, nothing before 1970 (moby's `boundTime`).
fn timestamps(entry: &Entry) -> Timestamps {
    let bounded = |time: Time| {
        if time.seconds < 0 {
            Time::default()
        } else {
            time
        }
    };
    let modified = bounded(entry.mtime);
    let accessed = entry
        .atime
        .map_or(modified, |atime| bounded(atime).max(modified));
    let spec = |time: Time| Timespec {
        tv_sec: time.seconds,
        tv_nsec: i64::from(time.nanoseconds),
    };
    Timestamps {
        last_access: spec(accessed),
        last_modification: spec(modified),
    }
}
