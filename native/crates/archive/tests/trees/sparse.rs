//! Files with holes, in all forms that GNU tar writes, and maps that lie.
use std::fs;
use std::io::Write;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::process::{Command, Stdio};

use drayman_archive::Packing;

use crate::support::{block, file, pax, put, special, Made, Root};

const END: [u8; 1024] = [0; 1024];

fn complaint(parts: &[&[u8]]) -> String {
    let root = Root::new();
    let error = root.unpack("/", &parts.concat()).unwrap_err().to_string();
    root.assert_untouched();
    error
}

/// GNU tar is right by definition: it invented all four.
#[test]
fn every_form_of_gnu_tar_comes_out_with_its_holes() {
    let origin = Root::new();
    let holed = fs::File::create(origin.path("holed")).unwrap();
    // More pieces than fit in a header and the block behind it; the end is a hole, too.
    for piece in 0..40 {
        let text = format!("piece {piece}");
        holed.write_all_at(text.as_bytes(), piece << 20).unwrap();
    }
    holed.set_len(50 << 20).unwrap();
    let expected = fs::read(origin.path("holed")).unwrap();
    for form in [
        &["--format=gnu"][..],
        &["--format=posix", "--sparse-version=0.0"],
        &["--format=posix", "--sparse-version=0.1"],
        &["--format=posix", "--sparse-version=1.0"],
    ] {
        let written = Command::new("tar")
            .args(["--create", "--sparse", "--file=-", "--directory"])
            .arg(origin.path(""))
            .args(form)
            .arg("holed")
            .output()
            .unwrap();
        assert!(written.status.success(), "{form:?}");
        let root = Root::new();
        let summary = root.unpack("/", &written.stdout).unwrap();
        assert_eq!(summary.content_bytes, 50 << 20, "{form:?}");
        assert!(
            fs::read(root.path("holed")).unwrap() == expected,
            "{form:?}"
        );
        let stored_bytes = fs::metadata(root.path("holed")).unwrap().blocks() * 512;
        assert!(stored_bytes < 2 << 20, "{form:?}: {stored_bytes}");
    }
}

fn mapped(map: &str, real_bytes: &str, content: &str) -> String {
    let records = pax(&[
        ("GNU.sparse.map", map.as_bytes()),
        ("GNU.sparse.size", real_bytes.as_bytes()),
    ]);
    let mut stored = content.as_bytes().to_vec();
    stored.resize(stored.len().next_multiple_of(512), 0);
    complaint(&[&records, &block(&file("x", content), |_| {}), &stored, &END])
}

#[test]
fn maps_that_lie_are_refused() {
    for (map, real_bytes, content, expected) in [
        ("5,1,0,1", "9", "ab", "out of order"),
        ("0,2,1,1", "9", "abc", "out of order"),
        ("8,2", "9", "ab", "out of order"),
        ("18446744073709551615,1", "9", "a", "out of order"),
        ("0,1", "9", "ab", "differ"),
        ("0,2", "9", "a", "differ"),
        ("0", "9", "a", "sparse map"),
        ("0,1,", "9", "a", "sparse map"),
        ("0,-1", "9", "a", "sparse map"),
        ("0,1", "nine", "a", "GNU.sparse.size"),
    ] {
        let text = mapped(map, real_bytes, content);
        assert!(text.contains(expected), "{map}: {text}");
    }
    let unpaired = pax(&[("GNU.sparse.numbytes", b"1"), ("GNU.sparse.offset", b"0")]);
    let text = complaint(&[&unpaired, &block(&file("x", ""), |_| {}), &END]);
    assert!(text.contains("sparse map"), "{text}");
}

#[test]
fn a_size_that_no_file_system_holds_is_an_error() {
    let text = mapped("0,1", "18446744073709551615", "a");
    assert!(text.contains("truncate /x: "), "{text}");
}

#[test]
fn a_stored_map_that_lies_is_refused() {
    let records = pax(&[("GNU.sparse.major", b"1"), ("GNU.sparse.minor", b"0")]);
    let digits = "1".repeat(21);
    for map in [
        "",
        "x\n",
        "1\n0\n",
        "99999999999\n",
        digits.as_str(),
        "1\n0\n600\n",
    ] {
        let header = block(&file("x", map), |_| {});
        let mut stored = map.as_bytes().to_vec();
        stored.resize(stored.len().next_multiple_of(512), 0);
        let text = complaint(&[&records, &header, &stored, &END]);
        assert!(text.contains("sparse map"), "{map}: {text}");
    }
}

