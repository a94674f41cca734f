//! The files of a log by their names: the one that grows, and those rotated away, compressed or not.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};

use crate::rotation::rotated;
use crate::source::Source;

/// Rotated files looked for at most; a log that has more is read from there on.
const FILES_MAX: u32 = 1000;

/// The log's files that are newer than the one given (all, when it is gone), oldest first.
pub(crate) fn newer_than(
    path: &Path,
    mut known: Option<&mut Source>,
) -> io::Result<VecDeque<Source>> {
    let mut found: VecDeque<Source> = VecDeque::new();
    for number in 0..FILES_MAX {
        // From newest to oldest: a rotation meanwhile shows us a file twice rather than never.
        let mut source = match numbered(path, number)? {
            Some(source) => source,
            // In the middle of a rotation there is no current file.
            None if number == 0 => continue,
            None => break,
        };
        if let Some(known) = &mut known {
            if source.is_same(known)? {
                break;
            }
        }
        let mut is_new = true;
        for other in &mut found {
            is_new &= !source.is_same(other)?;
        }
        if is_new {
            found.push_front(source);
        }
    }
    Ok(found)
}

/// The file that was rotated so many times.
fn numbered(path: &Path, number: u32) -> io::Result<Option<Source>> {
    let plain = if number == 0 {
        path.to_owned()
    } else {
        rotated(path, number)
    };
    if let Some(source) = existing(&plain, false)? {
        return Ok(Some(source));
    }
    if number == 0 {
        return Ok(None);
    }
    existing(&compressed(plain), true)
}

fn existing(path: &Path, is_compressed: bool) -> io::Result<Option<Source>> {
    match Source::open(path, is_compressed) {
        Ok(source) => Ok(Some(source)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn compressed(plain: PathBuf) -> PathBuf {
    let mut name = plain.into_os_string();
    name.push(".gz");
    PathBuf::from(name)
}
