//! Tar → tree, by the rules of Docker's `PUT archive`, or as a layer of an image.
mod attributes;
mod create;
mod place;
mod ranges;
mod remove;
mod rename;
mod whiteout;

use std::collections::HashMap;
use std::io::{self, Read};
use std::os::fd::BorrowedFd;

use rustix::fs::{fstat, FileType, OFlags, Timestamps};
use sha2::{Digest, Sha256};

use crate::coding::Coding;
use crate::compression::decompress;
use crate::digits::hexadecimal;
use crate::error::{quoted, text, Error};
use crate::limits::{Limits, Refused};
use crate::paths::{clean, entry_name};
use crate::root::{Reopener, Root};
use crate::stat::lookup_error;
use crate::tar::{Entry, Kind, Reader, Source};

use place::Place;

/// How an archive is unpacked.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options<'o> {
    /// A directory and something else of one name are an error, not replaced.
    pub no_overwrite_dir_non_dir: bool,
    /// Whom everything is to belong to, whatever the archive says.
    pub owner: Option<(u32, u32)>,
    /// The archive is an image's layer: `.wh.` names become overlayfs whiteouts, and the
    /// place itself takes what the archive says of `./`.
    pub whiteouts: bool,
    /// What the sender did to the body, in this order. Beyond them a compression is told by
    /// its magic.
    pub codings: &'o [Coding],
    pub limits: Limits,
    /// What the first component of every name becomes.
    pub name: Option<&'o [u8]>,
}

/// What was unpacked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Bytes of regular files, holes included.
    pub content_bytes: u64,
    /// `sha256:…` of the uncompressed tar, of layers only: nobody asks for a copy's, and it
    /// would cost a copy half its speed.
    pub diff_id: String,
}

/// Raise what unpacking into `path` would: it must lead to a directory.
pub fn check(root: BorrowedFd<'_>, path: &[u8]) -> Result<(), Error> {
    let mut resolve = clean(path);
    if path.ends_with(b"/") {
        resolve.push(b'/');
    }
    let found = Root::new(root)
        .open(&resolve, OFlags::PATH)
        .map_err(|errno| lookup_error(path, errno))?;
    let stat = fstat(&found).map_err(|errno| lookup_error(path, errno))?;
    if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
        Ok(())
    } else {
        Err(Error::Invalid("extraction point is not a directory".into()))
    }
}

/// Unpack a tar, whatever its compression, below the directory at `path`. What was unpacked
/// before an error stays.
pub fn unpack(
    root: BorrowedFd<'_>,
    path: &[u8],
    body: impl Read,
    options: Options<'_>,
) -> Result<Summary, Error> {
    check(root, path)?;
    let mut hashed = Hashed {
        source: None,
        hash: options.whiteouts.then(Sha256::new),
    };
    let mut unpacker = Unpacker::new(Root::new(root), path, options)?;
    let plain = decompress(body, options.codings, options.limits)
        .map_err(|error| stream_error(None, error))?;
    if let Some(plain) = plain {
        hashed.source = Some(plain);
        let mut reader = Reader::new(&mut hashed);
        unpacker.whole(&mut reader)?;
        let rest = reader.finish();
        if options.whiteouts {
            // A layer is known by its digest: the rest must be whole, too.
            rest.map_err(|error| stream_error(None, error))?;
        }
    }
    let diff_id = hashed.hash.map_or_else(String::new, |hash| {
        format!("sha256:{}", hexadecimal(hash.finalize()))
    });
    Ok(Summary {
        content_bytes: unpacker.content_bytes,
        diff_id,
    })
}

/// Unpack a tar that is not compressed, and known by no digest; returns the bytes of regular files.
pub(crate) fn unpack_plain<R: Source>(
    root: BorrowedFd<'_>,
    path: &[u8],
    reader: &mut Reader<R>,
    options: Options<'_>,
) -> Result<u64, Error> {
    check(root, path)?;
    let mut unpacker = Unpacker::new(Root::new(root), path, options)?;
    unpacker.whole(reader)?;
    Ok(unpacker.content_bytes)
}

/// The plain tar passing by, and its digest when that is wanted.
struct Hashed<'r> {
    source: Option<Box<dyn Read + 'r>>,
    hash: Option<Sha256>,
}

