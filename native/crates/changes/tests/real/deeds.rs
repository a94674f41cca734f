//! What a container may do to its files, at random.
use std::fs;
use std::io::Write;
use std::os::unix::fs::{symlink, PermissionsExt};
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use rustix::fs::{lsetxattr, mknodat, FileType, Mode, XattrFlags, CWD};

#[derive(Clone, Debug)]
pub enum Deed {
    Write(PathBuf, usize),
    Append(PathBuf),
    MakeDirectory(PathBuf),
    Remove(PathBuf),
    Empty(PathBuf),
    Rename(PathBuf, PathBuf),
    Chmod(PathBuf, u32),
    Chown(PathBuf, u32),
    Symlink(PathBuf, PathBuf),
    Link(PathBuf, PathBuf),
    /// Open for writing and write nothing: a copy without a change.
    CopyUp(PathBuf),
    WholeSeconds(PathBuf),
    Capability(PathBuf),
    Pipe(PathBuf),
}

fn path() -> impl Strategy<Value = PathBuf> {
    let name = prop_oneof![Just("a"), Just("b"), Just("c"), Just("a-b"), Just("d")];
    proptest::collection::vec(name, 1..4).prop_map(|names| names.iter().collect())
}

pub fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        4 => (path(), 0..9000_usize).prop_map(|(path, size)| Deed::Write(path, size)),
        1 => path().prop_map(Deed::Append),
        4 => path().prop_map(Deed::MakeDirectory),
        3 => path().prop_map(Deed::Remove),
        2 => path().prop_map(Deed::Empty),
        4 => (path(), path()).prop_map(|(from, to)| Deed::Rename(from, to)),
        1 => (path(), 0..0o7777_u32).prop_map(|(path, mode)| Deed::Chmod(path, mode)),
        1 => (path(), 0..3_u32).prop_map(|(path, owner)| Deed::Chown(path, owner)),
        1 => (path(), path()).prop_map(|(to, path)| Deed::Symlink(to, path)),
        1 => (path(), path()).prop_map(|(from, to)| Deed::Link(from, to)),
        2 => path().prop_map(Deed::CopyUp),
        1 => path().prop_map(Deed::WholeSeconds),
        1 => path().prop_map(Deed::Capability),
        1 => path().prop_map(Deed::Pipe),
    ]
}

/// Do it below a root; what cannot be done (nothing there, something in the way) is not.
pub fn attempt(root: &Path, deed: &Deed) -> std::io::Result<()> {
    match deed {
        Deed::Write(path, size) => fs::write(plain(root, path)?, vec![b'x'; *size]),
        Deed::Append(path) => {
            let mut file = fs::OpenOptions::new()
                .append(true)
                .open(plain(root, path)?)?;
            file.write_all(b"more")
        }
        Deed::MakeDirectory(path) => fs::create_dir_all(root.join(path)),
        Deed::Remove(path) => remove(&root.join(path)),
        Deed::Empty(path) => {
            remove(&root.join(path))?;
            fs::create_dir(root.join(path))
        }
        Deed::Rename(from, to) => fs::rename(root.join(from), root.join(to)),
        Deed::Chmod(path, mode) => {
            fs::set_permissions(plain(root, path)?, fs::Permissions::from_mode(*mode))
        }
        Deed::Chown(path, owner) => std::os::unix::fs::lchown(root.join(path), Some(*owner), None),
        Deed::Symlink(to, path) => symlink(to, root.join(path)),
        Deed::Link(from, to) => fs::hard_link(root.join(from), root.join(to)),
        Deed::CopyUp(path) => fs::OpenOptions::new()
            .append(true)
            .open(plain(root, path)?)
            .map(drop),
        Deed::WholeSeconds(path) => {
            let path = plain(root, path)?;
            let seconds = fs::metadata(&path)?
                .modified()?
                .elapsed()
                .unwrap_or_default();
            let time = std::time::SystemTime::UNIX_EPOCH
                + std::time::Duration::from_secs(1_000_000_000 + seconds.as_secs());
            fs::File::open(path)?.set_modified(time)
        }
        Deed::Capability(path) => {
            let value = [1, 0, 0, 2, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
            let flags = XattrFlags::empty();
            Ok(lsetxattr(
                plain(root, path)?,
                "security.capability",
                &value,
                flags,
            )?)
        }
        Deed::Pipe(path) => {
            let mode = Mode::from_raw_mode(0o600);
            Ok(mknodat(CWD, root.join(path), FileType::Fifo, mode, 0)?)
        }
    }
}

/// A path whose last component may be opened: not a pipe, which would wait for a reader,
/// and not a link, which could lead anywhere.
fn plain(root: &Path, path: &Path) -> std::io::Result<PathBuf> {
    let path = root.join(path);
    match path.symlink_metadata() {
        Ok(stat) if !stat.is_file() && !stat.is_dir() => Err(std::io::ErrorKind::Other.into()),
        _ => Ok(path),
    }
}

fn remove(path: &Path) -> std::io::Result<()> {
    if path.symlink_metadata()?.is_dir() {
        fs::remove_dir_all(path)
    } else {
        fs::remove_file(path)
    }
}
