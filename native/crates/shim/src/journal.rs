//! The container's log, should it have one, and what happened to it.

use std::io;

use drayman_stdio::{JsonFile, Rotation, Stream};

use crate::config::Log;

#[derive(Debug)]
pub struct Journal {
    file: Option<JsonFile>,
    /// Its failing was told.
    failed: bool,
    /// How much was written when `grew` was asked the last time.
    told_bytes: u64,
}

impl Journal {
    /// The error names the file.
    pub fn open(log: &Log) -> Result<Self, String> {
        let file = match log {
            Log::None => None,
            Log::JsonFile {
                path,
                max_size_bytes,
                max_files,
                attrs,
            } => {
                let rotation = Rotation {
                    max_size_bytes: *max_size_bytes,
                    max_files: *max_files,
                };
                let failed = |error: io::Error| format!("{}: {error}", path.display());
                Some(JsonFile::open(path, rotation, attrs).map_err(failed)?)
            }
        };
        Ok(Self {
            file,
            failed: false,
            told_bytes: 0,
        })
    }

    pub fn file(&mut self) -> Option<&mut JsonFile> {
        self.file.as_mut()
    }

    /// Write what a batch of events brought.
    pub fn flush(&mut self) {
        let Some(Err(error)) = self.file.as_mut().map(JsonFile::flush) else {
            return;
        };
        // Once: a full disk is not helped by a message for each batch.
        if !std::mem::replace(&mut self.failed, true) {
            eprintln!("drayman-shim: log: {error}");
        }
    }

    /// The container ended: write the lines that it did not end.
    pub fn finish(&mut self, now_ns: i64) {
        let Some(file) = &mut self.file else { return };
        if let Err(error) = file.finish(now_ns) {
            eprintln!("drayman-shim: log: {error}");
        }
        if file.lost_bytes() > 0 {
            eprintln!("drayman-shim: log: lost {} bytes", file.lost_bytes());
        }
    }

    /// Whether something was written since this was asked the last time.
    pub fn grew(&mut self) -> bool {
        let Some(file) = &self.file else { return false };
        let written = file.written_bytes();
        std::mem::replace(&mut self.told_bytes, written) != written
    }

    /// What was taken for the log and is not in it yet, though it was flushed.
    pub fn held(&self) -> Vec<(Stream, &[u8])> {
        self.file.iter().flat_map(JsonFile::held).collect()
    }

    /// Keep no memory that is not needed.
    pub fn trim(&mut self) {
        if let Some(file) = &mut self.file {
            file.trim();
        }
    }

    pub fn close(&mut self) {
        self.file = None;
    }
}
