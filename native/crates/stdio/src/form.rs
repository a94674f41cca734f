//! How records are written for a client of `GET /containers/{id}/logs`.

use crate::details::details;
use crate::escape::escape;
use crate::frame::{self, Stream, HEADER_BYTES};
use crate::line::Line;
use crate::record::attributes;
use crate::stamp::{self, Width};
use crate::websocket::Opcode;

/// By default the bare text.
#[allow(clippy::struct_excessive_bools)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Form {
    pub timestamps: bool,
    pub details: bool,
    /// One frame a record; otherwise the bare text.
    pub framed: bool,
    /// A JSON object a record, and neither frames nor timestamps in front.
    pub json: bool,
    /// Lines that the log has in pieces are put together again.
    pub whole: bool,
    /// Wrapped in HTTP chunks, the last one (of length 0) left out.
    pub chunked: bool,
    /// Wrapped in WebSocket messages of this kind.
    pub messages: Option<Opcode>,
}

impl Form {
    /// Append one line: `timestamp␠attributes␠text`, in a frame or not; or a document, which tells
    /// the position behind it where there is one to be told.
    pub(crate) fn append(
        self,
        line: &Line<'_>,
        cursor: Option<&str>,
        aside: &mut Vec<u8>,
        out: &mut Vec<u8>,
    ) {
        if self.json {
            return self.append_json(line, cursor, aside, out);
        }
        let start = self.begin(out);
        if self.timestamps {
            append_time(line.time, Width::Nine, out);
            out.push(b' ');
        }
        if self.details {
            details(line.attrs, out);
            out.push(b' ');
        }
        line.text.append_to(out);
        self.end(start, line.stream, out);
    }

    /// Append a word of our own, which tells of records that cannot be shown: on standard error,
    /// for a frame of any other kind ends the reading of Docker's clients.
    pub(crate) fn append_notice(self, text: &str, lost: Option<u64>, out: &mut Vec<u8>) {
        if self.json {
            out.extend_from_slice(b"{\"Error\":\"");
            escape(text.as_bytes(), out);
            out.push(b'"');
            if let Some(lost) = lost {
                out.extend_from_slice(format!(",\"Lost\":{lost}").as_bytes());
            }
            out.extend_from_slice(b"}\n");
            return;
        }
        let start = self.begin(out);
        out.extend_from_slice(b"drayman: ");
        out.extend_from_slice(text.as_bytes());
        out.push(b'\n');
        self.end(start, Stream::Stderr, out);
    }

    fn begin(self, out: &mut Vec<u8>) -> usize {
        let start = out.len();
        if self.framed {
            out.extend_from_slice(&[0; HEADER_BYTES]);
        }
        start
    }

    fn end(self, start: usize, stream: Stream, out: &mut [u8]) {
        if self.framed {
            let payload = out.len() - start - HEADER_BYTES;
            out[start..start + HEADER_BYTES].copy_from_slice(&frame::header(stream, payload));
        }
    }

    /// As Docker's engine 29.3 writes them: what is empty is left out, and Go's encoder escapes.
    fn append_json(
        self,
        line: &Line<'_>,
        cursor: Option<&str>,
        aside: &mut Vec<u8>,
        out: &mut Vec<u8>,
    ) {
        out.push(b'{');
        aside.clear();
        line.text.append_to(aside);
        if !aside.is_empty() {
            out.extend_from_slice(b"\"Line\":\"");
            escape(aside, out);
            out.extend_from_slice(b"\",");
        }
        out.extend_from_slice(b"\"Source\":\"");
        out.extend_from_slice(line.stream.name().as_bytes());
        out.extend_from_slice(b"\",\"Timestamp\":\"");
        append_time(line.time, Width::Shortest, out);
        out.push(b'"');
        if self.details && !line.attrs.is_empty() {
            for (index, (name, value)) in attributes(line.attrs).iter().enumerate() {
                let opening: &[u8] = if index == 0 { b",\"Attrs\":[" } else { b"," };
                out.extend_from_slice(opening);
                out.extend_from_slice(b"{\"Key\":\"");
                escape(name, out);
                out.extend_from_slice(b"\",\"Value\":\"");
                escape(value, out);
                out.extend_from_slice(b"\"}");
            }
            if out.ends_with(b"}") {
                out.push(b']');
            }
        }
        if let Some(cursor) = cursor {
            out.extend_from_slice(b",\"Cursor\":\"");
            out.extend_from_slice(cursor.as_bytes());
            out.push(b'"');
        }
        out.extend_from_slice(b"}\n");
    }
}

fn append_time(time: &[u8], width: Width, out: &mut Vec<u8>) {
    match stamp::parse(time) {
        Some(time_ns) => stamp::format(time_ns, width, out),
        None => escape(time, out),
    }
}
