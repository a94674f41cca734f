//! Tree → tar: entries named, ordered and encoded as Docker does it, and what can be asked for
//! beyond that.
mod ahead;
mod content;
mod looking;
mod packer;
mod passing;
mod selection;
mod survey;
mod walk;

use std::io::{self, Write};
use std::os::fd::BorrowedFd;

use rustix::fs::{fstat, openat, FileType, Mode, OFlags};
use rustix::io::Errno;

use crate::descent::DIRECTORY;
use crate::error::{errno_text, quoted, Error};
use crate::paths::Asked;
use crate::root::Root;
use crate::stat::lookup_error;

use packer::Packer;
pub(crate) use passing::each_piece;
pub use passing::{Hashed, Skipping};
pub use selection::Selection;
pub use survey::{survey, Survey};

/// How many of those left out are told by name.
const LEFT_OUT_FIRST: usize = 16;

/// Where a tar goes. Small pieces are written, large files sent.
pub trait Sink: Write {
    /// Send exactly `length_bytes` from `offset` on, with zeros for what the file lacks. One that
    /// cannot be read is an error. Where nothing better is known, it is read and written.
    fn send_file(
        &mut self,
        file: BorrowedFd<'_>,
        offset: u64,
        length_bytes: u64,
    ) -> io::Result<()> {
        each_piece(file, offset, length_bytes, |piece| self.write_all(piece))
    }

    /// Whether it is not interested in content: then all files are sent, the small ones too.
    fn ignores_content(&self) -> bool {
        false
    }
}

/// What is packed, and how. By default everything, as Docker packs it.
#[derive(Clone, Debug, Default)]
pub struct Packing {
    pub selection: Selection,
    /// Leave holes out, by PAX 1.0 sparse entries.
    pub sparse: bool,
    /// Tell each file's SHA-256 in a PAX record, [`DIGEST_RECORD`].
    pub digests: bool,
}

/// The PAX record of a file's SHA-256, in hexadecimal digits: of all its content, holes included.
pub const DIGEST_RECORD: &str = "DRAYMAN.sha256";

/// What was packed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Packed {
    /// The tar's bytes.
    pub bytes: u64,
    /// How many files were left out because they vanished meanwhile or could not be read.
    pub left_out: u64,
    /// The first of them, each with what the kernel said.
    pub left_out_first: Vec<String>,
}

impl Packed {
    fn leave_out(&mut self, name: &[u8], errno: Errno) {
        self.left_out += 1;
        if self.left_out_first.len() < LEFT_OUT_FIRST {
            let told = format!("{}: {}", quoted(name), errno_text(errno));
            self.left_out_first.push(told);
        }
    }
}

/// Write a tar of what lies at `path`, in the names of Docker's `GET archive`. Patterns are held
/// against paths below it. `NotFound` comes before anything was written.
pub fn pack(
    root: BorrowedFd<'_>,
    path: &[u8],
    packing: &Packing,
    sink: &mut dyn Sink,
) -> Result<Packed, Error> {
    let asked = Asked::new(path);
    let failed = |errno| lookup_error(path, errno);
    let found = Root::new(root)
        .open(&asked.resolve, OFlags::PATH | OFlags::NOFOLLOW)
        .map_err(failed)?;
    let stat = fstat(&found).map_err(failed)?;
    let mut packer = Packer::new(sink, packing);
    if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
        let directory = openat(&found, ".", DIRECTORY, Mode::empty()).map_err(failed)?;
        packer.tree(directory, stat, asked.prefix())
    } else {
        packer.file(&found, stat, &asked.base)
    }
    .and_then(|()| packer.finish())
    .map_err(Error::Stream)
}

/// Write a tar of a whole root: names without `./`, no entry for the root itself.
pub fn export(
    root: BorrowedFd<'_>,
    packing: &Packing,
    sink: &mut dyn Sink,
) -> Result<Packed, Error> {
    let failed = |errno| lookup_error(b"/", errno);
    let directory = openat(root, ".", DIRECTORY, Mode::empty()).map_err(failed)?;
    let stat = fstat(&directory).map_err(failed)?;
    let mut packer = Packer::new(sink, packing);
    packer
        .tree(directory, stat, Vec::new())
        .and_then(|()| packer.finish())
        .map_err(Error::Stream)
}
