//! Making each kind of file, in the place of what may lie there.
use std::os::fd::OwnedFd;

use rustix::fs::{
    fstat, ftruncate, linkat, makedev, mkdirat, mknodat, openat, statat, symlinkat, unlinkat,
    AtFlags, FileType, Mode, OFlags,
};
use rustix::io::{pwrite, Errno};

use super::place::{is_whiteout_stat, make_opaque};
use super::ranges::write_range;
use super::remove::remove_tree;
use super::{stream_error, Unpacker};
use crate::descent::DIRECTORY;
use crate::error::{quoted, text, Error};
use crate::paths::{clean, split_last};
use crate::tar::{Entry, Kind, Reader, Segment, Source};

/// How often the way is cleared for an entry when someone inside keeps putting things there.
const ATTEMPTS: u32 = 16;
/// Nodes are made closed to others; their mode comes with their owner.
const PRIVATE: Mode = Mode::from_raw_mode(0o600);
/// What a file has of its mode from the beginning: not what would let it run as its maker.
const FIRST_MODE: Mode = Mode::from_raw_mode(0o777);
/// Linux's `MAJOR` and `MINOR` have 12 and 20 bits.
const MAJOR_MAX: u32 = (1 << 12) - 1;
const MINOR_MAX: u32 = (1 << 20) - 1;

/// What was found where an entry goes.
enum Cleared {
    /// Nothing is there any more.
    Gone,
    /// A layer's whiteout was there.
    Whiteout,
    /// It is a directory, as the entry.
    Directory,
    /// Something is mounted on it.
    Mounted,
}

