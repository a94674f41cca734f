//! The reader of `json-file` logs, from the files to a client's descriptor.

use std::io;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};

use crate::choice::{Choice, Spot};
use crate::cursor::Cursor;
use crate::form::Form;
use crate::frame::Stream;
use crate::input::Input;
use crate::line::Line;
use crate::output::{Output, Written};
use crate::position::{Position, Start, Step};
use crate::record::Record;
use crate::selection::{Selection, Verdict};
use crate::slow::{Pace, Slow};
use crate::whole::{Joined, Whole};

/// Read for one batch at most: where little is chosen, others have their turn all the same.
const SCAN_BYTES: u64 = 1024 * 1024;
/// Fields behind the answer, for who asked for positions.
const CURSOR_FIELD: &str = "X-Drayman-Log-Cursor";
const GAP_FIELD: &str = "X-Drayman-Log-Gap";
const GAP: &str = "what followed the cursor is gone; these are the oldest records there are";

/// Why [`LogReader::pump`] came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pumped {
    /// No more will match.
    End,
    /// All that is in the files was written.
    Idle,
    /// The descriptor is non-blocking and full.
    Blocked,
    /// As much as was allowed was read or written.
    Budget,
    /// The peer left.
    Gone,
    /// The peer reads too slowly, and wanted to be left then.
    TooSlow,
}

/// One client's way through one log.
#[derive(Debug)]
pub struct LogReader {
    path: PathBuf,
    position: Position,
    input: Input,
    choice: Choice,
    /// Where lines are joined: the pieces held.
    whole: Option<Whole>,
    output: Output,
    /// Whether positions are told.
    is_marked: bool,
    gap: Gap,
    /// No more will be written to the log.
    is_complete: bool,
    ended: bool,
}

/// Whether what followed the cursor given is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gap {
    None,
    Untold,
    Told,
}

impl LogReader {
    /// Open the log; one that does not exist yet is empty until it does.
    pub fn open(path: &Path, selection: Selection, form: Form) -> io::Result<Self> {
        let start = match (selection.tail, selection.since_ns) {
            (Some(tail), _) if form.whole => Start::Lines(tail),
            (Some(tail), _) => Start::Records(tail),
            (None, Some(since_ns)) => Start::Since(since_ns),
            (None, None) => Start::Oldest,
        };
        let position = Position::open(path, start)?;
        Ok(Self::at(path, position, selection, form))
    }

    /// Go on where another reader of this log was, whatever `tail` and `since` say; without a
    /// cursor begin where they say. Positions are told: with each record in JSON, and by
    /// [`LogReader::fields`].
    pub fn resume(
        path: &Path,
        mut selection: Selection,
        form: Form,
        cursor: Option<&Cursor>,
    ) -> io::Result<Self> {
        let mut reader = if let Some(cursor) = cursor {
            selection.since_ns = None;
            let (position, is_there) = Position::resume(path, cursor)?;
            let mut reader = Self::at(path, position, selection, form);
            if !is_there {
                reader.gap = Gap::Untold;
            }
            reader
        } else {
            Self::open(path, selection, form)?
        };
        reader.is_marked = true;
        Ok(reader)
    }

    fn at(path: &Path, position: Position, selection: Selection, form: Form) -> Self {
        Self {
            path: path.to_owned(),
            position,
            input: Input::default(),
            whole: form.whole.then(Whole::default),
            output: Output::default(),
            is_marked: false,
            gap: Gap::None,
            is_complete: false,
            ended: selection.limit == Some(0),
            choice: Choice {
                selection,
                form,
                pace: Pace::default(),
                aside: Vec::new(),
            },
        }
    }

    /// What becomes of a client that follows and does not read.
    pub fn set_slow(&mut self, slow: Slow) {
        self.choice.pace.slow = slow;
    }

    /// No more will be written to the log: its end is the end, and lines that nobody ended are
    /// shown. Otherwise they are waited for.
    pub fn complete(&mut self) {
        self.is_complete = true;
    }

    /// Whether the client reads too slowly and wanted to be left then, which can be asked without
    /// writing to it.
    pub fn is_too_slow(&self) -> bool {
        let pace = &self.choice.pace;
        // What cannot be looked at is told by the next reading.
        pace.is_over(&self.position, self.input.unread_bytes())
            .unwrap_or(false)
    }

    /// Write records to `fd` until there is a reason to stop. May be called again after any answer.
    pub fn pump(&mut self, fd: BorrowedFd<'_>, budget_bytes: u64) -> io::Result<Pumped> {
        let mut spent_bytes = 0;
        if self.is_too_slow() {
            return Ok(Pumped::TooSlow);
        }
        loop {
            match self.output.write_to(fd, &mut spent_bytes)? {
                Written::All => {}
                Written::Blocked => return Ok(Pumped::Blocked),
                Written::Gone => return Ok(Pumped::Gone),
            }
            if self.ended {
                return Ok(Pumped::End);
            }
            if spent_bytes >= budget_bytes {
                return Ok(Pumped::Budget);
            }
            let idle = self.fill(&mut spent_bytes)?;
            if idle && self.output.is_empty() {
                self.rest();
                self.choice.pace.caught_up = true;
                return Ok(Pumped::Idle);
            }
        }
    }

