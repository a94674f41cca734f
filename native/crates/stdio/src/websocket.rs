//! WebSocket frames (RFC 6455), a server's side: whole messages out; in, a stream of bytes.
//!
//! What a client says is input for a process, so where its messages begin and end is nothing to us.
//! Its payload is passed on as it comes, and no frame is too long.

/// What a frame carries; the value is in its first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Opcode {
    Text = 1,
    Binary = 2,
    Close = 8,
    Pong = 10,
}

/// Why a connection is closed (section 7.4.1).
pub const NORMAL_CLOSURE: u16 = 1000;
const PROTOCOL_ERROR: u16 = 1002;

/// The longest head in front of a payload that is not masked.
pub(crate) const HEAD_BYTES_MAX: usize = 10;
/// Of a control frame's payload.
const CONTROL_BYTES_MAX: u64 = 125;

const CONTINUATION: u8 = 0;
const TEXT: u8 = Opcode::Text as u8;
const BINARY: u8 = Opcode::Binary as u8;
const CLOSE: u8 = Opcode::Close as u8;
const PING: u8 = 9;
const PONG: u8 = Opcode::Pong as u8;

const FINAL: u8 = 0x80;
const RESERVED: u8 = 0x70;
const MASKED: u8 = 0x80;
/// What stands for a length that follows in 2 or 8 bytes.
const IN_TWO_BYTES: u8 = 126;
const IN_EIGHT_BYTES: u8 = 127;
/// First byte, length, mask.
const MASKED_HEAD_BYTES_MAX: usize = 14;

/// Append the head of a frame that is a whole message, with so many bytes of payload behind it.
pub fn push_head(opcode: Opcode, payload_bytes: usize, out: &mut Vec<u8>) {
    out.push(FINAL | opcode as u8);
    match payload_bytes {
        0..=125 => out.push(payload_bytes.to_le_bytes()[0]),
        126..=0xffff => {
            out.push(IN_TWO_BYTES);
            out.extend_from_slice(&payload_bytes.to_be_bytes()[6..]);
        }
        _ => {
            out.push(IN_EIGHT_BYTES);
            out.extend_from_slice(&payload_bytes.to_be_bytes());
        }
    }
}

/// A frame that closes the connection, for a reason or for none.
pub fn close(code: Option<u16>) -> Vec<u8> {
    let code = code.map(u16::to_be_bytes);
    let payload = code.as_ref().map_or(&[][..], |code| &code[..]);
    let mut frame = Vec::with_capacity(4);
    push_head(Opcode::Close, payload.len(), &mut frame);
    frame.extend_from_slice(payload);
    frame
}

/// What a client says beside the payload of its messages.
#[derive(Debug, PartialEq, Eq)]
pub enum Control {
    /// It wants these bytes back in a [`Opcode::Pong`].
    Ping(Vec<u8>),
    /// The connection is to be closed with this code: the client's own, or what its breach of the
    /// protocol calls for. Whatever follows is void.
    Close(Option<u16>),
}

/// Takes a client's frames apart, wherever reads cut them.
#[derive(Debug, Default)]
pub struct Frames {
    head: [u8; MASKED_HEAD_BYTES_MAX],
    head_bytes: usize,
    /// The frame whose payload comes now.
    frame: Option<Frame>,
    /// The last frame of a message has not come.
    in_message: bool,
    over: bool,
}

#[derive(Debug)]
struct Frame {
    opcode: u8,
    left_bytes: u64,
    mask: [u8; 4],
    /// Of a control frame, as far as it has come.
    control: Vec<u8>,
}

impl Frames {
    /// Take what was read: the payload of messages is moved to the front of `read`, unmasked, and
    /// counted in the result; the rest goes to `controls`, in the order in which it came.
    pub fn push(&mut self, read: &mut [u8], controls: &mut Vec<Control>) -> usize {
        let (mut taken, mut kept) = (0, 0);
        while taken < read.len() && !self.over {
            let Some(frame) = &mut self.frame else {
                self.take_head(read[taken], controls);
                taken += 1;
                continue;
            };
            let left = usize::try_from(frame.left_bytes).unwrap_or(usize::MAX);
            let end = read.len().min(taken.saturating_add(left));
            frame.unmask(&mut read[taken..end]);
            frame.left_bytes -= (end - taken) as u64;
            if is_control(frame.opcode) {
                frame.control.extend_from_slice(&read[taken..end]);
            } else {
                read.copy_within(taken..end, kept);
                kept += end - taken;
            }
            taken = end;
            self.finish(controls);
        }
        kept
    }

