//! The writer of `json-file` logs, byte for byte as Docker's: other programs read these files from disk.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::escape::escape;
use crate::frame::Stream;
use crate::lines::Lines;
use crate::mark;
use crate::order::Order;
use crate::rotation::{open, rotated, Rotation};
use crate::since::record_after;
use crate::stamp::{self, Width};
use crate::tail::tail_offset;

/// Composed records wait up to this much for the end of a batch.
const BUFFER_BYTES: usize = 256 * 1024;
/// What ends a record is copied by this.
const STEP_BYTES: usize = 32;
/// What the first record after a loss tells of it, beside the log's own attributes: `docker logs
/// --details` shows it, and who does not ask is told nothing that the container has not said.
const LOST: &str = "lost_bytes";

/// A log being written: `path`, and `path.1`, `path.2` … from newest to oldest.
#[derive(Debug)]
pub struct JsonFile {
    stdout: Lines,
    stderr: Lines,
    target: Target,
}

impl JsonFile {
    /// Open for appending; `attrs` goes into each record. A record that a crash left torn is ended,
    /// so that it does not spoil the next one.
    pub fn open(
        path: &Path,
        rotation: Rotation,
        attrs: &BTreeMap<String, String>,
    ) -> io::Result<Self> {
        let mut file = open(path, false)?;
        let size = file.seek(SeekFrom::End(0))?;
        let mut buffer = Vec::new();
        if size > 0 {
            file.seek(SeekFrom::End(-1))?;
            let mut last = [0];
            file.read_exact(&mut last)?;
            if last != [b'\n'] {
                buffer.push(b'\n');
            }
        }
        let mut last_ns = None;
        let order = if size > 0 {
            last_ns = find_last_ns(&file)?;
            Order::resumed(&file, last_ns)
        } else {
            mark::put(&file);
            let mut order = Order::new();
            order.mark(&file);
            order
        };
        let target = Target {
            path: path.to_owned(),
            file,
            size_bytes: size,
            order,
            rotation,
            attrs: attrs.clone(),
            attrs_member: attrs_member(attrs),
            buffer,
            ending: Ending::default(),
            last_ns,
            failure: None,
            written_bytes: 0,
            lost_bytes: 0,
            untold_bytes: 0,
            compression: Compression::Unwanted,
            rotated_ns: None,
        };
        Ok(Self {
            stdout: Lines::default(),
            stderr: Lines::default(),
            target,
        })
    }

    /// Have rotated files compressed by whoever asks [`JsonFile::take_rotated`].
    #[must_use]
    pub fn compressing(mut self) -> Self {
        self.target.compression = Compression::Idle;
        self
    }

    /// A file to be compressed, and the time of its last record: once for each, and there is no
    /// further rotation before [`JsonFile::compressed`].
    pub fn take_rotated(&mut self) -> Option<(PathBuf, String)> {
        if self.target.compression != Compression::Due {
            return None;
        }
        self.target.compression = Compression::Running;
        let mut last_time = Vec::new();
        let last_ns = self.target.rotated_ns.unwrap_or(0);
        stamp::format(last_ns, Width::Shortest, &mut last_time);
        let last_time = String::from_utf8_lossy(&last_time).into_owned();
        Some((rotated(&self.target.path, 1), last_time))
    }

    /// That was done, or cannot be.
    pub fn compressed(&mut self) {
        self.target.compression = Compression::Idle;
    }

    /// Take what a process wrote. It is in the file after the next [`JsonFile::flush`], all but an
    /// unterminated line.
    pub fn push(&mut self, stream: Stream, read: &[u8], now_ns: i64) {
        let Self {
            stdout,
            stderr,
            target,
        } = self;
        let lines = if stream == Stream::Stdout {
            stdout
        } else {
            stderr
        };
        lines.push(read, now_ns, &mut |line, time_ns| {
            target.record(stream, line, time_ns);
        });
    }

    /// No more will come: write the unterminated lines too.
    pub fn finish(&mut self, now_ns: i64) -> io::Result<()> {
        let Self {
            stdout,
            stderr,
            target,
        } = self;
        stdout.finish(now_ns, &mut |line, time_ns| {
            target.record(Stream::Stdout, line, time_ns);
        });
        stderr.finish(now_ns, &mut |line, time_ns| {
            target.record(Stream::Stderr, line, time_ns);
        });
        self.flush()
    }

    /// Write what was taken. An error tells that records were lost (see [`JsonFile::lost_bytes`]);
    /// the log goes on all the same, for the disk may have room again.
    pub fn flush(&mut self) -> io::Result<()> {
        self.target.write_out();
        self.target.failure.take().map_or(Ok(()), Err)
    }

    /// What was taken and is in no record yet: an unterminated line of each stream.
    pub fn held(&self) -> [(Stream, &[u8]); 2] {
        [
            (Stream::Stdout, self.stdout.held()),
            (Stream::Stderr, self.stderr.held()),
        ]
    }

    /// Bytes of records that were written, to whichever file.
    pub fn written_bytes(&self) -> u64 {
        self.target.written_bytes
    }

    /// Bytes of records that could not be written.
    pub fn lost_bytes(&self) -> u64 {
        self.target.lost_bytes
    }

    /// Give back the memory of the buffers.
    pub fn trim(&mut self) {
        self.target.buffer.shrink_to(0);
    }
}

