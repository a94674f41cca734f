//! What is to be known of a log's file to write it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::json_file::JsonFile;
use crate::rotation::Rotation;

#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize))]
pub struct LogFile {
    pub path: PathBuf,
    pub max_size_bytes: Option<u64>,
    pub max_files: u32,
    /// Whether rotated files are.
    pub compress: bool,
    pub attrs: BTreeMap<String, String>,
    /// Written by a process beside the shim, so that a disk that hangs holds nobody up.
    pub beside: bool,
}

impl LogFile {
    /// Open it for appending. The error names it.
    pub fn open(&self) -> Result<JsonFile, String> {
        let rotation = Rotation {
            max_size_bytes: self.max_size_bytes,
            max_files: self.max_files,
        };
        let opened = JsonFile::open(&self.path, rotation, &self.attrs);
        let opened = opened.map_err(|error| format!("{}: {error}", self.path.display()))?;
        Ok(if self.compress {
            opened.compressing()
        } else {
            opened
        })
    }
}
