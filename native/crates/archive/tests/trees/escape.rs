//! One test for each way out of the directory. None may lead there.
use std::fs;
use std::os::unix::fs::{symlink, FileTypeExt};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::support::{directory, file, link, tar, Made, Memory, Root, SECRET};
use drayman_archive::{pack, Error, Options, Packing};

fn refused(result: Result<drayman_archive::Summary, Error>, text: &str) {
    let error = result.unwrap_err().to_string();
    assert!(error.contains(text), "{error}");
}

#[test]
fn an_absolute_name_is_taken_from_the_place() {
    let root = Root::new();
    let outside = root.outer("new");
    let name = outside.to_str().unwrap();
    root.unpack("/", &tar(&[file(name, "x")])).unwrap();
    assert_eq!(root.text(&name[1..]), "x");
    root.assert_untouched();
}

#[test]
fn a_name_that_climbs_is_refused() {
    for name in ["../secret", "a/../../secret", "..", "./../x"] {
        let root = Root::new();
        refused(
            root.unpack("/", &tar(&[file(name, "x")])),
            "is outside of \"/\"",
        );
        root.assert_untouched();
    }
    let root = Root::new();
    root.unpack("/", &tar(&[file("/../../secret", "x")]))
        .unwrap();
    assert_eq!(root.text("secret"), "x");
    root.assert_untouched();
}

#[test]
fn a_name_below_the_place_cannot_climb_into_the_root() {
    let root = Root::new();
    fs::create_dir(root.path("place")).unwrap();
    refused(
        root.unpack("/place", &tar(&[file("../x", "x")])),
        "\"../x\" is outside of \"/place\"",
    );
    assert!(!root.path("x").exists());
}

#[test]
fn writing_through_a_link_of_the_archive_stays_inside() {
    let root = Root::new();
    let up = "../".repeat(20);
    let archive = tar(&[
        link(b'2', "absolute", root.outer("").to_str().unwrap()),
        link(b'2', "relative", &up),
        file("relative/secret", "inside"),
        file("absolute/secret", "x"),
    ]);
    // The second leads to a directory that exists outside alone.
    refused(root.unpack("/", &archive), "/absolute: not a directory");
    assert_eq!(root.text("secret"), "inside");
    root.assert_untouched();
}

#[test]
fn writing_onto_a_link_replaces_the_link() {
    let root = Root::new();
    symlink(root.outer("secret"), root.path("file")).unwrap();
    symlink(root.outer(""), root.path("directory")).unwrap();
    let archive = tar(&[
        file("file", "new"),
        directory("directory"),
        file("directory/secret", "y"),
    ]);
    root.unpack("/", &archive).unwrap();
    assert_eq!(root.text("file"), "new");
    assert_eq!(root.text("directory/secret"), "y");
    root.assert_untouched();
}

#[test]
fn a_hard_link_reaches_nothing_outside() {
    let root = Root::new();
    let outside = root.outer("secret");
    let absolute = outside.to_str().unwrap();
    refused(
        root.unpack("/", &tar(&[link(b'1', "l", absolute)])),
        "no such file",
    );
    refused(
        root.unpack("/", &tar(&[link(b'1', "l", "../secret")])),
        "invalid hardlink",
    );
    symlink(root.outer(""), root.path("out")).unwrap();
    refused(
        root.unpack("/", &tar(&[link(b'1', "l", "out/secret")])),
        "link /l",
    );
    // A hard link to a link is the link again, not what it points to.
    symlink(&outside, root.path("soft")).unwrap();
    root.unpack("/", &tar(&[link(b'1', "l", "soft"), file("l", "x")]))
        .unwrap();
    assert_eq!(root.text("l"), "x");
    root.assert_untouched();
}

#[test]
fn a_hard_link_stays_below_the_place() {
    let root = Root::new();
    fs::create_dir(root.path("place")).unwrap();
    fs::write(root.path("passwd"), "x").unwrap();
    refused(
        root.unpack("/place", &tar(&[link(b'1', "l", "../passwd")])),
        "invalid hardlink",
    );
    refused(
        root.unpack("/place", &tar(&[link(b'1', "l", "/passwd")])),
        "no such file",
    );
}

#[test]
fn a_device_is_made_where_its_name_says_and_never_opened() {
    let root = Root::new();
    symlink(root.outer("secret"), root.path("node")).unwrap();
    let node = |name| Made {
        name,
        kind: b'3',
        device: (1, 3),
        ..Made::default()
    };
    root.unpack("/", &tar(&[node(b"node")])).unwrap();
    let stat = fs::symlink_metadata(root.path("node")).unwrap();
    assert!(stat.file_type().is_char_device());
    refused(root.unpack("/", &tar(&[node(b"../null")])), "is outside of");
    // A file of the device's name takes its place; nothing is written to the device.
    root.unpack("/", &tar(&[file("node", "text")])).unwrap();
    assert_eq!(root.text("node"), "text");
    root.assert_untouched();
}

#[test]
fn a_whiteout_removes_nothing() {
    let layer = Options {
        whiteouts: true,
        ..Options::default()
    };
    for name in [".wh...", ".wh..", ".wh.", "a/.wh..."] {
        let root = Root::new();
        let result = root.unpack_with("/", &tar(&[file(name, "")]), layer);
        refused(result, "invalid whiteout");
        root.assert_untouched();
    }
    let root = Root::new();
    let out = root.outer("");
    let archive = tar(&[
        link(b'2', "out", out.to_str().unwrap()),
        file("out/.wh.secret", ""),
    ]);
    assert!(root.unpack_with("/", &archive, layer).is_err());
    root.assert_untouched();
}

#[test]
fn the_place_itself_is_resolved_inside() {
    let root = Root::new();
    symlink(root.outer(""), root.path("out")).unwrap();
    let result = root.unpack("/out", &tar(&[file("x", "x")]));
    assert!(matches!(result, Err(Error::NotFound(path)) if path == "/out"));
    symlink("/real", root.path("in")).unwrap();
    fs::create_dir(root.path("real")).unwrap();
    root.unpack("/in", &tar(&[file("x", "x")])).unwrap();
    assert_eq!(root.text("real/x"), "x");
    root.assert_untouched();
}

/// Someone inside keeps exchanging a directory for a link to the outside.
#[test]
fn a_link_swapped_in_while_we_work_leads_nowhere() {
    let root = Root::new();
    fs::create_dir(root.path("d")).unwrap();
    symlink(root.outer(""), root.path("l")).unwrap();
    let archive = tar(&[
        file("d/secret", "x"),
        file("d/new", "x"),
        directory("d/sub"),
        link(b'1', "d/hard", "d/secret"),
        link(b'2', "d/soft", "x"),
    ]);
    let stop = AtomicBool::new(false);
    let mut leaked = false;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let parent = fs::File::open(root.path("")).unwrap();
            let exchange = rustix::fs::RenameFlags::EXCHANGE;
            while !stop.load(Ordering::Relaxed) {
                let _ = rustix::fs::renameat_with(&parent, "d", &parent, "l", exchange);
            }
        });
        for _ in 0..300 {
            // Either may fail, for the link leads to nothing inside.
            let _ = root.unpack("/", &archive);
            let mut sink = Memory(Vec::new());
            let _ = pack(root.fd(), b"/d/", &Packing::default(), &mut sink);
            let _ = pack(root.fd(), b"/", &Packing::default(), &mut sink);
            leaked |= sink
                .0
                .windows(SECRET.len())
                .any(|window| window == SECRET.as_bytes());
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert!(!leaked);
    root.assert_untouched();
}
