//! What can go wrong, in the words a client reads.
use std::fmt::{self, Write};
use std::io;

use rustix::io::Errno;

/// Why a tree could not be packed or an archive not unpacked.
#[derive(Debug)]
pub enum Error {
    /// Nothing lies at this path.
    NotFound(String),
    /// What was asked cannot be done to what lies there.
    Invalid(String),
    /// The archive is broken, or the host refused.
    System(String),
    /// The stream's own error, which may be that the other side has left.
    Stream(io::Error),
}

impl Error {
    /// An errno in Go's shape: `mkdir /a/b: not a directory`.
    pub(crate) fn system(doing: &str, path: &[u8], errno: Errno) -> Error {
        Error::System(format!("{doing} {}: {}", text(path), errno_text(errno)))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::NotFound(message) | Error::Invalid(message) | Error::System(message) => {
                out.write_str(message)
            }
            Error::Stream(error) => error.fmt(out),
        }
    }
}

impl std::error::Error for Error {}

/// An errno as Go words it: the C library's text, beginning small.
pub(crate) fn errno_text(errno: Errno) -> String {
    let full = io::Error::from(errno).to_string();
    let words = full.split(" (os error").next().unwrap_or(&full);
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_lowercase().chain(letters).collect()
    })
}

/// A name as it is shown; what is not UTF-8 is replaced.
pub(crate) fn text(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}

/// A name in Go's `%q`, so that odd names stay on one line.
pub(crate) fn quoted(name: &[u8]) -> String {
    let mut out = String::from("\"");
    for chunk in name.utf8_chunks() {
        for letter in chunk.valid().chars() {
            match letter {
                '"' | '\\' => out.extend(['\\', letter]),
                '\n' => out.push_str("\\n"),
                '\t' => out.push_str("\\t"),
                '\r' => out.push_str("\\r"),
                control if control.is_control() => {
                    // Writing to a string cannot fail.
                    let _ = write!(out, "\\x{:02x}", u32::from(control));
                }
                other => out.push(other),
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errnos_read_as_go_words_them() {
        assert_eq!(errno_text(Errno::NOTDIR), "not a directory");
        assert_eq!(errno_text(Errno::NOSPC), "no space left on device");
    }

    #[test]
    fn odd_names_stay_on_one_line() {
        assert_eq!(quoted(b"a\"\n\xff\xc3\xa4"), "\"a\\\"\\n\\xff\u{e4}\"");
    }
}
