//! Tree → tar: entries named, ordered and encoded as Docker does it.
use std::collections::HashMap;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{
    fgetxattr, fstat, fstatfs, major, minor, openat, readlinkat, FileType, Mode, OFlags, Stat,
};

use crate::descent::{Descent, Step, DIRECTORY};
use crate::error::Error;
use crate::header::{Header, BLOCK_BYTES};
use crate::paths::Asked;
use crate::root::{Reopener, Root};
use crate::stat::lookup_error;

/// Files up to this size are read and gathered with their neighbours; larger ones go from
/// file to socket inside the kernel.
const GATHERED_BYTES: usize = 128 << 10;

/// File systems whose files are the kernel talking: their directories are packed, what is in
/// them is not (`/proc/kcore` alone claims 128 TiB). Magics of linux/magic.h: proc, sysfs,
/// cgroup, cgroup2, devpts, mqueue, debugfs, tracefs, securityfs, bpf, `binfmt_misc`, nsfs.
const PSEUDO_FILE_SYSTEMS: [u64; 12] = [
    0x9fa0,
    0x6265_6572,
    0x0027_e0eb,
    0x6367_7270,
    0x1cd1,
    0x1980_0202,
    0x6462_6720,
    0x7472_6163,
    0x7363_6673,
    0xcafe_4a11,
    0x4249_4e4d,
    0x6e73_6673,
];

/// Where a tar goes. Small pieces are written, large files sent.
pub trait Sink: Write {
    /// Send exactly `length_bytes` from `offset` on, with zeros for what the file lacks. One that
    /// cannot be read is an error.
    fn send_file(&mut self, file: BorrowedFd<'_>, offset: u64, length_bytes: u64)
        -> io::Result<()>;
}

/// Write a tar of what lies at `path`, in the names of Docker's `GET archive`; the tar's
/// bytes. `NotFound` comes before anything was written.
pub fn pack(root: BorrowedFd<'_>, path: &[u8], sink: &mut dyn Sink) -> Result<u64, Error> {
    let asked = Asked::new(path);
    let found = Root::new(root)
        .open(&asked.resolve, OFlags::PATH | OFlags::NOFOLLOW)
        .map_err(|errno| lookup_error(path, errno))?;
    let stat = fstat(&found).map_err(|errno| lookup_error(path, errno))?;
    let mut packer = Packer::new(sink).map_err(|errno| lookup_error(path, errno))?;
    if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
        let directory = openat(&found, ".", DIRECTORY, Mode::empty())
            .map_err(|errno| lookup_error(path, errno))?;
        packer
            .directory_header(&asked.prefix(), &stat)
            .map_err(Error::Stream)?;
        packer
            .tree(directory, &stat, asked.prefix())
            .map_err(Error::Stream)?;
    } else {
        packer
            .file(&found, &stat, &asked.base)
            .map_err(Error::Stream)?;
    }
    packer.finish().map_err(Error::Stream)
}

/// Write a tar of a whole root: names without `./`, no entry for the root itself.
pub fn export(root: BorrowedFd<'_>, sink: &mut dyn Sink) -> Result<u64, Error> {
    let failed = |errno| lookup_error(b"/", errno);
    let directory = openat(root, ".", DIRECTORY, Mode::empty()).map_err(failed)?;
    let stat = fstat(&directory).map_err(failed)?;
    let mut packer = Packer::new(sink).map_err(failed)?;
    packer
        .tree(directory, &stat, Vec::new())
        .map_err(Error::Stream)?;
    packer.finish().map_err(Error::Stream)
}

struct Packer<'s> {
    sink: &'s mut dyn Sink,
    reopener: Reopener,
    /// The names under which files with several links were packed, by device and inode.
    seen: HashMap<(u64, u64), Vec<u8>>,
    encoded: Vec<u8>,
    content: Vec<u8>,
    written_bytes: u64,
}

