//! Digests in the digits that people read.
use std::fmt::Write;

/// Two lower-case digits a byte.
pub(crate) fn hexadecimal(sum: impl AsRef<[u8]>) -> String {
    let mut digits = String::new();
    for byte in sum.as_ref() {
        // Writing to a string cannot fail.
        let _ = write!(digits, "{byte:02x}");
    }
    digits
}
