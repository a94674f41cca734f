//! Docker's multiplexed stream: which output a piece belongs to, and how long it is.

/// One of a process's outputs. The value is byte 0 of a frame's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Stream {
    Stdout = 1,
    Stderr = 2,
}

impl Stream {
    /// The word in a log file's `stream`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

/// Stream, three zeros, the payload's length as a big-endian `u32`.
pub const HEADER_BYTES: usize = 8;

/// The header in front of a payload of so many bytes, at most `u32::MAX`.
#[allow(clippy::cast_possible_truncation)]
pub fn header(stream: Stream, payload_bytes: usize) -> [u8; HEADER_BYTES] {
    let [a, b, c, d] = (payload_bytes as u32).to_be_bytes();
    [stream as u8, 0, 0, 0, a, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_stream_zeros_and_length() {
        assert_eq!(header(Stream::Stderr, 0x0102), [2, 0, 0, 0, 0, 0, 1, 2]);
    }
}
