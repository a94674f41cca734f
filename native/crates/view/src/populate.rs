//! Filling a new volume with what the image holds at its mount point.
use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use rustix::fs::{
    linkat, mkdirat, mknodat, open, openat, readlinkat, statat, symlinkat, AtFlags, FileType, Mode,
    OFlags, Stat,
};
use rustix::io::Errno;

use crate::tree::{join, names, open_below};
use crate::{copy, inside, Error};

/// Copy what lies at `path` inside a root into a volume's directory, with that directory's
/// own owner, mode and times: Docker does so when it first uses a named volume.
///
/// False, and nothing is done, when the volume is not empty or no directory is at the path.
/// A copy that fails leaves what it made: the volume is new, and its maker's to remove.
pub fn populate_volume(root: impl AsFd, path: &[u8], volume: &[u8]) -> Result<bool, Error> {
    let flags = OFlags::DIRECTORY | OFlags::RDONLY;
    let source = match inside::open_in_root(root, path, flags.bits()) {
        Ok(source) => source,
        Err(
            Error::NotFound(_)
            | Error::System {
                errno: Errno::NOTDIR,
                ..
            },
        ) => return Ok(false),
        Err(error) => return Err(error),
    };
    let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
    let target = open(OsStr::from_bytes(volume), flags, Mode::empty())
        .map_err(|errno| Error::system(String::from_utf8_lossy(volume), errno))?;
    let found = names(&target).map_err(|errno| Error::at(volume, errno))?;
    if !found.is_empty() {
        return Ok(false);
    }
    Copy::new(source, target).run()?;
    Ok(true)
}

struct Copy {
    source: OwnedFd,
    target: OwnedFd,
    /// Where the first name of a file with several was put, by device and inode.
    linked: HashMap<(u64, u64), Vec<u8>>,
    pending: Vec<Vec<u8>>,
    /// Directories, parents first: they get their times when all in them is written.
    finished: Vec<Vec<u8>>,
}

impl Copy {
    fn new(source: OwnedFd, target: OwnedFd) -> Self {
        Self {
            source,
            target,
            linked: HashMap::new(),
            pending: vec![Vec::new()],
            finished: Vec::new(),
        }
    }

    fn run(mut self) -> Result<(), Error> {
        while let Some(path) = self.pending.pop() {
            self.directory(&path)
                .map_err(|(path, errno)| Error::at(&path, errno))?;
            self.finished.push(path);
        }
        for path in self.finished.iter().rev() {
            self.finish_directory(path)
                .map_err(|errno| Error::at(path, errno))?;
        }
        Ok(())
    }

    fn directory(&mut self, path: &[u8]) -> Result<(), (Vec<u8>, Errno)> {
        let here = |errno| (path.to_vec(), errno);
        let flags = OFlags::DIRECTORY | OFlags::RDONLY;
        let from = open_below(&self.source, path, flags).map_err(here)?;
        let to = open_below(&self.target, path, flags).map_err(here)?;
        for (name, _) in names(&from).map_err(here)? {
            let child = join(path, &name);
            self.entry(&from, &to, &name, &child)
                .map_err(|errno| (child, errno))?;
        }
        Ok(())
    }

    fn entry(
        &mut self,
        from: &OwnedFd,
        to: &OwnedFd,
        name: &[u8],
        path: &[u8],
    ) -> Result<(), Errno> {
        let stat = statat(from, name, AtFlags::SYMLINK_NOFOLLOW)?;
        let kind = FileType::from_raw_mode(stat.st_mode);
        if kind == FileType::Directory {
            // Nobody else may look in before it has its owner and mode.
            mkdirat(to, name, Mode::from_raw_mode(0o700))?;
            self.pending.push(path.to_vec());
            return Ok(());
        }
        if stat.st_nlink > 1 {
            if let Some(first) = self.linked.get(&(stat.st_dev, stat.st_ino)) {
                return linkat(&self.target, first.as_slice(), to, name, AtFlags::empty());
            }
            self.linked
                .insert((stat.st_dev, stat.st_ino), path.to_vec());
        }
        if kind == FileType::RegularFile {
            return regular_file(from, to, name);
        }
        make_special(from, to, name, &stat, kind)?;
        copy::attributes_by_name(from, to, name)?;
        copy::metadata_by_name(to, name, &stat)
    }

    fn finish_directory(&self, path: &[u8]) -> Result<(), Errno> {
        let flags = OFlags::DIRECTORY | OFlags::RDONLY;
        let from = open_below(&self.source, path, flags)?;
        let to = open_below(&self.target, path, flags)?;
        copy::metadata(&from, &to)
    }
}

fn regular_file(from: &OwnedFd, to: &OwnedFd, name: &[u8]) -> Result<(), Errno> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let source = File::from(openat(from, name, flags, Mode::empty())?);
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let target = File::from(openat(to, name, flags, Mode::from_raw_mode(0o600))?);
    copy::content(&source, &target)?;
    copy::metadata(&source, &target)
}

fn make_special(
    from: &OwnedFd,
    to: &OwnedFd,
    name: &[u8],
    stat: &Stat,
    kind: FileType,
) -> Result<(), Errno> {
    if kind == FileType::Symlink {
        let target = readlinkat(from, name, Vec::new())?;
        return symlinkat(target.as_c_str(), to, name);
    }
    mknodat(to, name, kind, Mode::from_raw_mode(0o600), stat.st_rdev)
}
