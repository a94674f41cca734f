//! Moments as syslog writes them: by the host's own clock and zone. The only `unsafe` of this crate.

use std::mem::MaybeUninit;

const SECOND_NS: i64 = 1_000_000_000;
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// A moment taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalTime {
    year: i64,
    /// From 0.
    month: usize,
    day: i32,
    hour: i32,
    minute: i32,
    second: i32,
    nanos: i64,
    /// East of UTC.
    offset_s: i64,
}

impl LocalTime {
    pub fn of(time_ns: i64) -> Self {
        let seconds: libc::time_t = time_ns.div_euclid(SECOND_NS);
        let mut parts = MaybeUninit::<libc::tm>::zeroed();
        // SAFETY: both pointers are valid, and zeros are a valid `tm` should the call refuse.
        let parts = unsafe {
            libc::localtime_r(&raw const seconds, parts.as_mut_ptr());
            parts.assume_init()
        };
        Self {
            year: i64::from(parts.tm_year) + 1900,
            month: usize::try_from(parts.tm_mon).unwrap_or(0) % MONTHS.len(),
            day: parts.tm_mday,
            hour: parts.tm_hour,
            minute: parts.tm_min,
            second: parts.tm_sec,
            nanos: time_ns.rem_euclid(SECOND_NS),
            offset_s: parts.tm_gmtoff,
        }
    }

    /// `Jan  2 15:04:05` (RFC 3164).
    pub fn stamp(self) -> String {
        let month = MONTHS[self.month];
        let Self {
            day,
            hour,
            minute,
            second,
            ..
        } = self;
        format!("{month} {day:2} {hour:02}:{minute:02}:{second:02}")
    }

    /// `2026-01-02T15:04:05.123456+01:00`, with as many digits of a second as are wanted.
    pub fn rfc3339(self, digits: usize) -> String {
        let nanos = format!(".{:09}", self.nanos);
        let fraction = if digits == 0 { "" } else { &nanos[..=digits] };
        let zone = if self.offset_s == 0 {
            "Z".to_owned()
        } else {
            let sign = if self.offset_s < 0 { '-' } else { '+' };
            let minutes = self.offset_s.abs() / 60;
            format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
        };
        format!(
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}{fraction}{zone}",
            self.year,
            self.month + 1,
            self.day,
            self.hour,
            self.minute,
            self.second
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms() {
        let mut time = LocalTime {
            year: 2026,
            month: 0,
            day: 2,
            hour: 3,
            minute: 4,
            second: 5,
            nanos: 60_000,
            offset_s: 0,
        };
        assert_eq!(time.stamp(), "Jan  2 03:04:05");
        assert_eq!(time.rfc3339(0), "2026-01-02T03:04:05Z");
        time.offset_s = 5 * 3600 + 1800;
        assert_eq!(time.rfc3339(6), "2026-01-02T03:04:05.000060+05:30");
        time.offset_s = -3600;
        assert_eq!(time.rfc3339(0), "2026-01-02T03:04:05-01:00");
    }

    #[test]
    fn the_host_knows_its_zone() {
        let time = LocalTime::of(1_772_323_199_123_456_789);
        assert_eq!(time.nanos, 123_456_789);
        // 2026-02-28T23:59:59Z, wherever this runs.
        let of_day = i64::from(time.hour * 3600 + time.minute * 60 + time.second);
        assert_eq!((of_day - time.offset_s).rem_euclid(86_400), 86_399);
    }
}
