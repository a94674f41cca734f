//! Positions in a log as clients keep them: where a page ended, whatever becomes of the files.

use std::fmt::Write as _;
use std::path::Path;

/// The first of a cursor, so that another form of it can be told from this one.
const VERSION: &str = "1";

/// Between two records of one of the log's files.
///
/// A file is known by the mark that its writer gave it and by its first line, for both stay when it
/// is renamed or compressed; the line does not when it is truncated. Files of other writers have no
/// mark: those that begin with the same line are told apart by their inodes, as long as they keep them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The file's mark and first line as [`hash`] has them; 0 for a file that has no line yet.
    pub(crate) print: u64,
    /// 0 when there was no file.
    pub(crate) inode: u64,
    /// In the text, not in a compressed file of it.
    pub(crate) offset: u64,
}

/// Where a client has got to. Its text means nothing to it, and comes back as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    pub(crate) at: Place,
    /// Where the line of each stream begins of which only pieces lie before `at`, none shown yet.
    pub(crate) back: [Option<Place>; 2],
}

impl Place {
    fn append_to(self, text: &mut String) {
        let Self {
            print,
            inode,
            offset,
        } = self;
        let _ = write!(text, "-{print:x}-{inode:x}-{offset:x}");
    }
}

impl Cursor {
    /// Read what [`Cursor::text`] wrote, for the log at a path. The error says what is wrong with it.
    pub fn parse(text: &str, log: &Path) -> Result<Self, String> {
        let refuse = |why: &str| {
            // What came may be anything.
            let shown: String = text.chars().take(100).collect();
            Err(format!(
                "invalid cursor {shown:?}: {why}; an empty one begins anew"
            ))
        };
        let parts: Option<Vec<u64>> = text
            .split('-')
            .map(|part| u64::from_str_radix(part, 16).ok())
            .collect();
        let sums = text
            .rsplit_once('-')
            .is_some_and(|(told, sum)| sum == format!("{:08x}", short(told.as_bytes())));
        let Some([1, scope, places @ .., _]) = parts.as_deref().filter(|_| sums) else {
            return refuse("it is not one of ours, or not all of it");
        };
        let (at, backs) = places.split_at_checked(3).unwrap_or((&[0; 3], places));
        let place = |parts: &[u64]| Place {
            print: parts[0],
            inode: parts[1],
            offset: parts[2],
        };
        let mut back = [None, None];
        for one in backs.chunks(4) {
            match one {
                [stream @ 0..=1, place_of @ ..] if place_of.len() == 3 => {
                    back[usize::from(*stream == 1)] = Some(place(place_of));
                }
                _ => return refuse("it is not one of ours, or not all of it"),
            }
        }
        let (scope, at) = (*scope, place(at));
        if scope != u64::from(scope_of(log)) {
            return refuse("it is of another container's log");
        }
        Ok(Self { at, back })
    }

    /// The text of it, for the log at a path: letters, digits and dashes.
    pub fn text(&self, log: &Path) -> String {
        let mut text = format!("{VERSION}-{:08x}", scope_of(log));
        self.at.append_to(&mut text);
        for (stream, place) in self.back.iter().enumerate() {
            if let Some(place) = place {
                // Writing to a String cannot fail.
                let _ = write!(text, "-{stream}");
                place.append_to(&mut text);
            }
        }
        let sum = short(text.as_bytes());
        let _ = write!(text, "-{sum:08x}");
        text
    }
}

/// What a log is known by: its file's name has the container's id.
fn scope_of(log: &Path) -> u32 {
    short(log.file_name().unwrap_or_default().as_encoded_bytes())
}

/// FNV-1a: the same in every build, which those of the standard library do not promise.
pub(crate) fn hash(text: &[u8]) -> u64 {
    text.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[allow(clippy::cast_possible_truncation)]
fn short(text: &[u8]) -> u32 {
    let long = hash(text);
    (long ^ (long >> 32)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place = Place {
        print: u64::MAX,
        inode: 12,
        offset: 0,
    };

    #[test]
    fn it_reads_back() {
        let log = Path::new("/a/c-json.log");
        for back in [[None, None], [None, Some(PLACE)], [Some(PLACE); 2]] {
            let cursor = Cursor { at: PLACE, back };
            let text = cursor.text(log);
            assert_eq!(Cursor::parse(&text, log), Ok(cursor));
            assert_eq!(
                Cursor::parse(&text, Path::new("/b/c-json.log")),
                Ok(cursor),
                "the log may move"
            );
        }
    }

    #[test]
    fn a_torn_one_and_a_foreign_one_are_named() {
        let log = Path::new("/a/c-json.log");
        let text = Cursor {
            at: PLACE,
            back: [None, None],
        }
        .text(log);
        for length in 0..text.len() {
            let error = Cursor::parse(&text[..length], log).unwrap_err();
            assert!(error.contains(&format!("{:?}", &text[..length])), "{error}");
        }
        let error = Cursor::parse(&text, Path::new("/a/d-json.log")).unwrap_err();
        assert!(error.contains("another container's"), "{error}");
    }

    proptest::proptest! {
        #[test]
        fn no_text_upsets_it(text: String) {
            let _ = Cursor::parse(&text, Path::new("x"));
        }
    }
}
