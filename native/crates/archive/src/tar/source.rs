//! Streams whose contents may lie in files, so that the kernel can move them.
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// A piece of a stream that lies in a file, with zeros for what the file lacks.
#[derive(Clone, Debug)]
pub struct FileRange {
    pub file: Arc<OwnedFd>,
    pub offset: u64,
    pub length_bytes: u64,
}

impl FileRange {
    /// Cut it: what is behind its first `bytes`.
    #[must_use]
    pub fn split_off(&mut self, bytes: u64) -> FileRange {
        let rest = FileRange {
            file: Arc::clone(&self.file),
            offset: self.offset + bytes,
            length_bytes: self.length_bytes - bytes,
        };
        self.length_bytes = bytes;
        rest
    }
}

/// Where an archive that is unpacked comes from.
pub trait Source: Read {
    /// Take the range of a file that comes next, up to a limit; None when what comes next must
    /// be read.
    fn file_range(&mut self, _limit_bytes: u64) -> io::Result<Option<FileRange>> {
        Ok(None)
    }
}

impl<S: Source + ?Sized> Source for &mut S {
    fn file_range(&mut self, limit_bytes: u64) -> io::Result<Option<FileRange>> {
        (**self).file_range(limit_bytes)
    }
}
