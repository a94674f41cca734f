//! Which files are packed: globs in the manner of `.dockerignore`.
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use crate::error::Error;

/// More patterns than anybody writes, and few enough to hold against each of a million files.
const PATTERNS_MAX: usize = 1024;

/// Patterns held against paths below what is packed, without a slash in front.
///
/// `*` and `?` stop at a slash, `**` does not. What lies below a directory that fits, fits. An
/// exclusion that begins with `!` takes back what those before it excluded: the last one that
/// fits decides (moby's `patternmatcher`).
#[derive(Clone, Debug, Default)]
pub struct Selection {
    include: Option<GlobSet>,
    exclude: Option<GlobSet>,
    /// Of each exclusion, whether it takes back.
    exceptions: Vec<bool>,
}

/// How a directory stands to the patterns, which those below it take over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Standing {
    included: bool,
    /// The last exclusion that fits it or one above it, from 1.
    exclusion: usize,
    pub wanted: bool,
}

impl Selection {
    /// Compile patterns; `Invalid` for one that is none, naming it.
    pub fn new(include: &[String], exclude: &[String]) -> Result<Selection, Error> {
        if include.len() + exclude.len() > PATTERNS_MAX {
            let told = format!("more than {PATTERNS_MAX} patterns");
            return Err(Error::Invalid(told));
        }
        let exceptions = exclude.iter().map(|one| one.starts_with('!')).collect();
        let exclude = exclude
            .iter()
            .map(|one| one.strip_prefix('!').unwrap_or(one));
        Ok(Selection {
            include: compile(include.iter().map(String::as_str))?,
            exclude: compile(exclude)?,
            exceptions,
        })
    }

    /// How the place itself stands, above all that is packed.
    pub(super) fn top(&self) -> Standing {
        Standing {
            wanted: self.include.is_none(),
            ..Standing::default()
        }
    }

    /// How a path stands in a directory.
    pub(super) fn judge(&self, above: Standing, path: &[u8]) -> Standing {
        let mut standing = above;
        if self.include.is_none() && self.exclude.is_none() {
            return standing;
        }
        let path = OsStr::from_bytes(path);
        if let Some(include) = &self.include {
            standing.included = above.included || include.is_match(path);
        }
        if let Some(exclude) = &self.exclude {
            let last = exclude.matches(path).last().map_or(0, |index| index + 1);
            standing.exclusion = above.exclusion.max(last);
        }
        let excluded = standing.exclusion > 0 && !self.exceptions[standing.exclusion - 1];
        standing.wanted = (self.include.is_none() || standing.included) && !excluded;
        standing
    }

    /// Whether something below a directory may be wanted.
    pub(super) fn leads_on(&self, directory: Standing) -> bool {
        directory.wanted
            || directory.exclusion == 0
            || self.exceptions[directory.exclusion..].contains(&true)
    }
}

fn compile<'p>(patterns: impl Iterator<Item = &'p str>) -> Result<Option<GlobSet>, Error> {
    let mut set = GlobSetBuilder::new();
    let mut empty = true;
    for pattern in patterns {
        let bad = |why: String| Error::Invalid(format!("bad pattern {pattern:?}: {why}"));
        let trimmed = pattern.trim_matches('/');
        if trimmed.is_empty() {
            return Err(bad("it is empty".into()));
        }
        let glob = GlobBuilder::new(trimmed)
            .literal_separator(true)
            .backslash_escape(true)
            .build()
            .map_err(|error| bad(error.kind().to_string()))?;
        set.add(glob);
        empty = false;
    }
    let set = set
        .build()
        .map_err(|error| Error::Invalid(error.to_string()))?;
    Ok((!empty).then_some(set))
}
