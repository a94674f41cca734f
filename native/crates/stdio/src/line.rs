//! What is shown at a time: a record, or a line put together of several.

use crate::frame::Stream;
use crate::record::{Escaped, Record};

/// A text as it lies in the file, or as it was written.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Text<'a> {
    Escaped(Escaped<'a>),
    Plain(&'a [u8]),
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Line<'a> {
    pub(crate) text: Text<'a>,
    pub(crate) stream: Stream,
    /// The JSON object of the attributes, braces included, or nothing.
    pub(crate) attrs: &'a [u8],
    pub(crate) time: &'a [u8],
}

impl<'a> Text<'a> {
    /// The text as it was written, its newline off; `aside` holds it where the file has it otherwise.
    pub(crate) fn bare(self, aside: &'a mut Vec<u8>) -> &'a [u8] {
        let text = match self {
            Self::Plain(text) => text,
            Self::Escaped(text) => {
                let front = text.0.strip_suffix(b"\\n").unwrap_or(text.0);
                if memchr::memchr(b'\\', front).is_none() {
                    return front;
                }
                aside.clear();
                text.unescape(aside);
                aside
            }
        };
        text.strip_suffix(b"\n").unwrap_or(text)
    }

    pub(crate) fn append_to(self, out: &mut Vec<u8>) {
        match self {
            Self::Escaped(text) => text.unescape(out),
            Self::Plain(text) => out.extend_from_slice(text),
        }
    }
}

impl<'a> From<&Record<'a>> for Line<'a> {
    fn from(record: &Record<'a>) -> Self {
        Self {
            text: Text::Escaped(record.log),
            stream: record.stream,
            attrs: record.attrs,
            time: record.time,
        }
    }
}
