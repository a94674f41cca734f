//! One record of a `json-file` log, taken apart without building a document.
//!
//! Our own shape and any other order of members are read by the same loop; what is not a record
//! costs itself and nothing else.

use crate::frame::Stream;

/// How deep a stranger's `attrs` may be nested.
const DEPTH_MAX: u32 = 32;
/// How often reading is tried anew inside one line, after a torn record that the next one follows.
const RESYNC_MAX: u32 = 4;
const RECORD_START: &[u8] = b"{\"log\":";

/// A record, still escaped: slices of the line in the file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record<'a> {
    pub(crate) log: Escaped<'a>,
    pub(crate) stream: Stream,
    /// The JSON object of the attributes, braces included, or nothing.
    pub(crate) attrs: &'a [u8],
    pub(crate) time: &'a [u8],
}

/// The inside of a JSON string.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Escaped<'a>(pub(crate) &'a [u8]);

impl<'a> Record<'a> {
    /// Read one line of the file, its newline off. A torn record glued in front of a whole one is skipped.
    pub(crate) fn parse(mut line: &'a [u8]) -> Option<Self> {
        for _ in 0..RESYNC_MAX {
            if let Some(record) = Self::object(line) {
                return Some(record);
            }
            let next = memchr::memmem::find(line.get(1..)?, RECORD_START)?;
            line = &line[1 + next..];
        }
        None
    }

    fn object(line: &'a [u8]) -> Option<Self> {
        let mut cursor = Cursor(line);
        let mut log = Escaped(b"");
        let mut stream = Stream::Stdout;
        let mut attrs = &b""[..];
        let mut time = None;
        cursor.expect(b'{')?;
        loop {
            let name = cursor.string()?;
            cursor.expect(b':')?;
            match name.0 {
                b"log" => log = cursor.string()?,
                b"time" => time = Some(cursor.string()?.0),
                b"stream" => {
                    stream = match cursor.string()?.0 {
                        b"stdout" => Stream::Stdout,
                        b"stderr" => Stream::Stderr,
                        _ => return None,
                    }
                }
                b"attrs" => attrs = cursor.value(DEPTH_MAX)?,
                _ => {
                    cursor.value(DEPTH_MAX)?;
                }
            }
            match cursor.next()? {
                b',' => {}
                b'}' => break,
                _ => return None,
            }
        }
        cursor.skip_blanks();
        let record = Self {
            log,
            stream,
            attrs,
            time: time?,
        };
        cursor.0.is_empty().then_some(record)
    }

    /// The attributes as `docker logs --details` prints them: `k=v` sorted, url-escaped, joined by commas.
    pub(crate) fn details(&self, out: &mut Vec<u8>) {
        let mut pairs = Vec::new();
        let mut cursor = Cursor(self.attrs);
        if cursor.expect(b'{').is_some() {
            while let Some((name, value)) = cursor.pair() {
                pairs.push((name.bytes(), value.bytes()));
                if cursor.next() != Some(b',') {
                    break;
                }
            }
        }
        pairs.sort();
        for (index, (name, value)) in pairs.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            url_escape(name, out);
            out.push(b'=');
            url_escape(value, out);
        }
    }
}

impl Escaped<'_> {
    fn bytes(self) -> Vec<u8> {
        let mut out = Vec::new();
        self.unescape(&mut out);
        out
    }

    /// Append the text. Escapes that mean nothing become U+FFFD, as Go reads them.
    pub(crate) fn unescape(self, out: &mut Vec<u8>) {
        let mut rest = self.0;
        while let Some(at) = memchr::memchr(b'\\', rest) {
            out.extend_from_slice(&rest[..at]);
            rest = match rest.get(at + 1) {
                Some(b'n') => {
                    out.push(b'\n');
                    &rest[at + 2..]
                }
                Some(b'u') => unescape_unicode(&rest[at..], out),
                Some(b'r') => {
                    out.push(b'\r');
                    &rest[at + 2..]
                }
                Some(b't') => {
                    out.push(b'\t');
                    &rest[at + 2..]
                }
                Some(b'b') => {
                    out.push(0x08);
                    &rest[at + 2..]
                }
                Some(b'f') => {
                    out.push(0x0c);
                    &rest[at + 2..]
                }
                Some(&other) => {
                    out.push(other);
                    &rest[at + 2..]
                }
                None => &[],
            };
        }
        out.extend_from_slice(rest);
    }
}

/// Read `\uXXXX`, or the two of a surrogate pair, at the front of `rest`; returns what is behind.
fn unescape_unicode<'a>(rest: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
    let Some(unit) = code_unit(rest) else {
        out.extend_from_slice("\u{fffd}".as_bytes());
        return &rest[2..];
    };
    let mut length = 6;
    let mut value = unit;
    if (0xd800..0xdc00).contains(&unit) {
        if let Some(low @ 0xdc00..=0xdfff) = code_unit(&rest[6..]) {
            value = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
            length = 12;
        }
    }
    let letter = char::from_u32(value).unwrap_or('\u{fffd}');
    out.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
    &rest[length..]
}