impl Unpacker<'_> {
    pub(super) fn directory(&mut self, name: &[u8], entry: &Entry) -> Result<(), Error> {
        let path = self.place.path(name);
        let parent = self.place.parent(name)?;
        let leaf = split_last(name).1;
        let failed = |errno| Error::system("mkdir", &path, errno);
        let mut opaque = false;
        let mut result = Err(Errno::EXIST);
        for _ in 0..ATTEMPTS {
            result = mkdirat(&parent, leaf, Mode::RWXU);
            if result != Err(Errno::EXIST) {
                break;
            }
            match self.clear(&parent, leaf, &path, entry)? {
                Cleared::Directory => {
                    result = Ok(());
                    break;
                }
                Cleared::Whiteout => opaque = true,
                Cleared::Mounted => return Err(failed(Errno::BUSY)),
                Cleared::Gone => {}
            }
        }
        result.map_err(failed)?;
        let made = openat(&parent, leaf, DIRECTORY, Mode::empty()).map_err(failed)?;
        if opaque {
            make_opaque(&made).map_err(failed)?;
        }
        self.dress_open(&made, &path, entry)?;
        self.remember_times(name, entry);
        Ok(())
    }

    pub(super) fn regular<R: Source>(
        &mut self,
        name: &[u8],
        entry: &Entry,
        reader: &mut Reader<R>,
    ) -> Result<(), Error> {
        let path = self.place.path(name);
        let parent = self.place.parent(name)?;
        let leaf = split_last(name).1;
        let file = self.open_new(&parent, leaf, &path, entry)?;
        if let Err(error) = write_content(&file, &path, entry, reader) {
            // Half a file would pass for a whole one. One that is mounted stays.
            let _ = unlinkat(&parent, leaf, AtFlags::empty());
            return Err(error);
        }
        self.content_bytes = self.content_bytes.saturating_add(entry.size_bytes);
        self.dress_open(&file, &path, entry)
    }

    pub(super) fn hard_link(&mut self, name: &[u8], entry: &Entry) -> Result<(), Error> {
        let path = self.place.path(name);
        let outside = || {
            let link = quoted(&entry.link);
            Error::System(format!("invalid hardlink {} -> {link}", quoted(&path)))
        };
        // As Docker has it: relative to the directory of extraction, absolute or not.
        let inside = crate::paths::entry_name(&entry.link).ok_or_else(outside)?;
        if inside.is_empty() {
            return Err(outside());
        }
        let target = clean(&self.place.path(&inside));
        let failed = |errno| Error::system("link", &path, errno);
        let parent = self.place.parent(name)?;
        let leaf = split_last(name).1;
        let (target_parent, target_leaf) = self.place.existing(&target).map_err(failed)?;
        let link = || linkat(&target_parent, target_leaf, &parent, leaf, AtFlags::empty());
        for _ in 0..ATTEMPTS {
            match link() {
                Err(Errno::EXIST) => {}
                result => return result.map_err(failed),
            }
            let nofollow = AtFlags::SYMLINK_NOFOLLOW;
            let source = statat(&target_parent, target_leaf, nofollow).map_err(failed)?;
            let there = statat(&parent, leaf, nofollow);
            if there.is_ok_and(|it| (it.st_dev, it.st_ino) == (source.st_dev, source.st_ino)) {
                return Ok(());
            }
            if let Cleared::Mounted = self.clear(&parent, leaf, &path, entry)? {
                return Err(failed(Errno::BUSY));
            }
        }
        Err(failed(Errno::EXIST))
    }

    pub(super) fn symlink(&mut self, name: &[u8], entry: &Entry) -> Result<(), Error> {
        self.named(name, entry, "symlink", |parent, leaf| {
            symlinkat(entry.link.as_slice(), parent, leaf)
        })
    }

    pub(super) fn node(&mut self, name: &[u8], entry: &Entry) -> Result<(), Error> {
        let file_type = match entry.kind {
            Kind::CharacterDevice => FileType::CharacterDevice,
            Kind::BlockDevice => FileType::BlockDevice,
            _ => FileType::Fifo,
        };
        let (major, minor) = entry.device;
        if major > MAJOR_MAX || minor > MINOR_MAX {
            // The kernel would take the lower bits of it for another device.
            let path = text(&self.place.path(name));
            return Err(Error::System(format!(
                "mknod {path}: invalid device {major}:{minor}"
            )));
        }
        let device = makedev(major, minor);
        self.named(name, entry, "mknod", |parent, leaf| {
            mknodat(parent, leaf, file_type, PRIVATE, device)
        })
    }

    /// Make something that is not opened.
    fn named(
        &mut self,
        name: &[u8],
        entry: &Entry,
        doing: &str,
        make: impl Fn(&OwnedFd, &[u8]) -> rustix::io::Result<()>,
    ) -> Result<(), Error> {
        let path = self.place.path(name);
        let parent = self.place.parent(name)?;
        let leaf = split_last(name).1;
        let failed = |errno| Error::system(doing, &path, errno);
        for _ in 0..ATTEMPTS {
            match make(&parent, leaf) {
                Err(Errno::EXIST) => {}
                result => {
                    result.map_err(failed)?;
                    return self.dress_named(&parent, leaf, &path, entry);
                }
            }
            if let Cleared::Mounted = self.clear(&parent, leaf, &path, entry)? {
                return Err(failed(Errno::BUSY));
            }
        }
        Err(failed(Errno::EXIST))
    }

    fn open_new(
        &mut self,
        parent: &OwnedFd,
        leaf: &[u8],
        path: &[u8],
        entry: &Entry,
    ) -> Result<OwnedFd, Error> {
        let failed = |errno| Error::system("open", path, errno);
        let create =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(entry.mode) & FIRST_MODE;
        for _ in 0..ATTEMPTS {
            match openat(parent, leaf, create, mode) {
                Err(Errno::EXIST) => {}
                result => return result.map_err(failed),
            }
            if let Cleared::Mounted = self.clear(parent, leaf, path, entry)? {
                return self.open_mounted(parent, leaf).map_err(failed);
            }
        }
        Err(failed(Errno::EXIST))
    }

    /// A file that is a mount of its own, as `/etc/hosts` is, cannot be replaced: it is
    /// written anew. Docker gives up here, with `device or resource busy`.
    fn open_mounted(&self, parent: &OwnedFd, leaf: &[u8]) -> rustix::io::Result<OwnedFd> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let found = openat(parent, leaf, flags, Mode::empty())?;
        if FileType::from_raw_mode(fstat(&found)?.st_mode) != FileType::RegularFile {
            return Err(Errno::BUSY);
        }
        self.reopener.open(&found, OFlags::WRONLY | OFlags::TRUNC)
    }

    /// Remove what lies where an entry goes, unless both are directories or it is forbidden.
    fn clear(
        &mut self,
        parent: &OwnedFd,
        leaf: &[u8],
        path: &[u8],
        entry: &Entry,
    ) -> Result<Cleared, Error> {
        let failed = |errno| Error::system("remove", path, errno);
        let stat = match statat(parent, leaf, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(Errno::NOENT) => return Ok(Cleared::Gone),
            Err(errno) => return Err(failed(errno)),
        };
        let is_directory = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
        let wants_directory = entry.kind == Kind::Directory;
        if is_directory && wants_directory {
            return Ok(Cleared::Directory);
        }
        if self.options.no_overwrite_dir_non_dir && is_directory != wants_directory {
            let (path, place) = (quoted(path), quoted(self.place.base()));
            return Err(Error::System(if is_directory {
                format!("cannot overwrite directory {path} with non-directory {place}")
            } else {
                format!("cannot overwrite non-directory {path} with directory {place}")
            }));
        }
        if is_directory {
            self.place.forget();
            return match remove_tree(parent, leaf) {
                Err(errno) if errno != Errno::NOENT => Err(failed(errno)),
                _ => Ok(Cleared::Gone),
            };
        }
        match unlinkat(parent, leaf, AtFlags::empty()) {
            Ok(()) if is_whiteout_stat(&stat) && self.options.whiteouts => Ok(Cleared::Whiteout),
            // EISDIR: it has become a directory meanwhile; look again.
            Ok(()) | Err(Errno::NOENT | Errno::ISDIR) => Ok(Cleared::Gone),
            Err(Errno::BUSY) => Ok(Cleared::Mounted),
            Err(errno) => Err(failed(errno)),
        }
    }
}

