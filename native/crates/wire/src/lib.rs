//! HTTP/1.1 bodies on a lent descriptor: written and read in large pieces, without Python.
//!
//! The daemon lends the connection's descriptor (often non-blocking) to a worker; here it
//! waits with `poll`, stops when the peer has left or a second descriptor says so, and
//! hands back whatever was read beyond the body. The process must ignore `SIGPIPE`, as
//! Python and Rust's runtime do: `sendfile` cannot ask for that by itself.
#![forbid(unsafe_code)]

mod channel;
mod chunks;
mod reader;
mod stop;
mod writer;

pub use chunks::{BadChunk, ChunkParser};
pub use reader::{BodyReader, Framing};
pub use stop::Stop;
pub use writer::BodyWriter;
