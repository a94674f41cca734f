//! The layers of one overlay, and directories in them opened by path from the layer's root:
//! a walk holds no descriptor a level, so the depth of a stranger's tree costs nothing.
use std::ffi::OsStr;
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

use rustix::fs::{
    open, openat2, statat, AtFlags, FileType, Mode, OFlags, RawDir, ResolveFlags, Stat,
};
use rustix::io::Errno;

use crate::marks::{DirectoryMarks, Marks};
use crate::Error;

/// All layers, topmost first; number 0 is the upper directory when there is one. They may be
/// those of two trees, one behind the other.
pub(crate) struct Layers {
    roots: Vec<OwnedFd>,
    pub marks: Marks,
    /// Where the second tree begins.
    seam: usize,
}

/// A directory of a layer by its path there, "" for the layer's root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub layer: usize,
    pub path: Arc<[u8]>,
}

/// A directory of a layer, opened, with what it says of the layers below.
pub(crate) struct Directory {
    pub place: Place,
    pub fd: OwnedFd,
    pub marks: DirectoryMarks,
}

/// What one call lists of a directory: all of most.
const LISTING_BYTES: usize = 32 << 10;

/// What opening a place as a directory ended in.
pub(crate) enum Opened {
    Directory(Directory),
    Nothing,
    /// A file or a whiteout: what lies below it is hidden.
    Other,
}

/// What one layer alone holds under a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    Nothing,
    Whiteout,
    File,
    Directory,
}

impl Layers {
    pub(crate) fn open<'a>(
        paths: impl Iterator<Item = &'a [u8]>,
        marks: Marks,
    ) -> Result<Self, Error> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let roots = paths
            .map(|path| {
                open(OsStr::from_bytes(path), flags, Mode::empty()).map_err(Error::at(path))
            })
            .collect::<Result<Vec<_>, _>>()?;
        let seam = roots.len();
        Ok(Self { roots, marks, seam })
    }

    /// Those from this number on are another tree's.
    pub(crate) fn parted_at(self, seam: usize) -> Self {
        Self { seam, ..self }
    }

    /// The layers from one number on, in the same tree.
    pub(crate) fn from(&self, layer: usize) -> Range<usize> {
        let end = if layer < self.seam {
            self.seam
        } else {
            self.roots.len()
        };
        layer..end
    }

    /// Open a directory; the container may be running and take it away meanwhile.
    pub(crate) fn directory(&self, place: &Place) -> Result<Opened, Errno> {
        let path: &[u8] = if place.path.is_empty() {
            b"."
        } else {
            &place.path
        };
        let opened = openat2(
            &self.roots[place.layer],
            OsStr::from_bytes(path),
            OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC,
            Mode::empty(),
            ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS,
        );
        match opened {
            Ok(fd) => Ok(Opened::Directory(Directory {
                place: place.clone(),
                marks: self.marks.read(&fd)?,
                fd,
            })),
            // What lies deeper than a path can be long has no path to be listed under.
            Err(Errno::NOENT | Errno::NAMETOOLONG) => Ok(Opened::Nothing),
            Err(Errno::NOTDIR | Errno::LOOP) => Ok(Opened::Other),
            Err(errno) => Err(errno),
        }
    }
}

impl Directory {
    /// What this layer holds under a name, and its stat where it was needed to tell. `told` is
    /// the type its listing told, when the name was read from it: most names then cost no
    /// system call.
    pub(crate) fn held(
        &self,
        name: &[u8],
        told: Option<FileType>,
        marks: Marks,
    ) -> Result<(Held, Option<Stat>), Errno> {
        match told {
            Some(FileType::Directory) => return Ok((Held::Directory, None)),
            Some(FileType::RegularFile) if !self.marks.attribute_whiteouts => {
                return Ok((Held::File, None))
            }
            Some(FileType::Symlink | FileType::Fifo | FileType::Socket | FileType::BlockDevice) => {
                return Ok((Held::File, None))
            }
            _ => {}
        }
        let Some(stat) = self.stat(name)? else {
            return Ok((Held::Nothing, None));
        };
        let held = match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => Held::Directory,
            FileType::CharacterDevice if stat.st_rdev == 0 => Held::Whiteout,
            FileType::RegularFile
                if self.marks.attribute_whiteouts
                    && stat.st_size == 0
                    && marks.is_whiteout(&self.fd, name)? =>
            {
                Held::Whiteout
            }
            _ => Held::File,
        };
        Ok((held, Some(stat)))
    }

    pub(crate) fn stat(&self, name: &[u8]) -> Result<Option<Stat>, Errno> {
        match statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stat)),
            // A name too long for one layer's file system is not in it.
            Err(Errno::NOENT | Errno::NAMETOOLONG) => Ok(None),
            Err(errno) => Err(errno),
        }
    }

    /// All names, with the types told along; to be asked once, for it reads on.
    pub(crate) fn names(&self) -> Result<Vec<(Vec<u8>, FileType)>, Errno> {
        let mut names = Vec::new();
        let mut buffer = Vec::with_capacity(LISTING_BYTES);
        let mut listing = RawDir::new(&self.fd, buffer.spare_capacity_mut());
        while let Some(entry) = listing.next() {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if name != b"." && name != b".." {
                names.push((name.to_vec(), entry.file_type()));
            }
        }
        Ok(names)
    }
}

/// The path of a name in a directory, both from the same root; "" is the root.
pub(crate) fn join(directory: &[u8], name: &[u8]) -> Vec<u8> {
    if directory.is_empty() {
        return name.to_vec();
    }
    [directory, name].join(&b'/')
}
