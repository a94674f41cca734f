//! How a child that has not become its program yet tells its parent why: text over a close-on-exec pipe. The pipe's end
//! without a word is the news that the program runs.

use std::convert::Infallible;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::panic::{catch_unwind, AssertUnwindSafe};

use crate::{sys, Error};

/// As much as a pipe takes in one piece.
const MESSAGE_BYTES_MAX: usize = libc::PIPE_BUF;
/// What a child exits with that did not become its program; nobody is told.
const EXIT_CODE: i32 = 127;

/// Both ends of the pipe.
#[derive(Debug)]
pub(crate) struct Report {
    reading: OwnedFd,
    pub(crate) writing: OwnedFd,
}

impl Report {
    pub(crate) fn new() -> io::Result<Self> {
        sys::pipe().map(|(reading, writing)| Self { reading, writing })
    }

    /// In the parent: waits until the child has become its program, or says why it has not.
    pub(crate) fn wait(self) -> io::Result<Option<String>> {
        drop(self.writing);
        let mut message = Vec::new();
        let mut buffer = [0u8; 512];
        loop {
            match sys::read_once(self.reading.as_fd(), &mut buffer)? {
                0 => break,
                length if message.len() < MESSAGE_BYTES_MAX => {
                    message.extend_from_slice(&buffer[..length]);
                }
                _ => {}
            }
        }
        Ok((!message.is_empty()).then(|| String::from_utf8_lossy(&message).into_owned()))
    }

    /// In the child: runs `steps`, which end in another program, or sends home why they did not.
    pub(crate) fn run(&self, steps: impl FnOnce(&Self) -> Result<Infallible, Error>) -> ! {
        // A panic must not unwind into code that is the parent's.
        let message = match catch_unwind(AssertUnwindSafe(|| steps(self))) {
            Ok(Err(Error::Command(text))) => text,
            Ok(Err(error)) => format!("error during container init: {error}"),
            Err(_) => "error during container init: a fault in the engine".into(),
        };
        let bytes = &message.as_bytes()[..message.len().min(MESSAGE_BYTES_MAX)];
        // There is nobody else to tell.
        let _ = sys::write_once(self.writing.as_fd(), bytes);
        sys::exit_now(EXIT_CODE)
    }
}
