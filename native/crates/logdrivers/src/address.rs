//! Where the other side listens, and the ways there.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::time::Duration;

use rustix::net::{recv, RecvFlags};
use serde::Deserialize;

/// Who does not answer a connection for so long is not there.
const CONNECT_WAIT: Duration = Duration::from_secs(10);

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Address {
    /// `host:port`.
    Tcp(String),
    /// `host:port`.
    Udp(String),
    /// The path of a stream socket.
    Unix(String),
    /// The path of a datagram socket.
    Unixgram(String),
}

/// A connected socket.
#[derive(Debug)]
pub enum Connection {
    Tcp(TcpStream),
    Udp(UdpSocket),
    Unix(UnixStream),
    Unixgram(UnixDatagram),
}

impl Connection {
    /// The error names the address.
    pub fn open(address: &Address) -> io::Result<Self> {
        let (kind, place) = match address {
            Address::Tcp(place) => ("tcp", place),
            Address::Udp(place) => ("udp", place),
            Address::Unix(place) => ("unix", place),
            Address::Unixgram(place) => ("unixgram", place),
        };
        let opened = match address {
            Address::Tcp(place) => connect_tcp(place).map(Self::Tcp),
            Address::Udp(place) => connect_udp(place).map(Self::Udp),
            Address::Unix(place) => UnixStream::connect(place).map(Self::Unix),
            Address::Unixgram(place) => connect_unixgram(place).map(Self::Unixgram),
        };
        opened
            .map_err(|error| io::Error::new(error.kind(), format!("dial {kind} {place}: {error}")))
    }

    /// Send one whole message; `InvalidData` when it is longer than a datagram can be.
    pub fn send(&mut self, message: &[u8]) -> io::Result<()> {
        let sent = match self {
            Self::Tcp(stream) => stream.write_all(message),
            Self::Unix(stream) => stream.write_all(message),
            Self::Udp(socket) => socket.send(message).map(drop),
            Self::Unixgram(socket) => socket.send(message).map(drop),
        };
        match sent {
            Err(error) if error.raw_os_error() == Some(libc::EMSGSIZE) => {
                Err(io::Error::new(io::ErrorKind::InvalidData, error))
            }
            sent => sent,
        }
    }

    /// Fill `buffer` with what the other side of a stream says next.
    pub fn read_exact(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.read_exact(buffer),
            Self::Unix(stream) => stream.read_exact(buffer),
            Self::Udp(_) | Self::Unixgram(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// How long reading may wait.
    pub fn limit_reads(&self, wait: Duration) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.set_read_timeout(Some(wait)),
            Self::Unix(stream) => stream.set_read_timeout(Some(wait)),
            Self::Udp(_) | Self::Unixgram(_) => Ok(()),
        }
    }

    /// The one to send on, unless there is none, or it is of no use any more.
    pub fn usable(of: &mut Option<Self>) -> io::Result<&mut Self> {
        match of {
            Some(connection) if connection.is_hung_up() => Err(ErrorKind::ConnectionReset.into()),
            Some(connection) => Ok(connection),
            None => Err(ErrorKind::NotConnected.into()),
        }
    }

    /// Whether the other side of a stream has hung up: the first write after that still succeeds,
    /// and what it wrote is lost.
    fn is_hung_up(&self) -> bool {
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        let fd = match self {
            Self::Tcp(stream) => stream.as_fd(),
            Self::Unix(stream) => stream.as_fd(),
            Self::Udp(_) | Self::Unixgram(_) => return false,
        };
        match recv(fd, &mut [0; 1], flags) {
            Ok((_, length)) => length == 0,
            Err(error) => error != rustix::io::Errno::AGAIN,
        }
    }

    pub fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(stream) => stream.as_fd(),
            Self::Unix(stream) => stream.as_fd(),
            Self::Udp(socket) => socket.as_fd(),
            Self::Unixgram(socket) => socket.as_fd(),
        }
    }
}

fn connect_tcp(place: &str) -> io::Result<TcpStream> {
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for one in place.to_socket_addrs()? {
        match TcpStream::connect_timeout(&one, CONNECT_WAIT) {
            Ok(stream) => return Ok(stream),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

fn connect_udp(place: &str) -> io::Result<UdpSocket> {
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for one in place.to_socket_addrs()? {
        let any = if one.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let connected = UdpSocket::bind(any).and_then(|socket| {
            socket.connect(one)?;
            Ok(socket)
        });
        match connected {
            Ok(socket) => return Ok(socket),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

fn connect_unixgram(place: &str) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.connect(place)?;
    Ok(socket)
}
