//! Regular files: gathered with their neighbours, sent by the kernel, without their holes.
use std::fmt::Write;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{fgetxattr, fstat, seek, OFlags, SeekFrom};
use rustix::io::{pread, Errno};
use sha2::{Digest, Sha256};

use super::packer::{facts, Packer};
use super::DIGEST_RECORD;
use crate::digits::hexadecimal;
use crate::header::{Header, Record, BLOCK_BYTES, CAPABILITY};
use crate::tar::Segment;

/// Files up to this size are read and gathered with their neighbours; larger ones go from
/// file to socket inside the kernel.
pub(super) const GATHERED_BYTES: usize = 128 << 10;
/// A file in more pieces than these is sent with its holes: its map would take megabytes.
const SEGMENTS_MAX: usize = 1 << 16;
/// What `st_blocks` counts.
const STAT_BLOCK_BYTES: u64 = 512;

impl Packer<'_> {
    /// Pack a regular file, found as an `O_PATH` descriptor.
    pub(super) fn regular(&mut self, found: &OwnedFd, name: &[u8]) -> io::Result<()> {
        let opened = self
            .reopener
            .open(found, OFlags::RDONLY | OFlags::NONBLOCK)
            // Looked at again: only what the open file says goes into the header.
            .and_then(|file| fstat(&file).map(|stat| (file, stat)));
        let Some((file, stat)) = self.unless_gone(name, opened) else {
            return Ok(());
        };
        let size_bytes = u64::try_from(stat.st_size).unwrap_or(0);
        let mut header = Header {
            kind: b'0',
            size_bytes,
            ..facts(name, &stat)
        };
        header.extra.extend(capability(&file));
        if self.known(&stat) {
            self.packed_before(&header, &stat)?;
            return Ok(());
        }
        let holes =
            self.packing.sparse && stat.st_blocks.cast_unsigned() * STAT_BLOCK_BYTES < size_bytes;
        let small = usize::try_from(size_bytes)
            .ok()
            .filter(|size| *size <= GATHERED_BYTES);
        let packed = match small {
            _ if holes => self.sparse(&file, &mut header)?,
            Some(size) if !self.sink.ignores_content() => self.gather(&file, &mut header, size)?,
            _ => self.send(&file, &mut header)?,
        };
        if packed {
            self.packed_before(&header, &stat)?;
        }
        Ok(())
    }

    /// Pack a small file; false when it cannot be read, and nothing of it was packed.
    fn gather(&mut self, file: &OwnedFd, header: &mut Header<'_>, size: usize) -> io::Result<bool> {
        let mut content = std::mem::take(&mut self.content);
        let read = read_at(file, &mut content[..size], 0);
        let readable = self.unless_gone(header.name, read).is_some();
        let result = if readable {
            self.small(header, &content[..size])
        } else {
            Ok(())
        };
        self.content = content;
        result.map(|()| readable)
    }

    fn small(&mut self, header: &mut Header<'_>, content: &[u8]) -> io::Result<()> {
        if self.packing.digests {
            header.extra.push(digest(Sha256::digest(content)));
        }
        self.header(header)?;
        self.write(content)?;
        self.pad(content.len() as u64)
    }

    /// Pack a large file; false when it cannot be read, and nothing of it was packed.
    fn send(&mut self, file: &OwnedFd, header: &mut Header<'_>) -> io::Result<bool> {
        if !self.add_digest(file, header) {
            return Ok(false);
        }
        self.header(header)?;
        self.sink.send_file(file.as_fd(), 0, header.size_bytes)?;
        self.packed.bytes += header.size_bytes;
        self.pad(header.size_bytes)?;
        Ok(true)
    }

    /// Pack what is stored of a file with holes, behind a map of it: GNU tar's format 1.0.
    fn sparse(&mut self, file: &OwnedFd, header: &mut Header<'_>) -> io::Result<bool> {
        let Some(segments) = self.unless_gone(header.name, segments(file, header.size_bytes))
        else {
            return Ok(false);
        };
        if segments.len() > SEGMENTS_MAX {
            return self.send(file, header);
        }
        if !self.add_digest(file, header) {
            return Ok(false);
        }
        let map = encode_map(&segments);
        let stored: u64 = segments.iter().map(|one| one.length_bytes).sum();
        let name = sparse_name(header.name);
        let number = |value: u64| value.to_string().into_bytes();
        header.extra.extend([
            ("GNU.sparse.major", number(1)),
            ("GNU.sparse.minor", number(0)),
            ("GNU.sparse.name", header.name.to_vec()),
            ("GNU.sparse.realsize", number(header.size_bytes)),
        ]);
        let size_bytes = map.len() as u64 + stored;
        self.header(&Header {
            name: &name,
            size_bytes,
            ..header.clone()
        })?;
        self.write(&map)?;
        for one in &segments {
            self.sink
                .send_file(file.as_fd(), one.offset, one.length_bytes)?;
        }
        self.packed.bytes += stored;
        self.pad(size_bytes)?;
        Ok(true)
    }

    /// Read a file for its digest, if that is wanted; false when it cannot be read.
    fn add_digest(&mut self, file: &OwnedFd, header: &mut Header<'_>) -> bool {
        if !self.packing.digests {
            return true;
        }
        if self.sink.ignores_content() {
            // As long as any other.
            header.extra.push(digest([0; 32]));
            return true;
        }
        let mut hash = Sha256::new();
        let mut left = header.size_bytes;
        while left > 0 {
            let piece = self
                .content
                .len()
                .min(usize::try_from(left).unwrap_or(usize::MAX));
            let read = read_at(file, &mut self.content[..piece], header.size_bytes - left);
            if self.unless_gone(header.name, read).is_none() {
                return false;
            }
            hash.update(&self.content[..piece]);
            left -= piece as u64;
        }
        header.extra.push(digest(hash.finalize()));
        true
    }
}

