//! An image's layer: `.wh.` names as overlayfs knows them, and the digest it is known by.
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};

use drayman_archive::{Limits, Options};
use sha2::{Digest, Sha256};

use crate::support::{directory, file, link, tar, Made, Root};

const LAYER: Options<'_> = Options {
    no_overwrite_dir_non_dir: false,
    owner: None,
    whiteouts: true,
    codings: &[],
    limits: Limits::NONE,
    name: None,
};

fn layer(entries: &[Made<'_>]) -> Root {
    let root = Root::new();
    root.unpack_with("/", &tar(entries), LAYER).unwrap();
    root.assert_untouched();
    root
}

fn is_opaque(root: &Root, name: &str) -> bool {
    let mut value = [0; 8];
    rustix::fs::getxattr(root.path(name), "trusted.overlay.opaque", &mut value)
        .is_ok_and(|length| &value[..length] == b"y")
}

fn is_whiteout(root: &Root, name: &str) -> bool {
    fs::symlink_metadata(root.path(name))
        .is_ok_and(|stat| stat.file_type().is_char_device() && stat.rdev() == 0)
}

#[test]
fn a_removed_file_becomes_overlayfss_mark() {
    let root = layer(&[directory("d"), file("d/.wh.gone", ""), file(".wh.top", "")]);
    assert!(is_whiteout(&root, "d/gone") && is_whiteout(&root, "top"));
    assert!(!root.path("d/.wh.gone").exists());
}

/// A whiteout speaks of the layers below, wherever it stands in its own.
#[test]
fn what_the_layer_brings_stays_whichever_comes_first() {
    for entries in [
        [file("f", "new"), file(".wh.f", "")],
        [file(".wh.f", ""), file("f", "new")],
    ] {
        assert_eq!(layer(&entries).text("f"), "new");
    }
    for entries in [
        [directory("d"), file("d/f", "new"), file(".wh.d", "")],
        [file(".wh.d", ""), directory("d"), file("d/f", "new")],
        [file(".wh.d", ""), file("d/f", "new"), directory("d")],
    ] {
        let root = layer(&entries);
        assert_eq!(root.text("d/f"), "new");
        assert!(is_opaque(&root, "d"));
    }
}

#[test]
fn an_opaque_directory_hides_what_lies_below_it() {
    let root = layer(&[
        directory("d"),
        file("d/.wh..wh..opq", ""),
        file("d/f", "new"),
        directory("clear"),
    ]);
    assert!(is_opaque(&root, "d") && !is_opaque(&root, "clear"));
    assert_eq!(root.text("d/f"), "new");
}

#[test]
fn the_bookkeeping_of_aufs_is_left_out() {
    let root = layer(&[
        directory(".wh..wh.plnk"),
        file(".wh..wh.plnk/1.2", "x"),
        file(".wh..wh.aufs", ""),
    ]);
    assert_eq!(root.listing().len(), 1);
}

#[test]
fn whiteouts_are_files_like_others_to_a_copy() {
    let root = Root::new();
    root.unpack("/", &tar(&[file(".wh.f", "kept")])).unwrap();
    assert_eq!(root.text(".wh.f"), "kept");
}

#[test]
fn a_whiteout_goes_through_no_link() {
    let root = Root::new();
    let entries = [
        directory("real"),
        link(b'2', "soft", "real"),
        file("soft/.wh.f", ""),
    ];
    let error = root.unpack_with("/", &tar(&entries), LAYER).unwrap_err();
    assert_eq!(
        error.to_string(),
        "open /soft: too many levels of symbolic links"
    );
    assert!(!is_whiteout(&root, "real/f"));
}

#[test]
fn the_place_takes_what_a_layer_says_of_it() {
    let open = |name| Made {
        mode: 0o1777,
        ..directory(name)
    };
    let root = layer(&[open("./"), file("f", "")]);
    let stat = fs::metadata(root.path("")).unwrap();
    assert_eq!(
        (stat.mode() & 0o7777, stat.mtime()),
        (0o1777, 0o14_000_000_000)
    );
    // A copy leaves the directory that it goes into alone.
    let root = Root::new();
    root.unpack("/", &tar(&[open("./")])).unwrap();
    assert_ne!(fs::metadata(root.path("")).unwrap().mode() & 0o7777, 0o1777);
}

#[test]
fn a_layer_is_known_by_all_its_bytes() {
    let digest = |bytes: &[u8]| {
        let hex = Sha256::digest(bytes)
            .iter()
            .fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
        format!("sha256:{hex}")
    };
    let padded = [tar(&[file("f", "content")]), vec![0; 9 << 10]].concat();
    let packed = zstd::encode_all(padded.as_slice(), 0).unwrap();
    for bytes in [&padded, &packed] {
        let summary = Root::new().unpack_with("/", bytes, LAYER).unwrap();
        assert_eq!(
            (summary.diff_id, summary.content_bytes),
            (digest(&padded), 7)
        );
    }
    let empty = Root::new().unpack_with("/", b"", LAYER).unwrap();
    assert_eq!(empty.diff_id, digest(b""));
    // A stream that breaks behind the archive's end is not that layer.
    let cut = &packed[..packed.len() - 3];
    assert!(Root::new().unpack_with("/", cut, LAYER).is_err());
    let copied = Root::new().unpack("/", &padded).unwrap();
    assert_eq!(copied.diff_id, "");
}
