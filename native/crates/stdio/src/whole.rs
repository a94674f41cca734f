//! Long lines put together again from the pieces that a log has of them.

use crate::cursor::Place;
use crate::frame::Stream;
use crate::line::{Line, Text};
use crate::record::Record;

/// What is held of a line of each stream; a longer one is passed on in pieces of about this size.
pub const WHOLE_BYTES: usize = 1024 * 1024;

/// What a record is to the line it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Joined {
    /// It is a line by itself.
    Alone,
    /// More of its line is to come.
    Held,
    /// With it the held line is to be shown, and then released.
    Complete,
    /// What is held of its stream is of another line: show and release that, and ask again.
    Stale,
}

/// The lines of which not all was read, one of each stream.
#[derive(Debug, Default)]
pub(crate) struct Whole {
    stdout: Held,
    stderr: Held,
}

#[derive(Debug, Default)]
struct Held {
    begin: Option<Begin>,
    text: Vec<u8>,
    attrs: Vec<u8>,
    time: Vec<u8>,
}

/// When a held line's first piece was met, as a number that grows, and where.
#[derive(Clone, Copy, Debug)]
struct Begin {
    number: u64,
    place: Option<Place>,
}

impl Whole {
    /// Take a record, which begins at a place, where that is of interest.
    pub(crate) fn take(&mut self, record: &Record<'_>, place: Option<Place>) -> Joined {
        let number = 1 + self.begins().map(|begin| begin.number).max().unwrap_or(0);
        let held = self.of(record.stream);
        let ends = record.log.ends_line();
        if held.begin.is_some() && held.time != record.time {
            // The pieces of a line bear one time: the one held was never ended.
            return Joined::Stale;
        }
        if held.begin.is_none() {
            if ends {
                return Joined::Alone;
            }
            held.begin = Some(Begin { number, place });
            held.time.extend_from_slice(record.time);
            held.attrs.extend_from_slice(record.attrs);
        }
        record.log.unescape(&mut held.text);
        if ends || held.text.len() >= WHOLE_BYTES {
            Joined::Complete
        } else {
            Joined::Held
        }
    }

    /// What is held of a stream.
    pub(crate) fn line(&self, stream: Stream) -> Line<'_> {
        let held = match stream {
            Stream::Stdout => &self.stdout,
            Stream::Stderr => &self.stderr,
        };
        Line {
            text: Text::Plain(&held.text),
            stream,
            attrs: &held.attrs,
            time: &held.time,
        }
    }

    /// Forget it.
    pub(crate) fn release(&mut self, stream: Stream) {
        *self.of(stream) = Held::default();
    }

    /// The stream whose held line began first.
    pub(crate) fn first(&self) -> Option<Stream> {
        match (self.stdout.begin, self.stderr.begin) {
            (Some(out), Some(err)) if err.number < out.number => Some(Stream::Stderr),
            (Some(_), _) => Some(Stream::Stdout),
            (None, Some(_)) => Some(Stream::Stderr),
            (None, None) => None,
        }
    }

    /// Where the held line of each stream begins, where that is of interest.
    pub(crate) fn back(&self) -> [Option<Place>; 2] {
        [&self.stdout, &self.stderr].map(|held| held.begin?.place)
    }

    fn begins(&self) -> impl Iterator<Item = Begin> {
        [self.stdout.begin, self.stderr.begin].into_iter().flatten()
    }

    fn of(&mut self, stream: Stream) -> &mut Held {
        match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        }
    }
}
