//! How much an archive may make of itself: a few bytes can stand for more than any disk holds.
use std::fmt;

/// What is held against an archive. Each is a setting of the engine, by the same name with
/// `unpack_` before it, which the texts of errors tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub entries: u64,
    /// How many times what was received it may be when decompressed…
    pub ratio: u64,
    /// …held against it only beyond so many bytes: what is small harms nobody.
    pub ratio_from_bytes: u64,
}

impl Limits {
    pub const NONE: Limits = Limits {
        entries: u64::MAX,
        ratio: u64::MAX,
        ratio_from_bytes: u64::MAX,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Limits::NONE
    }
}

/// What an archive was refused for, which is no fault of the host.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    Entries(u64),
    Ratio(u64),
    /// It is not in the coding that its sender tells of.
    Coding(&'static str),
}

impl Limits {
    pub(crate) fn hold_entries(self, entries: u64) -> Result<(), Refused> {
        if entries > self.entries {
            return Err(Refused::Entries(self.entries));
        }
        Ok(())
    }

    pub(crate) fn hold_ratio(self, decoded_bytes: u64, received_bytes: u64) -> Result<(), Refused> {
        let allowed = received_bytes.saturating_mul(self.ratio);
        if decoded_bytes > self.ratio_from_bytes && decoded_bytes > allowed {
            return Err(Refused::Ratio(self.ratio));
        }
        Ok(())
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refused::Entries(limit) => write!(
                out,
                "the archive has more than {limit} entries; \
                 the engine's setting unpack_entries raises that limit"
            ),
            Refused::Ratio(limit) => write!(
                out,
                "the archive decompresses to more than {limit} times its size; \
                 the engine's setting unpack_ratio raises that limit"
            ),
            Refused::Coding(name) => {
                write!(out, "the body is not {name}, as its Content-Encoding says")
            }
        }
    }
}

impl std::error::Error for Refused {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_counts_beyond_what_harms_nobody() {
        let limits = Limits {
            ratio: 10,
            ratio_from_bytes: 1000,
            ..Limits::NONE
        };
        assert_eq!(limits.hold_ratio(1000, 1), Ok(()));
        assert_eq!(limits.hold_ratio(1001, 1), Err(Refused::Ratio(10)));
        assert_eq!(limits.hold_ratio(2000, 200), Ok(()));
        assert_eq!(limits.hold_ratio(2001, 200), Err(Refused::Ratio(10)));
        assert_eq!(Limits::NONE.hold_ratio(u64::MAX, 0), Ok(()));
    }
}
