//! How records are chosen and written for a client of `GET /containers/{id}/logs`.

use crate::frame::{self, Stream, HEADER_BYTES};
use crate::record::Record;
use crate::stamp::{self, Width};
use crate::websocket::Opcode;

/// Which records a client asked for.
#[derive(Clone, Copy, Debug)]
pub struct Selection {
    pub stdout: bool,
    pub stderr: bool,
    /// Inclusive, nanoseconds since 1970.
    pub since_ns: Option<i64>,
    /// Inclusive, nanoseconds since 1970.
    pub until_ns: Option<i64>,
    /// The last so many records of the file, whatever their stream and time.
    pub tail: Option<u64>,
}

/// How they are written.
#[allow(clippy::struct_excessive_bools)]
#[derive(Clone, Copy, Debug)]
pub struct Form {
    pub timestamps: bool,
    pub details: bool,
    /// One frame a record; otherwise the bare text.
    pub framed: bool,
    /// Wrapped in HTTP chunks, the last one (of length 0) left out.
    pub chunked: bool,
    /// Wrapped in WebSocket messages of this kind.
    pub messages: Option<Opcode>,
}

/// What a selection says of one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Take,
    Skip,
    /// It is beyond `until`: nothing behind it will be shown.
    End,
}

impl Selection {
    /// Judge one record. The first that is not before `since` ends the looking at `since`:
    /// a clock set back later hides nothing (as Docker has it).
    pub(crate) fn judge(&mut self, record: &Record<'_>) -> Verdict {
        if self.since_ns.is_some() || self.until_ns.is_some() {
            let Some(time_ns) = stamp::parse(record.time) else {
                return Verdict::Skip;
            };
            if self.since_ns.is_some_and(|since| time_ns < since) {
                return Verdict::Skip;
            }
            self.since_ns = None;
            if self.until_ns.is_some_and(|until| time_ns > until) {
                return Verdict::End;
            }
        }
        let wanted = match record.stream {
            Stream::Stdout => self.stdout,
            Stream::Stderr => self.stderr,
        };
        if wanted {
            Verdict::Take
        } else {
            Verdict::Skip
        }
    }
}

impl Form {
    /// Append one record: `timestamp␠attributes␠text`, in a frame or not.
    pub(crate) fn append(self, record: &Record<'_>, out: &mut Vec<u8>) {
        let start = out.len();
        if self.framed {
            out.extend_from_slice(&[0; HEADER_BYTES]);
        }
        if self.timestamps {
            match stamp::parse(record.time) {
                Some(time_ns) => stamp::format(time_ns, Width::Nine, out),
                None => out.extend_from_slice(record.time),
            }
            out.push(b' ');
        }
        if self.details {
            record.details(out);
            out.push(b' ');
        }
        record.log.unescape(out);
        if self.framed {
            let payload = out.len() - start - HEADER_BYTES;
            out[start..start + HEADER_BYTES]
                .copy_from_slice(&frame::header(record.stream, payload));
        }
    }
}
