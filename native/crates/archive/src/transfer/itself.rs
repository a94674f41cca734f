//! Copies that would eat their own tail, found before anything is written.
use rustix::fs::{fstat, openat, statat, AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::Spot;
use crate::error::{text, Error};
use crate::paths::Asked;
use crate::root::Root;
use crate::stat::lookup_error;

/// As many directories as the longest path can name.
const DEPTH_LIMIT: usize = 2048;
const PLACE: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// Raise `Invalid` for a directory that is to be copied to below itself, and a file onto
/// itself: the one would go on until no path is long enough, the other would be emptied first.
/// Files are told by what the kernel says of them, not by names: one volume may be in two
/// containers.
pub(super) fn refuse(from: Spot<'_>, to: Spot<'_>, name: Option<&[u8]>) -> Result<(), Error> {
    let asked = Asked::new(from.path);
    let flags = OFlags::PATH | OFlags::NOFOLLOW;
    let source = Root::new(from.root)
        .open(&asked.resolve, flags)
        .and_then(fstat)
        .map_err(|errno| lookup_error(from.path, errno))?;
    let failed = |errno| lookup_error(to.path, errno);
    let place = Root::new(to.root).open(to.path, PLACE).map_err(failed)?;
    let shown = (text(from.path), text(to.path));
    if FileType::from_raw_mode(source.st_mode) != FileType::Directory {
        let leaf = name.unwrap_or(&asked.base);
        let there = statat(&place, leaf, AtFlags::SYMLINK_NOFOLLOW);
        if there.is_ok_and(|there| same(&there, &source)) {
            let (from, to) = shown;
            return Err(Error::Invalid(format!(
                "{from} is the very file that it would be copied to in {to}"
            )));
        }
        return Ok(());
    }
    let top = fstat(to.root).map_err(failed)?;
    let mut directory = place;
    for _ in 0..DEPTH_LIMIT {
        let stat = fstat(&directory).map_err(failed)?;
        if same(&stat, &source) {
            let (from, to) = shown;
            return Err(Error::Invalid(format!(
                "cannot copy the directory {from} into itself, to {to}"
            )));
        }
        if same(&stat, &top) {
            return Ok(());
        }
        directory = openat(&directory, "..", PLACE, Mode::empty()).map_err(failed)?;
    }
    Err(failed(Errno::LOOP))
}

fn same(one: &Stat, other: &Stat) -> bool {
    (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)
}
