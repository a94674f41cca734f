//! Looking at what is no directory: its facts, and its content if that is small.
use std::ops::Range;
use std::os::fd::OwnedFd;

use rustix::fs::{
    fgetxattr, fstat, openat, openat2, readlinkat, FileType, Mode, OFlags, ResolveFlags, Stat,
};
use rustix::io::{pread, Errno, Result};

use super::walk::Named;
use crate::header::{Record, CAPABILITY};
use crate::root::Reopener;

/// Files up to this size are read and gathered with their neighbours; larger ones go from
/// file to socket inside the kernel.
pub(super) const GATHERED_BYTES: usize = 128 << 10;
/// What `st_blocks` counts.
const STAT_BLOCK_BYTES: u64 = 512;

const FOUND: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
const READ: OFlags = OFlags::RDONLY
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// What the kernel shows under a name.
pub(super) enum Found {
    /// It has vanished, cannot be read, or has become a directory.
    Gone(Errno),
    Regular(Regular),
    Symlink(Stat, Vec<u8>),
    /// A device, a FIFO or a socket.
    Special(Stat),
}

pub(super) struct Regular {
    pub stat: Stat,
    pub capability: Option<Record>,
    pub content: Content,
}

pub(super) enum Content {
    /// Where it lies in the `Contents`.
    Read(Range<usize>),
    Open(OwnedFd),
}

/// Room for the contents of small files.
pub(super) struct Contents {
    bytes: Vec<u8>,
    used: usize,
}

impl Contents {
    pub(super) fn new(room_bytes: usize) -> Contents {
        Contents {
            bytes: vec![0; room_bytes],
            used: 0,
        }
    }

    pub(super) fn get(&self, range: Range<usize>) -> &[u8] {
        &self.bytes[range]
    }

    pub(super) fn clear(&mut self) {
        self.used = 0;
    }

    /// Read a file; none when there is no room for it.
    fn read(&mut self, file: &OwnedFd, size: usize) -> Result<Option<Range<usize>>> {
        let range = self.used..self.used + size;
        let Some(room) = self.bytes.get_mut(range.clone()) else {
            return Ok(None);
        };
        read_at(file, room, 0)?;
        self.used = range.end;
        Ok(Some(range))
    }
}

/// Looks at files, and opens nothing but regular ones: some devices act on being opened.
pub(super) struct Looker {
    reopener: Reopener,
    /// Whether small files are read.
    read: bool,
    /// Whether files with holes are left to be looked through.
    sparse: bool,
}

impl Looker {
    pub(super) fn new(read: bool, sparse: bool) -> Result<Looker> {
        Ok(Looker {
            reopener: Reopener::new()?,
            read,
            sparse,
        })
    }

    pub(super) fn look(&self, named: &Named, contents: &mut Contents) -> Found {
        let leaf = &named.name[named.leaf..];
        if named.nodev && named.kind == FileType::RegularFile {
            // What is mounted on the name may be a device that can be opened.
            let opened = openat2(
                &named.directory,
                leaf,
                READ,
                Mode::empty(),
                ResolveFlags::NO_XDEV,
            );
            if let Ok(file) = opened {
                return self.opened(file, contents).unwrap_or_else(Found::Gone);
            }
        }
        openat(&named.directory, leaf, FOUND, Mode::empty())
            .and_then(|found| {
                let stat = fstat(&found)?;
                self.look_at(&found, stat, contents)
            })
            .unwrap_or_else(Found::Gone)
    }

    /// Look at what an `O_PATH` descriptor stands for.
    pub(super) fn look_at(
        &self,
        found: &OwnedFd,
        stat: Stat,
        contents: &mut Contents,
    ) -> Result<Found> {
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => {
                let file = self
                    .reopener
                    .open(found, OFlags::RDONLY | OFlags::NONBLOCK)?;
                self.opened(file, contents)
            }
            FileType::Symlink => {
                let target = readlinkat(found, "", Vec::new())?;
                Ok(Found::Symlink(stat, target.into_bytes()))
            }
            FileType::Directory => Err(Errno::ISDIR),
            _ => Ok(Found::Special(stat)),
        }
    }

    /// Only what the open file says is told of it.
    fn opened(&self, file: OwnedFd, contents: &mut Contents) -> Result<Found> {
        let stat = fstat(&file)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => {}
            FileType::Directory => return Err(Errno::ISDIR),
            _ => return Ok(Found::Special(stat)),
        }
        let capability = capability(&file);
        let read = match small(&stat) {
            Some(size) if self.read && !(self.sparse && has_holes(&stat)) => {
                contents.read(&file, size)?
            }
            _ => None,
        };
        Ok(Found::Regular(Regular {
            stat,
            capability,
            content: read.map_or(Content::Open(file), Content::Read),
        }))
    }
}

/// The size of a file that is small.
pub(super) fn small(stat: &Stat) -> Option<usize> {
    usize::try_from(stat.st_size)
        .ok()
        .filter(|size| *size <= GATHERED_BYTES)
}

pub(super) fn has_holes(stat: &Stat) -> bool {
    let stored_bytes = u64::try_from(stat.st_blocks).unwrap_or(0) * STAT_BLOCK_BYTES;
    stored_bytes < u64::try_from(stat.st_size).unwrap_or(0)
}

/// Fill the buffer from the file; zeros for what it has lost since.
pub(super) fn read_at(file: &OwnedFd, buffer: &mut [u8], offset: u64) -> Result<()> {
    let mut filled = 0;
    while filled < buffer.len() {
        match pread(file, &mut buffer[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(bytes) => filled += bytes,
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    buffer[filled..].fill(0);
    Ok(())
}

/// The file's capabilities. Version 3 is cut to version 2: the user namespace it belongs to
/// means nothing outside (moby's `ReadSecurityXattrToTarHeader`).
fn capability(file: &OwnedFd) -> Option<Record> {
    const REVISION: usize = 3;
    let mut value = [0; 24];
    let length = fgetxattr(file, "security.capability", &mut value[..]).ok()?;
    if length <= REVISION {
        return None;
    }
    let mut value = value[..length].to_vec();
    if value[REVISION] == 3 {
        value[REVISION] = 2;
        value.truncate(20);
    }
    Some((CAPABILITY, value))
}
