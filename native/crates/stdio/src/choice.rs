//! What a reader shows of a log, line by line, and where it is then.

use std::io;
use std::path::Path;

use crate::cursor::{Cursor, Place};
use crate::form::Form;
use crate::line::Line;
use crate::output::Output;
use crate::position::Position;
use crate::selection::Selection;
use crate::slow::Pace;

/// What is shown, and how.
#[derive(Debug)]
pub(crate) struct Choice {
    pub(crate) selection: Selection,
    pub(crate) form: Form,
    pub(crate) pace: Pace,
    pub(crate) aside: Vec<u8>,
}

/// Behind what is being shown.
pub(crate) struct Spot<'a> {
    pub(crate) path: &'a Path,
    pub(crate) is_marked: bool,
    pub(crate) position: &'a mut Position,
    pub(crate) unread_bytes: usize,
    pub(crate) back: [Option<Place>; 2],
}

impl Spot<'_> {
    pub(crate) fn cursor(&mut self) -> io::Result<String> {
        let at = self.position.place(self.unread_bytes)?;
        let back = self.back;
        Ok(Cursor { at, back }.text(self.path))
    }
}

impl Choice {
    /// Show a line, if it has what was asked for; whether that was the last one wanted.
    pub(crate) fn give(
        &mut self,
        line: &Line<'_>,
        spot: &mut Spot<'_>,
        output: &mut Output,
    ) -> io::Result<bool> {
        let Self {
            selection,
            form,
            pace,
            aside,
        } = self;
        if let Some(grep) = &selection.grep {
            if !grep.finds(line.text, aside) {
                return Ok(false);
            }
        }
        if pace.drops() {
            return Ok(false);
        }
        let cursor = (form.json && spot.is_marked).then(|| spot.cursor());
        let cursor = cursor.transpose()?;
        form.append(line, cursor.as_deref(), aside, &mut output.bytes);
        let Some(left) = &mut selection.limit else {
            return Ok(false);
        };
        *left -= 1;
        Ok(*left == 0)
    }
}
