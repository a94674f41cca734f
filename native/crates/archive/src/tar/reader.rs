//! An archive as a stream of entries, whatever dialect each is in.
use std::io::{self, Read};

use super::block::{more_sparse, Block, BLOCK_BYTES};
use super::entry::{Entry, Kind, Overrides, Time};
use super::malformed;
use super::records::{self, decimal, signed};
use super::source::{FileRange, Source};
use super::sparse::{self, Segment, SEGMENTS_LIMIT};

/// The longest extended header or long name; Go's reader has the same limit.
const SPECIAL_LIMIT_BYTES: u64 = 1 << 20;
/// How many extended headers and long names may precede one entry.
const SPECIALS_LIMIT: u32 = 16;
const BUFFER_BYTES: usize = 512 << 10;

/// Reads entries off a stream, and between them their content.
pub struct Reader<R> {
    source: R,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Stored bytes of the current entry that were not read yet, and the padding behind them.
    stored: u64,
    padding: u64,
    ended: bool,
}

impl<R: Source> Reader<R> {
    /// Take the range of a file that the content goes on with, up to a limit; None when it has to
    /// be read.
    pub fn file_range(&mut self, limit_bytes: u64) -> io::Result<Option<FileRange>> {
        // What was read ahead comes first.
        if self.start < self.end {
            return Ok(None);
        }
        let range = self.source.file_range(limit_bytes.min(self.stored))?;
        self.stored -= range.as_ref().map_or(0, |range| range.length_bytes);
        Ok(range)
    }
}

impl<R: Read> Reader<R> {
    pub fn new(source: R) -> Reader<R> {
        Reader {
            source,
            buffer: vec![0; BUFFER_BYTES],
            start: 0,
            end: 0,
            stored: 0,
            padding: 0,
            ended: false,
        }
    }

    /// Go to the next entry; None at the archive's end, with or without the blocks that
    /// should mark it.
    pub fn next_entry(&mut self) -> io::Result<Option<Entry>> {
        let mut overrides = Overrides::default();
        // Those that describe one entry; there may be any number that describe them all.
        let mut specials = 0;
        loop {
            self.skip_content()?;
            let Some(block) = self.block()? else {
                if specials > 0 {
                    return Err(cut_short());
                }
                return Ok(None);
            };
            let header = Block::parse(&block)?;
            self.set_stored(header.size_bytes()?);
            match header.kind() {
                b'x' | b'X' => {
                    let body = self.special()?;
                    overrides.set_records(&records::parse(&body)?);
                }
                // Docker ignores global records, but not what is wrong with them.
                b'g' => {
                    records::parse(&self.special()?)?;
                    continue;
                }
                b'L' => overrides.long_name = self.special_text()?,
                b'K' => overrides.long_link = self.special_text()?,
                // A volume's label.
                b'V' => continue,
                _ => return self.entry(&header, &overrides).map(Some),
            }
            specials += 1;
            if specials > SPECIALS_LIMIT {
                return Err(malformed("too many extended headers"));
            }
        }
    }

    /// The next piece of the current entry's stored content, empty at its end. It stays
    /// until `consume` says how much of it was used.
    pub fn content(&mut self) -> io::Result<&[u8]> {
        if self.stored > 0 && self.start == self.end && !self.fill()? {
            return Err(cut_short());
        }
        let ready = (self.end - self.start) as u64;
        let length = usize::try_from(self.stored.min(ready)).unwrap_or(0);
        Ok(&self.buffer[self.start..self.start + length])
    }

    /// Say how much of what `content` gave was used.
    pub fn consume(&mut self, bytes: usize) {
        let bytes = bytes.min(self.end - self.start);
        self.start += bytes;
        self.stored = self.stored.saturating_sub(bytes as u64);
    }

    /// Read on to the end of the stream, for whoever watches it pass.
    pub fn finish(mut self) -> io::Result<()> {
        while self.fill()? {}
        Ok(())
    }