fn digest(sum: impl AsRef<[u8]>) -> Record {
    (DIGEST_RECORD, hexadecimal(sum).into_bytes())
}

/// What is stored of a file; up to the size that its header promises.
fn segments(file: &OwnedFd, size_bytes: u64) -> rustix::io::Result<Vec<Segment>> {
    let mut segments = Vec::new();
    let mut end = 0;
    while end < size_bytes {
        let offset = match seek(file, SeekFrom::Data(end)) {
            // None from here on.
            Err(Errno::NXIO) => break,
            other => other?,
        };
        end = seek(file, SeekFrom::Hole(offset))?.min(size_bytes);
        if end <= offset {
            break;
        }
        segments.push(Segment {
            offset,
            length_bytes: end - offset,
        });
    }
    if end < size_bytes || segments.is_empty() {
        // Readers take the last segment's end for the file's.
        segments.push(Segment {
            offset: size_bytes,
            length_bytes: 0,
        });
    }
    Ok(segments)
}

/// The map, in blocks: a count, then offset and length of each segment, a line a number.
fn encode_map(segments: &[Segment]) -> Vec<u8> {
    let mut map = format!("{}\n", segments.len());
    for one in segments {
        // Writing to a string cannot fail.
        let _ = write!(map, "{}\n{}\n", one.offset, one.length_bytes);
    }
    let mut map = map.into_bytes();
    map.resize(map.len().next_multiple_of(BLOCK_BYTES), 0);
    map
}

/// The name that readers see which know nothing of holes.
fn sparse_name(name: &[u8]) -> Vec<u8> {
    let file = name
        .iter()
        .rposition(|&byte| byte == b'/')
        .map_or(0, |slash| slash + 1);
    let (directory, file) = name.split_at(file);
    [directory, b"GNUSparseFile.0/", file].concat()
}

/// Fill the buffer from the file; zeros for what it has lost since.
fn read_at(file: &OwnedFd, buffer: &mut [u8], offset: u64) -> rustix::io::Result<()> {
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
