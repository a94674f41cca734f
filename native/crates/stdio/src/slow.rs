//! What becomes of a follower that does not read as fast as its log grows.

use std::io;

use crate::position::Position;

/// A follower may be so much of the log behind; what is nearer is not lost.
pub const SLOW_BYTES: u64 = 1024 * 1024;

/// What is to become of a client that reads too slowly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Deserialize),
    serde(rename_all = "snake_case")
)]
pub enum Slow {
    /// It gets everything. The process waits for an attached one, and so does everybody; nobody
    /// for a follower: what that has not taken stays in the log's files, as long as they do.
    #[default]
    Wait,
    /// It loses output, and is told how much.
    Drop,
    /// Its connection ends.
    Disconnect,
}

impl Slow {
    /// The word of the API.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "wait" => Some(Self::Wait),
            "drop" => Some(Self::Drop),
            "disconnect" => Some(Self::Disconnect),
            _ => None,
        }
    }
}

/// Watches over one follower.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    pub(crate) slow: Slow,
    /// Once it had all there was: before that it catches up, which is no slowness.
    pub(crate) caught_up: bool,
    /// How many records were left out, while some are.
    dropped: Option<u64>,
}

impl Pace {
    fn is_behind(
        &self,
        position: &Position,
        unread_bytes: usize,
        limit_bytes: u64,
    ) -> io::Result<bool> {
        let behind = position.behind_bytes()?.saturating_add(unread_bytes as u64);
        Ok(self.caught_up && behind > limit_bytes)
    }

    /// Whether its connection is to end.
    pub(crate) fn is_over(&self, position: &Position, unread_bytes: usize) -> io::Result<bool> {
        Ok(self.slow == Slow::Disconnect && self.is_behind(position, unread_bytes, SLOW_BYTES)?)
    }

    /// Begin to leave records out, or end it: then tell how many they were.
    pub(crate) fn look(
        &mut self,
        position: &Position,
        unread_bytes: usize,
    ) -> io::Result<Option<u64>> {
        if self.slow != Slow::Drop {
            return Ok(None);
        }
        match self.dropped {
            None if self.is_behind(position, unread_bytes, SLOW_BYTES)? => {
                self.dropped = Some(0);
                Ok(None)
            }
            // Well within the limit, so that it is not over it again at once.
            Some(_) if !self.is_behind(position, unread_bytes, SLOW_BYTES / 2)? => {
                Ok(self.dropped.take())
            }
            _ => Ok(None),
        }
    }

    /// Whether a record that would be shown is left out.
    pub(crate) fn drops(&mut self) -> bool {
        if let Some(dropped) = &mut self.dropped {
            *dropped += 1;
        }
        self.dropped.is_some()
    }
}