impl<'s> Packer<'s> {
    fn new(sink: &'s mut dyn Sink) -> rustix::io::Result<Packer<'s>> {
        Ok(Packer {
            sink,
            reopener: Reopener::new()?,
            seen: HashMap::new(),
            encoded: Vec::new(),
            content: vec![0; GATHERED_BYTES],
            written_bytes: 0,
        })
    }

    /// Pack what is in a directory, depth first, each directory in the order of its bytes.
    fn tree(&mut self, top: OwnedFd, stat: &Stat, prefix: Vec<u8>) -> io::Result<()> {
        let mut descent = Descent::default();
        descent.enter(top, stat, prefix.len());
        let mut name = prefix;
        loop {
            let device = descent.device();
            match descent.next() {
                Step::Done => return Ok(()),
                Step::End => {
                    descent.leave();
                    name.truncate(descent.mark());
                }
                Step::Entry(directory, leaf, kind) => {
                    let keep = name.len();
                    name.extend_from_slice(leaf);
                    match self.entry(directory, leaf, kind, &mut name)? {
                        Some((below, stat)) if may_enter(&below, &stat, device) => {
                            descent.enter(below, &stat, name.len());
                        }
                        _ => name.truncate(keep),
                    }
                }
            }
        }
    }

    /// Pack one name of a directory; a directory itself is given back to be gone into. What
    /// has vanished or cannot be opened is left out, as Docker does.
    fn entry(
        &mut self,
        directory: BorrowedFd<'_>,
        leaf: &[u8],
        kind: FileType,
        name: &mut Vec<u8>,
    ) -> io::Result<Option<(OwnedFd, Stat)>> {
        if kind == FileType::Socket {
            return Ok(None);
        }
        if kind != FileType::Directory {
            let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let Ok(found) = openat(directory, leaf, flags, Mode::empty()) else {
                return Ok(None);
            };
            let Ok(stat) = fstat(&found) else {
                return Ok(None);
            };
            if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
                self.file(&found, &stat, name)?;
                return Ok(None);
            }
        }
        let Ok(below) = openat(directory, leaf, DIRECTORY, Mode::empty()) else {
            return Ok(None);
        };
        let Ok(stat) = fstat(&below) else {
            return Ok(None);
        };
        name.push(b'/');
        self.directory_header(name, &stat)?;
        Ok(Some((below, stat)))
    }

    fn directory_header(&mut self, name: &[u8], stat: &Stat) -> io::Result<()> {
        self.header(&Header {
            kind: b'5',
            ..facts(name, stat)
        })
    }

    /// Pack whatever is not a directory, found as an `O_PATH` descriptor.
    fn file(&mut self, found: &OwnedFd, stat: &Stat, name: &[u8]) -> io::Result<()> {
        let file_type = FileType::from_raw_mode(stat.st_mode);
        if file_type == FileType::RegularFile {
            return self.regular(found, name);
        }
        let target;
        let mut header = facts(name, stat);
        header.kind = match file_type {
            FileType::Symlink => {
                let Ok(link) = readlinkat(found, "", Vec::new()) else {
                    return Ok(());
                };
                target = link.into_bytes();
                header.link = &target;
                b'2'
            }
            FileType::CharacterDevice => b'3',
            FileType::BlockDevice => b'4',
            FileType::Fifo => b'6',
            _ => return Ok(()),
        };
        if matches!(header.kind, b'3' | b'4') {
            header.device = (major(stat.st_rdev), minor(stat.st_rdev));
        }
        if !self.packed_before(&header, stat)? {
            self.header(&header)?;
        }
        Ok(())
    }

