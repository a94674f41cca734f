//! Connections to daemons: one datagram a message, descriptors beside it.

use std::collections::VecDeque;
use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;

use rustix::fs::{open, Mode, OFlags};
use rustix::net::{
    accept_with, bind, listen, recvmsg, send, socket_with, AddressFamily, RecvAncillaryBuffer,
    RecvAncillaryMessage, RecvFlags, ReturnFlags, SendFlags, SocketAddrUnix, SocketFlags,
    SocketType,
};

use crate::messages::MESSAGE_BYTES_MAX;

/// Connections waiting to be accepted: a daemon makes one.
const BACKLOG: i32 = 16;
/// Messages that wait for a daemon that does not read; then it is given up, and may connect anew.
const QUEUE_MAX: usize = 1024;
/// Descriptors taken from one message; a request has one at most.
const DESCRIPTORS_MAX: usize = 4;

/// Bind and listen at `path`, in place of a socket left there by a shim that is gone.
///
/// An address has 107 bytes, which the directories of engines often need themselves: so it is
/// told by a descriptor of its directory.
pub fn listen_at(path: &Path) -> io::Result<OwnedFd> {
    let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let directory = open(directory, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    let address = Path::new("/proc/self/fd")
        .join(directory.as_raw_fd().to_string())
        .join(name);
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
    bind(&socket, &SocketAddrUnix::new(&address)?)?;
    listen(&socket, BACKLOG)?;
    Ok(socket)
}

/// The next daemon that waits at the listening socket.
pub fn accept(listener: impl AsFd) -> io::Result<OwnedFd> {
    Ok(accept_with(listener, SocketFlags::CLOEXEC)?)
}

/// What came over a connection.
#[derive(Debug)]
pub enum Received {
    Message(Vec<u8>, Vec<OwnedFd>),
    /// A message that cannot be one of ours.
    TooLong,
    Nothing,
    Closed,
}

#[derive(Debug)]
pub struct Connection {
    pub fd: OwnedFd,
    waiting: VecDeque<Vec<u8>>,
}

impl Connection {
    pub fn new(fd: OwnedFd) -> Self {
        Self {
            fd,
            waiting: VecDeque::new(),
        }
    }

    /// Read one message, without waiting.
    pub fn receive(&self) -> Received {
        let mut bytes = vec![0; MESSAGE_BYTES_MAX];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
        let parts = &mut [IoSliceMut::new(&mut bytes)];
        let received = match recvmsg(&self.fd, parts, &mut ancillary, flags) {
            Ok(received) => received,
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => return Received::Nothing,
            Err(_) => return Received::Closed,
        };
        let descriptors = ancillary
            .drain()
            .filter_map(|message| match message {
                RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
                _ => None,
            })
            .flatten()
            .collect();
        if received
            .flags
            .intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC)
        {
            return Received::TooLong;
        }
        if received.bytes == 0 {
            return Received::Closed;
        }
        bytes.truncate(received.bytes);
        Received::Message(bytes, descriptors)
    }

    /// Send one message, now or when there is room; false when the daemon is to be given up.
    pub fn send(&mut self, message: Vec<u8>) -> bool {
        self.waiting.push_back(message);
        self.flush() && self.waiting.len() < QUEUE_MAX
    }

    /// Send what waits; false when the daemon left.
    pub fn flush(&mut self) -> bool {
        while let Some(message) = self.waiting.front() {
            match send(&self.fd, message, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
                Ok(_) => {
                    self.waiting.pop_front();
                }
                Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => return true,
                Err(_) => return false,
            }
        }
        true
    }

    pub fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }
}
