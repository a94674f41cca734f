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
        let mut rest = Rest(line);
        let mut log = Escaped(b"");
        let mut stream = Stream::Stdout;
        let mut attrs = &b""[..];
        let mut time = None;
        rest.expect(b'{')?;
        loop {
            let name = rest.string()?;
            rest.expect(b':')?;
            match name.0 {
                b"log" => log = rest.string()?,
                b"time" => time = Some(rest.string()?.0),
                b"stream" => {
                    stream = match rest.string()?.0 {
                        b"stdout" => Stream::Stdout,
                        b"stderr" => Stream::Stderr,
                        _ => return None,
                    }
                }
                b"attrs" => attrs = rest.value(DEPTH_MAX)?,
                _ => {
                    rest.value(DEPTH_MAX)?;
                }
            }
            match rest.next()? {
                b',' => {}
                b'}' => break,
                _ => return None,
            }
        }
        rest.skip_blanks();
        let record = Self {
            log,
            stream,
            attrs,
            time: time?,
        };
        rest.0.is_empty().then_some(record)
    }
}

/// The names and values of an object of attributes, sorted.
pub(crate) fn attributes(object: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut pairs = Vec::new();
    let mut rest = Rest(object);
    if rest.expect(b'{').is_some() {
        while let Some((name, value)) = rest.pair() {
            pairs.push((name.bytes(), value.bytes()));
            if rest.next() != Some(b',') {
                break;
            }
        }
    }
    pairs.sort();
    pairs
}

impl Escaped<'_> {
    /// Whether the text ends with a newline: other records are pieces of a line, or its last one
    /// that nobody ended.
    pub(crate) fn ends_line(self) -> bool {
        let Some(front) = self.0.strip_suffix(b"n") else {
            return self.0.ends_with(b"\\u000a") || self.0.ends_with(b"\\u000A");
        };
        let backslashes = front.iter().rev().take_while(|b| **b == b'\\').count();
        backslashes % 2 == 1
    }

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

/// What is left of a line.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
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
    fn which_records_end_a_line() {
        for (log, ends) in [
            (r"a\n", true),
            (r"\n", true),
            (r"a\\\n", true),
            (r"a\u000a", true),
            ("", false),
            ("n", false),
            (r"a\\n", false),
            (r"a\nb", false),
        ] {
            assert_eq!(Escaped(log.as_bytes()).ends_line(), ends, "{log}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_upset_it(bytes: Vec<u8>) {
            if let Some(record) = Record::parse(&bytes) {
                attributes(record.attrs);
                record.log.bytes();
            }
        }

        #[test]
        fn no_damage_to_a_record_upsets_it(at in 0usize..70, byte: u8) {
            let mut line = br#"{"log":"a\u003c\ud83d\ude00","stream":"stdout","attrs":{"a":"b"},"time":"t"}"#.to_vec();
            line[at] = byte;
            if let Some(record) = Record::parse(&line) {
                attributes(record.attrs);
                record.log.bytes();
            }
        }
    }
}
