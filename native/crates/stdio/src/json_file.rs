//! The writer of `json-file` logs, byte for byte as Docker's: other programs read these files from disk.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::escape::escape;
use crate::frame::Stream;
use crate::lines::Lines;
use crate::order::Order;
use crate::since::record_after;
use crate::stamp::{self, Width};
use crate::tail::tail_offset;

/// Composed records wait up to this much for the end of a batch.
const BUFFER_BYTES: usize = 256 * 1024;
/// As Docker makes them: a log may hold secrets.
const FILE_MODE: u32 = 0o640;

/// When a new file is begun, and how many are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// A record that finds the file this large begins the next one.
    pub max_size_bytes: Option<u64>,
    /// The files kept, the current one included; at least 1.
    pub max_files: u32,
}

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
        let order = if size > 0 {
            Order::resumed(&file, last_ns(&file)?)
        } else {
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
            attrs: attrs_member(attrs),
            buffer,
            ending: Ending::default(),
            failure: None,
            written_bytes: 0,
            lost_bytes: 0,
        };
        Ok(Self {
            stdout: Lines::default(),
            stderr: Lines::default(),
            target,
        })
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
    /// `"attrs":{…},` or nothing.
    attrs: Vec<u8>,
    buffer: Vec<u8>,
    ending: Ending,
    failure: Option<io::Error>,
    written_bytes: u64,
    lost_bytes: u64,
}

/// What stands behind the text of a record: the lines of one read have it in common.
#[derive(Debug, Default)]
struct Ending {
    of: Option<(Stream, i64)>,
    text: Vec<u8>,
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
    }
}

impl Target {
    fn record(&mut self, stream: Stream, line: &[u8], time_ns: i64) {
        if let Some(max) = self.rotation.max_size_bytes {
            if self.size_bytes + self.buffer.len() as u64 >= max {
                self.write_out();
                self.rotate();
            }
        }
        if self.ending.of != Some((stream, time_ns)) {
            self.order.note(time_ns, &self.file);
            self.ending.compose(stream, &self.attrs, time_ns);
        }
        self.buffer.extend_from_slice(b"{\"log\":\"");
        escape(line, &mut self.buffer);
        self.buffer.extend_from_slice(&self.ending.text);
        if self.buffer.len() >= BUFFER_BYTES {
            self.write_out();
        }
    }

    fn write_out(&mut self) {
        if self.buffer.is_empty() {
            return;
        }
        if let Err(error) = self.file.write_all(&self.buffer) {
            self.lost_bytes += self.buffer.len() as u64;
            self.failure = Some(error);
            // Half a batch would end in half a record.
            if let Err(error) = self.file.set_len(self.size_bytes) {
                self.failure = Some(error);
            }
        } else {
            self.size_bytes += self.buffer.len() as u64;
            self.written_bytes += self.buffer.len() as u64;
        }
        self.buffer.clear();
    }

    /// Begin a new file. Readers that have the old one open find its end there, then the new one by name.
    fn rotate(&mut self) {
        match self.next_file() {
            Ok(file) => {
                self.order.mark(&file);
                self.file = file;
                self.size_bytes = 0;
            }
            // Better a log over its size than none; the next record tries again.
            Err(error) => self.failure = Some(error),
        }
    }

    fn next_file(&self) -> io::Result<File> {
        for number in (1..self.rotation.max_files).rev() {
            let newer = if number == 1 {
                self.path.clone()
            } else {
                rotated(&self.path, number - 1)
            };
            match std::fs::rename(newer, rotated(&self.path, number)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        if self.rotation.max_files < 2 {
            // Not truncated: a reader shall be able to tell that it is another file.
            std::fs::remove_file(&self.path)?;
        }
        open(&self.path, true)
    }
}

/// The name of the file that was rotated so many times.
pub(crate) fn rotated(path: &Path, number: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    PathBuf::from(name)
}

fn open(path: &Path, new: bool) -> io::Result<File> {
    OpenOptions::new()
        .append(true)
        .read(true)
        .create(true)
        .create_new(new)
        .mode(FILE_MODE)
        .open(path)
}

/// The time of a log's last whole record.
fn last_ns(file: &File) -> io::Result<Option<i64>> {
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
