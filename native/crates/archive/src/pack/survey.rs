//! A tar before it is packed: its size, and a fingerprint of what it will be made of.
use std::io::{self, Write};
use std::os::fd::BorrowedFd;

use rustix::fs::fstat;
use sha2::{Digest, Sha256};

use super::{Packed, Sink};
use crate::error::Error;

/// What is known of a tar without reading the files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Survey {
    pub bytes: u64,
    /// SHA-256 over all headers and, in place of each file's content, the identity of the inode
    /// and its times of change, which no program can set: equal for two tars of equal bytes.
    pub fingerprint: [u8; 32],
}

/// Survey what `pack` packs into the sink it is given.
pub fn survey(pack: impl FnOnce(&mut dyn Sink) -> Result<Packed, Error>) -> Result<Survey, Error> {
    let mut tally = Tally::default();
    pack(&mut tally)?;
    Ok(Survey {
        bytes: tally.bytes,
        fingerprint: tally.hash.finalize().into(),
    })
}

#[derive(Default)]
struct Tally {
    bytes: u64,
    hash: Sha256,
}

impl Write for Tally {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes += bytes.len() as u64;
        self.hash.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Sink for Tally {
    fn send_file(
        &mut self,
        file: BorrowedFd<'_>,
        offset: u64,
        length_bytes: u64,
    ) -> io::Result<()> {
        let stat = fstat(file)?;
        self.bytes += length_bytes;
        // Not the device: an overlay's is another one with each mount.
        for number in [stat.st_ino, offset, length_bytes] {
            self.hash.update(number.to_le_bytes());
        }
        for (seconds, nanoseconds) in [
            (stat.st_mtime, stat.st_mtime_nsec),
            (stat.st_ctime, stat.st_ctime_nsec),
        ] {
            self.hash.update(seconds.to_le_bytes());
            self.hash.update(nanoseconds.to_le_bytes());
        }
        Ok(())
    }

    fn ignores_content(&self) -> bool {
        true
    }
}