    fn entry(&mut self, header: &Block<'_>, overrides: &Overrides) -> io::Result<Entry> {
        let name = overrides.long_name.clone();
        let name = name.or_else(|| overrides.get("path").map(<[u8]>::to_vec));
        let link = overrides.long_link.clone();
        let link = link.or_else(|| overrides.get("linkpath").map(<[u8]>::to_vec));
        let stored = match overrides.number("size", decimal)? {
            Some(size_bytes) => size_bytes,
            None => header.size_bytes()?,
        };
        let mtime = overrides.time("mtime")?;
        let mut entry = Entry {
            name: name.unwrap_or_else(|| header.name()),
            kind: Kind::Regular,
            link: link.unwrap_or_else(|| header.link()),
            mode: u32::try_from(header.mode()? & 0o7777).unwrap_or(0),
            uid: overrides
                .number("uid", signed)?
                .map_or_else(|| header.uid(), Ok)?,
            gid: overrides
                .number("gid", signed)?
                .map_or_else(|| header.gid(), Ok)?,
            size_bytes: stored,
            mtime: match mtime {
                Some(time) => time,
                None => Time {
                    seconds: header.mtime_s()?,
                    nanoseconds: 0,
                },
            },
            atime: overrides.time("atime")?,
            device: (0, 0),
            xattrs: overrides.xattrs(),
            sparse: None,
        };
        self.set_stored(stored);
        self.set_kind(&mut entry, header)?;
        self.set_sparse(&mut entry, header, overrides)?;
        Ok(entry)
    }

    fn set_kind(&mut self, entry: &mut Entry, header: &Block<'_>) -> io::Result<()> {
        entry.kind = match header.kind() {
            // Old writers mark a directory by a slash alone; GNU tar heeds it, too.
            0 | b'0' | b'7' if entry.name.ends_with(b"/") => Kind::Directory,
            0 | b'0' | b'7' | b'S' => Kind::Regular,
            b'1' => Kind::HardLink,
            b'2' => Kind::Symlink,
            b'3' => Kind::CharacterDevice,
            b'4' => Kind::BlockDevice,
            b'5' | b'D' => Kind::Directory,
            b'6' => Kind::Fifo,
            other => Kind::Other(other),
        };
        if matches!(entry.kind, Kind::CharacterDevice | Kind::BlockDevice) {
            entry.device = header.device()?;
        }
        // These have no content, whatever their size field says (Go's isHeaderOnlyType).
        if matches!(header.kind(), b'1'..=b'6') {
            self.set_stored(0);
        }
        if entry.kind != Kind::Regular {
            entry.size_bytes = 0;
        }
        Ok(())
    }

    fn set_sparse(
        &mut self,
        entry: &mut Entry,
        header: &Block<'_>,
        overrides: &Overrides,
    ) -> io::Result<()> {
        if entry.kind != Kind::Regular {
            return Ok(());
        }
        let map = if header.kind() == b'S' {
            let (mut map, mut more, real_bytes) = header.sparse()?;
            while more {
                let block = self.block()?.ok_or_else(|| malformed("sparse map"))?;
                let (segments, again) = more_sparse(&block)?;
                map.extend(segments);
                more = again;
                if map.len() > SEGMENTS_LIMIT {
                    return Err(malformed("sparse map too long"));
                }
            }
            entry.size_bytes = real_bytes;
            map
        } else {
            let is_1_0 = overrides.get("GNU.sparse.major") == Some(b"1");
            let map = if is_1_0 {
                None
            } else {
                overrides.sparse_map()?
            };
            if map.is_none() && !is_1_0 {
                return Ok(());
            }
            if let Some(name) = overrides.get("GNU.sparse.name") {
                entry.name = name.to_vec();
            }
            for key in ["GNU.sparse.realsize", "GNU.sparse.size"] {
                if let Some(real_bytes) = overrides.number(key, decimal)? {
                    entry.size_bytes = real_bytes;
                }
            }
            match map {
                Some(map) => map,
                None => self.stored_map()?,
            }
        };
        sparse::check(&map, entry.size_bytes, self.stored)?;
        entry.sparse = Some(map);
        Ok(())
    }

