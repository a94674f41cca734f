//! A record's attributes as `docker logs --details` prints them.

use crate::record::attributes;

/// Append `k=v` sorted, url-escaped, joined by commas.
pub(crate) fn details(attrs: &[u8], out: &mut Vec<u8>) {
    for (index, (name, value)) in attributes(attrs).iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        url_escape(name, out);
        out.push(b'=');
        url_escape(value, out);
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorted_and_escaped() {
        let mut out = Vec::new();
        details(br#"{"z":"1 2","a,b":"\u0026"}"#, &mut out);
        assert_eq!(out, b"a%2Cb=%26,z=1+2");
    }
}
