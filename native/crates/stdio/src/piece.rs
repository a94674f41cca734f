//! What goes through the pipe from a shim to the process that sends its log away.

use crate::frame::Stream;

/// What stands before each piece of output.
pub const HEAD_BYTES: usize = 16;
/// What comes back: the receiver is there.
pub const READY: &[u8] = b"+";
/// Or it is not, and behind this is why.
pub const REFUSED: &[u8] = b"-";

/// Once for each piece that is in the log's file, or lost, when it is the file that is written.
pub const WRITTEN: u8 = b'w';

/// Of which output a piece is, how long it is, and when it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    pub stream: Stream,
    pub length: usize,
    pub time_ns: i64,
}

impl Head {
    pub fn bytes(self) -> [u8; HEAD_BYTES] {
        let mut bytes = [0; HEAD_BYTES];
        bytes[0] = u8::from(self.stream == Stream::Stderr);
        let length = u32::try_from(self.length).unwrap_or(u32::MAX);
        bytes[4..8].copy_from_slice(&length.to_le_bytes());
        bytes[8..].copy_from_slice(&self.time_ns.to_le_bytes());
        bytes
    }

    pub fn parse(bytes: [u8; HEAD_BYTES]) -> Self {
        let [stream, _, _, _, a, b, c, d, time @ ..] = bytes;
        let length = u32::from_le_bytes([a, b, c, d]);
        Self {
            stream: if stream == 0 {
                Stream::Stdout
            } else {
                Stream::Stderr
            },
            length: usize::try_from(length).unwrap_or(usize::MAX),
            time_ns: i64::from_le_bytes(time),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_travel() {
        for stream in [Stream::Stdout, Stream::Stderr] {
            let head = Head {
                stream,
                length: 65_536,
                time_ns: i64::MAX - 7,
            };
            assert_eq!(Head::parse(head.bytes()), head);
        }
    }
}