    /// The next piece of output, for a caller that sends it by other means than [`LogReader::pump`];
    /// None when there is nothing to be had now.
    pub fn compose(&mut self) -> io::Result<Option<&[u8]>> {
        while !self.ended {
            let idle = self.fill(&mut 0)?;
            if !self.output.is_empty() {
                return Ok(Some(self.output.waiting()));
            }
            if idle {
                break;
            }
        }
        self.rest();
        Ok(None)
    }

    /// A reader that follows is idle most of its life: it keeps no large buffers then.
    fn rest(&mut self) {
        self.output.trim();
        self.input.trim();
        self.choice.aside = Vec::new();
    }

    /// Compose a batch; whether that was all there is.
    fn fill(&mut self, spent_bytes: &mut u64) -> io::Result<bool> {
        self.output.begin(self.choice.form);
        if self.gap == Gap::Untold && self.choice.form.json {
            self.gap = Gap::Told;
            self.choice
                .form
                .append_notice(GAP, None, &mut self.output.bytes);
        }
        let mut read_bytes = 0;
        let mut idle = false;
        while !self.ended && !self.output.is_full() && read_bytes < SCAN_BYTES {
            self.look_at_pace()?;
            if self.records()? {
                continue;
            }
            match self.input.read(&mut self.position)? {
                Step::Bytes(count) => read_bytes += count as u64,
                Step::Next => {}
                Step::Idle if self.is_complete => self.finish()?,
                Step::Idle => {
                    idle = true;
                    break;
                }
            }
        }
        self.output.seal(self.choice.form);
        *spent_bytes += read_bytes;
        Ok(idle)
    }

    fn look_at_pace(&mut self) -> io::Result<()> {
        let Choice { pace, form, .. } = &mut self.choice;
        if let Some(lost) = pace.look(&self.position, self.input.unread_bytes())? {
            let text = format!("{lost} records were left out, for they were not read in time");
            form.append_notice(&text, Some(lost), &mut self.output.bytes);
        }
        Ok(())
    }

    /// Take whole lines of the file apart; false when more must be read first.
    fn records(&mut self) -> io::Result<bool> {
        let mut any = false;
        while !self.ended && !self.output.is_full() {
            let Some(length) = self.input.next() else {
                return Ok(any);
            };
            any = true;
            if self.record(length)? {
                self.input.take(length);
            }
        }
        Ok(any)
    }

    /// Take a line of the file apart; false when it is to be asked for again.
    fn record(&mut self, length: usize) -> io::Result<bool> {
        let Self {
            position,
            input,
            choice,
            whole,
            output,
            ..
        } = self;
        let Some(record) = Record::parse(input.line(length)) else {
            return Ok(true);
        };
        let before = input.unread_bytes();
        if position.is_quiet(record.stream, before) {
            return Ok(true);
        }
        match choice.selection.judge(&record) {
            Verdict::Take => {}
            Verdict::Skip => return Ok(true),
            Verdict::End => {
                self.ended = true;
                if !self.is_marked {
                    self.finish()?;
                }
                return Ok(false);
            }
        }
        let mut spot = Spot {
            path: &self.path,
            is_marked: self.is_marked,
            position,
            unread_bytes: before - length - 1,
            back: [None, None],
        };
        let Some(whole) = whole else {
            self.ended = choice.give(&Line::from(&record), &mut spot, output)?;
            return Ok(true);
        };
        let begin = spot.is_marked.then(|| spot.position.place(before));
        let joined = whole.take(&record, begin.transpose()?);
        spot.back = whole.back();
        match joined {
            Joined::Alone => self.ended = choice.give(&Line::from(&record), &mut spot, output)?,
            Joined::Held => {}
            Joined::Complete | Joined::Stale => {
                if joined == Joined::Stale {
                    spot.unread_bytes = before;
                }
                spot.back[usize::from(record.stream == Stream::Stderr)] = None;
                self.ended = choice.give(&whole.line(record.stream), &mut spot, output)?;
                whole.release(record.stream);
            }
        }
        Ok(joined != Joined::Stale)
    }

    /// Nothing more will come: show the lines that nobody ended.
    fn finish(&mut self) -> io::Result<()> {
        let mut ended = false;
        while let (Some(whole), false) = (&mut self.whole, ended) {
            let Some(stream) = whole.first() else { break };
            let mut spot = Spot {
                path: &self.path,
                is_marked: self.is_marked,
                position: &mut self.position,
                unread_bytes: self.input.unread_bytes(),
                back: whole.back(),
            };
            spot.back[usize::from(stream == Stream::Stderr)] = None;
            ended = self
                .choice
                .give(&whole.line(stream), &mut spot, &mut self.output)?;
            whole.release(stream);
        }
        self.ended = true;
        Ok(())
    }

    /// What is to be told behind the answer: names of fields, and their values.
    pub fn fields(&mut self) -> io::Result<Vec<(&'static str, String)>> {
        let mut fields = Vec::new();
        if self.is_marked {
            let mut spot = Spot {
                path: &self.path,
                is_marked: true,
                position: &mut self.position,
                unread_bytes: self.input.unread_bytes(),
                back: self.whole.as_ref().map_or([None, None], Whole::back),
            };
            fields.push((CURSOR_FIELD, spot.cursor()?));
        }
        if self.gap == Gap::None {
            return Ok(fields);
        }
        fields.push((GAP_FIELD, "1".to_owned()));
        Ok(fields)
    }
}
