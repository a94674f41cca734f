//! An HTTP answer, as far as a probe needs it: a stranger's bytes.

use std::ops::Range;

/// Head and kept body together; a longer head is none.
pub const ANSWER_BYTES_MAX: usize = 16 * 1024;
const HEADERS_MAX: usize = 64;
/// What is kept of a body at most, and one more, to know that there was more.
const BODY_BYTES_MAX: usize = 4096 + 1;

#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// The status, and which bytes of what was read are its body.
    Whole(u16, Range<usize>),
    /// More has to come.
    Partial,
    Malformed(String),
}

/// Read what has come so far. A body is waited for only when its length is told.
pub fn read(bytes: &[u8]) -> Answer {
    let mut start = 0;
    loop {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut response = httparse::Response::new(&mut headers);
        let head_bytes = match response.parse(&bytes[start..]) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) if bytes.len() >= ANSWER_BYTES_MAX => {
                return Answer::Malformed("the head of the answer is too long".into());
            }
            Ok(httparse::Status::Partial) => return Answer::Partial,
            Err(error) => return Answer::Malformed(format!("malformed HTTP answer: {error}")),
        };
        start += head_bytes;
        let status = response.code.unwrap_or(0);
        // Interim answers come before the answer.
        if (100..200).contains(&status) && status != 101 {
            continue;
        }
        let length = body_bytes(status, response.headers).min(BODY_BYTES_MAX);
        let end = start + length.min(ANSWER_BYTES_MAX.saturating_sub(start));
        if end > bytes.len() {
            return Answer::Partial;
        }
        return Answer::Whole(status, start..end);
    }
}

/// 0 where the length is not told.
fn body_bytes(status: u16, headers: &[httparse::Header]) -> usize {
    if status == 204 || status == 304 {
        return 0;
    }
    let mut lengths = headers
        .iter()
        .filter(|header| header.name.eq_ignore_ascii_case("content-length"));
    let text = lengths
        .next()
        .map(|header| header.value)
        .unwrap_or_default();
    let text = std::str::from_utf8(text).unwrap_or_default();
    text.trim().parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read() {
        for (bytes, status, body) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, "ok"),
            (
                "HTTP/1.0 503 No\r\ncontent-length: 3\r\n\r\nnot this",
                503,
                "not",
            ),
            ("HTTP/1.1 204 None\r\nContent-Length: 9\r\n\r\n", 204, ""),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                200,
                "",
            ),
            ("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nx", 200, ""),
            ("HTTP/1.1 100 Wait\r\n\r\nHTTP/1.1 302 Go\r\n\r\n", 302, ""),
        ] {
            match read(bytes.as_bytes()) {
                Answer::Whole(code, range) => {
                    assert_eq!((code, &bytes[range]), (status, body), "{bytes}");
                }
                other => panic!("{bytes}: {other:?}"),
            }
            // Of what is cut short there is nothing to tell yet.
            for length in 0..bytes.len() {
                assert!(!matches!(
                    read(&bytes.as_bytes()[..length]),
                    Answer::Malformed(_)
                ));
            }
        }
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        for bytes in [
            &b"SSH-2.0-OpenSSH\r\n"[..],
            b"\x15\x03\x01\0\x02",
            b"HTTP/1.1 2x0\r\n\r\n",
        ] {
            assert!(matches!(read(bytes), Answer::Malformed(_)), "{bytes:?}");
        }
        let endless = [&b"HTTP/1.1 200 OK\r\nX: "[..], &[b'y'; ANSWER_BYTES_MAX]].concat();
        assert!(matches!(read(&endless), Answer::Malformed(_)));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_upset_it(bytes: Vec<u8>) {
            let _ = read(&bytes);
        }

        #[test]
        fn a_body_is_within_what_was_read(
            code in 0u16..1000, length: u64, damage: (usize, u8), body: Vec<u8>,
        ) {
            let mut bytes =
                format!("HTTP/1.1 {code:03} X\r\nContent-Length: {length}\r\n\r\n").into_bytes();
            bytes.extend_from_slice(&body);
            let whole = bytes.len();
            bytes[damage.0 % whole] = damage.1;
            if let Answer::Whole(_, range) = read(&bytes) {
                assert!(range.start <= range.end && range.end <= bytes.len());
                assert!(range.len() <= BODY_BYTES_MAX);
            }
        }
    }
}
