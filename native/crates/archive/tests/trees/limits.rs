//! Bombs: archives that would be more than anybody sent.
use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;

use drayman_archive::{unpack, Coding, Error, Limits, Options, Summary};
use flate2::read::GzEncoder;

use crate::support::{directory, file, pax, special, tar, Root};

const BOUNDED: Limits = Limits {
    entries: 3,
    ratio: 50,
    ratio_from_bytes: 2 << 20,
};

fn held(root: &Root, body: impl Read, codings: &[Coding]) -> Result<Summary, Error> {
    let options = Options {
        codings,
        limits: BOUNDED,
        ..Options::default()
    };
    unpack(root.fd(), b"/", body, options)
}

fn told(result: Result<Summary, Error>) -> String {
    match result {
        Err(Error::Invalid(text)) => text,
        other => panic!("{other:?}"),
    }
}

#[test]
fn entries_are_counted() {
    let entries = ["a", "b", "c", "d"].map(|name| file(name, "x"));
    let root = Root::new();
    held(&root, tar(&entries[..3]).as_slice(), &[]).unwrap();
    let root = Root::new();
    let text = told(held(&root, tar(&entries).as_slice(), &[]));
    let expected = "d: the archive has more than 3 entries; \
        the engine's setting unpack_entries raises that limit";
    assert_eq!(text, expected);
    assert!(root.path("c").exists());
    assert!(!root.path("d").exists());
}

/// Global records without end, which nothing is made of: what is left is decompressing.
fn endless() -> impl Read {
    let body = format!("{} comment={}\n", 1 << 20, "0".repeat((1 << 20) - 17));
    Repeated {
        piece: [
            &tar(&[file("first", "1")])[..1024],
            &special(b'g', body.as_bytes()),
        ]
        .concat(),
        again: 1024,
        at: 0,
    }
}

/// Some bytes, and those behind `again` without end.
struct Repeated {
    piece: Vec<u8>,
    again: usize,
    at: usize,
}

impl Read for Repeated {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.at == self.piece.len() {
            self.at = self.again;
        }
        let length = into.len().min(self.piece.len() - self.at);
        into[..length].copy_from_slice(&self.piece[self.at..self.at + length]);
        self.at += length;
        Ok(length)
    }
}

fn gzip(plain: impl Read) -> impl Read {
    GzEncoder::new(plain, flate2::Compression::fast())
}

#[test]
fn what_decompresses_to_too_much_is_given_up() {
    let expected = "after first: the archive decompresses to more than 50 times its size; \
        the engine's setting unpack_ratio raises that limit";
    let bombs: [(Box<dyn Read>, &[Coding]); 3] = [
        (Box::new(gzip(endless())), &[]),
        (Box::new(gzip(endless())), &[Coding::Gzip]),
        (
            Box::new(zstd::stream::read::Encoder::new(endless(), 1).unwrap()),
            &[],
        ),
    ];
    for (bomb, codings) in bombs {
        let root = Root::new();
        assert_eq!(told(held(&root, bomb, codings)), expected);
        assert_eq!(root.text("first"), "1");
    }
}

#[test]
fn a_bomb_need_not_reach_the_last_decoder() {
    // What it decompresses to are empty gzips without end, which decompress to nothing.
    let empty: Vec<u8> = {
        let mut bytes = Vec::new();
        gzip(io::empty()).read_to_end(&mut bytes).unwrap();
        bytes
    };
    let empties = Repeated {
        piece: empty,
        again: 0,
        at: 0,
    };
    let text = told(held(&Root::new(), gzip(empties), &[Coding::Gzip]));
    assert!(
        text.starts_with("the archive decompresses to more"),
        "{text}"
    );
}

#[test]
fn what_compresses_well_and_is_small_is_no_bomb() {
    let zeros = "0".repeat(1 << 20);
    let root = Root::new();
    let body = tar(&[file("image", &zeros)]);
    held(&root, gzip(body.as_slice()), &[]).unwrap();
    assert_eq!(root.text("image").len(), 1 << 20);
}

/// More directories than times are kept for, all in one that comes first.
#[test]
fn directories_without_number_keep_their_times() {
    // Long names, so that it takes but some thousands.
    let above = ["d".repeat(250).as_str(); 15].join("/");
    let mut names = vec![above.clone()];
    names.extend((0..5000).map(|number| format!("{above}/{number}")));
    let mut archive = Vec::new();
    for name in &names {
        archive.extend(pax(&[("path", name.as_bytes())]));
        archive.extend(&tar(&[directory("short")])[..512]);
    }
    let root = Root::new();
    root.unpack("/", &archive).unwrap();
    for name in [&above, &names[1], &names[5000]] {
        let stat = fs::metadata(root.path(name)).unwrap();
        // As the archive's.
        assert_eq!(stat.mtime(), 0o14_000_000_000, "{name}");
    }
}
