//! What a container wrote, as its shim hands it over.

use std::io::{self, Read, StdinLock};

use drayman_stdio::{Head, HEAD_BYTES};

pub struct Input(StdinLock<'static>);

impl Input {
    pub fn new() -> Self {
        Self(io::stdin().lock())
    }

    /// Read the next piece into `bytes`; None behind the last one.
    pub fn next(&mut self, bytes: &mut Vec<u8>) -> io::Result<Option<Head>> {
        let mut head = [0; HEAD_BYTES];
        match self.0.read_exact(&mut head) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            done => done?,
        }
        let head = Head::parse(head);
        bytes.resize(head.length, 0);
        self.0.read_exact(bytes)?;
        Ok(Some(head))
    }
}