/// The current file, and what waits to be written to it.
#[derive(Debug)]
struct Target {
    path: PathBuf,
    file: File,
    /// What the file holds, without the buffer.
    size_bytes: u64,
    order: Order,
    rotation: Rotation,
    attrs: BTreeMap<String, String>,
    /// `"attrs":{…},` or nothing.
    attrs_member: Vec<u8>,
    buffer: Vec<u8>,
    ending: Ending,
    /// Of the last record, should there be one.
    last_ns: Option<i64>,
    failure: Option<io::Error>,
    written_bytes: u64,
    lost_bytes: u64,
    /// Those of the lost ones of which the log does not tell yet.
    untold_bytes: u64,
    compression: Compression,
    /// The time of the last record of the file that was rotated last.
    rotated_ns: Option<i64>,
}

/// How it is with the file that was rotated last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Compression {
    Unwanted,
    Idle,
    Due,
    Running,
}

/// What stands behind the text of a record: the lines of one read have it in common.
#[derive(Debug, Default)]
struct Ending {
    of: Option<(Stream, i64)>,
    /// Filled up to whole steps.
    text: Vec<u8>,
    length: usize,
}

impl Ending {
    fn compose(&mut self, stream: Stream, attrs: &[u8], time_ns: i64) {
        self.of = Some((stream, time_ns));
        self.text.clear();
        self.text.extend_from_slice(b"\",\"stream\":\"");
        self.text.extend_from_slice(stream.name().as_bytes());
        self.text.extend_from_slice(b"\",");
        self.text.extend_from_slice(attrs);
        self.text.extend_from_slice(b"\"time\":\"");
        stamp::format(time_ns, Width::Shortest, &mut self.text);
        self.text.extend_from_slice(b"\"}\n");
        self.length = self.text.len();
        self.text
            .resize(self.length.next_multiple_of(STEP_BYTES), 0);
    }

    /// In steps of one length, each of which is an instruction or two.
    fn append_to(&self, out: &mut Vec<u8>) {
        let end = out.len() + self.length;
        for step in self.text.as_chunks::<STEP_BYTES>().0 {
            out.extend_from_slice(step);
        }
        out.truncate(end);
    }
}

impl Target {
    fn record(&mut self, stream: Stream, line: &[u8], time_ns: i64) {
        if let Some(max) = self.rotation.max_size_bytes {
            let is_full = self.size_bytes + self.buffer.len() as u64 >= max;
            if is_full && self.may_rotate() {
                self.write_out();
                self.rotate();
            }
        }
        let tells_of_loss = self.untold_bytes > 0 && self.buffer.len() <= 1;
        if tells_of_loss || self.ending.of != Some((stream, time_ns)) {
            self.order.note(time_ns, &self.file);
            self.last_ns = Some(time_ns);
            if tells_of_loss {
                let mut attrs = self.attrs.clone();
                attrs.insert(LOST.into(), self.untold_bytes.to_string());
                self.ending.compose(stream, &attrs_member(&attrs), time_ns);
            } else {
                self.ending.compose(stream, &self.attrs_member, time_ns);
            }
        }
        self.buffer.extend_from_slice(b"{\"log\":\"");
        escape(line, &mut self.buffer);
        self.ending.append_to(&mut self.buffer);
        if tells_of_loss {
            self.ending.of = None;
        }
        if self.buffer.len() >= BUFFER_BYTES {
            self.write_out();
        }
    }

    fn write_out(&mut self) {
        if self.buffer.is_empty() {
            return;
        }
        let length = self.buffer.len() as u64;
        let Err(error) = self.file.write_all(&self.buffer) else {
            self.size_bytes += length;
            self.written_bytes += length;
            self.untold_bytes = 0;
            self.buffer.clear();
            return;
        };
        self.lost_bytes += length;
        self.untold_bytes += length;
        self.failure = Some(error);
        self.buffer.clear();
        // Half a batch would end in half a record.
        if let Err(error) = self.file.set_len(self.size_bytes) {
            self.failure = Some(error);
            self.buffer.push(b'\n');
        }
    }

    /// Compressing takes the name of the file that the next rotation would put there.
    fn may_rotate(&self) -> bool {
        matches!(self.compression, Compression::Unwanted | Compression::Idle)
    }

    /// Begin a new file. Readers that have the old one open find its end there, then the new one by name.
    fn rotate(&mut self) {
        match self.rotation.next_file(&self.path) {
            Ok(file) => {
                mark::put(&file);
                self.order.mark(&file);
                self.file = file;
                self.size_bytes = 0;
                if self.compression == Compression::Idle {
                    self.compression = Compression::Due;
                    self.rotated_ns = self.last_ns;
                }
            }
            // Better a log over its size than none; the next record tries again.
            Err(error) => self.failure = Some(error),
        }
    }
}

/// The time of a log's last whole record.
fn find_last_ns(file: &File) -> io::Result<Option<i64>> {
    let start = tail_offset(file, &mut 1)?;
    // One byte in front: a newline, or the beginning of the file.
    let record = record_after(file, start.saturating_sub(1), file.metadata()?.len())?;
    Ok(record.map(|(_, time_ns)| time_ns))
}

fn attrs_member(attrs: &BTreeMap<String, String>) -> Vec<u8> {
    let mut out = Vec::new();
    if attrs.is_empty() {
        return out;
    }
    out.extend_from_slice(b"\"attrs\":{");
    for (index, (name, value)) in attrs.iter().enumerate() {
        out.extend_from_slice(if index == 0 { b"\"" } else { b",\"" });
        escape(name.as_bytes(), &mut out);
        out.extend_from_slice(b"\":\"");
        escape(value.as_bytes(), &mut out);
        out.push(b'"');
    }
    out.extend_from_slice(b"},");
    out
}
