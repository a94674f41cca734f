//! What setting up a network can end in.
use std::fmt;
use std::io;

/// A deed that failed: its words name the interface, address or file it was done to.
#[derive(Debug)]
pub enum Error {
    /// A name or address that cannot be.
    Invalid(String),
    /// Another object has the name.
    Conflict(String),
    /// The kernel refused.
    System { what: String, source: io::Error },
}

impl Error {
    /// For `map_err`: what was tried, beside the kernel's answer.
    pub(crate) fn system(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::System { what, source }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(text) | Self::Conflict(text) => out.write_str(text),
            Self::System { what, source } => {
                let text = source.to_string();
                let text = text.split(" (os error").next().unwrap_or_default();
                write!(out, "{what}: {}", text.to_lowercase())
            }
        }
    }
}

impl std::error::Error for Error {}
