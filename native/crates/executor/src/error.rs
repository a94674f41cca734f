//! What can go wrong: [`Error`] before or beside a process, [`StartError`] when one could not be started.

use std::fmt;
use std::io;

/// Why something around a container could not be done.
#[derive(Debug)]
pub enum Error {
    /// The plan is not what the OCI runtime specification allows.
    Spec(String),
    /// The plan asks for what this executor does not do.
    Unsupported(String),
    /// The container is fit, but the command cannot be run in it; the text is what runc would say.
    Command(String),
    /// The kernel refused; the text says what was tried.
    System(String, io::Error),
}

impl Error {
    /// For `map_err`: what was tried, beside the kernel's answer.
    pub(crate) fn system(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::System(what, source)
    }

    /// The kernel's answer, where there is one.
    pub fn errno(&self) -> Option<i32> {
        match self {
            Self::System(_, source) => source.raw_os_error(),
            Self::Spec(_) | Self::Unsupported(_) | Self::Command(_) => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Spec(text) | Self::Unsupported(text) | Self::Command(text) => f.write_str(text),
            Self::System(what, source) => write!(f, "{what}: {}", errno_text(source)),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::System(_, source) => Some(source),
            Self::Spec(_) | Self::Unsupported(_) | Self::Command(_) => None,
        }
    }
}

/// The kernel's words as Go programs print them, which clients compare: lower case, no number.
pub(crate) fn errno_text(source: &io::Error) -> String {
    let text = source.to_string();
    let words = text.split(" (os error").next().unwrap_or(&text);
    let mut letters = words.chars();
    match letters.next() {
        Some(first) => first.to_lowercase().chain(letters).collect(),
        None => String::new(),
    }
}

/// A process that did not come to be: what to tell the client, and the exit code a client will ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartError {
    pub message: String,
    /// 127 when the command was not found, 126 when it cannot be invoked, 128 for the rest.
    pub exit_code: i32,
}

impl StartError {
    /// Chooses the exit code from the text. That is Docker's own rule, so the codes agree where the texts do.
    pub fn new(message: String) -> Self {
        let any = |words: &[&str]| words.iter().any(|word| message.contains(word));
        let exit_code = if any(&["executable file not found", "no such file or directory"]) {
            127
        } else if any(&["permission denied", "is a directory", "not a directory"]) {
            126
        } else {
            128
        };
        Self { message, exit_code }
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for StartError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errno_text_is_what_go_prints() {
        let text = errno_text(&io::Error::from_raw_os_error(libc::ENOENT));
        assert_eq!(text, "no such file or directory");
    }

    #[test]
    fn exit_codes_follow_dockers_rule() {
        for (tail, code) in [
            (
                "exec: \"x\": executable file not found in $PATH: unknown",
                127,
            ),
            (
                "exec: \"/x\": stat /x: no such file or directory: unknown",
                127,
            ),
            ("exec: \"/x\": permission denied: unknown", 126),
            ("exec: \"/x\": is a directory: unknown", 126),
            ("exec /x: exec format error: unknown", 128),
        ] {
            assert_eq!(StartError::new(tail.into()).exit_code, code, "{tail}");
        }
    }
}