fn write_content<R: Source>(
    file: &OwnedFd,
    path: &[u8],
    entry: &Entry,
    reader: &mut Reader<R>,
) -> Result<(), Error> {
    let whole = [Segment {
        offset: 0,
        length_bytes: entry.size_bytes,
    }];
    for segment in entry.sparse.as_deref().unwrap_or(&whole) {
        write_segment(file, *segment, path, reader)?;
    }
    if entry.sparse.is_some() {
        let result = ftruncate(file, entry.size_bytes);
        result.map_err(|errno| Error::system("truncate", path, errno))?;
    }
    Ok(())
}

fn write_segment<R: Source>(
    file: &OwnedFd,
    segment: Segment,
    path: &[u8],
    reader: &mut Reader<R>,
) -> Result<(), Error> {
    let mut offset = segment.offset;
    let end = segment.offset + segment.length_bytes;
    while offset < end {
        let range = reader
            .file_range(end - offset)
            .map_err(|error| stream_error(Some(path), error))?;
        if let Some(range) = range {
            write_range(file, offset, &range, path)?;
            offset += range.length_bytes;
            continue;
        }
        let content = reader
            .content()
            .map_err(|error| stream_error(Some(path), error))?;
        let due = usize::try_from(end - offset).unwrap_or(usize::MAX);
        let piece = &content[..content.len().min(due)];
        if piece.is_empty() {
            return Err(Error::system("write", path, Errno::IO));
        }
        match pwrite(file, piece, offset) {
            Ok(0) => return Err(Error::system("write", path, Errno::IO)),
            Ok(written) => {
                reader.consume(written);
                offset += written as u64;
            }
            Err(Errno::INTR) => {}
            Err(errno) => return Err(Error::system("write", path, errno)),
        }
    }
    Ok(())
}
