//! Patterns: what is packed of a tree, and with which directories above it.
use std::fs;
use std::process::Command;

use drayman_archive::tar::Reader;
use drayman_archive::{Error, Packing, Selection, DIGEST_RECORD};
use proptest::prelude::*;

use crate::support::Root;

fn selection(include: &[&str], exclude: &[&str]) -> Result<Selection, Error> {
    let owned = |patterns: &[&str]| patterns.iter().map(ToString::to_string).collect::<Vec<_>>();
    Selection::new(&owned(include), &owned(exclude))
}

fn project() -> Root {
    let root = Root::new();
    for place in ["p/src/deep", "p/target/debug", "p/docs"] {
        fs::create_dir_all(root.path(place)).unwrap();
    }
    for file in [
        "p/a.log",
        "p/src/b.log",
        "p/src/main.rs",
        "p/src/deep/lib.rs",
        "p/target/debug/x",
        "p/target/keep",
        "p/docs/readme.md",
    ] {
        fs::write(root.path(file), file).unwrap();
    }
    root
}

fn packed(root: &Root, include: &[&str], exclude: &[&str]) -> Vec<String> {
    let packing = Packing {
        selection: selection(include, exclude).unwrap(),
        ..Packing::default()
    };
    let tar = root.pack_with("/p", &packing);
    let mut reader = Reader::new(&tar[..]);
    let mut names = Vec::new();
    while let Some(entry) = reader.next_entry().unwrap() {
        names.push(String::from_utf8(entry.name).unwrap());
    }
    names
}

#[test]
fn what_is_excluded_is_left_out_with_all_below_it() {
    let root = project();
    let expected = [
        "p/",
        "p/docs/",
        "p/docs/readme.md",
        "p/src/",
        "p/src/deep/",
        "p/src/deep/lib.rs",
        "p/src/main.rs",
    ];
    assert_eq!(packed(&root, &[], &["**/*.log", "target"]), expected);
    assert_eq!(packed(&root, &[], &["/**/*.log", "target/"]), expected);
    // A star stops at a slash.
    assert!(packed(&root, &[], &["*.log"]).contains(&"p/src/b.log".into()));
    assert!(!packed(&root, &[], &["*.log"]).contains(&"p/a.log".into()));
}

#[test]
fn an_exception_takes_back_with_the_directories_above_it() {
    let root = project();
    let found = packed(&root, &[], &["target", "docs", "!target/keep"]);
    assert_eq!(found[found.len() - 2..], ["p/target/", "p/target/keep"]);
    assert!(!found.contains(&"p/docs/".into()));
    // The last one that fits decides.
    assert_eq!(
        packed(&root, &[], &["!target/keep", "target"])
            .last()
            .unwrap(),
        "p/src/main.rs"
    );
}

#[test]
fn only_what_is_included_is_packed() {
    let root = project();
    assert_eq!(
        packed(&root, &["**/*.rs"], &[]),
        [
            "p/",
            "p/src/",
            "p/src/deep/",
            "p/src/deep/lib.rs",
            "p/src/main.rs"
        ]
    );
    assert_eq!(
        packed(&root, &["src"], &["src/deep"]),
        ["p/", "p/src/", "p/src/b.log", "p/src/main.rs"]
    );
    assert!(packed(&root, &["nothing"], &[]).is_empty());
}

#[test]
fn patterns_that_are_none_are_named() {
    for (pattern, why) in [
        ("", "it is empty"),
        ("a[", "unclosed character class; missing ']'"),
        ("/", "it is empty"),
    ] {
        let error = selection(&[], &[pattern]).unwrap_err();
        assert_eq!(error.to_string(), format!("bad pattern {pattern:?}: {why}"));
    }
    let many = vec!["x"; 1025];
    assert_eq!(
        selection(&many, &[]).unwrap_err().to_string(),
        "more than 1024 patterns"
    );
}

#[test]
fn digests_are_those_of_the_content() {
    let root = Root::new();
    fs::write(root.path("small"), "abc").unwrap();
    fs::write(root.path("large"), vec![0; 300 << 10]).unwrap();
    let packing = Packing {
        digests: true,
        ..Packing::default()
    };
    let tar = root.pack_with("/.", &packing);
    let text = String::from_utf8_lossy(&tar);
    for name in ["small", "large"] {
        let done = Command::new("sha256sum")
            .arg(root.path(name))
            .output()
            .unwrap();
        let sum = String::from_utf8(done.stdout[..64].to_vec()).unwrap();
        assert!(text.contains(&format!("{DIGEST_RECORD}={sum}\n")), "{name}");
    }
    let copy = Root::new();
    copy.unpack("/", &tar).unwrap();
    assert_eq!(copy.text("small"), "abc");
}

proptest! {
    #[test]
    fn no_pattern_whatever_panics(patterns in proptest::collection::vec(".*", 0..4)) {
        if let Ok(selection) = Selection::new(&patterns, &patterns) {
            let packing = Packing { selection, ..Packing::default() };
            project().pack_with("/p", &packing);
        }
    }
}
