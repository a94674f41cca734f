//! Where a runtime sends the terminal that it made: the OCI command line's `--console-socket`.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use rustix::fs::{open, Mode, OFlags};
use rustix::termios::tcsetwinsize;

use crate::control::{Connection, Received};
use crate::requests::winsize;

const NAME: &str = "console";

pub struct ConsoleSocket {
    listener: UnixListener,
    /// An address has 107 bytes, which a directory often needs itself: this is a short name for it.
    directory: OwnedFd,
    path: PathBuf,
}

impl ConsoleSocket {
    pub fn listen(place: &Path) -> io::Result<Self> {
        let directory = open(place, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
        let at = Path::new("/proc/self/fd").join(directory.as_raw_fd().to_string());
        let listener = UnixListener::bind(at.join(NAME))?;
        listener.set_nonblocking(true)?;
        Ok(Self {
            listener,
            directory,
            path: place.join(NAME),
        })
    }

    /// As a process that we start may call it.
    pub fn address(&self) -> PathBuf {
        let (pid, fd) = (std::process::id(), self.directory.as_raw_fd());
        PathBuf::from(format!("/proc/{pid}/fd/{fd}/{NAME}"))
    }

    /// The terminal's master, once the runtime has sent it; given its size, which is (rows, columns).
    pub fn receive(&self, size: Option<(u16, u16)>) -> io::Result<OwnedFd> {
        let (connection, _) = self.listener.accept()?;
        let missing = || io::Error::other("the runtime sent no terminal");
        let Received::Message(_, descriptors) = Connection::new(connection.into()).receive() else {
            return Err(missing());
        };
        let master = descriptors.into_iter().next().ok_or_else(missing)?;
        if let Some(size) = size {
            tcsetwinsize(&master, winsize(size))?;
        }
        Ok(master)
    }
}

impl Drop for ConsoleSocket {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.path) {
            eprintln!("drayman-shim: {}: {error}", self.path.display());
        }
    }
}
