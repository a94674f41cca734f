//! Reading tar, whoever wrote it: v7, ustar, PAX, GNU and the three ways of sparse files.
//!
//! `block` and `records` are grammar apart from reading; `reader` puts them together.
mod block;
mod entry;
mod reader;
mod records;
mod source;
mod sparse;

pub use entry::{Entry, Kind, Time};
pub use reader::Reader;
pub use source::{FileRange, Source};
pub use sparse::Segment;

use std::io;

/// The error for whatever breaks the format, in the words of Go's reader, which clients know.
fn malformed(detail: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("archive/tar: invalid tar header ({detail})"),
    )
}
