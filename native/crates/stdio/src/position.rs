//! Where a reader stands in a log that is several files and still grows: rotated files first, oldest first.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};

use crate::cursor::{Cursor, Place};
use crate::files::newer_than;
use crate::frame::Stream;
use crate::source::{Identity, Source};
use crate::tail::{tail_offset, LineTail};

/// What reading on has met.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Bytes(usize),
    /// Another file begins, or the same one anew: what was read last and is no whole record never will be.
    Next,
    /// All that is there was read.
    Idle,
}

/// Where to begin when no cursor says it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Start {
    Oldest,
    /// In front of the last so many records.
    Records(u64),
    /// In front of the last so many lines, all their pieces included.
    Lines(u64),
    /// Not far in front of the first record from this moment on.
    Since(i64),
}

#[derive(Debug)]
pub(crate) struct Position {
    path: PathBuf,
    current: Option<Source>,
    offset: u64,
    newer: VecDeque<Source>,
    /// The end of the file before, as long as there is nothing in the current one to know it by.
    before: Option<Place>,
    quiet: Option<Quiet>,
}

/// An offset in a file.
type Spot = (Identity, u64);

/// A stretch that is read for the sake of lines that go on behind it, and has nothing else to show.
#[derive(Debug)]
struct Quiet {
    to: Spot,
    /// Where the line of each stream begins, if it has one.
    from: [Option<Spot>; 2],
    /// Of which streams the line is being read.
    heard: [bool; 2],
}

impl Quiet {
    /// What begins where a file ends, begins with the next.
    fn leave(&mut self, identity: Identity) {
        for (from, heard) in self.from.iter().zip(&mut self.heard) {
            *heard |= from.is_some_and(|from| from.0 == identity);
        }
    }
}

impl Position {
    /// A log that does not exist yet is empty.
    pub(crate) fn open(path: &Path, start: Start) -> io::Result<Self> {
        let mut position = Self::of(path, newer_than(path, None)?);
        match start {
            Start::Oldest => {}
            Start::Records(wanted) => position.go_before_records(wanted)?,
            Start::Lines(wanted) => position.go_before_lines(wanted)?,
            Start::Since(since_ns) => position.go_before(since_ns)?,
        }
        position.current = position.newer.pop_front();
        Ok(position)
    }

    /// Where a cursor says; or else at the oldest record there is, with false.
    pub(crate) fn resume(path: &Path, cursor: &Cursor) -> io::Result<(Self, bool)> {
        let mut files = newer_than(path, None)?;
        if cursor.at.inode == 0 {
            return Ok((Self::begun(path, files), true));
        }
        let Some(at) = find(&mut files, &cursor.at)? else {
            return Ok((Self::begun(path, files), false));
        };
        let mut first = (at, cursor.at.offset);
        let mut whole = true;
        let mut from = [None, None];
        for (back, from) in cursor.back.iter().zip(&mut from) {
            let Some(back) = back else { continue };
            match find(&mut files, back)? {
                Some(found) => {
                    first = first.min((found, back.offset));
                    *from = Some((files[found].identity, back.offset));
                }
                None => whole = false,
            }
        }
        let quiet = Quiet {
            to: (files[at].identity, cursor.at.offset),
            from,
            heard: [false, false],
        };
        files.drain(..first.0);
        let mut position = Self::begun(path, files);
        position.offset = first.1;
        position.quiet = Some(quiet);
        Ok((position, whole))
    }

    fn of(path: &Path, newer: VecDeque<Source>) -> Self {
        Self {
            path: path.to_owned(),
            current: None,
            offset: 0,
            newer,
            before: None,
            quiet: None,
        }
    }

    fn begun(path: &Path, files: VecDeque<Source>) -> Self {
        let mut position = Self::of(path, files);
        position.current = position.newer.pop_front();
        position
    }

    fn go_before_records(&mut self, mut wanted: u64) -> io::Result<()> {
        let directory = self.directory();
        let mut kept = VecDeque::new();
        while let Some(mut source) = self.newer.pop_back() {
            self.offset = tail_offset(source.searched(&directory)?, &mut wanted)?;
            kept.push_front(source);
            if wanted == 0 {
                break;
            }
        }
        self.newer = kept;
        Ok(())
    }

    fn go_before_lines(&mut self, wanted: u64) -> io::Result<()> {
        let directory = self.directory();
        let mut tail = LineTail::new(wanted);
        let mut kept: VecDeque<Source> = VecDeque::new();
        while let Some(mut source) = self.newer.pop_back() {
            tail.search(source.searched(&directory)?, kept.len())?;
            kept.push_front(source);
            if tail.is_done() {
                break;
            }
        }
        // Counted from the newest on, as `tail` does.
        let spot = |(number, offset): (usize, u64)| {
            let source = kept.get(kept.len().checked_sub(number + 1)?)?;
            Some((source.identity, offset))
        };
        self.quiet = tail.shown_from.and_then(spot).map(|to| Quiet {
            to,
            from: tail.back.map(|back| back.and_then(spot)),
            heard: [false, false],
        });
        if let Some((number, offset)) = tail.begin {
            self.offset = offset;
            kept.drain(..kept.len().saturating_sub(number + 1));
        }
        self.newer = kept;
        Ok(())
    }

