//! Files that a reader finds whole or not at all.

use std::fs::{rename, File};
use std::io::{self, Write};
use std::path::Path;

/// Write a file under a temporary name and rename it in; `synced`: it outlives a loss of power.
pub fn write(path: &Path, text: &[u8], synced: bool) -> io::Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".new");
    let mut file = File::create(&temporary)?;
    file.write_all(text)?;
    if synced {
        file.sync_data()?;
    }
    rename(&temporary, path)
}
