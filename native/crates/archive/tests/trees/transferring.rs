//! From tree to tree: what an archive between them would have done, without one.
use std::cell::Cell;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{symlink, FileExt, MetadataExt};

use drayman_archive::{transfer, Error, Options, Packed, Packing, Selection, Spot};

use crate::support::{Mounted, Root};

/// More than one range's length, and no multiple of anything.
const LARGE_BYTES: u64 = (65 << 20) + 12_345;

fn copy(from: &Root, path: &str, to: &Root, place: &str) -> Result<(Packed, u64), Error> {
    copy_with(
        from,
        path,
        &Packing::default(),
        to,
        place,
        Options::default(),
    )
}

fn copy_with(
    from: &Root,
    path: &str,
    packing: &Packing,
    to: &Root,
    place: &str,
    options: Options<'_>,
) -> Result<(Packed, u64), Error> {
    let from = Spot {
        root: from.fd(),
        path: path.as_bytes(),
    };
    let to = Spot {
        root: to.fd(),
        path: place.as_bytes(),
    };
    transfer(from, packing, to, options, || Ok(()))
}

fn holed() -> Packing {
    Packing {
        sparse: true,
        ..Packing::default()
    }
}

fn named(name: &str) -> Options<'_> {
    Options {
        name: Some(name.as_bytes()),
        ..Options::default()
    }
}

/// A tree with one of each.
fn tree() -> Root {
    let root = Root::new();
    fs::create_dir_all(root.path("a/empty")).unwrap();
    fs::write(root.path("a/small"), "small").unwrap();
    fs::hard_link(root.path("a/small"), root.path("a/twin")).unwrap();
    symlink("/etc/passwd", root.path("a/link")).unwrap();
    let large = File::create(root.path("a/large")).unwrap();
    let pattern: Vec<u8> = (0..LARGE_BYTES).map(|at| (at % 251) as u8).collect();
    large.write_all_at(&pattern, 0).unwrap();
    let sparse = File::create(root.path("a/sparse")).unwrap();
    sparse.set_len(64 << 20).unwrap();
    sparse.write_all_at(b"middle", 32 << 20).unwrap();
    root
}

#[test]
fn a_tree_arrives_as_through_an_archive() {
    let (from, through, straight) = (tree(), Root::new(), Root::new());
    through.unpack("/", &from.pack("/a")).unwrap();
    let (packed, written) =
        copy_with(&from, "/a", &holed(), &straight, "/", Options::default()).unwrap();
    assert_eq!(
        (packed.left_out, written),
        (0, LARGE_BYTES + (64 << 20) + 5)
    );
    // All but the top, whose time is that of the arrival.
    assert_eq!(straight.listing()[1..], through.listing()[1..]);
    for file in ["a/large", "a/sparse", "a/small"] {
        assert!(fs::read(straight.path(file)).unwrap() == fs::read(from.path(file)).unwrap());
    }
    let (one, other) = (straight.path("a/small"), straight.path("a/twin"));
    assert_eq!(
        fs::metadata(one).unwrap().ino(),
        fs::metadata(other).unwrap().ino()
    );
    assert!(fs::metadata(straight.path("a/sparse")).unwrap().blocks() < 1024);
}

#[test]
fn it_can_be_given_another_name() {
    let (from, to) = (tree(), Root::new());
    copy_with(&from, "/a", &holed(), &to, "/", named("b")).unwrap();
    assert_eq!(to.text("b/twin"), "small");
    assert!(!to.path("a").exists());
    copy_with(&from, "/a/.", &holed(), &to, "/", named("c")).unwrap();
    assert_eq!(to.text("c/twin"), "small");
    copy_with(&from, "/a/small", &holed(), &to, "/b", named("twin")).unwrap();
    for bad in ["", "..", "x/y"] {
        let refused = copy_with(&from, "/a", &holed(), &to, "/", named(bad)).unwrap_err();
        assert!(matches!(refused, Error::Invalid(_)), "{refused}");
    }
    from.assert_untouched();
    to.assert_untouched();
}

