//! The other side, whichever it is, and how long one tries to reach it.

use std::io;
use std::time::Duration;

use serde::Deserialize;

use crate::fluentd::{self, Fluentd};
use crate::gelf::{self, Gelf};
use crate::journald::{self, Journald};
use crate::record::Record;
use crate::syslog::{self, Syslog};

/// A driver with its options.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "driver", rename_all = "lowercase")]
pub enum Settings {
    Syslog(syslog::Settings),
    Journald(journald::Settings),
    Fluentd(fluentd::Settings),
    Gelf(gelf::Settings),
}

/// Who takes records.
pub trait Receiver: Send {
    /// Reach it anew, giving up what there was.
    fn connect(&mut self) -> io::Result<()>;

    /// Have it take a record, waiting as long as it wants; where that fails, it has to be reached
    /// anew. [`io::ErrorKind::InvalidData`] says that this record can never be sent.
    fn send(&mut self, record: &Record) -> io::Result<()>;
}

/// How often, and how long after each failure, a record is tried again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Retrying {
    /// None: until it succeeds.
    pub attempts: Option<u32>,
    first_wait: Duration,
    growth: f64,
    longest_wait: Duration,
}

impl Retrying {
    /// Where nothing limits it: soon at first, so that a restart of the other side costs little.
    pub(crate) const PATIENT: Self = Self {
        attempts: None,
        first_wait: Duration::from_millis(50),
        growth: 2.0,
        longest_wait: Duration::from_secs(5),
    };

    /// Datagrams into the void: an error may tell of the one before, so one more try is due.
    pub(crate) const ONCE: Self = Self::steady(Some(1), Duration::ZERO);

    pub(crate) const fn steady(attempts: Option<u32>, wait: Duration) -> Self {
        Self {
            attempts,
            first_wait: wait,
            growth: 1.0,
            longest_wait: wait,
        }
    }

    pub(crate) const fn growing(
        attempts: u32,
        wait: Duration,
        growth: f64,
        most: Duration,
    ) -> Self {
        Self {
            attempts: Some(attempts),
            first_wait: wait,
            growth,
            longest_wait: most,
        }
    }

    /// How long to wait before an attempt, from 0; None when it is one too many.
    pub fn wait(&self, attempt: u32) -> Option<Duration> {
        if self.attempts.is_some_and(|most| attempt >= most) {
            return None;
        }
        let exponent = i32::try_from(attempt.min(64)).unwrap_or(64);
        let wait_s = self.first_wait.as_secs_f64() * self.growth.powi(exponent);
        Some(Duration::from_secs_f64(
            wait_s.min(self.longest_wait.as_secs_f64()),
        ))
    }
}

impl Settings {
    pub fn receiver(&self) -> Box<dyn Receiver> {
        match self {
            Self::Syslog(settings) => Box::new(Syslog::new(settings.clone())),
            Self::Journald(settings) => Box::new(Journald::new(settings.clone())),
            Self::Fluentd(settings) => Box::new(Fluentd::new(settings.clone())),
            Self::Gelf(settings) => Box::new(Gelf::new(settings.clone())),
        }
    }

    pub fn retrying(&self) -> Retrying {
        match self {
            Self::Syslog(settings) => settings.retrying(),
            Self::Journald(_) => Retrying::PATIENT,
            Self::Fluentd(settings) => settings.retrying(),
            Self::Gelf(settings) => settings.retrying(),
        }
    }

    /// The container does not start where the other side is not reached; otherwise it is tried later.
    pub fn must_connect(&self) -> bool {
        !matches!(self, Self::Fluentd(settings) if settings.is_async)
    }

    /// How many records may wait, where that is limited by their number: then further ones are
    /// lost, and hold nothing up.
    pub fn records_max(&self) -> Option<usize> {
        match self {
            Self::Fluentd(settings) if settings.is_async => Some(settings.buffer_limit),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_up_to_a_limit() {
        let retrying = Retrying::growing(3, Duration::from_secs(1), 1.5, Duration::from_secs(2));
        let waits = (0..4).map(|attempt| retrying.wait(attempt).map(|wait| wait.as_millis()));
        assert_eq!(
            waits.collect::<Vec<_>>(),
            [Some(1000), Some(1500), Some(2000), None]
        );
        assert_eq!(
            Retrying::PATIENT.wait(u32::MAX),
            Some(Retrying::PATIENT.longest_wait)
        );
    }
}
