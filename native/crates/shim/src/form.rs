//! How output is wrapped for a client.

use drayman_stdio::websocket::{self, Opcode};
use drayman_stdio::{header, Stream};

use crate::messages::{Attachment, Messages};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Raw,
    /// Docker's multiplexed stream.
    Frames,
    /// WebSocket messages, which do not tell one output from the other.
    Messages(Opcode),
}

impl Form {
    pub fn of(attachment: &Attachment) -> Self {
        match attachment.messages {
            Some(Messages::Text) => Self::Messages(Opcode::Text),
            Some(Messages::Binary) => Self::Messages(Opcode::Binary),
            None if attachment.framed => Self::Frames,
            None => Self::Raw,
        }
    }

    /// What goes in front of so many bytes of an output.
    pub fn head(self, stream: Stream, payload_bytes: usize) -> Vec<u8> {
        match self {
            Self::Raw => Vec::new(),
            Self::Frames => header(stream, payload_bytes).to_vec(),
            Self::Messages(opcode) => {
                let mut head = Vec::new();
                websocket::push_head(opcode, payload_bytes, &mut head);
                head
            }
        }
    }

    /// The same for a reader of the log.
    pub fn of_log(self) -> drayman_stdio::Form {
        drayman_stdio::Form {
            framed: self == Self::Frames,
            messages: match self {
                Self::Messages(opcode) => Some(opcode),
                Self::Raw | Self::Frames => None,
            },
            ..drayman_stdio::Form::default()
        }
    }
}
