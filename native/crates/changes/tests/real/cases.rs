//! Single cases: each way in which an overlay hides or moves what lies below, and what a
//! container might leave in its upper directory to mislead whoever reads it.
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use drayman_changes::{changes, tree_size_bytes, Change, Marks, Question};
use rustix::fs::{mkdirat, mknodat, openat, setxattr, FileType, Mode, OFlags, XattrFlags, CWD};

use crate::deeds::Deed::{self, Empty, MakeDirectory, Remove, Rename, Write};
use crate::overlay::{Options, Scratch};
use crate::{both, bytes};

pub fn listed(changes: &[Change]) -> Vec<String> {
    let line = |change: &Change| {
        let letter = ["C", "A", "D"][change.kind as usize];
        format!("{letter} {}", String::from_utf8_lossy(&change.path))
    };
    changes.iter().map(line).collect()
}

fn check(histories: &[&[Deed]], options: Options, wanted: &[&str]) {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let histories: Vec<Vec<Deed>> = histories.iter().map(|deeds| deeds.to_vec()).collect();
    let (found, expected) = both(&histories, options);
    assert_eq!(
        listed(&found),
        listed(&expected),
        "the other walk disagrees"
    );
    assert_eq!(listed(&found), wanted);
}

fn write(path: &str, size: usize) -> Deed {
    Write(path.into(), size)
}

fn make(path: &str) -> Deed {
    MakeDirectory(path.into())
}

#[test]
fn nothing_changed_is_nothing_listed() {
    check(
        &[&[make("a"), write("a/b", 1)], &[Deed::CopyUp("a/b".into())]],
        Options::default(),
        &[],
    );
}

#[test]
fn a_tree_wide_enough_for_threads() {
    let each = |deeds: &dyn Fn(u32) -> [Deed; 3]| (0..100).flat_map(deeds).collect::<Vec<_>>();
    let old = each(&|n| {
        [
            make(&format!("{n}/sub")),
            write(&format!("{n}/sub/f"), 1),
            write(&format!("{n}/g"), 1),
        ]
    });
    let new = each(&|n| {
        [
            write(&format!("{n}/sub/new"), 2),
            Remove(format!("{n}/sub/f").into()),
            write(&format!("{n}/g"), 2),
        ]
    });
    if rustix::process::geteuid().is_root() {
        let (found, expected) = both(&[old, new], Options::default());
        assert_eq!(listed(&found), listed(&expected));
        assert_eq!(found.len(), 500);
    }
}

#[test]
fn a_directory_made_anew_hides_the_old_content() {
    let old = [make("a/sub"), write("a/f", 1), write("a/g", 1)];
    let new = [
        Empty("a".into()),
        write("a/g", 2),
        make("a/sub"),
        write("a/sub/new", 1),
    ];
    let wanted = ["C /a", "D /a/f", "C /a/g", "C /a/sub", "A /a/sub/new"];
    check(&[&old, &new], Options::default(), &wanted);
}

#[test]
fn a_layer_between_hides_what_is_below_it() {
    let histories: [&[Deed]; 3] = [
        &[make("a/sub"), write("a/f", 1)],
        &[Empty("a".into()), write("a/g", 1)],
        &[write("a/f", 1), make("a/sub")],
    ];
    check(
        &histories,
        Options::default(),
        &["C /a", "A /a/f", "A /a/sub"],
    );
}

#[test]
fn a_deleted_directory_is_one_entry() {
    let old = [make("a/b"), write("a/b/c", 1)];
    check(
        &[&old, &[Remove("a/b".into())]],
        Options::default(),
        &["C /a", "D /a/b"],
    );
}

#[test]
fn a_file_for_a_directory_and_the_reverse() {
    let old = [make("d"), write("d/in", 1), write("f", 1)];
    let new = [
        Remove("d".into()),
        write("d", 3),
        Remove("f".into()),
        make("f"),
        write("f/in", 1),
    ];
    check(
        &[&old, &new],
        Options::default(),
        &["C /d", "C /f", "A /f/in"],
    );
}

#[test]
fn a_renamed_directory_brings_its_content() {
    let options = Options {
        redirect: true,
        metacopy: true,
    };
    let histories: [&[Deed]; 3] = [
        &[make("a/sub"), write("a/sub/f", 1), make("other")],
        &[Rename("a".into(), "b".into())],
        &[Rename("b/sub".into(), "other/sub".into())],
    ];
    let wanted = [
        "C /b",
        "D /b/sub",
        "C /other",
        "A /other/sub",
        "A /other/sub/f",
    ];
    check(&histories, options, &wanted);
}

/// An upper directory and an empty layer below, with no mount: what a stranger might write.
struct Forged(Scratch);

impl Forged {
    fn new() -> Self {
        let scratch = Scratch::new();
        scratch.directory("upper");
        scratch.directory("lower");
        Self(scratch)
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0 .0.join(path)
    }

