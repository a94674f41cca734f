//! What a client that reads too slowly loses of the output, where it asked for that rather than
//! have everybody wait.

use drayman_stdio::{Stream, OUTBOX_BYTES};

/// Nothing more is sent until so little waits.
const RESUME_BYTES: usize = OUTBOX_BYTES / 2;

#[derive(Debug, Default)]
pub struct Loss {
    /// Lost, and not told yet.
    bytes: usize,
    /// Too much waits: everything is lost.
    full: bool,
    /// Of each stream, whether what was lost ended within a line.
    torn: [bool; 2],
    /// And whether what was sent did.
    open: [bool; 2],
}

impl Loss {
    /// What of an output is to be sent where so much waits already: whole lines of what does not
    /// fit, and from the next line on when there is room again.
    pub fn sift<'a>(&mut self, stream: Stream, bytes: &'a [u8], waiting_bytes: usize) -> &'a [u8] {
        let room = OUTBOX_BYTES.saturating_sub(waiting_bytes);
        let number = stream as usize - 1;
        let (torn, open) = (&mut self.torn[number], &mut self.open[number]);
        let kept = if self.full {
            &[]
        } else if bytes.len() > room {
            self.full = true;
            let end = memchr::memrchr(b'\n', &bytes[..room]);
            // A line that was begun is ended, though it be a little too much.
            let end = end.or_else(|| memchr::memchr(b'\n', bytes).filter(|_| *open));
            &bytes[..end.map_or(0, |newline| newline + 1)]
        } else if *torn {
            let start = memchr::memchr(b'\n', bytes);
            &bytes[start.map_or(0, |newline| newline + 1)..]
        } else {
            bytes
        };
        self.bytes += bytes.len() - kept.len();
        *torn = self.full && !bytes.ends_with(b"\n");
        if let Some(last) = kept.last() {
            *open = *last != b'\n';
        }
        kept
    }

    /// What the client is to be told now, if it lost anything.
    pub fn notice(&mut self, waiting_bytes: usize) -> Option<String> {
        if self.bytes == 0 || (self.full && waiting_bytes > RESUME_BYTES) {
            return None;
        }
        self.full = false;
        let bytes = std::mem::take(&mut self.bytes);
        Some(format!(
            "\r\n[drayman: {bytes} bytes of output were dropped here: they were not read in time]\r\n"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALMOST: usize = OUTBOX_BYTES - 6;

    #[test]
    fn what_does_not_fit_is_cut_at_a_line_and_resumed_at_one() {
        let mut loss = Loss::default();
        assert_eq!(loss.sift(Stream::Stdout, b"one\ntwo\nth", ALMOST), b"one\n");
        assert_eq!(loss.notice(ALMOST), None);
        // Not a bit of it before it was told, though there be room.
        assert_eq!(loss.sift(Stream::Stdout, b"re", RESUME_BYTES + 1), b"");
        let told = loss.notice(RESUME_BYTES).unwrap();
        assert!(told.contains(" 8 bytes "), "{told}");
        assert_eq!(loss.sift(Stream::Stderr, b"other\n", 0), b"other\n");
        assert_eq!(loss.sift(Stream::Stdout, b"e\nfour\n", 0), b"four\n");
        assert!(loss.notice(0).unwrap().contains(" 2 bytes "));
        assert_eq!(loss.sift(Stream::Stdout, b"five\n", 0), b"five\n");
        assert_eq!(loss.notice(0), None);
    }

    #[test]
    fn a_line_that_was_lost_whole_tears_nothing() {
        let mut loss = Loss::default();
        assert_eq!(loss.sift(Stream::Stdout, b"longer\n", ALMOST), b"");
        assert!(loss.notice(0).is_some());
        assert_eq!(loss.sift(Stream::Stdout, b"next\n", 0), b"next\n");
    }

    #[test]
    fn a_line_that_was_begun_is_ended() {
        let mut loss = Loss::default();
        assert_eq!(loss.sift(Stream::Stdout, b"beg", 0), b"beg");
        let rest = b"inning\nnext\n";
        assert_eq!(loss.sift(Stream::Stdout, rest, ALMOST), b"inning\n");
    }

    #[test]
    fn without_lines_whatever_comes_is_sent() {
        let mut loss = Loss::default();
        assert_eq!(loss.sift(Stream::Stdout, &[0; 9], ALMOST), b"");
        loss.notice(0);
        assert_eq!(loss.sift(Stream::Stdout, &[0; 9], 0), [0; 9]);
    }
}
