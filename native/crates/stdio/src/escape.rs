//! Bytes as the inside of a JSON string, escaped as Go's encoder does it.
//!
//! `<`, `>`, `&`, U+2028 and U+2029 are escaped too, and each byte that is not UTF-8 becomes `\ufffd`:
//! that is what Docker writes, and what readers of its log files have been tested with.

/// Bytes looked at together; a multiple of what one vector instruction compares.
const BLOCK_BYTES: usize = 32;
/// The longest escape of one byte: `\u00xx`.
const ESCAPE_BYTES: usize = 6;

/// Whether a byte stands for itself.
const fn is_plain(byte: u8) -> bool {
    byte >= 0x20 && byte < 0x80 && !matches!(byte, b'"' | b'\\' | b'<' | b'>' | b'&')
}

/// How each ASCII byte is written, and in how many bytes; length 0 for what begins or continues UTF-8.
const ESCAPES: [([u8; ESCAPE_BYTES], u8); 256] = {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut table = [([0u8; ESCAPE_BYTES], 0u8); 256];
    let mut byte = 0usize;
    while byte < 0x80 {
        #[allow(clippy::cast_possible_truncation)]
        let this = byte as u8;
        table[byte] = if is_plain(this) {
            ([this, 0, 0, 0, 0, 0], 1)
        } else {
            match this {
                b'"' | b'\\' => ([b'\\', this, 0, 0, 0, 0], 2),
                b'\n' => ([b'\\', b'n', 0, 0, 0, 0], 2),
                b'\r' => ([b'\\', b'r', 0, 0, 0, 0], 2),
                _ => ([b'\\', b'u', b'0', b'0', HEX[byte >> 4], HEX[byte & 15]], 6),
            }
        };
        byte += 1;
    }
    table
};

/// Append the escaped form of `text`, which need not be UTF-8, to `out`.
pub(crate) fn escape(mut text: &[u8], out: &mut Vec<u8>) {
    while let Some(block) = text.first_chunk::<BLOCK_BYTES>() {
        // No early way out, so that the compiler makes vector instructions of it.
        let odd = block.iter().fold(false, |odd, &b| odd | !is_plain(b));
        if odd {
            text = escape_block(text, out);
        } else {
            out.extend_from_slice(block);
            text = &text[BLOCK_BYTES..];
        }
    }
    while !text.is_empty() {
        text = escape_block(text, out);
    }
}

/// Escape the ASCII at the front of `text`, up to a block, or the run of other bytes that stands there.
fn escape_block<'a>(text: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
    if text[0] >= 0x80 {
        return escape_wide(text, out);
    }
    let mut block = [0u8; BLOCK_BYTES * ESCAPE_BYTES];
    let mut filled = 0;
    let mut used = 0;
    for &byte in text.iter().take(BLOCK_BYTES) {
        let (form, length) = &ESCAPES[usize::from(byte)];
        if *length == 0 {
            break;
        }
        block[filled..filled + ESCAPE_BYTES].copy_from_slice(form);
        filled += usize::from(*length);
        used += 1;
    }
    out.extend_from_slice(&block[..filled]);
    &text[used..]
}

/// Copy the run of bytes above ASCII at the front of `text`, as far as it is UTF-8.
fn escape_wide<'a>(text: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
    let length = text.iter().position(|&b| b < 0x80).unwrap_or(text.len());
    let mut run = &text[..length];
    while !run.is_empty() {
        let valid = match std::str::from_utf8(run) {
            Ok(valid) => valid.len(),
            Err(error) => error.valid_up_to(),
        };
        copy_wide(&run[..valid], out);
        run = &run[valid..];
        if !run.is_empty() {
            // Go decodes a bad sequence one byte at a time.
            out.extend_from_slice(b"\\ufffd");
            run = &run[1..];
        }
    }
    &text[length..]
}

/// Copy valid UTF-8, but escape the two line separators that JavaScript stumbles over.
fn copy_wide(mut valid: &[u8], out: &mut Vec<u8>) {
    while let Some(at) = memchr::memmem::find(valid, b"\xe2\x80") {
        let (before, rest) = valid.split_at(at);
        out.extend_from_slice(before);
        match rest[2] {
            0xa8 => out.extend_from_slice(b"\\u2028"),
            0xa9 => out.extend_from_slice(b"\\u2029"),
            _ => out.extend_from_slice(&rest[..3]),
        }
        valid = &rest[3..];
    }
    out.extend_from_slice(valid);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escaped(text: &[u8]) -> String {
        let mut out = Vec::new();
        escape(text, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn as_go_writes_it() {
        for (text, expected) in [
            (&b"plain"[..], "plain"),
            (
                b"a\"b\\c\n\r\t\x00\x1f\x7f",
                "a\\\"b\\\\c\\n\\r\\u0009\\u0000\\u001f\x7f",
            ),
            (b"<a&b>", "\\u003ca\\u0026b\\u003e"),
            ("ä€😀".as_bytes(), "ä€😀"),
            (
                "a\u{2028}\u{2029}\u{2027}".as_bytes(),
                "a\\u2028\\u2029\u{2027}",
            ),
            (b"\xff\xfe", "\\ufffd\\ufffd"),
            (b"\xe2\x82", "\\ufffd\\ufffd"),
            (b"\xe2\x82a", "\\ufffd\\ufffda"),
            (b"\xed\xa0\x80", "\\ufffd\\ufffd\\ufffd"),
            (b"\xc0\x80", "\\ufffd\\ufffd"),
        ] {
            assert_eq!(escaped(text), expected, "{text:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_reads_back(text: String) {
            let read: String = serde_json::from_str(&format!("\"{}\"", escaped(text.as_bytes()))).unwrap();
            proptest::prop_assert_eq!(read, text);
        }

        #[test]
        fn any_bytes_read_back_with_one_mark_for_each_bad_byte(bytes: Vec<u8>) {
            let read: String = serde_json::from_str(&format!("\"{}\"", escaped(&bytes))).unwrap();
            let mut expected = String::new();
            let mut rest = &bytes[..];
            while !rest.is_empty() {
                match std::str::from_utf8(rest) {
                    Ok(text) => { expected.push_str(text); break; }
                    Err(error) => {
                        expected.push_str(std::str::from_utf8(&rest[..error.valid_up_to()]).unwrap());
                        expected.push('\u{fffd}');
                        rest = &rest[error.valid_up_to() + 1..];
                    }
                }
            }
            proptest::prop_assert_eq!(read, expected);
        }
    }
}