fn old_gnu(change: impl FnOnce(&mut [u8])) -> Vec<u8> {
    let entry = Made {
        kind: b'S',
        ..file("x", "")
    };
    block(&entry, |block| {
        put(block, 257, b"ustar  \0");
        put(block, 386, &[b"00000000000\0".as_slice(); 2].concat());
        put(block, 483, b"00000000010\0");
        change(block);
    })
}

#[test]
fn an_old_map_that_lies_is_refused() {
    assert_eq!(unpacked(&old_gnu(|_| {})), 8);
    let posix = old_gnu(|block| put(block, 257, b"ustar\x0000"));
    assert!(complaint(&[&posix, &END]).contains("sparse entry of an unknown kind"));
    let longer = old_gnu(|block| put(block, 398, b"00000000001\0"));
    assert!(complaint(&[&longer, &END]).contains("differ"));
    let bad_digits = old_gnu(|block| block[386] = b'9');
    assert!(complaint(&[&bad_digits, &END]).contains("sparse map"));
    let unended = old_gnu(|block| block[482] = 1);
    assert!(complaint(&[&unended]).contains("sparse map"));
    // A map without end is given up before it fills the memory.
    let mut more = [0; 512];
    for segment in 0..21 {
        put(
            &mut more,
            segment * 24,
            &[b"00000000000\0".as_slice(); 2].concat(),
        );
    }
    more[504] = 1;
    let endless = more.repeat((1 << 19) / 21 + 1);
    assert!(complaint(&[&unended, &endless]).contains("sparse map too long"));
}

fn unpacked(header: &[u8]) -> u64 {
    let root = Root::new();
    root.unpack("/", &[header, &END].concat()).unwrap();
    fs::metadata(root.path("x")).unwrap().len()
}

/// One name for all readers: what a map's file is called counts over `path`.
#[test]
fn a_sparse_name_outweighs_the_path() {
    let records = pax(&[
        ("path", b"GNUSparseFile.1/x"),
        ("GNU.sparse.name", b"../climbs"),
        ("GNU.sparse.map", b"0,0"),
        ("GNU.sparse.size", b"0"),
    ]);
    let text = complaint(&[&records, &special(b'0', b""), &END]);
    assert!(text.contains("is outside of"), "{text}");
}

fn holed(root: &Root) -> Vec<u8> {
    let holed = fs::File::create(root.path("holed")).unwrap();
    holed.write_all_at(b"first", 1 << 20).unwrap();
    holed.write_all_at(b"last", 8 << 20).unwrap();
    holed.set_len(9 << 20).unwrap();
    fs::File::create(root.path("empty"))
        .unwrap()
        .set_len(2 << 20)
        .unwrap();
    fs::write(root.path("plain"), "no holes").unwrap();
    fs::read(root.path("holed")).unwrap()
}

#[test]
fn holes_are_left_out_where_that_is_asked_for() {
    let root = Root::new();
    let expected = holed(&root);
    let packing = Packing {
        sparse: true,
        ..Packing::default()
    };
    let tar = root.pack_with("/.", &packing);
    assert!(tar.len() < 64 << 10, "{}", tar.len());
    assert!(root.pack("/.").len() > 11 << 20);

    let ours = Root::new();
    ours.unpack("/", &tar).unwrap();
    let theirs = Root::new();
    let mut gnu = Command::new("tar")
        .args(["--extract", "--directory"])
        .arg(theirs.path(""))
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    gnu.stdin.take().unwrap().write_all(&tar).unwrap();
    assert!(gnu.wait().unwrap().success());
    for copy in [ours, theirs] {
        assert_eq!(fs::read(copy.path("holed")).unwrap(), expected);
        assert!(copy.path("holed").metadata().unwrap().blocks() < 100);
        assert_eq!(copy.path("empty").metadata().unwrap().len(), 2 << 20);
        assert_eq!(copy.text("plain"), "no holes");
    }
}
