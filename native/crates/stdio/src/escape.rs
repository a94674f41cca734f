//! Bytes as the inside of a JSON string, escaped as Go's encoder does it.
//!
//! `<`, `>`, `&`, U+2028 and U+2029 are escaped too, and each byte that is not UTF-8 becomes `\ufffd`:
//! that is what Docker writes, and what readers of its log files have been tested with.

use std::mem::MaybeUninit;

/// Bytes looked at together; twice what one vector instruction compares.
const BLOCK_BYTES: usize = 32;
/// The longest escape of one byte: `\u00xx`.
const ESCAPE_BYTES: usize = 6;
/// What is copied for an escape, whatever its length: one store.
const FORM_BYTES: usize = 8;

/// Whether a byte stands for itself.
const fn is_plain(byte: u8) -> bool {
    byte >= 0x20 && byte < 0x80 && !matches!(byte, b'"' | b'\\' | b'<' | b'>' | b'&')
}

/// How each ASCII byte is written, and in how many bytes; length 0 for what begins or continues UTF-8.
const ESCAPES: [([u8; FORM_BYTES], u8); 256] = {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut table = [([0u8; FORM_BYTES], 0u8); 256];
    let mut byte = 0usize;
    while byte < 0x80 {
        #[allow(clippy::cast_possible_truncation)]
        let this = byte as u8;
        table[byte] = if is_plain(this) {
            ([this, 0, 0, 0, 0, 0, 0, 0], 1)
        } else {
            match this {
                b'"' | b'\\' => ([b'\\', this, 0, 0, 0, 0, 0, 0], 2),
                b'\n' => ([b'\\', b'n', 0, 0, 0, 0, 0, 0], 2),
                b'\r' => ([b'\\', b'r', 0, 0, 0, 0, 0, 0], 2),
                _ => {
                    let (high, low) = (HEX[byte >> 4], HEX[byte & 15]);
                    ([b'\\', b'u', b'0', b'0', high, low, 0, 0], 6)
                }
            }
        };
        byte += 1;
    }
    table
};

/// Append the escaped form of `text`, which need not be UTF-8, to `out`.
pub(crate) fn escape(mut text: &[u8], out: &mut Vec<u8>) {
    while !text.is_empty() {
        let mut block = [b' '; BLOCK_BYTES];
        let length = text.len().min(BLOCK_BYTES);
        match text.first_chunk() {
            Some(whole) => block = *whole,
            None => block[..length].copy_from_slice(text),
        }
        let odd = odd_bytes(&block);
        if odd == 0 && length == BLOCK_BYTES {
            out.extend_from_slice(&block);
            text = &text[BLOCK_BYTES..];
            continue;
        }
        let used = escape_block(&block, length, odd, out);
        text = &text[used..];
        if used < length {
            text = escape_wide(text, out);
        }
    }
}

/// A bit for each byte that does not stand for itself, the lowest for the first.
#[cfg(target_arch = "x86_64")]
fn odd_bytes(block: &[u8; BLOCK_BYTES]) -> u32 {
    use std::arch::x86_64::{
        __m128i, _mm_andnot_si128, _mm_cmpeq_epi8, _mm_cmpgt_epi8, _mm_movemask_epi8, _mm_or_si128,
        _mm_set1_epi8,
    };
    let half = |bytes: [u8; 16]| {
        // SAFETY: both are sixteen bytes, of which any value is valid.
        let bytes: __m128i = unsafe { std::mem::transmute(bytes) };
        // SAFETY: every x86-64 has SSE2.
        unsafe {
            let either = |both: u8, bit: u8| {
                let set = _mm_or_si128(bytes, _mm_set1_epi8(bit.cast_signed()));
                _mm_cmpeq_epi8(set, _mm_set1_epi8(both.cast_signed()))
            };
            // As signed numbers, what is above ASCII is below a blank too.
            let text = _mm_cmpgt_epi8(bytes, _mm_set1_epi8(0x1f));
            // '"' and '&' differ in this bit, '<' and '>' in that one.
            let marks = _mm_or_si128(either(b'&', 0x04), either(b'>', 0x02));
            let marks = _mm_or_si128(marks, either(b'\\', 0));
            _mm_movemask_epi8(_mm_andnot_si128(marks, text)).cast_unsigned()
        }
    };
    let (low, high) = block.split_at(BLOCK_BYTES / 2);
    let [low, high] = [low, high].map(|part| part.first_chunk().copied().map_or(0, half));
    !(high << (BLOCK_BYTES / 2) | low)
}

#[cfg(any(test, not(target_arch = "x86_64")))]
fn odd_bytes_one_by_one(block: &[u8; BLOCK_BYTES]) -> u32 {
    let bits = block.iter().rev().map(|&byte| u32::from(!is_plain(byte)));
    bits.fold(0, |odd, bit| odd << 1 | bit)
}

#[cfg(not(target_arch = "x86_64"))]
use odd_bytes_one_by_one as odd_bytes;

/// Escape the first `length` bytes of a block, or the ASCII in front of other bytes; returns how
/// many were dealt with.
fn escape_block(
    block: &[u8; BLOCK_BYTES],
    length: usize,
    mut odd: u32,
    out: &mut Vec<u8>,
) -> usize {
    // All copies have one length, so that each is an instruction or two: hence the room behind.
    let mut source = [0; 2 * BLOCK_BYTES];
    source[..BLOCK_BYTES].copy_from_slice(block);
    out.reserve(BLOCK_BYTES * ESCAPE_BYTES + BLOCK_BYTES);
    let start = out.len();
    let escaped = out.spare_capacity_mut();
    let mut filled = 0;
    let mut used = 0;
    loop {
        let next = length.min(odd.trailing_zeros() as usize);
        if next > used {
            fill::<BLOCK_BYTES>(&mut escaped[filled..], &source[used..]);
            filled += next - used;
            used = next;
        }
        let (form, form_bytes) = &ESCAPES[usize::from(source[next])];
        if used == length || *form_bytes == 0 {
            // SAFETY: all of it was filled, from `start` on.
            unsafe { out.set_len(start + filled) };
            return used;
        }
        fill::<FORM_BYTES>(&mut escaped[filled..], form);
        filled += usize::from(*form_bytes);
        used += 1;
        odd &= odd - 1;
    }
}

/// Copy the first `N` bytes.
#[inline]
fn fill<const N: usize>(to: &mut [MaybeUninit<u8>], from: &[u8]) {
    let (to, from) = (&mut to[..N], &from[..N]);
    // SAFETY: both have so many bytes, and one is borrowed to be written.
    unsafe { std::ptr::copy_nonoverlapping(from.as_ptr(), to.as_mut_ptr().cast(), N) };
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
        fn vectors_see_what_a_loop_sees(bytes in proptest::array::uniform32(0u8..)) {
            proptest::prop_assert_eq!(odd_bytes(&bytes), odd_bytes_one_by_one(&bytes));
        }

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
