//! What lies at a path, as `X-Docker-Container-Path-Stat` tells it.
use std::collections::VecDeque;
use std::os::fd::BorrowedFd;

use rustix::fs::{fstat, readlinkat, FileType, OFlags};
use rustix::io::Errno;

use crate::error::{text, Error};
use crate::paths::{clean, parts, Asked};
use crate::root::Root;

/// As many links as the kernel follows before it says ELOOP.
const LINKS_LIMIT: usize = 40;

/// A file, as Docker describes it to a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stat {
    /// The last element of the path as asked.
    pub name: Vec<u8>,
    pub size_bytes: u64,
    /// A Go `FileMode`, not a `st_mode`.
    pub mode: u32,
    pub mtime_ns: i128,
    /// Where a link leads, as far as it can be followed inside the root; empty for all else.
    pub link_target: Vec<u8>,
    pub is_dir: bool,
}

/// Look at a path: parents are followed, the last component only when it ends in `/` or `/.`.
pub fn stat(root: BorrowedFd<'_>, path: &[u8]) -> Result<Stat, Error> {
    let root = Root::new(root);
    let asked = Asked::new(path);
    let found = root
        .open(&asked.resolve, OFlags::PATH | OFlags::NOFOLLOW)
        .map_err(|errno| lookup_error(path, errno))?;
    let stat = fstat(&found).map_err(|errno| lookup_error(path, errno))?;
    let file_type = FileType::from_raw_mode(stat.st_mode);
    let link_target = if file_type == FileType::Symlink {
        resolve(root, &asked.resolve)
    } else {
        Vec::new()
    };
    Ok(Stat {
        name: asked.base,
        size_bytes: u64::try_from(stat.st_size).unwrap_or(0),
        mode: go_mode(stat.st_mode),
        mtime_ns: i128::from(stat.st_mtime) * 1_000_000_000 + i128::from(stat.st_mtime_nsec),
        link_target,
        is_dir: file_type == FileType::Directory,
    })
}

/// The error of a path that could not be resolved.
pub(crate) fn lookup_error(path: &[u8], errno: Errno) -> Error {
    if errno == Errno::NOENT {
        Error::NotFound(text(path))
    } else {
        Error::system("stat", path, errno)
    }
}

/// `os.FileMode` of a `st_mode` (Go's `os/types.go`).
fn go_mode(mode: u32) -> u32 {
    let kind = match FileType::from_raw_mode(mode) {
        FileType::Directory => 1 << 31,
        FileType::Symlink => 1 << 27,
        FileType::BlockDevice => 1 << 26,
        FileType::CharacterDevice => 1 << 26 | 1 << 21,
        FileType::Fifo => 1 << 25,
        FileType::Socket => 1 << 24,
        _ => 0,
    };
    let special = [(0o4000, 1 << 23), (0o2000, 1 << 22), (0o1000, 1 << 20)]
        .iter()
        .filter(|(bit, _)| mode & bit != 0)
        .fold(0, |sum, (_, go)| sum | go);
    kind | special | mode & 0o777
}

/// A path with every link in it followed inside the root; what does not exist is kept as
/// it is written, so a broken link leads to where its target would be.
fn resolve(root: Root<'_>, path: &[u8]) -> Vec<u8> {
    let mut done: Vec<Vec<u8>> = Vec::new();
    let mut todo: VecDeque<Vec<u8>> = parts(path).map(<[u8]>::to_vec).collect();
    let mut links = 0;
    while let Some(part) = todo.pop_front() {
        if part == b".." {
            done.pop();
            continue;
        }
        done.push(part);
        let target = root
            .open(&joined(&done), OFlags::PATH | OFlags::NOFOLLOW)
            .and_then(|found| readlinkat(&found, "", Vec::new()));
        let Ok(target) = target else { continue };
        links += 1;
        if links > LINKS_LIMIT {
            break;
        }
        done.pop();
        if target.to_bytes().starts_with(b"/") {
            done.clear();
        }
        for part in parts(target.to_bytes())
            .collect::<Vec<_>>()
            .into_iter()
            .rev()
        {
            todo.push_front(part.to_vec());
        }
    }
    done.extend(todo);
    clean(&joined(&done))
}

fn joined(parts: &[Vec<u8>]) -> Vec<u8> {
    let mut path = b"/".to_vec();
    path.extend(parts.join(&b'/'));
    path
}
