//! Where in a log the records from some moment on begin, found without reading what is before.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use crate::input::RECORD_BYTES_MAX;
use crate::order::late_ns;
use crate::record::Record;
use crate::stamp;

/// Read at a time; a stretch of this length is not divided further.
const BLOCK_BYTES: u64 = 64 * 1024;

/// Whether the files before this one hold nothing from `since_ns` on.
pub(crate) fn begins_before(file: &File, since_ns: i64) -> io::Result<bool> {
    let Some(late_ns) = late_ns(file) else {
        return Ok(false);
    };
    let first = record_after(file, 0, file.metadata()?.len())?;
    Ok(first.is_some_and(|(_, time_ns)| time_ns < since_ns.saturating_sub(late_ns)))
}

/// An offset before which there is no record from `since_ns` on, and not much before the first.
pub(crate) fn offset(file: &File, since_ns: i64) -> io::Result<u64> {
    let Some(late_ns) = late_ns(file) else {
        return Ok(0);
    };
    // What is older than this has nothing from `since_ns` on in front of it.
    let bound_ns = since_ns.saturating_sub(late_ns);
    let (mut low, mut high) = (0, file.metadata()?.len());
    while high - low > BLOCK_BYTES {
        let middle = low + (high - low) / 2;
        match record_after(file, middle, high)? {
            Some((end, time_ns)) if time_ns < bound_ns => low = end,
            _ => high = middle,
        }
    }
    Ok(low)
}

/// The end and the time of the first whole record that begins at or after an offset, and ends
/// before another.
pub(crate) fn record_after(file: &File, from: u64, to: u64) -> io::Result<Option<(u64, i64)>> {
    let mut read: Vec<u8> = Vec::new();
    let mut begin = 0;
    // Anywhere but at the beginning, what comes first may be the rest of a record.
    let mut is_whole = from == 0;
    while read.len() - begin < RECORD_BYTES_MAX {
        let filled = read.len();
        let left = to.saturating_sub(from + filled as u64).min(BLOCK_BYTES);
        read.resize(filled + usize::try_from(left).unwrap_or(0), 0);
        let count = file.read_at(&mut read[filled..], from + filled as u64)?;
        if count == 0 {
            break;
        }
        read.truncate(filled + count);
        while let Some(length) = memchr::memchr(b'\n', &read[begin..]) {
            let line = &read[begin..begin + length];
            begin += length + 1;
            let time_ns = Record::parse(line).and_then(|record| stamp::parse(record.time));
            if let Some(time_ns) = time_ns.filter(|_| is_whole) {
                return Ok(Some((from + begin as u64, time_ns)));
            }
            is_whole = true;
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{JsonFile, Rotation, Stream};

    #[test]
    fn a_moment_is_found_within_a_block() {
        let path = std::env::temp_dir().join(format!("drayman-since-{}", std::process::id()));
        let rotation = Rotation {
            max_size_bytes: None,
            max_files: 1,
        };
        let mut log = JsonFile::open(&path, rotation, &BTreeMap::new()).unwrap();
        for time_ns in 0..20_000 {
            log.push(Stream::Stdout, b"as long as any\n", time_ns);
        }
        log.flush().unwrap();
        let file = File::open(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let length = file.metadata().unwrap().len();
        assert!(length > 8 * BLOCK_BYTES);
        for since_ns in [-1, 0, 1, 9_999, 19_999, i64::MAX] {
            let found = offset(&file, since_ns).unwrap();
            let wanted = length * since_ns.clamp(0, 20_000).unsigned_abs() / 20_000;
            // The first records are shorter by some digits.
            assert!(
                (wanted.saturating_sub(2 * BLOCK_BYTES)..=wanted + BLOCK_BYTES / 2)
                    .contains(&found),
                "{since_ns}"
            );
        }
        rustix::fs::fremovexattr(&file, "user.drayman.late_ns").unwrap();
        assert_eq!(offset(&file, 9_999).unwrap(), 0);
    }
}
