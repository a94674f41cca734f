//! The walk down a tree, an entry for each name on its way.
use std::collections::HashMap;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::fs::{fstat, fstatfs, major, minor, openat, readlinkat, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::content::GATHERED_BYTES;
use super::selection::Standing;
use super::{Packed, Packing, Sink};
use crate::descent::{Descent, Step, DIRECTORY};
use crate::header::{Header, BLOCK_BYTES};
use crate::root::Reopener;

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

/// A directory on the way down.
struct Frame {
    standing: Standing,
    /// Its header, while nothing in it was packed and it is not wanted for itself.
    header: Option<Vec<u8>>,
}

pub(super) struct Packer<'s> {
    pub sink: &'s mut dyn Sink,
    pub packing: &'s Packing,
    pub reopener: Reopener,
    pub packed: Packed,
    pub content: Vec<u8>,
    frames: Vec<Frame>,
    /// The names under which files with several links were packed, by device and inode.
    seen: HashMap<(u64, u64), Vec<u8>>,
    encoded: Vec<u8>,
}

impl<'s> Packer<'s> {
    pub(super) fn new(
        sink: &'s mut dyn Sink,
        packing: &'s Packing,
    ) -> rustix::io::Result<Packer<'s>> {
        Ok(Packer {
            sink,
            packing,
            reopener: Reopener::new()?,
            packed: Packed::default(),
            content: vec![0; GATHERED_BYTES],
            frames: Vec::new(),
            seen: HashMap::new(),
            encoded: Vec::new(),
        })
    }

    /// Pack a directory, under a name that ends in a slash (none where it has no entry of its
    /// own), and what is in it: depth first, each directory in the order of its bytes.
    pub(super) fn tree(&mut self, top: OwnedFd, stat: &Stat, mut name: Vec<u8>) -> io::Result<()> {
        let mut descent = Descent::default();
        let prefix = name.len();
        let standing = self.packing.selection.top();
        self.enter(standing, (prefix > 0).then_some(&name), stat)?;
        descent.enter(top, stat, prefix);
        loop {
            let device = descent.device();
            match descent.next() {
                Step::Done => return Ok(()),
                Step::End => {
                    descent.leave();
                    self.frames.pop();
                    name.truncate(descent.mark());
                }
                Step::Entry(directory, leaf, kind) => {
                    let keep = name.len();
                    name.extend_from_slice(leaf);
                    let above = self.frames.last().map_or(standing, |frame| frame.standing);
                    let standing = self.packing.selection.judge(above, &name[prefix..]);
                    match self.entry(directory, leaf, kind, standing, &mut name)? {
                        Some((below, stat)) => {
                            self.enter(standing, Some(&name), &stat)?;
                            if may_enter(&below, &stat, device) {
                                descent.enter(below, &stat, name.len());
                                continue;
                            }
                            self.frames.pop();
                            name.truncate(keep);
                        }
                        None => name.truncate(keep),
                    }
                }
            }
        }
    }

    /// Go into a directory. Its header goes out now, or when something in it does.
    fn enter(&mut self, standing: Standing, name: Option<&Vec<u8>>, stat: &Stat) -> io::Result<()> {
        let mut waiting = None;
        if let Some(name) = name {
            let header = Header {
                kind: b'5',
                ..facts(name, stat)
            };
            if standing.wanted {
                self.header(&header)?;
            } else {
                header.encode(waiting.insert(Vec::new()));
            }
        }
        self.frames.push(Frame {
            standing,
            header: waiting,
        });
        Ok(())
    }

    fn write_frames(&mut self) -> io::Result<()> {
        // Those above one that is out are out too.
        let first = self.frames.iter().rposition(|frame| frame.header.is_none());
        for index in first.map_or(0, |index| index + 1)..self.frames.len() {
            if let Some(header) = self.frames[index].header.take() {
                self.write(&header)?;
            }
        }
        Ok(())
    }

    /// Pack one name of a directory; a directory itself is given back to be gone into. What
    /// has vanished or cannot be opened is left out, as Docker does.
    fn entry(
        &mut self,
        directory: BorrowedFd<'_>,
        leaf: &[u8],
        kind: FileType,
        standing: Standing,
        name: &mut Vec<u8>,
    ) -> io::Result<Option<(OwnedFd, Stat)>> {
        let leads_on = self.packing.selection.leads_on(standing);
        if kind == FileType::Socket || !leads_on {
            return Ok(None);
        }
        if kind != FileType::Directory {
            if !standing.wanted && kind != FileType::Unknown {
                return Ok(None);
            }
            let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let found = openat(directory, leaf, flags, Mode::empty())
                .and_then(|found| fstat(&found).map(|stat| (found, stat)));
            let Some((found, stat)) = self.unless_gone(name, found) else {
                return Ok(None);
            };
            if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
                if standing.wanted {
                    self.file(&found, &stat, name)?;
                }
                return Ok(None);
            }
        }
        let below = openat(directory, leaf, DIRECTORY, Mode::empty())
            .and_then(|below| fstat(&below).map(|stat| (below, stat)));
        let below = self.unless_gone(name, below);
        name.push(b'/');
        Ok(below)
    }

    /// What was found, or none when the kernel shows it no more, which is noted.
    pub(super) fn unless_gone<T>(&mut self, name: &[u8], found: Result<T, Errno>) -> Option<T> {
        found
            .map_err(|errno| self.packed.leave_out(name, errno))
            .ok()
    }

    /// Pack whatever is not a directory, found as an `O_PATH` descriptor.
    pub(super) fn file(&mut self, found: &OwnedFd, stat: &Stat, name: &[u8]) -> io::Result<()> {
        let file_type = FileType::from_raw_mode(stat.st_mode);
        if file_type == FileType::RegularFile {
            return self.regular(found, name);
        }
        let target;
        let mut header = facts(name, stat);
        header.kind = match file_type {
            FileType::Symlink => {
                let link = readlinkat(found, "", Vec::new());
                let Some(link) = self.unless_gone(name, link) else {
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

    pub(super) fn known(&self, stat: &Stat) -> bool {
        stat.st_nlink > 1 && self.seen.contains_key(&(stat.st_dev, stat.st_ino))
    }

    /// Whether a file of several links is in the archive already; then a link to its name
    /// there is written. Otherwise its name is kept.
    pub(super) fn packed_before(&mut self, header: &Header<'_>, stat: &Stat) -> io::Result<bool> {
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

    pub(super) fn header(&mut self, header: &Header<'_>) -> io::Result<()> {
        self.write_frames()?;
        let mut encoded = std::mem::take(&mut self.encoded);
        encoded.clear();
        header.encode(&mut encoded);
        let result = self.write(&encoded);
        self.encoded = encoded;
        result
    }

    pub(super) fn pad(&mut self, size_bytes: u64) -> io::Result<()> {
        let past = usize::try_from(size_bytes % BLOCK_BYTES as u64).unwrap_or(0);
        if past == 0 {
            return Ok(());
        }
        self.write(&[0; BLOCK_BYTES][past..])
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.packed.bytes += bytes.len() as u64;
        self.sink.write_all(bytes)
    }

    /// The two zero blocks, without padding to 10 KiB.
    pub(super) fn finish(mut self) -> io::Result<Packed> {
        self.write(&[0; 2 * BLOCK_BYTES])?;
        Ok(self.packed)
    }
}

pub(super) fn facts<'a>(name: &'a [u8], stat: &Stat) -> Header<'a> {
    Header {
        name,
        mode: stat.st_mode & 0o7777,
        uid: stat.st_uid,
        gid: stat.st_gid,
        mtime_s: stat.st_mtime,
        ..Header::default()
    }
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
