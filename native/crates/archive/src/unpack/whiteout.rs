//! `.wh.` names of an image's layer, as overlayfs knows them. They speak of the layers below:
//! what the same layer brings stays, whichever comes first.
use rustix::fs::{mknodat, openat, statat, AtFlags, FileType, Mode};
use rustix::io::Errno;

use super::place::make_opaque;
use super::Unpacker;
use crate::descent::DIRECTORY;
use crate::error::{text, Error};
use crate::paths::split_last;

const PREFIX: &[u8] = b".wh.";
/// AUFS's own bookkeeping, except for the next.
const BOOKKEEPING: &[u8] = b".wh..wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";

impl Unpacker<'_> {
    /// Turn a whiteout into overlayfs's form; false when the name is none.
    pub(super) fn whiteout(&mut self, name: &[u8]) -> Result<bool, Error> {
        if name.starts_with(BOOKKEEPING) && name != OPAQUE {
            return Ok(true);
        }
        let leaf = split_last(name).1;
        let Some(hidden) = leaf.strip_prefix(PREFIX) else {
            return Ok(false);
        };
        if matches!(hidden, b"" | b"." | b"..") {
            return Err(Error::System(format!("{}: invalid whiteout", text(name))));
        }
        let failed = |errno| Error::system("whiteout", name, errno);
        let parent = self.place.parent_without_links(name)?;
        if leaf == OPAQUE {
            let directory = openat(&parent, ".", DIRECTORY, Mode::empty()).map_err(failed)?;
            make_opaque(directory).map_err(failed)?;
            return Ok(true);
        }
        match statat(&parent, hidden, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Directory => {
                let directory = openat(&parent, hidden, DIRECTORY, Mode::empty());
                directory.and_then(make_opaque).map_err(failed)?;
            }
            Ok(_) => {}
            Err(Errno::NOENT) => {
                let device = FileType::CharacterDevice;
                mknodat(&parent, hidden, device, Mode::empty(), 0).map_err(failed)?;
            }
            Err(errno) => return Err(failed(errno)),
        }
        Ok(true)
    }
}
