//! What other writers send: each dialect of tar, and the ways in which each can be broken.
use std::fs;
use std::os::unix::fs::MetadataExt;

use crate::support::{block, file, link, pax, put, special, tar, Made, Root};

const END: [u8; 1024] = [0; 1024];

fn unpacked(parts: &[&[u8]]) -> Root {
    let root = Root::new();
    root.unpack("/", &parts.concat()).unwrap();
    root
}

fn complaint(parts: &[&[u8]]) -> String {
    let root = Root::new();
    let error = root.unpack("/", &parts.concat()).unwrap_err().to_string();
    root.assert_untouched();
    error
}

/// A file's header and content, without the archive's end.
fn entry(name: &str, content: &str) -> Vec<u8> {
    let mut whole = tar(&[file(name, content)]);
    whole.truncate(whole.len() - END.len());
    whole
}

fn header(name: &str, change: impl FnOnce(&mut [u8])) -> Vec<u8> {
    block(&file(name, ""), change)
}

#[test]
fn v7_has_no_magic_and_marks_directories_by_a_slash() {
    let strip = |block: &mut [u8]| block[257..].fill(0);
    let old = |name: &str| {
        header(name, |block| {
            strip(block);
            block[156] = 0;
        })
    };
    let root = unpacked(&[&old("d/"), &old("d/f"), &END]);
    assert!(root.path("d").is_dir());
    assert_eq!(root.text("d/f"), "");
}

#[test]
fn a_ustar_prefix_goes_before_the_name() {
    let long = "p".repeat(150);
    let prefixed = header("name", |block| put(block, 345, long.as_bytes()));
    let root = unpacked(&[&prefixed, &END]);
    assert!(root.path(&long).join("name").exists());
    // Schilling's has 131 bytes of it, and times behind.
    let star = header("name", |block| {
        put(block, 345, &[b'q'; 131]);
        put(block, 508, b"tar\0");
    });
    assert!(unpacked(&[&star, &END])
        .path(&"q".repeat(131))
        .join("name")
        .exists());
}

#[test]
fn pax_records_outweigh_the_header() {
    let name = "ä".repeat(120);
    let records = pax(&[
        ("path", name.as_bytes()),
        ("mtime", b"1234567890.987654321"),
        ("size", b"3"),
        ("comment", b"ignored"),
    ]);
    let short = block(&file("x", "abc"), |block| put(block, 124, b"00000000000"));
    let mut content = b"abc".to_vec();
    content.resize(512, 0);
    let root = unpacked(&[&records, &short, &content, &entry("next", "n"), &END]);
    assert_eq!(root.text(&name), "abc");
    assert_eq!(root.text("next"), "n");
    let stat = fs::metadata(root.path(&name)).unwrap();
    assert_eq!(
        (stat.mtime(), stat.mtime_nsec()),
        (1_234_567_890, 987_654_321)
    );
}

#[test]
fn an_empty_record_takes_an_earlier_one_back() {
    let records = pax(&[("path", b"not this"), ("path", b"")]);
    let root = unpacked(&[&records, &entry("x", "1"), &END]);
    assert_eq!(root.text("x"), "1");
}

#[test]
fn records_go_for_the_next_entry_alone() {
    let records = pax(&[("path", b"first")]);
    let root = unpacked(&[&records, &entry("a", "1"), &entry("b", "2"), &END]);
    assert_eq!(
        (root.text("first"), root.text("b")),
        ("1".into(), "2".into())
    );
}

#[test]
fn global_records_are_read_and_ignored_in_any_number() {
    let global = special(b'g', b"11 path=ow\n");
    let label = block(
        &Made {
            name: b"a volume",
            kind: b'V',
            ..Made::default()
        },
        |_| {},
    );
    let many = [global.as_slice(), &label].concat().repeat(20);
    let root = unpacked(&[&many, &pax(&[("path", b"y")]), &entry("x", "1"), &END]);
    assert_eq!(root.text("y"), "1");
    // As `git archive` writes it of an empty tree.
    assert_eq!(unpacked(&[&global, &END]).listing().len(), 1);
    let broken = special(b'g', b"99 path=ow\n");
    assert!(complaint(&[&broken, &END]).contains("PAX record"));
}

#[test]
fn gnu_long_names_and_links() {
    let name = "n".repeat(200);
    let target = "t".repeat(300);
    let soft = block(&link(b'2', "s", "short"), |_| {});
    let root = unpacked(&[
        &special(b'L', format!("{name}\0junk").as_bytes()),
        &entry("short", "1"),
        &special(b'K', target.as_bytes()),
        &special(b'L', b""),
        &soft,
        &END,
    ]);
    assert_eq!(root.text(&name), "1");
    let led = fs::read_link(root.path("s")).unwrap();
    assert_eq!(led.to_str(), Some(target.as_str()));
}

