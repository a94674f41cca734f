//! Two trees beside one another, and what is told of each change.
use std::fs;
use std::os::unix::fs::{symlink, MetadataExt};
use std::path::{Path, PathBuf};

use drayman_changes::{changes, changes_between, Change, Facts, Kind, Marks, Question};
use proptest::prelude::*;
use rustix::fs::FileType;

use crate::cases::listed;
use crate::deeds::{attempt, deed, Deed};
use crate::overlay::{Options, Overlay, Scratch};
use crate::{bytes, naive};

/// Put a layer over others: what deeds make of them.
fn layer(scratch: &Scratch, name: &str, lower: &mut Vec<PathBuf>, deeds: &[Deed]) {
    let upper = scratch.directory(name);
    let work = scratch.directory(&format!("{name}-work"));
    let merged = Overlay::mount(lower, Some((&upper, &work)), Options::default());
    for deed in deeds {
        let _ = attempt(&merged.root, deed);
    }
    lower.insert(0, upper);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn agrees_with_a_walk_through_both_images(
        shared in proptest::collection::vec(deed(), 0..24),
        old in proptest::collection::vec(deed(), 0..16),
        new in proptest::collection::vec(deed(), 0..16),
    ) {
        if !rustix::process::geteuid().is_root() {
            return Ok(());
        }
        let scratch = Scratch::new();
        let mut base = vec![scratch.directory("base"), scratch.directory("bottom")];
        layer(&scratch, "shared", &mut base, &shared);
        let mut layers = [base.clone(), base];
        layer(&scratch, "old", &mut layers[0], &old);
        layer(&scratch, "new", &mut layers[1], &new);
        let trees = layers.each_ref().map(|lower| Overlay::mount(lower, None, Options::default()));
        let expected = naive::changes(&trees[0].root, &trees[1].root);
        let [old, new] = layers.map(|lower| lower.into_iter().map(bytes).collect::<Vec<_>>());
        let found = changes_between(&old, &new, Marks::Trusted, Question::default()).unwrap();
        prop_assert_eq!(found, expected);
    }
}

/// A container's upper directory, which needs no overlay to be looked at.
struct Plain(Scratch);

impl Plain {
    fn new() -> Self {
        let scratch = Scratch::new();
        scratch.directory("upper");
        scratch.directory("lower");
        Self(scratch)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0 .0.join(name)
    }

    fn ask(&self, question: Question) -> Vec<Change> {
        let lower = [bytes(self.path("lower"))];
        changes(&bytes(self.path("upper")), &lower, Marks::User, question).unwrap()
    }
}

#[test]
fn facts_are_of_the_files_as_they_are_now() {
    let plain = Plain::new();
    for place in ["lower/d", "upper/d"] {
        fs::create_dir(plain.path(place)).unwrap();
    }
    fs::write(plain.path("lower/d/changed"), [0; 3]).unwrap();
    fs::write(plain.path("upper/d/changed"), [0; 7]).unwrap();
    symlink("changed", plain.path("upper/d/link")).unwrap();
    let found = plain.ask(Question {
        facts: true,
        ..Question::default()
    });
    let change = |path: &str, kind, file_type: FileType, size_bytes| Change {
        path: path.into(),
        kind,
        facts: Some(Facts {
            type_bits: file_type.as_raw_mode(),
            size_bytes,
        }),
    };
    let expected = [
        change("/d", Kind::Modified, FileType::Directory, 0),
        change("/d/changed", Kind::Modified, FileType::RegularFile, 7),
        change("/d/link", Kind::Added, FileType::Symlink, 0),
    ];
    assert_eq!(found, expected);
}

#[test]
fn since_leaves_out_what_changed_before() {
    let plain = Plain::new();
    fs::create_dir(plain.path("upper/d")).unwrap();
    fs::write(plain.path("upper/d/early"), "").unwrap();
    let early_ns = changed_ns(&plain.path("upper/d/early"));
    let late_ns = loop {
        fs::write(plain.path("upper/d/late"), "x").unwrap();
        let late_ns = changed_ns(&plain.path("upper/d/late"));
        if late_ns > early_ns {
            break late_ns;
        }
    };
    let since = |since_ns| {
        listed(&plain.ask(Question {
            since_ns: Some(since_ns),
            ..Question::default()
        }))
    };
    assert_eq!(since(early_ns), ["A /d", "A /d/early", "A /d/late"]);
    // The directory changed when the file came.
    assert_eq!(since(late_ns).last().unwrap(), "A /d/late");
    assert!(!since(late_ns).contains(&"A /d/early".into()));
    assert!(since(i64::MAX).is_empty());
}

fn changed_ns(path: &Path) -> i64 {
    let found = path.symlink_metadata().unwrap();
    found.ctime() * 1_000_000_000 + found.ctime_nsec()
}
