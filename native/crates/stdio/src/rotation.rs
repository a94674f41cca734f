//! The files of a log that is rotated: `path`, then `path.1`, `path.2` … from newest to oldest,
//! of which older ones may be compressed and end in `.gz`.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// As Docker makes them: a log may hold secrets.
const FILE_MODE: u32 = 0o640;

/// When a new file is begun, and how many are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// A record that finds the file this large begins the next one.
    pub max_size_bytes: Option<u64>,
    /// The files kept, the current one included; at least 1.
    pub max_files: u32,
}

impl Rotation {
    /// Begin a new file. What fails leaves the current one in its place, but for a rename that
    /// fails in between, which no file is lost by.
    pub(crate) fn next_file(&self, path: &Path) -> io::Result<File> {
        // First, for on a full disk it is this that fails.
        let made = suffixed(path, ".new");
        let file = open(&made, true)?;
        for number in (1..self.max_files).rev() {
            // Of a number there is one form only: a writer with other options left the other.
            for ending in ["", ".gz"] {
                allow_missing(std::fs::remove_file(numbered(path, number, ending)))?;
            }
            for ending in ["", ".gz"] {
                let newer = numbered(path, number - 1, ending);
                allow_missing(std::fs::rename(newer, numbered(path, number, ending)))?;
            }
        }
        // Renamed over it, should none be kept. Not truncated: a reader shall be able to tell that it is another file.
        std::fs::rename(made, path)?;
        Ok(file)
    }
}

/// The name of the file that was rotated so many times.
pub(crate) fn rotated(path: &Path, number: u32) -> PathBuf {
    numbered(path, number, "")
}

fn numbered(path: &Path, number: u32, ending: &str) -> PathBuf {
    match number {
        0 => suffixed(path, ending),
        _ => suffixed(path, &format!(".{number}{ending}")),
    }
}

pub(crate) fn suffixed(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn allow_missing(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Open for appending; what was there before is gone when it is to be `new`.
pub(crate) fn open(path: &Path, new: bool) -> io::Result<File> {
    if new {
        allow_missing(std::fs::remove_file(path))?;
    }
    OpenOptions::new()
        .append(true)
        .read(true)
        .create(true)
        .mode(FILE_MODE)
        .open(path)
}
