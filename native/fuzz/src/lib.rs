//! What several targets need: archives whose sums are right, and a place to work in.
use std::fs;
use std::path::PathBuf;

const BLOCK_BYTES: usize = 512;

/// The archive with the sum of each header made right, so that what lies behind that check is
/// reached. Headers are found as a reader finds them, by the sizes in them.
pub fn sealed(archive: &[u8]) -> Vec<u8> {
    let mut sealed = archive.to_vec();
    let mut at = 0;
    while let Some(block) = sealed.get_mut(at..at + BLOCK_BYTES) {
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        let size = block[124..136]
            .iter()
            .take_while(|byte| (b'0'..=b'7').contains(*byte))
            .fold(0_usize, |size, digit| size << 3 | usize::from(digit - b'0'));
        let stored = if matches!(block[156], b'1'..=b'6') {
            0
        } else {
            size
        };
        at = at.saturating_add(BLOCK_BYTES + stored.next_multiple_of(BLOCK_BYTES));
    }
    sealed
}

/// A directory of this process, emptied.
pub fn place() -> PathBuf {
    let place = std::env::temp_dir().join(format!("drayman-fuzz-{}", std::process::id()));
    let _ = fs::remove_dir_all(&place);
    fs::create_dir_all(&place).unwrap();
    place
}
