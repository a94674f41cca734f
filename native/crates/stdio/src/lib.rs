//! What a container says, on its way to files and clients: frames, log files, fan-out, detach keys.
//!
//! [`JsonFile`] and [`LogReader`] are the two ends of a log on disk, [`Outbox`] is the way to one
//! attached client, [`DetachKeys`] watches what that client types, [`websocket`] is the form it may talk in.

mod compress;
mod escape;
mod frame;
mod json_file;
mod keys;
mod lines;
mod order;
mod outbox;
mod piece;
mod position;
mod reader;
mod record;
mod render;
mod rotation;
mod since;
mod socket;
mod stamp;
pub mod websocket;

pub use compress::compress;
pub use frame::{header, Stream, HEADER_BYTES};
pub use json_file::JsonFile;
pub use keys::{DetachKeys, Typed};
pub use lines::{Lines, LINE_BYTES};
pub use outbox::{Outbox, Sent, OUTBOX_BYTES};
pub use piece::{Head, HEAD_BYTES, READY, REFUSED};
pub use reader::{LogReader, Pumped};
pub use render::{Form, Selection};
pub use rotation::Rotation;
pub use stamp::now_ns;
