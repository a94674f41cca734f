//! The walk down a tree: depth first, each directory in the order of its bytes.
use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::fs::{fstat, fstatfs, openat, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::selection::{Selection, Standing};
use crate::descent::{Descent, Step, DIRECTORY};

/// File systems whose files are the kernel talking: their directories are packed, what is in
/// them is not (`/proc/kcore` alone claims 128 TiB). Magics of linux/magic.h: proc, sysfs,
/// cgroup, cgroup2, devpts, mqueue, debugfs, tracefs, securityfs, bpf, `binfmt_misc`, nsfs.
const PSEUDO_FILE_SYSTEMS: [u64; 12] = [
    0x9fa0,
    0x6265_6572,
    0x0027_e0eb,
    0x6367_7270,
    0x1cd1,
    0x1980_0202,
    0x6462_6720,
    0x7472_6163,
    0x7363_6673,
    0xcafe_4a11,
    0x4249_4e4d,
    0x6e73_6673,
];

/// `f_flags` of `statfs(2)`: that it has any, and that devices cannot be opened.
const ST_VALID: u64 = 0x20;
const ST_NODEV: u64 = 0x4;

/// What the walk comes by.
pub(super) enum Passed {
    /// A directory, before what is in it.
    Entered(Entered),
    /// The same directory, after that.
    Left,
    File(Named),
    /// A directory that has vanished or cannot be opened.
    Lost(Vec<u8>, Errno),
}

pub(super) struct Entered {
    /// Ends in a slash; none for a root that has no entry of its own.
    pub name: Option<Vec<u8>>,
    pub stat: Stat,
    pub wanted: bool,
}

/// What is no directory, not looked at yet.
pub(super) struct Named {
    pub directory: Arc<OwnedFd>,
    /// Whether no device can be opened in that directory, what is mounted there apart.
    pub nodev: bool,
    pub name: Vec<u8>,
    /// Where its own name begins.
    pub leaf: usize,
    pub kind: FileType,
}

#[derive(Clone, Copy)]
struct Frame {
    standing: Standing,
    device: u64,
    nodev: bool,
}

pub(super) struct Walk<'p> {
    selection: &'p Selection,
    top: Option<(OwnedFd, Stat)>,
    descent: Descent,
    frames: Vec<Frame>,
    name: Vec<u8>,
    prefix: usize,
    /// The directory last entered is not gone into.
    shut: bool,
}

impl<'p> Walk<'p> {
    /// Walk down from a directory whose name ends in a slash, or is empty where it has none.
    pub(super) fn new(
        selection: &'p Selection,
        top: OwnedFd,
        stat: Stat,
        name: Vec<u8>,
    ) -> Walk<'p> {
        Walk {
            selection,
            top: Some((top, stat)),
            descent: Descent::default(),
            frames: Vec::new(),
            prefix: name.len(),
            name,
            shut: false,
        }
    }

    /// One name of a directory; none when it is not wanted.
    fn entry(&mut self, directory: Arc<OwnedFd>, leaf: usize, kind: FileType) -> Option<Passed> {
        let above = *self.frames.last()?;
        let path = &self.name[self.prefix..];
        let standing = self.selection.judge(above.standing, path);
        if kind == FileType::Socket || !self.selection.leads_on(standing) {
            return None;
        }
        if is_directory(&directory, &self.name[leaf..], kind) {
            let opened = openat(&directory, &self.name[leaf..], DIRECTORY, Mode::empty())
                .and_then(|below| fstat(&below).map(|stat| (below, stat)));
            return Some(match opened {
                Ok((below, stat)) => {
                    self.name.push(b'/');
                    self.enter(below, stat, standing)
                }
                Err(errno) => Passed::Lost(self.name.clone(), errno),
            });
        }
        standing.wanted.then(|| {
            Passed::File(Named {
                directory,
                nodev: above.nodev,
                name: self.name.clone(),
                leaf,
                kind,
            })
        })
    }

    fn enter(&mut self, directory: OwnedFd, stat: Stat, standing: Standing) -> Passed {
        let (magic, flags) = fstatfs(&directory).map_or((0, 0), |found| {
            let number = |value| u64::try_from(value).unwrap_or(0);
            (number(found.f_type), number(found.f_flags))
        });
        // What was asked for is gone into whatever it is.
        let above = self.frames.last();
        let asked = above.is_none_or(|above| above.device == stat.st_dev);
        self.frames.push(Frame {
            standing,
            device: stat.st_dev,
            nodev: flags & (ST_VALID | ST_NODEV) == ST_VALID | ST_NODEV,
        });
        if asked || !PSEUDO_FILE_SYSTEMS.contains(&magic) {
            self.descent.enter(directory, &stat, self.name.len());
        } else {
            self.shut = true;
        }
        Passed::Entered(Entered {
            name: (!self.name.is_empty()).then(|| self.name.clone()),
            stat,
            wanted: standing.wanted,
        })
    }

    fn leave(&mut self) -> Passed {
        self.frames.pop();
        self.name.truncate(self.descent.mark());
        Passed::Left
    }
}

impl Iterator for Walk<'_> {
    type Item = Passed;

    fn next(&mut self) -> Option<Passed> {
        if let Some((top, stat)) = self.top.take() {
            return Some(self.enter(top, stat, self.selection.top()));
        }
        if std::mem::take(&mut self.shut) {
            return Some(self.leave());
        }
        loop {
            match self.descent.next() {
                Step::Done => return None,
                Step::End => {
                    self.descent.leave();
                    return Some(self.leave());
                }
                Step::Entry(directory, leaf, kind) => {
                    let (directory, keep) = (Arc::clone(directory), self.name.len());
                    self.name.extend_from_slice(leaf);
                    let passed = self.entry(directory, keep, kind);
                    if !matches!(passed, Some(Passed::Entered(_))) {
                        self.name.truncate(keep);
                    }
                    if passed.is_some() {
                        return passed;
                    }
                }
            }
        }
    }
}

fn is_directory(directory: &OwnedFd, leaf: &[u8], kind: FileType) -> bool {
    if kind != FileType::Unknown {
        return kind == FileType::Directory;
    }
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(directory, leaf, flags, Mode::empty())
        .and_then(fstat)
        .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Directory)
}
