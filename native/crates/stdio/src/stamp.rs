//! Moments as RFC 3339 text in UTC, in the two widths that Docker uses.

use std::time::{SystemTime, UNIX_EPOCH};

const SECOND_NS: i64 = 1_000_000_000;
const DAY_S: i64 = 86_400;
/// `2026-01-02T03:04:05` in front of the fraction.
const WHOLE_BYTES: usize = 19;

/// Nanoseconds since 1970 by the host's clock.
pub fn now_ns() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |d| i64::try_from(d.as_nanos()).unwrap_or(i64::MAX))
}

/// How many digits the fraction of a second has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Width {
    /// As in log files: trailing zeros cut, no point when none is left (Go's `RFC3339Nano`).
    Shortest,
    /// As `docker logs -t` prints: always nine.
    Nine,
}

/// Append `2026-01-02T03:04:05.123456789Z`.
pub(crate) fn format(ns: i64, width: Width, out: &mut Vec<u8>) {
    let seconds = ns.div_euclid(SECOND_NS);
    let (year, month, day) = civil(seconds.div_euclid(DAY_S));
    let of_day = seconds.rem_euclid(DAY_S);
    digits(year, 4, out);
    for (mark, value) in [
        (b'-', month),
        (b'-', day),
        (b'T', of_day / 3600),
        (b':', of_day / 60 % 60),
        (b':', of_day % 60),
    ] {
        out.push(mark);
        digits(value, 2, out);
    }
    let fraction = ns.rem_euclid(SECOND_NS);
    if width == Width::Nine || fraction != 0 {
        out.push(b'.');
        digits(fraction, 9, out);
        while width == Width::Shortest && out.last() == Some(&b'0') {
            out.pop();
        }
    }
    out.push(b'Z');
}

/// Nanoseconds since 1970 of an RFC 3339 text with any number of fraction digits and any offset.
pub(crate) fn parse(text: &[u8]) -> Option<i64> {
    if text.len() <= WHOLE_BYTES || !matches!(text[10], b'T' | b't' | b' ') {
        return None;
    }
    if text[4] != b'-' || text[7] != b'-' || text[13] != b':' || text[16] != b':' {
        return None;
    }
    let day = days(
        number(&text[..4])?,
        number(&text[5..7])?,
        number(&text[8..10])?,
    )?;
    let clock =
        number(&text[11..13])? * 3600 + number(&text[14..16])? * 60 + number(&text[17..19])?;
    let mut rest = &text[WHOLE_BYTES..];
    let mut fraction = 0;
    if rest[0] == b'.' {
        let length = rest[1..].iter().take_while(|b| b.is_ascii_digit()).count();
        let used = length.min(9);
        fraction = number(&rest[1..=used])?;
        for _ in used..9 {
            fraction *= 10;
        }
        rest = &rest[1 + length..];
    }
    let seconds = day * DAY_S + clock - offset_s(rest)?;
    seconds.checked_mul(SECOND_NS)?.checked_add(fraction)
}

/// Seconds east of UTC in `Z`, `+02:00`, `-05:30`.
fn offset_s(zone: &[u8]) -> Option<i64> {
    match zone {
        b"Z" | b"z" => Some(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let seconds = number(&[*h1, *h2])? * 3600 + number(&[*m1, *m2])? * 60;
            Some(if *sign == b'-' { -seconds } else { seconds })
        }
        _ => None,
    }
}

fn number(text: &[u8]) -> Option<i64> {
    text.iter().try_fold(0, |sum, b| {
        b.is_ascii_digit().then(|| sum * 10 + i64::from(b - b'0'))
    })
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn digits(mut value: i64, count: usize, out: &mut Vec<u8>) {
    let mut text = [b'0'; 9];
    for place in text[..count].iter_mut().rev() {
        *place = b'0' + (value % 10) as u8;
        value /= 10;
    }
    out.extend_from_slice(&text[..count]);
}

/// Year, month, day of a day counted from 1970-01-01 (the Gregorian rule, in years that begin in March).
fn civil(day: i64) -> (i64, i64, i64) {
    let shifted = day + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

/// The inverse of [`civil`]; None for a month or day that no calendar has.
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(ns: i64, width: Width) -> String {
        let mut out = Vec::new();
        format(ns, width, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn both_widths() {
        for (ns, short, nine) in [
            (0, "1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000000000Z"),
            (
                1_772_323_199_120_000_000,
                "2026-02-28T23:59:59.12Z",
                "2026-02-28T23:59:59.120000000Z",
            ),
            (
                1_709_164_800_000_000_001,
                "2024-02-29T00:00:00.000000001Z",
                "2024-02-29T00:00:00.000000001Z",
            ),
        ] {
            assert_eq!(text(ns, Width::Shortest), short);
            assert_eq!(text(ns, Width::Nine), nine);
            assert_eq!(parse(short.as_bytes()), Some(ns));
        }
    }

    #[test]
    fn offsets_and_long_fractions_are_read() {
        assert_eq!(
            parse(b"1970-01-01T02:00:00.5000000009+02:00"),
            Some(500_000_000)
        );
        assert_eq!(parse(b"1969-12-31T19:00:00-05:00"), Some(0));
    }

    #[test]
    fn what_is_no_moment_is_none() {
        for bad in [
            "",
            "2026-01-01T00:00:00",
            "2026-13-01T00:00:00Z",
            "2026-01-01T00:00:00.5",
            "2026-01-01 00h00:00Z",
        ] {
            assert_eq!(parse(bad.as_bytes()), None, "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn every_moment_reads_back(ns in 0i64..i64::MAX) {
            proptest::prop_assert_eq!(parse(text(ns, Width::Shortest).as_bytes()), Some(ns));
            proptest::prop_assert_eq!(parse(text(ns, Width::Nine).as_bytes()), Some(ns));
        }
    }
}
