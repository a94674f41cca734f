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

    /// Read a file; none when there is no room left for it.
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

/// What is read while looking.
#[derive(Clone, Copy)]
pub(super) struct Reading {
    pub small_files: bool,
    /// Files with holes are left to be looked through.
    pub sparse: bool,
}

/// Looks at files, and opens nothing but regular ones: some devices act on being opened.
pub(super) struct Looker {
    reopener: Reopener,
    reading: Reading,
}

impl Looker {
    pub(super) fn new(reading: Reading) -> Result<Looker> {
        let reopener = Reopener::new()?;
        Ok(Looker { reopener, reading })
    }

    /// Look at a name; none when there is no room left for its content.
    pub(super) fn look(&self, named: &Named, contents: &mut Contents) -> Option<Found> {
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
                return self.opened(file, contents).unwrap_or_else(gone);
            }
        }
        openat(&named.directory, leaf, FOUND, Mode::empty())
            .and_then(|found| {
                let stat = fstat(&found)?;
                self.look_at(&found, stat, contents)
            })
            .unwrap_or_else(gone)
    }

    /// Whether a file stays open that will take a while: a survey is soon through with any.
    pub(super) fn stops_at(&self, found: &Found) -> bool {
        let Found::Regular(regular) = found else {
            return false;
        };
        self.reading.small_files && matches!(regular.content, Content::Open(_))
    }

    /// Look at what an `O_PATH` descriptor stands for; none as above.
    pub(super) fn look_at(
        &self,
        found: &OwnedFd,
        stat: Stat,
        contents: &mut Contents,
    ) -> Result<Option<Found>> {
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => {
                let flags = OFlags::RDONLY | OFlags::NONBLOCK;
                self.opened(self.reopener.open(found, flags)?, contents)
            }
            FileType::Symlink => {
                let target = readlinkat(found, "", Vec::new())?;
                Ok(Some(Found::Symlink(stat, target.into_bytes())))
            }
            FileType::Directory => Err(Errno::ISDIR),
            _ => Ok(Some(Found::Special(stat))),
        }
    }

    /// Only what the open file says is told of it.
    fn opened(&self, file: OwnedFd, contents: &mut Contents) -> Result<Option<Found>> {
        let stat = fstat(&file)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => {}
            FileType::Directory => return Err(Errno::ISDIR),
            _ => return Ok(Some(Found::Special(stat))),
        }
        let capability = capability(&file);
        let content = match self.to_be_read(&stat) {
            None => Content::Open(file),
            Some(size) => match contents.read(&file, size)? {
                None => return Ok(None),
                Some(range) => Content::Read(range),
            },
        };
        Ok(Some(Found::Regular(Regular {
            stat,
            capability,
            content,
        })))
    }

    fn to_be_read(&self, stat: &Stat) -> Option<usize> {
        let size = usize::try_from(stat.st_size).ok()?;
        let left = self.reading.sparse && has_holes(stat);
        (self.reading.small_files && size <= GATHERED_BYTES && !left).then_some(size)
    }
}

// In the shape of its callers' results.
#[allow(clippy::unnecessary_wraps)]
fn gone(errno: Errno) -> Option<Found> {
    Some(Found::Gone(errno))
}

pub(super) fn has_holes(stat: &Stat) -> bool {
    let stored_bytes = u64::try_from(stat.st_blocks).unwrap_or(0) * STAT_BLOCK_BYTES;
    stored_bytes < u64::try_from(stat.st_size).unwrap_or(0)
}

/// Fill the buffer from the file; zeros for what it has lost since.
fn read_at(file: &OwnedFd, buffer: &mut [u8], offset: u64) -> Result<()> {
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
