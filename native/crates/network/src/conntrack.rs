//! Making the kernel forget connections that lead to where nobody is any more.
//!
//! A sender of datagrams that never pauses would go on reaching the address of a container
//! that has ended, for its "connection" was given that address once and keeps it (moby#8795).
use std::io;
use std::net::Ipv4Addr;
use std::sync::{Mutex, PoisonError};

use netlink_sys::protocols::NETLINK_NETFILTER;
use netlink_sys::{Socket, SocketAddr};
use rustix::io::Errno;

use crate::Error;

// linux/netfilter/nfnetlink.h and nfnetlink_conntrack.h
const DELETE_CONNECTIONS: u16 = (1 << 8) | 2; // NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_DELETE
const TUPLE_ORIGINAL: u16 = 1;
const TUPLE_REPLY: u16 = 2;
const TUPLE_IP: u16 = 1;
const TUPLE_PROTOCOL: u16 = 2;
const IP_V4_SOURCE: u16 = 1;
const PROTOCOL_NUMBER: u16 = 1;
const PROTOCOL_DESTINATION_PORT: u16 = 3;
const FILTER: u16 = 25;
const FILTER_ORIGINAL_FLAGS: u16 = 1;
const FILTER_REPLY_FLAGS: u16 = 2;
const FILTER_BY_IP_SOURCE: u32 = 1 << 0;
const FILTER_BY_PROTOCOL_NUMBER: u32 = 1 << 3;
const FILTER_BY_DESTINATION_PORT: u32 = 1 << 5;
const NESTED: u16 = 1 << 15;

const REQUEST_WITH_ANSWER: u16 = 1 | 4; // NLM_F_REQUEST, NLM_F_ACK
const UDP: u8 = 17;
const IPV4: u8 = 2; // AF_INET

/// An answer repeats its request.
const ANSWER_MAX_BYTES: usize = 1024;

/// Kept for good: to close a socket of this protocol makes the kernel finish first what
/// nftables has left for later, which takes 10 to 30 ms after every withdrawn port.
static SOCKET: Mutex<Option<Socket>> = Mutex::new(None);

/// Forget the connections that a container answers, whatever address they came by.
///
/// Kernels before 6.8 cannot choose connections so, and keep them.
pub fn forget_connections_to(address: Ipv4Addr) -> Result<(), Error> {
    let source = attribute(IP_V4_SOURCE, &address.octets());
    let tuple = nested(TUPLE_REPLY, &nested(TUPLE_IP, &source));
    delete(&tuple, FILTER_REPLY_FLAGS, FILTER_BY_IP_SOURCE)
        .map_err(Error::system(format!("forget connections to {address}")))
}

/// Forget the datagrams sent to a port: those to come are given the way that holds now.
pub fn forget_datagrams_to(port: u16) -> Result<(), Error> {
    let protocol = [
        attribute(PROTOCOL_NUMBER, &[UDP]),
        attribute(PROTOCOL_DESTINATION_PORT, &port.to_be_bytes()),
    ];
    let tuple = nested(TUPLE_ORIGINAL, &nested(TUPLE_PROTOCOL, &protocol.concat()));
    let by = FILTER_BY_PROTOCOL_NUMBER | FILTER_BY_DESTINATION_PORT;
    delete(&tuple, FILTER_ORIGINAL_FLAGS, by)
        .map_err(Error::system(format!("forget datagrams to port {port}")))
}

/// The tuple is in the message whether or not the kernel knows the filter: without any it
/// would forget every connection there is.
fn delete(tuple: &[u8], which: u16, flags: u32) -> io::Result<()> {
    let filter = nested(FILTER, &attribute(which, &flags.to_ne_bytes()));
    let body = [&[IPV4, 0, 0, 0], tuple, &filter].concat();
    let length = u32::try_from(16 + body.len()).unwrap_or(u32::MAX);
    let mut message = length.to_ne_bytes().to_vec();
    message.extend(DELETE_CONNECTIONS.to_ne_bytes());
    message.extend(REQUEST_WITH_ANSWER.to_ne_bytes());
    message.extend([0; 8]); // sequence number and port: one request at a time
    message.extend(body);

    let code = ask(&message)?;
    // An incomplete tuple is refused, or finds nothing, where the filter is not known.
    let unfiltered = [Errno::NOENT, Errno::INVAL, Errno::OPNOTSUPP];
    if code == 0 || unfiltered.iter().any(|errno| errno.raw_os_error() == -code) {
        return Ok(());
    }
    Err(io::Error::from_raw_os_error(-code))
}

/// Send a request, wait for its answer: 0 or the negative of an errno.
fn ask(message: &[u8]) -> io::Result<i32> {
    let mut kept = SOCKET.lock().unwrap_or_else(PoisonError::into_inner);
    // Taken out: one that fails between question and answer is not used again.
    let socket = kept.take().map_or_else(open, Ok)?;
    socket.send(message, 0)?;
    let mut answer = Vec::with_capacity(ANSWER_MAX_BYTES);
    socket.recv(&mut answer, 0)?;
    *kept = Some(socket);
    let code = answer.get(16..20).and_then(|code| code.try_into().ok());
    code.map(i32::from_ne_bytes)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "an answer cut short"))
}

fn open() -> io::Result<Socket> {
    let socket = Socket::new(NETLINK_NETFILTER)?;
    socket.connect(&SocketAddr::new(0, 0))?;
    Ok(socket)
}

fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(4 + value.len()).unwrap_or(u16::MAX);
    let mut bytes = [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

fn nested(kind: u16, attributes: &[u8]) -> Vec<u8> {
    attribute(kind | NESTED, attributes)
}