#[test]
fn numbers_in_base_256() {
    let late = header("late", |block| {
        put(block, 136, b"\x80\0\0\0\0\0\0\x02\0\0\0\0");
        put(block, 257, b"ustar  \0");
    });
    let root = unpacked(&[&late, &END]);
    assert_eq!(fs::metadata(root.path("late")).unwrap().mtime(), 1 << 33);
    for (at, field, detail) in [
        (
            124,
            b"\x80\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff".as_slice(),
            "size",
        ),
        (
            124,
            b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
            "size",
        ),
        (
            136,
            b"\xbf\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
            "mtime",
        ),
    ] {
        let bad = header("x", |block| put(block, at, field));
        assert!(complaint(&[&bad, &END]).contains(detail), "{detail}");
    }
}

#[test]
fn an_owner_that_cannot_be_is_named() {
    for value in [b"-1".as_slice(), b"4294967295", b"99999999999"] {
        let text = complaint(&[&pax(&[("uid", value)]), &entry("x", ""), &END]);
        assert!(text.contains("lchown x: invalid owner"), "{text}");
    }
    let text = complaint(&[&pax(&[("gid", b"wheel")]), &entry("x", ""), &END]);
    assert!(text.contains("invalid tar header (gid)"), "{text}");
}

/// `TARmageddon`: readers that take one size for the skip and another for the content see a
/// hidden archive in the content of a file.
#[test]
fn one_size_counts_for_content_and_for_the_way_to_the_next() {
    let hidden = entry("hidden", "boo");
    let records = pax(&[("size", b"1024")]);
    let outer = block(&file("outer", ""), |_| {});
    let root = unpacked(&[&records, &outer, &hidden, &entry("next", "n"), &END]);
    assert_eq!(fs::read(root.path("outer")).unwrap(), hidden);
    assert!(!root.path("hidden").exists());
    assert_eq!(root.text("next"), "n");
    // And nothing stands behind what has no content, whatever its size field says.
    let linked = block(&link(b'2', "l", "x"), |block| {
        put(block, 124, b"00000001000");
    });
    let root = unpacked(&[&linked, &entry("seen", "s"), &END]);
    assert_eq!(root.text("seen"), "s");
}

#[test]
fn pax_lengths_that_lie_are_refused() {
    for body in [
        b"30 path=y\n".as_slice(),
        b"8 path=y\n",
        b"0 path=y\n",
        b"-1 path=y\n",
        b"18446744073709551616 path=y\n",
        b"path=y\n",
        b"10 path\0y\n\n",
    ] {
        let text = complaint(&[&special(b'x', body), &entry("x", ""), &END]);
        assert!(text.contains("PAX record"), "{text}: {body:?}");
    }
    let huge = block(&file("x", ""), |block| {
        block[156] = b'x';
        put(block, 124, b"00007777777");
    });
    assert!(complaint(&[&huge, &END]).contains("extended header too long"));
    let tower = pax(&[("path", b"y")]).repeat(20);
    assert!(complaint(&[&tower, &entry("x", ""), &END]).contains("too many extended headers"));
}

#[test]
fn sizes_that_cannot_be_end_in_an_error() {
    for size in [b"18446744073709551615".as_slice(), b"9223372036854775807"] {
        let text = complaint(&[&pax(&[("size", size)]), &entry("x", "abc"), &END]);
        assert!(text.contains("x: unexpected EOF"), "{text}");
    }
    let text = complaint(&[&pax(&[("size", b"1e3")]), &entry("x", ""), &END]);
    assert!(text.contains("invalid tar header (size)"), "{text}");
}

#[test]
fn the_end_may_be_missing_and_garbage_may_follow() {
    let whole = entry("x", "1");
    unpacked(&[&whole]);
    unpacked(&[&whole[..513]]);
    unpacked(&[&whole, &END, b"garbage"]);
    unpacked(&[&whole, &END[..512], &entry("not read", "")]);
    assert_eq!(unpacked(&[]).listing().len(), 1);
}

#[test]
fn what_ends_early_keeps_what_came_before() {
    let root = Root::new();
    let whole = tar(&[file("first", "1"), file("second", "22222")]);
    let error = root.unpack("/", &whole[..1539]).unwrap_err().to_string();
    assert_eq!(error, "/second: unexpected EOF");
    assert_eq!(root.text("first"), "1");
    let error = root.unpack("/", &whole[..1200]).unwrap_err().to_string();
    assert_eq!(error, "after first: unexpected EOF");
    let spoiled = [&whole[..1024], b"no header".as_slice(), &[b'x'; 512]].concat();
    let error = root.unpack("/", &spoiled).unwrap_err().to_string();
    assert!(error.contains("invalid tar header (checksum)"), "{error}");
}

#[test]
fn a_type_nobody_can_make_is_an_error() {
    let odd = block(
        &Made {
            name: b"odd",
            kind: b'M',
            ..Made::default()
        },
        |_| {},
    );
    assert_eq!(
        complaint(&[&odd, &END]),
        "odd: unhandled tar header type 77"
    );
}
