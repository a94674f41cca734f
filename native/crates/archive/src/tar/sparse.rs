//! Maps of sparse files: where what is stored belongs.
use std::io;

use super::malformed;
use super::records::decimal;

/// No map longer than this is read: 8 MiB of memory, a gigabyte-wide file of alternating blocks.
pub(super) const SEGMENTS_LIMIT: usize = 1 << 19;

/// A piece of a file that is stored; what lies between is a hole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    pub offset: u64,
    pub length_bytes: u64,
}

/// A map as PAX 0.1 writes it (0.0 is brought into this form): `offset,length,…`.
pub(super) fn parse_map(map: &[u8]) -> io::Result<Vec<Segment>> {
    let bad = || malformed("sparse map");
    if map.is_empty() {
        return Ok(Vec::new());
    }
    let numbers: Option<Vec<u64>> = map.split(|&byte| byte == b',').map(decimal).collect();
    let numbers = numbers.ok_or_else(bad)?;
    if numbers.len() % 2 != 0 || numbers.len() / 2 > SEGMENTS_LIMIT {
        return Err(bad());
    }
    Ok(numbers
        .chunks_exact(2)
        .map(|pair| Segment {
            offset: pair[0],
            length_bytes: pair[1],
        })
        .collect())
}

/// Check that a map is in order, inside the file, and about as many bytes as are stored.
pub(super) fn check(map: &[Segment], real_bytes: u64, stored_bytes: u64) -> io::Result<()> {
    let mut end = 0;
    let mut sum = 0_u64;
    for segment in map {
        let next = segment.offset.checked_add(segment.length_bytes);
        match next {
            Some(next) if segment.offset >= end && next <= real_bytes => end = next,
            _ => return Err(malformed("sparse map out of order")),
        }
        // Cannot overflow: the segments do not overlap.
        sum += segment.length_bytes;
    }
    if sum != stored_bytes {
        return Err(malformed("sparse map and size differ"));
    }
    Ok(())
}