    fn changes(&self, marks: Marks) -> Vec<String> {
        let lower = [bytes(self.path("lower"))];
        let upper = bytes(self.path("upper"));
        listed(&changes(&upper, &lower, marks, Question::default()).unwrap())
    }
}

fn mark(path: &Path, name: &str, value: &[u8]) {
    setxattr(path, name, value, XattrFlags::empty()).unwrap();
}

#[test]
fn links_are_not_followed() {
    let forged = Forged::new();
    fs::create_dir(forged.path("lower/etc")).unwrap();
    std::os::unix::fs::symlink("/etc", forged.path("upper/etc")).unwrap();
    std::os::unix::fs::symlink("/", forged.path("upper/root")).unwrap();
    assert_eq!(forged.changes(Marks::User), ["C /etc", "A /root"]);
}

#[test]
fn a_container_cannot_forge_marks_that_the_kernel_ignores() {
    let forged = Forged::new();
    for path in ["upper/d", "lower/d"] {
        fs::create_dir(forged.path(path)).unwrap();
    }
    fs::write(forged.path("lower/d/kept"), "").unwrap();
    mark(&forged.path("upper/d"), "user.overlay.opaque", b"y");
    mark(&forged.path("upper/d"), "user.overlay.redirect", b"/etc");
    assert!(forged.changes(Marks::Trusted).is_empty());
    assert_eq!(forged.changes(Marks::User), ["C /d", "D /d/kept"]);
}

#[test]
fn whiteouts_by_attribute() {
    let forged = Forged::new();
    for path in ["upper/d", "lower/d"] {
        fs::create_dir(forged.path(path)).unwrap();
    }
    for path in [
        "lower/d/gone",
        "lower/d/still",
        "upper/d/gone",
        "upper/d/new",
    ] {
        fs::write(forged.path(path), "").unwrap();
    }
    mark(&forged.path("upper/d"), "user.overlay.opaque", b"x");
    mark(&forged.path("upper/d/gone"), "user.overlay.whiteout", b"");
    assert_eq!(
        forged.changes(Marks::User),
        ["C /d", "D /d/gone", "A /d/new"]
    );
}

#[test]
fn redirects_that_leave_the_layer_or_never_end() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    for target in ["/../../etc", "..", "/", "", "//", "/d", "d", "/d/d/d"] {
        let forged = Forged::new();
        for path in ["upper/d", "lower/d"] {
            fs::create_dir(forged.path(path)).unwrap();
            mark(
                &forged.path(path),
                "trusted.overlay.redirect",
                target.as_bytes(),
            );
        }
        assert!(forged.changes(Marks::Trusted).is_empty(), "{target}");
    }
}

#[test]
fn a_tree_deeper_than_any_path() {
    let forged = Forged::new();
    let mut here = openat(CWD, forged.path("upper"), OFlags::PATH, Mode::empty()).unwrap();
    for _ in 0..5_000 {
        mkdirat(&here, "d", Mode::RWXU).unwrap();
        here = openat(&here, "d", OFlags::PATH, Mode::empty()).unwrap();
    }
    let found = forged.changes(Marks::Trusted);
    assert_eq!(found.len(), 2049);
    assert_eq!(tree_size_bytes(&bytes(forged.path("upper"))).unwrap(), 0);
}

#[test]
fn odd_names_and_kinds() {
    let forged = Forged::new();
    let name = std::ffi::OsStr::from_bytes(b"\xff\n");
    fs::write(forged.path("upper").join(name), "").unwrap();
    let path = forged.path("upper/pipe");
    mknodat(CWD, &path, FileType::Fifo, Mode::RWXU, 0).unwrap();
    assert_eq!(forged.changes(Marks::Trusted), ["A /pipe", "A /\u{fffd}\n"]);
}

#[test]
fn a_size_counts_hard_links_once() {
    let forged = Forged::new();
    fs::create_dir(forged.path("upper/d")).unwrap();
    fs::write(forged.path("upper/d/a"), vec![0; 1000]).unwrap();
    fs::hard_link(forged.path("upper/d/a"), forged.path("upper/b")).unwrap();
    fs::write(forged.path("upper/c"), vec![0; 10]).unwrap();
    std::os::unix::fs::symlink("d/a", forged.path("upper/link")).unwrap();
    assert_eq!(tree_size_bytes(&bytes(forged.path("upper"))).unwrap(), 1010);
}

#[test]
fn a_missing_layer_is_named() {
    let forged = Forged::new();
    let missing = bytes(forged.path("lower/none"));
    let error = changes(
        &bytes(forged.path("upper")),
        &[missing],
        Marks::User,
        Question::default(),
    )
    .unwrap_err();
    assert!(error
        .to_string()
        .ends_with("lower/none: no such file or directory"));
}
