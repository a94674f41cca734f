//! Regular files: gathered with their neighbours, sent by the kernel, without their holes.
use std::fmt::Write;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{seek, SeekFrom};
use rustix::io::Errno;
use sha2::{Digest, Sha256};

use super::looking::{has_holes, Content, Contents, Regular};
use super::packer::{facts, Packer};
use super::passing::each_piece;
use super::DIGEST_RECORD;
use crate::digits::hexadecimal;
use crate::header::{Header, Record, BLOCK_BYTES};
use crate::tar::Segment;

/// A file in more pieces than these is sent with its holes: its map would take megabytes.
const SEGMENTS_MAX: usize = 1 << 16;

impl Packer<'_> {
    pub(super) fn regular(
        &mut self,
        name: &[u8],
        regular: Regular,
        contents: &Contents,
    ) -> io::Result<()> {
        let stat = regular.stat;
        let mut header = Header {
            kind: b'0',
            size_bytes: u64::try_from(stat.st_size).unwrap_or(0),
            ..facts(name, &stat)
        };
        header.extra.extend(regular.capability);
        if self.known(&stat) {
            self.packed_before(&header, &stat)?;
            return Ok(());
        }
        let packed = match regular.content {
            Content::Read(range) => {
                self.small(&mut header, contents.get(range))?;
                true
            }
            Content::Open(file) if self.packing.sparse && has_holes(&stat) => {
                self.sparse(&file, &mut header)?
            }
            Content::Open(file) => self.send(&file, &mut header)?,
        };
        if packed {
            self.packed_before(&header, &stat)?;
        }
        Ok(())
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
        let read = each_piece(file.as_fd(), 0, header.size_bytes, |piece| {
            hash.update(piece);
            Ok(())
        });
        let read = read.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO));
        if self.unless_gone(header.name, read).is_none() {
            return false;
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
