//! What is asked, and one file's answer.
use std::collections::BTreeSet;

use rustix::fs::{FileType, Stat};

/// What became of a file; the numbers are the Docker API's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Modified = 0,
    Added = 1,
    Deleted = 2,
}

/// What a file is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Facts {
    /// The type's bits of the mode (`S_IFMT`).
    pub type_bits: u32,
    /// A regular file's; zero for all else.
    pub size_bytes: u64,
}

/// One file that differs from the image's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    /// From the container's root, `/` in front.
    pub path: Vec<u8>,
    pub kind: Kind,
    /// Where they were asked for, and the file is there.
    pub facts: Option<Facts>,
}

/// Which changes are told, and how much of them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Question {
    pub facts: bool,
    /// Only what changed then or later, in nanoseconds since 1970: by the inode's own time of
    /// change, which no program sets. What was moved or replaced with its directory counts as
    /// changed when the directory last did, which is too often rather than too seldom.
    pub since_ns: Option<i64>,
}

impl Question {
    /// Whether it takes a look at files that are known to be added.
    pub(crate) fn looks(self) -> bool {
        self.facts || self.since_ns.is_some()
    }
}

impl From<&Stat> for Facts {
    fn from(stat: &Stat) -> Self {
        let file_type = FileType::from_raw_mode(stat.st_mode);
        let is_file = file_type == FileType::RegularFile;
        Self {
            type_bits: file_type.as_raw_mode(),
            size_bytes: if is_file {
                stat.st_size.cast_unsigned()
            } else {
                0
            },
        }
    }
}

/// When an inode was last changed, in nanoseconds since 1970.
pub(crate) fn changed_ns(stat: &Stat) -> i64 {
    let nanoseconds = i64::try_from(stat.st_ctime_nsec).unwrap_or(0);
    stat.st_ctime
        .saturating_mul(1_000_000_000)
        .saturating_add(nanoseconds)
}

/// Sort, and list the directories above a change that are not listed themselves.
pub(crate) fn with_parents(mut found: Vec<Change>, question: Question) -> Vec<Change> {
    // A sorted run of each thread's, which this sort merges.
    found.sort();
    let mut above = BTreeSet::new();
    let mut last: &[u8] = b"";
    for change in &found {
        let parent = parent(&change.path);
        // Most changes lie beside the one before.
        if parent == last {
            continue;
        }
        last = parent;
        let mut path = parent;
        let listed = |path: &[u8]| found.binary_search_by(|one| one.path.as_slice().cmp(path));
        while !path.is_empty() && !above.contains(path) && listed(path).is_err() {
            above.insert(path);
            path = self::parent(path);
        }
    }
    let directory = Facts {
        type_bits: FileType::Directory.as_raw_mode(),
        size_bytes: 0,
    };
    let facts = question.facts.then_some(directory);
    let above: Vec<Change> = above
        .into_iter()
        .map(|path| Change {
            path: path.to_vec(),
            kind: Kind::Modified,
            facts,
        })
        .collect();
    found.extend(above);
    // Again two sorted runs.
    found.sort();
    found
}

/// The directory a listed path lies in; the root's is "".
fn parent(path: &[u8]) -> &[u8] {
    let cut = path.iter().rposition(|byte| *byte == b'/');
    &path[..cut.unwrap_or(0)]
}
