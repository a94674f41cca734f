//! Rotated files made small, as Docker makes them: `docker logs` of either reads both.

use std::fs::File;
use std::io;
use std::path::Path;

use flate2::{Compression, GzBuilder};

use crate::rotation::{open, suffixed};
use crate::{attribute, mark, order};

/// Put `path.gz` in the place of `path`, whose last record bears `last_time` (RFC 3339).
///
/// A reader finds one or both at any moment, each of them whole.
pub fn compress(path: &Path, last_time: &str) -> io::Result<()> {
    let mut from = File::open(path)?;
    let (making, made) = (suffixed(path, ".gz.new"), suffixed(path, ".gz"));
    // Where Docker's reader looks whether a file may hold anything from `since` on.
    let extra = format!("{{\"lastTime\":\"{last_time}\"}}");
    let mut encoder = GzBuilder::new()
        .extra(extra)
        .write(open(&making, true)?, Compression::default());
    match io::copy(&mut from, &mut encoder).and_then(|_| encoder.finish()) {
        Ok(to) => {
            for name in [mark::ATTRIBUTE, order::ATTRIBUTE] {
                attribute::copy(&from, &to, name);
            }
        }
        Err(error) => {
            // It stays as it was, and what there is of the other is in nobody's way.
            let _ = std::fs::remove_file(&making);
            return Err(error);
        }
    }
    std::fs::rename(making, made)?;
    std::fs::remove_file(path)
}