    /// The map of PAX 1.0, which is stored before the content, one number a line.
    fn stored_map(&mut self) -> io::Result<Vec<Segment>> {
        let bad = || malformed("sparse map");
        let before = self.stored;
        let count = self.stored_number()?;
        if count > SEGMENTS_LIMIT as u64 {
            return Err(bad());
        }
        let mut map = Vec::new();
        for _ in 0..count {
            let offset = self.stored_number()?;
            let length_bytes = self.stored_number()?;
            map.push(Segment {
                offset,
                length_bytes,
            });
        }
        let mut padding = (before - self.stored).next_multiple_of(BLOCK_BYTES as u64);
        padding -= before - self.stored;
        while padding > 0 {
            let ready = self.content()?.len() as u64;
            if ready == 0 {
                return Err(bad());
            }
            let skipped = ready.min(padding);
            self.consume(usize::try_from(skipped).unwrap_or(0));
            padding -= skipped;
        }
        Ok(map)
    }

    fn stored_number(&mut self) -> io::Result<u64> {
        let mut digits = Vec::new();
        loop {
            let byte = *self
                .content()?
                .first()
                .ok_or_else(|| malformed("sparse map"))?;
            self.consume(1);
            if byte == b'\n' {
                return decimal(&digits).ok_or_else(|| malformed("sparse map"));
            }
            digits.push(byte);
            if digits.len() > 20 {
                return Err(malformed("sparse map"));
            }
        }
    }

    /// The whole content of an entry that describes another.
    fn special(&mut self) -> io::Result<Vec<u8>> {
        if self.stored > SPECIAL_LIMIT_BYTES {
            return Err(malformed("extended header too long"));
        }
        let mut body = Vec::new();
        loop {
            let piece = self.content()?;
            if piece.is_empty() {
                return Ok(body);
            }
            let length = piece.len();
            body.extend_from_slice(piece);
            self.consume(length);
        }
    }

    /// A long name; None when it is empty, which says nothing.
    fn special_text(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut body = self.special()?;
        let length = body.iter().position(|&byte| byte == 0);
        body.truncate(length.unwrap_or(body.len()));
        Ok(Some(body).filter(|body| !body.is_empty()))
    }

    fn set_stored(&mut self, bytes: u64) {
        self.stored = bytes;
        let past = bytes % BLOCK_BYTES as u64;
        self.padding = if past == 0 {
            0
        } else {
            BLOCK_BYTES as u64 - past
        };
    }

    fn skip_content(&mut self) -> io::Result<()> {
        while self.stored > 0 {
            let length = self.content()?.len();
            self.consume(length);
        }
        // The padding of the last entry may be missing.
        while self.padding > 0 {
            if self.start == self.end && !self.fill()? {
                break;
            }
            let ready = (self.end - self.start) as u64;
            let skipped = ready.min(self.padding);
            self.start += usize::try_from(skipped).unwrap_or(0);
            self.padding -= skipped;
        }
        self.padding = 0;
        Ok(())
    }

    /// The next block; None at the end, be it a block of zeros or the stream's.
    fn block(&mut self) -> io::Result<Option<[u8; BLOCK_BYTES]>> {
        let mut block = [0; BLOCK_BYTES];
        let mut filled = 0;
        while filled < BLOCK_BYTES && !self.ended {
            if self.start == self.end && !self.fill()? {
                if block[..filled].iter().any(|&byte| byte != 0) {
                    return Err(cut_short());
                }
                self.ended = true;
            }
            let ready = (self.end - self.start).min(BLOCK_BYTES - filled);
            block[filled..filled + ready]
                .copy_from_slice(&self.buffer[self.start..self.start + ready]);
            self.start += ready;
            filled += ready;
        }
        if block == [0; BLOCK_BYTES] {
            self.ended = true;
            return Ok(None);
        }
        Ok(Some(block))
    }

    /// Read into the empty buffer; false at the stream's end.
    fn fill(&mut self) -> io::Result<bool> {
        self.start = 0;
        self.end = 0;
        loop {
            match self.source.read(&mut self.buffer) {
                Ok(bytes) => {
                    self.end = bytes;
                    return Ok(bytes > 0);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

fn cut_short() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "unexpected EOF")
}