    fn go_before(&mut self, since_ns: i64) -> io::Result<()> {
        let mut kept = VecDeque::new();
        while let Some(source) = self.newer.pop_back() {
            if source.ends_before(since_ns) {
                break;
            }
            let begins_before = source.begins_before(since_ns)?;
            kept.push_front(source);
            if begins_before {
                break;
            }
        }
        if let Some(first) = kept.front() {
            self.offset = first.offset_since(since_ns)?;
        }
        self.newer = kept;
        Ok(())
    }

    fn directory(&self) -> PathBuf {
        let parent = self
            .path
            .parent()
            .filter(|path| !path.as_os_str().is_empty());
        parent.unwrap_or(Path::new(".")).to_owned()
    }

    /// Read what comes next into `buffer`; of what was read before, the last `unread_bytes` are
    /// no whole record yet.
    pub(crate) fn read(&mut self, buffer: &mut [u8], unread_bytes: usize) -> io::Result<Step> {
        loop {
            if let Some(source) = &mut self.current {
                let count = source.read_at(buffer, self.offset)?;
                if count > 0 {
                    self.offset += count as u64;
                    return Ok(Step::Bytes(count));
                }
            }
            if let Some(next) = self.newer.pop_front() {
                self.leave(unread_bytes)?;
                self.current = Some(next);
                return Ok(Step::Next);
            }
            if let Some(source) = &mut self.current {
                if source.is_at(&self.path) {
                    if source.text_bytes()? >= self.offset {
                        return Ok(Step::Idle);
                    }
                    // Cut by somebody else, who has what was in it.
                    source.forget();
                    self.before = None;
                    self.quiet = None;
                    self.offset = 0;
                    return Ok(Step::Next);
                }
            }
            // Rotated away: its writer has done with it, but may have written since our last read.
            self.newer = newer_than(&self.path, self.current.as_mut())?;
            if self.newer.is_empty() {
                return Ok(Step::Idle);
            }
        }
    }

    /// Have done with the current file.
    fn leave(&mut self, unread_bytes: usize) -> io::Result<()> {
        if let Some(source) = &mut self.current {
            if let Some(print) = source.print()? {
                self.before = Some(Place {
                    print,
                    inode: source.identity.1,
                    offset: self.offset - unread_bytes as u64,
                });
            }
            if let Some(quiet) = &mut self.quiet {
                quiet.leave(source.identity);
            }
            self.quiet = self
                .quiet
                .take()
                .filter(|quiet| quiet.to.0 != source.identity);
        }
        self.offset = 0;
        Ok(())
    }

    /// In front of the last `unread_bytes` that were read.
    pub(crate) fn place(&mut self, unread_bytes: usize) -> io::Result<Place> {
        let Some(source) = &mut self.current else {
            let nowhere = Place {
                print: 0,
                inode: 0,
                offset: 0,
            };
            return Ok(self.before.unwrap_or(nowhere));
        };
        let inode = source.identity.1;
        let offset = self.offset - unread_bytes as u64;
        match (source.print()?, self.before) {
            (Some(print), before) if offset > 0 || before.is_none() => Ok(Place {
                print,
                inode,
                offset,
            }),
            (_, Some(before)) => Ok(before),
            (_, None) => Ok(Place {
                print: 0,
                inode,
                offset: 0,
            }),
        }
    }

    /// Whether a record of a stream that begins in front of the last `unread_bytes` is nothing to
    /// be shown, nor part of it.
    pub(crate) fn is_quiet(&mut self, stream: Stream, unread_bytes: usize) -> bool {
        let Some(quiet) = &mut self.quiet else {
            return false;
        };
        let here = self.current.as_ref().map(|source| source.identity);
        let offset = self.offset - unread_bytes as u64;
        let is_reached = |spot: Spot| here == Some(spot.0) && offset >= spot.1;
        if is_reached(quiet.to) {
            self.quiet = None;
            return false;
        }
        let stream = usize::from(stream == Stream::Stderr);
        quiet.heard[stream] |= quiet.from[stream].is_some_and(is_reached);
        !quiet.heard[stream]
    }

    /// How much of the files that are known was not read.
    pub(crate) fn behind_bytes(&self) -> io::Result<u64> {
        let mut left = 0u64;
        for source in self.current.iter().chain(&self.newer) {
            left = left.saturating_add(source.text_bytes()?);
        }
        Ok(left.saturating_sub(self.offset))
    }
}

/// Which of the files a place is in.
fn find(files: &mut VecDeque<Source>, place: &Place) -> io::Result<Option<usize>> {
    let mut found = None;
    for (number, source) in files.iter_mut().enumerate() {
        if source.holds(place)? {
            if source.identity.1 == place.inode {
                return Ok(Some(number));
            }
            // The oldest, where several look alike: rather twice than never.
            found = found.or(Some(number));
        }
    }
    Ok(found)
}