#[test]
fn patterns_choose() {
    let (from, to) = (tree(), Root::new());
    let packing = Packing {
        selection: Selection::new(&[], &["large".into(), "sparse".into()]).unwrap(),
        ..Packing::default()
    };
    copy_with(&from, "/a", &packing, &to, "/", Options::default()).unwrap();
    assert!(to.path("a/small").exists() && !to.path("a/large").exists());
}

#[test]
fn each_side_tells_what_is_wrong_with_it() {
    let (from, to) = (tree(), Root::new());
    fs::create_dir_all(to.path("a/large")).unwrap();
    let careful = || Options {
        no_overwrite_dir_non_dir: true,
        ..Options::default()
    };
    let failed = copy_with(&from, "/a", &holed(), &to, "/", careful()).unwrap_err();
    assert_eq!(
        failed.to_string(),
        r#"cannot overwrite directory "/a/large" with non-directory "/""#
    );
    let failed = copy(&from, "/none", &to, "/").unwrap_err();
    assert!(matches!(failed, Error::NotFound(_)), "{failed}");
    let failed = copy(&from, "/a", &to, "/none").unwrap_err();
    assert!(matches!(failed, Error::NotFound(_)), "{failed}");
    fs::write(to.path("file"), "").unwrap();
    assert!(copy(&from, "/a", &to, "/file").is_err());
}

#[test]
fn nothing_is_copied_into_itself() {
    let root = tree();
    symlink("a/empty", root.path("way")).unwrap();
    for (path, place) in [
        ("/a", "/a"),
        ("/a", "/a/empty"),
        ("/a/.", "/a"),
        ("/", "/a"),
        ("/a", "/way"),
    ] {
        let refused = copy(&root, path, &root, place).unwrap_err();
        assert!(
            refused.to_string().contains("into itself"),
            "{path} {place}: {refused}"
        );
    }
    for (path, place) in [("/a/small", "/a"), ("/a/link", "/a/.")] {
        let refused = copy(&root, path, &root, place).unwrap_err();
        assert!(
            refused.to_string().contains("the very file"),
            "{path} {place}: {refused}"
        );
    }
    assert_eq!(root.text("a/small"), "small");
    // Beside itself is another matter.
    copy_with(&root, "/a", &holed(), &root, "/", named("b")).unwrap();
    assert_eq!(root.text("b/small"), "small");
}

#[test]
fn a_way_around_into_itself_ends() {
    // One directory in two places. Either what reads is ahead of what writes, or the names grow
    // until no path is long enough.
    let (from, to) = (Root::new(), Root::new());
    let name = "n".repeat(200);
    fs::create_dir_all(from.path("a/here")).unwrap();
    fs::create_dir_all(to.path("here")).unwrap();
    let _mounted = Mounted::bind(&to.path("here"), &from.path("a/here"));
    let ended = copy_with(&from, "/a", &Packing::default(), &to, "/here", named(&name));
    if let Err(error) = ended {
        assert!(error.to_string().contains("file name too long"), "{error}");
    }
}

#[test]
fn a_copy_can_be_stopped() {
    let (from, to) = (tree(), Root::new());
    let asked = Cell::new(0);
    let stopped = || {
        asked.set(asked.get() + 1);
        match asked.get() {
            3 => Err(io::Error::from(io::ErrorKind::ConnectionAborted)),
            _ => Ok(()),
        }
    };
    let spot = |root| Spot { root, path: b"/" };
    let ended = transfer(
        spot(from.fd()),
        &Packing::default(),
        spot(to.fd()),
        named("b"),
        stopped,
    );
    assert!(matches!(ended, Err(Error::Stream(_))), "{ended:?}");
    assert_eq!(asked.get(), 3);
    assert!(to.path("b/a").exists() && !to.path("b/a/large").exists());
}

#[test]
fn nothing_is_left_of_a_file_that_came_in_part() {
    let (from, to) = (Root::new(), Root::new());
    fs::create_dir(from.path("a")).unwrap();
    fs::write(from.path("a/first"), "first").unwrap();
    fs::write(from.path("a/second"), vec![7; 100_000]).unwrap();
    let tar = from.pack("/a");
    to.unpack("/", &tar[..50_000]).unwrap_err();
    assert_eq!(to.text("a/first"), "first");
    assert!(!to.path("a/second").exists());
}
