//! A log that cannot be written: told once, and once that it can again.

use std::io;

use crate::json_file::JsonFile;

/// Whether it fails.
#[derive(Debug, Default)]
pub struct Trouble {
    /// What had been written when it was told that no more could be.
    since_bytes: Option<u64>,
}

impl Trouble {
    /// What is to be told of an attempt to write a file, if anything.
    pub fn news(&mut self, attempt: io::Result<()>, file: &JsonFile) -> Option<String> {
        let written_bytes = file.written_bytes();
        match attempt {
            // Once: a full disk is not helped by a message for each batch.
            Err(error) if self.since_bytes.is_none() => {
                self.since_bytes = Some(written_bytes);
                Some(format!(
                    "{error}; what comes is lost until it can be written"
                ))
            }
            Ok(()) => {
                self.since_bytes.take_if(|since| written_bytes > *since)?;
                let lost_bytes = file.lost_bytes();
                Some(format!("written again; {lost_bytes} bytes were lost"))
            }
            Err(_) => None,
        }
    }
}
