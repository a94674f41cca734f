//! Nothing that is unpacked gets out of its root. The first byte is how it is unpacked, and
//! whether sums are made right, without which a compressed archive would be none.
#![no_main]
use std::fs;
use std::os::fd::AsFd;
use std::os::unix::fs::symlink;

use drayman_archive::{unpack, Coding, Limits, Options};
use drayman_fuzz::{place, sealed};
use libfuzzer_sys::fuzz_target;

/// What the body may be told to be in.
const CODINGS: [&[Coding]; 4] = [
    &[],
    &[Coding::Gzip],
    &[Coding::Deflate],
    &[Coding::Zstd, Coding::Gzip],
];

fuzz_target!(|input: &[u8]| {
    let Some((&how, archive)) = input.split_first() else {
        return;
    };
    let outer = place();
    fs::create_dir_all(outer.join("root/place")).unwrap();
    fs::write(outer.join("secret"), "untold").unwrap();
    symlink("../..", outer.join("root/place/l")).unwrap();
    let root = fs::File::open(outer.join("root")).unwrap();
    let options = Options {
        whiteouts: how & 1 != 0,
        no_overwrite_dir_non_dir: how & 2 != 0,
        owner: (how & 4 != 0).then_some((7, 8)),
        codings: CODINGS[usize::from(how >> 4 & 3)],
        limits: Limits {
            entries: 1000,
            ratio: 100,
            ratio_from_bytes: 1 << 20,
        },
        name: (how & 64 != 0).then_some(b"name"),
    };
    let _ = if how & 8 == 0 {
        unpack(root.as_fd(), b"/place", sealed(archive).as_slice(), options)
    } else {
        unpack(root.as_fd(), b"/place", archive, options)
    };
    let mut names: Vec<_> = fs::read_dir(&outer)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    names.sort();
    assert_eq!(names, ["root", "secret"]);
    assert_eq!(fs::read(outer.join("secret")).unwrap(), b"untold");
    fs::remove_dir_all(outer).unwrap();
});
