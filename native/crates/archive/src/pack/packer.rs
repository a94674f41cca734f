//! Entries in the order of the walk.
use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::{major, minor, FileType, Stat};
use rustix::io::Errno;

use super::ahead::{Ahead, Seen};
use super::looking::{Contents, Found, Looker, Reading, GATHERED_BYTES};
use super::walk::{Entered, Walk};
use super::{Packed, Packing, Sink};
use crate::header::{Header, BLOCK_BYTES};

pub(super) struct Packer<'s> {
    pub sink: &'s mut dyn Sink,
    pub packing: &'s Packing,
    pub packed: Packed,
    /// The directories on the way down: the header of each, while nothing in it was packed and
    /// it is not wanted for itself.
    frames: Vec<Option<Vec<u8>>>,
    /// The names under which files with several links were packed, by device and inode.
    seen: HashMap<(u64, u64), Vec<u8>>,
    encoded: Vec<u8>,
}

impl<'s> Packer<'s> {
    pub(super) fn new(sink: &'s mut dyn Sink, packing: &'s Packing) -> Packer<'s> {
        Packer {
            sink,
            packing,
            packed: Packed::default(),
            frames: Vec::new(),
            seen: HashMap::new(),
            encoded: Vec::new(),
        }
    }

    /// Pack a directory, under a name that ends in a slash (none where it has no entry of its
    /// own), and what is in it.
    pub(super) fn tree(&mut self, top: OwnedFd, stat: Stat, name: Vec<u8>) -> io::Result<()> {
        let walk = Walk::new(&self.packing.selection, top, stat, name);
        let mut ahead = Ahead::new(walk, self.reading())?;
        let mut next = ahead.next(None)?;
        while let Some(mut batch) = next {
            for seen in batch.seen.drain(..) {
                match seen {
                    Seen::Entered(entered) => self.enter(&entered)?,
                    Seen::Left => drop(self.frames.pop()),
                    Seen::File(name, found) => self.entry(&name, found, &batch.contents)?,
                }
            }
            next = ahead.next(Some(batch))?;
        }
        Ok(())
    }

    /// Pack what is no directory, found as an `O_PATH` descriptor.
    pub(super) fn file(&mut self, found: &OwnedFd, stat: Stat, name: &[u8]) -> io::Result<()> {
        let looker = Looker::new(self.reading())?;
        let mut contents = Contents::new(GATHERED_BYTES);
        let found = looker.look_at(found, stat, &mut contents);
        match found.unwrap_or_else(|errno| Some(Found::Gone(errno))) {
            Some(found) => self.entry(name, found, &contents),
            None => Ok(()),
        }
    }

    fn reading(&self) -> Reading {
        Reading {
            small_files: !self.sink.ignores_content(),
            sparse: self.packing.sparse,
        }
    }

    /// Go into a directory. Its header goes out now, or when something in it does.
    fn enter(&mut self, entered: &Entered) -> io::Result<()> {
        let mut waiting = None;
        if let Some(name) = &entered.name {
            let header = Header {
                kind: b'5',
                ..facts(name, &entered.stat)
            };
            if entered.wanted {
                self.header(&header)?;
            } else {
                header.encode(waiting.insert(Vec::new()));
            }
        }
        self.frames.push(waiting);
        Ok(())
    }

    fn write_frames(&mut self) -> io::Result<()> {
        // Those above one that is out are out too.
        let first = self.frames.iter().rposition(Option::is_none);
        for index in first.map_or(0, |index| index + 1)..self.frames.len() {
            if let Some(header) = self.frames[index].take() {
                self.write(&header)?;
            }
        }
        Ok(())
    }

    /// Pack what is no directory. What has vanished or cannot be opened is left out, as Docker
    /// does.
    fn entry(&mut self, name: &[u8], found: Found, contents: &Contents) -> io::Result<()> {
        match found {
            Found::Gone(errno) => {
                self.packed.leave_out(name, errno);
                Ok(())
            }
            Found::Regular(regular) => self.regular(name, regular, contents),
            Found::Symlink(stat, target) => {
                let header = Header {
                    kind: b'2',
                    link: &target,
                    ..facts(name, &stat)
                };
                self.without_content(&header, &stat)
            }
            Found::Special(stat) => {
                let mut header = facts(name, &stat);
                let device = (major(stat.st_rdev), minor(stat.st_rdev));
                (header.kind, header.device) = match FileType::from_raw_mode(stat.st_mode) {
                    FileType::CharacterDevice => (b'3', device),
                    FileType::BlockDevice => (b'4', device),
                    FileType::Fifo => (b'6', (0, 0)),
                    // A tar has no word for sockets.
                    _ => return Ok(()),
                };
                self.without_content(&header, &stat)
            }
        }
    }

    fn without_content(&mut self, header: &Header<'_>, stat: &Stat) -> io::Result<()> {
        if !self.packed_before(header, stat)? {
            self.header(header)?;
        }
        Ok(())
    }

    /// What was found, or none when the kernel shows it no more, which is noted.
    pub(super) fn unless_gone<T>(&mut self, name: &[u8], found: Result<T, Errno>) -> Option<T> {
        found
            .map_err(|errno| self.packed.leave_out(name, errno))
            .ok()
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
