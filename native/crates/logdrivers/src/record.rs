//! One line of a container's output, or a piece of a long one.

/// Where it was written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    Stdout,
    Stderr,
}

impl Source {
    pub fn name(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }

    /// The severity that Docker's drivers give it, by syslog's numbers: informational, or an error.
    pub(crate) fn severity(self) -> u8 {
        match self {
            Self::Stdout => 6,
            Self::Stderr => 3,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub source: Source,
    /// Without its newline.
    pub line: Vec<u8>,
    /// When it was read, in nanoseconds since 1970.
    pub time_ns: i64,
    /// Set when it is a piece of a longer line.
    pub partial: Option<Partial>,
}

/// Which piece of which line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partial {
    /// The same for all pieces of a line, and for no other.
    pub id: String,
    /// From 1.
    pub ordinal: u32,
    pub last: bool,
}
