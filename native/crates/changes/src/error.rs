//! What reading a container's changes can end in.
use std::fmt;

use rustix::io::Errno;

/// The kernel refused to show a file of a layer; what vanishes meanwhile is no error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    pub path: Vec<u8>,
    pub errno: Errno,
}

impl Error {
    pub(crate) fn at(path: &[u8]) -> impl FnOnce(Errno) -> Self + '_ {
        move |errno| Self {
            path: path.to_vec(),
            errno,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = std::io::Error::from(self.errno).to_string();
        let text = text.split(" (os error").next().unwrap_or_default();
        let path = String::from_utf8_lossy(&self.path);
        write!(out, "{path}: {}", text.to_lowercase())
    }
}

impl std::error::Error for Error {}
