//! Going down a tree by descriptors: as deep as it is, with few of them open.
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::fs::{fstat, openat, FileType, Mode, OFlags, RawDir, Stat};
use rustix::io::Result;

/// How many of the deepest directories are kept open. Those above are opened again by `..`.
const OPEN_LIMIT: usize = 64;
const LISTING_BUFFER_BYTES: usize = 64 << 10;

pub(crate) const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// Which directory it is, however it is called.
type Identity = (u64, u64);

fn identity(stat: &Stat) -> Identity {
    (stat.st_dev, stat.st_ino)
}

/// The names in a directory, sorted, in one piece of memory.
#[derive(Default)]
struct Listing {
    names: Vec<u8>,
    entries: Vec<(u32, u16, FileType)>,
}

impl Listing {
    /// Read a directory. What cannot be read is not there.
    fn read(directory: BorrowedFd<'_>, buffer: &mut Vec<u8>) -> Listing {
        let mut listing = Listing::default();
        buffer.clear();
        buffer.reserve(LISTING_BUFFER_BYTES);
        let mut raw = RawDir::new(directory, buffer.spare_capacity_mut());
        while let Some(Ok(entry)) = raw.next() {
            let name = entry.file_name().to_bytes();
            if name == b"." || name == b".." {
                continue;
            }
            let Ok(start) = u32::try_from(listing.names.len()) else {
                break;
            };
            let Ok(length) = u16::try_from(name.len()) else {
                continue;
            };
            listing.names.extend_from_slice(name);
            listing.entries.push((start, length, entry.file_type()));
        }
        let names = &listing.names;
        let name = |&(start, length, _): &(u32, u16, FileType)| {
            &names[start as usize..start as usize + usize::from(length)]
        };
        listing
            .entries
            .sort_unstable_by(|one, other| name(one).cmp(name(other)));
        listing
    }

    fn get(&self, index: usize) -> Option<(&[u8], FileType)> {
        let &(start, length, kind) = self.entries.get(index)?;
        let start = start as usize;
        Some((&self.names[start..start + usize::from(length)], kind))
    }
}

struct Frame {
    /// None while it is closed to save descriptors.
    directory: Option<Arc<OwnedFd>>,
    identity: Identity,
    listing: Listing,
    next: usize,
    /// The visitor's own note.
    mark: usize,
}

/// Where the visitor stands: a stack of directories, the deepest last.
#[derive(Default)]
pub(crate) struct Descent {
    frames: Vec<Frame>,
    buffer: Vec<u8>,
}

/// What comes next in the deepest directory.
pub(crate) enum Step<'a> {
    Entry(&'a Arc<OwnedFd>, &'a [u8], FileType),
    /// It is through. Leave it.
    End,
    /// There is no directory any more.
    Done,
}

impl Descent {
    /// Go into a directory.
    pub(crate) fn enter(&mut self, directory: OwnedFd, stat: &Stat, mark: usize) {
        let listing = Listing::read(directory.as_fd(), &mut self.buffer);
        // The first stays open: it is the way back should all others be moved.
        if self.frames.len() > OPEN_LIMIT {
            let above = self.frames.len() - OPEN_LIMIT;
            self.frames[above].directory = None;
        }
        self.frames.push(Frame {
            directory: Some(Arc::new(directory)),
            identity: identity(stat),
            listing,
            next: 0,
            mark,
        });
    }

    pub(crate) fn next(&mut self) -> Step<'_> {
        let Some(frame) = self.frames.last_mut() else {
            return Step::Done;
        };
        let Some(directory) = &frame.directory else {
            return Step::End;
        };
        let Some((name, kind)) = frame.listing.get(frame.next) else {
            return Step::End;
        };
        frame.next += 1;
        Step::Entry(directory, name, kind)
    }

    /// Leave the deepest directory for the one above, opening that again if need be. A tree
    /// moved meanwhile is left as far as it cannot be found.
    pub(crate) fn leave(&mut self) {
        let Some(left) = self.frames.pop() else {
            return;
        };
        if let (Some(frame), Some(below)) = (self.frames.last_mut(), &left.directory) {
            if frame.directory.is_none() {
                frame.directory = reopen_above(below, frame.identity).ok().flatten();
            }
        }
    }

    /// The note made on entering the deepest directory.
    pub(crate) fn mark(&self) -> usize {
        self.frames.last().map_or(0, |frame| frame.mark)
    }

    /// The deepest directory and the name last given out of it.
    pub(crate) fn current(&self) -> Option<(BorrowedFd<'_>, &[u8])> {
        let frame = self.frames.last()?;
        let (name, _) = frame.listing.get(frame.next.checked_sub(1)?)?;
        Some((frame.directory.as_ref()?.as_fd(), name))
    }
}

fn reopen_above(below: &OwnedFd, expected: Identity) -> Result<Option<Arc<OwnedFd>>> {
    let above = openat(below, "..", DIRECTORY, Mode::empty())?;
    let found = identity(&fstat(&above)?);
    Ok((found == expected).then(|| Arc::new(above)))
}
