//! What happens to that which lies in an entry's way.
use std::fs;
use std::os::unix::fs::{symlink, MetadataExt};

use drayman_archive::{Limits, Options};

use crate::support::{directory, file, link, pax, tar, Mounted, Root};

const STRICT: Options<'_> = Options {
    no_overwrite_dir_non_dir: true,
    owner: None,
    whiteouts: false,
    codings: &[],
    limits: Limits::NONE,
    name: None,
};

#[test]
fn files_are_replaced_not_written_through() {
    let root = Root::new();
    fs::write(root.path("one"), "old").unwrap();
    fs::hard_link(root.path("one"), root.path("other")).unwrap();
    symlink("other", root.path("soft")).unwrap();
    let archive = tar(&[file("one", "new"), file("soft", "also")]);
    root.unpack("/", &archive).unwrap();
    assert_eq!(
        (root.text("one"), root.text("other")),
        ("new".into(), "old".into())
    );
    assert_eq!(root.text("soft"), "also");
}

#[test]
fn directories_merge_and_take_the_entrys_attributes() {
    let root = Root::new();
    fs::create_dir(root.path("d")).unwrap();
    fs::write(root.path("d/kept"), "k").unwrap();
    root.unpack("/", &tar(&[directory("d/"), file("d/new", "n")]))
        .unwrap();
    assert_eq!(
        (root.text("d/kept"), root.text("d/new")),
        ("k".into(), "n".into())
    );
    // Set at the end: what was put in since has not changed it.
    let stat = fs::metadata(root.path("d")).unwrap();
    assert_eq!(
        (stat.mode() & 0o7777, stat.mtime()),
        (0o755, 0o14_000_000_000)
    );
}

#[test]
fn a_directory_and_a_file_replace_each_other_unless_forbidden() {
    for (archive, there) in [
        (
            tar(&[file("x", "1")]),
            "cannot overwrite directory \"/x\" with non-directory \"/\"",
        ),
        (
            tar(&[directory("x/")]),
            "cannot overwrite non-directory \"/x\" with directory \"/\"",
        ),
    ] {
        for strict in [true, false] {
            let root = Root::new();
            if there.starts_with("cannot overwrite directory") {
                fs::create_dir_all(root.path("x/y")).unwrap();
                fs::write(root.path("x/y/z"), "").unwrap();
            } else {
                symlink("/somewhere", root.path("x")).unwrap();
            }
            let before = root.listing();
            let options = if strict { STRICT } else { Options::default() };
            match root.unpack_with("/", &archive, options) {
                Err(error) => assert_eq!(
                    (error.to_string().as_str(), root.listing()),
                    (there, before)
                ),
                Ok(_) => assert!(!strict && root.listing() != before),
            }
        }
    }
}

#[test]
fn parents_that_are_missing_are_made_for_root() {
    let root = Root::new();
    root.unpack("/", &tar(&[file("a/b/c", "1")])).unwrap();
    let stat = fs::metadata(root.path("a/b")).unwrap();
    assert_eq!(
        (stat.mode() & 0o7777, stat.uid(), stat.gid()),
        (0o755, 0, 0)
    );
}

#[test]
fn a_parent_that_is_a_file_is_an_error() {
    let root = Root::new();
    let error = root
        .unpack("/", &tar(&[file("a", ""), file("a/b", "")]))
        .unwrap_err();
    assert_eq!(error.to_string(), "mkdir /a: not a directory");
}

/// `var/run/x` must work where `/var/run` is a link to `/run`, as in most images.
#[test]
fn entries_cross_absolute_links_inside_the_root() {
    let root = Root::new();
    fs::create_dir_all(root.path("var")).unwrap();
    fs::create_dir_all(root.path("run")).unwrap();
    symlink("/run", root.path("var/run")).unwrap();
    root.unpack("/", &tar(&[file("var/run/x", "1")])).unwrap();
    root.unpack("/var", &tar(&[file("run/y", "2")])).unwrap();
    assert_eq!(
        (root.text("run/x"), root.text("run/y")),
        ("1".into(), "2".into())
    );
}

#[test]
fn hard_links_join_what_is_there_or_came_before() {
    let root = Root::new();
    fs::write(root.path("there"), "t").unwrap();
    let archive = tar(&[
        file("came", "c"),
        link(b'1', "one", "came"),
        link(b'1', "two", "/there"),
        link(b'1', "one", "came"),
    ]);
    root.unpack("/", &archive).unwrap();
    let inode = |name: &str| fs::metadata(root.path(name)).unwrap().ino();
    assert_eq!(
        (inode("one"), inode("two")),
        (inode("came"), inode("there"))
    );
}

#[test]
fn an_owner_asked_for_outweighs_the_archive() {
    let root = Root::new();
    let options = Options {
        owner: Some((7, 8)),
        ..Options::default()
    };
    let archive = tar(&[file("f", ""), directory("d"), link(b'2', "l", "f")]);
    root.unpack_with("/", &archive, options).unwrap();
    for name in ["f", "d", "l"] {
        let stat = fs::symlink_metadata(root.path(name)).unwrap();
        assert_eq!((stat.uid(), stat.gid()), (7, 8), "{name}");
    }
}

#[test]
fn capabilities_and_set_id_bits_outlive_the_owner() {
    let root = Root::new();
    let capability = b"\x01\0\0\x02\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    let mut archive = pax(&[("SCHILY.xattr.security.capability", capability)]);
    let mut set_id = file("f", "x");
    set_id.mode = 0o6755;
    archive.extend(tar(&[set_id]));
    let options = Options {
        owner: Some((1000, 1000)),
        ..Options::default()
    };
    root.unpack_with("/", &archive, options).unwrap();
    let mut value = [0; 64];
    let length = rustix::fs::getxattr(root.path("f"), "security.capability", &mut value).unwrap();
    assert_eq!(&value[..length], capability);
    let stat = fs::metadata(root.path("f")).unwrap();
    assert_eq!(stat.mode() & 0o7777, 0o6755);
}

#[test]
fn overlayfs_keeps_its_attributes_to_itself() {
    let root = Root::new();
    let records = pax(&[
        ("SCHILY.xattr.trusted.overlay.redirect", b"/etc"),
        ("SCHILY.xattr.trusted.mine", b"yes"),
    ]);
    root.unpack("/", &[records, tar(&[directory("d")])].concat())
        .unwrap();
    let mut names = [0; 256];
    let length = rustix::fs::listxattr(root.path("d"), &mut names).unwrap();
    assert_eq!(&names[..length], b"trusted.mine\0");
}

/// A volume's files are no part of the tree that is to make way.
#[test]
fn a_mount_is_not_emptied_to_make_way() {
    for place in ["x", "x/below"] {
        let root = Root::new();
        fs::create_dir_all(root.path("x/below")).unwrap();
        fs::create_dir(root.path("volume")).unwrap();
        fs::write(root.path("volume/precious"), "p").unwrap();
        // Of the same file system, so that a device number would not tell.
        let mounted = Mounted::bind(&root.path("volume"), &root.path(place));
        let result = root.unpack("/", &tar(&[file("x", "1")]));
        drop(mounted);
        assert_eq!(
            result.unwrap_err().to_string(),
            "remove /x: device or resource busy"
        );
        assert_eq!(root.text("volume/precious"), "p");
    }
}
