//! Whatever an archive holds, it is read or refused, and stays inside.
use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::symlink;

use drayman_archive::tar::{Entry, Reader};
use drayman_archive::Options;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::support::{block, pax, put, special, Made, Root};

/// One part of an archive that wants out.
fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let part = || {
        select(
            &[
                "a",
                "b",
                "l",
                "..",
                ".",
                "",
                "secret",
                "root",
                ".wh.a",
                ".wh..wh..opq",
            ][..],
        )
    };
    let path = || vec(part(), 1..5).prop_map(|parts| parts.join("/"));
    let kind = select(&b"0012255346S7xgLK\0"[..]);
    let entry = (path(), path(), kind, vec(any::<u8>(), 0..40)).prop_map(
        |(name, target, kind, content)| {
            let entry = Made {
                name: name.as_bytes(),
                kind,
                link: target.as_bytes(),
                content: &content,
                mode: 0o755,
                device: (1, 3),
            };
            let mut bytes = block(&entry, |_| {});
            if !matches!(kind, b'1'..=b'6') {
                bytes.extend_from_slice(&content);
                bytes.resize(bytes.len().next_multiple_of(512), 0);
            }
            bytes
        },
    );
    let key = select(
        &[
            "path",
            "linkpath",
            "size",
            "GNU.sparse.map",
            "GNU.sparse.name",
            "SCHILY.xattr.user.x",
        ][..],
    );
    let records = (key, path()).prop_map(|(key, value)| pax(&[(key, value.as_bytes())]));
    let long = (select(&b"LK"[..]), path()).prop_map(|(kind, text)| special(kind, text.as_bytes()));
    prop_oneof![8 => entry, 1 => records, 1 => long]
}

/// A header with anything in one of its fields, its sum made right.
fn odd_block() -> impl Strategy<Value = Vec<u8>> {
    let fields = [
        0, 100, 108, 116, 124, 136, 156, 157, 257, 329, 337, 345, 386, 482, 483, 500,
    ];
    let change = (select(fields.to_vec()), vec(any::<u8>(), 1..12));
    (vec(change, 0..4), select(&b"0157LKSxgVD"[..])).prop_map(|(changes, kind)| {
        let entry = Made {
            name: b"name",
            kind,
            ..Made::default()
        };
        block(&entry, |block| {
            for (at, bytes) in &changes {
                put(block, *at, bytes);
            }
        })
    })
}

fn odd_archive() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        4 => odd_block(),
        2 => hostile(),
        1 => vec(any::<u8>(), 512..=512),
        1 => vec(any::<u8>(), 0..600),
        1 => Just(vec![0; 512]),
    ];
    vec(part, 0..8).prop_map(|parts| parts.concat())
}

/// A stream that comes in pieces of a few bytes.
struct Dribble<'b> {
    bytes: &'b [u8],
    pieces: std::iter::Cycle<std::vec::IntoIter<usize>>,
}

impl Read for Dribble<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let piece = self.pieces.next().unwrap_or(1).min(into.len());
        self.bytes.read(&mut into[..piece])
    }
}

type Told = (Vec<(Entry, Vec<u8>)>, Option<String>);

/// All that a reader says of an archive, with the complaint it ends in.
fn told(source: impl Read) -> Told {
    let mut reader = Reader::new(source);
    let mut entries = Vec::new();
    loop {
        let entry = match reader.next_entry() {
            Ok(Some(entry)) => entry,
            Ok(None) => return (entries, None),
            Err(error) => return (entries, Some(error.to_string())),
        };
        let mut content = Vec::new();
        loop {
            match reader.content() {
                Ok([]) => break,
                Ok(piece) => {
                    content.extend_from_slice(piece);
                    let length = piece.len();
                    reader.consume(length);
                }
                Err(error) => return (entries, Some(error.to_string())),
            }
        }
        entries.push((entry, content));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn nothing_gets_out(parts in vec(hostile(), 0..12), whiteouts: bool, strict: bool) {
        let root = Root::new();
        fs::create_dir(root.path("place")).unwrap();
        symlink("../..", root.path("place/l")).unwrap();
        let options = Options { whiteouts, no_overwrite_dir_non_dir: strict, owner: None, name: None };
        let _ = root.unpack_with("/place", &parts.concat(), options);
        root.assert_untouched();
    }

    #[test]
    fn an_archive_says_the_same_however_it_is_cut(
        archive in odd_archive(),
        pieces in vec(1..700_usize, 1..6),
    ) {
        let cut = Dribble { bytes: &archive, pieces: pieces.into_iter().cycle() };
        prop_assert_eq!(told(archive.as_slice()), told(cut));
    }

    #[test]
    fn any_bytes_are_an_archive_or_an_error(bytes in vec(any::<u8>(), 0..2000)) {
        let (entries, _) = told(bytes.as_slice());
        prop_assert!(entries.len() <= bytes.len() / 512);
    }
}
