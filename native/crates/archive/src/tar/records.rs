//! PAX extended headers: `length key=value\n`, strictly, because a length believed too easily
//! makes two readers see two archives.
use std::io;

use super::malformed;

/// The records of one extended header, in their order.
pub(super) fn parse(mut body: &[u8]) -> io::Result<Vec<(&[u8], &[u8])>> {
    let mut records = Vec::new();
    while !body.is_empty() {
        let (record, rest) = split(body).ok_or_else(|| malformed("PAX record"))?;
        records.push(record);
        body = rest;
    }
    Ok(records)
}

type Record<'b> = (&'b [u8], &'b [u8]);

fn split(body: &[u8]) -> Option<(Record<'_>, &[u8])> {
    let space = body.iter().position(|&byte| byte == b' ')?;
    let length = usize::try_from(decimal(&body[..space])?).ok()?;
    // Of "6 k=v\n", what lies between the blank and the newline.
    if length > body.len() || length < space + 2 || body[length - 1] != b'\n' {
        return None;
    }
    let record = &body[space + 1..length - 1];
    let equals = record.iter().position(|&byte| byte == b'=')?;
    let (key, value) = (&record[..equals], &record[equals + 1..]);
    let is_name = matches!(key, b"path" | b"linkpath" | b"uname" | b"gname");
    if key.is_empty() || key.contains(&0) || is_name && value.contains(&0) {
        return None;
    }
    Some(((key, value), &body[length..]))
}

/// A decimal number without sign.
pub(super) fn decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// A decimal number that may be negative.
pub(super) fn signed(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix(b"-") {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let value = i64::try_from(decimal(digits)?).ok()?;
    Some(if negative { -value } else { value })
}

/// `seconds.fraction`, either side of 1970, as seconds and nanoseconds to add to them.
pub(super) fn time(text: &[u8]) -> Option<(i64, u32)> {
    let mut halves = text.splitn(2, |&byte| byte == b'.');
    let whole = halves.next()?;
    let fraction = halves.next().unwrap_or(b"");
    let seconds = signed(whole)?;
    if !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let mut nanoseconds = 0;
    for index in 0..9 {
        let digit = fraction.get(index).map_or(0, |digit| digit - b'0');
        nanoseconds = nanoseconds * 10 + u32::from(digit);
    }
    if whole.starts_with(b"-") && nanoseconds > 0 {
        return Some((seconds.checked_sub(1)?, 1_000_000_000 - nanoseconds));
    }
    Some((seconds, nanoseconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_taken_strictly() {
        let good = parse(b"6 k=v\n12 path=a=b\n5 k=\n").unwrap();
        let expected: Vec<Record<'_>> = vec![(b"k", b"v"), (b"path", b"a=b"), (b"k", b"")];
        assert_eq!(good, expected);
        for bad in [
            &b"7 k=v\n"[..],
            b"5 k=v\n",
            b"6 k=v",
            b"6  k=v\n",
            b"+6 k=v\n",
            b"-6 k=v\n",
            b"4 =v\n",
            b"5 kv\n",
            b"99999999999999999999 k=v\n",
            b"0 \n",
            b"10 path=\0\n",
            b"6 k=v\n\0",
        ] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn times_on_both_sides_of_1970() {
        for (text, expected) in [
            ("12", Some((12, 0))),
            ("12.5", Some((12, 500_000_000))),
            ("12.0000000019", Some((12, 1))),
            ("-1.25", Some((-2, 750_000_000))),
            ("-0.5", Some((-1, 500_000_000))),
            ("", None),
            ("1e3", None),
            ("1.x", None),
        ] {
            assert_eq!(time(text.as_bytes()), expected, "{text}");
        }
    }
}
