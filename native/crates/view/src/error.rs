//! What reaching a container's files can end in.
use std::fmt;

use rustix::io::Errno;

/// Why a view, or something in it, could not be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// The container has ended, or nothing lies at the path; the text says which.
    NotFound(String),
    /// The path itself can name nothing.
    Invalid(String),
    /// The kernel refused; `what` is the deed and its object.
    System { what: String, errno: Errno },
}

impl Error {
    pub(crate) fn system(what: impl Into<String>, errno: Errno) -> Self {
        Self::System {
            what: what.into(),
            errno,
        }
    }

    /// The error of a path inside: absence is a kind of its own.
    pub(crate) fn at(path: &[u8], errno: Errno) -> Self {
        let path = String::from_utf8_lossy(path);
        if errno == Errno::NOENT {
            Self::NotFound(format!("{path}: no such file or directory"))
        } else {
            Self::system(path, errno)
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound(text) | Self::Invalid(text) => out.write_str(text),
            Self::System { what, errno } => {
                // The platform's own words, lower case as Docker's clients know them from Go.
                let text = std::io::Error::from(*errno).to_string();
                let text = text.split(" (os error").next().unwrap_or_default();
                write!(out, "{what}: {}", text.to_lowercase())
            }
        }
    }
}

impl std::error::Error for Error {}
