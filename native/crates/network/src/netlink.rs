//! A conversation with the kernel's routing tables: requests out, one answer each back.
use std::io;

use netlink_packet_core::{
    NetlinkMessage, NetlinkPayload, NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE,
    NLM_F_REQUEST,
};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};

/// An answer repeats its request; ours are a few hundred bytes.
const ANSWER_MAX_BYTES: usize = 8192;

/// What a request is to do about an object of the same name.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Mode {
    /// Make it; `EEXIST` when there is one.
    Create,
    /// Make it, or put it in the other's place.
    Replace,
    /// Change, or remove, the one there is.
    Change,
}

/// A socket in the network namespace of the thread that opened it, wherever it is used.
pub(crate) struct Netlink {
    socket: Socket,
    sequence: u32,
}

impl Netlink {
    pub(crate) fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        Ok(Self {
            socket,
            sequence: 0,
        })
    }

    pub(crate) fn ask(&mut self, mode: Mode, message: RouteNetlinkMessage) -> io::Result<()> {
        let answers = self.ask_all(vec![(mode, message)])?;
        answers.into_iter().collect()
    }

    /// Send several requests in one datagram; an answer for each, in their order. The kernel
    /// goes on to the next when one has failed.
    pub(crate) fn ask_all(
        &mut self,
        requests: Vec<(Mode, RouteNetlinkMessage)>,
    ) -> io::Result<Vec<io::Result<()>>> {
        let first = self.sequence + 1;
        let mut datagram = Vec::new();
        for (mode, message) in requests {
            self.sequence += 1;
            let mut request = NetlinkMessage::from(message);
            request.header.sequence_number = self.sequence;
            request.header.flags = NLM_F_REQUEST
                | NLM_F_ACK
                | match mode {
                    Mode::Create => NLM_F_CREATE | NLM_F_EXCL,
                    Mode::Replace => NLM_F_CREATE | NLM_F_REPLACE,
                    Mode::Change => 0,
                };
            request.finalize();
            let start = datagram.len();
            datagram.resize(start + request.buffer_len().next_multiple_of(4), 0);
            request.serialize(&mut datagram[start..]);
        }
        self.socket.send(&datagram, 0)?;
        (first..=self.sequence).map(|_| self.answer()).collect()
    }

    fn answer(&mut self) -> io::Result<io::Result<()>> {
        let mut buffer = Vec::with_capacity(ANSWER_MAX_BYTES);
        self.socket.recv(&mut buffer, 0)?;
        let answer = NetlinkMessage::<RouteNetlinkMessage>::deserialize(&buffer)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        match answer.payload {
            NetlinkPayload::Error(error) if error.code.is_none() => Ok(Ok(())),
            NetlinkPayload::Error(error) => Ok(Err(error.to_io())),
            other => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("an answer of type {}", other.message_type()),
            )),
        }
    }
}
