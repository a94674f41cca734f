//! Whatever a tree holds comes back from an archive.
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use proptest::collection::vec;
use proptest::prelude::*;
use rustix::fs::{
    chmodat, chownat, makedev, mknodat, utimensat, AtFlags, FileType, Gid, Mode, Timespec,
    Timestamps, Uid, CWD,
};

use crate::support::Root;

/// One file of a tree to be made.
#[derive(Clone, Debug)]
enum Body {
    File(Vec<u8>),
    Large(usize),
    Directory,
    Symlink(Vec<u8>),
    Fifo,
    Device(u32, u32),
    /// Another name of the nth file before.
    HardLink(usize),
}

#[derive(Clone, Debug)]
struct Node {
    /// Which of the directories made so far it lies in.
    parent: usize,
    name: Vec<u8>,
    body: Body,
    mode: u16,
    owner: (u32, u32),
    mtime_s: i64,
}

fn name() -> impl Strategy<Value = Vec<u8>> {
    let byte = any::<u8>().prop_filter("no name has it", |byte| !matches!(byte, 0 | b'/'));
    let name = prop_oneof![
        3 => "[a-c]{1,2}".prop_map(String::into_bytes),
        1 => vec(byte, 1..200),
    ];
    name.prop_filter("no name", |name| name != b"." && name != b"..")
}

fn body() -> impl Strategy<Value = Body> {
    prop_oneof![
        4 => vec(any::<u8>(), 0..1500).prop_map(Body::File),
        1 => (100_000_usize..300_000).prop_map(Body::Large),
        4 => Just(Body::Directory),
        2 => vec(1..=255_u8, 1..250).prop_map(Body::Symlink),
        1 => Just(Body::Fifo),
        1 => (0..4096_u32, 0..1_u32 << 20).prop_map(|(major, minor)| Body::Device(major, minor)),
        2 => any::<usize>().prop_map(Body::HardLink),
    ]
}

prop_compose! {
    fn node()(
        parent: usize,
        name in name(),
        body in body(),
        mode in 0..=0o7777_u16,
        owner in (0..3_000_000_u32, 0..3_000_000_u32),
        mtime_s in 0..1_i64 << 34,
    ) -> Node {
        Node { parent, name, body, mode, owner, mtime_s }
    }
}

fn make(body: &Body, path: &Path, files: &[PathBuf]) -> io::Result<()> {
    match body {
        Body::File(content) => fs::write(path, content),
        Body::Large(bytes) => fs::write(path, vec![b'x'; *bytes]),
        Body::Directory => fs::create_dir(path),
        Body::Symlink(target) => symlink(OsStr::from_bytes(target), path),
        Body::Fifo => Ok(mknodat(CWD, path, FileType::Fifo, Mode::empty(), 0)?),
        Body::Device(major, minor) => {
            let device = makedev(*major, *minor);
            Ok(mknodat(
                CWD,
                path,
                FileType::BlockDevice,
                Mode::empty(),
                device,
            )?)
        }
        Body::HardLink(_) if files.is_empty() => fs::write(path, ""),
        Body::HardLink(index) => fs::hard_link(&files[index % files.len()], path),
    }
}

/// Below `d`; a name that is taken is passed over.
fn plant(root: &Root, nodes: &[Node]) {
    let mut directories = vec![root.path("d")];
    fs::create_dir(&directories[0]).unwrap();
    let mut files = Vec::new();
    let mut made = Vec::new();
    for node in nodes {
        let parent = &directories[node.parent % directories.len()];
        let path = parent.join(OsStr::from_bytes(&node.name));
        if fs::symlink_metadata(&path).is_ok() {
            continue;
        }
        make(&node.body, &path, &files).unwrap();
        match node.body {
            Body::Directory => directories.push(path.clone()),
            Body::HardLink(_) => {}
            _ => files.push(path.clone()),
        }
        made.push((path, node));
    }
    // The deepest first, for what goes in changes a directory's time.
    for (path, node) in made.iter().rev() {
        dress(path, node);
    }
}

fn dress(path: &Path, node: &Node) {
    let nofollow = AtFlags::SYMLINK_NOFOLLOW;
    let (uid, gid) = (Uid::from_raw(node.owner.0), Gid::from_raw(node.owner.1));
    chownat(CWD, path, Some(uid), Some(gid), nofollow).unwrap();
    if !fs::symlink_metadata(path).unwrap().is_symlink() {
        let mode = Mode::from_raw_mode(node.mode.into());
        chmodat(CWD, path, mode, AtFlags::empty()).unwrap();
    }
    let time = Timespec {
        tv_sec: node.mtime_s,
        tv_nsec: 0,
    };
    let times = Timestamps {
        last_access: time,
        last_modification: time,
    };
    utimensat(CWD, path, &times, nofollow).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_tree_comes_back_as_it_was(nodes in vec(node(), 0..24)) {
        let origin = Root::new();
        plant(&origin, &nodes);
        let copy = Root::new();
        copy.unpack("/", &origin.pack("/d")).unwrap();
        // The root itself, which is listed first, was not in the archive.
        prop_assert_eq!(&origin.listing()[1..], &copy.listing()[1..]);
    }
}