impl Read for Hashed<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let Some(source) = &mut self.source else {
            return Ok(0);
        };
        let bytes = source.read(into)?;
        if let Some(hash) = &mut self.hash {
            hash.update(&into[..bytes]);
        }
        Ok(bytes)
    }
}

impl Source for Hashed<'_> {}

/// An error of the stream, with the entry it was met in. That the client left or the transfer
/// was cancelled is no fault of the archive and is passed on as it is.
fn stream_error(entry: Option<&[u8]>, error: io::Error) -> Error {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset};
    let refused = error.get_ref().and_then(|it| it.downcast_ref::<Refused>());
    if let Some(refused) = refused {
        return refusal(entry, refused);
    }
    match entry {
        _ if matches!(
            error.kind(),
            BrokenPipe | ConnectionAborted | ConnectionReset
        ) =>
        {
            Error::Stream(error)
        }
        Some(name) => Error::System(format!("{}: {error}", text(name))),
        None => Error::System(error.to_string()),
    }
}

fn refusal(entry: Option<&[u8]>, refused: &Refused) -> Error {
    Error::Invalid(match entry {
        Some(name) => format!("{}: {refused}", text(name)),
        None => refused.to_string(),
    })
}

struct Unpacker<'fd> {
    place: Place<'fd>,
    options: Options<'fd>,
    reopener: Reopener,
    /// Directories and their times, which are set when nothing is written into them any more.
    /// By name: an archive may say the same one without end.
    directory_times: HashMap<Vec<u8>, Timestamps>,
    kept_times_bytes: usize,
    content_bytes: u64,
}

impl<'fd> Unpacker<'fd> {
    fn new(root: Root<'fd>, path: &[u8], options: Options<'fd>) -> Result<Unpacker<'fd>, Error> {
        options.name.map_or(Ok(()), rename::check)?;
        let reopener = Reopener::new();
        Ok(Unpacker {
            place: Place::new(root, path, options.whiteouts),
            options,
            reopener: reopener.map_err(|errno| Error::system("open", b"/proc/self/fd", errno))?,
            directory_times: HashMap::new(),
            kept_times_bytes: 0,
            content_bytes: 0,
        })
    }

    fn whole<R: Source>(&mut self, reader: &mut Reader<R>) -> Result<(), Error> {
        let result = self.all(reader);
        self.set_directory_times(|_| false);
        result
    }

    fn all<R: Source>(&mut self, reader: &mut Reader<R>) -> Result<(), Error> {
        let mut last: Option<Vec<u8>> = None;
        for count in 1.. {
            let next = reader.next_entry();
            let next = next.map_err(|error| {
                let context = last
                    .as_ref()
                    .map(|name| [b"after ".as_slice(), name].concat());
                stream_error(context.as_deref(), error)
            })?;
            let Some(mut entry) = next else { break };
            let held = self.options.limits.hold_entries(count);
            held.map_err(|refused| refusal(Some(&entry.name), &refused))?;
            if let Some(name) = self.options.name {
                rename::rename(&mut entry, name);
            }
            self.entry(&entry, reader)?;
            last = Some(entry.name);
        }
        Ok(())
    }

    fn entry<R: Source>(&mut self, entry: &Entry, reader: &mut Reader<R>) -> Result<(), Error> {
        let Some(name) = entry_name(&entry.name) else {
            let (name, place) = (quoted(&entry.name), quoted(self.place.base()));
            return Err(Error::System(format!("{name} is outside of {place}")));
        };
        if name.is_empty() {
            if self.options.whiteouts && entry.kind == Kind::Directory {
                self.merge_place(entry)?;
            }
            return Ok(());
        }
        if self.options.whiteouts && self.whiteout(&name)? {
            return Ok(());
        }
        match entry.kind {
            Kind::Directory => self.directory(&name, entry),
            Kind::Regular => self.regular(&name, entry, reader),
            Kind::HardLink => self.hard_link(&name, entry),
            Kind::Symlink => self.symlink(&name, entry),
            Kind::CharacterDevice | Kind::BlockDevice | Kind::Fifo => self.node(&name, entry),
            Kind::Other(kind) => Err(Error::System(format!(
                "{}: unhandled tar header type {kind}",
                text(&entry.name)
            ))),
        }
    }
}