    /// Take one byte of a head; a frame begins with the last one.
    fn take_head(&mut self, byte: u8, controls: &mut Vec<Control>) {
        self.head[self.head_bytes] = byte;
        self.head_bytes += 1;
        let [first, second, ..] = self.head;
        if self.head_bytes < 2 {
            return;
        }
        if self.head_bytes == 2 && !self.may_come(first, second) {
            return self.close(Some(PROTOCOL_ERROR), controls);
        }
        let (length, in_bytes) = match second & !MASKED {
            IN_TWO_BYTES => (&self.head[2..4], 2),
            IN_EIGHT_BYTES => (&self.head[2..10], 8),
            _ => (&[][..], 0),
        };
        if self.head_bytes < 2 + in_bytes + 4 {
            return;
        }
        let length = if in_bytes == 0 {
            u64::from(second & !MASKED)
        } else {
            length.iter().fold(0, |sum, &b| sum << 8 | u64::from(b))
        };
        if i64::try_from(length).is_err() {
            return self.close(Some(PROTOCOL_ERROR), controls);
        }
        let mut mask = [0; 4];
        mask.copy_from_slice(&self.head[2 + in_bytes..][..4]);
        self.head_bytes = 0;
        self.frame = Some(Frame {
            opcode: first & 0xf,
            left_bytes: length,
            mask,
            control: Vec::new(),
        });
        if !is_control(first & 0xf) {
            self.in_message = first & FINAL == 0;
        }
        self.finish(controls);
    }

    /// Whether a frame may begin with these bytes now.
    fn may_come(&self, first: u8, second: u8) -> bool {
        let length = u64::from(second & !MASKED);
        let opcode = first & 0xf;
        let in_place = match opcode {
            CONTINUATION => self.in_message,
            TEXT | BINARY => !self.in_message,
            CLOSE | PING | PONG => first & FINAL != 0 && length <= CONTROL_BYTES_MAX,
            _ => false,
        };
        // No extension was agreed on that would give the reserved bits a meaning.
        in_place && first & RESERVED == 0 && second & MASKED != 0
    }

    /// Act on a frame that is complete.
    fn finish(&mut self, controls: &mut Vec<Control>) {
        let Some(frame) = self.frame.take_if(|frame| frame.left_bytes == 0) else {
            return;
        };
        match frame.opcode {
            PING => controls.push(Control::Ping(frame.control)),
            CLOSE => self.close(answer_to_close(&frame.control), controls),
            _ => {}
        }
    }

    fn close(&mut self, code: Option<u16>, controls: &mut Vec<Control>) {
        self.over = true;
        controls.push(Control::Close(code));
    }
}

impl Frame {
    fn unmask(&mut self, part: &mut [u8]) {
        for four in part.chunks_mut(4) {
            for (byte, key) in four.iter_mut().zip(self.mask) {
                *byte ^= key;
            }
        }
        // The next part goes on where this one ends.
        self.mask.rotate_left(part.len() % 4);
    }
}

fn is_control(opcode: u8) -> bool {
    opcode & 8 != 0
}

/// The client's own code, unless it may not send that one (section 7.4).
fn answer_to_close(payload: &[u8]) -> Option<u16> {
    match payload {
        [] => None,
        [high, low, ..] => match u16::from_be_bytes([*high, *low]) {
            code @ (1000..=1003 | 1007..=1014 | 3000..=4999) => Some(code),
            _ => Some(PROTOCOL_ERROR),
        },
        [_] => Some(PROTOCOL_ERROR),
    }
}

#[cfg(test)]
mod tests;
