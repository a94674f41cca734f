//! Where the last so many records of a log begin, or its last so many lines, found from its end.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use crate::frame::Stream;
use crate::record::Record;

/// Blocks in which the end of a log is searched.
const BLOCK_BYTES: u64 = 256 * 1024;
/// Looked through for the beginnings of lines whose ends are wanted already; who writes that much
/// of another stream between two pieces of a line gets the line without its beginning.
const LOOK_BACK_BYTES: u64 = 4 * 1024 * 1024;

/// Where the last `wanted` records of a file begin; `wanted` becomes what is still missing.
pub(crate) fn tail_offset(file: &File, wanted: &mut u64) -> io::Result<u64> {
    // The newline that ends the last whole line begins none.
    let mut newlines_left = *wanted + 1;
    let mut begin = 0;
    newlines_backwards(file, |at| {
        newlines_left -= 1;
        begin = at + 1;
        Ok(newlines_left > 0)
    })?;
    if newlines_left == 0 {
        *wanted = 0;
        return Ok(begin);
    }
    // The first line has no newline in front; a file without any has no whole line.
    *wanted = newlines_left - 1;
    Ok(0)
}

/// Give the offset of each newline, from the last on, until there is enough of them.
fn newlines_backwards(
    file: &File,
    mut goes_on: impl FnMut(u64) -> io::Result<bool>,
) -> io::Result<()> {
    let mut end = file.metadata()?.len();
    let mut block = vec![0; usize::try_from(BLOCK_BYTES.min(end)).unwrap_or(0)];
    while end > 0 {
        let start = end.saturating_sub(BLOCK_BYTES);
        let part = &mut block[..usize::try_from(end - start).unwrap_or(0)];
        file.read_exact_at(part, start)?;
        for at in memchr::memrchr_iter(b'\n', part) {
            if !goes_on(start + at as u64)? {
                return Ok(());
            }
        }
        end = start;
    }
    Ok(())
}

/// An offset in one of a log's files, which are counted from the newest on.
type Spot = (usize, u64);

/// A way back over whole lines, whose pieces are records.
#[derive(Debug)]
pub(crate) struct LineTail {
    wanted: u64,
    /// The line of each stream whose beginning is still looked for, by the time of its pieces.
    open: [Option<Vec<u8>>; 2],
    /// The first record of what is wanted, as far as was looked.
    pub(crate) begin: Option<Spot>,
    /// What is before this is too much,
    pub(crate) shown_from: Option<Spot>,
    /// but for the line of each stream that begins here.
    pub(crate) back: [Option<Spot>; 2],
    looked_back_bytes: u64,
}

impl LineTail {
    pub(crate) fn new(wanted: u64) -> Self {
        Self {
            wanted,
            open: [None, None],
            begin: None,
            shown_from: None,
            back: [None, None],
            looked_back_bytes: 0,
        }
    }

    /// Whether older files need not be looked at.
    pub(crate) fn is_done(&self) -> bool {
        let complete = self.open == [None, None] || self.looked_back_bytes > LOOK_BACK_BYTES;
        self.shown_from.is_some() && complete
    }

    /// Go back over one file.
    pub(crate) fn search(&mut self, file: &File, number: usize) -> io::Result<()> {
        let mut end = None;
        let mut line = Vec::new();
        newlines_backwards(file, |newline| {
            if let Some(end) = end.replace(newline) {
                read_between(file, newline + 1, end, &mut line)?;
                self.pass(&line, (number, newline + 1), (number, end + 1));
            }
            Ok(!self.is_done())
        })?;
        if let Some(end) = end.filter(|_| !self.is_done()) {
            read_between(file, 0, end, &mut line)?;
            self.pass(&line, (number, 0), (number, end + 1));
        }
        Ok(())
    }

    fn pass(&mut self, line: &[u8], begin: Spot, end: Spot) {
        if self.shown_from.is_some() {
            self.looked_back_bytes += end.1 - begin.1;
        }
        let Some(record) = Record::parse(line) else {
            return;
        };
        let stream = usize::from(record.stream == Stream::Stderr);
        let open = &mut self.open[stream];
        if !record.log.ends_line() && open.as_deref() == Some(record.time) {
            self.begin = Some(begin);
            if self.shown_from.is_some() {
                self.back[stream] = Some(begin);
            }
        } else if self.wanted > 0 {
            self.wanted -= 1;
            *open = Some(record.time.to_owned());
            self.begin = Some(begin);
        } else {
            *open = None;
            if self.shown_from.is_none() {
                self.begin = Some(end);
                self.shown_from = Some(end);
            }
        }
    }
}

fn read_between(file: &File, from: u64, to: u64, line: &mut Vec<u8>) -> io::Result<()> {
    line.resize(usize::try_from(to - from).unwrap_or(0), 0);
    file.read_exact_at(line, from)
}
