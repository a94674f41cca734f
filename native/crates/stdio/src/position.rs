//! Where a reader stands in a log that is several files and still grows: rotated files first, oldest first.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::rotation::rotated;
use crate::since;

/// Blocks in which the end of a log is searched for its last lines.
const TAIL_BLOCK_BYTES: u64 = 256 * 1024;
/// Rotated files looked for at most; a log that has more is read from there on.
const FILES_MAX: u32 = 1000;

/// What reading on has met.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Bytes(usize),
    /// Another file begins, or the same one anew: what was read last and is no whole record never will be.
    Next,
    /// All that is there was read.
    Idle,
}

#[derive(Debug)]
pub(crate) struct Position {
    path: PathBuf,
    current: Option<Opened>,
    offset: u64,
    newer: VecDeque<Opened>,
}

#[derive(Debug)]
struct Opened {
    file: File,
    identity: (u64, u64),
}

impl Position {
    /// At the first record, in front of the last `tail` ones, or not far in front of the first
    /// one from `since_ns` on. A log that does not exist yet is empty.
    pub(crate) fn open(path: &Path, tail: Option<u64>, since_ns: Option<i64>) -> io::Result<Self> {
        let mut files = newer_than(path, None)?;
        let mut offset = 0;
        if let Some(mut wanted) = tail {
            let mut kept = VecDeque::new();
            while let Some(opened) = files.pop_back() {
                offset = tail_offset(&opened.file, &mut wanted)?;
                kept.push_front(opened);
                if wanted == 0 {
                    break;
                }
            }
            files = kept;
        } else if let Some(since_ns) = since_ns {
            let mut kept = VecDeque::new();
            while let Some(opened) = files.pop_back() {
                let begins_before = since::begins_before(&opened.file, since_ns)?;
                kept.push_front(opened);
                if begins_before {
                    break;
                }
            }
            if let Some(first) = kept.front() {
                offset = since::offset(&first.file, since_ns)?;
            }
            files = kept;
        }
        Ok(Self {
            path: path.to_owned(),
            current: files.pop_front(),
            offset,
            newer: files,
        })
    }

    /// Read what comes next into `buffer`.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> io::Result<Step> {
        loop {
            if let Some(opened) = &self.current {
                let count = opened.file.read_at(buffer, self.offset)?;
                if count > 0 {
                    self.offset += count as u64;
                    return Ok(Step::Bytes(count));
                }
            }
            if let Some(next) = self.newer.pop_front() {
                self.current = Some(next);
                self.offset = 0;
                return Ok(Step::Next);
            }
            if let Some(opened) = &self.current {
                let at_path = std::fs::metadata(&self.path);
                if at_path.is_ok_and(|found| identity(&found) == opened.identity) {
                    if opened.file.metadata()?.len() >= self.offset {
                        return Ok(Step::Idle);
                    }
                    self.offset = 0;
                    return Ok(Step::Next);
                }
            }
            // Rotated away: its writer has done with it, but may have written since our last read.
            self.newer = newer_than(&self.path, self.current.as_ref().map(|o| o.identity))?;
            if self.newer.is_empty() {
                return Ok(Step::Idle);
            }
        }
    }
}

/// The log's files that are newer than the one given (all, when it is gone), oldest first.
fn newer_than(path: &Path, known: Option<(u64, u64)>) -> io::Result<VecDeque<Opened>> {
    let mut found: VecDeque<Opened> = VecDeque::new();
    for number in 0..FILES_MAX {
        // From newest to oldest: a rotation meanwhile shows us a file twice rather than never.
        let name = if number == 0 {
            path.to_owned()
        } else {
            rotated(path, number)
        };
        let file = match File::open(&name) {
            Ok(file) => file,
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            // In the middle of a rotation there is no current file.
            Err(_) if number == 0 => continue,
            Err(_) => break,
        };
        let identity = identity(&file.metadata()?);
        if Some(identity) == known {
            break;
        }
        if found.iter().all(|opened| opened.identity != identity) {
            found.push_front(Opened { file, identity });
        }
    }
    Ok(found)
}

fn identity(metadata: &std::fs::Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

/// Where the last `wanted` whole lines of a file begin; `wanted` becomes what is still missing.
pub(crate) fn tail_offset(file: &File, wanted: &mut u64) -> io::Result<u64> {
    let mut end = file.metadata()?.len();
    let mut block = vec![0; usize::try_from(TAIL_BLOCK_BYTES.min(end)).unwrap_or(0)];
    // The newline that ends the last whole line begins none.
    let mut newlines_left = *wanted + 1;
    while end > 0 {
        let start = end.saturating_sub(TAIL_BLOCK_BYTES);
        let part = &mut block[..usize::try_from(end - start).unwrap_or(0)];
        file.read_exact_at(part, start)?;
        for at in memchr::memrchr_iter(b'\n', part) {
            newlines_left -= 1;
            if newlines_left == 0 {
                *wanted = 0;
                return Ok(start + at as u64 + 1);
            }
        }
        end = start;
    }
    // The first line has no newline in front; a file without any has no whole line.
    *wanted = newlines_left - 1;
    Ok(0)
}