    fn regular(&mut self, found: &OwnedFd, name: &[u8]) -> io::Result<()> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK;
        let Ok(file) = self.reopener.open(found, flags) else {
            return Ok(());
        };
        // Looked at again: only what the open file says goes into the header.
        let Ok(stat) = fstat(&file) else {
            return Ok(());
        };
        let mut value = [0; 24];
        let capability = capability(&file, &mut value);
        let size_bytes = u64::try_from(stat.st_size).unwrap_or(0);
        let header = Header {
            kind: b'0',
            size_bytes,
            capability,
            ..facts(name, &stat)
        };
        if self.known(&stat) {
            self.packed_before(&header, &stat)?;
            return Ok(());
        }
        let gathered = usize::try_from(size_bytes)
            .ok()
            .filter(|size| *size <= GATHERED_BYTES);
        if let Some(size) = gathered {
            if !self.gather(&file, &header, size)? {
                return Ok(());
            }
        } else {
            self.header(&header)?;
            self.sink.send_file(file.as_fd(), 0, size_bytes)?;
            self.written_bytes += size_bytes;
        }
        self.pad(size_bytes)?;
        self.packed_before(&header, &stat)?;
        Ok(())
    }

    /// Pack a small file; false when it cannot be read, and nothing of it was packed.
    fn gather(&mut self, file: &OwnedFd, header: &Header<'_>, size: usize) -> io::Result<bool> {
        let mut content = std::mem::take(&mut self.content);
        let readable = read_as_promised(file, &mut content[..size]).is_ok();
        let result = if readable {
            self.header(header)
                .and_then(|()| self.write(&content[..size]))
        } else {
            Ok(())
        };
        self.content = content;
        result.map(|()| readable)
    }

    fn known(&self, stat: &Stat) -> bool {
        stat.st_nlink > 1 && self.seen.contains_key(&(stat.st_dev, stat.st_ino))
    }

    /// Whether a file of several links is in the archive already; then a link to its name
    /// there is written. Otherwise its name is kept.
    fn packed_before(&mut self, header: &Header<'_>, stat: &Stat) -> io::Result<bool> {
        if stat.st_nlink < 2 {
            return Ok(false);
        }
        let key = (stat.st_dev, stat.st_ino);
        let Some(first) = self.seen.get(&key).cloned() else {
            self.seen.insert(key, header.name.to_vec());
            return Ok(false);
        };
        self.header(&Header {
            kind: b'1',
            link: &first,
            size_bytes: 0,
            ..header.clone()
        })?;
        Ok(true)
    }

    fn header(&mut self, header: &Header<'_>) -> io::Result<()> {
        let mut encoded = std::mem::take(&mut self.encoded);
        encoded.clear();
        header.encode(&mut encoded);
        let result = self.write(&encoded);
        self.encoded = encoded;
        result
    }

    fn pad(&mut self, size_bytes: u64) -> io::Result<()> {
        let past = usize::try_from(size_bytes % BLOCK_BYTES as u64).unwrap_or(0);
        if past == 0 {
            return Ok(());
        }
        self.write(&[0; BLOCK_BYTES][past..])
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.written_bytes += bytes.len() as u64;
        self.sink.write_all(bytes)
    }

    /// The two zero blocks, without padding to 10 KiB.
    fn finish(mut self) -> Result<u64, io::Error> {
        self.write(&[0; 2 * BLOCK_BYTES])?;
        Ok(self.written_bytes)
    }
}

fn facts<'a>(name: &'a [u8], stat: &Stat) -> Header<'a> {
    Header {
        name,
        mode: stat.st_mode & 0o7777,
        uid: stat.st_uid,
        gid: stat.st_gid,
        mtime_s: stat.st_mtime,
        ..Header::default()
    }
}

/// Fill the buffer from the file; zeros for what it has lost since.
fn read_as_promised(file: &OwnedFd, buffer: &mut [u8]) -> rustix::io::Result<()> {
    let mut filled = 0;
    while filled < buffer.len() {
        match rustix::io::read(file, &mut buffer[filled..]) {
            Ok(0) => break,
            Ok(bytes) => filled += bytes,
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
    buffer[filled..].fill(0);
    Ok(())
}

/// The file's capabilities. Version 3 is cut to version 2: the user namespace it belongs to
/// means nothing outside (moby's `ReadSecurityXattrToTarHeader`).
fn capability<'v>(file: &OwnedFd, value: &'v mut [u8; 24]) -> Option<&'v [u8]> {
    const REVISION: usize = 3;
    let length = fgetxattr(file, "security.capability", &mut value[..]).ok()?;
    if length <= REVISION {
        return None;
    }
    if value[REVISION] == 3 {
        value[REVISION] = 2;
        return Some(&value[..length.min(20)]);
    }
    Some(&value[..length])
}

fn may_enter(directory: &OwnedFd, stat: &Stat, device_above: Option<u64>) -> bool {
    if Some(stat.st_dev) == device_above {
        return true;
    }
    fstatfs(directory).is_ok_and(|found| {
        let magic = u64::try_from(found.f_type).unwrap_or(0);
        !PSEUDO_FILE_SYSTEMS.contains(&magic)
    })
}
