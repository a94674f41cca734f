//! How far the records of a log are out of order: clocks are set back, and the pieces of a long
//! line bear the time of the first, however long the line goes on. Who knows how far can find a
//! moment by bisection and miss nothing.

use std::fs::File;

use rustix::fs::fremovexattr;

use crate::attribute;

/// Holds the most by which a record of the file is older than one before it, in this file or one
/// rotated away, in nanoseconds as decimal digits. A rename keeps it, and so does a truncation,
/// which makes nothing worse.
pub(crate) const ATTRIBUTE: &str = "user.drayman.late_ns";
/// What is told is rounded up to a power of two, from about a millisecond on: so it grows rarely.
const LATE_MIN_NS: u64 = 1 << 20;

/// The order of a log that is being written.
#[derive(Debug)]
pub(crate) struct Order {
    latest_ns: i64,
    /// None when it is not known, or the file system cannot keep it.
    late_ns: Option<i64>,
}

impl Order {
    /// Of a log that begins.
    pub(crate) fn new() -> Self {
        Self {
            latest_ns: i64::MIN,
            late_ns: Some(0),
        }
    }

    /// Of one that is gone on with, by its last record.
    pub(crate) fn resumed(file: &File, last_ns: Option<i64>) -> Self {
        let Some((last_ns, late_ns)) = last_ns.zip(late_ns(file)) else {
            // Nor would it be true any more what is written down.
            let _ = fremovexattr(file, ATTRIBUTE);
            return Self {
                latest_ns: i64::MIN,
                late_ns: None,
            };
        };
        Self {
            // The latest of all is later than the last one by no more than that.
            latest_ns: last_ns.saturating_add(late_ns),
            late_ns: Some(late_ns),
        }
    }

    /// Take note of a record before it is written to the file.
    pub(crate) fn note(&mut self, time_ns: i64, file: &File) {
        if time_ns >= self.latest_ns {
            self.latest_ns = time_ns;
            return;
        }
        let late_ns = self.latest_ns.saturating_sub(time_ns);
        if self.late_ns.is_some_and(|known| known < late_ns) {
            let rounded = late_ns.unsigned_abs().max(LATE_MIN_NS).next_power_of_two();
            self.late_ns = Some(i64::try_from(rounded).unwrap_or(i64::MAX));
            self.mark(file);
        }
    }

    /// Write down what is known with a file.
    pub(crate) fn mark(&mut self, file: &File) {
        let Some(late_ns) = self.late_ns else { return };
        let text = late_ns.to_string();
        if !attribute::write(file, ATTRIBUTE, text.as_bytes()) {
            // Nothing is better than something wrong.
            let _ = fremovexattr(file, ATTRIBUTE);
            self.late_ns = None;
        }
    }
}

/// What is written down with a file.
pub(crate) fn late_ns(file: &File) -> Option<i64> {
    let value = attribute::read(file, ATTRIBUTE)?;
    str::from_utf8(&value).ok()?.parse().ok()
}
