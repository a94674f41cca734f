//! Which records a client of `GET /containers/{id}/logs` asked for.

use crate::frame::Stream;
use crate::grep::Grep;
use crate::record::Record;
use crate::stamp;

/// What is chosen of a log; by default nothing.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    pub stdout: bool,
    pub stderr: bool,
    /// Inclusive, nanoseconds since 1970.
    pub since_ns: Option<i64>,
    /// Inclusive, nanoseconds since 1970.
    pub until_ns: Option<i64>,
    /// The last so many records of the log (lines, where these are joined), whatever their stream,
    /// time and text.
    pub tail: Option<u64>,
    /// The first so many of those that are chosen otherwise.
    pub limit: Option<u64>,
    pub grep: Option<Grep>,
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
    /// Judge one record by its stream and time. The first that is not before `since` ends the
    /// looking at `since`: a clock set back later hides nothing (as Docker has it).
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