fn code_unit(text: &[u8]) -> Option<u32> {
    let [b'\\', b'u', digits @ ..] = text.first_chunk::<6>()? else {
        return None;
    };
    digits.iter().try_fold(0, |sum, &digit| {
        Some(sum * 16 + char::from(digit).to_digit(16)?)
    })
}

/// As Go's `url.QueryEscape`.
fn url_escape(text: &[u8], out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for &byte in text {
        match byte {
            b' ' => out.push(b'+'),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(byte),
            _ => out.extend_from_slice(&[
                b'%',
                HEX[usize::from(byte >> 4)],
                HEX[usize::from(byte & 15)],
            ]),
        }
    }
}

/// What is left of a line.
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn skip_blanks(&mut self) {
        while let [b' ' | b'\t' | b'\r', rest @ ..] = self.0 {
            self.0 = rest;
        }
    }

    fn next(&mut self) -> Option<u8> {
        self.skip_blanks();
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.next()? == byte).then_some(())
    }

    fn string(&mut self) -> Option<Escaped<'a>> {
        self.expect(b'"')?;
        let mut at = 0;
        loop {
            at += memchr::memchr2(b'"', b'\\', &self.0[at..])?;
            if self.0[at] == b'"' {
                let text = &self.0[..at];
                self.0 = &self.0[at + 1..];
                return Some(Escaped(text));
            }
            at += 2;
            if at > self.0.len() {
                return None;
            }
        }
    }

    fn pair(&mut self) -> Option<(Escaped<'a>, Escaped<'a>)> {
        let name = self.string()?;
        self.expect(b':')?;
        Some((name, self.string()?))
    }

    /// Step over any JSON value; returns its text.
    fn value(&mut self, depth: u32) -> Option<&'a [u8]> {
        self.skip_blanks();
        let start = self.0;
        match start.first()? {
            b'"' => {
                self.string()?;
            }
            open @ (b'{' | b'[') => self.nested(*open, depth.checked_sub(1)?)?,
            _ => {
                let end = start.iter().position(|b| matches!(b, b',' | b'}' | b']'))?;
                self.0 = &start[end..];
            }
        }
        Some(&start[..start.len() - self.0.len()])
    }

    fn nested(&mut self, open: u8, depth: u32) -> Option<()> {
        let close = if open == b'{' { b'}' } else { b']' };
        self.expect(open)?;
        self.skip_blanks();
        if self.0.first() == Some(&close) {
            return self.expect(close);
        }
        loop {
            if open == b'{' {
                self.string()?;
                self.expect(b':')?;
            }
            self.value(depth)?;
            match self.next()? {
                b',' => {}
                byte => return (byte == close).then_some(()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(line: &str) -> Option<String> {
        Record::parse(line.as_bytes()).map(|record| String::from_utf8(record.log.bytes()).unwrap())
    }

    #[test]
    fn our_own_shape_and_a_strangers() {
        for (line, expected) in [
            (r#"{"log":"a\n","stream":"stdout","time":"t"}"#, "a\n"),
            (r#"{"stream":"stderr","time":"t"}"#, ""),
            (
                r#" { "time" : "t" , "x":[1,{"y":null},[]], "log" : "\u003c\t\"" } "#,
                "<\t\"",
            ),
            (
                r#"{"log":"\ud83d\ude00\ud83d\u12","time":"t","attrs":{"a":"}"}}"#,
                "😀\u{fffd}\u{fffd}12",
            ),
            ("\0\0\0{\"log\":\"b\",\"time\":\"t\"}", "b"),
            (r#"{"log":"to{"log":"b","time":"t"}"#, "b"),
        ] {
            assert_eq!(text(line).as_deref(), Some(expected), "{line}");
        }
    }

    #[test]
    fn what_is_torn_is_no_record() {
        let whole = r#"{"log":"a\u003c","stream":"stdout","attrs":{"a":"b"},"time":"t"}"#;
        for length in 0..whole.len() {
            assert_eq!(text(&whole[..length]), None);
        }
        assert_eq!(text(&format!("{{\"x\":{}", "[".repeat(100_000))), None);
    }

    #[test]
    fn details_are_sorted_and_escaped() {
        let line = br#"{"log":"","attrs":{"z":"1 2","a,b":"\u0026"},"time":"t"}"#;
        let mut out = Vec::new();
        Record::parse(line).unwrap().details(&mut out);
        assert_eq!(out, b"a%2Cb=%26,z=1+2");
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_upset_it(bytes: Vec<u8>) {
            if let Some(record) = Record::parse(&bytes) {
                record.details(&mut record.log.bytes());
            }
        }

        #[test]
        fn no_damage_to_a_record_upsets_it(at in 0usize..70, byte: u8) {
            let mut line = br#"{"log":"a\u003c\ud83d\ude00","stream":"stdout","attrs":{"a":"b"},"time":"t"}"#.to_vec();
            line[at] = byte;
            if let Some(record) = Record::parse(&line) {
                record.details(&mut record.log.bytes());
            }
        }
    }
}
