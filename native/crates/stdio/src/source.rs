//! One file of a log, plain or compressed, and what it is known by.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{open, Mode, OFlags};

use crate::cursor::{hash, Place};
use crate::inflated::Inflated;
use crate::mark;
use crate::order::late_ns;
use crate::since;

/// More of a file's first line says nothing new about it.
const PRINT_BYTES: usize = 128 * 1024;
const COPY_BYTES: usize = 64 * 1024;

/// Device and inode.
pub(crate) type Identity = (u64, u64);

#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) identity: Identity,
    /// Known once the first line is whole.
    print: Option<u64>,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Plain(Arc<File>),
    Compressed(Box<Inflated>, Arc<File>),
}

impl Content {
    fn read_at(&mut self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.read_at(buffer, offset),
            Self::Compressed(inflated, _) => inflated.read_at(buffer, offset),
        }
    }

    fn file(&self) -> &File {
        match self {
            Self::Plain(file) | Self::Compressed(_, file) => file,
        }
    }

    /// Another way through it, which leaves this one where it is.
    fn anew(&self) -> Self {
        match self {
            Self::Plain(file) => Self::Plain(Arc::clone(file)),
            Self::Compressed(_, file) => {
                let inflated = Box::new(Inflated::new(Arc::clone(file)));
                Self::Compressed(inflated, Arc::clone(file))
            }
        }
    }
}

impl Source {
    pub(crate) fn open(path: &Path, compressed: bool) -> io::Result<Self> {
        let file = Arc::new(File::open(path)?);
        let identity = identity(&file.metadata()?);
        let content = if compressed {
            Content::Compressed(Box::new(Inflated::new(Arc::clone(&file))), file)
        } else {
            Content::Plain(file)
        };
        Ok(Self {
            identity,
            print: None,
            content,
        })
    }

    /// Read its text from an offset on; 0 where it ends for now.
    pub(crate) fn read_at(&mut self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.content.read_at(buffer, offset)
    }

    /// The length of its text; of a compressed one's, which does not grow, the most there can be.
    pub(crate) fn text_bytes(&self) -> io::Result<u64> {
        match &self.content {
            Content::Plain(file) => Ok(file.metadata()?.len()),
            Content::Compressed(..) => Ok(u64::MAX),
        }
    }

    /// Its text as a file to search in. Searching goes back and forth, which inflating cannot: so
    /// the text of a compressed one is written to a file that has no name and goes with this.
    pub(crate) fn searched(&mut self, directory: &Path) -> io::Result<&File> {
        if matches!(self.content, Content::Compressed(..)) {
            // What it is known by stays with the compressed file.
            self.print()?;
        }
        if let Content::Compressed(inflated, _) = &mut self.content {
            let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
            let mut text = File::from(open(directory, flags, Mode::RUSR | Mode::WUSR)?);
            let mut buffer = vec![0; COPY_BYTES];
            let mut offset = 0;
            loop {
                let count = inflated.read_at(&mut buffer, offset)?;
                if count == 0 {
                    break;
                }
                text.write_all(&buffer[..count])?;
                offset += count as u64;
            }
            self.content = Content::Plain(Arc::new(text));
        }
        Ok(self.content.file())
    }

    /// Whether it and what is older holds nothing from `since_ns` on, by what is told of it.
    pub(crate) fn ends_before(&self, since_ns: i64) -> bool {
        let Content::Compressed(inflated, file) = &self.content else {
            return false;
        };
        // Docker looks at its last record alone; ours tells how much later another may be.
        let late_ns = late_ns(file).unwrap_or(0);
        inflated
            .last_ns()
            .is_some_and(|last_ns| last_ns.saturating_add(late_ns) < since_ns)
    }

    /// Whether what is older holds nothing from `since_ns` on.
    pub(crate) fn begins_before(&self, since_ns: i64) -> io::Result<bool> {
        match &self.content {
            Content::Plain(file) => since::begins_before(file, since_ns),
            // Older ones that end before are found at once, by their headers.
            Content::Compressed(..) => Ok(false),
        }
    }

    /// An offset before which there is no record from `since_ns` on.
    pub(crate) fn offset_since(&self, since_ns: i64) -> io::Result<u64> {
        match &self.content {
            Content::Plain(file) => since::offset(file, since_ns),
            Content::Compressed(..) => Ok(0),
        }
    }

    /// What its mark and its first line are; None as long as that is not whole.
    pub(crate) fn print(&mut self) -> io::Result<Option<u64>> {
        if self.print.is_some() {
            return Ok(self.print);
        }
        let mut aside = self.content.anew();
        let mut known_by = mark::of(self.content.file());
        let mark_bytes = known_by.len();
        let mut block = [0; 4096];
        loop {
            let line_bytes = known_by.len() - mark_bytes;
            let count = aside.read_at(&mut block, line_bytes as u64)?;
            let end = memchr::memchr(b'\n', &block[..count]);
            known_by.extend_from_slice(&block[..end.map_or(count, |at| at + 1)]);
            if end.is_some() || line_bytes + count >= PRINT_BYTES {
                self.print = Some(hash(&known_by));
                return Ok(self.print);
            }
            if count == 0 {
                return Ok(None);
            }
        }
    }

    /// What was in it is gone.
    pub(crate) fn forget(&mut self) {
        self.print = None;
    }

    /// Whether it is the file of a place, or one with the same text.
    pub(crate) fn holds(&mut self, place: &Place) -> io::Result<bool> {
        if place.print == 0 {
            return Ok(self.identity.1 == place.inode);
        }
        if self.print()? != Some(place.print) {
            return Ok(false);
        }
        let Content::Plain(file) = &self.content else {
            // Where it is damaged, what follows is missing anyway.
            return Ok(true);
        };
        // Records are added whole: anything else is not what was read.
        let mut before = [b'\n'];
        if place.offset > 0 && file.read_at(&mut before, place.offset - 1)? == 0 {
            return Ok(false);
        }
        Ok(before == [b'\n'])
    }

    /// Whether it is another's text compressed meanwhile, or the same file.
    pub(crate) fn is_same(&mut self, other: &mut Self) -> io::Result<bool> {
        if self.identity == other.identity {
            return Ok(true);
        }
        let compressed = matches!(self.content, Content::Compressed(..));
        Ok(compressed && self.print()?.is_some() && self.print()? == other.print()?)
    }

    /// Whether a directory's entry still leads to it.
    pub(crate) fn is_at(&self, path: &Path) -> bool {
        std::fs::metadata(path).is_ok_and(|found| identity(&found) == self.identity)
    }
}

fn identity(metadata: &std::fs::Metadata) -> Identity {
    (metadata.dev(), metadata.ino())
}
