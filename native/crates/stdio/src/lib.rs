//! What a container says, on its way to files and clients: frames, log files, fan-out, detach keys.
//!
//! [`JsonFile`] and [`LogReader`] are the two ends of a log on disk, [`Outbox`] is the way to one
//! attached client, [`DetachKeys`] watches what that client types, [`websocket`] is the form it may talk in.

mod attribute;
mod choice;
mod compress;
mod cursor;
mod details;
mod escape;
mod files;
mod form;
mod frame;
mod grep;
mod inflated;
mod input;
mod json_file;
mod keys;
mod line;
mod lines;
mod log_file;
mod mark;
mod order;
mod outbox;
mod output;
mod piece;
mod position;
mod reader;
mod record;
mod rotation;
mod selection;
mod since;
mod slow;
mod socket;
mod source;
mod stamp;
mod tail;
mod trouble;
pub mod websocket;
mod whole;

pub use compress::compress;
pub use cursor::Cursor;
pub use form::Form;
pub use frame::{header, Stream, HEADER_BYTES};
pub use grep::Grep;
pub use json_file::JsonFile;
pub use keys::{DetachKeys, Typed};
pub use lines::{Lines, LINE_BYTES};
pub use log_file::LogFile;
pub use outbox::{Outbox, Sent, OUTBOX_BYTES};
pub use output::last_chunk;
pub use piece::{Head, HEAD_BYTES, READY, REFUSED, WRITTEN};
pub use reader::{LogReader, Pumped};
pub use rotation::Rotation;
pub use selection::Selection;
pub use slow::{Slow, SLOW_BYTES};
pub use stamp::now_ns;
pub use trouble::Trouble;
pub use whole::WHOLE_BYTES;
